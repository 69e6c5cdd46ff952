"""What a Python job asks of its inputs, as far as its text shows: comparisons of columns, groups, queries in
SQL.

Best effort, and nothing of the job is run. The module is parsed, and read are: SQL in string constants,
comparisons of ``pl.col("x")``, ``frame["x"]`` and ``frame.x`` with constants, ``is_in``, ``isin``,
``is_between``, ``between``, ``starts_with``, ``startswith``, conditions in text (``filter("x > 0")``,
``query("x > 0")``), ``group_by`` and ``groupby``, and whole numbers that a name which is no column is
compared with: the least size of a group. What is not read is said in the ``try:`` block.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sandbox.desensitize.dummy.fields import Table
from sandbox.desensitize.dummy.reading_sql import SqlReader
from sandbox.desensitize.dummy.wanted import Condition, Reading, Want
from sandbox.workspace.duck import identifier, literal

_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "=", ast.NotEq: "<>", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_QUERY = re.compile(r"\s*(SELECT|FROM|WITH|CREATE|PIVOT)\b", re.IGNORECASE)
_GROUPS = frozenset({"group_by", "groupby", "aggregate"})
_TEXTS = frozenset({"filter", "query", "where"})
_MOST = 5_000


def read_python(files: dict[str, str], entry: str, tables: Sequence[Table], reading: Reading) -> None:
    """Read the job's ``files`` (name -> text) into ``reading``; one that does not parse asks for nothing."""
    order = [entry, *sorted(name for name in files if name != entry and name.endswith(".py"))]
    trees = []
    for name in order:
        try:
            trees.append(ast.parse(files.get(name, "")))
        except (SyntaxError, ValueError, RecursionError):
            continue
    whole = _Module(tables, reading)
    for tree in trees:
        whole.names.update(_variables(tree))
    for tree in trees:
        whole.read(tree)
    whole.finish()


