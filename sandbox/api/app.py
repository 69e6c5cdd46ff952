"""The HTTP API. Every route finds out who asks, hands the request to the door or the gate, and renders.

Resources: ``GET /v1/{kind}``, ``POST /v1/{kind}``, ``GET /v1/{kind}/{id}``, ``POST /v1/{kind}/{id}/{event}``,
for every kind of the tables. Errors are ``{"code", "message_zh", "message_en", "details"}``.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from sandbox import __version__
from sandbox.api.bounds import Bounds, refusal
from sandbox.console.app import create_console
from sandbox.control import accounts, disclosed
from sandbox.control.decisions import Scope, Use, named, use_of
from sandbox.control.door import Sight
from sandbox.control.dp import estimate
from sandbox.control.identity import Identity
from sandbox.control.kinds import KINDS
from sandbox.control.led_back import open_answer
from sandbox.control.report_page import request_page
from sandbox.control.sealed import open_log
from sandbox.control.space import Space
from sandbox.core.actor import READS_ALL, Actor, Role
from sandbox.core.errors import SandboxError, fail
from sandbox.core.records import own
from sandbox.core.resource import as_json as shown
from sandbox.egress.report.html import CSP
from sandbox.operation.supply import connector_only, still_active
from sandbox.registry.lineage import trace
from sandbox.store.archive import folder_as_tar

ACTS = {  # routes that act and do not say so in their path
    "/v1/supply/{id}/data": ("supply", "deliver"),
    "/v1/egress-request/{id}/package": ("egress-request", "download"),
    "/v1/egress-request/{id}/token": ("egress-request", "token"),  # a GET that hands over a key
    "/v1/reidentification/{id}/answer": ("reidentification", "open-answer"),  # and one that names persons
}
MAY_DELIVER = (connector_only, own, still_active)  # asked before a byte is taken; all guards again after


class Body(BaseModel):
    """Requests with unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


class Refusal(BaseModel):
    """What every refusal looks like: its code, and in both languages what to do."""

    code: str
    message_zh: str
    message_en: str
    details: dict[str, Any]


class Creation(Body):
    """``id`` may be chosen; otherwise one is made."""

    spec: dict[str, Any]
    id: str = ""


