"""One profile of a table of N rows and 20 columns, beside DuckDB's ``SUMMARIZE`` of the same file.

``python benchmarks/profile_speed.py [--rows 1000000]`` prints CPU seconds of one thread each and their ratio.
``SUMMARIZE`` counts (types, nulls, approximate distinct values, quantiles); a profile counts exactly, scans
every distinct value for identifiers and tries keys, dependencies and combinations.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # before polars is loaded
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import duckdb
import numpy as np
import polars as pl

from sandbox.desensitize.profile.propose import profile
from sandbox.desensitize.profile.table import read


def made(rows: int, seed: int = 1) -> pl.DataFrame:
    """Twenty columns as a register of persons has them: numbers, names, dates, classes, amounts, text."""
    draw = np.random.default_rng(seed)
    born = pl.Series(draw.integers(-9000, 13000, rows)).cast(pl.Int32).cast(pl.Date)
    area = pl.Series(draw.choice(["520102", "520103", "520111", "520112", "110108", "310115"], rows))
    body = area + born.dt.strftime("%Y%m%d") + pl.Series(draw.integers(100, 999, rows)).cast(pl.String)
    digits = np.frombuffer("".join(body).encode(), dtype=np.uint8).reshape(rows, 17).astype(np.int64) - 48
    weights = np.array([2 ** (17 - place) % 11 for place in range(17)])
    check = pl.Series(np.array(list("10X98765432"))[(digits @ weights) % 11])
    first, given = (
        np.array(list("王李张刘陈杨黄赵吴周徐孙马朱胡")),
        np.array(list("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚")),
    )
    whole = pl.Series(np.arange(rows))
    return pl.DataFrame(
        {
            "id": body + check,
            "name": pl.Series(draw.choice(first, rows)) + draw.choice(given, rows) + draw.choice(given, rows),
            "phone": "13" + pl.Series(draw.integers(10**8, 10**9, rows)).cast(pl.String),
            "born": born,
            "sex": pl.Series(draw.choice(["男", "女"], rows)),
            "area": area,
            "town": pl.Series(draw.choice([f"T{n}" for n in range(300)], rows)),
            "education": pl.Series(draw.choice(["小学", "初中", "高中", "本科"], rows)),
            "income": draw.integers(0, 300_000, rows),
            "amount": draw.random(rows).round(4) * 1000,
            "score": draw.integers(0, 101, rows),
            "seq": whole,
            "order": "2024" + (whole + 10**12).cast(pl.String),
            "day": pl.Series(draw.integers(19000, 20000, rows)).cast(pl.Int32).cast(pl.Date),
            "at": pl.Series(draw.integers(1_600_000_000, 1_750_000_000, rows)).cast(pl.Datetime("ms")),
            "state": pl.Series(draw.choice(["a", "b", "c"], rows)),
            "flag": draw.random(rows) > 0.5,
            "note": pl.Series(draw.choice([f"第 {n} 类事项按规定办结" for n in range(2000)], rows)),
            "lat": draw.random(rows).round(6) * 5 + 25,
            "lon": draw.random(rows).round(6) * 5 + 105,
        }
    )


def timed(work: object) -> float:
    """CPU seconds of a call."""
    begun = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - begun


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        made(rows).write_parquet(path)
        engine = duckdb.connect()
        engine.execute("SET threads = 1")
        summary = timed(lambda: engine.execute(f"SUMMARIZE SELECT * FROM '{path}'").fetchall())
        ours = timed(lambda: profile(read(path)))
    print(f"{rows} x 20: SUMMARIZE {summary:.2f} CPU s, profile {ours:.2f} CPU s, ratio {ours / summary:.1f}")


if __name__ == "__main__":
    main()
