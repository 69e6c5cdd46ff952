"""Inputs come into a container that already runs: they must come read-only, whatever the job tries.

The hole that was measured: a bind mount that is made read-only *after* it was made travels into a
running container in its first, writable state.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.core.errors import Unavailable
from sandbox.executor import mounts, slots
from sandbox.executor.contract import End, Input
from tests.plugins.engine import ProbeExecutor

TRY = """
import ctypes
def tried(name, what):
    try:
        what()
        report[name] = "open"
    except OSError as error:
        report[name] = error.errno
libc = ctypes.CDLL(None, use_errno=True)
def remount():
    if libc.mount(b"none", b"/in/rows", b"", 32 | 4096, None):
        raise OSError(ctypes.get_errno(), "")
tried("write", lambda: open("/in/rows/a.csv", "w").write("x"))
tried("append", lambda: open("/in/rows/a.csv", "a").write("x"))
tried("create", lambda: open("/in/rows/new", "w"))
tried("remove", lambda: os.unlink("/in/rows/a.csv"))
tried("rename", lambda: os.rename("/in/rows/a.csv", "/in/rows/b.csv"))
tried("mode", lambda: os.chmod("/in/rows/a.csv", 0o777))
tried("link", lambda: os.link("/in/rows/a.csv", "/out/files/link"))
tried("beside", lambda: open("/in/new", "w"))
tried("task", lambda: open("/in/task.json", "w"))
tried("below", lambda: open("/in/rows/below/new", "w"))
tried("execute", lambda: os.execv("/in/rows/run", ["run"]))
tried("go", lambda: os.open("/in/go", os.O_WRONLY | os.O_NONBLOCK))
tried("remount", remount)
report["read"] = open("/in/rows/a.csv").read()
report["below"] = os.listdir("/in/rows/below")
"""


def test_a_job_cannot_write_to_inputs_that_came_late(prober: ProbeExecutor, tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    (rows / "below").mkdir(parents=True)
    (rows / "a.csv").write_text("a\n")
    (rows / "run").write_text("#!/usr/bin/python3\n")
    for path in (rows, rows / "below"):
        path.chmod(0o777)  # so that only the mount stands in the way
    for path in (rows / "a.csv", rows / "run"):
        path.chmod(0o777)
    mounts.tmpfs(rows / "below", size=4096, inodes=4, uid=0)
    (rows / "below").chmod(0o777)
    (rows / "below/hidden").touch()
    try:
        outcome = prober.run(prober.task(TRY, Input("rows", rows)))
    finally:
        mounts.unmount_below(rows)
    assert outcome.end is End.SUCCEEDED
    assert outcome.report.pop("read") == "a\n"
    assert outcome.report.pop("below") == []  # a mount below a source is not shown at all
    assert "open" not in outcome.report.values()
    assert len(outcome.report) == 12
    assert (rows / "a.csv").read_text() == "a\n"


def test_an_input_that_would_come_writable_stops_the_task(
    prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The hole itself: shown first, made read-only afterwards. The look from outside sees it."""
    (tmp_path / "rows.csv").write_text("a\n")

    def late(source: Path, target: Path) -> None:
        mounts._mount(str(tmp_path / "rows.csv"), target, "", mounts.MS_BIND)
        mounts._mount("", target, "", mounts.MS_BIND | mounts.MS_REMOUNT | mounts.MS_RDONLY)

    monkeypatch.setattr(mounts, "bind_again", late)
    went: list[object] = []
    monkeypatch.setattr(slots, "go", lambda *given: went.append(given))
    with pytest.raises(Unavailable) as caught:
        prober.run(prober.task("pass", Input("rows.csv", tmp_path / "rows.csv")))
    assert caught.value.details["missing"] == "inputs_read_only"
    assert went == []
    assert prober.known() == []
