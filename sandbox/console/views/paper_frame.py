"""What every document for the file has: words in both languages, its facts, what people did, its course, and
what ties it to the record.

Nothing of the moment of printing stands on a document: the same record gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
from markupsafe import Markup, escape
from starlette.responses import Response

from sandbox.console import paper
from sandbox.console.labels import FIELDS, ROLES, VALUES
from sandbox.console.render import environment
from sandbox.console.views.resources import title_of
from sandbox.console.visit import Visit
from sandbox.console.words import english, when
from sandbox.control.kinds import kind_of
from sandbox.core.actor import READS_ALL
from sandbox.core.errors import SandboxError
from sandbox.core.resource import Resource, as_json
from sandbox.egress.report.words import visible

MAX_ITEMS = 400  # of a list on paper; the rest is counted, and the record's hash covers it
MAX_CHARACTERS = 4000  # of one text
SIGNATURE = ("by", "organisation", "role", "at", "person", "salt")
COMMAND = """curl -sS -H "Authorization: Bearer $SANDBOX_TOKEN" "$SANDBOX_URL/v1/{ref}/history" | python -c '
import hashlib, json, rfc8785, sys
[one] = [one for one in json.load(sys.stdin) if one["version"] == {version}]
print(hashlib.sha256(rfc8785.dumps(one)).hexdigest())'"""


def seen(text: Any) -> Markup:
    """Text of unknown origin on paper: escaped, what is not seen spelled out, lines kept, length bounded."""
    whole = str(text)
    lines = [escape(visible(line)) for line in whole[:MAX_CHARACTERS].splitlines()]
    if len(whole) > MAX_CHARACTERS:
        lines.append(escape(f"… {len(whole) - MAX_CHARACTERS} +"))
    return Markup("<bdi>{}</bdi>").format(Markup("<br>").join(lines))


def both(zh: str, en: str | None = None) -> Markup:
    """A text of ours in both languages, Chinese first; ``en``: where it is not in the catalogue."""
    other = english().get(zh, zh) if en is None else en
    if other == zh:
        return Markup("<span>{}</span>").format(visible(zh))
    return Markup('<span>{}</span> <span class="en" lang="en">{}</span>').format(visible(zh), visible(other))


def both_of(said: Callable[[str], str]) -> Markup:
    """A text that our own words give in either language."""
    return both(said("zh"), said("en"))


def label(key: str) -> Markup:
    """The name of a field."""
    return both(FIELDS[key]) if key in FIELDS else seen(key)


def value(text: str) -> Markup:
    """A value of a closed list by its names; anything else as text."""
    return both(VALUES[text]) if text in VALUES else seen(when(text))


@dataclass(frozen=True)
class Act:
    """What somebody did, as recorded, with the law it rests on."""

    label: Markup
    cite: str
    signed: Markup
    rest: Mapping[str, Any]


@dataclass(frozen=True)
class Proof:
    """What ties the paper to the record; ``note`` is the signed head, "" where none covers the act yet."""

    sha256: str
    command: str
    event: Markup | None
    seq: int | None
    note: str


@dataclass(frozen=True)
class Paper:
    """What every document has."""

    title: str
    internal: bool
    resource: Resource
    name: str
    space: str
    policy: str
    sight: str
    state: Markup
    facts: tuple[tuple[Markup, Any], ...]
    acts: tuple[Act, ...]
    course: tuple[tuple[int, Markup, str], ...]
    proof: Proof
    parts: Mapping[str, Any]


def organisation(visit: Visit, id: str, at: datetime | None) -> Markup:
    """An organisation by its names at the time of the record (a later change of name changes no paper)."""
    try:
        versions = visit.control.history(visit.actor, "organisation", id)
    except SandboxError:
        return seen(id)
    then = [one for one in versions if at and one.changed_at and one.changed_at <= at] or versions[:1]
    if not then:
        return seen(id)
    spec = then[-1].spec
    return Markup("{} <small>({})</small>").format(
        both(spec.get("name_zh", id), spec.get("name_en")), visible(id)
    )


