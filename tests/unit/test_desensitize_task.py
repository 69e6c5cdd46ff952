"""The recipe's room: default deny, a record per step, no identifier left."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b32decode
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.core.errors import SandboxError
from sandbox.desensitize import scan, task
from sandbox.desensitize.recipe import validate_recipe
from sandbox.desensitize.transforms.base import subkey
from sandbox.desensitize.transforms.pseudonym import PseudonymParams, code

ID = "52010219900101123"
IDS = ["520102199001011239", "520102199003074514", "52010219851212002X"]
FIELDS: list[dict[str, Any]] = [
    {"name": "resident_id", "type": "string", "flags": ["personal"], "role": "identifier"},
    {"name": "name", "type": "string", "flags": ["personal"], "role": "identifier"},
    {"name": "phone", "type": "string", "flags": ["personal"], "role": "identifier"},
    {"name": "income", "type": "integer", "flags": ["personal"], "role": "sensitive"},
    {"name": "remark", "type": "string", "flags": [], "role": "other"},
]
KEYS = {"k": "00" * 32}
FOUR_STEPS = {
    "name": "residents-primary",
    "version": "2",
    "steps": [
        {"column": "resident_id", "transform": "tidy", "params": {"upper": True}},
        {"column": "resident_id", "transform": "pseudonym", "params": {"key": "k"}},
        {"column": "phone", "transform": "mask", "params": {"keep_first": 3}, "output": "operator"},
        {"column": "income", "transform": "round", "params": {"to": 1000}},
    ],
    "drop": ["name"],
}


def valid_ids(count: int) -> list[str]:
    """Distinct numbers with a correct check character, by the standard's formula and not by our code."""
    found = []
    for sequence in range(count):
        body = f"52010219900101{sequence:03d}"
        total = sum(int(digit) * (2 ** (17 - i) % 11) for i, digit in enumerate(body))
        found.append(body + "10X98765432"[total % 11])
    return found


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    out.mkdir()
    pl.DataFrame(
        {
            "resident_id": [valid_ids(3)[0], valid_ids(3)[1].lower(), None],
            "name": ["张三", "李四", "王五"],
            "phone": ["13800000001", "13800000002", None],
            "income": [1499, 1500, None],
            "remark": ["a", "b", "c"],
        },
        schema_overrides={"income": pl.Int64},
    ).write_parquet(inputs / "data")
    return inputs, out


Place = tuple[Path, Path]


def run(place: Place, recipe: dict[str, Any], **params: Any) -> dict[str, Any]:
    anonymity = {"entity": "resident_id", "fields": FIELDS, "threshold": 10}
    given = {"recipe": recipe, "fields": FIELDS, "keys": KEYS, "anonymity": anonymity}
    return task.run(given | params, *place)


def refused(place: Place, recipe: dict[str, Any], **params: Any) -> SandboxError:
    with pytest.raises(SandboxError) as caught:
        run(place, recipe, **params)
    assert list(place[1].iterdir()) == []
    return caught.value


def only(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "r", "version": "1", "steps": list(steps)} | more


@pytest.mark.requirement("R-103")
def test_four_steps_are_in_the_lineage_and_none_without_desensitising_is_possible(place: Place) -> None:
    report = run(place, FOUR_STEPS)
    checked = validate_recipe(FOUR_STEPS)
    assert [(one["column"], one["output"], one["transform"], one["rows"]) for one in report["steps"]] == [
        ("resident_id", "resident_id", "tidy", 0),
        ("resident_id", "resident_id", "pseudonym", 2),
        ("phone", "operator", "mask", 2),
        ("income", "income", "round", 2),
    ]
    for told, step in zip(report["steps"], FOUR_STEPS["steps"], strict=True):  # type: ignore[call-overload]
        parameters = checked.steps[report["steps"].index(told)].parameters.model_dump(mode="json")
        canonical = json.dumps(
            {"params": parameters, "transform": step["transform"]},
            ensure_ascii=False,
            separators=(",", ":"),
            sort_keys=True,
        )
        assert told["parameter_hash"] == hashlib.sha256(canonical.encode()).hexdigest()
    assert report["columns"] == [
        {
            "name": "resident_id",
            "type": "string",
            "source": "resident_id",
            "transforms": ["tidy", "pseudonym"],
        },
        {"name": "income", "type": "integer", "source": "income", "transforms": ["round"]},
        {"name": "operator", "type": "string", "source": "phone", "transforms": ["mask"]},
    ]
    assert report["dropped"] == ["name", "remark"]
    assert report["recipe"] == {"name": "residents-primary", "version": "2", "sha256": checked.sha256}
    assert report["identifiers"] == {
        "before": {"resident_id": {"resident_id": 2}, "phone": {"mobile": 2}},
        "after": {},
    }
    product = pl.read_parquet(place[1] / "product.parquet")
    assert product["income"].to_list() == [1000, 2000, None]
    assert product["operator"].to_list() == ["138********", "138********", None]
    assert product["resident_id"].str.len_chars().to_list() == [26, 26, None]
    assert report["sha256"] == hashlib.sha256((place[1] / "product.parquet").read_bytes()).hexdigest()
    assert KEYS["k"] not in json.dumps(report)

    (place[1] / "product.parquet").unlink()
    without = only(*FOUR_STEPS["steps"][:1], keep=["income"])  # type: ignore[index]
    error = refused(place, without)
    assert (error.code, error.details) == ("PI_NOT_DESENSITISED", {"column": "resident_id"})


