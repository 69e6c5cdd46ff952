"""The capacity budget of a scenario: charged with the release or not at all, and never exceeded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.core.actor import SYSTEM
from sandbox.core.errors import Conflict
from sandbox.core.resource import Resource
from tests.plugins.space import Scene
from tests.refusal import refused

BUDGET = 1_000_000  # policies/national.yaml


def spent(scene: Scene) -> int:
    return int(scene.get("scenario", "sc-a").status.get("capacity", {}).get("bits", 0))


def bits(number: int) -> dict[str, Any]:
    return {"bits": number, "files": [{"path": "out.csv", "bits": number}]}


def reviewed(scene: Scene, until: str, number: int) -> Resource:
    """A request whose check found ``number`` bits, driven to ``until``."""
    scene.job()
    scene.request(until="auto_check")
    scene.act("system", "egress-request", "eg-a", "forward", scene.check("eg-a", capacity=bits(number)))
    for who, which in (("reviewer", "security"), ("reviewer-two", "business_conformity")):
        scene.act(who, "egress-request", "eg-a", "give_verdict", scene.verdict(which))
    if until == "approved":
        scene.act("reviewer-two", "egress-request", "eg-a", "approve", {})
    return scene.get("egress-request", "eg-a")


def test_a_release_is_charged_with_what_it_could_carry_and_a_recall_gives_nothing_back(
    granted_on: Scene,
) -> None:
    granted_on.job()
    granted_on.request()
    assert spent(granted_on) == 40  # the scene's check says so
    granted_on.act("reviewer", "egress-request", "eg-a", "recall", {"cause": "wrong"})
    assert spent(granted_on) == 40


def test_the_reviewer_sees_bits_and_budget_before_deciding_and_the_submitter_neither(granted: Scene) -> None:
    granted.job()
    granted.request(until="human_review")
    told = granted.get("egress-request", "eg-a").status["check"]["capacity"]
    assert (told["bits"], told["spent"], told["budget"]) == (40, 0, BUDGET)
    seen = granted.control.get(granted.who("developer"), "egress-request", "eg-a")
    assert "capacity" not in seen.status["check"]


def test_what_exceeds_the_budget_is_not_approved(granted: Scene) -> None:
    reviewed(granted, "human_review", BUDGET + 1)
    with refused("CAPACITY_SPENT"):
        granted.act("reviewer-two", "egress-request", "eg-a", "approve", {})


def test_a_budget_spent_since_the_approval_stops_the_release(granted: Scene) -> None:
    """Two requests fit alone and not together: the gate asks again in the transaction that releases."""
    reviewed(granted, "approved", 600_000)
    granted.act("system", "scenario", "sc-a", "charge", {"request": "eg-b", "bits": 600_000})
    with refused("CAPACITY_SPENT"):
        granted.register("eg-a")
    assert (granted.get("egress-request", "eg-a").state, spent(granted)) == ("approved", 600_000)


def test_a_budget_spent_while_the_package_is_made_stops_it_at_the_gate(granted: Scene) -> None:
    reviewed(granted, "approved", 600_000)
    granted.register("eg-a")
    granted.act("system", "scenario", "sc-a", "charge", {"request": "eg-b", "bits": 600_000})
    with refused("CAPACITY_SPENT"):
        granted.space.gate.release("eg-a")
    assert granted.get("egress-request", "eg-a").state == "releasing"
    assert list((granted.space.settings.home / "released").glob("[!.]*")) == []


@given(asked=st.lists(st.integers(1, 400_000), min_size=4, max_size=10))
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_sum_never_exceeds_the_budget_however_many_ask_at_once(
    granted_on: Scene, asked: list[int]
) -> None:
    before = spent(granted_on)

    def charge(number: int) -> int:
        payload = {"request": f"eg-{number}", "bits": number}
        while True:
            try:
                granted_on.control.act(SYSTEM, "scenario", "sc-a", "charge", payload)
                return number
            except Conflict as error:
                if error.code == "CAPACITY_SPENT":
                    return 0
                if error.code != "STALE":
                    raise

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(charge, asked))
    assert spent(granted_on) == before + sum(done) <= BUDGET
    turned_away = [number for number, got in zip(asked, done, strict=True) if not got]
    assert all(spent(granted_on) + number > BUDGET for number in turned_away)
