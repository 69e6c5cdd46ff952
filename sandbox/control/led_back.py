"""The answer of a re-identification, opened: by the person who asked, inside the domain, and every opening
is in the audit log.

The bytes are passed on unread. Everybody else gets ANSWER_SEALED: colleagues of who asked, the reviewer who
approved, the auditor.
"""

from __future__ import annotations

from sandbox.control.door import Control
from sandbox.control.places import Places
from sandbox.control.steps.reidentification import PLACE
from sandbox.core.actor import Actor, Role
from sandbox.core.errors import SandboxError, fail
from sandbox.operation.reidentification import NAME


def open_answer(control: Control, places: Places, actor: Actor, id: str) -> bytes:
    """The answer to re-identification ``id`` as JSON (see ``sandbox.desensitize.reidentify``).

    Raises NOT_FOUND (also for one that the actor may not know of), ANSWER_SEALED, NO_ANSWER (none yet, or
    none any more)."""
    control.get(actor, NAME, id)  # NOT_FOUND for whoever may not know of it
    try:
        with control.store.read() as reader:
            asked = reader.get(NAME, id)
        assert asked is not None, "it was there and is never deleted"
        if actor.role != Role.PROVIDER or actor.person != asked.status["create"]["person"]:
            raise fail("ANSWER_SEALED", id=id)
        if asked.state != "answered":
            raise fail("NO_ANSWER", id=id, state=asked.state)
    except SandboxError as error:
        control.note(actor, "open-answer", f"{NAME}/{id}", reason=error.code)
        raise
    sha256 = asked.status["answer"]["sha256"]
    control.note(actor, "open-answer", asked.ref, sha256=sha256)
    kept = places.blobs(asked.labels["agreement"], asked.labels["scenario"], PLACE)
    return kept.verified(sha256).read_bytes()
