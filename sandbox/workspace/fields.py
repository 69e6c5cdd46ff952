"""The catalogue's field descriptions as the rooms need them, and the casts that hold text to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.core.errors import fail


@dataclass(frozen=True)
class Type:
    """One type of the catalogue.

    ``sql``: the DuckDB type it is stored as. ``physical``: the DuckDB types (without parameters) that
    a Parquet file may bring for it, all of which widen without loss. ``shape``: what its text must look
    like, because DuckDB's own casts are lenient (``'1.5'::BIGINT`` is 2). ``cast``: from trimmed text
    ``{}`` to the stored type, NULL when impossible.
    """

    sql: str
    physical: frozenset[str]
    shape: str
    cast: str


_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})

TYPES: dict[str, Type] = {
    "string": Type("VARCHAR", frozenset({"VARCHAR"}), "", "{}"),
    "integer": Type("BIGINT", _WHOLE, r"[+-]?[0-9]{1,19}", "TRY_CAST({} AS BIGINT)"),
    "number": Type(
        "DOUBLE",
        frozenset(
            {
                "FLOAT",
                "DOUBLE",
                "TINYINT",
                "SMALLINT",
                "INTEGER",
                "UTINYINT",
                "USMALLINT",
                "UINTEGER",
            }
        ),
        r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?",
        "TRY_CAST({} AS DOUBLE)",
    ),
    "decimal": Type(
        "DECIMAL(38, 10)",
        frozenset({"DECIMAL"}) | _WHOLE,
        r"[+-]?[0-9]{1,28}(\.[0-9]{1,10})?",
        "TRY_CAST({} AS DECIMAL(38, 10))",
    ),
    "date": Type(
        "DATE",
        frozenset({"DATE"}),
        r"[0-9]{4}(-[0-9]{2}-[0-9]{2}|/[0-9]{1,2}/[0-9]{1,2}|[0-9]{4})",
        "CAST(try_strptime({}, ['%Y-%m-%d', '%Y/%m/%d', '%Y%m%d']) AS DATE)",
    ),
    "datetime": Type(
        "TIMESTAMP",
        frozenset({"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}),
        r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?",
        "TRY_CAST(replace({}, '/', '-') AS TIMESTAMP)",
    ),
    "boolean": Type(
        "BOOLEAN",
        frozenset({"BOOLEAN"}),
        "(?i)true|false|t|f|1|0|是|否",
        "lower({}) IN ('true', 't', '1', '是')",
    ),
}


@dataclass(frozen=True)
class Field:
    """One column of a catalogue entry."""

    name: str
    type: str  # a key of TYPES
    required: bool


def fields_of(described: Any) -> list[Field]:
    """Read ``params["fields"]``.

    Raises FIELDS_INVALID (no list, unknown type, a name that is empty or — DuckDB folds case — repeated)
    and UNGRADED for the first field without a level of 1 to 4.
    """
    if not isinstance(described, list) or not described:
        raise fail("FIELDS_INVALID", why="fields")
    fields: list[Field] = []
    seen: set[str] = set()
    for one in described:
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or not name.strip() or name != name.strip() or "\0" in name:
            raise fail("FIELDS_INVALID", why="name")
        if name.casefold() in seen:
            raise fail("FIELDS_INVALID", why=f"name {name}")
        seen.add(name.casefold())
        if one.get("type") not in TYPES:
            raise fail("FIELDS_INVALID", why=f"type of {name}")
        if one.get("level") not in {1, 2, 3, 4}:
            raise fail("UNGRADED", field=name)
        fields.append(Field(name, one["type"], bool(one.get("required", False))))
    return fields
