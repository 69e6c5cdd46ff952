"""T2 of the plan: what is charged and told is never below the truth; a question has one form and price."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.core.errors import SandboxError
from sandbox.desensitize.dp import accounting, keys
from sandbox.desensitize.dp.accounting import NANO, Scale, components, cost, epsilon, expected, pure_epsilon
from sandbox.desensitize.dp.report import report
from sandbox.desensitize.dp.spec import Query, validate_query

COUNT = {"name": "n", "of": "count"}


def asked(**changes: Any) -> Query:
    return validate_query({"measures": [COUNT], "nano_rho": NANO // 2, **changes})


def refused(code: str, **changes: Any) -> SandboxError:
    with pytest.raises(SandboxError) as caught:
        components(asked(**changes))
    assert caught.value.code == code
    return caught.value


# --- the law, in 50 digits


def masses(mechanism: str, scale: Scale, reach: int) -> dict[int, Decimal]:
    """The exact probabilities of the noise between -reach and reach."""
    size = Decimal(scale.top) / scale.bottom
    if mechanism == "gaussian":
        weight = [(-(Decimal(k) ** 2) / (2 * size * size)).exp() for k in range(reach + 1)]
    else:
        weight = [(-Decimal(k) / size).exp() for k in range(reach + 1)]
    whole = weight[0] + 2 * sum(weight[1:])
    return {k: weight[abs(k)] / whole for k in range(-reach, reach + 1)}


def hockey_stick(mass: dict[int, Decimal], shift: int, level: float) -> Decimal:
    """The true delta at ``level`` of one number that an entity moves by ``shift``."""
    factor = Decimal(level).exp()
    return sum(
        (max(Decimal(0), p - factor * mass.get(k + shift, Decimal(0))) for k, p in mass.items()), Decimal(0)
    )


@pytest.mark.parametrize("nano_rho", [3 * NANO, NANO // 2, NANO // 50])
@pytest.mark.parametrize("delta_e15", [10**12, 10**9, 10**5])
def test_the_epsilon_that_is_told_holds_for_the_true_loss(nano_rho: int, delta_e15: int) -> None:
    (one,) = components(asked(nano_rho=nano_rho))
    told = epsilon(cost(asked(nano_rho=nano_rho)).nano_rho, delta_e15)
    with localcontext() as context:
        context.prec = 50
        mass = masses("gaussian", one.scale, int(14 * float(one.scale)) + 60)
        delta = Decimal(delta_e15) / 10**15
        assert hockey_stick(mass, one.bound, told) <= delta
        if nano_rho < NANO:  # and is not far from it; of less noise the few integers make steps
            assert hockey_stick(mass, one.bound, 0.8 * told) > delta


def test_a_wrong_epsilon_would_be_noticed() -> None:
    (one,) = components(asked())
    with localcontext() as context:
        context.prec = 50
        mass = masses("gaussian", Scale(one.scale.top, 2 * one.scale.bottom), 60)  # half the noise
        assert hockey_stick(mass, 1, epsilon(NANO // 2, 10**9)) > Decimal(10) ** -6


def test_laplace_is_purely_private_at_the_epsilon_that_is_told() -> None:
    query = asked(mechanism="laplace", nano_rho=NANO // 8)
    (one,) = components(query)
    told = pure_epsilon(query)
    assert told == pytest.approx(0.5, rel=1e-5)
    with localcontext() as context:
        context.prec = 50
        mass = masses("laplace", one.scale, 400)
        within = {k: p for k, p in mass.items() if abs(k) < 390}
        assert max((p / mass[k + 1]).ln() for k, p in within.items()) <= Decimal(told)
    assert pure_epsilon(asked()) is None
    public = {"column": "a", "keys": "discover"}
    assert pure_epsilon(asked(mechanism="laplace", by=[public], delta_e15=1)) is None


def test_epsilon_against_its_own_formula_and_edges() -> None:
    assert epsilon(0, 10**9) == 0.0
    assert epsilon(NANO, 10**9, 10**9) == math.inf
    assert epsilon(NANO, 10**9) < 1 + 2 * math.sqrt(math.log(1e6))  # Bun and Steinke's looser bound
    assert epsilon(1, 10**9) < 1e-3
    assert epsilon(NANO, 10**9, 10**8) > epsilon(NANO, 10**9)
    assert epsilon(2 * NANO, 10**9) > epsilon(NANO, 10**9)


# --- keys


@pytest.mark.parametrize("mechanism", ["gaussian", "laplace"])
@pytest.mark.parametrize(
    ("delta_e15", "most", "nano_rho"), [(10**9, 1, NANO), (10**6, 3, NANO // 20), (1, 50, NANO // 2)]
)
def test_the_threshold_is_the_least_that_keeps_delta(
    mechanism: str, delta_e15: int, most: int, nano_rho: int
) -> None:
    query = asked(
        by=[{"column": "a", "keys": "discover"}],
        mechanism=mechanism, delta_e15=delta_e15, groups_per_entity=most, nano_rho=nano_rho,
    )  # fmt: skip
    least = keys.threshold(query)
    scale = next(one.scale for one in components(query) if one.kind == "persons")
    assert least is not None
    with localcontext() as context:
        context.prec = 50
        mass = masses(mechanism, scale, int(70 * float(scale)) + 60)
        delta = Decimal(delta_e15) / 10**15

        def shown(limit: int) -> Decimal:
            return most * sum((p for k, p in mass.items() if 1 + k >= limit), Decimal(0))

        assert shown(least) <= delta
        assert shown(least - 2) > delta  # the bound on the Gaussian's tail may cost one
    assert keys.threshold(asked()) is None


def test_tails_are_bounds() -> None:
    with localcontext() as context:
        context.prec = 50
        for mechanism in ("gaussian", "laplace"):
            for scale in (Scale(1, 4), Scale(1, 1), Scale(29, 2)):
                mass = masses(mechanism, scale, int(60 * float(scale)) + 90)
                for least in (1, 3, 20):
                    true = sum(p for k, p in mass.items() if k >= least)
                    assert true <= keys.tail(mechanism, scale, least)


# --- shares and price

MEASURES = st.sampled_from(
    [
        COUNT,
        {"name": "p", "of": "distinct"},
        {"name": "s", "of": "sum", "column": "x", "lower": -3, "upper": 10, "scale": 2},
        {"name": "m", "of": "mean", "column": "x", "lower": 0, "upper": 7, "weight": 5},
        {"name": "v", "of": "variance", "column": "x", "lower": 0, "upper": 7},
        {"name": "h", "of": "histogram", "column": "x", "edges": [0, 1, 2.5], "scale": 1},
        {"name": "q", "of": "quantile", "column": "x", "edges": list(range(70)), "at": [0.5]},
        {"name": "wide", "of": "sum", "column": "y", "lower": 0, "upper": 10**9, "scale": 3},
    ]
)
BY = st.sampled_from([[], [{"column": "a", "keys": [1, 2, 3]}], [{"column": "a", "keys": "discover"}]])


@st.composite
def questions(draw: st.DrawFn) -> Query:
    by = draw(BY)
    return asked(
        by=by,
        measures=draw(st.lists(MEASURES, min_size=1, max_size=5, unique_by=lambda one: one["name"])),
        nano_rho=draw(st.integers(10**5, 10**11)),
        groups_per_entity=draw(st.integers(1, 9)),
        rows_per_entity=draw(st.integers(1, 9)),
        mechanism=draw(st.sampled_from(["gaussian", "laplace"])),
        delta_e15=7 if by and by[0]["keys"] == "discover" else 0,
    )


@given(questions())
@settings(deadline=None, max_examples=60)
def test_no_question_costs_more_than_it_declares(query: Query) -> None:
    price, parts = cost(query), components(query)
    assert 0 < price.nano_rho <= query.nano_rho
    assert price.delta_e15 == query.delta_e15
    assert sum(one.nano_rho for one in parts) <= query.nano_rho
    exact = Fraction(0)
    for one in parts:
        rho = accounting.spent(query, one)
        assert rho * NANO <= one.nano_rho
        assert rho * NANO >= one.nano_rho * Fraction(99, 100)  # and little is lost
        exact += rho
    assert exact * NANO <= price.nano_rho < exact * NANO + 1


@given(questions())
@settings(deadline=None, max_examples=30)
def test_a_question_keeps_its_form(query: Query) -> None:
    once = accounting.canonical(query)
    again = validate_query(json.loads(once))
    assert accounting.canonical(again) == once
    assert components(again) == components(query)
    told = report(query)
    assert json.loads(json.dumps(told)) == told
    assert {one["measure"] for one in told["expected"]} == {one.name for one in query.measures}
    assert all(one["sd"] > 0 for one in told["expected"])


def test_the_same_question_is_known_again_and_another_is_not() -> None:
    def form(**changes: Any) -> str:
        return accounting.query_sha256(asked(**changes))

    one = {"column": "a", "keys": ["x", "é"]}
    turned = {"column": "a", "keys": ["e\u0301", "x"]}
    where = [{"column": "b", "op": "ge", "value": 1.50}, {"column": "c", "op": "in", "values": [2, 1]}]
    back = [{"column": "c", "op": "in", "values": [1, 2.0]}, {"column": "b", "op": "ge", "value": 1.5}]
    assert form(by=[one], where=where) == form(by=[turned], where=back)
    base = form()
    others = [
        form(nano_rho=1000), form(rows_per_entity=2), form(groups_per_entity=2), form(mechanism="laplace"),
        form(by=[one]), form(where=where), form(measures=[{"name": "m", "of": "count"}]),
        form(where=[{"column": "b", "op": "eq", "value": "1.5"}]),
        form(where=[{"column": "b", "op": "eq", "value": 1.5}]),
        form(where=[{"column": "b", "op": "eq", "value": "1"}]),
        form(where=[{"column": "b", "op": "eq", "value": 1}]),
        form(where=[{"column": "b", "op": "eq", "value": True}]),
        form(by=[{"column": "a", "keys": [True, False]}]), form(by=[{"column": "a", "keys": [1, 0]}]),
    ]  # fmt: skip
    assert len({base, *others}) == len(others) + 1


def test_a_number_that_two_measures_need_is_paid_once() -> None:
    mean = {"name": "m", "of": "mean", "column": "x", "lower": 0, "upper": 7}
    spread = {"name": "v", "of": "variance", "column": "x", "lower": 0, "upper": 7}
    kinds = [one.kind for one in components(asked(measures=[mean, spread]))]
    assert sorted(kinds) == ["centred", "squares", "values"]
    discovered = asked(
        measures=[{"name": "p", "of": "distinct"}], by=[{"column": "a", "keys": "discover"}], delta_e15=1
    )
    assert [one.kind for one in components(discovered)] == ["persons"]


def test_weights_divide_the_budget() -> None:
    heavy = {"name": "p", "of": "distinct", "weight": 9}
    shares = {one.measure: one.nano_rho for one in components(asked(measures=[COUNT, heavy]))}
    assert shares == {"n": NANO // 20, "p": NANO // 20 * 9}


def test_expected_errors_are_those_of_the_noise() -> None:
    total = {"name": "s", "of": "sum", "column": "x", "lower": 0, "upper": 10, "scale": 2}
    (one,) = expected(asked(measures=[total], rows_per_entity=3))
    assert one == {"measure": "s", "of": "sum", "error": "figure", "sd": pytest.approx(30.0, rel=1e-5)}
    (one,) = expected(asked(mechanism="laplace"))
    assert one["sd"] == pytest.approx(math.sqrt(2), rel=1e-5)
    median = {"name": "q", "of": "quantile", "column": "x", "edges": list(range(129)), "at": [0.5]}
    (one,) = expected(asked(measures=[median]))
    assert one["sd"] == pytest.approx(7.0, rel=1e-3)  # seven levels, each of seven parts
    assert one["error"] == "rank"


def test_the_question_on_the_page_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "differential-privacy.md").read_text(encoding="utf-8")
    query = validate_query(yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.S)[0]))
    assert query.discovers
    for row, told in re.findall(r"^\| (0\.\d+) \| (\d\.\d\d) \|", page, re.M):
        assert epsilon(round(float(row) * NANO), 10**9) == pytest.approx(float(told), abs=0.006)


# --- refusals


def test_noise_that_cannot_be_drawn_exactly_is_refused() -> None:
    wide = {"name": "s", "of": "sum", "column": "x", "lower": 0, "upper": 10**12}
    assert refused("DP_NOISE", measures=[wide], rows_per_entity=9_000, nano_rho=1).details == {"measure": "s"}
    refused("DP_NOISE", measures=[COUNT, wide], nano_rho=1)  # no share at all


def test_an_answer_that_is_too_large_is_refused() -> None:
    wide = {"name": "h", "of": "histogram", "column": "x", "edges": list(range(257))}
    large = {"column": "a", "keys": list(range(50_000))}
    assert refused("DP_QUERY", measures=[wide], by=[large]).details == {"field": "measures"}
    found = [{"column": "a", "keys": "discover"}]
    many = [{**wide, "name": f"h{i}", "column": f"x{i}"} for i in range(4)]
    refused("DP_QUERY", measures=many, by=found, delta_e15=1)
    assert components(asked(measures=many[:3], by=found, delta_e15=1))


SUM = {"name": "s", "of": "sum", "column": "x", "lower": 0, "upper": 1}
BINS = {"name": "h", "of": "histogram", "column": "x", "edges": [0, 1]}
EACH = {"column": "a", "keys": ["x"]}
MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"measures": []}, "measures"),
    ({"nano_rho": 0}, "nano_rho"),
    ({"nano_rho": 1.5}, "nano_rho"),
    ({"nano_rho": "1"}, "nano_rho"),
    ({"version": 2}, "version"),
    ({"sql": "SELECT 1"}, "query"),
    ({"mechanism": "none"}, "mechanism"),
    ({"rows_per_entity": 0}, "rows_per_entity"),
    ({"groups_per_entity": True}, "groups_per_entity"),
    ({"delta_e15": 1}, "query"),
    ({"by": [{"column": "a", "keys": "discover"}]}, "query"),
    ({"by": [{"column": "a", "keys": []}]}, "by.0.keys"),
    ({"by": [{"column": "a", "keys": [1, "x"]}]}, "by.0"),
    ({"by": [{"column": "a", "keys": [None]}]}, "by.0"),
    ({"by": [{"column": "a", "keys": [1, 1]}]}, "by.0"),
    ({"by": [{"column": "a", "keys": ["é", "e\u0301"]}]}, "by.0"),
    ({"by": [{"column": "a", "keys": [1 << 63]}]}, "by.0.keys"),
    ({"by": [EACH, EACH]}, "query"),
    ({"by": [{"column": "n", "keys": ["x"]}]}, "query"),
    ({"by": [{"column": c, "keys": list(range(1001))} for c in "ab"]}, "query"),
    ({"where": [{"column": "a", "op": "like", "value": "x"}]}, "where.0.op"),
    ({"where": [{"column": "a", "op": "eq"}]}, "where.0"),
    ({"where": [{"column": "a", "op": "in", "value": 1}]}, "where.0"),
    ({"where": [{"column": "a", "op": "in", "values": [1, "x"]}]}, "where.0"),
    ({"where": [{"column": "a", "op": "is_null", "value": 1}]}, "where.0"),
    ({"where": [{"column": "a", "op": "eq", "value": math.nan}]}, "where.0.value"),
    ({"where": [{"column": "a", "op": "eq", "value": {"decimal": "x"}}]}, "where.0.value"),
    ({"measures": [{**COUNT, "column": "x"}]}, "measures.0"),
    ({"measures": [{**COUNT, "name": "1; DROP"}]}, "measures.0.name"),
    ({"measures": [{**COUNT, "weight": 0}]}, "measures.0.weight"),
    ({"measures": [COUNT, COUNT]}, "query"),
    ({"measures": [{"name": "s", "of": "sum"}]}, "measures.0"),
    ({"measures": [{**SUM, "upper": None}]}, "measures.0"),
    ({"measures": [{**SUM, "upper": 0}]}, "measures.0"),
    ({"measures": [{**SUM, "upper": 0.5}]}, "measures.0"),
    ({"measures": [{**SUM, "upper": 10**12, "scale": 1}]}, "measures.0"),
    ({"measures": [{**SUM, "upper": math.inf}]}, "measures.0.upper"),
    ({"measures": [{**SUM, "edges": [0, 1]}]}, "measures.0"),
    ({"measures": [{**SUM, "of": "variance", "upper": 10**10}]}, "measures.0"),
    ({"measures": [{**BINS, "edges": [0]}]}, "measures.0"),
    ({"measures": [{**BINS, "edges": [1, 1]}]}, "measures.0"),
    ({"measures": [{**BINS, "edges": list(range(300))}]}, "measures.0"),
    ({"measures": [{**BINS, "at": [0.5]}]}, "measures.0"),
    ({"measures": [{**BINS, "of": "quantile"}]}, "measures.0"),
    ({"measures": [{**BINS, "of": "quantile", "at": [1]}]}, "measures.0"),
    ({"measures": [{**BINS, "of": "quantile", "at": [0.5, 0.5]}]}, "measures.0"),
]


@pytest.mark.parametrize(("changes", "place"), MALFORMED, ids=str)
def test_what_is_malformed_is_refused_with_its_place(changes: dict[str, Any], place: str) -> None:
    assert refused("DP_QUERY", **changes).details == {"field": place}


def test_a_question_must_be_one() -> None:
    for described in (None, [], "SELECT 1", 7):
        with pytest.raises(SandboxError, match="DP_QUERY"):
            validate_query(described)


def test_what_a_question_reads() -> None:
    query = asked(
        by=[EACH], where=[{"column": "b", "op": "not_null"}], measures=[SUM, BINS | {"column": "z"}]
    )
    assert query.columns == {"a", "b", "x", "z"}
