"""Notebooks (nbformat 4): the text of cells, and every form that an output has; nothing that acts.

What leaves are cells rebuilt from source and outputs: no identifiers, counts, attachments or metadata.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.egress.clean import clean_text
from sandbox.egress.forms import Budget, Document, Piece, Unreadable
from sandbox.egress.readers import chart, html, json, markdown, package, svg
from sandbox.egress.readers.text import decode

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CHART = re.compile(r"application/(?:vnd\.vegalite\.v\d|vnd\.plotly\.v\d|vnd\.echarts)\+json")
_TEXT = ("text/plain", "text/latex")
_PICTURES = ("image/png", "image/jpeg")
_KEPT = {
    "cell_type",
    "source",
    "outputs",
    "output_type",
    "text",
    "data",
    "name",
    "ename",
    "evalue",
    "traceback",
}
_DEEPEST = 40  # columns of indentation that are kept


@dataclass
class Cell:
    """What leaves of one cell: ``outputs`` are (media type, content as its own reader left it)."""

    kind: str
    source: Any
    outputs: list[tuple[str, Any]] = field(default_factory=list)


def _joined(value: Any) -> str:
    """Text that may be a list of lines. Raises ``Unreadable`` (malformed)."""
    lines = value if isinstance(value, list) else [value]
    if not all(isinstance(line, str) for line in lines):
        raise Unreadable("malformed")
    return "".join(lines)


def lines(text: str) -> list[str]:
    """``text`` line by line, cleaned but for its indentation, without colours and empty lines at the ends."""
    found = []
    for line in _COLOUR.sub("", text).split("\n"):
        plain = line.replace("\t", "    ")
        depth = min(_DEEPEST, len(plain) - len(plain.lstrip(" ")))
        cleaned = clean_text(line)
        found.append(" " * depth + cleaned if cleaned else "")
    return "\n".join(found).strip("\n").split("\n")


def _told(value: Any) -> Iterator[str]:
    """Every string of ``value``, names of members included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and len(str(value)) > 5:
        yield str(value)
    elif isinstance(value, dict):
        for name, child in value.items():
            yield name
            yield from _told(child)
    elif isinstance(value, list):
        for child in value:
            yield from _told(child)


