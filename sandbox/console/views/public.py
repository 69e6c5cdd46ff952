"""What anybody may read without an account: agreements, products, catalogue, negative list (GD 23; CD 32).

For who has not signed in, a page is the same for everybody who asks in the same language and theme: the copy
that was rendered for the first is given to the others for ``KEPT``, and caches on the way may keep it, too.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

from starlette.responses import Response

from sandbox.console.render import render
from sandbox.console.visit import BASE, COOKIE, Visit
from sandbox.control import disclosed
from sandbox.core.errors import fail
from sandbox.core.resource import Resource
from sandbox.store import Store

SIZE = 50
SCANNED = 2000  # entries that one search looks at before it offers to go on
KEPT = timedelta(seconds=60)
COPIES = 64  # rendered pages of a space that are kept at a time
LARGEST = 1 << 20  # bytes of a page that is kept
Answer = Callable[[Visit], Response]


@dataclass(frozen=True)
class Tab:
    """A page of this family."""

    url: str
    label: str
    current: bool


@dataclass(frozen=True)
class PublicPage:
    """What ``public.html`` shows: agreements in force, and how much they are used."""

    tabs: tuple[Tab, ...]
    agreements: tuple[dict[str, Any], ...]
    known: frozenset[str]  # entries of their scopes that the catalogue has
    use: tuple[dict[str, Any], ...]
    counted: datetime
    checkpoint: str


@dataclass(frozen=True)
class ListedPage:
    """What the lists show. ``more_url`` leads on; ``searching``: the search has not yet been through all."""

    tabs: tuple[Tab, ...]
    rows: tuple[dict[str, Any], ...]
    find: str
    state: str
    states: tuple[str, ...]
    more_url: str
    first_url: str
    searching: bool


def tabs(visit: Visit) -> tuple[Tab, ...]:
    """The pages of this family, the present one marked."""
    path = visit.request.url.path
    return tuple(
        Tab(f"{BASE}/public{place}", visit.say(label), path == f"{BASE}/public{place}")
        for place, label in (
            ("", "授权与使用"),
            ("/products", "产品"),
            ("/catalogue", "目录"),
            ("/negative-list", "负面清单"),
        )
    )


class _Copies:
    """Rendered pages of one space, the oldest given up first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], tuple[datetime, bytes]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[str, ...], now: datetime) -> bytes | None:
        with self._lock:
            at, body = self._kept.get(key, (now, None))
            return body if at <= now < at + KEPT else None

    def put(self, key: tuple[str, ...], now: datetime, body: bytes) -> None:
        with self._lock:
            self._kept[key] = (now, body)
            self._kept.move_to_end(key)
            while len(self._kept) > COPIES:
                self._kept.popitem(last=False)


_COPIES: WeakKeyDictionary[Store, _Copies] = WeakKeyDictionary()
_MAKING = Lock()


def _copies(store: Store) -> _Copies:
    with _MAKING:
        return _COPIES.setdefault(store, _Copies())


def for_everybody(*names: str) -> Callable[[Answer], Answer]:
    """A page that is kept for strangers; ``names`` are the parameters of its address that it looks at.

    Whoever sends a session's cookie gets a page of their own, which nobody stores.
    """

    def wrap(answer: Answer) -> Answer:
        @functools.wraps(answer)
        def answered(visit: Visit) -> Response:
            if visit.session is not None or COOKIE in visit.request.cookies:
                return answer(visit)
            key = (visit.request.url.path, visit.lang, visit.theme, *(visit.query(name) for name in names))
            copies, now = _copies(visit.control.store), visit.now
            body = copies.get(key, now)
            if body is None:
                body = bytes(answer(visit).body)
                if len(body) + sum(map(len, key)) <= LARGEST:
                    copies.put(key, now, body)
            headers = {"cache-control": f"public, max-age={int(KEPT.total_seconds())}", "vary": "Cookie"}
            return Response(body, media_type="text/html; charset=utf-8", headers=headers)

        return answered

    return wrap


