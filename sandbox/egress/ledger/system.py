"""The normal equations of all cells, factored: G = A·Aᵀ is counted from the layers, A is never formed.

The cells of one layer are disjoint, so their block of G is diagonal. The layer of most old cells is therefore
eliminated by a division, and only what is left is factored densely (Cholesky): half of the cells are
small ones of one fine table, and the cost is cubic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.blas import dsyrk
from scipy.sparse import csr_array

from sandbox.egress.ledger.cuts import contingency

DEPENDENT = 1e-2  # squared distance below which a row is a combination of the others
_RIDGE = 1e-5  # on the diagonal for cells of up to a million; a larger one rounds more
_ROWS = 1024
_SPARSE = 400  # entries of a row of the eliminated layer up to which it is subtracted sparsely


@dataclass(frozen=True)
class Layer:
    """One layer of disjoint cells: ``codes`` of the entities (-1 none), ``start`` of its rows, the book."""

    codes: np.ndarray
    start: int
    count: int
    book: int


def rows_times(layers: Sequence[Layer], vector: np.ndarray, size: int) -> np.ndarray:
    """A·vector."""
    found = np.zeros(size)
    for one in layers:
        sums = np.bincount(one.codes + 1, weights=vector, minlength=one.count + 1)
        found[one.start : one.start + one.count] = sums[1:]
    return found


def times_rows(layers: Sequence[Layer], weights: np.ndarray, count: int) -> np.ndarray:
    """weights·A, for ``count`` entities."""
    found = np.zeros(count)
    for one in layers:
        mine = weights[one.start : one.start + one.count]
        if mine.any():
            found += np.append(mine, 0.0)[one.codes]
    return found


class System:
    """``layers`` with their rows numbered one after the other, the first ``older`` of them released before.

    ``distance``: the squared distance of each row from the span of those before it. (Of the eliminated rows:
    their sizes; they count as the very first.)
    """

    def __init__(self, layers: Sequence[Layer], older: int) -> None:
        self.layers, self.older = layers, older
        self.size = sum(one.count for one in layers)
        old = [one for one in layers if one.start < older]
        self._out = max(old, key=lambda one: one.count, default=None)
        rest = [one for one in layers if one is not self._out]
        self._rest = np.concatenate([np.arange(one.start, one.start + one.count) for one in rest])
        ridge = _RIDGE * max(1.0, len(layers[0].codes) / 1e6)
        gram = _gram(rest, len(self._rest), ridge)
        if self._out is not None:
            self._block = self._cross(rest)
            sizes = np.bincount(self._out.codes + 1, minlength=self._out.count + 1)[1:]
            self._weight = sizes + ridge
            _subtract(gram, self._block, self._weight)
        self._factor = cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
        self.distance = np.zeros(self.size)
        self.distance[self._rest] = np.diag(self._factor) ** 2 - ridge
        if self._out is not None:
            self.distance[self._rows_out] = self._weight

    @property
    def _rows_out(self) -> slice:
        assert self._out is not None
        return slice(self._out.start, self._out.start + self._out.count)

    def _cross(self, rest: Sequence[Layer]) -> csr_array:
        """Entities that the eliminated cells share with each other cell."""
        assert self._out is not None
        rows, columns, values, at = [], [], [], 0
        for one in rest:
            u, v, n = contingency(self._out.codes, one.codes)
            both = (u >= 0) & (v >= 0)
            rows.append(u[both])
            columns.append(v[both] + at)
            values.append(n[both])
            at += one.count
        joined = (np.concatenate(values).astype(np.float64), (np.concatenate(rows), np.concatenate(columns)))
        return csr_array(joined, shape=(self._out.count, at))

    def solve(self, right: np.ndarray, older: bool = False) -> np.ndarray:
        """The coefficients x of the rows with G·x = ``right`` (columns); ``older``: of the old rows only."""
        inner = right[self._rest]
        if self._out is not None:
            inner = inner - self._block.T @ (right[self._rows_out] / self._weight[:, None])
        half = solve_triangular(self._factor, inner, lower=True, check_finite=False)
        if older:
            half[self._rest >= self.older] = 0.0
        return self._back(half, right)

    def nearest(self, rows: np.ndarray) -> np.ndarray:
        """For each of ``rows`` (none of the eliminated) the coefficients of all rows before it that come
        nearest to it: one column each."""
        place = np.searchsorted(self._rest, rows)
        half = np.zeros((len(self._rest), len(rows)), order="F")
        right = np.zeros((self.size, len(rows)))
        for column, row in enumerate(place):
            half[:row, column] = self._factor[row, :row]
            if self._out is not None:
                right[self._rows_out, column] = self._block[:, [row]].toarray()[:, 0]
        return self._back(half, right)

    def _back(self, half: np.ndarray, right: np.ndarray) -> np.ndarray:
        found = np.zeros(right.shape)
        if not right.size:
            return found
        inner = solve_triangular(self._factor, half, lower=True, trans="T", check_finite=False)
        found[self._rest] = inner
        if self._out is not None:
            outer = right[self._rows_out] - self._block @ inner
            found[self._rows_out] = outer / self._weight[:, None]
        return found


def _gram(layers: Sequence[Layer], size: int, ridge: float) -> np.ndarray:
    """The lower triangle of A·Aᵀ, with the ridge."""
    gram = np.zeros((size, size), order="F")
    row = 0
    for i, one in enumerate(layers):
        inside = np.flatnonzero(one.codes >= 0)
        mine = one.codes[inside].astype(np.int64)
        column = 0
        for other in layers[:i]:
            theirs = other.codes[inside] + 1
            joint = mine * (other.count + 1) + theirs
            counts = np.bincount(joint, minlength=one.count * (other.count + 1))
            block = counts.reshape(one.count, other.count + 1)[:, 1:]
            gram[row : row + one.count, column : column + other.count] = block
            column += other.count
        place = np.arange(row, row + one.count)
        gram[place, place] = np.bincount(mine, minlength=one.count) + ridge
        row += one.count
    return gram


def _subtract(gram: np.ndarray, block: csr_array, weight: np.ndarray) -> None:
    """gram -= blockᵀ·block / weight, on the lower triangle."""
    entries = np.diff(block.indptr)
    scaled = csr_array(block.multiply(1.0 / np.sqrt(weight)[:, None]))
    few, many = scaled[entries <= _SPARSE], scaled[entries > _SPARSE].toarray()
    turned = csr_array(few.T)
    for start in range(0, len(gram), _ROWS):  # in pieces: whole, the product would be as large as gram
        end = min(start + _ROWS, len(gram))
        gram[start:end, :end] -= (turned[start:end] @ few[:, :end]).toarray()
    if len(many):
        dsyrk(-1.0, np.asfortranarray(many.T), beta=1.0, c=gram, lower=1, overwrite_c=1)
