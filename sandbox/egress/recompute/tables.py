"""Recomputation: the numbers that leave are the checker's own wherever it can work them out itself.

A SQL job's statements are recognised (``plan``) and run anew as queries of ours
(``run``). Where the job's table says the same, the table is replaced by the recomputed one before
any check looks: same cells, our numbers, rounded alike, nothing of the job's spelling, order or digits. So
an untrusted job has no room in it. Where it says something else, that is a finding; where nothing is
recognised, the table goes the way of all others: explained by facts or held, and charged to the budget.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import duckdb
import numpy as np
import polars as pl

from sandbox.egress.clean import clean_text
from sandbox.egress.context import Context
from sandbox.egress.facts import RELATIVE, written
from sandbox.egress.forms import Document, Table
from sandbox.egress.rawdata import RawIndex
from sandbox.egress.recompute.expr import Unrecognised
from sandbox.egress.recompute.facts import DIGITS, PRECISION_BITS, own
from sandbox.egress.recompute.plan import outputs
from sandbox.egress.recompute.relations import Cells, Given
from sandbox.egress.recompute.run import Input, Planned, Result, raw_of, view_sql
from sandbox.egress.shape import Shape, as_numbers, texts_of

_SECONDS = 240.0  # for all statements of a script: whose take longer are not recomputed
_AGAIN = 0.1  # seconds between two interruptions
FORMS = ("csv", "parquet", "json", "jsonl")  # whose writer takes its cells from the table


@dataclass(frozen=True)
class Script:
    """A SQL job as the check is given it: the text of its script, and its inputs as they were granted."""

    text: str
    inputs: tuple[Input, ...]


@dataclass(frozen=True)
class Told:
    """What became of one table. ``why``: "" when its numbers are ours, "differs", or why it was not
    recognised. ``columns``: "dimension", "count", "measure" or "constant" for each. ``support``: rows whose
    part of a cell has fewer than the threshold of entities (with, without); ``bits``: what the job could
    still say by choosing how to present our numbers."""

    why: str
    columns: dict[str, str] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    support: pl.DataFrame = field(default_factory=pl.DataFrame)
    counted: tuple[int, ...] = ()
    bits: float = 0.0
    raw: str = ""
    dominated: tuple[int, ...] = ()  # rows of which one or two entities make a sum or mean
    parts: tuple[Shape, ...] = ()  # what its conditional aggregates speak of, as tables of their own


def apply(context: Context) -> None:
    """Recompute what the job's script lets us, and put our numbers in the place of the job's.

    Fills ``context.recomputed`` by identity of the table. Values that carry noise stay as they are: ours in
    their place would undo it.
    """
    if not context.raws:
        return
    wanted = [
        (document, document.tables[0])
        for document in context.exact
        if document.form in FORMS and len(document.tables) == 1 and document.tables[0].data.height
    ]
    if context.script is not None:
        _by_statement(context, context.script, wanted)
    for document, table in wanted:
        told = context.recomputed.get(id(table), Told("no statement"))
        if told.why in ("", "differs") or not _only_table(document, table):
            continue
        found = own(context, document, table)
        if found is not None:
            _replace(document, table, found.frame)
            # what the table is was found out already: our numbers are the same to the digits it had
            context.recomputed[id(table)] = Told("", found.columns, bits=found.bits, raw=found.raw)


def _by_statement(context: Context, script: Script, wanted: Sequence[tuple[Document, Table]]) -> None:
    try:
        plans = _plans(context, script)
    except Unrecognised as refusal:
        context.recomputed.update((id(table), Told(refusal.why)) for _, table in wanted)
        return
    inputs = {one.name.lower(): one for one in script.inputs}
    until = time.monotonic() + _SECONDS
    for number, (document, table) in enumerate(wanted):
        plan = plans.get(PurePosixPath(document.path).stem.lower())
        try:
            if plan is None or document.outer:
                raise Unrecognised("output")
            if not _only_table(document, table):
                raise Unrecognised("form")
            cells = plan()
            with _stopped(context, until):
                result = Planned(number, cells, inputs, context.indexes).run()
            context.recomputed[id(table)] = _settle(context, table, cells, result)
            if not context.recomputed[id(table)].why:
                _replace(document, table, table.data)
        except (Unrecognised, duckdb.Error) as refusal:
            why = refusal.why if isinstance(refusal, Unrecognised) else "engine"
            context.recomputed[id(table)] = Told(why)


@contextmanager
def _stopped(context: Context, until: float) -> Iterator[None]:
    """End the queries that run after ``until`` (monotonic seconds)."""
    done = threading.Event()

    def watch() -> None:
        if not done.wait(max(0.0, until - time.monotonic())):
            while not done.wait(_AGAIN):  # one between two queries would be lost
                context.engine.connection.interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _plans(context: Context, script: Script) -> dict[str, Callable[[], Cells]]:
    given = []
    for one in script.inputs:
        index = raw_of(one, context.indexes)
        context.engine.rows(f"CREATE OR REPLACE VIEW job_{one.name} AS {view_sql(one, index)}")
        hidden = {*index.identifiers, *([index.entity] if index.entity else [])}
        given.append(Given(one.name, one.columns, frozenset(hidden)))
    return outputs(context.engine.connection, script.text, given)


def _only_table(document: Document, table: Table) -> bool:
    """Whether the file holds this table and nothing else: then the table is all that is written."""
    if document.form == "csv":
        return not document.body
    if document.form == "parquet":
        return True
    rows = [document.body] if isinstance(document.body, dict) else document.body
    return (
        isinstance(rows, list)
        and len(rows) == table.data.height
        and all(isinstance(row, dict) and set(row) <= set(table.columns) for row in rows)
    )


def _settle(context: Context, table: Table, cells: Cells, result: Result) -> Told:
    """Compare, and where it agrees replace the table's cells and leave its shape for the checks."""
    names = [clean_text(column.name) for column in cells.columns]
    if "" in names or len(set(names)) < len(names):
        raise Unrecognised("name")
    if names != list(table.columns):
        return Told("differs")
    dims = [
        (place, column.value.group)
        for place, column in enumerate(cells.columns)
        if column.value.group is not None
    ]
    if sorted(group for _, group in dims) != list(range(len(cells.groups))):
        raise Unrecognised("group")  # a dimension is not shown: rows cannot be told apart
    ours = result.frame.with_row_index("row")
    key = [f"key{group}" for _, group in dims]
    theirs = texts_of(
        result.index, table.data.select(pl.nth(place).alias(f"key{group}") for place, group in dims)
    )
    own = texts_of(result.index, ours.select(pl.col(f"k{group}").alias(f"key{group}") for _, group in dims))
    if key:
        theirs, own = theirs.with_row_index("theirs"), own.with_row_index("row")
        pairs = theirs.join(own, on=key, how="full", nulls_equal=True)
        if pairs.height != ours.height or pairs["row"].null_count() or pairs["theirs"].null_count():
            return Told(
                "differs", rows=[int(i) + 1 for i in pairs.filter(pl.col("row").is_null())["theirs"].head(10)]
            )
        order = pairs.sort("theirs")["row"]
    else:
        order = pl.Series([0], dtype=pl.UInt32)
    if table.data.height != ours.height:
        return Told("differs")
    ours = ours[order]
    fresh: dict[str, pl.Series] = {}
    kinds: dict[str, str] = {}
    off = np.zeros(ours.height, dtype=bool)
    bits = 0.0
    for place, column in enumerate(cells.columns):
        name = table.columns[place]
        stated = table.data[name]
        if column.value.group is not None:
            kinds[name] = "dimension"
            fresh[name] = _as(ours[f"k{column.value.group}"], own[f"key{column.value.group}"][order], stated)
            continue
        aggregates = column.value.aggregates
        kinds[name] = "constant" if column.value.constant else "measure"
        if aggregates and all(one.counts for one in aggregates) and column.value.decimals is None:
            kinds[name] = "count" if ours[f"o{place}"].dtype.is_integer() else "measure"
        if column.value.constant and stated.dtype == pl.String:
            fresh[name] = _as(
                ours[f"o{place}"], texts_of(result.index, ours.select(f"o{place}")).to_series(), stated
            )
            off |= (fresh[name] != stated).fill_null(True).to_numpy()
            continue
        number = ours[f"o{place}"].cast(pl.Float64)
        decimals = _decimals(stated) if column.value.decimals is None else max(0, column.value.decimals)
        if column.value.decimals is None and not ours[f"o{place}"].dtype.is_integer():
            bits += PRECISION_BITS
        off |= _differs(as_numbers(stated), number, decimals)
        whole_ones = column.value.decimals is None and stated.dtype.is_integer()
        fresh[name] = _rounded(ours[f"o{place}"], decimals, whole_ones).alias(name)
    if off.any():
        return Told("differs", rows=[int(i) + 1 for i in np.flatnonzero(off)[:10]])
    table.data = pl.DataFrame(fresh)
    whole = _shape(context, table, cells, result, ours, dims)
    support = ours.select([c for c in ours.columns if c == "between" or (c[0] in "sm" and c[1:].isdigit())])
    few = _dominated(context, result, order)
    parts = tuple(_part(table, cells, result, ours, dims, *one) for one in result.parts)
    if not whole.dims and not whole.confirmed:  # nothing by which another reader of the table would know it
        parts = (whole, *parts)
    raw = max(result.raws, key=context.min_cell)  # of a join the strictest threshold holds
    return Told("", kinds, [], support, result.counted, bits, raw, few, parts)


