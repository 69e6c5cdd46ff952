"""Cells of tables on entities: thresholds, zeros, unconfirmed counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context, Declared
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document, Table
from sandbox.egress.messages import finding
from sandbox.egress.shape import COUNT_NAME, Shape, as_numbers, best, recount, whole


def _rows(mask: pl.Series) -> list[int]:
    return [int(row) + 1 for row in mask.fill_null(False).arg_true().head(10)]


def suppressed(shape: Shape) -> pl.Series:
    """Rows whose every count and measure is blank or no number."""
    shown = [*shape.counts, *shape.measures]
    shown += [k for k in shape.names if k not in shape.dims and k not in shown and k not in shape.others]
    if not shown:
        return pl.Series([False] * shape.frame.height, dtype=pl.Boolean)
    blank = [shape.numbers(k).is_null() for k in shown]
    result = blank[0]
    for column in blank[1:]:
        result = result & column
    return result


def _stated(
    table: Table, declared: Declared, shape: Shape | None, name: str, threshold: float
) -> Severity | None:
    """How grave a stated count below the threshold is: certain counts are hard, guessed ones held."""
    if name in declared.counts:
        return Severity.HARD
    if shape is not None:
        key = next((k for k, n in shape.names.items() if n == name), "")
        if key in shape.confirmed:
            return Severity.HARD
        if key in shape.dims:
            return None
    if COUNT_NAME.fullmatch(name) and name not in declared.measures:
        known = as_numbers(table.data[name]).drop_nulls()
        return Severity.HOLD if len(known) and bool((known == known.round(0)).all()) else None
    return None


def _concentrated(shape: Shape) -> pl.Series:
    """Rows with a sensitive value that hold all entities of their group of whom the raw data has a value,
    whatever other rows the table has. Where others are only left out for being few, none can be sure."""
    result = pl.Series([False] * shape.frame.height, dtype=pl.Boolean)
    for k, raw in shape.raw_of.items():
        rest = [other for other in shape.dims if other != k]
        if raw not in shape.index.sensitive:
            continue
        inside = ~shape.wild(k)
        everyone = replace(shape, dims={other: shape.dims[other] for other in rest})
        known = f"{shape.index.entity_count} FILTER (WHERE {shape.index.code(raw)} >= 0)"
        group = recount(everyone, known).cast(pl.Int64)
        result = result | ((shape.n == group) & inside & (shape.n > 0))
    return result


def _alike(shape: Shape, column: str) -> pl.Series:
    """Rows of a column that counts a value of a sensitive raw column, by name, which all of the cell have."""
    nowhere = pl.Series([False] * shape.frame.height, dtype=pl.Boolean)
    for raw in shape.index.sensitive:
        code = int(shape.index.coded(raw).lexicon.find(pl.Series([shape.names[column].strip()]))[0])
        if code >= 0:
            only = f"{shape.index.entity_count} FILTER (WHERE {shape.index.code(raw)} = {code})"
            having = recount(shape, only, 0).cast(pl.Int64)
            stated = (shape.numbers(column) - having).abs() < 1
            nowhere = nowhere | ((having == shape.n) & (shape.n > 0) & stated.fill_null(False))
    return nowhere


def _from_raw(document: Document, context: Context, table: Table, shape: Shape) -> Iterable[Finding]:
    threshold = context.min_cell(shape.index.name)
    hidden = suppressed(shape)
    small = (shape.n > 0) & (shape.n < threshold) & ~hidden
    if bool(small.any()):
        evidence = {
            "count": int(small.sum()),
            "threshold": threshold,
            "rows": _rows(small),
            "basis": "recount",
        }
        yield finding("SMALL_CELL", document.shown, table.part, evidence)
    zero = ((shape.n == 0) & ~hidden) | _concentrated(shape)
    for k in [*shape.counts, *shape.measures]:
        zero = zero | _alike(shape, k)
    if bool(zero.any()):
        evidence = {"count": int(zero.sum()), "rows": _rows(zero)}
        yield finding("ZERO_CELL", document.shown, table.part, evidence)
    for k in shape.measures:
        # A cross table or a tree gives its numbers no name: small whole ones may be counts of a part.
        values = shape.numbers(k)
        few = (values > 0) & (values < threshold)
        if shape.names[k] == "value" and whole(values) and bool(few.any()):
            evidence = {
                "count": int(few.sum()),
                "threshold": threshold,
                "rows": _rows(few),
                "basis": "unnamed",
            }
            yield finding("SMALL_CELL", document.shown, table.part, evidence, Severity.HOLD)
    for k in [] if shape.divided else shape.counts:
        stated = shape.numbers(k)
        whole_elsewhere = any(_exact(shape, other) for other in shape.counts if other != k)
        if ((k not in shape.confirmed and shape.confirmed) or whole_elsewhere) and _part(stated, shape.n):
            yield from _rest(document, context, table, shape, k, threshold)
            continue
        base = next((b for b in (10, 5) if len(stated) > 2 and bool((stated.drop_nulls() % b == 0).all())), 1)
        off = (stated - shape.n.cast(pl.Float64)).abs() >= max(base, 0.5)
        if bool(off.any()):
            by_rows = bool(((stated - shape.rows_n.cast(pl.Float64)).abs() < max(base, 0.5)).all())
            evidence = {
                "count": int(off.sum()),
                "rows": _rows(off),
                "counted": "rows" if by_rows else "unknown",
            }
            yield finding("COUNT_MISMATCH", document.shown, table.part, evidence)


def _exact(shape: Shape, column: str) -> bool:
    """Whether a count column is the recount in every row."""
    return bool((shape.numbers(column) == shape.n.cast(pl.Float64)).fill_null(False).all())


def _part(stated: pl.Series, whole: pl.Series) -> bool:
    """Whether a count is of a part of each cell: never more than the whole, and not always all of it."""
    gap = whole.cast(pl.Float64) - stated
    return bool((gap >= 0).all()) and bool((gap > 0).any())


def _rest(
    document: Document, context: Context, table: Table, shape: Shape, column: str, threshold: float
) -> Iterable[Finding]:
    """A count of a part tells of the rest too: fewer than the threshold without the property, or none."""
    gap = shape.n.cast(pl.Float64) - shape.numbers(column)
    few, none = (gap > 0) & (gap < threshold), gap == 0
    where = f"{table.part} {context.column(list(shape.names).index(column), shape.names[column])}".strip()
    if bool(few.any()):
        evidence = {
            "count": int(few.sum()),
            "threshold": threshold,
            "rows": _rows(few),
            "basis": "complement",
        }
        yield finding("SMALL_CELL", document.shown, where, evidence)
    if bool(none.any()):
        yield finding("ZERO_CELL", document.shown, where, {"count": int(none.sum()), "rows": _rows(none)})


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Recount where the dimensions are raw columns; where they are not, read the stated counts."""
    declared = context.declared.get(document.path, Declared(document.path))
    for table in document.tables:
        if not table.data.height:
            continue
        shape = best(context, document, table) if context.raws else None
        if shape is not None and shape.aggregate:
            yield from _from_raw(document, context, table, shape)
        threshold = context.min_cell(shape.index.name if shape else "")
        if shape is not None and len(shape.names) != len(table.columns):
            continue  # a cross table: its cells were recounted above
        for number, name in enumerate(table.columns):
            severity = _stated(table, declared, shape, name, threshold)
            if severity is None:
                continue
            values = as_numbers(table.data[name])
            small = (values > 0) & (values < threshold)
            if bool(small.any()):
                evidence = {
                    "count": int(small.sum()),
                    "threshold": threshold,
                    "rows": _rows(small),
                    "basis": "stated",
                }
                where = f"{table.part} {context.column(number, name)}".strip()
                yield finding("SMALL_CELL", document.shown, where, evidence, severity)


CHECK = Check(
    ("SMALL_CELL", "ZERO_CELL", "COUNT_MISMATCH"),
    "table",
    run,
    ("egress.min_cell", "egress.min_cell_sensitive"),
    exact=True,
)
