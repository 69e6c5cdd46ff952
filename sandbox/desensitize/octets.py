"""Text of one length as rows of bytes, and back, without a Python object a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Octets = NDArray[np.uint8]


def of_text(values: pl.Series, length: int) -> Octets:
    """``values`` (text without nulls, ``length`` ASCII characters each) as rows of bytes, to be written
    to."""
    text = values.to_arrow()
    _, ends, letters = text.buffers()
    first = int(np.frombuffer(ends, dtype=np.int64)[text.offset]) if len(text) else 0
    octets = np.frombuffer(letters or b"", dtype=np.uint8)[first : first + len(text) * length]
    return octets.reshape(-1, length).copy()


def as_text(octets: Octets) -> pl.Series:
    """Rows of ASCII bytes as text."""
    ends = np.arange(0, octets.size + 1, octets.shape[1], dtype=np.int64)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(octets))]
    return pl.Series(pa.Array.from_buffers(pa.large_string(), len(octets), buffers), dtype=pl.String)
