"""A whole recipe over a wide table, beside a bare copy of the same Parquet file by DuckDB.

``python benchmarks/desensitize_recipe.py [--rows 1000000] [--keep FOLDER]`` makes a table of 20 columns (5
that identify, 6 quasi-identifiers, 9 others), runs the room on it in a process of its own and prints
seconds on the clock and of CPU, the most memory that the process ever held, and the ratio to ``COPY (FROM
…) TO … (FORMAT parquet, COMPRESSION zstd)``. The recipe has pseudonym, format-preserving encryption, mask,
generalisation four ways, date shift, rounding, top-coding and random rounding; both scans and the anonymity
test are in it.
``--keep`` uses the table that is there already.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).parents[1]
PART = 500_000
_MAKE = """
COPY (
  SELECT
    'P' || lpad((i % {persons})::VARCHAR, 12, '0') AS person,
    '13' || lpad((i * 999983 % 1000000000)::VARCHAR, 9, '0') AS phone,
    'card-' || hash(i % {persons})::VARCHAR AS card,
    '姓名' || (hash(i) % 200000)::VARCHAR AS name,
    'road ' || (hash(i, 1) % 5000)::VARCHAR || ' no ' || (hash(i, 2) % 400)::VARCHAR AS address,
    CASE hash(i, 3) % 2 WHEN 0 THEN '男' ELSE '女' END AS sex,
    DATE '1930-01-01' + (hash(i % {persons}, 4) % 33000)::INTEGER AS born,
    (110000 + hash(i, 5) % 80 * 100 + hash(i, 6) % 20)::VARCHAR AS area,
    'E' || lpad((hash(i, 7) % 90)::VARCHAR, 2, '0') || '.' || (hash(i, 8) % 9)::VARCHAR AS disease,
    (hash(i, 9) % 9)::INTEGER AS education,
    (hash(i, 10) % 40)::INTEGER AS occupation,
    (hash(i, 11) % 400000)::BIGINT AS income,
    (hash(i, 12) % 9000)::BIGINT AS spent,
    DATE '2025-01-01' + (hash(i, 13) % 365)::INTEGER AS visit,
    hash(i, 14) % 100 / 7.0 AS score,
    hash(i, 15) % 1000 / 3.0 AS weight,
    (hash(i, 16) % 12)::INTEGER AS month,
    hash(i, 17) % 2 = 0 AS insured,
    'dept ' || (hash(i, 18) % 60)::VARCHAR AS department,
    (hash(i, 19) % 30)::BIGINT AS days
  FROM range({rows}) t(i)
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""
TYPES = {
    "person": "string", "phone": "string", "card": "string", "name": "string", "address": "string",
    "sex": "string", "born": "date", "area": "string", "disease": "string", "education": "integer",
    "occupation": "integer", "income": "integer", "spent": "integer", "visit": "date", "score": "number",
    "weight": "number", "month": "integer", "insured": "boolean", "department": "string", "days": "integer",
}  # fmt: skip
IDENTIFIERS = {"person", "phone", "card", "name", "address"}
QUASI = {"sex", "born", "area", "education", "occupation", "department"}
RECIPE: dict[str, Any] = {
    "name": "wide",
    "version": "1",
    "steps": [
        {
            "column": "visit",
            "transform": "date_shift",
            "params": {"key": "k", "by": "person", "days": 30},
        },
        {
            "column": "spent",
            "transform": "round_random",
            "params": {"key": "k", "by": "person", "to": 50},
        },
        {"column": "person", "transform": "pseudonym", "params": {"key": "k"}},
        {"column": "phone", "transform": "fpe", "params": {"key": "k", "form": "mobile"}},
        {"column": "card", "transform": "mask", "params": {"keep_first": 5}},
        {"column": "born", "transform": "generalise", "params": {"by": "date", "to": "decade"}},
        {"column": "area", "transform": "generalise", "params": {"by": "admin", "division": "province"}},
        {"column": "disease", "transform": "generalise", "params": {"by": "icd", "level": "chapter"}},
        {"column": "occupation", "transform": "generalise", "params": {"by": "band", "width": 10.0}},
        {"column": "income", "transform": "round", "params": {"to": 1000}},
        {"column": "days", "transform": "top_code", "params": {"limit": 20}},
    ],
    "keep": ["sex", "education", "score", "weight", "month", "insured", "department"],
    "drop": ["name", "address"],
}
_ROOM = r"""
import json, resource, sys, time
from pathlib import Path
from sandbox.desensitize import task
params = json.loads(sys.argv[1])
start, cpu = time.monotonic(), time.process_time()
report = task.run(params, Path(sys.argv[2]), Path(sys.argv[3]))
print(json.dumps({
    "seconds": time.monotonic() - start, "cpu": time.process_time() - cpu,
    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    "rows": report["rows"], "k": report["anonymity"]["k"],
}))
"""
_COPY = r"""
import duckdb, json, sys, time
base = duckdb.connect()
base.execute("SET threads = 2; SET enable_progress_bar = false")
start, cpu = time.monotonic(), time.process_time()
source, target = sys.argv[1:]
base.execute(f"COPY (FROM read_parquet('{source}')) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
print(json.dumps({"seconds": time.monotonic() - start, "cpu": time.process_time() - cpu}))
"""


def told(program: str, *args: str) -> dict[str, Any]:
    """What a process of its own prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", program, *args], stdout=subprocess.PIPE, text=True, check=True, env=environment
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def fields() -> list[dict[str, Any]]:
    """The catalogue's description of the table."""
    return [
        {
            "name": name,
            "type": type_,
            "level": 3,
            "flags": ["personal"] if name in IDENTIFIERS | QUASI else [],
            "role": "identifier" if name in IDENTIFIERS else "quasi" if name in QUASI else "other",
        }
        for name, type_ in TYPES.items()
    ]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = asked.keep or Path(folder)
        inputs, out = place / "in", Path(folder) / "out"
        inputs.mkdir(parents=True, exist_ok=True)
        out.mkdir()
        data = inputs / "data"
        if not data.exists():
            persons = max(1, asked.rows // 4)
            duckdb.connect().execute(_MAKE.format(rows=asked.rows, path=data, persons=persons))
        load = os.getloadavg()[0]
        bare = told(_COPY, str(data), str(out / "copy.parquet"))
        params = {
            "recipe": RECIPE,
            "fields": fields(),
            "keys": {"k": "5a" * 32},
            "rules": {"decimals": 2},
            "anonymity": {"entity": "person", "fields": fields(), "threshold": 10},
        }
        ours = told(_ROOM, json.dumps(params), str(inputs), str(out))
        size = data.stat().st_size / 1e6
        print(f"{asked.rows:,} rows x {len(TYPES)} columns, {size:,.0f} MB; load {load:.1f}")
        print(f"bare copy: {bare['seconds']:.1f} s, {bare['cpu']:.1f} CPU s")
        print(
            f"recipe:    {ours['seconds']:.1f} s, {ours['cpu']:.1f} CPU s, {ours['memory'] / 2**20:,.0f} MiB"
        )
        print(f"ratio of CPU: {ours['cpu'] / bare['cpu']:.1f}; k = {ours['k']}, {ours['rows']:,} rows")


if __name__ == "__main__":
    main()
