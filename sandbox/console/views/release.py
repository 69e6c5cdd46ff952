"""A release as its recipient finds it: what it is, until when it may be taken, and the package itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response, StreamingResponse

from sandbox.console.render import render, told
from sandbox.console.views import papers
from sandbox.console.views.clocks import Clock, clock
from sandbox.console.views.resources import title_of
from sandbox.console.visit import BASE, Visit
from sandbox.control.kinds import kind_of
from sandbox.core.errors import SandboxError, fail
from sandbox.core.resource import Resource
from sandbox.review.egress_request import NAME


@dataclass(frozen=True)
class ReleasePage:
    """What ``release.html`` shows; ``take_url`` is "" where the package cannot be taken."""

    id: str
    title: str
    state_label: str
    request_url: str
    recipient: str
    purpose: str
    form: str
    package_sha256: str
    expires_at: str
    checkpoint: str
    conditions: tuple[str, ...]
    cause: str  # of a recall
    clock: Clock | None
    take_url: str
    verify: str  # a program that checks the package without this space, "" where there is none
    papers: tuple[tuple[str, str], ...]  # documents for the file: address, label


VERIFY = """python3 - <<'PY'
import hashlib, json, zipfile
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
content = open("{id}.zip", "rb").read()
assert hashlib.sha256(content).hexdigest() == "{sha256}", "package"
read = zipfile.ZipFile("{id}.zip").read
key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(read("package.json.pub").decode()))
key.verify(bytes.fromhex(read("package.json.sig").decode()), read("package.json"))
for one in json.loads(read("package.json"))["files"]:
    assert hashlib.sha256(read("data/" + one["path"])).hexdigest() == one["sha256"], one["path"]
print("ok", key.public_bytes_raw().hex())
PY"""  # what a recipient runs on a machine of their own; a test runs it


def refusal(visit: Visit, request: Resource) -> SandboxError | None:
    """Why the package cannot be taken, as the gate would say it; None: it can be asked for."""
    if request.state != "released":
        return fail("NOT_RELEASED", request=request.id)
    if request.spec["recipient"] != visit.actor.organisation:
        return fail("NOT_RECIPIENT")
    if visit.now > datetime.fromisoformat(request.status["release"]["expires_at"]):
        return fail("TOKEN_EXPIRED")
    return None


def model(visit: Visit, request: Resource, closed: bool) -> ReleasePage:
    """The page of a request that the door has shown."""
    status = request.status
    release = status.get("release", {})
    return ReleasePage(
        id=request.id,
        title=title_of(request, visit.lang),
        state_label=visit.named(kind_of(NAME).state(request.state)),
        request_url=f"{BASE}/r/{NAME}/{request.id}",
        recipient=request.spec["recipient"],
        purpose=request.spec["purpose"],
        form=request.spec["form"],
        package_sha256=release.get("package_sha256", ""),
        expires_at=release.get("expires_at", ""),
        checkpoint=release.get("checkpoint", ""),
        conditions=tuple(status.get("decision", {}).get("conditions", ())),
        cause=status.get("recall", {}).get("cause", ""),
        clock=clock(visit.control.calendar, visit.now, request),
        take_url="" if closed else f"{BASE}/release/{request.id}/package",
        verify=VERIFY.format(id=request.id, sha256=release["package_sha256"]) if not closed else "",
        papers=papers.links(visit, request),
    )


def page(visit: Visit, error: SandboxError | None = None) -> Response:
    """The release. Raises NOT_FOUND for whoever may not know of it."""
    request = visit.control.get(visit.actor, NAME, visit.segment("id"))
    why = error or refusal(visit, request)
    return render(
        visit,
        "release.html",
        error.status if error else 200,
        page=model(visit, request, why is not None),
        errors=[told(visit, why)] if why else [],
    )


def take(visit: Visit) -> Response:
    """The package through the gate: its token, then its bytes, each asked and logged as the API's are."""
    id = visit.segment("id")
    try:
        body = visit.space.gate.open(visit.actor, id, visit.space.gate.token(visit.actor, id))
    except SandboxError as error:
        return page(visit, error)
    name = f'attachment; filename="{id}.zip"'
    return StreamingResponse(body, media_type="application/zip", headers={"content-disposition": name})
