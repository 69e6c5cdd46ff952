"""The developer's way to a grant, a job and a mended output: search, application, pre-check, mend."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from typing import Any

import httpx
import pytest
import yaml

from sandbox.console.views import catalogue as views
from sandbox.console.views.checks import GUARDS
from sandbox.control import entry_index as index
from sandbox.control.kinds import KINDS
from sandbox.control.rehearsal import FORM, rehearse
from tests.plugins.console import Consoles, Person, consoles_of
from tests.plugins.space import PURPOSE, Scene, field_of

SECRET = "rule-text-for-reviewers"
TOLD = {
    "step": "review",
    "entry.ce-b": "on",
    "c.ce-b.district": "on",
    "c.ce-b.income": "on",
    "title": "收入统计",
    "purpose": "income-by-district",
    "description": "按区汇总",
    "agreement": "ag-b",
    "starts": "2026-10-01",
    "ends": "2027-09-30",
    "uses": "5",
}
JOB = {
    "scenario": "sc-a",
    "language": "sql",
    "code": "CREATE TABLE result AS SELECT district, count(*) AS people FROM t1 GROUP BY 1",
    "c.pr-a.district": "on",
    "name.pr-a": "t1",
    "path": "result.csv",
    "kind": "table",
    "dimensions": "district",
    "counts": "people",
}


@pytest.fixture
def desk(granted: Scene) -> Consoles:
    """A console; beside what is granted an entry and an agreement to apply for."""
    granted.entry("ce-b", title_zh="企业纳税", title_en="taxes of firms")
    granted.agreement("ag-b", scope=["ce-a", "ce-b"])
    return consoles_of(granted)


def applied(person: Person, act: str, **over: str) -> httpx.Response:
    """The application as the form sends it."""
    form = {key: value for key, value in {**TOLD, **over}.items() if value}
    return person.post("/develop/scenario", {**form, "act": act})


def text_of(answer: httpx.Response) -> str:
    return html.unescape(re.sub(r"\s+", " ", answer.text))


def ticked(answer: httpx.Response) -> set[str]:
    """The columns that a page has ticked."""
    return set(re.findall(r'name="(c\.[^"]+)" value="on"[^>]* checked', answer.text))


# --- the catalogue


SEARCHES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("", ("ce-a", "ce-b"), ()),
    ("find=纳税", ("ce-b",), ("ce-a",)),
    ("find=TAXES firms", ("ce-b",), ("ce-a",)),
    ("find=office person_id", ("ce-a", "ce-b"), ()),
    ("find=district&category=people&provider=office&state=included", ("ce-a", "ce-b"), ()),
    ("find=nothing-like-it", (), ("ce-a", "ce-b")),
    ("category=weather", (), ("ce-a", "ce-b")),
    ("provider=bureau", (), ("ce-a", "ce-b")),
    ("state=excluded", (), ("ce-a", "ce-b")),
    ("state=graded", ("ce-a",), ("ce-z",)),  # no state of a search: as if nothing was said
)


def test_the_catalogue_is_found_by_words_and_narrowed(desk: Consoles) -> None:
    desk.scene.entry("ce-z", until="graded")
    for query, there, absent in SEARCHES:
        page = desk("developer").get(f"/develop/catalogue?{query}").text
        for id in there:
            assert f"/console/develop/catalogue-entry/{id}" in page
        for id in (*absent, "ce-z"):
            assert f"/console/develop/catalogue-entry/{id}" not in page


def test_a_search_looks_at_so_many_entries_and_goes_on_by_a_link(
    desk: Consoles, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        desk.scene.entry(f"ce-m{n}", title_en="needle" if n == 4 else "hay")
    for where, name, value in ((index, "CHUNK", 2), (index, "BATCH", 2), (views, "LOOKED", 2)):
        monkeypatch.setattr(where, name, value)
    developer, path, seen = desk("developer"), "/develop/catalogue?find=needle", 0
    while "/console/develop/catalogue-entry/ce-m4" not in (page := developer.get(path).text):
        seen += 1
        found = re.search(r'href="/console(/develop/catalogue\?[^"]*after=[^"]*)"', page)
        assert found
        path = html.unescape(found[1])
    assert seen == 3  # seven entries, two a page, the last chunks read anew each time
    assert "继续查找" not in page
    monkeypatch.setattr(views, "LOOKED", 100)
    monkeypatch.setattr(views, "SHOWN", 4)
    first = developer.get("/develop/catalogue").text
    found = re.search(r'href="/console(/develop/catalogue\?[^"]*after=[^"]*)"', first)
    assert found
    rest = developer.get(html.unescape(found[1])).text
    listed = [re.findall(r"catalogue-entry/(ce-\w+)", page) for page in (first, rest)]
    assert listed == [["ce-a", "ce-b", "ce-m0", "ce-m1"], ["ce-m2", "ce-m3", "ce-m4"]]
    assert developer.get("/develop/catalogue?after=ce-none").status_code == 404


def test_a_search_knows_of_each_change_at_once(desk: Consoles) -> None:
    developer, scene = desk("developer"), desk.scene
    scene.entry("ce-z", until="graded", title_en="hidden")

    def found() -> set[str]:
        return set(re.findall(r"catalogue-entry/(ce-\w+)", developer.get("/develop/catalogue").text))

    assert found() == {"ce-a", "ce-b"}
    scene.act("confirmer", "catalogue-entry", "ce-z", "confirm")
    assert found() == {"ce-a", "ce-b", "ce-z"}
    scene.act("editor", "catalogue-entry", "ce-b", "exclude", {"reason": "no", "law": "GD 11"})
    assert "不予授权" in developer.get("/develop/catalogue").text
    scene.act("editor", "catalogue-entry", "ce-z", "withdraw")
    assert found() == {"ce-a", "ce-b"}


def test_an_entry_has_its_grades_and_leads_to_an_application(desk: Consoles) -> None:
    desk.scene.entry("ce-c", until="confirmed")
    developer = desk("developer")
    page = developer.get("/develop/catalogue-entry/ce-b").text
    assert "个人信息" in page
    assert "准标识符" in page
    assert "/console/develop/scenario?entry=ce-b" in page
    page = developer.get("/develop/catalogue-entry/ce-c").text
    assert "不能申请" in page
    assert "scenario?entry=" not in page
    desk.scene.entry("ce-z", until="graded")
    assert developer.get("/develop/catalogue-entry/ce-z").status_code == 404
    developer.post("/preferences", {"lang": "en"})
    assert "Apply for this" in developer.get("/develop/catalogue-entry/ce-b").text


# --- the application


def test_columns_are_derived_from_sql_and_what_is_beyond_need_is_marked(desk: Consoles) -> None:
    developer = desk("developer")
    assert "在 SQL 中写作" in developer.get("/develop/scenario?entry=ce-b").text
    sql = "SELECT district, avg(income) FROM ce_b GROUP BY 1"
    page = applied(developer, "derive", step="data", sql=sql)
    assert ticked(page) == {"c.ce-b.district", "c.ce-b.income"}
    asked = {"c.ce-b.phone": "on"}
    page = applied(developer, "data", sql=sql, **asked)
    assert ticked(page) == {"c.ce-b.district", "c.ce-b.income", "c.ce-b.phone"}
    assert '多于所需：</strong> <bdi class="code">phone</bdi>' in text_of(page)
    page = applied(developer, "derive", sql="SELECT * FROM ce_b; SELECT x FROM nowhere, ce_b AS b")
    assert "不是最小必要" in page.text
    assert len(ticked(page)) == 5
    for name in ("nowhere", "没有这个表"):
        assert name in page.text
    page = applied(developer, "derive", sql="SELECT nope FROM ce_b")
    assert "目录里没有这一列" in page.text


def test_each_step_carries_the_others_along(desk: Consoles) -> None:
    developer = desk("developer")
    for step in ("why", "who", "term", "review"):
        page = applied(developer, step, sql="SELECT district FROM ce_b", find="x", **{"form.report": "on"})
        assert page.status_code == 200
        names = set(re.findall(r'name="([^"]+)"', page.text))
        assert {"entry.ce-b", "c.ce-b.district", "sql", "title", "agreement", "uses", "form.report"} <= names
    assert "填写完整、格式正确" in page.text
    assert page.text.count(">符合<") == 5


def test_the_application_comes_into_being_as_it_was_filled_in(desk: Consoles) -> None:
    before = len(desk.scene.everything())
    answer = applied(
        desk("developer"),
        "file",
        **{"form.report": "on", "rows.ce-b": "income >= 100\ndistrict in 东城, 西城\r\n"},
        **{"period.ce-b": "day", "from.ce-b": "2020-01-01", "to.ce-b": "2020-12-31"},
    )
    assert answer.status_code == 303, answer.text
    made = desk.scene.get("scenario", answer.headers["location"].rpartition("/")[2])
    assert len(desk.scene.everything()) == before + 1
    assert made.organisation == "dev"
    assert made.spec["list"] == [
        {
            "entry": "ce-b",
            "columns": ["district", "income"],
            "rows": [
                {"column": "income", "op": ">=", "value": 100},
                {"column": "district", "op": "in", "value": ["东城", "西城"]},
            ],
            "period": {"column": "day", "from": "2020-01-01", "to": "2020-12-31"},
        }
    ]
    assert made.spec["product_forms"] == ["report"]
    assert (made.spec["purpose"], made.spec["uses"]) == ("income-by-district", 5)


REFUSALS: tuple[tuple[dict[str, str], str, str], ...] = (
    ({"agreement": "ag-a"}, "OUT_OF_SCOPE", "who"),
    ({"c.ce-b.district": "", "c.ce-b.income": ""}, "MALFORMED", "data"),
    ({"entry.ce-b": ""}, "MALFORMED", "data"),
    ({"rows.ce-b": "income about 100"}, "ROWS_UNREAD", "data"),
    ({"rows.ce-b": "wages > 100"}, "COLUMN_UNKNOWN", "data"),
    ({"period.ce-b": "day", "from.ce-b": "soon"}, "MALFORMED", "data"),
    ({"title": ""}, "MALFORMED", "why"),
    ({"purpose": "Not A Code"}, "MALFORMED", "why"),
    ({"description": "x"}, "MALFORMED", "why"),
    ({"agreement": ""}, "MALFORMED", "who"),
    ({"agreement": "ag-none"}, "AGREEMENT_INACTIVE", "who"),
    ({"starts": "2027-10-01"}, "TERM_ORDER", "term"),
    ({"ends": "2029-01-01"}, "TERM_OUTSIDE", "term"),
    ({"uses": "many"}, "FORM_NUMBER", "term"),
    ({"uses": "0"}, "MALFORMED", "term"),
)


def test_a_refusal_is_shown_at_its_step_and_nothing_comes_into_being(desk: Consoles) -> None:
    for over, code, step in REFUSALS:
        developer, before = desk("developer"), desk.scene.everything()
        answer = applied(developer, "file", **over)
        assert 400 <= answer.status_code < 500, answer.status_code
        assert code in answer.text
        assert f'name="step" value="{step}"' in answer.text
        review = applied(developer, "review", **over)
        assert code in review.text
        assert f'name="act" value="{step}" formnovalidate' in review.text
        assert desk.scene.everything() == before


UNREAD = (
    ("SELECT district FROM ce_b\nWHERE", "SQL_UNREAD"),
    ("DROP TABLE ce_b", "SQL_STATEMENT"),
    ("SELECT getenv('HOME')", "SQL_FUNCTION"),
    ("SELECT " + "(" * 3000, "SQL_DEEP"),
    ("SELECT '" + "x" * (65 << 10) + "'", "SQL_LONG"),
)


def test_sql_that_cannot_be_read_is_one_sentence(desk: Consoles) -> None:
    for sql, code in UNREAD:
        answer = applied(desk("developer"), "derive", sql=sql)
        assert (answer.status_code, code in answer.text) == (422, True)


def test_the_form_takes_so_many_entries_and_only_what_may_be_known(desk: Consoles) -> None:
    developer = desk("developer")
    many = {f"entry.ce-{n}": "on" for n in range(9)}
    assert "FORM_MANY" in applied(developer, "find", **many).text
    desk.scene.entry("ce-z", until="graded", title_zh=SECRET)
    page = applied(developer, "data", **{"entry.ce-z": "on"}).text
    assert SECRET not in page
    wide = [field_of(f"f{n}") for n in range(801)] + [field_of("person_id", "identifier")]
    desk.scene.entry("ce-w", fields=wide)
    assert "FORM_MANY" in applied(developer, "data", **{"entry.ce-w": "on"}).text


# --- a job beforehand


def guided(person: Person, act: str, **over: str) -> httpx.Response:
    """The guided form of a job as a browser sends it."""
    form = {key: value for key, value in {**JOB, **over}.items() if value}
    return person.post("/develop/job/form", {**form, "act": act})


def test_a_job_is_checked_beforehand_without_coming_into_being(desk: Consoles) -> None:
    developer, before = desk("developer"), desk.scene.everything()
    page = developer.get("/develop/job/form?scenario=sc-a").text
    for text in ("c.pr-a.income", "剩余次数", "运行时间至多"):
        assert text in page
    logged = desk.scene.logged()
    page = guided(developer, "check").text
    assert "可以提交；提交后授权还剩 18 次" in page
    assert page.count(">符合<") == 5
    assert desk.scene.logged() == logged
    page = guided(developer, "check", **{"c.pr-a.income": "on"}).text
    assert "t1.income" in page
    page = guided(developer, "check", code="SELECT wages FROM t1").text
    assert "wages" in page
    page = guided(developer, "check", code="SELECT district FROM t1 WHERE").text
    assert "没有比对 SQL 与列" in page
    assert desk.scene.everything() == before


CHECKED: tuple[tuple[dict[str, str], str, int, int], ...] = (
    ({"c.pr-a.district": ""}, "MALFORMED", 0, 4),
    ({"path": "../x"}, "MALFORMED", 0, 4),
    ({"language": "cobol"}, "MALFORMED", 0, 3),
    ({"code": "DROP TABLE t1"}, "SQL_STATEMENT", 4, 0),
)


def test_a_pre_check_names_the_refusal_and_what_was_not_asked(desk: Consoles) -> None:
    for over, code, held, open_ in CHECKED:
        developer, before = desk("developer"), desk.scene.everything()
        logged = desk.scene.logged()
        page = guided(developer, "check", **over).text
        assert code in page
        assert (page.count(">符合<"), page.count(">不符<"), page.count(">未问到<")) == (held, 1, open_)
        [entry] = desk.scene.log(logged)
        assert (entry.action, entry.outcome, entry.reason) == ("rehearse", "refused", code)
        assert code in guided(developer, "submit", **over).text
        assert desk.scene.everything() == before


def test_a_guided_job_is_submitted_and_is_the_same_as_its_yaml(desk: Consoles) -> None:
    developer = desk("developer")
    page = guided(developer, "yaml", ordered="on", log="on")
    found = re.search(r"<textarea[^>]*name=\"manifest\".*?>\n(.*?)</textarea>", page.text, re.S)
    assert found
    spec = yaml.safe_load(html.unescape(found[1]))["spec"]
    assert spec["outputs"] == [
        {
            "path": "result.csv",
            "kind": "table",
            "dimensions": ["district"],
            "counts": ["people"],
            "ordered": True,
        }
    ]
    answer = guided(developer, "submit", ordered="on", log="on")
    assert answer.status_code == 303, answer.text
    made = desk.scene.get("job", answer.headers["location"].rpartition("/")[2]).spec
    assert made["code"] == {"main.sql": JOB["code"]}
    assert {key: made[key] for key in ("scenario", "purpose", "language", "entry", "log")} == {
        key: spec[key] for key in ("scenario", "purpose", "language", "entry", "log")
    }


def test_the_manifest_is_checked_beforehand_too(desk: Consoles) -> None:
    developer, before = desk("developer"), desk.scene.everything()
    spec = desk.scene.job_spec()
    form = {"manifest": yaml.safe_dump({"kind": "job", "spec": spec}), "act": "check"}
    assert "可以提交" in developer.post("/develop/job", form).text
    form["manifest"] = yaml.safe_dump({"kind": "job", "spec": {**spec, "purpose": "else"}})
    assert "PURPOSE_MISMATCH" in developer.post("/develop/job", form).text
    assert desk.scene.everything() == before


def test_a_rival_learns_of_a_foreign_grant_only_that_there_is_none(desk: Consoles) -> None:
    rival = desk("rival")
    assert "没有可以使用的授权场景" in rival.get("/develop/job/form?scenario=sc-a").text
    spec = desk.scene.job_spec()
    answers = []
    for scenario in ("sc-a", "sc-none"):
        form = {"manifest": yaml.safe_dump({"spec": {**spec, "scenario": scenario}}), "act": "check"}
        page = rival.post("/develop/job", form).text
        answers.append(re.findall(r"[A-Z]+_[A-Z_]+", page.split('id="before"')[1].split("<form")[0]))
    assert answers[0] == answers[1] == ["SCENARIO_UNKNOWN"]


def test_every_guard_of_a_creation_that_is_rehearsed_has_a_name(desk: Consoles) -> None:
    for kind in ("job", "scenario"):
        guards = {FORM, *(one.__name__ for one in KINDS[kind].create.guards)}
        assert guards <= GUARDS.keys()
    answers = rehearse(desk.scene.control, desk.scene.who("reviewer"), "job", {})
    assert [one.refusal.code for one in answers if one.refusal] == ["ROLE"]
    answers = rehearse(
        desk.scene.control, desk.scene.who("developer"), "job", {**desk.scene.job_spec(), "anonymised": True}
    )
    assert [one.refusal.code for one in answers if one.refusal] == ["MACHINE_ONLY"]
    spec = {**TOLD, "list": [{"entry": "ce-b", "columns": ["day"], "rows": [ROW]}]}
    spec = {
        key: spec[key] for key in ("agreement", "title", "purpose", "description", "starts", "ends", "list")
    }
    answers = rehearse(desk.scene.control, desk.scene.who("developer"), "scenario", {**spec, "uses": 1})
    assert [one.refusal.code for one in answers if one.refusal] == ["MALFORMED"]  # what has no canonical form


ROW: dict[str, Any] = {"column": "income", "op": "=", "value": 1 << 60}


def test_a_question_has_its_price_before_it_is_asked(granted: Scene) -> None:
    granted.overlay(raw__developer_use="allowed")
    desk = consoles_of(granted)
    spec = {
        "scenario": "sc-a",
        "purpose": PURPOSE,
        "language": "dp",
        "query": {
            "nano_rho": 1_000_000,
            "by": [{"column": "district", "keys": ["A", "B"]}],
            "measures": [{"name": "n", "of": "distinct"}],
        },
        "inputs": [{"name": "residents", "entry": "ce-a", "columns": ["person_id", "district"]}],
        "outputs": [{"path": "n.csv", "kind": "table"}],
    }
    before = granted.everything()
    form = {"manifest": yaml.safe_dump({"spec": spec}), "act": "check"}
    page = desk("developer").post("/develop/job", form).text
    for text in ("差分隐私花费", "1000000", "整个场景", "够用"):
        assert text in page, text
    form["manifest"] = yaml.safe_dump({"spec": spec}).replace("nano_rho: 1000000", "nano_rho: 100000000000")
    page = desk("developer").post("/develop/job", form).text
    for text in ("BUDGET", "不足"):
        assert text in page, text
    assert granted.everything() == before


# --- what is held


def held(scene: Scene, *findings: dict[str, Any], **over: Any) -> None:
    """A rejected request of a job whose output declares what it holds."""
    output = {"path": "out.csv", "kind": "table", "dimensions": ["district"], "counts": ["people"]}
    code = {
        "main.sql": "CREATE TABLE out AS SELECT district, count(*) AS people FROM residents GROUP BY 1;\n"
    }
    scene.job(**{"outputs": [output], "code": code, **over})
    scene.request(until="auto_check")
    check = scene.check("eg-a", "reject", *findings)
    scene.act("system", "egress-request", "eg-a", "object", check)


def test_a_mend_tells_families_and_prepares_a_follow_up(granted: Scene) -> None:
    held(granted, granted.finding(evidence={"count": 7}, where=SECRET, message_zh=SECRET))
    desk = consoles_of(granted)
    developer, before = desk("developer"), granted.everything()
    assert "/console/develop/mend/eg-a" in developer.get("/develop").text
    page = developer.get("/develop/mend/eg-a").text
    for text in (
        "个人信息和商业秘密",
        "抑制小格",
        "合并类别",
        "people",
        "residents=trial/data/residents.parquet",
    ):
        assert text in page
    for kept in (SECRET, "SMALL_CELL", "26.4"):
        assert kept not in page
    form = {"suppress": "on", "least": "10", "base": "5"}
    answer = html.unescape(developer.post("/develop/mend/eg-a", form).text)
    assert 'CAST(round("people" / 5.0) * 5 AS BIGINT) AS "people"' in answer
    assert 'WHERE "people" >= 10;' in answer
    assert "scenario: sc-a" in answer
    manifest, code = (
        re.search(rf"<textarea[^>]*name=\"{name}\".*?>\n(.*?)</textarea>", answer, re.S)
        for name in ("manifest", "code")
    )
    assert manifest
    assert code
    typed = {"manifest": manifest[1], "code": code[1]}
    assert "可以提交" in developer.post("/develop/job", {**typed, "act": "check"}).text
    assert granted.everything() == before


NOTHING: tuple[tuple[dict[str, str], str], ...] = (
    ({}, "MEND_NOTHING"),
    ({"base": "7"}, "FORM_NUMBER"),
    ({"suppress": "on", "least": "ten"}, "FORM_NUMBER"),
    ({"suppress": "on", "least": "0"}, "FORM_NUMBER"),
)


def test_a_mend_that_says_nothing_is_refused(granted: Scene) -> None:
    held(granted, granted.finding())
    developer = consoles_of(granted)("developer")
    for form, code in NOTHING:
        answer = developer.post("/develop/mend/eg-a", form)
        assert (answer.status_code, code in answer.text) == (422, True)


def test_what_no_machine_can_mend_is_said_so(granted: Scene) -> None:
    held(granted, granted.finding("DIFFERENCING"), granted.finding("FORMAT", path=""))
    developer = consoles_of(granted)("developer")
    page = developer.get("/develop/mend/eg-a").text
    assert page.count("没有机器能施加的保护") == 2
    assert "准备后续作业" not in page
    assert "MEND_NOTHING" in developer.post("/develop/mend/eg-a", {"base": "5"}).text


def test_only_the_submitter_sees_a_mend(granted: Scene) -> None:
    held(granted, granted.finding())
    desk = consoles_of(granted)
    for path in ("eg-a", "eg-none"):
        answer = desk("rival").get(f"/develop/mend/{path}")
        assert (answer.status_code, "NOT_FOUND" in answer.text) == (404, True)


def test_a_recipient_is_told_nothing_of_the_check(granted: Scene) -> None:
    granted.job()
    granted.request(recipient="dev-two", until="human_review")
    answer = consoles_of(granted)("rival").get("/develop/mend/eg-a")
    assert (answer.status_code, "NOT_FOUND" in answer.text) == (404, True)


# --- progress, and what is taken


def test_a_waiting_job_tells_its_place_among_its_own(granted: Scene) -> None:
    desk = consoles_of(granted)
    granted.job("job-one", until="queued")
    granted.clock.move(minutes=2)
    granted.job("job-two", until="queued")
    page = text_of(desk("developer").get("/develop/state"))
    assert "本单位排队第 1 位" in page
    assert "本单位排队第 2 位" in page
    assert 'aria-current="step"' in page
    granted.act("developer", "job", "job-one", "cancel")
    page = text_of(desk("developer").get("/develop/state"))
    assert "本单位排队第 1 位" in page
    assert "本单位排队第 2 位" not in page
    assert "job-two" not in desk("rival").get("/develop/state").text


def test_the_program_of_the_release_page_verifies_the_package(granted: Scene, tmp_path: Any) -> None:
    granted.job()
    granted.request()
    developer = consoles_of(granted)("developer")
    page = html.unescape(developer.get("/release/eg-a").text)
    found = re.search(r"python3 - <<'PY'\n(.*?)\nPY</pre>", page, re.S)
    assert found
    content = developer.post("/release/eg-a/package").content
    for body, fine in ((content, True), (content[:-1] + bytes([content[-1] ^ 1]), False)):
        (tmp_path / "eg-a.zip").write_bytes(body)
        done = subprocess.run(
            [sys.executable, "-c", found[1]], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ((done.returncode == 0), done.stdout.startswith("ok ")) == (fine, fine), done.stderr
