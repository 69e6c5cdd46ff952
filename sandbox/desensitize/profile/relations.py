"""What columns say together: keys, dependencies, and which combinations single out.

Everything is tried on an even sample of rows and proven, for what is told, on all of them. Uniqueness counts
entities: who has many rows is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from sandbox.desensitize.profile.model import Combination, Dependency
from sandbox.desensitize.profile.table import Column, Table

SAMPLE = 20_000  # rows
_HOLDS = 0.995  # share of rows in which an approximate dependency holds
_TRIED = 10  # fields that combinations are made of, at most
_PROVEN = 4  # combinations that are counted over all rows
_SINGLES_OUT = 0.05  # share of the entities that a telling combination makes unique
_PAIRS = 8  # fields whose pairs are tried as what determines others


@dataclass
class Codes:
    """Each column of the sample as numbers from 0; nulls are a value of their own."""

    columns: dict[str, np.ndarray]
    sizes: dict[str, int]
    rows: int


def codes(table: Table, names: Iterable[str]) -> Codes:
    """Number the values of an even sample of the rows."""
    step = max(1, -(-table.rows // SAMPLE))
    found: dict[str, np.ndarray] = {}
    for column in table.columns:
        if column.name in set(names):
            part = column.values.gather_every(step)
            found[column.name] = part.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    sizes = {name: len(np.unique(values)) for name, values in found.items()}
    return Codes(found, sizes, len(next(iter(found.values()), np.zeros(0))))


def _joined(coded: Codes, names: Sequence[str]) -> np.ndarray:
    total = np.zeros(coded.rows, dtype=np.int64)
    for name in names:
        values = coded.columns[name]
        total = total * (int(values.max(initial=0)) + 1) + values
        if len(names) > 2:  # keep within 64 bits, whatever the sizes
            total = np.unique(total, return_inverse=True)[1].astype(np.int64)
    return total


def single_keys(table: Table) -> list[str]:
    """Columns without null in which every row differs; exact."""
    return [c.name for c in table.columns if c.rows > 1 and not c.nulls and len(c.distinct) == c.rows]


def frame_of(table: Table, names: Sequence[str]) -> pl.DataFrame:
    """The columns ``names`` of all rows."""
    known = {column.name: column.values for column in table.columns}
    return pl.DataFrame([known[name].alias(name) for name in names])


def composite_keys(table: Table, coded: Codes, single: Sequence[str]) -> list[tuple[str, ...]]:
    """Pairs, else triples, of columns that are a key together and not without one of them; at most three."""
    if single or table.rows < 2:
        return []
    full = {column.name for column in table.columns if not column.nulls}
    names = sorted(
        (n for n in coded.columns if coded.sizes[n] > 1 and n in full), key=lambda n: -coded.sizes[n]
    )
    found: list[tuple[str, ...]] = []
    for size in (2, 3):
        for chosen in combinations(names[:_TRIED], size):
            if len(found) == 3:
                return found
            if float(np.prod([coded.sizes[name] for name in chosen])) < coded.rows:
                continue
            if len(np.unique(_joined(coded, chosen))) == coded.rows and _is_key(table, chosen):
                found.append(chosen)
        if found:
            break
    return found


def _is_key(table: Table, names: Sequence[str]) -> bool:
    frame = frame_of(table, names)
    return not bool(frame.is_duplicated().any())


def holds(left: np.ndarray, right: np.ndarray) -> float:
    """Share of rows whose ``right`` is the commonest one of their ``left``; both numbered from 0."""
    pairs, counts = np.unique(left * (int(right.max(initial=0)) + 1) + right, return_counts=True)
    best: np.ndarray = np.zeros(int(left.max(initial=0)) + 1, dtype=np.int64)
    np.maximum.at(best, pairs // (int(right.max(initial=0)) + 1), counts)
    return float(best.sum() / max(1, len(left)))


def dependencies(coded: Codes, skip: Iterable[str]) -> list[Dependency]:
    """Approximate dependencies with one column, or a small pair, that determines; of the sample.

    A column that nearly every row has its own value of determines everything and tells nothing: it is passed
    over. So is what is constant.
    """
    passed = set(skip)
    names = [n for n in coded.columns if n not in passed and 1 < coded.sizes[n] <= 0.5 * coded.rows]
    found: list[Dependency] = []
    known: set[tuple[str, str]] = set()
    for left in names:
        for right in names:
            # What determines has at least as many values; a lucky guess is no dependency.
            if left == right or coded.sizes[left] < coded.sizes[right]:
                continue
            part = holds(coded.columns[left], coded.columns[right])
            if part >= _HOLDS and part > _base(coded.columns[right]) + 0.1:
                found.append(Dependency(columns=(left,), determines=right, holds=round(part, 4)))
                known.add((left, right))
    small = sorted(names, key=lambda n: coded.sizes[n])[:_PAIRS]
    for pair in combinations(small, 2):
        if coded.sizes[pair[0]] * coded.sizes[pair[1]] > 0.2 * coded.rows:
            continue
        left_codes = np.unique(_joined(coded, pair), return_inverse=True)[1].astype(np.int64)
        for right in names:
            if right in pair or any((one, right) in known for one in pair):
                continue
            part = holds(left_codes, coded.columns[right])
            if part >= _HOLDS and part > _base(coded.columns[right]) + 0.1:
                found.append(Dependency(columns=pair, determines=right, holds=round(part, 4)))
    return found


def _base(values: np.ndarray) -> float:
    """Share of the commonest value: what guessing reaches."""
    return float(np.bincount(values).max(initial=0) / max(1, len(values)))


def _alone(coded: Codes, names: Sequence[str], entity: np.ndarray | None) -> float:
    """Share of the sampled entities (rows, without an entity) that are alone with their values."""
    joined = _joined(coded, names)
    if entity is None:
        _, counts = np.unique(joined, return_counts=True)
        return float((counts == 1).sum() / max(1, coded.rows))
    dense = np.unique(joined, return_inverse=True)[1].astype(np.int64)
    pairs = np.unique(dense * (int(entity.max(initial=0)) + 1) + entity)
    classes = pairs // (int(entity.max(initial=0)) + 1)
    values, counts = np.unique(classes, return_counts=True)
    owners = pairs % (int(entity.max(initial=0)) + 1)
    lonely = owners[np.isin(classes, values[counts == 1])]
    return float(len(np.unique(lonely)) / max(1, len(np.unique(entity))))


def singling_out(
    table: Table, coded: Codes, columns: Sequence[Column], entity: str | None
) -> list[Combination]:
    """Columns, pairs and triples of them that make entities unique, the most telling first; none that tells
    little more than a part of it.

    ``columns``: the likeliest first, of which the first are tried, and every pair and triple of them; what is
    told is counted over all rows.
    """
    names = [column.name for column in columns[:_TRIED]]
    owners = coded.columns.get(entity) if entity else None
    tried: list[tuple[float, tuple[str, ...]]] = []
    for size in (1, 2, 3):
        for chosen in combinations(names, size):
            part = _alone(coded, chosen, owners)
            smaller = [share for share, one in tried if set(one) < set(chosen)]
            known = max(smaller, default=0.0)
            if part >= _SINGLES_OUT and (part > 1.25 * known or 1 - part < 0.7 * (1 - known)):
                tried.append((part, chosen))
    best = sorted(tried, key=lambda one: (-one[0], len(one[1])))[:_PROVEN]
    proven = [counted(table, names, entity) for _, names in best]
    return sorted(
        (one for one in proven if one.share >= _SINGLES_OUT or one.unique >= 100),
        key=lambda one: (-one.unique, len(one.columns)),
    )


def counted(table: Table, names: Sequence[str], entity: str | None) -> Combination:
    """How many entities are alone with their values of ``names``, over all rows."""
    if entity is None or entity in names:
        sizes = frame_of(table, names).group_by(list(names)).agg(pl.len().alias("_n"))
        unique, total = int((sizes["_n"] == 1).sum()), table.rows
    else:
        frame = frame_of(table, [*names, entity]).drop_nulls(entity).unique()
        sizes = frame.group_by(list(names)).agg(pl.len().alias("_n"), pl.col(entity).first().alias("_e"))
        unique = int(sizes.filter(pl.col("_n") == 1)["_e"].n_unique())
        total = int(frame[entity].n_unique())
    return Combination(columns=tuple(names), entities=total, unique=unique)
