"""What a column may hold: the candidates that rows draw from, by type, meaning, declaration, and the
constants that the job compares it with. No candidate is read from data; an identifier takes none from the job
either."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from sandbox.desensitize.dummy.fields import Field
from sandbox.desensitize.dummy.reserved import NUMBER_FROM, RESERVED
from sandbox.desensitize.dummy.words import DIVISIONS, WORDS

POLARS: dict[str, Any] = {
    "string": pl.String,
    "integer": pl.Int64,
    "number": pl.Float64,
    "decimal": pl.Decimal(38, 10),  # as sandbox.workspace.fields stores it
    "date": pl.Date,
    "datetime": pl.Datetime("us"),
    "boolean": pl.Boolean,
}
_NUMBERS: dict[str, tuple[float, float]] = {
    "age": (0, 95), "year": (2016, 2026), "share": (0, 100), "money": (0, 300_000), "": (0, 100),
}  # fmt: skip
_FIRST, _LAST = date(2021, 1, 1), date(2025, 12, 31)
_FIRST_BIRTH, _LAST_BIRTH = date(1936, 1, 1), date(2020, 12, 31)
_MOST = 400  # candidates made of a range
_STEP = timedelta(days=1)
_YEARS = range(1900, 2101)
_LEAP = range(1940, 2025, 4)
_MONTH = re.compile(r"(19\d\d|20\d\d)-?(0[1-9]|1[0-2])")  # 2020-01, 202001
_DAY = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d)")  # 02-29
_FACTORS = 6
_FILL = "样"
_FORMS = 130  # candidates of a declared form: five of each letter that it may begin with
_REGIONS = {"region_code": 0, "region": 1, "city": 2, "province": 3}


def identifiers(field: Field, count: int) -> list[Any]:
    """``count`` identifiers of the column's sort, distinct as far as its range goes."""
    if field.pattern:
        return [_patterned(field.pattern, n) for n in range(count)]
    if field.type != "string":
        return [_cast(NUMBER_FROM + n, field.type) for n in range(count)]
    chosen = RESERVED.get(field.meaning, RESERVED["other"])
    if field.unique and count > chosen.size:
        chosen = RESERVED["other"]
    return [chosen.make(n % chosen.size) for n in range(count)]


def _patterned(pattern: str, n: int) -> str:
    """The n-th of a declared form: ``#`` a digit, ``@`` a capital letter; the last places count fastest. The
    first free places show 9 and Z, from where provider's own numbering is farthest."""
    places, made = [char for char in pattern if char in "#@"], []
    for char in reversed(places):
        base = 10 if char == "#" else 26
        digit, n = n % base, n // base
        made.append(str(9 - digit) if char == "#" else chr(ord("Z") - digit))
    filled = iter(reversed(made))
    return "".join(next(filled) if char in "#@" else char for char in pattern)


def _patterned_size(pattern: str) -> int:
    return int(10 ** pattern.count("#") * 26 ** pattern.count("@"))


def candidates(field: Field, literals: Iterable[str], patterns: Iterable[str]) -> list[Any]:
    """Distinct values of the column's type, the constants of the job and what lies around them among them."""
    told, liked = sorted(literals), sorted(patterns)
    if field.values:
        values = [_read(one, field.type) for one in field.values]
    else:
        values = _BY_TYPE[field.type](field, told, liked)
    inside = [one for one in values if one is not None and _within(one, field)]
    return list(dict.fromkeys(inside or values[:1]))


def _within(value: Any, field: Field) -> bool:
    compared = value.date() if isinstance(value, datetime) else value
    if isinstance(compared, str | bool):
        return True
    low: Any = field.low
    high: Any = field.high
    return (low is None or compared >= low) and (high is None or compared <= high)


def _cast(value: float, type_: str) -> Any:
    if type_ == "integer":
        return int(value)
    return Decimal(str(round(value, 4))) if type_ == "decimal" else float(value)


def _read(text: str, type_: str) -> Any:
    """A declared value or a constant as a value of the type; None if it is none."""
    try:
        if type_ == "string":
            return text
        if type_ == "boolean":
            return text.lower() in ("true", "1", "t", "是")
        if type_ == "date":
            return date.fromisoformat(text[:10])
        if type_ == "datetime":
            return datetime.fromisoformat(text)
        return _cast(float(text), type_)
    except ValueError:
        return None


def _numbers(field: Field, literals: list[str], patterns: list[str]) -> list[Any]:
    low, high = _NUMBERS.get(field.meaning, _NUMBERS[""])
    low = float(field.low) if isinstance(field.low, int | float) else min(low, float(field.high or low))  # type: ignore[arg-type]
    high = float(field.high) if isinstance(field.high, int | float) else max(high, low)
    if field.identifier:
        return identifiers(field, _MOST)
    whole = field.type == "integer" or field.meaning in ("age", "year")
    span = np.linspace(low, high, int(min(_MOST, high - low + 1)) if whole or high - low < 20 else _MOST)
    if field.meaning == "money":  # few earn much: the square has the long tail of amounts
        span = np.round(low + (high - low) * np.linspace(0.02, 1, _MOST) ** 2, 0)
    values = [float(np.round(one) if whole else np.round(one, 2)) for one in span]
    constants = sorted(float(one) for one in literals if _read(one, "number") is not None)
    between = [(a + b) / 2 for a, b in itertools.pairwise(constants)]
    for one in constants:
        step = 1.0 if whole else 0.5
        values += [one, one - step, one + step, one * 1.1, one * 2, one / 12, one * 12]
    values += between + _combined(constants)
    return [_cast(round(one) if whole else one, field.type) for one in values if abs(one) < 2**53]


