"""Protections of single cells: suppression with complementary suppression, rounding, dropping a column."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from sandbox.egress.checks.cells import suppressed
from sandbox.egress.checks.recoverable import Part, margin_rows, parts_of, solve
from sandbox.egress.mend.change import Change, Loss, Place
from sandbox.egress.shape import Shape, as_numbers

_COMPLEMENTS = 60  # times that the solver is asked in one step
_DIGITS = 3  # significant digits of a column's largest number that rounding leaves
_MOST_ROWS = 0.5  # share of the rows of persons that may be suppressed
_COLUMN = re.compile(r"column (\d+)")


def suppress(place: Place) -> Change | None:
    """Blank the small cells and those that the findings name, and more until no sum gives them away.

    Of rows of persons those of classes below the threshold are left out. None: nothing to suppress, or
    nothing would be left.
    """
    shape = place.cells
    if shape is None:
        return _leave_out(place)
    hidden = suppressed(shape).to_numpy()
    small = _small(shape, place)
    named = np.zeros(len(hidden), dtype=bool)
    rows = [row - 1 for found in place.found for row in found.evidence.get("rows", ())]
    named[[row for row in rows if 0 <= row < len(named)]] = True
    wanted = _complemented(place, shape, hidden | small | named)
    fresh = wanted & ~hidden
    if not fresh.any() or wanted.all():
        return None
    frame, total, lost = place.table.data, 0.0, 0.0
    cells = 0
    for name, mask in _numbers(place, shape, fresh):
        values = as_numbers(frame[name]).fill_null(0.0).abs()
        total, lost = total + float(values.sum()), lost + float(values.filter(mask).sum())
        cells += int((mask & frame[name].is_not_null()).sum())
        frame = frame.with_columns(pl.when(mask).then(None).otherwise(pl.col(name)).alias(name))
    if not cells:
        return None
    return Change(frame, Loss(cells=cells, value_share=lost / total if total else 0.0))


def _small(shape: Shape, place: Place) -> np.ndarray:
    return ((shape.n > 0) & (shape.n < place.least)).to_numpy()


def _numbers(place: Place, shape: Shape, rows: np.ndarray) -> Iterator[tuple[str, pl.Series]]:
    """The columns of numbers, each with the cells of it that stand in ``rows`` of the shape."""
    if place.plain:
        for k, name in shape.names.items():
            if k not in shape.dims and k not in shape.others:
                yield name, pl.Series(rows)
        return
    height, width = place.table.data.height, len(place.table.columns)
    heads = shape.frame[f"o{width}"].cast(pl.String).to_numpy()
    for name in dict.fromkeys(str(head) for head in heads):
        mask = np.zeros(height, dtype=bool)
        mask[np.flatnonzero(rows & (heads == name)) % height] = True
        yield name, pl.Series(mask)


def _complemented(place: Place, shape: Shape, wanted: np.ndarray) -> np.ndarray:
    """``wanted`` and further rows, until the solver finds none of them fixed or enclosed too narrowly."""
    parts = [part for part in parts_of(place.context) if part.shape.index.view == shape.index.view]
    mine = next((part for part in parts if part.shape is shape), None)
    if mine is None:
        return wanted
    # The small cells of the other tables will be blank too: as they are, nothing could be hidden here.
    others = [
        replace(part, hidden=part.hidden | _small(part.shape, place)) for part in parts if part is not mine
    ]
    for _ in range(_COMPLEMENTS):
        exposed = solve([*others, replace(mine, hidden=wanted)], place.context)[id(place.table)].rows
        before = wanted
        for row in exposed:
            part = replace(mine, hidden=wanted)
            more = _partner(part, row, [*others, part], wanted & ~before)
            if more is not None:
                wanted = wanted.copy()
                wanted[more] = True
        if wanted is before:
            break  # the check itself says whether anything is still given away
    return wanted


def _partner(part: Part, row: int, parts: Sequence[Part], fresh: np.ndarray) -> int | None:
    """The row to suppress with ``row`` (-1: a cell that was left out); None: no other is left, or one of the
    ``fresh`` rows stands in a sum with it, which may be enough.

    The fewest entities within the published sum over ``row`` that has the fewest hidden cells; where no sum
    is published, among the rows that share most of its labels; a margin only when nothing else is left.
    """
    n = part.shape.n.to_numpy()
    free = margin_rows(part)
    open_ = ~part.hidden & (n > 0)
    if not open_.any():
        return None
    over = _sums_over(part, row, parts) if row >= 0 else []
    if any((inside & fresh).any() for inside in over) or (not over and fresh.any()):
        return None
    for inside in over:
        able = np.flatnonzero(inside & open_ & ~free)
        if len(able):
            return int(able[np.argmin(n[able])])
    left = np.flatnonzero(open_)
    codes = np.column_stack([part.shape.codes[k] for k in part.shape.dims])
    apart = (codes[left] != codes[row]).sum(axis=1) if row >= 0 else np.zeros(len(left))
    return int(left[np.lexsort((left, n[left], apart, free[left]))[0]])


def _sums_over(part: Part, row: int, parts: Sequence[Part]) -> list[np.ndarray]:
    """For each published sum that holds ``row``, which rows of the table it holds: those with the fewest
    hidden first, then the smallest sum."""
    place = {sql: k for k, sql in part.shape.dims.items()}
    found: list[tuple[int, int, np.ndarray]] = []
    for other in parts:
        wild = {k: other.shape.wild(k).to_numpy() for k in other.shape.dims}
        holds = ~other.hidden
        for k, sql in other.shape.dims.items():
            own = part.shape.codes[place[sql]][row] if sql in place else None
            holds = holds & (wild[k] | (other.shape.codes[k] == own if own is not None else False))
        for number in np.flatnonzero(holds):
            inside = np.ones(len(part.hidden), dtype=bool)
            for k, sql in other.shape.dims.items():
                if not wild[k][number]:
                    inside &= part.shape.codes[place[sql]] == other.shape.codes[k][number]
            found.append((int((inside & part.hidden).sum()), int(other.shape.n[int(number)]), inside))
    return [inside for _, _, inside in sorted(found, key=lambda one: one[:2])]


def _leave_out(place: Place) -> Change | None:
    """Rows of persons without those that fewer than the threshold share."""
    frame = place.table.data
    if place.shape is None or not frame.height:
        return None
    size = frame.select(pl.len().over(frame.columns)).to_series()
    kept = frame.filter(size >= place.least)
    lost = frame.height - kept.height
    if not lost or lost > _MOST_ROWS * frame.height:
        return None
    return Change(kept, Loss(rows=lost))


def _named_columns(place: Place) -> list[int]:
    """Numbers of the columns that the findings name, from 0; of a table of cells its measures, where none is
    named."""
    told = [match for found in place.found for match in _COLUMN.findall(found.where)]
    columns = sorted({int(number) - 1 for number in told if int(number) <= place.table.data.width})
    if columns or place.cells is None or not place.plain:
        return columns
    return [number for number, k in enumerate(place.cells.names) if k in place.cells.measures]


def round_off(place: Place) -> Change | None:
    """Measures to three digits of their column's largest number, then to fewer.

    None: a column is no measure, or one digit is left.
    """
    frame = place.table.data
    loss = Loss()
    columns = _named_columns(place)
    for number in columns:
        name = frame.columns[number]
        values = as_numbers(frame[name])
        largest = values.abs().max()
        if not frame[name].dtype.is_numeric() or not isinstance(largest, float) or largest <= 0:
            return None
        base = 10.0 ** (math.floor(math.log10(largest)) - _DIGITS + 1)
        while (rounded := _to_base(values, base)).equals(values):
            base *= 10
            if base > largest:
                return None
        loss = _distance(loss, values, rounded)
        frame = frame.with_columns(_back(rounded, frame[name]))
    return Change(frame, loss, _where(columns)) if columns else None


def round_counts(place: Place, base: int) -> Change | None:
    """Every count to the nearest multiple of ``base``."""
    shape, frame = place.cells, place.table.data
    if shape is None or not shape.counts:
        return None
    loss = Loss()
    names = [shape.names[k] for k in shape.counts] if place.plain else []
    if not place.plain:
        names = [name for name, _ in _numbers(place, shape, np.ones(shape.frame.height, dtype=bool))]
    for name in names:
        values = as_numbers(frame[name])
        rounded = _to_base(values, float(base))
        loss = _distance(loss, values, rounded)
        frame = frame.with_columns(_back(rounded, frame[name]))
    return (
        Change(frame, loss, _where([frame.columns.index(name) for name in names])) if loss.rounded else None
    )


def _to_base(values: pl.Series, base: float) -> pl.Series:
    """Half of the base goes up; written with the digits that the base has."""
    places = max(0, -math.floor(math.log10(base)))
    return ((values / base + 0.5).floor() * base).round(places)


def _back(rounded: pl.Series, original: pl.Series) -> pl.Series:
    """With the type that the column had: whole numbers stay whole."""
    return rounded.cast(original.dtype).alias(original.name)


def _distance(loss: Loss, before: pl.Series, after: pl.Series) -> Loss:
    apart = (before - after).abs().drop_nulls()
    cells = loss.rounded + len(apart)
    total = loss.distance * loss.rounded + float(apart.sum())
    return replace(loss, rounded=cells, distance=total / cells if cells else 0.0)


def drop(place: Place) -> Change | None:
    """Leave out the columns that the findings name; of rows of persons without such a name the sensitive
    column, else the one that differs most from row to row. None where no number would be left."""
    frame = place.table.data
    columns = _named_columns(place)
    shape = place.shape
    if not columns and place.cells is None:
        hot = [
            number
            for number, k in enumerate(shape.names if shape is not None and place.plain else ())
            if shape is not None and shape.matched.get(k) in shape.index.sensitive
        ]
        columns = hot[:1] or [max(range(frame.width), key=lambda i: (frame.to_series(i).n_unique(), -i))]
    kept = [name for number, name in enumerate(frame.columns) if number not in columns]
    if not columns or not kept:
        return None
    return Change(frame.select(kept), Loss(columns=len(columns)), _where(columns))


def _where(columns: list[int]) -> str:
    return ", ".join(f"column {number + 1}" for number in columns)
