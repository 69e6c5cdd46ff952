"""What a SQL job asks of its inputs: conditions, groups and their least size, joins, constants.

DuckDB's parser gives the tree; nothing of the job is run here. Names are followed through common table
expressions, views, tables and subqueries of the script to the columns of the inputs. What is not followed is
noted and asks for nothing: the job itself shows then whether it returns rows.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from sandbox.desensitize.dummy.fields import Table
from sandbox.desensitize.dummy.trees import (
    AGGREGATES,
    AMOUNTS,
    COUNTS,
    Node,
    branches,
    columns_in,
    conjuncts,
    constant,
    constants,
    empty_trees,
    group_list,
    has_aggregate,
    name_of,
    node_of,
    plain,
    walk,
)
from sandbox.desensitize.dummy.wanted import Condition, Reading, Want, once

Columns = dict[str, "Node | None"]  # name -> expression over "input.column"; None: not followed

_CREATE = re.compile(
    r"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP(?:ORARY)?\s+)?(?P<what>TABLE|VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r'(?P<name>"(?:[^"]|"")+"|[^\W\d]\w*)\s+AS\b',
    re.IGNORECASE,
)
_MACRO = re.compile(
    r"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP(?:ORARY)?\s+)?(?:MACRO|FUNCTION)\b", re.IGNORECASE
)
_LOWER = frozenset({"COMPARE_GREATERTHAN", "COMPARE_GREATERTHANOREQUALTO", "COMPARE_EQUAL"})
_TURNED = {
    "COMPARE_GREATERTHAN": "COMPARE_LESSTHAN",
    "COMPARE_LESSTHAN": "COMPARE_GREATERTHAN",
    "COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO",
    "COMPARE_LESSTHANOREQUALTO": "COMPARE_GREATERTHANOREQUALTO",
}
_MOST_WANTS = 6
_MOST_LOOKS = 400  # selects looked at: a chain of views that each use the last twice doubles every time


@dataclass
class _Made:
    """What a relation gives: its columns, and what every way to a row of it wants."""

    columns: Columns
    wants: list[Want]


@dataclass
class _Scope:
    """The names that an expression may use, innermost first."""

    tables: list[tuple[str, Columns]] = field(default_factory=list)
    outer: _Scope | None = None
    aliases: Columns = field(default_factory=dict)

    def find(self, names: Sequence[str]) -> Node | None:
        """The expression that a column stands for."""
        *before, last = [name.lower() for name in names]
        for alias, columns in self.tables:
            if (not before or before[-1] == alias) and last in columns:
                return columns[last]
        if not before and last in self.aliases:
            return self.aliases[last]
        return self.outer.find(names) if self.outer else None

    def inputs(self) -> set[str]:
        """The inputs whose rows are in use here, or around it."""
        mine = {name.rpartition(".")[0] for _, columns in self.tables for name in columns_in(columns)}
        return mine | (self.outer.inputs() if self.outer else set())


class SqlReader:
    """Reads queries over ``tables``; ``names`` gives further names of theirs (a Python variable, say)."""

    def __init__(
        self, tables: Sequence[Table], reading: Reading, names: dict[str, str] | None = None
    ) -> None:
        self.reading, self.looks = reading, 0
        self.parser = duckdb.connect(":memory:")
        self.select, self.positive = empty_trees(self.parser)
        by_name = {table.name: table for table in tables}
        called = {**{name: name for name in by_name}, **(names or {})}
        self.known: dict[str, _Made] = {
            alias.lower(): _input(by_name[name]) for alias, name in called.items() if name in by_name
        }

    def script(self, text: str, outputs: Sequence[str] = ()) -> None:
        """Read all statements; of several made tables those named in ``outputs`` (all, if there is none).

        A text that the parser refuses asks for nothing: the job's own run says what is wrong with it.
        """
        try:
            statements = duckdb.extract_statements(text)
        except (duckdb.Error, ValueError):
            return
        made: dict[str, list[Want]] = {}
        for number, statement in enumerate(statements):
            query = statement.query
            if _MACRO.match(query):
                self.reading.macros.append(query)
                continue
            head = _CREATE.match(query)
            name = head["name"].strip('"').replace('""', '"').lower() if head else f"#{number}"
            tree = self._tree(query[head.end() :] if head else query)
            if tree is not None:
                found = self._guarded(tree)
                made[name], self.known[name] = found.wants, found
        stems = [one.lower() for one in outputs if one.lower() in made] or list(made)
        for want in [part for stem in stems for whole in made[stem] for part in whole.halves()]:
            self.reading.unread += want.across()
            one = want.parted()
            if one not in self.reading.wants and len(self.reading.wants) < _MOST_WANTS:
                self.reading.wants.append(one)

    def condition(self, text: str, table: str) -> Condition | None:
        """One condition over a table, as ``relation.filter("…")`` takes it."""
        tree = self._tree(f"SELECT 1 FROM {table} WHERE {text}")
        found = self._guarded(tree).wants if tree else []
        return found[0].conditions[0] if found and found[0].conditions else None

    # -- relations --------------------------------------------------------------------------------

    def _tree(self, query: str) -> Node | None:
        try:
            ((told,),) = self.parser.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()
            body = json.loads(told)
        except (duckdb.Error, ValueError, RecursionError):
            return None
        return (
            body["statements"][0]["node"] if body.get("error") is False and body.get("statements") else None
        )

    def _guarded(self, tree: Node) -> _Made:
        try:
            return self._select(tree, dict(self.known), None)
        except (KeyError, TypeError, IndexError, AttributeError, RecursionError):
            return _Made({}, [])  # a tree of a shape that is not known asks for nothing

    def _select(self, node: Node, known: dict[str, _Made], outer: _Scope | None) -> _Made:
        self.looks += 1
        if self.looks > _MOST_LOOKS:
            return _Made({}, [Want()])
        for one in (node.get("cte_map") or {}).get("map") or ():
            known = {**known, one["key"].lower(): self._select(node_of(one["value"]), known, outer)}
        kind = node.get("type")
        if kind == "CTE_NODE":
            made = self._select(node_of(node["query"]), known, outer)
            return self._select(node_of(node["child"]), {**known, node["cte_name"].lower(): made}, outer)
        if kind in ("SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"):
            parts = [self._select(node_of(one), known, outer) for one in branches(node)]
            return _Made(parts[0].columns, [want for part in parts for want in part.wants][:_MOST_WANTS])
        if kind != "SELECT_NODE":
            return _Made({}, [Want()])
        scope = _Scope(outer=outer)
        wants = self._from(node.get("from_table") or {}, known, scope)
        made_columns = self._list(node, scope)
        scope.aliases = made_columns
        for where in conjuncts(node.get("where_clause")):
            wants = self._where(where, known, scope, wants)
        grouped = [self._resolve(self._group(one, node), scope) for one in group_list(node)]
        found = [column for one in grouped if one for column in sorted(columns_in(one))]
        for want in wants:
            want.groups += [column for column in found if column not in want.groups]
        for having in conjuncts(node.get("having")):
            for want in wants:
                self._having(having, scope, want)
        return _Made(made_columns, wants)

    def _from(self, node: Node, known: dict[str, _Made], scope: _Scope) -> list[Want]:
        kind = node.get("type")
        if kind == "JOIN":
            left = self._from(node["left"], known, scope)
            right = self._from(node["right"], known, scope)
            wants = [_both(a, b) for a in left for b in right][:_MOST_WANTS]
            for name in node.get("using_columns") or ():
                sides = [columns[name.lower()] for _, columns in scope.tables if columns.get(name.lower())]
                self._join(sides[0], sides[-1], wants) if len(sides) > 1 else None
            for one in conjuncts(node.get("condition")):
                wants = self._where(one, known, scope, wants)
            return wants
        if kind == "BASE_TABLE":
            made = known.get(str(node["table_name"]).lower())
            alias = str(node.get("alias") or node["table_name"]).lower()
        elif kind == "SUBQUERY":
            made, alias = (
                self._select(node_of(node["subquery"]), known, scope.outer),
                str(node.get("alias") or "").lower(),
            )
        else:
            made, alias = None, str(node.get("alias") or "").lower()
        if not isinstance(made, _Made):
            return [Want()]
        made = _again(made, scope.inputs())
        scope.tables.append((alias, made.columns))
        return made.wants

    def _list(self, node: Node, scope: _Scope) -> Columns:
        """The columns that a select gives."""
        made: Columns = {}
        for item in node.get("select_list") or ():
            if item.get("class") == "STAR":
                for _, columns in scope.tables:
                    made.update({name: one for name, one in columns.items() if name not in made})
                continue
            name = item.get("alias") or (item.get("column_names") or [""])[-1]
            if name:
                made[str(name).lower()] = self._resolve(item, scope)
        return made

    def _group(self, item: Node, node: Node) -> Node:
        """A group expression; a number is a place in the list."""
        place = (item.get("literal") or {}).get("text")
        if item.get("type") == "VALUE_CONSTANT" and place is not None and str(place).isdigit():
            return dict(node["select_list"][int(place) - 1])
        return item

    # -- expressions ------------------------------------------------------------------------------

    def _resolve(self, node: Any, scope: _Scope) -> Any:
        """``node`` over the columns of the inputs; None if one of its names is not followed."""
        if isinstance(node, list):
            parts = [self._resolve(one, scope) for one in node]
            return (
                None
                if any(part is None and one is not None for part, one in zip(parts, node, strict=True))
                else parts
            )
        if not isinstance(node, dict):
            return node
        if node.get("class") == "COLUMN_REF":
            found = scope.find(node["column_names"])
            return {**copy.deepcopy(found), "alias": ""} if found else None
        if node.get("class") in ("SUBQUERY", "WINDOW", "STAR", "LAMBDA"):
            return None
        made = {}
        for key, value in node.items():
            part = self._resolve(value, scope) if isinstance(value, dict | list) else value
            if part is None and value is not None:
                return None
            made[key] = part
        return made

    def _where(self, node: Node, known: dict[str, _Made], scope: _Scope, wants: list[Want]) -> list[Want]:
        if node.get("class") == "SUBQUERY" and node.get("subquery_type") in ("EXISTS", "ANY"):
            inner = self._select(node_of(node["subquery"]), known, scope)
            first = next(iter(inner.columns.values()), None)
            left = self._resolve(node.get("child"), scope) if node.get("child") else None
            wants = [_both(a, b) for a in wants for b in inner.wants][:_MOST_WANTS]
            self._join(left, first, wants)
            return wants
        if node.get("type") == "COMPARE_EQUAL":
            left, right = (self._resolve(node[side], scope) for side in ("left", "right"))
            if plain(left) and plain(right):
                self._join(left, right, wants)
                return wants
        whole = self._resolve(node, scope)
        if whole is None:
            self.reading.unread.append(self._text(node))
        elif has_aggregate(whole):
            for want in wants:
                self._amounts(whole, want)
        else:
            for want in wants:
                self._add(whole, want)
        return wants

    def _having(self, node: Node, scope: _Scope, want: Want) -> None:
        whole = self._resolve(node, scope)
        if whole is None:
            self.reading.unread.append(self._text(node))
        elif has_aggregate(whole):
            self._amounts(whole, want)
        else:
            self._add(whole, want)

    def _amounts(self, node: Node, want: Want) -> None:
        """``count(…) >= 20``: groups of that size; ``avg(x) > 5``: rows with such an x."""
        kind, left, right = node.get("type"), node.get("left"), node.get("right")
        if kind == "COMPARE_BETWEEN":
            kind, left, right = "COMPARE_GREATERTHANOREQUALTO", node["input"], node["lower"]
        if left and right and constant(left) is not None:
            kind, left, right = _TURNED.get(str(kind), kind), right, left
        bound = constant(right) if right else None
        name = str((left or {}).get("function_name", "")).lower()
        if left is None or bound is None or name not in AGGREGATES:
            self.reading.unread.append(self._text(node))
            return
        if left.get("filter"):
            self._some(left["filter"], want)
        arguments = [one.get("expression", one) for one in left.get("arguments") or ()]
        if name in COUNTS and kind in _LOWER:
            want.least = max(want.least, min(int(bound) + (kind == "COMPARE_GREATERTHAN"), 5_000))
            if name in ("count_if", "countif") and arguments:
                self._some(arguments[0], want)
        elif name == "sum" and arguments and arguments[0].get("class") == "CASE" and kind in _LOWER:
            want.least = max(want.least, min(int(bound) + 1, 5_000))
            self._some({**self.positive, "left": arguments[0]}, want)
        elif name in AMOUNTS and arguments:
            self._add({**self.positive, "type": kind, "left": arguments[0], "right": right}, want)

    def _some(self, node: Node, want: Want) -> None:
        """Some rows of each group meet this, others do not."""
        before = len(want.conditions)
        self._add(node, want)
        want.some += want.conditions[before:]
        del want.conditions[before:]

    def _add(self, node: Node, want: Want) -> None:
        text, columns = self._text(node), frozenset(columns_in(node))
        if not columns or not text:
            return
        want.conditions.append(Condition(text, columns))
        for text, like in constants(node):
            for column in columns:
                self.reading.note(once(column), text, like=like)

    def _join(self, left: Node | None, right: Node | None, wants: list[Want]) -> None:
        if left and right and plain(left) and plain(right):
            pair = (name_of(left), name_of(right))
            for want in wants:
                if pair[0] != pair[1] and pair not in want.joins:
                    want.joins.append(pair)

    def _text(self, node: Node) -> str:
        tree = {
            "error": False,
            "statements": [{"node": {**self.select, "select_list": [{**node, "alias": ""}]}}],
        }
        try:
            ((told,),) = self.parser.execute(
                "SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)]
            ).fetchall()
        except duckdb.Error:
            return ""
        return str(told).removeprefix("SELECT ")


def _input(table: Table) -> _Made:
    """The columns of an input, each called ``"input.column"``."""
    reference = {"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "query_location": 0}
    columns: Columns = {one.name.lower(): {**reference, "column_names": [one.full]} for one in table.fields}
    return _Made(columns, [Want()])


def _again(made: _Made, taken: set[str]) -> _Made:
    """``made``, about further rows of the inputs ``taken``: its ``"people.pay"`` is ``"people#2.pay"``."""
    wants = [want.copy() for want in made.wants]
    mine = {name.rpartition(".")[0] for name in columns_in(made.columns)}
    mine |= {name.rpartition(".")[0] for want in wants for name in want.columns()}
    used, called = mine | taken, {}
    for table in sorted(mine & taken):
        number = 2
        while f"{once(f'{table}.')[:-1]}#{number}" in used:
            number += 1
        called[table] = f"{once(f'{table}.')[:-1]}#{number}"
        used.add(called[table])
    if not called:
        return _Made(made.columns, wants)
    columns = copy.deepcopy(made.columns)
    for node in walk(columns):
        if node.get("class") == "COLUMN_REF":
            table, _, column = str(node["column_names"][-1]).rpartition(".")
            node["column_names"] = [f"{called.get(table, table)}.{column}"]
    return _Made(columns, [want.renamed(called) for want in wants])


def _both(one: Want, other: Want) -> Want:
    made = one.copy()
    made.take(other)
    return made
