"""The reviewer's desk: one request on one screen, with what the machine found and what people said."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from sandbox.console.render import render, told
from sandbox.console.views import papers
from sandbox.console.views.clocks import Clock, clock
from sandbox.console.views.lineage import Graph, graph
from sandbox.console.views.resource import Act, Done, acts, attempted, done, with_session
from sandbox.console.views.resources import title_of
from sandbox.console.views.review_facts import SHOWN, File, Proof, asked, files, isolation, refs
from sandbox.console.views.review_points import Point, points
from sandbox.console.visit import BASE, Visit, go
from sandbox.control.kinds import kind_of
from sandbox.control.together import together
from sandbox.core.errors import fail
from sandbox.core.resource import Resource
from sandbox.egress.report.pictures import drawn
from sandbox.egress.report.view import capacity, privacy
from sandbox.egress.report.words import visible, word
from sandbox.review.blind import SAID
from sandbox.review.egress_request import NAME, VERDICTS

ANSWERS = ("pass", "fail", "na")
BESIDE = ("note", "attach_opinion", "claim", "unclaim")  # what decides nothing has its own place on the page
COPY = "review.copy_cells"


@dataclass(frozen=True)
class ReviewPage:
    """What ``review.html`` shows: everything that a decision needs."""

    request: Resource
    title: str
    state_label: str
    clock: Clock | None
    asked: tuple[tuple[str, Any], ...]  # who asks what for whom, under what
    summary: tuple[tuple[str, Any], ...]  # what the check says of the whole
    verdict: str
    verdict_label: str
    points: tuple[Point, ...]
    hard: bool
    pictures: Markup
    files: tuple[File, ...]
    copied: bool  # whether the policy lets cells be copied
    isolation: Proof
    lineage: Graph
    verdicts: tuple[Mapping[str, Any], ...]
    mine: tuple[Mapping[str, Any], ...]  # those of this reviewer
    notes: tuple[Mapping[str, Any], ...]
    opinions: tuple[Mapping[str, Any], ...]
    claim: Mapping[str, Any]
    in_hand: bool  # this reviewer has claimed it
    blind: bool  # what another said is hidden until this reviewer has spoken
    may_judge: bool  # and open the files
    which: tuple[str, ...]
    given: Mapping[str, str]  # what the form of the verdict holds
    beside: Mapping[str, Act]  # notes, opinions, claims: what this reviewer may do beside deciding
    acts: tuple[Act, ...]
    first_act: str  # the event whose form stands open
    confirm: bool
    page_url: str
    papers: tuple[tuple[str, str], ...]  # documents for the file: address, label


def model(visit: Visit, request: Resource) -> ReviewPage:
    """One request with everything a decision needs. Raises UNCHECKED before the check has ended."""
    check = request.status.get("check")
    if check is None:
        raise fail("UNCHECKED")
    kind = kind_of(NAME)
    offered = acts(visit, kind, request)
    judging = next((one for one in offered if one.event == "give_verdict"), None)
    job = visit.control.get(visit.actor, "job", request.spec["job"])
    seen = together(visit.control, visit.actor, refs(request, job))
    lang = visit.lang
    listed = points(visit, check)
    hard = any(found.severity == "hard" for point in listed for found in point.found)
    said = {key: tuple(request.status.get(key, ())) for key in SAID}
    verdicts, claim = said["verdicts"], request.status.get("claim") or {}
    mine = tuple(one for one in verdicts if one.get("person") == visit.actor.person)
    summary = [
        (visit.say("检查程序"), {"code": visible(check["checker"])}),
        (visit.say("用时"), f"{check['seconds']} s"),
    ]
    for line in (capacity(dict(check), lang), privacy(dict(check), lang), check.get("error") or ""):
        if line:
            summary.append((visit.say("另见"), visible(line)))
    return ReviewPage(
        request=request,
        title=title_of(request, lang),
        state_label=visit.named(kind.state(request.state)),
        clock=clock(visit.control.calendar, visit.now, request),
        asked=asked(visit, request, seen),
        summary=tuple(summary),
        verdict=check["verdict"],
        verdict_label=word(check["verdict"], lang),
        points=listed,
        hard=hard,
        pictures=Markup(drawn(dict(check), lang, None)),  # noqa: S704 - its text is escaped where it is drawn
        files=files(visit, request),
        copied=bool(visit.control.policy.get(COPY)),
        isolation=isolation(visit, request, job),
        lineage=graph(visit, request, job, seen),
        verdicts=verdicts,
        mine=mine,
        notes=said["notes"],
        opinions=said["opinions"],
        claim=claim,
        in_hand=claim.get("person") == visit.actor.person,
        blind=any(one.get("hidden") for key in SAID for one in said[key]),
        may_judge=judging is not None,
        which=VERDICTS,
        given={"which": _wanted(verdicts, mine), **visit.form},
        beside={one.event: _refilled(visit, request.id, one) for one in offered if one.event in BESIDE},
        acts=tuple(
            _refilled(visit, request.id, one) for one in offered if one.event not in (*BESIDE, "give_verdict")
        ),
        first_act=visit.request.path_params.get("event", "") or _ready(verdicts),
        confirm=judging.confirm if judging else False,
        page_url=f"{BASE}/review/{request.id}",
        papers=papers.links(visit, request),
    )


def _wanted(verdicts: Sequence[Mapping[str, Any]], mine: Sequence[Mapping[str, Any]]) -> str:
    """The verdict that the form asks this reviewer for first: the one that is missing, or their own."""
    if any(one.get("hidden") for one in verdicts):
        return "security"
    given = {one["which"] for one in verdicts}
    own = {one["which"] for one in mine}
    return next(
        (one for one in VERDICTS if one not in given), next((x for x in VERDICTS if x not in own), "")
    )


def _ready(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """The decision that the verdicts, as far as this reviewer sees them, lead to; "": none yet."""
    said = {one["which"]: one.get("verdict", "") for one in verdicts}
    if "fail" in said.values():
        return ""
    return "approve" if all(said.get(which) == "pass" for which in VERDICTS) else ""


def _refilled(visit: Visit, id: str, one: Act) -> Act:
    """An act whose form goes to the review page, as it was filled in where it has just been refused."""
    again = visit.request.path_params.get("event") == one.event
    fields = one.fields
    if again:
        fields = tuple(replace(field, value=visit.form.get(field.name, "")) for field in fields)
    return replace(one, url=f"{BASE}/review/{id}/act/{one.event}", fields=fields)


def _got(visit: Visit) -> Resource:
    return visit.control.get(visit.actor, NAME, visit.segment("id"))


def page(visit: Visit) -> Response:
    """One request on one screen; before its check has ended there is only what every resource has."""
    request = _got(visit)
    if "check" not in request.status:
        return go(f"{BASE}/r/{NAME}/{request.id}")
    return render(visit, "review.html", page=model(visit, request))


def act(visit: Visit) -> Response:
    """A decision from the review page, which is shown again after it."""
    return _after(visit, attempted(visit, NAME, visit.segment("id"), visit.segment("event")))


def verdict_of(visit: Visit) -> dict[str, Any]:
    """The form of a verdict as the payload of ``give_verdict``; points only with the security verdict."""
    form = visit.form
    points = {
        name.removeprefix("point."): {
            "answer": value,
            "note": form.get(f"note.{name.removeprefix('point.')}", ""),
        }
        for name, value in form.items()
        if name.startswith("point.") and value in ANSWERS
    }
    return {
        "which": form.get("which", ""),
        "verdict": form.get("verdict", ""),
        "points": points if form.get("which") == "security" else {},
        "note": form.get("note", ""),
        "no_interest": form.get("no_interest") == "on",
    }


def give_verdict(visit: Visit) -> Response:
    """A verdict, from the form under the findings; a refusal shows the form again as it was filled in."""
    return _after(visit, done(visit, NAME, visit.segment("id"), "give_verdict", verdict_of(visit)))


def _after(visit: Visit, ended: Done) -> Response:
    if ended.error is None:
        return go(f"{BASE}/review/{visit.segment('id')}", ended.session_id)
    shown = render(
        ended.visit,
        "review.html",
        ended.error.status,
        page=model(ended.visit, _got(ended.visit)),
        errors=[told(visit, ended.error)],
    )
    return with_session(shown, ended.session_id)


def file(visit: Visit) -> Response:
    """A canonical file for the reviewer's screen, through the gate, which logs the opening. Nothing but a
    picture is given a type that a browser would act on."""
    path = visit.segment("path")
    body = visit.space.gate.review(visit.actor, visit.segment("id"), path)
    guessed = mimetypes.guess_type(path)[0]
    kind = guessed if guessed in SHOWN else "text/plain; charset=utf-8"
    return Response(body, media_type=kind, headers={"cache-control": "no-store"})


def earlier(visit: Visit) -> Response:
    """The file of the same path in the last release, to be laid beside this one in the browser; 204 if there
    is none. Which release it is, its header ``sandbox-release`` says."""
    found = visit.space.gate.review_earlier(visit.actor, visit.segment("id"), visit.segment("path"))
    if found is None:
        return Response(status_code=204, headers={"cache-control": "no-store"})
    release, body = found
    at = str(release.status["release"]["at"])[:10]
    headers = {"cache-control": "no-store", "sandbox-release": f"{release.id} {at}"}
    return Response(body, media_type="text/plain; charset=utf-8", headers=headers)
