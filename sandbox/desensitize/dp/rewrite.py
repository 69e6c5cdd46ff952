"""From a question to what DuckDB counts: every entity bounded, every sum one of integers, no noise yet.

The shape of it: rows to one line per entity and group; of each entity at most ``groups_per_entity`` groups,
chosen by a keyed hash; of each line the bounded contribution; the sum of these per group.

What the sensitivity rests on, each a line of SQL below:

- An entity's part depends on its own rows and on the salt, on nothing else. (Numbering groups or rows over
  the whole table and hashing the numbers would let one entity's rows move another's choice.)
- A contribution is clamped *after* it was summed per entity, whatever was done to the rows before.
- Where an entity has more rows than may count, sums are its mean row times ``rows_per_entity``, and intervals
  get as many of its rows as may count, drawn by the hash.
- A row without an entity counts for nobody. Entities and text keys are compared in Unicode's composed form.
- No cast can fail and nothing overflows: values are clamped first, empty and not-a-number count as no value.
  So there is no error, and no error's text, that a row could decide about.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from sandbox.core.errors import fail
from sandbox.desensitize.dp.accounting import PERSONS, Component, components
from sandbox.desensitize.dp.source import Source
from sandbox.desensitize.dp.spec import Query
from sandbox.workspace.duck import locked

Ints = npt.NDArray[np.int64]
MOST = 1 << 61  # a group's number is held to it: it leaves room for noise within 64 bits

_KEYS = {"bool": "bool", "integer": "integer", "large": "integer", "text": "text", "date": "text"}
_KINDS: dict[type, str] = {bool: "bool", int: "integer", str: "text"}
_TYPES = {"bool": "BOOLEAN", "integer": "BIGINT", "text": "VARCHAR"}


@dataclass(frozen=True)
class Counted:
    """What was counted, before noise, of the groups that come out.

    ``vectors``: for each of ``components`` an array of groups by cells, in units of its grain. ``keys``: the
    groups' keys where they were discovered (else the groups are the public domain's, the last column's keys
    changing fastest). ``kinds``: of each key column, bool, integer or text.
    """

    size: int
    vectors: tuple[Ints, ...]
    keys: tuple[tuple[Any, ...], ...] | None
    kinds: tuple[str, ...]


class _Rewrite:
    """One question over one source, as SQL over one connection."""

    def __init__(
        self,
        query: Query,
        connection: duckdb.DuckDBPyConnection,
        source: Source,
        entity: str,
        salt: tuple[int, int],
    ) -> None:
        self.query, self.connection, self.source = query, connection, source
        self.parts = components(query)
        self.entity = source.read(entity, "entity")
        self.hash = f"hash({salt[0]}::UBIGINT, {salt[1]}::UBIGINT, e"
        self.kinds = tuple(_KEYS.get(source.classes.get(one.column, ""), "") for one in query.by)
        self.joins, self.groups = self._dimensions()
        asked = [source.condition(one) for one in query.where]
        self.where = " AND ".join([f"{self.entity} IS NOT NULL", *(sql for sql, _ in asked)])
        self.bound = [value for _, values in asked for value in values]
        sums = (one for one in self.parts if one.kind in ("sum", "centred", "squares"))
        self.values = {(one.column, one.lower, one.upper, one.decimals): one for one in sums}
        self.limits = query.discovers or query.cells > query.groups_per_entity

    def _dimensions(self) -> tuple[str, dict[str, str]]:
        """Joins with the public keys, and the group's columns: one number where all keys are public."""
        joins, columns, codes = [], {}, []
        for number, dimension in enumerate(self.query.by):
            read = self.source.read(dimension.column, "key")
            if dimension.discovers:
                columns[f"g{number}"] = read
                continue
            kind = self.kinds[number]
            if {_KINDS[type(key)] for key in dimension.keys if key is not None} != {kind}:
                raise fail("DP_COLUMN", column=dimension.column, use="key")
            self.connection.execute(
                f"CREATE TEMP TABLE d{number} AS SELECT unnest(CAST(? AS {_TYPES[kind]}[])) AS k, "
                "unnest(range(CAST(? AS BIGINT))) AS code",
                [list(dimension.keys), len(dimension.keys)],
            )
            same = "IS NOT DISTINCT FROM" if None in dimension.keys else "="
            joins.append(f"JOIN d{number} ON {read} {same} d{number}.k")
            codes.append((f"d{number}.code", len(dimension.keys)))
        if not self.query.discovers:
            mixed = "CAST(0 AS BIGINT)"
            for code, radix in codes:
                mixed = f"({mixed} * {radix} + {code})"
            return " ".join(joins), {"g": mixed}
        codes_of = iter(codes)
        for number, dimension in enumerate(self.query.by):
            if not dimension.discovers:
                columns[f"g{number}"] = next(codes_of)[0]
        return " ".join(joins), {name: columns[name] for name in sorted(columns)}

    @property
    def names(self) -> str:
        return ", ".join(self.groups)

    def _rows(self, extra: dict[str, str]) -> str:
        """The rows that count: entity, group, and what is asked of them."""
        columns = {"e": self.entity, **self.groups, **extra}
        listed = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
        return f"SELECT {listed} FROM {self.source.relation} AS src {self.joins} WHERE {self.where}"

    def lines(self) -> None:
        """The table ``lines``: one line per entity and group that counts."""
        values = {f"v{i}": self.source.scaled(one) for i, one in enumerate(self.values.values())}
        sums = ["count(*) AS n"]
        for number, one in enumerate(self.values.values()):
            sums += [f"count(v{number}) AS n{number}", f"sum(v{number}) AS s{number}"]
            if any(part.kind == "squares" and _same(part, one) for part in self.parts):
                far = f"CAST(v{number} - {one.centre} AS HUGEINT)"
                sums.append(f"sum({far} * {far}) AS q{number}")
        grouped = (
            f"SELECT e, {self.names}, {', '.join(sums)} FROM ({self._rows(values)}) GROUP BY e, {self.names}"
        )
        if self.limits:
            order = f"{self.hash}, {self.names}), {self.names}"
            rank = f"row_number() OVER (PARTITION BY e ORDER BY {order})"
            grouped += f" QUALIFY {rank} <= {self.query.groups_per_entity}"
        self.connection.execute(f"CREATE TEMP TABLE lines AS {grouped}", self.bound)

    def _contribution(self, one: Component) -> str:
        """What one line adds to the component, within its bound whatever the line holds."""
        most = self.query.rows_per_entity
        if one.kind == "persons":
            return "1"
        if one.kind == "rows":
            return f"least(n, {most})"
        number = next(i for i, (column, *_) in enumerate(self.values) if column == one.column)
        if one.kind == "values":
            return f"least(n{number}, {most})"
        number = next(i for i, kept in enumerate(self.values.values()) if _same(one, kept))
        centre = {
            "sum": f"s{number}",
            "centred": f"s{number} - {one.centre}::HUGEINT * n{number}",
            "squares": f"q{number} - {one.centre2}::HUGEINT * n{number}",
        }[one.kind]
        whole = f"CAST(coalesce({centre}, 0) AS HUGEINT)"
        mean = f"CASE WHEN n{number} > {most} THEN {whole} * {most} // n{number} ELSE {whole} END"
        bound = one.bound * one.grain
        return f"greatest(least({mean}, {bound}::HUGEINT), -{bound}::HUGEINT)"

    def _joined(self, table: str) -> tuple[str, str]:
        """The group's number, and ``table`` with what it needs for it."""
        if not self.query.discovers:
            return "g", table
        same = " AND ".join(f"{table}.{name} IS NOT DISTINCT FROM groups.{name}" for name in self.groups)
        return "id", f"{table} JOIN groups ON {same}"

    def number(self) -> tuple[tuple[Any, ...], ...] | None:
        """The table ``groups``, where they are discovered, and their keys."""
        if not self.query.discovers:
            return None
        self.connection.execute(
            f"CREATE TEMP TABLE groups AS SELECT row_number() OVER () - 1 AS id, {self.names} "
            f"FROM (SELECT DISTINCT {self.names} FROM lines)"
        )
        found = self.connection.execute(f"SELECT {self.names} FROM groups ORDER BY id").fetchall()
        public = [None if one.discovers else one.keys for one in self.query.by]
        return tuple(
            tuple(key if keys is None else keys[key] for key, keys in zip(row, public, strict=True))
            for row in found
        )

    def renumber(self, kept: npt.NDArray[np.intp]) -> None:
        """Leave only the groups ``kept``, in that order: nothing more is counted of the others."""
        self.connection.execute(
            "CREATE TEMP TABLE kept_groups AS SELECT unnest(CAST(? AS BIGINT[])) AS was, "
            "unnest(range(CAST(? AS BIGINT))) AS now",
            [kept.tolist(), len(kept)],
        )
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE groups AS SELECT now AS id, {self.names} "
            "FROM groups JOIN kept_groups ON id = was"
        )

    def totals(self, size: int) -> dict[Component, Ints]:
        """The sums over the lines, for every component that is one number per group."""
        asked = [one for one in self.parts if one.kind != "bins"]
        columns = [
            f"CAST(greatest(least(sum(CAST({self._contribution(one)} AS HUGEINT)) // {one.grain}, {MOST}), "
            f"-{MOST}) AS BIGINT) AS t{number}"
            for number, one in enumerate(asked)
        ]
        made = {one: np.zeros((size, 1), np.int64) for one in asked}
        if not asked:
            return made
        group, table = self._joined("lines")
        found = self.connection.execute(
            f"SELECT {group} AS g, {', '.join(columns)} FROM {table} GROUP BY ALL"
        ).fetchnumpy()
        for number, one in enumerate(asked):
            made[one][found["g"].astype(np.int64), 0] = found[f"t{number}"]
        return made

    def leaves(self, size: int, column: str, edges: tuple[int, ...], decimals: int) -> Ints:
        """How many rows of each group lie in each interval, an entity's bounded."""
        most = self.query.rows_per_entity
        value = self.source.read(column, "value")
        steps = [edge / 10**decimals for edge in edges]
        rows = (
            f"SELECT * REPLACE ({_choose(steps, 0, len(steps) - 1)} AS x) "
            f"FROM ({self._rows({'x': value})}) WHERE x IS NOT NULL"
        )
        if self.limits:
            same = " AND ".join(f"r.{name} IS NOT DISTINCT FROM l.{name}" for name in ("e", *self.groups))
            rows = f"SELECT r.* FROM ({rows}) r SEMI JOIN lines l ON {same}"
        each = f"SELECT e, {self.names}, x, count(*) AS n FROM ({rows}) GROUP BY ALL"
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE cells AS "
            f"SELECT *, sum(n) OVER (PARTITION BY e, {self.names}) AS all_n FROM ({each})",
            self.bound,
        )
        drawn = (
            f"SELECT {self.names}, x, 1 AS n FROM "
            f"(SELECT *, unnest(range(n)) AS i FROM cells WHERE all_n > {most}) QUALIFY row_number() OVER "
            f"(PARTITION BY e, {self.names} ORDER BY {self.hash}, {self.names}, x, i), x, i) <= {most}"
        )
        few = f"SELECT {self.names}, x, n FROM cells WHERE all_n <= {most}"
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE kept AS {few} UNION ALL {drawn}")
        group, table = self._joined("kept")
        found = self.connection.execute(
            f"SELECT {group} AS g, x, CAST(sum(n) AS BIGINT) AS n FROM {table} GROUP BY ALL"
        ).fetchnumpy()
        made = np.zeros((size, len(edges) - 1), np.int64)
        made[found["g"].astype(np.int64), found["x"].astype(np.int64)] = found["n"]
        return made


