"""Cells to types, conservatively: a column is a number only if every cell is one and nothing is lost.

What holds of every cell holds of every distinct value: those are looked at.
"""

from __future__ import annotations

import polars as pl

from sandbox.egress.clean import clean
from sandbox.egress.columns import encode, renumbered
from sandbox.egress.forms import Budget, Table, Unreadable, tabled

_INT = r"^-?(?:0|[1-9][0-9]{0,17})$"
_FLOAT = r"^[-+]?[0-9]{1,17}(?:\.[0-9]{0,25})?(?:[eE][-+]?[0-9]{1,3})?$"
_ZEROS = r"^[-+]?0[0-9]"


def typed(cells: pl.Series) -> pl.Series:
    """Cleaned ``cells`` as Int64, Float64 or String; leading zeros and overflow keep a column text."""
    text = clean(cells)
    text = text.set(text == "", None)
    if text.null_count() == len(text):
        return text
    if bool(text.str.contains(_INT).all()):
        return text.cast(pl.Int64)
    if bool(text.str.contains(_FLOAT).all()) and not bool(text.str.contains(_ZEROS).any()):
        number = text.cast(pl.Float64, strict=False)
        if number.null_count() == text.null_count() and bool(number.is_finite().all()):
            return (number + 0.0).rename(text.name)  # -0.0 carries a bit
    return text


def table(part: str, names: list[str], columns: list[pl.Series], budget: Budget) -> Table:
    """Build a table from text columns. Raises ``Unreadable`` (size, duplicate)."""
    rows = len(columns[0]) if columns else 0
    if len(columns) > budget.columns or rows * len(columns) > budget.cells:
        raise Unreadable("size")
    for column in columns:
        if rows and (column.str.len_chars().max() or 0) > budget.cell_chars:  # type: ignore[operator]
            raise Unreadable("size")
    tidy = [str(name) for name in clean(pl.Series(names, dtype=pl.String))] if names else []
    tidy = [name or f"column_{index + 1}" for index, name in enumerate(tidy)]
    if len(set(tidy)) != len(tidy):
        raise Unreadable("duplicate")
    shown = {name: encode(cells.set(cells == "", None)) for name, cells in zip(tidy, columns, strict=True)}
    data = {name: renumbered(column, typed(column.values)) for name, column in shown.items()}
    return tabled(part, shown, data)
