"""Parquet: flat columns of plain types; key-value metadata is brought to light and dropped."""

from __future__ import annotations

import io
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.egress.clean import clean
from sandbox.egress.columns import encode, renumbered
from sandbox.egress.forms import Budget, Document, Piece, Table, Unreadable, tabled

_PLAIN = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_date,
    pa.types.is_timestamp,
    pa.types.is_decimal,
    pa.types.is_null,
)


def plain(kind: Any) -> bool:
    """Whether an Arrow type is one value a cell, and one that can be shown as text."""
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    return any(test(kind) for test in _PLAIN)


def tidy(column: pl.Series) -> pl.Series:
    """A typed column as it may leave: text cleaned, no negative zero, one NaN and that as null."""
    if column.dtype in (pl.String, pl.Categorical):
        return clean(column.cast(pl.String))
    if column.dtype in (pl.Float32, pl.Float64):
        wide = column.cast(pl.Float64)
        return (wide + 0.0).fill_nan(None).rename(column.name)
    return column


def laid(names: list[str], frame: pl.DataFrame) -> Table:
    """The table of a typed frame: every distinct value of a column is made text, and cleaned, once."""
    shown, data = {}, {}
    for name, series in zip(names, frame.get_columns(), strict=True):
        column = encode(series.cast(pl.String) if series.dtype == pl.Categorical else series)
        text = column.values.cast(pl.String)
        shown[name] = renumbered(column, text.set(text == "", None))
        data[name] = renumbered(column, tidy(column.values))
    return tabled("", shown, data)


def _hidden(metadata: dict[bytes, bytes] | None, where: str) -> list[Piece]:
    pieces = []
    for name, value in (metadata or {}).items():
        if name not in (b"ARROW:schema", b"pandas"):
            text = f"{name.decode('utf-8', 'replace')}: {value.decode('utf-8', 'replace')}"
            pieces.append(Piece(where, text, hidden=True))
    return pieces


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document`` with one table. Raises ``Unreadable`` (trailing, nested, size, malformed)."""
    if data[-4:] != b"PAR1":
        raise Unreadable("trailing")
    file = pq.ParquetFile(io.BytesIO(data))
    meta, schema = file.metadata, file.schema_arrow
    plain_bytes = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
    wide = len(schema) > budget.columns or meta.num_rows * len(schema) > budget.cells
    if wide or plain_bytes > 4 * budget.file_bytes:
        raise Unreadable("size")
    if not len(schema):
        raise Unreadable("empty")
    if not all(plain(field.type) for field in schema):
        raise Unreadable("nested")
    names = [str(name) for name in clean(pl.Series(schema.names, dtype=pl.String))]
    names = [name or f"column_{index + 1}" for index, name in enumerate(names)]
    if len(set(names)) != len(names):
        raise Unreadable("duplicate")
    document.pieces.extend(_hidden(meta.metadata, "metadata"))
    for index, field in enumerate(schema):
        document.pieces.extend(_hidden(field.metadata, f"metadata of column {index + 1}"))
    frame = pl.DataFrame(pl.from_arrow(file.read(use_threads=False).replace_schema_metadata(None)))
    document.tables.append(laid(names, frame))
