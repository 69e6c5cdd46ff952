"""Invariant 1: no process of the control plane has a library on its path that opens a row of data.

The import contracts read the code; this runs it. Every package that is not named here counts as
control plane, so a new one is covered from its first day.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA_PLANE = {"task", "workspace", "desensitize", "egress", "pii"}
NEITHER = {
    "demo"
}  # makes the data sets that the demonstration brings along, then acts through the public API
GATE = "sandbox.egress.gate"  # the control plane's end of the egress package

_PROGRAM = """
import importlib, json, pkgutil, sys
OPENS_ROWS = {"duckdb", "polars", "pyarrow", "pandas", "numpy"}
blame = {}
def load(name):
    before = OPENS_ROWS & set(sys.modules)
    module = importlib.import_module(name)
    if new := OPENS_ROWS & set(sys.modules) - before:
        blame[name] = sorted(new)
    for found in pkgutil.iter_modules(getattr(module, "__path__", []), name + "."):
        if not found.name.endswith(("__main__", ".migrations")):
            load(found.name)
for name in sys.argv[1:]:
    load(name)
print(json.dumps(blame))
"""


def blame(*names: str) -> dict[str, list[str]]:
    """The modules of the packages ``names`` whose import loads a library that opens rows, and which."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_the_control_plane_loads_nothing_that_opens_rows() -> None:
    folders = {path.parent.name for path in (ROOT / "sandbox").glob("*/__init__.py")}
    packages = [f"sandbox.{name}" for name in sorted(folders - DATA_PLANE - NEITHER)]
    assert {"sandbox.core", "sandbox.store", "sandbox.control"} <= set(packages)
    assert blame(*packages, GATE) == {}


def test_the_test_would_notice() -> None:
    assert set(blame("sandbox.workspace")) != set()
