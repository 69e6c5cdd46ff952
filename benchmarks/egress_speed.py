"""Seconds of CPU for the check of attacks and honest outputs beside a large register, and the ratio to a
bare scan: ``python benchmarks/egress_speed.py [--rows 200000] [--all] [--only WORD] [--profile]``.

The outputs are the demonstration's (its attacks and its honest job) and cases of the red team's table
(``--all``: every one of them), made from the same register. The bare scan is DuckDB reading every value of
the register and of the output once (distinct counts of all columns). CPU seconds are those of the whole
process, all threads; the machine may be busy with other work. ``--profile`` prints the dearest functions.
"""

from __future__ import annotations

import argparse
import base64
import cProfile
import dataclasses
import pstats
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from egress_redteam import tables

from sandbox.demo.register import generate

JOBS = Path(__file__).parents[1] / "sandbox/demo/jobs"
CHOSEN = (
    "two raw rows", "identity over three files", "identity in 6+8+3, shuffled", "rows in sentences",
    "names in prose",
    "persons as columns", "one person a JSON file", "one person a CSV file", "JSON tree", "income as bits",
    "every quantile", "three dimensions", "counts, means, medians", "shares", "report with a table",
)  # fmt: skip


def bare(paths: list[Path]) -> float:
    """CPU seconds to read every value of every column of Parquet and CSV files once."""
    start = time.process_time()
    with duckdb.connect(config={"threads": 2}) as engine:
        for path in paths:
            if path.suffix in (".parquet", ".csv"):
                read = "read_parquet" if path.suffix == ".parquet" else "read_csv_auto"
                engine.execute(f"SELECT count(DISTINCT COLUMNS(*)) FROM {read}('{path}')").fetchall()
    return time.process_time() - start


def demo(cases: Any, raw: Path) -> list[Any]:
    """The demonstration's jobs as cases: what they put out, made from the same register."""

    def sql(name: str, table: str, path: str) -> Any:
        with duckdb.connect() as engine:
            engine.execute(f"CREATE VIEW residents AS SELECT * FROM read_parquet('{raw}')")
            engine.execute((JOBS / name).read_text(encoding="utf-8"))
            return {path: engine.sql(f"SELECT * FROM {table}").pl()}

    def tokens(frame: pl.DataFrame) -> Any:
        ids = frame["resident_id"].head(200)
        return {"tokens.csv": pl.DataFrame({"token": [base64.b64encode(i.encode()).decode() for i in ids]})}

    income = cases.table("income_by_county.csv", ["district", "sex"], ["persons"], ["mean_income"])
    small = cases.table("cells.csv", ["district", "birth_date", "sex"], ["persons"], ["income"])
    return [
        cases.Case(
            "demo: honest job",
            lambda _: (sql("income.sql", "income_by_county", "income_by_county.csv"), income),
            "no_objection",
        ),
        cases.Case("demo: dump", lambda _: sql("attack_dump.sql", "dump", "dump.csv"), "reject"),
        cases.Case("demo: base64", tokens, "reject"),
        cases.Case(
            "demo: cells of one", lambda _: (sql("attack_cell.sql", "cells", "cells.csv"), small), "reject"
        ),
    ]


def main() -> None:
    """Generate, check, print one line an output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--all", action="store_true", help="every case of the red team")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    cases = tables()
    register = generate(chosen.rows, cases.SEED)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = folder / "register.parquet"
        register.write_parquet(raw)
        print(f"{register.height} rows x {register.width} columns")
        rows = [*demo(cases, raw), *cases.ATTACKS, *cases.HONEST]
        if not chosen.all:
            rows = [case for case in rows if case.name.startswith("demo") or case.name in CHOSEN]
        for number, case in enumerate(case for case in rows if chosen.only in case.name):
            place = folder / str(number)
            profile = cProfile.Profile() if chosen.profile else None
            made = case.make(register)
            ready = dataclasses.replace(case, make=lambda _, made=made: made)
            wall, cpu = time.perf_counter(), time.process_time()
            if profile:
                profile.enable()
            report = cases.judge(ready, register, raw, place)
            if profile:
                profile.disable()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            scan = min(bare([raw, *place.rglob("*")]) for _ in range(2))
            found = ",".join(sorted({item.rule for item in report.findings if item.severity != "flag"}))
            times = f"cpu {cpu:7.2f} wall {wall:7.2f} {cpu / scan:7.1f} x"
            print(f"{case.name:34} {report.verdict:13} {times}  {found}", flush=True)
            if profile:
                pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
