"""Small helpers that every lifecycle table uses to write down what happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case
from sandbox.core.resource import Resource


def signed(case: Case) -> dict[str, Any]:
    """The payload with who gave it, for which organisation, and when."""
    return {
        **case.payload.model_dump(mode="json"),
        "by": case.actor.account,
        "organisation": case.actor.organisation,
        "role": str(case.actor.role),
        "at": case.now.isoformat(),
    }


def appended(case: Case, key: str) -> dict[str, Any]:
    """``status[key]`` (a list) with the signed payload added: for acts that several people do."""
    return {key: [*case.resource.status.get(key, []), signed(case)]}


def need(case: Case, kind: str, id: str) -> Resource:
    """The resource ``kind/id``; NOT_FOUND if there is none."""
    found = case.world.get(kind, id)
    if found is None:
        raise fail("NOT_FOUND", kind=kind, id=id)
    return found


def limited(resource: Resource, **parts: Any) -> Resource:
    """A resource as somebody outside the supervising side may see it: ``parts`` (spec, status, labels) in
    place of its own, and times to the second; finer, they would tell of what a job read (R-117).
    """

    def coarse(at: datetime | None) -> datetime | None:
        return at.replace(microsecond=0) if at else None

    times: dict[str, Any] = {
        key: coarse(getattr(resource, key)) for key in ("created_at", "changed_at", "due_at")
    }
    return replace(resource, **{**times, **parts})


def own(case: Case) -> None:
    """Guard: only the organisation that the resource belongs to."""
    if case.resource.organisation != case.actor.organisation:
        raise fail("NOT_YOURS")
