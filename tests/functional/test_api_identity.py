"""Start passwords, links and the scopes of tokens, over the API."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from sandbox.api.app import ACTS, create_app
from sandbox.control import accounts
from sandbox.control.decisions import Scope
from sandbox.control.identity import Identity
from tests.plugins.identity import HERE, LIGHT
from tests.plugins.space import ADMINISTRATOR, Scene

READING_POSTS = {"/v1/dp/estimate"}  # what it would cost: nothing is charged


class Tokens:
    """Requests with a token of a given scope."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.identity = Identity(scene.control, scene.space.settings, hasher=LIGHT)
        self.app: FastAPI = create_app(scene.space, self.identity)
        self.given: dict[tuple[str, Scope], str] = {}

    def __call__(self, who: str, scope: Scope, method: str, path: str, **more: Any) -> httpx.Response:
        if (who, scope) not in self.given:
            self.given[who, scope] = accounts.give_token(
                self.scene.control, ADMINISTRATOR, who, f"{scope}-token", scope=scope
            )
        headers = {"authorization": f"Bearer {self.given[who, scope]}"}

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://space") as http:
                return await http.request(method, path, headers=headers, **more)

        return asyncio.run(ask())

    def code(self, *asked: Any, **more: Any) -> str:
        answer = self(*asked, **more)
        return "" if answer.is_success else str(answer.json()["code"])


@pytest.fixture
def tokens(scene: Scene) -> Tokens:
    return Tokens(scene)


def writing(app: FastAPI) -> list[tuple[str, str]]:
    """Every route of the API that is not a GET, its parameters filled in."""
    found = [
        (method, re.sub(r"{\w+}", "x-1", route.path.replace("{kind}", "job").replace("{event}", "cancel")))
        for route in app.routes
        for method in getattr(route, "methods", None) or ()
        if route.path.startswith("/v1/") and method not in ("GET", "HEAD", "OPTIONS")  # type: ignore[attr-defined]
    ]
    assert len(found) > 10
    return found


def test_a_token_for_reading_changes_nothing(tokens: Tokens) -> None:
    before = tokens.scene.everything()
    for method, path in writing(tokens.app):
        if path not in READING_POSTS:
            assert tokens.code("developer", Scope.READ, method, path) == "SCOPE", path
    assert tokens.scene.everything() == before
    assert tokens("developer", Scope.READ, "GET", "/v1/job").status_code == 200
    handing_over = [route.path for route in tokens.app.routes if getattr(route, "path", "") in ACTS]  # type: ignore[attr-defined]
    assert "/v1/egress-request/{id}/token" in handing_over  # a GET that is more than reading
    for path in handing_over:
        method = "GET" if path.endswith(("token", "answer")) else "POST"
        if not path.endswith("data"):
            assert tokens.code("developer", Scope.READ, method, path.replace("{id}", "x-1")) == "SCOPE"
    assert tokens("developer", Scope.READ, "GET", "/v1/me").json()["account"] == "developer"
    assert tokens.code("developer", Scope.READ, "POST", "/v1/dp/estimate", json={"spec": {}}) != "SCOPE"


def test_a_token_for_acting_decides_nothing_and_lets_nobody_in(tokens: Tokens) -> None:
    act, decide = Scope.ACT, Scope.DECIDE
    told = {"name_zh": "新", "name_en": "new", "roles": ["developer"]}
    assert (
        tokens.code("space-admin", act, "POST", "/v1/organisation", json={"spec": told, "id": "newco"}) == ""
    )
    assert tokens.code("space-admin", act, "POST", "/v1/organisation/newco/activate") == "SCOPE"
    assert tokens.scene.state("organisation", "newco") == "registered"
    for path, body in (
        ("tokens", {"name": "wider"}),
        ("memberships", {"organisation": "bdb", "role": "reviewer"}),
        ("password", None),
        ("links", {"issuer": "https://id.example", "sub": "s"}),
        ("disable", None),
    ):
        path = f"/v1/accounts/developer/{path}"
        assert tokens.code("space-admin", act, "POST", path, json=body) == "SCOPE", path
    assert tokens.code("space-admin", decide, "POST", "/v1/organisation/newco/activate") == ""
    assert tokens.scene.state("organisation", "newco") == "active"


def test_a_refused_scope_is_in_the_log(tokens: Tokens) -> None:
    before = len(tokens.scene.log())
    answer = tokens("reviewer", Scope.ACT, "POST", "/v1/egress-request/eg-a/approve")
    assert (answer.status_code, answer.json()["code"]) == (403, "SCOPE")
    assert answer.json()["details"] == {"scope": "act", "needed": "decide"}
    told = tokens.scene.log(before)[-1]
    assert (told.actor, told.role, told.action, told.object) == (
        "reviewer",
        "reviewer",
        "approve",
        "egress-request/eg-a",
    )
    assert (told.outcome, told.reason, told.details) == ("refused", "SCOPE", {"token": "act-token"})


def test_a_token_holds_everything_unless_said_otherwise(tokens: Tokens) -> None:
    made = tokens("space-admin", Scope.DECIDE, "POST", "/v1/accounts/developer/tokens", json={"name": "all"})
    narrow = {"name": "narrow", "scope": "read"}
    assert tokens(
        "space-admin", Scope.DECIDE, "POST", "/v1/accounts/developer/tokens", json=narrow
    ).is_success
    assert made.status_code == 201
    with tokens.scene.store.read() as reader:
        held = {one.name: one.scope for one in reader.tokens("developer")}
    assert held == {"all": "decide", "narrow": "read"}
    wrong = {"name": "wrong", "scope": "everything"}
    asked = ("space-admin", Scope.DECIDE, "POST", "/v1/accounts/developer/tokens")
    assert tokens.code(*asked, json=wrong) == "MALFORMED"


def test_an_administrator_gives_a_start_password_once(tokens: Tokens) -> None:
    answer = tokens("space-admin", Scope.DECIDE, "POST", "/v1/accounts/reviewer/password")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert tokens.identity.sign_in("reviewer", answer.json()["password"], HERE).session.must_change
    assert tokens.code("chief", Scope.DECIDE, "POST", "/v1/accounts/reviewer/password") == "ROLE"
    assert tokens.code("space-admin", Scope.DECIDE, "POST", "/v1/accounts/nobody/password") == "NOT_FOUND"


def test_an_administrator_links_and_unlinks(tokens: Tokens) -> None:
    def ask(who: str, verb: str, issuer: str, account: str = "reviewer") -> str:
        body = {"issuer": issuer, "sub": "s-1"}
        return tokens.code(who, Scope.DECIDE, "POST", f"/v1/accounts/{account}/{verb}", json=body)

    issuer = "https://id.example"
    assert ask("chief", "links", issuer) == "ROLE"
    assert ask("space-admin", "unlink", issuer) == "NOT_FOUND"
    assert ask("space-admin", "links", "ftp://id.example") == "MALFORMED"
    assert ask("space-admin", "links", issuer, "nobody") == "NOT_FOUND"
    assert ask("space-admin", "links", issuer) == ""
    assert ask("space-admin", "links", issuer, "chief") == "EXISTS"
    assert ask("space-admin", "unlink", issuer, "chief") == "NOT_FOUND"
    assert ask("space-admin", "unlink", issuer) == ""
