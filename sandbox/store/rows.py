"""What the store gives out besides ``Resource`` and ``Entry``, and the checks on what goes in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json
from sqlalchemy import RowMapping

from sandbox.audit.entry import encode
from sandbox.core.errors import fail
from sandbox.core.resource import Entry, Resource
from sandbox.store.tables import MAX_NAME, MAX_VALUE

_SPECIFIC = ("spec", "status", "labels")


@dataclass(frozen=True)
class Membership:
    """An account acts for ``organisation`` as ``role``."""

    organisation: str
    role: str


@dataclass(frozen=True)
class Account:
    """Who signs in. ``person`` is the natural person: two accounts of one are one for separation of duty."""

    id: str
    name: str
    person: str
    disabled: bool = False
    memberships: tuple[Membership, ...] = ()


@dataclass(frozen=True)
class TokenInfo:
    """An API token without its secret."""

    account: str
    name: str
    expires_at: datetime
    revoked: bool
    scope: str = "decide"


@dataclass(frozen=True)
class Node:
    """A worker process's sign of life."""

    id: str
    boot_id: str
    heartbeat_at: datetime


def storable(text: str) -> bool:
    """Whether both databases can hold ``text``: no NUL, no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def check_text(limit: int = MAX_NAME, **fields: str) -> None:
    """Raises MALFORMED naming the first field that is empty, over ``limit`` characters or not storable."""
    for name, value in fields.items():
        if not value or len(value) > limit or not storable(value):
            raise fail("MALFORMED", what=name, why=f"it must have 1 to {limit} characters, none of them NUL")


def check_json(what: str, value: Any) -> None:
    """Raises MALFORMED unless ``value`` is plain JSON that will be read as it was written: no NaN, no times,
    no NUL, no half of a surrogate pair, text keys, not nested beyond what the reader takes."""
    try:
        text = json.dumps(value, allow_nan=False)
        same = from_json(text) == value
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        raise fail("MALFORMED", what=what, why="it is not plain JSON")


def check_resource(resource: Resource, entry: Entry) -> None:
    """Raises MALFORMED for what cannot be stored, ENTRY_MISMATCH for an entry of something else."""
    check_text(kind=resource.kind, id=resource.id, organisation=resource.organisation, state=resource.state)
    for name in _SPECIFIC:
        check_json(name, getattr(resource, name))
    for key, value in resource.labels.items():
        check_text(label=key)
        if not isinstance(value, str):
            raise fail("MALFORMED", what=f"label {key}", why="its value is not text")
        check_text(MAX_VALUE, **{f"label {key}": value})
    if entry.object != resource.ref:
        raise fail("ENTRY_MISMATCH", what="object")
    if entry.outcome != "done" or entry.after not in ("", resource.state):
        raise fail("ENTRY_MISMATCH", what="outcome")
    encode(entry)


def resource_of(row: RowMapping) -> Resource:
    """A row of ``resource`` or ``resource_version`` as the resource."""
    return Resource(
        kind=row["kind"],
        id=row["id"],
        organisation=row["organisation"],
        state=row["state"],
        spec=row["spec"],
        status=row["status"],
        labels=row["labels"],
        version=row["version"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        due_at=row["due_at"],
        overdue=row["overdue"],
    )


def values_of(resource: Resource) -> Mapping[str, Any]:
    """The columns of ``resource`` and ``resource_version``."""
    return {
        "kind": resource.kind,
        "id": resource.id,
        "organisation": resource.organisation,
        "state": resource.state,
        "spec": resource.spec,
        "status": resource.status,
        "labels": resource.labels,
        "version": resource.version,
        "created_at": resource.created_at,
        "changed_at": resource.changed_at,
        "due_at": resource.due_at,
        "overdue": resource.overdue,
    }
