"""``suppress``: take the column, or its content, out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sandbox.desensitize.transforms.base import Params, Setting, Transform, each

if TYPE_CHECKING:
    import polars as pl


class SuppressParams(Params):
    """``mode``: ``drop`` removes the column from the product, ``null`` leaves it, empty."""

    mode: Literal["drop", "null"] = "drop"


def apply(column: pl.Series, params: SuppressParams, setting: Setting) -> pl.Series:
    """An empty column of the same type; for ``drop`` the plan leaves it out as well."""
    import polars as pl

    return pl.Series(column.name, [None], dtype=column.dtype).new_from_index(0, column.len())


def explain(params: SuppressParams) -> tuple[str, str]:
    """One sentence in each language."""
    if params.mode == "drop":
        return "整列删去。", "Takes the column out of the product."
    return "保留该列，内容全部置空。", "Keeps the column and empties it."


TRANSFORM = Transform(
    "suppress", "抑制", "suppress", SuppressParams, each(apply), explain, "drop",
    desensitises=True, reversible_with_key=False, keeps_joins=False, keeps_order=False,
)  # fmt: skip
