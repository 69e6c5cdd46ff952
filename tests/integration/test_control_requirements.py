"""What the control plane alone can prove of the requirements, as their acceptance tests say it.

Those over the HTTP API are in ``tests/functional/test_api.py``.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.audit.bundle import verify_bundle
from sandbox.control import accounts
from sandbox.control.door import Sight
from sandbox.control.kinds import KINDS
from sandbox.control.work import Work
from sandbox.core.actor import Actor, Role
from sandbox.core.errors import CODES, Conflict, Forbidden, Invalid, SandboxError
from sandbox.core.resource import Entry
from sandbox.executor.contract import TaskKind
from sandbox.executor.stub import StubExecutor
from sandbox.registry.lineage import trace
from tests.plugins.space import ADMINISTRATOR, CONTRACT, OUTPUT, Scene, SceneMaker, field_of
from tests.refusal import refused

ITEM = {"entry": "ce-a", "columns": ["district"]}


def status_of(code: str) -> int:
    """The HTTP status that a code goes out with."""
    return CODES[code].kind.status


def test_the_statuses_are_those_that_the_requirements_name() -> None:
    assert (Invalid.status, Forbidden.status, Conflict.status) == (422, 403, 409)


# --- catalogue


@pytest.mark.requirement("R-001")
def test_ungraded_is_neither_created_nor_supplied_nor_mounted(granted: Scene) -> None:
    ungraded = {**field_of("person_id"), "level": None}
    with refused("UNGRADED"):
        granted.create("editor", "catalogue-entry", granted.entry_spec(fields=[ungraded]))
    assert status_of("UNGRADED") == 422
    # through the door there is no ungraded entry: write one past it
    entry = granted.get("catalogue-entry", "ce-a")
    bare = replace(entry, state="graded", spec={**entry.spec, "fields": [ungraded]})
    with granted.store.write() as writer:
        made = Entry(granted.clock(), "system", "x", "system", "fabricate", entry.ref, after="graded")
        writer.put(bare, made, expected=entry.version)
    with refused("NOT_AUTHORISED"):
        granted.create("connector", "supply", granted.supply_spec())
    with refused("ENTRY_CHANGED"):
        granted.create("operator", "job", granted.recipe_spec())
    assert status_of("NOT_AUTHORISED") == status_of("ENTRY_CHANGED") == 409


@pytest.mark.requirement("R-002")
def test_providers_edit_their_own_and_old_versions_stay(granted_on: Scene) -> None:
    before = granted_on.get("catalogue-entry", "ce-a")
    with refused("NOT_YOURS"):
        granted_on.act("bureau-editor", "catalogue-entry", "ce-a", "edit", granted_on.entry_spec())
    assert status_of("NOT_YOURS") == 403
    changed = granted_on.entry_spec(title_en="residents, new")
    granted_on.act("confirmer", "catalogue-entry", "ce-a", "edit", changed)
    after = granted_on.get("catalogue-entry", "ce-a")
    assert after.version == before.version + 1
    assert (after.status["edited"]["by"], after.changed_at) == ("confirmer", granted_on.clock.now)
    with granted_on.store.read() as reader:
        history = reader.history("catalogue-entry", "ce-a")
    assert history[before.version - 1] == before
    assert history[before.version].spec["title_en"] == "residents, new"


@pytest.mark.requirement("R-003")
def test_undecided_and_excluded_come_onto_no_list(granted: Scene) -> None:
    steps: list[tuple[str, str, Any]] = [
        ("editor", "exclude", {"reason": "secret", "law": "law"}),
        ("editor", "edit", granted.entry_spec()),
        ("confirmer", "confirm", None),  # confirmed, attribute undecided
    ]
    for who, event, payload in steps:
        granted.act(who, "catalogue-entry", "ce-a", event, payload)
        with refused("NOT_AUTHORISED"):
            granted.create("developer", "scenario", granted.scenario_spec(list=[ITEM]))
    assert status_of("NOT_AUTHORISED") == 409
    for event in ("make_conditional", "include"):
        granted.act("editor", "catalogue-entry", "ce-a", event)
        made = granted.create("developer", "scenario", granted.scenario_spec(list=[ITEM]), f"sc-{event[:4]}")
        assert made.state == "assessment"
        granted.act("chief", "scenario", made.id, "reject", {"reason": "test", "law": "CD 23"})


@pytest.mark.requirement("R-005")
def test_the_negative_list_closes_five_gates_and_stops_the_job(granted_on: Scene) -> None:
    scene = granted_on
    scene.job(until="quarantined")
    scene.job("job-run", until="running")
    before = scene.logged()
    scene.create("chief", "negative-list-entry", {"entry": "ce-a", "reason": "secret", "law": "law"})
    attempts = (
        lambda: scene.create("chief", "agreement", scene.agreement_spec()),
        lambda: scene.create("developer", "scenario", scene.scenario_spec(list=[ITEM])),
        lambda: scene.create("connector", "supply", scene.supply_spec()),
        lambda: scene.create("developer", "job", scene.job_spec()),
        lambda: scene.create("developer", "egress-request", scene.request_spec()),
    )
    for attempt in attempts:
        with refused("NEGATIVE_LIST"):
            attempt()
    assert scene.state("job", "job-run") == "killed"
    assert scene.state("supply", "su-a") == "stopped"
    kill = next(e for e in scene.log(before) if e.object == "job/job-run")
    assert (kill.action, kill.actor, kill.before, kill.after) == ("kill", "system", "running", "killed")


def test_a_job_in_the_queue_does_not_start_over_a_listed_resource(granted: Scene) -> None:
    granted.job(until="queued")
    granted.create("chief", "negative-list-entry", {"entry": "ce-a", "reason": "secret", "law": "law"})
    assert granted.state("job", "job-a") == "killed"


@pytest.mark.requirement("R-013")
def test_a_list_is_determined_only_over_registered_resources(scene: Scene) -> None:
    scene.entry(until="confirmed")
    scene.act("editor", "catalogue-entry", "ce-a", "include")
    scene.agreement()
    scene.scenario(until="jointly")
    with refused("NOT_REGISTERED"):
        scene.act("chief", "scenario", "sc-a", "approve")
    assert status_of("NOT_REGISTERED") == 409
    scene.act("editor", "catalogue-entry", "ce-a", "register", scene.registration("ce-a"))
    scene.act("editor", "catalogue-entry", "ce-a", "include")
    assert scene.act("chief", "scenario", "sc-a", "approve").state == "approved"


@pytest.mark.requirement("R-026")
def test_confirmed_by_another_person_than_the_editor(scene: Scene) -> None:
    scene.entry("ce-b")
    scene.entry(until="graded")
    scene.agreement(scope=["ce-a", "ce-b"])
    with refused("FOUR_EYES"):
        scene.act("editor", "catalogue-entry", "ce-a", "confirm")
    assert status_of("FOUR_EYES") == 403
    with refused("NOT_AUTHORISED"):
        scene.create("developer", "scenario", scene.scenario_spec(list=[ITEM]))
    assert scene.act("confirmer", "catalogue-entry", "ce-a", "confirm").state == "confirmed"


# --- agreements


@pytest.mark.parametrize("profile", ["guizhou", "chengdu", "guangdong", "national"])
def test_each_of_the_thirteen_clauses_is_missed_by_name(profile: str, scene_of: SceneMaker) -> None:
    scene = scene_of(profile)
    scene.entry()
    required = scene.control.policy.get("agreement.required_clauses")
    assert len(required) == 13
    mode = scene.control.policy.get("authorisation.mode_default")
    for name in required:
        clauses = {other: "text" for other in required if other != name}
        with pytest.raises(SandboxError) as caught:
            scene.create("chief", "agreement", scene.agreement_spec(mode=mode, clauses=clauses))
        assert (caught.value.code, caught.value.details) == ("CLAUSES_MISSING", {"clauses": name})


@pytest.mark.requirement("R-047")
def test_missing_clauses_are_named_and_the_check_is_bound_by_those_there(
    granted: Scene, tmp_path: Path
) -> None:
    with pytest.raises(SandboxError) as caught:
        granted.create("chief", "agreement", granted.agreement_spec(clauses={"scope": "text"}))
    required = granted.control.policy.get("agreement.required_clauses")
    assert caught.value.details == {"clauses": ", ".join(name for name in required if name != "scope")}
    given: list[dict[str, Any]] = []

    def room(params: dict[str, Any], inputs: Path, files: Path) -> dict[str, Any]:
        given.append(params)
        (files / "canonical").mkdir()
        (files / "canonical" / "out.csv").write_text(OUTPUT)
        canonical = {"path": "out.csv", "sha256": hashlib.sha256(OUTPUT.encode()).hexdigest()}
        verdict = {
            "verdict": "no_objection",
            "findings": [],
            "rules": [],
            "files": [],
            "canonical": [{**canonical, "bytes": len(OUTPUT)}],
            "checker": "test/1",
            "seconds": 0.1,
            "capacity": {"bits": 40},
        }
        (files / "ledger").mkdir()
        (files / "ledger" / "cells.parquet").write_bytes(b"cells")
        cells = {"path": "cells.parquet", "sha256": hashlib.sha256(b"cells").hexdigest(), "bytes": 5}
        verdict["ledger"] = {"files": [cells], "seen": []}
        (files / "verdict.json").write_text(json.dumps(verdict))
        return {"ok": True}

    stricter = {"egress.min_cell": 25, "egress.dominance_k": 0.5}
    granted.agreement("ag-b", egress_rules=stricter)
    granted.scenario(
        "sc-b", agreement="ag-b", list=[{**ITEM, "columns": ["person_id", "district", "income"]}]
    )
    granted.supply("su-b", agreement="ag-b", scenario="sc-b")
    granted.primary("pr-b", job="job-p", scenario="sc-b")
    places = granted.space.places
    places.blobs("ag-b", "sc-b", "raw").take(iter([b"snapshotraw"]))
    places.blobs("ag-b", "sc-b", "primary").take(iter([b"primary"]))
    table = {"name": "residents", "product": "pr-b", "columns": ["district"]}
    granted.job(scenario="sc-b", inputs=[table])
    granted.request(until="requested")
    executor = StubExecutor(tmp_path / "tasks", {TaskKind.CHECK: room})
    work = Work(granted.control, executor, places, granted.space.gate)
    while work.step("egress-request/eg-a"):
        pass
    request = granted.get("egress-request", "eg-a")
    assert request.state == "human_review"
    assert set(request.status["check"]["clauses"]) == {"products_and_review", "security_and_emergency"}
    assert set(request.status["check"]["clauses"]) <= set(required)
    assert {key: given[0]["policy"][key] for key in stricter} == stricter


@pytest.mark.requirement("R-048")
@pytest.mark.parametrize(
    ("profile", "mode", "ends", "exception", "code"),
    [
        ("guizhou", "overall", "2029-09-01", "", ""),
        ("guizhou", "overall", "2029-09-02", "", "TERM_TOO_LONG"),
        ("guizhou", "overall", "2029-09-02", "decision 7", ""),
        ("chengdu", "overall", "2029-09-02", "", ""),
        ("guangdong", "scenario", "2031-09-01", "", ""),
        ("guangdong", "scenario", "2031-09-02", "", "TERM_TOO_LONG"),
    ],
)
def test_the_longest_term(
    profile: str, mode: str, ends: str, exception: str, code: str, scene_of: SceneMaker
) -> None:
    scene = scene_of(profile)
    scene.entry()
    spec = scene.agreement_spec(mode=mode, ends=ends, exception_decision=exception)
    assert status_of("TERM_TOO_LONG") == 422
    if code:
        with refused(code):
            scene.create("chief", "agreement", spec)
    else:
        assert scene.create("chief", "agreement", spec).state == "draft"


@pytest.mark.requirement("R-053")
def test_two_hundred_random_accesses_are_allowed_exactly_as_granted(granted: Scene) -> None:
    scene = granted
    scene.overlay(raw__developer_use="allowed")
    scene.entry("ce-b", org="bureau")
    scene.agreement("ag-b", scope=["ce-a", "ce-b"], ends="2027-03-31")
    scene.agreement("ag-c", scope=["ce-a"])
    for id, agreement, who, items, ends in (
        ("sc-b", "ag-b", "rival", [{"entry": "ce-a", "columns": ["district", "day"]}], "2026-12-31"),
        ("sc-c", "ag-c", "developer", [{"entry": "ce-a", "columns": ["phone"]}], "2027-05-31"),
    ):
        scene.scenario(id, who=who, agreement=agreement, list=items, ends=ends)
        scene.supply(f"su-{id}", agreement=agreement, scenario=id)
    grants = {
        ("dev", "sc-a"): ({("ce-a", c) for c in ("person_id", "district", "income")}, date(2027, 8, 31)),
        ("dev-two", "sc-b"): ({("ce-a", "district"), ("ce-a", "day")}, date(2026, 12, 31)),
        ("dev", "sc-c"): ({("ce-a", "phone")}, date(2027, 5, 31)),
    }
    people = {"dev": "developer", "dev-two": "rival"}
    columns = ["person_id", "district", "income", "phone", "day", "none"]
    start, chance = scene.clock.now, random.Random(53)
    allowed = denied = 0
    for _ in range(200):
        organisation, scenario = chance.choice(["dev", "dev-two"]), chance.choice(["sc-a", "sc-b", "sc-c"])
        entry, column = chance.choice(["ce-a", "ce-a", "ce-b"]), chance.choice(columns)
        day = start + timedelta(days=chance.choice([0, 60, 120, 240, 330, 360]))
        pairs, last = grants.get((organisation, scenario), (set(), date.min))
        expected = (entry, column) in pairs and day.date() <= last
        scene.clock.now = day
        table = {"name": "r", "entry": entry, "columns": [column]}
        before = scene.logged()
        try:
            scene.create(people[organisation], "job", scene.job_spec(scenario=scenario, inputs=[table]))
            came = True
        except (Forbidden, Conflict) as error:
            came, code = False, error.code
        if not came:
            (noted,) = scene.log(before)
            assert (noted.outcome, noted.reason, noted.organisation) == ("refused", code, organisation)
        assert came == expected, (organisation, scenario, entry, column, day)
        allowed, denied = allowed + came, denied + (not came)
    assert allowed > 10
    assert denied > 100


# --- scenarios


@pytest.mark.requirement("R-057")
def test_one_scenario_one_application(granted: Scene) -> None:
    for purpose in (["one", "two"], "one-purpose, two-purposes", "one-purpose;two"):
        with refused("MALFORMED"):
            granted.create("developer", "scenario", granted.scenario_spec(purpose=purpose, list=[ITEM]))
    assert status_of("MALFORMED") == 422
    with refused("LIST_REUSED"):
        granted.create("developer", "scenario", granted.scenario_spec(purpose="another-purpose"))
    assert status_of("LIST_REUSED") == 409


@pytest.mark.requirement("R-058")
def test_a_list_is_frozen_at_its_determination(granted_on: Scene) -> None:
    scene = granted_on
    frozen = scene.get("scenario", "sc-a").status["grant"]["list_sha256"]
    more = [{"entry": "ce-a", "columns": ["person_id", "district", "income", "phone"]}]
    assert scene.act("developer", "scenario", "sc-a", "amend", {"list": more}).state == "amending"
    assert scene.get("scenario", "sc-a").status["grant"]["list_sha256"] == frozen
    wanted = [{"name": "residents", "entry": "ce-a", "columns": ["phone"]}]
    recipe = {"name": "one", "version": "1", "keep": ["district"], "drop": ["phone"]}
    with refused("COLUMN_NOT_GRANTED"):
        scene.create("operator", "job", scene.recipe_spec(inputs=wanted, recipe=recipe))
    with refused("ASSESSMENT_MISSING"):  # those for the first list do not count for the second
        scene.act("chief", "scenario", "sc-a", "approve_amendment")
    for who in ("chief", "editor"):
        scene.act(who, "scenario", "sc-a", "assess", scene.answers())
    determined = scene.act("chief", "scenario", "sc-a", "approve_amendment")
    assert determined.status["grant"]["list_sha256"] != frozen


@pytest.mark.requirement("R-059")
def test_three_questions_and_silence_is_no_approval(granted: Scene) -> None:
    granted.create("developer", "scenario", granted.scenario_spec(list=[ITEM]), "sc-b")
    for criteria in (("reasonable", "compliant"), ("reasonable", "safe"), ("compliant", "safe")):
        with refused("ANSWERS_MISSING"):
            granted.act("chief", "scenario", "sc-b", "assess", granted.answers(*criteria))
    assert status_of("ANSWERS_MISSING") == 422
    with refused("ASSESSMENT_MISSING"):
        granted.act("chief", "scenario", "sc-b", "approve")
    calendar = granted.control.calendar
    granted.clock.now = calendar.add_working_days(granted.clock.now, 11)
    granted.control.tick()
    late = granted.get("scenario", "sc-b")
    assert (late.overdue, late.state) == (True, "assessment")


@pytest.mark.requirement("R-061")
def test_chengdu_checks_the_form_first_within_five_working_days(scene_of: SceneMaker) -> None:
    scene = scene_of("chengdu")
    scene.entry()
    scene.entry("ce-b", org="bureau")
    scene.agreement(scope=["ce-a", "ce-b"])
    items = [ITEM, {"entry": "ce-b", "columns": ["district"]}]
    scene.clock.now = datetime(2026, 9, 28, 2, tzinfo=UTC)  # Monday before the National Day holiday
    scene.create("operator", "scenario", scene.scenario_spec(list=items, developer="dev"), "sc-a")
    received = scene.get("scenario", "sc-a")
    assert received.state == "formal_review"
    # 29, 30 September, then 8, 9 and the working Saturday of 10 October
    assert received.due_at is not None
    assert received.due_at.date() == date(2026, 10, 10)
    scene.act("body", "scenario", "sc-a", "pass_form", {"checklist": ["complete"]})
    assert scene.state("scenario", "sc-a") == "provider_review"
    with refused("NOT_AUTHORISER"):
        scene.act("body", "scenario", "sc-a", "assess", scene.answers("content"))
    scene.act("editor", "scenario", "sc-a", "assess", scene.answers("content"))
    with pytest.raises(SandboxError) as caught:
        scene.act("body", "scenario", "sc-a", "approve")
    assert (caught.value.code, caught.value.details) == (
        "ASSESSMENT_MISSING",
        {"missing": "provider@bureau"},
    )
    scene.act("bureau-editor", "scenario", "sc-a", "assess", scene.answers("content"))
    assert scene.act("body", "scenario", "sc-a", "approve").state == "approved"


@pytest.mark.requirement("R-064")
@pytest.mark.parametrize(
    ("profile", "mode", "authoriser", "expected"),
    [
        ("guizhou", "overall", "bdb", {"data_authority@bdb", "provider@office"}),
        ("guizhou", "sectoral", "sector", {"sector_authority@sector"}),
        ("guangdong", "scenario", "bdb", {"implementing_body@bdb"}),
        ("guangdong", "sectoral", "bdb", {"implementing_body@bdb"}),
        ("national", "overall", "bdb", {"implementing_body@bdb"}),
    ],
)
def test_who_assesses_by_profile_and_mode(
    profile: str, mode: str, authoriser: str, expected: set[str], scene_of: SceneMaker
) -> None:
    scene = scene_of(profile)
    scene.entry()
    scene.agreement(mode=mode, authoriser=authoriser)
    may = scene.control.policy.get("scenario.applicant")
    who = "developer" if "developer" in may else "operator"
    scene.create(who, "scenario", scene.scenario_spec(developer="dev"), "sc-a")
    approver = {"bdb": "chief", "sector": "sector"}[authoriser]
    by_name = {
        "data_authority@bdb": "chief",
        "provider@office": "editor",
        "sector_authority@sector": "sector",
        "implementing_body@bdb": "body",
    }
    left = set(expected)
    for one in sorted(expected):
        with pytest.raises(SandboxError) as caught:
            scene.act(approver, "scenario", "sc-a", "approve")
        assert caught.value.details == {"missing": ", ".join(sorted(left))}
        scene.act(by_name[one], "scenario", "sc-a", "assess", scene.answers())
        left.remove(one)
    for name in set(by_name.values()) - {by_name[one] for one in expected}:
        with pytest.raises(SandboxError):
            scene.act(name, "scenario", "sc-a", "assess", scene.answers())
    assert scene.act(approver, "scenario", "sc-a", "approve").state == "approved"


# --- separation of duty


@pytest.mark.requirement("R-068")
def test_the_operator_and_its_affiliates_do_not_redevelop(granted: Scene) -> None:
    scene = granted
    before = scene.logged()
    operator = scene.get("organisation", "opco").spec
    with refused("SOD_REDEV"):  # (a)
        scene.act("admin", "organisation", "opco", "amend", {**operator, "roles": ["operator", "developer"]})
    affiliate = {
        **scene.get("organisation", "dev-two").spec,
        "controlled_by": [{"organisation": "opco", "share": 0.25}],
    }
    scene.act("admin", "organisation", "dev-two", "amend", affiliate)
    scene.act("admin", "organisation", "dev-two", "activate")
    with refused("SOD_REDEV"):  # (b)
        scene.create("rival", "scenario", scene.scenario_spec())
    with refused("SOD_REDEV"):  # (c)
        accounts.add_membership(scene.control, ADMINISTRATOR, "operator", "dev", Role.DEVELOPER)
    accounts.open_account(scene.control, ADMINISTRATOR, "second", "second", "person-operator")
    with refused("SOD_REDEV"):  # (c), by a second account of the same person
        accounts.add_membership(scene.control, ADMINISTRATOR, "second", "dev", Role.DEVELOPER)
    assert status_of("SOD_REDEV") == 403
    assert [e.reason for e in scene.log(before) if e.outcome == "refused"] == ["SOD_REDEV"] * 4


@pytest.mark.requirement("R-070")
def test_managing_and_operating_are_apart_for_persons_and_organisations(granted: Scene) -> None:
    scene = granted
    spec = {"name_zh": "x", "name_en": "x", "roles": ["reviewer", "operator"]}
    with refused("SOD_MANAGE_OPERATE"):
        scene.create("admin", "organisation", spec)
    with refused("SOD_MANAGE_OPERATE"):
        accounts.add_membership(scene.control, ADMINISTRATOR, "reviewer", "opco-two", Role.OPERATOR)
    with refused("SOD_MANAGE_OPERATE"):
        accounts.add_membership(scene.control, ADMINISTRATOR, "rival", "bdb", Role.REVIEWER)
    accounts.open_account(scene.control, ADMINISTRATOR, "second", "second", "person-reviewer")
    with refused("SOD_MANAGE_OPERATE"):
        accounts.add_membership(scene.control, ADMINISTRATOR, "second", "dev", Role.DEVELOPER)
    assert status_of("SOD_MANAGE_OPERATE") == 409


# --- supplies and jobs


def test_a_job_names_an_approved_scenario_of_its_organisation(granted: Scene) -> None:
    codes = set()
    for who, over in (("developer", {"scenario": "sc-none"}), ("rival", {})):
        with pytest.raises(Forbidden) as caught:
            granted.create(who, "job", granted.job_spec(**over))
        codes.add(caught.value.code)
    made = granted.create("operator", "job", granted.recipe_spec())
    mounted = {(item["name"], item["supply"]) for item in made.status["lineage"]["inputs"]}
    assert mounted == {("residents", "su-a")}
    granted.clock.move(days=400)
    with pytest.raises(Forbidden) as caught:
        granted.create("developer", "job", granted.job_spec())
    assert codes | {caught.value.code} == {"SCENARIO_UNKNOWN", "GRANT_EXPIRED"}


def test_suspension_stops_and_resumption_restores_what_it_had_stopped(granted_on: Scene) -> None:
    scene = granted_on
    scene.supply("su-b", content=b"paused by a person")
    scene.act("body", "supply", "su-b", "pause", {"cause": "quality"})
    for number, until in enumerate(("provisioning", "running", "queued")):
        scene.job(f"job-{number}", until=until)
    before = scene.logged()
    scene.act("chief", "agreement", "ag-a", "suspend", {"reason": "breach"})
    assert {scene.state("job", f"job-{number}") for number in range(3)} == {"killed"}
    assert (scene.state("supply", "su-a"), scene.state("scenario", "sc-a")) == ("paused", "suspended")
    with refused("NOT_GRANTED"):
        scene.create("developer", "job", scene.job_spec())
    assert status_of("NOT_GRANTED") == 409
    assert scene.space.places.inventory("ag-a")  # the data are kept
    scene.act("chief", "agreement", "ag-a", "resume", {"reason": "mended"})
    assert scene.create("developer", "job", scene.job_spec()).state == "queued"
    assert scene.state("supply", "su-a") == "available"
    assert scene.state("supply", "su-b") == "paused"
    assert scene.get("scenario", "sc-a").due_at is not None
    done = {(e.action, e.actor) for e in scene.log(before) if e.object == "agreement/ag-a"}
    assert done == {("suspend", "chief"), ("resume", "chief")}


def test_no_resumption_while_an_order_that_suspends_is_open(granted: Scene) -> None:
    order = {"agreement": "ag-a", "breach": "leak", "items": ["mend"], "law": "CD 34", "suspend": True}
    for id in ("re-a", "re-b"):
        granted.create("body", "rectification", order, id)
    granted.act("chief", "agreement", "ag-a", "suspend", {"reason": "breach"})
    granted.act("chief", "agreement", "ag-a", "resume", {"reason": "mended"})
    assert granted.state("scenario", "sc-a") == "suspended"
    for id, state in (("re-a", "suspended"), ("re-b", "granted")):
        granted.act("operator", "rectification", id, "report", {"done": ["mended"]})
        granted.act("body", "rectification", id, "verify", {"reason": "seen"})
        assert granted.state("scenario", "sc-a") == state
    assert granted.state("supply", "su-a") == "available"


def test_a_suspended_organisations_jobs_stop(granted: Scene) -> None:
    granted.job(until="running")
    granted.act("admin", "organisation", "dev", "suspend", {"reason": "breach"})
    assert granted.state("job", "job-a") == "killed"


def test_the_last_use_is_debited_in_the_transaction_that_starts_the_job(granted: Scene) -> None:
    for number in range(20 - 1):
        granted.job(f"job-{number}", until="provisioning")
        granted.act("developer", "job", f"job-{number}", "cancel")  # frees the place; the use is spent
    assert granted.get("scenario", "sc-a").status["grant"]["uses_left"] == 0  # one went to the recipe
    with refused("GRANT_SPENT"):
        granted.create("developer", "job", granted.job_spec())


# --- review


@pytest.mark.requirement("R-154")
def test_two_verdicts_by_name_or_no_release(granted_on: Scene) -> None:
    granted_on.job()
    granted_on.request(until="human_review")
    for which in ("security", "business_conformity"):
        with refused("VERDICT_MISSING"):
            granted_on.act("reviewer", "egress-request", "eg-a", "approve", {})
        granted_on.act("reviewer", "egress-request", "eg-a", "give_verdict", granted_on.verdict(which))
    assert status_of("VERDICT_MISSING") == 409
    granted_on.act("reviewer", "egress-request", "eg-a", "approve", {})
    verdicts = granted_on.get("egress-request", "eg-a").status["verdicts"]
    assert {(v["which"], v["by"]) for v in verdicts} == {
        ("security", "reviewer"),
        ("business_conformity", "reviewer"),
    }


@pytest.mark.requirement("R-161")
@pytest.mark.parametrize(
    ("mode", "authoriser"), [("overall", "bdb"), ("overall", "bdb-two"), ("sectoral", "sector")]
)
def test_who_authorises_reviews(mode: str, authoriser: str, scene: Scene) -> None:
    scene.entry()
    scene.agreement(mode=mode, authoriser=authoriser)
    scene.join("sector-reviewer", "person-sector-reviewer", "sector", Role.REVIEWER)
    body = {"bdb": "chief", "bdb-two": "other-chief", "sector": "sector"}[authoriser]
    scene.create("developer", "scenario", scene.scenario_spec(), "sc-a")
    for who in (body, "editor") if mode == "overall" else (body,):
        scene.act(who, "scenario", "sc-a", "assess", scene.answers())
    scene.act(body, "scenario", "sc-a", "approve")
    scene.act("operator", "scenario", "sc-a", "contract", {"text_sha256": CONTRACT})
    scene.act("developer", "scenario", "sc-a", "accept", {"text_sha256": CONTRACT})
    scene.supply()
    scene.primary()
    scene.job()
    scene.request(until="human_review")
    reviewers = {"bdb": "reviewer", "bdb-two": "other-reviewer", "sector": "sector-reviewer"}
    mine = reviewers.pop(authoriser)
    for event, payload in (
        ("give_verdict", scene.verdict()),
        ("approve", {}),
        ("return", {"reasons": ["mend"]}),
        ("reject", {"reason": "no", "law": "GD 26"}),
    ):
        for other in reviewers.values():
            with refused("NOT_AUTHORISER"):
                scene.act(other, "egress-request", "eg-a", event, payload)
    assert status_of("NOT_AUTHORISER") == 403
    assert scene.act(mine, "egress-request", "eg-a", "give_verdict", scene.verdict()).state == "human_review"


@pytest.mark.requirement("R-162")
def test_the_review_is_due_over_the_national_day_and_never_approves_itself(granted: Scene) -> None:
    granted.clock.now = datetime(2026, 9, 28, 2, tzinfo=UTC)
    granted.job()
    granted.request(until="human_review")
    due = granted.get("egress-request", "eg-a").due_at
    # 29, 30 September; 8, 9, the working Saturday 10, 12-16 October
    assert due is not None
    assert due.date() == date(2026, 10, 16)
    granted.clock.now = granted.control.calendar.add_working_days(granted.clock.now, 11)
    granted.control.tick()
    late = granted.get("egress-request", "eg-a")
    assert (late.overdue, late.state) == (True, "human_review")
    assert late.status["escalated"]["to"] == "data_authority"
    granted.clock.move(days=2000)
    granted.control.tick()
    assert granted.state("egress-request", "eg-a") == "human_review"


@pytest.mark.requirement("R-163")
@pytest.mark.parametrize("extra", [(), ("26.7",)])
def test_every_point_is_answered_also_one_that_the_profile_adds(
    extra: tuple[str, ...], granted: Scene
) -> None:
    granted.job()
    granted.request(until="human_review")
    without = granted.verdict()
    granted.overlay(review__extra_points=list(extra))
    whole = granted.verdict()
    if extra:
        with pytest.raises(SandboxError) as caught:
            granted.act("reviewer", "egress-request", "eg-a", "give_verdict", without)
        assert (caught.value.code, caught.value.details) == ("POINTS_MISSING", {"missing": "26.7"})
        with refused("VERDICT_MISSING"):
            granted.act("reviewer", "egress-request", "eg-a", "approve", {})
    for point in whole["points"]:
        blank = {other: answer for other, answer in whole["points"].items() if other != point}
        with refused("POINTS_MISSING"):
            granted.act("reviewer", "egress-request", "eg-a", "give_verdict", {**whole, "points": blank})
    assert status_of("POINTS_MISSING") == 422
    granted.act("reviewer", "egress-request", "eg-a", "give_verdict", whole)


@pytest.mark.requirement("R-164")
def test_nobody_reviews_their_own_and_two_review_what_is_risky(granted: Scene) -> None:
    granted.job()
    granted.request(until="human_review", high_risk=True)
    author = Actor("second", "person-developer", "bdb", Role.REVIEWER)
    with refused("SELF_REVIEW"):
        granted.control.act(author, "egress-request", "eg-a", "give_verdict", granted.verdict())
    assert status_of("SELF_REVIEW") == 403
    for which in ("security", "business_conformity"):
        granted.act("reviewer", "egress-request", "eg-a", "give_verdict", granted.verdict(which))
    with refused("TWO_REVIEWERS"):
        granted.act("reviewer", "egress-request", "eg-a", "approve", {})
    assert granted.state("egress-request", "eg-a") == "human_review"
    granted.act("reviewer-two", "egress-request", "eg-a", "give_verdict", granted.verdict())
    assert granted.act("reviewer", "egress-request", "eg-a", "approve", {}).state == "approved"


# --- registry


@pytest.mark.requirement("R-174")
def test_a_product_is_registered_only_after_a_passed_review(granted: Scene) -> None:
    granted.job()
    spec = {**granted.product_spec("pr-a"), "level": 2, "request": "eg-a", "job": "job-a"}
    for until in ("requested", "auto_check", "human_review", "rejected"):
        granted.job(f"job-{until[:4]}")
        granted.request(f"eg-{until[:4]}", until=until, job=f"job-{until[:4]}")
        with refused("NOT_REVIEWED"):
            granted.create("developer", "product", {**spec, "request": f"eg-{until[:4]}"})
    granted.request(until="approved")
    granted.act("reviewer", "egress-request", "eg-a", "recall", {"cause": "leak"})
    with refused("NOT_REVIEWED"):
        granted.register("eg-a")
    assert status_of("NOT_REVIEWED") == 409


@pytest.mark.requirement("R-175")
def test_a_registration_carries_the_numbers_of_all_sources(granted: Scene) -> None:
    granted.overlay(registration__resources=False)
    granted.job()
    granted.request(until="approved")
    product = granted.register("eg-a")
    entries = product.spec["lineage"]["entries"]
    assert product.status["registration"]["sources"] == {"ce-a": "GZ-ce-a"}
    assert set(product.status["registration"]["sources"]) == set(entries)
    granted.entry("ce-b", until="confirmed")
    granted.act("editor", "catalogue-entry", "ce-b", "include")
    granted.agreement("ag-b", scope=["ce-b"])
    items = [{"entry": "ce-b", "columns": ["person_id", "district", "income"]}]
    granted.scenario("sc-b", agreement="ag-b", list=items)
    granted.supply("su-b", agreement="ag-b", scenario="sc-b", entry="ce-b")
    table = {"name": "residents", "entry": "ce-b", "columns": ["person_id", "district", "income"]}
    granted.primary("pr-b", job="job-p", scenario="sc-b", inputs=[table])
    mine = {"name": "residents", "product": "pr-b", "columns": ["district"]}
    granted.job("job-b", scenario="sc-b", inputs=[mine])
    granted.request("eg-b", until="approved", job="job-b")
    with refused("NOT_REGISTERED"):
        granted.register("eg-b")
    assert status_of("NOT_REGISTERED") == 409


@pytest.mark.requirement("R-191")
def test_lineage_equals_a_brute_force_recount(granted: Scene) -> None:
    scene, chance = granted, random.Random(191)
    scene.supply("su-b", content=b"later delivery")
    products = ["pr-a"]
    for number in range(3):
        scene.primary(f"pr-{number}", job=f"job-p{number}")
        products.append(f"pr-{number}")
    for number in range(6):
        tables = [
            {"name": f"t{place}", "product": product, "columns": ["district"]}
            for place, product in enumerate(chance.sample(products, chance.randint(1, 3)))
        ]
        scene.job(f"job-{number}", inputs=tables)
        scene.request(f"eg-{number}", job=f"job-{number}")
        token = scene.space.gate.token(scene.who("developer"), f"eg-{number}")
        for _ in range(chance.randint(number % 2, 2)):
            list(scene.space.gate.open(scene.who("developer"), f"eg-{number}", token))
    there = scene.everything()

    def made_of(ref: str) -> set[str]:
        """Recursively, read off the records one by one."""
        one = there[ref]
        direct: set[str] = set()
        if one.kind == "supply":
            direct = {f"catalogue-entry/{one.spec['entry']}"}
        elif one.kind == "job":
            for item in one.status["lineage"]["inputs"]:
                direct.add(f"product/{item['product']}" if "product" in item else f"supply/{item['supply']}")
        elif one.kind == "egress-request":
            direct = {f"job/{one.spec['job']}"}
        elif one.kind == "product":
            request = one.spec["request"]
            direct = {f"egress-request/{request}" if request else f"job/{one.spec['job']}"}
        return direct.union(*(made_of(ref) for ref in direct)) if direct else set()

    deliveries = {
        f"delivery/{one.id}/{number}@dev": one.ref
        for one in there.values()
        if one.kind == "egress-request"
        for number, _ in enumerate(one.status.get("downloads", []), 1)
    }
    assert len(deliveries) > 2
    with scene.store.read() as reader:
        sight = Sight(reader)
        for ref, one in there.items():
            if one.kind == "product":
                assert set(trace(sight, ref)["made_of"]) == made_of(ref)
        for entry in (
            "catalogue-entry/ce-a",
            "supply/su-a",
            "supply/su-b",
            *(f"product/{p}" for p in products),
        ):
            reached = {d for d, request in deliveries.items() if entry in made_of(request)}
            assert {r for r in trace(sight, entry)["made_into"] if r.startswith("delivery/")} == reached


# --- rectification and exit


@pytest.mark.requirement("R-248")
def test_an_order_past_its_date_opens_the_way_to_termination(granted: Scene) -> None:
    order = {"agreement": "ag-a", "breach": "leak", "items": ["mend"], "law": "CD 34"}
    granted.create("body", "rectification", order, "re-a")
    with refused("NOT_OVERDUE"):
        granted.act("body", "rectification", "re-a", "decide_termination", {"reason": "late"})
    granted.act("operator", "rectification", "re-a", "report", {"done": ["half"]})
    granted.act("body", "rectification", "re-a", "refuse", {"reason": "only half"})
    granted.clock.now = granted.control.calendar.add_working_days(granted.clock.now, 11)
    granted.control.tick()
    late = granted.get("rectification", "re-a")
    assert (late.overdue, late.state) == (True, "rectifying")
    done = granted.act("body", "rectification", "re-a", "decide_termination", {"reason": "late"})
    assert done.state == "termination_decided"


def exit_of(scene: Scene, tmp_path: Path) -> None:
    """Drive the agreement to its deleted and sealed end by the machine's own steps."""
    work = Work(scene.control, StubExecutor(tmp_path / "tasks", {}), scene.space.places, scene.space.gate)
    scene.act("chief", "agreement", "ag-a", "terminate", {"ground": "term", "law": "GD 39"})
    scene.act("operator", "agreement", "ag-a", "hand_over", {"reason": "done"})
    work.step("agreement/ag-a")
    scene.act("chief", "agreement", "ag-a", "verify_deletion")
    work.step("agreement/ag-a")


