"""Signing in to the pages by an identity provider, and confirming a decision there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.api.app import create_app
from sandbox.control.identity import Identity
from tests.plugins.console import CHEAP, Consoles, Person
from tests.plugins.provider import ISSUER, SETTINGS, Liar
from tests.plugins.space import ADMINISTRATOR, Scene


@pytest.fixture
def liar(scene: Scene) -> Liar:
    """The provider; its tokens are as old as the scene."""
    return Liar(clock=lambda: scene.clock.now.timestamp())


@pytest.fixture
def linked(scene: Scene, liar: Liar) -> Consoles:
    """The console with the provider behind it, and one person linked."""
    settings = replace(scene.space.settings, **SETTINGS)
    identity = Identity(scene.space.control, settings, hasher=CHEAP, transport=liar.transport)
    identity.link(ADMINISTRATOR, scene.who("chief").account, ISSUER, "sub-1")
    return Consoles(scene, create_app(scene.space, identity), identity)


def there_and_back(person: Person, liar: Liar, begin: str = "/oidc") -> str:
    """The whole way; where the person is sent at its end."""
    answer = person.get(begin)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{ISSUER}/authorize?")
    back = person.get("/oidc/return", params=liar.answer(answer.headers["location"]))
    assert back.status_code == 303, back.text
    return back.headers["location"]


def test_a_linked_person_comes_in_by_the_provider(linked: Consoles, liar: Liar) -> None:
    person = linked.stranger()
    assert "/console/oidc" in person.get("/sign-in").text
    assert there_and_back(person, liar) == "/console/"
    assert person.get("/").status_code == 200
    assert "__Host-sandbox-oidc" not in person.cookies


def test_a_decision_is_confirmed_at_the_provider(linked: Consoles, liar: Liar) -> None:
    person = linked.stranger()
    there_and_back(person, liar)
    linked.scene.entry(until="graded")
    path = "/r/organisation/dev/suspend"
    shown = person.get("/r/organisation/dev").text
    assert "/console/oidc?again=1" in shown
    refused = person.post(path, {"reason": "test", "password": "no such thing"})
    assert refused.status_code in (403, 409)
    assert linked.scene.state("organisation", "dev") == "active"
    there_and_back(person, liar, "/oidc?again=1")
    assert person.post(path, {"reason": "test"}).status_code == 303
    assert linked.scene.state("organisation", "dev") == "suspended"


def test_an_answer_without_its_ticket_is_refused_and_shows_the_form(linked: Consoles, liar: Liar) -> None:
    begun = linked.stranger().get("/oidc").headers["location"]
    other = linked.stranger()
    answer = other.get("/oidc/return", params=liar.answer(begun))
    assert answer.status_code == 401
    assert "OIDC_REFUSED" in answer.text
    assert other.get("/").status_code == 303


def test_without_a_provider_the_page_says_so(consoles: Consoles) -> None:
    assert "/console/oidc" not in consoles.stranger().get("/sign-in").text
    assert consoles.stranger().get("/oidc").status_code == 409
