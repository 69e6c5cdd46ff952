"""Authorisation agreement (授权运营协议): requirements D.1 from the draft on, and the exit of D.7."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field as Bound

from sandbox.authorisation import codes  # noqa: F401
from sandbox.authorisation.affiliation import apart
from sandbox.authorisation.organisation import Reason
from sandbox.catalog.negative import not_listed
from sandbox.core.actor import BODY, MACHINE, OPERATOR, READS_ALL, Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Command, Kind, Model, State, Transition, World
from sandbox.core.records import limited, need, signed
from sandbox.core.resource import Resource

NAME = "agreement"
CHINA = ZoneInfo("Asia/Shanghai")

# The profile's thresholds that an agreement may tighten (R-047: its clauses bind the checker), and
# which direction is the stricter one.
TIGHTENED = {
    "egress.min_cell": max,
    "egress.k_min": max,
    "egress.l_min": max,
    "egress.dominance_k": min,
    "dp.epsilon_total": min,
    "dp.epsilon_scenario": min,
    "dp.epsilon_entities": min,
}


class AgreementSpec(Model):
    """``clauses``: the mandatory clauses by id; ``egress_rules``: thresholds that the clauses tighten."""

    title: str
    authoriser: str
    operator: str
    mode: str = Bound(pattern="^(overall|sectoral|scenario)$")
    scope: tuple[str, ...] = Bound(min_length=1)  # catalogue entries
    product_forms: tuple[str, ...] = ("dataset", "report", "model", "interface", "service")
    starts: date
    ends: date
    security_officer: str = Bound(min_length=1)
    emergency_plan: str = Bound(min_length=1)  # reference of the plan
    clauses: dict[str, str]
    egress_rules: dict[str, float] = Bound(default_factory=dict)
    exception_decision: str = ""


class Decision(Model):
    """A collective decision (三重一大) by its number."""

    decision_ref: str = Bound(min_length=3)


class Signature(Model):
    """The hash of the signed text, by the operator."""

    text_sha256: str = Bound(pattern="^[0-9a-f]{64}$")


class Ground(Model):
    """Why it ends, with the article."""

    ground: str = Bound(min_length=2)
    law: str = Bound(min_length=2)


class Certificate(Model):
    """The machine's proof of deletion: what was there, what is left, when."""

    removed: tuple[dict[str, Any], ...]
    left: int
    keys_destroyed: int


class Seal(Model):
    """The log at the time of the exit."""

    size: int
    root: str
    purge_not_before: date


class Filing(Model):
    """The receipt of the filing with the authority."""

    receipt: str = Bound(min_length=2)


def add_years(day: date, years: int) -> date:
    """The same day ``years`` later; 29 February becomes 28 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def instant(day: date, *, end: bool = False) -> datetime:
    """The first (or last) instant of a calendar day in China."""
    clock = datetime.max.time().replace(microsecond=0) if end else datetime.min.time()
    return datetime.combine(day, clock, CHINA)


def term(case: Case) -> None:
    """Guard: at most the profile's years, unless an exception decision is attached (R-048)."""
    spec: AgreementSpec = case.payload
    if spec.ends < spec.starts:
        raise fail("TERM_ORDER")
    years = int(case.policy.get("agreement.max_term_years"))
    if spec.ends > add_years(spec.starts, years) and not spec.exception_decision:
        raise fail("TERM_TOO_LONG", years=years)


def clauses(case: Case) -> None:
    """Guard: all mandatory clauses are there (R-047); tightened rules are no looser than the profile's."""
    spec: AgreementSpec = case.payload
    missing = [name for name in case.policy.get("agreement.required_clauses") if not spec.clauses.get(name)]
    if missing:
        raise fail("CLAUSES_MISSING", clauses=", ".join(missing))
    for key, value in spec.egress_rules.items():
        present = case.policy.get(key)
        if key not in TIGHTENED or TIGHTENED[key](value, present) != value:
            raise fail("RULE_WEAKER", key=key, value=present)


def mode(case: Case) -> None:
    """Guard: the profile allows this mode."""
    allowed = case.policy.get("authorisation.modes_allowed")
    if case.payload.mode not in allowed:
        raise fail("MODE_NOT_ALLOWED", mode=case.payload.mode, allowed=", ".join(allowed))


def parties(case: Case) -> None:
    """Guard: both exist and are active, the actor is of the authoriser, the sides are apart (SD-3)."""
    spec: AgreementSpec = case.payload
    for name in (spec.authoriser, spec.operator):
        if need(case, "organisation", name).state != "active":
            raise fail("ORGANISATION_INACTIVE", organisation=name)
    if case.actor.organisation != spec.authoriser:
        raise fail("NOT_AUTHORISER", authoriser=spec.authoriser)
    apart(case.world, case.policy, spec.authoriser, spec.operator)


