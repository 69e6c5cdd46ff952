"""The reviewer's and the developer's main paths in a real browser: from signing in to what they came for."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.browser import User, Visitor, serving
from tests.plugins.console import PASSWORD, Consoles, consoles_of
from tests.plugins.space import ADMINISTRATOR, Scene

# 1 x 1, grey
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
TRAP = '<img src=x onerror="document.title=1">'
ROWS = 120
TABLE = "district,people,note\r\n" + "".join(
    f'"区 {n}, 东","{n * 10}",' + ('"line one\nline ""two"""' if n % 2 else TRAP + "\u202e") + "\r\n"
    for n in range(ROWS)
)
FILES = {"table.csv": TABLE.encode(), "notes.md": "# 说明\n\n<b>粗</b>\u200b\n".encode(), "chart.png": PIXEL}


def in_review(scene: Scene, id: str = "eg-a", **over: Any) -> None:
    """A request whose canonical files are ``FILES``."""
    scene.job()
    scene.request(id, until="auto_check", **over)
    told = scene.get("egress-request", id)
    room = scene.space.places.blobs(told.labels["agreement"], told.labels["scenario"], "review")
    canonical = []
    for path, content in FILES.items():
        sha256, size = room.take(iter([content]))
        canonical.append({"path": path, "sha256": sha256, "bytes": size})
    flag = scene.finding("SMALL_CELL", "flag", evidence={"cells": 3}, path="table.csv")
    check = scene.check(id, "no_objection", flag, canonical=canonical)
    scene.act("system", "egress-request", id, "forward", check)


@pytest.fixture
def desk(granted: Scene) -> Consoles:
    """A console with one request in human review."""
    in_review(granted)
    return consoles_of(granted)


@pytest.fixture
def address(desk: Consoles) -> Iterator[str]:
    """Where the desk is served."""
    with serving(desk.app) as url:
        yield url


class Hand:
    """A person's hand: counts what it presses."""

    def __init__(self, user: User) -> None:
        self.user, self.clicks = user, 0

    def click(self, selector: str) -> None:
        self.user.page.click(selector)
        self.clicks += 1

    def sign_in(self, desk: Consoles, who: str) -> None:
        account, identity = desk.scene.who(who).account, desk.identity
        start = identity.start_password(ADMINISTRATOR, account)
        grant = identity.sign_in(account, start, "192.0.2.1")
        identity.change_password(grant.session_id, start, PASSWORD, "192.0.2.1")
        self.user.goto("/console/")
        self.user.page.fill("#f-account", account)
        self.user.page.fill("#f-password", PASSWORD)
        self.click("form.stack button")


def test_from_sign_in_to_a_decided_request_in_twelve_clicks(
    desk: Consoles, address: str, visitor: Visitor
) -> None:
    user = visitor(address)
    hand, page = Hand(user), user.page
    hand.sign_in(desk, "reviewer")
    hand.click("nav.menu a[href='/console/review']")
    hand.click("main a[href='/console/review/eg-a']")
    user.shot("review")
    hand.click("button[data-fills]")
    assert (
        page.locator(".point input[value=pass]:checked").count() == page.locator(".point[data-clear]").count()
    )
    hand.click("[id='f-point.26.4-pass']")  # something was found there: it is answered on its own
    hand.click("#f-verdict-pass")
    page.fill("#verdict-note", "与申请相符")
    hand.click("#f-no_interest")
    page.fill("#p-verdict", PASSWORD)
    hand.click(".verdict button")
    hand.click("#f-verdict-pass")
    page.fill("#verdict-note", "业务相符")
    hand.click("#f-no_interest")
    hand.click(".verdict button")
    hand.click("details[open] form[action$='/approve'] button")
    page.wait_for_load_state()
    assert desk.scene.state("egress-request", "eg-a") == "approved"
    assert hand.clicks <= 12, hand.clicks
    user.shot("review-decided")


