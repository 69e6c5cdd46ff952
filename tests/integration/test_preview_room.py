"""A recipe tried on made-up rows in a real container: no input, nothing left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.control.previewing import SHOWN, Previews
from sandbox.core.errors import SandboxError
from sandbox.desensitize.recipe import Rules, validate_recipe
from sandbox.executor.docker import DockerExecutor
from tests.plugins.space import Scene

pytestmark = pytest.mark.engine

PERSON = {"name": "person_id", "type": "string", "role": "identifier", "flags": ["personal"]}
INCOME = {"name": "income", "type": "integer", "role": "sensitive", "flags": []}
FIELDS: list[dict[str, Any]] = [
    {"title_zh": "列", "title_en": "column", "category": "people", "level": 3, **one}
    for one in (PERSON, INCOME)
]
RECIPE: dict[str, Any] = {
    "name": "a",
    "version": "1",
    "steps": [
        {"column": "person_id", "transform": "pseudonym", "params": {"key": "subject"}},
        {"column": "income", "transform": "round", "params": {"to": 1000}},
    ],
}


def test_a_recipe_is_tried_in_a_container_and_nothing_is_left(scene: Scene, tmp_path: Path) -> None:
    rules = Rules.of(scene.control.policy.get)
    recipe = validate_recipe(RECIPE, FIELDS, rules)
    executor = DockerExecutor(tmp_path / "previews")
    previews = Previews(scene.control, lambda: tmp_path / "previews", lambda root: executor)
    start = scene.logged()
    operator = scene.who("operator")
    found = previews.preview(operator, "scenario/sc-a", RECIPE, recipe, FIELDS, "person_id", rules)
    assert [one.name for one in found.columns] == ["person_id", "income"]
    assert found.aligned
    made = found.columns[0]
    assert len(made.before) == len(made.after) == SHOWN
    assert not {*made.before} & {*made.after}
    assert executor.known() == []
    assert executor.running() == []
    assert [one.action for one in scene.log(start)] == ["preview-recipe"]


def test_a_refusal_of_the_run_comes_back_as_it_is(scene: Scene, tmp_path: Path) -> None:
    described = {
        **RECIPE,
        "steps": [RECIPE["steps"][0], {"column": "income", "transform": "tidy", "params": {}}],
    }
    rules = Rules()
    recipe = validate_recipe({**RECIPE, "steps": RECIPE["steps"]}, FIELDS, rules)
    executor = DockerExecutor(tmp_path / "previews")
    previews = Previews(scene.control, lambda: tmp_path / "previews", lambda root: executor)
    operator = scene.who("operator")
    with pytest.raises(SandboxError) as refused:  # the room holds the recipe to the fields once more
        previews.preview(operator, "scenario/sc-a", described, recipe, FIELDS, "person_id", rules)
    assert refused.value.code == "RECIPE_TYPE"
    assert executor.known() == []
