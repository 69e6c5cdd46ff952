"""The HTTP API over a whole space: who may ask, what an answer may show, what is dropped."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.api.bounds import HEADERS, MAX_BODY
from sandbox.audit.bundle import verify_bundle
from sandbox.control.kinds import KINDS
from tests.plugins.space import OUTPUT, PEOPLE, Scene


class Api:
    """Requests in a person's name; ``code`` asserts a refusal and gives its body."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.transport = httpx.ASGITransport(create_app(scene.space), raise_app_exceptions=False)
        self.tokens: dict[str, str] = {}

    def __call__(self, who: str, method: str, path: str, **more: Any) -> Any:
        headers = {**self.headers(who), **more.pop("headers", {})}

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.transport, base_url="http://space") as http:
                return await http.request(method, path, headers=headers, **more)

        return asyncio.run(ask())

    def headers(self, who: str) -> dict[str, str]:
        if not who:
            return {}
        if who not in self.tokens:
            self.tokens[who] = self.scene.token(who)
        return {"authorization": f"Bearer {self.tokens[who]}"}

    def refused(
        self, status: int, code: str, who: str, method: str, path: str, **more: Any
    ) -> dict[str, Any]:
        answer = self(who, method, path, **more)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert set(answer.json()) == {"code", "message_zh", "message_en", "details"}
        assert answer.json()["message_zh"]
        assert answer.json()["message_en"]
        assert answer.headers["content-type"] == "application/json"
        assert "Traceback" not in answer.text
        body: dict[str, Any] = answer.json()
        return body


@pytest.fixture
def api(granted: Scene) -> Api:
    return Api(granted)


# --- who asks


PRIVATE = [
    ("GET", "/v1/me"),
    ("GET", "/v1/audit"),
    ("GET", "/v1/audit/bundle"),
    ("GET", "/v1/lineage/product/pr-a"),
    ("GET", "/v1/agreement"),
    ("GET", "/v1/agreement/ag-a"),
    ("GET", "/v1/agreement/ag-a/history"),
    ("POST", "/v1/agreement/ag-a/suspend"),
    ("PUT", "/v1/supply/su-a/data"),
    ("GET", "/v1/egress-request/eg-a/token"),
    ("GET", "/v1/egress-request/eg-a/report"),
    ("GET", "/v1/egress-request/eg-a/review/out.csv"),
    ("GET", "/v1/job/job-a/outputs/out.csv"),
    ("GET", "/v1/job/job-a/log"),
    ("GET", "/v1/reidentification/rid-a/answer"),
    ("POST", "/v1/accounts/editor/tokens/test/revoke"),
    ("POST", "/v1/accounts/editor/password"),
    ("POST", "/v1/accounts/editor/disable"),
    ("POST", "/v1/accounts/editor/enable"),
]
BODIED = [
    ("POST", "/v1/accounts", {"id": "new", "name": "n", "person": "p"}),
    ("POST", "/v1/accounts/editor/memberships", {"organisation": "office", "role": "provider"}),
    ("POST", "/v1/accounts/editor/tokens", {"name": "n"}),
    ("POST", "/v1/accounts/editor/links", {"issuer": "https://id.example", "sub": "s"}),
    ("POST", "/v1/accounts/editor/unlink", {"issuer": "https://id.example", "sub": "s"}),
    ("POST", "/v1/agreement", {"spec": {}}),
    ("POST", "/v1/egress-request/eg-a/package", {"token": "x"}),
    ("POST", "/v1/dp/estimate", {"spec": {}}),
]


@pytest.mark.parametrize(("method", "path"), PRIVATE)
def test_nobody_without_a_token(method: str, path: str, api: Api) -> None:
    api.refused(401, "NO_TOKEN", "", method, path)
    for value in ("Bearer", "Bearer nonsense", "Basic abc", "Bearer sbx_" + "0" * 43, "\x7f"):
        api.refused(401, "NO_TOKEN", "", method, path, headers={"authorization": value})


@pytest.mark.parametrize(("method", "path", "body"), BODIED)
def test_nobody_posts_without_a_token(method: str, path: str, body: dict[str, Any], api: Api) -> None:
    api.refused(401, "NO_TOKEN", "", method, path, json=body)


