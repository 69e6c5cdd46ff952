"""A file beside the last release of its scenario, compared cell by cell in the browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.test_console_desk_browser import Hand
from tests.functional.test_console_review_desk import in_review
from tests.plugins.browser import Visitor, serving
from tests.plugins.console import Consoles, consoles_of
from tests.plugins.space import Scene

QUOTE = '"'
TRAP = '<img src=x onerror="document.title=1">'
# in the last release: district A with 120, and nothing else
NOW = f'district,people\nA,130\nB,40\n"{TRAP.replace(QUOTE, QUOTE * 2)}",50\n'


@pytest.fixture
def desk(granted: Scene) -> Consoles:
    granted.job()
    granted.request()
    in_review(granted, "eg-b", NOW)
    return consoles_of(granted)


@pytest.fixture
def address(desk: Consoles) -> Iterator[str]:
    with serving(desk.app) as url:
        yield url


def test_what_differs_from_the_last_release_is_marked_in_the_cells(
    desk: Consoles, address: str, visitor: Visitor
) -> None:
    user = visitor(address)
    Hand(user).sign_in(desk, "reviewer")
    page = user.page
    user.goto("/console/review/eg-b")
    page.click("details[data-path='out.csv'] > summary")
    file = page.locator("details[data-path='out.csv']")
    file.locator(".shown table").wait_for()
    replaced = file.locator("td.replaced")  # where the check says that it put its own number
    assert replaced.all_text_contents() == ["130"]
    assert replaced.get_attribute("title") == "检查程序换过此格的值"
    file.get_by_role("button", name="与上一次放行比较").click()
    told = file.locator(".beside [role=status]")
    file.locator("td.changed").wait_for()
    assert "eg-a" in told.inner_text()
    assert "相同 0 行，改动 1 行（1 格），新增 2 行，减少 0 行" in told.inner_text()
    assert file.locator("td.changed").evaluate(
        "one => [one.firstChild.data, one.querySelector('del').textContent]"
    ) == [
        "130",
        "120",
    ]
    assert file.locator("tr.added").count() == 2
    assert file.locator("tr.added td").all_text_contents()[2] == TRAP
    assert file.locator("img").count() == 0
    user.shot("review-compared")
    assert user.axe() == []


def test_only_the_rows_that_differ_and_those_that_are_gone(
    desk: Consoles, address: str, visitor: Visitor
) -> None:
    in_review(desk.scene, "eg-c", "district,people,note\nB,40,x\nC,7,x\n")
    user = visitor(address)
    Hand(user).sign_in(desk, "reviewer")
    page = user.page
    user.goto("/console/review/eg-c")
    page.click("details[data-path='out.csv'] > summary")
    file = page.locator("details[data-path='out.csv']")
    file.get_by_role("button", name="与上一次放行比较").click()
    file.locator(".beside label").wait_for()
    assert "+ note" in file.locator(".beside").inner_text()
    file.locator(".beside input[type=checkbox]").check()
    assert "第 1–2 行，共 2 行" in file.locator(".under").inner_text()
    page.click("details.gone-rows > summary")
    assert file.locator("details.gone-rows td").all_text_contents() == ["A", "120"]


def test_the_pairing_of_rows_is_by_labels_or_by_whole_rows(
    desk: Consoles, address: str, visitor: Visitor
) -> None:
    user = visitor(address)
    Hand(user).sign_in(desk, "reviewer")
    user.goto("/console/review/eg-b")
    source = user.page.locator("script[src*='review']").get_attribute("src")
    pairs = """async ([source, before, after]) => {
      const { compared } = await import(source);
      const table = (rows) => ({ names: rows[0], count: rows.length - 1, row: (n) => rows[n + 1] });
      const found = compared(table(before), table(after));
      return [found.same, [...found.was.keys()], [...found.added], found.gone, found.cells, found.names];
    }"""

    def became(before: list[list[str]], after: list[list[str]]) -> list[object]:
        told: list[object] = user.page.evaluate(pairs, [source, before, after])
        return told

    head = ["place", "n"]
    assert became([head, ["a", "1"], ["b", "2"]], [head, ["b", "2"], ["a", "3"]]) == [1, [1], [], [], 1, []]
    assert became([head, ["a", "1"], ["a", "1"]], [head, ["a", "1"]]) == [1, [], [], [["a", "1"]], 0, []]
    assert became([["n"], ["1"], ["2"]], [["n"], ["2"], ["3"]]) == [1, [], [1], [["1"]], 0, []]  # no labels
    assert became([["n", "place"], ["1", "a"]], [head, ["a", "1"]]) == [1, [], [], [], 0, []]  # columns moved
    assert became([["x"], ["1"]], [head, ["a", "1"]])[5] == ["+ place", "+ n", "− x"]
