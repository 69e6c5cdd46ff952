"""The public pages: without an account, what is disclosed and no more; one copy for all who ask alike."""

from __future__ import annotations

import json

import httpx
import lxml.html
import pytest

from sandbox.console.views import public
from sandbox.control import disclosed
from tests.plugins.console import Consoles, Person, consoles_of
from tests.plugins.space import Scene

KEPT = "public, max-age=60"


def cells(page: str) -> list[list[str]]:
    found = lxml.html.fromstring(page).xpath("//main//tbody/tr")
    return [[" ".join(cell.text_content().split()) for cell in row] for row in found]


def asked(consoles: Consoles, path: str) -> httpx.Response:
    answer = consoles.stranger().get(path)
    assert answer.status_code == 200, answer.text
    return answer


def test_agreements_and_their_use_are_told_without_an_account(granted: Scene) -> None:
    granted.agreement("ag-draft", until="draft")
    consoles = consoles_of(granted)
    rows = cells(asked(consoles, "/public").text)
    assert rows[0] == ["agreement ag-a", "opco", "ce-a", "2026-09-01", "2028-08-31"]
    assert rows[1] == ["ag-a", "少于 10", "少于 10", "0"]
    assert "ag-draft" not in asked(consoles, "/public").text
    told = consoles.stranger().ask("GET", "/public/use").json()["agreements"]
    fewer = {"fewer_than": 10}
    assert told == [{"agreement": "ag-a", "scenarios": fewer, "uses": fewer, "products": 0}]


def test_a_count_is_told_from_the_least_cell_on_rounded_down_to_its_multiples(granted: Scene) -> None:
    granted.overlay(egress__min_cell=2)
    granted.job("job-a")
    granted.job("job-b")  # and the primary product's: three uses of one scenario
    used = disclosed.use(granted.store, granted.control.policy, granted.clock())
    assert used.rows[0]["uses"] == 2  # of three: the next single use is not seen in the difference
    assert used.rows[0]["scenarios"] == {"fewer_than": 2}
    granted.job("job-c")
    again = disclosed.use(granted.store, granted.control.policy, granted.clock())
    assert again == used  # counted anew only after a while: nobody sees single uses come
    granted.clock.move(minutes=11)
    assert disclosed.use(granted.store, granted.control.policy, granted.clock()).rows[0]["uses"] == 4


def test_registered_products_are_listed_with_their_sources(granted: Scene) -> None:
    granted.job()
    granted.request(until="approved")
    consoles = consoles_of(granted)
    assert "incomes" not in asked(consoles, "/public/products").text
    assert consoles.stranger().ask("GET", "/public/products").json() == []
    granted.register("eg-a")
    granted.clock.move(seconds=61)
    rows = cells(asked(consoles, "/public/products").text)
    assert [row[3:7] for row in rows] == [["CP-eg-a", "2026-09-21", "ce-a GZ-ce-a", "ag-a"]]
    told = consoles.stranger().ask("GET", "/public/products").json()
    assert [one["sources"] for one in told] == [{"ce-a": "GZ-ce-a"}]
    assert "scenario" not in json.dumps(told)