def _part(
    table: Table,
    cells: Cells,
    result: Result,
    ours: pl.DataFrame,
    dims: Sequence[tuple[int, int | None]],
    number: int,
    index: RawIndex,
) -> Shape:
    """A conditional aggregate as a table over the rows that meet its condition, for the release ledger."""
    names = {f"o{i}": name for i, name in enumerate(table.columns)}
    frame = table.data.rename({name: k for k, name in names.items()})
    shape = Shape(index, frame, names, texts_of(index, frame), declared=True, aggregate=True)
    for place, group in dims:
        assert group is not None
        shape.dims[f"o{place}"] = result.part_dims[group]
        shape.raw_of[f"o{place}"] = result.raw_of[group]
        shape.codes[f"o{place}"] = ours[f"c{group}"].cast(pl.Int64).to_numpy()
        shape.all_values(f"o{place}")
    one = cells.pool[number]
    shape.measures = [f"o{i}" for i, column in enumerate(cells.columns) if one in column.value.aggregates]
    shape.n = ours[f"s{number}"].cast(pl.Int64)
    shape.rows_n, shape.part = shape.n, str(number)
    return shape


def _dominated(context: Context, result: Result, order: pl.Series) -> tuple[int, ...]:
    """Rows in which a sum fails the (n, k) or the p % rule on what the entities contribute to it."""
    n = int(context.number("egress.dominance_n"))
    k, p = context.number("egress.dominance_k"), context.number("egress.p_percent")
    found = set()
    for cells in result.tops:
        for row, (top, total) in enumerate(cells[order].iter_rows(), 1):
            if not total:
                continue
            if sum(top[:n]) >= k * total or total - sum(top[:2]) < p * top[0]:
                found.add(row)
    return tuple(sorted(found))


