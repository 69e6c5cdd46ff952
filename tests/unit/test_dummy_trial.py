"""``sandbox job try`` without an engine: what it reads, what it refuses, what it makes of what a step
says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from sandbox.cli import job_try, job_try_run
from sandbox.cli.job_try import app, job_of, sources, status
from sandbox.cli.job_try_run import Bench, Source, Trial, described, raws_of, rows_of
from sandbox.core.errors import fail
from sandbox.demo.data import HERE
from sandbox.executor.contract import End, Outcome
from sandbox.policy import load_profile
from tests.refusal import refused

SPEC: dict[str, Any] = {
    "scenario": "sc-a",
    "purpose": "statistics",
    "language": "sql",
    "entry": "m.sql",
    "code": {"m.sql": "CREATE TABLE o AS SELECT sex, count(*) AS n FROM residents GROUP BY sex;"},
    "inputs": [{"name": "residents", "entry": "ce-residents", "columns": ["resident_id", "sex", "income"]}],
    "outputs": [{"path": "o.csv", "kind": "table", "dimensions": ["sex"], "counts": ["n"]}],
}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A manifest; ``over`` changes its spec, ``beside`` stands beside it."""

    def made(over: dict[str, Any] | None = None, **beside: Any) -> Path:
        path = tmp_path / "job.yaml"
        document = {"kind": "job", "spec": {**SPEC, **(over or {})}, **beside}
        path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        return path

    return made


