"""Expressions of a job's SELECT that the checker will compute itself: read from the parser's tree, held to a
list, and written anew as SQL of our own. What is not on the list is ``Unrecognised``: it is not recomputed.

Two kinds of value: a ``Scalar`` belongs to one row of raw data, a ``Value`` to one cell of a table. A cell's
value is made of standard aggregates of *simple* operands and of arithmetic between them. Simple is what
cannot pack several persons into one number, nor tell one of them from the others: a column, a column shifted
or scaled by constants, a part of a date, or one of these for the rows that meet one condition and nothing for
the others. Whatever rounds coarsely (a cast, a shift by far more than the values, centuries between dates) is
a condition in disguise, and nobody would count the rows that meet it: it is not simple.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.egress.recompute.words import (
    AGGREGATES,
    COMPARISONS,
    DATES,
    FUNCTIONS,
    OPERATORS,
    SPREADS,
    TYPES,
    UNITS,
    WIDE,
)

Node = dict[str, Any]
Source = tuple[int, str]  # number of the input in FROM, raw column


class Unrecognised(Exception):
    """This statement is none of those that are recomputed. ``why`` is a word of this module's own."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


_ARITHMETIC = frozenset({"+", "-", "*", "/", "round", "floor", "ceil", "abs"})  # between aggregates
_QUANTILES = (0.05, 0.95)  # between them; what lies outside is an extreme
_STEPS = 2  # shifts and scalings of an operand
_CONSTANTS = (1e-5, 1e5)  # that it is shifted or scaled by: two such steps round no double noticeably
_SQL = 20_000  # characters; views that each name a column of the last twice double them every time


@dataclass(frozen=True)
class Scalar:
    """A value of a row. ``plain``: it is that column and nothing else; ``constant``: it is the same in every
    row; ``simple``: see the module; ``partial``: nought or nothing in the rows that miss a condition."""

    sql: str
    columns: frozenset[Source] = frozenset()
    plain: Source | None = None
    constant: bool = False
    simple: bool = False
    partial: bool = False
    hidden: bool = False  # reads an identifier or the entity's key
    unit: bool = False  # one and the same number in the rows that meet a condition: its sum is a count
    steps: int = 0  # how often a simple one was shifted or scaled
    base: Source | None = None  # the column that a simple one is in proportion to
    when: str = ""  # the condition of a partial one


@dataclass(frozen=True)
class Aggregate:
    """One aggregate of a cell: ``name`` over ``operands`` (none: the rows), of rows that meet ``where``."""

    name: str
    operands: tuple[Scalar, ...] = ()
    where: Scalar | None = None
    distinct: bool = False
    extra: str = ""  # a constant argument, such as which quantile

    @property
    def partial(self) -> bool:
        """Whether it speaks of a part of the cell's rows only."""
        return self.where is not None or any(one.partial for one in self.operands)

    @property
    def whole(self) -> bool:
        """Whether it is the number of the cell's rows, or of the distinct values of a column in it."""
        return self.where is None and (self.name == "count_star" or (self.name == "count" and self.distinct))

    @property
    def spread(self) -> bool:
        """Whether it tells how values differ: where nearly all are alike, it tells of those that are not."""
        several = self.name == "count" and self.distinct and not self.operands[0].hidden
        return several or self.name in SPREADS

    @property
    def counts(self) -> bool:
        """Whether it is a number of rows or of entities."""
        units = self.name == "sum" and self.operands[0].unit
        return units or self.name in ("count", "count_star", "regr_count")


@dataclass(frozen=True)
class Value:
    """A value of a cell: SQL in which ``token("a", 0)`` stands for the first aggregate of the pool, and
    ``token("g", 0)`` for the first dimension. ``group``: it is that dimension and nothing else. ``decimals``:
    of an outermost round()."""

    sql: str
    aggregates: tuple[Aggregate, ...] = ()
    group: int | None = None
    constant: bool = False
    decimals: int | None = None


@dataclass
class Scope:
    """Finds what a column name stands for. ``find(path)`` gives the value, or raises ``Unrecognised``."""

    find: Callable[[list[str]], Any]
    pool: list[Aggregate] = field(default_factory=list)  # the aggregates of the cells being made


