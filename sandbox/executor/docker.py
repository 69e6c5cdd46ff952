"""The executor on a docker engine. The promises stand in ``contract``, the hardening in ``profile``."""

from __future__ import annotations

import hashlib
import math
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from sandbox.core.errors import fail
from sandbox.executor import folders, kernel, profile
from sandbox.executor.collect import collect
from sandbox.executor.contract import End, Outcome, Task
from sandbox.executor.folders import TaskFolder

DEFAULT_ENGINE = "unix:///run/sandbox-engine/docker.sock"
API_VERSION = "1.41"  # engine 20.10 and later
CALL_SECONDS = 60.0  # longest answer to any call but a wait
WAIT_SECONDS = 30.0  # one wait call; then the clock is looked at again
KILL_SECONDS = 8.0  # for the last process to be gone after a kill
AWAY_SECONDS = 30.0  # an engine that restarts (live-restore) may be away this long
KILLED = 137  # 128 + SIGKILL
IMAGE_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def seconds_of(stamp: str) -> float:
    """POSIX time of an engine's time stamp (RFC 3339, nanoseconds)."""
    head, _, fraction = stamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{head}+00:00").timestamp() + float(f"0.{fraction or 0}")


@contextmanager
def calls(engine: str) -> Iterator[docker.APIClient]:
    """A connection to ``engine`` of one's own (the SDK's is not made for threads).

    ENGINE_UNREACHABLE if the engine does not answer, or answers what it should not.
    """
    try:
        with socket.socket(socket.AF_UNIX) as line:  # the SDK leaves its socket open when this fails
            line.settimeout(CALL_SECONDS)
            line.connect(engine.removeprefix("unix://"))
        api = docker.APIClient(base_url=engine, version=API_VERSION, timeout=CALL_SECONDS)
    except (OSError, DockerException) as error:
        raise fail("ENGINE_UNREACHABLE", socket=engine) from error
    try:
        yield api
    except (DockerException, requests.RequestException) as error:
        raise fail("ENGINE_UNREACHABLE", socket=engine) from error
    finally:
        api.close()


