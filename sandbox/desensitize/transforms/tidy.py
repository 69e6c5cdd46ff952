"""``tidy``: one way to write the same thing, so that joins and pseudonyms meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.desensitize.transforms.base import TEXT, Params, Setting, Transform, each

if TYPE_CHECKING:
    import polars as pl


class TidyParams(Params):
    """NFKC (full width to half width), trim, empty to none; ``upper`` folds case, e.g. of a final x."""

    upper: bool = False

    def accepts(self) -> frozenset[str]:
        return TEXT


def apply(column: pl.Series, params: TidyParams, setting: Setting) -> pl.Series:
    """Text in canonical form."""
    import polars as pl

    text = column.str.normalize("NFKC").str.strip_chars()
    text = text.str.to_uppercase() if params.upper else text
    return text.set(text == "", None).cast(pl.String)


def explain(params: TidyParams) -> tuple[str, str]:
    """One sentence in each language."""
    upper_zh, upper_en = ("，字母改为大写", ", letters in capitals") if params.upper else ("", "")
    return (
        f"统一写法：全角改半角，去首尾空白，空串置空{upper_zh}。",
        f"One way of writing: half width, no blanks at the ends, empty text to none{upper_en}.",
    )


TRANSFORM = Transform(
    "tidy", "整理", "tidy", TidyParams, each(apply), explain, "none",
    desensitises=False, reversible_with_key=False, keeps_joins=True, keeps_order=False,
)  # fmt: skip
