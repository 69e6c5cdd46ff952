"""The outcome of a search over the rows: which class each row is in and what is written for it.

Whatever the method, what is written in a column for a class covers a run of leaves of that column's
hierarchy; losses, query errors and the product are worked out of these runs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from sandbox.desensitize.search.groups import Longs, Table, joined
from sandbox.desensitize.search.hierarchy import Floats, Hierarchy, Ints
from sandbox.desensitize.search.lattice import Found
from sandbox.desensitize.search.mondrian import Partition


@dataclass(frozen=True)
class Recoding:
    """``owner``: class of each row, -1 where suppressed. ``low`` and ``high``: for each column the run of
    leaves that is written for each class; ``level``: the level whose group it is, -1 where it is a range of
    numbers. Classes of which the same is written are one."""

    table: Table
    owner: Longs
    classes: int
    low: tuple[Ints, ...]
    high: tuple[Ints, ...]
    level: tuple[Ints, ...]

    @cached_property
    def rows(self) -> Longs:
        """Published rows of each class."""
        return np.bincount(self.owner[self.owner >= 0], minlength=self.classes)

    @property
    def suppressed(self) -> int:
        """Rows left out."""
        return int((self.owner < 0).sum())


def width(h: Hierarchy, low: Ints, high: Ints) -> Floats:
    """The part of the domain that runs of leaves cover, 0 for single values: by their numbers where they have
    some, else by the leaves (normalised certainty penalty, Xu et al. 2006). With an empty value it is all."""
    if h.numbers is None:
        return np.asarray(np.where(low == high, 0.0, (high - low + 1) / h.leaves))
    known = h.numbers[~np.isnan(h.numbers)]
    wide = (h.numbers[high] - h.numbers[low]) / (float(known[-1] - known[0]) or 1.0 if len(known) else 1.0)
    return np.asarray(np.where(low == high, 0.0, np.where(np.isnan(wide), 1.0, wide)))


def _runs(h: Hierarchy, level: int) -> tuple[Ints, Ints]:
    """First and last leaf of each group of a level."""
    groups = h.levels[level]
    low = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]]).astype(np.int32)
    return low, np.r_[low[1:] - 1, h.leaves - 1].astype(np.int32)


def of_node(table: Table, found: Found) -> Recoding:
    """The recoding of a lattice's node."""
    columns = [
        (h.levels[level][leaf], len(h.labels[level]))
        for leaf, h, level in zip(table.leaves, table.hierarchies, found.node, strict=True)
    ]
    owner, _ = joined(columns, table.rows)
    number = np.cumsum(found.kept) - 1
    low, high, levels = [], [], []
    for leaf, h, level in zip(found.classes.leaves, table.hierarchies, found.node, strict=True):
        first, last = _runs(h, level)
        group = h.levels[level][leaf[found.kept]]
        low.append(first[group])
        high.append(last[group])
        levels.append(np.full(len(group), level, dtype=np.int32))
    owner = np.where(found.kept[owner], number[owner], -1)
    return Recoding(table, owner, int(found.kept.sum()), tuple(low), tuple(high), tuple(levels))


def of_partition(table: Table, parts: Partition) -> Recoding:
    """The recoding of Mondrian's parts: ranges for numbers, else the lowest group that covers a part.

    Parts of which the same is written become one class. Where entities have several rows a union may fail
    where its parts do not, so there the groups one level lower are written, side by side: ``5201**|5202**``.
    """
    runs = []
    for h, low, high in zip(table.hierarchies, parts.low, parts.high, strict=True):
        level = np.zeros(parts.parts, dtype=np.int32)
        if h.numbers is not None:
            mixed = np.isnan(h.numbers[low]) & (low != high)
            level = np.where(low == high, 0, np.where(mixed, h.height, -1)).astype(np.int32)
            runs.append((np.where(mixed, 0, low), np.where(mixed, h.leaves - 1, high), level))
            continue
        level[:] = h.height
        for at in range(h.height - 1, -1, -1):
            level[h.levels[at][low] == h.levels[at][high]] = at
        wide_low, wide_high = low.copy(), high.copy()
        for at in range(h.height + 1):
            first, last = _runs(h, at)
            here = level == at
            group = h.levels[at][low[here]]
            wide_low[here], wide_high[here] = first[group], last[group]
            if table.several and at:
                first, last = _runs(h, at - 1)
                wide_low[here] = first[h.levels[at - 1][low[here]]]
                wide_high[here] = last[h.levels[at - 1][high[here]]]
        if table.several:
            level = np.where(level > 0, -1, 0).astype(np.int32)
        runs.append((wide_low, wide_high, level))
    written = [
        (low.astype(np.int64) * h.leaves + high)
        for h, (low, high, _) in zip(table.hierarchies, runs, strict=True)
    ]
    into, number = joined(
        [(w, h.leaves * h.leaves) for w, h in zip(written, table.hierarchies, strict=True)], parts.parts
    )
    one = np.zeros(number, dtype=np.int64)
    one[into] = np.arange(parts.parts)
    lows, highs, levels = zip(*(tuple(a[one].astype(np.int32) for a in run) for run in runs), strict=True)
    return Recoding(table, into[parts.part], number, lows, highs, levels)


def _label(h: Hierarchy, low: int, high: int, level: int) -> Any:
    if level >= 0:
        return h.labels[level][h.levels[level][low]]
    if h.numbers is not None:
        return f"[{h.labels[0][low]},{h.labels[0][high]}]"
    above = next(at for at, groups in enumerate(h.levels) if groups[low] == groups[high])
    found = dict.fromkeys(h.levels[above - 1][low : high + 1].tolist())
    return "|".join("" if (x := h.labels[above - 1][g]) is None else str(x) for g in found)


def product(frame: pl.DataFrame, recoding: Recoding, keep: Sequence[str]) -> pl.DataFrame:
    """The published rows of ``frame``, its quasi-identifiers as they are written, the columns ``keep`` as
    they are, in the frame's order of columns. The rows stand in an order by what they say: their place in the
    source is gone. A column nothing of which is generalised keeps its type; else it is text."""
    inside = np.flatnonzero(recoding.owner >= 0)
    owner = recoding.owner[inside]
    rows = frame[inside]
    columns: dict[str, pl.Series] = {name: rows[name] for name in keep}
    for at, name in enumerate(recoding.table.names):
        low, high, level = recoding.low[at], recoding.high[at], recoding.level[at]
        if not (level != 0).any():
            columns[name] = rows[name]
            continue
        h = recoding.table.hierarchies[at]
        runs = np.stack([low, high, level], axis=1)
        distinct, place = np.unique(runs, axis=0, return_inverse=True)
        labels = [_label(h, *(int(x) for x in run)) for run in distinct]
        texts = pl.Series([None if x is None else str(x) for x in labels], dtype=pl.String)
        columns[name] = texts.gather(pl.Series(place.reshape(-1)[owner]))
    made = pl.DataFrame([columns[name].alias(name) for name in frame.columns if name in columns])
    return made.sort(made.columns, nulls_last=False)
