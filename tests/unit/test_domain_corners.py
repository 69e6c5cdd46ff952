"""The corners of the guards that no longer story passes through."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from sandbox.authorisation.affiliation import affiliated
from sandbox.authorisation.agreement import add_years
from sandbox.control.door import Sight
from tests.plugins.space import Scene, SceneMaker
from tests.refusal import refused


@pytest.mark.parametrize(
    ("day", "years", "then"),
    [
        (date(2024, 2, 29), 1, date(2025, 2, 28)),
        (date(2024, 2, 29), 4, date(2028, 2, 29)),
        (date(2026, 11, 21), 3, date(2029, 11, 21)),
    ],
)
def test_a_term_counts_calendar_years(day: date, years: int, then: date) -> None:
    assert add_years(day, years) == then


@pytest.mark.parametrize(("share", "bound"), [(0.24, False), (0.25, True)])
def test_a_holding_binds_from_the_threshold_on(share: float, bound: bool, scene: Scene) -> None:
    spec = scene.get("organisation", "dev").spec
    held = {**spec, "controlled_by": [{"organisation": "opco", "share": share, "declared_control": False}]}
    scene.act("admin", "organisation", "dev", "amend", held)
    with scene.store.read() as reader:
        assert affiliated(Sight(reader), scene.control.policy, "dev", "opco") is bound


def test_a_returned_application_is_completed_and_assessed_from_the_beginning(scene: Scene) -> None:
    scene.entry()
    scene.agreement()
    scene.create("developer", "scenario", scene.scenario_spec(), "sc-a")
    scene.act("chief", "scenario", "sc-a", "assess", scene.answers("reasonable", "compliant", "safe"))
    scene.act("chief", "scenario", "sc-a", "return", {"gaps": ["the period is missing"]})
    scene.act("developer", "scenario", "sc-a", "edit", {**scene.scenario_spec(), "title": "completed"})
    again = scene.get("scenario", "sc-a")
    assert (again.state, again.spec["title"], again.status["assessments"]) == ("assessment", "completed", [])


def test_a_refused_amendment_leaves_the_grant_as_it_was(granted: Scene) -> None:
    before = granted.get("scenario", "sc-a").status["grant"]
    granted.act("developer", "scenario", "sc-a", "amend", {"list": granted.scenario_spec()["list"]})
    granted.act("chief", "scenario", "sc-a", "reject_amendment", {"reason": "not needed", "law": "GD 24"})
    after = granted.get("scenario", "sc-a")
    assert (after.state, after.status["grant"], after.status["amendment"]) == ("granted", before, None)


def test_an_operator_applies_without_a_developer_where_the_profile_says_so(scene_of: SceneMaker) -> None:
    scene = scene_of("chengdu")
    scene.entry()
    scene.agreement()
    scene.create("operator", "scenario", {**scene.scenario_spec(), "developer": ""}, "sc-a")
    assert scene.state("scenario", "sc-a") == "formal_review"


def test_the_negative_list_stops_only_what_uses_the_entry(granted: Scene) -> None:
    granted.supply("su-over", until="in_transfer")
    granted.act("chief", "supply", "su-over", "emergency_stop", {"cause": "test"})
    granted.job("job-other", until="running")
    granted.entry("ce-unused")
    spec = {"entry": "ce-unused", "reason": "secret", "law": "law"}
    granted.create("chief", "negative-list-entry", spec)
    assert granted.state("job", "job-other") == "running"
    used = granted.get("supply", "su-a").spec["entry"]
    granted.create("chief", "negative-list-entry", {**spec, "entry": used})
    assert granted.state("job", "job-other") == "killed"
    assert granted.state("supply", "su-over") == "stopped"


def test_a_verified_order_that_suspended_nothing_resumes_nothing(granted: Scene) -> None:
    order = {
        "agreement": "ag-a",
        "breach": "late report",
        "items": ["send it"],
        "law": "CD 34",
        "suspend": False,
    }
    id = granted.create("body", "rectification", order).id
    granted.act("operator", "rectification", id, "report", {"done": ["sent"]})
    granted.act("body", "rectification", id, "verify", {"reason": "read"})
    assert granted.state("scenario", "sc-a") == "granted"
    assert granted.state("rectification", id) == "verified"


def test_the_gate_takes_nothing_but_what_the_decision_names(granted: Scene) -> None:
    granted.job()
    granted.request(until="approved")
    request = granted.get("egress-request", "eg-a")
    gate = granted.space.gate
    assert set(gate._reviewed(request)) == set(request.status["decision"]["reviewed"])
    for reviewed in ({}, {**request.status["decision"]["reviewed"], "more.csv": "0" * 64}):
        changed = {**request.status, "decision": {**request.status["decision"], "reviewed": reviewed}}
        with refused("ARTEFACT_CHANGED"):
            gate._reviewed(replace(request, status=changed))
