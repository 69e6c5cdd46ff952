"""How well entities hide among each other: k, l, t, alpha, beta, delta and risks, in one pass.

One GROUP BY of the engine over quasi-identifiers and sensitive value; everything else is worked out of its
groups, which are at most as many as the rows. An empty value is a value: it groups, and it is a sensitive
value like another (first in order). With an entity column whose entities have several rows everything counts
distinct entities; the distribution of a class is then that of its (entity, value) pairs.

Sources: k — Sweeney 2002; distinct, entropy and recursive (c, l)-diversity — Machanavajjhala et al. 2007;
t-closeness with the equal and the ordered distance — Li et al. 2007; (alpha, k) — Wong et al. 2006;
beta-likeness — Cao and Karras 2012; delta-disclosure — Brickell and Shmatikov 2008; prosecutor risks —
El Emam 2013, and GB/T 42460-2023 with its thresholds; uniqueness in the population — Zayatz 1991.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow.compute as pc

# GB/T 42460-2023: the risk of one record that is acceptable, by how the data are shared.
RELEASES = {"public": 1 / 20, "controlled": 1 / 5, "enclave": 1 / 3}
_WIDE = 1 << 62  # keys of mixed radix stay below


@dataclass(frozen=True)
class Spread:
    """How a sensitive column is spread within the classes; each the worst class's value.

    ``recursive_c``: c must be greater than this for recursive (c, l)-diversity at l = ``distinct_l`` (None
    where that is 1: no c is enough). ``beta``: of basic beta-likeness; ``enhanced_beta`` None where a value
    gains more than -ln of its share, which no beta allows. ``rarest``: the least share of a value.
    """

    distinct_l: int
    entropy_l: float
    recursive_c: float | None
    alpha: float
    t: float
    beta: float
    enhanced_beta: float | None
    delta: float
    rarest: float


@dataclass(frozen=True)
class Measures:
    """``sizes``: distinct entities of each class, in no order; ``spread`` by sensitive column."""

    sizes: np.ndarray
    spread: Mapping[str, Spread] = field(default_factory=dict)

    @property
    def k(self) -> int:
        """The least class; 0 without rows."""
        return int(self.sizes.min()) if len(self.sizes) else 0

    @property
    def uniques(self) -> int:
        """Classes of one entity."""
        return int((self.sizes == 1).sum())


@dataclass(frozen=True)
class Risk:
    """Risks of being found, for a person known to be in the data: ``over`` the share of the entities whose
    risk is above ``tau``, ``highest`` 1/k, ``average`` classes an entity. ``level`` is that of GB/T 42460: 1
    with direct identifiers, 2 with quasi-identifiers and a risk above ``tau``, 3 with none above, 4 without
    quasi-identifiers. ``decisive``: the highest for public release, else the average."""

    tau: float
    over: float
    highest: float
    average: float
    level: int
    decisive: float


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _numpy(numbers: Any) -> np.ndarray:
    """An Arrow array of numbers without nulls. Arrow's own way imports pandas first: half a second."""
    return pl.Series(numbers).to_numpy()


def _codes(column: Any) -> tuple[np.ndarray, Any]:
    """(position of each value among the distinct ones, the distinct values) of an Arrow column."""
    coded = column.combine_chunks().dictionary_encode("encode")
    return _numpy(coded.indices).astype(np.int64), coded.dictionary


def _key(columns: Sequence[Any], rows: int) -> tuple[np.ndarray, int]:
    """(one number for each combination of values, above all of them), exact for any width."""
    key, span = np.zeros(rows, dtype=np.int64), 1
    for column in columns:
        codes, values = _codes(column)
        if span * max(len(values), 1) >= _WIDE:
            distinct, key = np.unique(key, return_inverse=True)
            span = len(distinct)
        key, span = key * len(values) + codes, span * max(len(values), 1)
    return key, span


def _classes(key: np.ndarray, span: int) -> tuple[np.ndarray, np.ndarray]:
    """(order that brings equal keys together, where each class begins in it)."""
    order = np.argsort(key, kind="stable" if span <= 1 << 16 else None)
    ordered = key[order]
    return order, np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])