@pytest.fixture
def entries(tmp_path: Path) -> Path:
    described = yaml.safe_load((HERE / "register.fields.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "entries.yaml"
    document = {
        "kind": "catalogue-entry",
        "id": "ce-residents",
        "spec": {**described, "sensitive_group": True},
    }
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def tried(*words: object) -> Result:
    return CliRunner().invoke(app, ["try", *map(str, words), "--lang", "en"])


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "MALFORMED": ({"language": "perl"}, {}),
    "TRY_LANGUAGE": ({"language": "recipe", "recipe": {}}, {}),
    "ENTRY_MISSING": ({"entry": "other.sql"}, {}),
    "MISSING_FIELD": ({"outputs": []}, {}),
    "SQL_STATEMENT": ({"code": {"m.sql": "DROP TABLE residents"}}, {}),
    "SQL_FUNCTION": ({"code": {"m.sql": "SELECT * FROM read_csv('a')"}}, {}),
    "TRY_HINTS": ({}, {"try": {"speed": 3}}),
    "TRY_COLUMN": (
        {"inputs": [{"name": "residents", "entry": "ce-residents", "columns": ["shoe_size"]}]},
        {},
    ),
    "FILE_UNREADABLE": ({"files": ["absent.sql"]}, {}),
}


@pytest.mark.parametrize("code", REFUSED)
def test_refused_before_anything_is_started(
    code: str, write: Write, entries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_try, "executor_at", lambda root, name: _Refuses())
    over, beside = REFUSED[code]
    done = tried(write(over, **beside), "--entry", entries)
    assert done.exit_code == 2, done.output
    assert code in done.stderr


@pytest.mark.parametrize(
    "hints",
    [
        [],
        {"entries": []},
        {"columns": {"residents": 3}},
        {"columns": {"residents": {"sex": {"values": ["x"]}}}},
    ],
)
def test_hints_that_say_something_else_are_refused(hints: object, write: Write) -> None:
    with refused("TRY_HINTS"):
        job_of(write(**{"try": hints}))


def test_a_manifest_without_a_job_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: scenario\n")
    with refused("MALFORMED"):
        job_of(tmp_path / "a.yaml")


def test_an_input_without_an_entry_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_URL", raising=False)
    done = tried(write())
    assert (done.exit_code, "TRY_ENTRY" in done.stderr) == (2, True)


def test_entries_that_are_none_are_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text("spec: {fields: [{name: a}]}\n")
    done = tried(write(), "--entry", tmp_path / "e.yaml")
    assert (done.exit_code, "MALFORMED" in done.stderr) == (2, True)


def test_what_is_kept_overwrites_nothing(write: Write, entries: Path, tmp_path: Path) -> None:
    done = tried(write(), "--entry", entries, "--keep", tmp_path)
    assert (done.exit_code, "FILE_UNREADABLE" in done.stderr) == (2, True)


def test_entries_are_found_by_hint_entry_product_name_or_as_the_only_one(write: Write, entries: Path) -> None:
    def found(over: dict[str, Any], hints: dict[str, Any]) -> str:
        return sources(job_of(write(over))[0], entries, hints)["residents"].id

    named = {"inputs": [{"name": "residents", "product": "pr-1", "columns": ["sex"]}]}
    assert found({}, {}) == found(named, {}) == "ce-residents"
    assert found(named, {"entries": {"residents": "ce-residents"}}) == "ce-residents"
    with refused("TRY_ENTRY"):
        found({}, {"entries": {"residents": "ce-other"}})


def test_the_server_describes_entries_and_products(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {
        "entity": "id_no",
        "sensitive_group": True,
        "fields": [
            {
                "name": "id_no",
                "type": "string",
                "role": "identifier",
                "title_zh": "身份证号",
                "title_en": "id",
            },
            {"name": "born", "type": "date", "role": "quasi", "title_zh": "出生日期", "title_en": "born"},
        ],
    }
    product = {
        "lineage": {"entries": ["ce-1"]},
        "columns": [
            {"name": "person", "type": "string", "source": "id_no", "transforms": ["pseudonym"]},
            {"name": "born", "type": "date", "source": "born", "transforms": []},
        ],
    }

    def get(_: object, path: str) -> dict[str, Any]:
        return {"spec": {"/v1/product/pr-1": product, "/v1/catalogue-entry/ce-1": entry}[path]}

    monkeypatch.setenv("SANDBOX_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("sandbox.cli.client.Client.get", get)
    over = {
        "inputs": [
            {"name": "a", "product": "pr-1", "columns": ["person", "born"]},
            {"name": "b", "entry": "ce-1", "columns": ["id_no"]},
        ]
    }
    found = sources(job_of(write(over))[0], None, {})
    assert (found["a"].entity, found["a"].sensitive_group, found["b"].entity) == ("person", True, "id_no")
    assert found["a"].fields == [
        {"role": "identifier", "name": "person", "type": "string"},
        {"role": "quasi", "title_zh": "出生日期", "title_en": "born", "name": "born", "type": "date"},
    ]


def test_hints_add_to_the_catalogue_and_the_check_is_told_the_roles(write: Write, entries: Path) -> None:
    hints = {"columns": {"residents": {"sex": {"code_list": ["男", "女", "未说明"]}}}}
    spec, read = job_of(write(**{"try": hints}))
    found = sources(spec, entries, read)
    (table,) = described(spec, found, read)
    assert (table["name"], table["source"], table["entity"]) == ("residents", "ce-residents", "resident_id")
    assert [one["name"] for one in table["fields"]] == ["resident_id", "sex", "income"]
    assert table["fields"][1]["code_list"] == ["男", "女", "未说明"]
    (raw,) = raws_of(spec, found)
    assert (raw["entity"], raw["quasi"], raw["sensitive"]) == ("resident_id", ["sex"], ["income"])
    assert (raw["identifiers"], raw["sensitive_group"]) == (["resident_id"], True)
    assert raw["flags"]["income"] == ["personal", "sensitive_personal"]


@pytest.mark.parametrize(
    ("name", "body", "rows"),
    [
        ("a.csv", 'n\n1\n"2\n3"\n\n', 2),
        ("a.csv", "n\n", 0),
        ("a.json", '[{"n": 1}]', 1),
        ("a.json", "{", None),
        ("a.md", "x", None),
    ],
)
def test_rows_of_an_output(name: str, body: str, rows: int | None, tmp_path: Path) -> None:
    (tmp_path / name).write_text(body)
    assert rows_of(tmp_path / name) == rows


class _Refuses:
    """An executor whose tasks end as it is told."""

    def __init__(self, end: End = End.FAILED, report: dict[str, Any] | None = None) -> None:
        self.end, self.report = end, report or {}
        self.discarded: list[str] = []

    def run(self, task: Any) -> Outcome:
        files = Path("/nowhere/files")
        return Outcome(self.end, 1, 0.1, files, self.report, 0.0, "", {})

    def image(self, name: str) -> str:
        return f"sha256:{'0' * 64}"

    def discard(self, task_id: str) -> None:
        self.discarded.append(task_id)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("executor", "code"),
    [
        (_Refuses(), "TRY_FAILED"),
        (_Refuses(End.TIMED_OUT, {"ok": False, "code": "INTERNAL"}), "TRY_FAILED"),
        (
            _Refuses(End.SUCCEEDED, {"ok": False, "code": "DUMMY_PARAMS", "details": {"field": "rows"}}),
            "DUMMY_PARAMS",
        ),
    ],
)
def test_a_step_that_did_not_end_well_is_no_result(
    executor: Any, code: str, write: Write, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, executor, load_profile("national"), job_of(write())[0])
    with refused(code):
        bench.dummy({})
    assert len(executor.discarded) == 1
    with refused(code):
        bench.check([])


def test_a_job_that_failed_is_a_result_in_the_words_of_a_space(write: Write, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    details = {"file": "m.sql", "line": 1, "cls": "BinderException"}
    executor: Any = _Refuses(End.SUCCEEDED, {"ok": False, "code": "USER_ERROR", "details": details})
    failure, log = Bench(tmp_path, executor, load_profile("national"), job_of(write())[0]).job()
    assert (failure["code"], failure["line"], log) == ("USER_ERROR", 1, "")
    assert "BinderException" in failure["message_en"]
    assert (tmp_path / "code" / "m.sql").read_text() == SPEC["code"]["m.sql"]
    executor.end, executor.report = End.OUT_OF_MEMORY, {}
    assert Bench(tmp_path, executor, load_profile("national"), job_of(write())[0]).job()[0] == {
        "code": "out_of_memory",
        "end": "out_of_memory",
    }


VERDICT = {"verdict": "hold", "findings": [], "rules": [], "capacity": {}}


@pytest.mark.parametrize(
    ("rows", "report", "code"),
    [
        (5, {**VERDICT, "verdict": "no_objection"}, 0),
        (5, VERDICT, 10),
        (0, VERDICT, 1),
        (None, VERDICT, 10),
        (5, None, 1),
    ],
)
def test_exit_codes(rows: int | None, report: dict[str, Any] | None, code: int) -> None:
    outputs = [{"path": "o.csv", "bytes": 3, "rows": rows}]
    assert status(Trial("docker", [], [], [], outputs, report=report)) == code


def test_what_is_said_names_empty_outputs_and_unmet_conditions(
    write: Write, entries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Trial(
        "docker", [{"name": "residents", "rows": 9}], ["(x > 5)"], ["(y > z)"],
        [{"path": "o.csv", "bytes": 3, "rows": 0}], report=VERDICT,
    )  # fmt: skip
    monkeypatch.setattr(job_try, "run", lambda *_: made)
    done = tried(write(), "--entry", entries)
    assert done.exit_code == 1
    for words in ("residents 9 rows", "(x > 5)", "(y > z)", "Output o.csv has no rows", "from dummy data"):
        assert words in done.stdout
    told = json.loads(tried(write(), "--entry", entries, "--format", "json").stdout)
    assert (told["unmet"], told["outputs"][0]["rows"]) == (["(x > 5)"], 0)


def test_without_an_engine_bubblewrap_is_asked_and_what_it_lacks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class There:
        def guarantees(self) -> None: ...

    class Gone:
        def guarantees(self) -> None:
            raise fail("ENGINE_UNREACHABLE", socket="x")

    found: dict[str, Any] = {"docker": Gone(), "bubblewrap": There()}
    monkeypatch.delenv("SANDBOX_EXECUTOR", raising=False)
    monkeypatch.setattr(
        "sandbox.executor.choose.executor_for", lambda root, name=None: found[name or "docker"]
    )
    assert job_try_run.executor_at(tmp_path, None) is found["bubblewrap"]
    assert job_try_run.executor_at(tmp_path, "docker") is found["docker"]
    found["bubblewrap"] = Gone()
    with refused("ENGINE_UNREACHABLE"):
        job_try_run.executor_at(tmp_path, None)


def test_a_source_is_what_the_catalogue_says() -> None:
    assert Source("ce-1", [], None).sensitive_group is False
