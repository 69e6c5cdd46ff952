"""``python -m tests.coverage_floor``: holds each room to its floor of coverage, after a whole test run.

The rooms where a rule lives (gate, policy, audit, lifecycle, guards) are held to every line and branch;
the rest to what ``OVERALL`` says. Exit 1 names the files below their floor and the lines missed.
Coverage of a selection of the tests says nothing: it is not held to anything, and that is said.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.trace import DEFAULT as RECORD
from tests.trace import ROOT

DATA = ROOT / ".coverage"
OVERALL = 90.0
EVERY_BRANCH = (
    "sandbox/audit/",
    "sandbox/authorisation/",
    "sandbox/catalog/",
    "sandbox/core/lifecycle.py",
    "sandbox/egress/gate.py",
    "sandbox/incident/",
    "sandbox/operation/",
    "sandbox/policy/",
    "sandbox/registry/",
    "sandbox/review/",
)


def measured() -> dict[str, dict[str, Any]]:
    """File -> coverage's own summary with the missing lines and branches."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "coverage.json"
        subprocess.run([sys.executable, "-m", "coverage", "json", "-q", "-o", str(out)], check=True, cwd=ROOT)
        found: dict[str, dict[str, Any]] = json.loads(out.read_text())["files"]
        return found


def whole(data: Path, record: Path) -> bool:
    """Whether ``data`` is of the last whole run: that one writes ``record`` (tests/trace.py) after it."""
    return data.exists() and record.exists() and data.stat().st_mtime <= record.stat().st_mtime


def missed(told: dict[str, Any]) -> str:
    """The missing lines, and the branches not taken (``12->14``), of one file."""
    lines = set(told["missing_lines"])
    branches = [pair for pair in told.get("missing_branches", []) if not lines & set(pair)]
    return ", ".join([*map(str, sorted(lines)), *(f"{a}->{b if b > 0 else 'exit'}" for a, b in branches)])


def low(files: dict[str, dict[str, Any]]) -> tuple[float, list[str]]:
    """Overall percentage of lines and branches, and a sentence for each floor that is not reached."""
    covered = total = 0
    found = []
    for name, told in sorted(files.items()):
        summary = told["summary"]
        covered += summary["covered_lines"] + summary.get("covered_branches", 0)
        total += summary["num_statements"] + summary.get("num_branches", 0)
        if name.startswith(EVERY_BRANCH) and summary["percent_covered"] < 100:
            found.append(f"{name}: {summary['percent_covered']:.1f} % < 100 %: {missed(told)}")
    overall = 100 * covered / total if total else 0.0
    if overall < OVERALL:
        found.append(f"overall {overall:.1f} % < {OVERALL:.0f} %")
    return overall, found


def main() -> int:
    """Print what is below its floor; 0 if nothing is, or if only a selection of the tests was run."""
    if not whole(DATA, RECORD):
        print("只运行了部分测试，不核对覆盖率 / a selection of the tests was run: coverage is not held")
        return 0
    overall, found = low(measured())
    print(f"覆盖率 / coverage: {overall:.1f} %（行与分支 / lines and branches）")
    print(f"低于下限 / below their floor: {len(found)}", *found, sep="\n  ")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
