"""What is different between two versions of a specification."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.console.views.changes import LONGEST, MOST, Change, changes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({"a": 1}, {"a": 2}, [(("a",), "1", "2")]),
        ({"a": "x"}, {}, [(("a",), "x", "")]),
        ({"scope": ["ce-a", "ce-b"]}, {"scope": ["ce-b", "ce-c"]}, [
            (("scope", "ce-a"), "✓", ""), (("scope", "ce-c"), "", "✓"),
        ]),
        (
            {"fields": [{"name": "x", "level": 2}, {"name": "y", "level": 1}]},
            {"fields": [{"name": "y", "level": 3}, {"name": "x", "level": 2}]},
            [(("fields", "y", "level"), "1", "3")],
        ),
        (
            {"list": [{"entry": "ce-a", "columns": ["a"]}]},
            {"list": [{"entry": "ce-a", "columns": ["a", "b"]}]},
            [(("list", "ce-a", "columns", "b"), "", "✓")],
        ),
        ({"rows": [{"o": 1}, {"o": 1}]}, {"rows": []}, [(("rows",), '[{"o": 1}, {"o": 1}]', "[]")]),
        ({"n": "y" * 500}, {"n": ""}, [(("n",), "y" * LONGEST + "…", "")]),
        ({"a": {"b": 1}}, {"a": 1}, [(("a",), '{"b": 1}', "1")]),
        ({"a": False}, {"a": True}, [(("a",), "false", "✓")]),
    ],
)  # fmt: skip
def test_lines_are_what_a_person_compares(before: Any, after: Any, lines: list[Any]) -> None:
    assert list(changes(before, after).lines) == [Change(*line) for line in lines]


def test_many_lines_end_and_say_so() -> None:
    found = changes({}, {str(number): number for number in range(MOST + 5)})
    assert (len(found.lines), found.rest) == (MOST, 5)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_nothing_differs_from_itself(spec: dict[str, Any]) -> None:
    assert changes(spec, spec).lines == ()


@given(*[st.dictionaries(st.sampled_from("abc"), st.integers() | st.text(max_size=3), max_size=3)] * 2)
def test_every_field_that_differs_is_a_line(before: dict[str, Any], after: dict[str, Any]) -> None:
    different = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {line.path for line in changes(before, after).lines} == {(name,) for name in different}
