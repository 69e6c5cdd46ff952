"""The durable engine behind its verbs, on both databases; other nodes are real processes, killed for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sandbox.engine.durable import DurableEngine
from tests.plugins.engine import until

NODE = """
import sys, time
from sandbox.engine.durable import DurableEngine
url, node, out, seconds = sys.argv[1:]

def say(what, ref):
    with open(out, "a") as file:
        file.write(f"{what} {node} {ref}\\n")

def step(ref):
    say("begin", ref)
    time.sleep(float(seconds))
    say("end", ref)
    return False

engine = DurableEngine(url, node, slots=2)
engine.start(step)
say("ready", "-")
while True:
    time.sleep(1)
"""


class Node:
    """One worker node in a process of its own; it writes what its steps do."""

    def __init__(self, url: str, name: str, out: Path, seconds: float) -> None:
        self.name, self.out = name, out
        words = [sys.executable, "-c", NODE, url, name, str(out), str(seconds)]
        self.process = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
        until(lambda: f"ready {name} -" in self.said(), 60)

    def said(self) -> list[str]:
        return self.out.read_text().splitlines() if self.out.exists() else []

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


NodeMaker = Callable[..., Node]


@pytest.fixture
def node(engine_url: str, tmp_path: Path) -> Iterator[NodeMaker]:
    """``node("a", seconds=0.1)``: a started node, killed after the test."""
    nodes: list[Node] = []

    def make(name: str, seconds: float = 0.0) -> Node:
        nodes.append(Node(engine_url, name, tmp_path / "said", seconds))
        return nodes[-1]

    yield make
    for one in nodes:
        one.kill()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_url(request: pytest.FixtureRequest, new_database: Callable[..., str]) -> str:
    """The address of an empty database for the engine."""
    return new_database(request.param, blank=True)


@pytest.fixture
def client(engine_url: str) -> Iterator[DurableEngine]:
    """The verbs as the API's process has them: nothing runs in it."""
    engine = DurableEngine(engine_url, "client")
    yield engine
    engine.stop()


def drop_tables(url: str) -> None:
    """Throw away everything that the engine keeps."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        if url.startswith("sqlite"):
            names = sa.text(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
            for name in connection.execute(names).scalars().all():
                connection.execute(sa.text(f'DROP TABLE "{name}"'))
        else:
            connection.execute(sa.text("DROP SCHEMA dbos CASCADE"))
    engine.dispose()


def test_before_any_node_was_there_asking_says_so(client: DurableEngine) -> None:
    assert client.enqueue("job/one") is False


def test_work_is_done_in_the_worker_and_forgotten_when_pruned(client: DurableEngine, node: NodeMaker) -> None:
    worker = node("a")
    assert client.enqueue("job/one")
    until(lambda: "end a job/one" in worker.said())
    until(lambda: client.live() == set())
    assert client.prune(3600) == 0  # it ended just now
    time.sleep(1.1)  # whole seconds
    assert client.prune(0.0) == 1
    assert client.prune(0.0) == 0


def test_one_live_piece_of_work_per_ref(client: DurableEngine, node: NodeMaker) -> None:
    worker = node("a", seconds=2)
    for _ in range(3):
        assert client.enqueue("job/one")
    assert client.enqueue("job/two")
    assert client.live() == {"job/one", "job/two"}
    until(lambda: "end a job/one" in worker.said() and "end a job/two" in worker.said())
    until(lambda: client.live() == set())
    assert worker.said().count("begin a job/one") == 1
    assert client.enqueue("job/one")  # it may be asked for again afterwards
    until(lambda: worker.said().count("begin a job/one") == 2)


def test_not_more_than_the_slots_at_a_time(client: DurableEngine, node: NodeMaker) -> None:
    worker = node("a", seconds=1)
    for number in range(3):
        client.enqueue(f"job/{number}")
    until(lambda: sum(line.startswith("end") for line in worker.said()) == 3)
    at_work, most = 0, 0
    for line in worker.said():
        at_work += {"begin": 1, "end": -1}.get(line.split()[0], 0)
        most = max(most, at_work)
    assert most == 2


def test_a_restarted_node_goes_on_with_what_it_had_begun(client: DurableEngine, node: NodeMaker) -> None:
    first = node("a", seconds=60)
    client.enqueue("job/one")
    until(lambda: "begin a job/one" in first.said())
    first.kill()
    assert client.live() == {"job/one"}
    again = node("a")
    until(lambda: "end a job/one" in again.said())
    until(lambda: client.live() == set())


def test_a_dead_nodes_work_is_done_by_another(client: DurableEngine, node: NodeMaker) -> None:
    dead = node("a", seconds=60)
    client.enqueue("job/one")
    client.enqueue("job/two")
    until(lambda: sum(line.startswith("begin a") for line in dead.said()) == 2)
    dead.kill()
    alive = node("b")
    time.sleep(0.5)
    assert not any(line.startswith("begin b") for line in alive.said())  # not taken from a node by itself
    assert client.requeue("none-such") == 0
    assert client.requeue("a") == 2
    until(lambda: {"end b job/one", "end b job/two"} <= set(alive.said()))
    until(lambda: client.live() == set())
    assert client.requeue("a") == 0


def test_a_step_that_fails_ends_the_work_and_it_can_be_asked_for_again(engine_url: str) -> None:
    engine, calls = DurableEngine(engine_url, "a"), []

    def step(ref: str) -> bool:
        calls.append(ref)
        if len(calls) == 1:
            raise RuntimeError("broken")
        return False

    engine.start(step)
    try:
        engine.enqueue("job/one")
        until(lambda: calls and engine.live() == set())
        engine.enqueue("job/one")
        until(lambda: len(calls) == 2)
    finally:
        engine.stop()


def test_tables_thrown_away_under_a_running_node_are_made_anew(engine_url: str) -> None:
    engine, done, hold = DurableEngine(engine_url, "a"), [], threading.Event()

    def step(ref: str) -> bool:
        if ref == "job/held":
            hold.wait(20)
        done.append(ref)
        return False

    engine.start(step)
    try:
        engine.enqueue("job/held")
        until(lambda: engine.live() == {"job/held"})
        drop_tables(engine_url)
        assert engine.enqueue("job/lost") is False
        assert engine.live() == set()  # which makes them anew: the reconciler asks every few seconds
        assert engine.enqueue("job/lost")
        until(lambda: "job/lost" in done)
    finally:
        hold.set()
        engine.stop()


def test_a_client_does_not_make_tables(client: DurableEngine, engine_url: str, node: NodeMaker) -> None:
    node("a").kill()
    drop_tables(engine_url)
    with pytest.raises(sa.exc.SQLAlchemyError):
        client.live()
    assert client.enqueue("job/one") is False


def test_an_unreachable_database_is_no_reason_to_make_anything_anew(tmp_path: Path) -> None:
    engine = DurableEngine(f"postgresql://nobody@/none?host={tmp_path}", "a")
    engine._step = lambda ref: False
    with pytest.raises(sa.exc.SQLAlchemyError):
        engine.live()
    assert engine.enqueue("job/one") is False
