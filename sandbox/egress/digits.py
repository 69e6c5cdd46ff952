"""How numbers are written: their significant digits, and the unit of the last one."""

from __future__ import annotations

import numpy as np

_PLACES = 9  # decimals up to which a number is tried as so many hundredths, thousandths, …
_EXACT = 1e15  # a decimal of at most fifteen digits is the shortest spelling of the double nearest to it
_HALVES = np.array([0.5 * 10.0**-places for places in range(_PLACES + 1)])
_ROUND = np.array([0.5 * 10.0**zeros for zeros in range(16)])
_POWERS = np.array([10**power for power in range(16)], dtype=np.int64)


def written(value: float) -> tuple[int, float]:
    """(significant digits, half a unit of the last one) of a number as it is written."""
    text = format(abs(value), ".17g") if abs(value) >= 1e16 else repr(abs(value))
    mantissa, _, power = text.partition("e")
    exponent = int(power or 0)
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction.rstrip("0")
    digits = (whole + fraction).lstrip("0")
    if fraction:
        return len(digits), 0.5 * 10.0 ** (exponent - len(fraction))
    trimmed = digits.rstrip("0")
    return max(1, len(trimmed)), 0.5 * 10.0 ** (exponent + len(digits) - len(trimmed))


def spelled(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``written`` of each of many finite numbers: (digits, halves).

    A number of at most nine decimals and fifteen digits is some whole number over a power of ten; division
    rounds correctly, so the first power that gives the number back tells its decimals (IEEE 754). The few
    others are spelled one by one.
    """
    size = np.abs(values.astype(np.float64))
    digits, halves = np.zeros(len(size), dtype=np.int64), np.zeros(len(size))
    left = np.arange(len(size))
    for places in range(_PLACES + 1):
        with np.errstate(over="ignore"):
            units = np.rint(size[left] * 10.0**places)
        fits = (units < _EXACT) & (units / 10.0**places == size[left])
        at, units = left[fits], units[fits].astype(np.int64)
        count = np.searchsorted(_POWERS, units, side="right")
        if places:
            digits[at], halves[at] = count, _HALVES[places]
        else:
            zeros = np.sum([units % power == 0 for power in _POWERS[1:]], axis=0) * (units > 0)
            digits[at], halves[at] = np.maximum(1, count - zeros), _ROUND[zeros]
        left = left[~fits]
        if not len(left):
            break
    for place in left.tolist():
        digits[place], halves[place] = written(float(size[place]))
    return digits, halves
