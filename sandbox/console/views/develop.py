"""The developer's desk: what is granted and left of it, what runs, what is held and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from sandbox.authorisation.dp_budget import left_of
from sandbox.authorisation.scenario_spec import LIVE, user_of
from sandbox.console.render import render
from sandbox.console.views.resources import Row, row
from sandbox.console.visit import BASE, Visit
from sandbox.control.kinds import KINDS, kind_of
from sandbox.control.listing import listed
from sandbox.core.calendar import BEIJING
from sandbox.core.resource import Resource
from sandbox.egress.report.words import hint
from sandbox.operation.turn import counted_from

SHOWN = 20  # of each kind: the newest; the lists have the rest
STOP = 286  # htmx: put this in and stop polling
SOON = 30  # days: a term this short is marked


@dataclass(frozen=True)
class Budget:
    """ε left of a scope of the budget of differential privacy."""

    label: str
    left: str
    total: str
    share: float  # spent, in percent


@dataclass(frozen=True)
class Grant:
    """A granted scenario and what is left of it."""

    row: Row
    purpose: str
    until: str
    days: int  # until the end of the term
    soon: bool
    uses_left: int
    uses: int
    budgets: tuple[Budget, ...]
    submit_url: str  # "" while the grant is not in use


@dataclass(frozen=True)
class Held:
    """What objected to a file, as coarsely as a submitter may know it, and how to mend it."""

    path: str
    name: str  # of the family
    family: str
    severity: str
    hint: str


@dataclass(frozen=True)
class Proposal:
    """An egress request: where it stands, and what is in its way."""

    row: Row
    held: tuple[Held, ...]
    reasons: tuple[str, ...]  # what people said to the submitter
    mend_url: str  # "" where nothing objects


@dataclass(frozen=True)
class Progress:
    """A job under way: the steps of its course, since when it stands there, and its place in the queue."""

    row: Row
    steps: tuple[dict[str, str], ...]
    since: Any
    place: int  # among the waiting jobs of the own organisation; 0: it does not wait


@dataclass(frozen=True)
class Work:
    """Jobs and egress requests: the part of the page that is asked for again."""

    jobs: tuple[Row, ...]
    running: tuple[Progress, ...]
    ready: tuple[tuple[Row, str], ...]  # whose outputs can be proposed, and where
    requests: tuple[Proposal, ...]
    working: bool  # a machine is at one of them


@dataclass(frozen=True)
class DevelopPage:
    """What ``develop.html`` shows."""

    grants: tuple[Grant, ...]
    releases: tuple[Row, ...]
    work: Work


def grants(visit: Visit) -> tuple[Grant, ...]:
    """The scenarios that the visitor's organisation may use now, the first to end first."""
    found, _ = listed(visit.control, visit.actor, "scenario", states=LIVE, order="due", descending=False)
    mine = [one for one in found if user_of(one) == visit.actor.organisation]
    return tuple(_grant(visit, one) for one in mine[:SHOWN])


def _grant(visit: Visit, scenario: Resource) -> Grant:
    granted = scenario.status["grant"]
    days = (date.fromisoformat(granted["to"]) - visit.now.astimezone(BEIJING).date()).days
    budgets = visit.control.find(visit.actor, "dp-budget", labels={"scenario": scenario.id})
    return Grant(
        row=row(visit, scenario),
        purpose=granted["purpose"],
        until=granted["to"],
        days=days,
        soon=days <= SOON,
        uses_left=granted["uses_left"],
        uses=scenario.spec["uses"],
        budgets=tuple(_budget(visit, one) for one in budgets),
        submit_url=f"{BASE}/develop/job/form?{urlencode({'scenario': scenario.id})}"
        if days >= 0 and granted["uses_left"]
        else "",
    )


def _budget(visit: Visit, one: Resource) -> Budget:
    spec, spent = one.spec, one.status["budget"]
    left, total = left_of(one)
    parts = (spec["dataset"], spec["recipient"], str(spec["year"] or ""))
    label = (
        visit.say("整个场景") if spec["level"] == "scenario" else " · ".join(part for part in parts if part)
    )
    share = 100 * spent["nano_rho"] / spent["cap_nano_rho"] if spent["cap_nano_rho"] else 0.0
    return Budget(label, left, total, round(share, 1))


