"""Where a request's files come from and where they went, as a graph: supply, snapshot, product, job, outputs,
request, release. Positions are worked out here; the template draws them."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from sandbox.console.views.resources import title_of
from sandbox.console.visit import BASE, Visit
from sandbox.control.kinds import kind_of
from sandbox.control.together import Seen
from sandbox.core.resource import Resource
from sandbox.egress.report.words import visible

WIDE, HIGH, GAP, LINE, HEAD = 138, 46, 22, 12, 22  # of a box, between columns, between boxes, above
MOST = 8  # boxes of a column; the rest are counted
LETTERS = 18  # of a line in a box, as wide as Latin ones


@dataclass(frozen=True)
class Box:
    """One thing: two lines of text, a link where the visitor may open it."""

    x: int
    y: int
    name: str
    note: str
    url: str
    here: bool = False


@dataclass(frozen=True)
class Graph:
    """What the template draws: boxes, curves between them, the heads of the columns."""

    width: int
    height: int
    box: tuple[int, int]
    heads: tuple[tuple[int, str], ...]
    boxes: tuple[Box, ...]
    curves: tuple[str, ...]


@dataclass(frozen=True)
class _Node:
    key: str
    name: str
    note: str = ""
    url: str = ""
    after: tuple[str, ...] = ()
    here: bool = False


def _cut(text: str) -> str:
    """As much of ``text`` as a box holds; a Chinese character is as wide as two letters."""
    width = 0
    for place, char in enumerate(text):
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width > LETTERS:
            return f"{text[: max(place - 1, 1)]}…"
    return text


def _resource(
    visit: Visit, kind: str, id: str, found: Resource | None, after: tuple[str, ...] = (), here: bool = False
) -> _Node:
    if found is None:
        return _Node(id, id, after=after)
    state = visit.named(kind_of(kind).state(found.state))
    return _Node(id, title_of(found, visit.lang), state, f"{BASE}/r/{kind}/{id}", after, here)


def _columns(visit: Visit, request: Resource, job: Resource, seen: Seen) -> list[tuple[str, list[_Node]]]:
    """The columns with their boxes; ``after`` names the boxes of columns before that lead there."""
    say = visit.say
    lineage = job.status.get("lineage") or {}
    supplies, snapshots, products = [], [], []
    for id in lineage.get("supplies", ()):
        found = seen.get(("supply", id))
        supplies.append(_resource(visit, "supply", id, found))
        snapshot = (found.status.get("snapshot") or {}) if found else {}
        rows = say("{n} 行").format(n=snapshot.get("rows", "?"))
        snapshots.append(_Node(f"s-{id}", str(snapshot.get("sha256", "?"))[:12], rows, "", (id,)))
    direct = {one.key for one in snapshots}
    for id in lineage.get("products", ()):
        found = seen.get(("product", id))
        of = (found.spec.get("lineage") or {}).get("supplies", ()) if found else ()
        after = tuple(f"s-{one}" for one in of)
        products.append(_resource(visit, "product", id, found, after))
        direct -= set(after)
    named = {item.get("supply") for item in lineage.get("inputs", ())}
    direct |= {f"s-{id}" for id in named if id}
    before_job = tuple(sorted(direct)) + tuple(one.key for one in products)
    outputs = [
        _Node(f"o-{item['path']}", str(item["path"]), str(item["sha256"])[:12], "", (job.id,))
        for item in job.status.get("outputs", ())
    ]
    after_outputs = tuple(one.key for one in outputs) or (job.id,)
    release = request.status.get("release") or {}
    last = (
        [_Node("release", str(release["package_sha256"])[:12], say("成果包"), "", (request.id,))]
        if release
        else []
    )
    return [
        (say("供给"), supplies),
        (say("快照"), snapshots),
        (say("初级产品"), products),
        (say("作业"), [_resource(visit, "job", job.id, job, before_job)]),
        (say("输出"), outputs),
        (say("出域申请"), [_resource(visit, "egress-request", request.id, request, after_outputs, True)]),
        (say("放行"), last),
    ]


def graph(visit: Visit, request: Resource, job: Resource, seen: Seen) -> Graph:
    """The graph of ``request``; of what is not in ``seen`` (the visitor may not see it) only the id."""
    columns = [(head, nodes) for head, nodes in _columns(visit, request, job, seen) if nodes]
    tallest = max(min(len(nodes), MOST + 1) for _, nodes in columns)
    height = HEAD + tallest * (HIGH + LINE)
    boxes: list[Box] = []
    at: dict[str, tuple[int, int]] = {}
    curves: list[str] = []
    for number, (_, nodes) in enumerate(columns):
        x = number * (WIDE + GAP)
        shown = nodes if len(nodes) <= MOST + 1 else [*nodes[:MOST], _Node("", f"+ {len(nodes) - MOST}")]
        top = HEAD + (height - HEAD - len(shown) * (HIGH + LINE)) // 2
        for line, one in enumerate(shown):
            y = top + line * (HIGH + LINE)
            boxes.append(Box(x, y, _cut(visible(one.name)), _cut(visible(one.note)), one.url, one.here))
            at[one.key] = (x, y + HIGH // 2)
            for source in one.after:
                if source in at:
                    from_x, from_y = at[source][0] + WIDE, at[source][1]
                    bend = (x - from_x) // 2
                    to_y = y + HIGH // 2
                    curves.append(f"M{from_x} {from_y}C{from_x + bend} {from_y} {x - bend} {to_y} {x} {to_y}")
    return Graph(
        width=len(columns) * (WIDE + GAP) - GAP,
        height=height,
        box=(WIDE, HIGH),
        heads=tuple((number * (WIDE + GAP), head) for number, (head, _) in enumerate(columns)),
        boxes=tuple(boxes),
        curves=tuple(curves),
    )
