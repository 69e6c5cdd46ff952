"""The server in several processes on one socket: all answer, and they end together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.api.serve import listen, processes
from tests.plugins.engine import until
from tests.refusal import refused

# what answers tells which process it is; the socket is opened before, as ``sandbox serve`` does
PROGRAM = """
import os, sys
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from sandbox.api import serve

def answer(request):
    return PlainTextResponse(str(os.getpid()))

with serve.listen("127.0.0.1", 0) as listening:
    print(listening.getsockname()[1], flush=True)
    sys.exit(serve.serve(listening, lambda: Starlette(routes=[Route("/", answer)]), int(sys.argv[1])))
"""


class Server:
    """One that runs, and who has answered so far."""

    def __init__(self, count: int) -> None:
        command = [sys.executable, "-c", PROGRAM, str(count)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.seen: set[int] = set()

    def ask(self) -> int:
        """The process that answers a request of a connection of its own."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}/", timeout=30, trust_env=False)
        self.seen.add(int(answer.text))
        return int(answer.text)

    def children(self) -> set[int]:
        """The processes that it forked, from the system."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return {int(one) for one in found.split()}


@pytest.fixture
def started() -> Iterator[Callable[[int], Server]]:
    made: list[Server] = []

    def start(count: int) -> Server:
        made.append(Server(count))
        return made[-1]

    yield start
    for one in made:
        one.process.kill()
        one.process.wait(30)
        assert one.process.stdout is not None
        one.process.stdout.close()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_every_process_answers_and_all_end_when_asked(started: Callable[[int], Server]) -> None:
    server = started(2)
    until(lambda: bool(server.ask()) and len(server.seen) == 2, 60)
    children = server.children()
    assert server.seen == children
    server.process.terminate()
    assert server.process.wait(30) == 0
    assert all(gone(child) for child in children)


def test_one_process_is_the_server_itself(started: Callable[[int], Server]) -> None:
    server = started(1)
    assert server.ask() == server.process.pid
    server.process.terminate()
    assert server.process.wait(30) in (0, -signal.SIGTERM)


def test_where_one_process_dies_the_others_are_ended_and_it_is_told(
    started: Callable[[int], Server],
) -> None:
    server = started(3)
    until(lambda: len(server.children()) == 3 and bool(server.ask()), 60)
    children = server.children()
    os.kill(min(children), signal.SIGKILL)
    assert server.process.wait(60) == 1
    assert all(gone(child) for child in children)


def test_no_process_outlives_a_server_that_was_killed(started: Callable[[int], Server]) -> None:
    server = started(2)
    until(lambda: bool(server.ask()) and len(server.seen) == 2, 60)
    server.process.kill()
    until(lambda: all(gone(child) for child in server.seen), 60)


def test_an_address_in_use_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with refused("ADDRESS_TAKEN"):
            listen("127.0.0.1", taken.getsockname()[1])


def test_as_many_processes_as_wanted_or_as_there_are_cores() -> None:
    assert processes(5) == 5
    assert processes(0) in (1, 2)
