"""An answer under differential privacy at the gate: paid for, sealed, and for its one recipient (R-134)."""

from __future__ import annotations

from typing import Any

from sandbox.authorisation.dp_budget import NAME as BUDGET
from sandbox.authorisation.dp_budget import Budget, scope_id, sum_of
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case
from sandbox.core.records import need
from sandbox.core.resource import Resource
from sandbox.operation.dp_release import NAME as RELEASE
from sandbox.review import codes  # noqa: F401


def question_of(job: Resource) -> dict[str, Any] | None:
    """What a job keeps of its question; None for a job that asks none."""
    found: dict[str, Any] | None = job.status.get("dp")
    return found


def for_its_recipient(case: Case) -> None:
    """Guard: an answer goes to the recipient in whose name it was paid for. Raises DP_RECIPIENT."""
    asked = question_of(need(case, "job", case.payload.job))
    if asked is not None and asked["recipient"] != case.payload.recipient:
        raise fail("DP_RECIPIENT", recipient=asked["recipient"])


def paid(case: Case) -> None:
    """Guard of approval and exit: the charge exists in every scope, and names the very file (R-134).

    Raises DP_UNPAID.
    """
    job = need(case, "job", case.resource.spec["job"])
    asked = question_of(job)
    if asked is None:
        return
    release = case.world.get(RELEASE, asked["release"])
    if release is None or not covers(release, job, case.resource.spec["recipient"]):
        raise fail("DP_UNPAID", release=asked["release"])
    for scope in release.spec["scopes"]:
        book = case.world.get(BUDGET, scope_id(Budget.model_validate(scope)))
        if sum_of(book).nano_rho < release.spec["nano_rho"]:
            raise fail("DP_UNPAID", release=release.id)


def covers(release: Resource, job: Resource, recipient: str) -> bool:
    """Whether a sealed answer is what a job staged, asked as it asked, and for this recipient."""
    return (
        release.state == "sealed"
        and release.spec["asked_sha256"] == job.status["dp"]["asked_sha256"]
        and release.spec["recipient"] == recipient
        and [output["sha256"] for output in job.status["outputs"]] == [release.status["seal"]["sha256"]]
    )


def told(release: Resource) -> dict[str, Any]:
    """What reviewer, package and lineage say of an answer: its price, and what that means."""
    spec = release.spec
    return {
        "release": release.id,
        "query_sha256": spec["query_sha256"],
        "artefact_sha256": release.status["seal"]["sha256"],
        "nano_rho": spec["nano_rho"],
        "delta_e15": spec["delta_e15"],
        "epsilon": spec["epsilon"],
        "delta": f"{spec['delta_bound']}e-15",
    }
