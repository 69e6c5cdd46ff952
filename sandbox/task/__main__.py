"""``python3 -m sandbox.task [ahead | KIND]``: see :mod:`sandbox.task.entry`, which is imported late.

``ahead``: the container is ready when everything is imported that its tasks may need. A kind: a task of that
kind waits for it, so it is ready as soon as it has proved itself, and imports while it is looked at.
"""

import os
import sys

from sandbox.task import rooms
from sandbox.task.waiting import nothing, until_claimed


def _wait() -> None:
    word = "".join(sys.argv[1:2])
    ready = (lambda: rooms.get_ready(word)) if word else nothing
    before, meanwhile = (ready, nothing) if word == rooms.AHEAD else (nothing, ready)
    inputs, out = os.environ.get("SANDBOX_IN", "/in"), os.environ.get("SANDBOX_OUT", "/out")
    until_claimed(inputs, out, before, meanwhile)


_wait()
from sandbox.task.entry import main  # noqa: E402 - see above

raise SystemExit(main())
