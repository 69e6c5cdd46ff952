"""Which releases a new one is compared with: all that have left or may leave, made from any of the same data.

What is under review counts as released: two requests that are harmless alone may not be together, and
whichever is decided second must have seen the first. What was recalled after its release stays: people have
seen it. Pure; the comparison itself runs in the check's container (``sandbox.egress.ledger``).
"""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, World
from sandbox.core.resource import Resource
from sandbox.review import codes  # noqa: F401

MAY_LEAVE = ("held_cross_border", "human_review", "approved", "releasing", "released")


def stays(request: Resource) -> bool:
    """Whether the cells of ``request`` count for later ones."""
    return request.state in MAY_LEAVE or (request.state == "recalled" and "release" in request.status)


def counted(world: World, entries: Iterable[str], but: str) -> list[Resource]:
    """The requests other than ``but`` whose cells count, made from any of the catalogue ``entries``."""
    wanted = set(entries)
    found = []
    for request in world.find("egress-request", state=(*MAY_LEAVE, "recalled")):
        job = world.get("job", request.spec["job"])
        used = set(job.status["lineage"]["entries"]) if job else set()
        if request.id != but and stays(request) and wanted & used:
            found.append(request)
    return found


def ledger_current(case: Case) -> None:
    """Guard: the check has left the cells of the request for the ledger, and has seen every release that
    counts at this very moment. Raises LEDGER_MISSING, LEDGER_STALE."""
    told = case.payload.ledger
    if told is None:
        raise fail("LEDGER_MISSING")
    job = case.world.get("job", case.resource.spec["job"])
    assert job is not None
    entries = job.status["lineage"]["entries"]
    unseen = [one.id for one in counted(case.world, entries, case.resource.id) if one.id not in told.seen]
    if unseen:
        raise fail("LEDGER_STALE", count=len(unseen))
