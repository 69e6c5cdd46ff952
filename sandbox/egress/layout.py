"""Other readings of the same cells: persons as columns, one person a file. What the checks of rows read too.

A view is never written out and its columns are nobody's declaration; only what the cells say counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import polars as pl

from sandbox.egress.forms import Budget, Document, Piece, Table, Unreadable
from sandbox.egress.readers.typing import table

_WIDE = 4  # columns from which a table may have its persons there
_ATTRIBUTES = 60  # lines of a table whose columns may be persons, an attribute a line
DOWN = "read down"
_FEW = 60  # cells of a file that may be one person
_FILES = 3  # files that look alike


def _build(part: str, rows: Sequence[Sequence[str | None]], budget: Budget) -> list[Table]:
    """A table of ``rows``, if it keeps within the budget."""
    columns = [pl.Series(list(column), dtype=pl.String) for column in zip(*rows, strict=True)]
    try:
        return [table(part, [f"field_{i + 1}" for i in range(len(columns))], columns, budget)]
    except Unreadable:
        return []


def _by_columns(item: Table, part: str, budget: Budget) -> list[Table]:
    rows = [[name, *item.cells[name].cast(pl.String)] for name in item.columns if item.cells[name].len()]
    return _build(f"{item.part} {part}".strip(), rows, budget) if rows else []


def turned(document: Document, budget: Budget) -> Iterable[Table]:
    """Tables read by columns, the header is the first field: those wider than they are long, and as
    ``DOWN`` those with few lines, which may be a person a column, an attribute a line."""
    for item in document.tables:
        if item.cells.width >= _WIDE and item.cells.width > item.cells.height:
            yield from _by_columns(item, "turned", budget)
        elif 1 < item.cells.height <= _ATTRIBUTES:
            yield from _by_columns(item, DOWN, budget)


def _cells(document: Document) -> list[str | None]:
    """All cells of a document in order, headers left out; one too many says that there are more."""
    found: list[str | None] = []
    for item in document.tables:
        for row in item.cells.head(_FEW).iter_rows():
            found.extend(None if cell is None else str(cell) for cell in row)
    found.extend(piece.text for piece in document.pieces if not piece.hidden)
    return found


def together(documents: Sequence[Document], budget: Budget) -> Iterable[tuple[Document, Table]]:
    """Small files of the same size, a row each: (the first of them, the table)."""
    alike: dict[int, list[tuple[Document, list[str | None]]]] = {}
    for document in documents:
        cells = _cells(document)
        if 0 < len(cells) <= _FEW:
            alike.setdefault(len(cells), []).append((document, cells))
    for group in alike.values():
        if len(group) >= _FILES:
            for built in _build("files together", [cells for _, cells in group], budget):
                yield group[0][0], built


def lay_out(documents: Sequence[Document], budget: Budget) -> None:
    """Fill ``views`` of the documents."""
    for document in documents:
        document.views.extend(turned(document, budget))
    for first, built in together(documents, budget):
        first.views.append(built)


def running_text(document: Document) -> list[Piece]:
    """The lines outside tables that a reader sees."""
    inside: set[str] = set()
    for item in document.tables:
        start = re.fullmatch(r"(.*?)table at line (\d+)", item.part)
        if start:
            first = int(start.group(2))
            inside |= {f"{start.group(1)}line {first + i}" for i in range(item.data.height + 2)}
    return [piece for piece in document.pieces if piece.where not in inside and not piece.hidden]
