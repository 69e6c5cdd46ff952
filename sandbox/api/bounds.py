"""What holds for every request and every answer of the server, whichever part of it answers."""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.core.errors import SandboxError, fail

MAX_BODY = 4 << 20  # bytes, but for what is streamed (PUT)
HEADERS = {  # of every answer that does not carry its own, as the pages and their files do
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
TLS_ONLY = "max-age=31536000"  # said where the request came by https: browsers then ask by nothing else


def refusal(error: SandboxError) -> JSONResponse:
    """An error as the API tells it."""
    return JSONResponse(error.as_json(), error.status, HEADERS)


class Bounds:
    """Gives a request its id, refuses a body that is too long or does not say how long it is, and gives the
    answer its headers. Between it and the routes there is nothing else: it adds no task and no copy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        id = secrets.token_hex(8)
        scope.setdefault("state", {})["id"] = id

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                held = MutableHeaders(scope=message)
                held["x-request-id"] = id
                for name, value in HEADERS.items():
                    held.setdefault(name, value)
                if scope["scheme"] == "https":
                    held["strict-transport-security"] = TLS_ONLY
            await send(message)

        within = scope["method"] == "PUT" or _short(Headers(scope=scope))
        await (self._app if within else refusal(fail("TOO_LARGE", max=MAX_BODY)))(scope, receive, headed)


def _short(headers: Headers) -> bool:
    size = headers.get("content-length", "0")
    told = size.isascii() and size.isdigit() and len(size) < 12  # more digits than any length has
    return told and int(size) <= MAX_BODY and "chunked" not in headers.get("transfer-encoding", "").lower()
