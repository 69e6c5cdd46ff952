"""The console without a browser: a person signs in over HTTP, opens pages and sends forms."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from sandbox.api.app import create_app
from sandbox.control.identity import Identity
from tests.plugins.space import ADMINISTRATOR, Scene

ORIGIN = "https://console.test"
PASSWORD = "kiln-harbour-violet-42"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Person:
    """One browser's worth of cookies."""

    app: Any
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    headers: dict[str, str] = field(default_factory=lambda: {"origin": ORIGIN})

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Any request, in this browser."""

        async def sent() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, cookies=self.cookies) as http:
                answer = await http.request(method, path, **more)
                self.cookies = http.cookies
                return answer

        return asyncio.run(sent())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", f"/console{path}", **more)

    def post(self, path: str, form: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        """A form as the page would send it: with the session's token, which any page of theirs holds."""
        given = {"csrf": self.csrf(), **(form or {})}
        return self.ask(
            "POST", f"/console{path}", data=given, headers=more.pop("headers", self.headers), **more
        )

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]*)"', self.get("/public").text)
        assert found
        return html.unescape(found[1])


@dataclass
class Consoles:
    """The application over one scene, and who has signed in to it."""

    scene: Scene
    app: Any
    identity: Identity
    known: dict[str, Person] = field(default_factory=dict)

    def stranger(self) -> Person:
        """A browser that nobody has signed in with."""
        return Person(self.app)

    def __call__(self, who: str) -> Person:
        """``who`` (a name of ``PEOPLE``), signed in."""
        if who not in self.known:
            self.known[who] = self.fresh(who)
        return self.known[who]

    def fresh(self, who: str) -> Person:
        """``who`` in another browser."""
        actor = self.scene.who(who)
        if who not in self.known:
            start = self.identity.start_password(ADMINISTRATOR, actor.account)
            grant = self.identity.sign_in(actor.account, start, "192.0.2.1")
            self.identity.change_password(grant.session_id, start, PASSWORD, "192.0.2.1")
            self.identity.sign_out(grant.session_id)
        person = self.stranger()
        answer = person.post("/sign-in", {"account": actor.account, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return person


@pytest.fixture
def consoles(scene: Scene) -> Consoles:
    """The console over a scene in which nothing has happened yet."""
    return consoles_of(scene)


def consoles_of(scene: Scene) -> Consoles:
    """The console over ``scene``, with passwords that cost little to check."""
    identity = Identity(scene.space.control, scene.space.settings, hasher=CHEAP)
    return Consoles(scene, create_app(scene.space, identity), identity)


ConsolesMaker = Callable[[Scene], Consoles]
