"""What can be worked out of published sums: exactly by linear algebra, and as an interval for counts.

The solver behind ``checks.recoverable`` and the suppression of ``mend``.

The unknowns are the counts of disjoint cells, none negative; every published number is the sum of some of
them. A hidden sum is *fixed* when it is a linear combination of published ones. Failing that its interval is
found by linear programming, which for tables of two dimensions is exact in whole numbers too (their systems
are totally unimodular) and for more dimensions is what a solver over the reals gets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BLOCK = 256  # targets looked at together
_PRIME = 2_147_483_629  # below 2^31: products fit in 64 bits
_CELLS = 3_000_000  # of a matrix that is eliminated
_PIVOTS = 20_000  # of all intervals of one system
_SMALL = 1e-9


class TooLarge(Exception):
    """The system is beyond the budget: nothing is proved."""


@dataclass(frozen=True)
class Found:
    """Of each target: whether it is fixed, and the least and the most it can be (NaN where not asked)."""

    fixed: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _peel(sums: np.ndarray) -> np.ndarray:
    """Which cells stay unknown when every sum with one unknown gives it away, again and again."""
    unknown = np.ones(sums.shape[1], dtype=bool)
    while True:
        alone = sums[:, unknown].sum(axis=1) == 1
        given = sums[alone][:, unknown].any(axis=0)
        if not given.any():
            return unknown
        unknown[np.flatnonzero(unknown)[given]] = False


def _eliminate(matrix: np.ndarray) -> tuple[np.ndarray, list[int], list[int]]:
    """(reduced rows modulo a prime, the pivot column of each, which rows of ``matrix`` are independent)."""
    rows = matrix.astype(np.int64) % _PRIME
    order = np.arange(len(rows))
    pivots: list[int] = []
    for column in range(rows.shape[1]):
        done = len(pivots)
        if done == len(rows):
            break
        below = np.flatnonzero(rows[done:, column])
        if not len(below):
            continue
        swap = done + int(below[0])
        rows[[done, swap]], order[[done, swap]] = rows[[swap, done]], order[[swap, done]]
        rows[done] = rows[done] * pow(int(rows[done, column]), -1, _PRIME) % _PRIME
        others = np.flatnonzero(rows[:, column])
        others = others[others != done]
        rows[others] = (rows[others] - rows[others, column][:, None] * rows[done]) % _PRIME
        pivots.append(column)
    return rows[: len(pivots)], pivots, [int(i) for i in order[: len(pivots)]]


def _spanned(reduced: np.ndarray, pivots: list[int], targets: np.ndarray) -> np.ndarray:
    """Which of ``targets`` (true and false) are combinations of the ``reduced`` rows. In floats, for speed:
    sums of fewer than 2^22 numbers below 2^31 are exact."""
    rows = reduced.astype(np.float64)
    found = np.zeros(len(targets), dtype=bool)
    for start in range(0, len(targets), _BLOCK):
        block = targets[start : start + _BLOCK].astype(np.float64)
        rest = block - block[:, pivots] @ rows
        found[start : start + _BLOCK] = ~(rest % _PRIME).any(axis=1)
    return found


class _Polytope:
    """The points x >= 0 with ``rows`` x = ``totals``, walked along its edges (simplex on a dense tableau)."""

    def __init__(self, rows: np.ndarray, totals: np.ndarray) -> None:
        height, self.width = rows.shape
        self.left = _PIVOTS
        self.table = np.hstack([rows, np.eye(height), totals[:, None]]).astype(np.float64)
        self.basis = np.arange(self.width, self.width + height)
        # From the artificial corner to a true one: the artificial cells are driven to nought.
        cost = np.zeros(self.table.shape[1] - 1)
        cost[self.width :] = -1
        self._walk(cost)
        for row in np.flatnonzero(self.basis >= self.width):
            free = np.flatnonzero(np.abs(self.table[row, : self.width]) > _SMALL)
            if len(free):
                self._pivot(int(row), int(free[0]))
        self.table = np.hstack([self.table[:, : self.width], self.table[:, -1:]])

    def _pivot(self, row: int, column: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise TooLarge
        self.table[row] /= self.table[row, column]
        others = np.flatnonzero(np.abs(self.table[:, column]) > 1e-12)
        others = others[others != row]
        self.table[others] -= self.table[others, column][:, None] * self.table[row]
        self.basis[row] = column

    def _walk(self, cost: np.ndarray) -> bool:
        """To the corner where ``cost`` is greatest; False: no bound. Bland's rule: never in a circle."""
        while True:
            gain = cost - cost[self.basis] @ self.table[:, :-1]
            better = np.flatnonzero(gain > _SMALL)
            if not len(better):
                return True
            column = int(better[0])
            up = np.flatnonzero(self.table[:, column] > _SMALL)
            if not len(up):
                return False
            ratio = self.table[up, -1] / self.table[up, column]
            ties = up[ratio <= ratio.min() + _SMALL]
            self._pivot(int(ties[np.argmin(self.basis[ties])]), column)

    def corner(self, cost: np.ndarray) -> np.ndarray | None:
        """A point where ``cost`` is greatest; None when there is no bound."""
        if not self._walk(cost):
            return None
        point = np.zeros(self.width)
        inside = self.basis < self.width
        point[self.basis[inside]] = self.table[inside, -1]
        return point


