"""Refusals of pages that somebody only looked at: the log is told of each once in a while, not at every GET.

Who reloads a page that is not theirs must not fill a log that nothing is taken out of. What is refused to an
act is told by the door, every time. Each process of the server counts for itself.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from weakref import WeakKeyDictionary

from sandbox.console.visit import Visit
from sandbox.store import Store

MOST = 10_000  # refusals of a space that are remembered at a time
Key = tuple[str, str, str, str]


class Told:
    """What the log has been told of, and when."""

    def __init__(self) -> None:
        self._at: OrderedDict[Key, datetime] = OrderedDict()
        self._lock = Lock()

    def first(self, key: Key, now: datetime, window: timedelta) -> bool:
        """Whether ``key`` was not told within the last ``window``; now it is."""
        with self._lock:
            before = self._at.get(key)
            if before is not None and before <= now < before + window:
                return False
            self._at[key] = now
            self._at.move_to_end(key)
            while len(self._at) > MOST:
                self._at.popitem(last=False)
            return True


_TOLD: WeakKeyDictionary[Store, Told] = WeakKeyDictionary()
_MAKING = Lock()


def note_once(visit: Visit, action: str, object: str, reason: str) -> None:
    """Tell the log that ``action`` on ``object`` was refused, unless it was told of the same account, role,
    action and object within the window in which attempts to sign in count."""
    actor, control = visit.actor, visit.control
    with _MAKING:
        told = _TOLD.setdefault(control.store, Told())
    window = timedelta(minutes=int(control.policy.get("sign_in.window_minutes")))
    if told.first((actor.account, str(actor.role), action, object), visit.now, window):
        control.note(actor, action, object, reason=reason)
