"""CSV and TSV: every cell is read as text by Arrow's parser, ragged rows are refused."""

from __future__ import annotations

import csv
import io
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv

from sandbox.egress.forms import Budget, Document, Piece, Unreadable
from sandbox.egress.readers.text import decode
from sandbox.egress.readers.typing import table

_DELIMITERS = ",\t;|"


def _fields(text: str, delimiter: str) -> int:
    """Fields of the first record."""
    return len(next(csv.reader(io.StringIO(text), delimiter=delimiter), []))


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document`` with one table; leading ``#`` lines become pieces. Raises ``Unreadable``."""
    text = decode(data)
    notes: list[str] = []
    while text.startswith("#"):
        line, _, rest = text.partition("\n")
        if len(notes) == 20 or not rest.strip():
            break
        notes.append(line)
        text = rest
    if not text.strip():
        raise Unreadable("empty")
    if text.lstrip()[:1] in "{[" and text.rstrip()[-1:] in "}]":
        raise Unreadable("mismatch")
    csv.field_size_limit(budget.cell_chars)
    head = text[: 4 * budget.cell_chars]
    try:
        delimiter = max(_DELIMITERS, key=lambda mark: _fields(head, mark))
        width = _fields(head, delimiter)
    except csv.Error:
        raise Unreadable("malformed") from None
    if width > budget.columns:
        raise Unreadable("size")
    raw = text.encode()
    options: dict[str, Any] = {f"f{index}": pa.string() for index in range(width)}
    try:
        parsed = pacsv.read_csv(
            io.BytesIO(raw),
            read_options=pacsv.ReadOptions(
                autogenerate_column_names=True, use_threads=False, block_size=min(len(raw) + 1, 1 << 26)
            ),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=options,
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        raise Unreadable("malformed") from None
    frame = pl.DataFrame(pl.from_arrow(parsed))
    if frame.width != width or frame.height < 1:
        raise Unreadable("malformed")
    names = ["" if name is None else str(name) for name in frame.row(0)]
    body = frame.slice(1)
    document.tables.append(table("", names, body.get_columns(), budget))
    document.pieces.extend(Piece(f"note {i + 1}", line) for i, line in enumerate(notes))
    document.body = notes
