"""The console that a demonstration leaves running: its address, three people to sign in as, and its end."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.demo.space import DemoSpace

PEOPLE = ("zhou-reviewer", "li-developer", "zhao-operator")
PID = "console.pid"  # process id and start time: an id alone may be somebody else's by now
END_SECONDS = 20.0


@dataclass(frozen=True)
class Kept:
    """Where the console answers, and (account, start password) of those who may sign in."""

    url: str
    people: tuple[tuple[str, str], ...]


def keep(space: DemoSpace, people: tuple[str, ...] = PEOPLE) -> Kept:
    """End the worker, give start passwords, and let the server go on when this process has ended."""
    told = tuple(
        (name, space.run("account", "password", name, SANDBOX_TOKEN=space.admin_token).strip().split()[-1])
        for name in people
    )
    space.hand_over()
    started = _started(space.server.pid)
    (space.folder / PID).write_text(f"{space.server.pid} {started}\n")
    return Kept(f"{space.url}/console/", told)


def end(folder: Path) -> bool:
    """Stop the console that an earlier demonstration left in ``folder``; whether there was one."""
    note = folder / PID
    try:
        pid, started = (int(part) for part in note.read_text().split())
    except (OSError, ValueError):
        return False
    there = started == _started(pid)
    if there:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + END_SECONDS
        while _started(pid) == started and time.monotonic() < deadline:
            time.sleep(0.05)
        if _started(pid) == started:
            os.kill(pid, signal.SIGKILL)
    note.unlink(missing_ok=True)
    return there


def _started(pid: int) -> int:
    """When the process began, in clock ticks since boot (proc(5), field 22); 0 for one that is not alive."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if state in "ZX" else int(rest[18])