def _combined(constants: list[float]) -> list[float]:
    """What a column may be in arithmetic with constants: products, as ``income / 12 / 1000 = 40`` asks
    for."""
    few = [one for one in constants if abs(one) > 1][:_FACTORS]
    products = {a * b for a, b in itertools.combinations(few, 2)}
    products |= {a * b * c for a, b, c in itertools.combinations(few, 3)}
    return sorted(value + step for value in products for step in (-1.0, 0.0, 1.0))


def _days(field: Field, literals: list[str], patterns: list[str]) -> list[Any]:
    first, last = (_FIRST_BIRTH, _LAST_BIRTH) if field.meaning == "birth_date" else (_FIRST, _LAST)
    first = field.low if isinstance(field.low, date) else first
    last = field.high if isinstance(field.high, date) else max(last, first)
    span = (last - first).days
    count = min(_MOST, span + 1)
    days = [first + timedelta(days=span * n // max(1, count - 1)) for n in range(count)]
    told = sorted(one for one in (_read(text, "date") for text in literals) if one is not None)
    for one in told:
        days += [one - _STEP, one, one + _STEP, one + timedelta(days=31)]
    days += [a + (b - a) / 2 for a, b in itertools.pairwise(told)]
    for text in literals:
        if month := _MONTH.fullmatch(text):
            days += [date(int(month[1]), int(month[2]), day) for day in (1, 15, 28)]
        if place := _DAY.fullmatch(text):
            days += [date(year, int(place[1]), int(place[2])) for year in _LEAP]
        if text.isdigit() and int(text) in _YEARS:
            year = int(text)
            days += [date(year, month, 15) for month in range(1, 13)]
            days += [date(year - 1, 12, 31), date(year, 1, 1), date(year, 12, 31), date(year + 1, 1, 1)]
    return days


def _moments(field: Field, literals: list[str], patterns: list[str]) -> list[Any]:
    made: list[datetime] = []
    for n, day in enumerate(_days(field, literals, patterns)):
        made.append(datetime.combine(day, time(n * 7 % 24, n * 13 % 60)))
    exact = [one for one in (_read(text, "datetime") for text in literals) if one is not None]
    return made + exact + [one + timedelta(hours=1) for one in exact]


def _strings(field: Field, literals: list[str], patterns: list[str]) -> list[Any]:
    if field.identifier:
        return identifiers(field, _MOST)
    if field.pattern:
        size = _patterned_size(field.pattern)
        chosen = range(0, size, max(1, size // _FORMS))[:_FORMS]
        values: list[Any] = [_patterned(field.pattern, n) for n in chosen]
    elif field.meaning in _REGIONS:
        values = [row[_REGIONS[field.meaning]] for row in DIVISIONS]
    elif field.meaning in ("age", "year", "share", "money"):
        low, high = _NUMBERS[field.meaning]
        values = [f"{one:.0f}" for one in np.linspace(low, high, 40)]
    elif field.meaning == "birth_date":
        values = [f"{day:%Y-%m-%d}" for day in _days(field, [], [])[::8]]
    else:
        values = list(WORDS.get(field.meaning, WORDS["text"]))
    values += [text for text in literals if text]
    values += [text + "0" for text in literals if text]  # what begins with it, and comes after it
    for pattern in patterns:
        values.append(re.sub("_", "1", pattern.replace("%", "")))
        values.append(re.sub("_", "1", pattern.replace("%", _FILL)))
        values += [pattern + _FILL, _FILL + pattern] if "%" not in pattern else []
    return values


def _truths(field: Field, literals: list[str], patterns: list[str]) -> list[Any]:
    return [True, False]


_BY_TYPE: dict[str, Callable[[Field, list[str], list[str]], list[Any]]] = {
    "string": _strings,
    "integer": _numbers,
    "number": _numbers,
    "decimal": _numbers,
    "date": _days,
    "datetime": _moments,
    "boolean": _truths,
}


def divisions(fields: list[Field], literals: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Rows of the columns of an administrative division, each code with one name. A name or a code that the
    job asks for and that is not in the list gets a row of its own, with what is missing made up."""
    rows = [tuple(row[_REGIONS[one.meaning]] for one in fields) for row in DIVISIONS]
    known = [{row[place] for row in rows} for place in range(len(fields))]
    for place, field in enumerate(fields):
        for number, text in enumerate(sorted(literals.get(field.full, ()))):
            if text and text not in known[place]:
                made = [
                    text
                    if at == place
                    else (f"9900{number:02d}" if one.meaning == "region_code" else f"样例{text}")
                    for at, one in enumerate(fields)
                ]
                rows.append(tuple(made))
    return list(dict.fromkeys(rows))


REGIONAL = frozenset(_REGIONS)
