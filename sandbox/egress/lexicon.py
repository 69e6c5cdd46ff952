"""Looking many strings up among very many: distinct raw values, and raw names inside running text.

Both work by hashes in sorted arrays, so that a look-up costs what is asked for and not what is known.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

_BUCKETS = 20  # bits of the table of beginnings
_LONGEST = 63  # lengths above share one bit


def hashes(values: pl.Series) -> np.ndarray:
    """64 bits a string; the same string gives the same bits within this process."""
    return np.asarray(values.cast(pl.String).hash(seed=7).to_numpy())


class Lexicon:
    """Distinct strings (no nulls) that are found again by their position in ``values``."""

    def __init__(self, values: pl.Series) -> None:
        self.values = values
        bits = hashes(values)
        self._order = np.argsort(bits)
        self._bits = bits[self._order]

    def find(self, wanted: pl.Series, bits: np.ndarray | None = None) -> np.ndarray:
        """The position of each of ``wanted`` in ``values``; -1 where it is none of them, or null.

        ``bits``: the ``hashes`` of ``wanted``, for whoever asks several times."""
        result = np.full(len(wanted), -1, dtype=np.int64)
        if not len(self.values) or not len(wanted):
            return result
        bits = hashes(wanted) if bits is None else bits
        place = np.minimum(np.searchsorted(self._bits, bits), len(self._bits) - 1)
        near = np.flatnonzero(self._bits[place] == bits)
        if not len(near):
            return result
        found = self._order[place[near]]
        same = (self.values.gather(found) == wanted.gather(near)).fill_null(False).to_numpy()
        result[near[same]] = found[same]
        return result


def _points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)


def _beginnings(points: np.ndarray) -> np.ndarray:
    """The bucket of the three characters from each position on."""
    mixed = points[:-2] * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= points[1:-1] * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= points[2:] * np.uint64(0x165667B19E3779F9)
    return np.asarray(mixed >> np.uint64(64 - _BUCKETS)).astype(np.int64)


class Phrases:
    """Which of many strings, of three characters and more, stand inside text that has no boundaries."""

    def __init__(self, keys: pl.Series) -> None:
        keys = keys.filter(keys.str.len_chars() >= 3)
        self.lengths = sorted({int(n) for n in keys.str.len_chars().unique()})
        self._lexicon = Lexicon(keys)
        self._first = np.zeros(1 << _BUCKETS, dtype=np.uint64)
        if len(keys):
            begun = keys.str.slice(0, 3).str.join("")
            bits = np.uint64(1) << np.minimum(keys.str.len_chars().to_numpy(), _LONGEST).astype(np.uint64)
            np.bitwise_or.at(self._first, _beginnings(_points(str(begun[0])))[::3], bits)

    def find(self, texts: Iterable[str]) -> list[str]:
        """Every occurrence of a key inside one of ``texts``."""
        joined = "\x00".join(texts)
        if len(joined) < 3 or not self.lengths:
            return []
        starts = self._first[_beginnings(_points(joined))]
        windows: list[str] = []
        for length in self.lengths:
            here = np.flatnonzero(starts >> np.uint64(min(length, _LONGEST)) & np.uint64(1))
            windows += [joined[i : i + length] for i in here.tolist()]
        if not windows:
            return []
        asked = pl.Series(windows, dtype=pl.String)
        return asked.filter(pl.Series(self._lexicon.find(asked) >= 0, dtype=pl.Boolean)).to_list()
