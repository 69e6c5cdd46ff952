"""The forms that ``fpe`` keeps: which part of a number is enciphered, what is moved, how it is checked.

Every form is a function ``(values, key, cipher, forward) -> values``: text without nulls in, text out, null
for what has not the form. The inverse is the same function with ``forward`` false.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sandbox.desensitize.ff1 import FF1, Cipher
from sandbox.desensitize.octets import as_text, of_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Octets = NDArray[np.uint8]

Change = Callable[[pl.Series, bytes, Cipher, bool], pl.Series]
_ZERO = ord("0")
# GB/T 2260-2007: the codes of provinces, and of two digits as many that no province has, in the same order.
PROVINCES = (
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54,
    61, 62, 63, 64, 65, 71, 81, 82, 83,
)  # fmt: skip
NOWHERE = (
    10, 16, 17, 18, 19, 20, 24, 25, 26, 27, 28, 29, 30, 38, 39, 40, 47, 48, 49, 55, 56, 57, 58, 59, 60, 66,
    67, 68, 69, 70, 72, 73, 74, 75, 76,
)  # fmt: skip
_FIRST_DAY = np.datetime64("1900-01-01", "D")
_DAYS = int((np.datetime64("2100-01-01", "D") - _FIRST_DAY).astype(int))
_PERSONS = _DAYS * 1000  # days of birth x sequence numbers: 7.3 x 10^7
_USCC = np.frombuffer(b"0123456789ABCDEFGHJKLMNPQRTUWXY", dtype=np.uint8)
_PLACES = 10 ** np.arange(3, -1, -1, dtype=np.int64)
_ID_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])  # GB 11643-1999
_USCC_WEIGHTS = np.array([pow(3, i, 31) for i in range(17)])  # GB 32100-2015
_ORG_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2])  # GB 11714-1997
_IDENTITY = r"^[1-8][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9X]$"
# Lengths that telephone, identity and card numbers have: these have forms of their own.
_TAKEN = {11, *range(15, 20)}


def _where(values: pl.Series, fit: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """``change`` of the values that ``fit``; null for the others."""
    if fit.all(ignore_nulls=False):
        return change(values)
    chosen = fit.fill_null(False).arg_true()
    out = pl.Series([None], dtype=pl.String).new_from_index(0, len(values))
    return out.scatter(chosen, change(values.gather(chosen))) if len(chosen) else out


def _moved(octets: Octets, at: int, forward: bool) -> NDArray[np.bool_]:
    """Move the two digits at ``at`` between provinces and nowhere, in place; which rows could be moved."""
    source, target = (PROVINCES, NOWHERE) if forward else (NOWHERE, PROVINCES)
    table = np.zeros(100, dtype=np.uint8)
    table[list(source)] = target
    found = table[(octets[:, at] - _ZERO) * 10 + (octets[:, at + 1] - _ZERO)]
    octets[:, at], octets[:, at + 1] = found // 10 + _ZERO, found % 10 + _ZERO
    return np.asarray(found > 0)


def _through(machine: FF1, numerals: Octets, forward: bool) -> Octets:
    return machine.encrypt(numerals) if forward else machine.decrypt(numerals)


def _spelled(number: NDArray[np.int64], width: int) -> Octets:
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (number[:, None] // powers % 10).astype(np.uint8)


def _below(
    machine: FF1, number: NDArray[np.int64], limit: int, width: int, forward: bool
) -> NDArray[np.int64]:
    """A permutation of 0..limit-1: FF1 over ``width`` digits, walked on until the result is below ``limit``
    (cycle walking, Black and Rogaway 2002)."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    out = number.copy()
    rest = np.arange(len(number))
    while len(rest):
        out[rest] = _through(machine, _spelled(out[rest], width), forward).astype(np.int64) @ powers
        rest = rest[out[rest] >= limit]
    return out


def _id_check(octets: Octets) -> Octets:
    total = (octets[:, :17].astype(np.int64) - _ZERO) @ _ID_WEIGHTS
    return np.asarray(np.frombuffer(b"10X98765432", dtype=np.uint8)[total % 11])


