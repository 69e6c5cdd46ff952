"""Sessions: rows on the server, named by 256 random bits that only the browser's cookie holds.

A session ends when idle, at the latest after the profile's hours, when the account is disabled, when its
organisation is suspended or the membership is gone, and by signing out. Its id is new at sign-in, at every
confirmation of identity and at every change of role: an id that was planted or seen before is worth nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sandbox.control import codes  # noqa: F401 - states the error codes raised here
from sandbox.control.accounts import standing
from sandbox.control.door import Control
from sandbox.core.actor import Actor
from sandbox.core.errors import SandboxError, fail
from sandbox.core.lifecycle import Policy
from sandbox.store import Account, Reader, SessionRow
from sandbox.store.reader import token_hash

TOUCH = timedelta(minutes=1)  # how often a sign of life is written at most


@dataclass(frozen=True)
class Session:
    """Who is there. ``actor`` is None until a role is chosen and while the start password stands.

    ``memberships`` are ``role@organisation``; ``method`` is "local" or "oidc"; ``ends_at`` is when it ends
    unless used again; until ``fresh_until`` decisions are open, None: not confirmed yet, or over.
    """

    account: str
    name: str
    actor: Actor | None
    memberships: tuple[str, ...]
    csrf: str
    method: str
    must_change: bool
    ends_at: datetime
    fresh_until: datetime | None


@dataclass(frozen=True)
class Grant:
    """A session and its id, which goes into the cookie and nowhere else."""

    session_id: str
    session: Session


@dataclass(frozen=True)
class Terms:
    """How long sessions last, from the profile."""

    idle: timedelta
    absolute: timedelta
    fresh: timedelta

    @classmethod
    def of(cls, policy: Policy) -> Terms:
        """Read ``session.*``."""
        get = policy.get
        return cls(
            timedelta(minutes=int(get("session.idle_minutes"))),
            timedelta(hours=int(get("session.absolute_hours"))),
            timedelta(minutes=int(get("session.step_up_minutes"))),
        )

    def ends_at(self, row: SessionRow) -> datetime:
        """When the session ends unless it is used again."""
        return min(row.seen_at + self.idle, row.created_at + self.absolute)


def new_row(account: str, acting: str, method: str, now: datetime) -> tuple[str, SessionRow]:
    """A fresh id and the row of the session that begins now."""
    id = secrets.token_urlsafe(32)
    return id, SessionRow(token_hash(id), account, acting, secrets.token_urlsafe(32), method, now, now)


def turned(row: SessionRow, now: datetime, **changed: object) -> tuple[str, SessionRow]:
    """The same session under a new id and CSRF token; its latest end stays where it is."""
    id, fresh = new_row(row.account, row.acting, row.method, now)
    kept = replace(fresh, created_at=row.created_at, stepped_up_at=row.stepped_up_at)
    return id, replace(kept, **changed)  # type: ignore[arg-type]


def alone(account: Account) -> str:
    """The only ``role@organisation`` of an account; empty if it has to choose."""
    held = [f"{m.role}@{m.organisation}" for m in account.memberships]
    return held[0] if len(held) == 1 else ""


def shown(reader: Reader, row: SessionRow, terms: Terms, now: datetime) -> Session:
    """The session as it stands. Raises SIGN_IN (no such account, or disabled), ACTING_AS,
    ORGANISATION_INACTIVE: then it is over."""
    account = reader.account(row.account)
    if account is None or account.disabled:
        raise fail("SIGN_IN")
    # a start password ends every session, and a session begun with one acts as nobody: ``Identity._enter``
    password = reader.password(row.account) if row.method == "local" and not row.acting else None
    must_change = password is not None and password.must_change
    actor = standing(reader, account, row.acting) if row.acting else None
    until = row.stepped_up_at + terms.fresh if row.stepped_up_at else None
    return Session(
        account=account.id,
        name=account.name,
        actor=actor,
        memberships=tuple(f"{m.role}@{m.organisation}" for m in account.memberships),
        csrf=row.csrf,
        method=row.method,
        must_change=must_change,
        ends_at=terms.ends_at(row),
        fresh_until=until if until is not None and until > now else None,
    )


def present(reader: Reader, session_id: str, terms: Terms, now: datetime) -> SessionRow:
    """The row of a session that has not run out. Raises NO_SESSION."""
    row = reader.session(token_hash(session_id))
    if row is None or terms.ends_at(row) <= now:
        raise fail("NO_SESSION")
    return row


def offered(reader: Reader, account: Account) -> str:
    """What a session acts as that has not chosen: the only membership, if it stands now; else empty."""
    acting = alone(account)
    try:
        if acting:
            standing(reader, account, acting)
    except SandboxError:
        return ""
    return acting


def sweep(control: Control) -> tuple[int, int]:
    """Remove sessions that have run out and attempts that no longer count; how many of each."""
    now, terms = control.clock(), Terms.of(control.policy)
    window = timedelta(minutes=int(control.policy.get("sign_in.window_minutes")))
    with control.store.write() as writer:
        return writer.sweep_sessions(now - terms.idle, now - terms.absolute, now - window)
