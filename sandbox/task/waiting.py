"""A container started ahead of its task: probe, say so, wait without data.

Two pipes with names, made by the executor, are the whole protocol. Into ``/out/.ready`` goes one JSON
object ``{"probe": {attempt: answer}}``; then something is read from
``/in/go``, which the executor writes when it has hung the inputs below ``/in`` and looked at them from
outside. Where there is no ``.ready`` (a test, another executor) nothing is waited for.

A runtime with a kernel of its own (gVisor) opens no pipe of the host: there ``.ready`` is an empty file,
which gets the same object and a line's end, and ``go`` is a file that appears.

Until ``.ready`` is written, this is on the path of every task whose container is made for it, so nothing is
imported here that costs more than a millisecond.
"""

from __future__ import annotations

import os
import select
import stat
import time
from _json import encode_basestring_ascii as quoted

from sandbox.task.probe import attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READY, GO = ".ready", "go"
_claimed: float | None = None  # when the word to go came, CLOCK_BOOTTIME
IDLE_SECONDS = 1800  # nobody wants this container any more: its executor was killed and did not come back
# Between two looks at whether ``go`` has appeared, where it is no pipe; how long until the looks are rarer.
LOOK_SECONDS, LATER_LOOK_SECONDS, LATER_SECONDS = 0.005, 0.05, 10.0


def nothing() -> None:
    """Get nothing ready."""


def until_claimed(
    inputs: str | os.PathLike[str],
    out: str | os.PathLike[str],
    before: Callable[[], None] = nothing,
    meanwhile: Callable[[], None] = nothing,
) -> None:
    """Return when there is a task in ``inputs``; SystemExit if none comes for half an hour.

    ``before`` gets ready what the word ``ready`` promises; ``meanwhile`` uses the time in which the
    executor looks at the container and shows it its task.
    """
    ready = os.path.join(out, READY)
    try:
        kind = os.lstat(ready).st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISFIFO(kind) or stat.S_ISREG(kind)):
        return
    answers = ", ".join(f"{quoted(name)}: {quoted(told)}" for name, told in attempt().items())
    before()
    go = os.path.join(inputs, GO)
    pipe = os.open(go, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC) if stat.S_ISFIFO(kind) else None
    with open(ready, "w", encoding="ascii") as word:
        word.write(f'{{"probe": {{{answers}}}}}\n')
    meanwhile()
    if not (_appeared(go) if pipe is None else _written(pipe)):
        raise SystemExit(1)
    global _claimed
    _claimed = time.clock_gettime(time.CLOCK_BOOTTIME)


def _written(pipe: int) -> bool:
    """Whether somebody writes into ``pipe`` in time; it is closed."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    came = bool(poll.poll(IDLE_SECONDS * 1000))
    os.close(pipe)
    return came


def _appeared(path: str) -> bool:
    """Whether a file ``path`` appears in time."""
    begun = time.monotonic()
    while not os.path.exists(path):
        waited = time.monotonic() - begun
        if waited > IDLE_SECONDS:
            return False
        time.sleep(LOOK_SECONDS if waited < LATER_SECONDS else LATER_LOOK_SECONDS)
    return True


def since_claimed() -> float:
    """Seconds since this process was given its task; if it never waited, since it was started."""
    begun = _claimed
    if begun is None:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        begun = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - begun