@pytest.mark.requirement("R-260")
def test_the_exit_deletes_certifies_and_stops_everything(granted_on: Scene, tmp_path: Path) -> None:
    granted_on.job()
    granted_on.space.places.key("ag-a", "sc-a", "key-1")
    there = granted_on.space.places.inventory("ag-a")
    assert {item["place"] for item in there} == {"staging", "keys"}
    exit_of(granted_on, tmp_path)
    certificate = granted_on.get("agreement", "ag-a").status["certify"]
    assert (certificate["left"], certificate["keys_destroyed"]) == (
        0,
        2,
    )  # a pseudonym key, and the workspace's
    assert {item["name"] for item in certificate["removed"]} == {
        item["name"] for item in there if item["place"] != "keys"
    }
    assert not (granted_on.space.places.agreements / "ag-a").exists()
    verified = granted_on.get("agreement", "ag-a").status["verify_deletion"]
    assert (verified["by"], verified["organisation"]) == ("chief", "bdb")
    granted_on.store.export(tmp_path / "bundle")
    assert verify_bundle(tmp_path / "bundle").ok
    assert granted_on.state("supply", "su-a") == "destroyed"
    assert granted_on.state("scenario", "sc-a") == "revoked"
    assert granted_on.state("product", "pr-a") == "suspended"


