"""Runs what ``plan`` has recognised, as queries of our own, over the raw data at hand.

A plan becomes one temporary table of raw rows (its entity, the numbers of the dimensions, the operands) and
one GROUP BY over it. The result has the cells' values, how many entities stand behind each cell, and behind
each aggregate that speaks of a part of it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from sandbox.egress.rawdata import Engine, RawIndex, numeric, quote
from sandbox.egress.recompute.expr import Aggregate, Unrecognised, token
from sandbox.egress.recompute.pairs import SUMS, parts_of, subtractable, tells_count
from sandbox.egress.recompute.relations import Cells

_TOKEN = re.compile("\x01([ag])(\\d+)\x01")
_TOP = 10  # contributions looked at; the rule for dominance takes the first few
_PARTS = 12  # conditional aggregates of one table, compared with each other
_OPERATORS = frozenset({"=", "!=", "<", "<=", ">", ">=", "in"})


@dataclass(frozen=True)
class Input:
    """A table as the job saw it: the name or the file of a raw table, the granted columns, rows, period."""

    name: str
    raw: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...] = ()
    period: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Result:
    """The cells. ``frame``: ``k#`` the dimensions' values, ``c#`` their numbers, ``o#`` the columns of the
    output (null for dimensions), ``n`` entities, ``rows_n`` rows; ``s#`` and ``m#`` the entities with and
    without what aggregate # of a part speaks of (null where it is of the whole cell), ``between`` the fewest
    by which one part exceeds another inside it. ``index`` is what the cells can be recounted from, ``dims``
    the SQL of the dimensions there, ``raw_of`` a raw column each."""

    index: RawIndex
    frame: pl.DataFrame
    dims: tuple[str, ...]
    raw_of: tuple[str, ...]
    counted: tuple[int, ...]  # of which parts the rest of the cell is known too
    tops: tuple[pl.DataFrame, ...] = ()  # a row a cell: ``top`` largest contributions to a sum, ``total``
    parts: tuple[tuple[int, RawIndex], ...] = ()  # conditional aggregates, each with the rows that meet it
    part_dims: tuple[str, ...] = ()  # the SQL of the dimensions in those
    raws: tuple[str, ...] = ()  # the raw tables that take part


def raw_of(given: Input, indexes: Sequence[RawIndex]) -> RawIndex:
    """The raw table of an input. Raises ``Unrecognised`` when there is not exactly one."""
    fits = [index for index in indexes if given.raw in (index.name, index.path.name)]
    if len(fits) != 1:
        raise Unrecognised("lineage")
    return fits[0]


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def view_sql(given: Input, index: RawIndex) -> str:
    """The rows of a raw table that were granted, as ``sandbox.workspace.view`` makes them, with ``__row``.

    Raises ``Unrecognised`` for a grant that is not written as that module reads it.
    """
    conditions = []
    for row in given.rows:
        column, op, value = row.get("column"), row.get("op"), row.get("value")
        if column not in index.kinds or op not in _OPERATORS:
            raise Unrecognised("grant")
        kind = index.kinds[str(column)]
        values = value if isinstance(value, list) else [value]
        listed = ", ".join(f"CAST({_text(one)} AS {kind})" for one in values)
        conditions.append(f"{quote(str(column))} {op} " + (f"({listed})" if op == "in" else listed))
    if given.period is not None:
        column = str(given.period.get("column"))
        if column not in index.kinds:
            raise Unrecognised("grant")
        for op, end in ((">=", given.period.get("from")), ("<=", given.period.get("to"))):
            if end is not None:
                conditions.append(f"CAST({quote(column)} AS DATE) {op} CAST({_text(end)} AS DATE)")
    if any(column not in index.kinds for column in given.columns):
        raise Unrecognised("grant")
    columns = ", ".join(quote(column) for column in given.columns)
    return f"SELECT {columns}, __row FROM {index.view} WHERE {' AND '.join(conditions) or 'true'}"


def add_numbers(index: RawIndex, name: str, select: str) -> str:
    """A further column of ``index.table``: ``select`` gives (row, number) for each row. Returns its SQL.

    ``name`` says what it is: the same is added once, so that two tables by it have it in common.
    """
    known: dict[str, str] = index.__dict__.setdefault("added_numbers", {})
    if name not in known:
        known[name] = f"g{len(known)}"
        run = index.engine.rows
        run(f"ALTER TABLE {index.table} ADD COLUMN {known[name]} INTEGER DEFAULT -1")
        run(f"UPDATE {index.table} t SET {known[name]} = m.c FROM ({select}) m(row, c) WHERE t.rowid = m.row")
    return f"r.{known[name]}"


class Planned:
    """One plan, executed."""

    def __init__(
        self, number: int, cells: Cells, inputs: Mapping[str, Input], indexes: Sequence[RawIndex]
    ) -> None:
        self.cells, self.name = cells, f"plan_{number}"
        self.of = {n: raw_of(inputs[name.lower()], indexes) for n, name in cells.rows.sources}
        self.engine: Engine = indexes[0].engine
        named = [*self._named(cells.rows.where), *self._named(parts_of(cells.pool))]
        free = [number for number in self.of if number not in cells.rows.nullable]
        keyed = [number for number in free if self.of[number].entity]
        self.main = (keyed or free or [0])[0]
        self.others = [
            number
            for number in self.of
            if number != self.main and (self.of[number].entity or number in named)
        ]
        self.index = self.of[self.main]

    def _named(self, scalars: Sequence[Any]) -> set[int]:
        return {number for one in scalars for number, _ in one.columns}

    def _make(self) -> None:
        """The table of rows: all of the main input's numbers, the groups, the operands and conditions."""
        cells, rows, run = self.cells, self.cells.rows, self.engine.rows
        cell = f"PARTITION BY {', '.join(one.sql for one in cells.groups)}" if cells.groups else ""
        parts = [
            f"s{self.main}.__row AS rr",
            *(f"({one.sql}) AS gg{i}" for i, one in enumerate(cells.groups)),
        ]
        for i, one in enumerate(cells.pool):
            parts += [f"({operand.sql}) AS vv{i}_{j}" for j, operand in enumerate(one.operands)]
            if one.partial:  # without regard to what is missing: so are the rows of whole cells
                chosen = [
                    f"({sql}) IS TRUE"
                    for sql in (
                        one.where.sql if one.where else "",
                        *(operand.when for operand in one.operands),
                    )
                    if sql
                ]
                parts.append(f"({' AND '.join(chosen) or 'true'}) AS cc{i}")
            if measure := self._magnitude(one):
                parts.append(f"{measure} AS bb{i}")
            if one.spread:
                usual = (f"mode({operand.sql}) OVER ({cell})" for operand in one.operands)
                parts += [f"{sql} AS oo{i}_{j}" for j, sql in enumerate(usual)]
            parts += [f"({one.where.sql}) AS ww{i}"] if one.where else []
        joins = f"JOIN {self.index.table} r ON r.rowid = s{self.main}.__row "
        for number in self.others:
            other = self.of[number]
            parts.append(f"coalesce(q{number}.e, -2 - s{number}.__row) AS ee{number}")
            joins += f"LEFT JOIN {other.table} q{number} ON q{number}.rowid = s{number}.__row "
        parts += [f"s{number}.__row AS rr{number}" for number in self.of if number != self.main]
        where = " AND ".join(f"({one.sql})" for one in rows.where) or "true"
        if len(self.of) > 1:
            self._no_more(rows.sql)
        listed = "".join(f", {part}" for part in parts)
        run(f"CREATE TEMP TABLE {self.name}_rows AS SELECT r.*{listed} FROM {rows.sql} {joins}WHERE {where}")
        if len(self.of) > 1:
            self._once()
        select: list[str] = []
        maps = ""
        for i, group in enumerate(cells.groups):
            if group.plain and group.plain[0] == self.main:
                select.append(f"{self.index.code(group.plain[1])} AS dd{i}")
                continue
            run(
                f"CREATE TEMP TABLE {self.name}_map{i} AS SELECT v, row_number() OVER (ORDER BY v) - 1 AS c "
                f"FROM (SELECT DISTINCT gg{i} AS v FROM {self.name}_rows WHERE gg{i} IS NOT NULL)"
            )
            maps += f" LEFT JOIN {self.name}_map{i} m{i} ON m{i}.v = r.gg{i}"
            select.append(f"CAST(coalesce(m{i}.c, -1) AS INTEGER) AS dd{i}")
        numbered = "".join(f", {one}" for one in select)
        run(f"CREATE TEMP TABLE {self.name} AS SELECT r.*{numbered} FROM {self.name}_rows r{maps}")
        run(f"DROP TABLE {self.name}_rows")

    def _no_more(self, joined: str) -> None:
        """A join that makes more rows than its largest input has is no match of keys: it would repeat whom it
        likes, and fill the memory."""
        most = max(index.rows_total for index in self.of.values())
        (found,) = self.engine.rows(f"SELECT count(*) FROM (SELECT 1 FROM {joined} LIMIT {most + 1})")[0]
        if found > most:
            raise Unrecognised("join")

    def _once(self) -> None:
        """Of one input every row is there once at most, or a mean would be of the rows that are repeated."""
        keys = {number: f"rr{'' if number == self.main else number}" for number in self.of}
        counts = [f"count(DISTINCT ({key}, CASE WHEN {key} IS NULL THEN rr END))" for key in keys.values()]
        rows, *distinct = self.engine.rows(f"SELECT count(*), {', '.join(counts)} FROM {self.name}_rows")[0]
        if rows not in distinct:
            raise Unrecognised("join")

    def _magnitude(self, one: Aggregate) -> str:
        """SQL for what a row contributes to a sum: the column that the operand is made of, without what it
        was shifted by; "" where it is none."""
        if one.name not in SUMS or one.operands[0].base is None:
            return ""
        number, column = one.operands[0].base
        kind = self.of[number].kinds[column]
        if not numeric(kind) and kind.upper() != "VARCHAR":
            return ""
        return f"TRY_CAST(s{number}.{quote(column)} AS DOUBLE)"

    def _aggregate(self, number: int) -> str:
        one = self.cells.pool[number]
        where = f" FILTER (WHERE ww{number})" if one.where else ""
        if one.name == "count_star":
            return f"count(*){where}"
        operands = ", ".join(f"vv{number}_{j}" for j in range(len(one.operands)))
        return f"{one.name}({'DISTINCT ' if one.distinct else ''}{operands}{one.extra}){where}"

    def _entities(self, condition: str = "", only: set[int] | None = None) -> str:
        """SQL for the fewest distinct entities of any input that takes part."""
        where = f" FILTER (WHERE {condition})" if condition else ""
        keys = ["r.e", *(f"ee{n}" for n in self.others if only is None or n in only or self.of[n].entity)]
        counts = [f"count(DISTINCT {key}){where}" for key in keys]
        return counts[0] if len(counts) == 1 else f"least({', '.join(counts)})"

    def _meets(self, number: int) -> str:
        """SQL: whether a row is of the part that an aggregate speaks of; "" where that is all of them."""
        one = self.cells.pool[number]
        meets = [f"ww{number} IS TRUE"] if one.where else []
        for j, operand in enumerate(one.operands):
            meets.append(f"vv{number}_{j} IS NOT NULL")
            meets += [f"vv{number}_{j} <> 0"] if operand.partial else []
        return f"coalesce({' AND '.join(meets)}, false)" if meets else ""

    def _support(self, number: int) -> list[str]:
        """SQL for the entities with and without what an aggregate of a part speaks of. Of one that tells how
        values differ only those count whose value is not the cell's most frequent."""
        condition = self._meets(number)
        if not condition:
            return [f"NULL::BIGINT AS s{number}", f"NULL::BIGINT AS m{number}"]
        one = self.cells.pool[number]
        named = self._named(parts_of((one,)))
        unlike = [f" AND vv{number}_{j} <> oo{number}_{j}" for j in range(len(one.operands)) if one.spread]
        fewest = ", ".join(self._entities(condition + more, named) for more in unlike or [""])
        return [
            f"least({fewest}) AS s{number}",
            f"{self._entities(f'NOT {condition}', named)} AS m{number}",
        ]

    def _differences(self) -> list[str]:
        """SQL for the fewest entities by which one aggregate's rows exceed another's that they contain, where
        the two can be subtracted (counts, or statistics of one column): that would tell of them alone."""
        pool = self.cells.pool
        parts = {
            i: self._meets(i) or "true" for i in range(len(pool)) if not (pool[i].distinct and pool[i].whole)
        }
        if len(set(parts.values())) > _PARTS:
            raise Unrecognised("parts")
        told = {i for i in parts if tells_count(pool, i)}
        pairs = {
            (parts[i], parts[j])
            for i in parts
            for j in parts
            if parts[i] != parts[j]
            and parts[j] != "true"
            and ({i, j} <= told or subtractable(pool[i], pool[j]))
        }
        found = []
        for one, other in sorted(pairs):
            more, less = (self._entities(f"{a} AND NOT {b}") for a, b in ((one, other), (other, one)))
            found.append(f"CASE WHEN {less} = 0 THEN nullif({more}, 0) END")
        return [f"least({', '.join(found)})" if found else "NULL::BIGINT"]

    def _written(self, sql: str) -> str:
        def put(found: re.Match[str]) -> str:
            number = int(found.group(2))
            return self._aggregate(number) if found.group(1) == "a" else f"gg{number}"

        return _TOKEN.sub(put, sql)

    def run(self) -> Result:
        """All of it. Raises DuckDB's error where the job's own query would have failed as well."""
        self._make()
        cells = self.cells
        numbers = range(len(cells.groups))
        select = [f"gg{i} AS k{i}" for i in numbers] + [f"any_value(dd{i}) AS c{i}" for i in numbers]
        for place, column in enumerate(cells.columns):
            sql = "NULL" if column.value.group is not None else self._written(column.value.sql)
            select.append(f"{sql} AS o{place}")
        select += [f"{self._entities()} AS n", "count(*) AS rows_n"]
        select += [f"{one} AS between" for one in self._differences()]
        for i in range(len(cells.pool)):
            select += self._support(i)
        by = f" GROUP BY {', '.join(f'gg{i}' for i in numbers)}" if cells.groups else ""
        having = " AND ".join(self._written(one) for one in cells.kept)
        frame = self.engine.frame(
            f"SELECT {', '.join(select)} FROM {self.name} r{by}{f' HAVING {having}' if having else ''}"
        )
        index, dims = self._recountable()
        raw_of = tuple(self._raw_of(i) for i in numbers)
        rests = (i for i, one in enumerate(cells.pool) if one.partial or (one.counts and not one.whole))
        counted = tuple(rests)
        part_dims = tuple(column or f"r.dd{i}" for i, column in enumerate(self._codes()))
        raws = tuple(dict.fromkeys(one.name for one in self.of.values()))
        tops, parted = self._tops(frame), self._parted()
        return Result(index, frame, dims, raw_of, counted, tops, parted, part_dims, raws)

    def _contributions(self) -> dict[tuple[str, str], None]:
        """(SQL of what a row contributes, SQL of the rows): to every sum and mean the amount, to every other
        statistic the row itself, which may be one of many of its entity. Those of a column as it is are left
        to the check of magnitudes, which finds them by their numbers."""
        cells, found = self.cells, dict[tuple[str, str], None]()
        shown = {column.value.sql for column in cells.columns}
        single = len(self.of) == 1
        for i, one in enumerate(cells.pool):
            if one.counts or (one.operands and one.operands[0].unit):
                continue
            meets = self._meets(i)
            if not single or self.index.entities_total < self.index.rows_total:
                found["CAST(1 AS DOUBLE)", meets] = None
            if one.name not in SUMS:
                continue
            if single and one.operands[0].plain and one.where is None and token("a", i) in shown:
                continue
            amount = f"bb{i}" if self._magnitude(one) else f"vv{i}_0"
            found[f"abs(CAST({amount} AS DOUBLE))", meets] = None
        return found

    def _tops(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, ...]:
        """The largest contributions of entities to each aggregate, for the rows of ``frame``."""
        numbers = range(len(self.cells.groups))
        keys = [f"gg{i} AS k{i}" for i in numbers]
        found = []
        for amount, meets in self._contributions():
            for key in ("r.e", *(f"ee{n}" for n in self.others if self.of[n].entity)):
                where = f"{key} IS NOT NULL AND {meets}"
                shown = "".join(f"k{n}, " for n in numbers)
                sums = ", ".join([*keys, f"sum({amount}) AS s"])
                cells = self.engine.frame(
                    f"SELECT {shown}max(s, {_TOP}) AS top, sum(s) AS total FROM "
                    f"(SELECT {sums} FROM {self.name} r WHERE {where} "
                    f"GROUP BY {', '.join([*(f'gg{n}' for n in numbers), key])}) GROUP BY ALL"
                )
                by = [f"k{n}" for n in numbers]
                if by:
                    cells = frame.select(by).join(
                        cells, on=by, how="left", nulls_equal=True, maintain_order="left"
                    )
                found.append(cells.select("top", "total"))
        return tuple(found)

    def _parted(self) -> tuple[tuple[int, RawIndex], ...]:
        """Every conditional aggregate with an index over the rows that it speaks of: the ledger holds them
        against those of other tables as it does whole cells."""
        found = []
        for i, one in enumerate(self.cells.pool):
            if one.partial:
                view = f"{self.index.view}_{self.name}_part{i}"
                self.engine.rows(f"CREATE TEMP VIEW {view} AS SELECT * FROM {self.name} r WHERE cc{i}")
                found.append((i, self._over(view, view)))
        return tuple(found)

    def _over(self, view: str, table: str) -> RawIndex:
        """An index like the main one, over the rows of ``table``."""
        other = copy.copy(self.index)
        other.view = view
        other.__dict__.update(table=table, entity_count="count(DISTINCT r.e)")
        return other

    def _raw_of(self, number: int) -> str:
        """A raw column that the dimension is, or is made of, a sensitive one before others; the first of the
        table if of none of it."""
        group = self.cells.groups[number]
        own = [column for source, column in group.columns if source == self.main]
        own.sort(key=lambda column: (column not in self.index.sensitive, column))
        return own[0] if own else self.index.columns[0]

    def _recountable(self) -> tuple[RawIndex, tuple[str, ...]]:
        """The index itself where all of its rows take part, with the dimensions as further columns; else one
        like it over the rows that do, under a name of its own: its cells are of another population."""
        cells, index = self.cells, self.index
        columns = self._codes()
        if len(self.of) == 1 and self._all_rows():
            for i, group in enumerate(cells.groups):
                columns[i] = columns[i] or add_numbers(index, group.sql, f"SELECT rr, dd{i} FROM {self.name}")
            return index, tuple(columns)
        view = f"{index.view}_{self.name}"
        self.engine.rows(f"CREATE VIEW {view} AS SELECT * FROM {index.view}")
        return self._over(view, self.name), tuple(column or f"r.dd{i}" for i, column in enumerate(columns))

    def _codes(self) -> list[str]:
        """The SQL of the numbers of the dimensions that are raw columns; "" for others."""
        return [
            self.index.code(group.plain[1]) if group.plain and group.plain[0] == self.main else ""
            for group in self.cells.groups
        ]

    def _all_rows(self) -> bool:
        found = self.engine.rows(f"SELECT count(*) FROM {self.name}")[0][0]
        return bool(found == self.index.rows_total)
