"""The room that runs a developer's or operator's code on granted views.

Inputs ``/in/data/<name>.parquet`` (views), ``/in/code/`` (the developer's files). Params::

    {"language": "sql" | "python", "entry": "main.sql", "inputs": ["residents", ...],
     "outputs": [{"path": "totals.csv", "max_bytes": 1048576, ...}, ...]}

Returns ``{"ok": true, "outputs": [{"path", "bytes"}], "timing"}``. A job whose code fails gives
``{"ok": false, "code": "USER_ERROR", "details": {"file", "line", "cls"}, "error": {"class", "line",
"file"}, "timing"}``; its words are closed (``classes.py``), the error's text never leaves. Undeclared,
missing and too large outputs are refusals, after which nothing is kept; the name of an undeclared file
is not told, for code that has seen the data chose it.

What the code prints goes to the sealed log ``/out/log.txt`` (``log.py``). With ``"log": true`` in the
params a copy of it is the output ``log.md`` as well, and leaves or does not leave as any other.

For the control plane the whole report is hearsay: a Python job shares the container with us.
``timing`` is in seconds: ``user_start`` from the moment the task was given to the first moment of
user code, ``user_seconds`` from there to its end.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from sandbox.core.errors import fail
from sandbox.task.log import LOG_BYTES, LOG_FILE, LOG_OUTPUT, SealedLog
from sandbox.task.waiting import since_claimed

DEFAULT_BYTES = 64 << 20  # of one output, when none is declared; the container's quota stands above
OUTPUT = re.compile(r"\w[\w.-]{0,99}")
INPUT = re.compile(r"[a-z0-9_][a-z0-9_]{0,62}")
SQL_SUFFIXES = (".csv", ".parquet", ".json")


def _outputs(params: dict[str, Any], inputs: list[str]) -> dict[str, int]:
    """Declared path -> its limit in bytes. Raises OUTPUT_NAME, TASK_MALFORMED."""
    declared = params.get("outputs")
    if not isinstance(declared, list) or not declared:
        raise fail("TASK_MALFORMED", field="outputs")
    limits: dict[str, int] = {}
    for one in declared:
        path = one.get("path") if isinstance(one, dict) else None
        if not isinstance(path, str):
            raise fail("TASK_MALFORMED", field="outputs")
        taken = {name.casefold() for name in inputs} if params.get("language") == "sql" else set()
        taken |= {Path(LOG_OUTPUT).stem} if params.get("log") is True else set()
        name = PurePosixPath(path)
        if (
            not OUTPUT.fullmatch(path)
            or path in limits
            or name.stem.casefold() in taken
            or (params.get("language") == "sql" and name.suffix not in SQL_SUFFIXES)
        ):
            raise fail("OUTPUT_NAME", path=path)
        limit = one.get("max_bytes", DEFAULT_BYTES)
        if type(limit) is not int or limit < 1:
            raise fail("TASK_MALFORMED", field="max_bytes")
        limits[path] = limit
    return limits


def _inputs(params: dict[str, Any], data: Path) -> list[str]:
    names = params.get("inputs")
    if not isinstance(names, list) or not names:
        raise fail("TASK_MALFORMED", field="inputs")
    for name in names:
        if not isinstance(name, str) or not INPUT.fullmatch(name) or names.count(name) > 1:
            raise fail("TASK_MALFORMED", field="inputs")
        if not (data / f"{name}.parquet").is_file():
            raise fail("INPUT_MISSING", name=name)
    return names


def _entry(params: dict[str, Any], code: Path) -> str:
    """The entry, a regular file of the developer's and inside their folder."""
    entry = params.get("entry")
    if not isinstance(entry, str) or not entry or entry.startswith("/") or ".." in entry.split("/"):
        raise fail("TASK_MALFORMED", field="entry")
    script = code / entry
    if not script.is_file() or not script.resolve().is_relative_to(code.resolve()):
        raise fail("ENTRY_MISSING")
    return entry


def collect(out: Path, limits: dict[str, int]) -> list[dict[str, Any]]:
    """Hold what is in ``out`` to the declaration ``limits`` (path -> bytes).

    Raises UNDECLARED_OUTPUT (also for links, folders, devices and files with a second name, whatever
    they are called), MISSING_OUTPUT, OUTPUT_TOO_LARGE.
    """
    found: dict[str, int] = {}
    undeclared = 0
    with os.scandir(out) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            if entry.name in limits and stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                found[entry.name] = status.st_size
            else:
                undeclared += 1
    if undeclared:
        raise fail("UNDECLARED_OUTPUT", count=undeclared)
    for path, limit in limits.items():
        if path not in found:
            raise fail("MISSING_OUTPUT", path=path)
        if found[path] > limit:
            raise fail("OUTPUT_TOO_LARGE", path=path, limit=limit)
    return [{"path": path, "bytes": found[path]} for path in limits]


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """See the module's text. Raises the codes of ``codes.py`` but USER_ERROR, which is a report."""
    data, code = inputs / "data", inputs / "code"
    if params.get("language") not in {"sql", "python"}:
        raise fail("TASK_MALFORMED", field="language")
    names = _inputs(params, data)
    limits = _outputs(params, names)
    entry = _entry(params, code)
    log, sealed = SealedLog(out.parent / LOG_FILE), out.parent / LOG_FILE
    with contextlib.closing(log), tempfile.TemporaryDirectory(prefix="job-") as folder:
        # Imported before the clock is read: what our own libraries take is our overhead, not the user's time.
        if params["language"] == "sql":
            from sandbox.task.sql_job import run_sql

            start = since_claimed()
            error = run_sql(code, entry, data, names, list(limits), out, Path(folder), log)
        else:
            from sandbox.task.python_job import run_python

            start = since_claimed()
            error = run_python(code, entry, data, out, Path(folder), log)
        timing = {
            "user_start": round(start, 3),
            "user_seconds": round(since_claimed() - start, 3),
        }
    if error is not None:
        details = {"file": entry, "line": error["line"], "cls": error["class"]}
        return {
            "ok": False,
            "code": "USER_ERROR",
            "details": details,
            "error": error,
            "timing": timing,
        }
    if params.get("log") is True:
        # What the code put there under that name stays and is refused: nothing is written through a link.
        # A full output folder: the log is then a missing output.
        with (
            contextlib.suppress(OSError),
            (out / LOG_OUTPUT).open("xb") as copy,
            sealed.open("rb") as log_file,
        ):
            shutil.copyfileobj(log_file, copy)
        limits[LOG_OUTPUT] = LOG_BYTES
    return {"ok": True, "outputs": collect(out, limits), "timing": timing}
