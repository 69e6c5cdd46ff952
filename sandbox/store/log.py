"""The audit log inside a database transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select, update

from sandbox.audit.entry import encode
from sandbox.audit.tree import CompactRange, Hasher, Root, Roots
from sandbox.core.errors import fail
from sandbox.core.resource import Entry
from sandbox.store import tables


@dataclass(frozen=True)
class Origin:
    """Which log this is; a database whose head says otherwise is refused."""

    name: str
    hasher: Hasher
    roots: Roots = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "roots", Roots(self.hasher))


def read_head(connection: Connection, origin: Origin, *, lock: bool = False) -> CompactRange:
    """The state of the log. ``lock`` holds the head row until the transaction ends (PostgreSQL).

    Raises STORE_SCHEMA when the log was never begun, AUDIT_ORIGIN when it is another one.
    """
    query = select(tables.audit_head)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise fail("STORE_SCHEMA")
    if (row["origin"], row["algorithm"]) != (origin.name, origin.hasher.algorithm.value):
        raise fail(
            "AUDIT_ORIGIN",
            stored=f"{row['origin']} {row['algorithm']}",
            configured=f"{origin.name} {origin.hasher.algorithm}",
        )
    return CompactRange.from_bytes(row["size"], row["hashes"])


def roots(connection: Connection, origin: Origin) -> Root:
    """The roots of parts of the log. Raises AUDIT_PROOF where the log does not reach so far."""
    c = tables.audit.c

    def leaves(start: int, stop: int) -> Sequence[bytes]:
        query = select(c.leaf).where(c.seq >= start, c.seq < stop).order_by(c.seq)
        found = connection.execute(query).scalars().all()
        if len(found) != stop - start:
            raise fail("AUDIT_PROOF", old=start, new=stop, size=start + len(found))
        return found

    return origin.roots.over(leaves)


def begin_log(connection: Connection, origin: Origin) -> None:
    """Write the head of an empty log unless there is one; one of another origin raises AUDIT_ORIGIN."""
    if connection.execute(select(tables.audit_head.c.id)).first() is None:
        connection.execute(
            insert(tables.audit_head).values(
                id=1, origin=origin.name, algorithm=origin.hasher.algorithm.value, size=0, hashes=b""
            )
        )
    read_head(connection, origin)


def append(connection: Connection, state: CompactRange, entry: Entry, hasher: Hasher) -> CompactRange:
    """Append ``entry`` to the log whose locked head is ``state``; gives the new head."""
    body = encode(entry)
    leaf = hasher.leaf(body)
    connection.execute(insert(tables.audit).values(seq=state.size, body=body, leaf=leaf, object=entry.object))
    state = state.append(leaf, hasher)
    connection.execute(update(tables.audit_head).values(size=state.size, hashes=state.to_bytes()))
    return state