def test_every_route_is_in_one_of_the_lists_or_public(api: Api) -> None:
    app = create_app(api.scene.space)
    routes = {
        (method, route.path)  # type: ignore[attr-defined]
        for route in app.routes
        for method in getattr(route, "methods", ()) or ()
        if method not in ("HEAD", "OPTIONS")
    }
    public = {path for _, path in routes if path.startswith("/public/")}
    assert public == {
        f"/public/{name}"
        for name in ("catalogue", "negative-list", "agreements", "products", "use", "checkpoint", "health")
    }
    open_ones = {"/", "/openapi.json", "/v1/kinds"}  # on to the pages; the code's own tables
    closed = [one for one in routes if one[1] not in public | open_ones]
    assert len(closed) == len({*PRIVATE, *((m, p) for m, p, _ in BODIED)})


def test_an_expired_token_and_a_disabled_role_open_nothing(api: Api) -> None:
    api("developer", "GET", "/v1/me")
    api.scene.clock.move(days=91)
    api.refused(401, "NO_TOKEN", "developer", "GET", "/v1/me")


def test_a_revoked_token_and_a_disabled_account_open_nothing_at_once(api: Api) -> None:
    admin = api.headers("admin")
    assert api("", "POST", "/v1/accounts/colleague/tokens", headers=admin, json={"name": "lost"}).is_success
    lost = api("", "POST", "/v1/accounts/colleague/tokens", headers=admin, json={"name": "two"}).json()[
        "token"
    ]
    mine = {"authorization": f"Bearer {lost}"}
    assert api("", "GET", "/v1/me", headers=mine).json()["account"] == "colleague"
    assert api("", "POST", "/v1/accounts/colleague/tokens/two/revoke", headers=admin).is_success
    api.refused(401, "NO_TOKEN", "", "GET", "/v1/me", headers=mine)
    api.refused(404, "NOT_FOUND", "", "POST", "/v1/accounts/colleague/tokens/two/revoke", headers=admin)
    assert api("rival", "GET", "/v1/me").is_success
    assert api("", "POST", "/v1/accounts/rival/disable", headers=admin).is_success
    api.refused(401, "NO_TOKEN", "rival", "GET", "/v1/me")
    assert api("", "POST", "/v1/accounts/rival/enable", headers=admin).is_success
    assert api("rival", "GET", "/v1/me").is_success
    api.refused(404, "NOT_FOUND", "", "POST", "/v1/accounts/nobody/disable", headers=admin)
    for path in ("tokens/two/revoke", "disable", "enable"):
        api.refused(403, "ROLE", "developer", "POST", f"/v1/accounts/rival/{path}")


def test_nobody_acts_as_what_they_are_not(api: Api) -> None:
    for acting in ("reviewer@bdb", "developer@dev-two", "space_admin@space", "nonsense", "@", "developer@"):
        body = api.refused(
            403, "ACTING_AS", "developer", "GET", "/v1/me", headers={"x-sandbox-acting": acting}
        )
        assert body["details"] == {"may": "developer@dev"}
    as_self = api("developer", "GET", "/v1/me", headers={"x-sandbox-acting": "developer@dev"})
    assert as_self.json() == {"account": "developer", "organisation": "dev", "role": "developer"}


@pytest.mark.parametrize("event", ["suspend", "leave"])
def test_people_of_a_suspended_organisation_are_out(event: str, api: Api) -> None:
    assert api("developer", "GET", "/v1/me").status_code == 200
    api.scene.act("admin", "organisation", "dev", event, {"reason": "breach"})
    api.refused(409, "ORGANISATION_INACTIVE", "developer", "GET", "/v1/me")


def test_only_administrators_open_accounts(api: Api) -> None:
    before = api.scene.logged()
    for who in PEOPLE:
        for method, path, body in BODIED[:3]:
            api.refused(403, "ROLE", who, method, path, json=body)
    noted = [e for e in api.scene.log(before) if e.outcome == "refused"]
    assert len(noted) == 3 * len(PEOPLE)


# --- malformed


