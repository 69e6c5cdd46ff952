"""Reading: one transaction, one snapshot."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select

from sandbox.audit.checkpoint import Checkpoint, VerifierKey, parse_checkpoint
from sandbox.audit.entry import decode
from sandbox.audit.tree import CompactRange, consistency_proof, inclusion_proof
from sandbox.core.errors import fail
from sandbox.core.resource import Entry, Resource
from sandbox.store import tables as t
from sandbox.store.log import Origin, read_head
from sandbox.store.rows import Account, Membership, Node, TokenInfo, resource_of, storable

_BATCH = 1000  # rows held in memory while the log is streamed


def token_hash(token: str) -> str:
    """What is stored of a token: hex SHA-256. Enough without salt: a token has 256 random bits."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


class Reader:
    """What can be asked, inside ``Store.read`` or ``Store.write``. Use it in its own thread only."""

    def __init__(self, connection: Connection, origin: Origin) -> None:
        self._connection = connection
        self._origin = origin

    # resources

    def get(self, kind: str, id: str) -> Resource | None:
        """The present version, or None."""
        if not (storable(kind) and storable(id)):
            return None
        query = select(t.resource).where(t.resource.c.kind == kind, t.resource.c.id == id)
        row = self._connection.execute(query).mappings().one_or_none()
        return resource_of(row) if row else None

    def find(
        self,
        kind: str,
        *,
        organisation: str | None = None,
        state: str | Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Resource]:
        """Present versions of ``kind`` in order of creation, ties by id.

        ``state`` is one state or several; a resource must carry all of ``labels``. ``after`` is the id
        of the last one of the page before; one that does not exist raises NOT_FOUND.
        """
        states = [state] if isinstance(state, str) else state
        wanted = dict(labels or {})
        texts = [kind, organisation or "", *(states or ()), *wanted, *wanted.values()]
        if not all(storable(text) for text in texts):
            return []
        r = t.resource.c
        query = select(t.resource).where(r.kind == kind).order_by(r.created_at, r.id).limit(limit)
        if organisation is not None:
            query = query.where(r.organisation == organisation)
        if states is not None:
            query = query.where(r.state.in_(states))
        for key, value in wanted.items():
            query = query.where(r.id.in_(self._labelled(kind, key, value)))
        if after is not None:
            last = self.get(kind, after)
            if last is None:
                raise fail("NOT_FOUND", kind=kind, id=after)
            later = r.created_at > last.created_at
            query = query.where(or_(later, and_(r.created_at == last.created_at, r.id > last.id)))
        return [resource_of(row) for row in self._connection.execute(query).mappings()]

    @staticmethod
    def _labelled(kind: str, key: str, value: str) -> Select[tuple[str]]:
        c = t.label.c
        return select(c.id).where(c.kind == kind, c.key == key, c.value == value)

    def due(self, before: datetime) -> list[Resource]:
        """Whose clock ran out before ``before`` and who are not marked overdue yet; the longest due first."""
        c = t.resource.c
        query = select(t.resource).where(c.overdue.is_(False), c.due_at < before)
        rows = self._connection.execute(query.order_by(c.due_at, c.kind, c.id)).mappings()
        return [resource_of(row) for row in rows]

    def history(self, kind: str, id: str) -> list[Resource]:
        """Every version, the oldest first; none of an unknown resource."""
        if not (storable(kind) and storable(id)):
            return []
        c = t.resource_version.c
        query = select(t.resource_version).where(c.kind == kind, c.id == id).order_by(c.version)
        return [resource_of(row) for row in self._connection.execute(query).mappings()]

    # accounts

    def account(self, id: str) -> Account | None:
        """The account, disabled or not, or None."""
        if not storable(id):
            return None
        found = self._accounts(select(t.account).where(t.account.c.id == id))
        return found[0] if found else None

    def accounts(self) -> list[Account]:
        """All accounts by id."""
        return self._accounts(select(t.account).order_by(t.account.c.id))

    def account_by_token(self, token: str, now: datetime) -> Account | None:
        """Whose token it is: None for one unknown, revoked, expired at ``now`` or of a disabled account."""
        c = t.token.c
        query = select(c.account).where(
            c.sha256 == token_hash(token), c.revoked.is_(False), c.expires_at > now
        )
        owner = self._connection.execute(query).scalar_one_or_none()
        account = self.account(owner) if owner is not None else None
        return None if account is None or account.disabled else account

    def tokens(self, account_id: str) -> list[TokenInfo]:
        """The tokens of an account without their secrets, by expiry."""
        c = t.token.c
        query = select(c.account, c.name, c.expires_at, c.revoked).where(c.account == account_id)
        rows = self._connection.execute(query.order_by(c.expires_at, c.name)).mappings()
        return [TokenInfo(**row) for row in rows]

    def _accounts(self, query: Select[Any]) -> list[Account]:
        rows = self._connection.execute(query).mappings().all()
        c = t.membership.c
        found = select(t.membership).where(c.account.in_([row["id"] for row in rows]))
        held: dict[str, list[Membership]] = {row["id"]: [] for row in rows}
        for member in self._connection.execute(found.order_by(c.organisation, c.role)).mappings():
            held[member["account"]].append(Membership(member["organisation"], member["role"]))
        return [
            Account(row["id"], row["name"], row["person"], row["disabled"], tuple(held[row["id"]]))
            for row in rows
        ]

    # audit

    def entries(
        self, *, start: int = 0, limit: int | None = None, object: str | None = None
    ) -> list[tuple[int, Entry]]:
        """Audit entries with their position, from position ``start``; ``object`` is ``kind/id``.

        Those whose payload was purged are left out: the entry of the purge tells of them.
        """
        c = t.audit.c
        query = select(c.seq, c.body).where(c.seq >= start, c.body != b"").order_by(c.seq).limit(limit)
        if object is not None:
            if not storable(object):
                return []
            query = query.where(c.object == object)
        return [(row.seq, decode(row.body)) for row in self._connection.execute(query)]

    def raw_entries(self, end: int) -> Iterator[tuple[int, bytes, bytes, int | None]]:
        """(position, canonical bytes, leaf hash, position of the entry that tells of its purge or None) of
        the first ``end`` entries, streamed: for an export."""
        c, gone = t.audit.c, t.audit_purged.c
        both = t.audit.outerjoin(t.audit_purged, c.seq == gone.seq)
        query = select(c.seq, c.body, c.leaf, gone.entry).select_from(both).where(c.seq < end)
        ordered = query.order_by(c.seq).execution_options(yield_per=_BATCH)
        for row in self._connection.execute(ordered):
            yield row.seq, row.body, row.leaf, row.entry

    def entries_of(self, label: str, value: str) -> Iterator[tuple[int, Entry]]:
        """The audit entries, purged ones left out, of every resource that carries a label, streamed."""
        c, mark = t.audit.c, t.label.c
        refs = select(mark.kind + "/" + mark.id).where(mark.key == label, mark.value == value)
        query = select(c.seq, c.body).where(c.object.in_(refs), c.body != b"").order_by(c.seq)
        for row in self._connection.execute(query.execution_options(yield_per=_BATCH)):
            yield row.seq, decode(row.body)

    def head(self) -> CompactRange:
        """The present state of the log."""
        return read_head(self._connection, self._origin)

    def checkpoints(self) -> list[tuple[Checkpoint, VerifierKey]]:
        """All signed heads with the key that verifies each, ascending."""
        rows = self._connection.execute(select(t.checkpoint).order_by(t.checkpoint.c.size))
        return [(parse_checkpoint(row.note), VerifierKey.parse(row.key)) for row in rows]

    def checkpoint_of(self, size: int) -> Checkpoint | None:
        """The signed head of the log of ``size`` entries, if it was signed."""
        query = select(t.checkpoint.c.note).where(t.checkpoint.c.size == size)
        note = self._connection.execute(query).scalar_one_or_none()
        return parse_checkpoint(note) if note is not None else None

    def inclusion(self, seq: int, size: int) -> list[bytes]:
        """The proof that entry ``seq`` is in the log of ``size`` entries; AUDIT_PROOF when it is not."""
        return inclusion_proof(self._leaves(size), seq, self._origin.hasher)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the log of ``new`` entries extends that of ``old``; else AUDIT_PROOF."""
        return consistency_proof(self._leaves(new), old, self._origin.hasher)

    def _leaves(self, size: int) -> Sequence[bytes]:
        c = t.audit.c
        query = select(c.leaf).where(c.seq < size).order_by(c.seq)
        leaves = self._connection.execute(query).scalars().all()
        if len(leaves) != size:
            raise fail("AUDIT_PROOF", old=size, new=size, size=len(leaves))
        return leaves

    # nodes and repeated requests

    def nodes(self) -> list[Node]:
        """Every worker that ever gave a sign of life, by id."""
        rows = self._connection.execute(select(t.node).order_by(t.node.c.id)).mappings()
        return [Node(**row) for row in rows]

    def idempotent_response(self, account: str, key: str, request: str) -> dict[str, Any] | None:
        """The response recorded for ``key``, or None; IDEMPOTENCY when it was for another request.

        ``request`` is the hex SHA-256 of the request (method, path, body).
        """
        if not storable(key):
            return None
        c = t.idempotency.c
        query = select(c.request, c.response).where(c.account == account, c.key == key)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.request != request:
            raise fail("IDEMPOTENCY", key=key)
        response: dict[str, Any] = row.response
        return response
