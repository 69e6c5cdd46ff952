"""The room that takes a supply in: a checked file becomes an immutable snapshot, or nothing does.

Input ``/in/data`` (CSV or Parquet) and params ``{"format", "fields": [{"name", "type", "required"?,
"level"}], "entity": column|null, "sha256", "rows": n|null}``. On success ``snapshot.parquet`` (zstd, the
catalogue's column order and types, the supply's row order; the same supply gives the same bytes) and
``{"ok": true, "rows", "columns": [{"name", "type", "nulls", "distinct_estimate"}], "entities", "sha256"}``,
``entities`` being null without an entity column.

Refusals: the codes in ``codes.py``. Their details name columns of the catalogue and count; an
unexpected column is only counted, because the header of a file without one is its first person.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from sandbox.core.errors import fail
from sandbox.workspace.duck import identifier, literal, locked
from sandbox.workspace.fields import TYPES, Field, fields_of
from sandbox.workspace.sniff import require_parquet, sha256_of, text_encoding, to_utf8

SNAPSHOT = "snapshot.parquet"
LONGEST_CELL = 1 << 20  # characters; the same bound for the header and for the rows


def _match_columns(found: list[str], fields: list[Field]) -> None:
    """Raises SCHEMA_MISMATCH unless ``found`` has exactly the fields' names, each once, in any order."""
    expected = {field.name for field in fields}
    missing = [field.name for field in fields if field.name not in found]
    unexpected = len(found) - len(expected & set(found))
    if missing or unexpected:
        raise fail("SCHEMA_MISMATCH", missing=missing, unexpected=unexpected)


def _csv_relation(path: Path, header: list[str]) -> str:
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    return (
        f"read_csv({literal(path.absolute())}, auto_detect = false, "
        f"delim = ',', quote = '\"', escape = '\"', header = true, strict_mode = true, "
        f"null_padding = false, nullstr = '', max_line_size = {LONGEST_CELL * 4}, columns = {{{columns}}})"
    )