def test_malformed_requests_have_our_error_shape(api: Api) -> None:
    json_header = {"content-type": "application/json"}
    for body in (b"{", b"[]", b"null", b"\xff", b'{"spec": 1}', b'{"spec": {}, "more": 1}', b'"x"'):
        api.refused(422, "MALFORMED", "chief", "POST", "/v1/agreement", content=body, headers=json_header)
    for body in (b"{", b"[]", b"1"):
        api.refused(
            422,
            "MALFORMED",
            "chief",
            "POST",
            "/v1/agreement/ag-a/suspend",
            content=body,
            headers=json_header,
        )
    api.refused(
        422, "MALFORMED", "chief", "POST", "/v1/agreement/ag-a/suspend", json={"reason": "x" * 2, "y": 1}
    )
    api.refused(422, "MALFORMED", "auditor", "GET", "/v1/audit?limit=-1")
    api.refused(422, "MALFORMED", "auditor", "GET", "/v1/audit?start=-1")
    assert api.scene.state("agreement", "ag-a") == "active"


def test_deep_and_odd_json_is_refused_without_a_trace(api: Api) -> None:
    deep = b'{"spec": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    header = {"content-type": "application/json"}
    api.refused(422, "MALFORMED", "chief", "POST", "/v1/agreement", content=deep, headers=header)
    odd = b'{"reason": "\\ud800\\ud800"}'
    api.refused(
        422,
        "MALFORMED",
        "chief",
        "POST",
        "/v1/agreement/ag-a/suspend",
        content=odd,
        headers={"content-type": "application/json"},
    )


def test_too_much_is_not_read(api: Api) -> None:
    big = b'{"reason": "' + b"x" * MAX_BODY + b'"}'
    api.refused(422, "TOO_LARGE", "chief", "POST", "/v1/agreement/ag-a/suspend", content=big)
    api.refused(
        422, "TOO_LARGE", "chief", "POST", "/v1/agreement/ag-a/suspend", headers={"content-length": "many"}
    )

    async def stream() -> AsyncIterator[bytes]:
        yield b"{}"

    api.refused(422, "TOO_LARGE", "chief", "POST", "/v1/agreement/ag-a/suspend", content=stream())


def test_unknown_addresses_kinds_ids_and_methods(api: Api) -> None:
    api.refused(404, "NO_ROUTE", "chief", "GET", "/nothing")
    api.refused(404, "NO_ROUTE", "chief", "GET", "/v1/agreement/ag-a/history/more/and/more")
    for method in ("DELETE", "PATCH", "PUT"):
        api.refused(404, "NO_ROUTE", "chief", method, "/v1/agreement/ag-a")
    api.refused(404, "NOT_FOUND", "chief", "GET", "/v1/thing")
    api.refused(404, "NOT_FOUND", "chief", "GET", "/v1/thing/x-1")
    api.refused(404, "NOT_FOUND", "chief", "POST", "/v1/thing", json={"spec": {}})
    api.refused(404, "NOT_FOUND", "chief", "GET", "/v1/agreement/ag-none")
    api.refused(404, "NOT_FOUND", "chief", "GET", "/v1/agreement/%00")
    api.refused(404, "NOT_FOUND", "chief", "POST", "/v1/agreement/ag-none/suspend", json={"reason": "no"})
    api.refused(409, "STATE", "chief", "POST", "/v1/agreement/ag-a/fly", json={})


def test_if_match_must_be_the_version_that_is_there(api: Api) -> None:
    version = api("chief", "GET", "/v1/agreement/ag-a").json()["version"]
    path, body = "/v1/agreement/ag-a/suspend", {"reason": "breach"}
    api.refused(409, "STALE", "chief", "POST", path, json=body, headers={"if-match": str(version - 1)})
    api.refused(422, "MALFORMED", "chief", "POST", path, json=body, headers={"if-match": "x"})
    done = api("chief", "POST", path, json=body, headers={"if-match": str(version)})
    assert (done.status_code, done.json()["state"]) == (200, "suspended")


def test_a_defect_says_nothing_of_itself(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **more: Any) -> Any:
        raise RuntimeError("CANARY-7f3a at /secret/path")

    monkeypatch.setattr(api.scene.control, "find", broken)
    answer = api("chief", "GET", "/v1/agreement")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "CANARY" not in answer.text
    assert "secret" not in answer.text


def test_answers_are_not_cached_and_carry_an_id(api: Api) -> None:
    answer = api("chief", "GET", "/v1/agreement")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    first, second = (api("chief", "GET", "/v1/me").headers["x-request-id"] for _ in range(2))
    assert first != second


