"""A column of the raw data written out in its own order, in running text: one value after the other.

No person is told by other values here, but whoever has the column in order has the raw file's column (R-139).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.passages import open_columns, tokens
from sandbox.egress.clean import fold
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.layout import running_text
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import RawIndex, numeric

_RUN = 8  # values in a row that must follow each other as in the raw data
_DISTINCT = 6  # of them that must differ: runs of one common value are in every order
_LEAST = 100  # values a column must have: eight in their order are then no chance
_PLAIN = re.compile(r"\d+(?:\.\d+)?")
_PRIME = np.uint64(0x9E3779B97F4A7C15)


def _runs(ranks: np.ndarray) -> np.ndarray:
    """64 bits for each run of ``_RUN`` ranks; what is in order of size, or holds few values, is left out:
    numbered lists and sorted tables look alike everywhere."""
    if len(ranks) < _RUN:
        return np.zeros(0, dtype=np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(ranks, _RUN)
    steps = np.diff(windows, axis=1)
    mixed = (steps > 0).any(axis=1) & (steps < 0).any(axis=1)
    windows = windows[mixed]
    windows = windows[(np.diff(np.sort(windows, axis=1), axis=1) != 0).sum(axis=1) + 1 >= _DISTINCT]
    bits: np.ndarray = np.zeros(len(windows), dtype=np.uint64)
    for column in windows.T:
        bits = (bits ^ (column.astype(np.uint64) + np.uint64(1))) * _PRIME
        bits ^= bits >> np.uint64(29)
    return bits


def _written_out(index: RawIndex, column: str, asked: pl.Series) -> int:
    """How many runs of ``asked`` stand in the raw column in the same order, forwards or backwards."""
    coded = index.coded(column)
    ours = coded.lexicon.find(asked)
    ours = ours[ours >= 0]
    if len(ours) < _RUN:
        return 0
    values = coded.values.cast(pl.Float64) if numeric(index.kinds[column]) else coded.values
    ranks = values.rank("dense").cast(pl.Int64).to_numpy()
    known = ranks[coded.codes[coded.codes >= 0]]
    theirs = np.concatenate([_runs(known), _runs(known[::-1])])
    return int(np.isin(_runs(ranks[ours]), theirs).sum())


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Hard, with the number of values in raw order and the number of columns."""
    pieces = pl.Series([piece.text for piece in running_text(document)], dtype=pl.String)
    if not len(pieces):
        return
    lines = fold(pieces).to_list()
    # In a list without spaces a comma divides; elsewhere it may mark thousands.
    plain = [(0, v.removesuffix(".0")) for line in lines for v in _PLAIN.findall(line)]
    sequences = [pl.Series([v for _, v in found], dtype=pl.String) for found in (*tokens(lines), plain)]
    for index in context.indexes:
        columns = [c for c in open_columns(index) if index.cardinality[c] >= _LEAST]
        found = [max(_written_out(index, c, asked) for asked in sequences) for c in columns]
        if any(found):
            evidence = {"count": max(found) + _RUN - 1, "columns": sum(map(bool, found)), "basis": "sequence"}
            yield finding("RAW_OVERLAP", document.shown, "text", evidence, raw=index.name)


CHECK = Check(("RAW_OVERLAP",), "text", run, raw=True, exact=True)
