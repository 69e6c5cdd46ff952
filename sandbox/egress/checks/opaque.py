"""Opaque tokens: what differs in every row and nothing explains may carry anything (default deny)."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding
from sandbox.egress.shape import recognise

_ROWS = 10
_DIFFERENT = 0.9  # share of the cells that differ
_MIXED = r"^(?:[0-9A-Za-z+/_\-=:.{}]*[0-9][0-9A-Za-z+/_\-=:.{}]*|[0-9A-Fa-f]+|[A-Za-z0-9+/=]{16,})$"
_DATE = (
    r"^\d{4}[-/.年]\d{1,2}(?:[-/.月]\d{1,2}日?)?(?:[T ]\d{2}:\d{2}.*)?$|"
    r"^\d{4}[-/]\d{2,4}.*$|^\d{1,2}[-/.]\d{1,2}[-/.]\d{4}.*$|^[\d.,:%\-/ ]{0,9}$"
)
_LONG = re.compile(r"[A-Za-z0-9+/_\-=]{64,}")


def opaque(values: pl.Series, number: bool) -> bool:
    """Whether ``values`` (as text) are tokens that differ in nearly every row. ``number``: all digits."""
    known = values.drop_nulls()
    if len(known) < _ROWS or known.n_unique() < _DIFFERENT * len(known):
        return False
    if number:
        return bool(known.str.contains(r"^-?[0-9]{10,}$").mean() > 0.9)  # type: ignore[operator]
    long = known.str.len_chars() >= 8
    return bool((long & known.str.contains(_MIXED) & ~known.str.contains(_DATE)).mean() > 0.9)  # type: ignore[operator]


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A hold a column, and one for long tokens in text."""
    for table in document.tables:
        explained = set()
        for index in context.indexes:
            shape = recognise(context, document, table, index)
            explained |= {shape.names[k] for k in {**shape.matched, **shape.raw_of}}
        for number, name in enumerate(table.columns):
            column = table.shown(name)
            if len(column.values) < _DIFFERENT * int((column.codes >= 0).sum()) or name in explained:
                continue
            if opaque(table.cells[name], table.data[name].dtype.is_numeric()):
                where = context.column(number, name)
                yield finding("OPAQUE", document.shown, f"{table.part} {where}".strip(), column=where)
    long = [piece.where for piece in document.pieces if _LONG.search(piece.text)]
    if long:
        yield finding("OPAQUE", document.shown, long[0], {"count": len(long)}, column=long[0])


CHECK = Check(("OPAQUE",), "text", run, ("egress.min_cell",))