def test_a_refusal_through_the_api_is_in_the_log_once_with_its_actor(api: Api) -> None:
    api.headers("developer")
    before = api.scene.logged()
    api.refused(403, "ROLE", "developer", "POST", "/v1/agreement/ag-a/suspend", json={"reason": "mine"})
    assert [(e.actor, e.reason) for e in api.scene.log(before)] == [("developer", "ROLE")]


# --- bringing in


def deliver(api: Api, who: str, content: bytes, supply: str = "su-b") -> Any:
    return api(who, "PUT", f"/v1/supply/{supply}/data", content=content)


def quarantine(scene: Scene) -> list[str]:
    names: list[str] = scene.space.places.blobs("ag-a", "sc-a", "quarantine").names()
    return names


@pytest.mark.requirement("R-088")
def test_people_upload_nothing_and_the_connector_does(api: Api) -> None:
    api.scene.supply("su-b", until="in_transfer", content=b"a,b\n1,2\n")
    for who in ("operator", "editor"):
        spec = api.scene.supply_spec(b"a,b\n1,2\n")
        api.refused(403, "MANUAL_UPLOAD", who, "POST", "/v1/supply", json={"spec": spec})
        api.refused(403, "MANUAL_UPLOAD", who, "PUT", "/v1/supply/su-b/data", content=b"a,b\n1,2\n")
    for who in ("reviewer", "developer", "auditor"):
        api.refused(403, "ROLE", who, "PUT", "/v1/supply/su-b/data", content=b"a,b\n1,2\n")
    api.refused(404, "NOT_FOUND", "rival", "PUT", "/v1/supply/su-b/data", content=b"a,b\n1,2\n")
    assert quarantine(api.scene) == []
    done = deliver(api, "connector", b"a,b\n1,2\n")
    assert (done.status_code, done.json()["state"]) == (200, "quarantined")
    assert quarantine(api.scene) == [hashlib.sha256(b"a,b\n1,2\n").hexdigest()]
    manifest = api.scene.get("supply", "su-b").spec["manifest"]
    snapshot = {"sha256": manifest["sha256"], "rows": 1, "entities": 1, "columns": [], "task": {}}
    api.scene.act("system", "supply", "su-b", "load", snapshot)
    assert api.scene.state("supply", "su-b") == "loaded"


@pytest.mark.requirement("R-089")
@pytest.mark.parametrize("content", [b"a,b\n1,3\n", b"a,b\n1,2", b"a,b\n1,2\n3,4\n", b""])
def test_wrong_bytes_are_dropped_and_nothing_stays(content: bytes, api: Api) -> None:
    api.scene.supply("su-b", until="in_transfer", content=b"a,b\n1,2\n")
    before = api.scene.logged()
    api.refused(422, "HASH_MISMATCH", "connector", "PUT", "/v1/supply/su-b/data", content=content)
    assert quarantine(api.scene) == []
    assert api.scene.state("supply", "su-b") == "in_transfer"
    assert [e.reason for e in api.scene.log(before) if e.outcome == "refused"] == ["HASH_MISMATCH"]
    api.scene.act("chief", "agreement", "ag-a", "suspend", {"reason": "breach"})
    spec = api.scene.supply_spec()
    api.refused(409, "AGREEMENT_INACTIVE", "connector", "POST", "/v1/supply", json={"spec": spec})


def test_right_bytes_for_a_suspended_agreement_are_not_taken(api: Api) -> None:
    api.scene.supply("su-b", until="in_transfer", content=b"a,b\n1,2\n")
    api.scene.act("chief", "agreement", "ag-a", "suspend", {"reason": "breach"})
    api.refused(409, "AGREEMENT_INACTIVE", "connector", "PUT", "/v1/supply/su-b/data", content=b"a,b\n1,2\n")
    assert quarantine(api.scene) == []


def test_nothing_is_delivered_twice(api: Api) -> None:
    api.scene.supply("su-b", until="quarantined", content=b"a,b\n1,2\n")
    api.refused(409, "STATE", "connector", "PUT", "/v1/supply/su-b/data", content=b"a,b\n1,2\n")


# --- taking out


def take(api: Api, who: str, token: str) -> Any:
    return api(who, "POST", "/v1/egress-request/eg-a/package", json={"token": token})


