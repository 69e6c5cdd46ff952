"""``mask``: keep the first and last characters, cover the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from sandbox.desensitize.transforms.base import ANY, Keys, Params, Transform, over_distinct

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


def apply(column: pl.Series, params: MaskParams, keys: Keys) -> pl.Series:
    """Text of the same length with its middle covered."""
    first, last = params.keep_first, params.keep_last

    def cover(value: str) -> str:
        if 3 * (len(value) - first - last) < len(value):
            return params.character * len(value)
        tail = value[len(value) - last :]
        return value[:first] + params.character * (len(value) - first - last) + tail

    return over_distinct(column, cover)


TRANSFORM = Transform(
    "mask", "掩码", "mask", MaskParams, apply,
    desensitises=True, reversible_with_key=False, keeps_joins=False, keeps_order=False,
)  # fmt: skip
