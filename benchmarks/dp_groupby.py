"""A grouped answer under differential privacy, beside a bare distinct count and SmartNoise SQL; noise alone.

``python benchmarks/dp_groupby.py [--rows 1000000] [--peers PYTHON] [--noise]`` prints CPU seconds (all
threads and children, least of three; the machine may be busy). The table: so many rows, a third as many
persons, 500 uneven groups, one amount. The job: rows and sum of the amount by group, a person in three
groups at most. *bare*: DuckDB's ``count(DISTINCT person)`` by group, one thread, the same file. *public* and
*discovered* keys: ours, from the Parquet file to the answer, with and without a distinct count. *whole
process*: the same with the start of an interpreter and all imports.

``--peers``: the interpreter of an environment that holds smartnoise-sql, which does the job with discovered
keys (from a data frame; it has no reader of Parquet) and, for ``--noise``, opendp. Without it these lines are
left out. ``--noise``: 10^6 cells of discrete Gaussian noise of scale 10; diffprivlib is drawn 10^4 times and
multiplied.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))
from sandbox.desensitize.dp.accounting import NANO, Scale
from sandbox.desensitize.dp.pipeline import answer
from sandbox.desensitize.dp.sampler import discrete_gaussian, discrete_laplace
from sandbox.desensitize.dp.spec import Query, validate_query
from sandbox.workspace.duck import literal, locked

GROUPS = 500
SMARTNOISE = """
import sys, time
import pandas as pd, snsql
start = time.process_time()
table = pd.read_csv(sys.argv[1])
read = time.process_time() - start
meta = {"": {"d": {"t": {"row_privacy": False, "max_ids": 3, "rows": len(table), "censor_dims": True,
    "sample_max_ids": True, "clamp_counts": False,
    "pid": {"type": "int", "private_id": True}, "g": {"type": "int"},
    "x": {"type": "float", "lower": 0.0, "upper": 1000.0}}}}}