def token(kind: str, number: int) -> str:
    """What stands in SQL for an aggregate ("a") or a dimension ("g") until all are known."""
    return f"\x01{kind}{number}\x01"


def literal(node: Node) -> str:
    """A constant as SQL. Raises ``Unrecognised``."""
    given = node.get("literal") or {}
    kind, text = given.get("kind"), str(given.get("text", ""))
    if kind == "STRING" and "\x01" not in text:
        return "'" + text.replace("'", "''") + "'"
    if kind in ("INTEGER", "NUMERIC"):
        try:
            float(text)
        except ValueError:
            raise Unrecognised("constant") from None
        return text
    if kind == "BOOLEAN" and text in ("true", "false"):
        return text
    if kind == "NULL_LITERAL":
        return "NULL"
    raise Unrecognised("constant")


def _cast(node: Node) -> str:
    kind = node.get("type_expr") or {}
    name = str(kind.get("type_name", "")).upper()
    if name not in TYPES:
        raise Unrecognised("type")
    sizes = [literal(child) for child in kind.get("children") or ()]
    return f"{name}({', '.join(sizes)})" if sizes else name


def _arguments(node: Node) -> list[Node]:
    if any(one.get("name") for one in node.get("arguments") or ()) or node.get("schema"):
        raise Unrecognised("function")
    return [one["expression"] for one in node.get("arguments") or ()]


def _plain_call(node: Node) -> bool:
    return not (node.get("distinct") or node.get("filter") or (node.get("order_bys") or {}).get("orders"))


def is_aggregate(node: Node) -> bool:
    """Whether a node is a call of a known aggregate."""
    name = str(node.get("function_name", "")).lower()
    return node.get("class") == "FUNCTION" and (name in AGGREGATES or name == "count_star")


def _joined(parts: list[Scalar], sql: str, simple: bool = False) -> Scalar:
    columns = frozenset().union(*(part.columns for part in parts)) if parts else frozenset()
    if len(sql) > _SQL:
        raise Unrecognised("size")
    return Scalar(
        sql,
        columns,
        constant=all(part.constant for part in parts),
        simple=simple or all(part.constant for part in parts),
        hidden=any(part.hidden for part in parts),
        partial=any(part.partial for part in parts),
    )


def scalar(node: Node, scope: Scope) -> Scalar:
    """A value of a row, written anew. Raises ``Unrecognised``."""
    kind = node.get("class")
    if kind == "COLUMN_REF":
        found = scope.find(list(node["column_names"]))
        if not isinstance(found, Scalar):
            raise Unrecognised("column")
        return found
    if kind == "CONSTANT":
        return Scalar(literal(node), constant=True, simple=True)
    if kind == "CAST":
        inner = scalar(node["child"], scope)
        word = "TRY_CAST" if node.get("try_cast") else "CAST"
        to = _cast(node)
        wide = to.split("(")[0] in WIDE and word == "CAST"  # what a narrow type cannot hold would be left out
        keeps = inner.simple and (to == "DOUBLE" or (inner.plain is not None and wide))
        made = _joined([inner], f"{word}({inner.sql} AS {to})", keeps)
        return replace(made, steps=inner.steps, base=inner.base or inner.plain, when=inner.when)
    if kind == "CASE":
        return _case(node, scope)
    if kind == "FUNCTION":
        return _function(node, scope)
    return _condition(node, scope)


