"""A column as its distinct values and the number of each row's value: what is asked of a value is asked once,
however often it stands in the column. A million rows of labels cost what twenty labels do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Column:
    """``values``: the distinct known values in the order in which they first stand in the column. ``codes``:
    the place in them of each row's value; -1 where there is none."""

    values: pl.Series
    codes: np.ndarray
    _memo: dict[str, Any] = field(default_factory=dict, repr=False)

    def spread(self, of: np.ndarray, missing: Any) -> np.ndarray:
        """``of`` has one item a distinct value; gives one a row, ``missing`` where there is no value."""
        return np.asarray(np.append(of, np.array([missing], dtype=of.dtype))[self.codes])

    def rows(self, of: pl.Series) -> pl.Series:
        """The same of a series, with nulls where there is no value."""
        at = pl.Series(self.codes)
        return of.gather(at.set(at < 0, None))

    @property
    def n_unique(self) -> int:
        """How many different cells there are; a missing value is one."""
        return len(self.values) + bool((self.codes < 0).any())

    def times(self) -> np.ndarray:
        """How many rows have each of the values."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))

    def once(self, name: str, make: Callable[[pl.Series], Any]) -> Any:
        """``make(values)``, computed once for a ``name``."""
        if name not in self._memo:
            self._memo[name] = make(self.values)
        return self._memo[name]


def encode(values: pl.Series) -> Column:
    """A series (text, numbers, days, truth values) as a column. Not a number is a value like others."""
    if values.dtype == pl.Null:
        return Column(values.clear(), np.full(len(values), -1, dtype=np.int32))
    array = values.rename("").to_arrow()
    coded = (array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array).dictionary_encode()
    codes = pl.Series(coded.indices).fill_null(-1).to_numpy()
    return Column(pl.Series(values.name, coded.dictionary).cast(values.dtype), codes)


def renumbered(column: Column, values: pl.Series) -> Column:
    """The column after each of its distinct values became the one of ``values`` in the same place: equal ones
    are one value, nulls are none."""
    merged = encode(values)
    if np.array_equal(merged.codes, np.arange(len(column.values))):  # as different as before
        return Column(merged.values, column.codes)
    return Column(merged.values, column.spread(merged.codes, -1))
