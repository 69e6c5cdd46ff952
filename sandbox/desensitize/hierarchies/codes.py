"""Hierarchies that stand in the code itself: GB/T 2260 by its digits, ICD-10 by its letters."""

from __future__ import annotations

import re
from bisect import bisect_right

# GB/T 2260-2007: two digits each for province, prefecture and county; GB/T 10114 adds three for the township.
ADMIN_DIGITS = {"province": 2, "prefecture": 4, "county": 6}

# WHO, ICD-10 (2019 version), the first category of each chapter: facts of the classification, in its order.
_CHAPTERS = (
    ("A00", "I"), ("C00", "II"), ("D50", "III"), ("E00", "IV"), ("F00", "V"), ("G00", "VI"), ("H00", "VII"),
    ("H60", "VIII"), ("I00", "IX"), ("J00", "X"), ("K00", "XI"), ("L00", "XII"), ("M00", "XIII"),
    ("N00", "XIV"), ("O00", "XV"), ("P00", "XVI"), ("Q00", "XVII"), ("R00", "XVIII"), ("S00", "XIX"),
    ("U00", "XXII"), ("V00", "XX"), ("Z00", "XXI"),
)  # fmt: skip
_STARTS = [start for start, _ in _CHAPTERS]
_CATEGORY = re.compile(r"[A-Z][0-9][0-9A-Z]")


def _category(code: str) -> str | None:
    """The three characters that a code of ICD-10 or of a national edition begins with."""
    found = _CATEGORY.match(code.strip().upper())
    return found[0] if found else None


def icd_chapter(code: str) -> str | None:
    """The chapter (Roman number) of an ICD-10 code such as ``E11.9``; None for what is no such code."""
    category = _category(code)
    if category is None or category < _STARTS[0]:
        return None
    return _CHAPTERS[bisect_right(_STARTS, category) - 1][1]


def icd_level(code: str, level: str) -> str | None:
    """``code`` at ``level``: "category" (three characters) or "chapter"; None for what is no such code."""
    return _category(code) if level == "category" else icd_chapter(code)
