"""Any linear combination of all cells: who is determined by the releases together, and how loaded they are.

A cell is a 0/1 row over the entities; what can be computed from the cells is the space their rows span. With
G = A·Aᵀ (counted, never A itself) and its Cholesky factor L, the older rows first:

- L[j, j]² is the squared distance of row j from what all rows before it span. A remainder of ±1 on a group
  has the group's size as its squared length, so a distance of the threshold or more *proves* that row j
  completes no such group, whatever is added and subtracted. A shorter one is a suspicion, which the
  least-squares coefficients, rounded to whole numbers, turn into a proof where they leave a small group.
- a random vector, projected onto what the rows do not see, is nought at exactly those entities (or
  indistinguishable groups) whose value the releases determine (their leverage is 1).
- the rank, over the entities, is the reconstruction rate: independent statistics an entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from sandbox.egress.ledger.books import Book

MOST_CELLS = 14_000  # one matrix of doubles: 1.5 GiB
_RIDGE = 1e-5
_DEPENDENT = 1e-2  # squared distance below which a row is a combination of the others
_VECTORS = 5
_NOUGHT = 0.02  # of a projected unit normal vector: chance makes one of 10^8 entities look determined
_SUSPECTS = 24  # rows whose coefficients are rounded
_SEED = 20


@dataclass(frozen=True)
class Layer:
    """One layer of disjoint cells: ``codes`` of the entities (-1 none), ``start`` of its rows, the book."""

    codes: np.ndarray
    start: int
    count: int
    book: int


@dataclass(frozen=True)
class Spanned:
    """What all cells give together. ``proven``: groups below the threshold that a combination gives,
    ``determined``: entities in groups below it whose sum is fixed, and was not by the old cells alone;
    ``suspects``: rows too near to the others to be proven safe. ``books``: numbers of the books used in them.
    ``rank`` of all, ``rank_before`` of the old cells, ``covered``: entities in any cell."""

    proven: int
    determined: int
    suspects: int
    books: tuple[int, ...]
    rank: int
    rank_before: int
    covered: int


def layers_of(books: Sequence[Book]) -> list[Layer]:
    """The layers of ``books`` (over one universe), their rows numbered one after the other; equal cells
    once: what is published again adds nothing."""
    found: list[Layer] = []
    known: set[tuple[int, bytes]] = set()
    start = 0
    for number, one in enumerate(books):
        fresh = np.zeros(len(one.sizes), dtype=bool)
        for cell in range(len(fresh)):
            name = (int(one.sizes[cell]), one.prints[cell].tobytes())
            fresh[cell] = name[0] > 0 and name not in known
            known.add(name)
        for codes in one.layers[0]:
            here = np.unique(codes)
            here = here[here >= 0]
            here = here[fresh[here]]
            if len(here):
                order = np.full(len(fresh) + 1, -1, dtype=np.int32)  # the last stands for -1
                order[here] = np.arange(len(here))
                found.append(Layer(order[codes], start, len(here), number))
                start += len(here)
    return found


def _gram(layers: Sequence[Layer], size: int) -> np.ndarray:
    gram = np.zeros((size, size), order="F")
    for i, one in enumerate(layers):
        rows = slice(one.start, one.start + one.count)
        inside = np.flatnonzero(one.codes >= 0)
        mine = one.codes[inside].astype(np.int64)
        for other in layers[: i + 1]:
            # columns of width count + 1: the last takes those who are in no cell of the other
            joint = mine * (other.count + 1) + np.where(
                (theirs := other.codes[inside]) < 0, other.count, theirs
            )
            counts = np.bincount(joint, minlength=one.count * (other.count + 1))
            block = counts.reshape(one.count, other.count + 1)[:, :-1]
            gram[rows, other.start : other.start + other.count] = block
    # only the lower triangle is read
    gram[np.arange(size), np.arange(size)] += _RIDGE
    return gram


def _rows_times(layers: Sequence[Layer], vector: np.ndarray, size: int) -> np.ndarray:
    """A·vector."""
    found = np.zeros(size)
    for one in layers:
        sums = np.bincount(one.codes + 1, weights=vector, minlength=one.count + 1)
        found[one.start : one.start + one.count] = sums[1:]
    return found


def _times_rows(layers: Sequence[Layer], weights: np.ndarray, count: int) -> np.ndarray:
    """weights·A, for ``count`` entities."""
    found = np.zeros(count)
    for one in layers:
        mine = weights[one.start : one.start + one.count]
        if mine.any():
            found += np.append(mine, 0.0)[one.codes]
    return found


def _atoms(layers: Sequence[Layer], count: int) -> tuple[np.ndarray, np.ndarray]:
    """(atom of each entity, size of each atom): entities in the same cells of all layers are one."""
    draw = np.random.default_rng(_SEED)
    mixed = np.zeros(count, dtype=np.uint64)
    for one in layers:
        mixed += draw.integers(1, 2**64, one.count + 1, dtype=np.uint64)[one.codes]
    _, inverse, sizes = np.unique(mixed, return_inverse=True, return_counts=True)
    return inverse, sizes


def spanned(new: Sequence[Book], old: Sequence[Book], threshold: int) -> Spanned | None:
    """All combinations of the cells of ``old`` and ``new`` (over one universe); None beyond MOST_CELLS."""
    books = [*old, *new]
    layers = layers_of(books)
    size = sum(one.count for one in layers)
    first = sum(one.count for one in layers if one.book < len(old))
    if size > MOST_CELLS:
        return None
    count = len(books[0].universe) if books else 0
    if size == first:  # nothing that has not been published
        return Spanned(0, 0, 0, (), first, first, 0)
    factor = cholesky(_gram(layers, size), lower=True, overwrite_a=True, check_finite=False)
    distance = np.diag(factor) ** 2 - _RIDGE
    covered = np.zeros(count, dtype=bool)
    for one in layers:
        covered |= one.codes >= 0
    near = np.flatnonzero((distance[first:] > _DEPENDENT) & (distance[first:] < threshold)) + first
    proven, used = _proofs(layers, factor, near, distance, threshold, count)
    fixed, more = _fixed(layers, factor, first, threshold, count)
    rank = distance > _DEPENDENT
    owner = np.concatenate([np.full(one.count, one.book) for one in layers])
    return Spanned(
        proven,
        fixed,
        len(near) - proven,
        tuple(int(b) for b in np.unique(owner[sorted(used | more)])),
        int(rank.sum()),
        int(rank[:first].sum()),
        int(covered.sum()),
    )


def _proofs(
    layers: Sequence[Layer],
    factor: np.ndarray,
    near: np.ndarray,
    distance: np.ndarray,
    threshold: int,
    count: int,
) -> tuple[int, set[int]]:
    """How many of the rows ``near`` complete a small group with whole coefficients, and the rows used."""
    near = near[np.argsort(distance[near], kind="stable")][:_SUSPECTS]
    right = np.zeros((len(factor), len(near)), order="F")
    for column, row in enumerate(near):
        right[:row, column] = factor[row, :row]
    solved = _back(factor, right)
    proven, used = 0, set()
    for column, row in enumerate(near):
        weights = -np.rint(solved[:, column])
        weights[row] = 1.0
        left = np.count_nonzero(_times_rows(layers, weights, count))
        if 0 < left < threshold:
            proven += 1
            used.update(np.flatnonzero(weights).tolist())
    return proven, used


def _back(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    return solve_triangular(factor, right, lower=True, trans="T", check_finite=False) if right.size else right


def _fixed(
    layers: Sequence[Layer], factor: np.ndarray, first: int, threshold: int, count: int
) -> tuple[int, set[int]]:
    """Entities in groups below the threshold that the new cells fix and the old did not; the rows used."""
    size = len(factor)
    atom, sizes = _atoms(layers, count)
    after, before = np.zeros(len(sizes)), np.zeros(len(sizes))
    draw = np.random.default_rng(_SEED)
    vectors = draw.standard_normal((_VECTORS, count))
    seen = np.column_stack([_rows_times(layers, vector, size) for vector in vectors])
    half = solve_triangular(factor, seen, lower=True, check_finite=False)
    whole = _back(factor, half)
    half[first:] = 0.0
    older = _back(factor, half)
    scale = np.sqrt(sizes)
    for number, vector in enumerate(vectors):
        for solved, worst in ((whole, after), (older, before)):
            rest = vector - _times_rows(layers, solved[:, number], count)
            np.maximum(worst, np.abs(np.bincount(atom, rest, len(sizes))) / scale, out=worst)
    fixed = np.flatnonzero((sizes < threshold) & (after < _NOUGHT) & (before >= _NOUGHT))
    if not len(fixed):
        return 0, set()
    one = np.flatnonzero(atom == fixed[0])
    mark = np.zeros(count)
    mark[one] = 1.0
    right = solve_triangular(factor, _rows_times(layers, mark, size), lower=True, check_finite=False)
    weights = _back(factor, right)
    return int(sizes[fixed].sum()), set(np.flatnonzero(np.abs(weights) > 0.05).tolist())
