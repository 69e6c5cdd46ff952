"""An executor without containers for unit tests: runs a given function per task kind, in this process.

Same contract as ``docker.DockerExecutor`` but for the isolation, of which it gives none and claims none.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.core.errors import SandboxError, fail
from sandbox.executor import folders
from sandbox.executor.contract import End, Guarantees, Input, Outcome, Shape, Task, TaskKind
from sandbox.executor.folders import TaskFolder
from sandbox.policy.isolation import GRADES

# (params, /in, /out/files) -> report: what a room behind ``python -m sandbox.task`` is.
Room = Callable[[dict[str, Any], Path, Path], dict[str, Any]]
IMAGES = ("sql", "python", "check")


class PlayedEnd(Exception):
    """Raised by a room to play an end that is not its own: ``raise PlayedEnd(End.OUT_OF_MEMORY)``."""

    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.end = end


class StubExecutor:
    """Runs ``rooms[task.kind]`` below ``root``; ``tasks`` records every task that was really run.

    A ``SandboxError`` of a room becomes the report ``{"ok": False, "code", "details"}``, as in the image;
    any other exception the end FAILED. A ``stop`` while a room runs makes its end STOPPED.
    """

    def __init__(self, root: Path, rooms: Mapping[TaskKind, Room]) -> None:
        self.root = root
        self.rooms = dict(rooms)
        self.tasks: list[Task] = []
        # what the control plane is told that it guarantees; a test of a refusal says less
        self.plays = {name: grades[-1].name for name, grades in GRADES.items()}
        self._now: dict[str, Task] = {}
        self._guard = threading.Lock()

    def run(self, task: Task) -> Outcome:
        """See ``contract.Executor``; a second ``run`` of a running task waits for the first."""
        folders.check(task)
        if task.image not in {self.image(name) for name in IMAGES}:
            raise fail("IMAGE_UNKNOWN", image=task.image)
        folder = TaskFolder(self.root, task.id)
        with folder.lock():
            if known := folder.outcome():
                return known
            with self._guard:
                self.tasks.append(task)
                self._now[task.id] = task
            try:
                outcome = self._play(task, folder)
            finally:
                with self._guard:
                    del self._now[task.id]
            folder.note_outcome(outcome)
            return outcome

    def _play(self, task: Task, folder: TaskFolder) -> Outcome:
        folder.remove()
        folder.inputs.mkdir(parents=True)
        (folder.inputs / folders.TASK_FILE).write_bytes(folders.document(task))
        for given in task.inputs:
            _copy(given, folder.inputs)
        files = folder.fresh_files()
        files.mkdir()
        begun = time.time()
        end, report = End.SUCCEEDED, {}
        try:
            report = self.rooms[task.kind](task.params, folder.inputs, files)
        except SandboxError as refusal:
            report = {"ok": False, "code": refusal.code, "details": refusal.details}
        except PlayedEnd as played:
            end = played.end
        except Exception:  # as in the container: what it says goes nowhere
            end = End.FAILED
        if folder.noted("stop"):
            end = End.STOPPED
        return Outcome(
            end=end,
            exit_code={End.SUCCEEDED: 0, End.FAILED: 1, End.LOST: None}.get(end, 137),
            seconds=time.time() - begun,
            files=files,
            report=report,
            started_at=begun,
            config_sha256=hashlib.sha256(folders.document(task)).hexdigest(),
            isolation={},
        )

    def ended(self, task_id: str) -> Outcome | None:
        """See ``contract.Executor``."""
        return TaskFolder(self.root, task_id).outcome()

    def stop(self, task_id: str) -> None:
        """See ``contract.Executor``."""
        with self._guard:
            if task_id in self._now:
                TaskFolder(self.root, task_id).note("stop", {"at": time.time()})

    def discard(self, task_id: str) -> None:
        """See ``contract.Executor``; waits for a room that runs."""
        folder = TaskFolder(self.root, task_id)
        with folder.lock():
            folder.remove()

    def running(self, label: str | None = None, value: str | None = None) -> list[str]:
        """See ``contract.Executor``."""
        with self._guard:
            now = list(self._now.values())
        return sorted(
            task.id
            for task in now
            if label is None or (label in task.labels and value in (None, task.labels[label]))
        )

    def known(self) -> list[str]:
        """See ``contract.Executor``."""
        if not self.root.exists():
            return []
        return sorted(path.name for path in self.root.iterdir() if path.name != folders.LOCKS)

    def prepare(self, wanted: Sequence[Shape]) -> None:
        """Nothing is ever ready: a room starts at once."""

    def close(self) -> None:
        """Nothing waits."""

    def guarantees(self, runtime: str = "runc") -> Guarantees:
        """What ``plays`` says, whatever the runtime: in truth it gives nothing."""
        return Guarantees("stub", runtime, self.plays)

    def image(self, name: str) -> str:
        """A made-up digest for each of ``IMAGES``."""
        if name not in IMAGES:
            raise fail("IMAGE_UNKNOWN", image=name)
        return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def _copy(given: Input, folder: Path) -> None:
    target = folder / given.name
    if given.path.is_dir():
        shutil.copytree(given.path, target)
    else:
        shutil.copy(given.path, target)