def _variables(tree: ast.AST) -> dict[str, str]:
    """Variable -> the input that it holds: ``x = sandbox_job.inputs("name")``, with or without ``.pl()``
    behind."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            for inner in ast.walk(node.value):
                if (
                    isinstance(inner, ast.Call)
                    and _called(inner) == "inputs"
                    and (text := _text(inner.args[:1]))
                ):
                    found[node.targets[0].id] = text
    return found


class _Module:
    def __init__(self, tables: Sequence[Table], reading: Reading) -> None:
        self.tables, self.reading = tables, reading
        self.names: dict[str, str] = {}
        self.asked: dict[str, list[str]] = defaultdict(list)
        self.groups: list[str] = []
        self.least = 1

    def columns(self, name: object) -> list[str]:
        """Everything that a column of that name is in the inputs."""
        return [one.full for table in self.tables for one in table.fields if one.name == name]

    def read(self, tree: ast.AST) -> None:
        sql = SqlReader(self.tables, self.reading, self.names)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _QUERY.match(node.value):
                sql.script(node.value)
            elif isinstance(node, ast.JoinedStr):
                text = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "0" for part in node.values
                )
                if _QUERY.match(text):
                    sql.script(text)
            elif isinstance(node, ast.Compare):
                self._compare(node)
            elif isinstance(node, ast.Call):
                self._call(node, sql)

    def _compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for sign, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if isinstance(sign, ast.In | ast.NotIn):
                self._among(left, right, "IN" if isinstance(sign, ast.In) else "NOT IN")
                continue
            text = _SIGNS.get(type(sign))
            if text is None:
                continue
            if (value := _constant(left)) is not None:
                left, text = right, _TURNED.get(text, text)
            else:
                value = _constant(right)
            if value is None:
                continue
            name = _column(left)
            if self.columns(name):
                self._ask(name, f"{text} {_sql(value)}", [value])
            elif type(value) is int and text in (">", ">=", "<") and 1 < value <= _MOST:
                self.least = max(self.least, value + (text == ">"))

    def _among(self, left: ast.expr, right: ast.expr, word: str) -> None:
        values = [_constant(one) for one in getattr(right, "elts", ())]
        told = [one for one in values if one is not None]
        if told:
            self._ask(_column(left), f"{word} ({', '.join(map(_sql, told))})", told)

    def _call(self, node: ast.Call, sql: SqlReader) -> None:
        called = _called(node)
        if called in _GROUPS:
            texts = [part for arg in node.args for text in _strings(arg) for part in text.split(",")]
            self.groups += [full for text in texts for full in self.columns(text.strip())]
        if called in _TEXTS and (text := _text(node.args[:1])) and not _QUERY.match(text):
            for table in self.tables:
                if (found := sql.condition(text, table.name)) is not None:
                    self.reading.wants.append(Want([found]))
        if not isinstance(node.func, ast.Attribute):
            return
        name = _column(node.func.value)
        values = [one for one in map(_constant, node.args) if one is not None]
        if called in ("is_in", "isin") and node.args:
            self._among(node.func.value, node.args[0], "IN")
        elif called in ("is_between", "between") and len(values) == 2:
            self._ask(name, f"BETWEEN {_sql(values[0])} AND {_sql(values[1])}", values)
        elif called in ("starts_with", "startswith") and values:
            self._ask(_column(_before(node.func.value)), f"LIKE {literal(f'{values[0]}%')}", values)

    def _ask(self, name: object, rest: str, values: Sequence[Any]) -> None:
        for full in self.columns(name):
            self.asked[full].append(rest)
            for value in values:
                self.reading.note(full, str(value))

    def finish(self) -> None:
        """One want of all comparisons; of two that cannot hold together, either will do."""
        want = Want(groups=list(dict.fromkeys(self.groups)), least=self.least)
        for full, rests in self.asked.items():
            name = identifier(full)
            equal = [rest for rest in dict.fromkeys(rests) if rest.startswith(("= ", "IN ", "LIKE "))]
            other = [rest for rest in dict.fromkeys(rests) if rest not in equal]
            parts = [" OR ".join(f"{name} {rest}" for rest in equal)] if equal else []
            parts += [f"{name} {rest}" for rest in other] if not equal else []
            want.conditions += [Condition(f"({part})", frozenset({full})) for part in parts]
        for one in self.reading.wants:
            one.least = max(one.least, self.least)
            one.groups += [column for column in want.groups if column not in one.groups]
        if want.conditions or want.groups or want.least > 1:
            self.reading.wants.append(want)
        merged = [one for one in self.reading.wants if one.conditions or one.groups or one.least > 1]
        self.reading.wants = merged[:6]


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _before(node: ast.expr) -> ast.expr:
    """What stands before ``.str``."""
    return node.value if isinstance(node, ast.Attribute) and node.attr == "str" else node


def _column(node: ast.expr) -> object:
    """The name of the column that an expression is, or None: ``pl.col("x")``, ``row["x"]``, ``frame.x``."""
    node = _before(node)
    if isinstance(node, ast.Call):
        return _text(node.args[:1]) if _called(node) in ("col", "get", "column", "F") else None
    if isinstance(node, ast.Subscript):
        return node.slice.value if isinstance(node.slice, ast.Constant) else None
    return node.attr if isinstance(node, ast.Attribute) else None


def _constant(node: ast.expr) -> Any:
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
    ):
        return -node.operand.value if isinstance(node.operand.value, int | float) else None
    if isinstance(node, ast.Call) and _called(node) in ("date", "datetime"):
        parts = [one.value for one in node.args if isinstance(one, ast.Constant)]
        whole = [part for part in parts if isinstance(part, int)]
        if len(whole) >= 3:
            return f"{whole[0]:04d}-{whole[1]:02d}-{whole[2]:02d}"
    return (
        node.value if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float) else None
    )


def _sql(value: Any) -> str:
    return literal(value) if isinstance(value, str) else str(value).upper()


def _text(nodes: Sequence[ast.expr]) -> str:
    return next(
        (one.value for one in nodes if isinstance(one, ast.Constant) and isinstance(one.value, str)), ""
    )


def _strings(node: ast.expr) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value