def _csv_header(path: Path) -> list[str]:
    csv.field_size_limit(LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [name.strip() for name in next(csv.reader(file, strict=True))]
    except (csv.Error, StopIteration):
        raise fail("FORMAT_MISMATCH", format="csv") from None


def _from_text(field: Field) -> tuple[str, str]:
    """SQL for the stored value and for "this row's text is not of the type"."""
    kind = TYPES[field.type]
    if field.type == "string":
        return f"nullif({identifier(field.name)}, '')", "false"
    text = f"nullif(trim({identifier(field.name)}), '')"
    value = kind.cast.format(text)
    if field.type == "number":
        value = f"CASE WHEN isfinite({value}) THEN {value} END"
    shape = literal(kind.shape)
    return (
        f"CASE WHEN regexp_full_match({text}, {shape}) THEN {value} END",
        f"{text} IS NOT NULL AND (NOT regexp_full_match({text}, {shape}) OR ({value}) IS NULL)",
    )


def _from_typed(field: Field, physical: str) -> tuple[str, str]:
    """The same for a Parquet column of DuckDB type ``physical``; NaN is how pandas writes "none"."""
    kind, column = TYPES[field.type], identifier(field.name)
    if physical.split("(")[0] not in kind.physical:
        return f"CAST(NULL AS {kind.sql})", "true"
    if physical in {"FLOAT", "DOUBLE"}:
        column = f"CASE WHEN NOT isnan({column}) THEN {column} END"
        return f"CAST({column} AS {kind.sql})", f"isinf({identifier(field.name)})"
    value = f"TRY_CAST({column} AS {kind.sql})"
    return value, f"{column} IS NOT NULL AND {value} IS NULL"


def _plan(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    form: str,
    fields: list[Field],
    scratch: Path,
) -> tuple[str, dict[str, tuple[str, str]]]:
    """The relation to read and, per field, the SQL of ``_from_text`` or ``_from_typed``."""
    if form == "csv":
        header = _csv_header(path)
        _match_columns(header, fields)
        return _csv_relation(path, header), {field.name: _from_text(field) for field in fields}
    relation = f"read_parquet({literal(path.absolute())})"
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    physical = {str(row[0]): str(row[1]) for row in described}
    _match_columns([str(row[0]) for row in described], fields)
    return relation, {field.name: _from_typed(field, physical[field.name]) for field in fields}


def _check_rows(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    plan: dict[str, tuple[str, str]],
    fields: list[Field],
    params: dict[str, Any],
) -> tuple[int, list[dict[str, Any]], int | None]:
    """Rows, the columns' description and the number of entities; raises the refusals about rows."""
    entity = params.get("entity")
    parts = ["count(*)"]
    for value, bad in plan.values():
        parts += [
            f"count(*) FILTER (WHERE {bad})",
            f"count(*) FILTER (WHERE ({value}) IS NULL)",
            f"approx_count_distinct({value})",
        ]
    if entity is not None:
        parts.append(f"count(DISTINCT {plan[entity][0]})")
    counts = connection.execute(f"SELECT {', '.join(parts)} FROM {relation}").fetchone()
    assert counts is not None
    rows = int(counts[0])
    columns = []
    for index, field in enumerate(fields):
        bad_rows, nulls, distinct = counts[1 + 3 * index : 4 + 3 * index]
        if bad_rows:
            raise fail("TYPE_MISMATCH", column=field.name, bad_rows=bad_rows)
        if nulls and field.name == entity:
            raise fail("ENTITY_NULL", column=field.name, bad_rows=nulls)
        if nulls and field.required:
            raise fail("REQUIRED_NULL", column=field.name, bad_rows=nulls)
        columns.append(
            {
                "name": field.name,
                "type": field.type,
                "nulls": nulls,
                "distinct_estimate": min(distinct, rows),
            }
        )
    stated = params.get("rows")
    if stated is not None and stated != rows:
        raise fail("ROWS_MISMATCH", rows=rows, stated=stated)
    return rows, columns, None if entity is None else int(counts[-1])


def _take(path: Path, form: str, fields: list[Field], params: dict[str, Any], out: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        scratch = Path(folder)
        if form == "csv":
            encoding = text_encoding(path)
            if encoding != "utf-8-sig":
                path = to_utf8(path, encoding, scratch / "data.csv")
        else:
            require_parquet(path)
        partial = out / f".{SNAPSHOT}.partial"
        try:
            with locked([path, partial], scratch) as connection:
                relation, plan = _plan(connection, path, form, fields, scratch)
                rows, columns, entities = _check_rows(connection, relation, plan, fields, params)
                select = ", ".join(
                    f"CAST({plan[field.name][0]} AS {TYPES[field.type].sql}) AS {identifier(field.name)}"
                    for field in fields
                )
                connection.execute(
                    f"COPY (SELECT {select} FROM {relation}) TO {literal(partial.absolute())} "
                    "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880, USE_TMP_FILE false)"
                )
            partial.replace(out / SNAPSHOT)
        except (
            duckdb.OutOfMemoryException,
            duckdb.InternalException,
            duckdb.FatalException,
        ):
            raise  # the machine's fault, not the file's
        except duckdb.Error:
            raise fail("FORMAT_MISMATCH", format=form) from None
        finally:
            partial.unlink(missing_ok=True)
    return {
        "ok": True,
        "rows": rows,
        "columns": columns,
        "entities": entities,
        "sha256": sha256_of(out / SNAPSHOT),
    }


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """See the module's text. Raises ``SandboxError`` with a code of ``codes.py``."""
    fields = fields_of(params.get("fields"))
    form, path, entity = params.get("format"), inputs / "data", params.get("entity")
    if form not in {"csv", "parquet"}:
        raise fail("FIELDS_INVALID", why="format")
    if entity is not None and entity not in {field.name for field in fields}:
        raise fail("FIELDS_INVALID", why="entity")
    if path.is_symlink() or not path.is_file() or sha256_of(path) != params.get("sha256"):
        raise fail("HASH_MISMATCH")
    return _take(path, form, fields, params, out)
