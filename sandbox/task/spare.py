"""The interpreter that a developer's Python file runs in, started before the file is known.

It imports next to nothing and starts the other one with ``posix_spawn``: ``subprocess`` alone would cost a
waiting task 9 ms (see ``waiting``).
"""

from __future__ import annotations

import contextlib
import os
import sys

_KEPT = (
    "PATH",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "TZ",
)
_FIXED = {
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",  # the same job on the same data puts out the same bytes
}


class Child:
    """A fresh interpreter that waits for its order: which file to run, and where (``child.py``).

    ``told`` is the pipe it reports an error through, ``printed`` the one that its standard streams go to.
    """

    def __init__(self) -> None:
        self.told, telling = os.pipe()
        self.printed, printing = os.pipe()
        ordered, self._order = os.pipe()
        script = os.path.join(os.path.dirname(__file__), "child.py")
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        for theirs in (telling, ordered):
            os.set_inheritable(theirs, True)
        self.pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-s", script, str(telling), str(ordered)],
            kept | _FIXED,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, printing, 1),
                (os.POSIX_SPAWN_DUP2, printing, 2),
            ],
            setsid=True,
        )
        for theirs in (telling, printing, ordered):
            os.close(theirs)

    def order(self, text: bytes) -> None:
        """Let it begin; one that is gone is found gone by whoever waits for it."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._order, text)
        os.close(self._order)

    def wait(self) -> int:
        """Its exit status; of one that a signal ended, the signal's number below zero."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


_spare: Child | None = None


def get_ready() -> None:
    """Have an interpreter wait, which imports what most jobs use (``child.AHEAD``)."""
    global _spare
    _spare = Child()


def take() -> Child:
    """The one that waits, else a new one."""
    global _spare
    child, _spare = _spare or Child(), None
    return child
