"""The distribution's Chromium for the tests of the console, and a user who watches a page strictly.

``visitor(url)`` opens a context of its own for one user. Whatever goes wrong in that user's browser fails the
test at its end: a word on the console, an error of a script, a violation of the page's policy, a request to
another host, a picture or script that did not come. A refusal that a test provokes is announced:
``with user.refused(403)``.

The browser lives as long as a file of tests, not longer: while it does, this thread has a running event loop,
and ``asyncio.run`` of another file would refuse to start.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    sync_playwright,
)

from sandbox.console.assets import STATIC

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--font-render-hinting=none",
)  # fmt: skip
AXE = STATIC / "vendor" / "test" / "axe.js"
CONTRAST = {"type": "rule", "values": ["color-contrast"]}  # all that a theme changes
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SHOTS = os.environ.get("SCREENSHOTS", "")
NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  const place = `${event.sourceFile}:${event.lineNumber}`;
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${place}`);
});
"""
RUN_AXE = """async (only) => {
  const found = await axe.run(document, {runOnly: only, resultTypes: ["violations"]});
  return found.violations.flatMap((one) => one.nodes.map((node) =>
    `${one.id} (${one.impact}): ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ")}`));
}"""


@dataclass
class User:
    """One user's browser. What ``checked`` gives is what a test must end without."""

    url: str
    context: BrowserContext
    page: Page
    problems: list[str] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)  # on the console: what, and of which address
    allowed: set[int] = field(default_factory=set)
    expected: set[str] = field(default_factory=set)  # addresses whose refusal the test wanted

    def goto(self, path: str) -> Response:
        """Open a page of this console."""
        response = self.page.goto(self.url + path)
        assert response is not None, path
        return response

    @contextmanager
    def refused(self, *statuses: int) -> Iterator[None]:
        """Answers with these statuses are what the test wants, and what the console says of them later."""
        before = set(self.allowed)
        self.allowed.update(statuses)
        try:
            yield
        finally:
            self.allowed = before

    def forget(self) -> None:
        """What went wrong so far was provoked."""
        self.problems.clear()
        self.said.clear()

    def axe(self, themes: tuple[str, ...] = ("light", "dark")) -> list[str]:
        """What axe finds against WCAG 2.2 AA on the page as it stands, where the system's theme is each of
        these."""
        found: list[str] = []
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        for theme in themes:
            self.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            only = {"type": "tag", "values": WCAG} if theme == themes[0] else CONTRAST
            found += [f"{theme}: {one}" for one in self.page.evaluate(RUN_AXE, only)]
        self.page.emulate_media(color_scheme="light")
        return found

    def shot(self, name: str, whole: bool = True) -> None:
        """A picture of the page as ``name``.png, where SCREENSHOTS names a folder; else nothing."""
        if SHOTS:
            path = Path(SHOTS) / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=path, full_page=whole, animations="disabled")

    # --- what is watched

    def watch(self) -> None:
        """Note everything that goes wrong from now on."""
        self.context.add_init_script(NOTE_VIOLATIONS)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.problems.append(f"script: {error.error}"))
        self.context.on("request", self._asked)
        self.context.on("requestfailed", self._failed)
        self.context.on("response", self._answered)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append((f"console {message.type}: {message.text}", message.location.get("url", "")))

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.problems.append(f"off-host: {request.url}")

    def _failed(self, request: Request) -> None:
        # what a page had under way when the user left it is no fault
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"failed: {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status in self.allowed:
            self.expected.add(response.url)
        elif response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")

    def checked(self) -> list[str]:
        """Everything that went wrong so far, with the violations of the page that is open."""
        if self.page.url.startswith(self.url):
            self.problems += [f"policy: {one}" for one in self.page.evaluate("() => window.violations")]
        paths = [urlsplit(one).path for one in self.expected]
        # of a refusal the browser names the address, and htmx the path
        said = [
            f"{text} ({url})"
            for text, url in self.said
            if url not in self.expected and not any(f"from {path}," in text for path in paths)
        ]
        return self.problems + said


Visitor = Callable[..., User]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for the tests of one file."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """``visitor(url, width=1280, height=800, **context)``: one more user, with cookies of its own.

    At the end of the test nothing may have gone wrong in anyone's browser.
    """
    users: list[User] = []

    def one(url: str, width: int = 1280, height: int = 800, **more: Any) -> User:
        options = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai", "reduced_motion": "reduce", **more}
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(30_000)  # a busy machine is no failure
        user = User(url.rstrip("/"), context, context.new_page())
        users.append(user)
        user.watch()
        return user

    yield one
    found = [problem for user in users for problem in user.checked()]
    for user in users:
        user.context.close()
    assert found == []


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """``app`` (ASGI) on a port of this machine, in a thread; gives its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the server ended while starting"
            assert time.monotonic() < deadline, "the server did not start within 20 seconds"
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
