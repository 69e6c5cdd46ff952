"""The images: seconds to build from nothing and from the cache, megabytes, seconds to import a library.

``python benchmarks/images.py [--runs 5]`` builds into a folder of its own, without the engine, and removes
it; pip's and apt's own download caches are used as they are. The imports are measured in a hardened container
of each image, each in an interpreter of its own, the bare interpreter's start taken off.
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
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from images import build, layers, recipe
from sandbox.executor import images as lists
from sandbox.executor.contract import End, Limits, Task, TaskKind
from sandbox.executor.docker import DockerExecutor

LIBRARIES = {
    "sql": ("duckdb",),
    "python": (
        "duckdb", "polars", "pyarrow.parquet", "numpy", "pandas", "scipy.stats", "sklearn.linear_model",
        "statsmodels.api",
    ),
    "check": ("duckdb", "polars", "pyarrow.parquet", "numpy", "PIL.Image", "pydantic"),
}  # fmt: skip
MEASURE = """
import json, subprocess, sys, time
from pathlib import Path
from sandbox.task.waiting import until_claimed
until_claimed(Path("/in"), Path("/out"))
params = json.load(open("/in/task.json"))["params"]
def seconds(code):
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
    return time.perf_counter() - begun
report = {}
for name in ["sys", *params["libraries"]] * params["runs"]:
    report.setdefault(name, []).append(seconds(f"import {name}"))
json.dump(report, open("/out/report.json", "w"))
"""


class Stopwatch(DockerExecutor):
    """The real executor; the container times imports."""

    entry = ("python3", "-I", "-c", MEASURE)


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def builds(folder: Path) -> list[tuple[str, float]]:
    """What was built -> seconds, in order."""
    (folder / "image-layers").mkdir(parents=True)
    workshop = build.Workshop(folder)
    found = [
        (f"layer {name}", timed(lambda name=name: workshop.layer(name)))
        for name in (*recipe.DEB_LAYERS, *recipe.WHEELS)
    ]

    def everything() -> None:
        build.build(folder, None, "none", recipe.IMAGES, force=False)

    found.append(("our own layers, records, signature", timed(everything)))
    found.insert(0, ("all from nothing", sum(seconds for _, seconds in found)))
    found.append(("again, nothing changed", timed(everything)))
    record = folder / lists.RECORD
    record.write_text(record.read_text().replace('"inputs": "', '"inputs": "0'))
    found.append(("again, only our code changed", timed(everything)))
    return found


def imports(image: str, runs: int, root: Path) -> dict[str, list[float]]:
    """Library -> seconds of each run, in a container of ``image``."""
    executor = Stopwatch(root)
    task = Task(
        f"bench-{uuid.uuid4().hex[:12]}",
        TaskKind.JOB,
        executor.image(image),
        {"libraries": LIBRARIES[image], "runs": runs},
        limits=Limits(seconds=600, memory_bytes=1 << 30),
    )
    try:
        outcome = executor.run(task)
        assert outcome.end is End.SUCCEEDED, outcome
        report: dict[str, list[float]] = outcome.report
        return report
    finally:
        executor.discard(task.id)


def main() -> None:
    """Measure and print tables in Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    print(f"{os.cpu_count()} cores, {platform.release()}, load {os.getloadavg()[0]:.1f}\n")
    folder = Path(tempfile.mkdtemp(prefix="sandbox-images-"))
    try:
        print("| built | seconds |\n|---|---|")
        for name, seconds in builds(folder / "images"):
            print(f"| {name} | {seconds:.1f} |", flush=True)
        record = lists.read_record(folder / "images")
        print(
            "\n| image | MB | of it our own | layers | packages | files of ours |\n|---|---|---|---|---|---|"
        )
        for image in recipe.IMAGES:
            made = record[image.name]
            sizes = f"{made.bytes / 1e6:.0f} | {made.layers[-1].bytes / 1e6:.1f}"
            counts = f"{len(made.layers)} | {len(made.packages)} | {len(layers.own_files(image))}"
            print(f"| {image.name} | {sizes} | {counts} |")
        distinct = {layer.diff_id: layer.bytes for made in record.values() for layer in made.layers}
        print(f"| all, shared layers once | {sum(distinct.values()) / 1e6:.0f} | | {len(distinct)} | | |")
        print(f"\n| image | import | seconds, median of {runs} | slowest |\n|---|---|---|---|")
        for name in LIBRARIES:
            found = imports(name, runs, folder / "tasks")
            bare = statistics.median(found["sys"])
            print(f"| {name} | the interpreter itself | {bare:.3f} | {max(found['sys']):.3f} |")
            for library in LIBRARIES[name]:
                values = [value - bare for value in found[library]]
                print(
                    f"| {name} | {library} | {statistics.median(values):.3f} | {max(values):.3f} |",
                    flush=True,
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
