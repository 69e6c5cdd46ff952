"""The reviewer's desk: beside the last release, notes and opinions, claims and load, lineage, isolation."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from sandbox.console.views import review_queue
from sandbox.control.together import together
from sandbox.policy.isolation import GRADES
from tests.plugins.console import Consoles, consoles_of
from tests.plugins.space import OUTPUT, Scene
from tests.refusal import refused

SECRET = "what-nobody-outside-reads"
NOW = "district,people\nA,130\nB,40\n"
SOURCE = "0" * 64
CHANGED = {
    "part": "",
    "rows": 2,
    "columns": 2,
    "recomputed": True,
    "columns_moved": False,
    "rows_moved": True,
}
CHANGES = {
    **{"source_sha256": SOURCE, "source_bytes": 40, "hidden": 3},
    "tables": [{**CHANGED, "changed": 1, "rewritten": 2, "emptied": 0, "places": [[1, 2]]}],
}
OPINION = {"expert": "professor", "expert_organisation": "institute", "text": SECRET, "no_interest": "on"}


def in_review(scene: Scene, id: str = "eg-b", content: str = NOW, **over: Any) -> None:
    """A request in human review whose one file is ``content``, beside whatever was released before."""
    job = f"job-{id}"
    scene.job(job)
    scene.request(id, until="auto_check", job=job, **over)
    told = scene.get("egress-request", id)
    room = scene.space.places.blobs(told.labels["agreement"], told.labels["scenario"], "review")
    sha256, size = room.take(iter([content.encode()]))
    canonical = [{"path": "out.csv", "sha256": sha256, "bytes": size, "changes": CHANGES}]
    flag = scene.finding("SMALL_CELL", "flag", point="26.4")
    proof = {
        "isolation": {"executor": "docker", "grades": {"network": "isolated"}},
        "config_sha256": "c" * 64,
    }
    check = scene.check(id, "no_objection", flag, canonical=canonical, isolation=proof)
    scene.act("system", "egress-request", id, "forward", check)


@pytest.fixture
def desk(granted: Scene) -> Consoles:
    """A released request, and one of the same scenario in human review."""
    granted.job()
    granted.request()
    in_review(granted)
    return consoles_of(granted)


def test_the_last_release_is_handed_out_beside_and_logged(desk: Consoles) -> None:
    reviewer = desk("reviewer")
    assert 'data-earlier="/console/review/eg-b/earlier/out.csv"' in reviewer.get("/review/eg-b").text
    before = desk.scene.logged()
    answer = reviewer.get("/review/eg-b/earlier/out.csv")
    assert (answer.status_code, answer.text) == (200, OUTPUT)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"eg-a \d{4}-\d{2}-\d{2}", answer.headers["sandbox-release"])
    (noted,) = desk.scene.log(before)
    assert (noted.action, noted.object, noted.details["beside"]) == (
        "open-in-review-room",
        "egress-request/eg-a",
        "eg-b",
    )
    assert reviewer.get("/review/eg-b/earlier/other.csv").status_code == 204


def test_nothing_is_handed_out_beside_to_who_may_not_judge(desk: Consoles) -> None:
    other = desk("other-reviewer").get("/review/eg-b/earlier/out.csv")
    assert (other.status_code, "NOT_AUTHORISER" in other.text) == (403, True)
    assert OUTPUT not in other.text
    released = desk("reviewer").get("/review/eg-a/earlier/out.csv")  # decided: nothing is compared any more
    assert (released.status_code, "STATE" in released.text) == (409, True)
    assert desk("developer").get("/review/eg-b/earlier/out.csv").status_code == 403


def test_what_was_recalled_is_not_what_one_compares_with(desk: Consoles) -> None:
    desk.scene.act("reviewer", "egress-request", "eg-a", "recall", {"cause": "leak"})
    assert desk("reviewer").get("/review/eg-b/earlier/out.csv").status_code == 204


def test_what_the_check_changed_is_told_in_words(desk: Consoles) -> None:
    page = desk("reviewer").get("/review/eg-b").text
    size = f"提交 40 字节，出域 {len(NOW)} 字节"
    for told in (size, "3 处", "整表换成检查程序自己算的数", "行重新排序", "值不同 1 格", "写法不同 2 格"):
        assert told in page, told
    assert "变空" not in page
    assert 'data-places="[[1, 2]]"' in page
    assert "检查没有记录改动" in desk("reviewer").get("/review/eg-a").text  # of a check of before


def test_isolation_is_a_table_of_what_each_grade_means(desk: Consoles) -> None:
    page = desk("reviewer").get("/review/eg-b").text
    grade = next(one for one in GRADES["network"] if one.name == "isolated")
    assert f'<tr><th scope="row">网络</th><td><bdi>{grade.zh}</bdi></td></tr>' in page
    assert "c" * 16 in page
    assert "没有留下隔离自证" in desk("reviewer").get("/review/eg-a").text


def test_lineage_leads_to_what_stands_in_it(desk: Consoles) -> None:
    page = desk("reviewer").get("/review/eg-b").text
    drawn = page[page.index('<div class="lineage"') :]
    drawn = drawn[: drawn.index("</svg>")]
    for url in ("supply/su-a", "product/pr-a", "job/job-eg-b", "egress-request/eg-b"):
        assert f'href="/console/r/{url}"' in drawn, url
    assert drawn.count('class="edge"') >= 4
    assert "out.csv" in drawn
    assert 'class="node here"' in drawn
    released = desk("reviewer").get("/review/eg-a").text
    assert desk.scene.get("egress-request", "eg-a").status["release"]["package_sha256"][:12] in released


def test_notes_and_opinions_come_from_the_page_and_stay_inside(desk: Consoles) -> None:
    reviewer = desk("reviewer")
    answer = reviewer.post("/review/eg-b/act/note", {"text": SECRET})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/review/eg-b")
    assert reviewer.post("/review/eg-b/act/attach_opinion", OPINION).status_code == 303
    page = reviewer.get("/review/eg-b").text
    assert page.count(SECRET) == 2
    assert "声明无利害关系" in page
    answer = reviewer.post("/review/eg-b/act/attach_opinion", {**OPINION, "expert_organisation": "dev"})
    assert (answer.status_code, "EXPERT_SIDED" in answer.text) == (403, True)
    assert "professor" in answer.text  # the form is open and as it was filled in
    assert re.search(r'<details class="card" open><summary>附专家意见', answer.text)
    for who, path in (("developer", "/r/egress-request/eg-b"), ("developer", "/develop")):
        assert SECRET not in desk(who).get(path).text
    assert SECRET in desk("auditor").get("/r/egress-request/eg-b").text


def test_a_second_reviewer_of_a_risky_request_reads_no_note_before_speaking(granted: Scene) -> None:
    in_review(granted, high_risk=True)
    granted.act("reviewer", "egress-request", "eg-b", "note", {"text": SECRET})
    page = consoles_of(granted)("reviewer-two").get("/review/eg-b").text
    assert SECRET not in page
    assert "已有附注；在您给出安全评审之后可见" in page
    assert "看不到另一位审核员说了什么" in page


def test_a_claim_shows_in_the_queue_and_in_the_load_of_all(desk: Consoles) -> None:
    reviewer, second = desk("reviewer"), desk("reviewer-two")
    assert "无人认领" in reviewer.get("/review/eg-b").text
    assert reviewer.post("/review/eg-b/act/claim", {}).status_code == 303
    assert 'action="/console/review/eg-b/act/unclaim"' in reviewer.get("/review/eg-b").text
    assert 'action="/console/review/eg-b/act/claim"' in second.get("/review/eg-b").text  # it binds nobody
    queue = second.get("/review").text
    assert re.search(r"<dt><bdi>reviewer</bdi></dt><dd>1 件", queue)
    assert re.search(r"<dt><bdi>reviewer-two</bdi> <small class=\"soft\">（您）</small></dt><dd>0 件", queue)
    answer = second.post("/review/eg-b/act/unclaim", {})
    assert (answer.status_code, "NOT_CLAIMED" in answer.text) == (409, True)
    assert reviewer.post("/review/eg-b/act/unclaim", {}).status_code == 303
    assert re.search(
        r"<dt><bdi>reviewer</bdi> <small[^>]*>（您）</small></dt><dd>0 件", reviewer.get("/review").text
    )


FILTERS = {
    "": True,
    "severity=flag": True,
    "severity=hard": False,
    "point=26.4": True,
    "point=26.1": False,
    "scenario=sc-a": True,
    "scenario=sc-none": False,
    "which=free": True,
    "which=mine": False,
    "which=overdue": False,
    "which=nonsense": True,
    "state=released": False,
    "severity=flag&point=26.4&which=free": True,
}


def test_the_queue_is_filtered(desk: Consoles) -> None:
    reviewer = desk("reviewer")
    found = {query: "/console/review/eg-b" in reviewer.get(f"/review?{query}").text for query in FILTERS}
    assert found == FILTERS


def test_the_queue_goes_on_where_its_page_ends(desk: Consoles, monkeypatch: pytest.MonkeyPatch) -> None:
    in_review(desk.scene, "eg-c")
    reviewer = desk("reviewer")
    monkeypatch.setattr(review_queue, "SIZE", 1)
    for window in (100, 1):  # the page is full, or nothing more was looked at
        monkeypatch.setattr(review_queue, "WINDOW", window)
        page = reviewer.get("/review?severity=flag").text
        (following,) = re.findall(r'href="/console(/review\?[^"]*after=[^"]*)"', page)
        other = reviewer.get(html.unescape(following)).text
        shown = [re.findall(r'"/console/review/(eg-[bc])"', one) for one in (page, other)]
        assert sorted(shown) == [["eg-b"], ["eg-c"]]
        assert "severity=flag" in following
        assert 'rel="first"' in other


def test_what_is_due_soon_and_overdue_is_counted(desk: Consoles) -> None:
    desk.scene.clock.move(days=40)
    desk.scene.control.tick()
    page = desk("reviewer").get("/review?which=overdue").text
    assert "有 1 件已超期" in page
    assert "/console/review/eg-b" in page


def test_cells_may_be_copied_only_where_the_policy_says_so(desk: Consoles) -> None:
    guarded = 'class="shown uncopied" data-nocopy'
    assert guarded in desk("reviewer").get("/review/eg-b").text
    desk.scene.overlay(review__copy_cells=True)
    page = desk("reviewer").get("/review/eg-b").text
    assert "data-file" in page
    assert guarded not in page


def test_of_several_only_what_one_may_know_of_is_given(desk: Consoles) -> None:
    scene = desk.scene
    refs = [("egress-request", "eg-b"), ("egress-request", "eg-none"), ("job", "job-eg-b")]
    told = together(scene.control, scene.who("reviewer"), refs)
    assert sorted(told) == [("egress-request", "eg-b"), ("job", "job-eg-b")]
    assert "check" in told["egress-request", "eg-b"].status
    own = together(scene.control, scene.who("developer"), refs)
    assert "canonical" not in own["egress-request", "eg-b"].status["check"]  # as Control.get shows it
    assert together(scene.control, scene.who("rival"), refs) == {}
    with refused("NO_DATA_RIGHT"):
        together(scene.control, scene.who("admin"), refs)
    with refused("NOT_FOUND"):
        together(scene.control, scene.who("reviewer"), [("nothing", "x")])


def test_on_paper_notes_and_opinions_are_as_blind_and_stand_on_no_receipt(
    granted: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []

    def kept(html: str) -> bytes:
        texts.append(html)
        return b"%PDF-"

    monkeypatch.setattr("sandbox.console.paper.pdf", kept)
    in_review(granted, high_risk=True)
    granted.act("reviewer", "egress-request", "eg-b", "note", {"text": SECRET})
    granted.act("reviewer", "egress-request", "eg-b", "claim")
    consoles = consoles_of(granted)
    for who, shown in (("reviewer", True), ("reviewer-two", False), ("auditor", True)):
        assert consoles(who).get("/review/eg-b/record.pdf").status_code == 200
        assert (SECRET in texts[-1]) is shown, who
    for who, which in (
        ("reviewer", "security"),
        ("reviewer-two", "security"),
        ("reviewer", "business_conformity"),
    ):
        granted.act(who, "egress-request", "eg-b", "give_verdict", granted.verdict(which))
    granted.act("reviewer", "egress-request", "eg-b", "approve", {})
    granted.register("eg-b", "developer")
    granted.space.gate.release("eg-b")
    for who in ("developer", "auditor"):
        assert consoles(who).get("/release/eg-b/receipt.pdf").status_code == 200
        assert SECRET not in texts[-1], who
