"""Do jobs return rows on dummy data? Every job's text that stands in this repository is tried.

``python benchmarks/dummy.py [--rows 2000] [--large 100000] [--verbose]`` looks for SQL in the demonstration,
the tests and the benchmarks, keeps what names one of the tables below and nothing else, makes dummy tables
for each statement and runs it: once with the statement read (as ``sandbox job try`` does), once without (the
same tables, of which nobody told what they are for). Statements that DuckDB refuses on these columns (made to
be refused, or written for columns of another test's table) are counted apart. Then the time that tables of
``--large`` rows take. No peer: generators that make rows for a given query are parts of other systems (ehrQL)
and read their own query languages.
"""

from __future__ import annotations

import argparse
import ast
import os
import platform
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sandbox.desensitize.dummy.task import make  # noqa: E402

FOLDERS = ("sandbox/demo", "tests", "benchmarks")
OWN = "tests/unit/test_dummy_tables.py"  # written to be hard; counted by itself
_SQL = re.compile(r"\s*(?:--.*\n\s*)*(?:SELECT|WITH|CREATE|FROM)\b", re.IGNORECASE)
_MADE = re.compile(r"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP\s+)?(?:TABLE|VIEW)\s+(\w+)", re.IGNORECASE)
_READ = re.compile(r"\s*(?:SELECT|FROM|WITH|PIVOT)\b", re.IGNORECASE)


def _column(name: str, type_: str = "string", **told: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **told}


def tables() -> dict[str, dict[str, Any]]:
    """The demonstration's two data sets, and what the tests of recomputation and of the ledger call
    tables."""
    described = {
        name: yaml.safe_load((ROOT / "sandbox" / "demo" / f"{file}.fields.yaml").read_text(encoding="utf-8"))
        for name, file in (("residents", "register"), ("survey", "fair"))
    }
    found = {
        name: {"name": name, "entity": one["entity"], "fields": one["fields"]}
        for name, one in described.items()
    }
    others = {
        "people": ("id", [
            _column("id", role="identifier"), _column("sex", code_list=["f", "m"]),
            _column("town", code_list=["a", "b", "c"]), _column("home"),
            _column("pay", "integer", title_zh="工资"), _column("born", "date", title_zh="出生日期"),
        ]),
        "homes": ("home", [_column("home", unique=True), _column("kind", code_list=["flat", "house"])]),
        "visits": ("patient", [
            _column("patient", role="identifier"), _column("ward"),
            _column("cost", "integer", title_zh="费用"),
            _column("resident_id", title_zh="身份证号", role="identifier"),
            _column("visited", "date"),
            _column("hospital", references="hospitals.code"),
        ]),
        "companies": ("uscc", [
            _column("uscc", title_zh="统一社会信用代码", role="identifier", unique=True),
            _column("industry", pattern="@##"), _column("founded", "date"),
            _column("status", title_zh="经营状态"),
        ]),
        "taxes": ("uscc", [
            _column("uscc", title_zh="统一社会信用代码", role="identifier"),
            _column("year", "integer", title_zh="年度"),
            _column("month", "integer", minimum=1, maximum=12),
            _column("tax", "decimal", title_zh="纳税额"),
            _column("paid_at", "datetime"), _column("overdue", "boolean"),
        ]),
        "hospitals": ("code", [
            _column("code", unique=True), _column("grade", code_list=["三级", "二级", "一级"]),
        ]),
        "persons": ("id_no", [
            _column("id_no", title_zh="身份证号", role="identifier"), _column("sex", title_zh="性别"),
            _column("age", "integer", title_zh="年龄"), _column("district", title_zh="县"),
        ]),
    }  # fmt: skip
    return found | {
        name: {"name": name, "entity": entity, "fields": fields} for name, (entity, fields) in others.items()
    }


