"""What a generalisation costs, as ARX defines it, each with bounds that let a search leave nodes out.

``loss``: for each column the mean of the domain's part that a value covers (1 where suppressed), scaled
so that untouched is 0 and wholly generalised 1; columns together by the geometric mean of 1 + loss, less 1
(Iyengar 2002). ``entropy``: non-uniform entropy in bits (Prasser et al. 2016; de Waal and Willenborg 1999),
``monotone`` without what suppression adds. ``discernability``: the sum of n² over classes, a suppressed
row counting all rows (Bayardo and Agrawal 2005), ``monotone`` with suppressed rows in their classes.
``class_size``: rows over classes, suppressed rows being one (LeFevre et al. 2006). ``precision``: the mean
of level / height, 1 for suppressed cells (Sweeney 2002). ``height``: the sum of the levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sandbox.desensitize.search.groups import Bools, Classes, Table
from sandbox.desensitize.search.hierarchy import Floats

Node = tuple[int, ...]
_WORTH = 0.05  # part of the rows that must be lost for it to say much


class LossSpec(BaseModel):
    """``suppression``: from 0 (suppression costs nothing) over 0.5 (as a wholly generalised row) to 1
    (generalisation costs nothing), for ``loss`` and ``entropy``; ARX's gsFactor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["loss", "entropy", "discernability", "class_size", "precision", "height"] = "loss"
    monotone: bool = False
    suppression: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5


