"""The working-day calendar: the State Council's arrangements, and what no arrangement may bend."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.core.calendar import BEIJING, Calendar
from sandbox.core.errors import SandboxError
from sandbox.policy.load import load_calendar

CALENDAR = load_calendar(Path(__file__).parents[2] / "policies" / "calendar.yaml")
DAYS = st.dates(date(2024, 1, 1), date(2027, 6, 30))


def due_day(start: date | datetime, n: int) -> date:
    return CALENDAR.add_working_days(start, n).astimezone(BEIJING).date()


@pytest.mark.requirement("R-204")
@pytest.mark.parametrize(
    ("start", "n", "due"),
    [
        # National Day: 1 to 7 October 2026 off, Sunday 20 September and Saturday 10 October worked
        (date(2026, 9, 30), 1, date(2026, 10, 8)),
        (date(2026, 9, 30), 3, date(2026, 10, 10)),
        (date(2026, 9, 30), 4, date(2026, 10, 12)),
        (date(2026, 9, 18), 1, date(2026, 9, 20)),
        # Spring Festival: 15 to 23 February 2026 off, Saturdays 14 and 28 worked
        (date(2026, 2, 13), 1, date(2026, 2, 14)),
        (date(2026, 2, 13), 2, date(2026, 2, 24)),
        (date(2026, 2, 27), 1, date(2026, 2, 28)),
        # 2025: 28 January to 4 February off, Saturday 8 February worked
        (date(2025, 1, 27), 1, date(2025, 2, 5)),
        (date(2025, 1, 27), 4, date(2025, 2, 8)),
        # 2024: 10 to 17 February off, Sundays 4 and 18 February worked
        (date(2024, 2, 9), 1, date(2024, 2, 18)),
        # an ordinary fortnight, and one over the turn of the year with 1 to 3 January 2026 off
        (date(2026, 3, 2), 10, date(2026, 3, 16)),
        (date(2025, 12, 31), 1, date(2026, 1, 4)),
    ],
)
def test_deadlines_over_holidays(start: date, n: int, due: date) -> None:
    assert due_day(start, n) == due


@pytest.mark.requirement("R-204")
@pytest.mark.parametrize("year", [2023, 2028])
def test_a_missing_year_is_an_error_not_a_guess(year: int) -> None:
    for ask in (
        lambda: CALENDAR.is_working_day(date(year, 6, 1)),
        lambda: CALENDAR.add_working_days(date(year, 6, 1), 0),
        lambda: CALENDAR.working_days_left(date(2026, 6, 1), date(year, 6, 1)),
    ):
        with pytest.raises(SandboxError) as refused:
            ask()
        assert refused.value.code == "CALENDAR_OUT_OF_RANGE"
    assert "calendar.yaml" in refused.value.zh


def test_a_deadline_that_runs_into_a_missing_year_is_refused() -> None:
    with pytest.raises(SandboxError) as refused:
        CALENDAR.add_working_days(date(2027, 12, 30), 10)
    assert refused.value.details == {"year": 2028, "years": "2024, 2025, 2026, 2027"}


# What the official texts of the three years add up to: 251, 248 and 248 working days.
@pytest.mark.parametrize(("year", "days"), [(2024, 251), (2025, 248), (2026, 248)])
def test_working_days_of_a_year(year: int, days: int) -> None:
    first = date(year, 1, 1)
    assert sum(CALENDAR.is_working_day(first + timedelta(i)) for i in range(365 + (year == 2024))) == days


def test_the_end_is_the_last_second_in_beijing_as_utc() -> None:
    due = CALENDAR.add_working_days(date(2026, 3, 2), 1)
    assert due == datetime(2026, 3, 3, 15, 59, 59, tzinfo=UTC)
    assert due.tzinfo is UTC
    assert CALENDAR.add_working_days(date(2026, 3, 2), 0) == datetime(2026, 3, 2, 15, 59, 59, tzinfo=UTC)


def test_the_day_of_receipt_is_the_day_in_beijing() -> None:
    """17:00 UTC on Monday is Tuesday in Beijing: the first working day after it is Wednesday."""
    assert due_day(datetime(2026, 3, 2, 17, tzinfo=UTC), 1) == date(2026, 3, 4)
    assert due_day(datetime(2026, 3, 2, 15, tzinfo=UTC), 1) == date(2026, 3, 3)


def test_naive_times_and_negative_counts_are_refused() -> None:
    for start, n in ((datetime.fromisoformat("2026-03-02T09:00"), 1), (date(2026, 3, 2), -1)):
        with pytest.raises(SandboxError) as refused:
            CALENDAR.add_working_days(start, n)
        assert refused.value.code == "MALFORMED"


def test_days_left_turn_negative_after_the_last_day() -> None:
    due = CALENDAR.add_working_days(date(2026, 9, 30), 1)  # Thursday 8 October
    assert CALENDAR.working_days_left(date(2026, 10, 3), due) == 1
    assert CALENDAR.working_days_left(date(2026, 10, 8), due) == 0
    assert CALENDAR.working_days_left(date(2026, 10, 11), due) == -2  # Friday, and Saturday that is worked


def test_a_year_without_its_notice_is_provisional() -> None:
    assert CALENDAR.provisional == {2027}
    assert not CALENDAR.is_provisional(date(2026, 12, 1), date(2026, 12, 31))
    assert CALENDAR.is_provisional(date(2026, 12, 30), CALENDAR.add_working_days(date(2026, 12, 30), 5))
    assert CALENDAR.is_provisional(date(2026, 6, 1), date(2028, 6, 1))


@given(DAYS, st.integers(0, 90))
def test_n_working_days_lie_between_receipt_and_deadline(start: date, n: int) -> None:
    due = due_day(start, n)
    between = [start + timedelta(i) for i in range(1, (due - start).days + 1)]
    assert sum(CALENDAR.is_working_day(day) for day in between) == n
    assert n == 0 or CALENDAR.is_working_day(due)
    assert CALENDAR.working_days_left(start, due) == n


@given(DAYS, DAYS, st.integers(0, 60), st.integers(0, 60))
def test_deadlines_are_monotone(a: date, b: date, m: int, n: int) -> None:
    """Later receipt or more days never end earlier, and one day more is strictly later."""
    assert CALENDAR.add_working_days(min(a, b), min(m, n)) <= CALENDAR.add_working_days(max(a, b), max(m, n))
    assert CALENDAR.add_working_days(a, n) < CALENDAR.add_working_days(a, n + 1)


@given(DAYS, DAYS)
def test_days_left_change_sign_with_direction(a: date, b: date) -> None:
    assert CALENDAR.working_days_left(a, b) == -CALENDAR.working_days_left(b, a)


def year_of(**changes: Any) -> dict[str, Any]:
    year = {"holidays": {"元旦": ["2026-01-01", "2026-01-03"]}, "working_weekends": ["2026-01-04"]}
    return {"version": "t", "years": {2026: year | changes}}


def test_a_calendar_from_iso_strings() -> None:
    calendar = Calendar.from_dict(year_of())
    assert [calendar.is_working_day(date(2026, 1, day)) for day in (1, 2, 3, 4, 5, 10)] == [
        False,
        False,
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (year_of() | {"version": 1}, "version"),
        (year_of() | {"years": {}}, "years"),
        ({"version": "t", "years": {"2026": {}}}, "2026"),
        ({"version": "t", "years": {2026: {}}}, "2026"),
        (year_of(provisional="yes"), "2026/provisional"),
        (year_of(holidays={"元旦": []}), "2026/元旦"),
        (year_of(holidays={"元旦": ["2026-13-01"]}), "2026/元旦"),
        (year_of(holidays={"元旦": [datetime(2026, 1, 1, tzinfo=UTC)]}), "2026/元旦"),
        (year_of(holidays={"元旦": ["2026-01-03", "2026-01-01"]}), "2026/元旦"),
        (year_of(holidays={"元旦": ["2025-12-31", "2026-01-01"]}), "2026/元旦"),
        (year_of(working_weekends="2026-01-04"), "2026/working_weekends"),
        (year_of(working_weekends=["2026-01-05"]), "2026-01-05"),  # a Monday
        (year_of(working_weekends=["2026-01-03"]), "2026-01-03"),  # inside the holiday
        (year_of(working_weekends=["2025-01-04"]), "2025-01-04"),  # another year
    ],
)
def test_a_wrong_calendar_names_the_place(data: dict[str, Any], where: str) -> None:
    with pytest.raises(SandboxError) as refused:
        Calendar.from_dict(data)
    assert refused.value.code == "CALENDAR_MALFORMED"
    assert refused.value.details["where"] == where
