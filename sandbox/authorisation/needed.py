"""Which columns of which tables a SQL text reads: what an application has to ask for, and no more (最小必要).

``sqlglot`` (dialect duckdb) parses; nothing is run and no data are there. Where a text leaves open from which
table a name comes, every table that has it is counted: what is derived is never less than what is read. The
parser's work is bounded by the length of the text, by its own recursion and by the number of its moves, so
that the answer does not depend on how fast the machine is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sandbox.authorisation import codes  # noqa: F401
from sandbox.core.errors import fail
from sandbox.task.heads import refuse_heads

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

MOST_BYTES = 64 << 10
MOST_TOKENS = 16_000
MOST_TABLES, MOST_FIELDS = 64, 4000  # that a text is held against, fields of all of them together
MOST_MOVES = 160_000  # of the parser, back and forth: what people write takes between one and two a token
NAME = "SQL"  # what refusals call the text


@dataclass(frozen=True)
class Needed:
    """What is read of each table, in the catalogue's order; tables read whole; names that do not exist."""

    columns: dict[str, tuple[str, ...]]
    whole: tuple[str, ...]
    unknown_tables: tuple[str, ...]
    unknown_columns: tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """Names that hold in one part of a statement: alias -> table of the catalogue, None for a derived one.

    ``tables``: each of them once, and how often. A text may give one table thousands of aliases, and work for
    each alias at each column would take the square of its length.
    """

    sources: dict[str, str | None]
    tables: Counter[str | None]
    outer: _Place | None
    defining: frozenset[str]  # the common table expressions inside which this part stands

    def levels(self) -> Iterator[_Place]:
        here: _Place | None = self
        while here is not None:
            yield here
            here = here.outer


@dataclass
class _Reading:
    """One text being read against the tables that there are."""

    fields: dict[str, dict[str, str]]  # table -> field in lower case -> field, both as callers know them
    names: dict[str, str]  # table in lower case -> table
    read: dict[str, set[str]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    all: set[str] = field(default_factory=set)  # of which every field is read
    made: set[str] = field(default_factory=set)  # tables and views that the text makes
    unknown_tables: dict[str, None] = field(default_factory=dict)
    unknown_columns: dict[str, None] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)  # of the statement: aliases, parameters, loop variables
    derived: set[str] = field(default_factory=set)  # of the statement: its common table expressions

    def take(self, table: str, name: str) -> None:
        self.read.setdefault(table, set()).add(self.fields[table][name])

    def take_all(self, table: str, but: frozenset[str] = frozenset()) -> None:
        if table in self.all:
            return
        self.whole.add(table)
        self.read.setdefault(table, set()).update(
            one for name, one in self.fields[table].items() if name not in but
        )
        if not but:
            self.all.add(table)


def needed(sql: str, tables: Mapping[str, Sequence[str]]) -> Needed:
    """What ``sql`` reads of ``tables`` (name -> fields), names compared without case.

    Raises SQL_LONG (more than ``MOST_BYTES``), SQL_DEEP (nested, ambiguous or against tables beyond the
    bounds), SQL_UNREAD with the line, SQL_STATEMENT and SQL_FUNCTION as the submission of a job would.
    """
    if len(sql.encode("utf-8", "replace")) > MOST_BYTES:
        raise fail("SQL_LONG", max=MOST_BYTES >> 10)
    if len(tables) > MOST_TABLES or sum(map(len, tables.values())) > MOST_FIELDS:
        raise fail("SQL_DEEP")
    refuse_heads(sql, NAME)
    reading = _Reading(
        fields={table: {one.lower(): one for one in names} for table, names in tables.items()},
        names={table.lower(): table for table in tables},
    )
    for statement in _parsed(sql):
        _read(statement, reading)
    return Needed(
        columns={
            table: tuple(one for one in names if one in reading.read.get(table, ()))
            for table, names in tables.items()
            if table in reading.read
        },
        whole=tuple(table for table in tables if table in reading.whole),
        unknown_tables=tuple(reading.unknown_tables),
        unknown_columns=tuple(reading.unknown_columns),
    )


def _parsed(sql: str) -> list[Expr]:
    """The statements of ``sql``."""
    from sqlglot.dialects.dialect import Dialect
    from sqlglot.errors import ParseError, TokenError
    from sqlglot.parsers.duckdb import DuckDBParser

    class Bounded(DuckDBParser):
        """Counts its moves: a text that has it go back again and again is given up."""

        moves = 0

        def _advance(self, times: int = 1) -> None:
            self.moves += 1
            if self.moves > MOST_MOVES:
                raise RecursionError
            super()._advance(times)

    dialect = Dialect.get_or_raise("duckdb")
    try:
        tokens = dialect.tokenize(sql)
        if len(tokens) > MOST_TOKENS:
            raise fail("SQL_DEEP")
        found = Bounded(dialect=dialect).parse(tokens, sql)
    except ParseError as error:
        told = error.errors[0] if error.errors else {}
        raise fail(
            "SQL_UNREAD", line=told.get("line") or 1, near=str(told.get("highlight") or "")[:60]
        ) from None
    except TokenError:
        raise fail("SQL_UNREAD", line=sql.count("\n") + 1, near="") from None
    except RecursionError:
        raise fail("SQL_DEEP") from None
    return [one for one in found if one is not None]


