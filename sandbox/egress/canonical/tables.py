"""Files that are one table: CSV, Parquet and Arrow IPC."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sandbox.egress.bands import MARGIN
from sandbox.egress.canonical.numbers import steady
from sandbox.egress.clean import clean_text
from sandbox.egress.columns import Column, renumbered
from sandbox.egress.forms import Document, Table, Unreadable
from sandbox.egress.readers.sniff import sniff

_LONG = 10_000  # rows from which a table is sorted by ranks
_SPAN = 1 << 62  # numbers of mixed radix stay below
_BARE = re.compile(r"[\w%()./][\w %()./\-]*")


def _place(frame: pl.DataFrame, name: str) -> tuple[Any, ...]:
    """Where a column stands that nobody declared: labels first, then by name, numbers in it by their value,
    totals last. So the order of columns says nothing."""
    parts = re.split(r"([0-9]+)", name)
    natural = [(int(part), part) if i % 2 else (-1, part) for i, part in enumerate(parts)]
    return frame[name].dtype.is_numeric(), bool(MARGIN.fullmatch(name)), natural


def _names(table: Table, document: Document) -> list[str]:
    frame = table.data
    listed = [name for name in document.columns if name in frame.columns]
    return listed + sorted(set(frame.columns) - set(listed), key=lambda name: _place(frame, name))


def order_of(table: Table, document: Document, ordered: bool) -> tuple[list[str], pl.Series | None]:
    """How ``in_order`` arranges a table: the names of its columns, and the rows as they were read, in the
    order in which they leave; None where that is not looked up (declared, or a long table)."""
    names = _names(table, document)
    if ordered or not names or table.data.height >= _LONG:
        return names, None
    kept = [_kept(table.data[name]).alias(f"c{place}") for place, name in enumerate(names)]
    rows = pl.DataFrame([*kept, pl.arange(table.data.height, eager=True).alias("row")])
    return names, rows.sort([one.name for one in kept], nulls_last=False, maintain_order=True)["row"]


def in_order(table: Table, document: Document, ordered: bool) -> pl.DataFrame:
    """The cleaned rows of ``table``: columns as ``document.columns`` lists them, the others by ``_place``;
    numbers to twelve digits; rows sorted by all columns unless their order was declared."""
    frame, names = table.data, _names(table, document)
    if frame.height < _LONG:
        frame = frame.select([_kept(frame[name]) for name in names])
        return frame if ordered or not names else frame.sort(names, nulls_last=False)
    columns = {name: renumbered(table.column(name), _kept(table.column(name).values)) for name in names}
    place = None if ordered else pl.Series(_order(list(columns.values())))
    rows = {name: column.rows(column.values) for name, column in columns.items()}
    return pl.DataFrame(
        {name: cells if place is None else cells.gather(place) for name, cells in rows.items()}
    )


def _kept(values: pl.Series) -> pl.Series:
    return steady(values) if values.dtype.is_float() else values


def _order(columns: list[Column]) -> np.ndarray:
    """The places of the rows sorted by ``columns``, nulls first. Ranks of several columns make one number:
    a long table is sorted by a few numbers and not by all of its text."""
    keys: list[np.ndarray] = []
    span = _SPAN
    for column in columns:
        many = len(column.values) + 1
        rank = np.zeros(many, dtype=np.int64)  # the last one: no value
        rank[column.values.arg_sort().to_numpy()] = np.arange(1, many)
        if span * many >= _SPAN:
            keys.append(rank[column.codes])
            span = many
        else:
            keys[-1] = keys[-1] * many + rank[column.codes]
            span *= many
    return np.lexsort(keys[::-1])


def csv(document: Document, ordered: bool) -> bytes:
    """UTF-8, least quoting, notes first."""
    frame = in_order(document.tables[0], document, ordered)
    # An empty line would be no row: the only cell of a row is written as an empty string.
    empty = '""' if frame.width == 1 else ""
    body = frame.write_csv(
        include_header=False, line_terminator="\n", quote_style="necessary", null_value=empty
    )
    notes = "".join(f"{clean_text(note)}\n" for note in document.body or [])
    for first in (_BARE, None):  # a first name that looks like another format's mark is quoted
        names = [
            name if pattern and pattern.fullmatch(name) else '"' + name.replace('"', '""') + '"'
            for name, pattern in zip(frame.columns, [first, *[_BARE] * (frame.width - 1)], strict=True)
        ]
        data = f"{notes}{','.join(names)}\n{body}".encode()
        try:
            sniff("a.csv", data)
        except Unreadable:
            continue
        break
    return data


def _arrow(document: Document, ordered: bool) -> Any:
    """The table in Arrow's plain types, one chunk."""
    frame = in_order(document.tables[0], document, ordered)
    plain = {pa.large_string(): pa.string(), pa.string_view(): pa.string()}
    names, arrays = frame.columns, []
    for name in names:  # one after the other: a long table is not held twice
        array = frame.drop_in_place(name).to_arrow()
        arrays.append(array.cast(plain.get(array.type, array.type)))
    return pa.Table.from_arrays(arrays, names=names)


def _blank(column: Any) -> Any:
    """One column with nothing in the slots of its nulls, where a value could hide."""
    kind, rows = column.type, len(column)
    if pa.types.is_null(kind) or not rows:
        return pa.array([None] * rows, kind)
    valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
    if pa.types.is_boolean(kind) or pa.types.is_string(kind):
        filled = pc.fill_null(column, False if pa.types.is_boolean(kind) else "")
        values = pa.array(filled.to_pylist(), kind).buffers()[1:]
    else:
        width = kind.bit_width // 8
        start = column.offset * width
        flat = np.frombuffer(column.buffers()[1], np.uint8)[start : start + rows * width].copy()
        flat.reshape(rows, width)[~valid] = 0
        values = [pa.py_buffer(flat.tobytes())]
    mask = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(kind, rows, [None if valid.all() else mask, *values])


def arrow(document: Document, ordered: bool) -> bytes:
    """The same as uncompressed Arrow IPC, a file or a stream as it came; one record batch."""
    table = _arrow(document, ordered)
    columns = [
        _blank(pa.concat_arrays(column.chunks or [pa.array([], column.type)])) for column in table.columns
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=table.schema)
    sink = io.BytesIO()
    with (pa.ipc.new_file if document.body else pa.ipc.new_stream)(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def parquet(document: Document, ordered: bool) -> bytes:
    """Columns of plain types without dictionary, statistics or metadata."""
    sink = io.BytesIO()
    pq.write_table(
        _arrow(document, ordered),
        sink,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
        version="2.6",
    )
    return sink.getvalue()
