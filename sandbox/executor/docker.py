"""The executor on a docker engine. The promises stand in ``contract``, the hardening in ``profile``."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from sandbox.core.errors import fail
from sandbox.executor import folders, kernel, profile, slots
from sandbox.executor.ahead import Ahead
from sandbox.executor.collect import collect
from sandbox.executor.contract import End, Guarantees, Outcome, Shape, Task
from sandbox.executor.folders import TaskFolder
from sandbox.executor.guarantees import DEFAULT_RUNTIME, docker_guarantees
from sandbox.executor.images import ImageList
from sandbox.executor.slots import Slot, Slots

DEFAULT_ENGINE = "unix:///run/sandbox-engine/docker.sock"
API_VERSION = "1.41"  # engine 20.10 and later
CALL_SECONDS = 60.0  # longest answer to any call but a wait
WAIT_SECONDS = 30.0  # one wait call; then the clock is looked at again
AWAY_SECONDS = 30.0  # an engine that restarts (live-restore) may be away this long
KILLED = 137  # 128 + SIGKILL


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

    ``engine`` is the address of the engine's socket, by default that of ``SANDBOX_ENGINE``; ``images`` says
    which images may run. Needs root: it mounts. Threads and processes may use executors of the same root at
    the same time.
    """

    entry = profile.ENTRY  # what a container runs; tests put their probes in its place

    def __init__(self, root: Path, engine: str | None = None, images: ImageList | None = None) -> None:
        self.root = root.resolve()
        self.images = images or ImageList()
        self._measured: dict[str, Guarantees] = {}
        self._seen: set[str] = set()  # images that the engine has
        self.engine = engine or os.environ.get("SANDBOX_ENGINE") or DEFAULT_ENGINE
        self.space = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
        self.slots = Slots(self.root, self.space, self.entry)
        self._ahead: Ahead | None = None

    # -- the contract -----------------------------------------------------------------------------

    def run(self, task: Task) -> Outcome:
        """See ``contract.Executor``."""
        folders.check(task)
        folder = TaskFolder(self.root, task.id)
        with self._calls() as api:
            with folder.lock():
                if known := folder.outcome():
                    return known
                if folder.noted("started") and (slot := Slot.of(folder)):
                    slots.go(folder, slot, seconds=0)
                elif folder.noted("stop"):
                    return self._never_began(api, folder)
                else:
                    self._begin(api, task, folder)
            self._wait(api, task, folder)
            with folder.lock():
                return folder.outcome() or self._collect(api, task, folder)

    def ended(self, task_id: str) -> Outcome | None:
        """See ``contract.Executor``."""
        return self._folder(task_id).outcome()

    def stop(self, task_id: str) -> None:
        """See ``contract.Executor``."""
        folder = self._folder(task_id)
        with folder.lock():
            if not folder.path.exists() or folder.outcome():
                return
            folder.note("stop", {"at": time.time()})
            if slot := Slot.of(folder):
                with self._calls() as api:
                    slots.kill(api, slot.container)

    def discard(self, task_id: str) -> None:
        """See ``contract.Executor``."""
        folder = self._folder(task_id)
        with folder.lock(), self._calls() as api:
            self._clear(api, folder)

    def running(self, label: str | None = None, value: str | None = None) -> list[str]:
        """See ``contract.Executor``."""
        filters = {"status": ["running", "paused"], "label": [f"sandbox.space={self.space}", "sandbox.slot"]}
        with self._calls() as api:
            there = {one["Labels"]["sandbox.slot"] for one in api.containers(all=True, filters=filters)}
        found = []
        for task_id in self.known() if there else ():
            folder = TaskFolder(self.root, task_id)
            slot, labels = Slot.of(folder), (folder.noted("started") or {}).get("labels")
            if slot is None or labels is None or slot.slot not in there:
                continue
            if label is None or (label in labels and value in (None, labels[label])):
                found.append(task_id)
        return found

    def known(self) -> list[str]:
        """See ``contract.Executor``."""
        if not self.root.exists():
            return []
        return sorted(path.name for path in self.root.iterdir() if path.name not in folders.NOT_TASKS)

    def prepare(self, wanted: Sequence[Shape]) -> None:
        """See ``contract.Executor``."""
        if self._ahead is None:
            self._ahead = Ahead(self.slots, self._calls)
        self._ahead.want(wanted)

    def close(self) -> None:
        """See ``contract.Executor``."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def tidy(self) -> None:
        """Remove what processes that were killed left half made, and containers without a folder."""
        with self._calls() as api:
            self.slots.reap(api)

    def guarantees(self, runtime: str = DEFAULT_RUNTIME) -> Guarantees:
        """See ``contract.Executor``; asked once per runtime, since each container is compared anyway."""
        if runtime not in self._measured:
            with self._calls() as api:
                self._measured[runtime] = docker_guarantees(api.info(), runtime)
        return self._measured[runtime]

    def image(self, name: str) -> str:
        """See ``contract.Executor``."""
        digest = self.images.digest(name)
        if digest not in self._seen:  # of one that was removed since, ``create`` says the same
            with self._calls() as api:
                try:
                    api.inspect_image(digest)
                except ImageNotFound:
                    raise fail("IMAGE_UNKNOWN", image=name) from None
            self._seen.add(digest)
        return digest

    # -- the engine -------------------------------------------------------------------------------

    def _calls(self) -> AbstractContextManager[docker.APIClient]:
        return calls(self.engine)

    def _folder(self, task_id: str) -> TaskFolder:
        if not folders.ID.fullmatch(task_id):
            raise fail("TASK_INVALID", what="id", why=folders.ID.pattern)
        return TaskFolder(self.root, task_id)

    def _report(self, api: docker.APIClient, folder: TaskFolder) -> dict[str, Any] | None:
        """The engine's report of the task's container, None if there is none."""
        slot = Slot.of(folder)
        if slot is None:
            return None
        try:
            report: dict[str, Any] = api.inspect_container(slot.container)
        except NotFound:
            return None
        return report

    def _clear(self, api: docker.APIClient, folder: TaskFolder) -> None:
        """Remove container, mounts and folder of a task."""
        if slot := Slot.of(folder):
            self.slots.drop(api, slot.slot)
        folder.remove()

    # -- one task ---------------------------------------------------------------------------------

    def _begin(self, api: docker.APIClient, task: Task, folder: TaskFolder) -> None:
        """A container that waits, or a new one, is given the task."""
        self.images.check(task.image)
        self._clear(api, folder)  # what a crash left half begun
        slot = self.slots.claim(task.shape, folder)
        if slot is None:
            made, slot = self.slots.make(api, task.shape, task.kind)
            made.path.rename(folder.path)
        elif self._ahead is not None:
            self._ahead.look()
        try:
            slots.bring(folder, slot, task)
            started = {
                "at": time.time(),
                "seconds": task.limits.seconds,
                "labels": {**task.labels, "sandbox.kind": task.kind},
            }
            folder.note("started", started)  # from here on a vanished container is a lost one
            slots.go(folder, slot)
        except BaseException:
            self._clear(api, folder)
            raise

    def _never_began(self, api: docker.APIClient, folder: TaskFolder) -> Outcome:
        """Stopped before it was let go."""
        if slot := Slot.of(folder):
            self.slots.drop(api, slot.slot)
        return self._lost(folder)

    def _wait(self, api: docker.APIClient, task: Task, folder: TaskFolder) -> None:
        """Until the container has ended or its time is over; then nothing of it runs any more."""
        started, slot = folder.noted("started"), Slot.of(folder)
        if started is None or slot is None:
            return  # discarded while we were about to look
        deadline = float(started["at"]) + float(started["seconds"])
        away_since: float | None = None
        while True:
            try:
                report = self._report(api, folder)
                away_since = None
                if report is None or not report["State"]["Running"]:
                    break
                left = deadline - time.time()
                if left <= 0:
                    slots.kill(api, slot.container)
                    continue
                with suppress(requests.exceptions.ReadTimeout):
                    api.wait(slot.container, timeout=min(left, WAIT_SECONDS))
            except (APIError, requests.RequestException):
                if time.time() >= deadline:
                    kernel.kill_all(slot.container)  # the clock does not wait for the engine
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > AWAY_SECONDS:
                    raise
                time.sleep(0.2)

    def _collect(self, api: docker.APIClient, task: Task, folder: TaskFolder) -> Outcome:
        """Turn an ended container into its outcome; repeatable until the outcome is noted."""
        report, slot = self._report(api, folder), Slot.of(folder)
        started = folder.noted("started")
        if report is None or slot is None or started is None or not folder.output.is_mount():
            if slot is not None:
                self.slots.drop(api, slot.slot)
            return self._lost(folder)
        slots.kill(api, slot.container)
        content, skipped = collect(
            folder.output,
            folder.fresh_files(),
            max_bytes=task.limits.output_bytes,
            max_files=task.limits.output_files,
        )
        state = report["State"]
        begun = float(started["at"])
        seconds = max(0.0, seconds_of(state["FinishedAt"]) - begun)
        outcome = Outcome(
            end=_end(state, seconds, task.limits.seconds, stopped=folder.noted("stop") is not None),
            exit_code=int(state["ExitCode"]),
            seconds=seconds,
            files=folder.files,
            report=content,
            started_at=begun,
            config_sha256=slot.config_sha256,
            isolation=slot.isolation,
            skipped=skipped,
        )
        folder.note_outcome(outcome)
        self.slots.drop(api, slot.slot)
        folder.take_down()
        return outcome

    def _lost(self, folder: TaskFolder) -> Outcome:
        """The container vanished without an exit; what it had written went with it."""
        started, slot = folder.noted("started") or {}, Slot.of(folder)
        outcome = Outcome(
            end=End.STOPPED if folder.noted("stop") else End.LOST,
            exit_code=None,
            seconds=0.0,
            files=folder.files,
            report={},
            started_at=float(started.get("at", 0.0)),
            config_sha256=slot.config_sha256 if slot else "",
            isolation=slot.isolation if slot else {},
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
        (stopped and code == KILLED, End.STOPPED),
        (code == 0, End.SUCCEEDED),
        (seconds >= limit, End.TIMED_OUT),
        (bool(state["OOMKilled"]), End.OUT_OF_MEMORY),
    )
    return next((end for holds, end in rules if holds), End.FAILED)
