"""What the canonical form of a file changed of what was submitted: counts and places, never a value.

The submitted bytes stay in staging, where nobody opens them: so the checker says it, which reads both.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from sandbox.egress.canonical.tables import order_of
from sandbox.egress.context import Context
from sandbox.egress.forms import Document, Table

MOST_CELLS = 200_000  # of a table that is compared cell by cell
MOST_PLACES = 400
MOST_TABLES = 64
READ = "read"  # where ``context.memo`` holds the tables as they were read


def remember(context: Context) -> None:
    """Keep the tables as they were read, before the checker's own numbers take their place."""
    found = {id(table): table.data for document in context.documents for table in document.tables}
    context.memo[READ] = found


def _another(before: pl.Series, after: pl.Series) -> pl.Series:
    """Cells that hold another value, not only the same one in another type."""
    if before.dtype.is_numeric() and after.dtype.is_numeric():
        before, after = before.cast(pl.Float64), after.cast(pl.Float64)
    elif before.dtype != after.dtype:
        before, after = before.cast(pl.String), after.cast(pl.String)
    return before.ne_missing(after)


def _table(context: Context, document: Document, table: Table) -> dict[str, Any]:
    before: pl.DataFrame = context.memo.get(READ, {}).get(id(table), table.data)
    told = context.recomputed.get(id(table))
    names, order = order_of(table, document, document.ordered)
    seen: dict[str, Any] = {
        "part": table.part[:1000],
        "rows": table.data.height,
        "columns": table.data.width,
        "recomputed": told is not None and not told.why,
        "columns_moved": names != list(table.data.columns),
        "rows_moved": order is not None and bool((order != pl.arange(len(order), eager=True)).any()),
    }
    same_shape = before.shape == table.data.shape == (table.cells.height, table.cells.width)
    if not same_shape or table.data.height * table.data.width > MOST_CELLS:
        return seen
    counts = {"changed": 0, "rewritten": 0, "emptied": 0}
    places: list[list[int]] = []
    line = list(range(table.data.height)) if order is None else order.to_list()
    stands = {row: number for number, row in enumerate(line, 1)}  # row as read -> row as it leaves, from 1
    for name in table.data.columns:
        after, shown = table.data[name], table.cells[name]
        if name not in before.columns:
            return seen
        changed = _another(before[name], after)
        text = after.cast(pl.String)
        counts["changed"] += int(changed.sum())
        counts["emptied"] += int(((shown.fill_null("") != "") & text.is_null()).sum())
        written = shown.fill_null("").ne(text.fill_null("")) & ~changed
        counts["rewritten"] += int(written.sum())
        column = names.index(name) + 1
        for row in changed.arg_true().head(MOST_PLACES - len(places)).to_list():
            places.append([stands[row], column])
    return {**seen, **counts, "places": sorted(places)}


def changes(context: Context, document: Document) -> dict[str, Any]:
    """Of a file: what was submitted (``source_sha256``, ``source_bytes``), how many hidden items were
    dropped, and of each table what became of it. ``places``: row and column of changed cells as they leave,
    both from 1."""
    family = list(document.family())
    tables = [(part, table) for part in family for table in part.tables]
    return {
        "source_sha256": document.sha256,
        "source_bytes": document.size,
        "hidden": sum(piece.hidden for part in family for piece in part.pieces),
        "tables": [_table(context, part, table) for part, table in tables[:MOST_TABLES]],
    }