def _read(statement: Expr, reading: _Reading) -> None:
    """Enter what one statement reads. Iterative: a sum of many terms is a deep tree."""
    from sqlglot import exp

    reading.bound, reading.derived = set(), set()
    for one in statement.find_all(
        exp.CTE, exp.Alias, exp.TableAlias, exp.UserDefinedFunction, exp.Comprehension, exp.Lambda
    ):
        reading.bound |= {name.lower() for name in _bound(one)}
        if isinstance(one, exp.CTE):
            reading.derived.add(one.alias.lower())
    waiting: list[tuple[Expr, _Place]] = [(statement, _Place({}, Counter(), None, frozenset()))]
    while waiting:
        node, place = waiting.pop()
        if isinstance(node, exp.Create):
            named = node.this.find(exp.Table)
            reading.made.add(named.name.lower() if named else "")
            waiting += [(one, place) for key, one in _children(node) if key != "this"]
            continue
        if isinstance(node, exp.CTE):
            place = replace(place, defining=place.defining | {node.alias.lower()})
        elif isinstance(node, exp.Select):
            place = _opened(node, place, reading)
        elif isinstance(node, exp.Table):
            _table(node, place, reading)
        elif isinstance(node, exp.Column):
            _column(node, place, reading)
        elif isinstance(node, exp.Columns) or (
            isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count | exp.Column)
        ):
            _star(node, place.tables, reading)
        elif isinstance(node, exp.Join):
            _joined(node, place, reading)
        waiting += [(one, place) for _, one in _children(node)]


def _children(node: Expr) -> Iterator[tuple[str, Expr]]:
    from sqlglot import exp

    for key, value in node.args.items():
        if key == "except_":  # EXCLUDE: named, and not read
            continue
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, exp.Expr):
                yield key, one


def _bound(node: Any) -> list[str]:
    """The names that a node binds beside those of tables."""
    from sqlglot import exp

    if isinstance(node, exp.Comprehension):
        return [node.expression.name]
    if isinstance(node, exp.UserDefinedFunction | exp.Lambda):
        return [one.name for one in node.expressions]
    columns = node.args.get("columns") or [] if isinstance(node, exp.TableAlias) else []
    return [node.name if isinstance(node, exp.TableAlias) else node.alias, *(one.name for one in columns)]


def _base(node: Any, place: _Place, reading: _Reading) -> str | None:
    """The table of the catalogue that a table of the text is; None for another one."""
    name = node.name.lower()
    if name in reading.derived and name not in place.defining:
        return None
    return None if name in reading.made else reading.names.get(name)


def _opened(select: Any, place: _Place, reading: _Reading) -> _Place:
    """The place inside a SELECT: its tables by the names that they have there."""
    from sqlglot import exp

    sources: dict[str, str | None] = {}
    first = select.args.get("from_")
    for one in ([first] if first else []) + (select.args.get("joins") or []):
        waiting = [one.this]
        while waiting:
            node = waiting.pop()
            base = _base(node, place, reading) if isinstance(node, exp.Table) else None
            sources[(node.alias_or_name or f"?{len(sources)}").lower()] = base
            inner = node.this if isinstance(node, exp.Paren | exp.Subquery) else None
            if isinstance(inner, exp.Table):  # FROM (a JOIN b)
                waiting.append(inner)
            waiting += [join.this for join in node.args.get("joins") or []]
    return _Place(sources, Counter(sources.values()), place, place.defining)


def _table(node: Any, place: _Place, reading: _Reading) -> None:
    """A table of the text: known, made by it, or none. Read whole by what names no columns."""
    from sqlglot import exp

    if not isinstance(node.this, exp.Identifier):
        return  # a function of the list that jobs may use
    base = _base(node, place, reading)
    if base is None:
        if node.name.lower() not in reading.derived | reading.made:
            reading.unknown_tables.setdefault(node.name[:63])
        return
    reading.read.setdefault(base, set())
    alias = node.args.get("alias")
    whole = isinstance(node.parent, exp.Pivot | exp.Summarize | exp.Describe)
    if whole or node.args.get("pivots") or (alias and alias.args.get("columns")):
        reading.take_all(base)


def _star(node: Any, tables: Iterable[str | None], reading: _Reading) -> None:
    but = frozenset(one.name.lower() for one in node.args.get("except_") or ())
    for table in tables:
        if table is not None:
            reading.take_all(table, but)


def _joined(node: Any, place: _Place, reading: _Reading) -> None:
    """USING and NATURAL read columns that stand nowhere else."""
    tables = {table: count for table, count in place.tables.items() if table is not None}
    names = {one.name.lower() for one in node.args.get("using") or ()}
    if node.args.get("method") == "NATURAL":
        every: Counter[str] = Counter()
        for table, count in tables.items():
            every.update(dict.fromkeys(reading.fields[table], count))
        names |= {name for name, count in every.items() if count > 1}
    for table in tables:
        for name in names & reading.fields[table].keys():
            reading.take(table, name)


def _column(node: Any, place: _Place, reading: _Reading) -> None:
    """A name of a column, qualified or not, of the nearest level that knows it."""
    from sqlglot import exp

    parts = [one.name.lower() for one in node.parts]
    star = isinstance(node.this, exp.Star)
    for level in place.levels():
        if len(parts) > 1 and (at := next((n for n in parts[:-1] if n in level.sources), None)) is not None:
            table = level.sources[at]
            name = parts[parts.index(at) + 1]
            if table is None:
                return
            if star:
                _star(node.this, [table], reading)
            elif name in reading.fields[table]:
                reading.take(table, name)
            else:
                reading.unknown_columns.setdefault(f"{table}.{name[:63]}")
            return
        found = [one for one in level.tables if one is not None and parts[0] in reading.fields[one]]
        if found:
            for table in found:
                reading.take(table, parts[0])
            return
        if parts[0] in level.sources:  # a whole row as a value
            _star(node, [level.sources[parts[0]]], reading)
            return
    levels = [level.tables for level in place.levels()]
    # a derived one may have it; PIVOT and the like name no tables here
    unsure = any(None in one for one in levels) or not any(levels)
    if not (unsure or star or parts[0] in reading.bound):
        reading.unknown_columns.setdefault(parts[0][:63])
