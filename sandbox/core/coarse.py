"""Figures as somebody outside the supervising side may see them: in steps, not in numbers (R-117).

How long code ran, and when, tells of the data it read. A step of a duration is about the triple of the
one below it, times are whole minutes. What must not be told at all is withheld where the kind is shown.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from datetime import datetime

from sandbox.core.resource import Resource

# seconds: each is the upper end of one step and the lower end of the next
STEPS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)


def duration(seconds: float) -> str:
    """The step that a duration in seconds falls into: ``"<1 s"``, ``"1–3 s"``, … ``">=30000 s"``."""
    step = bisect_right(STEPS, seconds)
    if step == 0:
        return f"<{STEPS[0]} s"
    if step == len(STEPS):
        return f">={STEPS[-1]} s"
    return f"{STEPS[step - 1]}–{STEPS[step]} s"


def minute(at: datetime | None) -> datetime | None:
    """``at`` cut to its minute."""
    return at.replace(second=0, microsecond=0) if at else None


def coarse_times(resource: Resource) -> Resource:
    """The resource with its own times cut to the minute."""
    return replace(
        resource,
        created_at=minute(resource.created_at),
        changed_at=minute(resource.changed_at),
        due_at=minute(resource.due_at),
    )
