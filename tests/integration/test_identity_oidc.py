"""Signing in by an identity provider: the whole way against a public mock, and what a provider may say."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from sandbox.control.identity import Identity
from tests.plugins.identity import HERE, OWN, House, HouseMaker
from tests.plugins.provider import BACK, CLIENT, ISSUER, SETTINGS, Liar, public_mock, said
from tests.plugins.space import ADMINISTRATOR
from tests.refusal import refused


class Visitor:
    """A house with a provider that lies as told; ``enter()`` is the whole way."""

    def __init__(self, house: House) -> None:
        self.house, self.liar = house, Liar(clock=lambda: house.clock.now.timestamp())
        self.identity: Identity = house.another(transport=self.liar.transport)
        self.identity.link(ADMINISTRATOR, "reviewer", ISSUER, "sub-1")

    def enter(self, session_id: str = "") -> Any:
        url, ticket = self.identity.oidc_begin(session_id)
        return self.identity.oidc_finish(ticket, self.liar.answer(url), HERE)


@pytest.fixture
def visitor(house_of: HouseMaker) -> Visitor:
    return Visitor(house_of(**SETTINGS))


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_whole_way_against_a_provider_that_is_not_ours(dialect: str, house_of: HouseMaker) -> None:
    issuer = "http://localhost"
    house = house_of(dialect, **SETTINGS | {"oidc_issuer": issuer})
    house.clock.now = datetime.now(UTC)  # the mock goes by the machine's clock
    app = public_mock()
    who = house.another(transport=httpx.WSGITransport(app))
    assert who.oidc_enabled
    with httpx.Client(transport=httpx.WSGITransport(app)) as browser:

        def enter(sub: str) -> Any:
            url, ticket = who.oidc_begin()
            answer = browser.post(url, data={"sub": sub})
            assert answer.status_code == 302
            assert answer.headers["location"].startswith(BACK)
            return who.oidc_finish(ticket, said(answer.headers["location"]), HERE)

        with refused("SIGN_IN"):
            enter("li.reviewer")
        who.link(ADMINISTRATOR, "reviewer", issuer, "li.reviewer")
        grant = enter("li.reviewer")
        assert grant.session.actor == house.who("reviewer")
        assert (grant.session.method, grant.session.must_change) == ("oidc", False)
        assert who.open(grant.session_id) == grant.session
        with refused("SIGN_IN"):
            enter("someone.else")


def test_what_is_asked_of_the_provider(visitor: Visitor) -> None:
    url, _ = visitor.identity.oidc_begin()
    asked = said(url)
    assert url.startswith(f"{ISSUER}/authorize?")
    assert asked["code_challenge_method"] == "S256"
    assert {key: asked[key] for key in ("client_id", "redirect_uri", "response_type", "scope")} == {
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "openid",
    }
    others = said(visitor.identity.oidc_begin()[0])
    assert all(asked[key] != others[key] for key in ("state", "nonce", "code_challenge"))
    visitor.enter()
    sent = next(one for one in visitor.liar.asked if one.url.path == "/token")
    given = base64.b64decode(sent.headers["authorization"].removeprefix("Basic ")).decode()
    assert [unquote(part) for part in given.split(":")] == [CLIENT, SETTINGS["oidc_secret"]]
    described = [one for one in visitor.liar.asked if one.url.path.startswith("/.well-known")]
    assert len(described) == 1  # however often someone begins


def test_a_public_client_says_its_name_and_no_secret(house_of: HouseMaker) -> None:
    visitor = Visitor(house_of(**SETTINGS | {"oidc_secret": ""}))
    with refused("OIDC_REFUSED"):  # this provider wants one
        visitor.enter()
    sent = next(one for one in visitor.liar.asked if one.url.path == "/token")
    assert "authorization" not in sent.headers
    assert f"client_id={CLIENT}" in sent.content.decode()


def test_without_settings_there_is_none(guests: House) -> None:
    assert not guests.identity.oidc_enabled
    with refused("OIDC_OFF"):
        guests.identity.oidc_begin()
    with refused("OIDC_OFF"):
        guests.identity.oidc_finish("x", {}, HERE)


def test_a_disabled_or_unlinked_account_does_not_come_in(visitor: Visitor) -> None:
    visitor.enter()
    visitor.house.disable("reviewer")
    with refused("SIGN_IN"):
        visitor.enter()
    visitor.house.disable("reviewer", False)
    id = visitor.enter().session_id
    visitor.identity.unlink(ADMINISTRATOR, "reviewer", ISSUER, "sub-1")
    with refused("NO_SESSION"):
        visitor.identity.open(id)
    with refused("SIGN_IN"):
        visitor.enter()


def test_confirming_by_the_provider_needs_a_proof_of_now(visitor: Visitor) -> None:
    id = visitor.enter().session_id
    assert visitor.identity.open(id).fresh_until is None
    asked = said(visitor.identity.oidc_begin(id)[0])
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    then = int(visitor.house.clock.now.timestamp())
    for auth_time in (then - 3600, None, "now", True):
        visitor.liar.claims = {"auth_time": auth_time}
        with refused("OIDC_REFUSED"):
            visitor.enter(id)
    visitor.liar.claims = {}
    after = visitor.enter(id)
    assert after.session.fresh_until is not None
    assert after.session_id != id
    with refused("NO_SESSION"):
        visitor.identity.open(id)


def test_confirming_is_of_the_same_account_and_an_open_session(visitor: Visitor) -> None:
    who = visitor.identity
    who.link(ADMINISTRATOR, "developer", ISSUER, "sub-2")
    id = visitor.enter().session_id
    visitor.liar.sub = "sub-2"
    with refused("OIDC_REFUSED"):
        visitor.enter(id)
    visitor.liar.sub = "sub-1"
    url, ticket = who.oidc_begin(id)
    who.sign_out(id)
    with refused("NO_SESSION"):
        who.oidc_finish(ticket, visitor.liar.answer(url), HERE)
    with refused("NO_SESSION"):
        who.oidc_begin(id)


def test_a_password_beside_the_provider(visitor: Visitor) -> None:
    """Who has both may confirm by either; who has none cannot confirm by one."""
    id = visitor.enter().session_id
    with refused("PASSWORD_WRONG"):
        visitor.identity.step_up(id, OWN, HERE)
    visitor.house.equip("reviewer")
    id = visitor.enter().session_id
    assert visitor.identity.step_up(id, OWN, HERE).session.fresh_until is not None


@pytest.mark.parametrize("answer", [httpx.Response(503), httpx.Response(500, text="x")])
def test_a_provider_that_is_down_is_said_to_be(answer: httpx.Response, visitor: Visitor) -> None:
    visitor.identity._transport = httpx.MockTransport(lambda _: answer)
    with refused("OIDC_UNREACHABLE"):
        visitor.identity.oidc_begin()


def test_a_provider_that_goes_down_midway_costs_no_attempt(visitor: Visitor) -> None:
    for _ in range(32):
        url, ticket = visitor.identity.oidc_begin()
        visitor.liar.down = True
        with refused("OIDC_UNREACHABLE"):
            visitor.identity.oidc_finish(ticket, visitor.liar.answer(url), HERE)
        visitor.liar.down = False
    assert visitor.enter()


def test_failed_answers_are_limited_by_address(visitor: Visitor) -> None:
    for _ in range(30):
        with refused("OIDC_REFUSED"):
            visitor.identity.oidc_finish("made up", {"code": "x", "state": "y"}, HERE)
    with refused("TOO_MANY_ATTEMPTS"):
        visitor.enter()
    visitor.house.clock.move(minutes=16)
    assert visitor.enter()


def test_a_ticket_lasts_ten_minutes(visitor: Visitor) -> None:
    url, ticket = visitor.identity.oidc_begin()
    visitor.house.clock.now += timedelta(minutes=9)
    assert visitor.identity.oidc_finish(ticket, visitor.liar.answer(url), HERE)
    url, ticket = visitor.identity.oidc_begin()
    visitor.house.clock.now += timedelta(minutes=11)
    with refused("OIDC_REFUSED"):
        visitor.identity.oidc_finish(ticket, visitor.liar.answer(url), HERE)
