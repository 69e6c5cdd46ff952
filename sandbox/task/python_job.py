"""Runs a Python job in a child process and leaves none of its processes behind.

The child runs as the same user as we do, so this process closes itself first: as it is not dumpable, its
environment, memory and open files below /proc are the kernel's alone, and it ignores the signals that a
child could send it. Tracing and process_vm_writev are not among the allowed system calls.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
from pathlib import Path
from typing import Any

from sandbox.task.classes import clean_error
from sandbox.task.log import SealedLog
from sandbox.task.spare import take

_PR_SET_DUMPABLE = 4  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def _children() -> list[int]:
    """Live children of this process, by /proc (orphans come to us: we are their subreaper)."""
    me, found = os.getpid(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                stat = (entry / "stat").read_bytes()
                if int(stat.rpartition(b")")[2].split()[1]) == me:
                    found.append(int(entry.name))
    return found


def _reap(spared: set[int]) -> None:
    """Kill every descendant but ``spared``: whoever lives on could change an output after it was measured."""
    while strays := [pid for pid in _children() if pid not in spared]:
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _told(descriptor: int) -> Any:
    """What the child wrote, at most 4 KiB, without waiting for a descriptor that somebody kept open."""
    os.set_blocking(descriptor, False)
    try:
        return json.loads(os.read(descriptor, 4096) or b"null")
    except (BlockingIOError, ValueError, RecursionError):
        return None


def _shut() -> None:
    """Close this process to its children: see the module's text."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


# Where a container's kernel counts the processes that it ended for want of memory: cgroup v2, v1.
_KILLS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


def _memory_kills() -> int:
    """How many processes of this container were ended for want of memory; 0 where nobody counts."""
    for path in _KILLS:
        with contextlib.suppress(OSError, ValueError):
            for line in Path(path).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def _ended(status: int, told: Any) -> Any:
    """What to tell of a child that ended with ``status``: its own words, or the signal that ended it."""
    if status >= 0:
        return told
    if status == -signal.SIGKILL and _memory_kills():
        return {"class": "out_of_memory"}
    return {"class": signal.Signals(-status).name} if -status in set(signal.Signals) else None


def _order(code: Path, entry: str, data: Path, out: Path, scratch: Path) -> bytes:
    """What ``child.py`` is told."""
    home = {"HOME": str(scratch), "TMPDIR": str(scratch)}
    places = {"SANDBOX_INPUT": str(data), "SANDBOX_OUTPUT": str(out)}
    order = {"code": str(code), "entry": entry, "folder": str(scratch), "environment": home | places}
    return json.dumps(order).encode()


def run_python(
    code: Path, entry: str, data: Path, out: Path, scratch: Path, log: SealedLog
) -> dict[str, Any] | None:
    """Run ``code/entry`` on the views in ``data``; outputs go to ``out``, what it prints to ``log``.

    None when it ended well, else the error in closed vocabulary (``classes.clean_error``).
    """
    _shut()
    child = take()
    before = {pid for pid in _children() if pid != child.pid}
    ignored = {one: signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        log.drain(child.printed)
        child.order(_order(code, entry, data, out, scratch))
        status = child.wait()
        _reap(before)
        if status == 0:
            return None
        lines = (code / entry).read_bytes().count(b"\n") + 1
        return clean_error(_ended(status, _told(child.told)), entry, lines)
    finally:
        os.close(child.told)
        for one, handler in ignored.items():
            signal.signal(one, handler)
