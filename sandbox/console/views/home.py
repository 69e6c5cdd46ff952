"""What waits for whoever has signed in: what is to be decided first, the rest by deadline; or what to do."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from sandbox.console.menu import WORKS_WITH
from sandbox.console.render import render
from sandbox.console.views.decide import Decision, decisions, offered
from sandbox.console.views.resources import Row, row
from sandbox.console.visit import BASE, Visit
from sandbox.control.kinds import KINDS
from sandbox.control.listing import listed
from sandbox.core.actor import Role

SHOWN = 10  # of each kind

# states in which things stay as they are until somebody wants otherwise: nobody is waited for unless overdue
RESTING = {
    "organisation": ("active", "suspended"),
    "catalogue-entry": ("confirmed", "included", "conditional", "excluded"),
    "negative-list-entry": ("listed",),
    "agreement": ("active", "suspended", "terminated"),
    "scenario": ("granted", "suspended"),
    "supply": ("available", "paused", "stopped"),
    "product": ("offered", "registered", "suspended"),
}
WITH_TERM = ("agreement",)  # kinds whose resting states have a clock that nothing ends by itself
# where nothing waits: what each role does next, and where
HINTS: dict[Role, tuple[str, tuple[tuple[str, str], ...]]] = {
    Role.REVIEWER: ("没有待审的申请。新的申请检查完毕后出现在评审队列。", (("评审队列", "/review"),)),
    Role.IMPLEMENTING_BODY: (
        "没有待决定的事项。可起草协议，或查看各场景的状态。",
        (("协议", "/r/agreement"),),
    ),
    Role.DATA_AUTHORITY: ("没有待决定的事项。可登记单位，或查看协议的执行。", (("协议", "/r/agreement"),)),
    Role.SECTOR_AUTHORITY: ("没有待决定的事项。可查看本行业的协议与场景。", (("协议", "/r/agreement"),)),
    Role.PROVIDER: (
        "没有待确认或待同意的事项。可编制目录条目。",
        (("编制目录条目", "/r/catalogue-entry/new"),),
    ),
    Role.CONNECTOR: ("没有待送达的供给。供给由连接器按清单发起。", (("供给", "/r/supply"),)),
    Role.OPERATOR: ("没有待办理的事项。供给到位后可提交配方作业。", (("供给与产品", "/operate"),)),
    Role.DEVELOPER: (
        "没有待办理的事项。先在公开目录里找到所需数据，再申请应用场景。",
        (("公开目录", "/public/catalogue"), ("申请应用场景", "/r/scenario/new"), ("我的工作", "/develop")),
    ),
    Role.EXPERT: ("没有请您提出意见的场景。", (("场景", "/r/scenario"),)),
    Role.AUDITOR: ("审计没有待办：从日志开始，逐条可核验。", (("审计日志", "/audit"),)),
    Role.SPACE_ADMIN: ("没有待登记生效的单位。", (("单位", "/r/organisation"),)),
}


@dataclass(frozen=True)
class Waiting:
    """Resources of one kind whose next move is this role's."""

    label: str
    url: str
    rows: tuple[Row, ...]
    more: bool


@dataclass(frozen=True)
class HomePage:
    """What ``home.html`` shows."""

    decisions: tuple[Decision, ...]
    more: tuple[tuple[str, str], ...]  # (label, url) of the kinds of which more wait
    waiting: tuple[Waiting, ...]
    hint: str  # what to do where nothing waits
    next: tuple[tuple[str, str], ...]  # (label, url) of where that is done
    create: tuple[tuple[str, str], ...]  # (label, url) of what this role may begin


def model(visit: Visit) -> HomePage:
    """What waits for the actor's role."""
    role = visit.actor.role
    decided, more_of = decisions(visit)
    above = {(one.kind, state) for one in offered(visit) for state in one.states}
    waiting = []
    for name in WORKS_WITH[role]:
        kind = KINDS[name]
        mine = tuple(
            one.name for one in kind.states if any(role in row.by for row in kind.possible(one.name))
        )
        owned = tuple(one.name for one in kind.states if one.owner == role and one.name in mine)
        resting = RESTING.get(name, ())
        busy = tuple(one for one in owned if one not in resting and (name, one) not in above)
        lines, more = _lines(visit, name, busy)
        if name in WITH_TERM:
            late, _ = _lines(visit, name, tuple(one for one in owned if one in resting))
            lines = [*(one for one in late if one.clock and one.clock.overdue), *lines]
        if lines:
            waiting.append(Waiting(visit.named(kind), f"{BASE}/r/{name}", tuple(lines), more))
    create = tuple(
        (f"{visit.named(KINDS[name].create)} · {visit.named(KINDS[name])}", f"{BASE}/r/{name}/new")
        for name in WORKS_WITH[role]
        if role in KINDS[name].create.by
    )
    hint, places = HINTS[role]
    return HomePage(
        decided,
        tuple((visit.named(KINDS[name]), f"{BASE}/r/{name}") for name in more_of),
        tuple(waiting),
        visit.say(hint),
        tuple((visit.say(label), f"{BASE}{place}") for label, place in places),
        create,
    )


def _lines(visit: Visit, kind: str, states: tuple[str, ...]) -> tuple[list[Row], bool]:
    """The first of a kind in these states by their clocks, and whether more follow; none without a state."""
    if not states:
        return [], False
    found, more = listed(
        visit.control, visit.actor, kind, states=states, order="due", descending=False, limit=SHOWN
    )
    return [row(visit, one) for one in found], more


def page(visit: Visit) -> Response:
    """The first page."""
    return render(visit, "home.html", page=model(visit))