def _condition(node: Node, scope: Scope) -> Scalar:
    """Comparisons and what joins them. A condition is simple: it is true or it is not."""
    kind, name = node.get("class"), str(node.get("type"))
    if kind == "COMPARISON" and name in COMPARISONS:
        parts = [scalar(node["left"], scope), scalar(node["right"], scope)]
        return _joined(parts, f"({parts[0].sql} {COMPARISONS[name]} {parts[1].sql})")
    if kind == "CONJUNCTION" and name in ("CONJUNCTION_AND", "CONJUNCTION_OR"):
        parts = [scalar(child, scope) for child in node["children"]]
        word = " AND " if name.endswith("AND") else " OR "
        return _joined(parts, "(" + word.join(part.sql for part in parts) + ")")
    if kind == "BETWEEN":
        parts = [scalar(node[key], scope) for key in ("input", "lower", "upper")]
        return _joined(parts, "({} BETWEEN {} AND {})".format(*(part.sql for part in parts)))
    if kind != "OPERATOR":
        raise Unrecognised("expression")
    parts = [scalar(child, scope) for child in node["children"]]
    sqls = [part.sql for part in parts]
    if name in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"):
        word = "IS NULL" if name == "OPERATOR_IS_NULL" else "IS NOT NULL"
        made = _joined(parts, f"({sqls[0]} {word})")
        # whether there is an identifier at all tells nothing of whose it is
        return Scalar(made.sql, made.columns) if parts[0].plain else made
    if name == "OPERATOR_NOT":
        return _joined(parts, f"(NOT {sqls[0]})")
    if name in ("COMPARE_IN", "COMPARE_NOT_IN"):
        if not all(part.constant for part in parts[1:]):
            raise Unrecognised("expression")
        word = "IN" if name == "COMPARE_IN" else "NOT IN"
        return _joined(parts, f"({sqls[0]} {word} ({', '.join(sqls[1:])}))")
    if name in ("OPERATOR_COALESCE", "OPERATOR_NULLIF"):
        return _joined(parts, f"{name.removeprefix('OPERATOR_').lower()}({', '.join(sqls)})")
    raise Unrecognised("expression")


def _function(node: Node, scope: Scope) -> Scalar:
    name = str(node.get("function_name", "")).lower()
    if not _plain_call(node):
        raise Unrecognised("function")
    if name not in OPERATORS and name not in FUNCTIONS:
        raise Unrecognised("function")
    parts = [scalar(child, scope) for child in _arguments(node)]
    sqls = [part.sql for part in parts]
    varying = [part for part in parts if not part.constant]
    if name in OPERATORS:
        sql = f"({name}{sqls[0]})" if len(parts) == 1 else f"({f' {name} '.join(sqls)})"
        # shifted or scaled by a constant; a constant divided by a column is no longer in proportion
        linear = name in "+-*" or (name == "/" and parts[-1].constant)
        simple = linear and len(varying) == 1 and varying[0].simple and not varying[0].partial
        steps = 1 + max((part.steps for part in varying), default=0)
        simple = simple and steps <= _STEPS and all(_moderate(part.sql) for part in parts if part.constant)
        base = varying[0].base or varying[0].plain if simple else None
        return replace(_joined(parts, sql, simple), steps=steps, base=base)
    dated = name in DATES and len(varying) == 1 and varying[0].plain is not None
    if dated and name in UNITS:
        dated = parts[0].sql.lower().strip("'") in UNITS[name]
    return _joined(parts, f"{name}({', '.join(sqls)})", dated)


def _moderate(text: str) -> bool:
    """Whether a constant may shift or scale an operand."""
    try:
        size = abs(float(text.replace("(", "").replace(")", "")))
    except ValueError:
        return False
    return size == 0 or _CONSTANTS[0] <= size <= _CONSTANTS[1]


def _case(node: Node, scope: Scope) -> Scalar:
    arms = [(scalar(c["when_expr"], scope), scalar(c["then_expr"], scope)) for c in node["case_checks"]]
    other = scalar(node["else_expr"], scope) if node.get("else_expr") else Scalar("NULL", constant=True)
    parts = [part for arm in arms for part in arm] + [other]
    body = " ".join(f"WHEN {when.sql} THEN {then.sql}" for when, then in arms)
    made = _joined(parts, f"(CASE {body} ELSE {other.sql} END)")
    single = len(arms) == 1 and other.sql in ("NULL", "0", "0.0") and arms[0][1].simple
    if single and not arms[0][1].partial:
        unit = arms[0][1].constant
        then = arms[0][1]
        return replace(
            made,
            constant=False,
            simple=True,
            partial=True,
            unit=unit,
            base=then.base or then.plain,
            when=arms[0][0].sql,
        )
    return made


