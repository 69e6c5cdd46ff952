"""What a developer must not learn from the console: marks planted in every such place are in no answer.

A mark stands in the evidence of findings, in what reviewers wrote before they decided, in hashes and folders
of the machine, and in everything of another organisation. Every page is asked for in the developer's name,
with every id there is, and every link that a page shows is followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import httpx
import pytest

from sandbox.console.pages import PAGES
from sandbox.control.kinds import KINDS
from sandbox.core.resource import Entry
from tests.attack.doors import Line, Lines, lines_over, one_of_each, path_of
from tests.plugins.console import consoles_of
from tests.plugins.space import Scene

MARK = "canary7f3a"
HASH = "7f3a" * 16
SECRET = re.compile(f"{MARK}|{HASH}|\u660e\u6587\u91d1\u4e1d\u96c0")


@pytest.fixture
def lines(scene: Scene) -> Iterator[Lines]:
    with lines_over(consoles_of(scene)) as made:
        yield made


def planted(scene: Scene) -> dict[str, str]:
    """One of each kind with marks in what is not the developer's to see, and a rival's case beside it."""
    ids = one_of_each(scene)
    scene.scenario(f"sc-{MARK}", who="rival", title=f"rival {MARK}", description=f"{MARK}")
    found = [
        {
            **scene.finding(
                severity=severity, where=f"cell {MARK}", hint="COARSEN", message_en=MARK, message_zh=MARK
            ),
            "evidence": {"n": 3, "sample": MARK, "sha256": HASH, "name": "\u660e\u6587\u91d1\u4e1d\u96c0"},
        }
        for severity in ("hard", "hold", "flag")
    ]
    with scene.store.write() as writer:
        request = writer.get("egress-request", "eg-a")
        assert request is not None
        check = {
            **request.status["check"],
            **{
                "findings": found,
                "checker": MARK,
                "isolation": {"config_sha256": HASH, "folder": f"/x/{MARK}"},
            },
            **{"asked": HASH, "thresholds": {MARK: 5}, "error": MARK},
            "canonical": [{"path": "out.csv", "sha256": HASH, "bytes": 5}],
        }
        verdicts = [
            {"which": "security", "verdict": "fail", "by": MARK, "person": MARK, "note": MARK, "points": {}}
        ]
        status = {
            **request.status,
            "check": check,
            "verdicts": [{**verdicts[0], "at": scene.clock().isoformat()}],
        }
        entry = Entry(scene.clock(), MARK, MARK, "reviewer", "give_verdict", request.ref, details={"x": MARK})
        writer.put(replace(request, status=status), entry, expected=request.version)
        job = writer.get("job", "job-a")
        assert job is not None
        outcome = {
            **job.status.get("succeed", {}),
            "log": {"sha256": HASH},
            "config_sha256": HASH,
            "node": MARK,
        }
        entry = Entry(scene.clock(), "system", "", "system", "note", job.ref)
        writer.put(replace(job, status={**job.status, "succeed": outcome}), entry, expected=job.version)
    return ids


def told(answer: httpx.Response) -> str:
    """Everything that the browser is told."""
    return f"{answer.headers.multi_items()} {answer.text}"


def followed(line: Line, ids: dict[str, str], known: list[str]) -> dict[str, str]:
    """Every page with every id, and every link from there on: path -> what was answered."""
    wanted = []
    for page in PAGES:
        if page.method == "GET" and page.name not in ("oidc", "oidc-return"):
            wanted += [
                path_of(page, ids, about) for about in (ids if "{kind}" in page.path else ("egress-request",))
            ]
    wanted += [path for ref in known for path in (f"/r/{ref}", f"/r/{ref}/state")]
    wanted += ["/review/eg-a/file/out.csv", "/audit?object=egress-request/eg-a"]
    met: dict[str, str] = {}
    while wanted:
        path = wanted.pop()
        if path not in met:
            answer = line.get(path)
            met[path] = told(answer)
            for found in re.findall(r'(?:href|data-file|data-chart|hx-get)="/console([^"#]*)"', answer.text):
                link = unescape(found)
                if not link.startswith(("/static/", "/help/")) and not re.search(r"[?&](dir|order)=", link):
                    wanted.append(link)
    return met


def test_a_developer_meets_no_mark(lines: Lines) -> None:
    scene = lines.scene
    ids = planted(scene)
    known = [ref for ref in scene.everything() if not ref.startswith("negative")]
    own = f"scenario/sc-{MARK}"
    for who in ("developer", "colleague"):
        line = lines(who)
        met = followed(line, ids, [ref for ref in known if ref != own])
        assert len(met) > 60
        assert {path: SECRET.search(text)[0] for path, text in met.items() if SECRET.search(text)} == {}  # type: ignore[index]
        assert any(
            "SMALL_CELL" in text or "eg-a" in text for text in met.values()
        )  # their own request is there
        # what is another's is as if it were not: the answer of any other name, but for the id asked for
        for form in ("/r/scenario/{}", "/r/scenario?after={}", "/r/scenario/{}/state"):
            there, nowhere = (line.get(form.format(id)) for id in (f"sc-{MARK}", "sc-unheard-of"))
            assert there.status_code == nowhere.status_code == 404
            assert there.text.replace(f"sc-{MARK}", "X") == nowhere.text.replace("sc-unheard-of", "X")


def test_after_acts_and_refusals_neither(lines: Lines) -> None:
    scene = lines.scene
    ids = planted(scene)
    line = lines("developer")
    for name, id in ids.items():
        for event in sorted({row.event for row in KINDS[name].transitions if row.source} | {MARK[:6]}):
            answer = line.post(f"/r/{name}/{id}/{event}", {"version": "1"})
            assert not SECRET.search(told(answer)), (name, event)
    for path in ("/review/eg-a/verdict", "/review/eg-a/act/approve", "/release/eg-a/package"):
        assert not SECRET.search(told(line.post(path, {"token": "x"})))


def test_the_marks_are_where_they_may_be_read(lines: Lines) -> None:
    """Else the search would have nothing to find."""
    planted(lines.scene)
    reviewer = lines("reviewer")
    assert MARK in reviewer.get("/review/eg-a").text
    assert HASH in reviewer.get("/r/egress-request/eg-a").text
    assert MARK in lines("auditor").get("/audit?object=egress-request/eg-a").text
    assert MARK in lines("rival").get(f"/r/scenario/sc-{MARK}").text


def test_strangers_meet_no_mark(lines: Lines) -> None:
    ids = planted(lines.scene)
    met = followed(lines(""), ids, sorted(lines.scene.everything()))
    found = {path for path, text in met.items() if SECRET.search(text)}
    assert found == {path for path in found if MARK in path}  # the address that was asked for, nothing else
