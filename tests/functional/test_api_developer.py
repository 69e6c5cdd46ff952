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
from sandbox.egress.families import FAMILIES
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


def test_a_submitter_learns_file_family_and_how_to_mend(granted: Scene) -> None:
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
    own = {**told, "path": f"out.csv/{CANARY}"}
    check = granted.check("eg-a", "hold", told, told, own, forged, checker=CANARY, clauses=[CANARY])
    check["files"] = [{"path": CANARY}]
    check["rules"] = [{"rule": CANARY}]
    check["canonical"] = [{**check["canonical"][0], "path": CANARY}]
    granted.act("system", "egress-request", "eg-a", "forward", check)
    text = seen_by(granted, "developer")
    assert CANARY not in text
    assert "11010519491231" not in text
    shown = granted.control.get(granted.who("developer"), "egress-request", "eg-a").status["check"]
    raw = FAMILIES["raw"]
    told = {"family": "raw", "family_zh": raw.zh, "family_en": raw.en, "severity": "hold", "hint": raw.hint}
    assert shown == {"verdict": "hold", "findings": [{"path": "", **told}, {"path": "out.csv", **told}]}
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
    assert seen == {
        "outcome": {
            "end": "failed",
            "exit": "limit",
            "signal": None,
            "limit": "memory",
            "error": error,
            "duration": "3–10 s",
            "log": None,
        }
    }


@pytest.mark.parametrize(
    ("end", "word", "exit", "signal", "limit"),
    [
        ("succeeded", None, "ok", None, None),
        ("failed", "KeyError", "error", None, None),
        ("failed", "SQL_STATEMENT", "refused", None, None),
        ("failed", "UNDECLARED_OUTPUT", "refused", None, None),
        ("failed", "SIGSEGV", "signal", "SIGSEGV", None),
        ("failed", "SIGXCPU", "limit", None, "cpu_time"),
        ("failed", "SIGXFSZ", "limit", None, "file_size"),
        ("failed", "disk_full", "limit", None, "output"),
        ("failed", "too_many_processes", "limit", None, "processes"),
        ("failed", "too_many_files", "limit", None, "open_files"),
        ("failed", "out_of_memory", "limit", None, "memory"),
        ("timed_out", "timed_out", "limit", None, "wall_clock"),
        ("out_of_memory", "out_of_memory", "limit", None, "memory"),
        ("lost", "lost", "lost", None, None),
    ],
)
def test_each_end_is_told_by_its_own_word(
    end: str, word: str | None, exit: str, signal: str | None, limit: str | None, granted: Scene
) -> None:
    granted.job(until="running")
    error = {"class": word, "line": None, "file": "main.sql"} if word else None
    event = "succeed" if end == "succeeded" else "fail"
    log = {"sha256": "0" * 64, "bytes": 11010519491231}
    granted.act("system", "job", "job-a", event, granted.ran(end, error=error, log=log))
    seen = granted.control.get(granted.who("developer"), "job", "job-a").status["outcome"]
    assert (seen["exit"], seen["signal"], seen["limit"]) == (exit, signal, limit)
    assert seen["log"] == "sealed"
    text = seen_by(granted, "developer")
    assert "11010519491231" not in text
    assert "0" * 64 not in text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "<1 s"), (0.999, "<1 s"), (1, "1–3 s"), (2.9, "1–3 s"), (299, "100–300 s"), (1e9, ">=30000 s")],
)
def test_a_duration_is_told_in_steps(seconds: float, shown: str, granted: Scene) -> None:
    granted.job(until="running")
    granted.act("system", "job", "job-a", "succeed", granted.ran(seconds=seconds))
    seen = granted.control.get(granted.who("developer"), "job", "job-a").status["outcome"]
    assert seen["duration"] == shown
    assert "seconds" not in seen


@pytest.mark.parametrize("who", ["developer", "operator"])
def test_no_time_is_finer_than_a_minute(who: str, granted: Scene) -> None:
    granted.job()
    granted.request()
    actor = granted.who(who)
    for kind in KINDS:
        for found in granted.control.find(actor, kind):
            for one in granted.control.history(actor, kind, found.id):
                for at in (one.created_at, one.changed_at, one.due_at):
                    assert at is None or (at.second, at.microsecond) == (0, 0), (kind, one.id)
    body = granted.control.get(granted.who("auditor"), "job", "job-a")
    assert body.changed_at.microsecond > 0  # the supervising side sees the instant


# --- the sealed log

LOG = f"# 作业日志 / job log\n\n{CANARY}\n".encode()


@pytest.fixture
def logged(granted: Scene) -> Scene:
    """A failed job with a sealed log."""
    granted.job(until="running")
    job = granted.get("job", "job-a")
    logs = granted.space.places.blobs(job.labels["agreement"], job.labels["scenario"], "log")
    sha256, size = logs.take(iter([LOG]))
    error = {"class": "KeyError", "line": 1, "file": "main.sql"}
    told = granted.ran("failed", error=error, log={"sha256": sha256, "bytes": size})
    granted.act("system", "job", "job-a", "fail", told)
    return granted


