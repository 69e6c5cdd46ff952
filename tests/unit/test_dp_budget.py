"""The budget of differential privacy: what a question costs, whom it is charged to, and that nothing is free
but the answer that is there already."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.authorisation.dp_budget import (
    LEAST_DELTA,
    MOST_DELTA,
    Budget,
    DpCharge,
    Sum,
    affordable,
    delta_bound,
    nano_rho_of,
    round_down,
    round_up,
    told_epsilon,
)
from sandbox.control.door import Sight
from sandbox.control.dp import asked_of, estimate
from sandbox.core.errors import Conflict
from sandbox.operation.dp import entity_of
from sandbox.operation.job_spec import JobInput
from sandbox.policy.load import load_profile
from sandbox.review.dp import paid
from tests.plugins.questions import NANO, answered, books, query, question, spent, started
from tests.plugins.space import Scene
from tests.refusal import refused

BOUND = 10**7  # 4,900 entities, taken as 10,000: 1e-8
CAP = nano_rho_of(1.0, BOUND)  # dp.epsilon_total of policies/national.yaml


def release_of(scene: Scene, job: str) -> Any:
    return scene.get("dp-release", scene.get("job", job).status["dp"]["release"])


# --- how much


@pytest.mark.parametrize(
    ("entities", "bound"),
    [
        (0, MOST_DELTA),
        (999, MOST_DELTA),
        (1000, MOST_DELTA),
        (1001, 10**7),
        (10**4, 10**7),
        (10**6, 1000),
        (10**7, 10),
        (10**8, LEAST_DELTA),
    ],
)
def test_delta_is_at_most_one_over_the_square_of_the_entities_by_their_order(
    entities: int, bound: int
) -> None:
    assert delta_bound(entities) == bound


@given(entities=st.integers(1, 10**7))
def test_delta_tells_no_more_of_a_count_than_its_order(entities: int) -> None:
    bound = delta_bound(entities)
    assert bound == delta_bound(10 ** len(str(entities - 1)) if entities > 1 else 1)
    assert bound * entities**2 <= 10**15 or entities < 1000


@settings(max_examples=20, deadline=None)
@given(epsilon=st.floats(0.01, 20), bound=st.sampled_from([2, 1000, BOUND, MOST_DELTA]))
def test_the_cap_is_the_last_rho_within_epsilon(epsilon: float, bound: int) -> None:
    cap = nano_rho_of(epsilon, bound)
    assert told_epsilon(cap, bound) <= epsilon < told_epsilon(cap + max(cap // 10**6, 1), bound)


def test_what_is_told_is_rounded_against_who_spends() -> None:
    assert (round_up(0.12341), round_down(0.12349)) == ("0.1235", "0.1234")
    assert told_epsilon(0, BOUND) == 0


@settings(max_examples=60, deadline=None)
@given(
    before=st.integers(0, 2 * CAP),
    cost=st.integers(1, 2 * CAP),
    delta=st.tuples(st.integers(0, BOUND), st.integers(0, BOUND)),
    bound=st.sampled_from([BOUND, MOST_DELTA]),
)
def test_a_charge_holds_if_and_only_if_both_sums_stay_within_their_caps(
    before: int, cost: int, delta: tuple[int, int], bound: int
) -> None:
    """A scope that has seen a smaller delta keeps to it."""
    charge = DpCharge(release="dpr-1", agreement="ag-a", nano_rho=cost, delta_e15=delta[1], delta_bound=bound)
    policy = load_profile("national")
    fits = before + cost <= CAP and delta[0] + delta[1] <= BOUND // 2
    scope = Budget(level="use", dataset="ce-a", scenario="sc-a", recipient="dev", year=2026)
    try:
        cap = affordable(scope, Sum(before, delta[0], BOUND, 1), charge, policy, {})
    except Conflict as error:
        told = (error.code, error.details["left_nano_rho"])
        assert (told, fits) == (("BUDGET", max(CAP - before, 0)), False)
    else:
        assert (cap.nano_rho, cap.delta_e15, fits) == (CAP, BOUND // 2, True)


# --- who is charged


def test_the_start_of_a_job_charges_every_scope_and_its_submission_none(granted: Scene) -> None:
    granted.create("developer", "job", question(granted), "job-q")
    assert books(granted) == {}
    granted.act("system", "job", "job-q", "provision", granted._start("job-q"))
    cost = release_of(granted, "job-q").spec["nano_rho"]
    assert 0 < cost <= NANO
    assert spent(granted) == dict.fromkeys(("use", "scenario", "entities"), cost)
    assert release_of(granted, "job-q").state == "charged"
    assert books(granted)["use"].spec == {
        "level": "use",
        "dataset": "ce-a",
        "scenario": "sc-a",
        "recipient": "dev",
        "year": 2026,
        "domain": "",
    }
    assert books(granted)["entities"].spec["domain"] == "ce-a"


def test_the_charge_and_its_audit_entries_stand_with_the_start(granted: Scene) -> None:
    granted.create("developer", "job", question(granted), "job-q")
    begun = granted.logged()
    granted.act("system", "job", "job-q", "provision", granted._start("job-q"))
    told = [(entry.action, entry.object.split("/")[0]) for entry in granted.log(begun)]
    assert told == [
        ("provision", "job"),
        ("debit", "scenario"),
        ("create", "dp-release"),
        *[("create", "dp-budget"), ("charge", "dp-budget")] * 3,
    ]


@pytest.mark.requirement("R-134")
def test_beyond_the_budget_is_refused_and_the_total_is_the_sum_of_the_answers(granted: Scene) -> None:
    """Ever larger questions until the budget of the resource is spent; the refusal says what is left."""
    costs: list[int] = []

    def ask(number: int) -> None:
        answered(granted, f"job-{number}", query=query(nano_rho=number * NANO))
        costs.append(release_of(granted, f"job-{number}").spec["nano_rho"])
        ask(number + 1)

    with pytest.raises(Conflict) as caught:
        ask(1)
    error, left = caught.value, CAP - sum(costs)
    assert (error.code, error.status) == ("BUDGET", 409)
    assert error.details["asked_nano_rho"] > left == error.details["left_nano_rho"]
    assert error.details["left_epsilon"] == round_down(told_epsilon(left, BOUND))
    assert error.details["delta"] == "10000000e-15"
    assert len(costs) > 2
    assert set(spent(granted).values()) == {sum(costs)}


def test_a_budget_spent_while_the_job_waited_denies_its_start(granted: Scene) -> None:
    granted.create("developer", "job", question(granted, query=query(nano_rho=10 * NANO)), "job-q")
    started(granted, "job-first", query=query(nano_rho=9 * NANO, rows_per_entity=2))
    before = spent(granted)
    with refused("BUDGET"):
        granted.act("system", "job", "job-q", "provision", granted._start("job-q"))
    assert spent(granted) == before
    assert granted.state("job", "job-q") == "queued"


def test_an_agreement_may_tighten_the_budget_and_not_loosen_it(scene: Scene) -> None:
    scene.entry()
    with refused("RULE_WEAKER"):
        scene.agreement(egress_rules={"dp.epsilon_total": 2.0})
    scene.agreement(egress_rules={"dp.epsilon_total": 0.1})
    scene.scenario()
    scene.supply()
    scene.primary()
    with refused("BUDGET"):
        started(scene, query=query(nano_rho=NANO))
    started(scene, query=query(nano_rho=nano_rho_of(0.1, BOUND)))


def test_resources_of_the_same_entities_have_one_budget(scene: Scene) -> None:
    """Two resources, one domain: what was asked of one is spent for the other too."""
    scene.overlay(dp__epsilon_entities=1.0, raw__developer_use="allowed")
    for entry in ("ce-a", "ce-b"):
        scene.entry(entry, entity_domain="residents")
    scene.agreement(scope=["ce-a", "ce-b"])
    columns = ["person_id", "district", "income"]
    scene.scenario(list=[{"entry": entry, "columns": columns} for entry in ("ce-a", "ce-b")])
    for number, entry in enumerate(("ce-a", "ce-b")):
        scene.supply(f"su-{number}", content=entry.encode(), entry=entry)
    for entry in ("ce-a", "ce-b"):
        told = question(scene, inputs=[{"name": "residents", "entry": entry, "columns": columns}])
        told["query"] = query(nano_rho=CAP // 2)
        scene.create("developer", "job", told, f"job-{entry}")
        scene.act("system", "job", f"job-{entry}", "provision", scene._start(f"job-{entry}"))
    assert books(scene)["entities"].status["budget"]["charges"] == 2
    shared = books(scene)["entities"].id  # under a name of its own: a provider of one of them sees it
    assert scene.control.get(scene.who("editor"), "dp-budget", shared).spec["domain"] == "residents"
    with refused("NOT_FOUND"):
        scene.control.get(scene.who("bureau-editor"), "dp-budget", shared)
    with pytest.raises(Conflict) as caught:
        scene.create("developer", "job", {**told, "query": query(nano_rho=NANO)})
    assert (caught.value.code, caught.value.details["scope"]) == ("BUDGET", "entities")


def test_a_new_year_opens_the_resources_budget_and_not_that_of_its_entities(granted: Scene) -> None:
    started(granted, "job-1")
    granted.clock.move(days=150)
    started(granted, "job-2", query=query(rows_per_entity=3))
    with granted.store.read() as reader:
        found = reader.find("dp-budget")
    charges = {(one.spec["level"], one.spec["year"]): one.status["budget"]["charges"] for one in found}
    assert charges == {("use", 2026): 1, ("use", 2027): 1, ("scenario", 0): 2, ("entities", 0): 2}


# --- the same again


def test_the_same_question_is_paid_once(granted: Scene) -> None:
    answered(granted, "job-1")
    before = spent(granted)
    again = query(measures=[{"name": "people", "of": "distinct", "weight": 1}], rows_per_entity=1)
    started(granted, "job-2", query=again)
    assert granted.get("job", "job-1").status["dp"] == granted.get("job", "job-2").status["dp"]
    assert spent(granted) == before


def test_a_question_is_paid_again_for_another_recipient_or_form(granted: Scene) -> None:
    answered(granted, "job-1")
    answered(granted, "job-2", recipient="dev-two")
    answered(granted, "job-3", outputs=[{"path": "out.parquet", "kind": "table"}])
    with granted.store.read() as reader:
        assert len(reader.find("dp-release")) == 3
    assert books(granted)["scenario"].status["budget"]["charges"] == 3


def test_a_charge_whose_draw_never_began_pays_for_the_next_attempt(granted: Scene) -> None:
    started(granted, "job-1")
    before = spent(granted)
    granted.act("system", "job", "job-1", "fail", granted.ran("lost"))
    started(granted, "job-2")
    assert spent(granted) == before
    assert release_of(granted, "job-2").id == release_of(granted, "job-1").id


def test_an_answer_is_sealed_once(granted: Scene) -> None:
    answered(granted, "job-1")
    release = release_of(granted, "job-1")
    seal = {"job": "job-1", "sha256": hashlib.sha256(b"other").hexdigest(), "bytes": 5}
    with refused("STATE"):
        granted.act("system", "dp-release", release.id, "seal", seal)


# --- who may


@pytest.mark.parametrize("who", ["developer", "operator", "reviewer", "chief", "auditor", "admin"])
def test_nobody_but_the_machine_opens_charges_or_seals(granted: Scene, who: str) -> None:
    job = started(granted)
    release, book = job.status["dp"]["release"], books(granted)["scenario"]
    cost = {"release": release, "agreement": "ag-a", "nano_rho": 1, "delta_e15": 0, "delta_bound": BOUND}
    for attempt in (
        lambda: granted.create(who, "dp-budget", book.spec),
        lambda: granted.create(who, "dp-release", granted.get("dp-release", release).spec),
    ):
        with refused("ROLE"):
            attempt()
    hidden = "NOT_FOUND" if who in ("admin", "operator") else "ROLE"
    with refused(hidden):
        granted.act(who, "dp-budget", book.id, "charge", cost)
    with refused(hidden):
        granted.act(who, "dp-release", release, "seal", {"job": job.id, "sha256": "0" * 64, "bytes": 1})


def test_who_sees_the_book(granted: Scene) -> None:
    """The supervising side all of it, who uses the scenario theirs, the provider what is of its resource."""
    answered(granted)
    levels = {
        who: {one.spec["level"] for one in granted.control.find(granted.who(who), "dp-budget")}
        for who in ("auditor", "reviewer", "chief", "developer", "editor", "rival", "bureau-editor")
    }
    every = {"use", "scenario", "entities"}
    assert levels["auditor"] == levels["reviewer"] == levels["chief"] == every
    assert levels["developer"] == {"use", "scenario"}
    assert levels["editor"] == {"use", "entities"}
    assert levels["rival"] == levels["bureau-editor"] == set()
    release = granted.get("job", "job-q").status["dp"]["release"]
    seen = granted.control.get(granted.who("developer"), "dp-release", release)
    assert seen.status == {}  # neither hash nor size of an answer that has not left
    assert "seal" in granted.control.get(granted.who("auditor"), "dp-release", release).status
    job = granted.control.get(granted.who("developer"), "job", "job-q")
    assert job.status["dp"] == {"release": release}


def test_an_answer_whose_book_does_not_hold_its_price_is_not_paid(granted: Scene) -> None:
    """The store lets no sum go down: played with a world that has lost its books."""
    answered(granted)
    request = granted.request(until="two_verdicts", job="job-q")
    with granted.store.read() as reader:
        whole = Sight(reader)
        without = SimpleNamespace(get=lambda kind, id: None if kind == "dp-budget" else whole.get(kind, id))
        paid(cast("Any", SimpleNamespace(resource=request, world=whole)))
        with refused("DP_UNPAID"):
            paid(cast("Any", SimpleNamespace(resource=request, world=without)))


def test_an_entry_that_names_no_entity_cannot_be_asked() -> None:
    entry = SimpleNamespace(spec={"entity": None})
    case = SimpleNamespace(world=SimpleNamespace(get=lambda kind, id: entry))
    with refused("DP_ENTITY"):
        entity_of(cast("Any", case), JobInput(name="people", entry="ce-a", columns=("district",)))


# --- before asking


def test_an_estimate_costs_nothing_and_says_what_the_charge_will_be(granted: Scene) -> None:
    told = estimate(granted.control, granted.who("developer"), question(granted))
    assert books(granted) == {}
    assert (told["state"], told["holds"]) == ("", True)
    assert [scope["level"] for scope in told["scopes"]] == ["use", "scenario", "entities"]
    assert told["scopes"][0]["left_nano_rho"] == CAP
    assert told["expected"][0]["sd"] > 0
    answered(granted)
    assert told["nano_rho"] == spent(granted)["use"]
    again = estimate(granted.control, granted.who("developer"), question(granted))
    assert (again["state"], again["nano_rho"], again["release"]) == ("sealed", 0, told["release"])
    assert again["scopes"][0]["left_nano_rho"] == CAP - told["nano_rho"]


def test_an_estimate_beyond_the_budget_says_so_and_is_no_error(granted: Scene) -> None:
    told = estimate(granted.control, granted.who("developer"), question(granted, query=query(nano_rho=10**9)))
    assert told["holds"] is False
    assert [scope["holds"] for scope in told["scopes"]] == [False, False, False]


@pytest.mark.parametrize(
    ("who", "over", "code"),
    [
        ("rival", {}, "SCENARIO_UNKNOWN"),
        ("operator", {}, "SOD_REDEV"),
        ("developer", {"purpose": "advertising"}, "PURPOSE_MISMATCH"),
        ("developer", {"query": {}}, "DP_QUERY"),
        ("developer", {"language": "sql"}, "DP_ONLY"),
        ("developer", {"inputs": []}, "MALFORMED"),
    ],
)
def test_an_estimate_is_refused_as_the_job_would_be_and_noted(
    granted: Scene, who: str, over: dict[str, Any], code: str
) -> None:
    begun = granted.logged()
    with refused(code):
        estimate(granted.control, granted.who(who), question(granted, **over))
    if code != "MALFORMED":
        (entry,) = granted.log(begun)
        assert (entry.action, entry.reason) == ("estimate", code)


def test_a_question_says_nothing_that_a_row_could_change(granted: Scene) -> None:
    """The price is the query's: another snapshot of the same order of entities costs the same."""
    job = started(granted)
    asked = asked_of(granted.control, job)
    assert asked.question.asked_sha256 == job.status["dp"]["asked_sha256"]
    assert asked.entity == "person_id"
    assert {field["name"] for field in asked.fields} == {"person_id", "district", "income"}
