"""``python -m tests.coverage_floor``: after a whole test run, holds each room to its floor of coverage.

The rooms where a rule lives (gate, policy, audit, lifecycle, guards) are held to every line and branch;
the rest to what ``OVERALL`` says. Exit 1 names the files below their floor and the lines missed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

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


def measured() -> dict[str, dict[str, object]]:
    """File -> coverage's own summary with the missing lines and branches."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "coverage.json"
        subprocess.run([sys.executable, "-m", "coverage", "json", "-q", "-o", str(out)], check=True)
        found: dict[str, dict[str, object]] = json.loads(out.read_text())["files"]
        return found


def main() -> int:
    """Print what is below its floor; 0 if nothing is."""
    files = measured()
    low = []
    covered = total = 0
    for name, told in sorted(files.items()):
        summary = told["summary"]
        assert isinstance(summary, dict)
        covered += summary["covered_lines"] + summary.get("covered_branches", 0)
        total += summary["num_statements"] + summary.get("num_branches", 0)
        if name.startswith(EVERY_BRANCH) and summary["percent_covered"] < 100:
            missed = f"{told['missing_lines']} {told.get('missing_branches', [])}"
            low.append(f"{name}: {summary['percent_covered']:.1f} %, missing {missed}")
    overall = 100 * covered / total if total else 0.0
    if overall < OVERALL:
        low.append(f"overall {overall:.1f} % < {OVERALL} %")
    print(f"coverage: {overall:.1f} % of lines and branches; {len(low)} below their floor")
    print(*low, sep="\n")
    return 1 if low else 0


if __name__ == "__main__":
    raise SystemExit(main())
