"""Which groups come out: those of the public domain, or discovered ones that enough entities share.

A discovered key comes out if its number of entities plus noise reaches ``threshold``. A key that one entity
alone has comes out with a probability of at most delta, over all keys of that entity together (the partition
selection of Korolova et al. 2009; Desfontaines, Voss, Gipson 2022), and then with noise like every other.
Pure Python: the estimate before a job runs tells the threshold too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

from sandbox.desensitize.dp.accounting import DELTA, PERSONS, Scale, components, groups
from sandbox.desensitize.dp.spec import Query

_EXACT = Context(prec=60)
_ABOVE = Context(prec=50, rounding=ROUND_CEILING)
_ROOT_TAU = Decimal("2.5066282746310005")  # the square root of 2 pi, rounded down


def tail(mechanism: str, scale: Scale, least: int) -> Decimal:
    """At least the probability that noise of ``scale`` is ``least`` or more; ``least`` is 1 or more.

    Laplace: exp(-m/t) / (1 + exp(-1/t)), exactly. Gaussian: the terms exp(-k^2 / 2s^2) from m on fall
    faster than a geometric series, and the sum of all of them is at least max(1, s * sqrt(2 pi)).
    """
    size = _EXACT.divide(scale.top, scale.bottom)
    if mechanism == "laplace":
        step = _EXACT.exp(_EXACT.divide(-1, size))
        exact = _EXACT.divide(_EXACT.exp(_EXACT.divide(-least, size)), _EXACT.add(1, step))
        return _ABOVE.multiply(exact, Decimal("1.0000000001"))
    twice = _EXACT.multiply(2, _EXACT.multiply(size, size))
    first = _EXACT.exp(_EXACT.divide(-(least**2), twice))
    ratio = _EXACT.exp(_EXACT.divide(-(2 * least + 1), twice))
    whole = max(Decimal(1), _EXACT.multiply(size, _ROOT_TAU))
    bound = _EXACT.divide(first, _EXACT.multiply(_EXACT.subtract(1, ratio), whole))
    return _ABOVE.multiply(bound, Decimal("1.0000000001"))


def threshold(query: Query) -> int | None:
    """The least number of entities, with noise, that shows a discovered key; None where all are public.

    The least t such that the groups of one entity times the chance that 1 + noise >= t is within delta.
    """
    if not query.discovers:
        return None
    scale = next(one for one in components(query) if one.kind == PERSONS).scale
    allowed = Decimal(query.delta_e15) / DELTA / groups(query)
    low, high = 0, 1
    while tail(query.mechanism, scale, high) > allowed:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if tail(query.mechanism, scale, middle) > allowed:
            low = middle
        else:
            high = middle
    return 1 + high


def public(query: Query) -> Iterable[tuple[Any, ...]]:
    """The groups of the public domain, the last column's keys changing fastest; one without columns."""
    return itertools.product(*(dimension.keys for dimension in query.by))


def order(key: Iterable[Any]) -> tuple[Any, ...]:
    """Sorts groups: falsehood before truth, numbers by size, texts by code points, empty last."""
    return tuple((value is None, 0 if value is None else value) for value in key)
