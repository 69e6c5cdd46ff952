"""``generalise``: bands, coarser dates, code prefixes, a mapping table."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from sandbox.desensitize.transforms.base import (
    NUMERIC,
    TEMPORAL,
    TEXT,
    Keys,
    Params,
    Transform,
    over_distinct,
)

if TYPE_CHECKING:
    import polars as pl

_ACCEPTS = {"band": NUMERIC, "date": TEMPORAL, "prefix": TEXT | {"integer"}, "map": TEXT | {"integer"}}
_NEEDS = {"band": {"width", "edges"}, "date": {"to"}, "prefix": {"length"}, "map": {"table"}}


class GeneraliseParams(Params):
    """One of four ways ``by``:

    - ``band``: ``width`` (bands from ``start``) or ascending ``edges``; gives ``[20,30)``, ``<18``, ``>=60``
    - ``date``: ``to`` year, quarter, month or decade; gives ``1990``, ``1990Q2``, ``1990-05``, ``1990s``
    - ``prefix``: the first ``length`` (at most 6) characters of a code, e.g. 520102 -> 5201
    - ``map``: ``table`` value -> group; what is not in it becomes ``other`` (empty without one)
    """

    by: Literal["band", "date", "prefix", "map"]
    width: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    start: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    edges: Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=1)] | None = None
    to: Literal["year", "quarter", "month", "decade"] | None = None
    length: Annotated[int, Field(ge=1, le=6)] | None = None
    table: Annotated[dict[str, str], Field(min_length=1)] | None = None
    other: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> GeneraliseParams:
        given = {
            name for name in ("width", "edges", "to", "length", "table") if getattr(self, name) is not None
        }
        if len(given) != 1 or not given <= _NEEDS[self.by]:
            raise ValueError("by")
        if self.edges and any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("edges")
        return self

    def accepts(self) -> frozenset[str]:
        return frozenset(_ACCEPTS[self.by])

    def gives(self, type_: str) -> str:
        return "string"


def _band(column: pl.Series, params: GeneraliseParams) -> pl.Series:
    import polars as pl

    values = column.cast(pl.Float64)
    if params.edges is not None:
        edges = [f"{edge:g}" for edge in params.edges]
        labels = [f"<{edges[0]}", *(f"[{a},{b})" for a, b in pairwise(edges)), f">={edges[-1]}"]
        place = pl.Series(params.edges).search_sorted(values, side="right")
        return pl.Series(labels).gather(place).set(values.is_null(), None)
    width = params.width or 1.0
    low = ((values - params.start) / width).floor() * width + params.start
    distinct = low.drop_nulls().unique(maintain_order=True)
    labels = [f"[{value:.15g},{value + width:.15g})" for value in distinct]
    return low.replace_strict(
        distinct, pl.Series(labels, dtype=pl.String), default=None, return_dtype=pl.String
    )


def _date(column: pl.Series, params: GeneraliseParams) -> pl.Series:
    import polars as pl

    year = column.dt.year()
    if params.to == "month":
        return column.dt.strftime("%Y-%m")
    if params.to == "quarter":
        return year.cast(pl.String) + "Q" + column.dt.quarter().cast(pl.String)
    if params.to == "decade":
        return (year // 10 * 10).cast(pl.String) + "s"
    return year.cast(pl.String)


def apply(column: pl.Series, params: GeneraliseParams, keys: Keys) -> pl.Series:
    """Text labels of groups."""
    if params.by == "band":
        return _band(column, params)
    if params.by == "date":
        return _date(column, params)
    if params.by == "prefix":
        length = params.length or 1
        return over_distinct(column, lambda value: value[:length])
    table, other = params.table or {}, params.other
    return over_distinct(column, lambda value: table.get(value, other))


TRANSFORM = Transform(
    "generalise", "泛化", "generalise", GeneraliseParams, apply,
    desensitises=True, reversible_with_key=False, keeps_joins=True, keeps_order=False,
)  # fmt: skip
