"""40 jobs of 5 organisations at once: all end, nobody starves.

One organisation floods the queue with half of the jobs, and first; the other four submit theirs right
after. ``python benchmarks/crowd.py [--jobs 40]`` prints how long each organisation waited for its starts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.space import ENDED, MeasuredSpace, machine

ORGANISATIONS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=40)
    total = parser.parse_args().jobs
    told = machine()
    with tempfile.TemporaryDirectory() as folder:
        bench = MeasuredSpace(Path(folder), ORGANISATIONS)
        try:
            flood, *others = bench.developers
            order = [flood] * (total // 2) + [others[n % len(others)] for n in range(total - total // 2)]
            begun = time.time()
            with ThreadPoolExecutor(8) as pool:
                jobs = list(
                    pool.map(lambda one: (one, one.client.create("job", bench.job(one))["id"]), order)
                )
            most = 0
            waiting = dict.fromkeys(id for _, id in jobs)
            auditor = bench.story.world["xu-auditor"]
            while waiting:
                executor = bench.executor
                most = max(most, len(executor.running()))
                for id in list(waiting):
                    if auditor.get(f"/v1/job/{id}")["state"] in ENDED:
                        del waiting[id]
                time.sleep(0.2)
            took = time.time() - begun
            waits: dict[str, list[float]] = {}
            ends: dict[str, int] = {}
            for developer, id in jobs:
                history = auditor.get(f"/v1/job/{id}/history")
                at = {one["state"]: datetime.fromisoformat(one["changed_at"]) for one in history}
                ends[history[-1]["state"]] = ends.get(history[-1]["state"], 0) + 1
                wait = (at["provisioning"] - at["queued"]).total_seconds()
                waits.setdefault(developer.organisation, []).append(wait)
        finally:
            bench.close()
    every = [wait for values in waits.values() for wait in values]
    print(f"{total} jobs of {ORGANISATIONS} organisations at once; {told}.\n")
    print("| organisation | jobs | mean wait s | longest wait s | longest / mean of all |")
    print("|---|---|---|---|---|")
    mean = statistics.mean(every)
    for name, values in waits.items():
        row = f"{len(values)} | {statistics.mean(values):.1f} | {max(values):.1f} | {max(values) / mean:.2f}"
        print(f"| {name} | {row} |")
    print(f"| all | {len(every)} | {mean:.1f} | {max(every):.1f} | {max(every) / mean:.2f} |")
    print(f"\nEnded: {ends}; {took:.0f} s in all; most containers with a task at once: {most}.")


if __name__ == "__main__":
    main()
