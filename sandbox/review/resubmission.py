"""How often a refused output may be tried again: each answer of the checker tells of the data. Pure.

Counted are the requests of one organisation in one scenario to which the checker or a reviewer objected,
whatever their files are called, since a name costs nothing to change; and those that are not answered yet,
or as many could be asked at once as there are jobs. A request that people have approved does not count; one
that repeats an earlier one to the byte is given the earlier answer, and does not either.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case
from sandbox.core.records import need
from sandbox.core.resource import Resource
from sandbox.egress.families import LEDGER_RULES
from sandbox.review import codes  # noqa: F401

MOST, DAYS = "egress.resubmissions_max", "egress.resubmissions_days"
PASSED = ("approved", "releasing", "released", "recalled")
REFUSED = ("returned", "rejected")
UNANSWERED = ("requested", "auto_check")


def objected(request: Resource) -> bool:
    """Whether the submitter has learnt from ``request`` that something is wrong with it."""
    check = request.status.get("check")
    if check is None or request.state in PASSED or check.get("same_as"):
        return False
    return request.state in REFUSED or check["verdict"] != "no_objection"


def resubmissions_left(case: Case) -> None:
    """Guard of the creation: fewer objections in the window, and requests not answered yet, than allowed.

    Raises RESUBMISSIONS_SPENT.
    """
    scenario = need(case, "job", case.payload.job).labels["scenario"]
    most, days = int(case.policy.get(MOST)), int(case.policy.get(DAYS))
    since = case.now - timedelta(days=days)
    earlier = case.world.find(
        "egress-request", organisation=case.actor.organisation, labels={"scenario": scenario}
    )
    count = sum(one.state in UNANSWERED or (objected(one) and _after(one, since)) for one in earlier)
    if count >= most:
        raise fail("RESUBMISSIONS_SPENT", count=count, max=most, days=days)


def _after(request: Resource, since: datetime) -> bool:
    return request.changed_at is not None and request.changed_at > since


def repeats(earlier: Resource, asked: str) -> bool:
    """Whether the rejection of ``earlier`` answers the check called ``asked`` (a digest of all it was given).

    What failed by itself, or was compared with releases that may not count any more, is checked anew.
    """
    check = earlier.status.get("check") or {}
    if earlier.state != "auto_rejected" or check["error"] or check.get("asked") != asked:
        return False
    return not LEDGER_RULES & {found["rule"] for found in check["findings"]}
