"""Days as registers write them out: Chinese numerals, years of the Republic of China, names of months.

The era of 民國 counts 1912 as its first year (the calendar of Taiwan's registers, CNS 7648).
"""

from __future__ import annotations

import re

import polars as pl

from sandbox.pii.numerals import HAN_DIGITS, spoken

_DIGIT = "0-9○" + "".join(HAN_DIGITS)
_NUMERAL = f"[{_DIGIT}十拾廿卅]"
_ERA = "民国|民國"
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_HAN = re.compile(
    rf"^\s*(?:({_ERA})|公元|西元)?\s?({_NUMERAL}{{1,4}})年\s?({_NUMERAL}{{1,3}})月\s?({_NUMERAL}{{1,3}})[日号]?"
)
_NAMED = re.compile(
    rf"^\s*([0-9]{{1,2}})[-/. ]?({'|'.join(_MONTHS)})[a-z]*[-/., ]{{0,2}}([0-9]{{4}})", re.IGNORECASE
)
# Quick to look for: what may be one of the two and no day in digits alone.
_MAY = rf"(?i)^\s*(?:(?:{_ERA}|公元|西元)|{_NUMERAL}{{1,4}}年.*月|[0-9]{{1,2}}[-/. ]?(?:{'|'.join(_MONTHS)}))"
_TENS = str.maketrans({"廿": "二十", "卅": "三十", "○": "〇"})


def _value(numeral: str) -> int:
    """A numeral in digits, digit by digit or with tens; 0 if it is none."""
    text = numeral.translate(_TENS)
    if "十" in text or "拾" in text:
        return spoken(text) or 0
    plain = "".join(HAN_DIGITS.get(char, char) for char in text)
    return int(plain) if plain.isdecimal() else 0


def _plain(text: str) -> str | None:
    """``text`` with its day as year-month-day; None where it is written otherwise."""
    if found := _HAN.match(text):
        year, month, day = (_value(part) for part in found.groups()[1:])
        return f"{year + 1911 if found.group(1) else year}-{month:02d}-{day:02d}"
    if found := _NAMED.match(text):
        month = _MONTHS.index(found.group(2).lower()) + 1
        return f"{found.group(3)}-{month:02d}-{int(found.group(1)):02d}"
    return None


def in_digits(text: pl.Series) -> pl.Series:
    """``text`` (folded) with days that are written out as ``1984-09-28``; everything else as it stands."""
    where = text.str.contains(_MAY).fill_null(False).arg_true()
    if not len(where):
        return text
    told = pl.Series([_plain(one) or one for one in text.gather(where)], dtype=pl.String)
    return text.clone().scatter(where, told)
