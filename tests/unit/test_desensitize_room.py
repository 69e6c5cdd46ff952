"""The room over many batches: the same as over one, with steps of whole columns and of rows; its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sandbox.core.errors import SandboxError
from sandbox.desensitize import classes, execute, task
from sandbox.desensitize.anonymity import least_group
from sandbox.desensitize.classes import Classes
from sandbox.desensitize.page import page
from sandbox.desensitize.report import Report, checked
from sandbox.desensitize.tokens import TokenVault
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import Setting
from sandbox.desensitize.transforms.pseudonym import PseudonymParams

ROWS = 700
CANARY = "CANARY-7f3a"
FIELDS: list[dict[str, Any]] = [
    {"name": "who", "type": "string", "level": 4, "flags": ["personal"], "role": "identifier"},
    {"name": "phone", "type": "string", "level": 3, "flags": ["personal"], "role": "identifier"},
    {"name": "born", "type": "date", "level": 3, "flags": ["personal"], "role": "quasi"},
    {"name": "district", "type": "string", "level": 2, "flags": ["personal"], "role": "quasi"},
    {"name": "income", "type": "integer", "level": 4, "flags": ["sensitive_personal"], "role": "sensitive"},
    {"name": "note", "type": "string", "level": 3, "flags": ["personal"]},
]
KEYS = {"k": "0a" * 32}
STEPS: list[dict[str, Any]] = [
    {"column": "who", "transform": "sample", "params": {"key": "k", "share": 0.8}},
    {"column": "income", "transform": "top_code", "params": {"limit": 9000}},
    {
        "column": "income",
        "transform": "microaggregate",
        "params": {"k": 5, "by": "who"},
        "output": "group_income",
    },
    {"column": "born", "transform": "date_shift", "params": {"key": "k", "by": "who", "days": 30}},
    {"column": "born", "transform": "generalise", "params": {"by": "date", "to": "decade"}},
    {"column": "note", "transform": "redact", "params": {"names": ["who"]}},
    {"column": "phone", "transform": "fpe", "params": {"key": "k", "form": "mobile"}},
    {"column": "who", "transform": "pseudonym", "params": {"key": "k"}},
]


def recipe(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "r", "version": "1", "steps": list(steps), **more}


WHOLE = recipe(*STEPS, keep=["district"])


def people(rows: int = ROWS) -> pl.DataFrame:
    random = np.random.default_rng(5)
    persons = random.integers(0, max(1, rows // 2), rows)
    return pl.DataFrame(
        {
            "who": [f"{CANARY}-person-{n}" for n in persons],
            "phone": [f"1391234{n:04d}" for n in persons],
            "born": (persons * 37 % 25_000).astype("datetime64[D]").astype("datetime64[us]"),
            "district": [f"d{n % 3}" for n in persons],
            "income": random.integers(0, 12_000, rows),
            "note": [f"见 {CANARY}-person-{n}，电话1391234{n:04d}" for n in persons],
        },
        schema_overrides={"born": pl.Date, "income": pl.Int64},
    )


Place = tuple[Path, Path]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    out.mkdir()
    people().write_parquet(inputs / "data")
    return inputs, out


def run(place: Place, described: dict[str, Any], **params: Any) -> dict[str, Any]:
    asked = {"entity": "who", "fields": FIELDS, "threshold": 3}
    return task.run(
        {"recipe": described, "fields": FIELDS, "keys": KEYS, "anonymity": asked, **params}, *place
    )


def test_batches_make_no_difference(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    one = run(place, WHOLE)
    first = pl.read_parquet(place[1] / "product.parquet")
    monkeypatch.setattr(execute, "BATCH", 300)
    asked = {"entity": "who", "fields": FIELDS, "threshold": 3}
    params = {"recipe": WHOLE, "fields": FIELDS, "keys": KEYS, "anonymity": asked}
    many = task.run(params, *place, seen.append)
    assert pl.read_parquet(place[1] / "product.parquet").equals(first)
    assert many | {"sha256": ""} == one | {"sha256": ""}
    # three passes: the recipe, and one for each step that needs all rows; no last batch is small
    assert sum(seen) == 3 * ROWS
    assert max(seen) <= 300
    assert max(seen) - min(seen) <= 8


def test_a_sample_is_before_what_comes_after_it(place: Place) -> None:
    report = run(place, WHOLE)
    product = pl.read_parquet(place[1] / "product.parquet")
    assert 0 < report["rows"] == product.height < report["rows_before"] == ROWS
    # groups were made of those that were drawn only
    sizes = product.group_by("group_income").agg(pl.col("who").n_unique())["who"]
    assert sizes.min() >= 5  # type: ignore[operator]
    assert not [step for step in report["steps"] if step["transform"] == "sample" and step["rows"]]


def test_a_source_without_rows_gives_a_product_without_rows(place: Place) -> None:
    people(0).write_parquet(place[0] / "data")
    kept = recipe(*(step for step in STEPS if step["transform"] != "microaggregate"))
    report = run(place, kept)
    assert (report["rows"], report["anonymity"]["verdict"]) == (0, False)
    product = pl.read_parquet(place[1] / "product.parquet")
    assert product.columns == ["who", "phone", "born", "income", "note"]
    assert product.schema["income"] == pl.Int64


@pytest.mark.requirement("R-137")
def test_the_report_fits_its_schema_and_holds_no_value_of_the_source(place: Place) -> None:
    report = run(place, WHOLE)
    assert Report.model_validate(report).ok
    told = json.dumps(report, ensure_ascii=False) + page(report, "zh") + page(report, "en")
    table = people()
    values = {str(v) for name in ("who", "phone", "note", "born", "district") for v in table[name].unique()}
    assert CANARY not in told
    assert [value for value in values if f'"{value}"' in told or (len(value) > 4 and value in told)] == []
    assert KEYS["k"] not in told
    assert report["identifiers"]["before"] == {"phone": {"mobile": ROWS}, "note": {"mobile": ROWS}}
    assert report["identifiers"]["after"] == {}
    risk = report["metrics"]
    assert (risk["before"]["quasi"], risk["after"]["quasi"]) == (["born", "district"], ["born", "district"])
    assert risk["after"]["k"] >= risk["before"]["k"]
    assert risk["after"]["classes"] < risk["before"]["classes"]
    assert sum(band["entities"] for band in risk["before"]["bands"]) >= people()["who"].n_unique()
    income = next(loss for loss in risk["loss"] if loss["column"] == "income")
    assert income["changed"] == sum(s["rows"] for s in report["steps"] if s["output"] == "income")
    for broken in (report | {"more": 1}, report | {"rows": -1}, report | {"level": "safe"}):
        with pytest.raises(ValidationError):
            checked(broken)


def test_desensitised_is_a_level_and_anonymised_is_the_verdicts(place: Place) -> None:
    assert run(place, WHOLE)["level"] == "desensitised"
    plain = recipe({"column": "income", "transform": "round", "params": {"to": 1000}}, keep=["district"])
    report = run(place, plain)
    assert (report["level"], report["anonymity"]["verdict"]) == ("anonymised", True)


def test_an_enciphered_identity_is_marked_and_refuses_nothing(place: Place) -> None:
    body = [f"52010219900101{n:03d}" for n in range(ROWS)]
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    ids = [b + "10X98765432"[sum(int(d) * w for d, w in zip(b, weights, strict=True)) % 11] for b in body]
    people().with_columns(who=pl.Series(ids)).write_parquet(place[0] / "data")
    step = {"column": "who", "transform": "fpe", "params": {"key": "k", "form": "resident_id"}}
    report = run(place, recipe(step, keep=["district"]))
    assert report["marked"] == {"who": {"resident_id": ROWS}}
    assert report["identifiers"]["after"] == {}
    assert report["anonymity"]["reasons"] == ["IDENTIFIER_KEPT"]
    # another kind in the same column is no mark, and nor is the same kind where no such step wrote last
    same = {"column": "note", "transform": "convert", "params": {"to": "string"}, "output": "n"}
    plain = [field | {"flags": [], "role": "other"} for field in FIELDS]
    with pytest.raises(SandboxError) as caught:
        run(place, recipe(step | {"output": "code"}, same, keep=["district"]), fields=plain)
    assert caught.value.code == "IDENTIFIERS_REMAIN"
    assert list(place[1].glob("*.partial")) == []


def test_a_pseudonym_that_begins_like_a_key_of_a_service_refuses_nothing(place: Place) -> None:
    """Codes are spelled with 32 letters and digits: four of them make AKIA once in a million places."""
    values = [f"P{n:012d}" for n in range(200_000)]
    row = TRANSFORMS["pseudonym"]
    (codes,) = row.apply(
        [pl.Series(values)], PseudonymParams(key="k"), Setting({"k": bytes.fromhex(KEYS["k"])})
    )
    likely = codes.str.contains("AKIA[0-9A-Z]{16}|AKID[0-9A-Z]{16}|LTAI[0-9A-Z]{12}")
    assert 0 < likely.sum() < 60
    chosen = pl.Series(values).filter(likely).head(1).extend_constant("P", ROWS - 1)
    people().with_columns(who=chosen).write_parquet(place[0] / "data")
    step = {"column": "who", "transform": "pseudonym", "params": {"key": "k"}}
    report = run(place, recipe(step, keep=["district"]))
    assert (report["marked"], report["identifiers"]["after"]) == ({"who": {"credential": 1}}, {})


def test_tokens_are_kept_from_run_to_run(place: Place) -> None:
    step = {"column": "who", "transform": "token", "params": {"domain": "person"}}
    key = "0b" * 32
    run(place, recipe(step, keep=["district"]), tokens=key)
    first = pl.read_parquet(place[1] / "product.parquet")["who"]
    (place[1] / "tokens.vault").rename(place[0] / "tokens")
    run(place, recipe(step, keep=["district"]), tokens=key)
    assert pl.read_parquet(place[1] / "product.parquet")["who"].equals(first)
    vault = TokenVault.load(place[1] / "tokens.vault", bytes.fromhex(key))
    assert vault.reidentify("person", first.head(3).to_list()) == people()["who"].head(3).to_list()
    for tokens, code in ((None, "RECIPE_TOKENS"), ("0c" * 32, "RECIPE_TOKENS"), ("0c", "RECIPE_KEY")):
        with pytest.raises(SandboxError) as caught:
            run(place, recipe(step, keep=["district"]), tokens=tokens)
        assert caught.value.code == code


def test_cells_that_cannot_be_changed_are_counted_over_all_batches(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "BATCH", 300)
    table = people().with_columns(
        phone=pl.when(pl.int_range(ROWS) % 10 == 3).then(pl.lit("none")).otherwise("phone")
    )
    table.write_parquet(place[0] / "data")
    steps = [STEPS[1], {"column": "phone", "transform": "fpe", "params": {"key": "k", "form": "mobile"}}]
    with pytest.raises(SandboxError) as caught:
        run(place, recipe(*steps))
    assert caught.value.code == "RECIPE_VALUES"
    assert caught.value.details == {"step": 2, "column": "phone", "bad_rows": ROWS // 10}
    assert list(place[1].iterdir()) == []
    few = {"column": "income", "transform": "microaggregate", "params": {"k": 1000, "by": "who"}}
    with pytest.raises(SandboxError) as caught:
        run(place, recipe(few))
    assert (caught.value.code, caught.value.details["step"]) == ("RECIPE_VALUES", 1)


def test_without_a_cipher_the_recipe_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives.ciphers", None)
    step = {"column": "phone", "transform": "fpe", "params": {"key": "k", "form": "mobile"}}
    with pytest.raises(SandboxError) as caught:
        run(place, recipe(STEPS[1], step))
    assert (caught.value.code, caught.value.details) == ("RECIPE_CIPHER", {"step": 2})


def test_the_policys_table_is_asked_in_the_room_as_well(place: Place) -> None:
    rules = {"required": {name: [[], [], [], ["drop"]] for name in ("sensitive", "quasi", "identifier")}}
    with pytest.raises(SandboxError) as caught:
        run(place, WHOLE, rules=rules)
    assert caught.value.code == "TRANSFORM_REQUIRED"
    with pytest.raises(SandboxError) as caught:
        run(place, WHOLE, rules={"required": 5})
    assert (caught.value.code, caught.value.details["field"]) == ("RECIPE_MALFORMED", "rules")


ENTRIES = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([1, 2, None]), st.integers(0, 6)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(ENTRIES, st.integers(1, 9), st.sampled_from([0, 2, 1 << 18]))
def test_classes_counted_in_batches_are_those_of_the_whole(rows: list[Any], size: int, most: int) -> None:
    schema = {"q": pl.String, "r": pl.Int64, "who": pl.Int64}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    counter = Classes(["q", "r"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classes, "MOST", most)  # exact, hashed from the first, hashed on the way
        for part in table.iter_slices(size):
            counter.add(part, part["who"])
        measured = counter.measured()
    assert measured["k"] == least_group(table, table["who"], ["q", "r"])
    assert measured["classes"] == table.select("q", "r").n_unique()
    assert sum(band["classes"] for band in measured["bands"]) == measured["classes"]
    alone = Classes([])
    for part in table.iter_slices(size):
        alone.add(part, None)
    assert alone.measured()["k"] == table.height  # no entity: each row is one