def model(visit: Visit) -> PublicPage:
    """What is authorised now, and how much of it is used."""
    store = visit.control.store
    used = disclosed.use(store, visit.control.policy, visit.now)
    live = tuple(disclosed.agreements(store))
    with store.read() as reader:
        scope = [reader.get("catalogue-entry", id) for id in {id for one in live for id in one["scope"]}]
    known = frozenset(one.id for one in scope if one is not None and one.state in disclosed.ENTRY_STATES)
    return PublicPage(tabs(visit), live, known, used.rows, used.at, disclosed.checkpoint(store))


@for_everybody()
def page(visit: Visit) -> Response:
    """The first page of the disclosure."""
    return render(visit, "public.html", page=model(visit))


def _text(told: dict[str, Any]) -> str:
    """Everything of an entry or a product that a search looks at."""
    names = [
        text
        for field in told.get("fields", ())
        for text in (field["name"], field["title_zh"], field["title_en"])
    ]
    return " ".join([*(str(one) for one in told.values() if isinstance(one, str)), *names]).casefold()


def listed(
    visit: Visit, kind: str, states: tuple[str, ...], tell: Callable[[Resource], dict[str, Any]]
) -> ListedPage:
    """At most ``SIZE`` of what is disclosed of a kind, by id, narrowed to a state and the words of ``find``.

    Raises NOT_FOUND where ``after`` is nothing disclosed.
    """
    find, state, after = visit.query("find").strip()[:100], visit.query("state"), visit.query("after")[:100]
    chosen = (state,) if state in states else states
    wanted = find.casefold().split()
    rows: list[dict[str, Any]] = []
    seen, last, ended = 0, after, False
    with visit.control.store.read() as reader:
        known = reader.get(kind, after) if after else None
        if after and (known is None or known.state not in states):
            raise fail("NOT_FOUND", kind=kind, id=after)
        while seen < SCANNED and len(rows) < SIZE and not ended:
            batch = reader.page(kind, states=chosen, order="id", after=last, limit=SIZE * 4 + 1)
            ended = len(batch) <= SIZE * 4
            for one in batch[: SIZE * 4]:
                if len(rows) == SIZE:
                    ended = False
                    break
                seen, last = seen + 1, one.id
                told = tell(one)
                if all(word in _text(told) for word in wanted):
                    rows.append(told)

    def url(**more: str) -> str:
        parts = {"find": find, "state": state if state in states else "", **more}
        asked = urlencode({name: value for name, value in parts.items() if value})
        return visit.request.url.path + (f"?{asked}" if asked else "")

    return ListedPage(
        tabs=tabs(visit),
        rows=tuple(rows),
        find=find,
        state=state if state in states else "",
        states=states if len(states) > 1 else (),
        more_url="" if ended else url(after=last),
        first_url=url() if after else "",
        searching=not ended and len(rows) < SIZE,
    )


@for_everybody("find", "state", "after")
def catalogue(visit: Visit) -> Response:
    """The catalogue. Raises NOT_FOUND."""
    page = listed(visit, "catalogue-entry", disclosed.ENTRY_STATES, disclosed.entry)
    return render(visit, "public_catalogue.html", page=page)


@for_everybody("find", "after")
def products(visit: Visit) -> Response:
    """Registered products. Raises NOT_FOUND."""
    page = listed(visit, "product", disclosed.PRODUCT_STATES, disclosed.product)
    return render(visit, "public_products.html", page=page)


@for_everybody()
def negative_list(visit: Visit) -> Response:
    """The negative list."""
    rows = tuple(disclosed.negative_list(visit.control.store))
    return render(visit, "public_negative.html", page=rows, tabs=tabs(visit))


@for_everybody()
def entry(visit: Visit) -> Response:
    """One entry of the catalogue with its fields. Raises NOT_FOUND, also for one not yet confirmed."""
    id = visit.segment("id")
    with visit.control.store.read() as reader:
        found = reader.get("catalogue-entry", id)
    if found is None or found.state not in disclosed.ENTRY_STATES:
        raise fail("NOT_FOUND", kind="catalogue-entry", id=id)
    return render(visit, "public_entry.html", entry=disclosed.entry(found), tabs=tabs(visit))
