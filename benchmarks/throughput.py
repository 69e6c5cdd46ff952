"""What a container costs DuckDB: the same four aggregations over 50 million rows inside and outside.

Alternating in one run, hot cache, CPU seconds of the query's own process. ``python
benchmarks/throughput.py [--rows 50000000] [--rounds 4]`` prints the table, for each executor that this
machine can use.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb

from benchmarks.space import machine
from sandbox.core.errors import SandboxError
from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.contract import End, Executor, Input, Limits, Task, TaskKind
from sandbox.executor.docker import DockerExecutor

# Runs as it stands on the host and as a Python job in an image: the same file, the same data.
CODE = """\
import json
import os
import resource
import sys
import time

import duckdb

data, target = (sys.argv[1], sys.argv[2]) if len(sys.argv) > 2 else (
    os.environ["SANDBOX_INPUT"] + "/lines.parquet", os.environ["SANDBOX_OUTPUT"] + "/seconds.json")
connection = duckdb.connect()
connection.execute("SET threads = 2; SET memory_limit = '6GB'; SET enable_progress_bar = false")
connection.execute(f"CREATE VIEW lines AS SELECT * FROM read_parquet('{data}')")
began = time.perf_counter()
before = resource.getrusage(resource.RUSAGE_SELF)
for query in (
    "SELECT flag, status, sum(quantity), sum(price), avg(discount), count(*) FROM lines GROUP BY ALL",
    "SELECT supplier % 1000 AS s, sum(price * (1 - discount)) FROM lines GROUP BY s",
    "SELECT month, count(DISTINCT supplier) FROM lines GROUP BY month",
    "SELECT sum(price * discount) FROM lines WHERE quantity < 24 AND discount BETWEEN 0.05 AND 0.07",
):
    connection.execute(query).fetchall()
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
with open(target, "w") as file:
    json.dump([{"cpu": cpu, "wall": time.perf_counter() - began}], file)
"""
TABLE = """
COPY (
    SELECT
        (hash(i) % 50 + 1)::SMALLINT AS quantity,
        ((hash(i + 1) % 9000000) / 100)::DOUBLE AS price,
        ((hash(i + 2) % 11) / 100)::DOUBLE AS discount,
        (hash(i + 3) % 100000)::INTEGER AS supplier,
        (hash(i + 4) % 84)::SMALLINT AS month,
        ['A', 'N', 'R'][(hash(i + 5) % 3 + 1)::INTEGER] AS flag,
        ['F', 'O'][(hash(i + 6) % 2 + 1)::INTEGER] AS status
    FROM range({rows}) AS rows(i)
) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""


def inside(executor: Executor, data: Path, code: Path, runtime: str = "runc") -> dict[str, float]:
    """CPU and wall seconds as a job of ``executor``. In gVisor the CPU seconds are what its own kernel
    counts, which leaves out its work on behalf of the job: compare the wall clock."""
    task = Task(
        id=f"bench-{uuid.uuid4().hex[:10]}",
        kind=TaskKind.JOB,
        image=executor.image("python"),
        params={
            "language": "python",
            "entry": "main.py",
            "inputs": ["lines"],
            "outputs": [{"path": "seconds.json"}],
        },
        inputs=(Input("data", data), Input("code", code)),
        limits=Limits(memory_bytes=8 << 30, cpus=2.0),
        runtime=runtime,
    )
    executor.guarantees(runtime)  # ISOLATION_UNAVAILABLE where it is not there
    outcome = executor.run(task)
    if outcome.end is not End.SUCCEEDED or outcome.report.get("ok") is not True:
        raise RuntimeError(f"{outcome.end} {outcome.report}")
    [seconds] = json.loads((outcome.files / "seconds.json").read_text())
    executor.discard(task.id)
    return dict(seconds)


def outside(data: Path, code: Path, folder: Path) -> dict[str, float]:
    """The same file run by this interpreter."""
    target = folder / "seconds.json"
    subprocess.run(
        [sys.executable, str(code / "main.py"), str(data / "lines.parquet"), str(target)], check=True
    )
    [seconds] = json.loads(target.read_text())
    return dict(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--rounds", type=int, default=4)
    chosen = parser.parse_args()
    told = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        data, code = folder / "data", folder / "code"
        data.mkdir()
        code.mkdir()
        (code / "main.py").write_text(CODE)
        duckdb.execute(TABLE.format(rows=chosen.rows, file=data / "lines.parquet"))
        docker, bubblewrap = DockerExecutor(folder / "docker"), BubblewrapExecutor(folder / "bubblewrap")
        kinds: dict[str, Callable[[], dict[str, Any]]] = {
            "bare": lambda: outside(data, code, folder),
            "docker (runc)": lambda: inside(docker, data, code),
            "docker (crun)": lambda: inside(docker, data, code, "crun"),
            "docker (gVisor)": lambda: inside(docker, data, code, "runsc"),
            "bubblewrap": lambda: inside(bubblewrap, data, code),
        }
        taken: dict[str, list[dict[str, float]]] = {}
        for number in range(chosen.rounds + 1):
            for kind, measure in list(kinds.items()):
                try:
                    seconds = measure()
                except SandboxError as error:
                    print(f"{kind}: {error}", file=sys.stderr)
                    del kinds[kind]
                    continue
                if number:  # the first round fills the page cache
                    taken.setdefault(kind, []).append(seconds)
    print(f"{chosen.rows:,} rows, {chosen.rounds} rounds, alternating; {told}.\n")
    print("| | CPU s, median | ratio | wall s, median | ratio |")
    print("|---|---|---|---|---|")
    base = {key: statistics.median(one[key] for one in taken["bare"]) for key in ("cpu", "wall")}
    for kind, values in taken.items():
        cpu, wall = (statistics.median(one[key] for one in values) for key in ("cpu", "wall"))
        print(f"| {kind} | {cpu:.2f} | {cpu / base['cpu']:.2f} | {wall:.2f} | {wall / base['wall']:.2f} |")


if __name__ == "__main__":
    main()
