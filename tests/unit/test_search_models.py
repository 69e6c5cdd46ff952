"""Each model, class by class, against its definition written out over plain rows."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sandbox.desensitize.search.groups import Sensitive, Table, base, roll_up
from sandbox.desensitize.search.hierarchy import HierarchySpec, build
from sandbox.desensitize.search.models import Model, distances, holds, parts

SETTINGS = settings(max_examples=60, deadline=None)
VALUES = 5
TREE = [["a", "x", "*"], ["b", "x", "*"], ["c", "y", "*"], ["d", "y", "*"], ["e", "z", "*"]]
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, VALUES - 1), st.integers(0, 5)), min_size=1, max_size=30
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    path = tmp_path_factory.mktemp("tree") / "tree.csv"
    path.write_text("\n".join(";".join(row) for row in TREE), encoding="utf-8")
    return build("s", list("abcde"), HierarchySpec(by="file", path=str(path)))


def table_of(rows, tree, entity=False):
    q, s, e = (np.array(column, dtype=np.int32) for column in zip(*rows, strict=True))
    plain = build("q", ["0", "1", "2", "3"], HierarchySpec())
    return Table(("q",), (q,), (plain,), {"s": Sensitive(s, VALUES, tree)}, e if entity else None)


def by_hand(rows, entity):
    """(people, distribution) of each class, (distribution of the whole)."""
    people, classes = defaultdict(set), defaultdict(Counter)
    pairs = sorted(set(rows)) if entity else rows
    for number, (q, s, e) in enumerate(pairs):
        people[q].add(e if entity else number)
        classes[q][s] += 1
    whole = sum(classes.values(), Counter())
    total = sum(whole.values())
    return people, classes, [whole[s] / total for s in range(VALUES)]


def emd_by_tree(p, q):
    """Li et al. 2007, section 4.2: bottom-up, the smaller of surplus and want at each inner node."""
    groups = {"x": [0, 1], "y": [2, 3], "z": [4]}
    work = 0.0
    for leaves in groups.values():
        extra = [p[i] - q[i] for i in leaves]
        work += 0.5 * min(sum(x for x in extra if x > 0), -sum(x for x in extra if x < 0))
    extra = [sum(p[i] - q[i] for i in leaves) for leaves in groups.values()]
    return work + min(sum(x for x in extra if x > 0), -sum(x for x in extra if x < 0))


def expected(model, q, people, classes, whole):
    counts, n = classes[q], sum(classes[q].values())
    share = [counts[s] / n for s in range(VALUES)]
    falling = sorted(counts.values(), reverse=True)
    gains = [share[s] / whole[s] for s in range(VALUES) if whole[s]]
    close = 1e-9
    if model.kind == "k":
        return len(people[q]) >= model.at_least
    if model.kind == "distinct_l":
        return len(falling) >= model.at_least
    if model.kind == "entropy_l":
        return -sum(x * math.log(x) for x in share if x) >= math.log(model.at_least) - close
    if model.kind == "recursive":
        return falling[0] < model.c * sum(falling[int(model.at_least) - 1 :])
    if model.kind == "alpha":
        return falling[0] <= (model.at_most + close) * len(people[q])
    if model.kind == "beta":
        return max(gains) - 1 <= model.at_most + close
    if model.kind == "enhanced_beta":
        limits = [min(model.at_most, -math.log(whole[s])) for s in range(VALUES) if whole[s]]
        return all(g - 1 <= limit + close for g, limit in zip(gains, limits, strict=True))
    if model.kind == "delta":
        return max(abs(math.log2(share[s] / whole[s])) for s in counts) < model.at_most - close
    gap = np.cumsum([share[s] - whole[s] for s in range(VALUES)])
    distance = {
        "equal": sum(abs(share[s] - whole[s]) for s in range(VALUES)) / 2,
        "ordered": float(np.abs(gap).sum()) / (VALUES - 1),
        "hierarchical": emd_by_tree(share, whole),
    }[model.distance]
    return distance <= model.at_most + close


def some_models():
    number = st.floats(0.05, 3)
    return st.one_of(
        st.builds(Model, kind=st.just("k"), at_least=st.integers(1, 4)),
        st.builds(Model, kind=st.just("distinct_l"), column=st.just("s"), at_least=st.integers(1, 3)),
        st.builds(Model, kind=st.just("entropy_l"), column=st.just("s"), at_least=st.floats(1, 3)),
        st.builds(
            Model, kind=st.just("recursive"), column=st.just("s"), at_least=st.integers(1, 3), c=number
        ),
        st.builds(
            Model,
            kind=st.just("t"),
            column=st.just("s"),
            at_most=st.floats(0, 1),
            distance=st.sampled_from(["equal", "ordered", "hierarchical"]),
        ),
        st.builds(Model, kind=st.just("alpha"), column=st.just("s"), at_most=st.floats(0, 1)),
        st.builds(
            Model,
            kind=st.sampled_from(["beta", "enhanced_beta", "delta"]),
            column=st.just("s"),
            at_most=number,
        ),
    )


@SETTINGS
@given(rows=ROWS, model=some_models(), entity=st.booleans())
def test_a_model_holds_where_its_definition_says(tree, rows, model, entity):
    table = table_of(rows, tree, entity)
    classes = base(table)
    people, counts, whole = by_hand(rows, table.several)
    found = holds(table, classes, [model], "source")
    names = [int(leaf) for leaf in classes.leaves[0]]
    wanted = {q: expected(model, q, people, counts, whole) for q in counts}
    assert {q: bool(kept) for q, kept in zip(names, found, strict=True)} == wanted


@SETTINGS
@given(rows=ROWS, model=some_models(), entity=st.booleans())
def test_what_is_kept_holds_against_what_is_kept(tree, rows, model, entity):
    table = table_of(rows, tree, entity)
    classes = base(table)
    kept = holds(table, classes, [model])
    left = {int(leaf) for leaf, keep in zip(classes.leaves[0], kept, strict=True) if keep}
    inside = [row for row in rows if row[0] in left]
    if inside:
        people, counts, whole = by_hand(inside, table.several)
        assert all(expected(model, q, people, counts, whole) for q in counts)


@SETTINGS
@given(rows=ROWS, entity=st.booleans())
def test_rolled_up_classes_are_those_of_the_rows(tree, rows, entity):
    table = table_of(rows, tree, entity)
    top, into = roll_up(table, base(table), (1,))
    assert set(into) == {0}
    people, counts, _ = by_hand([(0, s, e) for _, s, e in rows], table.several)
    assert int(top.sizes[0]) == len(people[0])
    of = parts(top.cells["s"], top.sizes, VALUES, tree, None)
    assert dict(zip(of.value.tolist(), of.count.tolist(), strict=True)) == dict(counts[0])
    assert [distances(of, way)[0] for way in ("equal", "ordered", "hierarchical")] == pytest.approx([0, 0, 0])


def test_more_rows_than_allowed_are_enough_to_know(tree):
    rows = [(0, 0, 0), (1, 1, 1), (1, 2, 2), (2, 0, 3), (2, 0, 4)]
    table = table_of(rows, tree)
    models = [Model(kind="k", at_least=2), Model(kind="distinct_l", column="s", at_least=2)]
    assert holds(table, base(table), models).tolist() == [False, True, False]
    gone = ~holds(table, base(table), models, "product", 0)
    assert base(table).rows[gone].sum() > 0


def test_a_hierarchical_distance_without_a_tree_is_refused():
    plain = build("q", ["0", "1", "2", "3"], HierarchySpec())
    table = Table(("q",), (np.zeros(2, np.int32),), (plain,), {"s": Sensitive(np.zeros(2, np.int32), 1)})
    with pytest.raises(ValueError, match="tree"):
        holds(table, base(table), [Model(kind="t", column="s", distance="hierarchical")])


@pytest.mark.parametrize("wrong", [{"kind": "k", "column": "s"}, {"kind": "t"}, {"kind": "x"}])
def test_a_model_that_says_the_wrong_things_is_refused(wrong):
    with pytest.raises(ValidationError):
        Model.model_validate(wrong)


def test_the_research_subset_is_judged_against_its_population(tree):
    rows = [(0, 0, 0), (0, 0, 1), (0, 0, 2), (1, 0, 3)]
    table = table_of(rows, tree)
    table = Table(
        table.names,
        table.leaves,
        table.hierarchies,
        table.sensitive,
        None,
        np.array([True, False, False, True]),
    )
    classes = base(table)
    assert holds(table, classes, [Model(kind="k_map", at_least=3)]).tolist() == [True, False]
    assert holds(table, classes, [Model(kind="presence", at_most=0.5)]).tolist() == [True, False]
    assert holds(table, classes, [Model(kind="k", at_least=1)]).tolist() == [True, True]
