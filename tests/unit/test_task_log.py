"""The sealed log: bounded, plain text, collected apart, kept and purged with its job."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sandbox.executor.collect import collect
from sandbox.executor.contract import TaskKind
from sandbox.task.log import LOG_BYTES, LOG_FILE, TITLE, SealedLog, plain
from tests.plugins.space import OUTPUT, Scene
from tests.unit.test_work import Yard, check_room

SAID = f"{TITLE}seen 7\n"


def piped(path: Path, *pieces: bytes) -> str:
    """What stands in the log after ``pieces`` came through a pipe."""
    log = SealedLog(path)
    ours, theirs = os.pipe()
    log.drain(ours)
    for piece in pieces:
        os.write(theirs, piece)
    os.close(theirs)
    log.close()
    return path.read_text(encoding="utf-8")


def test_a_character_cut_in_two_stays_whole(tmp_path: Path) -> None:
    assert piped(tmp_path / "log", "贵".encode()[:2], "贵".encode()[2:]) == f"{TITLE}贵"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        (b"\x00\x1b[31m\x7f", "\ufffd\ufffd[31m\ufffd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("\u202e\u200b\ufeff\ue000\u2028".encode(), "\ufffd" * 5),
        ("汉字\tß\n".encode(), "汉字\tß\n"),
    ],
)
def test_it_is_plain_text(said: bytes, kept: str, tmp_path: Path) -> None:
    assert piped(tmp_path / "log", said) == TITLE + kept
    assert plain(kept) == kept


@pytest.mark.parametrize("piece", [b"x" * 1000, b"\xff" * 1000, "贵".encode() * 333, b"\x00\n" * 500])
def test_the_middle_is_dropped_and_said_to_be(piece: bytes, tmp_path: Path) -> None:
    text = piped(tmp_path / "log", b"first\n", *[piece] * 4000, b"\nlast\n")
    assert (tmp_path / "log").stat().st_size <= LOG_BYTES
    assert text.startswith(f"{TITLE}first\n")
    assert text.endswith("\nlast\n")
    assert text.count("bytes dropped") == 1


def test_what_is_not_too_much_is_kept_whole(tmp_path: Path) -> None:
    lines = "".join(f"{n:07d}\n" for n in range((LOG_BYTES - 2000) // 8)).encode()
    text = piped(tmp_path / "log", *(lines[at : at + 4096] for at in range(0, len(lines), 4096)))
    assert "dropped" not in text
    assert text == TITLE + lines.decode()


def test_what_was_said_is_there_before_the_end(tmp_path: Path) -> None:
    log = SealedLog(tmp_path / "log")
    log.say("begun")
    assert (tmp_path / "log").read_text(encoding="utf-8") == f"{TITLE}begun\n"  # a killed job leaves it
    log.close()


def test_a_full_disk_ends_the_log_and_not_the_job(tmp_path: Path) -> None:
    log = SealedLog(tmp_path / "log")
    os.close(log._file)
    log._file = os.open("/dev/full", os.O_WRONLY)
    log.say("lost")
    log.close()


# --- collected


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out/files").mkdir(parents=True)
    (tmp_path / "collected").mkdir()
    return tmp_path / "out"


def taken(out: Path) -> bytes | None:
    collect(out, out.parent / "collected/files", max_bytes=10, max_files=10)
    log = out.parent / "collected" / LOG_FILE
    return log.read_bytes() if log.exists() else None


def test_the_log_is_taken_beside_the_files_and_beyond_their_quota(out: Path) -> None:
    (out / LOG_FILE).write_bytes(b"x" * 100)
    assert taken(out) == b"x" * 100
    assert list((out.parent / "collected/files").iterdir()) == []


def test_a_log_that_is_too_long_is_cut(out: Path) -> None:
    (out / LOG_FILE).write_bytes(b"a" * (LOG_BYTES * 8))
    assert taken(out) == b"a" * LOG_BYTES


def test_a_log_that_is_no_file_of_its_own_is_left_behind(out: Path) -> None:
    (out / "target").write_text("not the log")
    (out / LOG_FILE).symlink_to(out / "target")
    assert taken(out) is None
    (out.parent / "collected/files").rmdir()
    (out / LOG_FILE).unlink()
    (out / "other").write_text("x")
    os.link(out / "other", out / LOG_FILE)
    assert taken(out) is None
    (out.parent / "collected/files").rmdir()
    (out / LOG_FILE).unlink()
    os.mkfifo(out / LOG_FILE)
    assert taken(out) is None


# --- kept, proposed, purged


def saying(report: dict[str, Any], *, text: str = SAID) -> Any:
    """A job's room that leaves a sealed log."""

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        (out.parent / LOG_FILE).write_text(text, encoding="utf-8")
        if report["ok"]:
            (out / "out.csv").write_text(OUTPUT, encoding="utf-8")
            if params["log"]:
                (out / "log.md").write_text(text, encoding="utf-8")
        return report

    return room


