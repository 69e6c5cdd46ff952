"""T8 of the plan for differential privacy: charges from many processes with kill -9, on both databases.

``python benchmarks/dp_budget.py [--questions 10000] [--processes 8] [--kills 40] [--seed 1]`` prints a row a
database: how many questions were paid, refused and asked again, and whether every sum in the store is exactly
that of its answers and within its cap. Needs the distribution's PostgreSQL.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.plugins.charges import Outcome, load
from tests.plugins.databases import postgresql

HEAD = (
    "| 数据库 / database | 问题 / questions | 进程 / processes | kill -9 | 已付 / paid | 重复 / again "
    "| 超支被拒 / refused | 秒 / s | 每秒 / per s | 账目不符 / wrong |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def row(name: str, questions: int, processes: int, told: Outcome) -> str:
    """A line of the table."""
    asked = sum(told.met.values())
    cells = (
        name,
        questions,
        processes,
        told.kills,
        told.releases,
        told.met["known"],
        told.met["BUDGET"],
        f"{told.seconds:.0f}",
        f"{asked / told.seconds:.0f}",
        len(told.wrong),
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def main() -> int:
    """Run both; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    size = (given.questions, given.processes, given.kills, given.seed)
    sys.stdout.write(f"{HEAD}\n")
    wrong = []
    with tempfile.TemporaryDirectory() as folder, postgresql() as server:
        server.admin("CREATE DATABASE budget")
        for name, url in (("SQLite", f"sqlite:///{folder}/facts.db"), ("PostgreSQL", server.url("budget"))):
            told = load(url, *size)
            wrong += told.wrong
            sys.stdout.write(f"{row(name, given.questions, given.processes, told)}\n")
            sys.stdout.flush()
    sys.stdout.writelines(f"{one}\n" for one in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