def signed(one: Mapping[str, Any]) -> Markup:
    """Who did it, for whom, as what, when (Beijing time)."""
    role = ROLES.get(str(one.get("role", "")), "")
    told = [visible(one.get("by", "")), visible(one.get("organisation", ""))]
    parts = [escape(part) for part in told if part]
    parts += [both(role)] if role else []
    parts += [escape(when(one.get("at", "")))]
    return Markup(" · ").join(parts)


def _acts(resource: Resource, leave: Sequence[str] = ()) -> tuple[Act, ...]:
    """The signed records of the status, in the order in which they were made."""
    kind = kind_of(resource.kind)
    rows = {row.event: row for row in kind.transitions}
    found: list[tuple[str, Act]] = []
    for key, stored in resource.status.items():
        if key in leave:
            continue
        for one in stored if isinstance(stored, list | tuple) else [stored]:
            if not isinstance(one, Mapping) or "at" not in one:
                continue
            row = rows.get({"decision": "approve"}.get(key, key))
            name = both(row.zh, row.en) if row else label(key)
            rest = {inner: kept for inner, kept in one.items() if inner not in SIGNATURE}
            found.append((str(one["at"]), Act(name, row.cite if row else "", signed(one), rest)))
    return tuple(act for _, act in sorted(found, key=lambda pair: pair[0]))


def _proof(visit: Visit, record: Resource, events: Sequence[str]) -> Proof:
    """The record's hash, and the first signed head that covers the last of ``events``."""
    names = {row.event: both(row.zh, row.en) for row in kind_of(record.kind).transitions}
    note, seq, event = "", None, None
    with visit.control.store.read() as reader:
        done = [
            (at, one) for at, one in reader.entries(object=record.ref)
            if one.action in events and one.outcome == "done"
        ]  # fmt: skip
        if done:
            seq, event = done[-1][0], names[done[-1][1].action]
            note = next((head.note for head, _ in reader.checkpoints() if head.size > seq), "")
    return Proof(
        hashlib.sha256(rfc8785.dumps(as_json(record))).hexdigest(),
        COMMAND.format(ref=record.ref, version=record.version),
        event,
        seq if visit.actor.role in READS_ALL else None,
        note,
    )


def framed(
    visit: Visit,
    versions: Sequence[Resource],
    title: str,
    events: Sequence[str],
    facts: Sequence[tuple[Markup, Any]],
    parts: Mapping[str, Any],
    leave: Sequence[str] = (),
) -> Paper:
    record = versions[-1]
    kind = kind_of(record.kind)

    def state(one: Resource) -> Markup:
        return both(kind.state(one.state).zh, kind.state(one.state).en)

    whole = visit.actor.role in READS_ALL
    return Paper(
        title=title,
        internal=whole,
        resource=record,
        name=title_of(record, "zh"),
        space=visit.space.settings.origin,
        policy=visit.space.policy.id,
        sight=both("监管一侧") if whole else both(ROLES[str(visit.actor.role)]),
        state=state(record),
        facts=tuple(facts),
        acts=_acts(record, leave),
        course=tuple((one.version, state(one), when(one.changed_at)) for one in versions[-MAX_ITEMS:]),
        proof=_proof(visit, record, events),
        parts=parts,
    )


def answer(visit: Visit, template: str, made: Paper, name: str) -> Response:
    """The document as an attachment; that it was taken is noted, as it leaves the pages' protection."""
    html = (
        environment("zh")
        .get_template(template)
        .render(page=made, both=both, seen=seen, label=label, value=value, most=MAX_ITEMS)
    )
    body = paper.pdf(html)
    visit.control.note(visit.actor, "take-paper", made.resource.ref, paper=name)
    headers = {
        "content-disposition": f'attachment; filename="{made.resource.id}-{name}.pdf"',
        "cache-control": "no-store",
    }
    return Response(body, media_type="application/pdf", headers=headers)
