"""The catalogue for those who look for data: found by words, narrowed; an entry with fields and grades."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from sandbox.catalog.entry import USABLE
from sandbox.console.render import render
from sandbox.console.visit import BASE, Visit
from sandbox.control.entry_index import Line, chunks, line
from sandbox.control.kinds import kind_of
from sandbox.core.resource import Resource

NAME = "catalogue-entry"
STATES = ("included", "conditional", "confirmed", "excluded")
SHOWN = 20  # entries of a page
LOOKED = 2000  # entries looked at for one page at most: a search that finds little goes on by a link
MAX_WORDS = 100  # characters of what is searched for
ROLES = {"identifier": "标识", "quasi": "准标识符", "sensitive": "敏感属性", "other": "其他"}
FLAGS = {
    "personal": "个人信息",
    "sensitive_personal": "敏感个人信息",
    "enterprise_confidential": "企业商业秘密",
    "secret": "涉密",
}
OFTEN = {
    "once": "一次性",
    "yearly": "每年",
    "quarterly": "每季",
    "monthly": "每月",
    "weekly": "每周",
    "daily": "每日",
}


@dataclass(frozen=True)
class Entry:
    """An entry as a search shows it."""

    id: str
    title: str
    provider: str
    category: str
    state: str
    state_label: str
    levels: str  # lowest and highest grade of its fields
    fields: int
    hits: tuple[str, ...]  # names of fields that the words were found in
    url: str


@dataclass(frozen=True)
class SearchPage:
    """What ``catalogue.html`` shows. ``more_url`` goes on where this page ended."""

    find: str
    category: str
    provider: str
    state: str
    categories: tuple[str, ...]
    providers: tuple[str, ...]
    states: tuple[tuple[str, str], ...]
    entries: tuple[Entry, ...]
    more_url: str
    narrowed: bool


def search(visit: Visit) -> SearchPage:
    """What the address asks for, in bounded work. Raises NOT_FOUND for a place to go on from that is none."""
    find = " ".join(visit.query("find")[:MAX_WORDS].split())
    words = find.casefold().split()
    category, provider = visit.query("category")[:MAX_WORDS], visit.query("provider")[:MAX_WORDS]
    state = visit.query("state") if visit.query("state") in STATES else ""
    after = ""
    found: list[Entry] = []
    categories, providers, looked, more = {category} - {""}, {provider} - {""}, 0, False
    for chunk in chunks(visit.control.store, visit.query("after")):
        if looked >= LOOKED:
            more = bool(chunk)
            break
        categories |= {one.category for one in chunk}
        providers |= {one.provider for one in chunk}
        for one in chunk:
            if len(found) == SHOWN:
                more = True
                break
            looked, after = looked + 1, one.id
            wanted = (
                category in ("", one.category),
                provider in ("", one.provider),
                state in ("", one.state),
            )
            hits = one.hits(words) if all(wanted) else None
            if hits is not None:
                found.append(_found(visit, one, hits))
        if more:
            break
    asked = {"find": find, "category": category, "provider": provider, "state": state}
    told = {key: value for key, value in asked.items() if value}
    return SearchPage(
        **asked,
        categories=tuple(sorted(categories)),
        providers=tuple(sorted(providers)),
        states=tuple((one, visit.named(kind_of(NAME).state(one))) for one in STATES),
        entries=tuple(found),
        more_url=f"{BASE}/develop/catalogue?{urlencode({**told, 'after': after})}" if more else "",
        narrowed=bool(told),
    )


def _found(visit: Visit, one: Line, hits: tuple[str, ...]) -> Entry:
    zh, en = one.titles
    return Entry(
        id=one.id,
        title=zh if visit.lang == "zh" else en or zh,
        provider=one.provider,
        category=one.category,
        state=one.state,
        state_label=visit.named(kind_of(NAME).state(one.state)),
        levels="–".join(str(level) for level in sorted({*one.levels[:1], *one.levels[-1:]})),
        fields=len(one.fields),
        hits=hits[:8],
        url=f"{BASE}/develop/catalogue-entry/{one.id}",
    )


@dataclass(frozen=True)
class EntryPage:
    """What ``catalogue_entry.html`` shows; ``apply_url`` is "" where it cannot be applied for, ``why_not``
    says why."""

    entry: Entry
    description: str
    update_frequency: str
    registration_no: str
    entity: str
    fields: tuple[Mapping[str, Any], ...]
    apply_url: str
    why_not: str


def described(visit: Visit, field: Mapping[str, Any]) -> dict[str, Any]:
    """A field of the catalogue in the visitor's language: name, title, type, category, level, role, flags."""
    return {
        **{key: field.get(key) for key in ("name", "type", "category", "level")},
        "title": field["title_zh"] if visit.lang == "zh" else field["title_en"] or field["title_zh"],
        "role": visit.say(ROLES[field.get("role", "other")]),
        "flags": "、".join(visit.say(FLAGS[one]) for one in field.get("flags", ())),
    }


def entry_model(visit: Visit, entry: Resource) -> EntryPage:
    """The page of an entry that the door has shown."""
    usable = entry.state in USABLE
    return EntryPage(
        entry=_found(visit, line(entry), ()),
        description=entry.spec["description"],
        update_frequency=visit.say(OFTEN[entry.spec["update_frequency"]]),
        registration_no=entry.status.get("registration", {}).get("registration_no", ""),
        entity=entry.spec["entity"] or "",
        fields=tuple(described(visit, one) for one in entry.spec["fields"]),
        apply_url=f"{BASE}/develop/scenario?{urlencode({'entry': entry.id})}" if usable else "",
        why_not="" if usable else visit.say("数据提供单位尚未将其纳入授权运营，或已不予授权，不能申请。"),
    )


def page(visit: Visit) -> Response:
    """The search."""
    return render(visit, "catalogue.html", page=search(visit))


def entry_page(visit: Visit) -> Response:
    """One entry. Raises NOT_FOUND."""
    entry = visit.control.get(visit.actor, NAME, visit.segment("id"))
    return render(visit, "catalogue_entry.html", page=entry_model(visit, entry))
