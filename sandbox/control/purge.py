"""Purging the audit log: what retention lets go, by an administrator, told in the log (R-193, R-261)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sandbox.audit.purged import ACTION
from sandbox.audit.retention import kept_until
from sandbox.control import codes  # noqa: F401
from sandbox.control.door import Control
from sandbox.core.actor import Actor, Role
from sandbox.core.errors import SandboxError, fail
from sandbox.core.resource import Resource
from sandbox.store import Reader


@dataclass(frozen=True)
class Purged:
    """How many entries lost their payload, how many keep theirs, the day of the next (None: none left)."""

    purged: int
    kept: int
    next: date | None


def purge(control: Control, actor: Actor, agreement: str) -> Purged:
    """Take away the payload of those entries of an agreement's log whose time is over.

    An entry is kept for the profile's years from the later of its own day and the agreement's termination,
    and no shorter than the seal of the log promised; of an agreement that is not terminated all are kept.
    What the log says of no agreement (accounts, organisations, the catalogue) is never purged.

    Raises ROLE, NOT_FOUND, RETENTION with the first day on which there is something to purge,
    AUDIT_NO_SIGNER: the log is signed before and after, or nothing is done.
    """
    try:
        if actor.role != Role.SPACE_ADMIN:
            raise fail("ROLE", role=str(actor.role), event=ACTION, may=str(Role.SPACE_ADMIN))
        control.store.checkpoint()
        with control.store.write() as writer:
            found = writer.get("agreement", agreement)
            if found is None:
                raise fail("NOT_FOUND", kind="agreement", id=agreement)
            now = control.clock()
            until = _terms(control, writer, found, now)
            due = sorted(seq for seq, end in until.items() if end <= now)
            left = [end for end in until.values() if end > now]
            if left and not due:
                raise fail("RETENTION", until=min(left).date().isoformat())
            if due:
                told = {"agreement": agreement, "entries": len(due), "policy": control.policy.id}
                writer.purge(due, control._entry(actor, ACTION, f"audit/{agreement}", details=told))
    except SandboxError as error:
        control.note(actor, ACTION, f"audit/{agreement}", reason=error.code)
        raise
    if due:
        control.store.checkpoint()
        control.store.scrub()
    return Purged(len(due), len(left), min(left).date() if left else None)


def _terms(control: Control, reader: Reader, agreement: Resource, now: datetime) -> dict[int, datetime]:
    """Of every entry of the agreement that still has its payload: the first instant at which it may go."""
    get = control.policy.get
    years = (int(get("logs.retention_years")), int(get("logs.site_floor_years")))
    seal = agreement.status.get("seal_logs")
    ended = datetime.fromisoformat(seal["at"]) if seal else now
    day = date.fromisoformat(seal["purge_not_before"]) if seal else date.min
    promised = datetime.combine(day, time.min, UTC)  # what was sealed stands, whatever the profile says now
    entries = [*reader.entries_of("agreement", agreement.id), *reader.entries(object=agreement.ref)]
    return {seq: max(kept_until(entry.at, ended, *years), promised) for seq, entry in entries}
