"""``round``: to the nearest multiple."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from sandbox.desensitize.transforms.base import NUMERIC, Keys, Params, Transform

if TYPE_CHECKING:
    import polars as pl


class RoundParams(Params):
    """``to``: the multiple, e.g. 100; a whole number for a column of integers."""

    to: Annotated[int | float, Field(gt=0, allow_inf_nan=False)]

    def accepts(self) -> frozenset[str]:
        return NUMERIC if float(self.to).is_integer() else NUMERIC - {"integer"}


def apply(column: pl.Series, params: RoundParams, keys: Keys) -> pl.Series:
    """floor(value / to + 1/2) * to: halves go up, so that the order stays. Integers stay exact."""
    import polars as pl

    if column.dtype.is_integer():
        to = int(params.to)
        return ((column.cast(pl.Int64) + to // 2) // to * to).cast(column.dtype)
    rounded = (column.cast(pl.Float64) / params.to + 0.5).floor() * params.to
    return rounded.cast(column.dtype)


TRANSFORM = Transform(
    "round", "取整", "round", RoundParams, apply,
    desensitises=False, reversible_with_key=False, keeps_joins=False, keeps_order=True,
)  # fmt: skip