def test_the_package_goes_to_the_recipient_against_its_token_and_holds_what_was_reviewed(api: Api) -> None:
    api.scene.job()
    api.scene.request(recipient="dev-two")
    for who in ("developer", "reviewer", "auditor"):
        api.refused(403, "NOT_RECIPIENT", who, "GET", "/v1/egress-request/eg-a/token")
    api.refused(404, "NOT_FOUND", "operator", "GET", "/v1/egress-request/eg-a/token")
    token = api("rival", "GET", "/v1/egress-request/eg-a/token").json()["token"]
    api.refused(
        403, "NOT_RECIPIENT", "developer", "POST", "/v1/egress-request/eg-a/package", json={"token": token}
    )
    api.refused(
        403, "NOT_RECIPIENT", "reviewer", "POST", "/v1/egress-request/eg-a/package", json={"token": token}
    )
    api.refused(
        403, "TOKEN_INVALID", "rival", "POST", "/v1/egress-request/eg-a/package", json={"token": token + "x"}
    )
    taken = take(api, "rival", token)
    with zipfile.ZipFile(io.BytesIO(taken.content)) as package:
        assert package.read("data/out.csv").decode() == OUTPUT
        assert json.loads(package.read("package.json"))["recipient"] == "dev-two"


@pytest.mark.requirement("R-155")
def test_a_token_is_for_its_recipient_in_its_time_and_each_use_is_logged(api: Api) -> None:
    api.scene.job()
    api.scene.request()
    token = api("developer", "GET", "/v1/egress-request/eg-a/token").json()["token"]
    path, body = "/v1/egress-request/eg-a/package", {"token": token}
    api.refused(403, "NOT_RECIPIENT", "rival", "POST", path, json=body)
    api.refused(403, "NOT_RECIPIENT", "rival", "POST", "/v1/egress-request/eg-none/package", json=body)
    assert take(api, "developer", token).status_code == 200
    request = api.scene.get("egress-request", "eg-a")
    (download,) = request.status["downloads"]
    assert download["organisation"] == "dev"
    assert download["package_sha256"] == request.status["release"]["package_sha256"]
    assert "download" in [e.action for e in api.scene.log() if e.object == "egress-request/eg-a"]
    api.scene.clock.move(days=31)
    api.refused(
        403, "TOKEN_EXPIRED", "developer", "POST", "/v1/egress-request/eg-a/package", json={"token": token}
    )


@pytest.mark.parametrize("until", ["requested", "human_review", "approved", "releasing", "auto_rejected"])
def test_before_the_release_there_is_no_token_and_no_package(until: str, api: Api) -> None:
    api.scene.job()
    api.scene.request(until=until)
    api.refused(409, "NOT_RELEASED", "developer", "GET", "/v1/egress-request/eg-a/token")
    body = {"token": "rel_" + "0" * 64}
    api.refused(409, "NOT_RELEASED", "developer", "POST", "/v1/egress-request/eg-a/package", json=body)


def test_recalled_suspended_and_forbidden_releases_are_taken_no_more(api: Api) -> None:
    api.scene.job()
    api.scene.request()
    token = api("developer", "GET", "/v1/egress-request/eg-a/token").json()["token"]
    api.scene.act("chief", "agreement", "ag-a", "suspend", {"reason": "breach"})
    path, body = "/v1/egress-request/eg-a/package", {"token": token}
    api.refused(409, "AGREEMENT_INACTIVE", "developer", "POST", path, json=body)
    api.scene.act("chief", "agreement", "ag-a", "resume", {"reason": "mended"})
    assert take(api, "developer", token).status_code == 200
    api.scene.act("reviewer", "egress-request", "eg-a", "recall", {"cause": "leak"})
    api.refused(409, "NOT_RELEASED", "developer", "POST", path, json=body)


def test_a_package_whose_bytes_changed_on_disk_is_not_handed_out(api: Api) -> None:
    api.scene.job()
    api.scene.request()
    token = api("developer", "GET", "/v1/egress-request/eg-a/token").json()["token"]
    folder = api.scene.space.settings.home / "released"
    (package,) = folder.iterdir()
    package.write_bytes(package.read_bytes() + b"x")
    answer = take(api, "developer", token)
    assert (answer.status_code, answer.json()["code"]) == (500, "BLOB_DAMAGED")
    package.unlink()
    answer = take(api, "developer", token)
    assert (answer.status_code, answer.json()["code"]) == (500, "BLOB_MISSING")