def statements() -> Iterator[tuple[Path, str]]:
    """(file, text) of every SQL text; one with a hole for a value is none yet."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix == ".sql":
                yield path, path.read_text(encoding="utf-8")
            elif path.suffix == ".py" and path != Path(__file__):
                tree = ast.parse(path.read_text(encoding="utf-8"))
                parts = {
                    id(part)
                    for one in ast.walk(tree)
                    if isinstance(one, ast.JoinedStr)
                    for part in one.values
                }
                for one in ast.walk(tree):
                    if isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in parts:
                        yield path, one.value


def frames(text: str, named: list[dict[str, Any]], rows: int, *, read: bool) -> dict[str, pl.DataFrame]:
    """Dummy tables for a statement, or for nothing in particular."""
    params = {
        "tables": named, "language": "sql", "entry": "m", "code": {"m": text if read else ""}, "outputs": [],
        "rows": rows, "seed": 1, "edges": 0.05, "least": 10,
    }  # fmt: skip
    return make(params)[0].frames


def answered(text: str, data: dict[str, pl.DataFrame]) -> bool | None:
    """Whether every result of ``text`` has rows; None if DuckDB refuses it or it gives none."""
    counts = []
    with duckdb.connect() as connection:
        for name, frame in data.items():
            connection.register(name, frame.to_arrow())
        try:
            for statement in duckdb.extract_statements(text):
                connection.execute(statement.query)
                if head := _MADE.match(statement.query):
                    counts.append(len(connection.execute(f"SELECT 1 FROM {head[1]}").fetchall()))
                elif _READ.match(statement.query):
                    counts.append(len(connection.execute(statement.query).fetchall()))
        except duckdb.Error:
            return None
    return all(counts) if counts else None


def try_all(rows: int, *, verbose: bool) -> str:
    """The table: per folder, how many statements return rows with and without their text being read."""
    known, seen = tables(), set()
    counts: dict[str, Counter[str]] = {place: Counter() for place in (OWN, *FOLDERS)}
    spent, empty = 0.0, []
    for path, text in statements():
        names = [name for name in known if re.search(rf"\b{name}\b", text)]
        if not _SQL.match(text) or "{" in text or text in seen or not names or "FROM" not in text.upper():
            continue
        seen.add(text)
        count = counts[next(place for place in counts if path.is_relative_to(ROOT / place))]
        named = [known[name] for name in names]
        began = time.process_time()
        data = frames(text, named, rows, read=True)
        spent += time.process_time() - began
        found = answered(text, data)
        if found is None:
            count["refused"] += 1
            continue
        count["tried"] += 1
        count["rows"] += found
        count["unread"] += bool(answered(text, frames(text, named, rows, read=False)))
        if not found:
            empty.append(f"{path.relative_to(ROOT)}: {' '.join(text.split())[:110]}")
    machine = f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    lines = [
        f"{rows} rows a table; {machine}",
        "",
        "| statements in | tried | return rows | the same, text not read | refused by DuckDB |",
        "|---|---|---|---|---|",
        *(
            f"| {folder} | {one['tried']} | {one['rows']} | {one['unread']} | {one['refused']} |"
            for folder, one in counts.items()
        ),
        "",
        f"{spent / max(1, len(seen)):.2f} CPU seconds a statement to read it and make its tables.",
    ]
    return "\n".join([*lines, *(["", "Without rows:", *empty] if verbose else [])])


def time_large(rows: int) -> str:
    """How long the register's tables take for the demonstration's job."""
    text = (ROOT / "sandbox" / "demo" / "jobs" / "income.sql").read_text(encoding="utf-8")
    began, wall = time.process_time(), time.perf_counter()
    frames(text, [tables()["residents"]], rows, read=True)
    return (
        f"{rows} rows of the register (15 columns): {time.process_time() - began:.1f} CPU seconds, "
        f"{time.perf_counter() - wall:.1f} s"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="作业在模拟数据上有没有结果 / do jobs return rows on dummy data"
    )
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--verbose", action="store_true")
    chosen = parser.parse_args(arguments)
    print(try_all(chosen.rows, verbose=chosen.verbose))
    print()
    print(time_large(chosen.large))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
