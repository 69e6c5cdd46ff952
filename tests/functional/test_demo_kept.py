"""The console that a demonstration leaves: it outlives the command, lets people in, and can be stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.demo import kept
from sandbox.demo.data import HERE
from sandbox.demo.space import DemoSpace, lock

COMMAND = [sys.executable, "-m", "sandbox.cli.main", "demo", "--stop", "--lang", "en", "--folder"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A demonstration's folder; whatever was left in it ends with the test."""
    path = tmp_path / "demo"
    yield path
    kept.end(path)
    lock(path)


def stop(folder: Path) -> str:
    return subprocess.run([*COMMAND, str(folder)], capture_output=True, text=True, check=True).stdout.strip()


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


def test_the_console_stays_lets_people_in_and_is_stopped(folder: Path) -> None:
    space = DemoSpace(folder, HERE / "profile.yaml")
    try:
        left = kept.keep(space, ("space-admin",))
    except BaseException:
        space.stop()
        raise
    assert space.worker.poll() is not None
    assert os.getsid(space.server.pid) == space.server.pid
    [(account, password)] = left.people
    with httpx.Client(base_url=left.url.removesuffix("/console/")) as http:
        form = http.get("/console/sign-in").text
        assert re.search(r'name="password"', form)
        answer = http.post(
            "/console/sign-in",
            data={"csrf": "", "account": account, "password": password},
            headers={"origin": str(http.base_url).rstrip("/")},
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/password")
    assert stop(folder) == "the console was stopped"
    space.server.wait(20)
    assert not (folder / kept.PID).exists()
    assert stop(folder) == "no console runs"


def test_a_process_that_only_has_the_same_number_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        try:
            (folder / kept.PID).write_text(f"{other.pid} 1\n")
            assert not kept.end(folder)
            assert alive(other.pid)
        finally:
            other.kill()


def test_what_does_not_end_when_asked_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    monkeypatch.setattr(kept, "END_SECONDS", 0.2)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('on', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        started = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
        (folder / kept.PID).write_text(f"{other.pid} {started}\n")
        began = time.monotonic()
        assert kept.end(folder)
        assert other.wait(20) == -signal.SIGKILL
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("note", ["", "not a number", "1 2 3"])
def test_a_note_that_says_nothing_is_no_console(folder: Path, note: str) -> None:
    folder.mkdir()
    (folder / kept.PID).write_text(note)
    assert not kept.end(folder)
