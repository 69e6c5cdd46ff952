"""``python3 -m sandbox.task``: one report, one exit status, no word about what went wrong inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.core.errors import SandboxError, fail
from sandbox.task import entry

VIEW = {"views": [{"name": "v", "source": "snapshot", "columns": ["id"], "rows": [], "period": None}]}


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    out.mkdir()
    pq.write_table(pa.table({"id": [1, 2], "phone": ["13800000001", "13800000002"]}), inputs / "snapshot")
    monkeypatch.setenv("SANDBOX_IN", str(inputs))
    monkeypatch.setenv("SANDBOX_OUT", str(out))
    return inputs, out


def task(inputs: Path, kind: object, params: object) -> None:
    (inputs / "task.json").write_text(json.dumps({"id": "t-1", "kind": kind, "params": params}))


def report(out: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((out / "report.json").read_text())
    assert sorted(path.name for path in out.iterdir()) == ["files", "report.json"]
    return told


def test_a_task_runs_as_a_process_and_prints_nothing(roots: tuple[Path, Path]) -> None:
    inputs, out = roots
    task(inputs, "view", VIEW)
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.task"], capture_output=True, env=os.environ, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert report(out) == {"ok": True, "views": [{"name": "v", "rows": 2, "columns": ["id"]}]}
    assert pq.read_table(out / "files" / "v.parquet").num_rows == 2


def test_a_refusal_is_a_report_and_exit_0(roots: tuple[Path, Path]) -> None:
    inputs, out = roots
    task(inputs, "view", {"views": [VIEW["views"][0] | {"columns": ["nothing"]}]})
    assert entry.main() == 0
    details = {"view": "v", "column": "nothing"}
    assert report(out) == {"ok": False, "code": "VIEW_COLUMN", "details": details}


def test_a_refusal_after_a_first_file_leaves_no_file(roots: tuple[Path, Path]) -> None:
    inputs, out = roots
    second = VIEW["views"][0] | {"name": "w", "columns": ["nothing"]}
    task(inputs, "view", {"views": [VIEW["views"][0], second]})
    assert entry.main() == 0
    assert report(out)["code"] == "VIEW_COLUMN"
    assert list((out / "files").iterdir()) == []


def test_a_defect_tells_nothing_and_leaves_nothing(
    roots: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    inputs, out = roots
    outside = inputs / "outside"
    outside.write_text("stays")

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        (out / "folder").mkdir()
        (out / "folder" / "half.csv").write_text("x")
        (out / "link").symlink_to(outside)
        raise ValueError("张三 13800000001")

    monkeypatch.setattr(entry, "room_of", lambda kind: room)
    task(inputs, "view", {})
    assert entry.main() == 1
    assert report(out) == {"ok": False, "code": "INTERNAL"}
    assert list((out / "files").iterdir()) == []
    assert outside.read_text() == "stays"
    assert capfd.readouterr() == ("", "")


def test_a_room_may_also_return_its_refusal(
    roots: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        (out / "half.csv").write_text("x")
        return {"ok": False, "code": "USER_ERROR"}

    monkeypatch.setattr(entry, "room_of", lambda kind: room)
    task(roots[0], "job", {})
    assert entry.main() == 0
    assert list((roots[1] / "files").iterdir()) == []


@pytest.mark.parametrize("planted", ["file", "folder", "link"])
def test_a_planted_report_is_replaced(roots: tuple[Path, Path], planted: str) -> None:
    inputs, out = roots
    path = out / "report.json"
    if planted == "folder":
        (path / "deep").mkdir(parents=True)
    elif planted == "link":
        path.symlink_to(inputs / "snapshot")
    else:
        path.write_text('{"ok": true}')
    before = (inputs / "snapshot").read_bytes()
    task(inputs, "nothing", {})
    assert entry.main() == 0
    assert report(out)["code"] == "TASK_MALFORMED"
    assert not path.is_symlink()
    assert (inputs / "snapshot").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (None, "task.json"),
        ("{", "task.json"),
        ("[]", "task.json"),
        ('{"kind": "view"}', "task.json"),
        ('{"kind": "view", "params": []}', "params"),
        ('{"kind": "nothing", "params": {}}', "kind"),
        ('{"kind": ["view"], "params": {}}', "kind"),
    ],
)
def test_task_malformed(roots: tuple[Path, Path], text: str | None, field: str) -> None:
    if text is not None:
        (roots[0] / "task.json").write_text(text)
    assert entry.main() == 0
    assert report(roots[1]) == {"ok": False, "code": "TASK_MALFORMED", "details": {"field": field}}


def test_every_kind_of_the_contract_has_a_room() -> None:
    from sandbox.executor.contract import TaskKind

    assert set(entry.ROOMS) == {kind.value for kind in TaskKind}


@pytest.mark.parametrize("kind", ["ingest", "view", "recipe", "job"])
def test_rooms_are_importable(kind: str) -> None:
    assert callable(entry.room_of(kind))


def test_the_code_of_a_user_error_has_its_sentence() -> None:
    error = fail("USER_ERROR", file="main.py", line=3, cls="KeyError")
    assert isinstance(error, SandboxError)
    assert "main.py" in error.message("zh")
    assert "KeyError" in error.message("en")