def test_default_deny(place: Place) -> None:
    report = run(place, only(keep=["income"]))
    assert pl.read_parquet(place[1] / "product.parquet").columns == ["income"]
    assert report["dropped"] == ["resident_id", "name", "phone", "remark"]


def test_a_suppressed_column_is_gone_or_empty(place: Place) -> None:
    steps = [
        {"column": "name", "transform": "suppress", "params": {"mode": "null"}},
        {"column": "phone", "transform": "suppress"},
    ]
    run(place, only(*steps, keep=["income"]))
    product = pl.read_parquet(place[1] / "product.parquet")
    assert product.columns == ["name", "income"]
    assert product["name"].to_list() == [None] * 3


def test_the_same_recipe_gives_the_same_bytes(place: Place) -> None:
    first = run(place, FOUR_STEPS)
    assert run(place, FOUR_STEPS) == first


def test_another_key_gives_other_pseudonyms(place: Place) -> None:
    run(place, FOUR_STEPS)
    first = pl.read_parquet(place[1] / "product.parquet")
    run(place, FOUR_STEPS, keys={"k": "11" * 32})
    second = pl.read_parquet(place[1] / "product.parquet")
    assert not set(first["resident_id"].drop_nulls()) & set(second["resident_id"].drop_nulls())
    assert first.drop("resident_id").equals(second.drop("resident_id"))


@pytest.mark.parametrize(
    "keys", [None, {}, {"k": ""}, {"k": "00" * 15}, {"k": "zz" * 32}, {"k": 5}, {"other": "00" * 32}]
)
def test_recipe_key(place: Place, keys: object) -> None:
    error = refused(place, FOUR_STEPS, keys=keys)
    assert (error.code, error.details) == ("RECIPE_KEY", {"key": "k"})


def test_identifiers_in_a_free_column_are_found_afterwards(place: Place) -> None:
    table = pl.read_parquet(place[0] / "data")
    texts = ["请拨１３８００００００01", f"身份证{valid_ids(9)[8]}。", "x"]
    table.with_columns(pl.Series("remark", texts)).write_parquet(place[0] / "data")
    error = refused(place, only(keep=["remark"]))
    assert error.code == "IDENTIFIERS_REMAIN"
    assert error.details == {"columns": ["remark"], "found": {"remark": {"resident_id": 1, "mobile": 1}}}
    assert "138" not in json.dumps(error.as_json())


def test_recipe_values(place: Place) -> None:
    step = {"column": "remark", "transform": "convert", "params": {"to": "integer"}}
    error = refused(place, only(step))
    assert (error.code, error.details) == ("RECIPE_VALUES", {"step": 1, "column": "remark", "bad_rows": 3})
    assert run(place, only(step | {"params": {"to": "integer", "on_error": "null"}}))["steps"][0]["rows"] == 3


def test_recipe_source(place: Place) -> None:
    assert refused(place, FOUR_STEPS, fields=FIELDS[:-1]).code == "RECIPE_SOURCE"
    (place[0] / "data").write_text("resident_id\n")
    assert refused(place, FOUR_STEPS).code == "RECIPE_SOURCE"


@pytest.mark.parametrize("fields", [None, [], ["x"], [{"name": "x"}]])
def test_fields_must_be_there(place: Place, fields: object) -> None:
    assert refused(place, FOUR_STEPS, fields=fields).code in {"RECIPE_MALFORMED", "RECIPE_COLUMN"}


