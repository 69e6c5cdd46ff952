"""Lists: of every kind, with states to filter by, order, pages, and the same as CSV."""

from __future__ import annotations

import csv as table
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from sandbox.console.render import render
from sandbox.console.views.clocks import Clock, clock
from sandbox.console.visit import BASE, Visit
from sandbox.console.words import when
from sandbox.control.kinds import kind_of
from sandbox.control.listing import listed
from sandbox.core.lifecycle import Kind
from sandbox.core.resource import Resource
from sandbox.store.reader import ORDERS

SIZE = 50
SCANNED = 2000  # resources that a search looks at in one request
STRETCH = 200  # and that are in memory at a time
NAMES = ("title", "title_zh", "title_en", "name", "name_zh", "name_en", "purpose")  # that a search looks at
EXPORTED = 10_000  # lines of a CSV at most
# what spreadsheets begin a formula with, full width, too, and after what they do not show
FORMULA = re.compile("[\t\r\n]|[\\s\u200b-\u200f\u2060\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]")


@dataclass(frozen=True)
class Row:
    """One line of a list."""

    id: str
    url: str
    title: str
    state: str  # its name in the table
    state_label: str
    owner: str  # the role whose move it is
    organisation: str
    created_at: Any
    clock: Clock | None
    changed_at: Any = None


@dataclass(frozen=True)
class Heading:
    """A column that can be sorted by; ``url`` asks for it, ``direction`` is asc, desc or ""."""

    label: str
    url: str
    direction: str


@dataclass(frozen=True)
class ListPage:
    """What ``list.html`` shows."""

    kind: str
    label: str
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    states: tuple[tuple[str, str], ...]
    state: str
    find: str
    searching: bool  # the search has not yet been through all there is
    order: str
    direction: str
    next_url: str
    first_url: str
    csv_url: str
    new_url: str  # "" for those who may not create one


def title_of(resource: Resource, lang: str) -> str:
    """What a resource is called, by the names that specs have."""
    first, second = ("zh", "en") if lang == "zh" else ("en", "zh")
    for key in (f"title_{first}", f"name_{first}", f"title_{second}", f"name_{second}", "title", "purpose"):
        if isinstance(value := resource.spec.get(key), str) and value:
            return value
    return resource.id


def row(visit: Visit, resource: Resource) -> Row:
    """A resource as a line."""
    state = kind_of(resource.kind).state(resource.state)
    return Row(
        id=resource.id,
        url=f"{BASE}/r/{resource.kind}/{resource.id}",
        title=title_of(resource, visit.lang),
        state=state.name,
        state_label=visit.named(state),
        owner=state.owner,
        organisation=resource.organisation,
        created_at=resource.created_at,
        clock=clock(visit.control.calendar, visit.now, resource),
        changed_at=resource.changed_at,
    )


def _asked(visit: Visit, kind: Kind) -> tuple[str, str, bool]:
    """State, order and direction that the address asks for; what is not in a table counts as not said."""
    state = visit.query("state")
    order = visit.query("order", "created")
    order = order if order in ORDERS else "created"
    descending = visit.query("dir", "asc" if order == "due" else "desc") == "desc"
    return (state if state in {one.name for one in kind.states} else ""), order, descending


@dataclass(frozen=True)
class _Found:
    """What a list shows; ``on``: after which id more may follow, "" where none do; ``ended``: a search has
    been through all there is up to there."""

    rows: list[Resource]
    on: str
    ended: bool = True


def _find(visit: Visit) -> str:
    """The words that the address looks for."""
    return visit.query("find").strip()[:100]


def has(resource: Resource, words: list[str]) -> bool:
    """Whether its id and its names, as whoever looks may see them, hold every word (casefolded)."""
    names = [str(resource.spec.get(key, "")) for key in NAMES]
    text = " ".join([resource.id, resource.organisation, *names]).casefold()
    return all(word in text for word in words)


def _found(visit: Visit, kind: Kind, limit: int, after: str = "", most: int = SCANNED) -> _Found:
    """At most ``limit`` of what the address asks for of ``kind``, after ``after``. A search for words looks
    at no more than ``most``; there is no count of what it passed over."""
    state, order, descending = _asked(visit, kind)
    words = _find(visit).casefold().split()
    rows: list[Resource] = []
    seen = 0
    while True:
        batch, more = listed(
            visit.control,
            visit.actor,
            kind.name,
            states=(state,) if state else (),
            order=order,
            descending=descending,
            after=after,
            limit=STRETCH if words else limit,
        )
        for one in batch:
            if len(rows) == limit:
                return _Found(rows, after)
            after, seen = one.id, seen + 1
            if has(one, words):
                rows.append(one)
        if not more:
            return _Found(rows, "")
        if not words or len(rows) == limit or seen >= most:
            return _Found(rows, after, ended=not words or len(rows) == limit)


def model(visit: Visit) -> ListPage:
    """The list that the address asks for. Raises NOT_FOUND, NO_DATA_RIGHT."""
    kind = kind_of(visit.segment("kind"))
    state, order, descending = _asked(visit, kind)
    found = _found(visit, kind, SIZE, visit.query("after"))
    find = _find(visit)

    def url(**parts: str) -> str:
        turned = {"order": order, "dir": "desc" if descending else "asc"}
        chosen = {"find": find, "state": state, **turned, **parts}
        return f"{BASE}/r/{kind.name}?{urlencode({k: v for k, v in chosen.items() if v})}"

    def heading(name: str, label: str) -> Heading:
        here = name == order
        return Heading(
            visit.say(label),
            url(order=name, dir="asc" if here and descending else "desc" if here else "asc"),
            ("desc" if descending else "asc") if here else "",
        )

    return ListPage(
        kind=kind.name,
        label=visit.named(kind),
        headings=(
            heading("id", "编号"),
            heading("state", "状态"),
            heading("due", "期限"),
            heading("created", "创建时间"),
            heading("changed", "变更时间"),
        ),
        rows=tuple(row(visit, one) for one in found.rows),
        states=tuple((one.name, visit.named(one)) for one in kind.states),
        state=state,
        find=find,
        searching=not found.ended,
        order=order,
        direction="desc" if descending else "asc",
        next_url=url(after=found.on) if found.on else "",
        first_url=url() if visit.query("after") else "",
        csv_url=url().replace("?", "/export.csv?", 1),
        new_url=f"{BASE}/r/{kind.name}/new" if visit.actor.role in kind.create.by else "",
    )


def page(visit: Visit) -> Response:
    """A page of a list."""
    return render(visit, "list.html", page=model(visit))


def harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def csv(visit: Visit) -> Response:
    """The same list as CSV (UTF-8 with a mark, for spreadsheets), at most ``EXPORTED`` lines."""
    kind = kind_of(visit.segment("kind"))
    found = _found(visit, kind, EXPORTED, most=EXPORTED)
    heads = ("编号", "标题", "状态", "单位", "创建时间", "期限", "变更时间")

    def lines() -> Iterator[str]:
        yield "\ufeff"
        yield _line([visit.say(head) for head in heads])
        for one in found.rows:
            told = row(visit, one)
            due = when(told.clock.due) if told.clock else ""
            yield _line(
                [
                    *(told.id, told.title, told.state_label, told.organisation),
                    *(when(told.created_at), due, when(told.changed_at)),
                ]
            )

    name = f'attachment; filename="{kind.name}.csv"'
    return StreamingResponse(
        lines(), media_type="text/csv; charset=utf-8", headers={"content-disposition": name}
    )


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    table.writer(out, quoting=table.QUOTE_ALL).writerow([harmless(cell) for cell in cells])
    return out.getvalue()
