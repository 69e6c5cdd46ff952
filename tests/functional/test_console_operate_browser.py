"""The operator's main path in a real browser: a delivered supply graded and confirmed, a recipe offered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.control.previewing import Previews
from sandbox.desensitize import preview_task
from sandbox.executor.contract import TaskKind
from sandbox.executor.stub import StubExecutor
from tests.functional.test_console_desk_browser import Hand
from tests.functional.test_console_operate import supplied
from tests.functional.test_console_recipe import FIELDS, REPORT
from tests.plugins.browser import Visitor, serving
from tests.plugins.console import PASSWORD, Consoles, consoles_of
from tests.plugins.space import Scene


@pytest.fixture
def desk(granted: Scene, tmp_path: Path) -> Consoles:
    """A console over a granted scene with a profiled supply; previews run without containers."""
    supplied(granted)
    executor = StubExecutor(tmp_path / "tasks", {TaskKind.PREVIEW: preview_task.run})
    granted.space.previews = Previews(granted.control, lambda: tmp_path, lambda root: executor)
    return consoles_of(granted)


@pytest.fixture
def address(desk: Consoles) -> Iterator[str]:
    """Where the desk is served."""
    with serving(desk.app) as url:
        yield url


def test_from_a_delivered_supply_to_a_confirmed_grading(
    desk: Consoles, address: str, visitor: Visitor
) -> None:
    scene = desk.scene
    looks = visitor(address)
    Hand(looks).sign_in(desk, "operator")
    looks.goto("/console/operate")
    looks.shot("operate")
    looks.page.click("main a[href='/console/grading/su-g']")
    assert looks.page.locator("input[type=radio]").count() == 0  # the operator looks

    edits = visitor(address)
    Hand(edits).sign_in(desk, "editor")
    page = edits.page
    edits.goto("/console/r/supply/su-g")
    page.click("main a[href='/console/grading/su-g']")
    edits.shot("grading")
    page.click("#do-1-take")
    page.click("#do-sensitive_group-take")
    page.click("#do-2-change")
    page.locator("[aria-labelledby=g-2] summary").click()
    page.select_option("#l-2", "4")
    page.click("button[value=look]")
    page.get_by_role("heading", name="将要送出的改动").wait_for()
    assert page.is_checked("#do-1-take")
    assert edits.axe() == []
    edits.shot("grading-changes")
    page.click("button[value=send]")
    page.get_by_text("须由修改者之外的另一人确认").wait_for()
    assert scene.state("catalogue-entry", "ce-a") == "graded"

    confirms = visitor(address)
    Hand(confirms).sign_in(desk, "confirmer")
    confirms.goto("/console/grading/su-g")
    confirms.page.fill("#p-confirm", PASSWORD)
    confirms.page.click("form[action$='/confirm'] button")
    confirms.page.wait_for_url("**/console/r/catalogue-entry/ce-a")
    assert scene.state("catalogue-entry", "ce-a") == "confirmed"


def test_from_a_frontier_to_an_offered_product(
    desk: Consoles, address: str, visitor: Visitor, tmp_path: Path
) -> None:
    scene = desk.scene
    user = visitor(address)
    hand, page = Hand(user), user.page
    hand.sign_in(desk, "operator")
    hand.click("nav.menu a[href='/console/operate']")
    hand.click("main a[href='/console/operate/frontier']")
    (tmp_path / "report.json").write_text(json.dumps(REPORT), encoding="utf-8")
    (tmp_path / "fields.yaml").write_text(FIELDS, encoding="utf-8")
    page.set_input_files("#f-report", tmp_path / "report.json")
    page.set_input_files("#f-fields", tmp_path / "fields.yaml")
    hand.click("form[enctype] button")
    page.locator("figure.chart .canvas.drawn svg").wait_for()
    assert user.axe() == []
    user.shot("frontier")
    page.get_by_role("link", name="选用").nth(1).click()
    page.locator("#f-recipe").wait_for()
    assert "length: 4" in page.input_value("#f-recipe")

    text = page.input_value("#f-recipe")
    page.fill("#f-recipe", text.replace("generalise", "generalize", 1))
    with user.refused(422):
        hand.click("button[value=check]")
        page.get_by_text("RECIPE_UNKNOWN_TRANSFORM", exact=True).wait_for()
    assert "第 " in page.get_by_role("alert").inner_text()
    user.shot("recipe-refused")
    page.fill("#f-recipe", text)
    hand.click("button[value=preview]")
    page.get_by_role("heading", name="虚构数据上的结果").wait_for()
    assert page.locator("table.tried tbody tr").count() == 3
    assert user.axe() == []
    user.shot("recipe-preview")
    hand.click("button[value=submit]")
    page.wait_for_url("**/console/r/job/job-*")
    job = page.url.rpartition("/")[2]
    columns: list[dict[str, object]] = [
        {"name": name, "type": "string", "source": name, "transforms": []}
        for name in ("person_id", "district", "income")
    ]
    kept = {
        "product": "pr-new",
        "title": "primary",
        "artefact_sha256": hashlib.sha256(b"primary").hexdigest(),
        "columns": columns,
        "steps": [],
        "anonymity": {"verdict": True, "k": 12, "threshold": 10, "reasons": []},
    }
    started = scene._start(job)
    for event, payload in (
        ("provision", started),
        ("run", None),
        ("succeed", scene.ran()),
        ("keep", kept),
    ):
        scene.act("system", "job", job, event, payload)
    hand.click("nav.menu a[href='/console/operate']")
    page.click("main a[href='/console/r/product/pr-new']")
    page.locator("summary", has_text="提供").first.click()
    page.fill("#f-offer-scenario", "sc-a")
    if page.locator("#p-offer").count():
        page.fill("#p-offer", PASSWORD)
    page.click("form[action$='/offer'] button")
    page.wait_for_load_state()
    assert scene.state("product", "pr-new") == "offered"
