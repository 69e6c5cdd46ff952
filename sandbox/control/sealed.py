"""The sealed log of a job, opened: for a reviewer inside the domain, and every opening is in the audit log.

A developer, an operator, everybody else gets LOG_SEALED; what they may read of it has gone through the gate.
"""

from __future__ import annotations

from sandbox.authorisation.affiliation import affiliated
from sandbox.control.door import Control, Sight
from sandbox.control.places import Places
from sandbox.core.actor import Actor, Role
from sandbox.core.errors import SandboxError, fail
from sandbox.core.resource import Resource


def open_log(control: Control, places: Places, actor: Actor, id: str) -> bytes:
    """The log of job ``id``, as text of at most ``sandbox.task.log.LOG_BYTES`` bytes.

    Raises NOT_FOUND (also for a job that the actor may not know of), LOG_SEALED (not a reviewer),
    NOT_AUTHORISER (of another body), SELF_REVIEW (affiliated with the submitter), NO_LOG.
    """
    control.get(actor, "job", id)  # NOT_FOUND for whoever may not know of it
    try:
        with control.store.read() as reader:
            sight = Sight(reader)
            job = reader.get("job", id)
            assert job is not None
            agreement = reader.get("agreement", job.labels["agreement"])
            assert agreement is not None
            _may(control, sight, actor, job, agreement)
        log = (job.status.get("outcome") or {}).get("log")
        if not log or job.state == "purged":
            raise fail("NO_LOG", job=id)
    except SandboxError as error:
        control.note(actor, "open-log", f"job/{id}", reason=error.code)
        raise
    control.note(actor, "open-log", job.ref, sha256=log["sha256"])
    kept = places.blobs(job.labels["agreement"], job.labels["scenario"], "log")
    return kept.verified(log["sha256"]).read_bytes()


def _may(control: Control, sight: Sight, actor: Actor, job: Resource, agreement: Resource) -> None:
    """Who authorises reviews, and nobody of the submitter's side."""
    if actor.role != Role.REVIEWER:
        raise fail("LOG_SEALED", job=job.id)
    authoriser = agreement.spec["authoriser"]
    if actor.organisation != authoriser:
        raise fail("NOT_AUTHORISER", authoriser=authoriser)
    sides = {job.organisation, agreement.spec["operator"]}
    if actor.person == job.status["create"]["person"] or any(
        affiliated(sight, control.policy, actor.organisation, side) for side in sides
    ):
        raise fail("SELF_REVIEW")