def test_the_catalogue_is_found_by_words_and_state_and_paged(
    granted: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted.entry("ce-b", until="confirmed", title_zh="道路", title_en="roads")
    granted.entry("ce-draft", until="graded", title_zh="草稿")
    consoles = consoles_of(granted)

    def ids(query: str) -> list[str]:
        return [row[0].split()[-1] for row in cells(asked(consoles, f"/public/catalogue{query}").text)]

    assert ids("") == ["ce-a", "ce-b"]
    assert ids("?find=ROADS") == ids("?find=道路") == ids("?state=confirmed") == ["ce-b"]
    assert ids("?find=district%20residents") == ["ce-a"]  # a field's name, and the title's
    assert "没有找到条目" in asked(consoles, "/public/catalogue?find=草稿").text
    monkeypatch.setattr(public, "SIZE", 1)
    first = asked(consoles, "/public/catalogue?state=").text
    granted.clock.move(seconds=61)
    first = asked(consoles, "/public/catalogue").text
    assert [row[0].split()[-1] for row in cells(first)] == ["ce-a"]
    following = lxml.html.fromstring(first).xpath("//a[@rel='next']/@href")
    assert following == ["/console/public/catalogue?after=ce-a"]
    assert ids("?after=ce-a") == ["ce-b"]


def test_a_search_that_does_not_end_says_so_and_goes_on(
    granted: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ce-b", "ce-c", "ce-d", "ce-e", "ce-f"):
        granted.entry(name, until="confirmed", title_zh="末尾" if name == "ce-f" else "道路")
    monkeypatch.setattr(public, "SIZE", 1)
    monkeypatch.setattr(public, "SCANNED", 4)
    consoles = consoles_of(granted)
    page = asked(consoles, "/public/catalogue?find=末尾").text
    assert "还没有查完" in page
    url = lxml.html.fromstring(page).xpath("//a[@rel='next']/@href")[0].removeprefix("/console")
    assert [row[0].split()[-1] for row in cells(asked(consoles, url).text)] == ["ce-f"]


def test_an_entry_has_its_page_once_it_is_confirmed(granted: Scene) -> None:
    granted.entry("ce-draft", until="graded", title_zh="草稿")
    consoles = consoles_of(granted)
    page = asked(consoles, "/public/catalogue-entry/ce-a").text
    assert {row[0] for row in cells(page)} == {"person_id", "district", "income", "phone", "day"}
    for path in ("ce-draft", "ce-none", "su-a"):
        answer = consoles.stranger().get(f"/public/catalogue-entry/{path}")
        assert (answer.status_code, "NOT_FOUND" in answer.text) == (404, True)
        assert "public" not in answer.headers["cache-control"]
    assert consoles.stranger().get("/public/catalogue?after=ce-draft").status_code == 404


def test_the_negative_list_says_why(granted: Scene) -> None:
    granted.entry("ce-z", until="graded")
    listed = {"entry": "ce-z", "reason": "国家秘密", "law": "GZ 二(一)"}
    granted.create("chief", "negative-list-entry", listed, "nl-a")
    assert cells(asked(consoles_of(granted), "/public/negative-list").text) == [
        ["ce-z", "国家秘密", "GZ 二(一)"]
    ]


def test_strangers_share_a_copy_and_nobody_else_does(granted: Scene) -> None:
    consoles = consoles_of(granted)
    person = consoles("developer")
    own = person.get("/public")
    assert "dev · " in own.text
    assert own.headers["cache-control"] == "no-store"
    first = asked(consoles, "/public")
    assert first.headers["cache-control"] == KEPT
    assert first.headers["vary"] == "Cookie"
    assert "set-cookie" not in first.headers
    assert "dev · " not in first.text  # what a person saw before is in nobody's copy
    assert 'name="csrf" value=""' in first.text
    granted.agreement("ag-b", title="second")
    assert asked(consoles, "/public").text == first.text
    assert "second" in person.get("/public").text
    granted.clock.move(seconds=61)
    assert "second" in asked(consoles, "/public").text


def test_a_copy_is_of_one_language_theme_and_question(granted: Scene) -> None:
    consoles = consoles_of(granted)
    seen = {}
    for lang in ("zh", "en"):
        for theme in ("light", "dark"):
            person = Person(consoles.app, httpx.Cookies({"lang": lang, "theme": theme}))
            page = lxml.html.fromstring(person.get("/public").text)
            seen[lang, theme] = (page.get("lang"), page.get("data-theme"))
    assert seen == {
        (lang, theme): ({"zh": "zh-CN", "en": "en"}[lang], theme)
        for lang in ("zh", "en")
        for theme in ("light", "dark")
    }
    # however long the question, it is told apart to its end
    spaces = "%20" * 300
    assert "没有找到条目" in asked(consoles, f"/public/catalogue?find={spaces}nothing").text
    assert "没有找到条目" not in asked(consoles, f"/public/catalogue?find={spaces}income").text
    # a forged session is a stranger without a copy
    forged = Person(consoles.app, httpx.Cookies({"__Host-sandbox": "x" * 43}))
    assert forged.get("/public").headers["cache-control"] == "no-store"


def test_copies_are_bounded(granted: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "COPIES", 3)
    consoles = consoles_of(granted)
    for number in range(6):
        asked(consoles, f"/public/catalogue?find={number}&unheard={number}")
    kept = public._copies(granted.store)._kept
    assert [key[3] for key in kept] == ["3", "4", "5"]
