"""Groups of a job's own making, recognised and verified by recounting: bands of numbers, ages, birth years,
truncated days, first digits of a code, top and bottom coding.

A column whose values stand in no raw column may be an honest grouping of one. Candidates are tried on a raw
column's distinct values; the one whose sizes are the column's stated counts is taken, and the recount of
every cell then proves or refutes it. How many ways of grouping were open is counted as capacity.
Nothing here is about machine-learned models: those are looked at in ``checks.models*``.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from sandbox.egress.bands import MARGIN, Bands, bands, tame
from sandbox.egress.columns import Column
from sandbox.egress.rawdata import NULL, UNKNOWN, Coded, RawIndex, numeric
from sandbox.egress.recompute.run import add_numbers

MOST_LABELS = 200  # labels of a column that may be groups
_MISSED = 0.1  # of all entities: what small cells that are left out may take from the stated counts
_MISSED_BY_NAME = 0.6  # the same where the column is called as the raw one is
_MOST_PAIRS = 300_000  # pairs of entity and value up to which entities of a group are counted once
_DATE = r"^\d{4}-\d{2}-\d{2}"
_MONTH = re.compile(r"(\d{4})\s*[-/.年]?\s*(0?[1-9]|1[0-2])\s*月?")
_QUARTER = re.compile(r"(\d{4})\s*[-年]?\s*(?:Q|第)?\s*([1-4])\s*(?:季度?|季)?", re.IGNORECASE)
PERIOD = re.compile(f"(?:{_MONTH.pattern}|{_QUARTER.pattern})", re.IGNORECASE)
_WEEKDAY = re.compile(r"(?:周|星期|礼拜)?([0-7一二三四五六日天])")
_MONTH_ALONE = re.compile(r"(0?[1-9]|1[0-2])\s*月?份?")
_QUARTER_ALONE = re.compile(r"(?:Q|第)?([1-4一二三四])(?:季度?)?", re.IGNORECASE)
_HOUR = re.compile(r"([01]?\d|2[0-3])\s*(?:时|点|:00)?")
_TIME = r"^\d{4}-\d{2}-\d{2}[T ](\d{2}):"
_DAYS_OF_AGE = ((1, 1), (6, 30), (7, 1), (11, 1), (12, 31))  # the days on which ages are usually taken
_YEAR_DAYS = (365.2425, 365.25, 365.0, 365.3)  # days of a year; the last: 3,653 days are ten years
_NAMED_PERIODS = ("month", "quarter", "year")  # whose labels say themselves what they are
_OLDEST = 150  # numbers up to it may be ages
_AGES = ("age", "年龄", "岁")


@dataclass(frozen=True, eq=False)
class Group:
    """A column as a grouping of ``raw``: ``labels`` in the order of their numbers, ``numbers`` of each raw
    distinct value (``NULL`` where it is in none), ``bits`` that choosing this grouping could carry."""

    raw: str
    name: str
    labels: list[str]
    numbers: np.ndarray
    bits: float

    def codes(self, column: Column) -> np.ndarray:
        """The numbers of an output's cells."""
        place = {label: number for number, label in enumerate(self.labels)}
        known = np.array([place.get(str(v), UNKNOWN) for v in column.values], dtype=np.int64)
        return column.spread(known, NULL)


def _hidden(index: RawIndex) -> set[str]:
    return {*index.identifiers, *([index.entity] if index.entity else [])}


def _inside(line: np.ndarray, found: Bands) -> np.ndarray:
    """Which interval each point of a line lies in."""
    numbers = np.full(len(line), NULL, dtype=np.int64)
    order = sorted(range(len(found.edges)), key=lambda number: found.edges[number])
    lows, highs = np.array([found.edges[number] for number in order]).T
    if bool((highs[:-1] <= lows[1:]).all()):  # the interval that begins last before a point, or none
        place = np.searchsorted(lows, line, side="right") - 1
        with np.errstate(invalid="ignore"):
            inside = (place >= 0) & (line < highs[place])
        numbers[inside] = np.array(order)[place[inside]]
        return numbers
    for number, (low, high) in enumerate(found.edges):
        with np.errstate(invalid="ignore"):
            numbers[(line >= low) & (line < high)] = number
    return numbers


