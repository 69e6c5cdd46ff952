"""Raw rows in the output: whole objects and projections (R-139), renamed, shuffled, retyped, rounded (R-142).

Columns are matched by value, never by name alone. A row overlaps when its tuple over at least three
matched columns, a quasi-identifier among them, is carried by fewer raw entities than a class
needs. Numbers that match without a name are believed if the raw column is so
sparse on its grid that chance is excluded, or if the match falls apart when the columns are shifted against
the rows: a mean that happens to be somebody's age survives the shift, a copy does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from sandbox.egress.bands import tame
from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.layout import DOWN
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import UNKNOWN, RawIndex, numeric
from sandbox.egress.shape import Shape, recognise

_NEAR_ROWS = 2000  # rows compared within a distance; of longer outputs every n-th, the count is scaled up
_FEW = 3  # hits that are evidence only where they are half the rows
_SPARSE = 0.02  # share of the grid points between minimum and maximum that raw values occupy


def _same_file(document: Document, path: Path) -> bool:
    if path.stat().st_size != document.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == document.sha256


def _projection(shape: Shape) -> bool:
    """Whether every column is a raw column and the rows are (most of) the raw rows."""
    index, matched, height = shape.index, shape.matched, shape.frame.height
    if set(matched) != set(shape.names) or not matched or height < max(20, index.rows_total // 2):
        return False
    ours = pl.DataFrame({k: shape.coded(k, raw) for k, raw in matched.items()})
    if ours.filter(pl.any_horizontal(pl.all() == UNKNOWN)).height > height // 100:
        return False
    theirs = pl.DataFrame({k: index.coded(raw).codes for k, raw in matched.items()})
    keys = list(matched)
    both = (
        ours.group_by(keys)
        .agg(n=pl.len().cast(pl.Int64))
        .join(theirs.group_by(keys).agg(m=pl.len().cast(pl.Int64)), on=keys, how="left")
    )
    excess = both.select((pl.col("n") - pl.col("m").fill_null(0)).clip(0).sum()).item()
    return int(excess) <= height // 100


@dataclass(frozen=True)
class _Rows:
    """Rows of an output to look for: ``equal`` codes and ``near`` (numbers, raw column, distance) of each."""

    equal: dict[str, tuple[np.ndarray, str]]
    near: dict[str, tuple[np.ndarray, str, float]]

    def moved(self, columns: Iterable[str]) -> _Rows:
        """``columns`` moved against the rows, each by another distance: the control."""
        by = {c: number + 1 for number, c in enumerate(columns)}
        equal = {c: (np.roll(v, by.get(c, 0)), raw) for c, (v, raw) in self.equal.items()}
        near = {c: (np.roll(v, by.get(c, 0)), raw, d) for c, (v, raw, d) in self.near.items()}
        return _Rows(equal, near)


def _lists(shape: Shape) -> np.ndarray:
    """The rows that name two values of one raw column of text: a list of groups is nobody's attributes."""
    index = shape.index
    found = np.zeros(shape.frame.height, dtype=bool)
    for raw in (c for c in index.columns if not numeric(index.kinds[c])):
        codes = np.array([shape.coded(k, raw) for k in shape.names])
        largest = codes.max(axis=0)
        found |= ((codes >= 0) & (codes != largest)).any(axis=0)
    return found


def _rows(shape: Shape, equal: dict[str, str], near: dict[str, tuple[str, float]], no: np.ndarray) -> _Rows:
    """``no``: rows that are not looked for."""
    return _Rows(
        {c: (np.where(no, UNKNOWN, shape.coded(c, raw)), raw) for c, raw in equal.items()},
        {c: (shape.frame[c].cast(pl.Float64).to_numpy(), raw, d) for c, (raw, d) in near.items()},
    )


