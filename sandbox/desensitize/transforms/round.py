"""``round``: to the nearest multiple; ``round_random``: to one of the two beside it, right on average."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from sandbox.desensitize.transforms.base import (
    NUMERIC,
    ColumnName,
    KeyedParams,
    Params,
    Setting,
    Transform,
    Unfit,
    each,
    subkey,
    uniform,
)

if TYPE_CHECKING:
    import polars as pl

MOST = 2**30  # the largest base of integers: its product with 32 drawn bits still has 64
_LEAST_INT, _MOST_INT = -(2**63), 2**63 - 1


class RoundParams(Params):
    """``to``: the multiple, e.g. 100; a whole number for a column of integers."""

    to: Annotated[int | float, Field(gt=0, allow_inf_nan=False)]

    def accepts(self) -> frozenset[str]:
        whole = float(self.to).is_integer() and self.to <= 2**62
        return NUMERIC if whole else NUMERIC - {"integer"}

    def idle(self, type_: str) -> str:
        return "to" if type_ == "integer" and self.to == 1 else ""


class RandomParams(KeyedParams):
    """``to``: the base; ``by``: the column of the subject. The same subject with the same value is rounded
    the same way each time, so that asking again tells nothing more."""

    to: Annotated[int, Field(ge=2, le=MOST)]
    by: ColumnName

    def accepts(self) -> frozenset[str]:
        return frozenset({"integer"})

    def reads(self) -> tuple[str, ...]:
        return (self.by,)


def apply(column: pl.Series, params: RoundParams, setting: Setting) -> pl.Series:
    """floor(value / to + 1/2) * to: halves go up, so that the order stays. Integers stay exact; raises Unfit
    with the number of those whose multiple the column's type cannot hold."""
    import polars as pl

    if column.dtype.is_integer():
        to = int(params.to)
        value = column.cast(pl.Int64)
        rest = _rest(value, to)
        return _moved(column, (rest >= to - to // 2).cast(pl.Int64) * to - rest)
    rounded = (column.cast(pl.Float64) / params.to + 0.5).floor() * params.to
    return rounded.cast(column.dtype)


def apply_random(column: pl.Series, params: RandomParams, setting: Setting) -> pl.Series:
    """With rest r = value mod to: up with probability r / to, else down (unbiased random rounding,
    Hundepool et al., Statistical Disclosure Control, 2012, section 5.4). Without a subject the cell is
    empty."""
    import polars as pl

    key = subkey(setting.keys[params.key], "round_random", params.by)
    value = column.cast(pl.Int64)
    rest = _rest(value, params.to)
    seed = setting.beside[params.by].cast(pl.String) + "\x1f" + value.cast(pl.String)
    # 2³² numbers over at most 2³⁰ places: the bias of a place is below 2⁻³²
    place = (uniform(seed, key) // 2**32).cast(pl.Int64) * params.to // 2**32
    return _moved(column, (place < rest).cast(pl.Int64) * params.to - rest)


def _rest(value: pl.Series, to: int) -> pl.Series:
    """value mod to, 0 to to - 1. The product may wrap around at the least number; the difference is right."""
    return value - value // to * to


def _moved(column: pl.Series, change: pl.Series) -> pl.Series:
    """column + change, of the column's type. Raises Unfit where that cannot hold it."""
    import polars as pl

    value = column.cast(pl.Int64)
    fits = ((change <= 0) | (value <= _MOST_INT - change)) & ((change >= 0) | (value >= _LEAST_INT - change))
    moved = (value + change).set(~fits.fill_null(True), None).cast(column.dtype, strict=False)
    lost = moved.null_count() - (value + change).null_count()
    if lost:
        raise Unfit(lost)
    return moved.alias(column.name)


def explain(params: RoundParams) -> tuple[str, str]:
    """One sentence in each language."""
    return f"取整到 {params.to:g} 的倍数。", f"Rounds to the nearest multiple of {params.to:g}."


def explain_random(params: RandomParams) -> tuple[str, str]:
    """One sentence in each language."""
    return (
        f"随机取整到 {params.to} 的倍数（均值不偏），由密钥 {params.key} 和 {params.by} 决定方向。",
        f"Rounds to a multiple of {params.to} beside the value, at random and right on average; key "
        f"{params.key} and column {params.by} decide which.",
    )


TRANSFORM = Transform(
    "round", "取整", "round", RoundParams, each(apply), explain, "generalise",
    desensitises=False, reversible_with_key=False, keeps_joins=False, keeps_order=True,
)  # fmt: skip
RANDOM = Transform(
    "round_random", "随机取整", "random rounding", RandomParams, each(apply_random), explain_random, "noise",
    desensitises=False, reversible_with_key=False, keeps_joins=False, keeps_order=False,
)  # fmt: skip
