"""Identity providers inside the test's process: the public mock, and one that lies as it is told to.

``oidc-provider-mock`` shows that the way there and back works with an implementation that is not ours; it
checks no PKCE, signs no ``auth_time`` and never cheats, so ``Liar`` does.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import secrets
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

ISSUER = "https://id.example"
CLIENT = "space"
BACK = "https://space.example/console/oidc/return"
SETTINGS = {
    "oidc_issuer": ISSUER,
    "oidc_client": CLIENT,
    "oidc_secret": "a secret: with/odd characters",
    "oidc_redirect": BACK,
}


def public_mock() -> Any:
    """The application of ``oidc-provider-mock``, which still uses what Authlib wants to drop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import oidc_provider_mock

        app = oidc_provider_mock.app()

    def quiet(*given: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = app(*given)
            try:
                return list(answer)  # it answers while it is read
            finally:
                answer.close()

    return quiet


@functools.cache
def signing_key(name: str) -> RSAKey:
    """A key of its own for each name; to make one takes longer than a test."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"})


def said(url: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(url).query))


@dataclass
class Liar:
    """A provider: ``answer(url)`` plays the browser's visit and gives the query that it comes back with.

    ``claims`` are laid over those of the next ID token (None takes one out), ``sign`` makes the token.
    """

    sub: str = "sub-1"
    claims: dict[str, Any] = field(default_factory=dict)
    described: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] | None = None
    down: bool = False
    clock: Callable[[], float] = lambda: 0.0
    asked: list[httpx.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = signing_key("k1")
        self._codes: dict[str, dict[str, str]] = {}

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._serve)

    def answer(self, url: str) -> dict[str, str]:
        asked, code = said(url), secrets.token_urlsafe(8)
        self._codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def honest(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.key)

    def unsigned(self, claims: dict[str, Any]) -> str:
        parts = ({"alg": "none"}, claims)
        return ".".join(_b64(json.dumps(part).encode()) for part in parts) + "."

    def by_public_key(self, claims: dict[str, Any]) -> str:
        """HS256 with the public key as the shared secret."""
        key = OctKey.import_key(self.key.as_pem(private=False))
        return jwt.encode({"alg": "HS256", "kid": "k1"}, claims, key, algorithms=["HS256"])

    def by_another_key(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, signing_key("k2"))

    def by_a_key_inside(self, claims: dict[str, Any]) -> str:
        """The token brings its own key along."""
        own = signing_key("k2")
        return jwt.encode({"alg": "RS256", "jwk": own.as_dict(private=False)}, claims, own)

    def _serve(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.down:
            raise httpx.ConnectError("down")
        serve = {
            "/.well-known/openid-configuration": self._description,
            "/keys": self._keys,
            "/token": self._token,
        }[request.url.path]
        return serve(request)

    def _description(self, _: httpx.Request) -> httpx.Response:
        told = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
        }
        return httpx.Response(200, json=told | self.described)

    def _keys(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=KeySet([self.key]).as_dict(private=False))

    def _token(self, request: httpx.Request) -> httpx.Response:
        body = {key: one[0] for key, one in parse_qs(request.content.decode()).items()}
        asked = self._codes.pop(body.get("code", ""), None)
        if asked is None or asked.get("code_challenge_method") != "S256":
            return httpx.Response(400, json={"error": "invalid_grant"})
        made = _b64(hashlib.sha256(body.get("code_verifier", "").encode()).digest())
        same = (made, body.get("redirect_uri")) == (asked["code_challenge"], asked["redirect_uri"])
        if not same or not request.headers.get("authorization", "").startswith("Basic "):
            return httpx.Response(400, json={"error": "invalid_grant"})
        now = int(self.clock())
        claims = {"iss": ISSUER, "aud": CLIENT, "sub": self.sub, "nonce": asked["nonce"], "iat": now}
        claims |= {"exp": now + 300, "auth_time": now, **self.claims}
        kept = {key: value for key, value in claims.items() if value is not None}
        token = (self.sign or self.honest)(kept)
        return httpx.Response(200, json={"access_token": "x", "token_type": "Bearer", "id_token": token})


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