@pytest.mark.requirement("R-118")
def test_outputs_are_not_read_before_the_release_and_are_gone_after_the_purge(api: Api) -> None:
    api.scene.job()
    for who in ("developer", "colleague", "reviewer", "auditor"):
        api.refused(403, "QUARANTINED", who, "GET", "/v1/job/job-a/outputs/out.csv")
    api.scene.clock.move(days=31)
    assert "job/job-a" in api.scene.control.tick()
    api.scene.act("system", "job", "job-a", "erase")
    assert api.scene.state("job", "job-a") == "purged"
    api.tokens.clear()
    api.refused(404, "NOT_FOUND", "developer", "GET", "/v1/job/job-a/outputs/out.csv")
    actions = [e.action for e in api.scene.log() if e.object == "job/job-a"]
    assert {"purge", "erase", "read-output"} <= set(actions)


def test_the_review_room_is_for_those_who_may_decide_while_they_decide(api: Api) -> None:
    api.scene.job()
    api.scene.request(until="human_review")
    path = "/v1/egress-request/eg-a/review/out.csv"
    assert api("reviewer", "GET", path).content.decode() == OUTPUT
    api.refused(404, "NOT_FOUND", "reviewer", "GET", "/v1/egress-request/eg-a/review/other.csv")
    for who, code in {
        "developer": "ROLE",
        "auditor": "ROLE",
        "chief": "ROLE",
        "other-reviewer": "NOT_AUTHORISER",
    }.items():
        api.refused(403, code, who, "GET", path)
    api.refused(404, "NOT_FOUND", "operator", "GET", path)
    api.scene.act("reviewer", "egress-request", "eg-a", "reject", {"reason": "no", "law": "GD 26"})
    api.refused(409, "STATE", "reviewer", "GET", path)
    opened = [e for e in api.scene.log() if e.action == "open-in-review-room"]
    assert [e.actor for e in opened] == ["reviewer"]


# --- roles that look


@pytest.mark.requirement("R-072")
def test_administering_the_runtime_gives_no_sight_of_data(api: Api) -> None:
    api.scene.job()
    api.scene.request()
    before = api.scene.logged()
    for kind in ("supply", "job", "product", "egress-request", "scenario", "agreement"):
        api.refused(403, "NO_DATA_RIGHT", "admin", "GET", f"/v1/{kind}")
    for method, path, more in (
        ("PUT", "/v1/supply/su-a/data", {"content": b"x"}),
        ("GET", "/v1/supply/su-a", {}),
        ("GET", "/v1/job/job-a", {}),
        ("GET", "/v1/job/job-a/history", {}),
        ("GET", "/v1/job/job-a/outputs/out.csv", {}),
        ("GET", "/v1/egress-request/eg-a/token", {}),
        ("GET", "/v1/egress-request/eg-a/review/out.csv", {}),
        ("GET", "/v1/lineage/product/pr-a", {}),
    ):
        api.refused(403, "NO_DATA_RIGHT", "admin", method, path, **more)
    body = {"token": "x" * 20}
    api.refused(403, "NOT_RECIPIENT", "admin", "POST", "/v1/egress-request/eg-a/package", json=body)
    api.refused(403, "ROLE", "admin", "GET", "/v1/audit")
    api.refused(403, "ROLE", "admin", "GET", "/v1/audit/bundle")
    refusals = [e for e in api.scene.log(before) if e.actor == "space-admin" and e.outcome == "refused"]
    assert len(refusals) == 17