def resident_id(values: pl.Series, key: bytes, cipher: Cipher, forward: bool) -> pl.Series:
    """18 characters by GB 11643; a final x counts as X."""
    machine = FF1(key, 10, cipher, b"resident_id")

    def change(fit: pl.Series) -> pl.Series:
        octets = of_text(fit, 18)
        good = _id_check(octets) == octets[:, 17]
        digits = octets[:, 6:17].astype(np.int64) - _ZERO
        year = digits[:, :4] @ _PLACES[-4:]
        month, day = digits[:, 4:6] @ _PLACES[-2:], digits[:, 6:8] @ _PLACES[-2:]
        months = (year - 1970).astype(np.int64).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
        born = months.astype("datetime64[D]") + (day - 1)
        good &= born.astype("datetime64[M]") == months  # no 31st of June
        person = (born.astype(np.int64) - _FIRST_DAY.astype(np.int64)) * 1000 + digits[:, 8:] @ _PLACES[-3:]
        person = _below(machine, np.where(good, person, 0), _PERSONS, 8, forward)
        good &= _moved(octets, 0, forward)
        stamp = np.datetime_as_string(_FIRST_DAY + person // 1000, unit="D")
        octets[:, 6:14] = of_text(pl.Series(stamp).str.replace_all("-", ""), 8)
        octets[:, 14:17] = _spelled(person % 1000, 3) + _ZERO
        octets[:, 17] = _id_check(octets)
        return as_text(octets).set(pl.Series(~good), None)

    upper = values.str.to_uppercase()
    return _where(upper, upper.str.contains(_IDENTITY), change)


def _uscc_checks(octets: Octets) -> None:
    """The check character of the organisation code and that of the whole, in place."""
    code = np.full(256, 0, dtype=np.int64)
    code[_USCC] = np.arange(31)
    letters = np.full(256, 0, dtype=np.int64)
    for place in range(10):
        letters[_ZERO + place] = place
    for place in range(26):
        letters[ord("A") + place] = 10 + place
    total = letters[octets[:, 8:16]] @ _ORG_WEIGHTS % 11
    octets[:, 16] = np.frombuffer(b"0X987654321", dtype=np.uint8)[total]
    rest = code[octets[:, :17]] @ _USCC_WEIGHTS % 31
    octets[:, 17] = _USCC[(31 - rest) % 31]


def uscc(values: pl.Series, key: bytes, cipher: Cipher, forward: bool) -> pl.Series:
    """18 characters by GB 32100 whose organisation code has a right check character (GB 11714)."""
    machine = FF1(key, 31, cipher, b"uscc")
    place = np.zeros(256, dtype=np.uint8)
    place[_USCC] = np.arange(31)

    def change(fit: pl.Series) -> pl.Series:
        octets = of_text(fit, 18)
        before = octets.copy()
        _uscc_checks(octets)
        good = (octets == before).all(axis=1) & _moved(octets, 2, forward)
        octets[:, 8:16] = _USCC[_through(machine, place[octets[:, 8:16]], forward)]
        _uscc_checks(octets)
        return as_text(octets).set(pl.Series(~good), None)

    upper = values.str.to_uppercase()
    return _where(upper, upper.str.contains(r"^[1-9ANY][1-59][0-9]{6}[0-9A-HJ-NP-RTUWXY]{10}$"), change)


def _luhn(octets: Octets) -> Octets:
    """The check digit (ISO/IEC 7812-1) of rows of digits without it."""
    digits = octets[:, ::-1].astype(np.int64) - _ZERO
    twice = digits[:, 0::2] * 2
    total = (twice - 9 * (twice > 9)).sum(axis=1) + digits[:, 1::2].sum(axis=1)
    return np.asarray((-total) % 10 + _ZERO, dtype=np.uint8)


def bank_card(values: pl.Series, key: bytes, cipher: Cipher, forward: bool) -> pl.Series:
    """15 to 19 digits with a right check digit, of an industry that issues bank cards (2 to 6)."""
    machine = FF1(key, 10, cipher, b"bank_card")

    def change(fit: pl.Series) -> pl.Series:
        octets = of_text(fit, int(fit.str.len_bytes()[0]))
        good = _luhn(octets[:, :-1]) == octets[:, -1]
        octets[:, 0] = (octets[:, 0] - _ZERO + 5) % 10 + _ZERO
        octets[:, 6:-1] = _through(machine, octets[:, 6:-1] - _ZERO, forward) + _ZERO
        octets[:, -1] = _luhn(octets[:, :-1])
        return as_text(octets).set(pl.Series(~good), None)

    first = "[2-6]" if forward else "[0-1789]"
    fit = values.str.contains(f"^{first}[0-9]{{14,18}}$")
    return _by_length(values, fit, change)


def _by_length(values: pl.Series, fit: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    size = values.str.len_bytes()
    out = pl.Series([None], dtype=pl.String).new_from_index(0, len(values))
    for length in size.filter(fit).unique():
        chosen = (fit & (size == length)).arg_true()
        out = out.scatter(chosen, change(values.gather(chosen)))
    return out


def mobile(values: pl.Series, key: bytes, cipher: Cipher, forward: bool) -> pl.Series:
    """11 digits: 1, then 3 to 9, then nine."""
    machine = FF1(key, 10, cipher, b"mobile")

    def change(fit: pl.Series) -> pl.Series:
        octets = of_text(fit, 11)
        octets[:, 0] = _ZERO + (2 if forward else 1)
        octets[:, 1:] = _through(machine, octets[:, 1:] - _ZERO, forward) + _ZERO
        return as_text(octets)

    return _where(values, values.str.contains("^1[3-9][0-9]{9}$" if forward else "^2[0-9]{10}$"), change)


def digits(values: pl.Series, key: bytes, cipher: Cipher, forward: bool) -> pl.Series:
    """6 to 32 digits, of a length that no other form has."""
    machine = FF1(key, 10, cipher, b"digits")

    def change(fit: pl.Series) -> pl.Series:
        octets = of_text(fit, int(fit.str.len_bytes()[0]))
        return as_text(_through(machine, octets - _ZERO, forward) + _ZERO)

    fit = values.str.contains("^[0-9]{6,32}$") & ~values.str.len_bytes().is_in(sorted(_TAKEN))
    return _by_length(values, fit, change)


FORMS: dict[str, Change] = {
    "resident_id": resident_id,
    "uscc": uscc,
    "bank_card": bank_card,
    "mobile": mobile,
    "digits": digits,
}
