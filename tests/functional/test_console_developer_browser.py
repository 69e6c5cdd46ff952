"""The developer's main path in a browser: search, apply, submit, see what is held, mend, take the package."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.test_console_desk_browser import Hand
from tests.plugins.browser import Visitor, serving
from tests.plugins.console import Consoles, consoles_of
from tests.plugins.space import Scene

SQL = "SELECT district, avg(income) AS mean FROM ce_b GROUP BY district"
CODE = "CREATE TABLE result AS SELECT district, count(DISTINCT person_id) AS people FROM t1 GROUP BY district"


@pytest.fixture
def desk(granted: Scene) -> Consoles:
    """A console with something to search for, and an agreement to apply under."""
    granted.entry("ce-b", title_zh="企业纳税", title_en="taxes of firms")
    granted.agreement("ag-b", scope=["ce-a", "ce-b"])
    return consoles_of(granted)


@pytest.fixture
def address(desk: Consoles) -> Iterator[str]:
    """Where the desk is served."""
    with serving(desk.app) as url:
        yield url


def test_from_sign_in_to_an_application(desk: Consoles, address: str, visitor: Visitor) -> None:
    user = visitor(address)
    hand, page = Hand(user), user.page
    hand.sign_in(desk, "developer")
    hand.click("nav.menu a[href='/console/develop/catalogue']")
    page.fill("#f-find", "纳税")
    page.press("#f-find", "Enter")
    hand.click("main a[href='/console/develop/catalogue-entry/ce-b']")
    user.shot("developer-entry")
    hand.click("main a[href^='/console/develop/scenario']")
    page.fill("#f-sql", SQL + "; SELECT wages FROM ce_b")
    hand.click("button[value=derive]")
    assert page.get_by_text("目录里没有这一列").is_visible()
    page.fill("#f-sql", SQL)
    hand.click("button[value=derive]")
    assert page.locator("table.picks input:checked").count() == 2
    page.check("[name='c.ce-b.phone']")
    hand.click("button[value=derive]")
    assert page.locator("table.picks input:checked").count() == 2
    page.check("[name='c.ce-b.phone']")
    hand.click("button[value=find]")
    assert page.locator("table.picks tr.is-hold").count() == 1
    assert user.axe() == []
    user.shot("developer-apply-data")
    page.uncheck("[name='c.ce-b.phone']")
    hand.click("button[value=why]")
    assert user.axe() == []
    page.fill("#f-title", "收入统计")
    page.fill("#f-purpose", "income-by-district")
    page.fill("#f-description", "按区汇总企业收入，供规划参考")
    hand.click("button[value=who]")
    assert user.axe() == []
    user.shot("developer-apply-who")
    page.check("#ag-ag-a")
    hand.click("button[value=term]")
    page.fill("#f-starts", "2026-10-01")
    page.fill("#f-ends", "2027-09-30")
    page.fill("#f-uses", "5")
    assert user.axe() == []
    hand.click("button[value=review]")
    assert page.get_by_text("OUT_OF_SCOPE", exact=True).is_visible()
    assert user.axe() == []
    user.shot("developer-apply-refused")
    hand.click("button[value=who]")
    page.check("#ag-ag-b")
    hand.click("button[value=term]")
    hand.click("button[value=review]")
    assert page.locator(".checks .is-ok").count() == 5
    user.shot("developer-apply-review")
    hand.click("button[value=file]")
    page.wait_for_url("**/console/r/scenario/*")
    made = desk.scene.get("scenario", page.url.rpartition("/")[2])
    assert made.spec["list"][0]["columns"] == ["district", "income"]


def test_from_a_job_to_its_package_by_way_of_what_is_held(
    desk: Consoles, address: str, visitor: Visitor, tmp_path: Path
) -> None:
    scene, user = desk.scene, visitor(address)
    hand, page = Hand(user), user.page
    hand.sign_in(desk, "developer")
    user.goto("/console/develop")
    hand.click("main a.primary[href='/console/develop/job/form']")
    for column in ("person_id", "district", "income"):
        page.check(f"[name='c.pr-a.{column}']")
    page.fill("#f-code", CODE.replace("CREATE TABLE", "INSERT INTO"))
    page.fill("#f-dimensions", "district")
    page.fill("#f-counts", "people")
    hand.click("button[value=check]")
    assert page.get_by_text("SQL_STATEMENT", exact=True).is_visible()
    assert user.axe() == []
    page.fill("#f-code", CODE)
    hand.click("button[value=check]")
    assert page.get_by_text("t1.income").is_visible()  # ticked, and not read
    assert page.locator(".checks .is-ok").count() == 5
    user.shot("developer-precheck")
    page.uncheck("[name='c.pr-a.income']")
    hand.click("button[value=submit]")
    page.wait_for_url("**/console/r/job/*")
    job = page.url.rpartition("/")[2]
    user.goto("/console/develop")
    assert page.get_by_text("本单位排队第 1 位").is_visible()
    user.shot("developer-desk-waiting")

    output = {"path": "result.csv", "kind": "table", "counts": ["people"], "dimensions": ["district"]}
    scene.job("job-held", outputs=[output], code={"main.sql": CODE})
    scene.request(job="job-held", until="auto_check")
    check = scene.check("eg-a", "reject", scene.finding(path="out.csv"), scene.finding("RAW", path=""))
    scene.act("system", "egress-request", "eg-a", "object", check)
    user.goto("/console/develop")
    hand.click("a[href='/console/develop/mend/eg-a']")
    assert user.axe() == []
    user.shot("developer-mend")
    assert scene.state("job", job) == "queued"

    scene.job("job-good")
    scene.request("eg-b", job="job-good")
    user.goto("/console/develop")
    hand.click("a[href='/console/release/eg-b']")
    user.shot("developer-release")
    assert user.axe() == []
    with page.expect_download() as download:
        hand.click("form[action='/console/release/eg-b/package'] button")
    download.value.save_as(tmp_path / "eg-b.zip")
    told = scene.get("egress-request", "eg-b").status["release"]["package_sha256"]
    assert hashlib.sha256((tmp_path / "eg-b.zip").read_bytes()).hexdigest() == told
