"""The ledger's unit: the cells of one table of one release, each with the entities it was made of.

Entities are numbered by a keyed hash of their value, so that the same person has the same number in every
snapshot, scenario and release of the space, and nobody without the key can look one up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

BLOCKS = 64  # of a fingerprint; two sets that differ in fewer than t entities differ in fewer than t blocks
MOST_LAYERS = 48  # of one table; what does not fit is not laid in layers, and held


@dataclass(frozen=True, eq=False)
class Book:
    """Cells of one table. Set ``i`` is ``members[starts[i]:starts[i + 1]]``, positions in ``universe``.

    ``universe``: sorted 64-bit hashes of the snapshot's entities. ``keys``: hashes of the cells' definitions.
    ``dims``: of each cell, the raw columns and hashed values that define it. ``stated``: counts as published,
    by column. ``exact``: they are what the recount gives. ``deep``: it tells more than how many persons there
    are by public attributes. ``base``: its cells are groups by public attributes only. ``shadow``: the base
    groups behind a table by sensitive values; not published. ``threshold``: the least group, in entities.
    """

    release: str
    table: str
    universe: np.ndarray
    starts: np.ndarray
    members: np.ndarray
    keys: np.ndarray
    dims: Sequence[tuple[tuple[str, int], ...]]
    stated: dict[str, np.ndarray] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("count",)
    exact: bool = True
    deep: bool = False
    shadow: bool = False
    base: bool = True
    threshold: int = 1
    epoch: str = ""  # the snapshot: the digest of its universe
    scenario: str = ""
    recipient: str = ""
    chosen: bool = False  # its cells are of rows that the job chose: its dimensions do not define them

    @property
    def sizes(self) -> np.ndarray:
        """Entities of each cell."""
        return np.diff(self.starts)

    def cell(self, number: int) -> np.ndarray:
        """The entities of a cell: positions in the universe."""
        return np.asarray(self.members[self.starts[number] : self.starts[number + 1]])

    @cached_property
    def prints(self) -> np.ndarray:
        """Fingerprints, cells × BLOCKS of 32 bits: XOR of the hashes of a block. The blocks are cut by the
        hash itself, so that fingerprints of different snapshots can be compared."""
        count = len(self.starts) - 1
        found = np.zeros((count, BLOCKS), dtype=np.uint32)
        hashes = self.universe[self.members]
        block = (hashes >> np.uint64(58)).astype(np.int64)
        place = np.repeat(np.arange(count) * BLOCKS, self.sizes) + block
        if len(place):
            # members are sorted by hash within a cell: a block is a run
            first = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
            found.reshape(-1)[place[first]] = np.bitwise_xor.reduceat(hashes.astype(np.uint32), first)
        return found

    @cached_property
    def layers(self) -> tuple[list[np.ndarray], int]:
        """(codes, left over): each layer gives every entity of the universe its cell, or -1; cells of one
        layer are disjoint. Cells that overlap (a person has several rows) go into several layers."""
        count = len(self.universe)
        if np.bincount(self.members, minlength=1).max(initial=0) <= 1:  # nothing overlaps
            whole = np.full(count, -1, dtype=np.int32)
            whole[self.members] = np.repeat(np.arange(len(self.sizes), dtype=np.int32), self.sizes)
            return [whole], 0
        codes: list[np.ndarray] = []
        left = 0
        for number in range(len(self.starts) - 1):
            mine = self.cell(number)
            home = next((code for code in codes if (code[mine] < 0).all()), None)
            if home is None:
                if len(codes) == MOST_LAYERS:
                    left += 1
                    continue
                home = np.full(count, -1, dtype=np.int32)
                codes.append(home)
            home[mine] = number
        return codes, left

    def on(self, universe: np.ndarray) -> Book:
        """The same over a larger universe."""
        if universe is self.universe:
            return self
        place = np.searchsorted(universe, self.universe)
        return replace(self, universe=universe, members=place[self.members].astype(np.uint32))


def book(
    release: str,
    table: str,
    universe: np.ndarray,
    sets: Iterable[np.ndarray],
    keys: Iterable[int] | None = None,
    **more: object,
) -> Book:
    """A book of explicit sets of positions; the keys are given or all different."""
    parts = [np.unique(np.asarray(one)).astype(np.uint32) for one in sets]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    members = np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint32)
    named = np.array(list(keys) if keys is not None else _fresh(release, table, len(parts)), dtype=np.uint64)
    dims: Sequence[tuple[tuple[str, int], ...]] = [()] * len(parts)
    return Book(release, table, universe, starts, members, named, dims, **more)  # type: ignore[arg-type]


def _fresh(release: str, table: str, count: int) -> list[int]:
    seed = hashlib.blake2b(f"{release}\0{table}".encode(), digest_size=6).digest()
    return [(int.from_bytes(seed, "little") << 16) + number for number in range(count)]


def epoch(universe: np.ndarray) -> str:
    """What a snapshot's entities are called by."""
    return hashlib.sha256(universe.tobytes()).hexdigest()[:32]


def common(books: Sequence[Book]) -> tuple[np.ndarray, list[Book]]:
    """The union of the universes, and the books over it."""
    if not books:
        return np.zeros(0, dtype=np.uint64), []
    distinct: list[np.ndarray] = []
    for one in books:
        if not any(one.universe is known for known in distinct):
            distinct.append(one.universe)
    universe = distinct[0] if len(distinct) == 1 else np.unique(np.concatenate(distinct))
    return universe, [one.on(universe) for one in books]
