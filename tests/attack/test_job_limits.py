"""Each limit of a job, hit by the developer's own code on the real engine: told by its own word."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.control import reports
from sandbox.executor.contract import Input, Limits, Outcome, Task, TaskKind
from sandbox.executor.docker import DockerExecutor
from sandbox.operation.job import JobSpec
from sandbox.operation.outcome import Ran, shown
from sandbox.task.log import LOG_BYTES, TITLE

pytestmark = pytest.mark.engine


@dataclass
class Ward:
    """Runs a developer's file in the job image on one small view."""

    executor: DockerExecutor
    root: Path

    def run(self, text: str, language: str = "python", **limits: Any) -> tuple[dict[str, Any], Outcome]:
        """What the submitter would be shown of it, and the outcome."""
        entry = "main.py" if language == "python" else "main.sql"
        data, code = self.root / "data", self.root / "code"
        for folder in (data, code):
            folder.mkdir(exist_ok=True)
        pq.write_table(pa.table({"n": range(1000)}), data / "numbers.parquet")
        (code / entry).write_text(text, encoding="utf-8")
        params = {"language": language, "entry": entry, "inputs": ["numbers"]}
        task = Task(
            id=f"limit-{uuid.uuid4().hex[:12]}",
            kind=TaskKind.JOB,
            image=self.executor.image(language),
            params={**params, "outputs": [{"path": "t.csv"}]},
            inputs=(Input("data", data), Input("code", code)),
            limits=Limits(
                **{
                    "seconds": 60,
                    "memory_bytes": 512 << 20,
                    "output_bytes": 8 << 20,
                    "tmp_bytes": 16 << 20,
                    "pids": 64,
                    **limits,
                }
            ),
        )
        outcome = self.executor.run(task)
        spec = JobSpec(
            scenario="sc",
            purpose="p",
            language=language,  # type: ignore[arg-type]
            entry=entry,
            code={entry: text},
            inputs=({"name": "numbers", "columns": ("n",)},),  # type: ignore[arg-type]
            outputs=({"path": "t.csv", "kind": "table"},),  # type: ignore[arg-type]
        )
        error = None if reports.good(outcome) else reports.job_error(spec, outcome)
        told = Ran.model_validate(reports.ran(outcome, error)).model_dump(mode="json")
        return shown(told), outcome


@pytest.fixture
def ward(executor: DockerExecutor, tmp_path: Path) -> Ward:
    return Ward(executor, tmp_path)


@pytest.mark.parametrize(
    ("text", "limit", "limits"),
    [
        ("import time\ntime.sleep(60)\n", "wall_clock", {"seconds": 6}),
        ("held = []\nwhile True: held.append(bytearray(16 << 20))\n", "memory", {}),
        ("import sandbox_job\nsandbox_job.output('t.csv').write_bytes(b'x' * (12 << 20))\n", "output", {}),
        ("open('/tmp/big', 'wb').write(b'x' * (24 << 20))\n", "output", {"output_bytes": 64 << 20}),
        (
            "import os, sandbox_job\n"
            "for n in range(9999): open(f'{sandbox_job.output(str(n))}', 'w').close()\n",
            "output",
            {"output_files": 20},
        ),
        ("import os, time\nwhile os.fork(): pass\ntime.sleep(9)\n", "processes", {}),
        (
            "import threading, time\n"
            "while True: threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n",
            "processes",
            {},
        ),
        ("held = [open('/dev/null') for _ in range(9999)]\n", "open_files", {}),
        (
            "import os\nfile = os.open('/tmp/big', os.O_CREAT | os.O_WRONLY)\n"
            "os.lseek(file, 1 << 40, 0)\nos.write(file, b'x')\n",
            "file_size",
            {},
        ),
    ],
    ids=["clock", "memory", "output", "tmp", "files", "forks", "threads", "descriptors", "file"],
)
def test_each_limit_has_its_word(ward: Ward, text: str, limit: str, limits: dict[str, Any]) -> None:
    seen, _ = ward.run(text, **limits)
    assert (seen["end"], seen["exit"], seen["limit"]) == ("failed", "limit", limit), seen


def test_a_query_that_needs_too_much_memory_says_so(ward: Ward) -> None:
    text = "CREATE TABLE t AS SELECT list(a.n) AS l FROM numbers a, numbers b, numbers c, range(100);"
    seen, _ = ward.run(text, "sql", memory_bytes=256 << 20)
    assert (seen["exit"], seen["limit"]) == ("limit", "memory"), seen


def test_what_was_printed_until_the_clock_ran_out_is_in_the_log(ward: Ward) -> None:
    seen, outcome = ward.run("import time\nprint('begun', flush=True)\ntime.sleep(60)\n", seconds=6)
    assert seen["limit"] == "wall_clock"
    assert outcome.log is not None
    assert outcome.log.read_text(encoding="utf-8") == f"{TITLE}begun\n"


def test_a_log_without_end_takes_no_room_from_the_outputs(ward: Ward) -> None:
    text = (
        "import sandbox_job\nfor _ in range(3000): print('x' * 1000)\n"
        "sandbox_job.output('t.csv').write_bytes(b'x' * (8 << 20))\n"
    )
    seen, outcome = ward.run(text)
    assert seen["exit"] == "ok", seen
    assert outcome.log is not None
    assert LOG_BYTES - 4096 < outcome.log.stat().st_size <= LOG_BYTES
    assert (outcome.files / "t.csv").stat().st_size == 8 << 20
    assert "xxx" not in json.dumps(outcome.report)
