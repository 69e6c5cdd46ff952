"""What leaves: the form written anew. The same form always gives the same bytes, and only this leaves.

``canonical(read(canonical(read(x)))) == canonical(read(x))`` for every form.
"""

from __future__ import annotations

import io
import json
import re
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from sandbox.egress.clean import clean, clean_text
from sandbox.egress.forms import Document, Table, Unreadable
from sandbox.egress.readers.markdown import COMMENT
from sandbox.egress.readers.sniff import sniff

_BARE = re.compile(r"[\w%()./][\w %()./\-]*")


def _sorted(table: Table, ordered: bool) -> pl.DataFrame:
    frame = table.data
    return frame if ordered or frame.width == 0 else frame.sort(frame.columns, nulls_last=False)


def _csv(document: Document, ordered: bool) -> bytes:
    frame = _sorted(document.tables[0], ordered)
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


def _parquet(document: Document, ordered: bool) -> bytes:
    arrow = _sorted(document.tables[0], ordered).to_arrow()
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


def _value(value: Any, ordered: bool) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e15 else value
    if isinstance(value, dict):
        return {clean_text(name): _value(child, ordered) for name, child in value.items()}
    if isinstance(value, list):
        items = [_value(child, ordered) for child in value]
        if not ordered and items and all(isinstance(item, dict) for item in items):
            items.sort(key=_dump)
        return items
    return value


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _json(document: Document, ordered: bool) -> bytes:
    return (_dump(_value(document.body, ordered)) + "\n").encode()


def _jsonl(document: Document, ordered: bool) -> bytes:
    lines = [_dump(_value(value, ordered)) for value in document.body]
    return ("\n".join(lines if ordered else sorted(lines)) + "\n").encode()


def _markdown(document: Document, ordered: bool) -> bytes:
    text = str(document.body)
    while True:
        lines = pl.Series(text.split("\n"), dtype=pl.String)
        indent = [min(12, len(line) - len(line.lstrip(" "))) // 2 * 2 for line in lines]
        tidy = [" " * depth + line if line else "" for depth, line in zip(indent, clean(lines), strict=True)]
        fresh = re.sub(r"\n{3,}", "\n\n", COMMENT.sub("", "\n".join(tidy))).strip("\n")
        if fresh == text:
            return (fresh + "\n").encode()
        text = fresh


def _png(document: Document, ordered: bool) -> bytes:
    # The two low bits of each channel are filled from the high ones: what they carried is gone.
    image: Image.Image = document.body.point([value & 0xFC | value >> 6 for value in range(256)] * 3)
    sink = io.BytesIO()
    image.save(sink, format="PNG", compress_level=6)
    return sink.getvalue()


_WRITERS = {
    "csv": _csv,
    "parquet": _parquet,
    "json": _json,
    "jsonl": _jsonl,
    "markdown": _markdown,
    "png": _png,
}


def canonical(document: Document, ordered: bool = False) -> bytes:
    """The bytes of a readable ``document`` as they may leave. ``ordered``: its row order was declared."""
    return _WRITERS[document.form](document, ordered)
