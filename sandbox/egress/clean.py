"""Text: what leaves is *cleaned*, what is scanned is *folded*, what is shown is *masked*."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

import polars as pl

# Default-ignorable and control characters: they hide or carry payload and show nothing.
IGNORABLE = (
    r"[\p{Cf}\p{Cc}\p{Co}\x{034F}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{2800}\x{3164}"
    r"\x{FE00}-\x{FE0F}\x{FFA0}\x{E0100}-\x{E01EF}]"
)
HAN_DIGITS = {
    **dict(zip("零一二三四五六七八九", "0123456789", strict=True)),
    **dict(zip("〇壹贰叁肆伍陆柒捌玖", "0123456789", strict=True)),
    **{"幺": "1", "两": "2", "貳": "2", "參": "3", "陸": "6", "洞": "0", "拐": "7", "勾": "9"},
}
_HAN_RUN = "[0-9" + "".join(HAN_DIGITS) + "]{11,}"
_SEPARATORS = r"[\s\-_.·•:/\\|~,'\"()]"
_LABELS = re.compile(r"[0-9]{6,}|[0-9A-Za-z+/=]{24,}|@")


def clean(values: pl.Series) -> pl.Series:
    """Text as it may leave: no invisible characters, NFC, single spaces, no outer space; idempotent."""
    return (
        values.str.replace_all(r"[\t\n\r\x{0B}\x{0C}\x{85}\p{Zl}\p{Zp}]", " ")
        .str.replace_all(IGNORABLE, "")
        .str.normalize("NFC")
        .str.replace_all(r"\p{Z}+", " ")
        .str.strip_chars(" ")
    )


def clean_text(text: str) -> str:
    """``clean`` of one string."""
    return str(clean(pl.Series([text], dtype=pl.String))[0])


@cache
def _digits() -> tuple[list[str], list[str]]:
    """Every decimal digit of Unicode that NFKC leaves alone, and its ASCII digit."""
    found = [c for c in map(chr, range(128, sys.maxunicode + 1)) if unicodedata.category(c) == "Nd"]
    return found, [str(unicodedata.digit(c)) for c in found]


def fold(values: pl.Series) -> pl.Series:
    """Text as the scanners see it: NFKC, invisible characters gone, every digit ASCII.

    Chinese numerals count as digits in runs of eleven or more: no shorter number is an identifier.
    """
    if bool(values.str.contains(r"^[\x20-\x7E]*$").all()):
        return values  # plain ASCII is what it is
    plain = (
        values.str.replace_all(r"[\t\n\r\x{0B}\x{0C}\x{85}\p{Zl}\p{Zp}]", " ")
        .str.normalize("NFKC")
        .str.replace_all(IGNORABLE, "")
    )
    if bool(plain.str.contains(r"[^\x00-\x7F]").any()):
        if bool(plain.str.contains(r"[\p{Nd}&&[^0-9]]").any()):
            plain = plain.str.replace_many(*_digits())
        if bool(plain.str.contains(_HAN_RUN).any()):
            run = re.compile(_HAN_RUN)
            table = str.maketrans(HAN_DIGITS)
            plain = pl.Series(
                [None if v is None else run.sub(lambda m: m.group().translate(table), v) for v in plain],
                dtype=pl.String,
            )
    return plain


def key(values: pl.Series) -> pl.Series:
    """Folded, upper case, without separators: equal keys are the same identifier."""
    folded = fold(values)
    if bool(folded.str.contains(_SEPARATORS).any()):
        folded = folded.str.replace_all(_SEPARATORS, "")
    return folded.str.to_uppercase()


def mask(value: str) -> str:
    """Show at most six characters and never more than a third (invariant: evidence is no leak)."""
    shown = min(6, len(value) // 3)
    tail = 1 if shown >= 4 else 0
    hidden = "*" * min(16, len(value) - shown)
    return value[: shown - tail] + hidden + (value[-1:] if tail else "")


def label(name: str) -> str:
    """A file or column name as a report may show it: masked where it may itself carry a value."""
    folded = str(fold(pl.Series([name], dtype=pl.String))[0])
    suspect = _LABELS.search(folded) or _LABELS.search(re.sub(r"[\s\-_.]", "", folded))
    if suspect or len(name) > 80:
        return mask(name)
    return clean_text(name)


def short_path(path: str) -> str:
    """A path with each part that may carry a value masked."""
    return "/".join(label(part) for part in path.split("/"))