def _ordered_t(place: np.ndarray, share: np.ndarray, starts: np.ndarray, p: np.ndarray) -> float:
    """The greatest earth mover's distance over ordered values, all steps alike.

    ``place`` and ``share``: position and share of the values of each class, classes together, positions
    rising. Between two values of a class its cumulative share stands still while the whole's rises: where
    they cross is found by bisection, the rest are prefix sums. So it costs the values present, not all.
    """
    if len(p) < 2:
        return 0.0
    whole = np.cumsum(p)
    sums = np.r_[0.0, np.cumsum(whole)]
    size = np.diff(np.r_[starts, len(place)])
    first = np.zeros(len(place), dtype=bool)
    first[starts] = True
    reached = np.cumsum(share)
    reached -= np.repeat(reached[starts] - share[starts], size)
    until = np.r_[place[1:], len(p)]
    until[np.r_[starts[1:] - 1, len(place) - 1]] = len(p)
    cross = np.clip(np.searchsorted(whole, reached), place, until)
    below = reached * (cross - place) - (sums[cross] - sums[place])
    above = (sums[until] - sums[cross]) - reached * (until - cross)
    before = np.where(first, sums[place], 0.0)
    return float(np.add.reduceat(below + above + before, starts).max()) / (len(p) - 1)


def _recursive(count: np.ndarray, starts: np.ndarray, least: int) -> float | None:
    """The greatest r1 / (r_l + … + r_m) of a class, its counts falling."""
    if least < 2:
        return None
    size = np.diff(np.r_[starts, len(count)])
    owner = np.repeat(np.arange(len(starts)), size)
    falling = count[np.lexsort((-count, owner))]
    top = falling[starts]
    place = np.arange(len(count)) - np.repeat(starts, size)
    rest = np.add.reduceat(np.where(place >= least - 1, falling, 0), starts)
    return float((top / rest).max())


def _spread(
    key: np.ndarray, span: int, count: np.ndarray, value: tuple[np.ndarray, Any], ordered: bool, sizes: Any
) -> tuple[Spread, np.ndarray]:
    """(the spread, sizes of the classes) of groups: class key, entities, sensitive value."""
    place, values = value
    if ordered:
        rank = np.empty(len(values), dtype=np.int64)
        rank[_numpy(pc.array_sort_indices(values, null_placement="at_start"))] = np.arange(len(values))
        place = rank[place]
        if span * len(values) >= _WIDE:
            distinct, key = np.unique(key, return_inverse=True)
            span = len(distinct)
        order = np.argsort(key * len(values) + place)
        starts = np.flatnonzero(np.r_[True, np.diff(key[order]) != 0])
    else:
        order, starts = _classes(key, span)
    count, place = count[order], place[order]
    p = np.bincount(place, weights=count, minlength=len(values)) / float(count.sum())
    pairs = np.add.reduceat(count, starts)
    number = np.diff(np.r_[starts, len(count)])
    n = pairs if sizes is None else sizes(key[order][starts])
    share = count / np.repeat(pairs, number)
    entropy = np.log(pairs) - np.add.reduceat(count * np.log(count), starts) / pairs
    if ordered:
        t = _ordered_t(place, share, starts, p)
    else:
        known = p[place]
        t = float((0.5 * (np.add.reduceat(np.abs(share - known) - known, starts) + 1.0)).max())
    gain = share / p[place]
    beta = float(gain.max()) - 1.0
    least = int(number.min())
    found = Spread(
        distinct_l=least,
        entropy_l=math.exp(max(0.0, float(entropy.min()))),
        recursive_c=_recursive(count, starts, least),
        alpha=float((np.maximum.reduceat(count, starts) / n).max()),
        t=t,
        beta=beta,
        enhanced_beta=None if bool((gain - 1.0 > -np.log(p[place]) + 1e-12).any()) else beta,
        delta=float(np.abs(np.log(gain)).max()),
        rarest=float(p.min()),
    )
    return found, n


