"""``redact``: names, numbers and addresses in free text become labels (R-135)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.desensitize.transforms.base import TEXT, ColumnName, Params, Setting, Transform, each

if TYPE_CHECKING:
    import polars as pl


class RedactParams(Params):
    """``names``: columns of the same table whose values (names, addresses, numbers of anybody in it) are
    struck out of every text as well. ``prose_names``: strike out what has the form of a Chinese or English
    name after or before words that go with names; it strikes some words that are none. ``long_numbers``:
    strike out every run of seven digits and more. ``analyser``: presidio's engine with our recognisers
    looks as well; slow."""

    names: list[ColumnName] = []
    prose_names: bool = True
    long_numbers: bool = True
    analyser: bool = False

    def accepts(self) -> frozenset[str]:
        return TEXT

    def reads(self) -> tuple[str, ...]:
        return tuple(self.names)


def apply(column: pl.Series, params: RedactParams, setting: Setting) -> pl.Series:
    """The text with labels such as ``[手机号]`` in place of what identifies."""
    from sandbox.desensitize.free_text import redacted

    lexicon = [setting.beside[name] for name in params.names]
    return redacted(column, lexicon, params.prose_names, params.long_numbers, params.analyser).alias(
        column.name
    )


def explain(params: RedactParams) -> tuple[str, str]:
    """One sentence in each language."""
    names_zh = f"、{'、'.join(params.names)} 列中的值" if params.names else ""
    names_en = f", and values of {', '.join(params.names)}," if params.names else ""
    return (
        f"删去自由文本中的号码、地址、姓名{names_zh}，代以类别标签；语言识别不能保证无遗漏。",
        f"Strikes numbers, addresses and names{names_en} out of free text and puts labels in their place; no "
        "reading of prose is sure to find all.",
    )


TRANSFORM = Transform(
    "redact", "文本去标识", "redaction of free text", RedactParams, each(apply), explain, "mask",
    desensitises=True, reversible_with_key=False, keeps_joins=False, keeps_order=False,
    whole=lambda params: bool(params.names),
)  # fmt: skip
