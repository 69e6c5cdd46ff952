"""The room of differential privacy in its own image on the real engine."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox.executor.contract import End, Input, Limits, Outcome, Task, TaskKind
from sandbox.executor.docker import DockerExecutor

pytestmark = pytest.mark.engine

QUERY: dict[str, Any] = {
    "by": [{"column": "district", "keys": ["东城", "西城"]}],
    "where": [{"column": "age", "op": "ge", "value": 18}],
    "measures": [
        {"name": "persons", "of": "distinct"},
        {"name": "income", "of": "mean", "column": "income", "lower": 0, "upper": 1000},
        {"name": "age", "of": "quantile", "column": "age", "edges": list(range(0, 101, 5)), "at": [0.5]},
    ],
    "nano_rho": 10**9,
}


def run(executor: DockerExecutor, folder: Path, **changes: Any) -> Outcome:
    table = pl.DataFrame(
        {
            "pid": [f"p{number}" for number in range(3000)],
            "district": ["东城", "西城", "海淀"] * 1000,
            "age": [number % 90 for number in range(3000)],
            "income": [500.0] * 3000,
        }
    )
    table.write_parquet(folder / "view.parquet")
    task = Task(
        id=f"dp-{uuid.uuid4().hex[:12]}",
        kind=TaskKind.DP,
        image=executor.image("check"),
        params={
            "query": QUERY,
            "entity": "pid",
            "fields": [{"name": name} for name in ("district", "age", "income")],
            "output": "answer.parquet",
            **changes,
        },
        inputs=(Input("data", folder / "view.parquet"),),
        limits=Limits(seconds=120, memory_bytes=1 << 30, output_bytes=8 << 20, tmp_bytes=64 << 20),
    )
    return executor.run(task)


def test_a_question_is_answered_in_a_container(executor: DockerExecutor, tmp_path: Path) -> None:
    outcome = run(executor, tmp_path)
    assert (outcome.end, outcome.report["ok"], outcome.report["rows"]) == (End.SUCCEEDED, True, 2)
    assert 0 < outcome.report["dp"]["nano_rho"] <= 10**9
    found = pl.read_parquet(outcome.files / "answer.parquet")
    assert found.columns == ["district", "age", "income", "persons"]
    assert found["district"].to_list() == ["东城", "西城"]
    for row in found.rows(named=True):
        assert abs(row["persons"] - 800) < 60  # 15 standard deviations and more
        assert abs(float(row["income"]) - 500) < 60


def test_a_refusal_leaves_nothing_behind(executor: DockerExecutor, tmp_path: Path) -> None:
    outcome = run(executor, tmp_path, entity="income")
    assert outcome.report == {
        "ok": False, "code": "DP_COLUMN", "details": {"column": "income", "use": "entity"}
    }  # fmt: skip
    assert list(outcome.files.iterdir()) == []


IMPORTS = """
import warnings
warnings.simplefilter("ignore")
import sandbox_job, sklearn, diffprivlib
from diffprivlib.models import LogisticRegression
LogisticRegression(epsilon=100.0, data_norm=2.0).fit([[0.0], [1.0]] * 8, [0, 1] * 8)
versions = ",".join(sklearn.__version__.split(".")[:2])
sandbox_job.output("versions.csv").write_text(f"major,minor\\n{versions}\\n")
"""


def test_diffprivlib_works_in_the_image_that_holds_it(executor: DockerExecutor, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_text(IMPORTS)
    (tmp_path / "data").mkdir()
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "data" / "t.parquet")
    task = Task(
        id=f"dp-{uuid.uuid4().hex[:12]}",
        kind=TaskKind.JOB,
        image=executor.image("python"),
        params={
            "language": "python",
            "entry": "main.py",
            "inputs": ["t"],
            "outputs": [{"path": "versions.csv"}],
        },
        inputs=(Input("data", tmp_path / "data"), Input("code", tmp_path / "code")),
        limits=Limits(seconds=120, memory_bytes=1 << 30, output_bytes=8 << 20, tmp_bytes=64 << 20),
    )
    outcome = executor.run(task)
    assert (outcome.end, outcome.report["ok"]) == (End.SUCCEEDED, True)
    assert pl.read_csv(outcome.files / "versions.csv").row(0) < (1, 8)
