"""Whether coordinates in a product are as coarse as the policy asks, whatever step wrote them (R-138).

A step says what it does to the columns that it is given; that a column holds a coordinate it cannot know. So
the product itself is measured. A column comes from a coordinate if its field is called so, if a ``geo`` step
was given the field, or if the snapshot has precise numbers in the range of the country's latitudes in one
column and of its longitudes in another (as ``profile.across`` has it). Of such columns no cell may have more
decimals than the policy allows, be it a number or in text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from sandbox.desensitize.recipe import Product, Recipe

RANGES = ((3.0, 54.0), (73.0, 136.0))  # degrees: latitudes and longitudes of the country
FEWEST, SHARE, PRECISE = 8, 0.8, 3  # values; share of them with more than PRECISE decimals
_NAMES = re.compile(
    r"纬度|緯度|经度|經度|经纬|坐标|座標|latitud|longitud|(?:^|[^a-z])(?:lat|lng|lon|gps|latlng|latlon|coordinates?)"
    r"(?:[^a-z]|$)|wgs_?84|gcj_?02|bd_?09",
    re.IGNORECASE,
)
_SLACK = 1e-6  # of the last decimal that is allowed: what binary fractions cost


def named(fields: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The fields that are called like a coordinate, by name or title."""
    words = ("name", "title_zh", "title_en")
    return frozenset(
        str(one["name"])
        for one in fields
        if any(_NAMES.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(one.get(word, "")))) for word in words)
    )


def finer(values: pl.Series, decimals: int) -> int:
    """How many cells have more than ``decimals`` decimals, noughts at the end apart."""
    if values.dtype == pl.String:
        more = rf"[0-9]\.[0-9]{{{decimals}}}[0-9]*[1-9]"
        return int(values.str.contains(more).sum())
    if not (values.dtype.is_float() or values.dtype.is_decimal()):
        return 0
    scaled = values.cast(pl.Float64) * 10.0**decimals
    return int(((scaled - scaled.round()).abs().fill_nan(None) > _SLACK).sum())


@dataclass
class _Numbers:
    """What is seen of a column of the snapshot."""

    filled: int = 0
    precise: int = 0
    low: float = float("inf")
    high: float = float("-inf")

    def add(self, values: pl.Series) -> None:
        known = values.cast(pl.Float64).fill_nan(None).drop_nulls()
        if known.len():
            self.filled += known.len()
            self.precise += finer(known, PRECISE)
            self.low = min(self.low, float(known.min()))  # type: ignore[arg-type]
            self.high = max(self.high, float(known.max()))  # type: ignore[arg-type]

    def within(self, low: float, high: float) -> bool:
        """Whether they are precise numbers of that range."""
        enough = self.filled >= FEWEST and self.precise >= SHARE * self.filled
        return enough and low <= self.low and self.high <= high


@dataclass
class Precision:
    """What a run measures of coordinates, batch by batch; ``most`` decimals are allowed. ``told``: the
    snapshot's columns that are known as coordinates beforehand."""

    most: int
    columns: Sequence[Product]
    told: frozenset[str]
    seen: dict[str, _Numbers] = field(default_factory=dict)
    fine: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, most: int, columns: Sequence[Product], recipe: Recipe, fields: Sequence[Mapping[str, Any]]
    ) -> Precision:
        """For a recipe over ``fields``."""
        gridded = {name for step in recipe.steps if step.transform == "geo" for name in step.sources}
        known = named(fields) | {column.source for column in columns if column.name in gridded}
        return cls(most, columns, known | (gridded & {str(one["name"]) for one in fields}))

    def add(self, frame: pl.DataFrame, product: pl.DataFrame) -> None:
        """Count a batch of the snapshot and what was made of it."""
        for name in frame.columns:
            if frame[name].dtype.is_float() or frame[name].dtype.is_decimal():
                self.seen.setdefault(name, _Numbers()).add(frame[name])
        for column in self.columns:
            if column.source in self.told or column.source in self.seen:
                count = finer(product[column.name], self.most)
                self.fine[column.name] = self.fine.get(column.name, 0) + count

    def too_fine(self) -> list[str]:
        """The product's columns that are finer than is allowed."""
        pair = [{name for name, one in self.seen.items() if one.within(*range_)} for range_ in RANGES]
        found = set().union(*pair) if all(pair) else set()
        return [
            column.name
            for column in self.columns
            if self.fine.get(column.name) and column.source in self.told | found
        ]
