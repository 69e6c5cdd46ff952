"""The full check of a long microdata file and of a 10,000-cell table beside a register of a million persons:
``python benchmarks/egress_figures.py [--rows 1000000] [--container] [--only microdata|table] [--checks]``.

The register has 20 columns (15 of ``sandbox.demo.register`` and five drawn measurements). *microdata* is a
row-level extract of 20 coarsened columns, a row a person, declared as such: the check judges its anonymity
and holds it. *raw* has the register's own columns without the identifiers: it is refused. *table* has 10,000
cells over four dimensions with a count and a mean.

Each line: verdict, wall and processor seconds of a fresh process (its start and imports included), its peak
memory, and the ratio to the bare operation: DuckDB with two threads reading every value of both files and
grouping the output by all its columns. ``--container``: the same as a task in the image ``check``, with two
cores and 2 GiB, what is written counted in; needs the container engine (``SANDBOX_ENGINE``) and the image
(``images/build.py``). ``--checks`` names the dearest checks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.space import machine
from sandbox.demo.register import generate
from sandbox.executor.contract import End, Input, Limits, Task, TaskKind
from sandbox.executor.docker import DockerExecutor
from sandbox.policy import load_profile

RAW = {
    "name": "residents",
    "file": "residents.parquet",
    "entity": "resident_id",
    "quasi": ["sex", "birth_date", "ethnicity", "district_code", "district", "education", "occupation"],
    "sensitive": ["income", "chronic_disease"],
    "identifiers": ["resident_id", "name", "phone", "address"],
}
CELLS = 10_000
LIMITS = Limits(seconds=600, memory_bytes=2 << 30, cpus=2.0, output_bytes=1 << 30, tmp_bytes=64 << 20)
CODE = """\
import json, sys
from pathlib import Path
from sandbox.egress.task import run

told = json.loads(Path(sys.argv[1]).read_text())
run(told, Path(sys.argv[2]), Path(sys.argv[3]))
"""


def register(rows: int) -> pl.DataFrame:
    """The register with its measurements; the same for the same ``rows``."""
    random = np.random.default_rng(7)
    frame = generate(rows, 1)
    return frame.with_columns(
        visits=pl.Series(random.poisson(3, rows)),
        cost=pl.Series(random.gamma(2, 500, rows).round(2)),
        height=pl.Series(random.normal(165, 9, rows).round(1)),
        weight=pl.Series(random.normal(62, 11, rows).round(1)),
        insured=pl.Series(random.choice(["是", "否"], rows)),
    ).select(pl.all().head(rows))


def _third(column: str, low: float, high: float) -> pl.Expr:
    word = pl.when(pl.col(column) < low).then(pl.lit("较低")).when(pl.col(column) < high).then(pl.lit("中等"))
    return word.otherwise(pl.lit("较高"))


def extract(raw: pl.DataFrame) -> pl.DataFrame:
    """A row a person: three quasi-identifiers in wide classes, 17 coarse or reckoned columns."""
    age = 2025 - pl.col("birth_date").dt.year()
    bmi = pl.col("weight") / (pl.col("height") / 100) ** 2
    since = 2025 - pl.col("register_date").dt.year()
    return raw.select(
        "sex",
        birth_date_class=pl.when(age < 30)
        .then(pl.lit("0-29"))
        .when(age < 60)
        .then(pl.lit("30-59"))
        .otherwise(pl.lit("60+")),
        district_class=pl.when(pl.col("district_code").str.slice(0, 4) < "5203")
        .then(pl.lit("甲片"))
        .otherwise(pl.lit("乙片")),
        income_class=_third("income", 30_000, 70_000),
        cost_class=_third("cost", 500, 1500),
        height_class=_third("height", 160, 170),
        weight_class=_third("weight", 55, 68),
        bmi=bmi.round(0),
        bmi_high=bmi > 28,
        visits_class=_third("visits", 2, 5),
        often=pl.col("visits") > 4,
        since=(since // 10).cast(pl.Int64),
        long=since > 20,
        working=pl.col("occupation").is_in(["学龄前", "学生", "离退休", "无业"]).not_(),
        ill=pl.col("chronic_disease") != "无",
        covered=pl.col("insured") == "是",
        cost_log=pl.col("cost").log10().round(1),
        height_dm=(pl.col("height") / 10).round(1),
        weight_share=(pl.col("weight") / 300).round(2),
        schooled=pl.col("education").is_in(["未上学", "小学"]).not_(),
    )


def table(raw: pl.DataFrame) -> pl.DataFrame:
    """10,000 cells: six columns, each group of at least twenty persons."""
    dims = ["district", "sex", "education", "occupation"]
    groups = raw.group_by(dims).agg(persons=pl.len(), mean_income=pl.col("income").mean().round(0))
    return groups.filter(pl.col("persons") >= 20).sort(dims).head(CELLS // 6)


def outputs(raw: pl.DataFrame) -> dict[str, tuple[str, pl.DataFrame, dict[str, Any]]]:
    """(file, content, declaration) by name."""
    shown = raw.drop("resident_id", "name", "phone", "address", "household_id")
    counted = {
        "kind": "table",
        "dimensions": ["district", "sex", "education", "occupation"],
        "counts": ["persons"],
        "measures": ["mean_income"],
        "statistics": {"mean_income": {"fn": "mean", "of": "income"}},
    }
    return {
        "table": ("table.csv", table(raw), counted),
        "microdata": ("extract.parquet", extract(raw), {"kind": "microdata"}),
        "raw": ("rows.parquet", shown, {"kind": "microdata"}),
    }


def bare(raw: Path, output: Path) -> tuple[float, float]:
    """(wall, processor) seconds of reading both files and grouping the output by all columns."""
    wall, cpu = time.perf_counter(), time.process_time()
    with duckdb.connect(config={"threads": 2}) as engine:
        read = f"read_parquet('{output}')" if output.suffix == ".parquet" else f"read_csv('{output}')"
        engine.execute(f"SELECT count(DISTINCT COLUMNS(*)) FROM read_parquet('{raw}')").fetchall()
        engine.execute(f"SELECT count(*) FROM (SELECT count(*) FROM {read} GROUP BY ALL)").fetchall()
    return time.perf_counter() - wall, time.process_time() - cpu


def _process(folder: Path, params: dict[str, Any]) -> tuple[Path, float, float, float]:
    """(what was put out, wall s, processor s, peak MiB) of a fresh process."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    (folder / "params.json").write_text(json.dumps(params), encoding="utf-8")
    begun = time.perf_counter()
    asked = [sys.executable, "-c", CODE, str(folder / "params.json"), str(folder / "in"), str(out)]
    process = subprocess.Popen(asked, cwd=Path(__file__).parents[1])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"the check ended with {process.returncode}")
    return out, time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _container(executor: DockerExecutor, folder: Path, params: dict[str, Any]) -> tuple[str, float]:
    """(how it ended, wall s) of the same as a task, from the ask until its output is collected."""
    shown = tuple(Input(name, folder / "in" / name) for name in ("outputs", "raw"))
    task = Task(
        f"figures-{os.getpid()}-{time.time_ns()}",
        TaskKind.CHECK,
        executor.image("check"),
        params,
        shown,
        LIMITS,
    )
    begun = time.perf_counter()
    outcome = executor.run(task)
    wall = time.perf_counter() - begun
    ended = outcome.report.get("verdict", outcome.end) if outcome.end is End.SUCCEEDED else outcome.end
    executor.discard(task.id)
    return str(ended), wall


