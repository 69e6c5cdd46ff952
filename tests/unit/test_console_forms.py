"""Forms from models and back: all can be drawn, what is filled in arrives, the rest is refused."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field as Bound

from sandbox.console.forms import MAX_TEXT, MAX_YAML, Field, fields, payload, short_enough
from sandbox.control.kinds import KINDS
from sandbox.core.lifecycle import Model
from tests.refusal import refused


class Inner(Model):
    a: int = 1


class All(Model):
    """One field of each sort."""

    title: str
    note: str = ""
    form: Literal["dataset", "report"]
    sure: Literal[True]
    high: bool = False
    count: int = 3
    share: float | None = None
    day: date | None = None
    at: datetime | None = None
    names: tuple[str, ...] = ()
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    free: dict[str, Any] = Bound(default_factory=dict)
    short: Annotated[str, Bound(max_length=3)] = "abc"
    either: int | str | None = None


CONTROLS = {
    "title": "text",
    "note": "long",
    "form": "select",
    "sure": "check",
    "high": "check",
    "count": "number",
    "share": "number",
    "day": "date",
    "at": "moment",
    "names": "lines",
    "inner": "yaml",
    "many": "yaml",
    "free": "yaml",
    "short": "text",
    "either": "yaml",
}


def test_each_type_has_its_control() -> None:
    found = {one.name: one for one in fields(All)}
    assert {name: one.control for name, one in found.items()} == CONTROLS
    assert found["form"].options == ("dataset", "report")
    assert {name for name, one in found.items() if one.required} == {"title", "form", "sure"}
    assert (found["count"].value, found["short"].value, found["inner"].value) == ("3", "abc", "a: 1\n")


def test_values_are_shown_as_they_are_stored() -> None:
    stored = {"title": "统计", "names": ["a", "b"], "high": True, "many": [{"a": 2}], "free": {"区": 1}}
    found = {one.name: one.value for one in fields(All, stored)}
    assert found["names"] == "a\nb"
    assert found["high"] == "on"
    assert found["many"] == "- a: 2\n"
    assert found["free"] == "区: 1\n"


def test_what_is_filled_in_arrives() -> None:
    form = {
        "title": " 统计 ",
        "form": "report",
        "sure": "on",
        "high": "",
        "count": "-7",
        "share": "0.25",
        "day": "2026-11-22",
        "names": "a\n\n b \n",
        "many": "[{a: 2}]",
        "free": "when: 2026-11-22\nn: 3",
        "unknown": "ignored",
    }
    assert payload(All, form) == {
        "title": "统计",
        "form": "report",
        "sure": True,
        "count": -7,
        "share": 0.25,
        "day": "2026-11-22",
        "names": ["a", "b"],
        "many": [{"a": 2}],
        "free": {"when": "2026-11-22", "n": 3},
    }


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("count", "three", "FORM_NUMBER"),
        ("count", "--3", "FORM_NUMBER"),
        ("count", "²", "FORM_NUMBER"),
        ("many", "[{a: 2", "FORM_YAML"),
        ("free", "a: &x [1, 2]\nb: *x", "FORM_YAML"),
        ("free", "!!python/object/apply:os.system ['true']", "FORM_YAML"),
        ("free", "[" * 5000, "FORM_YAML"),
        ("free", "a: .nan", "FORM_YAML"),
        ("free", "a: !!set {b}", "FORM_YAML"),
        ("free", "a: 1\n---\nb: 2", "FORM_YAML"),
        ("note", "x" * (MAX_TEXT + 1), "TOO_LARGE"),
    ],
)
def test_what_cannot_be_read_is_refused(field: str, text: str, code: str) -> None:
    with refused(code):
        payload(All, {field: text})


@pytest.mark.parametrize(
    "text", ["nan", "inf", "1e999", ".inf", ".nan", "true", "[1]", "0x10", "1_000", "1:30"]
)
def test_no_number_that_json_does_not_have(text: str) -> None:
    with refused("FORM_NUMBER"):
        payload(All, {"share": text})


def test_the_yaml_of_a_form_is_bounded_in_sum_and_its_other_text_is_not() -> None:
    half = f"a: {'区' * (MAX_YAML // 6)}"  # bytes are counted, not characters
    assert payload(All, {"free": half, "note": "x" * MAX_YAML})["free"] == {"a": half[3:]}
    with refused("FORM_YAML_LONG"):
        payload(All, {"free": half, "inner": half})
    short_enough("x" * MAX_YAML)
    with refused("FORM_YAML_LONG"):
        short_enough("x" * MAX_YAML, "y")


def test_every_form_of_every_kind_can_be_drawn() -> None:
    drawn = 0
    for kind in KINDS.values():
        for row in kind.transitions:
            for one in fields(row.payload):
                assert isinstance(one, Field)
                drawn += 1
    assert drawn > 100
