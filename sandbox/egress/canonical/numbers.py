"""Numbers as they leave: with twelve significant digits.

No statistic has more, sums of money to the cent up to ten thousand million fit in, and what lies below
could say something that no recount sees.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

DIGITS = 12
_EXACT = 22  # powers of ten up to this one are doubles without rounding
_CENTS, _LARGE = 100.0, 1e9  # numbers of few decimals, which most columns hold, need no second look


def steady_number(value: float) -> float:
    """``value`` to twelve significant digits; what is no finite number as it is."""
    return float(format(value, f".{DIGITS}g")) if math.isfinite(value) else value


def steady(values: pl.Series) -> pl.Series:
    """A column of floats to twelve significant digits, missing and infinite ones as they are; idempotent."""
    numbers = values.cast(pl.Float64).to_numpy().copy()
    at = np.flatnonzero(np.isfinite(numbers) & (numbers != 0))
    known = numbers[at]
    if bool((np.abs(known) < _LARGE).all()) and np.array_equal(np.rint(known * _CENTS) / _CENTS, known):
        return values
    places = DIGITS - 1 - np.floor(np.log10(np.abs(known)))
    near = np.abs(places) <= _EXACT
    power = 10.0 ** np.where(near, np.abs(places), 0.0)
    # A whole number below 2^53 divided or multiplied by an exact power is the double next to that decimal.
    made = np.where(places >= 0, np.rint(known * power) / power, np.rint(known / power) * power)
    made[~near] = [steady_number(float(one)) for one in known[~near]]
    numbers[at] = made
    result = pl.Series(values.name, numbers).cast(values.dtype)
    return result.set(values.is_null(), None) if values.null_count() else result
