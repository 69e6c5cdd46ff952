"""The requirement report: which tests show which requirement, and how they ended.

As a pytest plugin (``tests/conftest.py`` loads it) it records the ``requirement`` marks and outcomes of
a whole run in ``build/trace.json``; a run of a selection records only with ``--trace-json FILE``.
As a program (``python -m tests.trace [FILE]``, ``make trace``) it prints the report. The texts come from
``../shared/requirements/requirements.jsonl``; where that is absent only the ids are known.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DEFAULT = ROOT / "build" / "trace.json"
REQUIREMENTS = ROOT.parent / "shared" / "requirements" / "requirements.jsonl"

# what a requirement's tests make of it: the first that is among their outcomes
_WORST = ("failed", "skipped", "passed")
_FORMAT = 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Each report names the requirements of its test: with pytest-xdist it is all that the recorder sees."""
    report = yield
    report.requirements = sorted({id for mark in item.iter_markers("requirement") for id in mark.args})
    return report


class Recorder:
    """Collects outcome by test id; a test that failed anywhere (set-up, tear-down) has failed.

    ``partial`` says whether a run that was broken off is worth recording, too.
    """

    def __init__(self, target: Path, partial: bool) -> None:
        self.target = target
        self.partial = partial
        self.tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # a report of xdist's own, on a process that crashed, comes from no test's process
        ids = getattr(report, "requirements", [])
        known = self.tests.setdefault(report.nodeid, {"requirements": ids, "outcome": "passed"})
        if known["outcome"] != "failed" and report.outcome != "passed":
            known["outcome"] = report.outcome

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not session.shouldfail
        if not ended and not self.partial:
            return
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.target.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": _FORMAT, "at": at, "tests": self.tests}, indent=1)
        self.target.write_text(text, encoding="utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--trace-json", type=Path, help="record requirement marks and outcomes here")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # one of several processes: the one that deals out the tests records
    asked: Path | None = config.getoption("--trace-json")
    chosen = ("keyword", "markexpr", "deselect", "collectonly", "lf")
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not any(
        getattr(config.option, name, None) for name in chosen
    )
    if asked or whole:
        recorder = Recorder(asked or DEFAULT, partial=asked is not None)
        config.pluginmanager.register(recorder, "requirement-recorder")


def load_requirements(path: Path) -> dict[str, dict[str, Any]]:
    """Requirement by id; empty when the file is absent."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {row["id"]: row for row in rows}


def report(tests: dict[str, dict[str, Any]], requirements: dict[str, dict[str, Any]]) -> list[str]:
    """The lines of the report: core ones first, then by id; those without a test are listed too."""
    shown: dict[str, list[str]] = {}
    for name, test in tests.items():
        for requirement in test["requirements"]:
            shown.setdefault(requirement, []).append(name)
    ids = sorted(set(shown) | set(requirements), key=lambda id: (_priority(requirements, id) != "core", id))
    lines, counts = [], {"core": [0, 0], "other": [0, 0]}
    for id in ids:
        outcomes = {tests[name]["outcome"] for name in shown.get(id, [])}
        result = next((outcome for outcome in _WORST if outcome in outcomes), "untested")
        priority = _priority(requirements, id)
        count = counts["core" if priority == "core" else "other"]
        count[0] += result == "passed"
        count[1] += 1
        lines.append(f"{id}  {priority:<10}  {result:<8}  {requirements.get(id, {}).get('capability', '')}")
        lines.extend(f"         {tests[name]['outcome']:<8} {name}" for name in sorted(shown.get(id, [])))
    unknown = sorted(set(shown) - set(requirements)) if requirements else []
    lines += [f"{id} is marked on a test but is no requirement" for id in unknown]
    lines += [
        f"{name}: {passed} of {total} shown by passing tests" for name, (passed, total) in counts.items()
    ]
    return lines


def _priority(requirements: dict[str, dict[str, Any]], id: str) -> str:
    return str(requirements.get(id, {}).get("priority", "?"))


def main(arguments: Iterable[str]) -> int:
    """Print the report of the recorded run; 1 when none was recorded or a marked test failed."""
    source = Path(next(iter(arguments), DEFAULT))
    if not source.exists():
        print(
            f"没有测试记录 {source}，请先运行 make test。No recorded run at {source}: run `make test` first."
        )
        return 1
    run = json.loads(source.read_text(encoding="utf-8"))
    print(f"测试时间 / tests run at {run['at']}; {len(run['tests'])} tests")
    print("\n".join(report(run["tests"], load_requirements(REQUIREMENTS))))
    return int(any(test["outcome"] == "failed" and test["requirements"] for test in run["tests"].values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
