"""Any linear combination of all cells: who is determined by the releases together, and how loaded they are.

A cell is a 0/1 row over the entities; what can be computed from the cells is the space their rows span. With
the factor of A·Aᵀ (``system``), the older rows first:

- the squared distance of a row from what all rows before it span: a remainder of ±1 on a group has the size
  of the group as its squared length, so a distance of the threshold or more *proves* that the row completes
  no such group, whatever is added and subtracted. A shorter one is a suspicion, which the least-squares
  coefficients, rounded to whole numbers, turn into a proof where they leave a small group.
- a random vector, projected onto what the rows do not see, is nought at exactly those entities (or
  indistinguishable groups) whose value the releases determine (their leverage is 1).
- the rank, over the entities, is the reconstruction rate: independent statistics an entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sandbox.egress.ledger.books import Book
from sandbox.egress.ledger.system import DEPENDENT, Layer, System, rows_times, times_rows

MOST_CELLS = 14_000  # one matrix of doubles: 1.5 GiB
_VECTORS = 5
_NOUGHT = 0.02  # of a projected unit normal vector: chance makes one of 10^8 entities look determined
_SUSPECTS = 24  # rows whose coefficients are rounded
_SEED = 20


@dataclass(frozen=True)
class Spanned:
    """What all cells give together. ``proven``: groups below the threshold that a combination gives,
    ``determined``: entities in groups below it whose sum is fixed, and was not by the old cells alone;
    ``suspects``: rows too near to the others to be proven safe. ``books``: numbers of the books used in them.
    ``rank`` of all, ``rank_before`` of the old cells."""

    proven: int
    determined: int
    suspects: int
    books: tuple[int, ...]
    rank: int
    rank_before: int


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
            here = np.flatnonzero(np.bincount(codes + 1, minlength=len(fresh) + 1)[1:])
            here = here[fresh[here]]
            if len(here):
                order = np.full(len(fresh) + 1, -1, dtype=np.int32)  # the last stands for -1
                order[here] = np.arange(len(here))
                found.append(Layer(order[codes], start, len(here), number))
                start += len(here)
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
        return Spanned(0, 0, 0, (), first, first)
    system = System(layers, first)
    distance = system.distance
    near = np.flatnonzero((distance[first:] > DEPENDENT) & (distance[first:] < threshold)) + first
    proven, used = _proofs(system, near, threshold, count)
    fixed, more = _fixed(system, threshold, count)
    rank = distance > DEPENDENT
    owner = np.concatenate([np.full(one.count, one.book) for one in layers])
    return Spanned(
        proven,
        fixed,
        len(near) - proven,
        tuple(int(b) for b in np.unique(owner[sorted(used | more)])),
        int(rank.sum()),
        int(rank[:first].sum()),
    )


def _proofs(system: System, near: np.ndarray, threshold: int, count: int) -> tuple[int, set[int]]:
    """How many of the rows ``near`` complete a small group with whole coefficients, and the rows used."""
    near = near[np.argsort(system.distance[near], kind="stable")][:_SUSPECTS]
    proven, used = 0, set()
    for row, solved in zip(near, system.nearest(near).T, strict=True):
        weights = -np.rint(solved)
        weights[row] = 1.0
        left = np.count_nonzero(times_rows(system.layers, weights, count))
        if 0 < left < threshold:
            proven += 1
            used.update(np.flatnonzero(weights).tolist())
    return proven, used


def _fixed(system: System, threshold: int, count: int) -> tuple[int, set[int]]:
    """Entities in groups below the threshold that the new cells fix and the old did not; the rows used."""
    layers = system.layers
    atom, sizes = _atoms(layers, count)
    after, before = np.zeros(len(sizes)), np.zeros(len(sizes))
    vectors = np.random.default_rng(_SEED).standard_normal((_VECTORS, count))
    seen = np.column_stack([rows_times(layers, vector, system.size) for vector in vectors])
    whole, older = system.solve(seen), system.solve(seen, older=True)
    scale = np.sqrt(sizes)
    for number, vector in enumerate(vectors):
        for solved, worst in ((whole, after), (older, before)):
            rest = vector - times_rows(layers, solved[:, number], count)
            np.maximum(worst, np.abs(np.bincount(atom, rest, len(sizes))) / scale, out=worst)
    fixed = np.flatnonzero((sizes < threshold) & (after < _NOUGHT) & (before >= _NOUGHT))
    if not len(fixed):
        return 0, set()
    mark = (atom == fixed[0]).astype(np.float64)
    weights = system.solve(rows_times(layers, mark, system.size)[:, None])[:, 0]
    return int(sizes[fixed].sum()), set(np.flatnonzero(np.abs(weights) > 0.05).tolist())
