"""Time of a whole check against a bare DuckDB scan of the same file: ``python benchmarks/egress_check.py``.

Prints one line an output: seconds of the check (fresh process state, no container), seconds of the scan,
ratio. ``--rows`` sets the size of the register (default 200,000).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import duckdb
import polars as pl

from sandbox.demo.register import generate
from sandbox.egress.check import check
from sandbox.egress.context import RawTable
from sandbox.policy import load_profile


def scan(path: Path) -> float:
    """Seconds to read every value of every column once."""
    start = time.perf_counter()
    with duckdb.connect() as engine:
        engine.execute(f"SELECT count(DISTINCT COLUMNS(*)) FROM read_parquet('{path}')").fetchall()
    return time.perf_counter() - start


def main() -> None:
    """Generate, check, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = folder / "register.parquet"
        frame = generate(rows)
        frame.write_parquet(raw)
        labels = [c for c in frame.columns if frame[c].dtype == pl.String and frame[c].n_unique() < 50]
        unique = [c for c in frame.columns if frame[c].dtype == pl.String and frame[c].n_unique() > rows // 2]
        table = RawTable("register", raw, unique[0], tuple(labels), (), tuple(unique[1:]))
        outputs = {
            "aggregate": frame.group_by(labels[:2]).agg(n=pl.len()).filter(pl.col("n") >= 10),
            "microdata": frame.select(labels).sample(min(rows, 20_000), seed=1),
            "identifiers": frame.select(unique).head(1000),
        }
        bare = min(scan(raw) for _ in range(3))
        print(f"{rows} rows x {frame.width} columns; bare scan {bare:.2f} s")
        profile = load_profile("national")
        for title, output in outputs.items():
            path = folder / f"{title}.csv"
            output.write_csv(path)
            report = check([path], [table], {}, profile.values(), profile.id)
            print(f"{title:12} {report.verdict:13} {report.seconds:6.2f} s  {report.seconds / bare:6.1f} x")


if __name__ == "__main__":
    main()
