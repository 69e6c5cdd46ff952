"""The policy's table of required transforms, and the keys that keep two recipients apart."""

from __future__ import annotations

import hmac
from typing import Any

import polars as pl
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.core.errors import SandboxError
from sandbox.desensitize.keys import recipient_key
from sandbox.desensitize.recipe import Rules, validate_recipe
from sandbox.desensitize.required import class_of, required_of
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import Setting, digests, subkey
from sandbox.policy import load_profile
from sandbox.policy.methods import CLASSES, METHODS, RequiredMethods, at_least_as_strict
from sandbox.policy.parameters import PARAMETERS

KEY = "desensitise.required"
NATIONAL: dict[str, list[list[str]]] = load_profile("national").get(KEY)
FIELDS: list[dict[str, Any]] = [
    {"name": "who", "type": "string", "level": 4, "flags": ["personal"], "role": "identifier"},
    {"name": "income", "type": "integer", "level": 4, "flags": ["sensitive_personal"], "role": "sensitive"},
    {"name": "age", "type": "integer", "level": 2, "flags": ["personal"], "role": "quasi"},
    {
        "name": "turnover",
        "type": "integer",
        "level": 3,
        "flags": ["enterprise_confidential"],
        "role": "other",
    },
    {"name": "ungraded", "type": "integer", "flags": [], "role": "other"},
]
STEPS = [
    {"column": "who", "transform": "pseudonym", "params": {"key": "k"}},
    {"column": "income", "transform": "round", "params": {"to": 1000}},
    {"column": "turnover", "transform": "top_code", "params": {"limit": 1000}},
]


def recipe(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "r", "version": "1", "steps": list(steps), **more}


@pytest.mark.requirement("R-132")
def test_each_level_and_class_has_one_rule_and_removing_a_required_transform_fails() -> None:
    assert set(NATIONAL) == set(CLASSES)
    assert all(len(rows) == 4 for rows in NATIONAL.values())
    rules = Rules(required=NATIONAL)
    whole = recipe(*STEPS, keep=["age"])
    assert validate_recipe(whole, FIELDS, rules).name == "r"
    for number, step in enumerate(STEPS):
        column = step["column"]
        left = recipe(*(one for one in STEPS if one is not step), keep=["age", column])
        with pytest.raises(SandboxError) as caught:
            validate_recipe(left, FIELDS, rules)
        code = "PI_NOT_DESENSITISED" if number == 0 else "TRANSFORM_REQUIRED"
        assert (caught.value.code, caught.value.details["column"]) == (code, column)
        # without the column there is nothing to require
        assert validate_recipe(
            recipe(*(one for one in STEPS if one is not step), keep=["age"]), FIELDS, rules
        )


def test_a_wrong_method_is_none_and_an_ungraded_field_has_the_strictest_row() -> None:
    rules = Rules(required=NATIONAL)
    masked = {"column": "who", "transform": "mask", "params": {"keep_first": 1}}
    for described, column in (
        (recipe(masked, *STEPS[1:]), "who"),
        (recipe(*STEPS, keep=["ungraded"]), "ungraded"),
    ):
        with pytest.raises(SandboxError) as caught:
            validate_recipe(described, FIELDS, rules)
        assert (caught.value.code, caught.value.details["column"]) == ("TRANSFORM_REQUIRED", column)
        assert "drop" in caught.value.message("zh")


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ({"role": "identifier"}, "identifier"),
        ({"flags": ["personal"]}, "identifier"),
        ({"flags": ["enterprise_confidential"], "role": "quasi"}, "confidential"),
        ({"flags": ["sensitive_personal"], "role": "quasi"}, "sensitive"),
        ({"role": "sensitive"}, "sensitive"),
        ({"flags": ["personal"], "role": "quasi"}, "quasi"),
        ({"flags": ["personal"], "role": "other"}, "identifier"),
        ({"flags": ["sensitive_personal"], "role": "other"}, "identifier"),
        ({"flags": ["personal"], "role": "unheard of"}, "identifier"),
        ({"role": "other"}, "other"),
        ({}, "other"),
    ],
)
def test_the_class_of_a_field(field: dict[str, Any], name: str) -> None:
    assert class_of(field) == name