def _same(one: Component, other: Component) -> bool:
    return (one.column, one.lower, one.upper, one.decimals) == (
        other.column,
        other.lower,
        other.upper,
        other.decimals,
    )


def _choose(edges: list[float], low: int, high: int) -> str:
    """The number of the interval that ``x`` lies in, by halving."""
    if high - low == 1:
        return str(low)
    middle = (low + high) // 2
    return (
        f"CASE WHEN x < {edges[middle]!r}::DOUBLE THEN {_choose(edges, low, middle)} "
        f"ELSE {_choose(edges, middle, high)} END"
    )


def _level(leaves: Ints, width: int) -> Ints:
    """Sums of ``width`` neighbouring leaves."""
    cells = math.ceil(leaves.shape[1] / width)
    padded = np.pad(leaves, ((0, 0), (0, cells * width - leaves.shape[1])))
    summed: Ints = padded.reshape(len(leaves), cells, width).sum(axis=2)
    return summed


Choice = Callable[[Ints], npt.NDArray[np.intp]]


def count(
    query: Query,
    path: Path,
    entity: str,
    scratch: Path,
    salt: tuple[int, int],
    choose: Choice | None = None,
) -> Counted:
    """Count for ``query`` over the Parquet file ``path`` whose privacy unit is the column ``entity``.

    ``salt``: two secret numbers of 64 bits that decide which groups and rows of an entity count where it has
    too many. ``scratch``: a folder to spill to. ``choose`` gets the numbers of entities of discovered groups
    and says which of them come out; without it all do, as tests need it. Raises DP_NOISE, DP_QUERY, DP_SOURCE
    and DP_COLUMN, all of them by the question and the columns' types alone.
    """
    parts = components(query)
    with locked([path], scratch) as connection:
        work = _Rewrite(query, connection, Source(connection, path), entity, salt)
        work.lines()
        keys = work.number()
        size = query.cells if keys is None else len(keys)
        made = work.totals(size)
        if keys is not None and choose is not None:
            kept = choose(next(made[one] for one in parts if one.kind == PERSONS)[:, 0])
            keys, size = tuple(keys[at] for at in kept), len(kept)
            made = {one: vector[kept] for one, vector in made.items()}
            work.renumber(kept)
        leaves: dict[tuple[str, tuple[int, ...], int], Ints] = {}
        vectors = []
        for one in parts:
            if one.kind != "bins":
                vectors.append(made[one])
                continue
            place = (str(one.column), one.edges, one.decimals)
            if place not in leaves:
                leaves[place] = work.leaves(size, *place)
            vectors.append(_level(leaves[place], one.width))
    return Counted(size, tuple(vectors), keys, work.kinds)
