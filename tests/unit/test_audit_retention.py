"""How long logs are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sandbox.audit.retention import check_purge, kept_until
from tests.refusal import refused

EVENT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
ENDED = datetime(2028, 2, 29, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "ended", "years", "until"),
    [
        (EVENT, None, (5,), datetime(2031, 11, 21, 8, tzinfo=UTC)),
        (
            EVENT,
            ENDED,
            (5,),
            datetime(2033, 3, 1, 8, tzinfo=UTC),
        ),  # from the later of the two; no 29 February
        (ENDED, EVENT, (4,), datetime(2032, 2, 29, 8, tzinfo=UTC)),
        (EVENT, None, (1, 5), datetime(2031, 11, 21, 8, tzinfo=UTC)),  # the longest term holds
        (EVENT, None, (1, 0), datetime(2027, 11, 21, 8, tzinfo=UTC)),
        (EVENT.astimezone(timezone(timedelta(hours=8))), None, (1,), datetime(2027, 11, 21, 8, tzinfo=UTC)),
    ],
)
def test_the_date(event: datetime, ended: datetime | None, years: tuple[int, ...], until: datetime) -> None:
    assert kept_until(event, ended, *years) == until


@pytest.mark.parametrize("early", [timedelta(days=1), timedelta(microseconds=1)])
def test_a_purge_before_the_date_is_refused_and_told_the_date(early: timedelta) -> None:
    """R-193's 4 years and 364 days; R-194's 364 days below."""
    until = kept_until(EVENT, ENDED, 5)
    with refused("RETENTION"):
        check_purge(until - early, EVENT, ENDED, 5)
    check_purge(until, EVENT, ENDED, 5)


def test_a_site_floor_holds_against_a_shorter_profile() -> None:
    after = EVENT + timedelta(days=366)
    check_purge(after, EVENT, None, 1, 0)
    with refused("RETENTION"):
        check_purge(EVENT + timedelta(days=364), EVENT, None, 1, 0)
    with refused("RETENTION"):
        check_purge(after, EVENT, None, 1, 5)
