"""Grids of text as they stand in sheets and reports: which row names the columns, and what is no row."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from sandbox.egress.clean import clean
from sandbox.egress.forms import Budget, Table, Unreadable
from sandbox.egress.readers.typing import table


def unique(names: Sequence[str]) -> list[str]:
    """``names`` cleaned, the empty ones numbered, and what occurs again with its number behind it."""
    found: list[str] = []
    for index, name in enumerate(clean(pl.Series(list(names), dtype=pl.String)).to_list()):
        plain = label = name or f"column_{index + 1}"
        count = 1
        while label in found:
            count += 1
            label = f"{plain} ({count})"
        found.append(label)
    return found


def square(rows: Sequence[Sequence[str]], budget: Budget) -> list[list[str]]:
    """``rows`` with empty cells behind the short ones. Raises ``Unreadable`` (size)."""
    width = max((len(row) for row in rows), default=0)
    if width > budget.columns or width * len(rows) > budget.cells:
        raise Unreadable("size")
    return [[*row, *[""] * (width - len(row))] for row in rows]


def headed(part: str, rows: Sequence[Sequence[str]], budget: Budget) -> Table | None:
    """The table under its first row; None for less than two rows. Raises ``Unreadable`` (size)."""
    if len(rows) < 2:
        return None
    names, *body = square(rows, budget)
    columns = [pl.Series(list(column), dtype=pl.String) for column in zip(*body, strict=True)]
    return table(part, unique(names), columns, budget) if columns else None


def tidy(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """``rows`` with every cell cleaned, without empty rows."""
    flat = iter(clean(pl.Series([cell for row in rows for cell in row], dtype=pl.String)).to_list())
    cleaned = [[next(flat) for _ in row] for row in rows]
    return [row for row in cleaned if any(row)]
