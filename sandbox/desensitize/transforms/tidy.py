"""``tidy``: one way to write the same thing, so that joins and pseudonyms meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.desensitize.transforms.base import TEXT, Keys, Params, Transform

if TYPE_CHECKING:
    import polars as pl


class TidyParams(Params):
    """NFKC (full width to half width), trim, empty to none; ``upper`` folds case, e.g. of a final x."""

    upper: bool = False

    def accepts(self) -> frozenset[str]:
        return TEXT


def apply(column: pl.Series, params: TidyParams, keys: Keys) -> pl.Series:
    """Text in canonical form."""
    import polars as pl

    text = column.str.normalize("NFKC").str.strip_chars()
    text = text.str.to_uppercase() if params.upper else text
    return text.set(text == "", None).cast(pl.String)


TRANSFORM = Transform(
    "tidy", "整理", "tidy", TidyParams, apply,
    desensitises=False, reversible_with_key=False, keeps_joins=True, keeps_order=False,
)  # fmt: skip
