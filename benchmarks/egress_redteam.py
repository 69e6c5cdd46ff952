"""How many attacks the checker stops, and how much honest work it disturbs.

``python benchmarks/egress_redteam.py`` runs the tables of ``tests/attack/test_egress_redteam.py`` against a
generated register and prints one line a case that is not rejected, then the totals. With ``--official
FOLDER`` every CSV table below a folder is checked as well, with no raw data and with the register as
(unrelated) raw data.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from sandbox.egress.check import check
from sandbox.policy import load_profile

_TABLES = Path(__file__).parents[1] / "tests/attack/test_egress_redteam.py"


def tables() -> Any:
    """The module that holds the cases."""
    spec = importlib.util.spec_from_file_location("egress_redteam_cases", _TABLES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def official(folder: Path, raws: list[Any]) -> Counter[str]:
    """Verdicts on the CSV tables below ``folder``."""
    profile = load_profile("national")
    paths = sorted(path for path in folder.rglob("*.csv") if path.name != "INDEX.csv")
    return Counter(check([path], raws, {}, profile.values(), profile.id).verdict.value for path in paths)


def main() -> None:
    """Run, count, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--official", type=Path)
    chosen = parser.parse_args()
    cases = tables()
    register = cases.generate(cases.ROWS, cases.SEED)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = folder / "register.parquet"
        register.write_parquet(raw)
        for title, rows in (("attacks", cases.ATTACKS), ("honest", cases.HONEST)):
            verdicts: Counter[str] = Counter()
            for number, case in enumerate(rows):
                report = cases.judge(case, register, raw, folder / f"{title}{number}")
                verdicts[report.verdict.value] += 1
                if report.verdict != ("reject" if title == "attacks" else "no_objection"):
                    rules = sorted({item.rule for item in report.findings})
                    print(f"{title:8} {case.name:36} {report.verdict:13} {', '.join(rules)}")
            print(f"{title}: {len(rows)} tried, {dict(verdicts)}")
        if chosen.official:
            print(f"official tables, no raw data: {dict(official(chosen.official, []))}")
            print(f"official tables, unrelated: {dict(official(chosen.official, [cases.raw_table(raw)]))}")


if __name__ == "__main__":
    main()
