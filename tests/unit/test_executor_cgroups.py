"""Control groups of both versions, on folders that only look like them: what is written where."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.executor import cgroups
from sandbox.executor.cgroups import Groups
from sandbox.executor.contract import Limits

LIMITS = Limits(memory_bytes=1 << 20, pids=7, cpus=0.5)


@pytest.fixture
def version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One hierarchy that hands down nothing yet."""
    monkeypatch.setattr(cgroups, "CGROUPS", tmp_path)
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory\n")
    return tmp_path


@pytest.fixture
def version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hierarchy for each controller; swap is counted."""
    monkeypatch.setattr(cgroups, "CGROUPS", tmp_path)
    for name in ("memory", "pids", "cpu"):
        (tmp_path / name / "sandbox" / "x").mkdir(parents=True)
    (tmp_path / "memory/sandbox/x/memory.memsw.limit_in_bytes").write_text("")
    return tmp_path


def test_version_2_is_handed_down_limited_and_entered(version_2: Path) -> None:
    assert cgroups.usable() == ("memory", "pids", "cpu")
    groups = Groups("x", cgroups.usable(), spare_pids=2)
    groups.make(LIMITS)
    assert (version_2 / "cgroup.subtree_control").read_text() == "+cpu +pids"
    group = version_2 / "sandbox/x"
    written = {path.name: path.read_text() for path in group.iterdir()}
    assert written == {"memory.max": "1048576", "pids.max": "9", "cpu.max": "50000 100000"}
    groups.enter(42)
    assert (group / "cgroup.procs").read_text() == "42"
    assert not groups.out_of_memory()
    (group / "memory.events").write_text("low 0\noom 3\noom_kill 1\n")
    assert groups.out_of_memory()


def test_a_controller_that_is_not_there_is_not_used(version_2: Path) -> None:
    (version_2 / "cgroup.controllers").write_text("hugetlb pids\n")
    assert cgroups.usable() == ("pids",)


def test_version_1_is_limited_in_each_hierarchy_with_swap_where_it_is_counted(version_1: Path) -> None:
    assert cgroups.usable() == ("memory", "pids", "cpu")
    groups = Groups("x", cgroups.usable(), spare_pids=2)
    groups.make(LIMITS)
    written = {path.name: path.read_text() for path in version_1.rglob("*") if path.is_file()}
    assert written == {
        "memory.limit_in_bytes": "1048576",
        "memory.memsw.limit_in_bytes": "1048576",
        "pids.max": "9",
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "50000",
    }
    groups.enter(42)
    assert {path.parent.parts[-3] for path in version_1.rglob("cgroup.procs")} == {"memory", "pids", "cpu"}
    (version_1 / "memory/sandbox/x/memory.oom_control").write_text("under_oom 0\noom_kill 2\n")
    assert groups.out_of_memory()


def test_without_any_controller_nothing_is_made(version_1: Path) -> None:
    groups = Groups("y", ())
    groups.make(LIMITS)
    groups.enter(42)
    assert not groups.out_of_memory()
    assert not list(version_1.rglob("y"))
