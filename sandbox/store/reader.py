"""Reading: one transaction, one snapshot."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    UnaryExpression,
    and_,
    asc,
    desc,
    literal,
    or_,
    select,
    tuple_,
)

from sandbox.audit.checkpoint import Checkpoint, VerifierKey, parse_checkpoint
from sandbox.audit.entry import read
from sandbox.audit.tree import CompactRange, consistency_proof, inclusion_proof
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Reach
from sandbox.core.resource import Entry, Resource
from sandbox.store import tables as t
from sandbox.store.identity import IdentityReader
from sandbox.store.log import Origin, read_head, roots
from sandbox.store.rows import Account, Membership, Node, TokenInfo, resource_of, storable

_BATCH = 1000  # rows held in memory while the log is streamed
ORDERS: dict[str, Column[Any]] = {
    "created": t.resource.c.created_at,
    "changed": t.resource.c.changed_at,
    "due": t.resource.c.due_at,
    "state": t.resource.c.state,
    "id": t.resource.c.id,
}


def token_hash(token: str) -> str:
    """What is stored of a token: hex SHA-256. Enough without salt: a token has 256 random bits."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


class Reader(IdentityReader):
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

    def page(
        self,
        kind: str,
        *,
        states: Sequence[str] = (),
        reach: Reach | None = None,
        order: str = "created",
        descending: bool = False,
        after: str = "",
        limit: int = 50,
    ) -> list[Resource]:
        """At most ``limit`` present versions of ``kind`` in ``states`` (empty: any) and within ``reach``.

        ``order`` is one of ``ORDERS``, ties by id; what has no due date is due last. ``after`` is the id of
        the last one of the page before, wherever it stands now; one that does not exist raises NOT_FOUND.
        """
        c, key = t.resource.c, ORDERS[order]
        texts = [kind, after, *states, *((reach.organisation, *sum(reach.labels, ())) if reach else ())]
        if not all(storable(text) for text in texts):
            return []
        # the keys alone are sorted: the rows are long
        query = select(c.id).where(c.kind == kind)
        if states:
            query = query.where(c.state.in_(states))
        if reach is not None:
            within = [c.id.in_(self._labelled(kind, name, value)) for name, value in reach.labels]
            query = query.where(or_(c.organisation == reach.organisation, *within))
        ids: list[str] = []
        for part in self._parts(kind, key, after, descending):
            left = limit - len(ids)
            ids += self._connection.execute(query.where(part[0]).order_by(*part[1]).limit(left)).scalars()
        rows = self._connection.execute(select(t.resource).where(c.kind == kind, c.id.in_(ids))).mappings()
        found = {row["id"]: resource_of(row) for row in rows}
        return [found[id] for id in ids]

    def _parts(
        self, kind: str, key: Column[Any], after: str, descending: bool
    ) -> list[tuple[ColumnElement[bool], list[UnaryExpression[Any]]]]:
        """What a page is put together from, one after the other: a condition and its order, each of which an
        index serves as it stands. Rows without the key (no due date) come last, by id."""
        c, direction = t.resource.c, desc if descending else asc
        keyed, bare = key.is_not(None), key.is_(None)
        parts: list[tuple[ColumnElement[bool], list[UnaryExpression[Any]]]] = [
            (keyed, [direction(key), direction(c.id)])
        ]
        if key.nullable:
            parts.insert(0 if descending else 1, (bare, [direction(c.id)]))
        if not after:
            return parts
        last = self._connection.execute(select(key).where(c.kind == kind, c.id == after)).one_or_none()
        if last is None:
            raise fail("NOT_FOUND", kind=kind, id=after)
        if last[0] is None:
            at = next(n for n, part in enumerate(parts) if part[0] is bare)
            here, there = tuple_(c.id), tuple_(literal(after))
        else:
            at = next(n for n, part in enumerate(parts) if part[0] is keyed)
            here, there = tuple_(key, c.id), tuple_(last[0], after)
        further = here < there if descending else here > there
        return [(and_(parts[at][0], further), parts[at][1]), *parts[at + 1 :]]

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

    def token_of(self, token: str, now: datetime) -> TokenInfo | None:
        """The token in force at ``now`` with this secret; None for one unknown, revoked or expired."""
        c = t.token.c
        query = select(c.account, c.name, c.expires_at, c.revoked, c.scope).where(
            c.sha256 == token_hash(token), c.revoked.is_(False), c.expires_at > now
        )
        row = self._connection.execute(query).mappings().one_or_none()
        return TokenInfo(**row) if row else None

    def account_by_token(self, token: str, now: datetime) -> Account | None:
        """Whose token it is: None for one unknown, revoked, expired at ``now`` or of a disabled account."""
        held = self.token_of(token, now)
        account = self.account(held.account) if held is not None else None
        return None if account is None or account.disabled else account

    def tokens(self, account_id: str) -> list[TokenInfo]:
        """The tokens of an account without their secrets, by expiry."""
        c = t.token.c
        query = select(c.account, c.name, c.expires_at, c.revoked, c.scope).where(c.account == account_id)
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
        self,
        *,
        start: int = 0,
        end: int | None = None,
        limit: int | None = None,
        object: str | None = None,
        newest: bool = False,
    ) -> list[tuple[int, Entry]]:
        """Audit entries with their position, from position ``start`` to before ``end``, in their order or the
        newest first; ``object`` is ``kind/id``.

        Those whose payload was purged are left out: the entry of the purge tells of them.
        """
        c = t.audit.c
        order = desc(c.seq) if newest else asc(c.seq)
        query = select(c.seq, c.body).where(c.seq >= start, c.body != b"").order_by(order).limit(limit)
        if end is not None:
            query = query.where(c.seq < end)
        if object is not None:
            if not storable(object):
                return []
            query = query.where(c.object == object)
        return [(row.seq, read(row.body)) for row in self._connection.execute(query)]

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
            yield row.seq, read(row.body)

    def head(self) -> CompactRange:
        """The present state of the log."""
        return read_head(self._connection, self._origin)

    def checkpoints(self) -> list[tuple[Checkpoint, VerifierKey]]:
        """All signed heads with the key that verifies each, ascending."""
        rows = self._connection.execute(select(t.checkpoint).order_by(t.checkpoint.c.size))
        return [(parse_checkpoint(row.note), VerifierKey.parse(row.key)) for row in rows]

    def checkpoint_of(self, size: int) -> Checkpoint | None:
        """The signed head of the log of ``size`` entries, if it was signed."""
        return self._head(select(t.checkpoint.c.note).where(t.checkpoint.c.size == size))

    def newest_checkpoint(self) -> Checkpoint | None:
        """The last signed head."""
        return self._head(select(t.checkpoint.c.note).order_by(t.checkpoint.c.size.desc()))

    def checkpoint_above(self, seq: int) -> Checkpoint | None:
        """The first signed head of a log that has entry ``seq``."""
        c = t.checkpoint.c
        return self._head(select(c.note).where(c.size > seq).order_by(c.size))

    def _head(self, query: Select[str]) -> Checkpoint | None:
        note = self._connection.execute(query.limit(1)).scalar_one_or_none()
        return parse_checkpoint(note) if note is not None else None

    def inclusion(self, seq: int, size: int) -> list[bytes]:
        """The proof that entry ``seq`` is in the log of ``size`` entries; AUDIT_PROOF when it is not."""
        return inclusion_proof(roots(self._connection, self._origin), seq, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the log of ``new`` entries extends that of ``old``; else AUDIT_PROOF."""
        return consistency_proof(roots(self._connection, self._origin), old, new)

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
