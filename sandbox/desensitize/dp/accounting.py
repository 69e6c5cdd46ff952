"""What a question costs and how its budget is divided. Pure integers and exact fractions, rounded up.

The currency is zero-concentrated differential privacy (Bun, Steinke 2016), in integer nano-rho: it adds up.
Noise of the discrete Gaussian with variance s2 on integers of L2 sensitivity D costs D^2 / (2 s2) (Canonne,
Kamath, Steinke 2020, theorem 4). Noise of the discrete Laplace with scale t on integers of L1 sensitivity D
is (D/t)-differentially private and costs (D/t)^2 / 2 (Bun, Steinke 2016, proposition 1.4). Keys taken from
the data cost the probability that a key shows which only one entity has: delta, in integers of 1e-15.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sandbox.core.errors import fail
from sandbox.desensitize.dp.spec import VALUED, Measure, Query

NANO = 10**9
DELTA = 10**15
PERSONS = "persons"
_FINE = 1 << 20  # a scale is a fraction whose numerator has at least so much: it is at most 1e-6 too large
WIDEST = 1 << 54  # numerator of a scale: 255 times it is still a number of 62 bits
MOST_NUMBERS = 10_000_000  # that are counted and get noise, over all groups of a public domain
MOST_OF_GROUP = 1024  # of one group, where the groups are discovered: how many come out is not known before
_STEEPEST = 1 << 40  # sensitivities beyond are taken in coarser units


@dataclass(frozen=True)
class Scale:
    """An exact scale ``top / bottom``: the standard deviation's bound of a discrete Gaussian, or the scale of
    a discrete Laplace."""

    top: int
    bottom: int

    def __float__(self) -> float:
        return self.top / self.bottom


@dataclass(frozen=True)
class Component:
    """One vector of integers per group that is taken from the data and gets noise.

    ``kind``: ``persons``, ``rows``, ``values`` (rows that have a value), ``sum``, ``centred`` (of value minus
    ``centre``), ``squares`` (of its square minus ``centre2``), ``bins`` (a level of a tree over ``edges``;
    the leaves have ``width`` 1). ``bound``: what one entity changes in one group at most (for
    bins all of them together), ``scale``: of the noise, both in units of ``grain``. ``nano_rho``: its share.
    """

    kind: str
    column: str | None
    measure: str
    cells: int
    bound: int
    grain: int
    nano_rho: int
    scale: Scale
    lower: int = 0
    upper: int = 0
    decimals: int = 0
    edges: tuple[int, ...] = ()
    width: int = 1

    @property
    def centre(self) -> int:
        """The middle of the bounds, which sums of deviations are taken from."""
        return (self.lower + self.upper) // 2

    @property
    def reach(self) -> int:
        """How far a value can be from ``centre``."""
        return self.upper - self.centre

    @property
    def centre2(self) -> int:
        """The middle of the squares of deviations."""
        return self.reach**2 // 2


@dataclass(frozen=True)
class Cost:
    """An upper bound on what answering costs, in the budget's units."""

    nano_rho: int
    delta_e15: int


def groups(query: Query) -> int:
    """The most groups in which one entity counts."""
    return query.groups_per_entity if query.discovers else min(query.groups_per_entity, query.cells)


# kind -> what one row of an entity adds at most, from the bounds in units of the scale
_ROW: dict[str, Callable[[Component], int]] = {
    "persons": lambda one: 1,
    "rows": lambda one: 1,
    "values": lambda one: 1,
    "bins": lambda one: 1,
    "sum": lambda one: max(abs(one.lower), abs(one.upper)),
    "centred": lambda one: one.reach,
    "squares": lambda one: one.reach**2 - one.centre2,
}
_NEEDS = {
    "count": ("rows",),
    "distinct": (PERSONS,),
    "sum": ("sum",),
    "mean": ("values", "centred"),
    "variance": ("values", "centred", "squares"),
}


