"""Search in the audit log: by who, what, on what, how it ended and when, a bounded stretch at a time.

Only an object has an index. Everything else is looked for entry by entry, at most ``MOST`` a request, newest
or oldest first; what is left is said, with where to go on from. A period is found by halving: times ascend.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.core.resource import Entry
from sandbox.store import Reader

MOST = 20_000  # entries that one request looks at
STRETCH = 1000  # of them in memory at a time
FIRST = 128  # where nothing is looked for, a page is full after these
SKEW = timedelta(minutes=5)  # by so much may the time of an entry lie before that of an earlier one


@dataclass(frozen=True)
class Wanted:
    """What is looked for; "" and None are anything. ``actor`` is an account or an organisation, ``action`` a
    part of its name, ``kind`` the first part of the object, ``since`` included and ``until`` not."""

    object: str = ""
    actor: str = ""
    action: str = ""
    kind: str = ""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, entry: Entry) -> bool:
        """Whether an entry is what is looked for."""
        return (
            (not self.object or entry.object == self.object)
            and (not self.actor or self.actor in (entry.actor, entry.organisation))
            and (not self.action or self.action.casefold() in entry.action)
            and (not self.kind or entry.object.partition("/")[0] == self.kind)
            and (not self.outcome or entry.outcome == self.outcome)
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
        )


@dataclass(frozen=True)
class Found:
    """``entries`` with their positions in the order asked for; ``on``: from where to go on, None at the end;
    ``looked_at``: so many were read for it."""

    entries: tuple[tuple[int, Entry], ...]
    on: int | None
    looked_at: int


def search(reader: Reader, wanted: Wanted, start: int | None, *, newest: bool, limit: int) -> Found:
    """At most ``limit`` entries from position ``start`` (None: from the end one begins at) on."""
    low, high = _period(reader, wanted)
    if start is not None:
        low, high = (low, min(high, start + 1)) if newest else (max(low, start), high)
    found: list[tuple[int, Entry]] = []
    looked_at = 0
    stretches = _of_object(reader, wanted, low, high, newest) if wanted.object else None
    for chunk, on in stretches or _stretches(reader, low, high, newest):
        for seq, entry in chunk:
            looked_at += 1
            if not wanted.matches(entry):
                continue
            if len(found) == limit:
                return Found(tuple(found), seq, looked_at)
            found.append((seq, entry))
        if on is not None and looked_at >= MOST:
            return Found(tuple(found), on, looked_at)
    return Found(tuple(found), None, looked_at)


Stretch = tuple[list[tuple[int, Entry]], int | None]


def _stretches(reader: Reader, low: int, high: int, newest: bool) -> Iterator[Stretch]:
    """The entries of [low, high) in stretches, the first ones short, each with the position that comes after
    it, None after the last."""
    length = FIRST
    while low < high:
        begin = max(low, high - length) if newest else low
        end = high if newest else min(high, low + length)
        length = min(length * 4, STRETCH)
        chunk = [one for one in reader.entries(start=begin, limit=end - begin) if one[0] < end]
        low, high = (low, begin) if newest else (end, high)
        on = (high - 1 if newest else low) if low < high else None
        yield (chunk[::-1] if newest else chunk), on


def _of_object(reader: Reader, wanted: Wanted, low: int, high: int, newest: bool) -> Iterator[Stretch]:
    """The entries of one object, by its index, in stretches: refusals alone can make them many, and none may
    hide behind those that came before or after it."""
    while low < high:
        chunk = reader.entries(start=low, end=high, limit=STRETCH, object=wanted.object, newest=newest)
        if len(chunk) < STRETCH:
            yield chunk, None
            return
        low, high = (low, chunk[-1][0]) if newest else (chunk[-1][0] + 1, high)
        yield chunk, (high - 1 if newest else low) if low < high else None


def _period(reader: Reader, wanted: Wanted) -> tuple[int, int]:
    """The positions between which the period lies."""
    size = reader.head().size
    low = _first_at(reader, _shifted(wanted.since, -SKEW), size) if wanted.since else 0
    high = _first_at(reader, _shifted(wanted.until, SKEW), size) if wanted.until else size
    return low, high


def _shifted(moment: datetime, by: timedelta) -> datetime:
    """``moment`` and ``by``; on the first and the last day that there is, the moment itself."""
    try:
        return moment + by
    except OverflowError:
        return moment


def _first_at(reader: Reader, moment: datetime, size: int) -> int:
    """The first position whose entry is not before ``moment``; the log's end where there is none."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        found = reader.entries(start=middle, limit=1)
        if found and found[0][1].at < moment:
            low = found[0][0] + 1
        else:
            high = middle
    return low
