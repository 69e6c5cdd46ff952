"""A page that is not theirs, reloaded: refused every time, told to the log once in a while. And what the
description of the API says of answers that are no JSON, and the header for https alone."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.api.bounds import TLS_ONLY
from sandbox.console import refused
from tests.plugins.console import consoles_of
from tests.plugins.space import Scene


@pytest.mark.parametrize(
    ("who", "path", "code"),
    [
        ("developer", "/review", "PAGE_ROLE"),
        ("admin", "/r/job", "NO_DATA_RIGHT"),
        ("admin", "/r/job/job-a", "NO_DATA_RIGHT"),
        ("admin", "/r/agreement/ag-a/suspend/halts", "NO_DATA_RIGHT"),
        ("developer", "/r/agreement/new", "ROLE"),
    ],
)
def test_looking_again_is_refused_again_and_told_once(granted: Scene, who: str, path: str, code: str) -> None:
    person = consoles_of(granted)(who)
    start = granted.logged()

    def told() -> list[str]:
        return [one.reason for one in granted.log(start)]

    for _ in range(5):
        answer = person.get(path)
        assert (answer.status_code, f">{code}<" in answer.text) == (403, True)
    assert told() == [code]
    granted.clock.move(minutes=int(granted.control.policy.get("sign_in.window_minutes")) + 1)
    person.get(path)
    assert told()[-1:] == [code]
    assert told().count(code) == 2


def test_another_role_page_or_person_is_another_refusal(granted: Scene) -> None:
    consoles = consoles_of(granted)
    first, second = consoles("developer"), consoles("rival")
    start = granted.logged()
    for person in (first, second):
        for path in ("/review", "/audit", "/review", "/audit"):
            person.get(path)
    assert [(one.actor, one.object) for one in granted.log(start)] == [
        (who, f"page/{page}") for who in ("developer", "rival") for page in ("review-queue", "audit")
    ]


def test_an_act_is_told_every_time(granted: Scene) -> None:
    person = consoles_of(granted)("developer")
    start = granted.logged()
    for _ in range(3):
        assert person.post("/r/agreement/ag-a/suspend", {"reason": "no"}).status_code == 403
        assert person.post("/review/eg-a/verdict", {"which": "security"}).status_code == 403
    assert [one.reason for one in granted.log(start)] == ["ROLE", "PAGE_ROLE"] * 3


def test_what_is_remembered_is_bounded(granted: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused, "MOST", 2)
    told, now = refused.Told(), granted.clock()
    window = granted.clock.now - granted.clock.now.replace(year=2025)
    keys = [("a", "developer", "open-page", f"page/{number}") for number in range(3)]
    assert [told.first(key, now, window) for key in keys] == [True, True, True]
    assert [told.first(key, now, window) for key in reversed(keys)] == [False, False, True]


def test_answers_that_are_no_json_are_described_as_they_are(granted: Scene) -> None:
    paths = create_app(granted.space).openapi()["paths"]
    described = {
        (method, path): set(one["responses"]["200"]["content"])
        for path, methods in paths.items()
        for method, one in methods.items()
        if "200" in one["responses"]
        and set(one["responses"]["200"].get("content", ())) != {"application/json"}
    }
    assert described == {
        ("get", "/public/checkpoint"): {"text/plain"},
        ("get", "/v1/audit/bundle"): {"application/x-tar"},
        ("post", "/v1/egress-request/{id}/package"): {"application/zip"},
        ("get", "/v1/egress-request/{id}/review/{path}"): {"application/octet-stream"},
        ("get", "/v1/egress-request/{id}/report"): {"text/html"},
        ("get", "/v1/job/{id}/log"): {"text/plain"},
    }


def test_browsers_are_told_of_tls_where_it_was_used(granted: Scene) -> None:
    app = create_app(granted.space)

    async def told(base: str, path: str) -> str | None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=base) as http:
            answer = await http.get(path, headers={"x-forwarded-proto": "https"})
            return answer.headers.get("strict-transport-security")

    for path in ("/public/health", "/console/public", "/v1/agreement", "/none"):
        assert asyncio.run(told("https://space.test", path)) == TLS_ONLY
        # who says so in a header is believed by the server alone, and only from a proxy it trusts
        assert asyncio.run(told("http://space.test", path)) is None