def _as(values: pl.Series, texts: pl.Series, stated: pl.Series) -> pl.Series:
    """Our values: numbers in our type, for the choice of another would be the job's; the rest in the type
    that the reader gave the job's, so that text stays text."""
    if values.dtype.is_integer() or values.dtype == pl.Boolean:
        return values.alias(stated.name)
    if stated.dtype == pl.String:
        return texts.alias(stated.name)
    made = values.cast(stated.dtype, strict=False)
    return (made if made.null_count() == values.null_count() else texts).alias(stated.name)


def _decimals(stated: pl.Series) -> int | None:
    """Decimals of the number written with the most; None where that is all that a double holds."""
    most = 0
    for one in as_numbers(stated).drop_nulls().unique():
        _, half = written(float(one))
        if half < 0.4 * 10.0**-DIGITS:
            return None
        most = max(most, round(-np.log10(2 * half)))
    return most


def _differs(stated: pl.Series, number: pl.Series, decimals: int | None) -> np.ndarray:
    """Rows in which the job's number is not ours to the last digit that its column is written with."""
    theirs, ours = stated.to_numpy(), number.to_numpy()
    half = 0.5 * 10.0 ** -(DIGITS if decimals is None else decimals)
    with np.errstate(invalid="ignore"):
        near = np.abs(theirs - ours) <= 1.001 * half + np.abs(ours) * RELATIVE * 10
    return ~np.asarray(near | (np.isnan(theirs) & np.isnan(ours)))


