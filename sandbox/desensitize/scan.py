"""The scan for identifiers before and after a recipe: counts of cells per column and kind.

What is looked for is the catalogue that the egress checker uses too (``sandbox.pii``). What is counted is
narrower, because what is found after a recipe refuses it: numbers that name a person or a person's device and
that leave no doubt, by check digit or form, by the word beside them, or by a column that is full of them.
An enterprise's own number is no refusal, and of addresses and places the checker has the last word.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from sandbox.core.severity import Severity
from sandbox.pii.classes import CLASSES, Subject
from sandbox.pii.kinds import KINDS
from sandbox.pii.scan import scan as find

_WHOSE = {Subject.PERSON, Subject.DEVICE, Subject.VEHICLE, Subject.SECRET}
_COUNTED = {name for name in KINDS if CLASSES[name].subject in _WHOSE}
_DOUBTLESS = {name for name in _COUNTED if KINDS[name].alone in (Severity.HARD, Severity.HOLD)}
_FILLING = {name for name in _COUNTED if KINDS[name].full is Severity.HARD}
_FEWEST, _MOSTLY = 3, 0.5  # distinct values, and their share, that make a column of a kind
SAMPLE = 1 << 17  # distinct values of a column that are kept to judge what it is full of; 1 MB
_HITS = {"value": pl.UInt64, "kind": pl.String}
_SEED = secrets.randbits(64)


def texts(column: pl.Series) -> pl.Series | None:
    """The column as text without nulls, None where its type cannot hold an identifier."""
    kind = column.dtype
    if kind.is_float() or kind.is_decimal():
        whole = column.cast(pl.Float64)
        column = whole.filter((whole.abs() < 2**63) & (whole.floor() == whole)).cast(pl.Int64, strict=False)
    elif not (kind.is_integer() or kind == pl.String):
        return None
    return column.drop_nulls().cast(pl.String)


@dataclass
class Scan:
    """The scan of one column, batch by batch; what the column is full of is judged once, over all of them.

    Judged one by one, no batch need be full of what the column is full of: who orders the rows puts the same
    other values into each. Of the distinct values the ``SAMPLE`` with the smallest hashes are kept (the
    bottom-k sample: Cohen and Kaplan, Summarizing data using bottom-k sketches, PODC 2007): all of them up to
    so many, beyond that a share is right to some thousandths. The hash is seeded anew in every process, so
    that nobody can choose values by it."""

    told: Counter[str] = field(default_factory=Counter)
    doubtful: Counter[str] = field(default_factory=Counter)  # cells that count if the column is full of them
    values: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.UInt64))
    hits: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_HITS))

    def add(self, column: pl.Series) -> None:
        """Count a batch. Every cell counts; each distinct value is looked at once."""
        text = texts(column)
        if text is None or not len(text):
            return
        distinct = text.alias("value").value_counts(name="cells")
        hashes = distinct["value"].hash(seed=_SEED)
        alone = pl.col("sure") | pl.col("near") | pl.col("kind").is_in(list(_DOUBTLESS))
        hits = (
            find(distinct["value"])
            .filter(pl.col("kind").is_in(list(_COUNTED)))
            .group_by("index", "kind")
            .agg(told=alone.any())
        )
        hits = hits.with_columns(
            cells=distinct["cells"].gather(hits["index"]), value=hashes.gather(hits["index"])
        )
        for kind, told, cells in hits.group_by("kind", "told").agg(pl.col("cells").sum()).iter_rows():
            (self.told if told else self.doubtful)[kind] += cells
        self._keep(hashes, hits.filter(pl.col("kind").is_in(list(_FILLING))).select("value", "kind"))

    def _keep(self, hashes: pl.Series, hits: pl.DataFrame) -> None:
        self.values = pl.concat([self.values, hashes]).unique()
        self.hits = pl.concat([self.hits, hits]).unique()
        if self.values.len() > SAMPLE:
            self.values = self.values.bottom_k(SAMPLE)
            self.hits = self.hits.filter(pl.col("value") <= self.values.max())

    @property
    def found(self) -> dict[str, int]:
        """Kind -> number of cells that hold at least one such identifier; kinds without any are left out."""
        sizes = dict(self.hits.group_by("kind").agg(pl.len()).iter_rows())
        least = max(_FEWEST, _MOSTLY * self.values.len())
        full = {kind for kind, size in sizes.items() if size >= least}
        cells = {name: self.told[name] + (self.doubtful[name] if name in full else 0) for name in KINDS}
        return {name: count for name, count in cells.items() if count}


def scan_column(column: pl.Series) -> dict[str, int]:
    """``Scan.found`` of a column that is there as a whole."""
    whole = Scan()
    whole.add(column)
    return whole.found


def scan(table: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Column -> its ``scan_column``; columns without a hit are left out. Every row is scanned."""
    found = {column.name: scan_column(column) for column in table.iter_columns()}
    return {name: kinds for name, kinds in found.items() if kinds}
