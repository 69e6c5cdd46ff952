"""Recipes whose columns together, or whose subjects, tell what each of them was allowed to hide."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.desensitize.recipe import plan, validate_recipe
from tests.attack.test_recipe_attacks_transforms import FIELDS, RULES, recipe, shifted, step
from tests.refusal import refused

UNSAID = [
    {"name": "full_name", "type": "string", "role": "other", "flags": ["personal"], "level": 3},
    {"name": "sex", "type": "string", "role": "other", "flags": ["personal"], "level": 2},
    {"name": "disease", "type": "string", "role": "sensitive", "flags": ["sensitive_personal"], "level": 4},
]
ALL = [*FIELDS, *UNSAID]


def band(output: str, width: float) -> dict[str, Any]:
    return step("income", "generalise", output, by="band", width=width)


@pytest.mark.parametrize(
    "steps",
    [
        # the lesser of value and limit, and the greater: their sum less the limit is the value
        [step("income", "top_code", "a", limit=250), step("income", "bottom_code", "b", limit=250)],
        [band("a", 100.0), band("b", 99.0)],
        [step("income", "round", "a", to=100), band("b", 99.0)],
        # equal values have one code: their noise is averaged
        [step("visits", "noise", "a", scale=1000), step("visits", "pseudonym", "b", key="k")],
        [shifted(90, output="a"), step("born", "pseudonym", "b", key="k")],
    ],
)
def test_two_views_of_a_value_do_not_give_it_back(steps: list[dict[str, Any]]) -> None:
    with refused("RECIPE_ADDS_UP"):
        validate_recipe(recipe(*steps), ALL, RULES)


@pytest.mark.parametrize(
    "steps",
    [
        [step("income", "round", to=100)],
        [step("disease", "generalise", "a", by="icd", level="chapter"),
         step("disease", "generalise", "b", by="icd", level="category")],  # the one follows from the other
        [step("born", "generalise", "a", by="date", to="year"),
         step("born", "generalise", "b", by="age", on="2026-01-01", width=10)],  # k counts both together
        [step("income", "pseudonym", "a", key="k"), band("b", 100.0)],
    ],
)  # fmt: skip
def test_views_that_tell_nothing_more_are_allowed(steps: list[dict[str, Any]]) -> None:
    assert len(plan(validate_recipe(recipe(*steps)), ALL, RULES)) == len(steps)


def test_where_nothing_is_required_of_a_number_it_may_be_there_twice() -> None:
    fields = [FIELDS[0], {"name": "income", "type": "number", "role": "sensitive", "level": 1}]
    assert len(plan(validate_recipe(recipe(band("a", 100.0), band("b", 99.0))), fields, RULES)) == 2


def test_a_personal_field_of_no_role_is_no_subject_of_a_shift() -> None:
    """All of one sex would be shifted alike: who knows one of them knows them all."""
    with refused("RECIPE_SHIFT"):
        validate_recipe(recipe(shifted(90, by="sex")), ALL, RULES)
    validate_recipe(recipe(shifted(90, by="pid")), ALL, RULES)


@pytest.mark.parametrize("params", [{"k": 2}, {"k": 5, "by": "district"}, {"k": 5, "by": "sex"}])
def test_groups_are_of_subjects_and_not_of_their_rows(params: dict[str, Any]) -> None:
    """With as many like rows as a group has, somebody is a group of their own, and their value its mean."""
    with refused("RECIPE_PARAMETER"):
        validate_recipe(recipe(step("income", "microaggregate", **params)), ALL, RULES)
    code = step("pid", "pseudonym", key="k")
    for before in ([], [code]):
        validate_recipe(recipe(*before, step("income", "microaggregate", k=5, by="pid")), ALL, RULES)
    nameless = [field for field in ALL if field.get("role") != "identifier"]
    validate_recipe(recipe(step("income", "microaggregate", k=5)), nameless, RULES)


@pytest.mark.parametrize("off", ["prose_names", "long_numbers"])
def test_a_search_for_a_part_is_no_protection_of_a_name(off: str) -> None:
    """One cell with a telephone was struck out, 299 names were not, and the column counted as redacted."""
    one = step("full_name", "redact", None, **{off: False})
    with refused("PI_NOT_DESENSITISED"):
        validate_recipe(recipe(one), ALL, RULES)
    validate_recipe(recipe(step("full_name", "redact")), ALL, RULES)
    validate_recipe(recipe(step("full_name", "mask", keep_first=1), one), ALL, RULES)  # protected before