def work(visit: Visit) -> Work:
    """Jobs and egress requests of the visitor's organisation, the newest first."""
    jobs, _ = listed(visit.control, visit.actor, "job", limit=SHOWN)
    requests, _ = listed(visit.control, visit.actor, "egress-request", limit=SHOWN)
    own = [one for one in requests if one.organisation == visit.actor.organisation]
    return Work(
        jobs=tuple(row(visit, one) for one in jobs),
        running=_progress(visit, [one for one in jobs if one.state in COURSE[:-1]]),
        ready=tuple((row(visit, one), _propose(one)) for one in jobs if one.state == "quarantined"),
        requests=tuple(_proposal(visit, one) for one in own),
        working=any(one.state in KINDS[one.kind].working for one in (*jobs, *own)),
    )


COURSE = ("queued", "provisioning", "running", "succeeded", "quarantined")


def _progress(visit: Visit, jobs: list[Resource]) -> tuple[Progress, ...]:
    """Where each of ``jobs`` stands. Of the queue nothing is told but the organisation's own order in it."""
    states = [kind_of("job").state(name) for name in COURSE]
    waiting: list[str] = []
    if any(one.state == "queued" for one in jobs):
        queued = visit.control.find(visit.actor, "job", state="queued")
        waiting = [one.id for one in sorted(queued, key=lambda one: (counted_from(one), one.id))]
    return tuple(
        Progress(
            row(visit, one),
            tuple(
                {
                    "label": visit.named(state),
                    "state": "done"
                    if n < COURSE.index(one.state)
                    else "now"
                    if state.name == one.state
                    else "",
                }
                for n, state in enumerate(states)
            ),
            one.changed_at,
            waiting.index(one.id) + 1 if one.id in waiting else 0,
        )
        for one in jobs
    )


def _propose(job: Resource) -> str:
    """The form of an egress request for the outputs of ``job``, filled in as far as the job says it."""
    told = {"job": job.id, "purpose": job.spec["purpose"], "recipient": job.organisation}
    return f"{BASE}/r/egress-request/new?{urlencode(told)}"


def held_of(visit: Visit, request: Resource) -> tuple[Held, ...]:
    """What objected to the files of ``request``, which the door has shown."""
    zh = visit.lang == "zh"
    return tuple(
        Held(
            path=one["path"],
            name=one["family"],
            family=one["family_zh"] if zh else one["family_en"],
            severity=one["severity"],
            hint=hint(one["hint"], visit.lang),
        )
        for one in request.status.get("check", {}).get("findings", ())
    )


def said_of(request: Resource) -> tuple[str, ...]:
    """What people said of ``request`` to its submitter."""
    status = request.status
    said = [*status.get("return", {}).get("reasons", ())]
    said += [status[key][name] for key, name in SAID if key in status]
    return tuple(said)


def _proposal(visit: Visit, request: Resource) -> Proposal:
    held = held_of(visit, request)
    mend_url = f"{BASE}/develop/mend/{request.id}" if held and request.state not in LET_OUT else ""
    return Proposal(row(visit, request), held, said_of(request), mend_url)


LET_OUT = ("approved", "releasing", "released")  # nothing is left to be mended
SAID = (("reject", "reason"), ("reject", "law"), ("recall", "cause"))


def releases(visit: Visit) -> tuple[Row, ...]:
    """What has been released to the visitor's organisation."""
    found, _ = listed(visit.control, visit.actor, "egress-request", states=("released",))
    mine = [one for one in found if one.spec["recipient"] == visit.actor.organisation]
    return tuple(replace(row(visit, one), url=f"{BASE}/release/{one.id}") for one in mine[:SHOWN])


def page(visit: Visit) -> Response:
    """The desk."""
    told = DevelopPage(grants(visit), releases(visit), work(visit))
    return render(visit, "develop.html", page=told)


def state(visit: Visit) -> Response:
    """The part of the desk that changes while a machine is at something; when none is, the page is told to
    ask no more (``STOP``)."""
    told = work(visit)
    return render(visit, "_develop.html", 200 if told.working else STOP, work=told)
