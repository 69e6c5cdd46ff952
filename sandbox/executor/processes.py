"""Processes of the host by a name that no other process will ever have: id and start."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

Name = tuple[int, str]


def name_of(pid: int) -> Name:
    """The process id and its start in clock ticks after boot. OSError if there is none."""
    return pid, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def read_name(noted: Any) -> Name | None:
    """The name as JSON gives it back, None if it is none."""
    match noted:
        case [int(pid), str(start)]:
            return pid, start
    return None


def alive(name: Name) -> bool:
    """Whether that very process is there and not merely waiting to be reaped."""
    with suppress(OSError):
        state = Path(f"/proc/{name[0]}/stat").read_text().rpartition(")")[2].split()
        return state[19] == name[1] and state[0] not in ("Z", "X")
    return False


def send(name: Name, number: signal.Signals) -> None:
    """Signal that very process, if it is there."""
    with suppress(OSError):
        handle = os.pidfd_open(name[0])
        try:
            if alive(name):  # the handle names the process that this looked at
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def wait(name: Name, seconds: float | None = None) -> bool:
    """Wait for its end; whether it came within ``seconds`` (None: however long it takes)."""
    try:
        handle = os.pidfd_open(name[0])
    except OSError:
        return True
    try:
        if not alive(name):
            return True
        watched = select.poll()
        watched.register(handle, select.POLLIN)
        return bool(watched.poll(None if seconds is None else seconds * 1000))
    finally:
        os.close(handle)
