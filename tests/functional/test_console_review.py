"""The reviewer's desk without a browser: who may open it, what it shows, and what an act on it does."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.plugins.console import Consoles, Person, consoles_of
from tests.plugins.space import Scene

SECRET = "first-reviewer-says"


@pytest.fixture
def desk(granted: Scene) -> Consoles:
    """A console with one request in human review."""
    granted.job()
    granted.request(until="human_review")
    return consoles_of(granted)


def verdict_form(person: Person, **over: str) -> dict[str, str]:
    """The form of a verdict as the page shows it, with the security verdict's points answered."""
    page = person.get("/review/eg-a").text
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found
    told = {"which": "security", "verdict": "pass", "note": "seen", "no_interest": "on", "version": found[1]}
    told |= {f"point.{point}": "pass" for point in set(re.findall(r'name="point\.([^"]+)"', page))}
    return {**told, "password": "kiln-harbour-violet-42", **over}


def test_a_request_is_shown_with_its_files_which_only_the_gate_hands_out(desk: Consoles) -> None:
    reviewer = desk("reviewer")
    queue = reviewer.get("/review").text
    assert "/console/review/eg-a" in queue
    page = reviewer.get("/review/eg-a")
    assert page.status_code == 200
    assert 'data-file="/console/review/eg-a/file/out.csv" data-kind="table"' in page.text
    assert "district,people" not in page.text  # the control plane has not opened it
    before = desk.scene.logged()
    file = reviewer.get("/review/eg-a/file/out.csv")
    assert file.text == "district,people\nA,120\n"
    assert file.headers["content-type"] == "text/plain; charset=utf-8"
    assert file.headers["cache-control"] == "no-store"
    assert [one.action for one in desk.scene.log(before)] == ["open-in-review-room"]
    assert reviewer.get("/review/eg-a/file/other.csv").status_code == 404


