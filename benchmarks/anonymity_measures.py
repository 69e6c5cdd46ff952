"""k, l, t, alpha, beta and delta of a million rows: ours, a bare GROUP BY, and pycanon.

``python benchmarks/anonymity_measures.py [--rows 1000000] [--no-peer]`` prints CPU seconds (all threads,
least of three; the machine may be busy), reading from memory. Two tables: *coarse* (nine age bands, 31
regions: about 12,000 classes) and *fine* (ages by year, 341 counties: about 700,000). The bare GROUP BY is
DuckDB's over the same quasi-identifiers and the same sensitive column, with its result fetched as Arrow.

pycanon runs in the peers' environment (``requirements/peers.txt``, made by ``egress_peers``), on the coarse
table, k + l + t, once; its values must be ours. It is left out where that environment cannot be made.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.egress_peers import environment
from sandbox.desensitize.measures import measure

QUASI = ["sex", "age", "region", "education", "occupation"]
_PEER = r"""
import json, sys, time
import pandas as pd
from pycanon import anonymity
table = pd.read_csv(sys.argv[1])
quasi = json.loads(sys.argv[2])
start = time.process_time()
found = [f(table, quasi, ["diagnosis"]) for f in
         (lambda t, q, s: anonymity.k_anonymity(t, q), anonymity.l_diversity, anonymity.t_closeness)]
print(json.dumps({"seconds": time.process_time() - start, "found": [float(x) for x in found]}))
"""


def generate(rows: int, fine: bool) -> pl.DataFrame:
    """A table of persons, always the same."""
    draw = np.random.default_rng(42)
    regions = np.array([f"地区{i}" for i in range(341 if fine else 31)])
    levels = np.array([f"学历{i}" for i in range(7 if fine else 3)])
    codes = np.array([f"D{i:02}" for i in range(20)])
    return pl.DataFrame(
        {
            "sex": draw.choice(["男", "女"], rows),
            "age": draw.integers(0, 100 if fine else 9, rows),
            "region": regions[draw.integers(0, len(regions), rows)],
            "education": levels[draw.integers(0, len(levels), rows)],
            "occupation": draw.integers(0, 20 if fine else 7, rows),
            "diagnosis": codes[np.minimum(draw.zipf(1.5, rows), 20) - 1],
            "visits": draw.poisson(3, rows),
        }
    )


def least(run: Callable[[], object], times: int = 3) -> float:
    """The least CPU seconds of some runs."""
    found = []
    for _ in range(times):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


def pycanon(table: pl.DataFrame) -> tuple[float, list[float]] | None:
    """(CPU seconds, k and l and t), or None where the environment of the peers cannot be made."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        table.write_csv(file.name)
        try:
            asked = [str(environment()), "-c", _PEER, file.name, json.dumps(QUASI)]
            done = subprocess.run(asked, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["seconds"], answer["found"]


def main() -> None:
    """Generate, measure, print one line a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--no-peer", action="store_true")
    asked = parser.parse_args()
    by = ", ".join(QUASI)
    for name, fine in (("coarse", False), ("fine", True)):
        table = generate(asked.rows, fine)
        with duckdb.connect(config={"threads": 2}) as connection:
            connection.register("given", table.to_arrow())
            connection.execute("CREATE TABLE t AS SELECT * FROM given")
            for column, ordered in (("diagnosis", False), ("visits", True)):
                sql = f"SELECT {by}, {column}, count(*) FROM t GROUP BY ALL"
                bare = least(lambda sql=sql: connection.sql(sql).to_arrow_table())  # type: ignore[misc]
                wanted = {column: ordered}
                ours = least(lambda wanted=wanted: measure(connection, "t", QUASI, wanted))  # type: ignore[misc]
                found = measure(connection, "t", QUASI, wanted)
                spread = found.spread[column]
                print(
                    f"{name:7} {column:10} {len(found.sizes):7} classes  k {found.k} l {spread.distinct_l} "
                    f"t {spread.t:.4f}  bare {bare:.3f} s  ours {ours:.3f} s  {ours / bare:.2f} x", flush=True
                )  # fmt: skip
                if fine or ordered or asked.no_peer:
                    continue
                peer = pycanon(table)
                if peer is None:
                    print("        pycanon: its environment is not there, not measured")
                    continue
                same = np.allclose(peer[1], [found.k, spread.distinct_l, spread.t])
                print(
                    f"        pycanon k + l + t {peer[0]:.1f} s = {peer[0] / ours:.0f} x ours; values "
                    + ("equal" if same else f"differ: {peer[1]}"), flush=True
                )  # fmt: skip


if __name__ == "__main__":
    main()
