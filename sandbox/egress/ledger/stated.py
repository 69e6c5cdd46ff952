"""Differences of counts as they were published: what the entity sets cannot show.

A table over all but one person has, by its definition, the cells of the table over all: only its numbers say
that somebody is missing. So wherever numbers are not the recount, cells of one definition, and all the totals
that both tables give, are compared by number.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import combinations

import polars as pl

from sandbox.egress.ledger.books import Book

_MOST_DIMENSIONS = 4  # subsets of shared dimensions compared: at most 2^4


class Numbers:
    """The counts of one book, each by the hashed values of the raw columns that define its cells."""

    def __init__(self, book: Book) -> None:
        self.book = book

    @cached_property
    def frames(self) -> list[pl.DataFrame]:
        """One frame a count column: the cells without margins, ``__n`` the count."""
        columns = sorted({raw for cell in self.book.dims for raw, _ in cell})
        rows = [dict(cell) for cell in self.book.dims]
        keys = {raw: pl.Series([row.get(raw) for row in rows], dtype=pl.UInt64) for raw in columns}
        stated = self.book.stated or {"": self.book.sizes.astype(float)}
        return [
            pl.DataFrame({**keys, "__n": pl.Series(values)}).drop_nulls().drop_nans("__n")
            for values in stated.values()
        ]


def _sums(frame: pl.DataFrame, keys: Iterable[str]) -> pl.DataFrame:
    keys = list(keys)
    if keys:
        return frame.group_by(keys).agg(pl.col("__n").sum())
    return frame.select(pl.col("__n").sum())


def _gaps(new: pl.DataFrame, old: pl.DataFrame, threshold: int, totals: bool) -> int:
    shared = sorted(set(new.columns) & set(old.columns) - {"__n"})[:_MOST_DIMENSIONS]
    if not new.height or not old.height or not (totals or set(new.columns) == set(old.columns)):
        return 0
    for size in range(len(shared), -1 if totals else len(shared) - 1, -1):
        found = 0
        for keys in combinations(shared, size):
            pair = [_sums(frame, keys) for frame in (new, old)]
            both = (
                pair[0].join(pair[1], on=list(keys), how="inner", suffix="_old")
                if keys
                else pl.concat([pair[0], pair[1].rename({"__n": "__n_old"})], how="horizontal")
            )
            gap = (both["__n"] - both["__n_old"]).abs()
            found += int(((gap >= 1) & (gap < threshold)).sum())
        if found:
            return found
    return 0


def differences(new: Numbers, old: Numbers, threshold: int, totals: bool) -> int:
    """Cells (and, with ``totals``, sums that both give) whose counts differ by 1 to ``threshold`` - 1.

    Nothing for two tables whose numbers are the recount: there the entity sets say it exactly.
    """
    if new.book.exact and old.book.exact:
        return 0
    return sum(_gaps(a, b, threshold, totals) for a in new.frames for b in old.frames)
