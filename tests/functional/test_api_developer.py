"""What a developer gets to see is closed vocabulary, its own words, and what people wrote to it.

A canary is planted wherever the machine writes something down. No answer to anybody outside the
supervising side may hold one (invariant 5).
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.control.kinds import KINDS
from sandbox.core.actor import Role
from sandbox.core.resource import Entry, Resource
from sandbox.egress.messages import RULES
from tests.plugins.space import Scene
from tests.refusal import refused

CANARY = "CANARY-11010519491231002X"

# What the developer wrote itself, and what a named person wrote to it, it may read again.
SPOKEN_TO_IT = {
    "egress-request": {"return", "reject", "recall"},
    "job": {"kill"},
}


def ask(scene: Scene, who: str, *paths: str) -> list[httpx.Response]:
    """The answers to GETs in a person's name."""
    transport = httpx.ASGITransport(create_app(scene.space), raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {scene.token(who)}"}

    async def send() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=transport, base_url="http://space", headers=headers) as http:
            return [await http.get(path) for path in paths]

    return asyncio.run(send())


def planted(value: Any) -> Any:
    """The same JSON with the canary in every text and a telling number for every number."""
    if isinstance(value, dict):
        return {key: planted(inner) for key, inner in value.items()} | {CANARY: CANARY}
    if isinstance(value, list):
        return [planted(inner) for inner in value] + ([CANARY] if not value else [])
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return 11010519491231
    return CANARY


def plant(scene: Scene, resource: Resource, keys: set[str]) -> None:
    """Write the canary over ``keys`` of a stored status, past the door."""
    status = {key: planted(value) if key in keys else value for key, value in resource.status.items()}
    changed = replace(resource, status=status)
    with scene.store.write() as writer:
        entry = Entry(scene.clock(), "system", "x", "system", "plant", resource.ref, after=resource.state)
        writer.put(changed, entry, expected=resource.version)


def seen_by(scene: Scene, who: str) -> str:
    """Everything that the lists, the single views and the histories show to a person."""
    lists = ask(scene, who, *(f"/v1/{kind}" for kind in KINDS))
    refs = [f"/v1/{one['kind']}/{one['id']}" for listed in lists for one in listed.json()]
    whole = [*lists, *ask(scene, who, *refs, *(f"{ref}/history" for ref in refs))]
    assert {answer.status_code for answer in whole} == {200}
    return "\n".join(answer.text for answer in whole)


@pytest.mark.parametrize("who", ["developer", "rival", "colleague"])
def test_no_status_that_the_machine_writes_reaches_a_developer(who: str, granted: Scene) -> None:
    granted.job()
    granted.request(until="human_review")
    granted.job("job-b", until="failed")
    view_of_canary = {
        "supply": {"snapshot", "load", "accepted", "deliver", "registration_no", "provider", "open"},
        "job": {"lineage", "list_sha256", "code_sha256", "provision", "stage", "run"},
        "product": {"create"},
        "egress-request": {"begin_check"},
    }
    for one in granted.everything().values():
        if one.kind in view_of_canary:
            plant(granted, one, view_of_canary[one.kind])
    for id, path in (("job-a", ("outputs", 0)), ("job-b", ("outcome",))):
        job = granted.get("job", id)
        status = json.loads(json.dumps(job.status))
        inner: Any = status
        for step in path:
            inner = inner[step]
        for key in set(inner) - {"path", "end", "error", "seconds"}:
            inner[key] = planted(inner[key])
        with granted.store.write() as writer:
            entry = Entry(granted.clock(), "system", "x", "system", "plant", job.ref, after=job.state)
            writer.put(replace(job, status=status), entry, expected=job.version)
    text = seen_by(granted, who)
    assert CANARY not in text
    assert "11010519491231" not in text


def test_findings_are_told_in_the_rules_own_words_without_evidence(granted: Scene) -> None:
    granted.job()
    granted.request(until="auto_check")
    told = granted.finding(
        "RAW",
        "hold",
        path=CANARY,
        where=CANARY,
        message_zh=CANARY,
        message_en=CANARY,
        evidence={"count": 11010519491231, "sample": CANARY},
        hint=CANARY,
        point=CANARY,
    )
    forged = granted.finding(CANARY, "hold")
    check = granted.check("eg-a", "hold", told, told, forged, checker=CANARY, clauses=[CANARY])
    check["files"] = [{"path": CANARY}]
    check["rules"] = [{"rule": CANARY}]
    check["canonical"] = [{**check["canonical"][0], "path": CANARY}]
    granted.act("system", "egress-request", "eg-a", "forward", check)
    text = seen_by(granted, "developer")
    assert CANARY not in text
    assert "11010519491231" not in text
    shown = granted.control.get(granted.who("developer"), "egress-request", "eg-a").status["check"]
    rule = RULES["RAW"]
    assert shown == {
        "verdict": "hold",
        "findings": [{"rule": "RAW", "point": rule.point, "severity": "hold", "hint": rule.hint}],
    }
    for who in ("reviewer", "auditor"):
        assert CANARY in ask(granted, who, "/v1/egress-request/eg-a")[0].text


def test_an_error_is_one_word_and_a_line(granted: Scene) -> None:
    granted.job(until="running")
    for error in (
        {"class": CANARY, "line": 1, "file": "main.sql"},
        {"class": "ValueError", "line": 1, "file": f"{CANARY} .sql"},
        {"class": "ValueError", "line": CANARY, "file": "main.sql"},
        {"class": "ValueError", "line": 1, "file": "main.sql", "text": CANARY},
    ):
        with refused("MALFORMED"):
            granted.act("system", "job", "job-a", "fail", granted.ran("failed", error=error))
    error = {"class": "ValueError", "line": 1, "file": "main.sql"}
    granted.act("system", "job", "job-a", "fail", granted.ran("out_of_memory", error=error, seconds=7.4242))
    seen = granted.control.get(granted.who("developer"), "job", "job-a").status
    assert seen == {"outcome": {"end": "failed", "error": error, "seconds": 7}}


