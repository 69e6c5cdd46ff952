"""Deadlines as a page says them: in working days of the calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sandbox.core.calendar import Calendar
from sandbox.core.errors import SandboxError
from sandbox.core.resource import Resource


@dataclass(frozen=True)
class Clock:
    """``left`` working days until ``due``, negative when over; None beyond the calendar."""

    due: datetime
    left: int | None
    overdue: bool


def clock(calendar: Calendar, now: datetime, resource: Resource) -> Clock | None:
    """The clock of the present state, if it has one."""
    if resource.due_at is None:
        return None
    try:
        left: int | None = calendar.working_days_left(now, resource.due_at)
    except SandboxError:  # a year that nobody has entered yet
        left = None
    return Clock(resource.due_at, left, resource.overdue or resource.due_at < now)