def _rounded(values: pl.Series, decimals: int | None, whole: bool) -> pl.Series:
    """Our numbers as they leave: whole ones whole, and others too where the column had them so (``whole``);
    the rest with as many decimals as it had."""
    if values.dtype.is_integer() or values.dtype == pl.Null:
        return values.cast(pl.Int64)
    made = values.cast(pl.Float64).round_sig_figs(DIGITS)
    made = (made.round(decimals) if decimals is not None else made) + 0.0  # -0.0 would be another number
    whole = whole and bool((made.drop_nulls() == made.drop_nulls().round(0)).all())
    return made.cast(pl.Int64) if whole else made


def _replace(document: Document, table: Table, fresh: pl.DataFrame) -> None:
    table.data = fresh
    if document.form in ("json", "jsonl"):
        rows = fresh.to_dicts()
        document.body = rows[0] if isinstance(document.body, dict) else rows


def _shape(
    context: Context,
    table: Table,
    cells: Cells,
    result: Result,
    ours: pl.DataFrame,
    dims: Sequence[tuple[int, int | None]],
) -> Shape:
    """Tell the checks what the table is: its cells are counted over the rows that the job chose."""
    index = result.index
    names = {f"o{i}": name for i, name in enumerate(table.columns)}
    frame = table.data.rename({name: k for k, name in names.items()})
    shape = Shape(index, frame, names, texts_of(index, frame), declared=True, aggregate=True)
    for place, group in dims:
        k = f"o{place}"
        assert group is not None
        shape.dims[k], shape.raw_of[k] = result.dims[group], result.raw_of[group]
        shape.codes[k] = ours[f"c{group}"].cast(pl.Int64).to_numpy()
        shape.all_values(k)
        shape.matched[k] = result.raw_of[group]
    for place, column in enumerate(cells.columns):
        aggregates = column.value.aggregates
        if column.value.group is None and not column.value.constant:
            whole = len(aggregates) == 1 and aggregates[0].whole
            known = whole and any(bool((ours[f"o{place}"] == ours[n]).all()) for n in ("n", "rows_n"))
            (shape.counts if known else shape.measures).append(f"o{place}")
    shape.n = ours["n"].cast(pl.Int64)
    shape.rows_n = ours["rows_n"].cast(pl.Int64)
    shape.confirmed = set(shape.counts)
    for other in context.indexes:
        context.shapes.pop((id(table), other.view), None)
    context.shapes[(id(table), _base(context, index).view)] = shape
    return shape


def _base(context: Context, index: RawIndex) -> RawIndex:
    return next(one for one in context.indexes if one.name == index.name)