class DockerExecutor:
    """Runs tasks below ``root``, a folder that no one else writes to; see ``contract.Executor``.

    ``engine`` is the address of the engine's socket, by default that of ``SANDBOX_ENGINE``. Needs root:
    it mounts. Threads and processes may use executors of the same root at the same time.
    """

    entry = profile.ENTRY  # what a container runs; tests put their probes in its place

    def __init__(self, root: Path, engine: str | None = None) -> None:
        self.root = root.resolve()
        self.engine = engine or os.environ.get("SANDBOX_ENGINE") or DEFAULT_ENGINE
        self.space = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]

    # -- the contract -----------------------------------------------------------------------------

    def run(self, task: Task) -> Outcome:
        """See ``contract.Executor``."""
        folders.check(task)
        folder = TaskFolder(self.root, task.id)
        place = profile.Place(profile.uid_of(task.id), folder.inputs, folder.output, self.space)
        with self._calls() as api:
            with folder.lock():
                if known := folder.outcome():
                    return known
                report = self._report(api, task.id)
                if report is None and (started := folder.noted("started")):
                    return self._lost(folder, started)
                if report is None:
                    report = self._create(api, task, folder, place)
                if report["State"]["Status"] == "created" and not (folder.path / "stop.json").exists():
                    self._start(api, task, folder, place, report)
            self._wait(api, task)
            with folder.lock():
                return folder.outcome() or self._collect(api, task, folder)

    def stop(self, task_id: str) -> None:
        """See ``contract.Executor``."""
        folder = self._folder(task_id)
        with folder.lock():
            if not folder.path.exists() or folder.outcome():
                return
            folder.note("stop", {"at": time.time()})
            with self._calls() as api:
                if report := self._report(api, task_id):
                    self._kill(api, report["Id"])

    def discard(self, task_id: str) -> None:
        """See ``contract.Executor``."""
        folder = self._folder(task_id)
        with folder.lock():
            with self._calls() as api:
                if report := self._report(api, task_id):
                    self._kill(api, report["Id"])
                    self._remove(api, report["Id"])
            folder.remove()

    def running(self, label: str | None = None, value: str | None = None) -> list[str]:
        """See ``contract.Executor``."""
        wanted = [] if label is None else [label if value is None else f"{label}={value}"]
        return self._listed({"status": ["running", "paused"]}, wanted)

    def known(self) -> list[str]:
        """See ``contract.Executor``."""
        held = (
            {path.name for path in self.root.iterdir() if path.name != folders.LOCKS}
            if self.root.exists()
            else set()
        )
        return sorted(held | set(self._listed({}, [])))

    def image(self, name: str) -> str:
        """See ``contract.Executor``."""
        if not IMAGE_NAME.fullmatch(name):
            raise fail("IMAGE_UNKNOWN", image=name)
        with self._calls() as api:
            try:
                return str(api.inspect_image(f"sandbox/{name}:current")["Id"])
            except ImageNotFound:
                raise fail("IMAGE_UNKNOWN", image=name) from None

    # -- the engine -------------------------------------------------------------------------------

    def _calls(self) -> AbstractContextManager[docker.APIClient]:
        return calls(self.engine)

    def _folder(self, task_id: str) -> TaskFolder:
        if not folders.ID.fullmatch(task_id):
            raise fail("TASK_INVALID", what="id", why=folders.ID.pattern)
        return TaskFolder(self.root, task_id)

    def _name(self, task_id: str) -> str:
        return f"sandbox-{self.space}-{task_id}"

    def _listed(self, filters: dict[str, list[str]], wanted: list[str]) -> list[str]:
        labels = [f"sandbox.space={self.space}", *wanted]
        with self._calls() as api:
            found = api.containers(all=True, filters={**filters, "label": labels})
        return sorted(container["Labels"]["sandbox.task"] for container in found)

    def _report(self, api: docker.APIClient, task_id: str) -> dict[str, Any] | None:
        """The engine's report of the task's container, None if there is none."""
        try:
            report: dict[str, Any] = api.inspect_container(self._name(task_id))
        except NotFound:
            return None
        return report

    def _kill(self, api: docker.APIClient, container: str) -> None:
        """End everything in the container. An engine that says it has ended is not believed."""
        with suppress(APIError):  # 409: not running
            api.kill(container, "SIGKILL")
        if not kernel.kill_all(container, KILL_SECONDS):
            raise fail("ISOLATION_UNAVAILABLE", missing="kill")

    def _remove(self, api: docker.APIClient, container: str) -> None:
        with suppress(NotFound):
            api.remove_container(container, force=True)
        kernel.remove_groups(container)

    # -- one task ---------------------------------------------------------------------------------

    def _create(
        self, api: docker.APIClient, task: Task, folder: TaskFolder, place: profile.Place
    ) -> dict[str, Any]:
        """Stage the folder and create the container, not started yet."""
        try:
            api.inspect_image(task.image)
        except ImageNotFound:
            raise fail("IMAGE_UNKNOWN", image=task.image) from None
        folder.stage(task, place.uid)
        body = profile.configuration(task, place, self.entry)
        try:
            api.create_container_from_config(body, self._name(task.id))
        except APIError as error:
            folder.remove()
            raise fail("ISOLATION_UNAVAILABLE", missing="create") from error
        return dict(api.inspect_container(self._name(task.id)))

    def _start(
        self,
        api: docker.APIClient,
        task: Task,
        folder: TaskFolder,
        place: profile.Place,
        report: dict[str, Any],
    ) -> None:
        """Start a created container, if the engine made what was asked and the kernel enforces it."""
        container = report["Id"]
        try:
            isolation = profile.verify(task, place, report)
            body = profile.configuration(task, place, self.entry)
            note = {"at": time.time(), "config_sha256": profile.sha256_of(body), "isolation": isolation}
            folder.note("started", note)  # from here on a vanished container is a lost one
            try:
                api.start(container)
            except APIError as error:
                raise fail("ISOLATION_UNAVAILABLE", missing="start") from error
            state = api.inspect_container(container)["State"]
            seen = self._observe(api, task, place, container, state)
            folder.note("started", {**note, "isolation": {**isolation, "kernel": seen}})
        except BaseException:
            self._kill(api, container)
            self._remove(api, container)
            folder.remove()
            raise

    def _observe(
        self,
        api: docker.APIClient,
        task: Task,
        place: profile.Place,
        container: str,
        state: dict[str, Any],
    ) -> dict[str, Any]:
        def still() -> bool:
            return bool(api.inspect_container(container)["State"]["Running"])

        if not state["Running"]:
            return {"observed": False}
        return kernel.observe(task, place, container, state["Pid"], still)

    def _wait(self, api: docker.APIClient, task: Task) -> None:
        """Until the container has ended or its time is over; then nothing of it runs any more."""
        away_since: float | None = None
        container, deadline = "", math.inf
        while True:
            try:
                report = self._report(api, task.id)
                away_since = None
                if report is None or not report["State"]["Running"]:
                    break
                container = report["Id"]
                limit = float(report["Config"]["Labels"]["sandbox.seconds"])
                deadline = seconds_of(report["State"]["StartedAt"]) + limit
                left = deadline - time.time()
                if left <= 0:
                    self._kill(api, container)
                    continue
                with suppress(requests.exceptions.ReadTimeout):
                    api.wait(container, timeout=min(left, WAIT_SECONDS))
            except (APIError, requests.RequestException):
                if time.time() >= deadline:
                    kernel.kill_all(container)  # the clock does not wait for the engine
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > AWAY_SECONDS:
                    raise
                time.sleep(0.2)

    def _collect(self, api: docker.APIClient, task: Task, folder: TaskFolder) -> Outcome:
        """Turn an ended container into its outcome; repeatable until the outcome is noted."""
        report = self._report(api, task.id)
        started = folder.noted("started") or {}
        if report is None or not folder.output.is_mount():
            if report is not None:
                self._kill(api, report["Id"])
                self._remove(api, report["Id"])
            return self._lost(folder, started)
        self._kill(api, report["Id"])
        content, skipped = collect(
            folder.output,
            folder.fresh_files(),
            max_bytes=task.limits.output_bytes,
            max_files=task.limits.output_files,
        )
        state = report["State"]
        ran = state["Status"] != "created"
        begun = seconds_of(state["StartedAt"]) if ran else float(started.get("at", 0.0))
        seconds = max(0.0, seconds_of(state["FinishedAt"]) - begun) if ran else 0.0
        outcome = Outcome(
            end=_end(state, seconds, task.limits.seconds, stopped=folder.noted("stop") is not None),
            exit_code=int(state["ExitCode"]) if ran else None,
            seconds=seconds,
            files=folder.files,
            report=content,
            started_at=begun,
            config_sha256=str(started.get("config_sha256", "")),
            isolation=dict(started.get("isolation", {})),
            skipped=skipped,
        )
        folder.note_outcome(outcome)
        self._remove(api, report["Id"])
        folder.take_down()
        return outcome

    def _lost(self, folder: TaskFolder, started: dict[str, Any]) -> Outcome:
        """The container vanished without an exit; what it had written went with it."""
        outcome = Outcome(
            end=End.STOPPED if folder.noted("stop") else End.LOST,
            exit_code=None,
            seconds=0.0,
            files=folder.files,
            report={},
            started_at=float(started.get("at", 0.0)),
            config_sha256=str(started.get("config_sha256", "")),
            isolation=dict(started.get("isolation", {})),
        )
        if folder.path.exists():  # else it was discarded while we waited
            folder.fresh_files().mkdir()
            folder.note_outcome(outcome)
            folder.take_down()
        return outcome


def _end(state: dict[str, Any], seconds: float, limit: float, *, stopped: bool) -> End:
    """How a container ended, from its state. A task that came to its own end before a stop or the clock
    reached it keeps that end."""
    code = int(state["ExitCode"])
    rules = (
        (state["Status"] == "created" or (stopped and code == KILLED), End.STOPPED),
        (code == 0, End.SUCCEEDED),
        (seconds >= limit, End.TIMED_OUT),
        (bool(state["OOMKilled"]), End.OUT_OF_MEMORY),
    )
    return next((end for holds, end in rules if holds), End.FAILED)
