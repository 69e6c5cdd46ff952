"""Mondrian: local recoding by cutting the rows in two as long as both halves satisfy the models.

LeFevre et al. 2006 (strict and relaxed; numbers) and 2006b (hierarchies): a part is cut along the column
whose values spread widest in it, as a share of the column's domain; where no cut there is allowed, along the
next one. A strict cut falls between two values, the allowed place nearest to the middle; along a hierarchy
only between children of the lowest group that covers the part, so that both halves get groups of their own.
A relaxed cut halves the rows wherever that is, through equal values too: the classes of a relaxed result
overlap.

All parts of one depth are cut at once: a round is a handful of sorts and sums over arrays, about log2(rows /
k) rounds. Models are judged on each half by the same functions as a lattice's nodes. The shares they compare
with are those of all rows: nothing is suppressed, so source and product are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sandbox.core.errors import fail
from sandbox.desensitize.search.groups import Bools, Cells, Longs, Sensitive, Table, counted, joined
from sandbox.desensitize.search.hierarchy import Floats, Hierarchy, Ints
from sandbox.desensitize.search.models import Model, by_cells, parts

KINDS = frozenset(
    {"k", "distinct_l", "entropy_l", "recursive", "t", "alpha", "beta", "enhanced_beta", "delta"}
)


@dataclass(frozen=True)
class Partition:
    """``part``: number of the part of each row, below ``parts``; ``low`` and ``high``: for each column the
    first and the last leaf of each part."""

    part: Longs
    parts: int
    low: tuple[Ints, ...]
    high: tuple[Ints, ...]


class _Column:
    """One quasi-identifier: how wide a run of leaves is, and between which leaves it may be cut."""

    def __init__(self, leaves: Ints, hierarchy: Hierarchy) -> None:
        self.leaves, self.hierarchy = leaves, hierarchy
        self.numbers = hierarchy.numbers
        self.empty = self.numbers is not None and bool(np.isnan(self.numbers[0]))
        if self.numbers is not None:
            known = self.numbers[self.empty :]
            self.domain = float(known[-1] - known[0]) if len(known) else 0.0
        else:
            self.maps = np.stack(hierarchy.levels)
            self.shares = [hierarchy.shares(level) for level in range(hierarchy.height + 1)]

    def level(self, low: Ints, high: Ints) -> Ints:
        """The lowest level at which the runs are one group."""
        found = np.full(len(low), self.hierarchy.height, dtype=np.int32)
        for level in range(self.hierarchy.height - 1, -1, -1):
            found[self.maps[level][low] == self.maps[level][high]] = level
        return found

    def widths(self, low: Ints, high: Ints) -> Floats:
        """How wide the runs from ``low`` to ``high`` are, to choose what to cut: the part of the domain for
        numbers, all for a run with the empty value and another. Along a hierarchy the mean of what is
        written, the group that covers the run, and of the run itself: two values of forty are not as wide as
        all forty. 0 for a single value."""
        if self.numbers is not None:
            wide = (self.numbers[high] - self.numbers[low]) / (self.domain or 1.0)
            return np.where(low == high, 0.0, np.where(np.isnan(wide), 1.0, wide))
        found = np.zeros(len(low))
        at = self.level(low, high)
        for level in range(1, self.hierarchy.height + 1):
            here = at == level
            found[here] = self.shares[level][self.maps[level][low[here]]]
        return np.asarray(np.where(low == high, 0.0, (found + (high - low + 1) / self.hierarchy.leaves) / 2))

    def groups(self, leaves: Ints, low: Ints, high: Ints, size: Longs) -> Ints:
        """Numbers that change between rows where a strict cut may fall. ``leaves``: of rows, part by part,
        rising within a part; ``low``, ``high``, ``size`` of the parts."""
        if self.numbers is None:
            below = np.maximum(self.level(low, high) - 1, 0)
            return np.asarray(self.maps[np.repeat(below, size), leaves])
        if not self.empty:
            return leaves
        mixed = np.repeat((low == 0) & (high > 0), size)
        return np.asarray(np.where(mixed, np.minimum(leaves, 1), leaves))


@dataclass
class _Round:
    """Rows of the open parts, part by part, and where each part begins."""

    rows: Longs
    starts: Longs

    @property
    def sizes(self) -> Longs:
        """Rows of each part."""
        return np.asarray(np.diff(np.r_[self.starts, len(self.rows)]))

    def of(self, chosen: Longs) -> tuple[Longs, Longs, Longs]:
        """(rows of the chosen parts, begin of each, size of each)."""
        size = self.sizes[chosen]
        starts = np.r_[0, np.cumsum(size)[:-1]].astype(np.int64)
        place = np.arange(int(size.sum())) + np.repeat(self.starts[chosen] - starts, size)
        return self.rows[place], starts, size


class _Judge:
    """Whether halves may stand: sizes in distinct entities, and the models of each sensitive column."""

    def __init__(self, table: Table, models: Sequence[Model]) -> None:
        self.table = table
        self.k = max([int(m.at_least) for m in models if m.kind == "k"], default=1)
        self.by_column = {
            name: [m for m in models if m.column == name]
            for name in dict.fromkeys(m.column for m in models if m.column is not None)
        }
        self.whole = {name: self._whole(table.sensitive[name]) for name in self.by_column}

    def _whole(self, column: Sensitive) -> Floats:
        owner = np.zeros(self.table.rows, dtype=np.int64)
        of = self._cells(owner, 1, np.arange(self.table.rows), column)
        return np.asarray(np.bincount(of.value, weights=of.count, minlength=column.values) / of.count.sum())

    def _cells(self, owner: Longs, owners: int, rows: Longs, column: Sensitive) -> Cells:
        value = column.codes[rows]
        if self.table.several and self.table.entity is not None:
            entity = self.table.entity[rows]
            pair, _ = joined(
                [(owner, owners), (value, column.values), (entity, int(self.table.entity.max()) + 1)],
                len(rows),
            )
            first = np.unique(pair, return_index=True)[1]
            owner, value = owner[first], value[first]
        return counted(owner, owners, value, column.values, np.ones(len(owner), dtype=np.int64))

    def sizes(self, owner: Longs, owners: int, rows: Longs) -> Longs:
        """Distinct entities of each owner."""
        if self.table.several and self.table.entity is not None:
            below = int(self.table.entity.max()) + 1
            return np.bincount(np.unique(owner * below + self.table.entity[rows]) // below, minlength=owners)
        return np.bincount(owner, minlength=owners)

    def stands(self, owner: Longs, owners: int, rows: Longs) -> Bools:
        """For each of the ``owners``, none without a row, whether every model holds."""
        sizes = self.sizes(owner, owners, rows)
        found = np.asarray(sizes >= self.k)
        for name, models in self.by_column.items():
            column = self.table.sensitive[name]
            cells = self._cells(owner, owners, rows, column)
            of = parts(cells, sizes, column.values, column.tree, self.whole[name])
            for model in models:
                found &= by_cells(model, of)
        return found


def _places(groups: Ints, starts: Longs, size: Longs, k: int, relaxed: bool) -> Longs:
    """For each part after how many of its rows to cut: nearest to the middle with ``k`` rows on either side,
    -1 where nowhere."""
    if relaxed:
        return np.where(size >= 2 * k, size // 2, -1)
    place = np.arange(len(groups)) - np.repeat(starts, size)
    whole = np.repeat(size, size)
    change = np.r_[False, groups[1:] != groups[:-1]]
    allowed = change & (place >= max(k, 1)) & (whole - place >= max(k, 1))
    far = int(size.max()) + 1
    rank = np.where(allowed, np.abs(2 * place - whole) * far + place, np.iinfo(np.int64).max)
    best = np.minimum.reduceat(rank, starts)
    return np.where(best == np.iinfo(np.int64).max, -1, best % far)


def mondrian(
    table: Table,
    models: Sequence[Model],
    relaxed: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Partition:
    """Cut ``table`` into parts in each of which the ``models`` (of ``KINDS``) hold.

    ``progress`` is called with the share of rows that are in their last part. Raises ANONYMISE_NONE where
    the models do not hold for all rows together; ValueError for another model.
    """
    if any(m.kind not in KINDS for m in models) or table.sample is not None:
        raise ValueError("models")
    columns = [_Column(c, h) for c, h in zip(table.leaves, table.hierarchies, strict=True)]
    judge = _Judge(table, models)
    everything = np.arange(table.rows)
    if not table.rows or not judge.stands(np.zeros(table.rows, dtype=np.int64), 1, everything).all():
        raise fail("ANONYMISE_NONE")
    part, number = np.zeros(table.rows, dtype=np.int64), 0
    work = _Round(everything, np.zeros(1, dtype=np.int64))
    while len(work.starts):
        done, work_next = _cut(work, columns, judge, relaxed)
        rows, _, size = work.of(done)
        part[rows] = number + np.repeat(np.arange(len(done)), size)
        number += len(done)
        work = work_next
        if progress is not None:
            progress(1.0 - len(work.rows) / table.rows)
    order = np.argsort(part, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(part[order]) != 0])
    low, high = zip(*(_ends(c.leaves[order], starts) for c in columns), strict=True)
    return Partition(part, number, low, high)


def _ends(leaves: Ints, starts: Longs) -> tuple[Ints, Ints]:
    return np.minimum.reduceat(leaves, starts), np.maximum.reduceat(leaves, starts)


def _cut(work: _Round, columns: Sequence[_Column], judge: _Judge, relaxed: bool) -> tuple[Longs, _Round]:
    """(the parts that stay whole, the halves of the others)."""
    ends = [_ends(c.leaves[work.rows], work.starts) for c in columns]
    wide = np.stack([c.widths(low, high) for c, (low, high) in zip(columns, ends, strict=True)], axis=1)
    turn = np.argsort(-wide, axis=1, kind="stable")
    open_ = np.flatnonzero((work.sizes >= 2 * judge.k) & (wide.max(axis=1) > 0))
    cut = np.zeros(len(work.starts), dtype=np.bool_)
    halves: list[tuple[Longs, Longs]] = []
    for attempt in range(len(columns)):
        along = turn[open_, attempt]
        for axis in range(len(columns)):
            chosen = open_[(along == axis) & (wide[open_, axis] > 0)]
            if len(chosen):
                rows, starts, size = work.of(chosen)
                low, high = (end[chosen] for end in ends[axis])
                made = _along(columns[axis], judge, relaxed, (rows, starts, size), (low, high))
                cut[chosen[made[0]]] = True
                halves.append(made[1:])
        open_ = open_[~cut[open_]]
        if not len(open_):
            break
    rows = np.concatenate([h[0] for h in halves]) if halves else np.zeros(0, dtype=np.int64)
    size = np.concatenate([h[1] for h in halves]) if halves else np.zeros(0, dtype=np.int64)
    starts = np.r_[0, np.cumsum(size)[:-1]].astype(np.int64) if len(size) else size
    return np.flatnonzero(~cut), _Round(rows, starts)


def _along(
    column: _Column,
    judge: _Judge,
    relaxed: bool,
    which: tuple[Longs, Longs, Longs],
    ends: tuple[Ints, Ints],
) -> tuple[Bools, Longs, Longs]:
    """(which of the parts could be cut along ``column``, rows of their halves, sizes of their halves)."""
    rows, starts, size = which
    number = np.repeat(np.arange(len(size)), size)
    leaves = column.leaves[rows]
    order = np.argsort(number * column.hierarchy.leaves + leaves, kind="stable")
    rows, leaves = rows[order], leaves[order]
    at = _places(column.groups(leaves, *ends, size), starts, size, judge.k, relaxed)
    can = at >= 0
    if not can.any():
        return can, rows[:0], size[:0]
    inside = np.repeat(can, size)
    rows, number = rows[inside], np.repeat(np.arange(int(can.sum())), size[can])
    begin = np.r_[0, np.cumsum(size[can])[:-1]]
    right = np.arange(len(rows)) - np.repeat(begin, size[can]) >= np.repeat(at[can], size[can])
    owner = 2 * number + right
    stand = judge.stands(owner, 2 * int(can.sum()), rows).reshape(-1, 2).all(axis=1)
    can[can] = stand
    made = np.stack([at[can], size[can] - at[can]], axis=1).reshape(-1)
    return can, rows[np.repeat(stand, np.bincount(number))], made
