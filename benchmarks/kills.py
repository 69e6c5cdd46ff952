"""Random kill -9 of every kind of process while jobs run: none lost, none run twice to a result, no orphan.

Victims: the worker, the API server, a task's first process, the container runtime's shim over it, and the
engine's daemon itself. What is killed and has nobody to start it again is started again. Afterwards every
job must have come to a typed end, cost one use of the grant and put out at most once; no container, mount
or folder may be left but the granted views and the containers that wait.

``python benchmarks/kills.py [--jobs 250] [--seed 1]``, for SQLite and PostgreSQL each; it kills the
engine that ``SANDBOX_ENGINE`` names, so no other work may need it meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx

from benchmarks.space import ENDED, MeasuredSpace, machine
from sandbox.control.means import owner_of
from sandbox.core.errors import SandboxError
from sandbox.executor.docker import calls
from sandbox.executor.folders import SLOTS, TaskFolder
from sandbox.executor.mounts import mounted_below
from sandbox.executor.slots import Slot
from tests.plugins.databases import postgresql

REPO = Path(__file__).parents[1]
OPEN_JOBS = 6  # submitted and not ended
PAUSE = (0.2, 1.5)  # seconds between two kills


class Chaos:
    """Kills one thing at a time and counts."""

    def __init__(self, bench: MeasuredSpace, seed: int) -> None:
        self.bench = bench
        self.random = random.Random(seed)
        self.killed: Counter[str] = Counter()
        self.victims: dict[str, tuple[int, Callable[[], bool]]] = {  # name: weight, kill
            "worker": (6, self.worker),
            "server": (3, self.server),
            "task": (4, self.task),
            "shim": (4, self.shim),
            "engine": (1, self.engine),
        }

    def strike(self) -> None:
        """Kill one of the kinds, if there is one."""
        names = list(self.victims)
        weights = [self.victims[name][0] for name in names]
        [name] = self.random.choices(names, weights)
        if self.victims[name][1]():
            self.killed[name] += 1

    def worker(self) -> bool:
        """The process that does the work."""
        self.bench.space.worker = self._again(self.bench.space.worker, "worker")
        return True

    def server(self) -> bool:
        """The process that answers."""
        port = self.bench.space.url.rsplit(":", 1)[1]
        self.bench.space.server = self._again(self.bench.space.server, "serve", "--port", port)
        self.bench.space._ready()
        return True

    def _again(self, process: subprocess.Popen[bytes], *words: str) -> subprocess.Popen[bytes]:
        process.kill()
        process.wait()
        return self.bench.space.start(*words)

    def _running(self) -> Slot | None:
        executor = self.bench.executor
        with contextlib.suppress(SandboxError):
            tasks = executor.running()
            if tasks:
                return Slot.of(TaskFolder(executor.root, self.random.choice(tasks)))
        return None

    def task(self) -> bool:
        """The first process of a task."""
        return self._kill(lambda pid: pid)

    def shim(self) -> bool:
        """What stands between the engine and a container: the engine then believes that it has ended."""
        return self._kill(lambda pid: int(_stat(pid)[1]))

    def _kill(self, victim: Callable[[int], int]) -> bool:
        slot = self._running()
        with contextlib.suppress(OSError, AttributeError):
            os.kill(victim(slot.pid), signal.SIGKILL)  # type: ignore[union-attr]
            return True
        return False

    def engine(self) -> bool:
        """The engine's daemon; its containers run on."""
        pid = int(Path("/run/sandbox-engine/dockerd.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        time.sleep(self.random.uniform(0, 2))
        subprocess.run([str(REPO / "scripts/engine"), "start"], check=True, stdout=subprocess.DEVNULL)
        return True


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _asked(ask: Callable[[], Any]) -> Any:
    """The answer, when there is a server again."""
    while True:
        try:
            return ask()
        except (httpx.HTTPError, OSError):
            time.sleep(0.1)
        except SandboxError as error:
            if error.code == "EXISTS":  # asked before the server died
                return None
            if error.code not in ("SERVER_UNREACHABLE", "INTERNAL"):
                raise
            time.sleep(0.1)


def measure(folder: Path, jobs: int, seed: int, **env: str) -> dict[str, Any]:
    """One database: the counts."""
    bench = MeasuredSpace(folder, 2, **env)
    chaos = Chaos(bench, seed)
    try:
        ends: dict[str, str] = {}
        waiting: dict[str, Any] = {}
        next_kill = time.monotonic()
        while len(ends) < jobs:
            while len(waiting) < OPEN_JOBS and len(ends) + len(waiting) < jobs:
                developer = bench.developers[len(waiting) % 2]
                id = f"job-{seed}-{len(ends) + len(waiting)}-{chaos.random.randrange(10**6)}"
                _asked(lambda d=developer, i=id: d.client.create("job", bench.job(d), i))
                waiting[id] = developer
            if time.monotonic() > next_kill:
                chaos.strike()
                next_kill = time.monotonic() + chaos.random.uniform(*PAUSE)
            for id, developer in list(waiting.items()):
                state = _asked(lambda d=developer, i=id: d.client.get(f"/v1/job/{i}"))["state"]
                if state in ENDED:
                    ends[id] = state
                    del waiting[id]
            time.sleep(0.1)
        return counts(bench, chaos, ends)
    finally:
        bench.close()


def counts(bench: MeasuredSpace, chaos: Chaos, ends: dict[str, str]) -> dict[str, Any]:
    """What the facts say when it is quiet again."""
    time.sleep(15)  # the reconciler's rounds
    auditor = bench.story.world["xu-auditor"]
    histories = {id: [one["state"] for one in auditor.get(f"/v1/job/{id}/history")] for id in ends}
    uses = 0
    for developer in bench.developers:
        grant = auditor.get(f"/v1/scenario/{developer.scenario}")["status"]["grant"]
        uses += 10_000 - int(grant["uses_left"]) - 1  # one was the operator's own job
    executor = bench.executor
    slots = executor.slots
    known = {slot.container for _, slot in slots.ready()}
    with calls(executor.engine) as api:
        label = f"sandbox.space={executor.space}"
        there = {one["Id"] for one in api.containers(all=True, filters={"label": label})}
    waiting = executor.root / SLOTS
    return {
        "jobs": len(ends),
        "ends": dict(Counter(ends.values())),
        "kills": dict(chaos.killed),
        "lost": sum(state not in ENDED for state in ends.values()),
        "twice to a result": sum(states.count("quarantined") > 1 for states in histories.values()),
        "uses too many": uses - sum("provisioning" in states for states in histories.values()),
        "orphan containers": len(there - known),
        "orphan folders": sum(owner_of(task).split("/")[0] != "scenario" for task in executor.known()),
        "orphan mounts": sum(not point.is_relative_to(waiting) for point in mounted_below(executor.root)),
        "scratch left": len(bench.places.assemblies()),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    told = machine()
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        found["SQLite"] = measure(Path(folder) / "a", chosen.jobs, chosen.seed)
    with tempfile.TemporaryDirectory() as folder, postgresql() as server:
        server.admin("CREATE DATABASE kills")
        env = {"SANDBOX_DATABASE": server.url("kills")}
        found["PostgreSQL"] = measure(Path(folder) / "a", chosen.jobs, chosen.seed + 1, **env)
    print(f"{chosen.jobs} jobs on each database, a kill every {PAUSE[0]}–{PAUSE[1]} s; {told}.\n")
    print(f"| | {' | '.join(found)} |")
    print("|---|" + "---|" * len(found))
    for name in found["SQLite"]:
        print(f"| {name} | {' | '.join(str(counted[name]) for counted in found.values())} |")


if __name__ == "__main__":
    main()
