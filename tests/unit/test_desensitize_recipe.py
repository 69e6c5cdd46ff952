"""Recipes as data: what the control plane can refuse before any row is touched."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from sandbox.core.errors import SandboxError
from sandbox.desensitize.recipe import plan, validate_recipe
from sandbox.desensitize.transforms import TRANSFORMS

FIELDS: list[dict[str, Any]] = [
    {"name": "resident_id", "type": "string", "flags": ["personal"], "role": "identifier"},
    {"name": "birth_date", "type": "date", "flags": ["personal"], "role": "quasi"},
    {"name": "income", "type": "integer", "flags": ["personal", "sensitive_personal"], "role": "sensitive"},
    {"name": "note", "type": "string", "flags": ["personal"]},
    {"name": "base", "type": "string", "flags": ["secret"], "role": "other"},
    {"name": "district", "type": "string", "flags": [], "role": "quasi"},
]
PSEUDONYM = {"column": "resident_id", "transform": "pseudonym", "params": {"key": "k"}}


def recipe(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "r", "version": "1", "steps": list(steps)} | more


def refusal(described: Any, fields: list[dict[str, Any]] | None = None) -> SandboxError:
    with pytest.raises(SandboxError) as caught:
        validate_recipe(described, fields)
    assert caught.value.message("zh")
    return caught.value


def test_it_needs_no_data_library() -> None:
    code = (
        "import sys; from sandbox.desensitize.recipe import validate_recipe; "
        "validate_recipe({'name': 'r', 'version': '1', 'keep': ['a']}, [{'name': 'a', 'type': 'string'}]); "
        "sys.exit(bool({'duckdb', 'polars', 'pyarrow', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_plan_tells_each_columns_origin() -> None:
    year = {"column": "birth_date", "transform": "generalise", "params": {"by": "date", "to": "year"}}
    checked = validate_recipe(
        recipe(
            {"column": "resident_id", "transform": "tidy"},
            PSEUDONYM,
            year | {"output": "birth_year"},
            keep=["district"],
        ),
        FIELDS,
    )
    assert [(c.name, c.type, c.source, c.transforms) for c in plan(checked, FIELDS)] == [
        ("resident_id", "string", "resident_id", ("tidy", "pseudonym")),
        ("district", "string", "district", ()),
        ("birth_year", "string", "birth_date", ("generalise",)),
    ]
    assert checked.keys == {"k"}


def test_hashes_do_not_depend_on_the_order_of_keys_but_on_every_parameter() -> None:
    one = {"by": "band", "width": 10, "start": 5}
    step = {"column": "income", "transform": "generalise"}
    first = validate_recipe(recipe(step | {"params": one})).steps[0]
    same = validate_recipe(recipe(step | {"params": dict(reversed(one.items()))})).steps[0]
    other = validate_recipe(recipe(step | {"params": one | {"width": 20}})).steps[0]
    assert first.parameter_hash == same.parameter_hash != other.parameter_hash
    assert len(first.parameter_hash) == 64


@pytest.mark.parametrize(
    "described",
    [
        None,
        [],
        {},
        {"name": "r", "version": "1"},
        recipe(PSEUDONYM, more=1),
        recipe(PSEUDONYM | {"colum": "x"}),
        recipe(PSEUDONYM, keep="district"),
        recipe({"transform": "tidy"}),
    ],
)
def test_recipe_malformed(described: Any) -> None:
    assert refusal(described).code == "RECIPE_MALFORMED"


def test_a_recipe_that_leaves_nothing_is_malformed() -> None:
    assert refusal(recipe({"column": "note", "transform": "suppress"}), FIELDS).code == "RECIPE_MALFORMED"


@pytest.mark.parametrize("name", ["sha256", "hash", "encrypt", "aes", "base64", "Mask", "", "__class__"])
def test_there_is_no_unkeyed_hash_and_no_cipher(name: str) -> None:
    error = refusal(recipe({"column": "resident_id", "transform": name}))
    assert error.code == "RECIPE_UNKNOWN_TRANSFORM"
    assert error.details["step"] == 1


@pytest.mark.parametrize(
    ("transform", "params"),
    [
        ("mask", {"keep_first": -1}),
        ("mask", {"keep_first": 6, "keep_last": 4}),
        ("mask", {"character": "**"}),
        ("mask", {"character": "0"}),
        ("mask", {"keep": 3}),
        ("mask", {"keep_first": "3"}),
        ("generalise", {}),
        ("generalise", {"by": "band"}),
        ("generalise", {"by": "band", "width": 0}),
        ("generalise", {"by": "band", "width": float("inf")}),
        ("generalise", {"by": "band", "edges": [3, 2]}),
        ("generalise", {"by": "band", "width": 10, "edges": [1]}),
        ("generalise", {"by": "band", "to": "year"}),
        ("generalise", {"by": "date", "to": "day"}),
        ("generalise", {"by": "prefix", "length": 7}),
        ("generalise", {"by": "map", "table": {}}),
        ("pseudonym", {}),
        ("pseudonym", {"key": ""}),
        ("pseudonym", {"key": "k", "hash": "md5"}),
        ("pseudonym", {"key": "k", "prefix": "1380000"}),
        ("suppress", {"mode": "some"}),
        ("top_code", {}),
        ("bottom_code", {"limit": "5"}),
        ("round", {"to": 0}),
        ("tidy", {"upper": "yes"}),
        ("convert", {"to": "blob"}),
    ],
)
def test_recipe_parameter(transform: str, params: dict[str, Any]) -> None:
    error = refusal(recipe({"column": "income", "transform": transform, "params": params}))
    assert (error.code, error.details["transform"]) == ("RECIPE_PARAMETER", transform)


@pytest.mark.parametrize(
    "described",
    [
        recipe({"column": "nothing", "transform": "tidy"}),
        recipe(keep=["nothing"]),
        recipe(PSEUDONYM, drop=["nothing"]),
        recipe(PSEUDONYM, keep=["resident_id"]),
        recipe(PSEUDONYM, drop=["resident_id"]),
        recipe(keep=["district", "district"]),
        recipe(keep=["district"], drop=["district"]),
    ],
)
def test_recipe_column(described: Any) -> None:
    assert refusal(described, FIELDS).code == "RECIPE_COLUMN"


@pytest.mark.parametrize(
    "step",
    [
        {"column": "district", "transform": "round", "params": {"to": 10}},
        {"column": "income", "transform": "tidy"},
        {"column": "district", "transform": "generalise", "params": {"by": "date", "to": "year"}},
        {"column": "birth_date", "transform": "generalise", "params": {"by": "band", "width": 10}},
        {"column": "income", "transform": "round", "params": {"to": 0.5}},
        {"column": "income", "transform": "top_code", "params": {"limit": 1.5}},
        {"column": "birth_date", "transform": "convert", "params": {"to": "number"}},
    ],
)
def test_recipe_type(step: dict[str, Any]) -> None:
    assert refusal(recipe(step), FIELDS).code == "RECIPE_TYPE"


def test_types_are_followed_through_the_steps() -> None:
    steps = [
        {"column": "income", "transform": "generalise", "params": {"by": "band", "width": 10}},
        {"column": "income", "transform": "round", "params": {"to": 10}},
    ]
    error = refusal(recipe(*steps), FIELDS)
    assert (error.code, error.details["step"], error.details["type"]) == ("RECIPE_TYPE", 2, "string")


@pytest.mark.parametrize(
    "described",
    [
        recipe(keep=["resident_id"]),
        recipe({"column": "resident_id", "transform": "tidy"}),
        recipe({"column": "resident_id", "transform": "convert", "params": {"to": "integer"}}),
        recipe({"column": "resident_id", "transform": "tidy", "output": "harmless"}),
        recipe(
            PSEUDONYM | {"output": "code"}, {"column": "resident_id", "transform": "tidy", "output": "code"}
        ),
        recipe(PSEUDONYM | {"output": "code"}, keep=["resident_id"]),
        recipe(keep=["note"]),  # personal and without a role: counts as an identifier
    ],
)
def test_an_identifier_does_not_get_by_undesensitised(described: Any) -> None:
    assert refusal(described, FIELDS).code == "PI_NOT_DESENSITISED"


@pytest.mark.parametrize(
    "described",
    [recipe(keep=["base"]), recipe({"column": "base", "transform": "mask", "output": "harmless"})],
)
def test_a_secret_field_enters_no_product(described: Any) -> None:
    error = refusal(described, FIELDS)
    assert (error.code, error.details) == ("FIELD_SECRET", {"column": "base"})


def test_only_strong_transforms_count_as_desensitising() -> None:
    strong = {name for name, row in TRANSFORMS.items() if row.desensitises}
    assert strong == {
        "mask", "generalise", "pseudonym", "fpe", "token", "suppress", "date_shift", "geo", "microaggregate",
        "redact",
    }  # fmt: skip
    assert {name for name, row in TRANSFORMS.items() if row.reversible_with_key} == {
        "pseudonym", "fpe", "token", "date_shift",
    }  # fmt: skip
