"""Suppressed cells that the published numbers of the whole request give away (R-143).

The tables of a request that count the same raw table are one system: its unknowns are the cells of all their
dimensions together, every published row is the sum of some of them. A suppressed cell is given away when it
is fixed by the sums; one below the threshold also when it can be enclosed in an interval narrower than the
threshold, for then its neighbours tell nearly as much as itself. A small cell that was left out instead of
blanked is suppressed no less.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.cells import suppressed
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document, Table
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import UNKNOWN, RawIndex
from sandbox.egress.recovery import TooLarge, recover
from sandbox.egress.shape import Shape, counting

_MOST_CELLS = 20_000  # of all dimensions together
_ELSEWHERE = -3  # in a dimension that the blanked cell's table does not have
_MOST_ROWS = 3_000  # published sums of one system


@dataclass(frozen=True, eq=False)
class Part:
    """A table that counts: ``hidden`` its blank rows."""

    table: Table
    shape: Shape
    hidden: np.ndarray


@dataclass(frozen=True)
class Told:
    """Of one table: suppressed cells fixed, or enclosed too narrowly; ``proved`` False: too large to tell.

    ``rows``: which rows of the shape those are; -1 for a cell that was left out.
    """

    fixed: int = 0
    narrow: int = 0
    proved: bool = True
    rows: tuple[int, ...] = ()


def parts_of(context: Context) -> list[Part]:
    """Every table of the request that counts cells of a raw table."""
    found = []
    for document in context.exact:
        for table in document.tables:
            for shape in counting(context, document, table) if table.data.height else ():
                if shape.dims:
                    found.append(Part(table, shape, suppressed(shape).to_numpy()))
    return found


def margin_rows(part: Part) -> np.ndarray:
    """Rows that stand for several cells."""
    rows = np.column_stack([part.shape.wild(k).to_numpy() for k in part.shape.dims])
    return np.asarray(rows.any(axis=1))


def _cells(index: RawIndex, dims: list[str]) -> pl.DataFrame | None:
    """The cells of ``dims`` (SQL) that hold anybody, with ``n``; None when there are too many."""
    named = ", ".join(f"{sql} AS d{i}" for i, sql in enumerate(dims))
    by = ", ".join(f"d{i}" for i in range(len(dims)))
    found = index.engine.frame(
        f"SELECT {by}, {index.entity_count} AS n FROM (SELECT r.*, {named} FROM {index.table} r) r "
        f"GROUP BY {by} ORDER BY {by} LIMIT {_MOST_CELLS + 1}"
    )
    return None if found.height > _MOST_CELLS else found.cast(pl.Int64)


def _members(part: Part, dims: list[str], cells: pl.DataFrame) -> np.ndarray:
    """Rows of the table × cells: which cells a row is the sum of."""
    inside = np.ones((part.shape.frame.height, cells.height), dtype=bool)
    for k, sql in part.shape.dims.items():
        values = cells[f"d{dims.index(sql)}"].to_numpy()
        all_of = np.ones(len(values), dtype=bool)
        if k in part.shape.within:
            all_of = np.isin(values, part.shape.codes[k][part.shape.codes[k] >= 0])
        inside &= (part.shape.codes[k][:, None] == values) | (part.shape.wild(k).to_numpy()[:, None] & all_of)
    return inside


def _with_blanks(parts: list[Part], dims: list[str], cells: pl.DataFrame) -> pl.DataFrame:
    """The cells, and those that nobody is in but that a table blanks: nobody outside knows that."""
    more = []
    for part in parts:
        empty = part.hidden & (part.shape.n == 0).to_numpy()
        for row in np.flatnonzero(empty):
            place = {
                f"d{dims.index(sql)}": int(part.shape.codes[k][row]) for k, sql in part.shape.dims.items()
            }
            wild = any(part.shape.wild(k)[int(row)] for k in part.shape.dims)
            if not wild and UNKNOWN not in place.values():
                more.append({**{f"d{i}": _ELSEWHERE for i in range(len(dims))}, **place, "n": 0})
    return pl.concat([cells, pl.DataFrame(more, schema=cells.schema)]) if more else cells


def _left_out(
    part: Part, dims: list[str], cells: pl.DataFrame, members: np.ndarray, covered: np.ndarray, least: float
) -> np.ndarray:
    """Small cells of the table's own dimensions that stand in no row of it: left out × cells.

    Only those of which every cell is part of some published sum: of the others nothing is known.
    """
    own = [f"d{dims.index(sql)}" for sql in dict.fromkeys(part.shape.dims.values())]
    free = margin_rows(part)
    group = cells.select(pl.struct(own).rank("dense").alias("g"))["g"].to_numpy().astype(np.int64)
    unseen = np.bincount(group, weights=~covered) == 0
    absent = np.bincount(group, weights=members[~free].any(axis=0)) == 0
    total = np.bincount(group, weights=cells["n"].to_numpy())
    chosen = np.flatnonzero(unseen & absent & (total > 0) & (total < least))
    if len(chosen) * cells.height > _MOST_CELLS * _MOST_ROWS:
        raise TooLarge
    return np.asarray(group[None, :] == chosen[:, None])


def solve(parts: list[Part], context: Context) -> dict[int, Told]:
    """What the tables together tell of each; by identity of the table."""
    index = parts[0].shape.index
    threshold = context.min_cell(index.name)
    dims = list(dict.fromkeys(sql for part in parts for sql in part.shape.dims.values()))
    cells = _cells(index, dims)
    rows = sum(part.shape.frame.height for part in parts)
    if cells is None or rows > _MOST_ROWS or rows * cells.height > _MOST_CELLS * _MOST_ROWS:
        # One table without blanks and margins tells of nothing but its cells, however many they are.
        plain = len(parts) == 1 and not parts[0].hidden.any() and not margin_rows(parts[0]).any()
        return {id(part.table): Told(proved=plain) for part in parts}
    cells = _with_blanks(parts, dims, cells)
    counts = cells["n"].to_numpy()
    members = [_members(part, dims, cells) for part in parts]
    # Where persons stand in several cells a row is no sum.
    adds = [rows @ counts == part.shape.n.to_numpy() for part, rows in zip(parts, members, strict=True)]
    shown = [rows[~part.hidden & ok] for part, rows, ok in zip(parts, members, adds, strict=True)]
    sums = np.vstack(shown)
    told = {id(part.table): Told() for part in parts}
    targets, owners, blank, row_of = [], [], [], []
    try:
        for part, inside, ok in zip(parts, members, adds, strict=True):
            asked = [inside[part.hidden & ok]]
            if part.shape.counts:
                asked.append(_left_out(part, dims, cells, inside, np.asarray(sums.any(axis=0)), threshold))
            targets += asked
            owners += [id(part.table)] * sum(len(some) for some in asked)
            blank += [number == 0 for number, some in enumerate(asked) for _ in some]
            row_of += [int(row) for row in np.flatnonzero(part.hidden & ok)]
            row_of += [-1] * sum(len(some) for some in asked[1:])
        if not owners:
            return told
        wanted = np.vstack(targets)
        true = wanted @ counts
        small = (true > 0) & (true < threshold)
        found = recover(sums, wanted, counts, small, threshold)
    except TooLarge:
        return {owner: Told(proved=False) for owner in told}
    known = wanted.any(axis=1)
    fixed = known & found.fixed & (small | np.array(blank))
    narrow = small & ~found.fixed & (found.high - found.low < threshold)
    place = np.array(owners)
    told_of = np.array(row_of)
    return {
        owner: Told(
            int(fixed[place == owner].sum()),
            int(narrow[place == owner].sum()),
            rows=tuple(int(row) for row in told_of[(place == owner) & (fixed | narrow)]),
        )
        for owner in told
    }


def _told(context: Context) -> dict[int, Told]:
    """What the request tells, by identity of the table; computed once. Tables that are too large together are
    looked at each alone too, and what is not found so is not proved."""
    if "told" not in context.memo:
        by_raw: dict[str, list[Part]] = {}
        for part in parts_of(context):
            by_raw.setdefault(part.shape.index.view, []).append(part)
        told: dict[int, Told] = {}
        for parts in by_raw.values():
            together = solve(parts, context)
            if len(parts) > 1 and not all(one.proved for one in together.values()):
                for part in parts:
                    alone = solve([part], context)[id(part.table)]
                    together[id(part.table)] = replace(alone, proved=False)
            told |= together
        context.memo["told"] = told
    found: dict[int, Told] = context.memo["told"]
    return found


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Hard with the number of cells; held when the system is too large to tell."""
    told = _told(context)
    for table in document.tables:
        one = told.get(id(table), Told())
        evidence: dict[str, Any] = {"count": one.fixed + one.narrow, "fixed": one.fixed, "narrow": one.narrow}
        if one.fixed or one.narrow:
            yield finding("RECOVERABLE", document.shown, table.part, evidence)
        elif not one.proved:
            evidence = {"count": 0, "basis": "too large"}
            yield finding("RECOVERABLE", document.shown, table.part, evidence, Severity.HOLD)


CHECK = Check(
    ("RECOVERABLE",), "table", run, ("egress.min_cell", "egress.min_cell_sensitive"), raw=True, exact=True
)
