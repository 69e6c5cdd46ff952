"""Each room once in its own image on the real engine: supply -> snapshot -> view -> recipe and jobs."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from sandbox.demo import register
from sandbox.executor.contract import End, Input, Limits, Outcome, Task, TaskKind
from sandbox.executor.docker import DockerExecutor

pytestmark = pytest.mark.engine

FIELDS = yaml.safe_load(
    Path(register.__file__).with_name("register.fields.yaml").read_text(encoding="utf-8")
)["fields"]


class Rooms:
    """A register of 2,000 residents and the real executor."""

    def __init__(self, executor: DockerExecutor, root: Path) -> None:
        self.executor, self.root = executor, root
        self.people = register.generate(2000, 11)

    def run(
        self, kind: TaskKind, image: str, params: dict[str, Any], **inputs: Path
    ) -> tuple[Outcome, dict[str, Any]]:
        task = Task(
            id=f"room-{uuid.uuid4().hex[:12]}",
            kind=kind,
            image=self.executor.image(image),
            params=params,
            inputs=tuple(Input(name, path) for name, path in inputs.items()),
            limits=Limits(seconds=120, memory_bytes=1 << 30, output_bytes=64 << 20, tmp_bytes=64 << 20),
        )
        outcome = self.executor.run(task)
        return outcome, outcome.report

    def snapshot(self) -> Path:
        supply = self.root / "supply.csv"
        self.people.write_csv(supply)
        params = {
            "format": "csv",
            "fields": FIELDS,
            "entity": "resident_id",
            "sha256": hashlib.sha256(supply.read_bytes()).hexdigest(),
            "rows": 2000,
        }
        outcome, report = self.run(TaskKind.INGEST, "check", params, data=supply)
        assert (outcome.end, report["ok"], report["entities"]) == (End.SUCCEEDED, True, 2000)
        return outcome.files / "snapshot.parquet"

    def view(self, *columns: str, rows: list[dict[str, Any]] | None = None) -> Path:
        view = {"name": "residents", "source": "snapshot", "columns": list(columns), "rows": rows or []}
        outcome, report = self.run(TaskKind.VIEW, "check", {"views": [view]}, snapshot=self.snapshot())
        assert (outcome.end, report["ok"]) == (End.SUCCEEDED, True)
        return outcome.files

    def job(self, language: str, text: str, *outputs: str) -> tuple[Outcome, dict[str, Any]]:
        data = self.view("district", "income", rows=[{"column": "income", "op": ">", "value": 50_000}])
        code = self.root / f"code-{uuid.uuid4().hex[:6]}"
        code.mkdir()
        entry = "main.sql" if language == "sql" else "main.py"
        (code / entry).write_text(text)
        params = {
            "language": language,
            "entry": entry,
            "inputs": ["residents"],
            "outputs": [{"path": path} for path in outputs],
        }
        return self.run(TaskKind.JOB, language, params, data=data, code=code)


@pytest.fixture
def rooms(executor: DockerExecutor, tmp_path: Path) -> Rooms:
    return Rooms(executor, tmp_path)


def test_ingest_refuses_in_its_container(rooms: Rooms) -> None:
    supply = rooms.root / "supply.csv"
    supply.write_text("resident_id\n1\n")
    params = {"format": "csv", "fields": FIELDS, "entity": None, "sha256": "0" * 64, "rows": None}
    outcome, report = rooms.run(TaskKind.INGEST, "check", params, data=supply)
    assert (outcome.end, outcome.exit_code) == (End.SUCCEEDED, 0)
    assert report == {"ok": False, "code": "HASH_MISMATCH", "details": {}}
    assert list(outcome.files.iterdir()) == []


def test_the_view_is_the_list_and_no_more(rooms: Rooms) -> None:
    seen = pl.read_parquet(
        rooms.view("district", "income", rows=[{"column": "sex", "op": "=", "value": "女"}])
        / "residents.parquet"
    )
    granted = rooms.people.filter(pl.col("sex") == "女").select("district", "income")
    assert 0 < seen.height == granted.height < 2000
    assert seen.equals(granted)


def test_a_recipe_makes_a_product(rooms: Rooms) -> None:
    recipe = {
        "name": "residents-primary",
        "version": "1",
        "steps": [
            {"column": "resident_id", "transform": "pseudonym", "params": {"key": "k", "hash": "sm3"}},
            {"column": "birth_date", "transform": "generalise", "params": {"by": "date", "to": "year"}},
            {"column": "income", "transform": "top_code", "params": {"limit": 200_000}},
        ],
        "keep": ["district", "sex"],
    }
    anonymity = {"entity": "resident_id", "fields": FIELDS, "threshold": 10}
    params = {"recipe": recipe, "fields": FIELDS, "keys": {"k": "5a" * 32}, "anonymity": anonymity}
    outcome, report = rooms.run(TaskKind.RECIPE, "check", params, data=rooms.snapshot())
    assert (outcome.end, report["ok"], report["rows"]) == (End.SUCCEEDED, True, 2000)
    product = pl.read_parquet(outcome.files / "product.parquet")
    assert product.columns == ["resident_id", "sex", "birth_date", "district", "income"]
    assert product["resident_id"].n_unique() == 2000
    assert report["identifiers"]["before"]["resident_id"] == {"resident_id": 2000}
    assert report["identifiers"]["after"] == {}


def test_a_sql_job(rooms: Rooms) -> None:
    script = "CREATE TABLE totals AS SELECT district, count(*) AS n FROM residents GROUP BY ALL ORDER BY ALL;"
    outcome, report = rooms.job("sql", script, "totals.csv")
    assert (outcome.end, report["ok"]) == (End.SUCCEEDED, True)
    totals = pl.read_csv(outcome.files / "totals.csv")
    assert totals["n"].sum() == rooms.people.filter(pl.col("income") > 50_000).height
    assert 0 <= report["timing"]["user_start"] < 60


@pytest.mark.parametrize("library", ["pandas", "polars", "duckdb"])
def test_a_python_job(rooms: Rooms, library: str) -> None:
    means = {
        "pandas": "table.to_pandas().groupby('district')['income'].mean().reset_index()",
        "polars": "polars.from_arrow(table).group_by('district').agg(polars.mean('income')).to_pandas()",
        "duckdb": "sandbox_job.inputs('residents').aggregate('district, avg(income) AS income').df()",
    }
    script = (
        f"import {library}, sandbox_job\n"
        "table = sandbox_job.inputs('residents').to_arrow_table()\n"
        f"{means[library]}.to_csv(sandbox_job.output('means.csv'), index=False)\n"
    )
    outcome, report = rooms.job("python", script, "means.csv")
    assert (outcome.end, report["ok"]) == (End.SUCCEEDED, True), report
    means_by = rooms.people.filter(pl.col("income") > 50_000).group_by("district").agg(pl.mean("income"))
    joined = pl.read_csv(outcome.files / "means.csv").join(means_by, on="district")
    assert joined.height == means_by.height > 10
    assert (joined["income"] - joined["income_right"]).abs().max() < 1e-6  # type: ignore[operator]


@pytest.mark.parametrize(
    ("language", "text", "name", "line"),
    [
        ("python", "import sandbox_job as s\nraise KeyError(s.inputs('residents').df())\n", "KeyError", 2),
        ("python", "import sandbox_job\n\nsandbox_job.inputs('residents').df()['phone']\n", "KeyError", 3),
        ("sql", "SELECT 1;\nSELECT phone FROM residents;", "BinderException", 2),
    ],
)  # fmt: skip
def test_an_error_is_a_class_and_a_line(rooms: Rooms, language: str, text: str, name: str, line: int) -> None:
    outcome, report = rooms.job(language, text, "t.csv")
    assert outcome.end is End.SUCCEEDED
    assert report["code"] == "USER_ERROR"
    assert (report["error"]["class"], report["error"]["line"]) == (name, line)
    assert "县" not in json.dumps(report, ensure_ascii=False)
    assert list(outcome.files.iterdir()) == []


def test_an_undeclared_output_fails_the_job(rooms: Rooms) -> None:
    script = (
        "import sandbox_job\n"
        "for name in ('t.csv', '张三.csv'):\n"
        "    sandbox_job.output(name).write_text('n\\n1\\n')\n"
    )
    outcome, report = rooms.job("python", script, "t.csv")
    assert report == {"ok": False, "code": "UNDECLARED_OUTPUT", "details": {"count": 1}}
    assert list(outcome.files.iterdir()) == []
