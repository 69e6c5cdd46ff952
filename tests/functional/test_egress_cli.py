"""`sandbox egress check` as a user runs it, and the room behind task kind ``check``."""

import json
import subprocess
import sys
from contextlib import nullcontext
from html.parser import HTMLParser

import polars as pl
import pytest
from typer.testing import CliRunner

from sandbox.cli.egress import app
from sandbox.core.errors import SandboxError, fail
from sandbox.egress.task import run

BARE = ["--isolation", "none"]


@pytest.fixture
def cli():
    return lambda *arguments: CliRunner().invoke(app, ["check", *map(str, arguments)])


@pytest.fixture
def clean(persons, tmp_path):
    path = tmp_path / "clean.csv"
    persons.group_by("district", "sex").agg(n=pl.len()).write_csv(path)
    return path


@pytest.fixture
def raw(persons_file):
    return [
        "--raw", f"persons={persons_file}", "--entity", "persons=id_no",
        "--quasi", "persons=district,sex,age", "--sensitive", "persons=disease",
        "--identifier", "persons=name,phone",
    ]  # fmt: skip


def test_exit_codes_and_json_on_stdout(cli, clean, raw, persons, tmp_path):
    fine = cli(clean, *raw, *BARE)
    body = json.loads(fine.stdout)
    assert (fine.exit_code, body["verdict"], body["findings"]) == (0, "no_objection", [])
    assert "--isolation none" in fine.stderr
    assert body["policy"].startswith("national@")
    held = cli(clean, *BARE)
    assert (held.exit_code, json.loads(held.stdout)["verdict"]) == (10, "hold")
    leak = tmp_path / "leak.csv"
    persons.select("id_no").head(3).write_csv(leak)
    rejected = cli(leak, *raw, *BARE)
    assert (rejected.exit_code, json.loads(rejected.stdout)["verdict"]) == (20, "reject")


@pytest.mark.parametrize(
    "arguments",
    [
        ["absent.csv"],
        ["--raw", "noequals"],
        ["--raw", "p=a", "--entity", "q=c"],
        ["--raw", "p=absent.parquet"],
        ["--profile", "absent"],
        ["--declared", "absent.json"],
        ["--format", "pdf"],
    ],
)
def test_usage_errors(cli, clean, arguments):
    result = cli(clean, *arguments, *BARE)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_a_wrong_column_is_named(cli, clean, persons_file):
    result = cli(clean, "--raw", f"p={persons_file}", "--entity", "p=absent", "--lang", "en", *BARE)
    assert result.exit_code == 2
    assert "EGRESS_RAW_COLUMN" in result.stderr
    assert "absent" in result.stderr


def test_a_broken_checker_is_exit_3_without_its_text(cli, clean, monkeypatch):
    def broken(*_):
        raise ValueError("110101199003077475")

    monkeypatch.setattr("sandbox.egress.check.check", broken)
    result = cli(clean, *BARE)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "110101199003077475" not in result.stderr


def test_without_an_engine_nothing_is_parsed_in_its_place(cli, clean, monkeypatch):
    def no_engine(self, name):
        raise fail("ENGINE_UNREACHABLE", engine="x", why="x")

    monkeypatch.setattr("sandbox.executor.docker.DockerExecutor.image", no_engine)
    result = cli(clean)
    assert (result.exit_code, result.stdout) == (3, "")


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]


def test_html_is_one_escaped_page(cli, tmp_path, raw):
    path = tmp_path / "a.csv"
    path.write_text('"<script>alert(1)</script>",b\n110101199003077475,<b>\n')
    result = cli(path, *raw, "--format", "html", *BARE)
    page = _Page()
    page.feed(result.stdout)
    assert result.exit_code == 20
    assert set(page.tags) & {"script", "b", "img", "link", "iframe"} == set()
    assert page.links == []
    assert "居民身份证号" in result.stdout
    assert "110101199003077475" not in result.stdout


