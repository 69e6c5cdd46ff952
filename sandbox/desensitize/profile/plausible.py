"""Whether the content of a column can be what its header says. Every test forgives what is dirty."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.desensitize.profile.table import Column, days

_CLASSES = ("number", "decimal")
_MONTH = r"^(?:18|19|20)[0-9]{2}(?:-?[01][0-9]|[./年][01]?[0-9]月?|年)?$"  # or a year
_AGED = r"^[0-9]{1,3} ?(?:周?岁|个?月|天|日|(?i:y|yrs?|years?|months?|days?))?$"
_AMOUNT = r"^[¥$€]?-?[0-9][0-9,]*(?:\.[0-9]+)?%?$"


def _numeric(column: Column) -> bool:
    return column.type in ("integer", "number", "decimal") or column.share(_AMOUNT) > 0.9


def _money(column: Column) -> bool:
    """Amounts, or a few bands of them."""
    return _numeric(column) or (len(column.distinct) <= 50 and column.share("[0-9]") >= 0.5)


def day_share(column: Column) -> float:
    """Share of the sampled distinct values that are days, 0 to 1."""
    found = days(column)
    return 1.0 - found.null_count() / len(found) if len(found) else 0.0


def moments(column: Column) -> bool:
    """Whether the values are seconds, milliseconds or microseconds since 1970, of this century."""
    values = column.numbers
    if len(values) < 0.9 * len(column.distinct) or not len(values):
        return False
    return any(
        float(((values > 9.4e8 * unit) & (values < 2.2e9 * unit)).mean()) > 0.98 for unit in (1, 1e3, 1e6)
    )


def _years(column: Column) -> bool:
    return day_share(column) >= 0.9 or column.share(_MONTH) >= 0.95


def _time(column: Column) -> bool:
    return _years(column) or column.type in ("datetime", "integer") or column.share("[0-9]") >= 0.9


def _age(column: Column) -> bool:
    values = column.numbers
    whole = len(values) >= 0.9 * len(column.distinct) and bool((values >= 0).all() and (values <= 130).all())
    return (
        whole
        or column.share(_AGED) >= 0.95
        or (len(column.distinct) <= 40 and column.share("[0-9]") >= 0.8 and column.longest <= 20)
    )


def _text(column: Column) -> bool:
    return column.type == "string" and column.share(r"\p{L}{2}") >= 0.7


def _names(column: Column) -> bool:
    """Words of the length of names: Chinese ones of two to four characters, others of a few words."""
    if not _words(column):
        return False
    han = column.share(r"^\p{Han}")
    return han < 0.5 or column.share(r"^\p{Han}{2,4}$|·") >= 0.6 * han


def _words(column: Column) -> bool:
    return (
        column.type == "string" and column.share(r"\p{L}{2}|^\p{Han}") >= 0.7 and column.share("[0-9]") < 0.3
    )


def _classes(column: Column) -> bool:
    most = 30 if column.type in _CLASSES else max(200, 0.05 * column.rows)  # codes may be stored as numbers
    return len(column.distinct) <= most and column.type not in ("date", "datetime")


PLAUSIBLE: dict[str, Callable[[Column], bool]] = {
    "any": lambda column: True,
    "number": _numeric,
    "money": _money,
    "text": _text,
    "words": _words,
    "names": _names,
    "long": lambda column: _text(column) and column.longest >= 6,
    "few": lambda column: len(column.distinct) <= 12,
    "classes": _classes,
    "age": _age,
    "birth": _years,
    "time": _time,
}