def scope(case: Case) -> None:
    """Guard: every resource of the scope is in the catalogue and off the negative list."""
    for entry in case.payload.scope:
        need(case, "catalogue-entry", entry)
        not_listed(case.world, entry)


def authoriser(case: Case) -> None:
    """Guard: only the authorising organisation."""
    if case.actor.organisation != case.resource.spec["authoriser"]:
        raise fail("NOT_AUTHORISER", authoriser=case.resource.spec["authoriser"])


def named_role(case: Case) -> None:
    """Guard: who decides does so in a role that the profile names as authorising (P-10)."""
    may = case.policy.get("authorisation.authoriser")
    if str(case.actor.role) not in may:
        raise fail("AUTHORISER_ROLE", may=", ".join(may))


def operator(case: Case) -> None:
    """Guard: only the operator of this agreement."""
    if case.actor.organisation != case.resource.spec["operator"]:
        raise fail("NOT_PARTY")


def still_apart(case: Case) -> None:
    """Guard: control relations may have changed since the draft."""
    apart(case.world, case.policy, case.resource.spec["authoriser"], case.resource.spec["operator"])


def certified(case: Case) -> None:
    """Guard: the verifier confirms a certificate that shows nothing left; DELETION_UNPROVEN otherwise."""
    certificate = case.resource.status.get("certify")
    if not certificate or certificate["left"]:
        raise fail("DELETION_UNPROVEN")


def active(case: Case, agreement: Resource | None, name: str) -> Resource:
    """The agreement if it permits use now (state and term); AGREEMENT_INACTIVE otherwise."""
    if agreement is None or agreement.state != "active":
        raise fail("AGREEMENT_INACTIVE", agreement=name, state=agreement.state if agreement else "unknown")
    first, last = (date.fromisoformat(agreement.spec[key]) for key in ("starts", "ends"))
    if not instant(first) <= case.now <= instant(last, end=True):
        raise fail("AGREEMENT_INACTIVE", agreement=name, state="out of term")
    return agreement


def each(case: Case, after: Resource, kind: str, states: tuple[str, ...], event: str) -> Iterable[Command]:
    """``event`` for every resource of ``kind`` under this agreement that is in one of ``states``."""
    for found in case.world.find(kind, state=states, labels={"agreement": after.id}):
        yield Command(kind, found.id, event, {"cause": f"agreement {after.id} {after.state}"})


def halt(case: Case, after: Resource) -> Iterable[Command]:
    """Effect: at once, no job of this agreement runs on and no supply is available (R-107)."""
    yield from each(case, after, "job", ("queued", "provisioning", "running"), "kill")
    yield from each(case, after, "supply", ("available",), "pause")
    yield from each(case, after, "scenario", ("granted", "amending"), "suspend")


def restore(case: Case, after: Resource) -> Iterable[Command]:
    """Effect: supplies and grants that the suspension had stopped are there again.

    Not what a person has paused by an act of its own, and nothing while a suspending order is open.
    """
    live = ("rectifying", "reported")
    orders = case.world.find("rectification", state=live, labels={"agreement": after.id})
    if any(order.spec["suspend"] and order.id != case.resource.id for order in orders):
        return
    for supply in case.world.find("supply", state="paused", labels={"agreement": after.id}):
        if supply.status["pause"]["role"] == Role.SYSTEM:
            yield Command("supply", supply.id, "resume", {"cause": f"agreement {after.id} {after.state}"})
    yield from each(case, after, "scenario", ("suspended",), "resume")


def stop(case: Case, after: Resource) -> Iterable[Command]:
    """Effect of the end: jobs, supplies, grants and every live product under the agreement stop."""
    yield from each(case, after, "job", ("queued", "provisioning", "running"), "kill")
    yield from each(
        case,
        after,
        "supply",
        ("in_transfer", "quarantined", "loaded", "available", "paused"),
        "emergency_stop",
    )
    yield from each(case, after, "scenario", ("granted", "suspended", "amending"), "revoke")
    yield from each(case, after, "product", ("draft", "offered", "registered"), "suspend")