def main() -> None:
    """Generate, check, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="microdata, raw or table")
    parser.add_argument("--container", action="store_true")
    parser.add_argument("--checks", action="store_true", help="name the dearest checks")
    chosen = parser.parse_args()
    print(machine())
    profile = load_profile("national")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in/raw").mkdir(parents=True)
        raw = folder / "in/raw" / str(RAW["file"])
        frame = register(chosen.rows)
        frame.write_parquet(raw)
        made = outputs(frame)
        print(f"{frame.height} rows x {frame.width} columns")
        del frame
        executor = DockerExecutor(folder / "tasks") if chosen.container else None
        for title, (file, content, declared) in made.items():
            if chosen.only not in ("", title):
                continue
            place = folder / "in/outputs"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            (content.write_csv if file.endswith("csv") else content.write_parquet)(place / file)
            for path in (place / file, raw):
                path.chmod(0o644)
            params = {
                "raws": [RAW],
                "declared": [{"path": file, **declared}],
                "policy": profile.values(),
                "policy_id": profile.id,
            }
            out, wall, cpu, peak = _process(folder, params)
            verdict = json.loads((out / "verdict.json").read_text())
            scan = min(bare(raw, place / file) for _ in range(2))
            print(
                f"{title:10} {content.height * content.width:9} cells  {verdict['verdict']:12} "
                f"wall {wall:6.2f} s  cpu {cpu:6.2f} s  peak {peak:5.0f} MiB  "
                f"{wall / scan[0]:5.1f} x wall, {cpu / scan[1]:5.1f} x cpu of the bare operation",
                flush=True,
            )
            if chosen.checks:
                dear = sorted(verdict["check_seconds"].items(), key=lambda item: -item[1])[:8]
                print("  ", ", ".join(f"{name} {seconds:.2f}" for name, seconds in dear))
            if executor:
                ended, wall = _container(executor, folder, params)
                print(
                    f"{title:10} in a container of 2 cores and 2 GiB: {ended}, wall {wall:.2f} s", flush=True
                )


if __name__ == "__main__":
    main()
