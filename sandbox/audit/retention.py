"""How long logs are kept. Years are calendar years, counted in UTC.

Nothing in the store deletes an entry. This is the rule that a purge of exported packs must ask, and
the date that a sealed log pack states. R-193 (five years), R-194 (one year after the end of supply)
and R-261 (kept on after the operator's exit) give the years through the profile.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sandbox.audit.codes  # noqa: F401 - states the error codes raised here
from sandbox.core.errors import fail


def kept_until(event: datetime, terminated: datetime | None, *years: int) -> datetime:
    """The first instant at which an entry of ``event`` may go: the later of the two dates, plus years.

    Of several terms (the profile's, the site's floor) the longest holds. An authorisation that has not
    been terminated has no such instant yet: give the present time as ``terminated`` to get the earliest.
    """
    start = max(event, terminated or event).astimezone(UTC)
    year = start.year + max(years)
    try:
        return start.replace(year=year)
    except ValueError:  # 29 February: the term is over when that day would have been
        return start.replace(year=year, month=3, day=1)


def check_purge(now: datetime, event: datetime, terminated: datetime | None, *years: int) -> None:
    """Raises RETENTION with the date while the entry must still be kept."""
    until = kept_until(event, terminated, *years)
    if now < until:
        raise fail("RETENTION", until=until.date().isoformat())