def destroyed(case: Case, after: Resource) -> Iterable[Command]:
    """Effect of the verified deletion: what was deleted says so."""
    yield from each(case, after, "supply", ("stopped",), "destroy")
    yield from each(case, after, "job", ("quarantined", "failed", "killed"), "purge")


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """Its parties and those who supervise; to the public the disclosure shows four fields."""
    return (
        actor.role in READS_ALL
        or actor.organisation in (resource.spec["authoriser"], resource.spec["operator"])
        or (actor.role == Role.DEVELOPER and resource.state == "active")
        or actor.role in (Role.PROVIDER, Role.CONNECTOR)
    )


DISCLOSED = ("title", "authoriser", "operator", "mode", "scope", "product_forms", "starts", "ends")


def view(actor: Actor, resource: Resource) -> Resource:
    """Parties and supervisors see it whole; others what is disclosed of it (GD 23, CD 32)."""
    parties = (resource.spec["authoriser"], resource.spec["operator"])
    if actor.role in READS_ALL or actor.role == Role.SYSTEM or actor.organisation in parties:
        return resource
    return limited(resource, spec={key: resource.spec[key] for key in DISCLOSED}, status={}, labels={})


def term_end(case: Case) -> datetime:
    """The clock of a live agreement: the last instant of its term; then it is overdue to end or renew."""
    return instant(date.fromisoformat(case.resource.spec["ends"]), end=True)


def certificate(case: Case) -> dict[str, Any]:
    """Record: the deletion certificate."""
    return {"certify": signed(case)}


LIVE = ("active", "suspended")

# fmt: off
TRANSITIONS = (
    Transition("create", (), "draft", BODY, "起草", "draft", "CD 16, 17; GD 20, 22",
               payload=AgreementSpec, guards=(parties, mode, term, clauses, scope)),
    Transition("approve", ("draft",), "approved", BODY, "集体决策", "approve", "CD 16; GD 20(五)",
               payload=Decision, guards=(authoriser, named_role)),
    Transition("sign", ("approved",), "signed", OPERATOR, "签订", "sign", "CD 16; GD 20(五), 21(三)",
               payload=Signature, guards=(operator, still_apart)),
    Transition("activate", ("signed",), "active", BODY, "生效并报备", "activate and file", "CD 16; GD 23",
               payload=Filing, guards=(authoriser, named_role, still_apart), clock=term_end),
    Transition("suspend", ("active",), "suspended", BODY, "暂停", "suspend", "CD 34", payload=Reason,
               guards=(authoriser,), effects=(halt,)),
    Transition("resume", ("suspended",), "active", BODY, "恢复", "resume", "CD 34", payload=Reason,
               guards=(authoriser,), effects=(restore,), clock=term_end),
    Transition("terminate", LIVE, "terminating", BODY, "终止", "terminate", "CD 27; GD 39; GM 五(四)",
               payload=Ground, guards=(authoriser,), effects=(stop,), clock="breach.rectification_wd"),
    Transition("hand_over", ("terminating",), "deleting", OPERATOR, "交接完毕", "hand over",
               "GD 39; CD 26", payload=Reason, guards=(operator,)),
    Transition("certify", ("deleting",), "deleting", MACHINE, "出具删除证明", "certify deletion", "GD 39",
               payload=Certificate, record=certificate, keeps_clock=True),
    Transition("verify_deletion", ("deleting",), "deletion_verified", BODY, "核验删除", "verify deletion",
               "GD 39", guards=(authoriser, certified), effects=(destroyed,)),
    Transition("seal_logs", ("deletion_verified",), "terminated", MACHINE, "封存日志", "seal logs",
               "GD 39; CD 26", payload=Seal),
    Transition("close", ("terminated",), "closed", BODY, "备案公开并结案", "file and close", "GD 23",
               payload=Filing, guards=(authoriser,)),
)
# fmt: on

KIND = Kind(
    name=NAME,
    zh="授权运营协议",
    en="authorisation agreement",
    prefix="ag",
    spec=AgreementSpec,
    labels=lambda case: {"authoriser": case.payload.authoriser, "operator": case.payload.operator},
    visible=visible,
    view=view,
    working=frozenset({"deleting", "deletion_verified"}),
    states=(
        State("draft", "草案", "draft", "implementing_body"),
        State("approved", "已决策", "approved", "implementing_body"),
        State("signed", "已签订", "signed", "implementing_body"),
        State("active", "生效", "active", "implementing_body"),
        State("suspended", "已暂停", "suspended", "implementing_body"),
        State("terminating", "终止交接", "terminating", "operator"),
        State("deleting", "删除中", "deleting", "system"),
        State("deletion_verified", "删除已核验", "deletion verified", "system"),
        State("terminated", "已终止，日志已封存", "terminated, log sealed", "implementing_body"),
        State("closed", "已结案", "closed", ""),
    ),
    transitions=TRANSITIONS,
)