def _days_of(values: pl.Series) -> pl.Series | None:
    if not len(values) or not bool(values.head(200).str.contains(_DATE).all()):
        return None
    made = values.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return made if made.null_count() * 20 <= len(made) else None


def _days(raw: Coded) -> pl.Series | None:
    """Distinct values as days, if they are."""
    days: pl.Series | None = raw.once("days", _days_of)
    return days


def _lines(values: Coded, kind: str, aged: bool) -> Iterator[tuple[str, np.ndarray]]:
    """The number lines that a raw column lies on: (name, place of each distinct value)."""
    if numeric(kind):
        yield "number", values.once("number", lambda v: v.cast(pl.Float64, strict=False).to_numpy())
        return
    days = _days(values)
    if days is None:
        return
    years = days.dt.year().cast(pl.Float64).to_numpy()
    yield "year", years
    if not aged:
        return
    number = days.cast(pl.Int32).cast(pl.Float64).to_numpy()
    within = (days.dt.month().cast(pl.Int32) * 100 + days.dt.day()).to_numpy()
    last = int(np.nanmax(years))
    for year in range(last, max(last, datetime.now(UTC).year) + 2):
        yield f"year difference {year}", year - years
        for month, day in _DAYS_OF_AGE:
            on = f"{year}-{month}-{day}"
            yield f"age on {on}", year - years - (within > month * 100 + day)
            passed = (date(year, month, day) - date(1970, 1, 1)).days - number
            for length in _YEAR_DAYS:
                yield f"years of {length} days to {on}", passed / length


def _periods(labels: Sequence[str], values: Coded) -> Iterator[tuple[str, np.ndarray, float]]:
    """Truncated days: months and quarters, by their labels."""
    for name, pattern in (("month", _MONTH), ("quarter", _QUARTER)):
        found = [pattern.fullmatch(label.strip()) for label in labels]
        days = _days(values) if all(found) else None
        if days is None:
            continue
        part = (days.dt.month() if name == "month" else days.dt.quarter()).cast(pl.Int64)
        asked = [int(m[1]) * 100 + int(m[2]) for m in found if m]
        if len(set(asked)) == len(asked):
            own = days.dt.year().cast(pl.Int64) * 100 + part
            place = pl.DataFrame({"p": asked, "n": list(range(len(asked)))})
            numbers = pl.DataFrame({"p": own}).join(place, on="p", how="left", maintain_order="left")["n"]
            yield name, numbers.fill_null(NULL).to_numpy(), len(labels[0]) * math.log2(95)


def _recurring(labels: Sequence[str], values: Coded) -> Iterator[tuple[str, np.ndarray, float]]:
    """Parts of a day that come again: hours, days of the week, months, quarters of any year."""
    patterns = (_WEEKDAY, _MONTH_ALONE, _QUARTER_ALONE, _HOUR)
    days = _days(values) if any(pattern.fullmatch(labels[0].strip()) for pattern in patterns) else None
    if days is None:
        return
    parts = [
        ("weekday", _WEEKDAY, days.dt.weekday()),
        ("weekday from nought", _WEEKDAY, days.dt.weekday() - 1),
        ("weekday from Sunday", _WEEKDAY, days.dt.weekday() % 7 + 1),
        ("weekday, Sunday nought", _WEEKDAY, days.dt.weekday() % 7),
        ("month of a year", _MONTH_ALONE, days.dt.month()),
        ("quarter of a year", _QUARTER_ALONE, days.dt.quarter()),
    ]
    if bool(values.values.head(200).str.contains(_TIME).any()):
        hours = values.values.str.extract(_TIME, 1).cast(pl.Int64, strict=False).fill_null(0)
        parts.append(("hour", _HOUR, hours))
    for name, pattern, own in parts:
        found = [pattern.fullmatch(label.strip()) for label in labels]
        asked = [_ordinal(m[1]) for m in found if m]
        if len(asked) == len(labels) == len(set(asked)):
            place = pl.DataFrame(
                {"p": asked, "n": list(range(len(asked)))}, schema={"p": pl.Int64, "n": pl.Int64}
            )
            mine = pl.DataFrame({"p": own.cast(pl.Int64)}).join(
                place, on="p", how="left", maintain_order="left"
            )
            yield name, mine["n"].fill_null(NULL).to_numpy(), len(labels[0]) * math.log2(20_992)


