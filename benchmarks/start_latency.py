"""How soon a developer's first line runs and its first query is answered: after the executor was asked, and
after the job was submitted.

Alternating in one run, a Python job that takes the time, imports duckdb, has a query answered, and takes the
time again:

- *bare*: the same image, limits and hardening started by the engine's API alone; its inputs are mounted
  before, nothing is probed or looked at, the interpreter runs the lines itself
- *cold*: the executor makes the container for this task (started, probed, looked at, then given its data)
- *prepared*: the executor gives the task to a container that waits
- *submitted*: a job through the API of a running space, on a grant that was used before; its containers
  wait

``python benchmarks/start_latency.py [--runs 50]`` prints p50 and p95 of each and the ratio to bare.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.space import limits_of, machine
from sandbox.control.places import Places
from sandbox.control.space import Settings
from sandbox.demo.data import HERE, residents
from sandbox.demo.space import DemoSpace
from sandbox.demo.story import Story
from sandbox.executor import profile
from sandbox.executor.contract import End, Input, Shape, Task, TaskKind
from sandbox.executor.docker import DockerExecutor, calls
from sandbox.executor.folders import TaskFolder

CODE = """\
import time

line = time.time()
import duckdb
import sandbox_job

duckdb.sql("SELECT count(*) FROM range(1000)").fetchall()
answer = time.time()
with open(sandbox_job.output("now.csv"), "w") as file:
    file.write(f"line,answer\\n{line!r},{answer!r}\\n")
