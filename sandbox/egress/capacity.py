"""Capacity: how many bits an untrusted job could have hidden in what is to leave, at most.

The bound is on the canonical form: order, metadata, quoting and spelling are ours by then. A table that was
recomputed carries what could be said by choosing its presentation; any other number carries as many values as
its column has steps from nought to its largest, a label its characters or its place among the labels, text
its characters, a picture its pixels. No file carries more than it has bits; models, charts and drawings are
charged with all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from sandbox.egress.columns import Column, encode
from sandbox.egress.context import Context
from sandbox.egress.digits import spelled
from sandbox.egress.forms import Document, Table
from sandbox.egress.layout import running_text
from sandbox.egress.shape import as_numbers

# Bits a character can carry: printable ASCII (95 of them), and the unified ideographs of the Basic
# Multilingual Plane (20,992). What else there is counts as the latter.
_ASCII, _OTHER = math.log2(95), math.log2(20_992)
_DOUBLE = 64.0
_PIXEL = 18.0  # three channels of eight bits, of which the canonical form fills the lowest two itself

# Forms that say more than is measured here: wiring, sizes, scalars and names of models, scales and marks of
# charts. They count with every bit that is written, and so does any file with a drawing (its coordinates).
_WHOLE = frozenset({"onnx", "skops", "safetensors", "chart"})
_ARRANGED = frozenset({"csv", "parquet", "arrow", "xlsx", "json", "jsonl"})  # whose columns we put in order


def text_bits(values: Iterable[str]) -> float:
    """Bits that strings can carry in their characters."""
    total = other = 0
    for value in values:
        total += len(value)
        other += sum(ord(char) > 126 for char in value)
    return _ASCII * (total - other) + _OTHER * other


def number_bits(values: pl.Series, column: Column | None = None) -> float:
    """Bits that a column of numbers can carry: for each cell the steps between nought and the largest, of the
    finest digit that is written; one more where there are negative ones, one more where some are missing.

    ``column``: the same cells, encoded as numbers, or as text of which each is a number."""
    column = encode(values) if column is None else column
    known = as_numbers(column.values).to_numpy()
    finite = np.isfinite(known)
    count, known = int(column.times()[finite].sum()), known[finite]
    missing = float(len(values)) if count < len(values) else 0.0
    if not count:
        return missing
    largest = float(np.abs(known).max())
    step = 2 * float(spelled(known)[1].min())
    # a number so small that its step is nought to a double may be any
    each = min(_DOUBLE, math.log2(largest / step + 1) if step else _DOUBLE) if largest else 0.0
    signs = 1.0 if float(known.min()) < 0 else 0.0
    return count * (each + signs) + missing


def label_bits(values: pl.Series, column: Column | None = None) -> float:
    """Bits that a column of text can carry: each cell its characters, or all labels once and for each cell
    which of them it is, whichever is less."""
    column = encode(values.cast(pl.String)) if column is None else column
    text, times = column.values.cast(pl.String), pl.Series(column.times())
    if not len(text):
        return 0.0
    size = text.str.len_chars()
    other = text.str.replace_all(r"[\x00-\x7E]", "").str.len_chars()
    bits = _ASCII * (size - other) + _OTHER * other
    each = float((bits * times).sum())
    listed = float(bits.sum()) + len(values) * math.log2(len(text) + 1)
    return min(each, listed)


def noisy_bits(values: pl.Series, noise: float) -> float:
    """Bits that a column of numbers can carry through noise of the entropy ``noise`` (bits): for each cell
    log2(1 + R / 2^noise), R being the range (McKellips 2004, of the channel with bounded peak)."""
    known = as_numbers(values.cast(pl.String)).to_numpy()
    known = known[np.isfinite(known)]
    if not len(known):
        return 0.0
    reach = float(np.abs(known).max()) * (2 if float(known.min()) < 0 else 1)
    return len(known) * math.log2(1 + reach / 2.0**noise) + (
        float(len(values)) if len(known) < len(values) else 0.0
    )


def table_bits(table: Table, noise: Mapping[str, float] | None = None) -> float:
    """Bits of a table that was not recomputed: its cells and its column names; the order of rows is ours.

    ``noise``: of columns whose numbers carry noise, its entropy in bits."""
    bits = text_bits(table.columns)
    for name in table.columns:
        values, column = table.data[name], table.column(name)
        plain = values.dtype.is_numeric() or not as_numbers(column.values).null_count()
        most = (number_bits if plain else label_bits)(values, column)
        bits += min(most, noisy_bits(values, noise[name])) if noise and plain and name in noise else most
    return bits


def order_bits(many: int) -> float:
    """Bits in the order of so many rows or columns, where it is not ours: log2 of the permutations."""
    return math.lgamma(many + 1) / math.log(2)


def document_bits(context: Context, document: Document) -> float:
    """Bits of one file, its members not included."""
    bits = 0.0
    declared, paid = context.declared.get(document.path), context.payment(document)
    ordered = document.ordered or bool(declared and declared.ordered)
    for table in document.tables:
        told = context.recomputed.get(id(table))
        if told is None or told.why:
            bits += table_bits(table, paid.noise if paid else None)
        else:  # of a statement the names are known, and compared
            bits += told.bits + (0.0 if told.support.width else text_bits(_free_names(context, table)))
        bits += order_bits(table.data.height) if ordered else 0.0
        bits += order_bits(table.data.width) if document.form not in _ARRANGED else 0.0
    bits += text_bits(piece.text for piece in running_text(document))
    bits += sum(_PIXEL * picture.pixels.width * picture.pixels.height for picture in document.pictures)
    bits += sum(8.0 * array.values.nbytes for array in document.arrays)
    if document.outer:  # a member of an archive keeps the name that the job gave it
        bits += text_bits([document.path.removeprefix(f"{document.outer}/")])
    return bits


def _free_names(context: Context, table: Table) -> Iterable[str]:
    """Names of columns that nobody knew before the job: neither declared, nor of a raw column."""
    known = {column for index in context.indexes for column in index.columns}
    known |= {column for item in context.declared.values() for column in item.columns}
    return (name for name in table.columns if name not in known)


def capacity(context: Context, sizes: Mapping[str, int]) -> dict[str, Any]:
    """``{"bits", "files": [{"path", "bits", "tables", "recomputed"}]}``, whole bits. ``sizes``: bytes of the
    canonical files that were written, by path: no file carries more than eight bits a byte of it."""
    files: list[dict[str, Any]] = []
    for document in context.documents:
        if document.outer:
            continue
        bits = sum(document_bits(context, part) for part in document.family())
        whole = 8.0 * sizes.get(document.path, document.size)
        if any(part.drawings or part.form in _WHOLE for part in document.family()):
            bits = whole
        elif document.path in sizes:
            bits = min(bits, whole)
        tables = [table for part in document.family() for table in part.tables]
        ours = [table for table in tables if _ours(context, table)]
        files.append(
            {
                "path": document.shown,
                "bits": math.ceil(bits - 1e-9),
                "tables": len(tables),
                "recomputed": len(ours),
            }
        )
    return {"bits": sum(file["bits"] for file in files), "files": files}


def _ours(context: Context, table: Table) -> bool:
    told = context.recomputed.get(id(table))
    return told is not None and not told.why