# --- the scan ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (valid_ids(1)[0], {"resident_id"}),
        (f"证件号{valid_ids(1)[0]}号", {"resident_id"}),
        ("1380\u200b0000001", {"mobile"}),
        ("+8613800000001", {"mobile"}),
        ("a.b+c@example.com.cn", {"email"}),
        ("联系zhang@example.com吧", {"email"}),
        ("6222020000000000003", set()),  # 62 + 17 digits, wrong check digit
        ("4111111111111111", {"bank_card"}),
        ("138****0001", set()),
        ("213800000001", set()),
        ("2024-01-01 10:00", set()),
        ("a@b", set()),
    ],
)
def test_scan(text: str, kinds: set[str]) -> None:
    assert set(scan.scan_column(pl.Series("x", [text, "", None]))) == kinds


def test_a_wrong_check_character_is_no_resident_id() -> None:
    right = valid_ids(1)[0]
    others = [right[:-1] + last for last in "0123456789X" if last != right[-1]]
    assert scan.scan_column(pl.Series("x", [right])) == {"resident_id": 1}
    assert "resident_id" not in scan.scan_column(pl.Series("x", others))
    body = "52010219900230123"  # no such day, with the check character that it would have
    total = sum(int(digit) * (2 ** (17 - i) % 11) for i, digit in enumerate(body))
    assert scan.scan_column(pl.Series("x", [body + "10X98765432"[total % 11]])) == {}


def test_numbers_of_enterprises_and_order_numbers_are_no_refusal() -> None:
    firms = ["91440300708461136T", "914403001922038216"]
    orders = [f"20240101{n:010d}" for n in range(200)]
    assert scan.scan_column(pl.Series("x", firms)) == {}
    assert scan.scan_column(pl.Series("x", orders)) == {}


def test_each_distinct_value_counts_as_often_as_it_stands() -> None:
    column = pl.Series("x", ["13800000001", "13800000001", "京A12345", "x", None])
    assert scan.scan_column(column) == {"mobile": 2, "plate": 1}


@pytest.mark.parametrize("type_", [pl.Int64, pl.Float64, pl.Decimal(20, 2)])
def test_a_mobile_number_in_a_number_column(type_: Any) -> None:
    column = pl.Series("x", [13800000001, 5, None]).cast(type_)
    assert scan.scan_column(column) == {"mobile": 1}


@settings(max_examples=50)
@given(st.lists(st.sampled_from([*IDS, "张三", "13800000001", "", None]), max_size=6))
def test_a_pseudonym_never_looks_like_an_identifier(values: list[str | None]) -> None:
    params = PseudonymParams(key="k")
    codes = [None if value is None else code(value, b"k" * 32, params) for value in values]
    assert scan.scan_column(pl.Series("x", codes, dtype=pl.String)) == {}


def test_a_dictionary_of_a_million_numbers_finds_no_pseudonym() -> None:
    """The second half of R-131: whoever has the codes, the recipe and 10⁶ candidates, but not the key."""
    key, params = hashlib.sha256(b"the scenario's key").digest(), PseudonymParams(key="k")
    numbers = [str(13_800_000_000 + n).encode() for n in range(1_000_000)]
    codes = [code(number.decode(), key, params) for number in numbers[::1000]]
    # 26 characters are 130 bits, of which whole bytes are the first 16 of the digest.
    released = {b32decode(one + "======")[:16] for one in codes}
    assert len(released) == 1000
    assert sum(hashlib.sha256(number).digest()[:16] in released for number in numbers) == 0
    assert sum(hmac.digest(b"k", number, "sha256")[:16] in released for number in numbers) == 0
    # The attack does work where it can: with the key, all of them are found.
    derived = subkey(key, "pseudonym", "sha256")
    assert sum(hmac.digest(derived, number, "sha256")[:16] in released for number in numbers[:50_000]) == 50


@pytest.mark.parametrize("asked", [None, "yes", {}, {"threshold": "10"}, {"threshold": True}])
def test_without_an_order_to_test_anonymity_there_is_no_product(place: Place, asked: Any) -> None:
    error = refused(place, FOUR_STEPS, anonymity=asked)
    assert (error.code, error.details["field"]) == ("RECIPE_MALFORMED", "anonymity")
