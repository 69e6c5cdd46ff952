"""Signing in by an identity provider: OpenID Connect, code flow with PKCE (S256), state and nonce.

What binds the way there and back to one browser is a sealed ticket in its cookie: nothing is stored for who
only begins. A ticket works once. Which account a subject is, an administrator has said beforehand.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from cryptography.fernet import Fernet, InvalidToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sandbox.control import codes  # noqa: F401 - states the error codes raised here
from sandbox.core.errors import fail

# What a provider may sign with: public keys only, neither "none" nor the shared secrets of HS…
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
TICKET_SECONDS = 600
LEEWAY_SECONDS = 60  # between the provider's clock and ours
CALL_SECONDS = 10.0
KNOWN_SECONDS = 3600.0  # how long the provider's description is believed
LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Configured:
    """One provider, from the settings; without ``secret`` a public client, which PKCE alone protects."""

    issuer: str
    client: str
    secret: str
    redirect: str


@dataclass(frozen=True)
class Ticket:
    """What the browser's cookie holds, sealed. ``session`` names (SHA-256) the one to be confirmed, or ""."""

    state: str
    nonce: str
    verifier: str
    begun: int
    session: str = ""


@dataclass(frozen=True)
class Endpoints:
    """Where the provider is asked, from its own description."""

    authorization: str
    token: str
    keys: str


class Provider:
    """The way to one provider and back. ``transport`` is for tests."""

    def __init__(
        self,
        configured: Configured,
        secret: bytes,
        clock: Callable[[], datetime],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.configured = configured
        self._seal = Fernet(base64.urlsafe_b64encode(hmac.digest(secret, b"oidc ticket", "sha256")))
        self._clock = clock
        self._transport = transport
        self._known: tuple[float, Endpoints] | None = None

    def begin(self, session: str = "") -> tuple[str, str]:
        """Where to send the browser, and the ticket for its cookie.

        With ``session`` (SHA-256 of an open one's id) the provider is asked to make the person prove who they
        are again. Raises OIDC_UNREACHABLE, OIDC_REFUSED.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        ticket = Ticket(state, nonce, verifier, int(self._now), session)
        again = {"prompt": "login", "max_age": "0"} if session else {}
        url = prepare_grant_uri(
            self._endpoints().authorization,
            client_id=self.configured.client,
            response_type="code",
            redirect_uri=self.configured.redirect,
            scope="openid",
            state=ticket.state,
            nonce=ticket.nonce,
            code_challenge=create_s256_code_challenge(ticket.verifier),
            code_challenge_method="S256",
            **again,
        )
        sealed = self._seal.encrypt_at_time(json.dumps(asdict(ticket)).encode(), int(self._now))
        return str(url), sealed.decode()

    def finish(self, sealed: str, query: Mapping[str, str]) -> tuple[Ticket, str]:
        """The ticket and the provider's subject, when everything in the answer holds together.

        Raises OIDC_REFUSED with one word of what did not, OIDC_UNREACHABLE.
        """
        ticket = self._unsealed(sealed)
        if not hmac.compare_digest(ticket.state.encode(), query.get("state", "").encode("utf-8", "replace")):
            raise fail("OIDC_REFUSED", why="state")
        if query.get("iss", self.configured.issuer) != self.configured.issuer:  # RFC 9207
            raise fail("OIDC_REFUSED", why="issuer")
        if "error" in query or not query.get("code"):
            raise fail("OIDC_REFUSED", why="provider")
        claims = self._claims(self._exchange(query["code"], ticket.verifier), ticket.nonce)
        if ticket.session:
            proved = claims.get("auth_time")
            if type(proved) is not int or proved < ticket.begun - LEEWAY_SECONDS:
                raise fail("OIDC_REFUSED", why="auth_time")
        return ticket, str(claims["sub"])

    # --- how it is done

    @property
    def _now(self) -> float:
        return self._clock().timestamp()

    def _unsealed(self, sealed: str) -> Ticket:
        try:
            body = self._seal.decrypt_at_time(
                sealed.encode("utf-8", "replace"), TICKET_SECONDS, int(self._now)
            )
        except InvalidToken:
            raise fail("OIDC_REFUSED", why="ticket") from None
        return Ticket(**json.loads(body))

    def _endpoints(self) -> Endpoints:
        """Discovery, believed for an hour: who begins without end does not make us ask without end."""
        if self._known is None or time.monotonic() - self._known[0] > KNOWN_SECONDS:
            issuer = self.configured.issuer
            told = self._call("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if told.get("issuer") != issuer:
                raise fail("OIDC_REFUSED", why="issuer")
            found = Endpoints(
                *(_address(told, name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"))
            )
            self._known = (time.monotonic(), found)
        return self._known[1]

    def _exchange(self, code: str, verifier: str) -> str:
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.configured.redirect,
            "code_verifier": verifier,
        }
        auth = None
        if self.configured.secret:  # RFC 6749 2.3.1: both are form-encoded before they are joined
            auth = httpx.BasicAuth(quote(self.configured.client, ""), quote(self.configured.secret, ""))
        else:
            asked["client_id"] = self.configured.client
        token = self._call("POST", self._endpoints().token, data=asked, auth=auth).get("id_token")
        if not isinstance(token, str):
            raise fail("OIDC_REFUSED", why="token")
        return token

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that is the provider's, for us, now, and for this ticket."""
        client = self.configured.client
        rules = jwt.JWTClaimsRegistry(
            now=int(self._now),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.configured.issuer},
            aud={"essential": True, "value": client},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        keys: Any = self._call("GET", self._endpoints().keys)
        try:
            claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS).claims
            rules.validate(claims)
        except (JoseError, ValueError, KeyError, TypeError):
            raise fail("OIDC_REFUSED", why="token") from None
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else client) != client:
            raise fail("OIDC_REFUSED", why="token")
        return dict(claims)

    def _call(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            with httpx.Client(transport=self._transport, timeout=CALL_SECONDS) as http:
                answer = http.request(method, url, headers={"accept": "application/json"}, **more)
            if answer.status_code >= 500:
                raise fail("OIDC_UNREACHABLE")
            body = answer.json()
        except httpx.HTTPError:
            raise fail("OIDC_UNREACHABLE") from None
        except ValueError:
            raise fail("OIDC_REFUSED", why="answer") from None
        if answer.status_code != 200 or not isinstance(body, dict):
            raise fail("OIDC_REFUSED", why="code" if method == "POST" else "answer")
        return body


def _address(told: Mapping[str, Any], name: str) -> str:
    """An endpoint of the description: TLS, or this machine."""
    url = told.get(name)
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL)):
        raise fail("OIDC_REFUSED", why="answer")
    return str(url)
