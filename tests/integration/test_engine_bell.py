"""Work is heard of, not looked for: on both databases, also from another process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sandbox.engine import durable
from sandbox.engine.bell import NotifyBell, PipeBell
from sandbox.engine.durable import DurableEngine
from tests.plugins.engine import until

FAR = 120.0  # seconds between two looks at the queue: nothing in here is found by looking


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, new_database: Callable[..., str]) -> str:
    """The address of an empty database for the engine."""
    return new_database(request.param, blank=True)


class Heard:
    """A started worker that notes when each ref's step began."""

    def __init__(self, url: str) -> None:
        self.at: dict[str, float] = {}
        self.engine = DurableEngine(url, "node-a")
        self.engine.start(self._step)

    def _step(self, ref: str) -> bool:
        self.at.setdefault(ref, time.monotonic())
        return False

    def seconds(self, ref: str, asked: float) -> float:
        """From ``asked`` until its step began."""
        begun: float = until(lambda: self.at.get(ref), FAR)
        return begun - asked


@pytest.fixture
def worker(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    monkeypatch.setattr(durable, "LOOK_SECONDS", FAR)
    heard = Heard(url)
    try:
        yield heard
    finally:
        monkeypatch.undo()
        heard.engine.stop()


def test_work_begins_when_it_is_asked_for(worker: Heard) -> None:
    """By looking, ten in a row would take ten times ``FAR``."""
    began = time.monotonic()
    for number in range(10):
        assert worker.engine.enqueue(f"job/{number}")
        until(lambda ref=f"job/{number}": worker.at.get(ref), FAR)
        time.sleep(0.02 * (number % 3))
    assert time.monotonic() - began < FAR


def test_another_process_is_heard(worker: Heard, url: str) -> None:
    code = (
        "import sys; from sandbox.engine.durable import DurableEngine\n"
        "DurableEngine(sys.argv[1], '-').enqueue('job/far')"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    subprocess.run([sys.executable, "-c", code, url], check=True, env=environment)
    assert worker.seconds("job/far", time.monotonic()) < FAR / 3


def test_what_was_asked_before_the_worker_came_is_done(url: str) -> None:
    early = DurableEngine(url, "-")
    begun = Heard(url)  # makes the tables
    begun.engine.stop()
    assert early.enqueue("job/early")  # rings, and nobody listens
    late = Heard(url)
    try:
        until(lambda: late.at.get("job/early"), FAR)
    finally:
        late.engine.stop()
        early.stop()


def test_a_step_that_asks_for_its_own_ref_asks_nobody(url: str) -> None:
    engine = DurableEngine(url, "node-a")
    asked: list[bool] = []
    over = threading.Event()

    def step(ref: str) -> bool:
        asked.append(engine.enqueue(ref))
        over.set()
        return False

    engine.start(step)
    try:
        engine.enqueue("job/1")
        assert over.wait(60)
        until(lambda: engine.live() == set())
        assert asked == [True]
        engine.enqueue("job/1")  # from outside of the step it is work again
        until(lambda: len(asked) == 2)
    finally:
        engine.stop()


def test_an_idle_worker_takes_less_than_four_hundredths_of_a_core(new_database: Callable[..., str]) -> None:
    """In the best of some spells: other threads of this process may have work of their own."""
    heard = Heard(new_database("sqlite", blank=True))
    try:
        until(lambda: _busy(2) < 0.04, 30)
    finally:
        heard.engine.stop()


def _busy(seconds: float) -> float:
    """The share of a core that this process takes in the next ``seconds``."""
    before = time.process_time()
    time.sleep(seconds)
    return (time.process_time() - before) / seconds


def test_a_bell_without_a_listener_or_with_another_file_in_its_place_is_silent(tmp_path: Path) -> None:
    bell = PipeBell(tmp_path / "bell")
    bell.ring()
    assert not (tmp_path / "bell").exists()
    (tmp_path / "bell").write_text("mine")
    bell.ring()
    assert (tmp_path / "bell").read_text() == "mine"
    bell.close()


def test_a_database_that_is_away_is_silent() -> None:
    gone = "postgresql://nobody@127.0.0.1:9/none"
    bell = NotifyBell(gone, lambda: sa.create_engine(gone.replace("postgresql", "postgresql+psycopg")))
    bell.ring()
    heard: list[None] = []
    bell.listen(lambda: heard.append(None))
    time.sleep(0.3)
    bell.close()
    assert heard == []
