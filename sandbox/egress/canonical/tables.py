"""Files that are one table: CSV and Parquet."""

from __future__ import annotations

import io
import re

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.egress.clean import clean_text
from sandbox.egress.forms import Document, Table, Unreadable
from sandbox.egress.readers.sniff import sniff

_BARE = re.compile(r"[\w%()./][\w %()./\-]*")


def in_order(table: Table, ordered: bool) -> pl.DataFrame:
    """The cleaned rows of ``table``: sorted by all columns unless their order was declared."""
    frame = table.data
    return frame if ordered or frame.width == 0 else frame.sort(frame.columns, nulls_last=False)


def csv(document: Document, ordered: bool) -> bytes:
    """UTF-8, least quoting, notes first."""
    frame = in_order(document.tables[0], ordered)
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


def parquet(document: Document, ordered: bool) -> bytes:
    """Columns of plain types without dictionary, statistics or metadata."""
    arrow = in_order(document.tables[0], ordered).to_arrow()
    plain = {pa.large_string(): pa.string(), pa.string_view(): pa.string()}
    schema = pa.schema([pa.field(f.name, plain.get(f.type, f.type)) for f in arrow.schema])
    sink = io.BytesIO()
    pq.write_table(
        arrow.cast(schema).combine_chunks(),
        sink,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
        version="2.6",
    )
    return sink.getvalue()
