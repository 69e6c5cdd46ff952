"""Blind review: what a second reviewer may know of the first one's verdict, and when."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.core.actor import Actor, Role
from sandbox.core.errors import SandboxError
from sandbox.review.blind import TOLD, seen_by, unheard
from tests.plugins.space import Scene

SECRET = "first-reviewer-says"


def given(person: str, which: str = "security", verdict: str = "fail") -> dict[str, Any]:
    told = {"which": which, "verdict": verdict, "note": SECRET, "points": {"26.3": {"answer": "fail"}}}
    return {**told, "by": person, "person": person, "organisation": "bdb", "role": "reviewer", "at": "then"}


def actor(person: str, role: Role = Role.REVIEWER) -> Actor:
    return Actor(person, person, "bdb", role)


FIRST = [given("a")]
BUSINESS = [given("b", "business_conformity")]


@pytest.mark.parametrize(
    ("who", "verdicts", "more", "hidden"),
    [
        ("b", FIRST, {}, [True]),
        ("a", FIRST, {}, [False]),  # one's own
        ("b", FIRST + BUSINESS, {}, [True, False]),  # the other verdict is not the judgement that two give
        ("a", FIRST + BUSINESS, {}, [False, False]),
        ("b", [*FIRST, given("b")], {}, [False, False]),  # both have spoken
        ("c", [*FIRST, given("b")], {}, [False, False]),
        ("c", [*FIRST, given("a")], {}, [True, True]),  # the same person twice is one
        ("b", FIRST, {"state": "rejected"}, [False]),
        ("b", FIRST, {"two": False}, [False]),
        ("b", FIRST, {"two": None}, [True]),  # not recorded: two are taken to be needed
        ("b", FIRST, {"role": Role.AUDITOR}, [False]),
    ],
)
def test_what_another_has_said_is_hidden_until_one_has_spoken(
    who: str, verdicts: list[dict[str, Any]], more: dict[str, Any], hidden: list[bool]
) -> None:
    two = more.get("two", True)
    status = {"verdicts": verdicts, "check": 1} | ({} if two is None else {"two_reviewers": two})
    seen = seen_by(actor(who, more.get("role", Role.REVIEWER)), more.get("state", "human_review"), status)
    assert seen["check"] == 1
    assert [bool(one.get("hidden")) for one in seen["verdicts"]] == hidden
    for one, original in zip(seen["verdicts"], verdicts, strict=True):
        if one.get("hidden"):
            assert set(one) <= set(TOLD)
            assert SECRET not in str(one)
        else:
            assert one == original


def test_a_request_without_verdicts_is_as_it_is() -> None:
    assert seen_by(actor("b"), "human_review", {"check": 1}) == {"check": 1}
    assert not unheard([], False)
    assert unheard([], True)


def test_a_second_reviewer_learns_nothing_by_reading_or_by_trying(granted: Scene) -> None:
    granted.job()
    granted.request(until="human_review", high_risk=True)
    first = granted.verdict(verdict="fail", note=SECRET)
    for which in (first, granted.verdict("business_conformity", note=SECRET)):
        granted.act("reviewer", "egress-request", "eg-a", "give_verdict", which)
    two, one = granted.who("reviewer-two"), granted.who("reviewer")
    reads = [
        granted.control.get(two, "egress-request", "eg-a"),
        *granted.control.find(two, "egress-request"),
        *granted.control.history(two, "egress-request", "eg-a"),
    ]
    assert SECRET not in str(reads)
    assert SECRET in str(granted.control.get(one, "egress-request", "eg-a"))
    with pytest.raises(SandboxError) as refusal:
        granted.act("reviewer-two", "egress-request", "eg-a", "approve", {})
    assert refusal.value.code == "TWO_REVIEWERS"  # and not that the first one was against it
    granted.act("reviewer-two", "egress-request", "eg-a", "give_verdict", granted.verdict())
    assert SECRET in str(granted.control.get(two, "egress-request", "eg-a"))
    with pytest.raises(SandboxError) as refusal:
        granted.act("reviewer-two", "egress-request", "eg-a", "approve", {})
    assert refusal.value.code == "VERDICT_NEGATIVE"
    assert granted.get("egress-request", "eg-a").status["two_reviewers"]


def test_notes_and_opinions_are_blind_too_and_nobody_outside_reads_them(granted: Scene) -> None:
    granted.job()
    granted.request(until="held_cross_border", high_risk=True)
    opinion = {"expert": SECRET, "expert_organisation": "institute", "text": SECRET, "no_interest": True}
    granted.act("reviewer", "egress-request", "eg-a", "note", {"text": SECRET})
    granted.act("reviewer", "egress-request", "eg-a", "attach_opinion", opinion)
    granted.act("reviewer", "egress-request", "eg-a", "clear", {"procedure_ref": "procedure-1"})
    granted.act("reviewer-two", "egress-request", "eg-a", "note", {"text": "mine"})

    def read(who: str) -> str:
        told = granted.control.get(granted.who(who), "egress-request", "eg-a")
        return str([told, *granted.control.history(granted.who(who), "egress-request", "eg-a")])

    assert SECRET not in read("reviewer-two")
    assert "mine" in read("reviewer-two")
    assert "mine" not in read("reviewer")  # nor does the first read the second's before both have spoken
    granted.act("reviewer-two", "egress-request", "eg-a", "give_verdict", granted.verdict())
    assert SECRET in read("reviewer-two")
    for who in ("auditor", "chief"):
        assert SECRET in read(who)
    assert SECRET not in read("developer")
    stored = granted.get("egress-request", "eg-a").status
    assert [one["person"] for one in stored["notes"]] == ["person-reviewer", "person-reviewer-two"]
    assert [one["by"] for one in stored["opinions"]] == ["reviewer"]


def test_a_claim_binds_nobody_and_is_put_back_by_who_has_it(granted: Scene) -> None:
    granted.job()
    granted.request(until="human_review")
    due = granted.get("egress-request", "eg-a").due_at
    granted.act("reviewer", "egress-request", "eg-a", "claim")
    granted.act("reviewer-two", "egress-request", "eg-a", "claim")
    told = granted.get("egress-request", "eg-a")
    assert (told.state, told.status["claim"]["by"], told.due_at) == ("human_review", "reviewer-two", due)
    granted.act("reviewer", "egress-request", "eg-a", "give_verdict", granted.verdict())
    granted.act("reviewer-two", "egress-request", "eg-a", "unclaim")
    told = granted.control.get(granted.who("developer"), "egress-request", "eg-a")
    assert "claim" not in told.status
    assert granted.get("egress-request", "eg-a").status["claim"] == {}


def test_outside_the_supervising_side_nobody_counts_what_was_said(granted: Scene) -> None:
    granted.job()
    granted.request(until="human_review", high_risk=True)

    def versions(who: str) -> int:
        return len(granted.control.history(granted.who(who), "egress-request", "eg-a"))

    before, supervised = versions("developer"), versions("auditor")
    granted.act("reviewer", "egress-request", "eg-a", "note", {"text": SECRET})
    granted.act("reviewer", "egress-request", "eg-a", "give_verdict", granted.verdict())
    assert versions("developer") == before
    assert versions("auditor") == supervised + 2
    granted.act("reviewer", "egress-request", "eg-a", "return", {"reasons": ["too fine"]})
    assert versions("developer") == before + 1  # what concerns them is there
