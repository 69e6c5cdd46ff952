"""The anonymity verdict: measured over entities after the transform, set by nobody (R-127)."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sandbox.control.kinds import KINDS
from sandbox.core.errors import CODES
from sandbox.desensitize import task
from sandbox.desensitize.anonymity import judge
from sandbox.registry.anonymity import Anonymity, not_measured
from tests.plugins.space import Scene
from tests.refusal import refused

FIELDS: list[dict[str, Any]] = [
    {"name": "person", "type": "string", "flags": ["personal"], "role": "identifier"},
    {"name": "district", "type": "string", "flags": [], "role": "quasi"},
    {"name": "born", "type": "integer", "flags": [], "role": "quasi"},
    {"name": "income", "type": "integer", "flags": [], "role": "sensitive"},
]
ROLES = [{"name": field["name"], "role": field["role"]} for field in FIELDS]


def verdict_of(
    tmp_path: Path,
    people: list[tuple[str | None, str, int]],
    steps: list[dict[str, Any]],
    keep: list[str],
    threshold: int = 3,
    **over: Any,
) -> dict[str, Any]:
    """Run a recipe over ``people`` (person, district, born) and give what it reports."""
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    out.mkdir()
    columns = {
        "person": [person for person, _, _ in people],
        "district": [district for _, district, _ in people],
        "born": [born for _, _, born in people],
        "income": [1000] * len(people),
    }
    types = {"person": pl.String, "district": pl.String, "born": pl.Int64, "income": pl.Int64}
    pl.DataFrame(columns, schema=types).write_parquet(inputs / "data")
    recipe = {"name": "r", "version": "1", "steps": steps, "keep": keep}
    asked = {"entity": "person", "fields": ROLES, "threshold": threshold, **over}
    params = {"recipe": recipe, "fields": FIELDS, "keys": {"k": "00" * 32}, "anonymity": asked}
    verdict: dict[str, Any] = task.run(params, inputs, out)["anonymity"]
    assert (
        Anonymity.model_validate(verdict).model_dump(mode="json") == verdict
    )  # what the control plane takes
    return verdict


DECADE = {"column": "born", "transform": "round", "params": {"to": 10}}
PEOPLE = [
    (f"p{number}", "north" if number < 4 else "south", 1980 + number + number // 4) for number in range(8)
]


@pytest.mark.requirement("R-127")
def test_the_verdict_comes_from_the_test_after_the_transform(tmp_path: Path) -> None:
    places = [tmp_path / name for name in "abc"]
    for place in places:
        place.mkdir()
    exact = verdict_of(places[0], PEOPLE, [], ["district", "born", "income"])
    assert exact == {"verdict": False, "k": 1, "threshold": 3, "reasons": ["K_BELOW"]}
    coarse = verdict_of(places[1], PEOPLE, [DECADE], ["district", "income"])
    assert coarse == {"verdict": True, "k": 4, "threshold": 3, "reasons": []}
    district = verdict_of(places[2], PEOPLE, [], ["district", "income"])
    assert district == {"verdict": True, "k": 4, "threshold": 3, "reasons": []}


@pytest.mark.requirement("R-127")
@pytest.mark.parametrize("name", ["anonymised", "anonymity"])
@pytest.mark.parametrize("value", [True, {"verdict": True, "k": 99, "threshold": 3, "reasons": []}])
def test_nobody_sets_it_by_the_api(granted: Scene, name: str, value: Any) -> None:
    assert CODES["MACHINE_ONLY"].kind.status == 403
    before = granted.everything()
    spec = {**granted.get("product", "pr-a").spec, name: value}
    for who in ("operator", "developer", "chief", "reviewer", "editor", "auditor"):
        for attempt in (spec, {name: value}):
            with refused("MACHINE_ONLY"):
                granted.create(who, "product", attempt)
        for event in ("offer", "register", "withdraw", "anonymise"):
            with refused("MACHINE_ONLY"):
                granted.act(who, "product", "pr-a", event, {"scenario": "sc-a", name: value})
    with refused("MACHINE_ONLY"):
        granted.create("operator", "job", {**granted.recipe_spec(), name: value})
    assert granted.everything() == before
    assert granted.log()[-1].reason == "MACHINE_ONLY"
    del spec[name]
    spec.pop("anonymity", None)
    with refused("NOT_REVIEWED"):  # nor is there another way to make a product
        granted.create("operator", "product", spec)


def test_no_event_but_the_creation_writes_it() -> None:
    """A product's spec is written once: no other transition takes one."""
    table = KINDS["product"]
    assert [row.event for row in table.transitions if row.payload is table.spec] == ["create"]
    assert {"anonymity", "anonymised"} <= table.machine
    assert {"anonymity", "anonymised"} <= KINDS["job"].machine


