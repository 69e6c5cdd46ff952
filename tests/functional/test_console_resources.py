"""Pages of any kind, over HTTP: lists, one resource, its acts with and without the password, its form."""

from __future__ import annotations

import csv
import io

import lxml.html
import pytest

from sandbox.control.kinds import KINDS
from tests.plugins.console import PASSWORD, consoles_of
from tests.plugins.space import Scene


def texts(page: str, path: str) -> list[str]:
    return [" ".join(one.text_content().split()) for one in lxml.html.fromstring(page).xpath(path)]


def test_a_list_shows_what_one_may_see_and_gives_it_as_csv(granted: Scene) -> None:
    person = consoles_of(granted)("developer")
    page = person.get("/r/scenario").text
    assert any("sc-a" in line for line in texts(page, "//tbody/tr"))
    answer = person.get("/r/scenario/export.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="scenario.csv"'
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0][0] == "编号"
    assert [row[0] for row in rows[1:]] == [
        one.id for one in granted.space.control.find(granted.who("developer"), "scenario")
    ]
    assert "sc-a" not in person.get("/r/scenario?state=rejected").text


def test_a_resource_says_what_can_be_done_and_why_the_rest_cannot(granted: Scene) -> None:
    page = consoles_of(granted)("developer").get("/r/agreement/ag-a").text
    assert texts(page, "//section[contains(., '可办理')]//form") == []
    why = " ".join(texts(page, "//details//li"))
    assert "须由" in why
    assert texts(page, "//li[@aria-current='step']") == ["生效"]


def test_a_decision_asks_for_the_password_once(granted: Scene) -> None:
    consoles = consoles_of(granted)
    person = consoles("body")
    shown = person.get("/r/agreement/ag-a").text
    assert 'name="password"' in shown
    refused = person.post("/r/agreement/ag-a/suspend", {"reason": "试一试"})
    assert refused.status_code == 403
    assert "STEP_UP" in refused.text
    assert granted.state("agreement", "ag-a") == "active"
    wrong = person.post("/r/agreement/ag-a/suspend", {"reason": "试一试", "password": "not this one at all"})
    assert "PASSWORD_WRONG" in wrong.text
    assert granted.state("agreement", "ag-a") == "active"
    done = person.post("/r/agreement/ag-a/suspend", {"reason": "试一试", "password": PASSWORD})
    assert (done.status_code, done.headers["location"]) == (303, "/console/r/agreement/ag-a")
    assert granted.state("agreement", "ag-a") == "suspended"
    assert 'name="password"' not in person.get("/r/agreement/ag-a").text
    assert person.post("/r/agreement/ag-a/resume", {"reason": "好了"}).status_code == 303
    assert "试一试" in person.get("/r/agreement/ag-a").text


def test_an_old_page_changes_nothing(granted: Scene) -> None:
    person = consoles_of(granted)("body")
    form = {"reason": "试一试", "password": PASSWORD, "version": "1"}
    answer = person.post("/r/agreement/ag-a/suspend", form)
    assert answer.status_code == 409
    assert "STALE" in answer.text
    assert granted.state("agreement", "ag-a") == "active"
    # the session that the password left goes on
    assert person.get("/").status_code == 200


def test_a_new_resource_from_its_form(granted: Scene) -> None:
    person = consoles_of(granted)("chief")
    names = set(KINDS["negative-list-entry"].spec.model_fields)
    form = {"entry": "ce-a", "reason": "国家安全", "law": "GZ 二(一)", "id": "nl-x"}
    form = {name: text for name, text in form.items() if name in names | {"id"}}
    refused = person.post("/r/negative-list-entry/new", form)
    assert refused.status_code == 403
    assert "nl-x" in refused.text  # what was filled in is still there
    made = person.post("/r/negative-list-entry/new", {**form, "password": PASSWORD})
    assert made.headers.get("location") == "/console/r/negative-list-entry/nl-x", made.text
    assert granted.state("negative-list-entry", "nl-x") == "listed"


def test_a_page_that_waits_for_the_machine_is_loaded_anew_once_it_is_done(granted: Scene) -> None:
    granted.job(until="queued")
    person = consoles_of(granted)("developer")
    assert 'hx-get="/console/r/job/job-a/state"' in person.get("/r/job/job-a").text
    assert "HX-Refresh" not in person.get("/r/job/job-a/state").headers
    granted.act("developer", "job", "job-a", "cancel")
    assert person.get("/r/job/job-a/state").headers["HX-Refresh"] == "true"
    assert "hx-get" not in person.get("/r/job/job-a").text


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_pages_speak_the_chosen_language(granted: Scene, lang: str) -> None:
    person = consoles_of(granted)("reviewer")
    answer = person.post("/preferences", {"lang": lang, "next": "/console/review"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/review")
    page = lxml.html.fromstring(person.get("/review").text)
    assert page.get("lang") == {"zh": "zh-CN", "en": "en"}[lang]
    words = page.xpath("string(//main)")
    assert any("\u4e00" <= char <= "\u9fff" for char in words) == (lang == "zh")
