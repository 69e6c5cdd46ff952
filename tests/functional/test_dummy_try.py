"""``sandbox job try`` as a developer runs it: in the job's image, with no server, no account and no data."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from sandbox.cli.job_try import app
from sandbox.demo.data import HERE
from sandbox.desensitize.dummy.reserved import is_dummy

pytestmark = pytest.mark.engine
COLUMNS = ["resident_id", "birth_date", "sex", "district", "education", "occupation", "income"]


def manifest(
    folder: Path, language: str, name: str, text: str, outputs: list[dict[str, object]],
    table: str = "residents", columns: list[str] = COLUMNS,
) -> Path:  # fmt: skip
    (folder / name).write_text(text, encoding="utf-8")
    spec = {
        "scenario": "sc-a",
        "purpose": "statistics",
        "language": language,
        "entry": name,
        "files": [name],
        "inputs": [{"name": table, "entry": "ce-table", "columns": columns}],
        "outputs": outputs,
    }
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump({"kind": "job", "spec": spec}, allow_unicode=True), encoding="utf-8")
    return path


def test_the_job_of_the_demonstration_passes_and_nothing_but_dummy_data_was_there(tmp_path: Path) -> None:
    table = {"path": "income_by_county.csv", "kind": "table", "dimensions": ["district", "sex"],
             "counts": ["persons"], "measures": ["mean_income"]}  # fmt: skip
    text = (HERE / "jobs" / "income.sql").read_text(encoding="utf-8")
    path = manifest(tmp_path, "sql", "income.sql", text, [table])
    words = ["try", path, "--entry", HERE / "register.fields.yaml",
             "--keep", tmp_path / "kept", "--format", "json"]  # fmt: skip
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["report"]["verdict"], told["unmet"], told["unread"]) == ("no_objection", [], [])
    assert told["outputs"][0]["rows"] >= 20
    assert [file["recomputed"] for file in told["report"]["capacity"]["files"]] == [1]
    data = pl.read_parquet(tmp_path / "kept" / "data" / "residents.parquet")
    assert data.columns == COLUMNS
    assert all(map(is_dummy, data["resident_id"]))
    assert (
        pl.read_csv(tmp_path / "kept" / "outputs" / "income_by_county.csv").height
        == told["outputs"][0]["rows"]
    )


def test_the_python_job_of_the_demonstration_returns_rows_and_waits_for_people(tmp_path: Path) -> None:
    outputs: list[dict[str, object]] = [
        {
            "path": "affairs_by_age.csv",
            "kind": "table",
            "dimensions": ["age"],
            "counts": ["persons", "with_affair"],
        },
        {"path": "report.md", "kind": "report"},
    ]
    text = (HERE / "jobs" / "survey.py").read_text(encoding="utf-8")
    path = manifest(tmp_path, "python", "survey.py", text, outputs, "survey", ["age", "affairs"])
    words = ["try", path, "--entry", HERE / "fair.fields.yaml", "--format", "json"]
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 10, done.output
    told = json.loads(done.stdout)
    assert {one["path"]: bool(one["rows"]) for one in told["outputs"]} == {
        "affairs_by_age.csv": True,
        "report.md": False,
    }
    assert "hard" not in {finding["severity"] for finding in told["report"]["findings"]}


def test_a_job_that_puts_identifiers_out_is_rejected_as_it_would_be(tmp_path: Path) -> None:
    text = "CREATE TABLE o AS SELECT resident_id, income FROM residents LIMIT 30;"
    path = manifest(tmp_path, "sql", "o.sql", text, [{"path": "o.csv", "kind": "rows"}])
    done = CliRunner().invoke(
        app, ["try", str(path), "--entry", str(HERE / "register.fields.yaml"), "--lang", "en"]
    )
    assert done.exit_code == 20, done.output
    assert "reject" in done.stdout
    assert "o.csv: 30 rows" in done.stdout


def test_a_job_that_fails_shows_its_log_here_where_nothing_is_secret(tmp_path: Path) -> None:
    text = (HERE / "jobs" / "broken.py").read_text(encoding="utf-8")
    path = manifest(tmp_path, "python", "broken.py", text, [{"path": "o.csv", "kind": "table"}])
    words = [
        "try",
        path,
        "--entry",
        HERE / "register.fields.yaml",
        "--executor",
        "bubblewrap",
        "--lang",
        "en",
    ]
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 1, done.output
    assert "broken.py line 5, ValueError" in done.stdout
    assert "raise ValueError(sandbox_job.inputs" in done.stdout