def openings(scene: Scene) -> list[tuple[str, str, str]]:
    """The audit entries about the log: who, outcome, reason."""
    with scene.store.read() as reader:
        entries = [entry for _, entry in reader.entries(limit=None)]
    return [(e.actor, e.outcome, e.reason) for e in entries if e.action == "open-log"]


def test_a_reviewer_of_the_authorising_body_opens_the_log_and_it_is_noted(logged: Scene) -> None:
    answer = ask(logged, "reviewer", "/v1/job/job-a/log")[0]
    assert (answer.status_code, answer.content) == (200, LOG)
    assert answer.headers["cache-control"] == "no-store"
    assert openings(logged) == [("reviewer", "done", "")]


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ("developer", 403, "LOG_SEALED"),
        ("colleague", 403, "LOG_SEALED"),
        ("chief", 403, "LOG_SEALED"),
        ("body", 403, "LOG_SEALED"),
        ("auditor", 403, "LOG_SEALED"),
        ("sector", 403, "LOG_SEALED"),
        ("other-reviewer", 403, "NOT_AUTHORISER"),
        ("operator", 404, "NOT_FOUND"),
        ("rival", 404, "NOT_FOUND"),
        ("editor", 404, "NOT_FOUND"),
        ("expert", 404, "NOT_FOUND"),
    ],
)
def test_the_log_is_sealed_for_everybody_else(who: str, status: int, code: str, logged: Scene) -> None:
    answer = ask(logged, who, "/v1/job/job-a/log")[0]
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert CANARY not in answer.text
    noted = [(who, "refused", code)] if status == 403 else []
    assert openings(logged) == noted


def test_an_affiliated_reviewer_does_not_open_it(logged: Scene) -> None:
    spec = {**logged.get("organisation", "dev").spec, "controlled_by": []}
    control = {"organisation": "bdb", "share": 0.6, "declared_control": True}
    with logged.store.write() as writer:
        dev = logged.get("organisation", "dev")
        entry = Entry(logged.clock(), "system", "x", "system", "plant", dev.ref, after=dev.state)
        writer.put(replace(dev, spec={**spec, "controlled_by": [control]}), entry, expected=dev.version)
    answer = ask(logged, "reviewer", "/v1/job/job-a/log")[0]
    assert (answer.status_code, answer.json()["code"]) == (403, "SELF_REVIEW")


def test_a_log_that_is_proposed_is_the_jobs_one_output(logged: Scene) -> None:
    logged.act("developer", "job", "job-a", "propose_log")
    job = logged.get("job", "job-a")
    assert job.state == "quarantined"
    assert [(one["path"], one["place"]) for one in job.status["outputs"]] == [("log.md", "log")]
    seen = logged.control.get(logged.who("developer"), "job", "job-a")
    assert seen.status["outputs"] == [{"path": "log.md"}]
    logged.create("developer", "egress-request", logged.request_spec(), "eg-a")
    assert logged.state("job", "job-a") == "proposed"


def test_a_log_is_purged_with_its_job(logged: Scene) -> None:
    logged.act("system", "job", "job-a", "purge", {"cause": "lapse"})
    logged.act("system", "job", "job-a", "erase")
    answer = ask(logged, "reviewer", "/v1/job/job-a/log")[0]
    assert (answer.status_code, answer.json()["code"]) == (409, "NO_LOG")


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


def test_the_reviewers_page_has_what_the_submitters_has_not(granted: Scene) -> None:
    granted.job()
    granted.request(until="auto_check")
    path = "/v1/egress-request/eg-a/report?lang=en"
    assert ask(granted, "reviewer", path)[0].json()["code"] == "UNCHECKED"
    found = granted.finding(where="column 9", message_en="seven cells", evidence={"count": 7123})
    rule = {"rule": "SMALL_CELL", "point": "26.4", "version": "1", "result": "fail"}
    rules = [{**rule, "thresholds": ["egress.min_cell"]}]
    check = granted.check("eg-a", "reject", found, rules=rules, thresholds={"egress.min_cell": 10})
    granted.act("system", "egress-request", "eg-a", "object", check)
    details = ("SMALL_CELL", "column 9", "seven cells", "7123", "egress.min_cell", "convention", "test/1")
    for who in ("reviewer", "auditor", "chief"):
        whole = ask(granted, who, path)[0].text
        assert [words for words in details if words not in whole] == []
    coarse = ask(granted, "developer", path)[0]
    assert coarse.headers["content-security-policy"].startswith("default-src 'none'")
    assert "out.csv" in coarse.text
    assert [words for words in details if words in coarse.text] == []
    assert ask(granted, "rival", path)[0].status_code == 404
