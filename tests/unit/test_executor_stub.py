"""The stub keeps the contract's promises, so that what is built on it holds on the engine."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from sandbox.core.errors import Invalid, fail
from sandbox.executor.contract import End, Executor, Input, Task, TaskKind
from sandbox.executor.stub import PlayedEnd, StubExecutor


def count_lines(params: dict[str, Any], inputs: Path, files: Path) -> dict[str, Any]:
    """A room: counts the lines of the input."""
    lines = (inputs / "rows/a.csv").read_text().splitlines()
    (files / "count.txt").write_text(str(len(lines)))
    return {"ok": True, "lines": len(lines), "params": params}


def a_task(executor: StubExecutor, task_id: str = "some-task", **rest: Any) -> Task:
    return Task(task_id, TaskKind.JOB, executor.image("sql"), {"p": 1}, **rest)


def test_a_room_runs_once_and_its_outcome_is_kept(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/a.csv").write_text("1\n2\n")
    executor = StubExecutor(tmp_path / "tasks", {TaskKind.JOB: count_lines})
    as_executor: Executor = executor
    task = a_task(executor, inputs=(Input("rows", tmp_path / "rows"), Input("f", tmp_path / "rows/a.csv")))
    first = as_executor.run(task)
    assert (first.end, first.exit_code) == (End.SUCCEEDED, 0)
    assert first.report == {"ok": True, "lines": 2, "params": {"p": 1}}
    assert (first.files / "count.txt").read_text() == "2"
    assert executor.run(task) == first
    assert executor.tasks == [task]
    assert executor.known() == ["some-task"]
    for _ in range(2):
        executor.discard("some-task")
        assert executor.known() == []


def test_refusals_defects_and_played_ends_are_outcomes(tmp_path: Path) -> None:
    def refuse(*_: object) -> dict[str, Any]:
        raise fail("MISSING_FIELD", field="x")

    def break_down(*_: object) -> dict[str, Any]:
        raise ValueError("110101199003074514")

    def play(*_: object) -> dict[str, Any]:
        raise PlayedEnd(End.OUT_OF_MEMORY)

    rooms = {TaskKind.JOB: refuse, TaskKind.VIEW: break_down, TaskKind.CHECK: play}
    executor = StubExecutor(tmp_path, rooms)
    image = executor.image("sql")
    refused = executor.run(Task("task-1", TaskKind.JOB, image, {}))
    assert refused.report == {"ok": False, "code": "MISSING_FIELD", "details": {"field": "x"}}
    assert refused.end is End.SUCCEEDED
    broken = executor.run(Task("task-2", TaskKind.VIEW, image, {}))
    assert (broken.end, broken.exit_code, broken.report) == (End.FAILED, 1, {})
    played = executor.run(Task("task-3", TaskKind.CHECK, image, {}))
    assert (played.end, played.exit_code) == (End.OUT_OF_MEMORY, 137)


def test_stop_and_running(tmp_path: Path) -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait(*_: object) -> dict[str, Any]:
        started.set()
        go_on.wait(10)
        return {}

    executor = StubExecutor(tmp_path / "tasks", {TaskKind.JOB: wait})
    assert executor.known() == []
    task = a_task(executor, labels={"sandbox.agreement": "ag-1"})
    outcomes: list[End] = []
    threads = [threading.Thread(target=lambda: outcomes.append(executor.run(task).end)) for _ in range(2)]
    for thread in threads:
        thread.start()
    started.wait(10)
    assert executor.running() == executor.running("sandbox.agreement", "ag-1") == ["some-task"]
    assert executor.running("sandbox.agreement") == ["some-task"]
    assert executor.running("sandbox.agreement", "ag-2") == executor.running("other") == []
    executor.stop("never-heard-of")
    executor.stop("some-task")
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert outcomes == [End.STOPPED, End.STOPPED]
    assert executor.running() == []
    assert len(executor.tasks) == 1


def test_images_are_known_by_digest(tmp_path: Path) -> None:
    executor = StubExecutor(tmp_path, {})
    assert executor.image("sql") != executor.image("check")
    for attempt in (
        lambda: executor.image("other"),
        lambda: executor.run(Task("some-task", TaskKind.JOB, f"sha256:{'0' * 64}", {})),
    ):
        with pytest.raises(Invalid) as caught:
            attempt()
        assert caught.value.code == "IMAGE_UNKNOWN"
