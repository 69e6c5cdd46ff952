"""Row-level outputs: k-anonymity and distinct l-diversity over entities, else held for a verdict."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from sandbox.egress.bands import tame
from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context, Declared
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.messages import finding
from sandbox.egress.shape import Shape, recognise, whole

_VIEW = 10  # rows from which another reading of the cells is taken for rows of persons
_BANDS = ((1, 1), (2, 2), (3, 4), (5, 9), (10, 19), (20, None))


def quasi_columns(shape: Shape, declared: Declared) -> list[str]:
    """Columns that single out: matched by value, by name, or declared as dimensions.

    Without declared quasi-identifiers every matched column counts that is neither sensitive nor an
    identifier and does not differ from row to row.
    """
    index = shape.index
    raw_of = {**shape.matched, **shape.raw_of}
    named = {
        k: raw
        for k, name in shape.names.items()
        for raw in index.quasi
        if tame(raw) in tame(name) and (not shape.frame[k].dtype.is_numeric() or whole(shape.numbers(k)))
    }
    if index.quasi:
        chosen = {k for k, raw in raw_of.items() if raw in index.quasi} | set(named)
    else:
        skip = {*index.sensitive, *index.identifiers, index.entity}
        chosen = {
            k
            for k, raw in raw_of.items()
            if raw not in skip and 2 * shape.frame[k].n_unique() < shape.frame.height
        }
    chosen |= {k for k, name in shape.names.items() if name in declared.dimensions}
    return [k for k in shape.names if k in chosen]


def _entity(shape: Shape) -> str | None:
    """The output column that is the raw entity key, by value."""
    return next((k for k, raw in shape.matched.items() if raw == shape.index.entity), None)


def _classes(shape: Shape, quasi: list[str]) -> pl.DataFrame:
    entity = _entity(shape)
    size = pl.col(entity).n_unique() if entity else pl.len()
    return shape.frame.group_by(quasi).agg(size.cast(pl.Int64).alias("n"), pl.len().alias("rows"))


def _table(document: Document, context: Context, table: Table, shape: Shape) -> Iterable[Finding]:
    quasi = quasi_columns(shape, context.declared.get(document.path, Declared(document.path)))
    if not quasi:
        yield finding("ROW_LEVEL", document.shown, table.part, {"quasi": 0})
        return
    threshold = context.number("egress.k_min")
    classes = _classes(shape, quasi)
    k = int(classes["n"].min())  # type: ignore[arg-type]
    positions = [list(shape.names).index(q) + 1 for q in quasi]
    if k < threshold:
        sizes = {
            f"{low}-{high or ''}": classes.filter(pl.col("n").is_between(low, high or 1 << 60)).height
            for low, high in _BANDS
        }
        small = classes.filter(pl.col("n") < threshold)
        evidence = {
            "k": k,
            "threshold": threshold,
            "classes": classes.height,
            "classes_below": small.height,
            "rows_below": int(small["rows"].sum()),
            "sizes": sizes,
            "quasi_columns": positions,
        }
        yield finding("K_ANONYMITY", document.shown, table.part, evidence)
        return
    least = context.number("egress.l_min")
    sensitive = [c for c, raw in {**shape.matched, **shape.raw_of}.items() if raw in shape.index.sensitive]
    for column in sensitive:
        if column not in quasi:
            distinct = int(shape.frame.group_by(quasi).agg(l=pl.col(column).n_unique())["l"].min())  # type: ignore[arg-type]
            if distinct < least:
                where = f"{table.part} column {list(shape.names).index(column) + 1}".strip()
                yield finding("L_DIVERSITY", document.shown, where, {"l": distinct, "threshold": least})
    yield finding("ROW_LEVEL", document.shown, table.part, {"k": k, "quasi_columns": positions})


def run(document: Document, context: Context) -> Iterable[Finding]:
    """For each table that is an aggregate of no raw table and carries columns of one."""
    for table in [*document.tables, *document.views]:
        if table.data.height < (_VIEW if table in document.views else 2):
            continue
        shapes = [recognise(context, document, table, index) for index in context.indexes]
        if any(shape.aggregate and (shape.dims or shape.confirmed) for shape in shapes):
            continue
        # A name alone makes no link to the raw data: at least one column must match by its values.
        rows = [
            shape
            for shape in shapes
            if shape.raw_of or any(raw in shape.index.quasi for raw in shape.matched.values())
        ]
        if rows:
            shape = max(rows, key=lambda s: len(s.matched))
            yield from _table(document, context, table, shape)


CHECK = Check(
    ("K_ANONYMITY", "L_DIVERSITY", "ROW_LEVEL"),
    "table",
    run,
    ("egress.k_min", "egress.l_min", "egress.min_cell"),
    raw=True,
)
