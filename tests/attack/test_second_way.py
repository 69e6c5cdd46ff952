"""A second way out, or a way to hold up the space: what an attacker found against queue, log, views and keys.

Each test plays one attempt that once succeeded, or that stands beside one that did.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.control.means import Means
from sandbox.control.work import Work
from sandbox.core.resource import Resource
from sandbox.executor.collect import collect
from sandbox.executor.contract import Outcome, TaskKind
from sandbox.executor.stub import StubExecutor
from sandbox.operation.turn import turns
from sandbox.task import heads
from sandbox.task.log import LOG_BYTES, TITLE
from sandbox.task.statements import hold, split
from sandbox.vault import volume
from tests.plugins.bubblewrap import BubblewrapProber, prober_of
from tests.plugins.engine import ProbeExecutor, until
from tests.plugins.space import Scene
from tests.refusal import refused

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


# --- the queue: priority is among one's own -----------------------------------------------------------


def job(id: str, organisation: str, minute: int, priority: str) -> Resource:
    return Resource(
        kind="job",
        id=id,
        organisation=organisation,
        version=1,
        state="queued",
        spec={"priority": priority},
        status={},
        labels={},
        created_at=NOON + timedelta(minutes=minute),
    )


def test_a_high_priority_passes_by_no_organisation_that_has_waited_longer() -> None:
    waiting = [job("b-low", "b", 0, "low"), job("a-high", "a", 30, "high")]
    assert turns(waiting, [], total=1, each=1) == ["b-low"]
    assert turns(waiting, [], total=2, each=1) == ["b-low", "a-high"]


def test_an_old_job_of_low_priority_keeps_no_place_for_newer_ones_of_its_organisation() -> None:
    waiting = [job("a-low", "a", 0, "low"), job("b", "b", 20, "normal"), job("a-high", "a", 30, "high")]
    assert turns(waiting, [], total=1, each=1) == ["b"]


# --- the server: a script is read once ------------------------------------------------------------------


@pytest.mark.parametrize(
    "unclosed",
    [
        "".join(f"$a{number}$ " for number in range(2_000)),  # each opened, none closed
        "/*" + " /" * 2_000,
        "'" + "''" * 2_000,
        '"' + '""' * 2_000,
        "e'" + "\\'" * 2_000,
        "e'" + "a" * 2_000 + "\\",
    ],
    ids=["dollars", "comment", "text", "name", "escaped", "escape at the end"],
)
def test_what_is_never_closed_is_read_once_and_not_anew_from_each_character(unclosed: str) -> None:
    """30 kB of it took seconds, 1 MB hours: in the server, for anybody who may submit a job."""
    found = [text[0] for text in heads._TOKEN.finditer(unclosed)]
    assert found == [unclosed]
    heads.refuse_heads(f"SELECT 1 {unclosed}", "main.sql")  # the parser in the container refuses it


def test_what_is_closed_is_still_read_to_its_own_end() -> None:
    script = "/* a */ 'it''s' \"na\"\"me\" $x$ ; $x$ e'\\'' ;"
    texts = [text[0] for text in heads._TOKEN.finditer(script) if text.lastgroup in ("text", "tag")]
    assert texts == ["'it''s'", '"na""me"', "$x$ ; $x$", "e'\\''"]


# --- SQL: text that is planned is text that is run as a query -------------------------------------------


def test_a_plan_of_a_text_is_none_for_a_job() -> None:
    """To plan ``read_csv`` is to open the file: only the engine's own wall stood before it."""
    text = "SELECT json_serialize_plan('SELECT * FROM read_csv(''/etc/passwd'')')"
    with refused("SQL_FUNCTION"):
        hold(split(text), "main.sql")
    with refused("SQL_FUNCTION"):
        heads.refuse_heads(text, "main.sql")


# --- the sealed log: whoever wrote it last --------------------------------------------------------------


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """What a job left behind: the place of its log is free."""
    (tmp_path / "out/files").mkdir(parents=True)
    return tmp_path / "out"


def taken(out: Path) -> Path:
    """Where the log is after it was collected."""
    target = out.parent / "collected/files"
    target.parent.mkdir()
    collect(out, target, max_bytes=1 << 20, max_files=9)
    return target.with_name("log.txt")


def test_a_log_that_the_code_replaced_says_nothing_to_the_reviewers_terminal(out: Path) -> None:
    hostile = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b1mall well\u202e\ufeff\r\nover\rwritten\n"
    (out / "log.txt").write_bytes(TITLE.encode() + hostile.encode() + b"\xff\xfe\x00")
    text = taken(out).read_text(encoding="utf-8")
    assert text.startswith(TITLE)
    assert text.endswith("all well\ufffd\ufffd\nover\nwritten\n\ufffd\ufffd\ufffd")
    assert all(letter.isprintable() or letter in "\n\t" for letter in text)


def test_a_replaced_log_that_grows_when_it_is_made_plain_keeps_within_its_bound(out: Path) -> None:
    (out / "log.txt").write_bytes(b"\xff" * (LOG_BYTES + 5))
    log = taken(out)
    assert LOG_BYTES - 3 < log.stat().st_size <= LOG_BYTES
    assert set(log.read_text(encoding="utf-8")) == {"\ufffd"}


