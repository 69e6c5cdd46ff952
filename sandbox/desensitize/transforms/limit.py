"""``top_code`` and ``bottom_code``: what lies beyond a limit becomes the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from sandbox.desensitize.transforms.base import NUMERIC, Params, Setting, Transform, each

if TYPE_CHECKING:
    import polars as pl


class LimitParams(Params):
    """``limit`` in the column's own unit; a whole number for a column of integers."""

    limit: Annotated[int | float, Field(allow_inf_nan=False)]

    def accepts(self) -> frozenset[str]:
        return NUMERIC if float(self.limit).is_integer() else NUMERIC - {"integer"}


def top(column: pl.Series, params: LimitParams, setting: Setting) -> pl.Series:
    """min(value, limit), of the column's type."""
    return column.clip(upper_bound=params.limit).cast(column.dtype)


def bottom(column: pl.Series, params: LimitParams, setting: Setting) -> pl.Series:
    """max(value, limit), of the column's type."""
    return column.clip(lower_bound=params.limit).cast(column.dtype)


def explain_top(params: LimitParams) -> tuple[str, str]:
    """One sentence in each language."""
    return f"大于 {params.limit:g} 的值记为 {params.limit:g}。", f"Values above {params.limit:g} become it."


def explain_bottom(params: LimitParams) -> tuple[str, str]:
    """One sentence in each language."""
    return f"小于 {params.limit:g} 的值记为 {params.limit:g}。", f"Values below {params.limit:g} become it."


TOP_CODE = Transform(
    "top_code", "上限截断", "top-code", LimitParams, each(top), explain_top, "generalise",
    desensitises=False, reversible_with_key=False, keeps_joins=False, keeps_order=True,
)  # fmt: skip
BOTTOM_CODE = Transform(
    "bottom_code", "下限截断", "bottom-code", LimitParams, each(bottom), explain_bottom, "generalise",
    desensitises=False, reversible_with_key=False, keeps_joins=False, keeps_order=True,
)  # fmt: skip
