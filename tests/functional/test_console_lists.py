"""Lists narrowed by words, within what one may see; and the first page: what is to be decided on, with what
has changed, and what to do where nothing waits."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import lxml.html
import pytest

from sandbox.console.menu import WORKS_WITH
from sandbox.console.views import decide, resources
from sandbox.console.views.decide import DECIDES, FACTS
from sandbox.console.views.home import HINTS, RESTING
from sandbox.control.kinds import KINDS
from sandbox.core.actor import Role
from tests.attack.doors import BY_ROLE
from tests.plugins.console import Consoles, Person, consoles_of
from tests.plugins.space import CONTRACT, Scene


def ids(person: Person, path: str) -> list[str]:
    answer = person.get(path)
    assert answer.status_code == 200, answer.text
    return lxml.html.fromstring(answer.text).xpath("//main//tbody//th//small//text()")


def rest_of(page: str) -> list[str]:
    return [
        url.removeprefix("/console") for url in lxml.html.fromstring(page).xpath("//a[@rel='next']/@href")
    ]


@pytest.fixture
def several(granted: Scene) -> Consoles:
    """Scenarios of two organisations under one agreement."""
    for number, (who, title) in enumerate(
        [("developer", "roads by night"), ("rival", "Roads, secret"), ("developer", "schools")]
    ):
        spec = granted.scenario_spec(title=title, list=[{"entry": "ce-a", "columns": ["district"]}])
        spec["list"][0]["columns"].append(("income", "day", "phone")[number])
        granted.create(who, "scenario", spec, f"sc-{number}")
    return consoles_of(granted)


def test_words_narrow_a_list_and_its_csv_to_what_one_may_see(several: Consoles) -> None:
    developer, chief = several("developer"), several("chief")
    assert ids(developer, "/r/scenario?find=ROADS") == ["sc-0"]
    assert set(ids(chief, "/r/scenario?find=roads")) == {"sc-0", "sc-1"}
    assert ids(chief, "/r/scenario?find=roads+night") == ["sc-0"]
    assert ids(chief, "/r/scenario?find=dev-two") == ["sc-1"]
    assert ids(chief, "/r/scenario?find=sc-2") == ["sc-2"]
    assert ids(chief, "/r/scenario?find=roads&state=granted") == []
    page = developer.get("/r/scenario?find=secret").text
    assert "没有找到" in page
    assert "还没有查完" not in page
    url = lxml.html.fromstring(chief.get("/r/scenario?find=roads&order=id&dir=asc").text).xpath(
        "//a[@download]/@href"
    )
    rows = list(csv.reader(io.StringIO(chief.get(url[0].removeprefix("/console")).text)))
    assert [row[0] for row in rows[1:]] == ["sc-0", "sc-1"]
    assert rows[0][-1] == "变更时间"


def test_a_list_is_sorted_by_the_last_change_too(several: Consoles) -> None:
    chief = several("chief")
    several.scene.act("chief", "scenario", "sc-0", "assess", several.scene.answers())
    assert ids(chief, "/r/scenario?order=changed&dir=desc")[0] == "sc-0"
    page = lxml.html.fromstring(chief.get("/r/scenario?find=roads&order=changed&dir=desc").text)
    assert page.xpath("//th[@aria-sort='descending']//text()")[0] == "变更时间"
    # the order stays when other words are looked for
    assert page.xpath("//form[@role='search']//input[@name='order']/@value") == ["changed"]


def test_a_search_of_a_list_ends_and_goes_on(several: Consoles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "STRETCH", 1)
    monkeypatch.setattr(resources._found, "__defaults__", ("", 1))
    chief = several("chief")
    path, seen, pages = "/r/scenario?find=schools&order=id&dir=asc", [], 0
    while path:
        page = chief.get(path).text
        seen += ids(chief, path)
        more = rest_of(page)
        assert ("还没有查完" in page) == bool(more)
        path, pages = more[0] if more else "", pages + 1
    assert (seen, pages) == (["sc-2"], 4)


def test_pages_of_a_narrowed_list_lead_on(several: Consoles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "SIZE", 1)
    chief = several("chief")
    page = chief.get("/r/scenario?find=roads&order=id&dir=asc").text
    assert "还没有查完" not in page
    assert ids(chief, rest_of(page)[0]) == ["sc-1"]


def test_what_is_decided_on_is_in_the_tables() -> None:
    for one in DECIDES:
        for state in one.states:
            row = KINDS[one.kind].row(one.event, state)
            assert row is not None, one
            assert one.roles <= row.by, one
        assert set(FACTS[one.kind]) <= set(KINDS[one.kind].spec.model_fields), one
    for kind, states in RESTING.items():
        assert set(states) <= {state.name for state in KINDS[kind].states}
    assert HINTS.keys() == WORKS_WITH.keys() == set(Role) - {Role.SYSTEM}


def cards(person: Person) -> dict[str, list[list[str]]]:
    """id -> the lines of what has changed, or of what it says, of what waits for a decision."""
    page = lxml.html.fromstring(person.get("/").text)
    found = {}
    for card in page.find_class("decision"):
        rows = card.xpath(".//table[@class='changes']/tbody/tr")
        found[card.xpath("string(.//h3/small)")] = [
            [" ".join(cell.text_content().split()) for cell in row] for row in rows
        ]
    return found


def test_a_provider_sees_what_changed_since_it_was_confirmed(granted: Scene) -> None:
    consoles = consoles_of(granted)
    spec = granted.entry_spec(update_frequency="daily")
    spec["fields"][1]["level"] = 4
    granted.act("editor", "catalogue-entry", "ce-a", "edit", spec)
    seen = cards(consoles("confirmer"))
    assert sorted(seen["ce-a"]) == [["字段 › district › 级别", "3", "4"], ["更新频率", "monthly", "daily"]]
    assert "须由另一人确认" in consoles("editor").get("/").text
    assert "须由另一人确认" not in consoles("confirmer").get("/").text
    assert "ce-a" not in cards(consoles("bureau-editor"))
    granted.act("confirmer", "catalogue-entry", "ce-a", "confirm")
    assert cards(consoles("confirmer")) == {}


def test_an_amended_list_is_shown_against_the_grant(granted: Scene) -> None:
    consoles = consoles_of(granted)
    wider = [{"entry": "ce-a", "columns": ["person_id", "district", "day"]}]
    granted.act("developer", "scenario", "sc-a", "amend", {"list": wider})
    for who in ("editor", "chief"):
        lines = sorted(cards(consoles(who))["sc-a"])
        assert lines == [
            ["数据清单 › ce-a › 列 › day", "—", "✓"],
            ["数据清单 › ce-a › 列 › income", "✓", "—"],
        ]
    granted.act("editor", "scenario", "sc-a", "assess", granted.answers())
    assert cards(consoles("editor")) == {}  # it has been said
    assert "reasonable yes" in consoles("chief").get("/").text
    assert cards(consoles("other-chief")) == {}
    assert cards(consoles("bureau-editor")) == {}


def test_what_an_authority_decides_on_stands_first(granted: Scene) -> None:
    consoles = consoles_of(granted)
    granted.agreement("ag-b", until="draft")
    granted.agreement("ag-c", until="signed")
    granted.create(
        "chief", "organisation", {"name_zh": "新", "name_en": "new", "roles": ["developer"]}, "org-b"
    )
    order = {"agreement": "ag-a", "breach": "late", "items": ["mend"], "law": "CD 34", "suspend": False}
    granted.create("chief", "rectification", order, "re-a")
    granted.act("operator", "rectification", "re-a", "report", {"done": ["mended"]})
    page = consoles("chief").get("/").text
    assert list(cards(consoles("chief"))) == ["org-b", "ag-b", "ag-c", "re-a"]
    tree = lxml.html.fromstring(page)
    assert tree.xpath("//main//h2/text()")[0] == "待您决定"
    assert "mended" in page
    # once above, not again below
    assert tree.xpath("count(//main//a[contains(@href, '/r/agreement/ag-b')])") == 2
    assert "ag-b" not in cards(consoles("sector"))


def test_who_has_nothing_to_do_is_told_where_to_begin(scene: Scene) -> None:
    consoles = consoles_of(scene)
    for role, (hint, places) in HINTS.items():
        person = consoles(BY_ROLE[role])
        page = person.get("/").text
        assert hint in page, role
        offered = lxml.html.fromstring(page).xpath("//div[contains(@class, 'empty')]//a/@href")
        assert offered == [f"/console{place}" for _, place in places] != []
        for url in offered:
            assert person.get(url.removeprefix("/console")).status_code == 200, url


def test_what_rests_waits_for_nobody_until_it_is_overdue(granted: Scene) -> None:
    consoles = consoles_of(granted)
    assert "ag-a" not in consoles("body").get("/").text
    granted.clock.now = datetime(2028, 9, 1, tzinfo=UTC)
    granted.control.tick()
    assert "/r/agreement/ag-a" in consoles.fresh("body").get("/").text


def test_more_than_is_shown_is_said(granted: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    consoles = consoles_of(granted)
    granted.agreement("ag-b", until="draft")
    monkeypatch.setattr(decide, "SHOWN", 1)
    assert "查看全部" not in consoles("chief").get("/").text
    granted.agreement("ag-c", until="draft")
    page = lxml.html.fromstring(consoles("chief").get("/").text)
    assert len(page.find_class("decision")) == 1
    assert page.xpath("//a[contains(., '查看全部')]/@href") == ["/console/r/agreement"]


def test_a_signed_text_is_no_change(granted: Scene) -> None:
    """Acts change no spec: what was drafted is what is decided on, and it has no earlier version."""
    granted.agreement("ag-b", until="approved")
    granted.act("operator", "agreement", "ag-b", "sign", {"text_sha256": CONTRACT})
    assert cards(consoles_of(granted)("chief"))["ag-b"] == []
