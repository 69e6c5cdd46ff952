"""The proof: the finished product, and nothing of the search, measured by ``sandbox.desensitize.measures``.

A model that those measures have no figure for (the hierarchical distance) is worked out by the engine's SQL
over the product. What is not measured is not proven, and the result is thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from sandbox.desensitize.measures import Measures, Spread, measure, risk
from sandbox.desensitize.search.hierarchy import Hierarchy
from sandbox.desensitize.search.models import Model

ENTITY = "__entity"
_CLOSE = 1e-6


@dataclass(frozen=True)
class Proof:
    """``failed``: kinds of the models that the measures do not confirm. ``figures``: numbers only."""

    failed: tuple[str, ...]
    figures: dict[str, Any]
    measures: Measures


def _recursive(model: Model, of: Spread) -> bool:
    """measures gives c at l = the least distinct l: enough where that is the model's l; else see
    ``_exact``."""
    return of.recursive_c is not None and int(model.at_least) == of.distinct_l and of.recursive_c < model.c


_CHECKS: dict[str, Callable[[Model, Spread], bool]] = {
    "distinct_l": lambda m, of: of.distinct_l >= m.at_least,
    "entropy_l": lambda m, of: of.entropy_l >= max(m.at_least, 1.0) * (1 - _CLOSE),
    "recursive": _recursive,
    "t": lambda m, of: of.t <= m.at_most + _CLOSE,
    "alpha": lambda m, of: of.alpha <= m.at_most + _CLOSE,
    "beta": lambda m, of: of.beta <= m.at_most + _CLOSE,
    "enhanced_beta": lambda m, of: of.enhanced_beta is not None and of.enhanced_beta <= m.at_most + _CLOSE,
    "delta": lambda m, of: of.delta / math.log(2) < m.at_most + _CLOSE,
}


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _cells(connection: duckdb.DuckDBPyConnection, quasi: Sequence[str], column: str, several: bool) -> str:
    """A query for class, value and count, by the same rules as the measures."""
    lead = ", ".join(_name(name) for name in quasi) or "1"
    count = f"count(DISTINCT {ENTITY})" if several else "count(*)"
    return (
        f"SELECT dense_rank() OVER (ORDER BY {lead}) AS c, {_name(column)} AS s, {count} AS n"
        f" FROM product GROUP BY {lead + ', ' if quasi else ''}{_name(column)}"
    )


def _recursive_exact(connection: duckdb.DuckDBPyConnection, cells: str, model: Model) -> bool:
    """r1 < c (r_l + … + r_m) in every class, for any l."""
    query = (
        f"WITH g AS ({cells}), o AS"
        " (SELECT c, n, row_number() OVER (PARTITION BY c ORDER BY n DESC) AS r FROM g)"
        " SELECT count(*) FROM (SELECT c FROM o GROUP BY c"
        " HAVING max(n) >= ? * coalesce(sum(n) FILTER (WHERE r >= ?), 0))"
    )
    return bool(connection.execute(query, [model.c, int(model.at_least)]).fetchall()[0][0] == 0)


def _hierarchical(connection: duckdb.DuckDBPyConnection, cells: str, tree: Hierarchy) -> float:
    """The greatest distance of a class to the whole along ``tree``: 1 - (m_0 + … + m_{H-1}) / H, see
    ``models``."""
    least: list[str] = []
    for level in range(tree.height):
        name = f"tree{level}"
        groups = pl.DataFrame(
            {
                "value": pl.Series([None if v is None else str(v) for v in tree.labels[0]], dtype=pl.String),
                "g": pl.Series(tree.levels[level]),
            }
        )
        connection.register(name, groups.to_arrow())
        least.append(
            f"SELECT x.c, least(x.n / x.t, w.n / w.t) AS m FROM"
            f" (SELECT c, g, sum(n) AS n, sum(sum(n)) OVER (PARTITION BY c) AS t FROM cells JOIN {name} ON"
            f" CAST(s AS VARCHAR) IS NOT DISTINCT FROM value GROUP BY c, g) x JOIN"
            f" (SELECT g, sum(n) AS n, sum(sum(n)) OVER () AS t FROM cells JOIN {name} ON"
            f" CAST(s AS VARCHAR) IS NOT DISTINCT FROM value GROUP BY g) w USING (g)"
        )
    query = f"WITH cells AS ({cells}) SELECT max(1 - m / {tree.height}) FROM (SELECT c, sum(m) AS m FROM ("
    query += " UNION ALL ".join(least) + ") GROUP BY c)"
    return float(connection.sql(query).fetchall()[0][0])


def prove(
    product: pl.DataFrame,
    quasi: Sequence[str],
    models: Sequence[Model],
    entities: pl.Series | None,
    trees: Mapping[str, Hierarchy],
    release: str,
    identified: bool,
) -> Proof:
    """Measure ``product``.

    ``entities``: the entity of each of its rows, None where each row is one. ``trees``: of sensitive columns
    with the hierarchical distance. ``release``: of ``measures.RELEASES``; ``identified``: whether direct
    identifiers are left.
    """
    table = product if entities is None else product.with_columns(entities.alias(ENTITY))
    ordered = {m.column: False for m in models if m.column is not None}
    ordered |= {m.column: True for m in models if m.column is not None and m.distance == "ordered"}
    with duckdb.connect() as connection:
        connection.register("product", table.to_arrow())
        entity = None if entities is None else ENTITY
        found = measure(connection, "product", quasi, ordered, entity)
        failed = [str(m.kind) for m in models if m.kind == "k" and found.k < m.at_least]
        several = entities is not None and entities.n_unique() < len(entities)
        distances: dict[str, float] = {}
        for model in models:
            if model.column is None:
                continue
            spread = found.spread.get(model.column)
            if spread is None:
                failed.append(model.kind)
            elif model.kind == "t" and model.distance == "hierarchical":
                cells = _cells(connection, quasi, model.column, several)
                distances[model.column] = _hierarchical(connection, cells, trees[model.column])
                if distances[model.column] > model.at_most + _CLOSE:
                    failed.append(model.kind)
            elif not _CHECKS[model.kind](model, spread) and not (
                model.kind == "recursive"
                and _recursive_exact(connection, _cells(connection, quasi, model.column, several), model)
            ):
                failed.append(model.kind)
    at = risk(found.sizes, release, identified, bool(quasi))
    figures = {
        "k": found.k,
        "classes": len(found.sizes),
        "spread": {name: _plain(spread) for name, spread in found.spread.items()},
        "hierarchical_t": distances,
        "risk": {
            "release": release,
            "threshold": at.tau,
            "over": at.over,
            "highest": at.highest,
            "average": at.average,
            "decisive": at.decisive,
            "level": at.level,
        },
    }
    return Proof(tuple(dict.fromkeys(failed)), figures, found)


def _plain(spread: Spread) -> dict[str, float | None]:
    """A spread without the share of the rarest value: that says how many persons have it."""
    return {
        "distinct_l": spread.distinct_l,
        "entropy_l": spread.entropy_l,
        "recursive_c": spread.recursive_c,
        "alpha": spread.alpha,
        "t": spread.t,
        "beta": spread.beta,
        "delta": spread.delta,
    }
