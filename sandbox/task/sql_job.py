"""Runs a SQL job: views named like the inputs, then the script, then one table per declared output.

The convention (docs/adr/0005): at its end the script has left a table or view named like each
declared output without its suffix (``totals.csv`` is written from ``totals``). The runner writes it in
the format of the suffix. The script opens no file and writes none itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb

from sandbox.core.errors import fail
from sandbox.task.classes import clean_error
from sandbox.workspace.duck import identifier, literal, locked

FORMATS = {
    ".csv": "FORMAT csv, HEADER true",
    ".json": "FORMAT json, ARRAY true",
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
}
_PARSER_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)


def _statements(script: str) -> list[tuple[int, duckdb.Statement]]:
    """Each statement with the line of the script on which it starts."""
    found, position = [], 0
    for statement in duckdb.extract_statements(script):
        start = script.index(statement.query, position)
        position = start + len(statement.query)
        found.append((script.count("\n", 0, start) + 1, statement))
    return found


def _told(error: Exception, line: int | None, entry: str, lines: int) -> dict[str, Any]:
    return clean_error({"class": type(error).__name__, "line": line}, entry, lines)


def run_sql(
    code: Path,
    entry: str,
    data: Path,
    inputs: list[str],
    outputs: list[str],
    out: Path,
    scratch: Path,
) -> dict[str, Any] | None:
    """Run the script ``code/entry``. None when it ended well, else the error in closed vocabulary.

    The line is where the failing statement starts (a parser error's own line: no data was read yet).
    Raises MISSING_OUTPUT when the script left no table for a declared output.
    """
    views = {name: (data / f"{name}.parquet").absolute() for name in inputs}
    targets = {path: (out / path).absolute() for path in outputs}
    try:
        script = (code / entry).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        return clean_error({"class": type(error).__name__}, entry, 0)
    lines = script.count("\n") + 1
    with locked([*views.values(), *targets.values()], scratch) as connection:
        for name, path in views.items():
            connection.execute(
                f"CREATE VIEW {identifier(name)} AS SELECT * FROM read_parquet({literal(path)})"
            )
        line: int | None = None
        try:
            for start, statement in _statements(script):
                line = start
                connection.execute(statement)
        except (duckdb.Error, RuntimeError, ValueError) as error:
            if line is None and (match := _PARSER_LINE.search(str(error))):
                line = int(match[1])
            return _told(error, line, entry, lines)
        for declared, target in targets.items():
            stem = Path(declared).stem
            known = connection.execute(
                "SELECT count(*) FROM information_schema.tables WHERE lower(table_name) = lower(?)",
                [stem],
            ).fetchone()
            if known == (0,):
                raise fail("MISSING_OUTPUT", path=declared)
            try:
                connection.execute(
                    f"COPY (SELECT * FROM {identifier(stem)}) TO {literal(target)} "
                    f"({FORMATS[target.suffix]}, USE_TMP_FILE false)"
                )
            except (duckdb.Error, RuntimeError) as error:
                return _told(error, None, entry, lines)  # a view fails here, no statement of the script does
    return None
