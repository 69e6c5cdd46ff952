"""Raw rows in the output: whole objects and projections (R-139), renamed, shuffled, retyped, rounded (R-142).

Columns are matched by value, never by name alone. A row overlaps when its tuple over at least three
matched columns, a quasi-identifier among them (Q-04), is carried by fewer raw entities than a class
needs. Numbers that match without a name are believed if the raw column is so
sparse on its grid that chance is excluded, or if the match falls apart when the columns are shifted against
the rows: a mean that happens to be somebody's age survives the shift, a copy does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import norm, numeric, quote
from sandbox.egress.shape import Shape, recognise, tame

_NEAR_ROWS = 2000  # rows compared within a distance; of longer outputs every n-th, the count is scaled up
_SPARSE = 0.02  # share of the grid points between minimum and maximum that raw values occupy


def _same_file(document: Document, path: Path) -> bool:
    if path.stat().st_size != document.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == document.sha256


def _tuples(shape: Shape, matched: dict[str, str], view: str) -> str:
    """SQL of the output's rows as normalised tuples, one column a matched column."""
    kinds = {str(row[0]): str(row[1]) for row in shape.index.engine.rows(f"DESCRIBE {view}")}
    return ", ".join(f"{norm(quote(k), kinds[k])} AS {k}" for k in matched)


