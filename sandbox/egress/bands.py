"""Bands of a number ("20-29", "65 岁以上") as an output writes them, and how names and margins are read."""

from __future__ import annotations

import re

from sandbox.egress.rawdata import NULL, RawIndex, numeric

MARGIN = re.compile(
    r"(?:all|total|sum|grand total|overall|subtotal|合计|总计|小计|全部|全体|总数|总体|全市|全省|全国|不限)",
    re.IGNORECASE,
)
_BAND = re.compile(
    r"\s*[\[(]?\s*(-?\d+(?:\.\d+)?)\s*(?:-|–|—|~|～|至|到|,|，|to)\s*(-?\d+(?:\.\d+)?)\s*([\])]?)\s*(?:岁|元|years?)?\s*"
)
_OPEN = (
    (re.compile(r"\s*(?:>=|≥)\s*(\d+(?:\.\d+)?)\D*|\s*(\d+(?:\.\d+)?)\s*(?:\+|岁?及?以上|岁?以上)\D*"), "ge"),
    (re.compile(r"\s*(?:<=|≤)\s*(\d+(?:\.\d+)?)\D*|\s*(\d+(?:\.\d+)?)\s*岁?及以下\D*"), "le"),
    (re.compile(r"\s*<\s*(\d+(?:\.\d+)?)\D*|\s*(\d+(?:\.\d+)?)\s*岁?以下\D*"), "lt"),
)


def tame(name: str) -> str:
    """A column name for comparison."""
    return re.sub(r"[\s_\-]", "", name).casefold()


def band_sql(index: RawIndex, name: str, values: list[str]) -> tuple[str, str, list[str]] | None:
    """Raw column, SQL that maps its numbers to the number of a band, and the bands ``values`` of an output
    column ``name`` in the order of their numbers."""
    near = [c for c in index.columns if numeric(index.kinds[c]) and tame(c) in tame(name)]
    labels = [value for value in values if not MARGIN.fullmatch(value)]
    if not near or not labels:
        return None
    raw = max(near, key=len)
    x = index.number(raw)
    arms = []
    bands = [m for value in labels if (m := _BAND.fullmatch(value))]
    ends = {float(m.group(2)) for m in bands} & {float(m.group(1)) for m in bands}
    for place, value in enumerate(labels):
        band = _BAND.fullmatch(value)
        if band:
            low, high = float(band.group(1)), float(band.group(2))
            closed_left = not value.strip().startswith("(")
            closed = value.strip().endswith("]") or (not value.strip().endswith(")") and high not in ends)
            whole = closed and "." not in band.group(2) and not value.strip().endswith("]")
            upper = f"< {high + 1}" if whole else ("<= " if closed else "< ") + str(high)
            arms.append(f"WHEN {x} {'>=' if closed_left else '>'} {low} AND {x} {upper} THEN {place}")
            continue
        for pattern, sign in _OPEN:
            match = pattern.fullmatch(value)
            if match:
                limit = next(group for group in match.groups() if group)
                mark = {"ge": ">=", "le": "<=", "lt": "<"}[sign]
                arms.append(f"WHEN {x} {mark} {limit} THEN {place}")
                break
        else:
            return None
    return raw, f"CASE {' '.join(arms)} ELSE {NULL} END", labels
