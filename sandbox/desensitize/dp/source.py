"""How the columns of a table are read: as entity, key, number or condition, never by what can fail."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from sandbox.core.errors import fail
from sandbox.desensitize.dp.accounting import Component
from sandbox.desensitize.dp.spec import Condition
from sandbox.workspace.duck import identifier, literal

_CLASSES = {
    "BOOLEAN": "bool",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), "integer"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER"), "integer"),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT"), "large"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), "real"),
    **dict.fromkeys(("VARCHAR", "ENUM"), "text"),
    "DATE": "date",
}
NUMBERS = frozenset({"integer", "large", "real"})
USES = {
    "entity": frozenset({"integer", "large", "text"}),
    "key": frozenset({"bool", "integer", "large", "text", "date"}),
    "value": NUMBERS,
}
_OPERATORS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


class Source:
    """The columns of one Parquet file and how each is read: never by an expression that can fail."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Raises DP_SOURCE for a file that cannot be read as a table."""
        self.relation = f"read_parquet({literal(path)})"
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM {self.relation}").fetchall()
        except duckdb.Error:
            raise fail("DP_SOURCE") from None
        self.classes = {
            str(row[0]): _CLASSES.get(str(row[1]).partition("(")[0], "other") for row in described
        }

    def read(self, column: str, use: str) -> str:
        """``column`` as an entity, a key or a number (DOUBLE, never NaN). Raises DP_COLUMN."""
        kind, name = self.classes.get(column), f"src.{identifier(column)}"
        if kind not in USES[use]:
            raise fail("DP_COLUMN", column=column, use=use)
        if use == "value":
            number = f"TRY_CAST({name} AS DOUBLE)"
            return f"CASE WHEN NOT isnan({number}) THEN {number} END" if kind == "real" else number
        if kind == "text":
            text = f"nfc_normalize(CAST({name} AS VARCHAR))"
            return f"nullif({text}, '')" if use == "entity" else text
        if kind == "date":
            return f"CAST({name} AS VARCHAR)"
        if kind == "large":
            return f"TRY_CAST({name} AS {'VARCHAR' if use == 'entity' else 'BIGINT'})"
        return name if kind == "bool" or use == "entity" else f"CAST({name} AS BIGINT)"

    def scaled(self, one: Component) -> str:
        """A component's column as BIGINT in units of its scale, within its bounds."""
        column = str(one.column)
        number = self.read(column, "value")
        least, most = (bound / 10**one.decimals for bound in (one.lower, one.upper))
        within = f"greatest(least({number}, {most!r}::DOUBLE), {least!r}::DOUBLE)"
        places = f"CAST(round({within} * {10**one.decimals}) AS BIGINT)"
        if self.classes[column] == "integer" and not one.decimals:
            places = f"CAST(src.{identifier(column)} AS BIGINT)"
        # least and greatest pass over what is empty: it would count as a bound
        return f"CASE WHEN {number} IS NOT NULL THEN greatest(least({places}, {one.upper}), {one.lower}) END"

    def condition(self, asked: Condition) -> tuple[str, list[Any]]:
        """SQL with holes, and what to put there. Raises DP_COLUMN."""
        kind, refusal = self.classes.get(asked.column), fail("DP_COLUMN", column=asked.column, use="where")
        if kind is None:
            raise refusal
        if asked.op in ("is_null", "not_null"):
            return f"src.{identifier(asked.column)} IS {'NOT ' * (asked.op == 'not_null')}NULL", []
        values = asked.values or (asked.value,)
        wanted = {bool: ("bool",), Decimal: tuple(NUMBERS), str: ("text", "date")}[type(values[0])]
        if kind not in wanted:
            raise refusal
        if kind in NUMBERS:
            left, hole = self.read(asked.column, "value"), "CAST(? AS DOUBLE)"
            bound: list[Any] = [float(value) for value in values if isinstance(value, Decimal)]
        else:
            left, hole, bound = self.read(asked.column, "key"), "?", list(values)
        if kind == "date" and not all(_is_day(value) for value in values):
            raise refusal
        if asked.values:
            listed = f"({', '.join([hole] * len(bound))})"
            return f"{left} {'NOT ' * (asked.op == 'not_in')}IN {listed}", bound
        return f"{left} {_OPERATORS[asked.op]} {hole}", bound


def _is_day(value: Any) -> bool:
    try:
        return bool(date.fromisoformat(value).isoformat() == value)
    except (TypeError, ValueError):
        return False
