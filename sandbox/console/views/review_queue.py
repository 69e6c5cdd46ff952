"""The queue of requests by deadline, who has which in hand, and how much each has to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from sandbox.console.render import render
from sandbox.console.views.resources import Row, row, title_of
from sandbox.console.views.review_points import known_points, severity_of
from sandbox.console.visit import BASE, Visit
from sandbox.control.kinds import kind_of
from sandbox.control.listing import listed
from sandbox.control.together import together
from sandbox.core.resource import Resource
from sandbox.egress.report.view import SEVERITIES
from sandbox.egress.report.words import visible, word
from sandbox.review.egress_request import HELD, NAME

SIZE = 50  # shown on a page
WINDOW = 100  # the first due, among which filters look and which the load counts
SOON = 2  # working days
FILTERS = ("state", "point", "severity", "scenario", "which")
WHICH = (("overdue", "已超期"), ("soon", "两个工作日内到期"), ("mine", "我认领的"), ("free", "无人认领"))


@dataclass(frozen=True)
class Waiting:
    """A request that waits: ``claimed`` by whom ("" nobody), ``spoken`` verdicts so far, what was found."""

    row: Row
    claimed: str
    mine: bool
    spoken: int
    worst: str
    worst_label: str
    points: tuple[str, ...]


@dataclass(frozen=True)
class Load:
    """Who has how many in hand, and how many of them are overdue."""

    who: str
    claimed: int
    overdue: int
    mine: bool


@dataclass(frozen=True)
class QueuePage:
    """What ``review_queue.html`` shows. ``counted``: how many the numbers are of; ``more``: others follow."""

    rows: tuple[Waiting, ...]
    chosen: Mapping[str, str]
    states: tuple[tuple[str, str], ...]
    points: tuple[tuple[str, str], ...]
    severities: tuple[tuple[str, str], ...]
    scenarios: tuple[tuple[str, str], ...]
    which: tuple[tuple[str, str], ...]
    overdue: int
    soon: int
    free: int
    mine: int
    load: tuple[Load, ...]
    counted: int
    more: bool
    next_url: str
    first_url: str


def _claim(request: Resource) -> Mapping[str, Any]:
    claim = request.status.get("claim")
    return claim if isinstance(claim, Mapping) else {}


def _waiting(visit: Visit, request: Resource) -> Waiting:
    found = (request.status.get("check") or {}).get("findings", ())
    worst = min((severity_of(one) for one in found), key=SEVERITIES.index, default="")
    claim = _claim(request)
    return Waiting(
        row=replace(row(visit, request), url=f"{BASE}/review/{request.id}"),
        claimed=visible(claim.get("by", "")),
        mine=claim.get("person") == visit.actor.person,
        spoken=len(request.status.get("verdicts", ())),
        worst=worst,
        worst_label=word(worst, visit.lang) if worst else "",
        points=tuple(sorted({visible(one["point"]) for one in found})),
    )


def _matches(one: Waiting, request: Resource, chosen: Mapping[str, str]) -> bool:
    """Whether a request is among what the filters ask for."""
    clock, point, severity = one.row.clock, chosen["point"], chosen["severity"]
    found = (request.status.get("check") or {}).get("findings", ())
    which = {
        "overdue": bool(clock and clock.overdue),
        "soon": _soon(one),
        "mine": one.mine,
        "free": not one.claimed,
    }
    return (
        which.get(chosen["which"], True)
        and chosen["scenario"] in ("", request.labels.get("scenario"))
        and (not point or any(str(item["point"]) == point for item in found))
        and (not severity or any(severity_of(item) == severity for item in found))
    )


def _soon(one: Waiting) -> bool:
    clock = one.row.clock
    return clock is not None and not clock.overdue and clock.left is not None and clock.left <= SOON


def _scenarios(visit: Visit, found: list[Resource], chosen: str) -> tuple[tuple[str, str], ...]:
    """The scenarios of those who wait, by title."""
    ids = sorted({one.labels.get("scenario", "") for one in found} - {""})
    seen = together(visit.control, visit.actor, (("scenario", id) for id in ids))
    told = {id: title_of(seen["scenario", id], visit.lang) if ("scenario", id) in seen else id for id in ids}
    if chosen:
        told.setdefault(chosen, visible(chosen))
    return tuple(told.items())


def _load(visit: Visit, rows: list[Waiting]) -> tuple[Load, ...]:
    """One line a person, the busiest first, oneself always."""
    mine = visit.actor.account
    claimed = Counter({visible(mine): 0})
    late: Counter[str] = Counter()
    for one in rows:
        if one.claimed:
            claimed[one.claimed] += 1
            late[one.claimed] += bool(one.row.clock and one.row.clock.overdue)
    return tuple(Load(who, count, late[who], who == mine) for who, count in claimed.most_common())


def queue_model(visit: Visit) -> QueuePage:
    """The requests that wait for a reviewer, the first due first, as the filters ask."""
    kind = kind_of(NAME)
    chosen = {name: visit.query(name) for name in FILTERS}
    if chosen["state"] not in {one.name for one in kind.states}:
        chosen["state"] = ""
    found, more = listed(
        visit.control,
        visit.actor,
        NAME,
        states=(chosen["state"],) if chosen["state"] else HELD,
        order="due",
        descending=False,
        after=visit.query("after"),
        limit=WINDOW,
    )
    rows = [_waiting(visit, one) for one in found]
    matching = [one for one, request in zip(rows, found, strict=True) if _matches(one, request, chosen)]
    shown = matching[:SIZE]
    last = shown[-1].row.id if len(matching) > SIZE else found[-1].id if more else ""
    asked = urlencode({name: value for name, value in chosen.items() if value})
    page = f"{BASE}/review?{asked}&" if asked else f"{BASE}/review?"
    return QueuePage(
        rows=tuple(shown),
        chosen=chosen,
        states=tuple((one.name, visit.named(one)) for one in kind.states),
        points=tuple((point, visible(word(point, visit.lang))) for point in known_points(visit)),
        severities=tuple((one, word(one, visit.lang)) for one in SEVERITIES),
        scenarios=_scenarios(visit, found, chosen["scenario"]),
        which=tuple((name, visit.say(label)) for name, label in WHICH),
        overdue=sum(1 for one in rows if one.row.clock and one.row.clock.overdue),
        soon=sum(map(_soon, rows)),
        free=sum(1 for one in rows if not one.claimed),
        mine=sum(1 for one in rows if one.mine),
        load=_load(visit, rows),
        counted=len(rows),
        more=more,
        next_url=f"{page}{urlencode({'after': last})}" if last else "",
        first_url=page if visit.query("after") else "",
    )


def queue(visit: Visit) -> Response:
    """The queue."""
    return render(visit, "review_queue.html", page=queue_model(visit))