reader = snsql.from_df(table, privacy=snsql.Privacy(epsilon=1.0, delta=1e-9), metadata=meta)
start = time.process_time()
rows = reader.execute("SELECT g, COUNT(*) AS n, SUM(x) AS s FROM d.t GROUP BY g")
import json
print(json.dumps({"query": time.process_time() - start, "read": read, "rows": len(rows) - 1}))
"""
OPENDP = """
import sys, time
import opendp.prelude as dp
dp.enable_features("contrib")
space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T=float)
noise = dp.m.make_gaussian(*space, scale=10.0)
values = [0] * 1_000_000
start = time.process_time()
noise(values)
print(time.process_time() - start)
"""


def generate(path: Path, rows: int) -> None:
    """The table, always the same."""
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT (hash(i) % {max(1, rows // 3)})::BIGINT AS pid, "
            f"least({GROUPS - 1}, ({GROUPS} * pow((hash(i * 7 + 1) % 1000003) / 1000003.0, 2))::INT) AS g, "
            f"(hash(i * 3) % 100000) / 100.0::DOUBLE AS x FROM range({rows}) r(i)) "
            f"TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"
        )


def question(keys: Any, persons: bool) -> Query:
    """The job, in our words."""
    measures: list[dict[str, Any]] = [
        {"name": "n", "of": "count"},
        {"name": "s", "of": "sum", "column": "x", "lower": 0, "upper": 1000, "scale": 2},
    ]
    if persons:
        measures.append({"name": "p", "of": "distinct"})
    return validate_query(
        {
            "by": [{"column": "g", "keys": keys}],
            "measures": measures,
            "groups_per_entity": 3,
            "rows_per_entity": 3,
            "nano_rho": NANO // 20,
            "delta_e15": 1_000_000 if keys == "discover" else 0,
        }
    )


def spent() -> float:
    """CPU seconds of this process and its children."""
    return sum(
        use.ru_utime + use.ru_stime
        for use in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def least(work: Callable[[], Any], times: int = 3) -> float:
    """CPU seconds of the cheapest of some runs."""
    found = []
    for _ in range(times):
        start = spent()
        work()
        found.append(spent() - start)
    return min(found)


def told(program: str, python: str, *given: str) -> str:
    """What a program prints."""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", program, *given], capture_output=True, text=True, check=True
    )
    return done.stdout


def grouped(rows: int, peers: str | None) -> None:
    """The first table."""
    with tempfile.TemporaryDirectory() as folder:
        path, scratch = Path(folder) / "data", Path(folder)
        generate(path, rows)

        def bare() -> None:
            with locked([path], scratch) as connection:
                connection.execute(
                    f"SELECT g, count(DISTINCT pid) FROM read_parquet({literal(path)}) GROUP BY g"
                ).fetchall()

        base = least(bare)
        print(f"rows {rows:,}\nbare distinct count   {base:8.2f}")
        public = list(range(GROUPS))
        lines = {
            "public keys": question(public, False),
            "  and persons": question(public, True),
            "discovered keys": question("discover", False),
        }
        found = {}
        for name, query in lines.items():
            found[name] = least(lambda query=query: answer(query, path, "pid", scratch))
            print(f"{name:20}  {found[name]:8.2f}   {found[name] / base:5.1f} x bare")
        program = (
            "import json, sys; from pathlib import Path\n"
            "from sandbox.desensitize.dp.pipeline import answer\n"
            "from sandbox.desensitize.dp.spec import validate_query\n"
            "query = validate_query(json.loads(sys.argv[1]))\n"
            "answer(query, Path(sys.argv[2]), 'pid', Path(sys.argv[3]))\n"
        )
        asked = json.dumps(lines["discovered keys"].plain())
        whole = least(lambda: told(program, sys.executable, asked, str(path), folder), 1)
        print(f"  whole process       {whole:8.2f}")
        if peers is None:
            print("SmartNoise SQL        left out: no --peers")
            return
        table = Path(folder) / "table.csv"
        with duckdb.connect() as connection:
            connection.execute(f"COPY (FROM read_parquet({literal(path)})) TO {literal(table)} (HEADER)")
        start = spent()
        theirs = json.loads(told(SMARTNOISE, peers, str(table)).splitlines()[-1])
        process = spent() - start - theirs["read"]
        ours = found["discovered keys"]
        print(f"SmartNoise SQL        {theirs['query']:8.2f}   {theirs['query'] / ours:5.1f} x ours")
        print(
            f"  whole process       {process:8.2f}   {process / whole:5.1f} x ours (without reading the CSV)"
        )
        print(f"  its groups          {theirs['rows']:8}")


def noise(peers: str | None) -> None:
    """The second table."""
    cells, scale = 1_000_000, Scale(10 << 17, 1 << 17)
    ours = least(lambda: discrete_gaussian(scale, cells))
    print(f"noise, {cells:,} cells\nours, Gaussian        {ours:8.2f}")
    print(f"ours, Laplace         {least(lambda: discrete_laplace(scale, cells)):8.2f}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffprivlib import mechanisms
    peer = mechanisms.GaussianDiscrete(epsilon=0.5, delta=1e-7, sensitivity=1)
    start = time.process_time()
    for _ in range(cells // 100):
        peer.randomise(0)
    theirs = (time.process_time() - start) * 100
    print(
        f"diffprivlib           {theirs:8.2f}   {theirs / ours:5.1f} x ours (scale {float(peer._scale):.1f})"
    )
    if peers is None:
        print("OpenDP                left out: no --peers")
        return
    theirs = float(told(OPENDP, peers))
    print(f"OpenDP                {theirs:8.2f}   {theirs / ours:5.1f} x ours")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peers")
    parser.add_argument("--noise", action="store_true")
    given = parser.parse_args()
    grouped(given.rows, given.peers)
    if given.noise:
        noise(given.peers)


if __name__ == "__main__":
    main()