def _projection(shape: Shape) -> bool:
    """Whether every column is a raw column and the rows are (most of) the raw rows."""
    index, matched = shape.index, shape.matched
    if set(matched) != set(shape.names) or not matched or shape.frame.height < max(20, index.rows_total // 2):
        return False
    keys = ", ".join(matched)
    ours = f"SELECT {_tuples(shape, matched, shape.view)} FROM {shape.view}"
    theirs = (
        f"SELECT {', '.join(f'{index.value(raw)} AS {k}' for k, raw in matched.items())} FROM {index.view}"
    )
    excess = index.engine.rows(
        f"SELECT sum(greatest(o.n - coalesce(r.n, 0), 0)) "
        f"FROM (SELECT {keys}, count(*) n FROM ({ours}) GROUP BY ALL) o "
        f"LEFT JOIN (SELECT {keys}, count(*) n FROM ({theirs}) GROUP BY ALL) r ON "
        + " AND ".join(f"o.{k} IS NOT DISTINCT FROM r.{k}" for k in matched)
    )[0][0]
    return int(excess or 0) <= shape.frame.height // 100


def _hits(
    shape: Shape, equal: dict[str, str], near: dict[str, tuple[str, float]], view: str, k: float
) -> int:
    """Rows of ``view`` whose tuple is carried by at least one and fewer than ``k`` raw entities.

    ``near`` columns need only lie within a distance of the raw value (rounding).
    """
    index = shape.index
    ours = f"SELECT row_number AS i, {_tuples(shape, equal, view)}"
    ours += "".join(f", CAST({c} AS DOUBLE) AS {c}" for c in near) + f" FROM {view}"
    theirs = ", ".join(f"{index.value(raw)} AS {c}" for c, raw in equal.items())
    theirs += "".join(f", CAST({quote(raw)} AS DOUBLE) AS {c}" for c, (raw, _) in near.items())
    raws = f"SELECT {index.entity_sql} AS entity, {theirs} FROM {index.view}"
    on = [f"o.{c} = r.{c}" for c in equal]
    if not near:
        # Raw tuples are counted first: joining rows of few labels would multiply them.
        rare = f"SELECT {', '.join(equal)} FROM ({raws}) GROUP BY ALL HAVING count(DISTINCT entity) < {k}"
        sql = f"SELECT count(*) FROM ({ours}) o JOIN ({rare}) r ON {' AND '.join(on)}"
        return int(index.engine.rows(sql)[0][0])
    on += [f"r.{c} BETWEEN o.{c} - {distance} AND o.{c} + {distance}" for c, (_, distance) in near.items()]
    step = max(1, shape.frame.height // _NEAR_ROWS)
    return step * int(
        index.engine.rows(
            f"SELECT count(*) FROM (SELECT o.i FROM ({ours} WHERE row_number % {step} = 0) o "
            f"JOIN ({raws}) r ON {' AND '.join(on)} GROUP BY o.i HAVING count(DISTINCT entity) < {k})"
        )[0][0]
    )


def _shifted(shape: Shape, columns: list[str]) -> str:
    """A view of the output with ``columns`` moved against the rows, each by another distance: the control."""
    height = shape.frame.height
    frame = shape.frame.with_columns(
        shape.frame[c].gather([(row - 1 - number) % height for row in range(height)])
        for number, c in enumerate(columns)
    )
    view = f"{shape.view}_shifted"
    shape.index.engine.register(view, frame.with_row_index("row_number"))
    return view


def granularity(values: pl.Series) -> float:
    """The largest power of ten of which all values are multiples; 1 for plain integers."""
    known = values.drop_nulls()
    if not len(known):
        return 0.0
    return next((b for b in (1e4, 1e3, 1e2, 1e1, 1.0, 0.1, 0.01) if _multiples(known, b)), 0.0)


def _multiples(values: pl.Series, base: float) -> bool:
    scaled = values / base
    return bool(((scaled - scaled.round(0)).abs() < 1e-6).all())


def _rounded(shape: Shape) -> dict[str, tuple[str, float]]:
    """Numeric columns that are a raw column rounded: by name, or by values on its rounded grid."""
    index = shape.index
    taken = set(shape.matched.values())
    found: dict[str, tuple[str, float]] = {}
    for k in shape.names:
        if k in shape.matched or k in shape.confirmed or not shape.frame[k].dtype.is_numeric():
            continue
        base = granularity(shape.numbers(k))
        if not base:
            continue
        for raw in index.columns:
            if raw in taken or not numeric(index.kinds[raw]):
                continue
            values = ", ".join(str(v) for v in shape.numbers(k).drop_nulls().unique().head(2000))
            column = f"CAST({quote(raw)} AS DOUBLE)"
            grid = " UNION ".join(
                f"SELECT DISTINCT {how}({column} / {base}) FROM {index.view}" for how in ("round", "floor")
            )
            total, hit = index.engine.rows(
                f"SELECT count(*), count(*) FILTER (WHERE round(v / {base}) IN ({grid})) "
                f"FROM (SELECT unnest([{values}]) AS v)"
            )[0]
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
    base = granularity(shape.numbers(column))
    if not base:
        return True
    x = f"CAST({quote(raw)} AS DOUBLE)"
    span = index.engine.rows(f"SELECT max({x}) - min({x}) FROM {index.view}")[0][0] or 0.0
    return index.cardinality.get(raw, 0) < _SPARSE * (span / base + 1)


def _count(shape: Shape, k: float, minimum: float) -> tuple[int, int]:
    """(overlapping rows, columns compared)."""
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
    if (specific or not shape.aggregate) and enough(sure.values()):
        best = (_hits(shape, sure, {}, shape.view, k), len(sure))
    near = _rounded(shape) if sure else {}
    for equal, close in (({**sure, **bare}, {}), (sure, near), ({**sure, **bare}, near)):
        added = [*(c for c in equal if c in bare), *close]
        if not added or not equal or shape.frame.height < 2:
            continue
        if not enough([*equal.values(), *(raw for raw, _ in close.values())]):
            continue
        hits = _hits(shape, equal, close, shape.view, k)
        if hits > best[0]:
            chance = _hits(shape, equal, close, _shifted(shape, added), k)
            if hits > 3 * chance:
                best = (hits, len(equal) + len(close))
    return best


def _run_table(document: Document, context: Context, table: Table) -> Iterable[Finding]:
    for index in context.indexes:
        shape = recognise(context, document, table, index)
        if _projection(shape):
            yield finding("RAW", document.shown, table.part, {"columns": len(shape.names)}, raw=index.name)
            continue
        count, columns = _count(
            shape, context.number("egress.k_min"), context.number("egress.raw_overlap_columns")
        )
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
)
