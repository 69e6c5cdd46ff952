"""A resource: one thing with a kind, an identity, a specification and a state. See DESIGN: section 3."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Resource:
    """One version of one thing.

    ``spec`` is what was asked for (validated by the kind's pydantic model, stored as plain JSON);
    ``status`` what the system and people have since recorded about it; ``version`` counts every
    change from 1 and is what compare-and-set compares. Times are aware UTC.
    """

    kind: str
    id: str
    organisation: str  # the organisation it belongs to
    state: str
    spec: dict[str, Any]
    status: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)  # indexed look-ups: {"agreement": "ag-1", ...}
    version: int = 0  # 0: not stored yet
    created_at: datetime | None = None
    changed_at: datetime | None = None
    due_at: datetime | None = None  # the clock of the present state, if it has one
    overdue: bool = False

    @property
    def ref(self) -> str:
        """``kind/id``."""
        return f"{self.kind}/{self.id}"


def as_json(resource: Resource) -> dict[str, Any]:
    """A resource as the API gives it: plain JSON, times in ISO 8601."""
    body = asdict(resource)
    for key in ("created_at", "changed_at", "due_at"):
        body[key] = body[key].isoformat() if body[key] else None
    return body


@dataclass(frozen=True)
class Entry:
    """One line of the audit log, written in the transaction of the change that it tells of.

    It holds references, codes and hashes, never a value of the data. ``outcome`` is ``done`` or
    ``refused``; a refusal carries its error code in ``reason``.
    """

    at: datetime
    actor: str  # account id, or "system"
    organisation: str  # in whose name
    role: str
    action: str  # the lifecycle event, or e.g. "download", "sign-in"
    object: str  # kind/id
    outcome: str = "done"
    reason: str = ""
    before: str = ""  # state before and after
    after: str = ""
    policy: str = ""  # name and version of the profile that was applied
    request: str = ""  # request id
    details: dict[str, Any] = field(default_factory=dict)
