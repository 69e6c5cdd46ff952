"""The room that compiles a grant: exactly the granted columns x rows x period, as one file per view.

Inputs ``/in/<source>`` (Parquet snapshots) and params ``{"views": [{"name", "source", "columns": [...],
"rows": [{"column", "op", "value"}], "period": {"column", "from", "to"} | null}]}``.

- conditions are joined by AND; ``op`` is one of = != < <= > >= in; a row whose column is empty meets
  no condition, ``!=`` included: what is not certain to be granted is not
- ``period`` is two ISO days, both inclusive, either may be null (open end) but not both
- values are bound parameters, cast to the column's own type; one that cannot be cast is a refusal

Writes ``<name>.parquet`` and returns ``{"ok": true, "views": [{"name", "rows", "columns"}]}``.
The rule: R-031, the list of the scenario is the grant and no more.
"""

from __future__ import annotations

import re
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from sandbox.core.errors import fail
from sandbox.workspace.duck import identifier, literal, locked

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in")
NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,79}")  # no path, nothing hidden
TEMPORAL = ("DATE", "TIMESTAMP")

Schema = dict[str, str]


def _granted(view: dict[str, Any], schema: Schema) -> list[str]:
    """The view's columns, checked: known exactly as spelled, none twice, at least one."""
    columns = view.get("columns")
    if not isinstance(columns, list) or not columns or len({str(c) for c in columns}) != len(columns):
        raise fail("VIEW_MALFORMED", view=view["name"], field="columns")
    for column in columns:
        _known(view, column, schema)
    return columns


def _known(view: dict[str, Any], column: object, schema: Schema) -> str:
    if not isinstance(column, str) or column not in schema:
        raise fail(
            "VIEW_COLUMN",
            view=view["name"],
            column=column if isinstance(column, str) else "?",
        )
    return column


def _condition(view: dict[str, Any], row: Any, schema: Schema) -> tuple[str, list[str]]:
    """One row condition as SQL with ``?`` and the values to bind, as text."""
    if not isinstance(row, dict) or row.get("op") not in OPERATORS:
        raise fail("VIEW_MALFORMED", view=view["name"], field="rows")
    column = _known(view, row.get("column"), schema)
    value = row.get("value")
    values = value if row["op"] == "in" and isinstance(value, list) else [value]
    if (row["op"] == "in") != isinstance(value, list) or not values:
        raise fail("VIEW_VALUE", view=view["name"], column=column)
    if any(not isinstance(one, str | int | float) for one in values):
        raise fail("VIEW_VALUE", view=view["name"], column=column)
    hole = f"CAST(? AS {schema[column]})"
    right = f"({', '.join([hole] * len(values))})" if row["op"] == "in" else hole
    return f"{identifier(column)} {row['op']} {right}", [str(one) for one in values]


def _period(view: dict[str, Any], schema: Schema) -> tuple[list[str], list[str]]:
    period = view.get("period")
    if period is None:
        return [], []
    if not isinstance(period, dict):
        raise fail("VIEW_MALFORMED", view=view["name"], field="period")
    column = _known(view, period.get("column"), schema)
    bounds = [(op, period.get(key)) for op, key in ((">=", "from"), ("<=", "to"))]
    given = [(op, bound) for op, bound in bounds if bound is not None]
    try:
        for _, bound in given:
            date.fromisoformat(bound)
    except (TypeError, ValueError):
        raise fail("VIEW_VALUE", view=view["name"], column=column) from None
    if not given or not schema[column].startswith(TEMPORAL):
        raise fail("VIEW_MALFORMED", view=view["name"], field="period")
    # A time of day on the last day is still within it, hence the comparison by day.
    sql = [f"CAST({identifier(column)} AS DATE) {op} CAST(? AS DATE)" for op, _ in given]
    return sql, [bound for _, bound in given]


def _schema(connection: duckdb.DuckDBPyConnection, relation: str, names: list[str]) -> Schema:
    """Column -> DuckDB type. Refuses names that DuckDB folds together: it renames the second in silence."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    schema = {str(row[0]): str(row[1]) for row in described}
    return schema if list(schema) == names else {}


def _file_columns(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM parquet_schema(?) WHERE num_children IS NULL OR num_children = 0",
        [str(path)],
    ).fetchall()
    return [str(row[0]) for row in rows]


def _write(view: dict[str, Any], source: Path, target: Path, scratch: Path) -> dict[str, Any]:
    partial = target.with_name(f".{target.name}.partial")
    with locked([source, partial], scratch) as connection:
        relation = f"read_parquet({literal(source)})"
        try:
            schema = _schema(connection, relation, _file_columns(connection, source))
        except (duckdb.InvalidInputException, duckdb.IOException):
            schema = {}
        if not schema:
            raise fail("VIEW_SOURCE", view=view["name"])
        columns = _granted(view, schema)
        conditions, values = _period(view, schema)
        for row in view.get("rows") or []:
            sql, bound = _condition(view, row, schema)
            _castable(connection, view, row["column"], schema, bound)
            conditions.append(sql)
            values += bound
        select = ", ".join(identifier(column) for column in columns)
        where = " AND ".join(conditions) or "true"
        copied = connection.execute(
            f"COPY (SELECT {select} FROM {relation} WHERE {where}) TO {literal(partial)} "
            "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880, USE_TMP_FILE false)",
            values,
        ).fetchone()
    partial.replace(target)
    return {
        "name": view["name"],
        "rows": int(copied[0]) if copied else 0,
        "columns": columns,
    }


def _castable(
    connection: duckdb.DuckDBPyConnection,
    view: dict[str, Any],
    column: str,
    schema: Schema,
    bound: list[str],
) -> None:
    """Raises VIEW_VALUE unless every value survives the way to the column's type and back unchanged."""
    cast = f"TRY_CAST(? AS {schema[column]})"
    same = f"coalesce(TRY_CAST(? AS DOUBLE) = TRY_CAST({cast} AS DOUBLE), true)"
    for value in bound:
        row = connection.execute(f"SELECT {cast} IS NOT NULL AND {same}", [value] * 3).fetchone()
        if row != (True,):
            raise fail("VIEW_VALUE", view=view["name"], column=column)


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """See the module's text. Raises VIEW_MALFORMED, VIEW_COLUMN, VIEW_VALUE, VIEW_SOURCE."""
    views = params.get("views")
    if not isinstance(views, list) or not views:
        raise fail("VIEW_MALFORMED", view="?", field="views")
    names: set[str] = set()
    for view in views:
        name = view.get("name") if isinstance(view, dict) else None
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in names:
            raise fail("VIEW_MALFORMED", view="?", field="name")
        names.add(name)
        source = view.get("source")
        if not isinstance(source, str) or not NAME.fullmatch(source):
            raise fail("VIEW_MALFORMED", view=name, field="source")
        if (inputs / source).is_symlink() or not (inputs / source).is_file():
            raise fail("VIEW_SOURCE", view=name)
    with tempfile.TemporaryDirectory(prefix="view-") as scratch:
        done = [
            _write(
                view,
                (inputs / view["source"]).absolute(),
                (out / f"{view['name']}.parquet").absolute(),
                Path(scratch),
            )
            for view in views
        ]
    return {"ok": True, "views": done}
