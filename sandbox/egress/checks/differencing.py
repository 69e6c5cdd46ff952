"""The release ledger: what a request gives away together with everything released before, and within itself.

The evidence names releases, ways and counts; never a person, and never which cell.
"""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document
from sandbox.egress.ledger.books import Book
from sandbox.egress.ledger.compare import Hit, How, compare
from sandbox.egress.ledger.sets import books_of
from sandbox.egress.messages import finding

_MOST_NAMED = 12  # releases in one sentence
_UNDECIDED = {
    How.TOO_LARGE: ("以往成果的单元格过多", "there are too many released cells"),
    How.LEFT_OVER: ("单元格互相重叠过多", "too many cells overlap each other"),
    How.SUSPECT: ("有单元格与以往成果的组合过于接近", "cells lie too near to a combination of released ones"),
}
_SEVERITY = {How.REVISION: Severity.FLAG, How.SUSPECT: Severity.FLAG}


def request_books(context: Context) -> list[tuple[Document, str, Book]]:
    """The books of this request's tables; computed once."""
    if "ledger-books" not in context.memo:
        key = context.ledger.key if context.ledger else b""
        context.memo["ledger-books"] = books_of(context, context.exact, key)
    found: list[tuple[Document, str, Book]] = context.memo["ledger-books"]
    return found


def earlier_books(context: Context) -> list[Book]:
    """Those of the ledger, and of the history folder, recounted from the raw data at hand."""
    key = context.ledger.key if context.ledger else b""
    found = list(context.ledger.books) if context.ledger else []
    for release in context.history:
        found += [book for _, _, book in books_of(context, release.documents, key, release.id)]
    return found


def run(document: Document, context: Context) -> Iterable[Finding]:
    """At most one finding a table, earlier release and way."""
    old = earlier_books(context)
    tables = sum(len(one.tables) for one in context.exact)
    tables += sum(len(told.parts) for told in context.recomputed.values())
    if not old and not context.ledger and tables < 2:
        return
    mine = request_books(context)
    least = context.number("egress.ledger_rate_hold") if old else 1.0
    for hit in compare([book for _, _, book in mine], old, least):
        shown, part, book = mine[hit.book]
        yield _finding(hit, shown.shown, part, book, context)


def _finding(hit: Hit, path: str, part: str, book: Book, context: Context) -> Finding:
    named = "、".join(hit.releases[:_MOST_NAMED])
    if hit.how is How.RATE:
        limit = context.number("egress.ledger_rate_max")
        severity = Severity.HARD if hit.rate > limit else Severity.HOLD
        told = {"release": named, "rate": round(hit.rate, 3), "limit": limit}
        return finding("RECONSTRUCTION", path, part, told, severity)
    evidence = {"release": named, "count": hit.count, "threshold": book.threshold, "how": str(hit.how)}
    if hit.how in _UNDECIDED:
        zh, en = _UNDECIDED[hit.how]
        return finding("LEDGER", path, part, evidence, _SEVERITY.get(hit.how), why_zh=zh, why_en=en)
    return finding("DIFFERENCING", path, part, evidence, _SEVERITY.get(hit.how))


CHECK = Check(
    ("DIFFERENCING", "RECONSTRUCTION", "LEDGER"),
    "file",
    run,
    ("egress.min_cell", "egress.min_cell_sensitive"),
    raw=True,
    whole_set=True,
    exact=True,
)
