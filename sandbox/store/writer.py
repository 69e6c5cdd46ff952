"""Writing: one transaction that holds a change and the audit entry that tells of it.

No method changes a state without taking the entry; none deletes a resource or an audit row. ``purge``
alone takes something away, the payload of audit entries, and the log tells of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from sandbox.audit.checkpoint import Checkpoint, VerifierKey
from sandbox.audit.purged import ACTION, MOST_RANGES, ranges
from sandbox.audit.tree import CompactRange
from sandbox.core.errors import fail
from sandbox.core.resource import Entry, Resource
from sandbox.store import tables as t
from sandbox.store.identity import IdentityWriter
from sandbox.store.log import Origin, append, read_head
from sandbox.store.reader import Reader, token_hash
from sandbox.store.rows import Account, check_json, check_resource, check_text, values_of

TOKEN_PREFIX = "sbx_"  # noqa: S105 - marks a token for secret scanners; not a secret


class Writer(IdentityWriter, Reader):
    """What can be done inside ``Store.write``. Writers are serial: the head is locked first."""

    def __init__(self, connection: Connection, origin: Origin) -> None:
        super().__init__(connection, origin)
        # PostgreSQL's counterpart of BEGIN IMMEDIATE: what a guard has read cannot change under it
        self._state: CompactRange = read_head(connection, origin, lock=True)

    def note(self, entry: Entry) -> int:
        """Record an entry of its own (refusal, download, sign-in); gives its position. Raises AUDIT_ENTRY."""
        check_text(t.MAX_REF, object=entry.object)
        position = self._state.size
        self._state = append(self._connection, self._state, entry, self._origin.hasher)
        return position

    def purge(self, positions: Sequence[int], entry: Entry) -> int:
        """Take away the payload of the entries at ``positions`` (ascending), as ``entry`` tells, which gets
        the positions as ranges in its details; gives how many entries lost theirs.

        Leaf hashes, order and objects stay: roots, proofs and checkpoints are what they were. Whether their
        time is over is the caller's to ask (``control.purge``). Raises ENTRY_MISMATCH.
        """
        if (entry.action, entry.outcome) != (ACTION, "done"):
            raise fail("ENTRY_MISMATCH", what="action")
        told = ranges(positions)
        for start in range(0, len(told), MOST_RANGES):
            named = told[start : start + MOST_RANGES]
            by = self.note(replace(entry, details={**entry.details, "positions": named}))
            rows = [{"seq": seq, "entry": by} for first, last in named for seq in range(first, last + 1)]
            self._connection.execute(insert(t.audit_purged), rows)
            mine = select(t.audit_purged.c.seq).where(t.audit_purged.c.entry == by)
            self._connection.execute(update(t.audit).where(t.audit.c.seq.in_(mine)).values(body=b""))
        return len(positions)

    # resources

    def put(self, resource: Resource, entry: Entry, *, expected: int) -> Resource:
        """Store the next version of ``resource`` together with ``entry``; gives what was stored.

        ``expected`` is the version that the caller has read, 0 for a new resource. The times are the
        entry's: ``created_at`` of version 1 stays, ``changed_at`` moves. Raises EXISTS, NOT_FOUND,
        STALE, MALFORMED, ENTRY_MISMATCH, AUDIT_ENTRY; then nothing of this call was written.
        """
        check_resource(resource, entry)
        present = self.get(resource.kind, resource.id)
        if expected == 0 and present is not None:
            raise fail("EXISTS", kind=resource.kind, id=resource.id)
        if expected != 0 and present is None:
            raise fail("NOT_FOUND", kind=resource.kind, id=resource.id)
        stored = replace(
            resource,
            version=expected + 1,
            created_at=present.created_at if present else entry.at,
            changed_at=entry.at,
        )
        values = values_of(stored)
        if present is None:
            self._connection.execute(insert(t.resource).values(values))
        else:
            c = t.resource.c
            own = (c.kind == stored.kind, c.id == stored.id, c.version == expected)
            changed = self._connection.execute(update(t.resource).where(*own).values(values))
            if changed.rowcount != 1:
                raise fail("STALE", version=present.version)
        if present is None or present.labels != stored.labels:
            self._put_labels(stored)
        position = self.note(entry)
        self._connection.execute(insert(t.resource_version).values({**values, "entry": position}))
        return stored

    def _put_labels(self, resource: Resource) -> None:
        own = {"kind": resource.kind, "id": resource.id}
        c = t.label.c
        self._connection.execute(delete(t.label).where(c.kind == resource.kind, c.id == resource.id))
        rows = [{**own, "key": key, "value": value} for key, value in resource.labels.items()]
        if rows:
            self._connection.execute(insert(t.label), rows)

    # accounts

    def put_account(self, account: Account, entry: Entry) -> Account:
        """Make or change an account; its memberships are replaced. ``entry.object`` is ``account/<id>``."""
        check_text(id=account.id, name=account.name, person=account.person)
        for member in account.memberships:
            check_text(organisation=member.organisation, role=member.role)
        self._note_of(f"account/{account.id}", entry)
        values = {"name": account.name, "person": account.person, "disabled": account.disabled}
        if self.account(account.id) is None:
            self._connection.execute(insert(t.account).values(id=account.id, **values))
        else:
            own = t.account.c.id == account.id
            self._connection.execute(update(t.account).where(own).values(values))
        self._connection.execute(delete(t.membership).where(t.membership.c.account == account.id))
        rows = [
            {"account": account.id, "organisation": member.organisation, "role": member.role}
            for member in set(account.memberships)
        ]
        if rows:
            self._connection.execute(insert(t.membership), rows)
        return account

    def put_token(
        self, account_id: str, name: str, expires_at: datetime, entry: Entry, *, scope: str = "decide"
    ) -> str:
        """Make an API token and give it, this once; only its SHA-256 is kept.

        ``entry.object`` is ``account/<id>``. Raises NOT_FOUND (account), EXISTS (a token of that name
        is still valid), MALFORMED (an expiry that is not after ``entry.at``).
        """
        check_text(name=name)
        if expires_at <= entry.at:
            raise fail("MALFORMED", what="expires_at", why="it is not in the future")
        if self.account(account_id) is None:
            raise fail("NOT_FOUND", kind="account", id=account_id)
        held = self.tokens(account_id)
        if any(token.name == name and not token.revoked and token.expires_at > entry.at for token in held):
            raise fail("EXISTS", kind="token", id=name)
        self._note_of(f"account/{account_id}", entry)
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        self._connection.execute(
            insert(t.token).values(
                sha256=token_hash(token),
                account=account_id,
                name=name,
                expires_at=expires_at,
                revoked=False,
                scope=scope,
            )
        )
        return token

    def revoke_token(self, account_id: str, name: str, entry: Entry) -> None:
        """End the account's tokens called ``name`` for good; raises NOT_FOUND when there is none in force."""
        check_text(name=name)
        self._note_of(f"account/{account_id}", entry)
        c = t.token.c
        own = (c.account == account_id, c.name == name, c.revoked.is_(False))
        if self._connection.execute(update(t.token).where(*own).values(revoked=True)).rowcount == 0:
            raise fail("NOT_FOUND", kind="token", id=name)

    # no state of the space: signs of life, answers to repeated requests, signed heads

    def heartbeat(self, node: str, boot: str, now: datetime) -> None:
        """Record that worker ``node``, started as ``boot``, lives at ``now``."""
        check_text(node=node, boot=boot)
        values = {"boot_id": boot, "heartbeat_at": now}
        own = t.node.c.id == node
        if self._connection.execute(update(t.node).where(own).values(values)).rowcount == 0:
            self._connection.execute(insert(t.node).values(id=node, **values))

    def idempotent(
        self, account: str, key: str, request: str, response: dict[str, Any], at: datetime
    ) -> None:
        """Keep ``response`` for repetitions of the request; ask ``idempotent_response`` first.

        ``request`` is the hex SHA-256 of the request. Raises EXISTS when the key has a response already.
        """
        check_text(account=account, key=key)
        check_json("response", response)
        c = t.idempotency.c
        if self._connection.execute(select(c.key).where(c.account == account, c.key == key)).first():
            raise fail("EXISTS", kind="idempotency", id=key)
        values = {"account": account, "key": key, "request": request, "response": response, "at": at}
        self._connection.execute(insert(t.idempotency).values(values))

    def put_checkpoint(self, checkpoint: Checkpoint, key: VerifierKey) -> None:
        """Keep a signed head; a second one of the same size is not kept."""
        c = t.checkpoint.c
        if self._connection.execute(select(c.size).where(c.size == checkpoint.size)).first() is None:
            values = {"size": checkpoint.size, "note": checkpoint.note, "key": str(key)}
            self._connection.execute(insert(t.checkpoint).values(values))
