"""Workspaces of an agreement in counts, and the certificate of their deletion with every item."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from sandbox.console.render import render, told
from sandbox.console.views import papers
from sandbox.console.views.resources import Row, row
from sandbox.console.visit import BASE, Visit
from sandbox.control.listing import listed
from sandbox.control.workspaces import Workspace
from sandbox.core.errors import SandboxError

SHOWN = 50  # agreements
ITEMS = 200  # of a certificate, on a page
PLACES: dict[str, str] = {
    "quarantine": "隔离区（送达的文件）",
    "raw": "快照",
    "primary": "初级产品",
    "tokens": "令牌库",
    "staging": "作业输出（隔离中）",
    "log": "作业日志（密封）",
    "sealed": "差分隐私答复（密封）",
    "review": "评审室",
    "answers": "还原答复",
    "assembled": "任务输入（链接）",
    "keys": "密钥",
}


@dataclass(frozen=True)
class WorkspacesPage:
    """What ``workspaces.html`` shows."""

    agreements: tuple[tuple[str, str], ...]
    chosen: str
    held: tuple[Workspace, ...]
    files: int
    keys: int
    encrypted: bool
    url: str


def page(visit: Visit) -> Response:
    """One agreement's workspaces. Raises NOT_FOUND, NOT_YOURS."""
    found, _ = listed(visit.control, visit.actor, "agreement", limit=SHOWN)
    mine = [one for one in found if one.spec["operator"] == visit.actor.organisation]
    chosen = visit.query("agreement") or (mine[0].id if mine else "")
    errors: list[dict[str, str]] = []
    held: tuple[Workspace, ...] = ()
    status = 200
    if chosen:
        try:
            held = visit.space.workspaces.of(visit.actor, chosen)
        except SandboxError as error:
            if error.code in ("NOT_FOUND", "NOT_YOURS"):
                raise
            errors, status = [told(visit, error)], error.status  # of the vault
    counted = [place for one in held for place in one.folders]
    model = WorkspacesPage(
        agreements=tuple((one.id, row(visit, one).title) for one in mine),
        chosen=chosen,
        held=held,
        files=sum(place.files for place in counted if place.name != "keys"),
        keys=sum(place.files for place in counted if place.name == "keys"),
        encrypted=visit.space.workspaces.encrypted,
        url=f"{BASE}/operate/workspaces",
    )
    return render(
        visit, "workspaces.html", status, page=model, places=_names(visit), size=size, errors=errors
    )


def _names(visit: Visit) -> dict[str, str]:
    return {name: visit.say(label) for name, label in PLACES.items()}


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit, whole in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= whole:
            return f"{count / whole:,.1f} {unit}".replace(".0 ", " ")
    return f"{count} B"


@dataclass(frozen=True)
class ExitPage:
    """What ``exit.html`` shows. ``totals``: (scenario, place, files, bytes) of what was removed."""

    row: Row
    steps: tuple[tuple[str, str, str], ...]  # what, when, who; "" where it has not happened
    certified: bool
    removed: int
    bytes: int
    left: int
    keys: int
    totals: tuple[tuple[str, str, int, int], ...]
    items: tuple[dict[str, Any], ...]
    first: int
    prev_url: str
    next_url: str
    seal: dict[str, Any] | None
    papers: tuple[tuple[str, str], ...]


STEPS = (
    ("terminate", "终止"),
    ("hand_over", "交接完毕"),
    ("certify", "出具删除证明"),
    ("verify_deletion", "核验删除"),
    ("seal_logs", "封存日志"),
)


def exit_page(visit: Visit) -> Response:
    """The certificate of one agreement: every item, the checkpoint, how to verify it. Raises NOT_FOUND."""
    found = visit.control.get(visit.actor, "agreement", visit.segment("id"))
    told = found.status.get("certify")
    removed = list((told or {}).get("removed", ()))
    asked = visit.query("from", "0")
    first = int(asked) // ITEMS * ITEMS if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0
    files: Counter[tuple[str, str]] = Counter()
    sizes: Counter[tuple[str, str]] = Counter()
    for one in removed:
        files[one["scenario"], one["place"]] += 1
        sizes[one["scenario"], one["place"]] += one["bytes"]
    url = f"{BASE}/operate/exit/{found.id}"
    signed = {name: found.status.get(name) or {} for name, _ in STEPS}
    model = ExitPage(
        row=row(visit, found),
        steps=tuple(
            (visit.say(label), signed[name].get("at", ""), signed[name].get("by", ""))
            for name, label in STEPS
        ),
        certified=told is not None,
        removed=len(removed),
        bytes=sum(sizes.values()),
        left=(told or {}).get("left", 0),
        keys=(told or {}).get("keys_destroyed", 0),
        totals=tuple((*key, files[key], sizes[key]) for key in sorted(files)),
        items=tuple(removed[first : first + ITEMS]),
        first=first,
        prev_url=f"{url}?from={first - ITEMS}" if first else "",
        next_url=f"{url}?from={first + ITEMS}" if first + ITEMS < len(removed) else "",
        seal=found.status.get("seal_logs"),
        papers=papers.links(visit, found),
    )
    return render(visit, "exit.html", page=model, places=_names(visit), size=size)
