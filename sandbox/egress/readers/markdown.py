"""Markdown: pipe tables become tables, every other line text; comments and link targets are lines too."""

from __future__ import annotations

import re

import polars as pl

from sandbox.egress.forms import Budget, Document, Piece, Unreadable
from sandbox.egress.readers.text import decode
from sandbox.egress.readers.typing import table

_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_ACTIVE = re.compile(
    r"<\s*(?:script|iframe|object|embed|svg|style|link|meta|form)\b|javascript\s*:|data\s*:[\w/+.-]*[;,]",
    re.IGNORECASE,
)
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


def _cells(line: str) -> list[str]:
    marked = re.sub(r"\\\|", "\x00", line.strip())
    return [
        cell.replace("\x00", "|").strip() for cell in marked.removeprefix("|").removesuffix("|").split("|")
    ]


def _pieces(text: str) -> list[Piece]:
    hidden = [m.span() for m in COMMENT.finditer(text)]
    pieces, start = [], 0
    for number, line in enumerate(text.split("\n"), 1):
        end = start + len(line)
        if line.strip():
            inside = any(a < end and b > start for a, b in hidden)
            pieces.append(Piece(f"line {number}", line, hidden=inside))
        start = end + 1
    return pieces


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document``. Raises ``Unreadable`` (active for script, embedded data; duplicate, size)."""
    text = decode(data)
    if not text.strip():
        raise Unreadable("empty")
    if _ACTIVE.search(text):
        raise Unreadable("active")
    lines = text.split("\n")
    index = 0
    while index + 1 < len(lines):
        if "|" in lines[index] and "|" in lines[index + 1] and _RULE.fullmatch(lines[index + 1]):
            names, stop = _cells(lines[index]), index + 2
            rows = []
            while stop < len(lines) and "|" in lines[stop]:
                rows.append((_cells(lines[stop]) + [""] * len(names))[: max(len(names), 1)])
                if len(_cells(lines[stop])) > len(names):
                    raise Unreadable("malformed")
                stop += 1
            if rows:
                columns = [pl.Series(list(column), dtype=pl.String) for column in zip(*rows, strict=True)]
                document.tables.append(table(f"table at line {index + 1}", names, columns, budget))
            index = stop
        else:
            index += 1
    document.pieces.extend(_pieces(text))
    document.body = text
