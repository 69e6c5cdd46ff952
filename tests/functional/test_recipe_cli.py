"""``sandbox recipe``: from the description of the fields to a product and its report, as one types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from sandbox.cli.recipe import app
from sandbox.demo import register
from sandbox.desensitize.dummy.reserved import is_dummy
from sandbox.desensitize.recipe import Rules, validate_recipe
from sandbox.desensitize.report import Report
from sandbox.desensitize.required import class_of
from sandbox.desensitize.suggest import suggested
from sandbox.policy import load_profile

FIELDS_FILE = Path(register.__file__).with_name("register.fields.yaml")
ENTRY: dict[str, Any] = yaml.safe_load(FIELDS_FILE.read_text(encoding="utf-8"))
FIELDS = str(FIELDS_FILE)
RULES = Rules.of(load_profile("national").get)


def call(*args: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*args, "--lang", "en"] if args[0] != "schema" else list(args))
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    register.main([str(folder / "people.csv"), "--rows", "400"])
    (folder / "r.yaml").write_text(call("suggest", "--fields", FIELDS), encoding="utf-8")
    return folder


def write(folder: Path, name: str, *steps: dict[str, Any], **more: Any) -> str:
    path = folder / name
    path.write_text(yaml.safe_dump({"name": "r", "version": "1", "steps": list(steps), **more}))
    return str(path)


def test_what_is_suggested_holds_and_is_explained_and_previewed(bench: Path) -> None:
    recipe = str(bench / "r.yaml")
    assert "The recipe holds: 10 columns" in call("validate", recipe, "--fields", FIELDS)
    told = call("explain", recipe, "--fields", FIELDS)
    assert "resident_id → resident_id (pseudonym)" in told
    assert "policy: sensitive, level 4" in told
    assert "Not in the product: name, address, phone, household_id, chronic_disease" in told
    shown = call("preview", recipe, "--fields", FIELDS, "--rows", "10")
    assert "made-up rows" in shown
    assert "after the recipe" in shown


def test_a_preview_is_of_made_up_rows_only() -> None:
    from sandbox.desensitize.preview import preview

    recipe = suggested(ENTRY["fields"], ENTRY["entity"], RULES)
    before, after = preview(recipe, ENTRY["fields"], ENTRY["entity"], RULES, 20, 3)
    assert before.height == after.height == 20
    assert all(is_dummy(value) for value in before["resident_id"])
    assert not set(before["resident_id"]) & set(after["resident_id"])
    assert preview(recipe, ENTRY["fields"], ENTRY["entity"], RULES, 20, 3)[1].equals(after)


def test_a_run_gives_product_report_and_page_and_the_key_is_kept(bench: Path) -> None:
    secret, data = bench / "secret", str(bench / "people.csv")
    common = ["run", str(bench / "r.yaml"), data, "--fields", FIELDS, "--secret", str(secret)]
    assert "400 rows → 400 rows; desensitised; k = 1" in call(*common, "--out", str(bench / "one"))
    assert secret.stat().st_mode & 0o777 == 0o600
    report = json.loads((bench / "one" / "report.json").read_text(encoding="utf-8"))
    assert Report.model_validate(report).rows == 400
    page = (bench / "one" / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "<script" not in page
    assert "default-src &#x27;none&#x27;" in page
    call(*common, "--out", str(bench / "two"))
    call(*common, "--out", str(bench / "three"), "--recipient", "another")
    products = [pl.read_parquet(bench / name / "product.parquet") for name in ("one", "two", "three")]
    assert products[0].equals(products[1])
    assert not set(products[0]["resident_id"]) & set(products[2]["resident_id"])


def test_tokens_lead_back_on_record_and_are_destroyed(bench: Path, tmp_path: Path) -> None:
    step = {"column": "resident_id", "transform": "token", "params": {"domain": "person"}}
    recipe = write(tmp_path, "t.yaml", step, keep=["sex"])
    vault, secret, log = tmp_path / "v", tmp_path / "s", tmp_path / "log"
    keyed = ["--secret", str(secret)]
    call("run", recipe, str(bench / "people.csv"), "--fields", FIELDS, "--out", str(tmp_path / "out"),
         "--tokens", str(vault), *keyed)  # fmt: skip
    token = pl.read_parquet(tmp_path / "out" / "product.parquet")["resident_id"][0]
    first = pl.read_csv(bench / "people.csv", schema_overrides={"resident_id": pl.String})["resident_id"][0]
    ask = ["reidentify", str(vault), "--token", token, "--domain", "person", "--reason", "case 7", *keyed]
    assert call(*ask, "--log", str(log)).strip() == f"{token}\t{first}"
    call(*ask, "--log", str(log))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["reason"] for line in lines] == ["case 7"] * 2
    assert lines[0]["before"] != lines[1]["before"]
    assert token not in log.read_text()
    assert first not in log.read_text()
    # without a place for the record nothing is told
    assert first not in call(*ask, "--log", str(tmp_path / "none" / "log"), code=3)
    (tmp_path / "other").write_text("0d" * 32)
    assert "RECIPE_TOKENS" in call(*ask[:-1], str(tmp_path / "other"), "--log", str(log), code=2)
    call("forget", str(vault), *keyed)
    assert not vault.exists()
    assert not secret.exists()


def test_two_recipes_are_compared(bench: Path, tmp_path: Path) -> None:
    pseudonym = {"column": "resident_id", "transform": "pseudonym", "params": {"key": "k"}}
    mild = {"column": "birth_date", "transform": "generalise", "params": {"by": "date", "to": "month"}}
    strong = {"column": "birth_date", "transform": "generalise", "params": {"by": "date", "to": "decade"}}
    one = write(tmp_path, "one.yaml", pseudonym, mild, keep=["sex", "district"])
    other = write(tmp_path, "other.yaml", strong, keep=["sex"])
    told = call("compare", one, other, "--fields", FIELDS)
    assert "pseudonym" in told
    assert "entities_unique" not in told
    told = call("compare", one, other, "--fields", FIELDS, "--data", str(bench / "people.csv"),
                "--secret", str(tmp_path / "s"))  # fmt: skip
    assert "entities_unique" in told


def test_a_hierarchy_is_read_from_beside_the_recipe(bench: Path, tmp_path: Path) -> None:
    districts = pl.read_csv(bench / "people.csv")["district"].unique().to_list()
    (tmp_path / "h.csv").write_text("".join(f"{name};all\n" for name in districts), encoding="utf-8")
    params = {"by": "hierarchy", "rows": {"file": "h.csv"}}
    recipe = write(tmp_path, "h.yaml", {"column": "district", "transform": "generalise", "params": params})
    out = tmp_path / "out"
    call("run", recipe, str(bench / "people.csv"), "--fields", FIELDS, "--out", str(out))
    assert pl.read_parquet(out / "product.parquet")["district"].unique().to_list() == ["all"]
    (tmp_path / "h.csv").unlink()
    assert "RECIPE_HIERARCHY" in call("validate", recipe, "--fields", FIELDS, code=2)


@pytest.mark.parametrize(
    ("steps", "more", "code"),
    [
        ([], {"keep": ["resident_id"]}, "PI_NOT_DESENSITISED"),
        ([], {"keep": ["income"]}, "TRANSFORM_REQUIRED"),
        ([{"column": "sex", "transform": "encrypt"}], {}, "RECIPE_UNKNOWN_TRANSFORM"),
        ([], {}, "RECIPE_MALFORMED"),
    ],
)
def test_refusals_are_said_in_one_sentence(
    tmp_path: Path, steps: list[dict[str, Any]], more: dict[str, Any], code: str
) -> None:
    recipe = write(tmp_path, "bad.yaml", *steps, **more)
    assert call("validate", recipe, "--fields", FIELDS, code=2).startswith(f"{code}: ")


def test_what_is_missing_is_said(bench: Path, tmp_path: Path) -> None:
    recipe = str(bench / "r.yaml")
    assert "RECIPE_MALFORMED" in call("validate", str(tmp_path / "none"), "--fields", FIELDS, code=2)
    assert "RECIPE_MALFORMED" in call("validate", recipe, "--fields", recipe, code=2)
    out = ["--fields", FIELDS, "--out", str(tmp_path / "out")]
    people = str(bench / "people.csv")
    assert "RECIPE_KEY" in call("run", recipe, people, *out, code=2)
    (tmp_path / "short").write_text("00")
    assert "RECIPE_KEY" in call("run", recipe, people, *out, "--secret", str(tmp_path / "short"), code=2)
    (tmp_path / "bytes").write_bytes(b"\xff")
    assert "RECIPE_KEY" in call("run", recipe, people, *out, "--secret", str(tmp_path / "bytes"), code=2)
    far = str(tmp_path / "no" / "where")
    assert "RECIPE_KEY" in call("run", recipe, people, *out, "--secret", far, code=2)
    gone = str(tmp_path / "gone.parquet")
    secret = ["--secret", str(tmp_path / "s")]
    assert "RECIPE_SOURCE" in call("run", recipe, gone, *out, *secret, code=2)


def test_the_schema_is_that_of_the_report() -> None:
    schema = json.loads(call("schema"))
    assert schema["properties"]["schema"]["const"] == "sandbox-recipe-report/1"
    assert {"metrics", "identifiers", "anonymity"} <= set(schema["required"])


CORNERS: list[dict[str, Any]] = [
    {"name": "id", "type": "string", "level": 4, "role": "identifier", "flags": ["personal"]},
    {"name": "lat", "type": "number", "level": 3, "role": "quasi", "flags": ["personal"]},
    {"name": "lon", "type": "number", "level": 3, "role": "quasi", "flags": ["personal"]},
    {"name": "remark", "type": "string", "level": 3, "flags": ["personal"]},
    {"name": "remark_secret", "type": "string", "level": 4, "flags": ["personal"]},
    {
        "name": "turnover",
        "type": "decimal",
        "level": 4,
        "role": "other",
        "flags": ["enterprise_confidential"],
    },
    {"name": "diagnosis", "type": "string", "level": 4, "role": "sensitive", "flags": ["sensitive_personal"]},
    {"name": "visit", "type": "date", "level": 4, "role": "sensitive", "flags": ["sensitive_personal"]},
    {"name": "age", "type": "integer", "level": 4, "role": "quasi", "flags": ["personal"]},
    {"name": "sex", "type": "string", "level": 4, "role": "quasi", "flags": ["personal"]},
    {"name": "base", "type": "string", "level": 4, "role": "other", "flags": ["secret"]},
    {"name": "channel", "type": "string", "level": 1, "role": "other", "flags": []},
]


def test_a_suggestion_satisfies_the_policy_for_every_class_and_level() -> None:
    recipe = suggested(CORNERS, "id", RULES)
    assert validate_recipe(recipe, CORNERS, RULES)
    steps = {step.get("column") or tuple(step["columns"]): step["transform"] for step in recipe["steps"]}
    assert steps == {
        "id": "pseudonym", ("lat", "lon"): "geo", "remark": "redact", "turnover": "round",
        "visit": "generalise", "age": "generalise",
    }  # fmt: skip
    assert recipe["keep"] == ["channel"]
    for level in (1, 2, 3, 4):
        for field in CORNERS:
            if "secret" not in field["flags"] and field is not CORNERS[-1]:
                fields = [field | {"level": level}, CORNERS[-1]]
                entity = "id" if class_of(field) == "identifier" and field["name"] == "id" else None
                assert validate_recipe(suggested(fields, entity, RULES), fields, RULES)
