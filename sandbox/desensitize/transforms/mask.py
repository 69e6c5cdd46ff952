"""``mask``: keep the first and last characters, cover the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from sandbox.desensitize.transforms.base import ANY, Params, Setting, Transform, each

if TYPE_CHECKING:
    import polars as pl


class MaskParams(Params):
    """At most eight characters stay, and a third of a value or more is covered: a shorter one is covered
    whole. (138****5678, the form in common use, covers 4 of 11.)"""

    keep_first: Annotated[int, Field(ge=0, le=8)] = 0
    keep_last: Annotated[int, Field(ge=0, le=8)] = 0
    character: Annotated[str, Field(min_length=1, max_length=1)] = "*"

    @model_validator(mode="after")
    def _bounded(self) -> MaskParams:
        if self.keep_first + self.keep_last > 8:
            raise ValueError("keep_first + keep_last > 8")
        if self.character.isalnum():
            raise ValueError("character")
        return self

    def accepts(self) -> frozenset[str]:
        return ANY - {"boolean"}

    def gives(self, type_: str) -> str:
        return "string"


def apply(column: pl.Series, params: MaskParams, setting: Setting) -> pl.Series:
    """Text of the same length with its middle covered."""
    import polars as pl

    first, last = params.keep_first, params.keep_last
    text = column.cast(pl.String)
    size = text.str.len_chars()
    whole = 3 * (size.cast(pl.Int64) - first - last) < size
    middle = (size.cast(pl.Int64) - first - last).clip(0)
    hidden = middle.zip_with(~whole.fill_null(False), size.cast(pl.Int64))
    lengths = hidden.drop_nulls().unique()  # one cover for each length that there is, however long a cell
    covers = pl.Series([params.character * length for length in lengths.to_list()], dtype=pl.String)
    cover = hidden.replace_strict(lengths, covers, default=None, return_dtype=pl.String)
    kept = text.str.slice(0, first) + cover
    kept = kept + text.str.tail(last) if last else kept
    return kept.zip_with(~whole.fill_null(False), cover).alias(column.name)


def explain(params: MaskParams) -> tuple[str, str]:
    """One sentence in each language."""
    first, last, sign = params.keep_first, params.keep_last, params.character
    return (
        f"保留前 {first} 位和后 {last} 位，其余以“{sign}”遮盖；遮盖不足三分之一的值整体遮盖。",
        f"Keeps the first {first} and last {last} characters and covers the rest with “{sign}”; a value of "
        "which less than a third would be covered is covered whole.",
    )


TRANSFORM = Transform(
    "mask", "掩码", "mask", MaskParams, each(apply), explain, "mask",
    desensitises=True, reversible_with_key=False, keeps_joins=False, keeps_order=False,
)  # fmt: skip
