"""``date_shift``: every date of one subject moved by the same number of days, which the key decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from sandbox.desensitize.transforms.base import (
    TEMPORAL,
    ColumnName,
    KeyedParams,
    Setting,
    Transform,
    each,
    subkey,
    uniform,
)

if TYPE_CHECKING:
    import polars as pl


class DateShiftParams(KeyedParams):
    """``by``: the column of the subject, an identifier as it is or under a key; ``days``: at most so many to
    either side, and never none.

    The offset depends on key, ``days`` and subject: all columns and tables of one subject that are shifted
    alike move together, so intervals within it stay, and order as well. Two ranges are drawn apart: were one
    a scaled copy of the other, the difference of two shifted dates would tell both offsets. One recipe has
    one range for a key, as every further draw narrows what the date can have been."""

    by: ColumnName
    days: Annotated[int, Field(ge=7, le=3650)]

    def accepts(self) -> frozenset[str]:
        return TEMPORAL

    def reads(self) -> tuple[str, ...]:
        return (self.by,)


def apply(column: pl.Series, params: DateShiftParams, setting: Setting) -> pl.Series:
    """The dates moved; empty where there is no subject to move with."""
    import polars as pl

    key = subkey(setting.keys[params.key], "date_shift", str(params.days))
    drawn = uniform(setting.beside[params.by], key)
    # 2·days places without the middle one; 2³² numbers over at most 7,300 places
    place = (drawn // 2**32 * (2 * params.days) // 2**32).cast(pl.Int64)
    offset = place - params.days
    offset = offset + (offset >= 0).cast(pl.Int64)
    return (column + (offset * 86_400_000_000).cast(pl.Duration("us"))).cast(column.dtype).alias(column.name)


def explain(params: DateShiftParams) -> tuple[str, str]:
    """One sentence in each language."""
    return (
        f"同一主体（{params.by}）的日期一起平移，至多 ±{params.days} 天（密钥 {params.key}）；间隔不变。",
        f"Moves all dates of one subject ({params.by}) together by up to ±{params.days} days (key "
        f"{params.key}); intervals within a subject stay.",
    )


TRANSFORM = Transform(
    "date_shift", "日期平移", "date shift", DateShiftParams, each(apply), explain, "noise",
    desensitises=True, reversible_with_key=True, keeps_joins=False, keeps_order=False,
)  # fmt: skip
