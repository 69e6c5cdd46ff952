"""The one way this plane opens DuckDB: in memory, named files only, configuration locked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """``text`` as a quoted SQL string, for places that take no bound parameter (COPY, SET, DDL)."""
    return "'" + str(text).replace("'", "''") + "'"


def locked(
    files: Iterable[Path],
    scratch: Path,
    memory: str = "1GB",
    spill: str = "200MB",
    threads: int = 1,
) -> duckdb.DuckDBPyConnection:
    """An in-memory database that opens exactly ``files`` (reading and writing) and spills to ``scratch``.

    Files and not folders: DuckDB's allowed folders are writable ones too, so a script could leave
    files beside its inputs. ``memory`` and ``spill`` are DuckDB sizes; the container's own limits
    stand outside. One thread by default: the same input then gives the same bytes.
    The order of the settings matters: external access goes last but one, the lock last.
    """
    allowed = ", ".join(literal(path.absolute()) for path in files)
    connection = duckdb.connect(":memory:")
    for setting in (
        f"allowed_paths = [{allowed}]",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        f"temp_directory = {literal(scratch.absolute())}",
        f"max_temp_directory_size = {literal(spill)}",
        f"memory_limit = {literal(memory)}",
        f"threads = {int(threads)}",
        "python_enable_replacements = false",
        "enable_progress_bar = false",
        "TimeZone = 'UTC'",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection
