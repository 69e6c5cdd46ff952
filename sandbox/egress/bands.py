"""How an output writes groups of numbers ("20-29", "65 岁以上", "1980s"), names and margins."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MARGIN = re.compile(
    r"(?:all|total|sum|grand total|overall|subtotal|合计|总计|小计|全部|全体|总数|总体|全市|全省|全国|不限)",
    re.IGNORECASE,
)
# Of a cell that is suppressed, or has no value
MARK = re.compile(
    r"[\s*.…·\-–—/\\x×c:()\[\]]{1,3}|n/?a|<\s*\d{1,3}|(?:已)?(?:抑制|隐去|保密|不适用|不公布|空缺)|suppressed|"
    r"[csxz]|([*.…·\-–—=_])\1{3,7}",
    re.IGNORECASE,
)
_N = r"(-?\d+(?:\.\d+)?)"
_UNIT = r"\s*(?:岁|周岁|元|万元|年|人|years?)?\s*"
_CLOSED = re.compile(rf"\s*([\[(]?)\s*{_N}{_UNIT}(?:-|–|—|~|～|至|到|,|，|to){_UNIT}{_N}{_UNIT}([\])]?)\s*")
_ABOVE = re.compile(
    rf"\s*(?:>=|≥)\s*{_N}{_UNIT}|\s*{_N}\s*(?:\+|岁?及以上|岁?以上|元及?以上|and over|or more)\s*"
)
_OVER = re.compile(rf"\s*>\s*{_N}{_UNIT}")
_UPTO = re.compile(rf"\s*(?:<=|≤)\s*{_N}{_UNIT}|\s*{_N}\s*(?:岁|元)?及以下\s*")
_BELOW = re.compile(rf"\s*<\s*{_N}{_UNIT}|\s*{_N}\s*(?:岁|元)?以下\s*|\s*under\s+{_N}\s*")
_DECADE = re.compile(r"\s*(\d{3}0)\s*(?:s|年代)\s*")
_SINGLE = re.compile(rf"\s*{_N}{_UNIT}")
_DIGITS = 3  # significant digits of an edge where the bands are not all of one width
_SPELLINGS = 4  # ways of writing a band in one column: closed, open above, open below, a single value
_CHARACTER = math.log2(20_992)  # bits of a character of a label, see ``capacity``


@dataclass(frozen=True)
class Bands:
    """Labels as intervals of one line. ``edges``: (from, to) of each, in the labels' order, half open;
    ``bits``: what could be said by where the edges lie and how the labels are spelled."""

    edges: tuple[tuple[float, float], ...]
    bits: float


def tame(name: str) -> str:
    """A column name for comparison."""
    return re.sub(r"[\s_\-]", "", name).casefold()


def _number(match: re.Match[str]) -> float:
    return float(next(group for group in match.groups() if group))


def _after(value: float, whole: bool) -> float:
    """The next number: of whole ones, or of all."""
    return value + 1 if whole else math.nextafter(value, math.inf)


def _one(label: str, whole: bool, touching: set[float]) -> tuple[float, float] | float | None:
    """The interval of a label; a number where it is one value; None where it is neither."""
    closed = _CLOSED.fullmatch(label)
    if closed:
        low, high = float(closed[2]), float(closed[3])
        start = _after(low, whole) if closed[1] == "(" else low
        if closed[4] == "]" or (closed[4] != ")" and high not in touching):
            return start, _after(high, whole)
        return start, high
    for pattern, make in (
        (_DECADE, lambda v: (v, v + 10)),
        (_ABOVE, lambda v: (v, math.inf)),
        (_OVER, lambda v: (_after(v, whole), math.inf)),
        (_UPTO, lambda v: (-math.inf, _after(v, whole))),
        (_BELOW, lambda v: (-math.inf, v)),
    ):
        found = pattern.fullmatch(label)
        if found:
            return make(_number(found))
    single = _SINGLE.fullmatch(label)
    return float(single[1]) if single else None


def bands(labels: Sequence[str], open_end: bool = False) -> Bands | None:
    """``labels`` as intervals; None when one of them is none, two overlap, or their edges say too much.

    0-10, 10-20 leave the tens to the band that they begin; ``open_end``: so does the last one its end.

    Single values stand for themselves and what follows up to the next step they all share: 1980, 1990, 2000
    are decades, 3, 4, 5 are whole numbers.
    """
    whole = not any("." in label for label in labels)
    closed = [m for label in labels if (m := _CLOSED.fullmatch(label))]
    touching = {float(m[2]) for m in closed}
    if open_end:
        touching |= {float(m[3]) for m in closed}
    found = [_one(label, whole, touching) for label in labels]
    if any(one is None for one in found) or len(labels) < 2:
        return None
    singles = sorted({one for one in found if isinstance(one, float)})
    step = 1.0
    if len(singles) > 1 and all(one == round(one) for one in singles):
        gaps = [round(b - a) for a, b in pairwise(singles)]
        shared = math.gcd(*gaps)
        step = float(shared if all(one % shared == 0 for one in singles) else 1)
    elif singles and not whole:
        return None
    edges = tuple((one, one + step) if isinstance(one, float) else one for one in found if one is not None)
    if any(left[1] > right[0] for left, right in pairwise(sorted(edges))):
        return None
    bits = _spelling_bits(edges, labels)
    return None if bits is None else Bands(edges, bits)


def _spelling_bits(edges: Sequence[tuple[float, float]], labels: Sequence[str]) -> float | None:
    """Bits in where the edges lie and how they are written; None: too many. Bands of one width are told by
    the first and the width; otherwise each number counts with its digits, and many are no honest edge."""
    spelled = {re.sub(_N, "#", label) for label in labels}
    if len(spelled) > _SPELLINGS:
        return None
    bits = sum(len(one) for one in spelled) * _CHARACTER
    numbers = {text for label in labels for text in re.findall(r"\d+(?:\.\d+)?", label)}
    digits = [len(text.replace(".", "")) if "." in text else len(text.strip("0")) for text in numbers]
    widths = {round(high - low, 9) for low, high in edges if math.isfinite(low) and math.isfinite(high)}
    if len(widths) <= 1:
        return bits + 2 * max(digits, default=0) * math.log2(10)
    if max(digits) > _DIGITS:
        return None
    return bits + sum(digits) * math.log2(10)
