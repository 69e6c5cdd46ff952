"""A light scan for identifiers, before and after a recipe: counts of cells per column and kind.

Narrower than the egress checker's (which has the last word): only kinds that are unmistakable by
checksum or form, because what is found after a recipe refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import polars as pl

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
_INVISIBLE = "[\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff]"


def resident_id(text: str) -> bool:
    """18 characters with a date and the ISO 7064 MOD 11-2 check character (GB 11643-1999)."""
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], _WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == text[17].upper()


def luhn(text: str) -> bool:
    """ISO/IEC 7812-1 check digit."""
    digits = [int(digit) for digit in reversed(text)]
    return sum(digits[0::2], sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


@dataclass(frozen=True)
class Kind:
    """``loose`` finds candidates quickly (Rust syntax), ``exact`` (Python) with its boundaries decides,
    then ``check`` on the match."""

    name: str
    loose: str
    exact: re.Pattern[str]
    check: Callable[[str], bool]


KINDS = (
    Kind(
        "resident_id",
        r"[1-9][0-9]{5}(?:18|19|20)[0-9]{9}[0-9Xx]",
        re.compile(r"(?<![0-9])[1-9][0-9]{5}(?:18|19|20)[0-9]{9}[0-9Xx](?![0-9A-Za-z])"),
        resident_id,
    ),
    Kind(
        "mobile",
        r"1[3-9][0-9]{9}",
        re.compile(r"(?<![0-9A-Za-z])(?:\+?86)?1[3-9][0-9]{9}(?![0-9A-Za-z])"),
        lambda text: True,
    ),
    Kind(
        "email",
        r"@[0-9A-Za-z-]+\.[A-Za-z]",
        re.compile(r"[0-9A-Za-z._%+-]{1,64}@[0-9A-Za-z-]{1,63}(?:\.[0-9A-Za-z-]{1,63})*\.[A-Za-z]{2,24}"),
        lambda text: True,
    ),
    # UnionPay (62), Visa, Mastercard: structure and check digit, or order numbers would count.
    Kind(
        "bank_card",
        r"(?:62|4|5[1-5])[0-9]{13,17}",
        re.compile(r"(?<![0-9A-Za-z])(?:62[0-9]{14,17}|4[0-9]{15}|5[1-5][0-9]{14})(?![0-9A-Za-z])"),
        luhn,
    ),
)


def _texts(column: pl.Series) -> pl.Series | None:
    """The column as normalised text, None where its type cannot hold an identifier."""
    kind = column.dtype
    if kind.is_float() or kind.is_decimal():
        whole = column.cast(pl.Float64)
        column = whole.filter((whole.abs() < 2**63) & (whole.floor() == whole)).cast(pl.Int64, strict=False)
    elif not (kind.is_integer() or kind == pl.String):
        return None
    text = column.drop_nulls().cast(pl.String)
    if kind == pl.String:
        text = text.str.normalize("NFKC").str.replace_all(_INVISIBLE, "")
    return text


def scan_column(column: pl.Series) -> dict[str, int]:
    """Kind -> number of cells that hold at least one such identifier; kinds without any are left out."""
    text = _texts(column)
    found: dict[str, int] = {}
    if text is None:
        return found
    for kind in KINDS:
        suspects = text.filter(text.str.contains(kind.loose)).value_counts(name="cells")
        hits = sum(
            cells
            for value, cells in suspects.iter_rows()
            if any(kind.check(match[0]) for match in kind.exact.finditer(value))
        )
        if hits:
            found[kind.name] = hits
    return found


def scan(table: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Column -> its ``scan_column``; columns without a hit are left out. Every row is scanned."""
    found = {column.name: scan_column(column) for column in table.iter_columns()}
    return {name: kinds for name, kinds in found.items() if kinds}