class _Notebook:
    def __init__(self, document: Document, budget: Budget) -> None:
        self.document, self.budget = document, budget

    def hide(self, where: str, value: Any) -> None:
        """What does not leave, as hidden pieces."""
        texts = dict.fromkeys(text for text in _told(value) if not package.closed(text))
        self.document.pieces += [Piece(where, text, hidden=True) for text in texts]

    def text(self, where: str, text: str) -> list[str]:
        """Lines of plain text as pieces."""
        found = lines(text)
        self.document.pieces += [Piece(f"{where} line {i + 1}", t) for i, t in enumerate(found) if t]
        return found

    def part(self, where: str, fill: Callable[[Document], Any]) -> Document:
        """What ``fill`` reads, as a part of the notebook under ``where``."""
        part = Document(where, where, "", 0)
        made = fill(part)
        part.body = part.body if made is None else made
        for piece in part.pieces:
            self.document.pieces.append(Piece(f"{where} {piece.where}", piece.text, piece.hidden))
        for table in (*part.tables, *part.views):
            table.part = f"{where} {table.part}".strip()
        for picture in part.pictures:
            picture.where = f"{where} {picture.where}"
        self.document.tables += part.tables
        self.document.views += part.views
        self.document.pictures += part.pictures
        self.document.drawings += part.drawings
        return part

    def picture(self, where: str, value: Any) -> Any:
        """Pixels of a picture in base64. Raises ``Unreadable``."""
        try:
            data = base64.b64decode(re.sub(r"\s", "", _joined(value)), validate=True)
        except (binascii.Error, ValueError):
            raise Unreadable("malformed") from None
        return package.picture(self.document, where, data, self.budget)

    def output(self, where: str, media: str, value: Any) -> Any:
        """One form of an output, read. Raises ``Unreadable`` (active for what acts, embedded)."""
        budget = self.budget
        if media in _TEXT:
            return self.text(where, _joined(value))
        if media == "text/markdown":
            return self.markdown(where, _joined(value))
        if media == "text/html":
            return self.part(where, lambda part: html.lay_open(part, _joined(value), budget)).body
        if media in _PICTURES:
            return self.picture(where, value)
        if media == "image/svg+xml":
            return self.part(where, lambda part: svg.lay_open(part, svg.parse(_joined(value)), budget)).body
        if _CHART.fullmatch(media):
            if chart.kind(value) is None:
                raise Unreadable("malformed")
            return self.part(where, lambda part: chart.lay_open(part, value, budget)).body
        if media == "application/json":
            return self.part(where, lambda part: json.lay_open(part, value, budget)).body
        raise Unreadable("active" if "javascript" in media or "widget" in media else "embedded")

    def markdown(self, where: str, text: str) -> Any:
        """A Markdown text, or None when it is empty."""
        if not markdown.settle(text):
            self.hide(where, text)
            return None
        plain = "\n".join(line.rstrip("\r") for line in text.split("\n"))
        return self.part(where, lambda part: markdown.read(part, plain.encode(), self.budget)).body

    def outputs(self, where: str, found: Any) -> Iterator[tuple[str, Any]]:
        """(media type, content) of the outputs of a cell. Raises ``Unreadable``."""
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise Unreadable("malformed")
        for number, item in enumerate(found, 1):
            place = f"{where} output {number}"
            self.hide(place, {key: value for key, value in item.items() if key not in _KEPT})
            kind = item.get("output_type")
            if kind == "stream":
                yield "text/plain", self.text(place, _joined(item.get("text", "")))
            elif kind == "error":
                trace = [item.get("ename", ""), ": ", item.get("evalue", ""), "\n"]
                told = "\n".join(item.get("traceback") or [])
                yield "text/plain", self.text(place, _joined([*trace, told]))
            elif kind in ("display_data", "execute_result"):
                data = item.get("data")
                if not isinstance(data, dict):
                    raise Unreadable("malformed")
                for media, value in sorted(data.items()):
                    yield media, self.output(f"{place} {media}", media, value)
            else:
                raise Unreadable("malformed")

    def cell(self, number: int, item: Any) -> Cell:
        """One cell, read. Raises ``Unreadable``."""
        kind = item.get("cell_type") if isinstance(item, dict) else None
        if kind not in ("markdown", "code", "raw"):
            raise Unreadable("malformed")
        where = f"cell {number}"
        source = _joined(item.get("source", ""))
        self.hide(where, {key: value for key, value in item.items() if key not in (*_KEPT, "attachments")})
        for name, forms in dict(item.get("attachments") or {}).items():
            self.hide(where, name)
            for media, value in dict(forms).items():
                if media not in _PICTURES:
                    raise Unreadable("embedded")
                self.picture(f"{where} attachment", value)
        if kind == "markdown":
            return Cell(kind, self.markdown(where, source))
        found = list(self.outputs(where, item.get("outputs", []))) if kind == "code" else []
        return Cell(kind, self.text(where, source), found)


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document``; cells as the body. Raises ``Unreadable``."""
    value = json.parse(decode(data))
    json.depth(value, budget.depth)
    cells = value.get("cells") if isinstance(value, dict) else None
    if not isinstance(cells, list) or value.get("nbformat") != 4:
        raise Unreadable("malformed")
    if len(cells) > budget.members:
        raise Unreadable("size")
    book = _Notebook(document, budget)
    book.hide("metadata", {key: child for key, child in value.items() if key != "cells"})
    document.body = [book.cell(number, item) for number, item in enumerate(cells, 1)]
    if not document.body:
        raise Unreadable("empty")
