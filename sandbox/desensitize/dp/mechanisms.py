"""Noise on what was counted, and what is worked out of noisy numbers alone.

``Threshold`` and ``noisy`` alone see a number without noise. Everything after it is post-processing: it
touches no row and costs nothing, whatever it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from sandbox.desensitize.dp.accounting import PERSONS, Component, components, needed
from sandbox.desensitize.dp.keys import threshold
from sandbox.desensitize.dp.rewrite import Counted
from sandbox.desensitize.dp.sampler import SAMPLERS
from sandbox.desensitize.dp.spec import Measure, Query

Ints = npt.NDArray[np.int64]
_MORE_PLACES = 2  # of a mean and a variance, beyond the scale of its values
_MOST_DIGITS = 18


@dataclass(frozen=True)
class Figure:
    """One column of the answer: integers in units of 10^-``places``."""

    name: str
    units: Ints
    places: int


class Threshold:
    """Chooses discovered groups: those whose noisy number of entities reaches the threshold.

    ``shown`` are these noisy numbers afterwards: the choice and the figure are one release.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        self.shown: Ints = np.zeros((0, 1), np.int64)

    def __call__(self, persons: Ints) -> npt.NDArray[np.intp]:
        one = next(part for part in components(self.query) if part.kind == PERSONS)
        least = threshold(self.query)
        drawn = persons + SAMPLERS[self.query.mechanism](one.scale, persons.size)
        kept = np.flatnonzero(drawn >= least) if least is not None else np.arange(persons.size)
        self.shown = drawn[kept].reshape(-1, 1)
        return kept


def noisy(query: Query, counted: Counted, shown: Ints | None = None) -> Mapping[Component, Ints]:
    """Independent exact noise on every number that was counted, groups by cells, for each component.

    ``shown``: numbers of entities that have got theirs already, where groups were discovered.
    """
    sample = SAMPLERS[query.mechanism]
    drawn: dict[Component, Ints] = {}
    for one, vector in zip(components(query), counted.vectors, strict=True):
        if shown is not None and one.kind == PERSONS:
            drawn[one] = shown
        else:
            drawn[one] = vector + sample(one.scale, vector.size).reshape(vector.shape)
    return drawn


def _whole(one: Component, vector: Ints) -> Ints:
    """In units of the scale, held to 62 bits."""
    most = (1 << 62) // one.grain
    made: Ints = np.clip(vector, -most, most) * one.grain
    return made


def _real(one: Component, vector: Ints) -> npt.NDArray[np.float64]:
    made: npt.NDArray[np.float64] = vector[:, 0].astype(np.float64) * one.grain
    return made


def _count(measure: Measure, parts: Mapping[Component, Ints]) -> list[Figure]:
    ((one, vector),) = parts.items()
    return [Figure(measure.name, _whole(one, vector)[:, 0], one.decimals)]


def _by_kind(parts: Mapping[Component, Ints], kind: str) -> tuple[Component, Ints]:
    return next((one, vector) for one, vector in parts.items() if one.kind == kind)


def _mean_of(
    parts: Mapping[Component, Ints], kind: str, rows: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    one, vector = _by_kind(parts, kind)
    made: npt.NDArray[np.float64] = _real(one, vector) / rows
    return made


def _rows(parts: Mapping[Component, Ints]) -> npt.NDArray[np.float64]:
    made: npt.NDArray[np.float64] = np.maximum(_real(*_by_kind(parts, "values")), 1.0)
    return made


def _mean(measure: Measure, parts: Mapping[Component, Ints]) -> list[Figure]:
    one, _ = _by_kind(parts, "centred")
    mean = np.clip(one.centre + _mean_of(parts, "centred", _rows(parts)), one.lower, one.upper)
    return [
        Figure(measure.name, np.rint(mean * 10**_MORE_PLACES).astype(np.int64), one.decimals + _MORE_PLACES)
    ]


def _variance(measure: Measure, parts: Mapping[Component, Ints]) -> list[Figure]:
    one, _ = _by_kind(parts, "squares")
    rows = _rows(parts)
    squares = one.centre2 + _mean_of(parts, "squares", rows)
    found = np.clip(squares - _mean_of(parts, "centred", rows) ** 2, 0, one.reach**2)
    largest = one.reach**2 // 100**one.decimals
    places = max(0, min(one.decimals + _MORE_PLACES, _MOST_DIGITS - len(str(largest))))
    shift = places - 2 * one.decimals
    return [Figure(measure.name, np.rint(found * 10.0**shift).astype(np.int64), places)]


def _histogram(measure: Measure, parts: Mapping[Component, Ints]) -> list[Figure]:
    ((_, vector),) = parts.items()
    return [Figure(name, vector[:, cell], 0) for cell, name in enumerate(measure.outputs)]


def prefixes(levels: Mapping[int, Ints], bins: int) -> Ints:
    """Counts of the first 0, 1, … ``bins`` intervals, each out of the fewest nodes; ``levels`` by width."""
    top = max(levels)
    some = next(iter(levels.values()))
    made = np.zeros((len(some), bins + 1), np.int64)
    whole = np.cumsum(levels[top], axis=1)
    for end in range(1, bins + 1):
        if end >= top:
            made[:, end] = whole[:, end // top - 1]
        for width, nodes in levels.items():
            if width < top and end // width % 2:
                made[:, end] += nodes[:, end // width - 1]
    return made


def _quantile(measure: Measure, parts: Mapping[Component, Ints]) -> list[Figure]:
    """Of the edges, the one below which the share of rows is nearest to the one asked for.

    Noisy counts need not rise: the mean of the least curve above and the greatest below that do is taken.
    """
    bins = len(measure.edges) - 1
    ranks = prefixes({one.width: vector for one, vector in parts.items()}, bins)
    above = np.maximum.accumulate(ranks, axis=1)
    below = np.minimum.accumulate(ranks[:, ::-1], axis=1)[:, ::-1]
    rising = (above.astype(np.float64) + below) / 2
    edges = np.array([measure.units(edge) for edge in measure.edges], np.int64)
    figures = []
    for name, share in zip(measure.outputs, measure.at, strict=True):
        far = np.abs(rising - float(Fraction(share)) * rising[:, -1:])
        figures.append(Figure(name, edges[far.argmin(axis=1)], measure.scale))
    return figures


_WORK: dict[str, Callable[[Measure, Mapping[Component, Ints]], list[Figure]]] = {
    "count": _count,
    "distinct": _count,
    "sum": _count,
    "mean": _mean,
    "variance": _variance,
    "histogram": _histogram,
    "quantile": _quantile,
}


def figures(query: Query, drawn: Mapping[Component, Ints]) -> list[Figure]:
    """The columns of the answer, measures by name, out of noisy numbers only."""
    made = []
    for measure in sorted(query.measures, key=lambda one: one.name):
        parts = {one: drawn[one] for one in needed(query, measure)}
        made += _WORK[measure.of](measure, parts)
    return made
