"""Which aggregates of one table can be subtracted from each other: what that leaves is told as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.egress.recompute.expr import Aggregate

SUMS = ("sum", "avg", "mean")
# Statistics of one thing that give away of how many: their quotient, or what one constant makes of the other.
_COUNT_BY = (
    frozenset(SUMS),
    frozenset({"stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop"}),
    frozenset({"covar_samp", "covar_pop", "regr_slope", "regr_avgx", "regr_avgy"}),
)


def tells_count(pool: Sequence[Aggregate], number: int) -> bool:
    """Whether of how many rows an aggregate is can be read from it, or from it and another of the pool."""
    one = pool[number]
    if one.counts or any(operand.unit for operand in one.operands):
        return True
    if not one.partial:
        return False
    family = next((names for names in _COUNT_BY if one.name in names), frozenset())
    others = (other for other in pool if other != one and other.name in family and other.partial)
    return any(_columns(one) & _columns(other) for other in others)


def _columns(one: Aggregate) -> frozenset[Any]:
    return frozenset().union(*(operand.columns for operand in one.operands))


def subtractable(one: Aggregate, other: Aggregate) -> bool:
    """Whether two aggregates are of one thing: numbers of rows, or statistics of a column in common."""
    if one.counts or other.counts:
        return one.counts and other.counts
    return bool(_columns(one) & _columns(other))


def parts_of(pool: Sequence[Aggregate]) -> list[Any]:
    """The operands and conditions of all aggregates."""
    return [part for one in pool for part in (*one.operands, *([one.where] if one.where else []))]
