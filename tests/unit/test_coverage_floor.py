"""The floor of coverage: which files are held to what, and when nothing is held."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests import coverage_floor
from tests.coverage_floor import EVERY_BRANCH, ROOT, low, main, whole


def told(lines: int, missing: list[int], branches: list[list[int]]) -> dict[str, Any]:
    """What coverage tells of a file with ten branches."""
    reached = lines - len(missing) + 10 - len(branches)
    summary = {
        "covered_lines": lines - len(missing),
        "num_statements": lines,
        "covered_branches": 10 - len(branches),
        "num_branches": 10,
        "percent_covered": 100 * reached / (lines + 10),
    }
    return {"summary": summary, "missing_lines": missing, "missing_branches": branches}


def test_a_missed_line_or_branch_of_a_rule_is_named() -> None:
    files = {
        "sandbox/egress/gate.py": told(90, [7], [[6, 7], [20, 22], [30, -28]]),
        "sandbox/policy/load.py": told(90, [], []),
        "sandbox/cli/main.py": told(90, [1], []),
    }
    overall, found = low(files)
    assert found == ["sandbox/egress/gate.py: 96.0 % < 100 %: 7, 20->22, 30->exit"]
    assert overall == pytest.approx(100 * 295 / 300)


def test_the_whole_has_a_floor() -> None:
    assert low({"sandbox/cli/main.py": told(90, [*range(1, 12)], [])})[1] == ["overall 89.0 % < 90 %"]
    assert low({})[1] == ["overall 0.0 % < 90 %"]


def test_every_room_that_is_held_exists() -> None:
    assert [name for name in EVERY_BRANCH if not (ROOT / name).exists()] == []


def test_data_younger_than_the_record_are_of_a_selection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, record = tmp_path / "data", tmp_path / "record"
    monkeypatch.setattr(coverage_floor, "DATA", data)
    monkeypatch.setattr(coverage_floor, "RECORD", record)
    monkeypatch.setattr(coverage_floor, "measured", lambda: {"sandbox/policy/load.py": told(90, [1], [])})
    assert not whole(data, record)
    data.touch()
    record.touch()
    os.utime(data, (1000, 1000))
    os.utime(record, (999, 999))
    assert main() == 0
    assert "not held" in capsys.readouterr().out
    os.utime(record, (1000, 1000))
    assert main() == 1
    assert "load.py: 99.0 % < 100 %: 1" in capsys.readouterr().out