def _ordinal(text: str) -> int:
    """A number, or a Chinese numeral of a day of the week or a quarter (周日 is the seventh)."""
    return int(text) if text.isdecimal() else "一二三四五六日天".find(text) % 7 + 1


def _cuts(labels: Sequence[str], values: Coded) -> Iterator[tuple[str, np.ndarray, float]]:
    """Two words for before and after the first day of a year: 前期, 后期."""
    if len(labels) != 2 or any(char.isdecimal() for label in labels for char in label):
        return
    days = _days(values)
    if days is None:
        return
    years = days.dt.year().to_numpy().astype(np.float64)
    spelled = sum(len(label) for label in labels) * math.log2(20_992)
    for year in np.unique(years[np.isfinite(years)])[1:]:
        for first in (0, 1):
            yield f"cut at {year:.0f} {first}", np.where(years < year, first, 1 - first), spelled


def _prefixes(labels: Sequence[str], values: Coded) -> Iterator[tuple[str, np.ndarray, float]]:
    """First characters of a code: upper levels of a division, of a classification."""
    lengths = {len(label) for label in labels}
    if len(lengths) != 1:
        return
    known = values.once("lengths", lambda v: v.str.len_chars().unique())
    if len(known) != 1:
        return
    length = lengths.pop()
    if length < int(known[0]) and length >= 1:
        place = pl.DataFrame({"p": list(labels), "n": list(range(len(labels)))})
        own = pl.DataFrame({"p": values.values.str.slice(0, length)})
        numbers = own.join(place, on="p", how="left", maintain_order="left")["n"].fill_null(NULL).to_numpy()
        if len(np.unique(numbers[numbers >= 0])) == len(labels):
            yield "prefix", numbers, math.log2(int(known[0]))


def candidates(index: RawIndex, name: str, labels: Sequence[str]) -> Iterator[Group]:
    """Every way in which ``labels`` could group a raw column."""
    read = [found for ends in (False, True) if (found := bands(labels, ends)) is not None]
    read = read[: len({found.edges for found in read})]
    ends = [abs(end) for found in read for pair in found.edges for end in pair if math.isfinite(end)]
    aged = any(word in name.casefold() for word in _AGES) or max(ends, default=math.inf) <= _OLDEST
    for raw in index.columns:
        if raw in _hidden(index):
            continue
        values, kind = index.coded(raw), index.kinds[raw]
        ways = (way(labels, values) for way in (_periods, _recurring, _cuts, _prefixes))
        for how, numbers, bits in itertools.chain.from_iterable(ways):
            yield Group(raw, how, list(labels), numbers, bits)
        for how, line in _lines(values, kind, aged) if read else ():
            for found in read:
                yield Group(raw, how, list(labels), _inside(line, found), found.bits)


