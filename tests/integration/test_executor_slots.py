"""Containers made ahead, on the real engine: they wait without data, serve one task, and do not pile up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from sandbox.core.errors import Unavailable
from sandbox.executor import ahead, kernel, mounts, slots
from sandbox.executor.contract import End, Input, Limits, Shape
from sandbox.executor.folders import TaskFolder
from sandbox.executor.slots import Slot
from sandbox.task.probe import ATTEMPTS
from tests.plugins.engine import SLEEP, ProbeExecutor, containers, in_background, until

LIMITS = {"seconds": 60, "memory_bytes": 256 << 20, "output_bytes": 8 << 20, "tmp_bytes": 8 << 20}


@pytest.fixture
def shape(prober: ProbeExecutor) -> Iterator[Shape]:
    """The shape of the prober's tasks; nothing made ahead is left after the test."""
    yield Shape(prober.image("python"), Limits(**LIMITS))
    prober.close()


def waiting(executor: ProbeExecutor) -> list[Slot]:
    """The slots that wait for a task."""
    return [slot for _, slot in executor.slots.ready() if slot.waits]


def made_ahead(executor: ProbeExecutor, shape: Shape, count: int = 1) -> list[Slot]:
    """``prepare`` and wait until they are there."""
    executor.prepare([shape] * count)
    until(lambda: len(waiting(executor)) == count, 60)
    return waiting(executor)


def test_a_task_is_given_to_a_container_that_waits_and_another_is_made(
    prober: ProbeExecutor, shape: Shape, tmp_path: Path
) -> None:
    [slot] = made_ahead(prober, shape)
    (tmp_path / "rows.csv").write_text("a\n1\n")
    task = prober.task(
        "report['rows'] = open('/in/rows.csv').read()", Input("rows.csv", tmp_path / "rows.csv")
    )
    outcome = prober.run(task)
    assert (outcome.end, outcome.report) == (End.SUCCEEDED, {"rows": "a\n1\n"})
    used = Slot.of(TaskFolder(prober.root, task.id))
    assert used == slot
    until(lambda: [other.slot for other in waiting(prober)] not in ([], [slot.slot]), 60)


def test_what_waits_has_no_data_no_task_and_was_probed(
    prober: ProbeExecutor, shape: Shape, engine_api: docker.APIClient
) -> None:
    [slot] = made_ahead(prober, shape)
    assert kernel.shown_below(slot.pid, "/in") == {}
    assert sorted(path.name for path in (prober.root / ".slots" / slot.slot / "in").iterdir()) == ["go"]
    assert slot.isolation["probe"] == {"attempts": len(ATTEMPTS), "refused": len(ATTEMPTS)}
    assert slot.isolation["kernel"] == {"observed": True}
    assert prober.known() == []
    assert prober.running() == []
    [container] = containers(engine_api, prober)
    assert container["Id"] == slot.container


def test_one_container_serves_one_task(prober: ProbeExecutor, shape: Shape) -> None:
    made_ahead(prober, shape)
    first, second = prober.task("pass"), prober.task("pass")
    prober.run(first)
    prober.run(second)
    used = [Slot.of(TaskFolder(prober.root, task.id)) for task in (first, second)]
    assert len({slot.slot for slot in used if slot}) == 2


def test_a_task_of_another_shape_gets_its_own(prober: ProbeExecutor, shape: Shape) -> None:
    [slot] = made_ahead(prober, shape)
    task = prober.task(
        "report['limit'] = open('/sys/fs/cgroup/memory/memory.limit_in_bytes').read()"
        " if os.path.exists('/sys/fs/cgroup/memory') else open('/sys/fs/cgroup/memory.max').read()",
        memory_bytes=128 << 20,
    )
    assert prober.run(task).report == {"limit": f"{128 << 20}\n"}
    assert [one.slot for one in waiting(prober)] == [slot.slot]


def test_a_container_that_died_waiting_is_not_used(
    prober: ProbeExecutor, shape: Shape, engine_api: docker.APIClient
) -> None:
    [slot] = made_ahead(prober, shape)
    prober.prepare([])  # so that only the task looks
    folder = prober.root / ".slots" / slot.slot
    until(lambda: not folder.exists(), 60)
    made, other = prober.slots.make(engine_api, shape)
    engine_api.kill(other.container)
    until(lambda: not other.waits)
    outcome = prober.run(prober.task("report['ran'] = True"))
    assert outcome.report == {"ran": True}
    prober.slots.reap(engine_api)
    assert not made.path.exists()
    assert containers(engine_api, prober) == []


def test_nothing_more_is_kept_than_is_wanted(
    prober: ProbeExecutor, shape: Shape, engine_api: docker.APIClient
) -> None:
    made_ahead(prober, shape, 2)
    prober.prepare([shape])
    until(lambda: len(waiting(prober)) == 1, 60)
    other = replace(shape, limits=replace(shape.limits, pids=100))
    prober.prepare([other])
    until(lambda: [slot.shape["limits"]["pids"] for slot in waiting(prober)] == [100], 60)
    prober.close()
    assert waiting(prober) == []
    assert containers(engine_api, prober) == []
    assert mounts.mounted_below(prober.root) == []


DRIVER = """
import json, os, sys
from pathlib import Path
from sandbox.executor.contract import Limits, Shape
from sandbox.executor.docker import DockerExecutor, calls
root, image, limits, entry, dies = json.loads(sys.argv[1])
DockerExecutor.entry = tuple(entry)
executor = DockerExecutor(Path(root))
if dies:
    executor.slots._start = lambda *_: os._exit(9)
with calls(executor.engine) as api:
    executor.slots.make(api, Shape(image, Limits(**limits)))
os._exit(9)
"""


