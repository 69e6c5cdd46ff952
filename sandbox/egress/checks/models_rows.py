"""Raw rows inside a model's arrays: as they are, standardised, scaled to the unit interval, in short floats.

Each column of an array is compared with each numeric raw column in every dress; rows are then looked for by
the columns recognised together. Chance is measured: the same comparison after the array's columns were
rolled against each other, or its values moved by a hair, must find far fewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.facts import raw_numbers
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import RawIndex, quote

_LEAST = 3  # rows that chance must not explain
_VALUES_LEAST = 8  # values of few persons in one column, which a dense raw column shares with any numbers
_SHARE = 0.5  # of a column of the array that must be values of the raw column
_COLUMNS = 400  # of an array that are looked at from either side
_VALUES = 200_000  # of a column
_GLANCE = 300  # values of a column by which its raw column is recognised
_MOVED = 3e-3  # relative; a raw column so dense that moved values are found as often tells nothing
_TYPES: tuple[type, ...] = (np.float64, np.float32, np.float16)


def _raw(index: RawIndex) -> dict[str, np.ndarray]:
    """Numeric raw columns, in row order."""
    names = raw_numbers(index)
    if not names:
        return {}
    selects = ", ".join(f"CAST({quote(name)} AS DOUBLE) AS {quote(name)}" for name in names)
    frame = index.engine.frame(f"SELECT {selects} FROM {index.view}")
    return {name: frame[name].cast(float).fill_null(np.nan).to_numpy() for name in names}


def dresses(values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(what was done, values) of a raw column: raw, standardised by either deviation, scaled to [0, 1]."""
    known = values[np.isfinite(values)]
    yield "raw", values
    if len(known) > 1 and known.max() > known.min():
        for name, spread in (("standardised", known.std()), ("standardised, n-1", known.std(ddof=1))):
            yield name, (values - known.mean()) / spread
        yield "unit interval", (values - known.min()) / (known.max() - known.min())


def _rounded(values: np.ndarray, dtype: type) -> np.ndarray:
    """As the shorter float writes them, to five digits for float64: summation orders differ in the last."""
    with np.errstate(over="ignore"):
        short = values.astype(dtype).astype(np.float64)
    return short if dtype is np.float16 else np.round(short, 5) if np.nanmax(np.abs(short)) < 1e4 else short


def _columns(values: np.ndarray) -> Iterator[np.ndarray]:
    """Two-dimensional readings of an array: its columns, its rows as columns, and both when its numbers were
    written column by column, as some writers do by mistake."""
    if values.dtype.kind not in "fiu" or values.size < _LEAST or values.ndim == 0:
        return
    table = values.reshape(values.shape[0], -1) if values.ndim > 1 else values.reshape(-1, 1)
    turned = table.reshape(table.shape[::-1])
    readings = [table, table.T] if 1 in table.shape else [table, table.T, turned.T, turned]
    for reading in readings:
        if reading.shape[0] >= _LEAST and 1 <= reading.shape[1] <= _COLUMNS:
            yield reading[:_VALUES].astype(np.float64)


