"""The requirement report: what is recorded of a run, and what is made of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.trace import load_requirements, main, report

ROOT = Path(__file__).parents[2]

_TESTS = """
import pytest

@pytest.mark.requirement("R-001", "R-002")
def test_good(): pass

@pytest.mark.requirement("R-002")
def test_bad(): assert False

@pytest.mark.requirement("R-003")
def test_skipped(): pytest.skip("no")

@pytest.fixture
def broken():
    yield
    raise RuntimeError

@pytest.mark.requirement("R-004")
def test_breaks_at_the_end(broken): pass

def test_unmarked(): pass
"""


def requirement(id: str, priority: str = "core") -> dict[str, Any]:
    return {"id": id, "priority": priority, "capability": f"what {id} asks"}


def played(folder: Path, *words: str) -> int:
    """pytest's exit after a run of ``_TESTS`` in ``folder``, with the recorder."""
    (folder / "test_some.py").write_text(_TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = requirement(id): x\n")
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pytest; raise SystemExit(pytest.main())"
    command = [sys.executable, "-c", program, "-q", "-p", "tests.trace", "-p", "no:cacheprovider", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


@pytest.mark.parametrize("processes", ["0", "2"])
def test_outcomes_are_recorded_with_their_requirements(tmp_path: Path, processes: str) -> None:
    target = tmp_path / "out" / "trace.json"
    assert played(tmp_path, "-n", processes, "--trace-json", str(target), str(tmp_path)) == 1
    tests = json.loads(target.read_text())["tests"]
    assert {name.split("::")[1]: (test["requirements"], test["outcome"]) for name, test in tests.items()} == {
        "test_good": (["R-001", "R-002"], "passed"),
        "test_bad": (["R-002"], "failed"),
        "test_skipped": (["R-003"], "skipped"),
        "test_breaks_at_the_end": (["R-004"], "failed"),
        "test_unmarked": ([], "passed"),
    }


def test_only_a_whole_run_to_its_end_is_recorded_unasked(tmp_path: Path) -> None:
    """``make trace`` and the floor of coverage speak of whole runs only."""
    (tmp_path / "test_some.py").write_text(_TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = .\nmarkers = requirement(id): x\n")
    program = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
import pytest, tests.trace as trace
selections = ["-k", "test"], ["-x"], ["test_some.py"], ["--deselect", "test_some.py"]
for number, words in enumerate([[], *selections]):
    trace.DEFAULT = Path(f"{{number}}.json")
    pytest.main(["-q", "-p", "tests.trace", "-p", "no:cacheprovider", *words])
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=True)
    assert [path.name for path in tmp_path.glob("*.json")] == ["0.json"]


def test_one_failing_test_makes_the_requirement_fail() -> None:
    tests = {
        "a": {"requirements": ["R-001"], "outcome": "passed"},
        "b": {"requirements": ["R-001", "R-003"], "outcome": "failed"},
        "c": {"requirements": ["R-002"], "outcome": "passed"},
        "d": {"requirements": ["R-999"], "outcome": "passed"},
    }
    known = {
        row["id"]: row for row in (requirement("R-001"), requirement("R-002"), requirement("R-003", "later"))
    }
    lines = report(tests, known | {"R-004": requirement("R-004")})
    results = {line.split()[0]: line.split()[2] for line in lines if line.startswith("R-0")}
    assert results == {"R-001": "failed", "R-002": "passed", "R-003": "failed", "R-004": "untested"}
    assert "R-999 is marked on a test but is no requirement" in lines
    assert "core: 1 of 3 shown by passing tests" in lines


def test_without_a_recorded_run_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "absent.json")]) == 1
    assert "make test" in capsys.readouterr().out


def test_without_the_requirement_texts_the_ids_are_shown(tmp_path: Path) -> None:
    assert load_requirements(tmp_path / "absent.jsonl") == {}
    lines = report({"a": {"requirements": ["R-001"], "outcome": "passed"}}, {})
    assert lines[0].startswith("R-001")


def test_every_mark_in_the_tests_names_a_requirement() -> None:
    """A mark with a typing error would show a requirement that nobody asked for."""
    source = ROOT.parent / "shared" / "requirements" / "requirements.jsonl"
    if not source.exists():
        pytest.skip("the requirement texts are not beside this repository")
    known = load_requirements(source)
    words = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    marks = [
        line for text in words for line in text.splitlines() if line.startswith("@pytest.mark.requirement(")
    ]
    named = {part.strip(' "') for line in marks for part in line.partition("(")[2].rstrip(") ").split(",")}
    assert named
    assert named - set(known) == set()
