"""A table as classes and cells: what every node of a lattice and every cut of Mondrian is judged by.

A *class* is a set of rows with the same quasi-identifiers. A *cell* is a class and a sensitive value of it
with the entities that have it. Where entities have several rows a class counts distinct entities, and its
distribution is that of its distinct (entity, value) pairs, as ``sandbox.desensitize.measures`` counts; then
the cells are kept pair by pair, as distinct entities of a union are no sum.

From the classes of a node those of any node above it are made without looking at the rows again
(roll-up, LeFevre et al. 2005).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sandbox.desensitize.search.hierarchy import Hierarchy, Ints

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]
_DENSE = 1 << 16  # keys up to this, or four for each thing counted, are counted without sorting
_WIDE = 1 << 62


@dataclass(frozen=True)
class Sensitive:
    """A sensitive column: ``codes`` of the rows, numbers below ``values`` in the order of the ordered
    distance. ``tree``: for the hierarchical distance; its leaves are the values."""

    codes: Ints
    values: int
    tree: Hierarchy | None = None


@dataclass(frozen=True)
class Table:
    """The coded table: for each quasi-identifier the leaf of every row in its hierarchy.

    ``entity``: number of the entity of each row, None where each row is one. ``sample``: rows of the research
    subset that is to be published out of this population (k-map, delta-presence), None for all.
    """

    names: tuple[str, ...]
    leaves: tuple[Ints, ...]
    hierarchies: tuple[Hierarchy, ...]
    sensitive: Mapping[str, Sensitive] = field(default_factory=dict)
    entity: Ints | None = None
    sample: Bools | None = None

    @property
    def rows(self) -> int:
        """All rows, those outside of the sample included."""
        return len(self.leaves[0])

    @property
    def published(self) -> int:
        """Rows that are to be published."""
        return self.rows if self.sample is None else int(self.sample.sum())

    @cached_property
    def several(self) -> bool:
        """Whether an entity has more than one row."""
        return self.entity is not None and len(np.unique(self.entity)) < len(self.entity)

    @property
    def heights(self) -> tuple[int, ...]:
        """The highest level of each quasi-identifier."""
        return tuple(h.height for h in self.hierarchies)


@dataclass(frozen=True)
class Cells:
    """Sensitive values by class, classes rising and values rising within them. ``entity`` is there where
    entities have several rows: then there is one line for each pair and ``count`` is 1."""

    owner: Longs
    value: Longs
    count: Longs
    entity: Longs | None = None


class Later(Mapping[str, Cells]):
    """Cells by sensitive column, each made when it is asked for: most nodes fail by their sizes alone."""

    def __init__(self, names: Iterable[str], make: Callable[[str], Cells]) -> None:
        self._names, self._make = tuple(names), make
        self._made: dict[str, Cells] = {}

    def __getitem__(self, name: str) -> Cells:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class Classes:
    """The classes of one node. ``leaves``: those of a row of each class. ``rows``: published rows;
    ``everyone``: rows of the population; ``sizes``: published distinct entities."""

    leaves: tuple[Ints, ...]
    rows: Longs
    everyone: Longs
    sizes: Longs
    cells: Mapping[str, Cells]
    pairs: tuple[Longs, Longs] | None  # (class, entity), distinct, where entities have several rows

    def __len__(self) -> int:
        return len(self.rows)


def dense(key: Longs, span: int) -> tuple[Longs, int]:
    """(``key`` with its distinct numbers as 0, 1, 2, … in the same order, how many there are)."""
    if span <= max(_DENSE, 4 * len(key)):
        present = np.zeros(span, dtype=np.bool_)
        present[key] = True
        number = np.cumsum(present, dtype=np.int32)
        return (number - 1)[key].astype(np.int64), int(number[-1]) if span else 0
    distinct, place = np.unique(key, return_inverse=True)
    return place.reshape(-1).astype(np.int64), len(distinct)


def joined(columns: Sequence[tuple[NDArray[np.integer], int]], rows: int) -> tuple[Longs, int]:
    """(one dense number for each combination of the columns' numbers, how many there are). ``columns``:
    numbers of each row and what they are below."""
    key, span = np.zeros(rows, dtype=np.int64), 1
    for numbers, below in columns:
        if span * below >= _WIDE:
            key, span = dense(key, span)
        key, span = key * below + numbers, span * below
    return dense(key, span)


def counted(owner: Longs, owners: int, value: NDArray[np.integer], values: int, count: Longs) -> Cells:
    """Cells: ``count`` summed over equal (owner, value)."""
    key, span = owner * values + value, owners * values
    if span <= max(_DENSE, 4 * len(key)):
        total = np.bincount(key, weights=count, minlength=span)
        found = np.flatnonzero(total)
        return Cells(found // values, found % values, total[found].astype(np.int64))
    order = np.argsort(key)
    key = key[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    return Cells(key[starts] // values, key[starts] % values, np.add.reduceat(count[order], starts))


def _distinct(
    owner: Longs, owners: int, value: NDArray[np.integer], values: int, entity: Longs, below: int
) -> Cells:
    """Cells of distinct (owner, value, entity)."""
    pair, _ = joined([(owner, owners), (value, values)], len(owner))
    found, first = np.unique(pair * below + entity, return_index=True)
    return Cells(
        owner[first], value[first].astype(np.int64), np.ones(len(found), dtype=np.int64), found % below
    )


def base(table: Table) -> Classes:
    """The classes of the bottom node: rows as they are."""
    key, number = joined(
        [(c, h.leaves) for c, h in zip(table.leaves, table.hierarchies, strict=True)], table.rows
    )
    first = np.zeros(number, dtype=np.int64)
    first[key[::-1]] = np.arange(table.rows - 1, -1, -1)
    inside = np.ones(table.rows, dtype=np.bool_) if table.sample is None else table.sample
    published = key[inside]
    rows = np.bincount(published, minlength=number)
    sizes, pairs, cells = rows, None, {}
    people = None if table.entity is None else table.entity[inside].astype(np.int64)
    if table.several and people is not None:
        held = np.unique(published * (int(people.max(initial=0)) + 1) + people)
        below = int(people.max(initial=0)) + 1
        pairs = (held // below, held % below)
        sizes = np.bincount(pairs[0], minlength=number)
    for name, column in table.sensitive.items():
        value = column.codes[inside]
        if pairs is not None and people is not None:
            cells[name] = _distinct(published, number, value, column.values, people, int(people.max()) + 1)
        else:
            cells[name] = counted(published, number, value, column.values, np.ones(len(value), np.int64))
    leaves = tuple(column[first] for column in table.leaves)
    return Classes(leaves, rows, np.bincount(key, minlength=number), sizes, cells, pairs)


def roll_up(table: Table, below: Classes, node: Sequence[int]) -> tuple[Classes, Longs]:
    """(the classes of ``node``, the class there of each class of ``below``, a node under it)."""
    columns = [
        (h.levels[level][leaf], len(h.labels[level]))
        for leaf, h, level in zip(below.leaves, table.hierarchies, node, strict=True)
        if level < h.height
    ]
    into, number = joined(columns, len(below))
    first = np.zeros(number, dtype=np.int64)
    first[into[::-1]] = np.arange(len(below) - 1, -1, -1)
    rows = np.bincount(into, weights=below.rows, minlength=number).astype(np.int64)
    everyone = rows
    if table.sample is not None:
        everyone = np.bincount(into, weights=below.everyone, minlength=number).astype(np.int64)
    sizes, pairs = rows, None
    if below.pairs is not None:
        owner, entity = below.pairs
        most = int(entity.max(initial=0)) + 1
        held = np.unique(into[owner] * most + entity)
        pairs = (held // most, held % most)
        sizes = np.bincount(pairs[0], minlength=number)

    def cells_of(name: str) -> Cells:
        some, values = below.cells[name], table.sensitive[name].values
        if some.entity is not None:
            most = int(some.entity.max(initial=0)) + 1
            return _distinct(into[some.owner], number, some.value, values, some.entity, most)
        return counted(into[some.owner], number, some.value, values, some.count)

    leaves = tuple(column[first] for column in below.leaves)
    return Classes(leaves, rows, everyone, sizes, Later(below.cells, cells_of), pairs), into