def test_files_are_read_in_the_browser_as_text_and_nothing_else(
    desk: Consoles, address: str, visitor: Visitor
) -> None:
    user = visitor(address)
    hand, page = Hand(user), user.page
    hand.sign_in(desk, "reviewer")
    user.goto("/console/review/eg-a")
    before = desk.scene.logged()
    page.click("details[data-path='table.csv'] > summary")
    table = page.locator("details[data-path='table.csv'] .shown table")
    table.wait_for()
    assert table.locator("th").all_text_contents() == ["district", "people", "note"]
    assert table.locator("tbody tr").count() == 50
    first, second = table.locator("tbody tr").nth(0), table.locator("tbody tr").nth(1)
    assert first.locator("td").all_text_contents() == ["区 0, 东", "0", TRAP + "⟨U+202E⟩"]
    assert second.locator("td").all_text_contents()[2] == 'line one⟨U+000A⟩line "two"'
    assert table.locator("img").count() == 0
    place = page.locator("details[data-path='table.csv'] .under")
    assert "第 1–50 行，共 120 行" in place.inner_text()
    user.shot("review-table")
    for expected in ("第 51–100 行", "第 101–120 行"):
        place.locator("button").nth(1).click()
        assert expected in place.inner_text()
    assert place.locator("button").nth(1).is_disabled()
    assert table.locator("tbody tr").count() == 20
    page.click("details[data-path='notes.md'] > summary")
    page.locator("details[data-path='notes.md'] pre").wait_for()
    text = page.locator("details[data-path='notes.md'] pre").text_content()
    assert text == "# 说明\n\n<b>粗</b>⟨U+200B⟩"
    page.click("details[data-path='chart.png'] > summary")
    picture = page.locator("details[data-path='chart.png'] img")
    picture.wait_for()
    assert picture.evaluate("async (one) => { await one.decode(); return one.naturalWidth; }") == 1
    # opened and closed and opened: each file was asked for once, and each opening stands in the log
    page.click("details[data-path='table.csv'] > summary")
    page.click("details[data-path='table.csv'] > summary")
    opened = [one for one in desk.scene.log(before) if one.action == "open-in-review-room"]
    assert len(opened) == len(FILES)
    assert user.axe() == []


def test_a_file_that_is_refused_says_so(desk: Consoles, address: str, visitor: Visitor) -> None:
    user = visitor(address)
    hand, page = Hand(user), user.page
    hand.sign_in(desk, "other-reviewer")  # of a body that did not authorise
    user.goto("/console/review/eg-a")
    with user.refused(403):
        page.click("details[data-path='notes.md'] > summary")
        page.locator("details[data-path='notes.md'] .wrong").wait_for()
    assert page.locator("details[data-path='notes.md'] .wrong").inner_text() == "未能打开此文件。"


def test_a_developer_submits_a_job_with_a_file_and_takes_a_release(
    granted: Scene, visitor: Visitor, tmp_path: Path
) -> None:
    granted.job()
    told = granted.request().status["release"]
    desk = consoles_of(granted)
    code = tmp_path / "main.sql"
    code.write_text("SELECT 1\n", encoding="utf-8")
    with serving(desk.app) as address:
        user = visitor(address)
        hand, page = Hand(user), user.page
        hand.sign_in(desk, "developer")
        hand.click("nav.menu a[href='/console/develop']")
        user.shot("develop")
        hand.click("main a[href='/console/release/eg-a']")
        user.shot("release")
        with page.expect_download() as download:
            hand.click("form[action$='/package'] button")
        taken = tmp_path / "taken.zip"
        download.value.save_as(taken)
        assert hashlib.sha256(taken.read_bytes()).hexdigest() == told["package_sha256"]
        assert download.value.suggested_filename == "eg-a.zip"
        hand.click("nav.menu a[href='/console/develop']")
        hand.click("main a[href='/console/develop/job/form?scenario=sc-a']")
        hand.click("main a[href='/console/develop/job']")
        assert "product: pr-a" in page.input_value("#f-manifest")
        page.set_input_files("#f-files", code)
        user.shot("develop-job")
        hand.click("form.manifest button.primary")
        page.wait_for_url("**/console/r/job/job-*")
        with granted.store.read() as reader:
            (job,) = [one for one in reader.find("job", state="queued") if one.organisation == "dev"]
        assert job.spec["code"] == {"main.sql": "SELECT 1\n"}
        hand.click("nav.menu a[href='/console/develop']")
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url))
        with page.expect_response(
            lambda one: one.status == 286
        ):  # asked for while the job waits, then no more
            granted.act("system", "job", job.id, "deny", {"code": "GRANT_SPENT"})
        page.get_by_text("拒绝执行").wait_for()
        asked.clear()
        page.wait_for_timeout(2500)
        assert asked == []
