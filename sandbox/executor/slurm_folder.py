"""The folder that a worker and a node share about one task that Slurm runs.

``<root>/<id>/`` (0700), on a file system that every node has:

- ``run.json``: ``{"ticket", "labels"}``: which submission counts. Written last when one is laid out.
- ``<ticket>/order.json``: the task, and what the node must give; ``stop.json``: it is to end;
- ``<ticket>/claim.json``: which job on which node runs it. Whoever makes it runs the task; there is one
  maker.
- ``<ticket>/node``, ``<ticket>/worker``: outputs, by who noted the end;
- ``<ticket>/end.json``: how it ended. Whoever makes it has the last word; there is one maker.

``claim.json`` and ``end.json`` are made with link(2), which fails where something stands: also on NFS only
one of two callers succeeds. A node that was taken for dead and comes back finds the end noted, or its folder
gone, and nothing that it does counts.
"""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import select
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.executor.contract import End, Outcome
from sandbox.executor.folders import TaskFolder

CLAIM, END, ORDER, STOP = "claim.json", "end.json", "order", "stop"
NODE, WORKER = "node", "worker"
_IN_MOVED_TO, _IN_CREATE, _IN_DELETE_SELF, _IN_CLOEXEC = 0x80, 0x100, 0x400, 0o2000000  # <sys/inotify.h>
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Run:
    """One submission of a task: the folder ``<root>/<id>/<ticket>``."""

    home: TaskFolder
    ticket: str

    @classmethod
    def of(cls, home: TaskFolder) -> Run | None:
        """The submission that counts, None if none was laid out whole."""
        noted = home.noted("run")
        return cls(home, noted["ticket"]) if noted else None

    @classmethod
    def lay_out(cls, home: TaskFolder, order: dict[str, Any], labels: dict[str, str]) -> Run:
        """A new one, whatever a crash left of an earlier one."""
        if home.path.exists():
            shutil.rmtree(home.path)
        run = cls(home, secrets.token_hex(12))
        run.path.mkdir(mode=0o700, parents=True)
        home.path.chmod(0o700)
        run.notes.note(ORDER, order)
        home.note("run", {"ticket": run.ticket, "labels": labels})
        return run

    @property
    def notes(self) -> TaskFolder:
        """Its folder, to note in."""
        return TaskFolder(self.home.path, self.ticket)

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.notes.path

    def order(self) -> dict[str, Any] | None:
        """What a node is told; None if the submission is gone."""
        return self.notes.noted(ORDER)

    def make_once(self, name: str, content: dict[str, Any]) -> bool:
        """Write ``name`` whole, unless it is there; whether this call made it. False if the folder is
        gone."""
        fresh = self.path / f".{secrets.token_hex(8)}.part"
        try:
            with fresh.open("x") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            os.link(fresh, self.path / name)
        except (FileExistsError, FileNotFoundError):
            return False
        finally:
            with suppress(FileNotFoundError):
                fresh.unlink()
        return True

    def end(self, outcome: Outcome, by: str) -> bool:
        """Note how it ended, with the outputs in ``outcome.files``; whether this was the first word of it."""
        files = self.files(by)
        try:
            shutil.rmtree(files.parent, ignore_errors=True)
            files.parent.mkdir()  # without its parents: a folder that was discarded does not come back
            shutil.copytree(outcome.files.parent, files.parent, dirs_exist_ok=True)
        except (FileNotFoundError, shutil.Error):
            return False  # the folder was discarded meanwhile
        content = {key: value for key, value in vars(outcome).items() if key != "files"}
        return self.make_once(END, {"by": by, "outcome": content})

    def refuse(self, code: str, details: dict[str, Any]) -> bool:
        """Note that it could not be run."""
        return self.make_once(END, {"refused": {"code": code, "details": details}})

    def close(self, end: End) -> bool:
        """Note an end of which no node has said anything, with nothing put out."""
        claim = self.notes.noted("claim") or {}
        files = self.files(WORKER)
        with suppress(FileNotFoundError):
            shutil.rmtree(files.parent, ignore_errors=True)
            files.parent.mkdir()
            files.mkdir()
        outcome = Outcome(
            end=end,
            exit_code=None,
            seconds=0.0,
            files=files,
            report={},
            started_at=float(claim.get("at", 0.0)),
            config_sha256="",
            isolation={},
        )
        content = {key: value for key, value in vars(outcome).items() if key != "files"}
        return self.make_once(END, {"by": WORKER, "outcome": content})

    def files(self, by: str) -> Path:
        """Where the outputs are that ``by`` noted."""
        return self.path / by / "files"

    def ended(self) -> Outcome | None:
        """How it ended; None if that is not known, or it was refused."""
        noted = self.notes.noted("end")
        if noted is None or "outcome" not in noted:
            return None
        told = noted["outcome"]
        return Outcome(**{**told, "end": End(told["end"])}, files=self.files(noted["by"]))

    def refused(self) -> tuple[str, dict[str, Any]] | None:
        """Code and details of a task that a node could not run."""
        told = (self.notes.noted("end") or {}).get("refused")
        return (told["code"], told["details"]) if told else None

    def closed(self) -> bool:
        """Whether the last word is said, or the folder is gone."""
        return (self.path / END).exists() or not self.path.exists()


class Watch:
    """Waits for changes in a folder: at once where they are made on this machine, else with the next look."""

    def __init__(self, folder: Path) -> None:
        self.handle = _LIBC.inotify_init1(_IN_CLOEXEC)
        if self.handle >= 0:
            wanted = _IN_MOVED_TO | _IN_CREATE | _IN_DELETE_SELF
            _LIBC.inotify_add_watch(self.handle, os.fsencode(folder), ctypes.c_uint32(wanted))

    def wait(self, seconds: float) -> None:
        """Return when something changed, or after ``seconds``."""
        if self.handle < 0:
            select.select([], [], [], seconds)
        elif select.select([self.handle], [], [], seconds)[0]:
            os.read(self.handle, 1 << 16)

    def close(self) -> None:
        """Stop watching."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1