@pytest.mark.requirement("R-260")
def test_no_way_to_closed_but_through_the_verified_deletion() -> None:
    kind = KINDS["agreement"]
    reached = {"draft"}
    for _ in kind.states:
        reached |= {
            row.target
            for row in kind.transitions
            if row.source and reached & set(row.source) and row.target != "deletion_verified"
        }
    assert "closed" not in reached
    assert "deleting" in reached


@pytest.mark.requirement("R-261")
def test_after_the_end_the_log_verifies_and_is_kept_for_the_term(granted_on: Scene, tmp_path: Path) -> None:
    exit_of(granted_on, tmp_path)
    scene = granted_on
    scene.act("chief", "agreement", "ag-a", "close", {"receipt": "filed"})
    assert scene.state("agreement", "ag-a") == "closed"
    scene.store.export(tmp_path / "bundle")
    assert verify_bundle(tmp_path / "bundle").ok
    seal = scene.get("agreement", "ag-a").status["seal_logs"]
    years = scene.control.policy.get("logs.retention_years")
    ended = scene.clock.now.date()
    assert date.fromisoformat(seal["purge_not_before"]) >= ended.replace(year=ended.year + years)


def test_accounts_are_bounded(scene: Scene) -> None:
    with refused("EXISTS"):
        accounts.open_account(scene.control, ADMINISTRATOR, "editor", "x", "x")
    with refused("NOT_FOUND"):
        accounts.add_membership(scene.control, ADMINISTRATOR, "nobody", "office", Role.PROVIDER)
    with refused("NOT_FOUND"):
        accounts.add_membership(scene.control, ADMINISTRATOR, "editor", "nowhere", Role.PROVIDER)
    with refused("ROLE_NOT_REGISTERED"):
        accounts.add_membership(scene.control, ADMINISTRATOR, "editor", "dev", Role.AUDITOR)
    scene.act("admin", "organisation", "bureau", "suspend", {"reason": "breach"})
    with refused("ORGANISATION_INACTIVE"):
        accounts.add_membership(scene.control, ADMINISTRATOR, "editor", "bureau", Role.PROVIDER)