def measure(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    quasi: Sequence[str],
    sensitive: Mapping[str, bool] | None = None,
    entity: str | None = None,
) -> Measures:
    """Measure the table ``source`` (its name or a query in brackets, in ``connection``).

    ``quasi``: columns; without any, all rows are one class. ``sensitive``: columns, true where t is of
    ordered values. ``entity``: column of the entity; None where each row is one. Rows without an entity
    count for none. Raises ``duckdb.Error`` for what is not there.
    """
    lead = "".join(f"{_quote(name)}, " for name in quasi)
    several = entity is not None and _several(connection, source, entity)
    spread: dict[str, Spread] = {}
    sizes: np.ndarray | None = None
    for column, ordered in (sensitive or {}).items():
        at = _quote(column)
        asked = "count(*)" if entity is None else f"count({_quote(entity)})"
        if several:
            asked = f"count(DISTINCT {_quote(str(entity))})"
        table = connection.sql(
            f"SELECT {lead}{at} AS __s, {asked} AS __c FROM {source} GROUP BY {lead}{at} HAVING __c > 0"
        ).to_arrow_table()
        count = _numpy(table["__c"]).astype(np.int64)
        if not len(count):
            return Measures(np.zeros(0, dtype=np.int64))
        key, span = _key([table[i] for i in range(len(quasi))], len(count))
        look = None
        if several:
            look = _sizes_of(connection, source, quasi, str(entity), table, key)
        spread[column], sizes = _spread(key, span, count, _codes(table["__s"]), ordered, look)
    if sizes is None:
        asked = "count(*)" if entity is None else f"count(DISTINCT {_quote(entity)})"
        group = f"GROUP BY {lead[:-2]}" if quasi else ""
        table = connection.sql(f"SELECT {asked} AS __c FROM {source} {group} HAVING __c > 0").to_arrow_table()
        sizes = _numpy(table["__c"]).astype(np.int64)
    return Measures(sizes, spread)


def _several(connection: duckdb.DuckDBPyConnection, source: str, entity: str) -> bool:
    """Whether an entity has more than one row."""
    e = _quote(entity)
    (rows, distinct), *_ = connection.sql(f"SELECT count({e}), count(DISTINCT {e}) FROM {source}").fetchall()
    return bool(rows != distinct)


def _sizes_of(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    quasi: Sequence[str],
    entity: str,
    groups: Any,
    key: np.ndarray,
) -> Any:
    """A function that gives the distinct entities of the classes of some keys: an entity that has several
    sensitive values in a class stands in several of its groups."""
    lead = ", ".join(_quote(name) for name in quasi)
    named = ", ".join(f"{_quote(name)} AS q{i}" for i, name in enumerate(quasi))
    total = f"SELECT {named + ', ' if quasi else ''}count(DISTINCT {_quote(entity)}) AS n FROM {source}"
    if not quasi:
        whole = int(connection.sql(total).fetchall()[0][0])
        return lambda keys: np.full(len(keys), whole)
    first = np.unique(key, return_index=True)[1]
    asked = groups.select(range(len(quasi))).take(first).rename_columns([f"a{i}" for i in range(len(quasi))])
    asked = asked.append_column("k", [key[first]])
    connection.register("__asked", asked)
    same = " AND ".join(f"a{i} IS NOT DISTINCT FROM q{i}" for i in range(len(quasi)))
    found = connection.sql(
        f"SELECT k, n FROM __asked JOIN ({total} GROUP BY {lead}) c ON {same} ORDER BY k"
    ).to_arrow_table()
    connection.unregister("__asked")
    keys, sizes = found["k"].to_numpy(), found["n"].to_numpy().astype(np.int64)
    return lambda wanted: sizes[np.searchsorted(keys, wanted)]


def risk(sizes: np.ndarray, release: str, identified: bool = False, quasi: bool = True) -> Risk:
    """The re-identification risks of classes of these sizes, for a release of ``RELEASES`` (KeyError)."""
    tau = RELEASES[release]
    if not len(sizes):
        return Risk(tau, 0.0, 0.0, 0.0, 1 if identified else 4 if not quasi else 3, 0.0)
    entities = float(sizes.sum())
    over = float(sizes[1.0 / sizes > tau].sum()) / entities
    highest, average = 1.0 / float(sizes.min()), len(sizes) / entities
    level = 1 if identified else 4 if not quasi else 2 if over else 3
    return Risk(tau, over, highest, average, level, highest if release == "public" else average)


def population_uniques(sizes: np.ndarray, fraction: float) -> float:
    """Share of the population that is unique in it, from the classes of a sample (Zayatz 1991).

    ``fraction``: of the population that was sampled, above 0 and at most 1 (ValueError). The distribution of
    the sample's class sizes stands for the population's; a class of j persons leaves one in the sample by the
    hypergeometric law; Bayes gives how many sample uniques are unique in the population.
    """
    if not 0 < fraction <= 1:
        raise ValueError(fraction)
    n = int(sizes.sum())
    classes = np.bincount(sizes)
    if n == 0 or len(classes) < 2 or not classes[1]:
        return 0.0
    j = np.flatnonzero(classes)
    j = j[j > 0]
    from scipy.stats import hypergeom  # half a second, needed here only

    alone = hypergeom.pmf(1, round(n / fraction), j, n)
    chance = classes[j] / classes[j].sum() * alone
    return float(chance[j == 1][0] / chance.sum() * classes[1] / n)
