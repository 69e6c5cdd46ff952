"""The working-day calendar behind every deadline. Pure: no file, no clock of its own.

How days are counted (requirements part F, gap F-18): the day of receipt does not count, the next
working day is day 1, and the deadline is the last second of the n-th working day in Beijing time.
A date in a year for which there is no arrangement is an error, never a guess (R-204).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

from sandbox.core.errors import Invalid, SandboxError, Unavailable, define, fail

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")  # no daylight saving since 1991
_SATURDAY = 5
_DAY = timedelta(days=1)

define(
    Unavailable,
    CALENDAR_OUT_OF_RANGE=(
        "工作日历没有 {year} 年（现有 {years}），无法计算期限；请按当年放假通知补入 calendar.yaml。",
        (
            "The working-day calendar does not cover {year} (only {years}), so the deadline is unknown; "
            "add that year to calendar.yaml from the State Council notice."
        ),
    ),
)
define(
    Invalid,
    CALENDAR_MALFORMED=(
        "工作日历在“{where}”处有误：{why_zh}；请改正 calendar.yaml 后重新加载。",
        "The working-day calendar is wrong at “{where}”: {why_en}; mend calendar.yaml and load it again.",
    ),
)


def _malformed(where: object, zh: str, en: str) -> SandboxError:
    return fail("CALENDAR_MALFORMED", where=str(where), why_zh=zh, why_en=en)


def _day(value: Any, where: object) -> date:
    """A ``date`` or an ISO string as a date."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise _malformed(where, "应为 YYYY-MM-DD 的日期", "a date YYYY-MM-DD is expected")


def _holidays(year: int, table: Any) -> set[date]:
    """The days of one year's ``{name: [first, last] | [day]}``."""
    if not isinstance(table, Mapping):
        raise _malformed(year, "缺少 holidays 表", "the table of holidays is missing")
    days: set[date] = set()
    for name, span in table.items():
        where = f"{year}/{name}"
        if not isinstance(span, list | tuple) or len(span) not in (1, 2):
            raise _malformed(where, "应为 [首日, 末日] 或 [单日]", "[first, last] or [day] is expected")
        first, last = _day(span[0], where), _day(span[-1], where)
        if not first <= last or first.year != year or last.year != year:
            raise _malformed(where, "起止颠倒或不在该年", "it ends before it begins or lies outside the year")
        days.update(first + _DAY * i for i in range((last - first).days + 1))
    return days


def _worked_weekends(year: int, days: Any, holidays: set[date]) -> set[date]:
    """The make-up days of one year: Saturdays and Sundays that are worked."""
    if not isinstance(days, list | tuple):
        raise _malformed(f"{year}/working_weekends", "应为日期列表", "a list of dates is expected")
    worked = {_day(day, f"{year}/working_weekends") for day in days}
    for day in worked:
        if day.year != year or day.weekday() < _SATURDAY or day in holidays:
            raise _malformed(
                day, "调休上班日须是该年的周末且不在假期内", "it must be a weekend day, no holiday"
            )
    return worked


@dataclass(frozen=True)
class Calendar:
    """Which days are worked, for the years that are known.

    ``provisional`` are covered years whose annual notice is not out yet: only the days fixed by law
    are in them, so a deadline in such a year may still move.
    """

    version: str
    years: frozenset[int]
    provisional: frozenset[int]
    holidays: frozenset[date]
    worked_weekends: frozenset[date]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calendar:
        """Build from ``{version, years: {year: {holidays, working_weekends, provisional}}}``.

        Dates are ``date`` objects or ISO strings. Raises CALENDAR_MALFORMED with the place.
        """
        version, years = data.get("version"), data.get("years")
        if not isinstance(version, str) or not version:
            raise _malformed("version", "缺少版本号（文本）", "the version (a text) is missing")
        if not isinstance(years, Mapping) or not years:
            raise _malformed("years", "缺少年份", "there are no years")
        holidays: set[date] = set()
        worked: set[date] = set()
        provisional: set[int] = set()
        for year, arrangement in years.items():
            if type(year) is not int or not isinstance(arrangement, Mapping):
                raise _malformed(
                    year, "年份应为整数，其下为一张表", "a year is a number with a table under it"
                )
            flag = arrangement.get("provisional", False)
            if type(flag) is not bool:
                raise _malformed(f"{year}/provisional", "应为 true 或 false", "true or false is expected")
            off = _holidays(year, arrangement.get("holidays"))
            holidays |= off
            worked |= _worked_weekends(year, arrangement.get("working_weekends", []), off)
            provisional |= {year} if flag else set()
        return cls(version, frozenset(years), frozenset(provisional), frozenset(holidays), frozenset(worked))

    def is_working_day(self, day: date) -> bool:
        """Whether ``day`` is worked. Raises CALENDAR_OUT_OF_RANGE for a year that is not covered."""
        if day.year not in self.years:
            known = ", ".join(str(year) for year in sorted(self.years))
            raise fail("CALENDAR_OUT_OF_RANGE", year=day.year, years=known)
        return day in self.worked_weekends or (day.weekday() < _SATURDAY and day not in self.holidays)

    def add_working_days(self, start: datetime | date, n: int) -> datetime:
        """The deadline ``n`` working days after receipt at ``start``, as aware UTC.

        ``start`` is a Beijing date or an aware time; its day does not count. The result is 23:59:59
        Beijing time of the n-th working day; ``n`` = 0 gives the end of the day of receipt itself.
        Raises CALENDAR_OUT_OF_RANGE, and MALFORMED for a naive time or a negative ``n``.
        """
        if n < 0:
            raise fail("MALFORMED", what="n", why="n < 0")
        day = _beijing_day(start)
        self.is_working_day(day)
        while n:
            day += _DAY
            n -= self.is_working_day(day)
        return datetime.combine(day, time(23, 59, 59), BEIJING).astimezone(UTC)

    def working_days_left(self, now: datetime | date, due: datetime | date) -> int:
        """Working days after the day of ``now`` up to and with the day of ``due``.

        0 on the last day; negative when that day is over (minus the working days since). It is the
        inverse of ``add_working_days``. Raises as that does.
        """
        today, last = _beijing_day(now), _beijing_day(due)
        if today > last:
            return -self.working_days_left(last, today)
        self.is_working_day(today)
        return sum(self.is_working_day(today + _DAY * i) for i in range(1, (last - today).days + 1))

    def is_provisional(self, start: datetime | date, due: datetime | date) -> bool:
        """Whether a deadline counted from ``start`` to ``due`` rests on a year without its notice."""
        return any(_beijing_day(start).year <= year <= _beijing_day(due).year for year in self.provisional)


def _beijing_day(moment: datetime | date) -> date:
    """The Beijing date of an aware time; a plain date is one already."""
    if not isinstance(moment, datetime):
        return moment
    if moment.tzinfo is None:
        raise fail("MALFORMED", what="datetime", why="no time zone")
    return moment.astimezone(BEIJING).date()