def group(
    index: RawIndex,
    name: str,
    values: Sequence[str],
    stated: Sequence[np.ndarray],
    shown: np.ndarray | None = None,
) -> Group | None:
    """The grouping of a raw column that the output column ``name`` is; None if it is none.

    ``values`` are its distinct values, ``stated`` the sums of the numeric columns of the output over the rows
    with each: a grouping is taken whose sizes are one of those sums. Where none states a count the names must
    agree, or the labels be periods that nearly all days lie in. ``shown``: the raw rows that the table
    speaks of.
    """
    labels = [label for label in values if not MARGIN.fullmatch(label)]
    if not 2 <= len(labels) <= MOST_LABELS:
        return None
    place = {label: row for row, label in enumerate(values)}
    order = [place[label] for label in labels]
    told = np.array([sums[order] for sums in stated])
    best: tuple[float, Group] | None = None
    tried = 0
    known_rows: dict[str, np.ndarray] = {}
    for one in candidates(index, name, labels):
        tried += 1
        rows, entities = _sizes(index, one, shown, known_rows)
        if (rows == 0).any():
            continue
        missed = _missed(told, rows) if len(stated) else []
        if len(stated) and entities is not rows:
            missed += _missed(told, entities)
        if one.name in _NAMED_PERIODS and rows.sum() >= (1 - _MISSED) * index.rows_total:
            missed.append(_MISSED)  # before what states no count, after what does
        by_name = tame(one.raw) in tame(name) or tame(name) in tame(one.raw)
        score = min(missed, default=0.0 if by_name else 1.0)
        if score <= (_MISSED_BY_NAME if by_name else _MISSED) and (best is None or score < best[0]):
            best = (score, one)
    if best is None:
        return None
    one = best[1]
    return Group(
        one.raw, f"{one.raw}: {one.name}: {labels}", one.labels, one.numbers, one.bits + math.log2(tried)
    )


def _missed(given: np.ndarray, sizes: np.ndarray) -> list[float]:
    """The share by which stated counts (a row a column) differ from recounted ones; a third of it where
    some are only left out: cells that are blank take from a label and never add."""
    gap = np.abs(given - sizes).sum(axis=1) / sizes.sum()
    less = (given <= sizes).all(axis=1) & (given.sum(axis=1) > 0)
    return [float(share) for share in np.where(less, gap / 3, gap)]


def _sizes(
    index: RawIndex, one: Group, shown: np.ndarray | None, known_rows: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of each group, and distinct entities of each: a table states one or the other. ``known_rows``: the
    rows shown of each value of a raw column, counted once for all groupings of it."""
    many = len(one.labels)
    codes = index.coded(one.raw).codes
    if index.entities_total == index.rows_total:  # a row is an entity
        if one.raw not in known_rows:
            inside = codes >= 0 if shown is None else shown & (codes >= 0)
            known_rows[one.raw] = np.bincount(codes[inside], minlength=len(one.numbers))
        sizes = np.bincount(one.numbers + 1, weights=known_rows[one.raw], minlength=many + 1)[1:]
        return sizes, sizes
    if shown is not None:
        inside = shown & (codes >= 0)
        numbers, entities = one.numbers[codes[inside]], index.entities[inside]
        by_rows = np.bincount(numbers[numbers >= 0], minlength=many)
        known = (numbers >= 0) & (entities >= 0)
        pairs = np.unique(entities[known].astype(np.int64) * many + numbers[known])
        return by_rows, np.bincount(pairs % many, minlength=many).astype(np.float64)
    placed = one.numbers >= 0
    rows, paired = index.times(one.raw)
    by_rows = np.bincount(one.numbers[placed], weights=rows[placed], minlength=many)
    entities, codes = index.pairs(one.raw)
    if len(codes) > index.entities_total and len(codes) <= _MOST_PAIRS:  # several values an entity
        numbers = one.numbers[codes]
        known = numbers >= 0
        numbers = np.unique(entities[known] * many + numbers[known]) % many
        return by_rows, np.bincount(numbers, minlength=many).astype(np.float64)
    return by_rows, np.bincount(one.numbers[placed], weights=paired[placed], minlength=many)


def numbers_sql(index: RawIndex, one: Group) -> str:
    """A further column of the index's table with the group of each row; its SQL."""
    codes = index.coded(one.raw).codes
    numbers = np.where(codes >= 0, np.append(one.numbers, NULL)[codes], NULL)
    index.engine.register("group_numbers", pl.DataFrame({"row": np.arange(len(numbers)), "c": numbers}))
    return add_numbers(index, one.name, "SELECT row, c FROM group_numbers")