def _aggregate(node: Node, scope: Scope, row: Scope) -> Value:
    """A standard aggregate of simple operands, added to the pool."""
    name = str(node["function_name"]).lower()
    if (node.get("order_bys") or {}).get("orders") and name != "quantile_cont" and name != "quantile_disc":
        raise Unrecognised("aggregate")
    children = _arguments(node)
    ordered = [one["expression"] for one in (node.get("order_bys") or {}).get("orders") or ()]
    if ordered:  # percentile_cont(q) WITHIN GROUP (ORDER BY x)
        descending = (node["order_bys"]["orders"][0]).get("type") == "DESCENDING"
        if len(ordered) != 1 or len(children) != 1 or descending:
            raise Unrecognised("aggregate")
        children = [*ordered, *children]
    extra = ""
    if name.startswith("quantile"):
        share = scalar(children.pop(), row) if len(children) == 2 else None
        if share is None or not share.constant or not _quantile(share.sql):
            raise Unrecognised("quantile")
        extra = f", {share.sql}"
    if name == "count" and not children:
        name = "count_star"
    operands = tuple(scalar(child, row) for child in children)
    if len(operands) != AGGREGATES.get(name, 0):
        raise Unrecognised("aggregate")
    distinct = bool(node.get("distinct"))
    if name == "count":
        if operands[0].plain is None and (distinct or operands[0].hidden):
            raise Unrecognised("operand")
    elif distinct or any(one.hidden or not one.simple for one in operands):
        raise Unrecognised("operand")
    where = scalar(node["filter"], row) if node.get("filter") else None
    if where is not None and where.hidden:
        raise Unrecognised("identifier")
    one = Aggregate(name, operands, where, distinct, extra)
    if one not in scope.pool:
        scope.pool.append(one)
    return Value(token("a", scope.pool.index(one)), (one,))


def _quantile(text: str) -> bool:
    try:
        return _QUANTILES[0] <= float(text) <= _QUANTILES[1]
    except ValueError:
        return False


def value(node: Node, scope: Scope, row: Scope | None) -> Value:
    """A value of a cell. ``row`` finds the columns of the rows that are aggregated; None where the cells are
    there already and only arithmetic is left. Raises ``Unrecognised``."""
    kind = node.get("class")
    if row is not None and is_aggregate(node):
        return _aggregate(node, scope, row)
    if kind == "COLUMN_REF":
        found = scope.find(list(node["column_names"]))
        if not isinstance(found, Value):
            raise Unrecognised("column")
        return found
    if kind == "CONSTANT":
        return Value(literal(node), constant=True)
    if kind == "CAST":
        inner = value(node["child"], scope, row)
        if inner.group is not None:
            raise Unrecognised("expression")
        return Value(f"CAST({inner.sql} AS {_cast(node)})", inner.aggregates, decimals=inner.decimals)
    name = str(node.get("function_name", "")).lower()
    if (
        kind == "FUNCTION"
        and _plain_call(node)
        and name in {"+", "-", "*", "/", "round", "floor", "ceil", "abs"}
    ):
        parts = [value(child, scope, row) for child in _arguments(node)]
    elif kind == "OPERATOR" and node.get("type") in ("OPERATOR_NULLIF",):
        name, parts = "nullif", [value(child, scope, row) for child in node["children"]]
    elif kind == "FUNCTION" and name == "nullif" and _plain_call(node):
        parts = [value(child, scope, row) for child in _arguments(node)]
    else:
        raise Unrecognised("expression")
    if any(part.group is not None for part in parts):
        raise Unrecognised("expression")
    sqls = [part.sql for part in parts]
    aggregates = tuple(dict.fromkeys(one for part in parts for one in part.aggregates))
    constant = all(part.constant for part in parts)
    if name in "+-*/":
        sql = f"({name}{sqls[0]})" if len(parts) == 1 else f"({sqls[0]} {name} {sqls[1]})"
        return Value(sql, aggregates, constant=constant)
    if name != "nullif" and any(not part.constant for part in parts[1:]):
        raise Unrecognised("expression")
    decimals = 0
    if name == "round" and len(parts) == 2:
        decimals = _whole(sqls[1])
    made = f"{name}({', '.join(sqls)})"
    return Value(
        made, aggregates, constant=constant, decimals=decimals if name in ("round", "floor", "ceil") else None
    )


def _whole(text: str) -> int:
    try:
        return int(text.replace("(", "").replace(")", ""))
    except ValueError:
        raise Unrecognised("constant") from None
