"""What a task must look like, and what is taken from its output."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.core.errors import Invalid
from sandbox.executor import folders, mounts
from sandbox.executor.collect import Collector, collect, decent, read_report
from sandbox.executor.contract import End, Input, Limits, Outcome, Task, TaskKind
from sandbox.executor.folders import TaskFolder

IMAGE = f"sha256:{'a' * 64}"
TASK = Task("some-task", TaskKind.JOB, IMAGE, {"a": "值"})


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"id": "no"}, "id"),
        ({"id": "../../etc"}, "id"),
        ({"id": "UPPER"}, "id"),
        ({"id": "x" * 81}, "id"),
        ({"image": "python:3.11"}, "image"),
        ({"image": "sandbox/job:current"}, "image"),
        ({"image": f"sha256:{'A' * 64}"}, "image"),
        ({"limits": Limits(seconds=0)}, "limits"),
        ({"limits": Limits(seconds=float("nan"))}, "limits"),
        ({"limits": Limits(memory_bytes=-1)}, "limits"),
        ({"limits": Limits(cpus=float("inf"))}, "limits"),
        ({"inputs": (Input("../x", Path("/")),)}, "inputs"),
        ({"inputs": (Input("..", Path("/")),)}, "inputs"),
        ({"inputs": (Input("task.json", Path("/")),)}, "inputs"),
        ({"inputs": (Input("a", Path("/")), Input("a", Path("/")))}, "inputs"),
        ({"labels": {"sandbox.slot": "another"}}, "labels"),
        ({"inputs": (Input("go", Path("/")),)}, "inputs"),
        ({"params": {"x": float("nan")}}, "params"),
        ({"params": {"x": object()}}, "params"),
    ],
)
def test_a_malformed_task_is_refused(change: dict[str, Any], what: str) -> None:
    with pytest.raises(Invalid) as caught:
        folders.check(replace(TASK, **change))
    assert caught.value.code == "TASK_INVALID"
    assert caught.value.details["what"] == what


def test_a_task_as_the_contract_says_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    (tmp_path / "data/rows.csv").write_text("a")
    folders.check(replace(TASK, inputs=(Input("data", tmp_path / "data"),)))
    assert json.loads(folders.document(TASK)) == {"id": "some-task", "kind": "job", "params": {"a": "值"}}


def test_an_input_that_a_task_s_user_could_not_read_is_refused(tmp_path: Path) -> None:
    def why(path: Path) -> str:
        with pytest.raises(Invalid) as caught:
            folders.check(replace(TASK, inputs=(Input("data", path),)))
        assert caught.value.code == "INPUT_UNREADABLE"
        return str(caught.value.details["why"])

    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "rows.csv").write_text("a")
    assert why(Path("data")) == "not absolute"
    assert why(tmp_path / "none") == "absent"
    (folder / "rows.csv").chmod(0o600)
    assert why(folder) == "o+rX"
    assert why(folder / "rows.csv") == "o+rX"
    (folder / "rows.csv").chmod(0o644)
    folder.chmod(0o700)
    assert why(folder) == "o+rX"
    folder.chmod(0o755)
    (folder / "link").symlink_to("/etc/shadow")
    assert why(folder) == "not a regular file or folder"


def test_an_outcome_is_kept_whole(tmp_path: Path) -> None:
    folder = TaskFolder(tmp_path, "some-task")
    folder.path.mkdir()
    outcome = Outcome(End.FAILED, 3, 1.5, folder.files, {"a": [1]}, 2.5, "f" * 64, {"x": 1}, {"name": 2})
    assert folder.outcome() is None
    folder.note_outcome(outcome)
    assert TaskFolder(tmp_path, "some-task").outcome() == outcome
    assert [path.name for path in folder.path.iterdir()] == ["outcome.json"]


def test_one_at_a_time_decides_also_across_a_discard(tmp_path: Path) -> None:
    folder = TaskFolder(tmp_path, "some-task")
    inside, order = threading.Event(), []

    def second() -> None:
        inside.wait()
        with TaskFolder(tmp_path, "some-task").lock():
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with folder.lock():
        inside.set()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert list((tmp_path / folders.LOCKS).iterdir()) == []


def test_mounts_are_read_only_hardened_and_found_whatever_their_name(tmp_path: Path) -> None:
    source = tmp_path / "source with space"
    target = tmp_path / "target 目录 \\ tab\t"
    (source / "below").mkdir(parents=True)
    target.mkdir()
    (source / "a").write_text("1")
    mounts.tmpfs(source / "below", size=4096, inodes=4, uid=12345)
    try:
        mounts.bind_read_only(source, target)
        assert (target / "a").read_text() == "1"
        for name in ("a", "below/new"):
            with pytest.raises(OSError, match="Read-only"):
                (target / name).write_text("2")
        flags = os.statvfs(target).f_flag
        assert flags & os.ST_RDONLY
        assert flags & os.ST_NOSUID
        assert flags & os.ST_NODEV
        assert flags & os.ST_NOEXEC
        assert (source / "below").stat().st_uid == 12345
        assert set(mounts.mounted_below(tmp_path)) == {target, source / "below"}
    finally:
        mounts.unmount_below(tmp_path)
    assert mounts.mounted_below(tmp_path) == []
    assert list(target.iterdir()) == []


def test_a_mount_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none") as caught:
        mounts.bind_read_only(tmp_path / "none", tmp_path / "none")
    assert caught.value.errno == 2


@pytest.mark.parametrize("name", ["result.csv", "结果-2026.csv", "a b", "x" * 200])
def test_decent_names(name: str) -> None:
    assert decent(name)


@pytest.mark.parametrize(
    "name", [".hidden", "a\nb", "a\x00b", "\u202egnp", "\ufeffa", "\udcff", "x" * 201, "\ue000", "é" * 101]
)
def test_indecent_names(name: str) -> None:
    assert not decent(name)


def test_without_its_folder_nothing_is_collected(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/files").symlink_to("/etc")
    report, skipped = collect(tmp_path / "out", tmp_path / "got", max_bytes=10, max_files=10)
    assert (report, skipped) == ({}, {"no_files_folder": 1})
    assert list((tmp_path / "got").iterdir()) == []


def test_quotas_are_exact(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in "abc":
        (source / name).write_bytes(b"12345")
    handle = os.open(source, os.O_RDONLY)
    exact, short, few = Collector(15, 3), Collector(14, 3), Collector(15, 2)
    for number, collector in enumerate((exact, short, few)):
        collector.tree(handle, tmp_path / f"got-{number}")
    os.close(handle)
    assert dict(exact.skipped) == {}
    assert dict(short.skipped) == dict(few.skipped) == {"over_quota": 1}
    assert {oct(p.stat().st_mode & 0o777) for p in (tmp_path / "got-0").iterdir()} == {"0o644"}


@pytest.mark.parametrize(
    ("text", "report"),
    [
        ('{"ok": true, "n": "\\u4e2d"}', {"ok": True, "n": "中"}),
        ("[]", {}),
        ("not json", {}),
        ('{"a": NaN}', {}),
        ('{"a": Infinity}', {}),
        ('{"a": "\\u0000"}', {}),
        ('{"a": "\\ud800"}', {}),
        ("[" * 100_000, {}),
        ('{"a": ' + "9" * 5000 + "}", {}),
    ],
)
def test_a_report_is_a_storable_object_or_nothing(tmp_path: Path, text: str, report: dict[str, Any]) -> None:
    (tmp_path / "report.json").write_text(text)
    handle = os.open(tmp_path, os.O_RDONLY)
    assert read_report(handle) == report
    os.close(handle)


def test_pipes_and_vanished_bytes_do_not_hold_up_the_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    os.mkfifo(source / "pipe")
    (source / "short").write_bytes(b"12345")
    handle = os.open(source, os.O_RDONLY)
    monkeypatch.setattr(os, "read", lambda *_: b"")  # as if the file had been cut after it was measured
    collector = Collector(10, 10)
    collector.tree(handle, tmp_path / "got")
    os.close(handle)
    assert dict(collector.skipped) == {"not_regular": 1}
    assert (tmp_path / "got/short").read_bytes() == b""