def test_no_time_is_finer_than_a_second(granted: Scene) -> None:
    granted.job()
    granted.request()
    developer = granted.who("developer")
    for kind in ("job", "product", "egress-request", "supply"):
        for found in granted.control.find(developer, kind):
            for one in granted.control.history(developer, kind, found.id):
                if one.kind == "product" and one.spec["level"] == 2:
                    continue  # its times are those of people's acts
                for at in (one.created_at, one.changed_at, one.due_at):
                    assert at is None or at.microsecond == 0, (kind, one.id)


def test_two_hundred_bytes_of_output_look_like_two_million(granted: Scene) -> None:
    """Names yes (the developer declared them), sizes and hashes no."""
    granted.job()
    seen = granted.control.get(granted.who("developer"), "job", "job-a")
    assert seen.status["outputs"] == [{"path": "out.csv"}]
    output = granted.get("job", "job-a").status["outputs"][0]
    text = seen_by(granted, "developer")
    assert output["sha256"] not in text


@pytest.mark.parametrize("role", [Role.PROVIDER, Role.CONNECTOR, Role.EXPERT, Role.DEVELOPER])
def test_no_other_hat_of_the_developers_organisation_shows_more(role: Role, granted: Scene) -> None:
    spec = granted.get("organisation", "dev").spec
    granted.act(
        "admin", "organisation", "dev", "amend", {**spec, "roles": ["developer", "provider", "expert"]}
    )
    granted.act("admin", "organisation", "dev", "activate")
    hat = granted.join("hat", "person-hat", "dev", role)
    granted.job()
    supply = granted.get("supply", "su-a")
    seen = granted.control.get(hat, "supply", "su-a")
    assert seen.status == {}
    assert "manifest" not in seen.spec
    assert supply.status["snapshot"]["sha256"] not in seen_by(granted, "hat")
    assert "artefact_sha256" not in granted.control.get(hat, "product", "pr-a").spec


def test_another_developer_knows_of_nothing(granted: Scene) -> None:
    granted.job()
    granted.request()
    rival = granted.who("rival")
    for kind in ("scenario", "supply", "job", "product", "egress-request", "rectification"):
        assert granted.control.find(rival, kind) == []
    for kind, id in (
        ("scenario", "sc-a"),
        ("supply", "su-a"),
        ("job", "job-a"),
        ("product", "pr-a"),
        ("egress-request", "eg-a"),
    ):
        with refused("NOT_FOUND"):
            granted.control.get(rival, kind, id)
        with refused("NOT_FOUND"):
            granted.control.history(rival, kind, id)


def test_a_code_of_another_operators_developers_is_not_the_operators_to_read(granted: Scene) -> None:
    granted.job()
    with refused("NOT_FOUND"):
        granted.control.get(granted.who("operator"), "job", "job-a")
    with refused("NOT_FOUND"):
        granted.control.get(granted.who("operator"), "product", "pr-none")


def test_history_shows_only_the_versions_that_one_may_see(granted: Scene) -> None:
    developer = granted.who("developer")
    states = [one.state for one in granted.control.history(developer, "product", "pr-a")]
    assert states == ["offered"]
    states = [one.state for one in granted.control.history(developer, "catalogue-entry", "ce-a")]
    assert states == ["confirmed", "confirmed", "included"]
    states = [one.state for one in granted.control.history(developer, "agreement", "ag-a")]
    assert states == ["active"]


def test_who_controls_an_organisation_is_not_for_everybody(granted: Scene) -> None:
    spec = {
        **granted.get("organisation", "dev").spec,
        "legal_representative": "person-secret",
        "controlled_by": [{"organisation": "panel", "share": 0.2}],
    }
    granted.act("admin", "organisation", "dev", "amend", spec)
    granted.act("admin", "organisation", "dev", "activate")
    seen = granted.control.get(granted.who("rival"), "organisation", "dev")
    assert set(seen.spec) == {"name_zh", "name_en", "roles", "credit_code", "region"}
    assert seen.status == {}
    for who in ("developer", "chief", "admin", "auditor"):
        assert granted.control.get(granted.who(who), "organisation", "dev").spec["controlled_by"]


def test_texts_that_reach_a_submitter_are_signed_by_a_person(granted: Scene) -> None:
    granted.job()
    granted.request(until="returned")
    seen = granted.control.get(granted.who("developer"), "egress-request", "eg-a")
    assert set(seen.status) <= {"check", *SPOKEN_TO_IT["egress-request"]}
    assert seen.status["return"]["by"] == "reviewer"


def test_code_files_cannot_be_named_out_of_their_folder(granted: Scene) -> None:
    for name in (
        "../token.key",
        "a/b.sql",
        "/etc/passwd",
        "..",
        ".hidden",
        "a\x00.sql",
        "a.sql\n",
        "a b.sql",
    ):
        with refused("MALFORMED"):
            granted.create("developer", "job", granted.job_spec(entry=name, code={name: "SELECT 1"}))
    with refused("MALFORMED"):
        granted.space.places.write("job-x", "code", {"../x": "text"})
    assert not (granted.space.places.assembled / "job-x" / "x").exists()
