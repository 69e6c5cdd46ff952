"""``sandbox profile``: a table in, a proposal out; in a container unless asked otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from sandbox.catalog.entry import EntrySpec
from sandbox.cli.main import application
from sandbox.demo import register
from sandbox.desensitize.profile.model import Profile


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("profile") / "residents.csv"
    register.generate(300, 5).write_csv(path)
    return path


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(application("profile"), ["profile", *words])
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.engine
def test_in_a_container_it_says_what_it_says_here(table: Path) -> None:
    code, contained, _ = run(str(table), "--json")
    assert code == 0
    _, bare, warned = run(str(table), "--json", "--isolation", "none")
    assert "未隔离" in warned
    assert json.loads(contained) == json.loads(bare)
    found = Profile.model_validate_json(contained)
    assert found.entity == "resident_id"
    assert [one.name for one in found.fields if one.role == "identifier"] == [
        "resident_id", "name", "address", "phone", "household_id",
    ]  # fmt: skip
    # A refusal inside is one outside, by its code.
    table.with_name("none").write_bytes(b"\x00\x01")
    assert run(str(table.with_name("none")))[0] == 2


def test_the_fields_make_an_entry_that_a_person_confirms(table: Path, tmp_path: Path) -> None:
    target = tmp_path / "fields.yaml"
    code, shown, _ = run(str(table), "--isolation", "none", "--fields", str(target), "--lang", "en")
    assert code == 0
    assert "resident identity number" not in shown.splitlines()[0]
    assert "A proposal only: a person confirms it." in shown
    written = yaml.safe_load(target.read_text("utf-8"))
    named = {"title_zh": "居民", "title_en": "residents", "category": "人口", "update_frequency": "yearly"}
    spec = EntrySpec.model_validate({**named, **written})
    assert spec.entity == "resident_id"
    assert all(field.level and field.category for field in spec.fields)
    ids = pl.read_csv(table)["name"].to_list()
    assert not any(one in target.read_text("utf-8") for one in ids)


@pytest.mark.parametrize(("content", "code"), [(b"", 2), (b"\x00", 2), (b"1,2,3\n4,5,6\n", 2)])
def test_what_is_no_table_is_a_sentence(tmp_path: Path, content: bytes, code: int) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    done, _, said = run(str(path), "--isolation", "none")
    assert done == code
    assert "PROFILE_" in said