def elsewhere(executor: ProbeExecutor, shape: Shape, *, dies: bool) -> None:
    """Another process makes a slot and is killed, half-way (``dies``) or after."""
    asked = [str(executor.root), shape.image, LIMITS, executor.entry, dies]
    done = subprocess.run([sys.executable, "-c", DRIVER, json.dumps(asked)], check=False)
    assert done.returncode == 9


def test_what_a_killed_process_made_is_used_and_what_it_half_made_is_removed(
    prober: ProbeExecutor, shape: Shape, engine_api: docker.APIClient
) -> None:
    elsewhere(prober, shape, dies=False)
    elsewhere(prober, shape, dies=True)
    assert len(list((prober.root / ".slots").glob("slot-*"))) == 2
    [slot] = waiting(prober)
    task = prober.task("report['ran'] = True")
    assert prober.run(task).report == {"ran": True}
    assert Slot.of(TaskFolder(prober.root, task.id)) == slot
    prober.slots.reap(engine_api)
    assert list((prober.root / ".slots").iterdir()) == []
    assert mounts.mounted_below(prober.root / ".slots") == []


def test_a_container_whose_folder_is_gone_is_removed(
    prober: ProbeExecutor, shape: Shape, engine_api: docker.APIClient
) -> None:
    elsewhere(prober, shape, dies=False)
    [slot] = waiting(prober)
    TaskFolder(prober.root / ".slots", slot.slot).remove()
    running = prober.task(SLEEP.format(seconds=600))
    future = in_background(prober, running)
    prober.slots.reap(engine_api)
    assert not slot.waits
    assert prober.running() == [running.id]  # a task's container is nobody's leftover
    prober.stop(running.id)
    assert future.result(timeout=20).end is End.STOPPED


def test_a_task_found_begun_but_not_let_go_is_let_go(
    prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the note that it has started and the word to go."""
    task = prober.task("report['ran'] = True")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(slots, "go", crash)
        patch.setattr(ProbeExecutor, "_clear", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            prober.run(task)
    outcome = prober.run(task)
    assert (outcome.end, outcome.report) == (End.SUCCEEDED, {"ran": True})


@pytest.mark.parametrize("name", sorted(slots.REQUIRED))
def test_each_attempt_that_succeeds_or_is_not_made_refuses_the_container(name: str) -> None:
    answers = dict.fromkeys(ATTEMPTS, "EPERM")
    for wrong in (answers | {name: "open"}, {key: told for key, told in answers.items() if key != name}):
        with pytest.raises(Unavailable) as caught:
            slots.held(wrong)
        assert caught.value.code == "ISOLATION_UNAVAILABLE"
        assert caught.value.details["missing"] == f"probe: {name}"


def test_the_probe_s_list_is_the_executor_s() -> None:
    assert set(ATTEMPTS) == slots.REQUIRED
    assert slots.held(dict.fromkeys(ATTEMPTS, "EPERM"))["refused"] == len(ATTEMPTS)
    with pytest.raises(Unavailable):
        slots.held(None)


@pytest.mark.parametrize(
    ("entry", "missing"),
    [
        (("python3", "-I", "-c", "raise SystemExit(1)"), "ready"),
        (("python3", "-I", "-c", "open('/out/.ready', 'w').write('no')"), "ready"),
    ],
)
def test_a_container_that_does_not_announce_itself_is_refused(
    prober: ProbeExecutor,
    shape: Shape,
    engine_api: docker.APIClient,
    monkeypatch: pytest.MonkeyPatch,
    entry: tuple[str, ...],
    missing: str,
) -> None:
    monkeypatch.setattr(prober.slots, "entry", entry)
    with pytest.raises(Unavailable) as caught:
        prober.run(prober.task("pass"))
    assert caught.value.details["missing"] == missing
    assert containers(engine_api, prober) == []
    assert mounts.mounted_below(prober.root) == []


def test_a_container_whose_probe_found_a_hole_never_sees_data(
    prober: ProbeExecutor, engine_api: docker.APIClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As if this machine's kernel or engine left one wall out."""
    answers = dict.fromkeys(ATTEMPTS, "EPERM") | {"io_uring": "open"}
    code = (
        f"import time; open('/out/.ready', 'w').write('''{json.dumps({'probe': answers})}'''); time.sleep(60)"
    )
    monkeypatch.setattr(prober.slots, "entry", ("python3", "-I", "-c", code))
    brought: list[object] = []
    monkeypatch.setattr(slots, "bring", lambda *given: brought.append(given))
    (tmp_path / "rows.csv").write_text("secret")
    with pytest.raises(Unavailable) as caught:
        prober.run(prober.task("pass", Input("rows.csv", tmp_path / "rows.csv")))
    assert caught.value.details["missing"] == "probe: io_uring"
    assert brought == []
    assert containers(engine_api, prober) == []


def test_an_engine_that_is_away_stops_the_making_and_not_the_worker(
    prober: ProbeExecutor, shape: Shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "RETRY_SECONDS", 0.1)
    true, failed = prober.slots.make, []

    def sometimes(*given: object, **more: object) -> object:
        if len(failed) < 3:
            failed.append(given)
            raise (
                OSError(os.strerror(28))
                if len(failed) == 2
                else slots.fail("ISOLATION_UNAVAILABLE", missing="create")
            )
        return true(*given, **more)

    monkeypatch.setattr(prober.slots, "make", sometimes)
    made_ahead(prober, shape)
    assert len(failed) == 3