@pytest.mark.parametrize("how", ["symlink", "hard link", "pipe", "folder"])
def test_a_log_that_is_no_file_of_its_own_is_no_log(out: Path, how: str) -> None:
    victim = out.parent / "victim"
    victim.write_text("a file of the host")
    plants: dict[str, Callable[[Path], object]] = {
        "symlink": lambda path: path.symlink_to(victim),
        "hard link": lambda path: path.hardlink_to(victim),
        "pipe": os.mkfifo,
        "folder": os.mkdir,
    }
    plants[how](out / "log.txt")
    assert not taken(out).exists()
    assert victim.read_text() == "a file of the host"


# --- the granted view: off the list is not without a filter ---------------------------------------------


@pytest.mark.parametrize("left", ["nothing", "fewer columns"])
@pytest.mark.parametrize("state", ["provisioning", "running"])
def test_what_an_amendment_took_off_the_list_is_shown_to_no_job_that_had_started(
    granted: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str, state: str
) -> None:
    """An entry without an item had no rows and no period to be held to: all of it would have been shown."""

    def never(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        raise AssertionError("no container may see it")

    executor = StubExecutor(tmp_path / "tasks", dict.fromkeys(TaskKind, never))
    work = Work(granted.control, executor, granted.space.places, granted.space.gate)
    granted.space.places.blobs("ag-a", "sc-a", "raw").take(iter([b"snapshotraw"]))
    granted.create("operator", "job", granted.recipe_spec(), "job-late")
    granted.act("system", "job", "job-late", "provision", granted._start("job-late"))
    if state == "running":
        granted.act("system", "job", "job-late", "run")
    need = Means.need

    def amended(means: Means, kind: str, id: str) -> Resource:
        found = need(means, kind, id)
        if kind == "scenario":
            items = [{**item, "columns": item["columns"][:1]} for item in found.status["grant"]["items"]]
            found.status["grant"]["items"] = [] if left == "nothing" else items
        return found

    monkeypatch.setattr(Means, "need", amended)
    while work.step("job/job-late"):
        pass
    ended = granted.get("job", "job-late")
    assert ended.state == "failed"
    assert ended.status["outcome"]["error"]["class"] == "COLUMN_NOT_GRANTED"
    assert executor.tasks == []


# --- two tasks at once: no file is one that both can lock -----------------------------------------------

# Every file and folder of the machine that a task may open, but for the inside of its libraries.
EACH = """
import fcntl, os, time
from pathlib import Path
def each():
    yield Path("/")
    for top in (*Path("/").iterdir(), Path("/sys/fs/cgroup")):
        below = [one for one in top.glob("*") if not (top.name == "proc" and one.name[0] in "0123456789s")]
        yield from [top, *below, *top.glob("bin/*"), *(top.glob("lib/*") if top.name == "usr" else ())]
def locked(path):
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "busy"
    except OSError:
        return "refused"
    return "held"
told = {}
seen = set()
for path in each():
    try:
        found = path.stat()
    except OSError:
        continue
    if (found.st_dev, found.st_ino) not in seen:  # one file of many names would meet its own lock
        seen.add((found.st_dev, found.st_ino))
        told.setdefault(locked(path), []).append(str(path))
"""
HOLD = EACH + "report['held'] = len(told['held'])\nopen('/out/files/begun', 'w').close()\ntime.sleep(40)\n"
LOOK = EACH + "report.update(told)\n"


@pytest.mark.engine
@pytest.mark.parametrize("name", ["bubblewrap", "docker"])
def test_a_lock_that_one_task_holds_is_not_seen_by_another(tmp_path: Path, name: str) -> None:
    """A shared inode carries thousands of bits a second from one scenario's task to another's, whose outputs
    the checker compares with the other's data only."""
    with prober_of(name, tmp_path) as prober:
        assert isinstance(prober, ProbeExecutor | BubblewrapProber)
        holder = prober.task(HOLD)
        begun = (
            (lambda: prober.inside(holder) / "files/begun")
            if isinstance(prober, BubblewrapProber)
            else (lambda: prober.root / holder.id / "out/files/begun")
        )
        thread = threading.Thread(target=prober.run, args=(holder,))
        thread.start()
        try:
            until(lambda: _there(begun), 60)
            seen = prober.run(prober.task(LOOK)).report
        finally:
            prober.stop(holder.id)
            thread.join()
    assert {"/", "/usr", "/dev", "/dev/zero", "/in"} <= set(seen["held"])
    assert seen.get("busy") is None


@pytest.mark.engine
def test_no_task_reads_how_long_the_others_waited(overrun: Callable[..., Outcome]) -> None:
    """/proc/pressure counts the stalls of the whole machine in microseconds."""
    code = "import os\ntry: report['seen'] = os.listdir('/proc/pressure')\nexcept FileNotFoundError: pass\n"
    outcome = overrun(code + "report['looked'] = True")
    assert outcome.report["looked"] is True
    assert outcome.report.get("seen", []) == []


def _there(path: Callable[[], Path]) -> bool:
    try:
        return path().exists()
    except OSError:
        return False


# --- keys: what a tool is told --------------------------------------------------------------------------


def test_the_tools_of_the_volume_are_not_told_the_master_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_KEY_OF_A_TEST", "f" * 64)
    told = volume._run("env")
    assert "PATH=" in told
    assert "f" * 64 not in told
