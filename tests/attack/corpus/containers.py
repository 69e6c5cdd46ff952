"""A frame or a text as the bytes of a file: one writer a container, each as its users write it."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from xml.sax.saxutils import escape

import polars as pl

Content = pl.DataFrame | str | bytes
MEMBER = "data/result.csv"  # what an archive holds


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def _rows(frame: pl.DataFrame) -> list[list[Any]]:
    return [[_plain(value) for value in row] for row in frame.iter_rows()]


def _texts(frame: pl.DataFrame) -> list[list[str]]:
    return [["" if value is None else str(value) for value in row] for row in _rows(frame)]


def _csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv().encode()


def _tsv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(separator="\t").encode()


def _parquet(frame: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.write_parquet(sink)
    return sink.getvalue()


def _arrow(frame: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.write_ipc(sink)
    return sink.getvalue()


def _records(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, row, strict=True)) for row in _rows(frame)]


def _json(frame: pl.DataFrame) -> bytes:
    return json.dumps(_records(frame), ensure_ascii=False).encode()


def _jsonl(frame: pl.DataFrame) -> bytes:
    return ("\n".join(json.dumps(row, ensure_ascii=False) for row in _records(frame)) + "\n").encode()


def markdown(frame: pl.DataFrame) -> str:
    """A pipe table."""
    head = "| " + " | ".join(frame.columns) + " |\n|" + "---|" * frame.width
    lines = ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in _texts(frame)]
    return head + "\n" + "\n".join(lines) + "\n"


def _md(frame: pl.DataFrame) -> bytes:
    return f"# 结果\n\n{markdown(frame)}".encode()


def _html(frame: pl.DataFrame) -> bytes:
    def line(tag: str, cells: list[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line("td", row) for row in _texts(frame))
    table = f"<table>{line('th', frame.columns)}{body}</table>"
    head = '<head><meta charset="utf-8"><title>结果</title></head>'
    return f"<!DOCTYPE html><html>{head}<body>{table}</body></html>".encode()


def _ipynb(frame: pl.DataFrame) -> bytes:
    cell = {
        "cell_type": "code", "execution_count": 1, "id": "a1", "metadata": {}, "source": ["result"],
        "outputs": [
            {
                "output_type": "execute_result", "execution_count": 1, "metadata": {},
                "data": {"text/plain": [_csv(frame).decode()], "text/html": [_html(frame).decode()]},
            }
        ],
    }  # fmt: skip
    book = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, ensure_ascii=False).encode()


def settled(data: bytes) -> bytes:
    """An office file without the time of its making, so that the same case gives the same bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as folder:
        members = {name: folder.read(name) for name in folder.namelist()}
    moment = rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*"
    return archive(
        {name: re.sub(moment, rb"\g<1>2026-01-01T00:00:00Z", body) for name, body in members.items()}
    )


def _xlsx(frame: pl.DataFrame) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.append(frame.columns)
    for row in _rows(frame):
        sheet.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return settled(sink.getvalue())


def _docx(frame: pl.DataFrame) -> bytes:
    from docx import Document

    paper = Document()
    paper.add_paragraph("结果")
    rows = _texts(frame)
    table = paper.add_table(rows=0, cols=frame.width)
    for row in [frame.columns, *rows]:
        cells = table.add_row().cells
        for cell, value in zip(cells, row, strict=True):
            cell.text = value
    sink = io.BytesIO()
    paper.save(sink)
    return settled(sink.getvalue())


def archive(members: dict[str, bytes]) -> bytes:
    """A ZIP of ``members`` with the format's earliest time, so that the same case gives the same bytes."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as folder:
        for name, data in members.items():
            folder.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return sink.getvalue()


def _zip(frame: pl.DataFrame) -> bytes:
    return archive({MEMBER: _csv(frame)})


def _vega(frame: pl.DataFrame) -> bytes:
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "mark": "bar",
        "data": {"values": _records(frame)},
        "encoding": {"x": {"field": frame.columns[0]}, "y": {"field": frame.columns[-1]}},
    }
    return json.dumps(spec, ensure_ascii=False).encode()


def _svg(frame: pl.DataFrame) -> bytes:
    lines = [
        f'<text x="10" y="{20 + 14 * i}">{escape(" ".join(row))}</text>'
        for i, row in enumerate([frame.columns, *_texts(frame)])
    ]
    height = 40 + 14 * len(lines)
    body = "".join(lines)
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="{height}">{body}</svg>'.encode()


# Extension of a case's container -> writer. The form the policy must allow stands in FORMS.
FRAMES: dict[str, Callable[[pl.DataFrame], bytes]] = {
    "csv": _csv, "tsv": _tsv, "parquet": _parquet, "json": _json, "jsonl": _jsonl, "md": _md, "arrow": _arrow,
    "xlsx": _xlsx, "docx": _docx, "html": _html, "ipynb": _ipynb, "zip": _zip, "svg": _svg, "vl.json": _vega,
}  # fmt: skip
FORMS = {
    "csv": "csv", "tsv": "csv", "parquet": "parquet", "json": "json", "jsonl": "json", "md": "markdown",
    "arrow": "arrow", "xlsx": "xlsx", "docx": "docx", "html": "html", "ipynb": "ipynb", "zip": "zip",
    "svg": "svg", "vl.json": "json",
}  # fmt: skip
TEXTS = ("md", "docx", "html", "ipynb")


def pack(name: str, content: Content) -> bytes:
    """The bytes of ``content`` for a file called ``name``."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    kind = "vl.json" if name.endswith(".vl.json") else name.rsplit(".", 1)[-1]
    return FRAMES[kind](content)
