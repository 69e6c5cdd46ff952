"""The HTTP API. Every route finds out who asks, hands the request to the door or the gate, and renders.

Resources: ``GET /v1/{kind}``, ``POST /v1/{kind}``, ``GET /v1/{kind}/{id}``, ``POST /v1/{kind}/{id}/{event}``,
for every kind of the tables. Errors are ``{"code", "message_zh", "message_en", "details"}``.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from sandbox import __version__
from sandbox.control import accounts
from sandbox.control.door import Sight
from sandbox.control.kinds import KINDS
from sandbox.control.report_page import request_page
from sandbox.control.sealed import open_log
from sandbox.control.space import Space
from sandbox.core.actor import READS_ALL, Actor, Role
from sandbox.core.errors import SandboxError, fail
from sandbox.core.records import own
from sandbox.core.resource import Resource
from sandbox.egress.report.html import CSP
from sandbox.operation.supply import connector_only, still_active
from sandbox.registry.lineage import trace
from sandbox.store.archive import folder_as_tar

MAX_BODY = 4 << 20
MAY_DELIVER = (connector_only, own, still_active)  # asked before a byte is taken; all guards again after


class Body(BaseModel):
    """Requests with unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


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
    """Name and life of an API token."""

    name: str
    days: int = Field(default=90, ge=1, le=366)


class TakeBody(Body):
    """The release token."""

    token: str


def shown(resource: Resource) -> dict[str, Any]:
    """A resource as JSON."""
    body = asdict(resource)
    for key in ("created_at", "changed_at", "due_at"):
        body[key] = body[key].isoformat() if body[key] else None
    return body


def create_app(space: Space) -> FastAPI:
    """The application over one opened space."""
    app = FastAPI(title="Sandbox 授权运营空间", version=__version__, docs_url=None, redoc_url=None)
    control, gate = space.control, space.gate

    def actor_of(
        authorization: Annotated[str, Header()] = "", x_sandbox_acting: Annotated[str, Header()] = ""
    ) -> Actor:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise fail("NO_TOKEN")
        return accounts.sign_in(control, token.strip(), x_sandbox_acting)

    who = Depends(actor_of)

    @app.middleware("http")
    async def bounded(request: Request, call_next: Any) -> Response:
        request.state.id = secrets.token_hex(8)
        size = request.headers.get("content-length", "0")
        streams = request.method == "PUT"
        if not streams and (
            not size.isdigit()
            or int(size) > MAX_BODY
            or "chunked" in request.headers.get("transfer-encoding", "")
        ):
            return rendered(fail("TOO_LARGE", max=MAX_BODY))
        response: Response = await call_next(request)
        response.headers["x-request-id"] = request.state.id
        response.headers["cache-control"] = "no-store"
        response.headers["x-content-type-options"] = "nosniff"
        return response

    def rendered(error: SandboxError) -> JSONResponse:
        return JSONResponse(error.as_json(), error.status)

    @app.exception_handler(SandboxError)
    def known(request: Request, error: SandboxError) -> JSONResponse:
        return rendered(error)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return rendered(fail("MALFORMED", what=where, why=first["type"]))

    @app.exception_handler(HTTPException)
    def no_route(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:  # the body could not even be decoded or nests too deep
            return rendered(fail("MALFORMED", what="body", why="not JSON"))
        return rendered(fail("NO_ROUTE", status=error.status_code))

    @app.exception_handler(Exception)
    def defect(request: Request, error: Exception) -> JSONResponse:
        return rendered(fail("INTERNAL"))

    # --- without an account: what the public may read

    @app.get("/public/catalogue")
    def catalogue() -> list[dict[str, Any]]:
        """Metadata of confirmed entries: fields with grades, never a row (R-008, R-015)."""
        with control.store.read() as reader:
            entries = reader.find(
                "catalogue-entry", state=("confirmed", "included", "conditional", "excluded")
            )
        return [
            {
                "id": entry.id,
                "title_zh": entry.spec["title_zh"],
                "title_en": entry.spec["title_en"],
                "provider": entry.organisation,
                "category": entry.spec["category"],
                "update_frequency": entry.spec["update_frequency"],
                "authorisation": entry.state,
                "registration_no": entry.status.get("registration", {}).get("registration_no", ""),
                "version": entry.version,
                "fields": [
                    {
                        key: field[key]
                        for key in ("name", "title_zh", "title_en", "type", "category", "level", "flags")
                    }
                    for field in entry.spec["fields"]
                ],
            }
            for entry in entries
        ]

    @app.get("/public/negative-list")
    def negative_list() -> list[dict[str, Any]]:
        """The negative list."""
        with control.store.read() as reader:
            return [{"id": one.id, **one.spec} for one in reader.find("negative-list-entry", state="listed")]

    @app.get("/public/agreements")
    def agreements() -> list[dict[str, Any]]:
        """授权对象、内容、范围和时限 of live agreements (GD 23, CD 32)."""
        with control.store.read() as reader:
            found = reader.find("agreement", state=("active", "suspended"))
        return [
            {
                "id": one.id,
                "object": one.spec["operator"],
                "content": one.spec["title"],
                "scope": one.spec["scope"],
                "term": [one.spec["starts"], one.spec["ends"]],
            }
            for one in found
        ]

    @app.get("/public/checkpoint")
    def checkpoint() -> PlainTextResponse:
        """The newest signed head of the audit log: keep a copy outside."""
        with control.store.read() as reader:
            known_ones = reader.checkpoints()
        return PlainTextResponse(known_ones[-1][0].note if known_ones else "")

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
        return {"token": accounts.give_token(control, actor, id, body.name, body.days)}

    @app.post("/v1/accounts/{id}/tokens/{name}/revoke")
    def revoke_token(id: str, name: str, actor: Actor = who) -> dict[str, str]:
        accounts.revoke_token(control, actor, id, name)
        return {"account": id, "revoked": name}

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

    @app.get("/v1/audit/bundle")
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

    # --- the one channel in, and the one exit

    @app.put("/v1/supply/{id}/data")
    async def deliver(id: str, request: Request) -> dict[str, Any]:
        """The connector's bytes, into quarantine; what is not the manifest's is dropped (R-088, R-089)."""
        actor = await run_in_threadpool(
            actor_of, request.headers.get("authorization", ""), request.headers.get("x-sandbox-acting", "")
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

    @app.post("/v1/egress-request/{id}/package")
    def package(id: str, body: TakeBody, actor: Actor = who) -> StreamingResponse:
        """The released package, against its token."""
        return StreamingResponse(gate.open(actor, id, body.token), media_type="application/zip")

    @app.get("/v1/egress-request/{id}/review/{path}")
    def review_room(id: str, path: str, actor: Actor = who) -> Response:
        """A canonical file as it would leave, for the reviewers of this request only."""
        return Response(gate.review(actor, id, path), media_type="application/octet-stream")

    @app.get("/v1/egress-request/{id}/report")
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

    @app.get("/v1/job/{id}/log")
    def log(id: str, actor: Actor = who) -> PlainTextResponse:
        """What a job printed, for the reviewer of the authorising body only; each opening is logged."""
        return PlainTextResponse(open_log(control, space.places, actor, id))

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
