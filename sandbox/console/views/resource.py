"""One resource: what it is, whose move it is, what one may do with it and why not the rest, its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import Response

from sandbox.console.forms import Field, fields, payload
from sandbox.console.refused import note_once
from sandbox.console.render import render, told
from sandbox.console.views import papers
from sandbox.console.views.clocks import Clock, clock
from sandbox.console.views.records import Record, records
from sandbox.console.views.resources import title_of
from sandbox.console.visit import BASE, Visit, go, remember
from sandbox.control.halts import HALTS, NAMES, led_to
from sandbox.control.identity import Grant
from sandbox.control.kinds import kind_of
from sandbox.core.actor import READS_ALL, Role
from sandbox.core.errors import SandboxError, fail
from sandbox.core.lifecycle import Kind, Transition
from sandbox.core.resource import Resource

LINE = 200  # characters that a link may put into a field


@dataclass(frozen=True)
class Act:
    """A transition that the table offers this role in this state."""

    event: str
    label: str
    url: str
    fields: tuple[Field, ...]
    confirm: bool  # the password is asked for with it
    cite: str
    halts: str = ""  # where it is told what it would stop, for those acts that stop something


@dataclass(frozen=True)
class Closed:
    """A transition that is not open, and why."""

    label: str
    roles: tuple[str, ...]  # who may, if this role may not
    states: tuple[str, ...]  # where it would be open, if not here


@dataclass(frozen=True)
class Step:
    """A state of the kind; ``here`` is where the resource stands."""

    label: str
    here: bool
    final: bool


@dataclass(frozen=True)
class Moment:
    """A version of the resource."""

    version: int
    state: str
    at: Any


@dataclass(frozen=True)
class ResourcePage:
    """What ``resource.html`` shows."""

    ref: str
    kind: str
    kind_label: str
    id: str
    title: str
    organisation: str
    state_label: str
    owner: str
    working: bool  # a machine is at it: the page asks again
    version: int
    clock: Clock | None
    spec: Mapping[str, Any]
    records: tuple[Record, ...]
    acts: tuple[Act, ...]
    closed: tuple[Closed, ...]
    steps: tuple[Step, ...]
    history: tuple[Moment, ...]
    leads: tuple[tuple[str, str], ...]  # pages made for what it is: address, label
    papers: tuple[tuple[str, str], ...]  # documents for the file: address, label
    halted: str  # where it is told what the act that led here has stopped; "" where none did


# kind -> the role that works with it on a page made for that, its address, and what the link says
LEADS: dict[str, tuple[frozenset[Role], str, str]] = {
    "supply": (frozenset({Role.OPERATOR, Role.PROVIDER}), "grading", "分类分级"),
    "agreement": (READS_ALL | {Role.OPERATOR}, "operate/exit", "退出与删除证明"),
}


def leads(visit: Visit, resource: Resource) -> tuple[tuple[str, str], ...]:
    """Where the visitor's role works with ``resource``."""
    who, place, label = LEADS.get(resource.kind, (frozenset(), "", ""))
    return ((f"{BASE}/{place}/{resource.id}", visit.say(label)),) if visit.actor.role in who else ()


def _unconfirmed(visit: Visit, kind: str, event: str) -> bool:
    """Whether the password has to be given with ``event``: a decision, and the last time is too long ago."""
    session = visit.session
    fresh = session is not None and session.fresh_until is not None and session.fresh_until > visit.now
    return visit.identity.needs_step_up(kind, event) and not fresh


def acts(visit: Visit, kind: Kind, resource: Resource) -> tuple[Act, ...]:
    """What the table offers here and now; the guards are asked when it is done."""
    stops = HALTS.get(kind.name, ())
    return tuple(
        Act(
            event=one.event,
            label=visit.named(one),
            url=f"{BASE}/r/{kind.name}/{resource.id}/{one.event}",
            fields=fields(one.payload, resource.spec if one.payload is kind.spec else None),
            confirm=_unconfirmed(visit, kind.name, one.event),
            cite=one.cite,
            halts=f"{BASE}/r/{kind.name}/{resource.id}/{one.event}/halts" if one.event in stops else "",
        )
        for one in kind.possible(resource.state)
        if visit.actor.role in one.by
    )


