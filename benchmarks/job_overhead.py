"""What the system costs a job: from the submission to the user's first line, and on to the reviewed request.

Per run, alternating: (a) the same task run bare, that is the same hardened container by the executor alone
with its inputs ready; (b) a job submitted through the API of a running space (server, worker, SQLite).
``python benchmarks/job_overhead.py [--rows 200000] [--runs 8]`` prints one table per register size.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.space import limits_of
from sandbox.control.places import Places
from sandbox.control.space import Settings
from sandbox.demo.data import HERE, residents
from sandbox.demo.space import DemoSpace
from sandbox.demo.story import Story
from sandbox.executor.contract import End, Input, Task, TaskKind
from sandbox.executor.docker import DockerExecutor

CODE = """\
import csv
import sandbox_job

rows = sandbox_job.inputs("residents").to_arrow_table().to_pylist()
with open(sandbox_job.output("by_sex.csv"), "w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["sex", "persons"])
    for sex in sorted({row["sex"] for row in rows}):
        writer.writerow([sex, sum(row["sex"] == sex for row in rows)])
"""
COLUMNS = ["sex", "district"]
ENDS = {"human_review", "auto_rejected"}


@dataclass
class Times:
    """Seconds of one kind of run, by stage."""

    stages: dict[str, list[float]] = field(default_factory=dict)

    def add(self, **seconds: float) -> None:
        for name, value in seconds.items():
            self.stages.setdefault(name, []).append(value)


class Bench:
    """One space with a register of ``rows`` persons, and an executor of its own for the bare runs."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.space = DemoSpace(folder / "demo", HERE / "profile.yaml")
        self.story = Story(self.space, [residents(folder / "demo", rows)])
        self.bare, self.whole, self.load = Times(), Times(), 0.0
        self.executor = DockerExecutor(folder / "bare")
        self.folder = folder

    def prepare(self) -> None:
        for act in ("parties", "catalogue", "agreement", "scenarios", "supplies", "primary"):
            getattr(self.story, act)()
        case = self.story.cases[0]
        places = Places(Settings.from_env(self.space.env).resting())
        primary = places.blobs("ag-demo", case.scenario, "primary")
        self.data = primary.path(primary.names()[0])
        self.code = self.folder / "code"
        self.code.mkdir()
        (self.code / "main.py").write_text(CODE, encoding="utf-8")
        self.inputs = self.folder / "data"
        self.inputs.mkdir()
        shutil.copyfile(self.data, self.inputs / "residents.parquet")

    def run_bare(self) -> None:
        """The same image, limits, hardening and code; the inputs lie ready."""
        task = Task(
            id=f"bench-{uuid.uuid4().hex[:10]}",
            kind=TaskKind.JOB,
            image=self.executor.image("python"),
            params={
                "language": "python",
                "entry": "main.py",
                "inputs": ["residents"],
                "outputs": [{"path": "by_sex.csv"}],
            },
            inputs=(Input("data", self.inputs), Input("code", self.code)),
            limits=limits_of(HERE / "profile.yaml"),
        )
        asked = time.time()
        outcome = self.executor.run(task)
        done = time.time()
        self.executor.discard(task.id)
        if outcome.end is not End.SUCCEEDED or outcome.report.get("ok") is not True:
            raise RuntimeError(f"bare run: {outcome.end} {outcome.report}")
        timing = outcome.report["timing"]
        first = outcome.started_at + timing["user_start"] - asked
        self.bare.add(first_line=first, code=timing["user_seconds"], ended=done - asked)

    def run_whole(self) -> None:
        """A job and its egress request through the API, as a developer's script asks for them."""
        developer, auditor = self.story.world["li-developer"], self.story.world["xu-auditor"]
        case = self.story.cases[0]
        spec = {
            "scenario": case.scenario,
            "purpose": case.purpose,
            "inputs": [{"name": "residents", "product": case.product, "columns": COLUMNS}],
            "language": "python",
            "entry": "main.py",
            "code": {"main.py": CODE},
            "outputs": [
                {"path": "by_sex.csv", "kind": "table", "dimensions": ["sex"], "counts": ["persons"]}
            ],
        }
        asked = time.time()
        job = developer.create("job", spec)["id"]
        self._until(lambda: developer.get(f"/v1/job/{job}"), {"quarantined", "failed", "denied"})
        staged = time.time()
        proposal = {
            "job": job,
            "title": "persons by sex",
            "recipient": "developer",
            "purpose": case.purpose,
            "form": "dataset",
        }
        request = developer.create("egress-request", proposal)["id"]
        shown = self._until(lambda: developer.get(f"/v1/egress-request/{request}"), ENDS)
        ready = time.time()
        if shown["state"] != "human_review":
            raise RuntimeError(f"egress request: {shown['status']}")
        status = auditor.get(f"/v1/job/{job}")["status"]
        timing = status["outcome"]["timing"]
        history = {one["state"]: one["changed_at"] for one in auditor.get(f"/v1/job/{job}/history")}
        ran = datetime.fromisoformat(history["succeeded"]).timestamp()
        # the row changes after the container has ended: what is told of the first line is at most too long
        first = ran - status["outcome"]["seconds"] + timing["user_start"] - asked
        self.whole.add(
            first_line=first,
            code=timing["user_seconds"],
            ended=staged - asked,
            checked=ready - staged,
            ready=ready - asked,
        )

    @staticmethod
    def _until(look: Any, states: set[str]) -> Any:
        while (found := look())["state"] not in states:
            time.sleep(0.02)
        return found

    def close(self) -> None:
        tasks = Places(Settings.from_env(self.space.env).resting()).tasks
        for executor in (self.executor, DockerExecutor(tasks)):
            for task in executor.known():
                executor.discard(task)
        self.story.world.close()
        self.space.stop()


def p90(values: Sequence[float]) -> float:
    """The ninth decile, by the nearest rank."""
    return sorted(values)[max(0, -(-len(values) * 9 // 10) - 1)]


LINES = (
    ("asked → first line of user code", "first_line"),
    ("user code itself", "code"),
    ("asked → outputs there (bare: collected; whole: in quarantine)", "ended"),
    ("proposed → egress request ready for review", "checked"),
    ("asked → egress request ready for review", "ready"),
)


def table(bench: Bench, rows: int, runs: int) -> str:
    """Markdown: medians and ninth deciles of both, and the ratio of the medians."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release().split('-')[0]}"
    out = [
        f"Register of {rows:,} rows, {runs} runs of each kind, alternating; {machine}; load at the start "
        f"{bench.load:.1f}.",
        "",
        "| seconds | bare median | bare p90 | whole median | whole p90 | ratio of medians |",
        "|---|---|---|---|---|---|",
    ]
    end = statistics.median(bench.bare.stages["ended"])
    for title, name in LINES:
        whole, bare = bench.whole.stages[name], bench.bare.stages.get(name)
        told = (f"{statistics.median(bare):.2f}", f"{p90(bare):.2f}") if bare else ("–", "–")
        base = statistics.median(bare) if bare else end
        ratio = f"{statistics.median(whole) / base:.2f}" + ("" if bare else " (to the bare run's end)")
        if name == "code":
            ratio = "–"
        cells = (title, *told, f"{statistics.median(whole):.2f}", f"{p90(whole):.2f}", ratio)
        out.append(f"| {' | '.join(cells)} |")
    return "\n".join(out)


def measure(rows: int, runs: int) -> str:
    """The table for one register size."""
    with tempfile.TemporaryDirectory(prefix="sandbox-bench-") as folder:
        bench = Bench(Path(folder), rows)
        try:
            bench.prepare()
            bench.run_bare()
            bench.run_whole()
            bench.bare, bench.whole = Times(), Times()  # those two warmed the caches
            bench.load = os.getloadavg()[0]
            for _ in range(runs):
                bench.run_bare()
                bench.run_whole()
            return table(bench, rows, runs)
        finally:
            bench.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="作业的系统开销 / what the system costs a job")
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 200_000])
    parser.add_argument("--runs", type=int, default=8)
    chosen = parser.parse_args(arguments)
    for rows in chosen.rows:
        print(measure(rows, chosen.runs), end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
