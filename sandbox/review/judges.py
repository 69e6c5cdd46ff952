"""Who may judge an egress request, and whose sides a judgement may not come from. Pure."""

from __future__ import annotations

from sandbox.authorisation.affiliation import affiliated
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case
from sandbox.core.records import need
from sandbox.core.resource import Resource
from sandbox.review import codes  # noqa: F401


def job_of(case: Case) -> Resource:
    """The job whose outputs are proposed."""
    return need(case, "job", case.resource.spec.get("job") or case.payload.job)


def agreement_of(case: Case) -> Resource:
    """The agreement that the job ran under."""
    return need(case, "agreement", job_of(case).labels["agreement"])


def sides_of(case: Case) -> set[str]:
    """The organisations that a request is to serve: the submitter's, the operator's, the recipient's.

    What the authoriser itself receives it may review; what an affiliate of it receives, not.
    """
    agreement = agreement_of(case).spec
    sides = {case.resource.organisation, job_of(case).organisation, agreement["operator"]}
    return sides | ({case.resource.spec["recipient"]} - {agreement["authoriser"]})


def authoriser_reviews(case: Case) -> None:
    """Guard: 谁授权、谁审核 (R-161): the reviewer is of the organisation that authorised."""
    authoriser = agreement_of(case).spec["authoriser"]
    if case.actor.organisation != authoriser:
        raise fail("NOT_AUTHORISER", authoriser=authoriser)


def independent(case: Case) -> None:
    """Guard: neither the submitter nor anybody of the submitter's, recipient's or operator's side (R-164)."""
    people = {job_of(case).status["create"]["person"], case.resource.status["create"]["person"]}
    if case.actor.person in people or any(
        affiliated(case.world, case.policy, case.actor.organisation, side) for side in sides_of(case)
    ):
        raise fail("SELF_REVIEW")