def test_text_in_both_languages(cli, clean, raw):
    assert "无异议" in cli(clean, *raw, "--format", "text", "--lang", "zh", *BARE).stdout
    assert "no objection" in cli(clean, *raw, "--format", "text", "--lang", "en", *BARE).stdout
    assert "LINEAGE" in cli(clean, "--format", "text", *BARE).stdout


def test_canonical_files_only_without_rejection(cli, clean, raw, persons, tmp_path):
    out = tmp_path / "canonical"
    body = json.loads(cli(clean, *raw, "--canonical", out, *BARE).stdout)
    assert [item["path"] for item in body["canonical"]] == ["clean.csv"]
    assert body["canonical"][0]["bytes"] == (out / "clean.csv").stat().st_size
    leak = tmp_path / "leak.csv"
    persons.head(3).write_csv(leak)
    body = json.loads(cli(leak, *raw, "--canonical", tmp_path / "none", *BARE).stdout)
    assert "canonical" not in body
    assert not (tmp_path / "none").exists()


def test_help_imports_nothing_heavy():
    code = (
        "import sys; import sandbox.cli.egress; "
        "print([m for m in ('duckdb','polars','pyarrow','numpy','docker') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def small(persons, tmp_path):
    path = tmp_path / "small.csv"
    persons.group_by("district", "occupation", "disease").agg(n=pl.len()).write_csv(path)
    return path


@pytest.fixture
def mend():
    return lambda *arguments: CliRunner().invoke(app, ["mend", *map(str, arguments)])


def test_mend_writes_a_copy_and_states_the_loss(mend, cli, small, raw, tmp_path):
    before, out = small.read_bytes(), tmp_path / "mended"
    done = mend(small, *raw, "--out", out, *BARE)
    told = json.loads(done.stdout)
    assert (done.exit_code, told["verdict"], small.read_bytes()) == (0, "no_objection", before)
    assert (told["steps"][0]["protection"], told["files"][0]["changed"]) == ("suppress", True)
    assert told["steps"][0]["loss"]["cells"] == (out / "small.csv").read_text().count(",\n")
    assert cli(small, *raw, *BARE).exit_code == 20
    assert cli(out, *raw, *BARE).exit_code == 0
    again = mend(small, *raw, "--out", tmp_path / "second", "--format", "text", "--lang", "en", *BARE)
    assert "cells suppressed 12" in again.stdout


def test_mend_refuses_with_a_code(mend, small, raw, tmp_path):
    out = tmp_path / "mended"
    none = mend(small, *raw, "--out", out, "--protection", "drop", *BARE)
    assert (none.exit_code, none.stdout, out.exists()) == (20, "", False)
    assert "EGRESS_MEND_NONE" in none.stderr
    without = mend(small, "--out", out, *BARE)
    assert (without.exit_code, "EGRESS_MEND_RAW" in without.stderr) == (2, True)
    into = mend(small, *raw, "--out", tmp_path, *BARE)
    assert (into.exit_code, "EGRESS_MEND_OUT" in into.stderr) == (2, True)
    assert mend(small, *raw, "--out", out, "--base", "7", *BARE).exit_code == 2


@pytest.mark.parametrize("name", ["../a.csv", "/etc/hostname", "link/hostname", "absent.csv", "link"])
@pytest.mark.parametrize("verb", ["check", "mend"])
def test_a_container_that_names_files_elsewhere_is_a_broken_checker(
    small, raw, tmp_path, monkeypatch, verb, name
):
    folder = tmp_path / "container"
    for part in ("canonical", "mended"):
        (folder / part).mkdir(parents=True)
        (folder / part / "link").symlink_to("/etc")
    (folder / "a.csv").write_text("secret")
    told = {"verdict": "hold", "canonical": [{"path": name}], "files": [{"path": name}], "steps": []}
    for file in ("verdict.json", "mend.json"):
        (folder / file).write_text(json.dumps(told))
    monkeypatch.setattr(
        f"sandbox.cli.egress{'_mend' * (verb == 'mend')}.contained", lambda *_, **__: nullcontext(folder)
    )
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, [verb, str(small), *map(str, raw), "--canonical" if verb == "check" else "--out", str(out)]
    )
    assert (done.exit_code, done.stdout) in ((3, ""), (2, ""))
    assert not out.exists() or not [path for path in out.rglob("*") if path.is_file()]