def test_its_maker_sees_k_and_a_developer_does_not(granted: Scene) -> None:
    def seen(who: str) -> dict[str, Any]:
        shown: dict[str, Any] = granted.control.get(granted.who(who), "product", "pr-a").spec["anonymity"]
        return shown

    assert seen("operator")["k"] == seen("chief")["k"] == 3
    assert seen("developer") == {"verdict": False, "threshold": 10, "reasons": ["IDENTIFIER_KEPT", "K_BELOW"]}


@pytest.mark.parametrize(
    ("steps", "keep", "over", "people", "k", "reasons"),
    [
        # fifty rows of one person are one person
        ([], ["district"], {}, [("p", "n", 1)] * 50, 1, ["K_BELOW"]),
        ([], ["district"], {"entity": None}, PEOPLE, None, ["ENTITY_UNKNOWN"]),
        ([], ["district"], {"entity": "elsewhere"}, PEOPLE, None, ["ENTITY_UNKNOWN"]),
        ([], ["district"], {}, [*PEOPLE, (None, "north", 1990)], None, ["ENTITY_UNKNOWN"]),
        ([], ["district"], {"fields": []}, PEOPLE, 8, ["QUASI_UNDECLARED"]),
        ([], ["district"], {}, [], 0, ["EMPTY"]),
        ([], ["income"], {}, PEOPLE, 8, []),  # no quasi-identifier left: all are alike
        (
            [{"column": "person", "transform": "pseudonym", "params": {"key": "k"}}],
            ["district"],
            {},
            PEOPLE,
            4,
            ["IDENTIFIER_KEPT"],
        ),
        (
            [{"column": "person", "transform": "mask", "params": {"keep_first": 1}}],
            [],
            {"entity": None, "fields": ROLES[:1]},
            PEOPLE,
            None,
            ["ENTITY_UNKNOWN", "QUASI_UNDECLARED", "IDENTIFIER_KEPT"],
        ),
    ],
)
def test_default_deny(
    tmp_path: Path,
    steps: list[dict[str, Any]],
    keep: list[str],
    over: dict[str, Any],
    people: list[tuple[str | None, str, int]],
    k: int | None,
    reasons: list[str],
) -> None:
    found = verdict_of(tmp_path, people, steps, keep, **over)
    assert found == {"verdict": not reasons, "k": k, "threshold": 3, "reasons": reasons}


CELL = st.sampled_from(["a", "b", None])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("pqrst"), CELL, CELL), min_size=1, max_size=14), st.integers(1, 4))
def test_k_is_what_counting_by_hand_gives(
    rows: list[tuple[str, str | None, str | None]], threshold: int
) -> None:
    groups: dict[tuple[str | None, str | None], set[str]] = defaultdict(set)
    for person, one, two in rows:
        groups[one, two].add(person)
    expected = min(len(people) for people in groups.values())
    columns = {"x": [row[1] for row in rows], "y": [row[2] for row in rows]}
    product = pl.DataFrame(columns, schema={"x": pl.String, "y": pl.String})
    fields = [{"name": "one", "role": "quasi"}, {"name": "two", "role": "quasi"}]
    entities = pl.Series([row[0] for row in rows])
    found = judge(product, {"x": "one", "y": "two"}, fields, entities, threshold)
    assert (found["k"], found["verdict"]) == (expected, expected >= threshold)


def test_a_verdict_that_contradicts_itself_is_none() -> None:
    for wrong in (
        {"verdict": True, "k": 2, "threshold": 3},
        {"verdict": True, "threshold": 3},
        {"verdict": False, "k": 5, "threshold": 3},
        {"verdict": False, "k": 2, "threshold": 3},
        {"verdict": False, "k": -1, "threshold": 3, "reasons": ["K_BELOW"]},
    ):
        with pytest.raises(ValidationError):
            Anonymity.model_validate(wrong)
    assert not_measured(7).model_dump() == {
        "verdict": False,
        "k": None,
        "threshold": 7,
        "reasons": ("NOT_MEASURED",),
    }
