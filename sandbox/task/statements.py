"""The one statement list of a SQL job: every statement is parsed and held to it before the first one runs.

An allow-list over what DuckDB itself parsed: read statements, and ``CREATE [OR REPLACE] [TEMP]
TABLE | VIEW | MACRO … AS`` over a read statement. Of a read statement every node, every source of rows
and every function is looked at in the tree that DuckDB gives of it. Whatever DuckDB cannot give as a tree
is refused: what was not read was not allowed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import duckdb

from sandbox.core.errors import fail
from sandbox.task.heads import refused_function

# The head of a CREATE: only blanks, words, quoted names and parameters, so that there is one way to read it
# (a comment in it is refused). What follows AS is given to the parser.
_BLANK = r"[ \t\r\n]"
_CREATE = re.compile(
    rf"CREATE{_BLANK}+(?:OR{_BLANK}+REPLACE{_BLANK}+)?(?:TEMP(?:ORARY)?{_BLANK}+)?"
    rf"(?P<what>TABLE|VIEW|MACRO|FUNCTION){_BLANK}+(?:IF{_BLANK}+NOT{_BLANK}+EXISTS{_BLANK}+)?"
    rf'(?P<name>"(?:[^"]|"")+"|[^\W\d]\w*){_BLANK}*'
    rf"(?:\((?P<parameters>[\w \t\r\n,\"]*)\){_BLANK}*)?"
    rf"\bAS\b(?P<table>{_BLANK}+TABLE\b)?",
    re.IGNORECASE,
)
_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_SOURCES = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EMPTY", "EXPRESSION_LIST", "PIVOT", "SHOW_REF"}
)
_SHOWN = frozenset({"DESCRIBE", "SUMMARY"})
_TABLE_FUNCTIONS = frozenset(
    {"range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree", "histogram"}
)
_SCHEMAS = frozenset({"", "main", "temp", "memory"})
_SYSTEM = re.compile(r"(duckdb|pragma|sqlite|pg)_\w+", re.IGNORECASE)
_PLAIN = re.compile(r"\w[\w $-]*")  # a table's name; a file's has a point, a slash or a star
_CALLED = {"MULTI": "PIVOT", "INVALID": "?"}  # a PIVOT without IN names its columns by the data
_NOWHERE = (1 << 64) - 1  # DuckDB's "no position"
_DEPTH = 20_000  # of the tree as JSON; DuckDB itself stops at 1,000 nested expressions


def _open() -> duckdb.DuckDBPyConnection:
    """A database that only parses: no data is ever in it. The first tree costs 40 ms and the next ones 2, so
    it is asked for here: a container that waits for its task imports this module ahead."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "enable_external_access": False,
        "lock_configuration": True,
    }
    parser = duckdb.connect(":memory:", config=settings)
    parser.execute("SELECT json_serialize_sql('SELECT 1')").fetchone()
    return parser


_PARSER = _open()


@dataclass
class _Statement:
    """One statement being looked at: its text, the line on which it starts, the macros known by then."""

    text: str
    line: int
    file: str
    macros: set[str] = field(default_factory=set)

    def refuse(self, code: str, what: str, offset: int = 0) -> NoReturn:
        """``offset`` in bytes of the text, as DuckDB counts."""
        line = self.line + self.text.encode()[:offset].count(b"\n")
        raise fail(code, file=self.file, line=line, what=what[:60])


def split(script: str) -> list[tuple[int, duckdb.Statement]]:
    """Each statement with the line on which it starts. Raises DuckDB's parser error."""
    found, position = [], 0
    for statement in duckdb.extract_statements(script):
        # DuckDB makes plain blanks of unusual ones: such a statement stands where the last one ended
        start = max(script.find(statement.query, position), position)
        position = start + len(statement.query)
        found.append((script.count("\n", 0, start) + 1, statement))
    return found