def _hits(index: RawIndex, rows: _Rows, k: float) -> int:
    """Rows whose tuple is carried by at least one and fewer than ``k`` raw entities.

    ``near`` columns need only lie within a distance of the raw value (rounding).
    """
    ours = pl.DataFrame({c: codes for c, (codes, _) in rows.equal.items()})
    ours = ours.with_columns(**{c: pl.Series(v, nan_to_null=True) for c, (v, _, _) in rows.near.items()})
    ours = ours.with_row_index("i").drop_nulls().filter(pl.all_horizontal(pl.col(c) >= 0 for c in rows.equal))
    on = list(rows.equal)
    raws = f"SELECT r.e, {', '.join(f'{index.code(raw)} AS {c}' for c, (_, raw) in rows.equal.items())}"
    if not rows.near:
        index.engine.register("asked_rows", ours.select(on).unique())
        rare = index.engine.frame(
            f"SELECT {', '.join(on)} FROM ({raws} FROM {index.table} r) r SEMI JOIN asked_rows a "
            f"USING ({', '.join(on)}) GROUP BY {', '.join(on)} HAVING {index.entity_count} < {k}"
        )
        return ours.join(rare.cast(dict.fromkeys(on, pl.Int64)), on=on, how="semi").height
    step = max(1, len(next(iter(rows.equal.values()))[0]) // _NEAR_ROWS)
    ours = ours.filter(pl.col("i") % step == 0)
    first, (_, raw, distance) = next(iter(rows.near.items()))
    # Raw values within the distance lie in the same or the next step of its width: joined by equality.
    width = 1.001 * distance
    steps = [pl.lit(offset) + (pl.col(first) / width).floor().cast(pl.Int64) for offset in (-1, 0, 1)]
    ours = ours.with_columns(step=pl.concat_list(steps)).explode("step")
    index.engine.register("asked_rows", ours)
    theirs = "".join(f", {index.number(name)} AS {c}" for c, (_, name, _) in rows.near.items())
    theirs += f", CAST(floor({index.number(raw)} / {width}) AS BIGINT) AS step"
    close = " AND ".join(
        f"r.{c} BETWEEN o.{c} - {limit} AND o.{c} + {limit}" for c, (_, _, limit) in rows.near.items()
    )
    same = " AND ".join(f"o.{c} = r.{c}" for c in [*on, "step"])
    return step * int(
        index.engine.rows(
            f"SELECT count(*) FROM (SELECT o.i FROM asked_rows o "
            f"JOIN ({raws}{theirs} FROM {index.table} r) r ON {same} AND {close} "
            f"GROUP BY o.i HAVING {index.entity_count} < {k})"
        )[0][0]
    )


def granularity(values: pl.Series) -> float:
    """The largest power of ten of which all values are multiples; 1 for plain integers."""
    known = values.drop_nulls()
    if not len(known):
        return 0.0
    return next((b for b in (1e4, 1e3, 1e2, 1e1, 1.0, 0.1, 0.01) if _multiples(known, b)), 0.0)


def _multiples(values: pl.Series, base: float) -> bool:
    scaled = values / base
    return bool(((scaled - scaled.round(0)).abs() < 1e-6).all())


def _half_up(values: np.ndarray) -> np.ndarray:
    """Rounded as databases do: halves away from nought."""
    return np.asarray(np.copysign(np.floor(np.abs(values) + 0.5), values))


def _rounded(shape: Shape) -> dict[str, tuple[str, float]]:
    """Numeric columns that are a raw column rounded: by name, or by values on its rounded grid."""
    index = shape.index
    taken = set(shape.matched.values())
    found: dict[str, tuple[str, float]] = {}
    for k in shape.names:
        if k in shape.matched or k in shape.confirmed or not shape.frame[k].dtype.is_numeric():
            continue
        distinct = shape.values(k).values.cast(pl.Float64)
        base = granularity(distinct)
        if not base:
            continue
        for raw in index.columns:
            if raw in taken or not numeric(index.kinds[raw]):
                continue
            values = distinct.head(2000).to_numpy() / base
            grid = index.numbers(raw) / base
            total, hit = (
                len(values),
                int(np.isin(_half_up(values), np.append(_half_up(grid), np.floor(grid))).sum()),
            )
            if hit >= 0.9 * total and (
                tame(raw) in tame(shape.names[k]) or index.cardinality.get(raw, 0) >= 100
            ):
                found[k] = (raw, base)
                taken.add(raw)
                break
    return found


def _sparse(shape: Shape, column: str, raw: str) -> bool:
    """Whether a number is in the raw column by more than chance: few of the possible values are taken."""
    index = shape.index
    base = granularity(shape.values(column).values.cast(pl.Float64))
    if not base:
        return True
    known = index.numbers(raw)
    span = float(known[-1] - known[0]) if len(known) else 0.0
    return index.cardinality.get(raw, 0) < _SPARSE * (span / base + 1)


def _count(shape: Shape, k: float, minimum: float, down: bool) -> tuple[int, int]:
    """(overlapping rows, columns compared). ``down``: the rows may be columns of anything."""
    index = shape.index
    specific = {
        c
        for c, raw in shape.matched.items()
        if c not in shape.dims
        and shape.frame[c].dtype.is_numeric()
        and numeric(index.kinds[raw])
        and _sparse(shape, c, raw)
    }
    sure = {
        c: raw
        for c, raw in shape.matched.items()
        if c not in shape.confirmed
        and (c in specific or not shape.frame[c].dtype.is_numeric() or tame(shape.names[c]) == tame(raw))
        and not (shape.aggregate and c in shape.counts and c not in specific)
    }
    bare = {c: r for c, r in shape.matched.items() if c not in sure and c not in shape.confirmed}

    def enough(columns: Iterable[str]) -> bool:
        raws = list(columns)
        return len(raws) >= minimum and (not index.quasi or bool(set(raws) & set(index.quasi)))

    best = (0, 0)
    no = (
        _lists(shape) if down and enough(shape.matched.values()) else np.zeros(shape.frame.height, dtype=bool)
    )
    if (specific or not shape.aggregate) and enough(sure.values()):
        best = (_hits(index, _rows(shape, sure, {}, no), k), len(sure))
    near = _rounded(shape) if sure else {}
    for equal, close in (({**sure, **bare}, {}), (sure, near), ({**sure, **bare}, near)):
        added = [*(c for c in equal if c in bare), *close]
        if not added or not equal or shape.frame.height < 2:
            continue
        if not enough([*equal.values(), *(raw for raw, _ in close.values())]):
            continue
        rows = _rows(shape, equal, close, no)
        hits = _hits(index, rows, k)
        if hits > best[0]:
            chance = _hits(index, rows.moved(added), k)
            # One hit in many rows is chance that the control, being chance itself, may miss.
            if hits > 3 * chance and (hits > _FEW or 2 * hits >= shape.frame.height):
                best = (hits, len(equal) + len(close))
    return best


def _run_table(document: Document, context: Context, table: Table) -> Iterable[Finding]:
    for index in context.indexes:
        shape = recognise(context, document, table, index)
        if _projection(shape):
            yield finding("RAW", document.shown, table.part, {"columns": len(shape.names)}, raw=index.name)
            continue
        k, least = context.number("egress.k_min"), context.number("egress.raw_overlap_columns")
        down = table in document.views and table.part.endswith(DOWN)
        count, columns = _count(shape, k, least, down)
        if count > context.number("egress.raw_overlap_rows"):
            evidence = {
                "count": count,
                "columns": columns,
                "threshold": context.number("egress.raw_overlap_rows"),
            }
            yield finding("RAW_OVERLAP", document.shown, table.part, evidence, raw=index.name)


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Hard findings with the number of rows, never their values."""
    for raw in context.raws:
        if document.size and _same_file(document, raw.path):
            yield finding("RAW", document.shown, "", {}, raw=raw.name)
            return
    for table in [*document.tables, *document.views]:
        if table.data.height:
            yield from _run_table(document, context, table)


CHECK = Check(
    ("RAW", "RAW_OVERLAP"),
    "table",
    run,
    ("egress.k_min", "egress.raw_overlap_rows", "egress.raw_overlap_columns", "egress.min_cell"),
    raw=True,
    exact=True,
)
