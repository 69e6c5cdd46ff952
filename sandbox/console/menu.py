"""What each role finds in the side menu, from the table of pages and the kinds it works with."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.console.visit import BASE, Visit
from sandbox.control.kinds import KINDS
from sandbox.core.actor import READS_ALL, Role

# what each role works with, its own work first; what it may see of a kind is the kind's to say
WORKS_WITH: dict[Role, tuple[str, ...]] = {
    Role.REVIEWER: ("egress-request", "reidentification", "job", "product", "scenario", "agreement"),
    Role.IMPLEMENTING_BODY: (
        "scenario", "agreement", "egress-request", "product", "rectification", "catalogue-entry",
    ),
    Role.DATA_AUTHORITY: (
        "organisation", "agreement", "scenario", "negative-list-entry", "egress-request", "rectification",
    ),
    Role.SECTOR_AUTHORITY: ("agreement", "scenario", "egress-request", "catalogue-entry", "rectification"),
    Role.PROVIDER: (
        "catalogue-entry", "supply", "scenario", "agreement", "dp-budget", "reidentification",
    ),
    Role.CONNECTOR: ("supply",),
    Role.OPERATOR: ("supply", "job", "product", "scenario", "agreement", "rectification"),
    Role.DEVELOPER: (
        "catalogue-entry", "scenario", "job", "egress-request", "product", "dp-budget", "dp-release",
    ),
    Role.EXPERT: ("scenario",),
    Role.AUDITOR: (
        "egress-request", "job", "supply", "product", "scenario", "agreement", "organisation",
        "rectification", "reidentification",
    ),
    Role.SPACE_ADMIN: ("organisation",),
}  # fmt: skip


# where a role's own work is seen together
DESKS: dict[Role, tuple[str, str]] = {
    Role.REVIEWER: ("review", "出域评审"),
    Role.DEVELOPER: ("develop", "我的工作"),
    Role.OPERATOR: ("operate", "供给与产品"),
}
# pages of a desk that are looked for in the menu
BELOW: dict[Role, tuple[tuple[str, str], ...]] = {
    Role.DEVELOPER: (("develop/catalogue", "查找数据"), ("develop/scenario", "申请场景")),
}


@dataclass(frozen=True)
class Entry:
    """A line of the menu."""

    url: str
    label: str
    current: bool
    count: int | None = None


def entries(visit: Visit) -> list[Entry]:
    """The menu of whoever visits; without a role, the public pages."""
    path = visit.request.url.path
    actor = visit.session.actor if visit.session else None
    lines: list[tuple[str, str]] = []
    if actor is not None:
        lines.append((f"{BASE}/", visit.say("待办")))
        if actor.role in DESKS:
            place, label = DESKS[actor.role]
            lines.append((f"{BASE}/{place}", visit.say(label)))
        lines += [(f"{BASE}/{place}", visit.say(label)) for place, label in BELOW.get(actor.role, ())]
        lines += [(f"{BASE}/r/{kind}", visit.named(KINDS[kind])) for kind in WORKS_WITH[actor.role]]
        if actor.role in READS_ALL:
            lines.append((f"{BASE}/audit", visit.say("审计日志")))
    lines.append((f"{BASE}/public", visit.say("公开信息")))
    here = max((url for url, _ in lines if _current(path, url)), key=len, default="")
    return [Entry(url, label, url == here) for url, label in lines]


def _current(path: str, url: str) -> bool:
    return path == url or (url != f"{BASE}/" and path.startswith((f"{url}/", f"{url}-entry/")))
