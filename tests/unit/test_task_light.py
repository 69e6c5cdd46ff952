"""What a container imports before it can say that it is ready, and before it can begin, stays small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# what each of them costs a container that a task waits for, with what it brings: 3 to 40 ms of processor
HEAVY = {"dataclasses", "inspect", "pathlib", "re", "json", "subprocess", "socket", "typing", "collections"}
LATE = {"dataclasses", "inspect", "subprocess", "socket"}


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("sandbox.task.waiting, sandbox.task.rooms", HEAVY),
        ("sandbox.task.entry, sandbox.task.job, sandbox.task.python_job", LATE),
    ],
)
def test_the_way_to_a_task_imports_little(modules: str, unwanted: set[str]) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); before = set(sys.modules)\nimport {modules}\n"
    )
    code += "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) & unwanted == set()
    assert "sandbox.task" in done.stdout.split()
