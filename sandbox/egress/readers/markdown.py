"""Markdown: pipe tables become tables, every other line text; comments and link targets are lines too."""

from __future__ import annotations

import re

import polars as pl

from sandbox.egress.clean import clean
from sandbox.egress.forms import Budget, Document, Piece, Unreadable
from sandbox.egress.readers.text import decode
from sandbox.egress.readers.typing import table

_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_ACTIVE = re.compile(
    r"<\s*(?:script|iframe|object|embed|svg|style|link|meta|form)\b|javascript\s*:|data\s*:[\w/+.-]*[;,]",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


def _cells(line: str) -> list[str]:
    marked = re.sub(r"\\\|", "\x00", line.strip())
    return [
        cell.replace("\x00", "|").strip() for cell in marked.removeprefix("|").removesuffix("|").split("|")
    ]


def settle(text: str) -> str:
    """The text as it may leave: no comments, no invisible characters, single spaces; idempotent."""
    while True:
        lines = pl.Series(text.split("\n"), dtype=pl.String)
        indent = [min(12, len(line) - len(line.lstrip(" "))) // 2 * 2 for line in lines]
        tidy = [" " * depth + line if line else "" for depth, line in zip(indent, clean(lines), strict=True)]
        fresh = re.sub(r"\n{3,}", "\n\n", _COMMENT.sub("", "\n".join(tidy))).strip("\n")
        if fresh == text:
            return fresh
        text = fresh


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document``. Raises ``Unreadable`` (active for script, embedded data; duplicate, size)."""
    text = decode(data)
    if not text.strip():
        raise Unreadable("empty")
    if _ACTIVE.search(text):
        raise Unreadable("active")
    document.body = settle(text)  # what leaves is what is looked at: a mark nobody sees may part a table
    if not document.body:
        raise Unreadable("empty")
    comments = [Piece("comment", match.group(), hidden=True) for match in _COMMENT.finditer(text)]
    lines = document.body.split("\n")
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
    document.pieces.extend(Piece(f"line {i + 1}", line) for i, line in enumerate(lines) if line)
    document.pieces.extend(comments)
