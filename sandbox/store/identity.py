"""Who may come in: passwords, sessions, failed attempts, links to an identity provider.

Sessions, attempts and links may be deleted: what is told of them for good stands in the audit log. Of a
session only the SHA-256 of its id is here: who reads the table cannot take one over.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, or_, select, update

from sandbox.core.errors import fail
from sandbox.core.resource import Entry
from sandbox.store import tables as t
from sandbox.store.rows import check_text, storable


@dataclass(frozen=True)
class Password:
    """The hash of an account's password. A start password must be changed and ends at ``expires_at``."""

    account: str
    hash: str
    must_change: bool
    expires_at: datetime | None
    changed_at: datetime


@dataclass(frozen=True)
class SessionRow:
    """One session. ``acting`` is ``role@organisation``, empty until chosen; ``method`` "local" or "oidc"."""

    sha256: str
    account: str
    acting: str
    csrf: str
    method: str
    created_at: datetime
    seen_at: datetime
    stepped_up_at: datetime | None = None


@dataclass(frozen=True)
class Link:
    """A subject of an identity provider that signs in as an account."""

    issuer: str
    sub: str
    account: str


class IdentityReader:
    """What can be asked of the tables of this module."""

    _connection: Connection

    def password(self, account_id: str) -> Password | None:
        """The account's password, or None."""
        row = self._one(select(t.password).where(t.password.c.account == account_id), account_id)
        return Password(**row) if row else None

    def session(self, sha256: str) -> SessionRow | None:
        """The session whose id has this SHA-256, expired or not, or None."""
        row = self._one(select(t.session).where(t.session.c.sha256 == sha256), sha256)
        return SessionRow(**row) if row else None

    def attempts(self, key: str, since: datetime) -> list[datetime]:
        """When attempts under ``key`` were recorded after ``since``, ascending."""
        c = t.attempt.c
        query = select(c.at).where(c.key == key, c.at > since).order_by(c.at)
        return list(self._connection.execute(query).scalars())

    def linked(self, issuer: str, sub: str) -> str | None:
        """The account that the provider's subject signs in as, or None."""
        c = t.account_link.c
        row = self._one(select(c.account).where(c.issuer == issuer, c.sub == sub), issuer, sub)
        return str(row["account"]) if row else None

    def _one(self, query: Select[Any], *texts: str) -> dict[str, Any] | None:
        if not all(storable(text) for text in texts):
            return None
        row = self._connection.execute(query).mappings().one_or_none()
        return dict(row) if row is not None else None


class IdentityWriter(IdentityReader):
    """What can be done to them; what changes who may come in takes the entry that tells of it."""

    @abstractmethod
    def note(self, entry: Entry) -> int:
        """Record the entry in the same transaction."""

    def _note_of(self, object: str, entry: Entry) -> None:
        if entry.object != object or entry.outcome != "done":
            raise fail("ENTRY_MISMATCH", what="object")
        self.note(entry)

    # passwords

    def put_password(self, password: Password, entry: Entry) -> None:
        """Set or change an account's password. ``entry.object`` is ``account/<id>``; it holds no password."""
        self._note_of(f"account/{password.account}", entry)
        c = t.password.c
        self._connection.execute(delete(t.password).where(c.account == password.account))
        self._connection.execute(insert(t.password).values(asdict(password)))

    def rehash(self, old: Password, hash: str) -> None:
        """The same password under the hash of today's parameters, unless it was changed meanwhile."""
        c = t.password.c
        own = (c.account == old.account, c.hash == old.hash)
        self._connection.execute(update(t.password).where(*own).values(hash=hash))

    # sessions

    def open_session(self, row: SessionRow, entry: Entry) -> None:
        """Begin a session."""
        self._note_of(f"account/{row.account}", entry)
        self._connection.execute(insert(t.session).values(asdict(row)))

    def turn_session(self, old: str, row: SessionRow, entry: Entry) -> None:
        """The session ``old`` (SHA-256 of its id) goes on as ``row``; raises NO_SESSION if it has ended."""
        if self._end(t.session.c.sha256 == old) != 1:
            raise fail("NO_SESSION")
        self.open_session(row, entry)

    def touch_session(self, sha256: str, at: datetime) -> None:
        """It was used at ``at``: a sign of life, no state."""
        c = t.session.c
        self._connection.execute(
            update(t.session).where(c.sha256 == sha256, c.seen_at < at).values(seen_at=at)
        )

    def end_session(self, sha256: str, entry: Entry) -> bool:
        """End one session; False, and nothing is noted, if there is none."""
        ended = self._end(t.session.c.sha256 == sha256) == 1
        if ended:
            self.note(entry)
        return ended

    def end_sessions(self, account_id: str) -> int:
        """End all sessions of an account, within a change that has its own entry; how many there were."""
        return self._end(t.session.c.account == account_id)

    def _end(self, which: ColumnElement[bool]) -> int:
        return self._connection.execute(delete(t.session).where(which)).rowcount

    def sweep_sessions(self, seen: datetime, created: datetime, attempts: datetime) -> tuple[int, int]:
        """Remove sessions last seen before ``seen`` or begun before ``created``, and attempts older than
        ``attempts``; how many of each."""
        s = t.session.c
        ended = self._end(or_(s.seen_at < seen, s.created_at < created))
        gone = self._connection.execute(delete(t.attempt).where(t.attempt.c.at < attempts)).rowcount
        return ended, gone

    # attempts

    def record_attempt(self, id: str, key: str, at: datetime) -> None:
        """One attempt, called ``id`` (any fresh name), under ``key``."""
        check_text(64, id=id, key=key)
        self._connection.execute(insert(t.attempt).values(id=id, key=key, at=at))

    def forget_attempts(self, *, id: str = "", key: str = "") -> None:
        """Take back the attempt called ``id`` and all under ``key``."""
        c = t.attempt.c
        self._connection.execute(delete(t.attempt).where(or_(c.id == id, c.key == key)))

    # links

    def link(self, link: Link, entry: Entry) -> None:
        """Let a provider's subject sign in as an account. Raises EXISTS (the subject has an account)."""
        check_text(t.MAX_VALUE, issuer=link.issuer, sub=link.sub)
        if self.linked(link.issuer, link.sub) is not None:
            raise fail("EXISTS", kind="link", id=link.sub)
        self._note_of(f"account/{link.account}", entry)
        self._connection.execute(insert(t.account_link).values(asdict(link)))

    def unlink(self, link: Link, entry: Entry) -> None:
        """Take such a link away; NOT_FOUND if there is none."""
        c = t.account_link.c
        own = (c.issuer == link.issuer, c.sub == link.sub, c.account == link.account)
        if (
            self._connection.execute(select(func.count()).select_from(t.account_link).where(*own)).scalar()
            != 1
        ):
            raise fail("NOT_FOUND", kind="link", id=link.sub)
        self._note_of(f"account/{link.account}", entry)
        self._connection.execute(delete(t.account_link).where(*own))
