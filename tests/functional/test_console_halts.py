"""What an act would stop stands beside it before it is done, and what it has stopped after; for nobody more
than they may see."""

from __future__ import annotations

import lxml.html
import pytest

from sandbox.control import halts
from sandbox.control.kinds import KINDS
from tests.plugins.console import PASSWORD, consoles_of
from tests.plugins.space import Scene


def told(groups: tuple[halts.Group, ...]) -> dict[tuple[str, str], tuple[str, list[str]]]:
    """(kind, what becomes of it) -> its state, and which."""
    return {(one.kind, one.how): (one.state, [found.id for found in one.found]) for one in groups}


def rows(page: str) -> list[list[str]]:
    found = lxml.html.fromstring(page or "<p/>").xpath("//table[@class='halts']/tbody/tr")
    return [[" ".join(cell.text_content().split()) for cell in one] for one in found]


def test_the_halting_acts_are_in_the_tables_and_move_the_resource() -> None:
    for kind, events in halts.HALTS.items():
        table = {one.event: one for one in KINDS[kind].transitions}
        for event in events:
            assert table[event].target not in table[event].source
            assert halts.led_to(kind, table[event].target)
    for kind, event in halts.WAITS:
        assert event in halts.HALTS[kind]
        for wait in halts.WAITS[kind, event]:
            assert set(wait.states) <= {one.name for one in KINDS[wait.kind].states}
    for kind, pairs in halts.DONE.items():
        known = {(one, row.event) for one in KINDS for row in KINDS[one].transitions}
        assert set(pairs) <= known, kind


def test_suspending_an_agreement_does_what_was_foreseen(granted: Scene) -> None:
    granted.job()
    granted.request(until="human_review")
    granted.job("job-b", until="running")
    granted.job("job-c", until="queued")
    chief, control = granted.who("chief"), granted.control
    before = granted.everything()
    seen = told(halts.foreseen(control, chief, "agreement", "ag-a", "suspend"))
    assert granted.everything() == before  # a preview changes nothing
    assert seen == {
        ("job", "kill"): seen["job", "kill"],  # of two states, see below
        ("supply", "pause"): ("available", ["su-a"]),
        ("scenario", "suspend"): ("granted", ["sc-a"]),
        ("egress-request", "not_released"): ("human_review", ["eg-a"]),
    }
    groups = halts.foreseen(control, chief, "agreement", "ag-a", "suspend")
    killed = {(one.state, one.count) for one in groups if one.how == "kill"}
    assert killed == {("running", 1), ("queued", 1)}

    granted.act("chief", "agreement", "ag-a", "suspend", {"reason": "breach"})
    done = halts.halted(control, chief, "agreement", "ag-a")
    foreseen = {(one.kind, one.how, found.id) for one in groups for found in one.found}
    assert {(one.kind, one.how, found.id) for one in done for found in one.found} == foreseen
    after = granted.everything()
    moved = {ref for ref, one in after.items() if one.state != before[ref].state} - {"agreement/ag-a"}
    by_itself = {f"{kind}/{id}" for kind, how, id in foreseen if how not in ("not_released", "not_taken")}
    assert moved == by_itself


def test_what_an_earlier_suspension_stopped_is_not_told_of_the_next(granted: Scene) -> None:
    granted.job("job-b", until="running")
    granted.act("chief", "agreement", "ag-a", "suspend", {"reason": "breach"})
    granted.act("chief", "agreement", "ag-a", "resume", {"reason": "mended"})
    assert halts.halted(granted.control, granted.who("chief"), "agreement", "ag-a") == ()
    granted.act("chief", "agreement", "ag-a", "suspend", {"reason": "again"})
    done = told(halts.halted(granted.control, granted.who("chief"), "agreement", "ag-a"))
    assert ("job", "kill") not in done
    assert done["supply", "pause"] == ("paused", ["su-a"])


def test_releases_not_yet_taken_and_products(granted: Scene) -> None:
    granted.job()
    granted.request()
    product = granted.product_of("eg-a").id
    chief = granted.who("chief")
    for kind, id, event in (("agreement", "ag-a", "terminate"), ("product", product, "recall")):
        seen = told(halts.foreseen(granted.control, chief, kind, id, event))
        assert seen["egress-request", "not_taken"] == ("released", ["eg-a"])
    token = granted.space.gate.token(granted.who("developer"), "eg-a")
    b"".join(granted.space.gate.open(granted.who("developer"), "eg-a", token))
    seen = told(halts.foreseen(granted.control, chief, "product", product, "recall"))
    assert seen == {}


