"""What a request may carry unseen, against its scenario's budget (check 9, ``authorisation.capacity``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.authorisation.capacity import KEY, affordable, spent
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Command
from sandbox.core.records import need
from sandbox.core.resource import Resource
from sandbox.review import codes  # noqa: F401


def bits_of(request: Resource) -> int:
    """The bound that the checker stated. Raises CAPACITY_UNKNOWN: an absent figure permits nothing."""
    told = request.status["check"].get("capacity")
    if told is None:
        raise fail("CAPACITY_UNKNOWN")
    return int(told["bits"])


def within_capacity(case: Case) -> None:
    """Guard of the approval and of the exit: the scenario's budget holds with this release.

    Raises CAPACITY_SPENT, CAPACITY_UNKNOWN.
    """
    bits = bits_of(case.resource)
    affordable(need(case, "scenario", case.resource.labels["scenario"]), bits, case.policy)


def charge(case: Case, after: Resource) -> Iterable[Command]:
    """Effect of the release, in its transaction: the scenario is charged, or nothing is released."""
    payload = {"request": after.id, "bits": bits_of(after)}
    yield Command("scenario", after.labels["scenario"], "charge", payload)


def budgeted(case: Case) -> dict[str, Any]:
    """For the reviewer, beside what the check says: the scenario's budget, and what of it is spent by now."""
    scenario = need(case, "scenario", case.resource.labels["scenario"])
    return {"spent": spent(scenario), "budget": int(case.policy.get(KEY))}