def hold(statements: list[tuple[int, duckdb.Statement]], file: str) -> None:
    """Refuse the script if any statement is none of the list.

    Raises SQL_STATEMENT, SQL_FUNCTION, SQL_TABLE with ``file``, ``line`` and ``what``, words of the
    developer's own script: no data has been opened.
    """
    macros: set[str] = set()
    for line, statement in statements:
        one = _Statement(statement.query, line, file, macros)
        try:
            kind = statement.type.name
        except ValueError:  # a kind that this DuckDB knows and its Python package does not
            kind = "INVALID"
        if kind == "SELECT":
            _query(one, statement.query, 0)
        elif kind == "CREATE":
            _create(one)
        else:
            one.refuse("SQL_STATEMENT", _CALLED.get(kind, kind))


def _create(one: _Statement) -> None:
    head = _CREATE.match(one.text)
    if head is None:
        one.refuse("SQL_STATEMENT", "CREATE")
    macro = head["what"].upper() in ("MACRO", "FUNCTION")
    if macro and head["parameters"] is None:
        one.refuse("SQL_STATEMENT", "CREATE")
    begin = head.end() if macro or not head["table"] else head.start("table")
    body, before = one.text[begin:], len(one.text[:begin].encode())
    if macro and not head["table"]:
        _query(one, f"SELECT {body}", before - len("SELECT "))
    else:
        _query(one, body, before)
    if macro:
        one.macros.add(head["name"].strip('"').replace('""', '"').lower())


def _query(one: _Statement, text: str, before: int) -> None:
    """Look at the tree of the read statement ``text``, which begins at byte ``before`` of the statement."""
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(_DEPTH)
        row = _PARSER.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchone()
        tree = json.loads(row[0]) if row else {}
    except (duckdb.Error, ValueError, RecursionError):
        tree = {}
    finally:
        sys.setrecursionlimit(limit)
    if tree.get("error") is not False or len(tree.get("statements", ())) != 1:
        one.refuse("SQL_STATEMENT", "SELECT")
    for node in _nodes(tree["statements"][0]):
        offset = node.get("query_location", 0)
        at = max(0, before + (0 if offset == _NOWHERE or not isinstance(offset, int) else offset))
        _look(one, node, at)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, without recursion."""
    left = [tree]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def _look(one: _Statement, node: dict[str, Any], at: int) -> None:
    """Refuse ``node`` if it is none of the list."""
    kind = str(node.get("type", ""))
    if kind.endswith("_NODE") and kind not in _NODES:
        one.refuse("SQL_STATEMENT", kind.removesuffix("_NODE").removesuffix("_QUERY"), at)
    if "sample" in node and "alias" in node and kind not in _SOURCES:
        one.refuse("SQL_STATEMENT", kind, at)
    if kind == "SHOW_REF" and node.get("show_type") not in _SHOWN:
        one.refuse("SQL_STATEMENT", "SHOW", at)
    if kind == "BASE_TABLE":
        _table(one, node, at)
    if "function_name" in node and refused_function(str(node["function_name"])):
        one.refuse("SQL_FUNCTION", str(node["function_name"]), at)
    if kind == "TABLE_FUNCTION":
        function = node.get("function") or {}
        name = str(function.get("function_name", "")).lower()
        if function.get("class") != "FUNCTION" or (
            name not in _TABLE_FUNCTIONS and (name not in one.macros or refused_function(name))
        ):
            one.refuse("SQL_FUNCTION", name, at)


def _table(one: _Statement, node: dict[str, Any], at: int) -> None:
    """A table is one of the job's own: no file, no system table, no other database's."""
    name = str(node.get("table_name", ""))
    schemas = {str(node.get(key, "")).lower() for key in ("schema_name", "catalog_name")}
    path = (node.get("qualified_name") or {}).get("path", [name])
    schemas |= {str(part).lower() for part in path[:-1]}
    if not schemas <= _SCHEMAS or not _PLAIN.fullmatch(name) or _SYSTEM.fullmatch(name):
        one.refuse("SQL_TABLE", name, at)
