"""Edge cases: what real tables hold and tidy ones do not, in a share of the rows that no want needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sandbox.desensitize.dummy.fields import Field, Table
from sandbox.desensitize.dummy.words import LONG_TEXT

_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def _strings(field: Field) -> list[Callable[[str], str | None]]:
    """What may have happened to a text: nothing typed, blanks around it, full-width digits, an essay."""
    coded = bool(field.values) or field.role == "quasi"
    made: list[Callable[[str], str | None]] = [lambda _: None, lambda _: "", lambda text: f" {text} "]
    if not coded:
        made += [lambda text: text.translate(_WIDE), lambda _: LONG_TEXT]
    return made


def _ends(field: Field, column: pl.Series) -> list[Any]:
    """The boundary values of a column: as declared, else the ends of what it holds and what looks like
    none."""
    low = field.low if field.low is not None else column.min()
    high = field.high if field.high is not None else column.max()
    ends: list[Any] = [None, low, high]
    if field.type in ("date", "datetime") and field.low is None:
        ends += [date(1900, 1, 1), date(2024, 2, 29)]
    if field.type in ("integer", "number", "decimal") and (field.low is None or field.low == 0):
        ends.append(0)
    if field.type == "datetime":
        ends = [datetime.combine(one, time()) if type(one) is date else one for one in ends]
    return ends


def roughen(
    frame: pl.DataFrame, table: Table, free: NDArray[np.bool_], asked: set[str], key: Field | None,
    share: float, random: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    """``frame`` with nulls where they are declared, and edge cases in ``share`` of its rows, all of them
    ``free``.

    A key is never touched, but for rows that stand twice where it is not unique. ``asked``: columns that the
    job has conditions on, or groups by; their declared nulls stand in free rows only.
    """
    rows = frame.height
    spare = np.flatnonzero(free)
    chosen = random.permutation(spare)[: int(rows * share)]
    rough = np.sort(chosen)
    columns = []
    for field in table.fields:
        column = frame[field.name]
        if (key is not None and field.name == key.name) or field.unique:
            columns.append(column)
            continue
        if field.null_share:
            where = free if field.full in asked else np.ones(rows, dtype=bool)
            part = min(1.0, field.null_share * rows / max(1, int(where.sum())))
            column = _null(column, where & (random.random(rows) < part))
        if len(rough):
            column = _edge(column, field, rough[random.random(len(rough)) < 0.5], random)
        columns.append(column)
    made = pl.DataFrame(columns)
    if len(rough) > 1 and not any(one.unique for one in table.fields):
        order = np.arange(rows)
        order[rough[::4]] = np.roll(rough, 1)[::4]  # rows that stand there twice
        made = made[order]
    return made


def _null(column: pl.Series, where: NDArray[np.bool_]) -> pl.Series:
    return pl.select(pl.when(pl.Series(where)).then(None).otherwise(column).alias(column.name)).to_series()


def _edge(column: pl.Series, field: Field, rows: NDArray[np.int64], random: np.random.Generator) -> pl.Series:
    if not len(rows):
        return column
    if field.type == "string":
        changes = _strings(field)
        pick = random.integers(0, len(changes), len(rows))
        values: list[Any] = [
            changes[n](text) if text is not None else None
            for n, text in zip(pick, column.gather(rows).to_list(), strict=True)
        ]
    else:
        ends = [None, True, False] if field.type == "boolean" else _ends(field, column)
        values = [ends[n] for n in random.integers(0, len(ends), len(rows))]
    return column.clone().scatter(rows, pl.Series(values, dtype=column.dtype, strict=False))
