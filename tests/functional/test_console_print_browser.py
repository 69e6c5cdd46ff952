"""The pages on paper, as Chromium prints them: the record without what is clicked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pypdfium2
import pytest

from sandbox.review.egress_request import NAME
from tests.functional.test_console_browser import signed_in
from tests.plugins.browser import Visitor, serving
from tests.plugins.console import Consoles, consoles_of
from tests.plugins.space import Scene

KEPT = os.environ.get("SCREENSHOTS", "")  # a folder: the printed pages are kept there, to be looked at
# who prints which page, and what must stand on the paper, folded on the screen or not
PRINTED = (
    ("reviewer", "review", "/review/eg-a", ("26.4", "SMALL_CELL", "门限", "cells-counted", "first-says")),
    ("auditor", "resource", f"/r/{NAME}/eg-a", ("人工评审", "26.4", "first-says")),
    ("auditor", "audit", "/audit", ("activate", "签名检查点")),
    ("auditor", "certificate", "/r/agreement/ag-a", ("file-007", "0")),
)
CLICKED = ("退出登录", "切换身份", "主题：", "给出结论并", "导出 CSV", "筛选", "PDF", "http://", "/console/")


@pytest.fixture
def served(granted: Scene) -> Iterator[tuple[Consoles, str]]:
    """A request with findings and a verdict, and an agreement whose deletion is certified."""
    granted.job()
    granted.request(until="auto_check")
    found = [
        granted.finding(
            severity="hold", evidence={"cells-counted": number}, hint=f"合并小格 {number} / merge"
        )
        for number in range(12)
    ]
    thresholds = {"egress.min_cell": granted.space.policy.get("egress.min_cell")}
    rules = [{"rule": "SMALL_CELL", "point": "26.4", "result": "hold", "thresholds": ["egress.min_cell"]}]
    check = granted.check("eg-a", "hold", *found, thresholds=thresholds, rules=rules)
    granted.act("system", NAME, "eg-a", "forward", check)
    granted.act("reviewer", NAME, "eg-a", "give_verdict", granted.verdict(note="first-says"))
    granted.act("chief", "agreement", "ag-a", "terminate", {"ground": "期满", "law": "GD 39(一)"})
    granted.act("operator", "agreement", "ag-a", "hand_over", {"reason": "交接完毕"})
    removed = [
        {"scenario": "sc-a", "place": "supplies", "name": f"file-{n:03}", "bytes": 9} for n in range(40)
    ]
    told = {"removed": removed, "left": 0, "keys_destroyed": 2}
    granted.act("system", "agreement", "ag-a", "certify", told)
    granted.store.checkpoint()
    consoles = consoles_of(granted)
    with serving(consoles.app) as url:
        yield consoles, url


def words(pdf: bytes) -> list[str]:
    """The words of each sheet, without spaces."""
    document = pypdfium2.PdfDocument(pdf)
    found = []
    try:
        for number in range(len(document)):
            page = document[number]
            text = page.get_textpage()
            found.append(re.sub(r"\s+", "", text.get_text_range().replace("\ufffe", "")))
            text.close()
            page.close()
    finally:
        document.close()
    return found


def test_pages_print_as_records(served: tuple[Consoles, str], visitor: Visitor) -> None:
    consoles, url = served
    users = {}
    for who, name, path, expected in PRINTED:
        if who not in users:
            users[who] = signed_in(consoles, visitor, url, who, "zh")
            users[who].context.add_cookies([{"name": "theme", "value": "dark", "url": f"{url}/console"}])
        user = users[who]
        user.goto("/console" + path)
        menu = user.page.locator(".menu a").all_inner_texts()
        user.page.emulate_media(media="print")
        seen = user.page.evaluate(
            """() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,
                [...document.querySelectorAll("nav, input, select, textarea, button, .button, .tools")]
                  .filter((one) => one.getClientRects().length).map((one) => one.outerHTML.slice(0, 80)),
                [...document.querySelectorAll(".finding")].map((one) => getComputedStyle(one).breakInside)]"""
        )
        pdf = user.page.pdf(format="A4")
        if KEPT:
            Path(KEPT).mkdir(parents=True, exist_ok=True)
            (Path(KEPT) / f"print-{name}.pdf").write_bytes(pdf)
        sheets = words(pdf)
        text = "".join(sheets)
        assert (seen[0], seen[1]) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)"), name
        assert seen[2] == [], name
        assert set(seen[3]) <= {"avoid"}, name
        assert [one for one in expected if one not in text] == [], name
        assert [one for one in CLICKED if one in text] == [], name
        assert not "".join(menu) or "".join(menu).replace("\n", "") not in text, name
        if (
            name == "review"
        ):  # no finding is cut: where one begins, its way of mending stands on the sheet, too
            assert len(sheets) > 1
            for sheet in sheets:
                assert sheet.count("cells-counted") == sheet.count("合并小格"), name
        user.page.emulate_media(media="screen")
