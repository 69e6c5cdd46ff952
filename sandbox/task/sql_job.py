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

from sandbox.core.errors import SandboxError, fail
from sandbox.task.classes import clean_error
from sandbox.task.log import SealedLog
from sandbox.task.statements import hold, split
from sandbox.workspace.duck import identifier, literal, locked

FORMATS = {
    ".csv": "FORMAT csv, HEADER true",
    ".json": "FORMAT json, ARRAY true",
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
}
_PARSER_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)


class Script:
    """The developer's script: turns what went wrong into closed words, and its text into the sealed log."""

    def __init__(self, entry: str, text: str, log: SealedLog) -> None:
        self.entry, self.text, self.log = entry, text, log
        self.lines = text.count("\n") + 1

    def told(self, error: Exception, line: int | None) -> dict[str, Any]:
        """The closed words; ``line`` is where the statement starts."""
        self.log.say(f"{self.entry}:{line or '?'}: {type(error).__name__}: {error}")
        name = error.code if isinstance(error, SandboxError) else type(error).__name__
        return clean_error({"class": name, "line": line}, self.entry, self.lines)


def run_sql(
    code: Path,
    entry: str,
    data: Path,
    inputs: list[str],
    outputs: list[str],
    out: Path,
    scratch: Path,
    log: SealedLog,
) -> dict[str, Any] | None:
    """Run the script ``code/entry``. None when it ended well, else the error in closed vocabulary.

    The whole script is held to the statement list first (``statements.py``); nothing of it has run and no
    data has been opened when it is refused. The line is where the failing statement starts.
    Raises MISSING_OUTPUT when the script left no table for a declared output.
    """
    try:
        script = Script(entry, (code / entry).read_text(encoding="utf-8-sig"), log)
    except UnicodeDecodeError as error:
        return clean_error({"class": type(error).__name__}, entry, 0)
    try:
        statements = split(script.text)
        hold(statements, entry)
    except SandboxError as refusal:
        return script.told(refusal, refusal.details["line"])
    except (duckdb.Error, ValueError) as error:
        # a parser's error has a line of its own: nothing had been read by then
        place = _PARSER_LINE.search(str(error))
        return script.told(error, int(place[1]) if place else None)
    return execute(script, statements, data, inputs, outputs, out, scratch)


def execute(
    script: Script,
    statements: list[tuple[int, duckdb.Statement]],
    data: Path,
    inputs: list[str],
    outputs: list[str],
    out: Path,
    scratch: Path,
) -> dict[str, Any] | None:
    """Run the statements in a locked database, then write the outputs. As ``run_sql``; it asks no list, so
    that a test can see what the engine itself refuses."""
    views = {name: (data / f"{name}.parquet").absolute() for name in inputs}
    targets = {path: (out / path).absolute() for path in outputs}
    with locked([*views.values(), *targets.values()], scratch) as connection:
        for name, path in views.items():
            connection.execute(
                f"CREATE VIEW {identifier(name)} AS SELECT * FROM read_parquet({literal(path)})"
            )
        line: int | None = None
        try:
            for start, statement in statements:
                line = start
                connection.execute(statement)
        except (duckdb.Error, RuntimeError, ValueError) as error:
            return script.told(error, line)
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
                return script.told(error, None)  # a view fails here, no statement of the script does
    return None
