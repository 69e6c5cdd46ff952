"""Small helpers that every lifecycle table uses to write down what happened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sandbox.core.coarse import coarse_times
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
    place of its own, and times to the minute; finer, they would tell of what a job read (R-117).
    """
    return replace(coarse_times(resource), **parts)


def own(case: Case) -> None:
    """Guard: only the organisation that the resource belongs to."""
    if case.resource.organisation != case.actor.organisation:
        raise fail("NOT_YOURS")
