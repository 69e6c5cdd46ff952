"""What a submitter learns of a refusal, and how often: the one projection and the one limit."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.control.answered import asked
from sandbox.control.steps import egress
from sandbox.core.resource import Resource
from sandbox.egress.families import FAMILIES, family
from sandbox.egress.messages import RULES
from sandbox.review.coarse import coarse
from sandbox.review.resubmission import objected, repeats
from tests.plugins.space import Scene
from tests.refusal import refused

SECRET = "绝不可见 <b>7</b>"


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_has_a_family_that_does_not_name_it(rule: str) -> None:
    told = FAMILIES[family(rule)]
    assert rule not in f"{told.zh}{told.en}{told.hint}"
    zh, _, en = told.hint.partition(" / ")
    assert zh
    assert en


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(RULES)), st.sampled_from(["hard", "hold", "flag"]), st.text()),
        max_size=8,
    )
)
def test_nothing_but_staged_names_families_and_severities_passes(found: list[tuple[str, str, str]]) -> None:
    findings = [
        {"rule": r, "severity": s, "path": p, "where": SECRET, "evidence": {"n": SECRET}, "hint": SECRET}
        | {"message_zh": SECRET, "message_en": SECRET, "point": SECRET}
        for r, s, p in found
    ]
    told = coarse({"verdict": "hold", "findings": findings, "outputs": ["a.csv"], "rules": [SECRET]})
    assert set(told) == {"verdict", "findings"}
    for one in told["findings"]:
        assert one["path"] in ("", "a.csv")
        about = FAMILIES[one["family"]]
        assert one == {
            "path": one["path"], "family": one["family"], "family_zh": about.zh, "family_en": about.en,
            "severity": one["severity"], "hint": about.hint,
        }  # fmt: skip
    pairs = [(one["path"], one["family"]) for one in told["findings"]]
    assert len(pairs) == len(set(pairs))  # how many rules objected is not told either


def test_the_worst_severity_of_a_family_is_told() -> None:
    found = [
        {"rule": "SMALL_CELL", "severity": s, "path": p}
        for s, p in (("flag", "z.zip/x"), ("hard", "z.zip/y"))
    ]
    told = coarse({"verdict": "reject", "findings": found, "outputs": ["z", "z.zip"]})
    assert [(one["path"], one["severity"]) for one in told["findings"]] == [("z.zip", "hard")]


def test_a_submitter_is_refused_after_the_limit_and_not_after_the_window(granted: Scene) -> None:
    granted.overlay(egress__resubmissions_max=2)
    for letter in "ab":
        granted.job(f"job-{letter}")
        granted.request(f"eg-{letter}", until="auto_rejected", job=f"job-{letter}")
    granted.job("job-c")
    with refused("RESUBMISSIONS_SPENT"):
        granted.request("eg-c", until="requested", job="job-c")
    granted.clock.move(days=31)
    granted.job("job-d")
    granted.request("eg-d", until="requested", job="job-d")


@pytest.mark.parametrize("until", ["returned", "rejected"])
def test_what_a_reviewer_refused_counts_too(granted: Scene, until: str) -> None:
    granted.job()
    assert objected(granted.request(until=until))


def test_what_people_let_through_or_nobody_objected_to_does_not_count(granted: Scene) -> None:
    granted.job()
    assert not objected(granted.request(until="human_review"))
    request = granted.get("egress-request", "eg-a")
    held = {**request.status, "check": {**request.status["check"], "verdict": "hold"}}
    assert objected(replace(request, status=held))
    assert not objected(replace(request, status=held, state="approved"))


def test_only_a_rejection_of_the_very_same_is_an_answer(granted: Scene) -> None:
    granted.job()
    request = granted.request(until="auto_rejected")

    def told(**over: object) -> bool:
        check = {**request.status["check"], "asked": "a" * 64, **over}
        return repeats(replace(request, status={**request.status, "check": check}), "a" * 64)

    assert told()
    assert not told(asked="b" * 64)
    assert not told(asked="")
    assert not told(error="TASK_TIMEOUT")
    assert not told(findings=[granted.finding("DIFFERENCING")])
    assert not repeats(replace(request, state="human_review"), "a" * 64)


def test_the_same_outputs_again_get_the_same_answer_without_a_check(
    granted: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check's container is not started: whoever asks twice learns nothing new, and waits for nobody."""

    class Means:
        control = granted.control
        need = staticmethod(granted.get)

        @staticmethod
        def act(resource: Resource, event: str, payload: Any) -> None:
            granted.act("system", resource.kind, resource.id, event, payload)

        @staticmethod
        def run(task: Any) -> None:
            raise AssertionError("checked anew")

    monkeypatch.setattr(egress, "check_task", lambda means, request, job: None)
    digests = {"job-a": "a" * 64, "job-b": "a" * 64, "job-c": "c" * 64}
    monkeypatch.setattr(egress, "asked", lambda means, task, job: digests[job.id])
    granted.overlay(egress__resubmissions_max=2)
    granted.job()
    granted.request(until="auto_check")
    first = granted.check("eg-a", "reject", granted.finding(), asked="a" * 64)
    granted.act("system", "egress-request", "eg-a", "object", first)
    granted.job("job-b")
    granted.request("eg-b", until="auto_check", job="job-b")
    assert egress.check(Means, granted.get("egress-request", "eg-b"))  # type: ignore[arg-type]
    told = granted.get("egress-request", "eg-b")
    assert (told.state, told.status["check"]["same_as"]) == ("auto_rejected", "eg-a")
    assert not objected(told)
    seen = [granted.control.get(granted.who("developer"), "egress-request", id) for id in ("eg-a", "eg-b")]
    assert seen[0].status["check"] == seen[1].status["check"]
    granted.job("job-c")
    granted.request("eg-c", until="auto_check", job="job-c")
    with pytest.raises(AssertionError, match="checked anew"):
        egress.check(Means, granted.get("egress-request", "eg-c"))  # type: ignore[arg-type]


def test_a_check_is_known_by_everything_it_is_given(granted: Scene) -> None:
    granted.job()
    job = granted.get("job", "job-a")
    params = {"policy": {"egress.min_cell": 10}, "ledger": {"key": "00", "about": {"recipient": "dev"}}}

    def digest(job: Resource = job, image: str = "sha256:1", **over: Any) -> str:
        task = SimpleNamespace(image=image, params={**params, **over})
        return asked(SimpleNamespace(need=granted.get), task, job)  # type: ignore[arg-type]

    outputs = [{**job.status["outputs"][0], "sha256": "0" * 64}]
    other = replace(job, status={**job.status, "outputs": outputs})
    about = {"key": "00", "about": {"recipient": "dev-two"}}
    assert digest(ledger={**params["ledger"], "key": "11"}) == digest()
    found = {digest(), digest(other), digest(image="sha256:2"), digest(policy={}), digest(ledger=about)}
    assert len(found) == 5
