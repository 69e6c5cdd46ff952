"""What is guaranteed against what is needed: the words, their order, the match, the choice of an executor."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.core.errors import SandboxError
from sandbox.executor import guarantees, syscalls
from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.choose import executor_for
from sandbox.executor.contract import Guarantees
from sandbox.executor.docker import DockerExecutor
from sandbox.executor.guarantees import KERNEL_OF, admit, docker_guarantees, match, needed_for
from sandbox.policy.isolation import GRADES, LEVELS, at_least, lacking
from sandbox.policy.load import load_profile, profile_names
from sandbox.policy.parameters import PARAMETERS
from tests.refusal import refused

ENGINE: dict[str, Any] = {
    "Runtimes": {"runc": {}, "runsc": {}},
    "SecurityOptions": ["name=seccomp,profile=x", "name=userns"],
    "CgroupVersion": "1",
    "MemoryLimit": True,
    "SwapLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
}
ALL = {
    "network": "isolated",
    "filesystem": "private",
    "syscalls": "filtered",
    "limits": "enforced",
    "user": "own",
}


def test_every_grade_has_its_words_and_a_place() -> None:
    for name, grades in GRADES.items():
        assert len({grade.name for grade in grades}) == len(grades) >= 2, name
        assert all(grade.zh and grade.en for grade in grades)
    assert set(KERNEL_OF.values()) == {grade.name for grade in GRADES["kernel"]}


def test_an_engine_is_taken_at_what_it_reports() -> None:
    given = docker_guarantees(ENGINE)
    assert given.grades == {**ALL, "user_namespace": "own", "kernel": "shared"}
    assert docker_guarantees(ENGINE, "runsc").grades["kernel"] == "interposed"


@pytest.mark.parametrize(
    ("change", "guarantee", "grade"),
    [
        ({"SecurityOptions": []}, "syscalls", "none"),
        ({"SecurityOptions": ["name=seccomp"]}, "user_namespace", "none"),
        ({"MemoryLimit": False}, "limits", "none"),
        ({"PidsLimit": None}, "limits", "none"),
        ({"SwapLimit": False}, "limits", "none"),
        ({"CpuCfsQuota": False}, "limits", "none"),
    ],
)
def test_what_an_engine_does_not_report_it_does_not_give(
    change: dict[str, Any], guarantee: str, grade: str
) -> None:
    given = docker_guarantees({**ENGINE, **change})
    assert given.grades[guarantee] == grade
    if grade == "none" and guarantee in ALL:
        with refused("ISOLATION_UNAVAILABLE"):
            match(given, ALL)


def test_a_runtime_that_is_not_there_is_refused_by_name() -> None:
    for ask in (lambda: docker_guarantees(ENGINE, "kata"), lambda: guarantees.bubblewrap_guarantees("runsc")):
        with pytest.raises(SandboxError, match=r"runtime (kata|runsc)") as caught:
            ask()
        assert caught.value.code == "ISOLATION_UNAVAILABLE"


def test_the_match_names_every_missing_guarantee() -> None:
    given = Guarantees("bubblewrap", "runc", {**ALL, "limits": "watched", "user": "shared"})
    match(given, {"network": "isolated", "limits": "watched", "kernel": "shared", "user_namespace": "none"})
    with pytest.raises(SandboxError) as caught:
        match(given, {**ALL, "kernel": "machine"})
    assert caught.value.details["missing"] == (
        "bubblewrap/runc kernel: shared < machine, limits: watched < enforced, user: shared < own"
    )


def asked(needed: dict[str, str], runtime: str = "runc") -> Any:
    """A policy that needs this for every level."""
    values = {
        "isolation.needed": dict.fromkeys(LEVELS, needed),
        "isolation.runtime": dict.fromkeys(LEVELS, runtime),
    }
    return SimpleNamespace(id="x", get=values.__getitem__)


def test_a_task_is_admitted_with_the_runtime_that_the_policy_names() -> None:
    engine: Any = SimpleNamespace(guarantees=lambda runtime: docker_guarantees(ENGINE, runtime))
    assert admit(engine, asked({"kernel": "interposed"}, "runsc"), 4) == "runsc"
    for policy in (asked({"kernel": "interposed"}), asked({}, "kata"), asked({"kernel": "machine"}, "runsc")):
        with refused("ISOLATION_UNAVAILABLE"):
            admit(engine, policy, 4)


@pytest.mark.parametrize("name", profile_names(Path(__file__).parents[2] / "policies"))
def test_each_profile_asks_more_of_more_sensitive_data(name: str) -> None:
    policy = load_profile(name)
    needs = [needed_for(policy, level) for level in (1, 2, 3, 4)]
    for lower, higher in pairwise(needs):
        assert lacking(higher, lower) == {}
    assert needs[0]["network"] == "isolated"
    assert needs[3]["limits"] == "enforced"


def test_less_for_any_level_is_weaker() -> None:
    parent = {level: {"limits": "watched"} for level in LEVELS}
    assert at_least({level: {"limits": "enforced", "user": "own"} for level in LEVELS}, parent)
    assert not at_least({**parent, "3": {}}, parent)
    assert not at_least({**parent, "4": {"user": "own"}}, parent)
    parameter = PARAMETERS["isolation.needed"]
    assert parameter.weaker({**parent, "3": {}}, parent)
    assert not parameter.weaker(parent, parent)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("isolation.needed", {"1": {}, "2": {}, "3": {}}, "each of the levels"),
        ("isolation.needed", {level: {"luck": "good"} for level in LEVELS}, "no such guarantee"),
        ("isolation.needed", {level: {"network": "fast"} for level in LEVELS}, "no such guarantee or grade"),
        ("isolation.needed", {"1": {"user": "own"}, "2": {}, "3": {}, "4": {}}, "needs less than"),
        ("isolation.runtime", {"1": "runc"}, "each of the levels"),
        ("isolation.runtime", dict.fromkeys(LEVELS, "chroot"), "Input should be"),
    ],
)
def test_a_value_outside_the_words_does_not_load(key: str, value: Any, why: str) -> None:
    assert why in PARAMETERS[key].problem(value)


def test_the_setting_chooses_the_executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_EXECUTOR", raising=False)
    assert isinstance(executor_for(tmp_path), DockerExecutor)
    monkeypatch.setenv("SANDBOX_EXECUTOR", "bubblewrap")
    assert isinstance(executor_for(tmp_path), BubblewrapExecutor)
    monkeypatch.setenv("SANDBOX_EXECUTOR", "none")
    with refused("EXECUTOR_UNKNOWN"):
        executor_for(tmp_path)


def test_the_list_is_compiled_into_a_program_that_decides() -> None:
    program = syscalls.program()
    assert len(program) % 8 == 0
    assert len(program) > 8 * 100
    assert program == syscalls.program()
    with refused("ISOLATION_UNAVAILABLE"):
        syscalls.program('{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": ['
                         '{"index": 99, "value": 1, "op": "SCMP_CMP_EQ"}]}]}')  # fmt: skip


def test_without_the_compiler_there_is_no_filter_and_so_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "LIBRARY", "libnone.so.9")
    syscalls._library.cache_clear()
    syscalls.program.cache_clear()
    try:
        with pytest.raises(SandboxError, match="libnone"):
            syscalls.program()
        given = guarantees.bubblewrap_guarantees()
        assert (given.grades["syscalls"], given.found["syscalls"]) == ("none", "libnone.so.9")
    finally:
        syscalls._library.cache_clear()
        syscalls.program.cache_clear()