def test_verdicts_and_the_decision_come_back_to_the_page_and_say_so(desk: Consoles) -> None:
    reviewer = desk("reviewer")
    answer = reviewer.post("/review/eg-a/verdict", verdict_form(reviewer))
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/review/eg-a")
    page = reviewer.get("/review/eg-a").text
    assert "您已给出“安全评审”：通过" in page
    assert re.search(r'value="business_conformity" selected', page)  # the one that is missing
    reviewer.post("/review/eg-a/verdict", verdict_form(reviewer, which="business_conformity"))
    page = reviewer.get("/review/eg-a").text
    assert re.search(r'<details class="card" open><summary>批准', page)
    answer = reviewer.post("/review/eg-a/act/approve", {"conditions": "不得转让\n一年内删除"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/review/eg-a")
    told = desk.scene.get("egress-request", "eg-a")
    assert told.state == "approved"
    assert list(told.status["decision"]["conditions"]) == ["不得转让", "一年内删除"]
    page = reviewer.get("/review/eg-a").text
    assert "只在人工评审期间可以打开文件" in page
    assert "data-file" not in page


@pytest.mark.parametrize(
    ("event", "form", "state", "kept"),
    [
        ("return", {"reasons": "合并小格\n\n删去列 b"}, "returned", {"reasons": ["合并小格", "删去列 b"]}),
        (
            "reject",
            {"reason": "超出用途", "law": "GD 26"},
            "rejected",
            {"reason": "超出用途", "law": "GD 26"},
        ),
    ],
)
def test_a_request_is_returned_or_rejected_with_its_reasons(
    desk: Consoles, event: str, form: dict[str, str], state: str, kept: dict[str, Any]
) -> None:
    reviewer = desk("reviewer")
    given = {**form, "password": "kiln-harbour-violet-42"}
    assert reviewer.post(f"/review/eg-a/act/{event}", given).status_code == 303
    told = desk.scene.get("egress-request", "eg-a")
    assert told.state == state
    assert {key: told.status[event][key] for key in kept} == kept


def test_a_refused_act_shows_the_page_again_as_it_was_filled_in(desk: Consoles) -> None:
    reviewer = desk("reviewer")
    form = verdict_form(reviewer, **{"point.26.4": "fail", "note.26.4": "small cells", "note": "look again"})
    answer = reviewer.post("/review/eg-a/verdict", form)
    assert answer.status_code == 409
    assert "VERDICT_NEGATIVE" in answer.text
    assert 'value="small cells"' in answer.text
    assert "look again" in answer.text
    answer = reviewer.post("/review/eg-a/act/reject", {"reason": "超出用途", "law": ""})
    assert answer.status_code == 422
    assert re.search(r'<details class="card" open><summary>不予通过', answer.text)
    assert "超出用途" in answer.text
    assert desk.scene.state("egress-request", "eg-a") == "human_review"


def test_an_event_that_the_table_does_not_offer_is_refused_and_noted(desk: Consoles) -> None:
    reviewer = desk("reviewer")
    before = desk.scene.logged()
    answer = reviewer.post("/review/eg-a/act/release", {})
    assert answer.status_code in (403, 409)
    noted = [(one.action, one.outcome) for one in desk.scene.log(before)]
    assert ("release", "refused") in noted


def test_the_second_reviewer_of_a_risky_request_judges_blind(granted: Scene) -> None:
    granted.job()
    granted.request(until="human_review", high_risk=True)
    granted.act("reviewer", "egress-request", "eg-a", "give_verdict", granted.verdict(note=SECRET))
    desk = consoles_of(granted)
    second = desk("reviewer-two")
    page = second.get("/review/eg-a").text
    assert SECRET not in page
    assert "看不到另一位审核员说了什么" in page
    assert re.search(r'value="security" selected', page)
    assert SECRET not in second.get("/r/egress-request/eg-a").text
    assert SECRET in desk("reviewer").get("/review/eg-a").text
    second.post("/review/eg-a/verdict", verdict_form(second))
    assert SECRET in second.get("/review/eg-a").text


def test_before_the_check_there_is_only_the_resource(granted: Scene) -> None:
    granted.job()
    granted.request(until="requested")
    answer = consoles_of(granted)("reviewer").get("/review/eg-a")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/r/egress-request/eg-a")


def test_the_desk_is_for_reviewers(desk: Consoles) -> None:
    for path in ("/review", "/review/eg-a", "/review/eg-a/file/out.csv"):
        stranger = desk.stranger().get(path)
        assert (stranger.status_code, stranger.headers["location"][:17]) == (303, "/console/sign-in?")
        for who in ("developer", "operator", "auditor", "chief"):
            answer = desk(who).get(path)
            assert (answer.status_code, "PAGE_ROLE" in answer.text) == (403, True)
    for path in ("/review/eg-none", "/review/eg-none/file/out.csv"):
        assert desk("reviewer").get(path).status_code == 404


def test_a_form_from_elsewhere_is_refused(desk: Consoles) -> None:
    reviewer = desk("reviewer")
    for path in ("/review/eg-a/verdict", "/review/eg-a/act/approve"):
        for headers, form in (
            ({}, {}),
            ({"origin": "https://evil.test"}, {}),
            (reviewer.headers, {"csrf": "guessed"}),
            (reviewer.headers, {"csrf": ""}),
        ):
            answer = reviewer.post(path, form, headers=headers)
            assert (answer.status_code, "FOREIGN_FORM" in answer.text) == (403, True)
        assert desk.stranger().post(path, {}).status_code in (401, 403)
    assert desk.scene.state("egress-request", "eg-a") == "human_review"


def test_a_reviewer_of_another_body_decides_nothing(desk: Consoles) -> None:
    other = desk("other-reviewer")
    assert other.get("/review/eg-a/file/out.csv").status_code == 403
    answer = other.post("/review/eg-a/verdict", verdict_form(other))
    assert (answer.status_code, "NOT_AUTHORISER" in answer.text) == (403, True)
