"""Help inside the console: what is served, where pages and refusals lead, what no document can bring in."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from lxml import html
from PIL import Image

from sandbox.console import guides
from sandbox.console.helps import GUIDES, SECTIONS, explained, own
from sandbox.control.kinds import KINDS
from sandbox.core.actor import Role
from sandbox.core.errors import SandboxError
from tests.plugins.console import Consoles, consoles_of
from tests.plugins.space import Scene

ROOT = Path(__file__).parents[2]
PEOPLE = [role for role in Role if role != Role.SYSTEM]


@pytest.fixture
def consoles(granted: Scene) -> Consoles:
    return consoles_of(granted)


def test_the_first_page_puts_the_guide_of_ones_role_first(consoles: Consoles) -> None:
    for who, first in (("reviewer", "reviewer"), ("operator", "operator"), ("editor", "provider")):
        links = re.findall(r'<li><a href="/console/help/([a-z-]+)"', consoles(who).get("/help").text)
        assert links[0] == first
        assert set(GUIDES) <= set(links)
        assert {"errors", "lifecycles", "egress"} <= set(links)
    assert consoles.stranger().get("/help").status_code == 303


def test_a_guide_is_a_page_with_its_contents_and_every_link_leads_somewhere(consoles: Consoles) -> None:
    reviewer = consoles("reviewer")
    for name in guides.files():
        answer = reviewer.get(f"/help/{name}")
        assert answer.status_code == 200, name
        tree = html.fromstring(answer.text)
        ids = tree.xpath("//@id")
        assert len(ids) == len(set(ids)), name
        for href in tree.xpath("//article//a/@href | //nav[contains(@class, 'contents')]//a/@href"):
            place, _, anchor = str(href).partition("#")
            target = place.removeprefix("/console/help").strip("/") if place else name
            assert not target or target in guides.files(), (name, href)
            assert not anchor or anchor in guides.document(target).anchors, (name, href)
        for picture in tree.xpath("//article//img/@src"):
            assert reviewer.get(str(picture).removeprefix("/console")).status_code == 200, picture
        assert tree.xpath("count(//h1)") == 1, name
    assert reviewer.get("/help/none").status_code == 404
    assert reviewer.get("/help/..%2f..%2fREADME").status_code == 404
    assert reviewer.get("/help/pictures/..%2f..%2ferrors.md").status_code == 404
    assert reviewer.get("/help/pictures/none.png").status_code == 404


def test_a_refusal_leads_to_its_explanation(consoles: Consoles) -> None:
    answer = consoles("developer").get("/review")
    assert '<a href="/console/help/errors#PAGE_ROLE"><small class="code">PAGE_ROLE</small></a>' in answer.text
    page = consoles("developer").get("/help/errors").text
    assert '<tr id="PAGE_ROLE">' in page
    assert "以“{role}”身份不能打开此页" in page
    assert "&lt;br&gt;" not in page
    stranger = consoles.stranger().get("/r/none/none/none")
    assert "/console/help" not in stranger.text  # who has not signed in is led to no page of the help


def test_every_page_leads_to_the_section_about_it(consoles: Consoles) -> None:
    for who, path, place in (
        ("reviewer", "/review", "reviewer#part-1"),
        ("developer", "/develop", "developer#part-3"),
        ("reviewer", "/r/job", "lifecycles#job"),
        ("auditor", "/", "auditor#part-console"),
    ):
        assert f'href="/console/help/{place}"' in consoles(who).get(path).text


@pytest.mark.parametrize("role", PEOPLE)
def test_every_section_that_pages_lead_to_is_there(role: Role) -> None:
    paths = [
        "/console/",
        *(f"/console/r/{kind}/a" for kind in KINDS),
        *(f"/console{one[0]}" for one in SECTIONS),
    ]
    for path in paths:
        name, _, anchor = explained(path, role).removeprefix("/console/help/").partition("#")
        assert not anchor or anchor in guides.document(name).anchors, (path, role)
    assert own(role) in GUIDES


def test_lifecycles_are_there_as_tables_and_diagrams_sources_are_not() -> None:
    page = guides.document("lifecycles")
    assert set(KINDS) <= page.anchors
    assert "stateDiagram" not in page.body
    assert "<td>人工评审</td>" in page.body


def test_no_document_brings_in_markup_addresses_or_scripts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "guides").mkdir()
    (tmp_path / "adr").mkdir()
    (tmp_path / "guides" / "reviewer.md").write_text(
        "# A <script>1</script> `b`\n\n"
        '<img src=x onerror="1"> a<br>b <br/>\n\n'
        "[a](javascript:alert(1)) [b](https://elsewhere.test/) [c](../../etc/passwd) "
        "[d](//elsewhere.test)\n\n"
        '[e](<x" onclick="1>) ![f](https://elsewhere.test/a.png) ![g](../screenshots/%22onerror=1.png)\n\n'
        "<https://elsewhere.test/> [h](reviewer.md#a) [i][r]\n\n[r]: data:text/html,x\n\n"
        '```x" onclick="1\n</pre><script>\n```\n\n| `X" id="y` | <svg onload=1> |\n'
        "|---|---|\n| `OK_ID` | a |\n"
    )
    for cached in (guides.folder, guides.files, guides.pictures, guides.document):
        cached.cache_clear()
        request.addfinalizer(cached.cache_clear)
    monkeypatch.setattr(guides, "PLACES", (tmp_path / "none", tmp_path))
    page = guides.document("reviewer")
    tree = html.fromstring(f"<div>{page.body}</div>")
    assert {one.tag for one in tree.iter()} <= {
        "div", "h1", "p", "br", "a", "span", "code", "figure", "pre", "table", "thead", "tbody", "tr", "th",
        "td", "em",
    }  # fmt: skip
    assert [str(one) for one in tree.xpath("//a/@href")] == ["/console/help/reviewer#a"]
    names = {name for one in tree.iter() for name in one.attrib}
    assert names <= {"id", "class", "lang", "tabindex", "href"}
    assert tree.xpath("//tr/@id") == ["OK_ID"]
    assert "<script>" in tree.text_content()


def test_without_the_documents_the_help_says_so(
    consoles: Consoles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    for cached in (guides.folder, guides.files, guides.pictures, guides.document):
        cached.cache_clear()
        request.addfinalizer(cached.cache_clear)
    monkeypatch.setattr(guides, "PLACES", (tmp_path,))
    answer = consoles("reviewer").get("/help/reviewer")
    assert answer.status_code == 503
    assert "HELP_MISSING" in answer.text
    assert consoles("reviewer").get("/review").status_code == 200
    with pytest.raises(SandboxError):
        guides.folder()


def test_a_wheel_takes_every_document_along() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    taken = {
        (place.removeprefix("share/sandbox-space/"), path)
        for place, patterns in told.items()
        for pattern in patterns
        for path in ROOT.glob(pattern)
    }
    docs = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.png")]
    assert {(path.parent.relative_to(ROOT).as_posix(), path) for path in docs} == taken


def test_every_picture_is_shown_and_every_one_shown_is_there_small() -> None:
    shown = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "guides").glob("*.md"))
    names = set(re.findall(r"\(\.\./screenshots/([^)]+)\)", shown))
    there = {path.name: path for path in (ROOT / "docs" / "screenshots").iterdir()}
    assert names == set(there)
    assert {name.replace("-zh.", "-en.") for name in names} == {name for name in names if "-en." in name}
    assert sum(path.stat().st_size for path in there.values()) <= 2 << 20
    for name, path in there.items():
        with Image.open(path) as picture:
            assert picture.width <= 1200, name
            assert picture.mode == "P", name


def test_a_guide_shows_pictures_in_the_visitors_language(consoles: Consoles) -> None:
    reviewer = consoles("reviewer")
    for lang in ("zh", "en"):
        reviewer.cookies.set("lang", lang)
        found = re.findall(
            r'src="/console(/help/pictures/[a-z-]+\.png)"', reviewer.get("/help/reviewer").text
        )
        assert found
        assert all(one.endswith(f"-{lang}.png") for one in found)
        assert reviewer.get(found[0]).headers["content-type"] == "image/png"