@pytest.mark.engine
def test_mend_in_a_container(mend, small, raw, tmp_path):
    done = mend(small, *raw, "--out", tmp_path / "mended")
    assert (done.exit_code, json.loads(done.stdout)["rounds"]) == (0, 2), done.stderr
    assert (tmp_path / "mended" / "small.csv").is_file()


@pytest.fixture
def room(tmp_path, persons, persons_file, policy):
    inputs, out = tmp_path / "in", tmp_path / "out"
    for folder in (inputs / "outputs", inputs / "raw", out):
        folder.mkdir(parents=True)
    (inputs / "raw" / "persons.parquet").write_bytes(persons_file.read_bytes())
    persons.group_by("district", "sex").agg(n=pl.len()).write_csv(inputs / "outputs" / "a.csv")
    params = {
        "raws": [
            {
                "name": "persons",
                "file": "persons.parquet",
                "entity": "id_no",
                "quasi": ["district"],
                "levels": {},
            }
        ],
        "declared": [{"path": "a.csv", "kind": "table", "dimensions": ["district", "sex"], "counts": ["n"]}],
        "policy": policy,
        "policy_id": "guizhou@1.0.0",
        "limits": {},
    }
    return params, inputs, out


def test_the_room_writes_verdict_and_canonical(room):
    params, inputs, out = room
    assert run(params, inputs, out) == {"ok": True, "verdict": "no_objection"}
    body = json.loads((out / "verdict.json").read_text())
    assert (body["policy"], [f["path"] for f in body["files"]]) == ("guizhou@1.0.0", ["a.csv"])
    assert (out / "canonical" / "a.csv").read_text().startswith("district,sex,n\n")


def test_the_room_compares_with_history(room, persons):
    params, inputs, out = room
    old = inputs / "history" / "r1"
    old.mkdir(parents=True)
    persons.slice(2).group_by("district", "sex").agg(n=pl.len()).write_csv(old / "b.csv")
    assert run(params, inputs, out)["verdict"] == "reject"
    assert not (out / "canonical").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"raws": None},
        {"raws": [{"name": "p"}]},
        {"raws": [{"name": "p", "file": "../outputs/a.csv"}]},
        {"policy": None},
        {"limits": {"cells": "many"}},
        {"limits": {"unknown": 1}},
        {"declared": [{}]},
    ],
)
def test_malformed_parameters(room, change):
    params, inputs, out = room
    with pytest.raises(SandboxError, match="EGRESS_PARAMS"):
        run({**params, **change}, inputs, out)
    assert not (out / "verdict.json").exists()


def test_the_room_mends(room, persons):
    params, inputs, out = room
    persons.group_by("district", "occupation", "disease").agg(n=pl.len()).write_csv(
        inputs / "outputs" / "a.csv"
    )
    how = {"declared": [], "mend": {"protections": ["suppress"], "base": None}}
    assert run({**params, **how}, inputs, out)["verdict"] != "reject"
    assert (out / "mended" / "a.csv").is_file()
    assert json.loads((out / "mend.json").read_text())["steps"]
    with pytest.raises(SandboxError, match="EGRESS_PARAMS"):
        run({**params, "mend": []}, inputs, out)


def test_budgets_from_the_limits_hold(room):
    params, inputs, out = room
    assert run({**params, "limits": {"cells": 2}}, inputs, out)["verdict"] == "reject"
