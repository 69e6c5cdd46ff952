"""A container started ahead of its task: probe, import, say so, wait without data.

Two pipes with names, made by the executor, are the whole protocol. Into ``/out/.ready`` goes one JSON
object ``{"probe": {attempt: answer}}``; then something is read from
``/in/go``, which the executor writes when it has hung the inputs below ``/in`` and looked at them from
outside. Where there is no ``.ready`` (a test, another executor) nothing is waited for.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from sandbox.task.probe import attempt

READY, GO = ".ready", "go"
_claimed: float | None = None  # when the word to go came, CLOCK_BOOTTIME
IDLE_SECONDS = 1800  # nobody wants this container any more: its executor was killed and did not come back


def warm(modules: Iterable[str]) -> None:
    """Import, and have those that can get ready do so."""
    for name in modules:
        getattr(importlib.import_module(name), "get_ready", lambda: None)()


def until_claimed(inputs: Path, out: Path, modules: Iterable[str] = ()) -> None:
    """Return when there is a task in ``inputs``; SystemExit if none comes for half an hour."""
    ready = out / READY
    try:
        if not stat.S_ISFIFO(ready.lstat().st_mode):
            return
    except FileNotFoundError:
        return
    probe = attempt()
    warm(modules)
    go = os.open(inputs / GO, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    ready.write_text(json.dumps({"probe": probe}), encoding="utf-8")
    poll = select.poll()
    poll.register(go, select.POLLIN)
    if not poll.poll(IDLE_SECONDS * 1000):
        raise SystemExit(1)
    global _claimed
    _claimed = time.clock_gettime(time.CLOCK_BOOTTIME)
    os.close(go)


def since_claimed() -> float:
    """Seconds since this process was given its task; if it never waited, since it was started."""
    begun = _claimed
    if begun is None:
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        begun = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - begun
