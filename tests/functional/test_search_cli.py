"""``sandbox anonymise`` as a command: exit codes, files, what it says."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from sandbox.cli import main

PROFILE = '{"combinations": [{"columns": ["age", "sex"]}]}'
FIELDS = """
entity: person
fields:
  - {name: age, role: quasi, hierarchy: {by: age}}
  - {name: sex, role: quasi}
  - {name: ill, role: sensitive}
  - {name: person, role: identifier}
"""


@pytest.fixture
def folder(tmp_path):
    draw = np.random.default_rng(3)
    pl.DataFrame(
        {
            "age": draw.integers(0, 90, 300),
            "sex": draw.choice(["f", "m"], 300),
            "ill": draw.choice(["a", "b", "c"], 300),
            "person": [f"P{n}" for n in range(300)],
        }
    ).write_csv(tmp_path / "t.csv")
    (tmp_path / "f.yaml").write_text(FIELDS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """The command in this process: what it printed and its exit code."""

    def command(*more, fields="f.yaml", out="o.parquet", lang="en", isolation="none"):
        words = ["sandbox", "anonymise", str(folder / "t.csv"), "--fields", str(folder / fields)]
        words += ["--isolation", isolation]
        monkeypatch.setattr(sys, "argv", [*words, "--out", str(folder / out), "--lang", lang, *more])
        monkeypatch.setenv("LC_ALL", "en")
        with pytest.raises(SystemExit) as ended:
            main.main()
        said = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code or 0, stdout=said.out, stderr=said.err)

    return command


def test_a_table_becomes_a_product_and_a_report(folder, run):
    done = run("--k", "5", "--l", "2", "--suppress", "0.05", "--report", str(folder / "r.json"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("anonymised (verdict of the test)")
    made = pl.read_parquet(folder / "o.parquet")
    assert made.columns == ["age", "sex", "ill"]
    assert made.group_by("age", "sex").len()["len"].min() >= 5
    report = json.loads((folder / "r.json").read_text("utf-8"))
    assert report["after"]["k"] >= 5
    again = run("--method", "mondrian", "--report", str(folder / "r.html"), out="o.csv", lang="zh")
    assert again.returncode == 0
    assert "已匿名化" in again.stdout
    assert "<svg" in (folder / "r.html").read_text("utf-8")
    assert pl.read_csv(folder / "o.csv").height == 300


def test_exit_codes_say_what_came_of_it(folder, run):
    (folder / "nobody.yaml").write_text(FIELDS.replace("entity: person", ""), encoding="utf-8")
    not_anonymised = run("--k", "5", fields="nobody.yaml")
    assert not_anonymised.returncode == 10
    assert "ENTITY_UNKNOWN" in not_anonymised.stdout
    none = run("--k", "1000", out="none.parquet")
    assert none.returncode == 3
    assert "ANONYMISE_NONE" in none.stderr
    assert not (folder / "none.parquet").exists()
    (folder / "bad.yaml").write_text("fields: [", encoding="utf-8")
    assert run(fields="bad.yaml").returncode == 2
    assert run("--frontier", "x").returncode == 2


def test_hidden_quasi_identifiers_of_a_profile_are_taken_in(folder, run):
    fields = FIELDS.replace("name: sex, role: quasi", "name: sex")
    (folder / "f.yaml").write_text(fields, encoding="utf-8")
    for number, given in enumerate(('["sex"]', '[{"columns": ["sex"]}]', '[{"name": "sex"}]', PROFILE)):
        (folder / "c.json").write_text(given, encoding="utf-8")
        done = run("--candidates", str(folder / "c.json"), "--report", str(folder / f"{number}.json"))
        assert done.returncode == 0, done.stderr
        report = json.loads((folder / f"{number}.json").read_text("utf-8"))
        assert report["columns"]["quasi"] == ["age", "sex"]
    (folder / "c.json").write_text('{"sex": 1}', encoding="utf-8")
    assert run("--candidates", str(folder / "c.json")).returncode == 2


@pytest.mark.engine
def test_in_a_container_the_same_comes_out(folder, run):
    (folder / "sex.csv").write_text("f;*\nm;*\n", encoding="utf-8")
    rule = "name: sex, role: quasi, hierarchy: {by: file, path: sex.csv}"
    (folder / "f.yaml").write_text(FIELDS.replace("name: sex, role: quasi", rule), encoding="utf-8")
    inside = run("--k", "5", "--report", str(folder / "r.html"), isolation="docker")
    assert inside.returncode == 0, inside.stderr
    assert "<svg" in (folder / "r.html").read_text("utf-8")
    assert run("--k", "5", out="bare.parquet").returncode == 0
    assert pl.read_parquet(folder / "o.parquet").equals(pl.read_parquet(folder / "bare.parquet"))
    assert run("--k", "1000", out="none.parquet", isolation="docker").returncode == 3
    assert not (folder / "none.parquet").exists()


def test_a_hierarchy_file_elsewhere_is_not_taken_in(folder, run):
    rule = "name: sex, role: quasi, hierarchy: {by: file, path: ../sex.csv}"
    (folder / "f.yaml").write_text(FIELDS.replace("name: sex, role: quasi", rule), encoding="utf-8")
    done = run(isolation="docker")
    assert done.returncode == 2
    assert "ANONYMISE_HIERARCHY" in done.stderr


def test_what_breaks_says_nothing_of_the_data(run, monkeypatch):
    def broken(*_):
        raise RuntimeError("机密甲")

    monkeypatch.setattr("sandbox.cli.anonymise._bare", broken)
    done = run()
    assert done.returncode == 3
    assert "机密甲" not in done.stdout + done.stderr