def _merge(sums: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Cells that stand in the same sums and targets are one unknown."""
    both = np.vstack([sums, targets])
    _, first, owner = np.unique(np.packbits(both, axis=0), axis=1, return_index=True, return_inverse=True)
    merged = np.bincount(owner.ravel(), weights=counts, minlength=len(first))
    return sums[:, first], targets[:, first], merged


def recover(
    sums: np.ndarray, targets: np.ndarray, counts: np.ndarray, ask: np.ndarray, width: float
) -> Found:
    """What ``sums`` (published × cells, true where a cell is part of the sum) tell of ``targets`` (hidden
    sums × cells). ``counts``: the true counts. Intervals are sought where ``ask``, and left unfinished (low
    and high so far) as soon as they are ``width`` wide. Raises ``TooLarge``.
    """
    unknown = _peel(sums)
    sums, targets, counts = sums[:, unknown], targets[:, unknown], counts[unknown]
    sums = np.unique(sums[sums.any(axis=1)], axis=0)
    sums, targets, counts = _merge(sums, targets, counts)
    if sums.size > _CELLS:
        raise TooLarge
    reduced, pivots, independent = _eliminate(sums)
    fixed = _spanned(reduced, pivots, targets)
    true = targets @ counts
    low, high = np.where(fixed, true, np.nan), np.where(fixed, true, np.nan)
    free = targets[:, ~sums.any(axis=0)].any(axis=1) if len(sums) else targets.any(axis=1)
    high[free & ~fixed] = np.inf
    asked = np.flatnonzero(ask & ~fixed)
    low[asked], high[asked] = true[asked], np.maximum(true[asked], np.nan_to_num(high[asked], nan=-np.inf))
    if not (high[asked] - low[asked] < width).any():
        return Found(fixed, low, high)
    chosen = sums[independent].astype(np.float64)
    polytope = _Polytope(chosen, chosen @ counts)
    which, cells = np.nonzero(targets[asked])  # few cells each: a product with all is nearly all noughts
    for number in asked:
        for sign in (1.0, -1.0):
            if high[number] - low[number] >= width:
                break
            point = polytope.corner(sign * targets[number].astype(np.float64))
            if point is None:
                high[number] = np.inf
                break
            # what is possible for the others too
            seen = np.bincount(which, weights=point[cells], minlength=len(asked))
            low[asked], high[asked] = np.minimum(low[asked], seen), np.maximum(high[asked], seen)
    return Found(fixed, low, high)