@pytest.mark.parametrize(
    ("kind", "id", "event", "who", "job"),
    [
        ("supply", "su-a", "pause", "chief", {"who": "operator"}),
        ("catalogue-entry", "ce-a", "withdraw", "editor", {"who": "operator"}),
        ("product", "pr-a", "suspend", "chief", {}),
        ("scenario", "sc-a", "revoke", "chief", {}),
        ("organisation", "dev", "suspend", "chief", {}),
    ],
)
def test_jobs_that_could_not_start(
    granted: Scene, kind: str, id: str, event: str, who: str, job: dict[str, str]
) -> None:
    if job:
        granted.create("operator", "job", granted.recipe_spec(), "job-q")
    else:
        granted.job("job-q", until="queued")
    seen = told(halts.foreseen(granted.control, granted.who(who), kind, id, event))
    jobs = {how: ids for (of, how), (_, ids) in seen.items() if of == "job"}
    if who == "editor":  # a provider may not know of the operator's jobs; what its entry is asked for, it may
        assert jobs == {}
        assert seen["scenario", "not_supplied"] == ("granted", ["sc-a"])
    else:
        assert jobs == {"kill" if kind == "organisation" else "not_started": ["job-q"]}


def test_an_order_and_the_negative_list_are_foreseen_from_their_form(granted: Scene) -> None:
    granted.job("job-b", until="running")
    person = consoles_of(granted)("chief")
    path = "/r/rectification/new/halts?agreement=ag-a"
    assert rows(person.get(path).text) == []
    kinds = {row[1] for row in rows(person.get(f"{path}&suspend=on").text)}
    assert kinds == {"作业", "数据供给", "应用场景"}
    listed = rows(person.get("/r/negative-list-entry/new/halts?entry=ce-a").text)
    assert {row[1] for row in listed} == {"作业", "数据供给"}
    assert rows(person.get("/r/negative-list-entry/new/halts?entry=none").text) == []
    spec = {"entry": "ce-a", "reason": "secret", "law": "GZ 二(一)"}
    granted.create("chief", "negative-list-entry", spec, "nl-a")
    done = rows(person.get("/r/negative-list-entry/nl-a/halted").text)
    assert {row[1] for row in done} == {"作业", "数据供给"}


def test_the_page_shows_it_before_and_after(granted: Scene) -> None:
    person = consoles_of(granted)("chief")
    page = person.get("/r/agreement/ag-a").text
    assert 'hx-get="/console/r/agreement/ag-a/suspend/halts"' in page
    assert 'hx-get="/console/r/agreement/ag-a/halted"' not in page
    shown = rows(person.get("/r/agreement/ag-a/suspend/halts").text)
    assert [row[1:4] for row in shown] == [["数据供给", "可用", "1"], ["应用场景", "已授权", "1"]]
    done = person.post("/r/agreement/ag-a/suspend", {"reason": "试一试", "password": PASSWORD})
    assert done.status_code == 303
    assert 'hx-get="/console/r/agreement/ag-a/halted"' in person.get("/r/agreement/ag-a").text
    shown = rows(person.get("/r/agreement/ag-a/halted").text)
    assert [row[1:4] for row in shown] == [["应用场景", "已暂停", "1"], ["数据供给", "已暂停", "1"]]


@pytest.mark.parametrize(
    ("who", "path", "code"),
    [
        ("developer", "/r/agreement/ag-a/suspend/halts", "ROLE"),
        ("chief", "/r/agreement/ag-a/resume/halts", "STATE"),
        ("rival", "/r/scenario/sc-a/revoke/halts", "NOT_FOUND"),
        ("rival", "/r/scenario/sc-a/halted", "NOT_FOUND"),
        ("developer", "/r/rectification/new/halts?agreement=ag-a&suspend=on", "ROLE"),
    ],
)
def test_nobody_is_told_what_they_may_not_do(granted: Scene, who: str, path: str, code: str) -> None:
    logged = granted.logged()
    person = consoles_of(granted)(who)
    signed_in = granted.logged()
    answer = person.get(path)
    assert (code in answer.text, rows(answer.text)) == (True, [])
    assert answer.status_code in (403, 404, 409)
    assert granted.logged() == signed_in > logged  # looking leaves no entry


def test_counting_ends(granted: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        granted.job(f"job-{number}", until="queued")
    monkeypatch.setattr(halts, "MOST", 3)
    monkeypatch.setattr(halts, "SHOWN", 2)
    groups = halts.foreseen(granted.control, granted.who("chief"), "agreement", "ag-a", "suspend")
    jobs = next(one for one in groups if one.kind == "job")
    assert (jobs.count, jobs.more, len(jobs.found)) == (3, True, 2)
    page = consoles_of(granted)("chief").get("/r/agreement/ag-a/suspend/halts").text
    assert ["3+" in row[3] for row in rows(page) if row[1] == "作业"] == [True]