def _place(column: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Position of each value of ``column`` in the sorted ``known``; -1 where it is none of them."""
    at = np.minimum(np.searchsorted(known, column), len(known) - 1)
    return np.where(known[at] == column, at, -1)


class _Dressed:
    """A raw column in one dress and one width: sorted values, the place of each row's, how many rows each."""

    def __init__(self, column: str, dress: str, values: np.ndarray, dtype: type) -> None:
        self.column, self.dress, self.dtype = column, dress, dtype
        short = _rounded(values, dtype)
        self.known, codes, self.counts = np.unique(short, return_inverse=True, return_counts=True)
        self.codes = np.where(np.isfinite(short), codes, -1)

    def find(self, column: np.ndarray) -> np.ndarray:
        """Codes of the values of ``column``."""
        return _place(_rounded(column, self.dtype), self.known)


def _single(column: np.ndarray, dressed: _Dressed, threshold: float) -> int:
    """Distinct values of ``column`` that fewer than ``threshold`` rows have, beyond what chance finds."""
    values = np.unique(column[np.isfinite(column)])
    rare = np.append(dressed.counts < threshold, False)
    hits = int(rare[dressed.find(values)].sum())
    chance = max(int(rare[dressed.find(values * (1 + move * _MOVED))].sum()) for move in (-3, -1, 1, 3))
    return hits if hits >= _VALUES_LEAST and hits >= _SHARE * len(values) and hits > 4 * chance + 2 else 0


def _joint(table: np.ndarray, matched: list[tuple[int, _Dressed]]) -> int:
    """Rows of ``table`` that are raw rows over the matched columns, beyond what rolled columns give."""
    raw = np.stack([dressed.codes for _, dressed in matched])
    whole = (raw >= 0).all(axis=0)
    sizes = [len(dressed.known) + 1 for _, dressed in matched]
    if np.prod([float(size) for size in sizes]) > 2**62:
        matched, raw, sizes = matched[:3], raw[:3], sizes[:3]
    known = np.unique(np.ravel_multi_index(tuple(raw[:, whole]), sizes))

    def count(shift: int) -> int:
        codes = np.stack([np.roll(d.find(table[:, k]), shift * i) for i, (k, d) in enumerate(matched)])
        inside = (codes >= 0).all(axis=0)
        if not inside.any():
            return 0
        rows = np.ravel_multi_index(tuple(codes[:, inside]), sizes)
        return int(np.isin(rows, known).sum())

    hits, chance = count(0), max(count(1), count(2))
    return hits if hits >= _LEAST and hits > 2 * chance + 2 else 0


class Wardrobe:
    """Numeric raw columns in every dress and width, built once a raw table."""

    def __init__(self, raw: dict[str, np.ndarray], threshold: float) -> None:
        self.threshold = threshold
        self.clothes = [
            _Dressed(name, dress, worn, dtype)
            for name, column in raw.items()
            if np.isfinite(column).any()
            for dress, worn in dresses(column)
            for dtype in _TYPES
        ]
        self.every = {
            dtype: np.unique(np.concatenate([d.known for d in self.clothes if d.dtype is dtype]))
            for dtype in _TYPES
            if self.clothes
        }

    def dressed(self, values: np.ndarray) -> _Dressed | None:
        """The raw column and dress that ``values`` are mostly taken from, if there is one."""
        glance = values[:: max(1, len(values) // _GLANCE)]
        short = {dtype: _rounded(glance, dtype) for dtype in _TYPES}
        if all((_place(short[dtype], known) >= 0).mean() < _SHARE for dtype, known in self.every.items()):
            return None
        shares = [float((_place(short[one.dtype], one.known) >= 0).mean()) for one in self.clothes]
        best = int(np.argmax(shares))
        return self.clothes[best] if shares[best] >= _SHARE else None

    def find(self, values: np.ndarray) -> tuple[int, int, str]:
        """(rows or values found, columns together, dress) in the array ``values``; zeros where nothing is."""
        best = (0, 0, "")
        for table in _columns(values) if self.clothes else ():
            matched: dict[str, tuple[int, _Dressed]] = {}
            for k in range(table.shape[1]):
                finite = table[:, k][np.isfinite(table[:, k])]
                if len(finite) < _LEAST or len(np.unique(finite)) < 2:
                    continue
                dressed = self.dressed(finite)
                if dressed is None:
                    continue
                matched.setdefault(dressed.column, (k, dressed))
                best = max(best, (_single(finite, dressed, self.threshold), 1, dressed.dress))
            if len(matched) > 1:
                pairs = list(matched.values())
                best = max(best, (_joint(table, pairs), len(pairs), pairs[0][1].dress))
        return best if best[0] else (0, 0, "")


def run(document: Document, context: Context) -> Iterable[Finding]:
    """One finding an array and raw table."""
    for index in context.indexes:
        wardrobe = Wardrobe(_raw(index), context.min_cell(index.name))
        for array in document.arrays:
            count, columns, dress = wardrobe.find(array.values)
            if count:
                evidence = {"count": count, "columns": columns, "method": dress, "family": 5}
                yield finding("MODEL_ROWS", document.shown, array.name, evidence, raw=index.name)


CHECK = Check(("MODEL_ROWS",), "model", run, ("egress.min_cell", "egress.min_cell_sensitive"), raw=True)
