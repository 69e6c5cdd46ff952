"""A task's folder on the host: what stands where, how it is laid out, filled, taken down and locked.

``<root>/<id>/`` (0700, root's); before it has a task: ``<root>/.slots/<slot>/``
- ``in/``: in memory; the container's ``/in``: ``task.json``, one read-only mount per input, the pipe ``go``
- ``staged/``: the same inputs, each mounted and hardened before it is shown in ``in/``
- ``out/``: an in-memory file system with the task's quota; the container's ``/out``
- ``collected/files/``, ``collected/log.txt``: the copies taken after the end
- ``slot.json``, ``started.json``, ``stop.json``, ``outcome.json``: how far it came. Each is written whole
  or not at all.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.executor import codes as codes  # registers the error codes
from sandbox.executor import mounts
from sandbox.executor.collect import SPARE_BYTES
from sandbox.executor.contract import End, Input, Limits, Outcome, Task

ID = re.compile(r"[a-z0-9-]{3,80}")
IMAGE = re.compile(r"sha256:[0-9a-f]{64}")
INPUT_NAME = re.compile(r"[a-z0-9._-]{1,100}")
TASK_FILE = "task.json"
LOCKS, SLOTS = ".locks", ".slots"
NOT_TASKS = frozenset({LOCKS, SLOTS})
READY, GO = ".ready", "go"  # the pipes of sandbox/task/waiting.py
LANDING_BYTES = 16 << 20  # task.json and mount points
# Beyond the task's own files: the folder itself, files/, report.json, one file on its way to a new name,
# the sealed log, and the pipe that it announced itself through.
SPARE_INODES = 6


def check(task: Task) -> None:
    """TASK_INVALID or INPUT_UNREADABLE if ``task`` is not as the contract says."""
    limits = asdict(task.limits)
    names = [given.name for given in task.inputs]
    reserved = [key for key in task.labels if key in _OWN_LABELS]
    rules = (
        ("id", ID.fullmatch(task.id), "[a-z0-9-]{3,80}"),
        ("image", IMAGE.fullmatch(task.image), "sha256:<64 hex>"),
        ("limits", all(0 < value < 1 << 50 for value in limits.values()), "> 0"),
        ("inputs", all(INPUT_NAME.fullmatch(name) for name in names), "[a-z0-9._-]{1,100}"),
        ("inputs", not {".", "..", TASK_FILE, GO} & set(names), f"., .., {TASK_FILE}, {GO}"),
        ("inputs", len(names) == len(set(names)), "unique"),
        ("labels", not reserved, ", ".join(_OWN_LABELS)),
    )
    for what, holds, why in rules:
        if not holds:
            raise fail("TASK_INVALID", what=what, why=why)
    document(task)
    for given in task.inputs:
        _check_input(given)


_OWN_LABELS = ("sandbox.slot", "sandbox.space")


def _check_input(given: Input) -> None:
    """Every file and folder of an input must be readable for a user whom the host does not know."""
    if not given.path.is_absolute():
        raise fail("INPUT_UNREADABLE", name=given.name, why="not absolute")
    entries = [given.path, *(given.path.rglob("*") if given.path.is_dir() else ())]
    for entry in entries:
        try:
            mode = entry.lstat().st_mode
        except OSError as error:
            raise fail("INPUT_UNREADABLE", name=given.name, why="absent") from error
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise fail("INPUT_UNREADABLE", name=given.name, why="not a regular file or folder")
        needed = 0o005 if stat.S_ISDIR(mode) else 0o004
        if mode & needed != needed:
            raise fail("INPUT_UNREADABLE", name=given.name, why="o+rX")


def document(task: Task) -> bytes:
    """``/in/task.json``: ``{"id", "kind", "params"}``."""
    try:
        body = {"id": task.id, "kind": task.kind, "params": task.params}
        return json.dumps(body, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise fail("TASK_INVALID", what="params", why="JSON") from error


@dataclass(frozen=True)
class TaskFolder:
    """The folder of one task below ``root``; holds no state of its own."""

    root: Path
    id: str

    @property
    def path(self) -> Path:
        """``<root>/<id>``."""
        return self.root / self.id

    @property
    def inputs(self) -> Path:
        """The container's ``/in``."""
        return self.path / "in"

    @property
    def output(self) -> Path:
        """The container's ``/out``."""
        return self.path / "out"

    @property
    def files(self) -> Path:
        """What was collected."""
        return self.path / "collected" / "files"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One process at a time decides about this task; a waiting task holds no lock."""
        locks = self.root / LOCKS
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        locks.mkdir(mode=0o700, exist_ok=True)
        path = locks / self.id
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                current = path.stat().st_ino == os.fstat(handle).st_ino
            except FileNotFoundError:
                current = False
            if current:
                break
            os.close(handle)  # removed by a discard while we waited
        try:
            yield
        finally:
            if not self.path.exists():
                path.unlink(missing_ok=True)
            os.close(handle)

    def lay_out(self, limits: Limits, uid: int, *, pipes: bool = True) -> None:
        """Make and mount what a container needs before it has a task; ``pipes`` is false where the container
        opens none of the host (``sandbox/task/waiting.py``).

        ISOLATION_UNAVAILABLE when this process may not mount.
        """
        self.inputs.mkdir(mode=0o755, parents=True)
        self.path.chmod(0o700)
        self.output.mkdir(mode=0o700)
        (self.path / "staged").mkdir(mode=0o700)
        try:
            mounts.landing(self.inputs, size=LANDING_BYTES)
            mounts.tmpfs(
                self.output,
                size=limits.output_bytes + SPARE_BYTES,
                inodes=limits.output_files + SPARE_INODES,
                uid=uid,
            )
        except OSError as error:
            self.remove()
            raise fail("ISOLATION_UNAVAILABLE", missing="mount") from error
        if pipes:
            os.mkfifo(self.inputs / GO)
            (self.inputs / GO).chmod(0o444)  # opened for writing by root only, whose folder it is
            os.mkfifo(self.output / READY, 0o600)
        else:
            (self.output / READY).touch(0o600)
        files = self.output / "files"
        files.mkdir(mode=0o700)
        for owned in (files, self.output / READY):
            os.chown(owned, uid, uid)

    def bring(self, task: Task) -> None:
        """Show the task and its inputs to the container that waits for it.

        ISOLATION_UNAVAILABLE when this process may not mount.
        """
        (self.inputs / TASK_FILE).write_bytes(document(task))
        (self.inputs / TASK_FILE).chmod(0o644)
        try:
            for given in task.inputs:
                staged, point = self.path / "staged" / given.name, self.inputs / given.name
                for target in (staged, point):
                    target.mkdir() if given.path.is_dir() else target.touch()
                mounts.bind_read_only(given.path, staged)
                mounts.bind_again(staged, point)
        except OSError as error:
            raise fail("ISOLATION_UNAVAILABLE", missing="mount") from error

    def fresh_files(self) -> Path:
        """``files``, absent, in a new parent folder: what a crash left half collected is removed."""
        shutil.rmtree(self.files.parent, ignore_errors=True)
        self.files.parent.mkdir(mode=0o755)
        return self.files

    def take_down(self) -> None:
        """Unmount and remove what only a running task needs."""
        mounts.unmount_below(self.path)
        for spent in (self.inputs, self.output, self.path / "staged"):
            shutil.rmtree(spent, ignore_errors=True)

    def remove(self) -> None:
        """Remove everything of the task; mounts go first, or their sources would be emptied."""
        try:
            mounts.unmount_below(self.path)
        except OSError as error:
            raise fail("ISOLATION_UNAVAILABLE", missing="umount") from error
        if self.path.exists():
            shutil.rmtree(self.path)

    def note(self, name: str, content: dict[str, Any]) -> None:
        """Write the marker ``<name>.json`` whole and lasting."""
        fresh = self.path / f".{name}.part"
        with fresh.open("w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self.path / f"{name}.json")

    def noted(self, name: str) -> dict[str, Any] | None:
        """The marker ``<name>.json`` if it was written."""
        try:
            content: dict[str, Any] = json.loads((self.path / f"{name}.json").read_text())
        except FileNotFoundError:
            return None
        return content

    def note_outcome(self, outcome: Outcome) -> None:
        """Keep ``outcome`` for whoever asks again."""
        content = {key: value for key, value in vars(outcome).items() if key != "files"}
        self.note("outcome", content)

    def outcome(self) -> Outcome | None:
        """The outcome if the task was collected."""
        content = self.noted("outcome")
        if content is None:
            return None
        return Outcome(**{**content, "end": End(content["end"])}, files=self.files)
