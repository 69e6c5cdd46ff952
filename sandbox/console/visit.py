"""One request to the console: who it is, in which language, and that a form came from our own page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.console import codes  # noqa: F401
from sandbox.console.words import LANGUAGES, gettext
from sandbox.control.door import Control
from sandbox.control.identity import Identity, Session
from sandbox.control.space import Space
from sandbox.core.actor import Actor
from sandbox.core.errors import SandboxError, fail

BASE = "/console"
COOKIE = "__Host-sandbox"
THEMES = ("light", "dark")
PREFERENCES = {"lang": LANGUAGES, "theme": (*THEMES, "")}
HERE = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?\Z")  # where browsers take http for safe, too
_LOCAL = re.compile(r"^/console(/[A-Za-z0-9._~-]+)*/?(\?[A-Za-z0-9._~=&%+-]*)?\Z")


def local(path: str) -> str:
    """``path`` if it is a page of the console, else its first page: a redirect leads nowhere else."""
    return path if _LOCAL.match(path) and ".." not in path else f"{BASE}/"


MAX_FILE = 1 << 20  # bytes of a file that comes with a form


@dataclass(frozen=True)
class File:
    """A file of a form, under the name that its sender gave it, read to one byte more than ``MAX_FILE``."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Visit:
    """What a view is made from. ``form`` is empty for a GET."""

    space: Space
    identity: Identity
    request: Request
    session: Session | None
    form: Mapping[str, str]
    files: tuple[File, ...] = ()

    @property
    def lang(self) -> str:
        """The chosen language; Chinese unless English was chosen."""
        return "en" if self.request.cookies.get("lang") == "en" else "zh"

    @property
    def theme(self) -> str:
        """The chosen theme, "" for the system's."""
        chosen = self.request.cookies.get("theme", "")
        return chosen if chosen in THEMES else ""

    @property
    def control(self) -> Control:
        """The door."""
        return self.space.control

    @property
    def now(self) -> datetime:
        """The time, of the space's clock."""
        return self.space.control.clock()

    @property
    def actor(self) -> Actor:
        """Who acts. Raises NO_SESSION where nobody has signed in or no role is chosen."""
        if self.session is None or self.session.actor is None:
            raise fail("NO_SESSION")
        return self.session.actor

    @property
    def address(self) -> str:
        """Where the request comes from, for the limit on attempts."""
        return self.request.client.host if self.request.client else ""

    @property
    def cookie(self) -> str:
        """The session's id as it came."""
        return self.request.cookies.get(COOKIE, "")

    def query(self, name: str, default: str = "") -> str:
        """A parameter of the address."""
        return self.request.query_params.get(name, default)

    def segment(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def say(self, text: str) -> str:
        """``text`` in the visitor's language."""
        return gettext(self.lang)(text)

    def named(self, thing: Any) -> str:
        """What a kind, state or transition is called in the visitor's language."""
        return str(thing.zh if self.lang == "zh" else thing.en)


def signed_in(identity: Identity, request: Request, *, polls: bool = False) -> Session | None:
    """The session behind the cookie, or None; what a page asks by itself (``polls``) keeps nobody in."""
    cookie = request.cookies.get(COOKIE, "")
    if not cookie:
        return None
    try:
        return identity.open(cookie, touch=not polls)
    except SandboxError as error:
        if error.code != "NO_SESSION":
            raise
        return None


def own_form(request: Request, form: Mapping[str, str], session: Session | None) -> None:
    """A form counts only from our own page: the browser says so, and it carries the session's token.

    Browsers send ``Origin`` with every POST; without a session the token has nothing to be compared with.
    Raises FOREIGN_FORM.
    """
    host = request.headers.get("host", "")
    own = f"http{'' if HERE.match(host) else 's'}://{host}", f"https://{host}"
    if not host or request.headers.get("origin", "") not in own:
        raise fail("FOREIGN_FORM")
    if session is not None:
        given = form.get("csrf", "") or request.headers.get("x-csrf-token", "")
        if not compare_digest(given.encode("utf-8", "replace"), session.csrf.encode()):
            raise fail("FOREIGN_FORM")


def remember(response: Response, session_id: str) -> None:
    """Set the session's cookie."""
    response.set_cookie(COOKIE, session_id, path="/", secure=True, httponly=True, samesite="lax")


def go(path: str, session_id: str | None = None) -> Response:
    """On to another page of ours; with a new session's id, or without any (empty)."""
    response = RedirectResponse(local(path), status_code=303)
    if session_id:
        remember(response, session_id)
    elif session_id == "":
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response
