"""Entries whose payload was purged when their time was over (R-193): leaf hash, place and object stay.

The log itself says what was purged: an entry with the action ``ACTION`` names the positions. A verifier
that meets an entry without payload takes its leaf hash as it stands, so that roots and proofs are what
they were, and holds it against the entry that tells of the purge, which must come later in the same log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

ACTION = "purge-log"
MOST_RANGES = 8_000  # in one entry: at 30 bytes each it stays below audit.entry.MAX_ENTRY_BYTES

Ranges = list[list[int]]


def ranges(positions: Iterable[int]) -> Ranges:
    """Ascending, distinct positions as [first, last] pairs, both included."""
    found: Ranges = []
    for position in positions:
        if found and position == found[-1][1] + 1:
            found[-1][1] = position
        else:
            found.append([position, position])
    return found


def told(body: bytes) -> Ranges:
    """What an entry in canonical bytes says was purged; none if it does not tell of a purge."""
    try:
        entry = json.loads(body)
        if (entry["action"], entry["outcome"]) != (ACTION, "done"):
            return []
        return [[int(first), int(last)] for first, last in entry["details"]["positions"]]
    except (ValueError, KeyError, TypeError):
        return []


class Claims:
    """The entries without payload that a verifier has met, until it meets the entry that tells of them."""

    def __init__(self) -> None:
        self.count = 0
        self._open: dict[int, Ranges] = {}  # position of the entry that is to tell -> what it is to name

    def claim(self, seq: int, by: int) -> int | None:
        """Entry ``seq`` says that entry ``by`` tells of its purge: ``seq`` if that is no later, or None."""
        self.count += 1
        mine = self._open.setdefault(by, [])
        if mine and mine[-1][1] == seq - 1:
            mine[-1][1] = seq
        else:
            mine.append([seq, seq])
        return None if by > seq else seq

    def settle(self, seq: int, body: bytes) -> int | None:
        """Entry ``seq`` is read: the first entry that it was to tell of and does not, or None."""
        named = told(body) if seq in self._open else []
        for first, last in self._open.pop(seq, []):
            if not any(low <= first and last <= high for low, high in named):
                return first
        return None

    def first_open(self) -> int | None:
        """The first entry of whose purge nothing has told yet, or None."""
        return min((wanted[0][0] for wanted in self._open.values()), default=None)
