"""Hierarchies: groups are runs of leaves, rules give the groups they say, what is wrong is refused."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sandbox.core.errors import SandboxError
from sandbox.desensitize.search import hierarchy as module
from sandbox.desensitize.search.hierarchy import HierarchySpec, build


def labels_of(h, value):
    """What a value becomes, level by level."""
    leaf = h.labels[0].index(value)
    return [h.labels[level][h.levels[level][leaf]] for level in range(h.height + 1)]


def test_rules_give_their_groups():
    assert labels_of(build("a", [23, 61], HierarchySpec(by="age")), 23) == [
        23, "[20,25)", "[20,30)", "[20,40)", "*",
    ]  # fmt: skip
    assert labels_of(build("a", [1.5], HierarchySpec(by="band", widths=(2,), start=1)), 1.5)[1] == "[1,3)"
    codes = build("a", ["520102", "520115"], HierarchySpec(by="prefix", lengths=(4, 2)))
    assert labels_of(codes, "520102") == ["520102", "5201**", "52****", "*"]
    day = dt.date(2024, 8, 9)
    dates = build("a", [day], HierarchySpec(by="date", to=("month", "quarter", "year", "decade")))
    assert labels_of(dates, day) == [day, "2024-08", "2024Q3", "2024", "2020s", "*"]
    assert labels_of(build("a", ["x"], HierarchySpec()), "x") == ["x", "*"]
    later = build(
        "a",
        [dt.datetime(2024, 8, 9, 1, tzinfo=dt.UTC), "2024-01-02"][:1],
        HierarchySpec(by="date", to=("year",)),
    )
    assert later.labels[1] == ("2024",)


def test_an_empty_value_stays_apart_up_to_the_top():
    h = build("a", [None, 3, 7], HierarchySpec(by="age"))
    assert labels_of(h, None) == [None, None, None, None, "*"]
    assert np.isnan(h.numbers[0])
    assert build("a", [None], HierarchySpec()).height == 1


@given(st.sets(st.text("abc", min_size=3, max_size=3), min_size=1))
def test_every_group_is_a_run_of_leaves(values):
    h = build("a", sorted(values), HierarchySpec(by="prefix", lengths=(2, 1)))
    for level in range(h.height + 1):
        steps = np.diff(h.levels[level])
        assert set(steps.tolist()) <= {0, 1}
        assert h.shares(level).sum() == pytest.approx(1)
        for leaf, value in enumerate(h.labels[0]):
            label = h.labels[level][h.levels[level][leaf]]
            assert label == "*" or value.startswith(str(label).rstrip("*"))


def file_of(tmp_path, text):
    path = tmp_path / "h.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return HierarchySpec(by="file", path="h.csv"), tmp_path


def test_a_file_gives_the_domain(tmp_path):
    spec, folder = file_of(tmp_path, "1;low;*\n2;low;*\n3;high;*\n")
    h = build("a", [1, 3, None], spec, folder)
    assert h.leaves == 4  # the value that nobody has counts for the domain, and so does the empty one
    assert labels_of(h, 1) == [1, "low", "*"]
    assert labels_of(h, None) == [None, None, "*"]


def test_a_file_without_a_top_gets_one(tmp_path):
    spec, folder = file_of(tmp_path, "a;x\nb;y\n")
    assert labels_of(build("a", ["a", "b"], spec, folder), "a") == ["a", "x", "*"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("a;*\nb;x;*\n", "uneven"),
        ("a;x;*\na;y;*\n", "repeated"),
        ("a;x;1;*\nb;x;2;*\n", "not nested"),
        (b"\xff\xfe;*\n", "unreadable"),
    ],
)
def test_a_file_that_is_no_hierarchy_is_refused(tmp_path, text, why):
    spec, folder = file_of(tmp_path, text)
    with pytest.raises(SandboxError) as refused:
        build("a", ["a"], spec, folder)
    assert refused.value.code == "ANONYMISE_HIERARCHY"
    assert refused.value.details["why"] == why


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path, monkeypatch):
    with pytest.raises(SandboxError) as refused:
        build("a", ["a"], HierarchySpec(by="file", path="none.csv"), tmp_path)
    assert refused.value.details["why"] == "unreadable"
    spec, folder = file_of(tmp_path, "a;*\n")
    monkeypatch.setattr(module, "_MOST_BYTES", 3)
    with pytest.raises(SandboxError) as refused:
        build("a", ["a"], spec, folder)
    assert refused.value.details["why"] == "too large"


def test_values_without_a_place_are_counted_and_not_shown(tmp_path):
    spec, folder = file_of(tmp_path, "a;*\n")
    for values, rule in ((["a", "机密甲", "机密乙"], spec), (["机密甲", "机密乙"], HierarchySpec(by="age"))):
        with pytest.raises(SandboxError) as refused:
            build("a", values, rule, folder)
        assert refused.value.code == "ANONYMISE_VALUES"
        assert refused.value.details["number"] == 2
        assert "机密" not in str(refused.value.as_json())
    with pytest.raises(SandboxError):
        build("a", [float("inf")], HierarchySpec(by="age"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": "file"},
        {"by": "age", "widths": (5,)},
        {"by": "band", "widths": (5, 12)},
        {"by": "prefix", "lengths": (2, 4)},
        {"by": "date", "to": ("year", "month")},
        {"by": "guess"},
    ],
)
def test_a_rule_that_does_not_fit_is_refused(wrong):
    with pytest.raises(ValidationError):
        HierarchySpec.model_validate(wrong)
