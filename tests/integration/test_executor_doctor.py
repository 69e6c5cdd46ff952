"""The tables of what this machine guarantees, and of what the policy needs."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.core.errors import fail
from sandbox.executor import cgroups, doctor, guarantees
from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.contract import Task
from sandbox.executor.docker import DockerExecutor
from sandbox.executor.survey import Need, survey
from sandbox.policy.isolation import GRADES
from sandbox.policy.load import load_profile
from tests.refusal import refused

MACHINES = ("disk", "memory", "swap")  # what a small machine may lack


@pytest.mark.parametrize("executor", ["docker", "bubblewrap"])
def test_this_machine_gives_everything(tmp_path: Path, executor: str) -> None:
    rows = doctor.examine(tmp_path / "tasks", executor=executor)
    assert [(row.name, row.found) for row in rows if not row.ok and row.name not in MACHINES] == []
    assert rows[-1].name == "probe"
    assert all(row.zh and row.en and row.found for row in rows)
    assert BubblewrapExecutor(tmp_path / "tasks").known() == []


def test_an_executor_that_there_is_not_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_EXECUTOR", "podman")
    with refused("EXECUTOR_UNKNOWN"):
        doctor.examine(tmp_path / "tasks")


def test_without_an_engine_its_rows_fail_each_with_its_mend(tmp_path: Path) -> None:
    rows = {row.name: row for row in doctor.examine(tmp_path / "tasks", f"unix://{tmp_path}/none.sock")}
    failed = {name for name, row in rows.items() if not row.ok}
    assert failed >= {"engine", "runtime", "seccomp", "memory_limit", "no_bridge", "no_log", "probe"}
    assert not failed & {"platform", "root"}
    assert all(rows[name].mend_zh and rows[name].mend_en for name in failed)


def test_without_bubblewrap_its_rows_fail_each_with_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(cgroups, "usable", lambda: ("pids",))
    monkeypatch.setattr(doctor.syscalls, "program", lambda: (_ for _ in ()).throw(
        fail("ISOLATION_UNAVAILABLE", missing="libseccomp.so.2")))  # fmt: skip
    rows = {row.name: row for row in doctor.examine(tmp_path / "tasks", executor="bubblewrap")}
    for name, found in (
        ("bubblewrap", "-"),
        ("namespaces", "bwrap: not installed"),
        ("seccomp", "libseccomp.so.2"),
        ("cgroups", "pids"),
        ("probe", "ISOLATION_UNAVAILABLE bwrap"),
    ):
        assert (rows[name].ok, rows[name].found) == (False, found)
        assert rows[name].mend_zh
        assert rows[name].mend_en


def test_a_container_that_lacks_isolation_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: DockerExecutor, task: Task) -> None:
        raise fail("ISOLATION_UNAVAILABLE", missing="pids")

    monkeypatch.setattr(DockerExecutor, "run", refuse)
    probe = doctor.examine(tmp_path / "tasks", executor="docker")[-1]
    assert (probe.ok, probe.found) == (False, "ISOLATION_UNAVAILABLE pids")


def by_level(needs: list[Need], executor: str) -> dict[str, list[tuple[str, str, str]]]:
    """Level -> what that executor lacks: (guarantee, given, needed)."""
    return {
        level: [
            (one.guarantee, one.given, one.needed)
            for one in needs
            if (one.level, one.executor, one.ok) == (level, executor, False)
        ]
        for level in "1234"
    }


def test_the_survey_tells_what_each_executor_gives_and_each_level_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, needs = survey(load_profile("national"), tmp_path)
    assert {(one.executor, one.runtime) for one in given} == {("docker", "runc"), ("bubblewrap", "runc")}
    assert all(one.grades.keys() == GRADES.keys() for one in given)
    nothing: list[tuple[str, str, str]] = []
    assert by_level(needs, "docker") == by_level(needs, "bubblewrap") == dict.fromkeys("1234", nothing)

    monkeypatch.setattr(guarantees.cgroups, "usable", lambda: ())
    _, needs = survey(load_profile("national"), tmp_path, f"unix://{tmp_path}/none.sock")
    gap = [("limits", "watched", "enforced")]
    assert by_level(needs, "bubblewrap") == {"1": [], "2": gap, "3": gap, "4": gap}
    assert all(by_level(needs, "docker").values())
    assert all(one.mend_zh and one.mend_en for one in needs if not one.ok)


def test_a_machine_of_its_own_is_not_to_be_had_here_and_that_is_said(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "isolation.needed": {level: {"kernel": "machine"} for level in "1234"},
        "isolation.runtime": dict.fromkeys("1234", "kata"),
    }
    given, needs = survey(SimpleNamespace(id="x", get=values.__getitem__), tmp_path)
    assert {one.grades["kernel"] for one in given} == {"shared"}
    assert {one.found["kernel"] for one in given} == {"runtime kata"}
    told = {(one.guarantee, one.mend_en) for one in needs if one.executor == "docker"}
    assert [(guarantee, mend.split(" (")[0]) for guarantee, mend in told] == [
        ("kernel", "run SANDBOX_RUNTIMES=runsc scripts/setup")
    ]


@pytest.mark.skipif(shutil.which("runsc") is None, reason="gVisor: SANDBOX_RUNTIMES=runsc scripts/setup")
def test_a_kernel_in_user_space_is_enough_for_whoever_asks_for_one(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "isolation.needed": {level: {"kernel": "interposed"} for level in "1234"},
        "isolation.runtime": dict.fromkeys("1234", "runsc"),
    }
    _, needs = survey(SimpleNamespace(id="x", get=values.__getitem__), tmp_path)
    assert {one.ok for one in needs if one.executor == "docker"} == {True}
    assert {one.guarantee for one in needs if one.executor == "bubblewrap"} == set(GRADES) & {"kernel"}