@pytest.mark.requirement("R-198")
def test_an_auditor_reads_all_and_changes_nothing(api: Api, tmp_path: Path) -> None:
    canary = "CANARY-11010519491231002X"
    api.scene.job()
    api.scene.request()
    review = api.scene.space.places.blobs("ag-a", "sc-a", "raw")
    review.take(iter([canary.encode()]))
    for kind in KINDS.values():
        assert api("auditor", "GET", f"/v1/{kind.name}").status_code == 200
        answer = api("auditor", "POST", f"/v1/{kind.name}", json={"spec": {}})
        assert (answer.status_code, answer.json()["code"]) == (403, "ROLE")
        for one in api.scene.everything().values():
            if one.kind == kind.name:
                for row in kind.possible(one.state):
                    answer = api("auditor", "POST", f"/v1/{kind.name}/{one.id}/{row.event}", json={})
                    assert (answer.status_code, answer.json()["code"]) == (403, "ROLE")
    for method, path, body in BODIED[:3]:
        api.refused(403, "ROLE", "auditor", method, path, json=body)
    log = api("auditor", "GET", "/v1/audit?limit=1000")
    assert len(log.json()) > 100
    bundle = api("auditor", "GET", "/v1/audit/bundle")
    assert canary.encode() not in bundle.content
    assert canary not in log.text
    assert OUTPUT.encode() not in bundle.content
    path = tmp_path / "bundle.tar"
    path.write_bytes(bundle.content)
    assert verify_bundle(path).ok


@pytest.mark.parametrize("who", ["developer", "operator", "editor", "connector", "expert", "rival"])
def test_the_log_and_the_lineage_are_for_those_who_supervise(who: str, api: Api) -> None:
    api.refused(403, "ROLE", who, "GET", "/v1/audit")
    api.refused(403, "ROLE", who, "GET", "/v1/audit/bundle")
    answer = api(who, "GET", "/v1/lineage/product/pr-a")
    assert (answer.status_code, answer.json()["code"]) in {(403, "ROLE"), (404, "NOT_FOUND")}


def test_possible_names_what_the_role_has_and_no_more(api: Api) -> None:
    assert api("developer", "GET", "/v1/agreement/ag-a").json()["possible"] == []
    assert api("chief", "GET", "/v1/agreement/ag-a").json()["possible"] == ["suspend", "terminate"]


# --- the public


def test_public_pages_show_what_is_disclosed_and_no_more(api: Api) -> None:
    api.scene.entry("ce-draft", until="graded", title_zh="草稿")
    entries = api("", "GET", "/public/catalogue").json()
    assert [entry["id"] for entry in entries] == ["ce-a"]
    assert set(entries[0]) == {
        "id",
        "title_zh",
        "title_en",
        "provider",
        "category",
        "update_frequency",
        "authorisation",
        "registration_no",
        "version",
        "fields",
    }
    assert set(entries[0]["fields"][0]) == {
        "name",
        "title_zh",
        "title_en",
        "type",
        "category",
        "level",
        "flags",
    }
    api.scene.agreement("ag-draft", until="draft")
    agreements = api("", "GET", "/public/agreements").json()
    assert [set(one) for one in agreements] == [{"id", "object", "content", "scope", "term"}]
    assert api("", "GET", "/public/negative-list").json() == []
    assert set(api("", "GET", "/public/health").json()) == {"status", "version", "policy"}
    assert api("", "GET", "/public/checkpoint").text == ""
    api.scene.store.checkpoint()
    assert api("", "GET", "/public/checkpoint").text.startswith("sandbox\n")


def test_who_is_no_party_sees_of_an_agreement_what_is_disclosed(api: Api) -> None:
    for who in ("developer", "rival", "connector"):
        seen = api(who, "GET", "/v1/agreement/ag-a").json()
        assert set(seen["spec"]) == {
            *("title", "authoriser", "operator", "mode", "scope", "product_forms", "starts", "ends")
        }
        assert (seen["status"], seen["labels"]) == ({}, {})
    for who in ("body", "operator", "auditor"):
        assert "clauses" in api(who, "GET", "/v1/agreement/ag-a").json()["spec"]


@pytest.mark.requirement("R-127")
def test_anonymised_cannot_be_set(api: Api, granted: Scene) -> None:
    """Neither with a new product nor with an event of one that is there, whoever asks."""
    spec = {**granted.get("product", "pr-a").spec, "anonymised": True}
    before = granted.get("product", "pr-a")
    for who in ("operator", "developer", "chief", "reviewer"):
        for path, body in (
            ("/v1/product", {"spec": spec}),
            ("/v1/product", {"spec": {"anonymised": True}}),
            ("/v1/product/pr-a/offer", {"scenario": "sc-a", "anonymised": True}),
        ):
            api.refused(403, "MACHINE_ONLY", who, "POST", path, json=body)
    assert granted.get("product", "pr-a") == before
    assert before.spec["anonymity"]["verdict"] is False
