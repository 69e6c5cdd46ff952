"""The command line's half of the API: where the server is, who one is, and errors in one's language."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.core.errors import Invalid, SandboxError, Unavailable, define, fail

if TYPE_CHECKING:  # imported where they are used: many a command needs none of them
    import httpx

define(
    Unavailable,
    SERVER_UNREACHABLE=(
        "连不上服务器 {url}，请先运行 sandbox serve，或改正 SANDBOX_URL。",
        "The server {url} cannot be reached; run sandbox serve or correct SANDBOX_URL.",
    ),
)
define(
    Invalid,
    FILE_UNREADABLE=("读不了文件 {path}：{why}。", "File {path} cannot be read: {why}."),
)


class Remote(SandboxError):
    """An error that the server answered with."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body["code"], body["message_zh"], body["message_en"], body.get("details", {}))
        self.status = status


class Client:
    """``token`` and ``acting`` (role@organisation) say who asks; ``transport`` is for tests."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        acting: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        import httpx

        self.url = url or os.environ.get("SANDBOX_URL", "http://127.0.0.1:8070")
        given = (token or os.environ.get("SANDBOX_TOKEN", "")).strip()
        headers = {"authorization": f"Bearer {given}"} if given else {}
        if acting or os.environ.get("SANDBOX_ACTING"):
            headers["x-sandbox-acting"] = acting or os.environ["SANDBOX_ACTING"]
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=120, transport=transport)

    def call(self, method: str, path: str, **rest: Any) -> httpx.Response:
        """One request; raises the server's error, or SERVER_UNREACHABLE."""
        import httpx

        try:
            answer = self._http.request(method, path, **rest)
        except httpx.TransportError as error:
            raise fail("SERVER_UNREACHABLE", url=self.url) from error
        if answer.status_code >= 400:
            try:
                raise Remote(answer.status_code, answer.json())
            except (ValueError, KeyError) as error:
                raise fail("INTERNAL") from error
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """JSON of a GET."""
        return self.call("GET", path, params={k: v for k, v in query.items() if v}).json()

    def create(self, kind: str, spec: dict[str, Any], id: str = "") -> dict[str, Any]:
        """Create a resource."""
        made: dict[str, Any] = self.call("POST", f"/v1/{kind}", json={"spec": spec, "id": id}).json()
        return made

    def act(self, kind: str, id: str, event: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        """One transition."""
        done: dict[str, Any] = self.call("POST", f"/v1/{kind}/{id}/{event}", json=payload or {}).json()
        return done

    def wait(self, kind: str, id: str, states: set[str], seconds: float = 600) -> dict[str, Any]:
        """Poll until the resource is in one of ``states``; TIMED_OUT as STATE error otherwise."""
        deadline = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = self.get(f"/v1/{kind}/{id}")
            if found["state"] in states:
                return found
            if time.monotonic() > deadline:
                raise fail(
                    "STATE",
                    kind=f"{kind}/{id}",
                    state=found["state"],
                    event="wait",
                    possible=", ".join(states),
                )
            time.sleep(0.2)

    def supply(self, manifest: dict[str, Any], file: Path, key: Path) -> dict[str, Any]:
        """What a provider's connector does: sign the manifest, announce the supply, send the bytes."""
        complete = sign_manifest(manifest, file, key)
        spec = {name: complete[name] for name in ("agreement", "scenario", "entry")}
        made = self.create("supply", {**spec, "manifest": complete})

        def chunks() -> Iterator[bytes]:
            with file.open("rb") as source:
                yield from iter(lambda: source.read(1 << 20), b"")

        self.call("PUT", f"/v1/supply/{made['id']}/data", content=chunks())
        return made


def sign_manifest(manifest: dict[str, Any], file: Path, key: Path) -> dict[str, Any]:
    """The manifest with hash, size and signature. Raises FILE_UNREADABLE."""
    import rfc8785
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    digest = hashlib.sha256()
    try:
        with file.open("rb") as source:
            for chunk in iter(lambda: source.read(1 << 20), b""):
                digest.update(chunk)
        private = load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise fail("FILE_UNREADABLE", path=str(error.args[-1:] or file), why=type(error).__name__) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise fail("FILE_UNREADABLE", path=str(key), why="not an Ed25519 key")
    body = {
        "rows": None,
        "format": "parquet" if file.suffix == ".parquet" else "csv",
        "supplied_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **manifest,
        "sha256": digest.hexdigest(),
        "bytes": file.stat().st_size,
    }
    signature = private.sign(rfc8785.dumps(body))
    return {**body, "signature": base64.b64encode(signature).decode()}


def as_json(value: Any) -> str:
    """Readable JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)
