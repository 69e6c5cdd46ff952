"""What the attacks on the console share: raw requests on one loop, and what every answer must carry.

``Line`` sends whatever it is given in the name of a person who has signed in; nothing is added that a test
has not asked for except the session's cookie. ``answered`` is asserted of every answer that passes it.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from sandbox.console.app import HEADERS
from sandbox.console.pages import Page
from sandbox.control.kinds import KINDS
from sandbox.core.actor import Role
from tests.plugins.console import ORIGIN, Consoles
from tests.plugins.space import PEOPLE, Scene

SESSION = "__Host-sandbox"
DEFECT = re.compile(r"Traceback|File &#34;|sqlalchemy|\.py&#34;, line|<code>INTERNAL|>INTERNAL<")

# a name of PEOPLE for each role, the administrator, and nobody
BY_ROLE: dict[Role | None, str] = {
    None: "",
    Role.SPACE_ADMIN: "admin",
    **{role: name for name, (_, role) in reversed(PEOPLE.items())},
}


def answered(answer: httpx.Response) -> httpx.Response:
    """What holds of every answer of the console, whatever was asked: no defect, and its headers."""
    told = f"{answer.request.method} {answer.request.url} -> {answer.status_code} {answer.text[:300]}"
    assert answer.status_code < 500, told
    # the help explains INTERNAL, as it explains every code
    helps = answer.request.url.path.startswith("/console/help/") and answer.status_code == 200
    assert helps or not DEFECT.search(answer.text), told
    for name, value in HEADERS.items():
        assert answer.headers.get(name) == value, (name, told)
    path = answer.request.url.path
    kept = path.startswith("/console/static/") and answer.status_code == 200
    if path.startswith("/console/public") and SESSION not in answer.request.headers.get("cookie", ""):
        kept = answer.status_code == 200  # the same for every stranger
    assert ("no-store" in answer.headers.get("cache-control", "")) != kept, told
    assert "access-control-allow-origin" not in answer.headers, told
    return answer


def code_of(answer: httpx.Response) -> str:
    """The code of the refusal that a page shows, "" for none."""
    found = re.search(r'<(?:small|span) class="code">([A-Z][A-Z_]+)</', answer.text)
    return found[1] if found else ""


@dataclass
class Line:
    """Requests of one browser: cookies are kept, redirects are not followed."""

    http: httpx.AsyncClient
    runner: asyncio.Runner
    csrf: str = ""
    signed_in: bool = False
    seen: list[httpx.Response] = field(default_factory=list)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The request as it is given."""
        answer = self.runner.run(self.http.request(method, path, **more))
        self.seen.append(answer)
        return answer

    def get(self, path: str, **more: Any) -> httpx.Response:
        return answered(self.ask("GET", f"/console{path}", **more))

    def post(self, path: str, form: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        """A form as the page would send it, if nothing else is said: own origin, the session's token."""
        headers = {"origin": ORIGIN, **more.pop("headers", {})}
        given = {"csrf": self.csrf, **(form or {})}
        return answered(self.ask("POST", f"/console{path}", data=given, headers=headers, **more))

    def read_csrf(self) -> str:
        """The token of the present session, as its pages hold it."""
        found = re.search(r'name="csrf" value="([^"]*)"', self.get("/public").text)
        assert found
        self.csrf = html.unescape(found[1])
        return self.csrf

    @property
    def cookie(self) -> str:
        """The present session's id."""
        return self.http.cookies.get(SESSION) or ""


@dataclass
class Lines:
    """Browsers over one console."""

    consoles: Consoles
    runner: asyncio.Runner
    known: dict[str, Line] = field(default_factory=dict)

    @property
    def scene(self) -> Scene:
        return self.consoles.scene

    def stranger(self, cookies: Any = None) -> Line:
        """A browser that nobody has signed in with."""
        transport = httpx.ASGITransport(self.consoles.app, raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url=ORIGIN, cookies=cookies, trust_env=False)
        return Line(http, self.runner)

    def fresh(self, who: str) -> Line:
        """``who`` in a browser of their own; "" is nobody."""
        if not who:
            return self.stranger()
        known = who in self.consoles.known
        line = self.stranger((self.consoles.fresh if known else self.consoles)(who).cookies)
        line.signed_in = True
        line.read_csrf()
        return line

    def __call__(self, who: str) -> Line:
        if who not in self.known:
            self.known[who] = self.fresh(who)
        return self.known[who]


@contextmanager
def lines_over(consoles: Consoles) -> Iterator[Lines]:
    """``Lines`` with a loop of their own, closed at the end."""
    with asyncio.Runner() as runner:
        yield Lines(consoles, runner)


def one_of_each(scene: Scene) -> dict[str, str]:
    """A resource of each kind, in a state in which people have something to do: kind -> id."""
    scene.granted()
    scene.entry("ce-z", until="graded")
    scene.create("chief", "negative-list-entry", {"entry": "ce-z", "reason": "secret", "law": "law"}, "nl-a")
    order = {"agreement": "ag-a", "breach": "late", "items": ["mend"], "law": "CD 34", "suspend": False}
    scene.create("body", "rectification", order, "re-a")
    scene.job()
    scene.request(until="human_review")
    return {
        "organisation": "dev",
        "catalogue-entry": "ce-a",
        "negative-list-entry": "nl-a",
        "agreement": "ag-a",
        "scenario": "sc-a",
        "supply": "su-a",
        "job": "job-a",
        "egress-request": "eg-a",
        "product": "pr-a",
        "rectification": "re-a",
    }


# what stands in a path; an unknown parameter of a new page fails the test that says so
PARTS = {"event": "approve", "path": "out.csv", "seq": "0", "guide": "reviewer", "name": "list-zh.png"}
ABOUT = {"grading": "supply", "grading-decide": "supply", "exit": "agreement"}  # whose id, by the page's name
MACHINE_MADE = frozenset(KINDS) - {
    "organisation", "catalogue-entry", "negative-list-entry", "agreement", "scenario", "supply", "job",
    "egress-request", "product", "rectification",
}  # fmt: skip


def path_of(page: Page, ids: dict[str, str], about: str = "egress-request") -> str:
    """The page's path with something real in every part; ``about`` is the kind where the path names none."""
    kind = next((part for part in page.path.split("/") if part in ids), ABOUT.get(page.name, about))
    known = {**PARTS, "kind": kind, "id": ids[kind]}
    names = re.findall(r"\{(\w+)(?::\w+)?\}", page.path)
    assert set(names) <= set(known), f"say in PARTS what stands for a part of {page.path}"
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: known[found[1]], page.path)
