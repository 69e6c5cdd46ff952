"""Runs a developer's Python file, as a process of its own: ``python child.py REPORT_FD ORDER_FD``.

It imports what most jobs use until its order comes, a JSON object with the folder of the code, the
entry in it, the working folder and what to add to the environment.

A script and not a module: it imports nothing of ours, so that the code it runs meets a plain
interpreter. On an error it writes ``{"class", "line"}`` to the inherited descriptor, which the parent
holds to a closed vocabulary (``classes.py``); the error's text goes to the sealed log and nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import importlib.util
import json
import os
import runpy
import select
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any


def line_in(entry: str, error: BaseException, trace: TracebackType | None) -> int | None:
    """The deepest line of ``entry`` that the error went through, or None."""
    if isinstance(error, SyntaxError) and error.filename == entry:
        return error.lineno
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == entry:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


# errno -> the limit that was hit, in the words of classes.LIMITS
LIMITS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EMFILE: "too_many_files",
    errno.ENFILE: "too_many_files",
    errno.EFBIG: "SIGXFSZ",
}


def limit_of(error: BaseException) -> str | None:
    """The limit that an error of the operating system tells of; a fork or thread too many is one as well."""
    if isinstance(error, BlockingIOError) or (
        isinstance(error, RuntimeError) and str(error) == "can't start new thread"
    ):
        return "too_many_processes"
    return LIMITS.get(error.errno or 0) if isinstance(error, OSError) else None


def provide(name: str, file: Path) -> None:
    """Make ``import name`` give ``file`` without putting its folder, and so its neighbours, on the path."""
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


AHEAD = ("duckdb", "numpy", "pyarrow")  # absent from the image: not imported


def wait(descriptor: int) -> dict[str, Any]:
    """The order; its folder and environment are in force. Nobody orders any more: SystemExit."""
    ordered = select.poll()
    ordered.register(descriptor, select.POLLIN)
    for name in AHEAD:
        if ordered.poll(0):
            break  # the code imports what it needs; what it does not need it shall not wait for
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with open(descriptor, "rb") as file:
        text = file.read()
    if not text:
        raise SystemExit(1)
    order: dict[str, Any] = json.loads(text)
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    return order


def main(descriptor: int, ordered: int) -> int:
    """Exit status 0, or 1 when the code raised."""
    order = wait(ordered)
    code, entry = order["code"], order["entry"]
    provide("sandbox_job", Path(__file__).with_name("sandbox_job.py"))
    sys.path[0] = code
    sys.argv = [entry]
    os.set_inheritable(descriptor, False)
    script = str(Path(code, entry))
    try:
        runpy.run_path(script, run_name="__main__")
    except BaseException as error:  # SystemExit and KeyboardInterrupt are ends like any other
        if isinstance(error, SystemExit) and error.code in (None, 0):
            return 0
        with contextlib.suppress(Exception):  # the code may have closed or replaced its streams
            traceback.print_exception(error)  # into the sealed log
        told = {
            "class": limit_of(error) or type(error).__name__,
            "line": line_in(script, error, error.__traceback__),
        }
        os.write(descriptor, json.dumps(told).encode()[:4096])
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2])))
