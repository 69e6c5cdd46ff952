"""The console as an application beside the API: finds out who asks, runs the page, renders refusals."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders, UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.console import assets
from sandbox.console.pages import MAX_FIELDS, PAGES, Page, admit
from sandbox.console.render import render, told
from sandbox.console.visit import BASE, MAX_FILE, File, Visit, go, own_form, signed_in
from sandbox.control.identity import Identity
from sandbox.control.space import Space
from sandbox.core.errors import SandboxError, fail

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), clipboard-read=()",
    "x-content-type-options": "nosniff",
}
LOG = logging.getLogger(__name__)


class _Headed:
    """Every answer carries ``HEADERS``, be it a page, a file, a redirect or a refusal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                held = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    held.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, headed)


async def _form(
    request: Request, max_files: int, max_fields: int
) -> tuple[dict[str, str], list[File]] | None:
    """The fields of a form, the last of each name, and its files (none of a control that was left empty);
    None for what is no form that a page of ours sends."""
    try:
        async with request.form(max_files=max_files, max_fields=max_fields) as given:
            fields = {name: value for name, value in given.items() if isinstance(value, str)}
            uploads = [one for _, one in given.multi_items() if isinstance(one, UploadFile) and one.filename]
            return fields, [File(str(one.filename), await one.read(MAX_FILE + 1)) for one in uploads]
    except HTTPException:
        return None


def create_console(space: Space, identity: Identity) -> Starlette:
    """The application over one opened space; mount it at ``/console``."""

    def endpoint(page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            return await _answer(page, request)

        return answer

    async def _answer(page: Page | None, request: Request) -> Response:
        form: tuple[dict[str, str], list[File]] | None = ({}, [])
        if request.method == "POST":
            form = await _form(request, page.files if page else 0, page.fields if page else MAX_FIELDS)
        return await run_in_threadpool(_in_thread, page, request, form)

    def _in_thread(
        page: Page | None, request: Request, form: tuple[dict[str, str], list[File]] | None
    ) -> Response:
        fields, files = form or ({}, [])
        visit = Visit(space, identity, request, None, fields, tuple(files))
        try:
            visit = replace(
                visit, session=signed_in(identity, request, polls=page is not None and page.polls)
            )
            if page is None:
                raise fail("NO_PAGE")
            if form is None:
                raise fail("MALFORMED", what="form", why=f"at most {page.fields} fields, {page.files} files")
            if request.method == "POST":
                own_form(request, fields, visit.session)
            elsewhere = admit(page, visit)
            return elsewhere or page.answer(visit)
        except SandboxError as error:
            return _refused(visit, error)
        except Exception:
            LOG.exception("page %s failed", page.name if page else "-")
            return _refused(visit, fail("INTERNAL"))

    def _refused(visit: Visit, error: SandboxError) -> Response:
        if error.code == "NO_SESSION" and visit.request.method == "GET":
            return go(f"{BASE}/sign-in")
        return render(visit, "error.html", error.status, error=told(visit, error))

    async def no_page(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return await _answer(None, request)

    routes: list[BaseRoute] = [
        Route(page.path, endpoint(page), methods=[page.method], name=page.name) for page in PAGES
    ]
    return Starlette(
        routes=[*assets.routes(), *routes],
        exception_handlers={HTTPException: no_page},
        middleware=[Middleware(_Headed)],
    )