def _draft(kind: str, measure: Measure | None, width: int = 1) -> Component:
    """A component without its share and noise."""
    nothing = Scale(1, 1)
    if measure is None or measure.column is None:
        name = measure.name if measure else "by"
        return Component(kind, None, name, 1, 1, 1, 0, nothing)
    edges = tuple(measure.units(edge) for edge in measure.edges)
    cells = max(1, -(-(len(edges) - 1) // width)) if edges else 1
    bounds = (0, 0) if kind == "values" else (measure.units(measure.lower), measure.units(measure.upper))
    decimals = measure.scale if kind != "values" else 0
    return Component(
        kind, measure.column, measure.name, cells, 1, 1, 0, nothing, *bounds, decimals, edges, width
    )


def _identity(one: Component) -> tuple[object, ...]:
    return one.kind, one.column, one.lower, one.upper, one.decimals, one.edges, one.width


def tree_levels(bins: int) -> tuple[int, ...]:
    """Widths of the intervals counted for quantiles: of each level of a binary tree, or (1,) where counting
    the bins alone is better (a prefix of n bins has the variance n, through a tree of L levels L^2)."""
    levels = max(1, (bins - 1).bit_length())
    return tuple(1 << level for level in range(levels)) if levels**2 < bins else (1,)


def _drafts_of(measure: Measure) -> list[Component]:
    """What one measure needs."""
    widths: tuple[int, ...] = (1,) if measure.of == "histogram" else ()
    if measure.of == "quantile":
        widths = tree_levels(len(measure.edges) - 1)
    plain = [_draft(kind, measure) for kind in _NEEDS.get(measure.of, ())]
    return plain + [_draft("bins", measure, width) for width in widths]


def _drafts(query: Query) -> dict[tuple[object, ...], tuple[Component, int]]:
    """The components needed, each once, with their weights."""
    found: dict[tuple[object, ...], tuple[Component, int]] = {}

    def need(one: Component, weight: int) -> None:
        kept, before = found.get(_identity(one), (one, 0))
        found[_identity(one)] = kept, before + weight

    if query.discovers:
        need(_draft(PERSONS, None), 1)
    for measure in sorted(query.measures, key=lambda one: one.name):
        for one in _drafts_of(measure):
            need(one, measure.weight)
    return found


def ceil_root(square: Fraction) -> Scale | None:
    """The least fraction with a power of two below whose square is at least ``square``, with a numerator of
    2^20 or more where the number is smaller than that; None if it is beyond WIDEST."""
    bottom = 1
    while bottom < 1 << 60 and math.isqrt(math.floor(square * bottom * bottom)) < _FINE:
        bottom *= 2
    top = math.isqrt(math.ceil(square * bottom * bottom) - 1) + 1
    return Scale(top, bottom) if top <= WIDEST else None


def sensitivity_squared(query: Query, one: Component) -> int:
    """Of the component's vector over all groups, in units of its grain: L2 squared for the Gaussian, L1
    squared for the Laplace."""
    most = groups(query)
    return (most if query.mechanism == "gaussian" else most**2) * one.bound**2


@lru_cache(maxsize=256)
def components(query: Query) -> tuple[Component, ...]:
    """What is measured, with shares, sensitivities and exact noise scales, in a fixed order.

    The same number for two measures is taken once. Raises DP_NOISE where the noise would be too wide,
    DP_QUERY where the answer would be too large.
    """
    drafts = list(_drafts(query).values())
    each = sum(one.cells for one, _ in drafts)
    if each * query.cells > MOST_NUMBERS or (query.discovers and each > MOST_OF_GROUP):
        raise fail("DP_QUERY", field="measures")
    total = sum(weight for _, weight in drafts)
    made = []
    for one, weight in drafts:
        bound = _ROW[one.kind](one) * (1 if one.kind == PERSONS else query.rows_per_entity)
        grain = 1 << max(0, bound.bit_length() - _STEEPEST.bit_length() + 1)
        share = query.nano_rho * weight // total
        described = {**one.__dict__, "bound": -(-bound // grain), "grain": grain, "nano_rho": share}
        shaped = Component(**described)
        square = Fraction(sensitivity_squared(query, shaped) * NANO, 2 * share) if share else None
        scale = ceil_root(square) if square else None
        if scale is None:
            raise fail("DP_NOISE", measure=one.measure)
        made.append(Component(**{**described, "scale": scale}))
    return tuple(made)


def needed(query: Query, measure: Measure) -> tuple[Component, ...]:
    """Those of ``components`` that the measure is worked out of."""
    wanted = {_identity(one) for one in _drafts_of(measure)}
    return tuple(one for one in components(query) if _identity(one) in wanted)


def expected(query: Query) -> list[dict[str, Any]]:
    """How far each figure will be from the truth, known before anything is counted.

    For each measure ``{"measure", "of", "error", "sd"}`` with the noise's standard deviation, in the
    measure's own unit. ``error`` says of what: ``figure`` (the number itself), ``times_rows`` (a mean or
    variance of n rows is about sd/n off), ``rank`` (a quantile is that of a rank sd rows off, at an edge).
    Bounding entities that have more rows or groups than may count is a bias that comes on top.
    """
    told = []
    for measure in sorted(query.measures, key=lambda one: one.name):
        parts = needed(query, measure)
        one, kind = parts[-1], "figure"
        spread = float(one.scale) * one.grain * (math.sqrt(2) if query.mechanism == "laplace" else 1)
        if measure.of in ("mean", "variance"):
            kind = "times_rows"
        elif measure.of == "quantile":
            kind = "rank"
            spread *= math.sqrt(len(parts) if len(parts) > 1 else one.cells / 2)
        unit = 10 ** (one.decimals * (2 if measure.of == "variance" else 1) if measure.of in VALUED else 0)
        told.append({"measure": measure.name, "of": measure.of, "error": kind, "sd": spread / unit})
    return told


def spent(query: Query, one: Component) -> Fraction:
    """rho of one component, exactly; at most its share."""
    square = Fraction(one.scale.bottom**2, one.scale.top**2)
    return sensitivity_squared(query, one) * square / 2


def cost(query: Query) -> Cost:
    """What an answer costs: never more than ``query.nano_rho`` and ``query.delta_e15``. Raises DP_NOISE."""
    rho = sum((spent(query, one) for one in components(query)), Fraction(0))
    return Cost(math.ceil(rho * NANO), query.delta_e15)


def pure_epsilon(query: Query) -> float | None:
    """The epsilon of pure differential privacy, rounded up, where there is one: Laplace, public keys."""
    if query.mechanism != "laplace" or query.discovers:
        return None
    total = sum(math.sqrt(2 * spent(query, one)) for one in components(query))
    return _up(total)


def _up(value: float) -> float:
    """A float that is surely not below the exact value of a short calculation, with nine digits."""
    return float(f"{value * (1 + 1e-8):.9g}") if value else 0.0


def epsilon(nano_rho: int, delta_e15: int, spent_e15: int = 0) -> float:
    """The epsilon of (epsilon, delta)-differential privacy for ``nano_rho``, rounded up.

    ``delta_e15`` is the whole delta, of which ``spent_e15`` went to discovering keys. Infinite if nothing of
    it is left. Canonne, Kamath, Steinke 2020, proposition 12: for every a > 1 it is at most
    rho*a + (log(1/delta) - log(a)) / (a - 1) + log(1 - 1/a); the best a is searched.
    """
    if nano_rho == 0:
        return 0.0
    left = delta_e15 - spent_e15
    if left <= 0:
        return math.inf
    rho, log_delta = nano_rho / NANO, math.log(left / DELTA)

    def at(power: float) -> float:
        order = math.exp(power)  # a - 1
        return (
            rho * (1 + order) - (log_delta + math.log1p(order)) / order + math.log(order) - math.log1p(order)
        )

    low, high = -16.0, 40.0
    for _ in range(200):
        third = (high - low) / 3
        if at(low + third) < at(high - third):
            high -= third
        else:
            low += third
    return _up(max(0.0, at((low + high) / 2)))


def canonical(query: Query) -> bytes:
    """The one form of a question: JSON with sorted keys in UTF-8. Equal questions have equal bytes."""
    return json.dumps(query.plain(), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def query_sha256(query: Query) -> str:
    """Hash of ``canonical``: by it a question is known again."""
    return hashlib.sha256(canonical(query)).hexdigest()
