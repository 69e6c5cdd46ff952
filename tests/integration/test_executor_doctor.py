"""The table of what this machine guarantees."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.core.errors import fail
from sandbox.executor import doctor
from sandbox.executor.contract import Task
from sandbox.executor.docker import DockerExecutor


def test_this_machine_gives_everything(tmp_path: Path) -> None:
    rows = doctor.examine(tmp_path / "tasks")
    assert [row.name for row in rows if not row.ok and row.name not in ("disk", "memory", "swap")] == []
    assert rows[-1].name == "probe"
    assert all(row.zh and row.en and row.found for row in rows)
    assert DockerExecutor(tmp_path / "tasks").known() == []


def test_without_an_engine_its_rows_fail_each_with_its_mend(tmp_path: Path) -> None:
    rows = {row.name: row for row in doctor.examine(tmp_path / "tasks", f"unix://{tmp_path}/none.sock")}
    failed = {name for name, row in rows.items() if not row.ok}
    assert failed >= {"engine", "runtime", "seccomp", "memory_limit", "no_bridge", "no_log", "probe"}
    assert not failed & {"platform", "root"}
    assert all(rows[name].mend_zh and rows[name].mend_en for name in failed)


def test_a_container_that_lacks_isolation_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: DockerExecutor, task: Task) -> None:
        raise fail("ISOLATION_UNAVAILABLE", missing="pids")

    monkeypatch.setattr(DockerExecutor, "run", refuse)
    probe = doctor.examine(tmp_path / "tasks")[-1]
    assert (probe.ok, probe.found) == (False, "ISOLATION_UNAVAILABLE pids")
