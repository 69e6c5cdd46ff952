"""Mondrian: what every part must hold, cuts that could be made are made, labels cover their rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.core.errors import SandboxError
from sandbox.desensitize.search.groups import Sensitive, Table
from sandbox.desensitize.search.hierarchy import HierarchySpec, build
from sandbox.desensitize.search.models import Model
from sandbox.desensitize.search.mondrian import mondrian
from sandbox.desensitize.search.recoding import of_partition, width

SETTINGS = settings(max_examples=60, deadline=None)
AGES = build("age", [None, *range(0, 40, 5)], HierarchySpec(by="age"))
CODES = build("code", ["111", "112", "121", "211"], HierarchySpec(by="prefix", lengths=(2, 1)))
ROW = st.tuples(st.integers(0, 8), st.integers(0, 3), st.integers(0, 2), st.integers(0, 12))
MODELS = {
    "k": [Model(kind="k", at_least=2)],
    "l": [Model(kind="k", at_least=2), Model(kind="distinct_l", column="s", at_least=2)],
    "t": [Model(kind="k", at_least=3), Model(kind="t", column="s", at_most=0.4)],
    "alpha": [Model(kind="alpha", column="s", at_most=0.7)],
}


def table_of(rows, entity=False):
    columns = [np.array(column, dtype=np.int32) for column in zip(*rows, strict=True)]
    return Table(
        ("age", "code"),
        tuple(columns[:2]),
        (AGES, CODES),
        {"s": Sensitive(columns[2], 3)},
        columns[3] if entity else None,
    )


def holds_by_hand(rows, models, whole):
    """The models over plain rows of one part, entities counted once."""
    pairs = sorted({(s, e) for _, _, s, e in rows})
    people = {e for *_, e in rows}
    counts = np.bincount([s for s, _ in pairs], minlength=3)
    share = counts / counts.sum()
    for m in models:
        good = {
            "k": len(people) >= m.at_least,
            "distinct_l": np.count_nonzero(counts) >= m.at_least,
            "t": np.abs(share - whole).sum() / 2 <= m.at_most + 1e-9,
            "alpha": counts.max() <= (m.at_most + 1e-9) * len(people),
        }[m.kind]
        if not good:
            return False
    return True


def shares(rows):
    pairs = sorted({(s, e) for _, _, s, e in rows})
    counts = np.bincount([s for s, _ in pairs], minlength=3)
    return counts / counts.sum()


@SETTINGS
@given(
    rows=st.lists(ROW, min_size=1, max_size=40),
    name=st.sampled_from(sorted(MODELS)),
    relaxed=st.booleans(),
    entity=st.booleans(),
)
def test_the_models_hold_in_every_part_or_nothing_is_given(rows, name, relaxed, entity):
    rows = rows if entity else [(*row[:3], i) for i, row in enumerate(rows)]
    table, models, whole = table_of(rows, entity), MODELS[name], shares(rows)
    if not holds_by_hand(rows, models, whole):
        with pytest.raises(SandboxError) as refused:
            mondrian(table, models, relaxed)
        assert refused.value.code == "ANONYMISE_NONE"
        return
    found = mondrian(table, models, relaxed)
    recoding = of_partition(table, found)
    assert sorted(set(found.part)) == list(range(found.parts))
    for number in range(found.parts):
        assert holds_by_hand(
            [row for row, p in zip(rows, found.part, strict=True) if p == number], models, whole
        )
    for number in range(recoding.classes):
        inside = [row for row, p in zip(rows, recoding.owner, strict=True) if p == number]
        assert holds_by_hand(inside, models, whole)
        for at in range(2):
            assert all(recoding.low[at][number] <= row[at] <= recoding.high[at][number] for row in inside)


@SETTINGS
@given(rows=st.lists(ROW, min_size=1, max_size=40), k=st.integers(1, 4))
def test_strict_parts_share_no_point_and_leave_no_cut_undone(rows, k):
    table = table_of(rows)
    if len(rows) < k:
        return
    found = mondrian(table, [Model(kind="k", at_least=k)])
    points = {}
    for row, part in zip(rows, found.part, strict=True):
        assert points.setdefault(row[:2], part) == part
    for number in range(found.parts):
        inside = [row for row, p in zip(rows, found.part, strict=True) if p == number]
        ages = {row[0] for row in inside}
        if 0 in ages and len(ages) > 1:  # an empty value is cut off before anything else
            empty = sum(row[0] == 0 for row in inside)
            assert min(empty, len(inside) - empty) < k
        else:
            cuts = [sum(row[0] < edge for row in inside) for edge in ages]
            assert all(min(n, len(inside) - n) < k for n in cuts)


def test_a_hierarchy_is_cut_between_groups_only():
    rows = [(1, code, 0, i) for i, code in enumerate([0] * 3 + [1] * 3 + [2] * 3 + [3] * 3)]
    found = mondrian(table_of(rows), [Model(kind="k", at_least=2)])
    recoding = of_partition(table_of(rows), found)
    assert recoding.classes == 4
    coarse = of_partition(table_of(rows), mondrian(table_of(rows), [Model(kind="k", at_least=6)]))
    assert coarse.classes == 1  # 11*, 12* and 211 have no half of six between groups of one parent


def test_a_relaxed_cut_goes_through_equal_values():
    rows = [(2, 0, i % 3, i) for i in range(5)] + [(3, 0, i % 3, i) for i in range(5, 16)]
    strict = mondrian(table_of(rows), [Model(kind="k", at_least=8)])
    relaxed = mondrian(table_of(rows), [Model(kind="k", at_least=8)], relaxed=True)
    assert strict.parts == 1
    assert relaxed.parts == 2


def test_the_width_of_a_range_with_an_empty_value_is_all():
    low, high = np.array([0, 1, 0], np.int32), np.array([2, 2, 0], np.int32)
    assert width(AGES, low, high).tolist() == [1.0, 5 / 35, 0.0]


def test_models_without_a_meaning_here_are_refused():
    with pytest.raises(ValueError, match="models"):
        mondrian(table_of([(0, 0, 0, 0)]), [Model(kind="k_map", at_least=2)])