def closed(visit: Visit, kind: Kind, resource: Resource) -> tuple[Closed, ...]:
    """The other transitions of the kind that people make: who may, and where."""
    open_to: dict[str, tuple[Transition, list[str]]] = {}
    for one in kind.transitions:
        if not one.source or all(role == "system" for role in one.by):
            continue
        mine = visit.actor.role in one.by
        if mine and resource.state in one.source:
            continue
        states = [] if resource.state in one.source else [visit.named(kind.state(s)) for s in one.source]
        open_to.setdefault(one.event, (one, []))[1].extend(states)
    return tuple(
        Closed(
            visit.named(one),
            () if visit.actor.role in one.by else tuple(sorted(str(role) for role in one.by)),
            tuple(states),
        )
        for one, states in open_to.values()
    )


def model(visit: Visit, resource: Resource) -> ResourcePage:
    """The page of ``resource``, which the door has shown."""
    kind = kind_of(resource.kind)
    state = kind.state(resource.state)
    history = visit.control.history(visit.actor, kind.name, resource.id)
    return ResourcePage(
        ref=resource.ref,
        kind=kind.name,
        kind_label=visit.named(kind),
        id=resource.id,
        title=title_of(resource, visit.lang),
        organisation=resource.organisation,
        state_label=visit.named(state),
        owner=state.owner,
        working=state.name in kind.working,
        version=resource.version,
        clock=clock(visit.control.calendar, visit.now, resource),
        spec=resource.spec,
        records=records(visit, kind, resource.status),
        acts=acts(visit, kind, resource),
        closed=closed(visit, kind, resource),
        steps=tuple(Step(visit.named(one), one.name == state.name, one.final) for one in kind.states),
        history=tuple(
            Moment(one.version, visit.named(kind.state(one.state)), one.changed_at)
            for one in reversed(history)
        ),
        leads=leads(visit, resource),
        papers=papers.links(visit, resource),
        halted=f"{BASE}/r/{resource.ref}/halted" if led_to(kind.name, resource.state) else "",
    )


def _got(visit: Visit) -> Resource:
    return visit.control.get(visit.actor, visit.segment("kind"), visit.segment("id"))


def page(visit: Visit) -> Response:
    """The page of one resource. Raises NOT_FOUND, NO_DATA_RIGHT."""
    return render(visit, "resource.html", page=model(visit, _got(visit)))


def state(visit: Visit) -> Response:
    """The part of the page that changes while a machine is at it: asked for every two seconds. Once nothing
    runs, the whole page is loaded anew: other acts are open then."""
    here = model(visit, _got(visit))
    response = render(visit, "_state.html", page=here)
    if not here.working:
        response.headers["HX-Refresh"] = "true"
    return response


def confirmed(visit: Visit, kind: str, event: str) -> Grant | None:
    """The password that came with a decision, checked: the session under its new id; None where none was
    needed.

    Raises STEP_UP where one was needed and is absent, and what ``Identity.step_up`` raises.
    """
    if not _unconfirmed(visit, kind, event):
        return None
    if not visit.form.get("password"):
        raise fail("STEP_UP")
    return visit.identity.step_up(visit.cookie, visit.form["password"], visit.address)


@dataclass(frozen=True)
class Done:
    """How an act ended: the session it left (another id where the password was given with it), and the
    refusal, if it was refused."""

    session_id: str | None
    visit: Visit
    error: SandboxError | None


def _offered(visit: Visit, kind: str, id: str, event: str) -> Transition | None:
    """The row of the table for ``event`` here and now, if the visitor's role may take it."""
    try:
        row = kind_of(kind).row(event, visit.control.get(visit.actor, kind, id).state)
    except SandboxError:
        return None
    return row if row is not None and visit.actor.role in row.by else None


