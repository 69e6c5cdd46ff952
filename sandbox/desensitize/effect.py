"""What the steps that protect a column did to its values: a step that is on the list and changes nothing
protects nobody. Measured while the recipe runs, as nothing but the values can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from sandbox.desensitize.recipe import Product
from sandbox.desensitize.transforms import TRANSFORMS

DISTINCT = 20_000  # up to so many distinct values of a column are counted
KEPT = 0.05  # share of an identifier's cells that may be as they were: marks such as "unknown"
LABELS, FEWEST = 0.9, 20  # groups for each value of an identifier, of so many values and more, that are none
_GROUPS = frozenset({"generalise", "aggregate"})


def same(before: pl.Series, after: pl.Series) -> pl.Series:
    """Cell by cell, whether the value is the same one, be it of another type (1, 1.0, "1")."""
    if before.dtype != after.dtype:
        kind = pl.Float64 if before.dtype.is_numeric() and after.dtype.is_numeric() else pl.String
        before, after = before.cast(kind), after.cast(kind)
    return before.eq_missing(after)


@dataclass
class Distinct:
    """The number of distinct values of a column, up to ``DISTINCT``; empty is no value."""

    seen: pl.Series | None = field(default_factory=lambda: pl.Series([], dtype=pl.UInt64))

    def add(self, column: pl.Series) -> None:
        """Count a batch."""
        if self.seen is not None:
            hashes = column.drop_nulls().unique().hash(seed=3)
            self.seen = pl.concat([self.seen, hashes]).unique()
            if self.seen.len() > DISTINCT:
                self.seen = None

    @property
    def count(self) -> int | None:
        """None: more than are counted."""
        return None if self.seen is None else self.seen.len()


@dataclass
class Effect:
    """One column of the product that must be protected, beside its source in the same rows. ``named``: the
    source is an identifier (``required.needs_desensitising``)."""

    column: Product
    named: bool
    filled: int = 0
    kept: int = 0
    before: Distinct = field(default_factory=Distinct)
    after: Distinct = field(default_factory=Distinct)

    def add(self, raw: pl.Series, made: pl.Series) -> None:
        """Count a batch: the source's values and what became of them."""
        self.filled += raw.len() - raw.null_count()
        self.kept += int((same(raw, made) & raw.is_not_null()).sum())
        self.before.add(raw)
        self.after.add(made)

    def none(self, changed: Mapping[tuple[int, str], int]) -> bool:
        """Whether the values are in the product as good as unprotected. ``changed``: cells by step, column.

        So they are if no protecting step changed a cell, or all cells came back to what they were; of an
        identifier also if more than ``KEPT`` of its cells are as they were (prose excepted: most sentences
        hold nothing to strike out), or if grouping gave nearly each value a group of its own."""
        if not self.filled:
            return False
        if self.kept == self.filled or not any(changed.get(step) for step in self.column.protecting):
            return True
        rows = [TRANSFORMS[name] for name in self.column.transforms]
        if not self.named:
            return False
        if self.kept > KEPT * self.filled and not any(row.name == "redact" for row in rows):
            return True
        return {row.method for row in rows} - {"none"} <= _GROUPS and self._apart

    @property
    def _apart(self) -> bool:
        before, after = self.before.count, self.after.count
        many = before is None or before >= FEWEST
        return many and (after is None or (before is not None and after >= LABELS * before))