def test_a_class_that_the_table_lacks_must_go() -> None:
    assert required_of({"role": "quasi", "level": 1}, {}) == ("drop",)


@pytest.mark.parametrize(
    "table",
    [
        {name: rows for name, rows in NATIONAL.items() if name != "quasi"},
        NATIONAL | {"quasi": [[], [], []]},
        NATIONAL | {"quasi": [[], [], [], ["encrypt"]]},
        NATIONAL | {"more": [[], [], [], []]},
    ],
)
def test_a_table_with_a_gap_does_not_load(table: dict[str, Any]) -> None:
    assert PARAMETERS[KEY].type is RequiredMethods
    assert PARAMETERS[KEY].problem(table)
    assert not PARAMETERS[KEY].problem(NATIONAL)


def test_which_table_is_the_stricter() -> None:
    fewer = NATIONAL | {"identifier": [["drop"]] * 4}
    more = NATIONAL | {"quasi": [[], [], [], []]}
    other = NATIONAL | {"identifier": [["noise"]] * 4}
    assert at_least_as_strict(fewer, NATIONAL)
    assert not at_least_as_strict(NATIONAL, fewer)
    assert not at_least_as_strict(more, NATIONAL)
    assert not at_least_as_strict(other, NATIONAL)
    assert PARAMETERS[KEY].weaker(more, NATIONAL)


def test_every_method_of_a_transform_is_one_that_a_policy_can_name() -> None:
    assert {row.method for row in TRANSFORMS.values()} == {*METHODS, "none"}


def test_a_coordinate_is_not_finer_than_the_policy() -> None:
    fields = [{"name": name, "type": "number", "level": 2, "role": "quasi"} for name in ("lat", "lon")]
    step = {"columns": ["lat", "lon"], "transform": "geo", "params": {"decimals": 3}}
    with pytest.raises(SandboxError) as caught:
        validate_recipe(recipe(step), fields, Rules(decimals=2))
    assert (caught.value.code, caught.value.details["most"]) == ("RECIPE_PRECISION", 2)
    assert validate_recipe(recipe(step), fields, Rules(decimals=3))


def test_derived_keys_are_those_of_the_rfc() -> None:
    info = b'["sandbox/recipe/1","sample"]'
    assert subkey(bytes(range(32)), "sample") == HKDFExpand(SHA256(), 32, info).derive(bytes(range(32)))
    assert subkey(bytes(32), "a", "bc") != subkey(bytes(32), "ab", "c")


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=1, max_size=200), st.text(max_size=80), st.sampled_from(["sha256", "sm3"]))
def test_a_keyed_digest_is_the_hmac_of_the_rfc(key: bytes, value: str, name: str) -> None:
    assert digests(pl.Series([value, "x"]), key, name)[0].tobytes() == hmac.digest(key, value.encode(), name)


def test_two_recipients_cannot_join_and_nor_can_two_projects() -> None:
    workspace = bytes(range(32))
    people = pl.Series("who", [f"person {n}" for n in range(200)])
    dates = pl.Series("day", [n * 31 for n in range(200)]).cast(pl.Date)

    def seen(project: str, recipient: str) -> list[set[Any]]:
        setting = Setting({"k": recipient_key(workspace, project, recipient, "k")}, {"who": people})
        made = []
        for name, column, params in (
            ("pseudonym", people, {"key": "k"}),
            ("fpe", pl.Series([f"1380000{n:04d}" for n in range(200)]), {"key": "k", "form": "mobile"}),
            ("date_shift", dates, {"key": "k", "by": "who", "days": 365}),
        ):
            row = TRANSFORMS[name]
            made.append(row.apply([column], row.params.model_validate(params), setting)[0].to_list())
        return made

    ours, again = seen("p1", "alpha"), seen("p1", "alpha")
    assert ours == again  # the same recipient joins its own tables
    for theirs in (seen("p1", "beta"), seen("p2", "alpha")):
        assert not set(ours[0]) & set(theirs[0])
        assert not set(ours[1]) & set(theirs[1])
        assert sum(a == b for a, b in zip(ours[2], theirs[2], strict=True)) < 10
    assert recipient_key(workspace, "p1", "alpha", "k") != recipient_key(workspace, "p1", "alpha", "other")
