"""The one way this plane opens DuckDB: in memory, named files only, configuration locked."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import duckdb


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """``text`` as a quoted SQL string, for places that take no bound parameter (COPY, SET, DDL)."""
    return "'" + str(text).replace("'", "''") + "'"


# Where a container's memory limit is told: cgroup v2, v1.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_share() -> int:
    """Bytes for DuckDB: six tenths of what this container (or machine) has; it spills before it is killed."""
    bound = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _LIMITS:
        with contextlib.suppress(OSError, ValueError):
            bound = min(bound, int(Path(path).read_text()))
    return bound * 6 // 10


def locked(files: Iterable[Path], scratch: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory database that opens exactly ``files`` (reading and writing) and spills to ``scratch``.

    Files and not folders: DuckDB's allowed folders are writable ones too, so a script could leave
    files beside its inputs. One thread: the same input then gives the same bytes.
    The order of the settings matters: external access goes last but one, the lock last.
    """
    allowed = ", ".join(literal(path.absolute()) for path in files)
    spill = shutil.disk_usage(scratch).free * 8 // 10
    connection = duckdb.connect(":memory:")
    for setting in (
        f"allowed_paths = [{allowed}]",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        f"temp_directory = {literal((scratch / 'spill').absolute())}",
        f"max_temp_directory_size = '{spill}B'",
        f"memory_limit = '{memory_share()}B'",
        "threads = 1",
        "python_enable_replacements = false",
        "enable_progress_bar = false",
        "TimeZone = 'UTC'",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection
