"""The reconciler and the sweeps: work rebuilt from rows, what no row wants stopped and removed."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.control.reconcile import SILENT_SECONDS, Reconciler
from sandbox.core.errors import fail
from sandbox.executor.contract import Task, TaskKind
from tests.plugins.space import OUTPUT, Scene
from tests.unit.test_work import CODE, Yard, job_room


class FakeEngine:
    """The verbs, recorded."""

    def __init__(self) -> None:
        self.at_work: set[str] = set()
        self.requeued: list[str] = []
        self.reachable = True

    def enqueue(self, ref: str) -> bool:
        if self.reachable:
            self.at_work.add(ref)
        return self.reachable

    def live(self) -> set[str]:
        return set(self.at_work)

    def requeue(self, node: str) -> int:
        self.requeued.append(node)
        return 1

    def prune(self, seconds: float) -> int:
        return 0

    def start(self, step: Any) -> None: ...

    def stop(self) -> None: ...


@pytest.fixture
def yard(granted: Scene, tmp_path: Path) -> Yard:
    return Yard(granted, tmp_path / "tasks")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def reconciler(yard: Yard, engine: FakeEngine) -> Reconciler:
    return Reconciler(yard.work, engine, "node-1")


def submit(yard: Yard, id: str = "job-a") -> None:
    spec = yard.scene.job_spec(language="python", entry="main.py", code={"main.py": CODE})
    yard.scene.create("developer", "job", spec, id)


def test_every_working_row_gets_work_and_no_other(
    yard: Yard, engine: FakeEngine, reconciler: Reconciler
) -> None:
    assert reconciler.enqueue() == []
    submit(yard)
    submit(yard, "job-b")
    yard.run("job/job-b")
    assert reconciler.enqueue() == ["job/job-a"]
    assert reconciler.enqueue() == []  # it has work
    engine.at_work.clear()  # the engine's tables were thrown away
    assert reconciler.enqueue() == ["job/job-a"]
    yard.run("job/job-a")
    engine.at_work.clear()
    assert reconciler.enqueue() == []


def test_an_engine_out_of_reach_is_asked_again(
    yard: Yard, engine: FakeEngine, reconciler: Reconciler
) -> None:
    submit(yard)
    engine.reachable = False
    assert reconciler.enqueue() == []
    engine.reachable = True
    assert reconciler.enqueue() == ["job/job-a"]


def test_a_killed_jobs_container_is_stopped_and_removed(yard: Yard, reconciler: Reconciler) -> None:
    started, go_on = threading.Event(), threading.Event()

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        started.set()
        go_on.wait(10)
        return job_room(params, inputs, out)

    yard.executor.rooms[TaskKind.JOB] = room
    submit(yard)
    worker = threading.Thread(target=yard.run, args=("job/job-a",))
    worker.start()
    try:
        assert started.wait(10)
        assert reconciler.stop_unwanted() == []  # wanted
        yard.scene.act("reviewer", "job", "job-a", "kill", {"cause": "suspected"})
        assert reconciler.stop_unwanted() == ["job-a-a1-run"]
    finally:
        go_on.set()
        worker.join()
    assert yard.scene.state("job", "job-a") == "killed"
    reconciler.discard_orphans()
    assert yard.left() == []


def task(yard: Yard, id: str) -> Task:
    return Task(id=id, kind=TaskKind.VIEW, image=yard.executor.image("check"), params={"views": []})


def test_tasks_and_folders_that_no_row_wants_are_removed(yard: Yard, reconciler: Reconciler) -> None:
    submit(yard)
    view, of_none = f"sc-a-v{'0' * 32}", f"sc-none-v{'0' * 32}"
    for id in ("job-none-a1-run", "su-none-ingest", "stranger", view, of_none):
        yard.executor.run(task(yard, id))
    yard.scene.space.places.write("job-gone-a1-run", "code", {"a.py": "x"})
    yard.scene.space.places.write("job-a-a1-run", "code", {"a.py": "x"})
    gone = reconciler.discard_orphans()
    assert gone == ["job-gone-a1-run", "job-none-a1-run", of_none, "stranger", "su-none-ingest"]
    assert yard.executor.known() == [view]
    assert yard.scene.space.places.assemblies() == ["job-a-a1-run"]
    assert reconciler.discard_orphans() == []


def test_a_silent_nodes_work_is_given_away(yard: Yard, engine: FakeEngine, reconciler: Reconciler) -> None:
    other = Reconciler(yard.work, engine, "node-2")
    assert reconciler.watch_nodes() == []
    assert other.watch_nodes() == []
    yard.scene.clock.now += timedelta(seconds=SILENT_SECONDS + 1)
    assert reconciler.watch_nodes() == ["node-2"]
    assert engine.requeued == ["node-2"]
    assert other.watch_nodes() == []  # both are heard again


def test_a_round_that_fails_does_not_end_the_watch(
    yard: Yard, engine: FakeEngine, reconciler: Reconciler, caplog: pytest.LogCaptureFixture
) -> None:
    stop, calls = threading.Event(), []

    def unwanted() -> list[str]:
        calls.append("stop_unwanted")
        raise fail("NOT_FOUND", kind="job", id="x")

    def asked() -> list[str]:
        calls.append("enqueue")
        raise RuntimeError("52010219900101001X")

    def last(seconds: float) -> int:
        stop.set()
        return 0

    reconciler.stop_unwanted, reconciler.enqueue, engine.prune = unwanted, asked, last  # type: ignore[method-assign]
    reconciler.run(stop)
    assert calls == ["stop_unwanted", "enqueue"]
    assert "NOT_FOUND" in caplog.text
    assert "RuntimeError" in caplog.text
    assert "52010219900101001X" not in caplog.text  # a message may hold a value: it is not written down


# --- leftovers


def test_what_no_row_names_is_swept_and_what_one_names_is_not(yard: Yard) -> None:
    submit(yard)
    yard.run("job/job-a")
    yard.request()
    before = yard.inventory()
    assert yard.work.leftovers.sweep() == []
    orphans = set()
    for place in ("quarantine", "raw", "staging", "log", "primary", "review"):
        sha256, _ = yard.blobs(place).take(iter([f"orphan in {place}".encode()]))
        orphans.add(f"{place}/{sha256}")
    assert set(yard.work.leftovers.sweep()) == orphans
    assert yard.inventory() == before


@pytest.mark.parametrize(
    ("state", "place"), [("succeeded", "staging"), ("succeeded", "primary"), ("running", "log")]
)
def test_nothing_is_swept_where_a_step_may_be_writing(yard: Yard, state: str, place: str) -> None:
    yard.scene.job(until=state)
    fresh, _ = yard.blobs(place).take(iter([b"just written"]))
    yard.work.leftovers.sweep()
    assert fresh in yard.blobs(place).names()


def test_nothing_is_swept_while_a_supply_is_ingested_or_a_request_checked(yard: Yard) -> None:
    yard.scene.supply("su-b", "quarantined", b"delivered")
    delivered, _ = yard.blobs("quarantine").take(iter([b"delivered"]))
    raw, _ = yard.blobs("raw").take(iter([b"just written"]))
    yard.scene.job()
    yard.scene.request(until="auto_check")
    canonical, _ = yard.blobs("review").take(iter([OUTPUT.encode()]))
    assert yard.work.leftovers.sweep() == []
    assert delivered in yard.blobs("quarantine").names()
    assert raw in yard.blobs("raw").names()
    assert canonical in yard.blobs("review").names()