class AccountBody(Body):
    """A new account and the natural person (opaque key) behind it."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")
    name: str
    person: str


class MembershipBody(Body):
    """For whom and as what an account may act."""

    organisation: str
    role: Role


class TokenBody(Body):
    """Name, life and scope of an API token."""

    name: str
    days: int = Field(default=90, ge=1, le=366)
    scope: Scope = Scope.DECIDE


class LinkBody(Body):
    """A subject as an identity provider names it."""

    issuer: str = Field(pattern=r"^https?://\S{1,390}$")
    sub: str = Field(min_length=1, max_length=255)


class TakeBody(Body):
    """The release token."""

    token: str


class Estimate(Body):
    """The specification of a job with a query."""

    spec: dict[str, Any]


def answers(media_type: str) -> dict[str, Any]:
    """How a route is described whose answer is no JSON; its refusals still are."""
    return {"response_class": Response, "responses": {200: {"content": {media_type: {}}}}}


def use(request: Request) -> Use:
    """What a request would use a token for: reading, acting, or deciding; anything unforeseen is deciding."""
    route, told = request.scope["route"].path, request.path_params
    if route not in ACTS and (request.method == "GET" or route == "/v1/dp/estimate"):
        return Use(Scope.READ, "read", f"{named(told.get('kind', '-'))}/{named(told.get('id', '-'))}")
    kind, event = ACTS.get(route, (told.get("kind", ""), told.get("event", "create")))
    if kind:
        return use_of(kind, told.get("id", ""), event)
    return Use(Scope.DECIDE, "administer", f"account/{named(told.get('id', '-'))}")


def create_app(space: Space, identity: Identity | None = None) -> FastAPI:
    """The application over one opened space; ``identity`` is who lets people in, made here if not given."""
    app = FastAPI(
        title="Sandbox 授权运营空间",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        responses={status: {"model": Refusal, "description": "refused"} for status in ("4XX", "5XX")},
    )
    control, gate = space.control, space.gate
    people = identity or Identity(control, space.settings)

    def actor_of(
        request: Request,
        authorization: Annotated[str, Header()] = "",
        x_sandbox_acting: Annotated[str, Header()] = "",
    ) -> Actor:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise fail("NO_TOKEN")
        return accounts.sign_in(control, token.strip(), x_sandbox_acting, use(request))

    who = Depends(actor_of)

    app.add_middleware(Bounds)

    @app.exception_handler(SandboxError)
    def known(request: Request, error: SandboxError) -> JSONResponse:
        return refusal(error)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return refusal(fail("MALFORMED", what=where, why=first["type"]))

    @app.exception_handler(HTTPException)
    def no_route(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:  # the body could not even be decoded or nests too deep
            return refusal(fail("MALFORMED", what="body", why="not JSON"))
        return refusal(fail("NO_ROUTE", status=error.status_code))

    @app.exception_handler(Exception)
    def defect(request: Request, error: Exception) -> JSONResponse:
        return refusal(fail("INTERNAL"))

    # --- the pages

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        """People come for the console."""
        return RedirectResponse("/console/", 303)

    app.mount("/console", create_console(space, people))

    # --- without an account: what the public may read

    @app.get("/public/catalogue")
    def catalogue() -> list[dict[str, Any]]:
        """Metadata of confirmed entries: fields with grades, never a row (R-008, R-015)."""
        return disclosed.catalogue(control.store)

    @app.get("/public/negative-list")
    def negative_list() -> list[dict[str, Any]]:
        """The negative list."""
        return disclosed.negative_list(control.store)

    @app.get("/public/agreements")
    def agreements() -> list[dict[str, Any]]:
        """授权对象、内容、范围和时限 of live agreements (GD 23, CD 32)."""
        return disclosed.agreements(control.store)

    @app.get("/public/products")
    def products() -> list[dict[str, Any]]:
        """Registered products with the numbers of the resources behind them (R-178)."""
        return disclosed.products(control.store)

    @app.get("/public/use")
    def used() -> dict[str, Any]:
        """How much each live agreement is used, as last counted; small counts are not told exactly."""
        counted = disclosed.use(control.store, control.policy, control.clock())
        return {"counted_at": counted.at.isoformat(timespec="minutes"), "agreements": list(counted.rows)}

    @app.get("/public/checkpoint", **answers("text/plain"))
    def checkpoint() -> PlainTextResponse:
        """The newest signed head of the audit log: keep a copy outside."""
        return PlainTextResponse(disclosed.checkpoint(control.store))

    @app.get("/public/health")
    def health() -> dict[str, str]:
        """Whether the API answers."""
        return {"status": "ok", "version": __version__, "policy": space.policy.id}

    # --- accounts

    @app.get("/v1/me")
    def me(actor: Actor = who) -> dict[str, str]:
        """In whose name and as what the token acts."""
        return {"account": actor.account, "organisation": actor.organisation, "role": str(actor.role)}

    @app.post("/v1/accounts", status_code=201)
    def open_account(body: AccountBody, actor: Actor = who) -> dict[str, Any]:
        return asdict(accounts.open_account(control, actor, body.id, body.name, body.person))

    @app.post("/v1/accounts/{id}/memberships", status_code=201)
    def add_membership(id: str, body: MembershipBody, actor: Actor = who) -> dict[str, Any]:
        return asdict(accounts.add_membership(control, actor, id, body.organisation, body.role))

    @app.post("/v1/accounts/{id}/tokens", status_code=201)
    def give_token(id: str, body: TokenBody, actor: Actor = who) -> dict[str, str]:
        return {"token": accounts.give_token(control, actor, id, body.name, body.days, scope=body.scope)}

    @app.post("/v1/accounts/{id}/tokens/{name}/revoke")
    def revoke_token(id: str, name: str, actor: Actor = who) -> dict[str, str]:
        accounts.revoke_token(control, actor, id, name)
        return {"account": id, "revoked": name}

    @app.post("/v1/accounts/{id}/password", status_code=201)
    def start_password(id: str, actor: Actor = who) -> dict[str, str]:
        """A start password, shown this once, to be changed at first sign-in; the account's sessions end."""
        return {"account": id, "password": people.start_password(actor, id)}

    @app.post("/v1/accounts/{id}/links", status_code=201)
    def link(id: str, body: LinkBody, actor: Actor = who) -> dict[str, str]:
        """Let a subject of an identity provider sign in as the account."""
        people.link(actor, id, body.issuer, body.sub)
        return {"account": id, "issuer": body.issuer, "sub": body.sub}

    @app.post("/v1/accounts/{id}/unlink")
    def unlink(id: str, body: LinkBody, actor: Actor = who) -> dict[str, str]:
        """Take such a link away; the account's sessions end."""
        people.unlink(actor, id, body.issuer, body.sub)
        return {"account": id, "issuer": body.issuer, "sub": body.sub}

    @app.post("/v1/accounts/{id}/disable")
    def disable_account(id: str, actor: Actor = who) -> dict[str, Any]:
        return asdict(accounts.set_disabled(control, actor, id, True))

    @app.post("/v1/accounts/{id}/enable")
    def enable_account(id: str, actor: Actor = who) -> dict[str, Any]:
        return asdict(accounts.set_disabled(control, actor, id, False))

    # --- audit and lineage

    def auditing(actor: Actor, what: str) -> None:
        if actor.role not in READS_ALL:
            control.note(actor, what, "audit/-", reason="ROLE")
            raise fail("ROLE", role=str(actor.role), event=what, may=", ".join(sorted(READS_ALL)))

    @app.get("/v1/audit")
    def audit(
        object: str = "",
        start: int = Query(default=0, ge=0),
        limit: int = Query(default=200, ge=1, le=1000),
        actor: Actor = who,
    ) -> list[dict[str, Any]]:
        """Entries of the log, optionally of one object."""
        auditing(actor, "read-audit")
        with control.store.read() as reader:
            found = reader.entries(start=start, limit=limit, object=object or None)
        return [{"seq": seq, **asdict(entry), "at": entry.at.isoformat()} for seq, entry in found]

    @app.get("/v1/audit/bundle", **answers("application/x-tar"))
    def bundle(actor: Actor = who) -> Response:
        """The whole log with checkpoints and keys, as a tar that verifies offline."""
        auditing(actor, "export-audit")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "bundle"
            control.store.export(out)
            return Response(folder_as_tar(out), media_type="application/x-tar")

    @app.get("/v1/lineage/{kind}/{id}")
    def lineage(kind: str, id: str, actor: Actor = who) -> dict[str, list[str]]:
        """Both ways along the lineage graph from a resource that the actor may see."""
        control.get(actor, kind, id)
        if actor.role not in READS_ALL:
            auditing(actor, "read-lineage")
        with control.store.read() as reader:
            return trace(Sight(reader), f"{kind}/{id}")

    @app.get("/v1/kinds")
    def kinds() -> list[dict[str, Any]]:
        """The lifecycle tables."""
        return [
            {
                "kind": kind.name,
                "zh": kind.zh,
                "en": kind.en,
                "states": [asdict(state) for state in kind.states],
                "transitions": [
                    {
                        "event": row.event,
                        "zh": row.zh,
                        "en": row.en,
                        "from": list(row.source),
                        "to": row.target,
                        "by": sorted(str(role) for role in row.by),
                        "guards": [guard.__name__ for guard in row.guards],
                        "cite": row.cite,
                    }
                    for row in kind.transitions
                ],
            }
            for kind in KINDS.values()
        ]

    @app.post("/v1/dp/estimate")
    def dp_estimate(body: Estimate, actor: Actor = who) -> dict[str, Any]:
        """What a question under differential privacy would cost, and what is left; nothing is charged."""
        return estimate(control, actor, body.spec)

    # --- the one channel in, and the one exit

    @app.put("/v1/supply/{id}/data")
    async def deliver(id: str, request: Request) -> dict[str, Any]:
        """The connector's bytes, into quarantine; what is not the manifest's is dropped (R-088, R-089)."""
        headers = request.headers
        actor = await run_in_threadpool(
            actor_of, request, headers.get("authorization", ""), headers.get("x-sandbox-acting", "")
        )
        supply = await run_in_threadpool(control.get, actor, "supply", id)
        await run_in_threadpool(control.ask, actor, "supply", id, "deliver", MAY_DELIVER)
        limit = supply.spec["manifest"]["bytes"]
        quarantine = space.places.blobs(supply.spec["agreement"], supply.spec["scenario"], "quarantine")
        with tempfile.TemporaryFile(dir=space.settings.home) as spool:
            size = 0
            stream: AsyncIterator[bytes] = request.stream()
            async for chunk in stream:
                size += len(chunk)
                if size > limit:
                    await run_in_threadpool(
                        control.note, actor, "deliver", supply.ref, reason="HASH_MISMATCH"
                    )
                    raise fail("HASH_MISMATCH")
                await run_in_threadpool(spool.write, chunk)
            spool.seek(0)
            sha256, taken = await run_in_threadpool(quarantine.take, iter(lambda: spool.read(1 << 20), b""))
        try:
            done = await run_in_threadpool(
                control.act, actor, "supply", id, "deliver", {"sha256": sha256, "bytes": taken}
            )
        except SandboxError:
            if sha256 != supply.spec["manifest"]["sha256"]:
                await run_in_threadpool(quarantine.remove, sha256)
            raise
        return shown(done)

    @app.get("/v1/egress-request/{id}/token")
    def token(id: str, actor: Actor = who) -> dict[str, str]:
        """The release token, for the named recipient."""
        return {"token": gate.token(actor, id)}

    @app.post("/v1/egress-request/{id}/package", **answers("application/zip"))
    def package(id: str, body: TakeBody, actor: Actor = who) -> StreamingResponse:
        """The released package, against its token."""
        return StreamingResponse(gate.open(actor, id, body.token), media_type="application/zip")

    @app.get("/v1/egress-request/{id}/review/{path}", **answers("application/octet-stream"))
    def review_room(id: str, path: str, actor: Actor = who) -> Response:
        """A canonical file as it would leave, for the reviewers of this request only."""
        return Response(gate.review(actor, id, path), media_type="application/octet-stream")

    @app.get("/v1/egress-request/{id}/report", **answers("text/html"))
    def report(id: str, lang: str = "zh", actor: Actor = who) -> HTMLResponse:
        """The check as a page: to the supervising side all of it, to others what ``get`` shows them."""
        page = request_page(control.get(actor, "egress-request", id), space.policy, lang)
        return HTMLResponse(page, headers={"content-security-policy": f"{CSP}; frame-ancestors 'none'"})

    @app.get("/v1/job/{id}/outputs/{path}")
    def outputs(id: str, path: str, actor: Actor = who) -> Response:
        """Always refused: outputs are in quarantine, and what is released comes from the gate (R-118)."""
        job = control.get(actor, "job", id)
        if job.state == "purged":
            raise fail("NOT_FOUND", kind=f"job/{id}", id=path)
        control.note(actor, "read-output", job.ref, reason="QUARANTINED")
        raise fail("QUARANTINED")

    @app.get("/v1/job/{id}/log", **answers("text/plain"))
    def log(id: str, actor: Actor = who) -> PlainTextResponse:
        """What a job printed, for the reviewer of the authorising body only; each opening is logged."""
        return PlainTextResponse(open_log(control, space.places, actor, id))

    @app.get("/v1/reidentification/{id}/answer")
    def answer(id: str, actor: Actor = who) -> Response:
        """What tokens were led back to, for the very person who asked; each opening is logged."""
        return Response(open_answer(control, space.places, actor, id), media_type="application/json")

    # --- resources

    @app.get("/v1/{kind}")
    def find(
        kind: str, state: str = "", label: Annotated[list[str] | None, Query()] = None, actor: Actor = who
    ) -> list[dict[str, Any]]:
        """Those of a kind that the actor may see; ``label=key=value`` narrows."""
        labels = dict(pair.split("=", 1) for pair in label or [] if "=" in pair)
        return [shown(one) for one in control.find(actor, kind, state=state or None, labels=labels or None)]

    @app.post("/v1/{kind}", status_code=201)
    def create(
        kind: str,
        body: Creation,
        request: Request,
        idempotency_key: Annotated[str, Header(max_length=100)] = "",
        actor: Actor = who,
    ) -> dict[str, Any]:
        """Create one; sent again with the same ``Idempotency-Key`` it gives what it made the first time."""
        made = control.create(
            actor, kind, body.spec, id=body.id, request=request.state.id, once=idempotency_key
        )
        return shown(made)

    @app.get("/v1/{kind}/{id}")
    def get(kind: str, id: str, actor: Actor = who) -> dict[str, Any]:
        """One, with the events that the actor's role has in its state."""
        found = control.get(actor, kind, id)
        return {**shown(found), "possible": control.possible(actor, found)}

    @app.get("/v1/{kind}/{id}/history")
    def history(kind: str, id: str, actor: Actor = who) -> list[dict[str, Any]]:
        """Every version of it, oldest first, each as the actor may see it."""
        return [shown(one) for one in control.history(actor, kind, id)]

    @app.post("/v1/{kind}/{id}/{event}")
    def act(
        kind: str,
        id: str,
        event: str,
        request: Request,
        payload: dict[str, Any] | None = None,
        if_match: Annotated[int | None, Header()] = None,
        actor: Actor = who,
    ) -> dict[str, Any]:
        """One transition; ``If-Match`` carries the version that the caller has seen."""
        done = control.act(actor, kind, id, event, payload or {}, expected=if_match, request=request.state.id)
        return shown(done)

    return app