"""
BARE = CODE.replace("import sandbox_job\n", "").replace(
    'sandbox_job.output("now.csv")', '"/out/files/now.csv"'
)
COLUMNS = ["sex", "district"]
IMAGE = "python"


Times = tuple[float, float]  # of the first line, of the first answer


def read(path: Path, asked: float) -> Times:
    """Seconds from ``asked`` to what the job noted."""
    line, answer = path.read_text().splitlines()[1].split(",")
    return float(line) - asked, float(answer) - asked


class Bench:
    """A space of its own with a small register, and two executors: one makes, one has ready."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.space = DemoSpace(folder / "demo", HERE / "profile.yaml")
        self.story = Story(self.space, [residents(folder / "demo", 5000)])
        self.story.uses = 10_000
        for act in ("parties", "catalogue", "agreement", "scenarios", "supplies", "primary"):
            getattr(self.story, act)()
        self.places = Places(Settings.from_env(self.space.env).resting())
        case = self.story.cases[0]
        primary = self.places.blobs("ag-demo", case.scenario, "primary")
        self.data, self.code = folder / "data", folder / "code"
        self.data.mkdir()
        self.code.mkdir()
        (self.code / "main.py").write_text(CODE, encoding="utf-8")
        (self.data / "residents.parquet").write_bytes(primary.path(primary.names()[0]).read_bytes())
        self.limits = limits_of(HERE / "profile.yaml")
        self.maker, self.keeper = DockerExecutor(folder / "cold"), DockerExecutor(folder / "ready")
        self.image = self.maker.image(IMAGE)

    def bare(self) -> Times:
        """From the ask, by the engine alone."""
        folder = TaskFolder(self.folder / "bare", f"bare-{uuid.uuid4().hex[:8]}")
        uid = profile.uid_of(folder.id)
        folder.lay_out(self.limits, uid)
        place = profile.Place(folder.id, uid, folder.inputs, folder.output, "bare")
        folder.bring(self._task())
        shape = Shape(self.image, self.limits)
        body = profile.configuration(shape, place, ("python3", "-I", "-c", BARE))
        with calls(self.maker.engine) as api:
            asked = time.time()
            container = api.create_container_from_config(body, f"bare-{folder.id}")["Id"]
            api.start(container)
            api.wait(container)
            times = read(folder.output / "files/now.csv", asked)
            api.remove_container(container)
        folder.remove()
        return times

    def _task(self) -> Task:
        return Task(
            id=f"bench-{uuid.uuid4().hex[:10]}",
            kind=TaskKind.JOB,
            image=self.image,
            params={
                "language": "python",
                "entry": "main.py",
                "inputs": ["residents"],
                "outputs": [{"path": "now.csv"}],
            },
            inputs=(Input("data", self.data), Input("code", self.code)),
            limits=self.limits,
        )

    def _run(self, executor: DockerExecutor) -> Times:
        task = self._task()
        asked = time.time()
        outcome = executor.run(task)
        if outcome.end is not End.SUCCEEDED or outcome.report.get("ok") is not True:
            raise RuntimeError(f"{outcome.end} {outcome.report}")
        times = read(outcome.files / "now.csv", asked)
        executor.discard(task.id)
        return times

    def cold(self) -> Times:
        """From the ask; no container waits."""
        return self._run(self.maker)

    def prepared(self) -> Times:
        """The same; one waits."""
        self.keeper.prepare([Shape(self.image, self.limits)])
        while not self.keeper.slots.ready():
            time.sleep(0.05)
        return self._run(self.keeper)

    def submitted(self) -> Times:
        """From the submission, when the space's own containers wait again."""
        slots = DockerExecutor(self.places.tasks).slots
        while len(slots.ready()) < 2:
            time.sleep(0.05)
        time.sleep(0.5)
        developer, case = self.story.world["li-developer"], self.story.cases[0]
        asked = time.time()
        job = developer.create(
            "job",
            {
                "scenario": case.scenario,
                "purpose": case.purpose,
                "inputs": [{"name": "residents", "product": case.product, "columns": COLUMNS}],
                "language": "python",
                "entry": "main.py",
                "code": {"main.py": CODE},
                "outputs": [{"path": "now.csv", "kind": "table"}],
            },
        )["id"]
        while (found := developer.get(f"/v1/job/{job}"))["state"] not in {"quarantined", "failed", "denied"}:
            time.sleep(0.05)
        if found["state"] != "quarantined":
            raise RuntimeError(str(found["status"]))
        [output] = self.story.world["xu-auditor"].get(f"/v1/job/{job}")["status"]["outputs"]
        staging = self.places.blobs("ag-demo", case.scenario, "staging")
        return read(staging.path(output["sha256"]), asked)

    def close(self) -> None:
        """End what was started here."""
        for executor in (self.maker, self.keeper):
            executor.prepare([])
            executor.close()
            for task in executor.known():
                executor.discard(task)
        self.story.world.close()
        self.space.stop()


def p95(values: list[float]) -> float:
    """By the nearest rank."""
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=50)
    runs = parser.parse_args().runs
    told = machine()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        kinds: dict[str, Callable[[], Times]] = {
            "bare": bench.bare,
            "cold": bench.cold,
            "prepared": bench.prepared,
            "submitted": bench.submitted,
        }
        seconds: dict[str, list[Times]] = {name: [] for name in kinds}
        try:
            for number in range(runs + 1):
                for name, measure in kinds.items():
                    value = measure()
                    if number:  # the first of each warms the machine's caches
                        seconds[name].append(value)
        finally:
            bench.close()
    print(f"{runs} runs of each, alternating; {told}.")
    for what, title in enumerate(("asked → first line of user code", "asked → first query answered")):
        print(f"\n| {title} | p50 ms | p95 ms | ratio of p50 to bare | of p95 |")
        print("|---|---|---|---|---|")
        base = [times[what] for times in seconds["bare"]]
        for name, several in seconds.items():
            values = [times[what] for times in several]
            middle, late = statistics.median(values), p95(values)
            ratios = f"{middle / statistics.median(base):.2f} | {late / p95(base):.2f}"
            print(f"| {name} | {middle * 1e3:.0f} | {late * 1e3:.0f} | {ratios} |")


if __name__ == "__main__":
    main()
