"""Row-level outputs: k-anonymity and distinct l-diversity over entities, else held for a verdict; with it the
reviewer sees t, alpha and the risks of GB/T 42460."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from sandbox.desensitize.measures import RELEASES, Measures, measure, risk
from sandbox.egress.bands import tame
from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context, Declared
from sandbox.egress.facts import AGGREGATES, RELATIVE, raw_numbers, written
from sandbox.egress.facts_models import fitted
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.layout import DOWN
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
            "risk": _risks(classes["n"].to_numpy()),
        }
        yield finding("K_ANONYMITY", document.shown, table.part, evidence)
        return
    least, most = context.number("egress.l_min"), context.number("egress.t_max")
    spread: dict[str, dict[str, float]] = {}
    for column, found in _measures(shape, quasi).spread.items():
        where = f"column {list(shape.names).index(column) + 1}"
        if found.distinct_l < least:
            evidence = {"l": found.distinct_l, "threshold": least}
            yield finding("L_DIVERSITY", document.shown, f"{table.part} {where}".strip(), evidence)
        spread[where] = {
            "l": found.distinct_l,
            "entropy_l": round(found.entropy_l, 3),
            "alpha": round(found.alpha, 3),
            "t": round(found.t, 3),
            "t_max": most,
        }
    told = {"k": k, "quasi_columns": positions, "sensitive": spread, "risk": _risks(classes["n"].to_numpy())}
    yield finding("ROW_LEVEL", document.shown, table.part, told)


def _measures(shape: Shape, quasi: list[str]) -> Measures:
    """The measures of the sensitive columns that were recognised by value; t of ordered numbers."""
    raw_of = {**shape.matched, **shape.raw_of}
    sensitive = {
        k: shape.frame[k].dtype.is_numeric()
        for k in shape.names
        if raw_of.get(k) in shape.index.sensitive and k not in quasi
    }
    shape.index.engine.register("micro_rows", shape.frame)
    return measure(shape.index.engine.connection, "micro_rows", quasi, sensitive, _entity(shape))


def _risks(sizes: np.ndarray) -> dict[str, dict[str, float]]:
    """Level and risk by GB/T 42460-2023 for each way the data might be shared."""
    found = {release: risk(sizes, release) for release in RELEASES}
    return {
        release: {"level": one.level, "risk": round(one.decisive, 4), "share_above": round(one.over, 4)}
        for release, one in found.items()
    }


def _summary(shape: Shape) -> bool:
    """Whether a table describes whole raw columns, one below each other's statistics: labels that are no raw
    values, and of each column of numbers that is a raw one its own aggregates only. A quartile of ages is an
    age, and nobody's; who is the least or the most is asked elsewhere (``EXTREME``)."""
    index = shape.index
    raw_of = {**shape.matched, **shape.raw_of}
    numbers = [k for k in shape.names if shape.frame[k].dtype.is_numeric()]
    if any(k in raw_of for k in shape.names if k not in numbers):
        return False
    known = raw_numbers(index)
    described = {k: raw_of[k] for k in numbers if k in raw_of}
    if not described or any(raw not in known for raw in described.values()):
        return False
    totals = [float(index.rows_total), float(index.entities_total)]
    for k, raw in described.items():
        selects = ", ".join(f"CAST({sql.format(x=index.number(raw))} AS DOUBLE)" for sql in AGGREGATES)
        row = index.engine.rows(f"SELECT count({index.number(raw)}), {selects} FROM {index.table} r")[0]
        facts = np.array([*totals, *(float(fact) for fact in row if fact is not None)])
        values = shape.numbers(k).drop_nulls().to_numpy()
        # half a unit of what is written, of whole numbers one half: 40 is not any age from 35 to 45
        steps = np.array([min(0.5, written(float(value))[1]) for value in values])
        near = np.abs(values[:, None] - facts) <= (1.001 * steps + RELATIVE * np.abs(values))[:, None]
        if not near.any(axis=1).all():
            return False
    return True


def _of_counts(document: Document, context: Context, view: Table) -> bool:
    """Whether a view is a cross table of counts, turned: its columns are groups and no persons."""
    of = [table for table in document.tables if view.part == f"{table.part} turned".strip()]
    shapes = [recognise(context, document, table, index) for table in of for index in context.indexes]
    return any(shape.aggregate and len(shape.dims) > 1 and shape.confirmed for shape in shapes)


def run(document: Document, context: Context) -> Iterable[Finding]:
    """For each table that is an aggregate of no raw table and carries columns of one."""
    for table in [*document.tables, *document.views]:
        view = table in document.views
        if table.data.height < (_VIEW if view else 2) or (view and table.part.endswith(DOWN)):
            continue
        if any(fitted(context, index, table) for index in context.indexes):
            continue  # coefficients and correlations, fitted again from the raw data
        shapes = [recognise(context, document, table, index) for index in context.indexes]
        if any(shape.aggregate and (shape.dims or shape.confirmed) for shape in shapes):
            continue
        if view and _of_counts(document, context, table):
            continue
        # A name alone makes no link to the raw data: at least one column must match by its values.
        rows = [
            shape
            for shape in shapes
            if shape.raw_of or any(raw in shape.index.quasi for raw in shape.matched.values())
        ]
        if rows and not any(_summary(shape) for shape in rows):
            shape = max(rows, key=lambda s: len(s.matched))
            yield from _table(document, context, table, shape)


CHECK = Check(
    ("K_ANONYMITY", "L_DIVERSITY", "ROW_LEVEL"),
    "table",
    run,
    ("egress.k_min", "egress.l_min", "egress.t_max", "egress.min_cell"),
    raw=True,
    exact=True,
)
