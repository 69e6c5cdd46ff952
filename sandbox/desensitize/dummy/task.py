"""The room that makes dummy tables: catalogue metadata and the text of a job in, one Parquet file an input
out.

Params::

    {"tables": [{"name", "source", "entity", "fields": [{"name", "type", "title_zh", "title_en",
     "role", …}]}], "language": "sql" | "python", "entry": "main.sql", "code": {"main.sql": "…"},
     "outputs": ["totals.csv", …], "rows": 2000 or {"": 2000, "<input>": …}, "seed": 1, "edges": 0.05,
     "least": 10}

A field is a field of a catalogue entry (``sandbox.catalog.entry.EntryField``). No input file is read: a row
of data cannot get here. Writes ``<name>.parquet`` with the types of a snapshot and returns ``{"ok": true,
"tables": [{"name", "rows"}], "meanings": {"table.column": …}, "unmet": [conditions],
"unread": [conditions]}``; conditions are words of the job's own text. Raises DUMMY_FIELDS, DUMMY_PARAMS.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from sandbox.core.errors import fail
from sandbox.desensitize.dummy import codes  # noqa: F401  (defines the codes raised here)
from sandbox.desensitize.dummy.fields import Table, tables_of
from sandbox.desensitize.dummy.reading_python import read_python
from sandbox.desensitize.dummy.reading_sql import SqlReader
from sandbox.desensitize.dummy.tables import Made, build
from sandbox.desensitize.dummy.wanted import Reading

MOST_ROWS = 1_000_000
LEAST_ROWS = 10
MOST_EDGES = 0.5


def read_job(params: dict[str, Any], tables: list[Table]) -> Reading:
    """What the job asks of its inputs."""
    reading = Reading()
    code, entry = (
        {str(k): str(v) for k, v in dict(params.get("code") or {}).items()},
        str(params.get("entry") or ""),
    )
    if params.get("language") == "python":
        read_python(code, entry, tables, reading)
    else:
        stems = [PurePosixPath(str(path)).stem for path in params.get("outputs") or ()]
        SqlReader(tables, reading).script(code.get(entry, ""), stems)
    return reading


def _rows(told: Any, tables: list[Table]) -> dict[str, int]:
    rows = dict(told) if isinstance(told, dict) else {"": told}
    rows.setdefault("", 2000)
    if not all(type(one) is int and LEAST_ROWS <= one <= MOST_ROWS for one in rows.values()):
        raise fail("DUMMY_PARAMS", field="rows")
    return {table.name: rows.get(table.name, rows[""]) for table in tables} | {"": rows[""]}


def make(params: dict[str, Any]) -> tuple[Made, list[Table], Reading]:
    """The tables that ``params`` (see above) describe. Raises DUMMY_FIELDS, DUMMY_PARAMS."""
    tables = tables_of(params.get("tables"))
    rows, edges, seed, least = (params.get(key) for key in ("rows", "edges", "seed", "least"))
    if not isinstance(edges, int | float) or not 0 <= edges <= MOST_EDGES:
        raise fail("DUMMY_PARAMS", field="edges")
    for name, value in (("seed", seed), ("least", least)):
        if type(value) is not int or value < 0:
            raise fail("DUMMY_PARAMS", field=name)
    counted = _rows(rows, tables)
    reading = read_job(params, tables)
    return build(tables, reading, counted, int(seed or 0), int(least or 0), float(edges)), tables, reading


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """See the module's text."""
    made, tables, reading = make(params)
    for name, frame in made.frames.items():
        frame.write_parquet(out / f"{name}.parquet", compression="zstd")
    return {
        "ok": True,
        "tables": [{"name": name, "rows": frame.height} for name, frame in made.frames.items()],
        "meanings": {one.full: one.meaning for table in tables for one in table.fields},
        "unmet": made.unmet,
        "unread": sorted(set(reading.unread)),
    }
