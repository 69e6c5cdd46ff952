"""The search against looking at every node, the losses against their definitions."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.core.errors import SandboxError
from sandbox.desensitize.search import lattice as lattice_module
from sandbox.desensitize.search.groups import Sensitive, Table
from sandbox.desensitize.search.hierarchy import HierarchySpec, build
from sandbox.desensitize.search.lattice import Lattice, search
from sandbox.desensitize.search.losses import Loss, LossSpec
from sandbox.desensitize.search.models import Model, holds

SETTINGS = settings(max_examples=60, deadline=None)
KINDS = ["loss", "entropy", "discernability", "class_size", "precision", "height"]
AGES = build("age", list(range(0, 40, 5)), HierarchySpec(by="band", widths=(10, 20)))
CODES = build("code", ["111", "112", "121", "211"], HierarchySpec(by="prefix", lengths=(2, 1)))
SEXES = build("sex", ["f", "m"], HierarchySpec())
TREE = build("s", ["11", "12", "21"], HierarchySpec(by="prefix", lengths=(1,)))
ROW = st.tuples(st.integers(0, 7), st.integers(0, 3), st.integers(0, 1), st.integers(0, 2), st.integers(0, 9))


def table_of(rows, entity=False):
    columns = [np.array(column, dtype=np.int32) for column in zip(*rows, strict=True)]
    return Table(
        ("age", "code", "sex"),
        tuple(columns[:3]),
        (AGES, CODES, SEXES),
        {"s": Sensitive(columns[3], 3, TREE)},
        columns[4] if entity else None,
    )


def some_specs():
    return st.builds(
        LossSpec,
        kind=st.sampled_from(KINDS),
        monotone=st.booleans(),
        suppression=st.sampled_from([0.1, 0.5, 0.9]),
    )


def some_models():
    return st.sampled_from(
        [
            [Model(kind="k", at_least=2)],
            [Model(kind="k", at_least=3), Model(kind="distinct_l", column="s", at_least=2)],
            [Model(kind="t", column="s", at_most=0.3)],
            [Model(kind="recursive", column="s", at_least=2, c=1.5)],
            [Model(kind="alpha", column="s", at_most=0.6), Model(kind="k", at_least=2)],
            [Model(kind="delta", column="s", at_most=1.0)],
            [Model(kind="beta", column="s", at_most=0.5)],
            [Model(kind="enhanced_beta", column="s", at_most=2.0)],
            [Model(kind="entropy_l", column="s", at_least=1.8)],
            [Model(kind="t", column="s", at_most=0.2, distance="ordered")],
            [Model(kind="t", column="s", at_most=0.2, distance="hierarchical")],
        ]
    )


@SETTINGS
@given(
    rows=st.lists(ROW, min_size=1, max_size=25),
    spec=some_specs(),
    models=some_models(),
    limit=st.sampled_from([0.0, 0.2, 1.0]),
    reference=st.sampled_from(["source", "product"]),
    entity=st.booleans(),
)
def test_the_search_finds_what_looking_at_every_node_finds(rows, spec, models, limit, reference, entity):
    table = table_of(rows, entity)
    every, loss, found = Lattice(table), Loss(table, spec), []
    for node in itertools.product(*(range(h + 1) for h in table.heights)):
        classes = every.classes(node)
        kept = holds(table, classes, models, reference)
        if int(classes.rows[~kept].sum()) <= int(limit * len(rows) + 1e-9):
            found.append(loss.value(node, classes, kept))
    result = search(Lattice(table), models, spec, limit, reference)
    assert result.proven
    assert (result.best is None) == (not found)
    if result.best is not None:
        assert result.best.loss == pytest.approx(min(found))
        assert result.looked_at < result.nodes


@SETTINGS
@given(rows=st.lists(ROW, min_size=1, max_size=25), spec=some_specs(), k=st.integers(1, 4))
def test_no_loss_is_below_its_floor_and_floors_rise(rows, spec, k):
    table = table_of(rows)
    loss, every = Loss(table, spec), Lattice(table)
    floors = loss.floors()
    for node in itertools.product(*(range(h + 1) for h in table.heights)):
        classes = every.classes(node)
        value = loss.value(node, classes, holds(table, classes, [Model(kind="k", at_least=k)]))
        assert value >= floors[node] - 1e-9
        floor = loss.floor(classes)
        assert floor is None or value >= floor - 1e-9
        for axis in range(3):
            up = tuple(level + (i == axis) for i, level in enumerate(node))
            if up[axis] <= table.heights[axis]:
                assert floors[up] >= floors[node] - 1e-9
                assert floor is None or loss.floor(every.classes(up)) >= floor - 1e-9


def by_hand(rows, node, k, spec):
    """The losses out of plain rows."""
    tables = [AGES, CODES, SEXES]
    labels = [
        tuple(h.levels[n][row[i]] for i, (h, n) in enumerate(zip(tables, node, strict=True))) for row in rows
    ]
    size = Counter(labels)
    out = [size[label] < k for label in labels]
    n = len(rows)
    if spec.kind == "discernability":
        return sum(n if gone and not spec.monotone else size[x] for x, gone in zip(labels, out, strict=True))
    if spec.kind == "class_size":
        return n / max(sum(1 for c in size.values() if c >= k) + any(out), 1)
    if spec.kind == "height":
        return sum(node)
    columns = []
    for i, (h, level) in enumerate(zip(tables, node, strict=True)):
        share = h.shares(level)
        if spec.kind == "loss":
            cells = [1.0 if gone else share[x[i]] for x, gone in zip(labels, out, strict=True)]
            columns.append(max(0.0, (sum(cells) - n / h.leaves) / (n - n / h.leaves)))
        elif spec.kind == "precision":
            columns.append(sum(1.0 if gone else level / h.height for gone in out) / n)
        else:
            there = Counter(row[i] for row in rows)
            held = Counter(x[i] for x in labels)
            bits = -sum(math.log2(there[row[i]] / held[x[i]]) for row, x in zip(rows, labels, strict=True))
            lost = Counter(x[i] for x, gone in zip(labels, out, strict=True) if gone)
            columns.append(bits - sum(c * math.log2(c / sum(out)) for c in lost.values()))
    if spec.kind == "loss":
        return math.prod(x + 1 for x in columns) ** (1 / 3) - 1
    return sum(columns) / (3 if spec.kind == "precision" else 1)


@SETTINGS
@given(
    rows=st.lists(ROW, min_size=1, max_size=25),
    node=st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1)),
    kind=st.sampled_from(KINDS),
    k=st.integers(1, 4),
)
def test_a_loss_is_what_its_definition_says(rows, node, kind, k):
    table, spec = table_of(rows), LossSpec(kind=kind)
    classes = Lattice(table).classes(node)
    kept = holds(table, classes, [Model(kind="k", at_least=k)])
    assert Loss(table, spec).value(node, classes, kept) == pytest.approx(
        by_hand(rows, node, k, spec), abs=1e-9
    )


def test_a_failing_node_takes_those_below_it_along():
    rows = [(i % 8, i % 4, i % 2, i % 3, i) for i in range(24)]
    table, spec = table_of(rows), LossSpec(kind="height")
    models = [Model(kind="k", at_least=24)]
    result = search(Lattice(table), models, spec)
    assert result.best is not None
    assert result.best.loss == 7
    assert result.looked_at < result.nodes / 2


def test_assuming_monotony_is_not_called_proven():
    table = table_of([(0, 0, 0, 0, 0), (1, 0, 0, 1, 1)])
    result = search(
        Lattice(table), [Model(kind="t", column="s", at_most=0.1)], LossSpec(), 0.5, assume_monotone=True
    )
    assert not result.proven


def test_progress_is_told_and_ends_at_the_whole():
    told = []
    search(
        Lattice(table_of([(0, 0, 0, 0, 0)] * 3)),
        [Model(kind="k", at_least=2)],
        LossSpec(),
        progress=told.append,
    )
    assert told[-1] == 1.0


def test_classes_that_are_let_go_are_made_again(monkeypatch):
    monkeypatch.setattr(lattice_module, "_KEPT", 2)
    rows = [(i % 8, i % 4, i % 2, i % 3, i) for i in range(40)]
    few = search(Lattice(table_of(rows)), [Model(kind="k", at_least=4)], LossSpec(), 0.1)
    monkeypatch.undo()
    many = search(Lattice(table_of(rows)), [Model(kind="k", at_least=4)], LossSpec(), 0.1)
    assert few.best is not None
    assert many.best is not None
    assert few.best.loss == many.best.loss


def test_a_lattice_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(lattice_module, "MOST_NODES", 31)
    with pytest.raises(SandboxError) as refused:
        Lattice(table_of([(0, 0, 0, 0, 0)]))
    assert refused.value.code == "ANONYMISE_LATTICE"