def done(visit: Visit, kind: str, id: str, event: str, given: Mapping[str, Any]) -> Done:
    """One transition through the door, after the password where the event needs it.

    Who is not offered the event gives none: the door refuses, and the log is told.
    """
    version = visit.form.get("version", "")
    session_id = None
    try:
        grant = confirmed(visit, kind, event) if _offered(visit, kind, id, event) else None
        if grant is not None:
            session_id, visit = grant.session_id, replace(visit, session=grant.session)
        expected = int(version) if version.isascii() and version.isdigit() and len(version) < 12 else None
        visit.control.act(visit.actor, kind, id, event, given, expected=expected)
    except SandboxError as error:
        return Done(session_id, visit, error)
    return Done(session_id, visit, None)


def attempted(visit: Visit, kind: str, id: str, event: str) -> Done:
    """One transition, as the form asks for it."""
    row = _offered(visit, kind, id, event)
    try:
        # what the table does not offer is refused, and noted, by the door
        given = payload(row.payload, visit.form) if row else {}
    except SandboxError as error:
        return Done(None, visit, error)
    return done(visit, kind, id, event, given)


def act(visit: Visit) -> Response:
    """One transition, as the form asks for it; a refusal shows the page again with its reason."""
    kind, id, event = visit.segment("kind"), visit.segment("id"), visit.segment("event")
    ended = attempted(visit, kind, id, event)
    if ended.error is None:
        return go(f"{BASE}/r/{kind}/{id}", ended.session_id)
    page = model(ended.visit, _got(ended.visit))
    shown = render(
        ended.visit, "resource.html", ended.error.status, page=page, errors=[told(visit, ended.error)]
    )
    return with_session(shown, ended.session_id)


def with_session(response: Response, session_id: str | None) -> Response:
    """``response`` with the new session id, if there is one."""
    if session_id:
        remember(response, session_id)
    return response


def new_page(visit: Visit, error: SandboxError | None = None) -> Response:
    """The form of a new resource. Raises NOT_FOUND; ROLE for those who may not create one."""
    kind = kind_of(visit.segment("kind"))
    if visit.actor.role not in kind.create.by:
        if error is None:  # else the door has told the log
            note_once(visit, "create", f"{kind.name}/-", "ROLE")
        may = ", ".join(sorted(str(role) for role in kind.create.by))
        raise fail("ROLE", role=str(visit.actor.role), event=kind.create.event, may=may)
    return render(
        visit,
        "new.html",
        error.status if error else 200,
        kind=kind.name,
        kind_label=visit.named(kind),
        act_label=visit.named(kind.create),
        cite=kind.create.cite,
        fields=tuple(
            replace(one, value=visit.form.get(one.name, _proposed(visit, one)))
            for one in fields(kind.create.payload)
        ),
        url=f"{BASE}/r/{kind.name}/new",
        halts=f"{BASE}/r/{kind.name}/new/halts" if kind.name in NAMES else "",
        about=f"{NAMES[kind.name][0]},suspend" if kind.name in NAMES else "",
        confirm=_unconfirmed(visit, kind.name, kind.create.event),
        given_id=visit.form.get("id", ""),
        errors=[told(visit, error)] if error else [],
    )


def _proposed(visit: Visit, field: Field) -> str:
    """What a link to the form puts into a line of text; what is ticked or chosen, a person ticks."""
    return visit.query(field.name, field.value)[:LINE] if field.control == "text" else field.value


def create(visit: Visit) -> Response:
    """A new resource from its form; a refusal shows the form again, as filled in."""
    kind = kind_of(visit.segment("kind"))
    session_id = None
    try:
        may = visit.actor.role in kind.create.by  # else the door refuses, and the log is told
        spec = payload(kind.create.payload, visit.form) if may else {}
        grant = confirmed(visit, kind.name, kind.create.event) if may else None
        if grant is not None:
            session_id, visit = grant.session_id, replace(visit, session=grant.session)
        made = visit.control.create(visit.actor, kind.name, spec, id=visit.form.get("id", "").strip())
    except SandboxError as error:
        return with_session(new_page(visit, error), session_id)
    return go(f"{BASE}/r/{kind.name}/{made.id}", session_id)
