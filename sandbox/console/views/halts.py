"""Parts of pages: what an act would stop, shown before it is done, and what it has stopped, shown after."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from sandbox.console.render import render
from sandbox.console.views.resources import title_of
from sandbox.console.visit import BASE, Visit
from sandbox.control import halts
from sandbox.control.kinds import kind_of

# what becomes of those that no event moves
WAITING = {
    halts.NOT_RELEASED: "不能放行",
    halts.NOT_TAKEN: "不能领取",
    halts.NOT_STARTED: "不能启动",
    halts.NOT_SUPPLIED: "不再供给",
}


@dataclass(frozen=True)
class Line:
    """A group as the page tells it; ``found`` are (title, id, url)."""

    how: str
    moved: bool  # it ends or pauses by itself; else it only cannot go on
    kind: str
    state: str
    count: str
    found: tuple[tuple[str, str, str], ...]
    rest: int  # counted and not named


def _line(visit: Visit, group: halts.Group) -> Line:
    kind = kind_of(group.kind)
    events = {one.event: visit.named(one) for one in kind.transitions}
    return Line(
        how=visit.say(WAITING[group.how]) if group.how in WAITING else events[group.how],
        moved=group.how not in WAITING,
        kind=visit.named(kind),
        state=visit.named(kind.state(group.state)),
        count=f"{group.count}+" if group.more else str(group.count),
        found=tuple(
            (title_of(one, visit.lang), one.id, f"{BASE}/r/{one.kind}/{one.id}") for one in group.found
        ),
        rest=group.count - len(group.found),
    )


def _shown(visit: Visit, groups: tuple[halts.Group, ...], done: bool) -> Response:
    lines = sorted((_line(visit, one) for one in groups), key=lambda one: not one.moved)
    return render(visit, "_halts.html", lines=tuple(lines), done=done, most=halts.MOST)


def before(visit: Visit) -> Response:
    """What one act of a resource would stop. Raises NOT_FOUND, STATE, ROLE."""
    found = halts.foreseen(
        visit.control, visit.actor, visit.segment("kind"), visit.segment("id"), visit.segment("event")
    )
    return _shown(visit, found, done=False)


def before_new(visit: Visit) -> Response:
    """What a new resource would stop, by as much of its form as matters. Raises NOT_FOUND, ROLE."""
    kind = visit.segment("kind")
    about, _ = halts.NAMES.get(kind, ("", ""))
    spec = {about: visit.query(about)[:100], "suspend": visit.query("suspend") == "on"}
    return _shown(visit, halts.foreseen_new(visit.control, visit.actor, kind, spec), done=False)


def after(visit: Visit) -> Response:
    """What has been stopped. Raises NOT_FOUND."""
    found = halts.halted(visit.control, visit.actor, visit.segment("kind"), visit.segment("id"))
    return _shown(visit, found, done=True)