class Loss:
    """A loss over the lattice of one table.

    ``floors``: a number for every node that its loss cannot be below, known before any grouping, as an array
    with an axis for each column. ``floor``: the same for a node whose classes are known; it rises up the
    lattice, so it holds for all nodes above, too. ``floors_below``: for the nodes below one, given what must
    be suppressed there. ``value``: the loss.
    """

    def __init__(self, table: Table, spec: LossSpec) -> None:
        self.table, self.spec = table, spec
        self.published = table.published
        self.general = 1.0 if spec.suppression <= 0.5 else 2.0 - 2.0 * spec.suppression
        self.removed = min(1.0, 2.0 * spec.suppression)

    @cached_property
    def counts(self) -> list[Floats]:
        """Published rows of each leaf, by column."""
        inside = slice(None) if self.table.sample is None else self.table.sample
        return [
            np.bincount(column[inside], minlength=h.leaves).astype(np.float64)
            for column, h in zip(self.table.leaves, self.table.hierarchies, strict=True)
        ]

    @cached_property
    def _shares(self) -> list[list[Floats]]:
        """For each column and level the part of the domain that each leaf's group covers."""
        return [
            [h.shares(level)[h.levels[level]] for level in range(h.height + 1)]
            for h in self.table.hierarchies
        ]

    @cached_property
    def _by_level(self) -> list[Floats]:
        """For each column what each level costs without suppression."""
        kind, found = self.spec.kind, []
        for column, (counts, h) in enumerate(zip(self.counts, self.table.hierarchies, strict=True)):
            levels = range(h.height + 1)
            if kind == "loss":
                covered = [counts @ self._shares[column][level] for level in levels]
                found.append(np.array([self._scaled(self.general * float(x), column) for x in covered]))
            elif kind == "entropy":
                found.append(
                    np.array([self.general * self._bits(counts, h.levels[level]) for level in levels])
                )
            elif kind == "precision":
                found.append(np.arange(h.height + 1) / max(h.height, 1))
            elif kind == "height":
                found.append(np.arange(h.height + 1).astype(np.float64))
            else:
                found.append(np.array([float(np.count_nonzero(np.bincount(h.levels[x]))) for x in levels]))
        return found

    @staticmethod
    def _bits(counts: Floats, group: np.ndarray) -> float:
        there = counts > 0
        within = np.bincount(group, weights=counts)[group][there]
        return float(-(counts[there] * np.log2(counts[there] / within)).sum())

    def _scaled(self, covered: float, column: int) -> float:
        n, leaves = float(self.published), self.table.hierarchies[column].leaves
        least = self.general * n / leaves
        return max(0.0, (covered - least) / (n - least)) if n > least else 0.0

    def _together(self, columns: Sequence[float]) -> float:
        if self.spec.kind == "loss":
            return float(math.prod((x + 1.0) ** (1.0 / len(columns)) for x in columns)) - 1.0
        return float(sum(columns)) / (len(columns) if self.spec.kind == "precision" else 1)

    def _grid(self, columns: Sequence[Floats]) -> Floats:
        """The columns' parts put together, for each combination of their levels."""
        total = self.spec.kind in ("entropy", "precision", "height")
        grid: Floats = np.zeros(()) if total else np.ones(())
        for level in columns:
            part = (level + 1.0) ** (1.0 / len(columns)) if self.spec.kind == "loss" else level
            grid = grid[..., None] + part if total else grid[..., None] * part
        if self.spec.kind == "loss":
            return np.asarray(grid - 1.0)
        return np.asarray(grid / len(columns)) if self.spec.kind == "precision" else grid

    def floors(self) -> Floats:
        """See the class."""
        grid = self._grid(self._by_level)
        if self.spec.kind in ("discernability", "class_size"):  # at most so many classes, of equal sizes
            most = np.minimum(grid, self.published)
            return np.asarray(
                self.published / most * (self.published if self.spec.kind == "discernability" else 1)
            )
        return grid

    @cached_property
    def _most_shares(self) -> dict[tuple[int, int], list[Floats]]:
        """(column, level) -> for each level up to that one the greatest share of a leaf's group there, by the
        groups of ``level``."""
        found = {}
        for column, h in enumerate(self.table.hierarchies):
            for level in range(h.height + 1):
                starts = np.flatnonzero(np.r_[True, np.diff(h.levels[level]) != 0])
                shares = self._shares[column][: level + 1]
                found[column, level] = [np.maximum.reduceat(share, starts) for share in shares]
        return found

    def floors_below(self, node: Node, classes: Classes, gone: Bools, least: int) -> Floats | None:
        """What the nodes below ``node`` and itself cannot cost less than, as an array of their levels; None
        where nothing is known. ``gone``: classes that must be suppressed for they have less than ``least``
        rows: what becomes of them further down is smaller still."""
        rows = classes.rows[gone].astype(np.float64)
        lost, n, kind = float(rows.sum()), self.published, self.spec.kind
        if lost < _WORTH * n or (self.spec.monotone and kind != "class_size") or kind == "height":
            return None
        if kind == "discernability":
            return np.asarray(lost * n + least * (n - lost))
        if kind == "class_size":
            return np.asarray(n / ((n - lost) // least + 1.0))
        columns = []
        for column, level in enumerate(node):
            plain = self._by_level[column][: level + 1]
            if kind == "precision":
                columns.append(plain * (1.0 - lost / n) + lost / n)
                continue
            h = self.table.hierarchies[column]
            group = h.levels[level][classes.leaves[column][gone]]
            held = np.bincount(group, weights=rows, minlength=len(h.labels[level]))
            if kind == "entropy":
                held = held[held > 0]
                columns.append(plain - self.removed * float(held @ np.log2(held / lost)))
                continue
            both = self.removed + self.general - 1.0
            found = []
            for at, most in enumerate(self._most_shares[column, level]):
                covered = self.general * float(self.counts[column] @ self._shares[column][at])
                found.append(self._scaled(covered + self.removed * lost - both * float(held @ most), column))
            columns.append(np.array(found))
        return self._grid(columns)

    def floor(self, classes: Classes) -> float | None:
        """See the class; None where ``floors`` says as much."""
        rows = classes.rows[classes.rows > 0].astype(np.float64)
        if self.spec.kind == "discernability":
            return float(rows @ rows)
        return self.published / len(rows) if self.spec.kind == "class_size" else None

    def value(self, node: Node, classes: Classes, kept: Bools) -> float:
        """The loss of ``node`` with its classes, of which only those ``kept`` are published."""
        gone = ~kept & (classes.rows > 0)
        rows = classes.rows.astype(np.float64)
        kind = self.spec.kind
        if kind == "discernability":
            star = float(rows @ rows)
            if self.spec.monotone:
                return star
            return star + float((rows[gone] * (self.published - rows[gone])).sum())
        if kind == "class_size":
            return self.published / max(int(np.count_nonzero(kept & (rows > 0))) + bool(gone.any()), 1)
        columns = [level[at] for level, at in zip(self._by_level, node, strict=True)]
        if kind == "height" or self.spec.monotone or not gone.any():
            return float(self._together(columns))
        lost = float(rows[gone].sum())
        if kind == "precision":
            part = lost / self.published
            return float(self._together([x * (1 - part) + part for x in columns]))
        return float(self._together(self._suppressed(columns, node, classes, gone, rows)))

    def _suppressed(
        self, columns: Sequence[float], node: Node, classes: Classes, gone: Bools, rows: Floats
    ) -> list[float]:
        """Column by column what it is with the rows of ``gone`` classes suppressed."""
        found = []
        lost = rows[gone]
        for column, (h, level) in enumerate(zip(self.table.hierarchies, node, strict=True)):
            leaves = classes.leaves[column][gone]
            if self.spec.kind == "entropy":
                group = h.levels[level][leaves]
                held = np.bincount(group, weights=lost)
                held = held[held > 0]
                found.append(columns[column] - self.removed * float(held @ np.log2(held / held.sum())))
                continue
            shares = self._shares[column][level]
            covered, taken = float(self.counts[column] @ shares), float(shares[leaves] @ lost)
            added = taken + self.removed * (float(lost.sum()) - taken) - self.general * taken
            found.append(self._scaled(self.general * covered + added, column))
        return found
