"""The real container engine for the tests. A machine without it fails them: nothing stands in for it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import docker
import pytest

from sandbox.executor.contract import Input, Limits, Outcome, Task, TaskKind
from sandbox.executor.docker import API_VERSION, DockerExecutor

# Runs the Python text in params["code"] with what it needs at hand; its ``report`` becomes report.json.
PROBE_ENTRY = (
    "python3",
    "-I",
    "-c",
    """
import json, os, sys, time
from pathlib import Path
from sandbox.task.waiting import until_claimed
until_claimed(Path("/in"), Path("/out"))
params = json.load(open("/in/task.json"))["params"]
report = {}
exec(compile(params["code"], "probe", "exec"))
json.dump(report, open("/out/report.json", "w"))
""",
)


class ProbeExecutor(DockerExecutor):
    """The real executor with a probe of the test in the place of ``sandbox.task``."""

    entry = PROBE_ENTRY
    runtime = "runc"

    def task(self, code: str, *inputs: Input, labels: dict[str, str] | None = None, **limits: Any) -> Task:
        """A small task that runs ``code``."""
        given = {"seconds": 60, "memory_bytes": 256 << 20, "output_bytes": 8 << 20, "tmp_bytes": 8 << 20}
        return Task(
            id=f"probe-{uuid.uuid4().hex[:12]}",
            kind=TaskKind.JOB,
            image=self.image("python"),
            params={"code": code},
            inputs=inputs,
            limits=Limits(**{**given, **limits}),
            labels=labels or {},
            runtime=self.runtime,
        )


SLEEP = "open('/out/files/begun', 'w').close(); time.sleep({seconds}); report['slept'] = True"


def until(holds: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until ``holds`` gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if got := holds():
            return got
        time.sleep(0.05)
    raise AssertionError("did not happen in time")


def begun(executor: DockerExecutor, task: Task) -> bool:
    """Whether the user's code of ``task`` (``SLEEP``) runs."""
    return (executor.root / task.id / "out/files/begun").exists()


def containers(api: docker.APIClient, executor: DockerExecutor) -> list[dict[str, Any]]:
    """Every container of the executor's root, running or not."""
    found: list[dict[str, Any]] = api.containers(
        all=True, filters={"label": f"sandbox.space={executor.space}"}
    )
    return found


def in_background(executor: DockerExecutor, task: Task) -> Future[Outcome]:
    """``run`` in a thread, returned when the code in the container has begun."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(executor.run, task)
    pool.shutdown(wait=False)
    until(lambda: future.done() or begun(executor, task))
    return future


Kind = TypeVar("Kind", bound=DockerExecutor)


def _kept(executor: Kind) -> Iterator[Kind]:
    yield executor
    for task_id in executor.known():
        executor.discard(task_id)


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[DockerExecutor]:
    """The executor of the product on a root of its own; every task is discarded after the test."""
    yield from _kept(DockerExecutor(tmp_path / "tasks"))


@pytest.fixture
def prober(tmp_path: Path) -> Iterator[ProbeExecutor]:
    """The same with ``PROBE_ENTRY``."""
    yield from _kept(ProbeExecutor(tmp_path / "tasks"))


@pytest.fixture
def probe(prober: ProbeExecutor) -> Callable[..., Outcome]:
    """``probe(code, **limits)``: run ``code`` in a container of its own and give the outcome."""
    return lambda code, *inputs, **limits: prober.run(prober.task(code, *inputs, **limits))


@pytest.fixture
def engine_api(prober: ProbeExecutor) -> Iterator[docker.APIClient]:
    """The engine as its owner sees it, to look at what the executor made."""
    api = docker.APIClient(base_url=prober.engine, version=API_VERSION, timeout=60)
    yield api
    api.close()
