"""Reads the task, calls the room that does it, writes the report.

``/in/task.json`` is ``{"id", "kind", "params"}``. A room is ``run(params, inputs, out) -> report``
with ``inputs`` = ``/in`` and ``out`` = ``/out/files``. The report goes to ``/out/report.json``:

- done:             what the room says, with ``"ok": true``; exit 0
- refused:          ``{"ok": false, "code", "details"}`` from a ``SandboxError``; exit 0
- a defect of ours: ``{"ok": false, "code": "INTERNAL"}`` and nothing about the exception; exit 1

Whatever is not done leaves no file behind. Nothing is printed: DESIGN.md invariant 5.
``SANDBOX_IN`` and ``SANDBOX_OUT`` override the two roots, for tests.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.core.errors import SandboxError, fail
from sandbox.task import codes as codes  # registers the error codes
from sandbox.task.rooms import ROOMS

Room = Callable[[dict[str, Any], Path, Path], dict[str, Any]]


def room_of(kind: object) -> Room:
    """The room for ``kind``. Raises TASK_MALFORMED for a kind that is not in the table."""
    if not isinstance(kind, str) or kind not in ROOMS:
        raise fail("TASK_MALFORMED", field="kind")
    room: Room = importlib.import_module(ROOMS[kind]).run
    return room


def read_task(inputs: Path) -> tuple[str, dict[str, Any]]:
    """Kind and parameters from ``inputs/task.json``. Raises TASK_MALFORMED."""
    try:
        task = json.loads((inputs / "task.json").read_text(encoding="utf-8"))
        kind, params = task["kind"], task["params"]
    except (OSError, ValueError, KeyError, TypeError):
        raise fail("TASK_MALFORMED", field="task.json") from None
    if not isinstance(params, dict):
        raise fail("TASK_MALFORMED", field="params")
    return kind, params


def clear(folder: Path) -> None:
    """Empty ``folder``, links themselves and not what they point to."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                Path(entry.path).unlink()


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write whole or not at all. User code may have planted something under the name before."""
    partial = path.with_name(".report.partial")
    for planted in (partial, path):
        if planted.is_dir() and not planted.is_symlink():
            shutil.rmtree(planted)
        else:
            planted.unlink(missing_ok=True)
    partial.write_text(json.dumps(report, ensure_ascii=False, sort_keys=True), encoding="utf-8")
    partial.replace(path)


def main() -> int:
    """Do the task found under the roots; returns the exit status."""
    inputs = Path(os.environ.get("SANDBOX_IN", "/in"))
    out = Path(os.environ.get("SANDBOX_OUT", "/out"))
    files = out / "files"
    status = 0
    try:
        files.mkdir(parents=True, exist_ok=True)
        kind, params = read_task(inputs)
        report = room_of(kind)(params, inputs, files)
    except SandboxError as refusal:
        report = {"ok": False, "code": refusal.code, "details": refusal.details}
    except BaseException:  # a library's panic is no Exception; its text may hold a value: dropped, not logged
        report, status = {"ok": False, "code": "INTERNAL"}, 1
    if not report.get("ok"):
        clear(files)
    write_report(out / "report.json", report)
    return status