FAILED = {"ok": False, "code": "USER_ERROR", "error": {"class": "KeyError", "line": 1}}


@pytest.fixture
def yard(granted: Scene, tmp_path: Path) -> Yard:
    made = Yard(granted, tmp_path / "tasks")
    made.executor.rooms[TaskKind.JOB] = saying(FAILED)
    return made


def logs(yard: Yard) -> list[str]:
    names: list[str] = yard.blobs("log").names()
    return names


def test_a_log_is_kept_by_its_hash_and_not_swept(yard: Yard) -> None:
    job = yard.job()
    log = job.status["outcome"]["log"]
    assert (job.state, log["bytes"]) == ("failed", len(SAID.encode()))
    assert logs(yard) == [log["sha256"]]
    assert yard.work.leftovers.sweep() == []
    orphan, _ = yard.blobs("log").take(iter([b"nobody's"]))
    assert yard.work.leftovers.sweep() == [f"log/{orphan}"]
    assert yard.blobs("log").verified(log["sha256"]).read_text(encoding="utf-8") == SAID


def test_a_log_goes_with_its_job_unless_another_one_said_the_same(yard: Yard) -> None:
    yard.job()
    spec = {"language": "python", "entry": "main.py", "code": {"main.py": "a = 1"}}
    yard.scene.create("developer", "job", yard.scene.job_spec(**spec), "job-b")
    yard.run("job/job-b")
    for id, left in (("job-a", 1), ("job-b", 0)):
        yard.scene.act("system", "job", id, "purge", {"cause": "lapse"})
        assert yard.run(f"job/{id}").state == "purged"
        assert len(logs(yard)) == left


def test_a_failed_job_is_purged_when_nobody_claims_its_log(yard: Yard) -> None:
    yard.job()
    days = int(yard.scene.control.policy.get("quarantine.purge_days"))
    yard.scene.clock.move(days=days - 1)
    yard.scene.control.tick()
    assert yard.scene.state("job", "job-a") == "failed"
    yard.scene.clock.move(days=2)
    yard.scene.control.tick()
    assert yard.run("job/job-a").state == "purged"
    assert logs(yard) == []


def test_the_log_of_a_failed_job_is_what_the_checker_is_given(yard: Yard) -> None:
    yard.job()
    yard.scene.act("developer", "job", "job-a", "propose_log")
    assert yard.work.leftovers.sweep() == []
    seen: list[dict[str, Any]] = []

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        files = {path.name: path.read_text(encoding="utf-8") for path in (inputs / "outputs").iterdir()}
        seen.append({"files": files, "declared": params["declared"]})
        (out / "verdict.json").write_text(json.dumps({}))
        return {"ok": True}

    yard.executor.rooms[TaskKind.CHECK] = room
    assert yard.request().state == "auto_rejected"
    assert seen[0]["files"] == {"log.md": SAID}
    assert [(one["path"], one["kind"]) for one in seen[0]["declared"]] == [("log.md", "report")]


def test_a_declared_log_is_staged_among_the_outputs(yard: Yard) -> None:
    yard.executor.rooms |= {TaskKind.JOB: saying({"ok": True}), TaskKind.CHECK: check_room}
    job = yard.job(log=True)
    assert [one["path"] for one in job.status["outputs"]] == ["out.csv", "log.md"]
    assert len(yard.blobs("staging").names()) == 2
    yard.executor.rooms[TaskKind.JOB] = saying({"ok": True})
    spec = {"language": "python", "entry": "main.py", "code": {"main.py": "a = 2"}}
    yard.scene.create("developer", "job", yard.scene.job_spec(**spec), "job-b")
    assert [one["path"] for one in yard.run("job/job-b").status["outputs"]] == ["out.csv"]
