"""The control plane asks, before each task, for the isolation that the policy needs for its data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.control.means import MOST, Means
from sandbox.control.tasks import IMAGES
from sandbox.control.work import Work
from sandbox.core.errors import SandboxError, fail
from sandbox.executor.contract import End, Guarantees, Shape, Task, TaskKind
from sandbox.executor.stub import StubExecutor
from sandbox.policy.isolation import told
from sandbox.policy.load import load_profile


def means(tmp_path: Path, **plays: str) -> tuple[Means, StubExecutor]:
    """The means of a space whose executor guarantees less than everything: ``plays``."""
    executor = StubExecutor(tmp_path, {TaskKind.VIEW: lambda params, inputs, out: {}})
    executor.plays |= plays
    control: Any = SimpleNamespace(policy=load_profile("national"))
    rest: Any = None
    return Means(control, executor, rest, rest, rest), executor


def view(executor: StubExecutor, level: int) -> Task:
    """A task over data of that level."""
    return Task(f"view-{level}", TaskKind.VIEW, executor.image("check"), {}, level=level)


def test_a_task_over_data_that_the_machine_is_not_fit_for_does_not_run(tmp_path: Path) -> None:
    made, executor = means(tmp_path, limits="watched", user="shared")
    assert made.run(view(executor, 1)).end is End.SUCCEEDED
    for level, missing in ((2, "limits"), (3, "limits: watched < enforced, user: shared < own"), (4, "user")):
        with pytest.raises(SandboxError) as caught:
            made.run(view(executor, level))
        assert caught.value.code == "ISOLATION_UNAVAILABLE"
        assert missing in caught.value.details["missing"]
    assert [task.id for task in executor.tasks] == ["view-1"]
    assert executor.known() == ["view-1"]


def test_the_runtime_is_that_of_the_policy(tmp_path: Path) -> None:
    made, executor = means(tmp_path)
    values = {
        "isolation.needed": {level: {"kernel": "interposed"} for level in "1234"},
        "isolation.runtime": dict.fromkeys("1234", "runsc"),
    }
    policy: Any = SimpleNamespace(id="x", get=values.__getitem__)
    made.control.policy = policy
    made.run(view(executor, 4))
    assert [task.runtime for task in executor.tasks] == ["runsc"]


def test_containers_wait_in_each_runtime_that_the_policy_picks_and_the_machine_has(tmp_path: Path) -> None:
    wanted: list[Shape] = []

    class Ahead(StubExecutor):
        def prepare(self, shapes: Sequence[Shape]) -> None:
            wanted[:] = shapes

        def guarantees(self, runtime: str = "runc") -> Guarantees:
            if runtime == "kata":
                raise fail("ISOLATION_UNAVAILABLE", missing="runtime kata")
            return super().guarantees(runtime)

    national = load_profile("national")
    picked = {"isolation.runtime": {"1": "runc", "2": "runc", "3": "runsc", "4": "kata"}}
    policy = SimpleNamespace(id="x", get=lambda key: picked.get(key) or national.get(key))
    control: Any = SimpleNamespace(policy=policy, store=None)
    rest: Any = None
    work = Work(control, Ahead(tmp_path, {}), rest, rest)
    work.prepare(2)
    assert sorted({shape.runtime for shape in wanted}) == ["runc", "runsc"]
    assert len(wanted) == 2 * 2 * len(IMAGES)
    assert len(set(wanted)) == 2 * len(IMAGES)
    work.prepare(0)
    assert wanted == []


def entry(*levels: int | None) -> Any:
    """A catalogue entry with fields of these levels."""
    return SimpleNamespace(spec={"fields": [{"level": level} for level in levels]})


def test_the_level_is_that_of_the_most_sensitive_field(tmp_path: Path) -> None:
    made, _ = means(tmp_path)
    assert made.level(entry(1, 2), entry(3, 1)) == 3
    assert made.level(entry(1, None)) == MOST == 4
    assert made.level() == MOST
    assert Task("x", TaskKind.JOB, "", {}).level == MOST


def test_the_record_says_what_the_executor_guarantees(tmp_path: Path) -> None:
    made, executor = means(tmp_path, user_namespace="none")
    ran = made.run(view(executor, 2))
    assert ran.isolation == {
        "executor": "stub",
        "runtime": "runc",
        "grades": executor.plays,
    }
    assert ran.isolation["grades"]["user_namespace"] == "none"


def test_a_package_tells_of_the_isolation_and_of_nothing_else() -> None:
    kept = {
        "executor": "docker",
        "runtime": "runc",
        "grades": {"network": "isolated"},
        "probe": {"attempts": 43, "refused": 43},
        "kernel": {"observed": True},
        "user": "1073741824:1073741824",
        "labels": {"sandbox.slot": "slot-1"},
    }
    assert told({"config_sha256": "ab", "isolation": kept, "outputs": [{"rows": 12}]}) == {
        "executor": "docker",
        "runtime": "runc",
        "grades": {"network": "isolated"},
        "attempts_tried": 43,
        "attempts_refused": 43,
        "config_sha256": "ab",
    }
    assert told({}) == {}
