"""Every page by every role and every act by every role, asked for directly, whatever the menus offer.

What is expected comes from ``PAGES`` and the lifecycle tables; a page or an act that is added is tried
without a line being added here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.console.pages import ANYONE, PAGES, Page
from sandbox.control.decisions import DECISIONS
from sandbox.control.door import ADMINISTERED
from sandbox.control.kinds import KINDS
from sandbox.core.actor import Role
from sandbox.core.errors import SandboxError
from tests.attack.doors import (
    BY_ROLE,
    MACHINE_MADE,
    Line,
    Lines,
    answered,
    code_of,
    lines_over,
    one_of_each,
    path_of,
)
from tests.plugins.console import consoles_of
from tests.plugins.space import Scene

OPEN = (200, 204, 286, 303)  # 204: there is no such file yet; 286: what a page polls, and has ended (htmx)
# refusals that are right on a page whose role is right: it is not there for them, or the door says why not
RIGHT = frozenset(
    {"NOT_FOUND", "NO_DATA_RIGHT", "ROLE", "STATE", "STEP_UP", "MALFORMED", "NOT_AUTHORISER", "OIDC_OFF"}
    | {"SIGN_IN", "PASSWORD_WRONG", "PASSWORD_WEAK", "TOO_MANY_ATTEMPTS", "ACTING_AS", "QUARANTINED"}
    | {
        "UNCHECKED",
        "OIDC_REFUSED",
        "NOT_ASSIGNED",
        "FORM_YAML",
        "NO_SESSION",
        "NO_PAGE",
        "FOREIGN_FORM",
        "NOT_RELEASED",
        "DELETION_UNPROVEN",
        "MEND_NOTHING",
        "FRONTIER_REPORT",
        "GRADING_SAME",
        "RECIPE_MALFORMED",
    }
)

# pages of what one_of_each has not come to
ENDED = ("oidc", "oidc-return", "release-receipt", "certificate", "frontier-chart")


@pytest.fixture
def lines(scene: Scene) -> Iterator[Lines]:
    """A console over a scene with one resource of each kind."""
    with lines_over(consoles_of(scene)) as made:
        yield made


def refusals(scene: Scene, start: int) -> list[tuple[str, str, str]]:
    """(action, object, reason) of what the log says was refused since ``start``."""
    return [(one.action, one.object, one.reason) for one in scene.log(start) if one.outcome == "refused"]


def test_every_page_by_every_role(lines: Lines) -> None:
    scene, ids = lines.scene, one_of_each(lines.scene)
    ends_it = [page for page in PAGES if page.name == "sign-out"]
    opened: dict[str, set[Role | None]] = {page.name: set() for page in PAGES}
    before = scene.everything()
    for role, who in BY_ROLE.items():
        for page in [*(one for one in PAGES if one not in ends_it), *ends_it]:
            line, path = lines(who), path_of(page, ids)
            if role is not None and page.method == "POST":
                line.read_csrf()
            start = scene.logged()
            answer = line.get(path) if page.method == "GET" else line.post(path)
            expected(scene, page, role, answer, start)
            if answer.status_code in OPEN:
                opened[page.name].add(role)
    assert scene.everything() == before
    # the table lets somebody in, and what it lets in gets in
    shut = {
        page.name
        for page in PAGES
        if page.method == "GET" and page.name not in ENDED and not opened[page.name] & (page.who or {None})
    }
    assert shut == set()


def expected(scene: Scene, page: Page, role: Role | None, answer: Any, start: int) -> None:
    """The answer is what the table of pages says."""
    code, told = code_of(answer), (page.name, role, answer.status_code, code_of(answer))
    if page.who == ANYONE:
        assert answer.status_code in OPEN or code in RIGHT, told
    elif role is None and page.method == "GET":
        assert answer.status_code == 303, told
        assert answer.headers["location"].startswith("/console/sign-in?next=%2Fconsole%2F"), told
    elif role is None:
        assert (answer.status_code, code) == (401, "NO_SESSION"), told
    elif role not in page.who:
        assert (answer.status_code, code) == (403, "PAGE_ROLE"), told
        assert refusals(scene, start) == [("open-page", f"page/{page.name}", "PAGE_ROLE")], told
    else:
        assert answer.status_code in OPEN or code in RIGHT, told
        assert code != "PAGE_ROLE", told


def test_every_act_by_every_role_that_may_not(lines: Lines) -> None:
    """By direct request, with the version that the page would send: refused as the door refuses, noted, and
    nothing has changed. Decisions of those who may: not without the password."""
    scene, ids = lines.scene, one_of_each(lines.scene)
    assert set(ids) == set(KINDS) - MACHINE_MADE
    before = scene.everything()
    tried = {"ROLE": 0, "STATE": 0, "NOT_FOUND": 0, "STEP_UP": 0}
    for who in BY_ROLE.values():
        line = lines(who)
        for name, id in ids.items():
            unseen: set[str | None] = set()
            for event in sorted({row.event for row in KINDS[name].transitions if row.source}):
                code = refusal(scene, who, name, id, event)
                if code is None or code in unseen:
                    continue
                if code != "ROLE" and code != "STEP_UP":
                    unseen.add(code)  # refused before role and event are looked at: one of them will do
                start = scene.logged()
                answer = line.post(
                    f"/r/{name}/{id}/{event}", {"version": str(before[f"{name}/{id}"].version)}
                )
                told = (who, name, event, code, answer.status_code)
                assert code_of(answer) == code, told
                assert 400 <= answer.status_code < 500, told
                if code in ("ROLE", "STATE", "NOT_FOUND"):
                    assert (event, f"{name}/{id}", code) in refusals(scene, start), told
                tried[code] = tried.get(code, 0) + 1
        assert scene.everything() == before, who
    assert all(tried.values()), tried


def refusal(scene: Scene, who: str, name: str, id: str, event: str) -> str | None:
    """What the tables say of it: the code of the refusal, None for what would be done."""
    if not who:
        return "NO_SESSION"
    actor, kind = scene.who(who), KINDS[name]
    if actor.role == Role.SPACE_ADMIN and name not in ADMINISTERED:
        return "NO_DATA_RIGHT"
    try:
        state = scene.control.get(actor, name, id).state
    except SandboxError as error:
        return error.code
    row = kind.row(event, state)
    if row is None:
        return "STATE"
    if actor.role not in row.by:
        return "ROLE"
    return "STEP_UP" if event in DECISIONS.get(name, ()) else None


def test_every_creation_by_every_role_that_may_not(lines: Lines) -> None:
    """Form and act; decisions of those who may not without the password."""
    scene = lines.scene
    scene.granted()
    before = scene.everything()
    for role, who in BY_ROLE.items():
        for name, kind in KINDS.items():
            if role in kind.create.by and kind.create.event not in DECISIONS.get(name, ()):
                continue
            code = "NO_SESSION" if role is None else "STEP_UP" if role in kind.create.by else "ROLE"
            start = scene.logged()
            answer = lines(who).post(f"/r/{name}/new", {"id": "new-one"})
            assert code_of(answer) == code, (who, name, answer.status_code)
            if code == "ROLE":
                assert ("create", f"{name}/new-one", "ROLE") in refusals(scene, start), (who, name)
                assert code_of(lines(who).get(f"/r/{name}/new")) == "ROLE"
    assert scene.everything() == before


WRONG_PATHS = (
    "/r/nothing", "/r/nothing/x", "/r/job/..", "/r/job/%2e%2e", "/r/job/%00", "/r/job/" + "a" * 5000,
    "/r/%F0%9F%92%A9/x", "/r/job/%E2%80%AE", "/r/job/job-a%2Fstate", "/r/JOB/job-a", "/r/job/job-a%0dX:1",
    "/review/..%2f..%2fetc%2fpasswd", "/review/eg-a/file/..%2f..%2fetc%2fpasswd",
    "/review/eg-a/file//etc/passwd",
    "/review/eg-a/file/out.csv%00.png", "/review/eg-a/file/" + "a/" * 2000, "/review/%00/file/%00",
    "/audit/-1", "/audit/" + "9" * 40, "/audit/" + "9" * 5000, "/audit/0x1", "/audit/%C2%B2",
    "/audit?start=%C2%B2", "/audit?start=" + "9" * 30, "/audit?object=%00", "/audit?object=" + "x" * 9000,
    "/r/job?after=%00", "/r/job?after=nothing", "/r/job?order=__class__&dir=x", "/r/job?state=%00",
    "/review?state=';--&after=%27", "/r/job/export.csv?state=%00", "/public/catalogue?find=%00",
    "/public/catalogue?find=%ED%A0%80", "/public/catalogue?after=%00", "/public/catalogue-entry/%00",
    "/static/..%2fapp.py", "/static/../pages.py", "/static/%00", "/static/vendor/test/axe.js", "//evil.test/",
    "/oidc/return?state=%00&code=%ED%A0%80", "/sign-in/", "/nothing", "/%ff%fe",
)  # fmt: skip


@pytest.mark.parametrize("who", ["", "reviewer", "auditor"])
def test_no_path_or_query_breaks_a_page(who: str, lines: Lines) -> None:
    one_of_each(lines.scene)
    line = lines(who)
    for path in WRONG_PATHS:
        answer = line.get(path)
        assert answer.status_code in (*OPEN, 307, 404) or code_of(answer), path
        assert "root:" not in answer.text
        where = answer.headers.get("location", "")
        assert not where or re.match(r"/console/|https://console\.test/console/", where), (path, where)


def test_other_methods_do_nothing(lines: Lines) -> None:
    """GET on what only forms do, forms on what only GET does, and methods that no page has."""
    ids = one_of_each(lines.scene)
    line, before = lines("reviewer"), lines.scene.everything()
    posts = {page.path for page in PAGES if page.method == "POST"}
    gets = {page.path for page in PAGES if page.method == "GET"}
    for page in PAGES:
        path = path_of(page, ids)
        wrong = ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
        wrong += ["GET"] if page.path not in gets else []
        wrong += ["POST"] if page.path not in posts else []
        for method in wrong:
            answer = wrongly(line, method, f"/console{path}")
            assert answer.status_code in (404, 405, 413) or code_of(answer) in RIGHT, (method, path)
    assert lines.scene.everything() == before
    assert line.get("/").status_code == 200


def wrongly(line: Line, method: str, path: str) -> Any:
    more: dict[str, Any] = {"data": {"csrf": line.csrf}} if method == "POST" else {}
    return answered(line.ask(method, path, headers={"origin": "https://console.test"}, **more))
