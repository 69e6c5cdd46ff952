"""The command line's half of the API: requests as sent, errors as told, manifests as signed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sandbox.cli.client import Client, Remote, sign_manifest
from sandbox.cli.language import describe
from sandbox.core.errors import CODES, fail
from tests.refusal import refused

ERROR = {"code": "STATE", "message_zh": "不行", "message_en": "no", "details": {"event": "x"}}
Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer, **more: Any) -> Client:
    return Client("http://space", "token", transport=httpx.MockTransport(answer), **more)


def pem(path: Path, key: Any) -> Path:
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def test_who_asks_and_as_what(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=[])

    monkeypatch.delenv("SANDBOX_TOKEN", raising=False)
    monkeypatch.delenv("SANDBOX_ACTING", raising=False)
    client(answer, acting="reviewer@authority").get("/v1/job", state="", label="a=b")
    Client("http://space", transport=httpx.MockTransport(answer)).get("/public/catalogue")
    monkeypatch.setenv("SANDBOX_TOKEN", "from-env\n")
    monkeypatch.setenv("SANDBOX_ACTING", "operator@op")
    monkeypatch.setenv("SANDBOX_URL", "http://elsewhere")
    Client(transport=httpx.MockTransport(answer)).get("/v1/me")
    assert [one.headers.get("authorization") for one in seen] == ["Bearer token", None, "Bearer from-env"]
    assert [one.headers.get("x-sandbox-acting") for one in seen] == [
        "reviewer@authority",
        None,
        "operator@op",
    ]
    assert str(seen[0].url) == "http://space/v1/job?label=a%3Db"  # an empty filter is not sent
    assert seen[2].url.host == "elsewhere"


def test_creation_and_transition_as_the_api_takes_them() -> None:
    seen: list[tuple[str, str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.url.path, json.loads(request.content)))
        return httpx.Response(201, json={"id": "job-1"})

    one = client(answer)
    assert one.create("job", {"a": 1}) == {"id": "job-1"}
    one.act("job", "job-1", "kill", {"cause": "x"})
    one.act("job", "job-1", "kill")
    assert seen == [
        ("POST", "/v1/job", {"spec": {"a": 1}, "id": ""}),
        ("POST", "/v1/job/job-1/kill", {"cause": "x"}),
        ("POST", "/v1/job/job-1/kill", {}),
    ]


def test_the_servers_error_is_raised_as_it_is() -> None:
    with pytest.raises(Remote) as caught:
        client(lambda request: httpx.Response(409, json=ERROR)).get("/v1/job/x")
    assert (caught.value.code, caught.value.status, caught.value.details) == ("STATE", 409, {"event": "x"})
    assert describe(caught.value, "zh") == "STATE: 不行"
    assert describe(caught.value, "en") == "STATE: no"


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(502, text="<html>bad gateway</html>"), httpx.Response(500, json={"other": 1})],
)
def test_an_answer_that_is_none_of_ours_is_an_internal_error(answer: httpx.Response) -> None:
    with refused("INTERNAL"):
        client(lambda request: answer).get("/v1/job")


def test_a_server_out_of_reach() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    with refused("SERVER_UNREACHABLE"):
        client(away).get("/v1/job")


def test_waiting_ends_with_the_state_or_with_the_time() -> None:
    states = iter(["queued", "running", "failed"])
    one = client(lambda request: httpx.Response(200, json={"state": next(states)}))
    assert one.wait("job", "job-1", {"failed", "quarantined"})["state"] == "failed"
    with refused("STATE"):
        client(lambda request: httpx.Response(200, json={"state": "queued"})).wait("job", "job-1", {"x"}, 0)


def test_a_manifest_carries_hash_size_and_signature(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(b"a\n1\n")
    key = Ed25519PrivateKey.generate()
    told = {"entry": "ce-a", "agreement": "ag-a", "scenario": "sc-a", "key_id": "k1", "sha256": "0" * 64}
    manifest = sign_manifest(told, file, pem(tmp_path / "key.pem", key))
    assert manifest["sha256"] == hashlib.sha256(b"a\n1\n").hexdigest()  # the file's, whatever was told
    assert (manifest["bytes"], manifest["format"], manifest["rows"]) == (4, "csv", None)
    signature = base64.b64decode(manifest.pop("signature"))
    key.public_key().verify(signature, rfc8785.dumps(manifest))
    parquet = tmp_path / "data.parquet"
    parquet.write_bytes(b"PAR1")
    assert sign_manifest({}, parquet, tmp_path / "key.pem")["format"] == "parquet"


def test_a_supply_is_announced_and_its_bytes_sent(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(b"x" * (3 << 20))
    key = pem(tmp_path / "key.pem", Ed25519PrivateKey.generate())
    sent: list[tuple[str, str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append((request.method, request.url.path, request.read()))
        return httpx.Response(201, json={"id": "su-1"})

    told = {"entry": "ce-a", "agreement": "ag-a", "scenario": "sc-a", "key_id": "k1"}
    assert client(answer).supply(told, file, key) == {"id": "su-1"}
    assert [(method, path) for method, path, _ in sent] == [
        ("POST", "/v1/supply"),
        ("PUT", "/v1/supply/su-1/data"),
    ]
    assert sent[1][2] == file.read_bytes()


@pytest.mark.parametrize("what", ["no file", "no key", "a key that is none", "a key of another kind"])
def test_what_cannot_be_read_or_signed_with_is_refused_before_anything_is_sent(
    tmp_path: Path, what: str
) -> None:
    file, key = tmp_path / "data.csv", tmp_path / "key.pem"
    if what != "no file":
        file.write_bytes(b"x")
    if what == "a key that is none":
        key.write_text("nothing")
    if what == "a key of another kind":
        pem(key, generate_private_key(SECP256R1()))
    if what == "no file":
        pem(key, Ed25519PrivateKey.generate())
    with refused("FILE_UNREADABLE"):
        client(lambda request: pytest.fail("sent")).supply({}, file, key)


def test_every_error_of_ours_can_be_described_in_both_languages() -> None:
    assert describe(fail("NOT_FOUND", kind="job", id="x"), "zh") == "NOT_FOUND: 找不到 job/x。"
    assert describe(fail("NOT_FOUND", kind="job", id="x"), "en") == "NOT_FOUND: There is no job/x."
    assert all(code.zh and code.en for code in CODES.values())
