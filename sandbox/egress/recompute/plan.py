"""What a job's script makes each output table of: rows of the inputs, grouped, and aggregates of the groups.

The script is data here: its trees come from DuckDB's parser and nothing of it is run. Recognised are selects,
filters, inner and left joins, common table expressions, views and tables of the script, over the job's
inputs, ending in one aggregation and arithmetic on its cells. Anything else is ``Unrecognised``, with a word
why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from sandbox.egress.recompute.expr import (
    Aggregate,
    Node,
    Scalar,
    Scope,
    Unrecognised,
    Value,
    is_aggregate,
    scalar,
    token,
    value,
)
from sandbox.egress.recompute.parse import tree_of
from sandbox.egress.recompute.relations import Cells, Column, Given, Rows, finder

_CREATE = re.compile(
    r"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP(?:ORARY)?\s+)?(?P<what>TABLE|VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r'(?P<name>"(?:[^"]|"")+"|[^\W\d]\w*)\s+AS\b',
    re.IGNORECASE,
)
_BOUNDS = {
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_LESSTHANOREQUALTO": "<=",
}
_SOURCES = 6  # inputs joined
_LOOKS = 200  # relations looked at: a chain of views that each use the last twice doubles every time


@dataclass
class _Names:
    """What a name in FROM stands for: trees, each with the names that were known where it was defined."""

    trees: dict[str, tuple[Node, _Names]] = field(default_factory=dict)
    inputs: dict[str, Given] = field(default_factory=dict)

    def more(self, found: dict[str, tuple[Node, _Names]]) -> _Names:
        return _Names({**self.trees, **found}, self.inputs)


@dataclass
class _Run:
    """One output being looked at: how many inputs it has named, how many relations were looked at."""

    numbered: int = 0
    looks: int = 0


def outputs(
    connection: duckdb.DuckDBPyConnection, script: str, inputs: Sequence[Given]
) -> dict[str, Callable[[], Cells]]:
    """For every table or view that ``script`` makes, by lower-case name: a call that gives its ``Cells`` or
    raises ``Unrecognised``. The script itself raises ``Unrecognised`` when a name is made twice: which of the
    two a view means depends on when it is asked."""
    names = _Names(inputs={one.name.lower(): one for one in inputs})
    found: dict[str, Callable[[], Cells]] = {}
    try:
        statements = duckdb.extract_statements(script)
    except (duckdb.Error, ValueError):
        raise Unrecognised("statement") from None
    for statement in statements:
        head = _CREATE.match(statement.query)
        if head is None:
            continue
        name = head["name"].strip('"').replace('""', '"').lower()
        if name in names.trees or name in names.inputs:
            raise Unrecognised("redefined")
        try:
            node = tree_of(connection, statement.query[head.end() :])
        except Unrecognised:
            node = {"type": "?"}
        known = names
        names = names.more({name: (node, known)})
        found[name] = lambda node=node, known=known: _output(node, known)  # type: ignore[misc]
    return found


def _output(node: Node, names: _Names) -> Cells:
    made = _select(node, names, _Run())
    if not isinstance(made, Cells):
        raise Unrecognised("rows")
    return made


def _nodes(tree: Any) -> Iterator[Node]:
    left = [tree]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def _aggregated(node: Node) -> bool:
    return any(is_aggregate(one) for one in _nodes(node))


def _relation(node: Node, names: _Names, run: _Run) -> Rows | Cells:
    """What a FROM clause gives."""
    run.looks += 1
    if run.looks > _LOOKS or node.get("sample") or node.get("column_name_alias") or node.get("at_clause"):
        raise Unrecognised("source")
    kind = node.get("type")
    if kind == "BASE_TABLE":
        name = str(node["table_name"]).lower()
        alias = str(node.get("alias") or node["table_name"])
        if node.get("schema_name") or node.get("catalog_name"):
            raise Unrecognised("source")
        if name in names.trees:
            tree, known = names.trees[name]
            return _called(_select(tree, known, run), alias)
        if name in names.inputs:
            return _input(names.inputs[name], alias, run)
    if kind == "SUBQUERY" and node.get("alias"):
        return _called(_select(node["subquery"]["node"], names, run), str(node["alias"]))
    if kind == "JOIN":
        return _join(node, names, run)
    raise Unrecognised("source")


def _input(given: Given, alias: str, run: _Run) -> Rows:
    number = run.numbered
    run.numbered += 1
    if number >= _SOURCES:
        raise Unrecognised("source")
    columns = []
    for name in given.columns:
        quoted = '"' + name.replace('"', '""') + '"'
        here = (number, name)
        one = Scalar(
            f"s{number}.{quoted}", frozenset({here}), plain=here, simple=True, hidden=name in given.hidden
        )
        columns.append(Column(alias, name, one))
    return Rows(((number, given.name),), f"job_{given.name} s{number}", (), tuple(columns))


def _called(made: Rows | Cells, alias: str) -> Rows | Cells:
    return replace(made, columns=tuple(Column(alias, one.name, one.value) for one in made.columns))


def _join(node: Node, names: _Names, run: _Run) -> Rows:
    left, right = (_relation(node[side], names, run) for side in ("left", "right"))
    kind = node.get("join_type")
    if not isinstance(left, Rows) or not isinstance(right, Rows):
        raise Unrecognised("join")
    if kind not in ("INNER", "LEFT") or node.get("ref_type") != "REGULAR":
        raise Unrecognised("join")
    columns = [*left.columns, *right.columns]
    conditions: list[Scalar] = []
    matched = False
    for name in node.get("using_columns") or ():
        pair = [finder(side.columns)([name]) for side in (left, right)]
        conditions.append(Scalar(f"({pair[0].sql} = {pair[1].sql})", pair[0].columns | pair[1].columns))
        columns = [
            replace(one, open=False) if one in right.columns and one.name.lower() == name.lower() else one
            for one in columns
        ]
    if node.get("condition"):
        conditions.append(_keys(scalar(node["condition"], Scope(finder(columns)))))
        matched = any(_matches(one) for one in _conjuncts(node["condition"]))
    if not (matched or node.get("using_columns")):
        raise Unrecognised("join")
    where, nullable = (*left.where, *right.where), left.nullable | right.nullable
    if kind == "LEFT":
        if any(one.value.plain is None for one in right.columns) or right.join:
            raise Unrecognised("join")
        conditions, where = [*conditions, *right.where], left.where
        nullable |= {number for number, _ in right.sources}
    on = " AND ".join(one.sql for one in conditions)
    sql = f"{left.sql} {kind} JOIN {right.sql} ON {on}"
    if right.join:
        sql = f"{left.sql} {kind} JOIN ({right.sql}) ON {on}"
    joined = (*left.join, *right.join, *conditions)
    return Rows((*left.sources, *right.sources), sql, where, tuple(columns), nullable, joined)


def _conjuncts(node: Node) -> Iterator[Node]:
    if node.get("type") == "CONJUNCTION_AND":
        for child in node["children"]:
            yield from _conjuncts(child)
    else:
        yield node


def _matches(node: Node) -> bool:
    """Whether a condition says that two columns are equal."""
    sides = [node.get(side) or {} for side in ("left", "right")]
    return node.get("type") == "COMPARE_EQUAL" and all(side.get("class") == "COLUMN_REF" for side in sides)


def _keys(condition: Scalar) -> Scalar:
    """A join condition may name identifiers: two inputs are matched by them. It compares columns only."""
    if condition.hidden and not re.fullmatch(
        r"[()\s]*(?:s\d+\.\"[^\"]+\"[()\s]*(?:=|AND|$)[()\s]*)+", condition.sql
    ):
        raise Unrecognised("identifier")
    return replace(condition, hidden=False)


def _items(node: Node, columns: Sequence[Column]) -> list[tuple[str, Node | Column]]:
    """The select list with stars written out: (name, tree or column)."""
    found: list[tuple[str, Node | Column]] = []
    for item in node["select_list"]:
        if item.get("class") != "STAR":
            name = item.get("alias") or (
                item["column_names"][-1] if item.get("class") == "COLUMN_REF" else ""
            )
            found.append((str(name), item))
            continue
        if item.get("replace_list") or item.get("columns") or item.get("expr") or item.get("rename_list"):
            raise Unrecognised("star")
        out = {
            str(one if isinstance(one, str) else one.get("column", "")).lower()
            for one in item.get("exclude_list") or ()
        }
        if "" in out or item.get("qualified_exclude_list"):
            raise Unrecognised("star")
        relation = str(item.get("relation_name") or "").lower()
        found += [
            (one.name, one)
            for one in columns
            if one.open and one.name.lower() not in out and (not relation or one.relation.lower() == relation)
        ]
    return found


def _select(node: Node, names: _Names, run: _Run) -> Rows | Cells:
    """What a SELECT gives."""
    if node.get("type") != "SELECT_NODE" or node.get("sample") or node.get("qualify"):
        raise Unrecognised("statement")
    if any(one.get("type") != "ORDER_MODIFIER" for one in node.get("modifiers") or ()):
        raise Unrecognised("modifier")
    for entry in (node.get("cte_map") or {}).get("map") or ():
        if entry["value"].get("aliases") or entry["key"].lower() in names.trees:
            raise Unrecognised("redefined")
        body = (
            entry["value"]["query_node"]
            if "query_node" in entry["value"]
            else entry["value"]["query"]["node"]
        )
        names = names.more({entry["key"].lower(): (body, names)})
    made = _relation(node["from_table"], names, run)
    items = _items(node, made.columns)
    grouped = bool(node.get("group_expressions") or node.get("group_sets"))
    grouped |= node.get("aggregate_handling") == "FORCE_AGGREGATES" or node.get("having") is not None
    grouped |= any(isinstance(item, dict) and _aggregated(item) for _, item in items)
    if isinstance(made, Cells):
        if grouped:
            raise Unrecognised("aggregate of aggregates")
        return _again(node, made, items)
    scope = Scope(finder(made.columns))
    where = list(made.where)
    if node.get("where_clause"):
        where.append(scalar(node["where_clause"], scope))
        if where[-1].hidden:
            raise Unrecognised("identifier")
    made = replace(made, where=tuple(where))
    if grouped:
        return _group(node, made, items)
    columns = [
        Column("", name, item.value if isinstance(item, Column) else scalar(item, scope))
        for name, item in items
    ]
    return replace(made, columns=tuple(columns))


def _group(node: Node, rows: Rows, items: list[tuple[str, Node | Column]]) -> Cells:
    """The cells that an aggregation makes."""
    row = Scope(finder(rows.columns))
    groups: list[Scalar] = []

    def add(one: Scalar) -> None:
        if one.hidden:
            raise Unrecognised("identifier")
        if not one.constant and all(one.sql != known.sql for known in groups):
            groups.append(one)

    named = {name.lower(): item for name, item in items}
    sets = node.get("group_sets") or []
    given = node.get("group_expressions") or []
    if len(sets) > 1 or (given and sorted(sets[0] if sets else []) != list(range(len(given)))):
        raise Unrecognised("grouping sets")
    for item in given:
        add(_dimension(item, items, named, row))
    if node.get("aggregate_handling") == "FORCE_AGGREGATES":
        for _, one in items:
            if isinstance(one, Column):
                add(one.value)
            elif not _aggregated(one):
                add(scalar(one, row))
    pool: list[Aggregate] = []
    columns: list[Column] = []

    def earlier(path: list[str]) -> Any:
        fits = [one.value for one in columns if len(path) == 1 and one.name.lower() == path[0].lower()]
        if len(fits) != 1:
            raise Unrecognised("column")
        return fits[0]

    scope = Scope(earlier, pool)
    for name, item in items:
        columns.append(Column("", name, _cell(item, groups, scope, row)))
    kept = [_kept(node["having"], scope, row)] if node.get("having") else []
    return Cells(rows, tuple(groups), tuple(pool), tuple(columns), tuple(kept))


def _dimension(
    item: Node, items: list[tuple[str, Node | Column]], named: dict[str, Node | Column], row: Scope
) -> Scalar:
    """A GROUP BY entry: a position, a column, the name of a selected expression, or an expression."""
    chosen: Node | Column = item
    if item.get("class") == "CONSTANT":
        place = str((item.get("literal") or {}).get("text", ""))
        if not place.isdigit() or not 1 <= int(place) <= len(items):
            raise Unrecognised("group")
        chosen = items[int(place) - 1][1]
    elif item.get("class") == "COLUMN_REF" and len(item["column_names"]) == 1:
        try:
            return scalar(item, row)  # a column of the tables comes before a name of the list
        except Unrecognised:
            chosen = named.get(str(item["column_names"][0]).lower(), item)
    if isinstance(chosen, Column):
        found = chosen.value
        if not isinstance(found, Scalar):
            raise Unrecognised("group")
        return found
    return scalar(chosen, row)


def _cell(item: Node | Column, groups: list[Scalar], scope: Scope, row: Scope) -> Value:
    """One entry of the select list of an aggregation."""
    if isinstance(item, Column) or not _aggregated(item):
        try:
            one = item.value if isinstance(item, Column) else scalar(item, row)
        except Unrecognised:
            if isinstance(item, Column):
                raise
            return value(item, scope, None)
        if one.constant:
            return Value(one.sql, constant=True)
        for number, group in enumerate(groups):
            if group.sql == one.sql:
                return Value(token("g", number), group=number)
        raise Unrecognised("column")
    return value(item, scope, row)


def _again(node: Node, cells: Cells, items: list[tuple[str, Node | Column]]) -> Cells:
    """A SELECT over cells: other names, another choice, arithmetic."""
    scope = Scope(finder(cells.columns), list(cells.pool))
    columns = [
        Column("", name, item.value if isinstance(item, Column) else _renamed(item, scope))
        for name, item in items
    ]
    kept = [_kept(node["where_clause"], scope, None)] if node.get("where_clause") else []
    return replace(cells, columns=tuple(columns), kept=(*cells.kept, *kept))


def _renamed(item: Node, scope: Scope) -> Value:
    return value(item, scope, None)


def _kept(node: Node, scope: Scope, row: Scope | None) -> str:
    """A condition on cells, as SQL with tokens: a bound on how many there are, or a choice of dimensions.

    Any other aggregate in it would tell, by a row that is there or not, what no number of the table tells.
    """
    if node.get("class") == "CONJUNCTION" and node.get("type") == "CONJUNCTION_AND":
        return " AND ".join(_kept(child, scope, row) for child in node["children"])
    if node.get("class") == "COMPARISON":
        try:
            sides = [value(node[side], scope, row) for side in ("left", "right")]
        except Unrecognised:
            sides = []
        counted = [side for side in sides if side.aggregates]
        whole = counted and all(one.whole for side in counted for one in side.aggregates)
        mark = _BOUNDS.get(node["type"])
        if whole and mark and sum(side.constant for side in sides) == 1:
            return f"({sides[0].sql} {mark} {sides[1].sql})"
        if counted:
            raise Unrecognised("having")

    def group(path: list[str]) -> Scalar:
        found = scope.find(path)
        if not isinstance(found, Value) or found.group is None:
            raise Unrecognised("having")
        return Scalar(found.sql)

    return scalar(node, Scope(group)).sql
