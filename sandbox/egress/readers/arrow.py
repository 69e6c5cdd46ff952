"""Arrow IPC files (Feather 2) and streams: flat columns of plain types; all metadata comes to light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from sandbox.egress.clean import clean
from sandbox.egress.forms import Budget, Document, Piece, Unreadable
from sandbox.egress.readers.parquet import laid, plain
from sandbox.egress.readers.zips import shown

_FILE = b"ARROW1"


def _told(document: Document, where: str, metadata: Mapping[bytes, bytes] | None) -> None:
    for name, value in (metadata or {}).items():
        if name not in (b"ARROW:schema", b"pandas"):
            text = f"{shown(bytes(name))}: {shown(bytes(value))}"
            document.pieces.append(Piece(where, text, hidden=True))


def _batches(document: Document, data: bytes, budget: Budget) -> tuple[Any, list[Any]]:
    """(schema, record batches), each batch validated in full before anything touches its values.

    Raises ``Unreadable`` (size, trailing, malformed).
    """
    source = pa.BufferReader(data)
    whole = data.startswith(_FILE)
    if whole and not data.endswith(_FILE):
        raise Unreadable("trailing")
    options = pa.ipc.IpcReadOptions(use_threads=False)
    try:
        reader = (pa.ipc.open_file if whole else pa.ipc.open_stream)(source, options=options)
        found: list[Any] = []
        held = 0
        for number in range(reader.num_record_batches) if whole else iter(int, 1):
            try:
                batch, metadata = (
                    reader.get_batch_with_custom_metadata(number)
                    if whole
                    else reader.read_next_batch_with_custom_metadata()
                )
            except StopIteration:
                break
            _told(document, f"metadata of batch {len(found) + 1}", metadata)
            batch.validate(full=True)
            held += batch.nbytes
            rows = sum(item.num_rows for item in found) + batch.num_rows
            if held > 4 * budget.file_bytes or rows * max(1, batch.num_columns) > budget.cells:
                raise Unreadable("size")
            if len(found) >= 100_000:
                raise Unreadable("size")
            found.append(batch)
        if not whole and source.tell() != len(data):
            raise Unreadable("trailing")
        if whole:
            _told(document, "metadata of the file", getattr(reader, "metadata", None))
        return reader.schema, found
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError):
        raise Unreadable("malformed") from None


def _unused(document: Document, column: Any, where: str) -> None:
    """Entries of a dictionary that no row uses."""
    for chunk in column.chunks if pa.types.is_dictionary(column.type) else ():
        used = set(chunk.indices.drop_null().to_pylist())
        for number, value in enumerate(chunk.dictionary.to_pylist()):
            if number not in used and value is not None:
                document.pieces.append(Piece(where, str(value), hidden=True))


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document`` with one table; ``body`` says whether it is a file. Raises ``Unreadable``."""
    schema, batches = _batches(document, data, budget)
    if not len(schema):
        raise Unreadable("empty")
    if len(schema) > budget.columns:
        raise Unreadable("size")
    if not all(plain(field.type) for field in schema):
        raise Unreadable("nested")
    _told(document, "metadata", schema.metadata)
    names = [str(name) for name in clean(pl.Series(schema.names, dtype=pl.String))]
    names = [name or f"column_{index + 1}" for index, name in enumerate(names)]
    if len(set(names)) != len(names):
        raise Unreadable("duplicate")
    table = pa.Table.from_batches(batches, schema)
    for index, field in enumerate(schema):
        _told(document, f"metadata of column {index + 1}", field.metadata)
        _unused(document, table.column(index), f"unused dictionary entry of column {index + 1}")
    values = {name: pl.from_arrow(_decoded(table.column(i))) for i, name in enumerate(names)}
    document.tables.append(laid(names, pl.DataFrame(values)))
    document.body = data.startswith(_FILE)


def _decoded(column: Any) -> Any:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
