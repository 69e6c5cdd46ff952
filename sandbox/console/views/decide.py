"""What waits for a provider or an authority to confirm or consent to, each with what they decide on.

That is what has changed since it was last decided, or, the first time, what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.authorisation.assessment import stands_for
from sandbox.console.views.changes import Changes, changes
from sandbox.console.views.resources import Row, row
from sandbox.console.visit import Visit
from sandbox.control.door import Sight
from sandbox.control.kinds import kind_of
from sandbox.control.listing import listed
from sandbox.core.actor import BODY, Role
from sandbox.core.lifecycle import Case
from sandbox.core.resource import Resource

LOOKED_AT = 30  # of each kind; those of other organisations and those already answered are among them
SHOWN = 5  # of each kind
PROVIDER = frozenset({Role.PROVIDER})
REVIEW = ("formal_review", "provider_review", "assessment", "amending")


@dataclass(frozen=True)
class Decides:
    """Who decides on a kind by which event, and the states in which it waits for them."""

    roles: frozenset[Role]
    kind: str
    event: str
    states: tuple[str, ...]


# a test holds each against the lifecycle tables
DECIDES = (
    Decides(PROVIDER, "catalogue-entry", "confirm", ("graded",)),
    Decides(PROVIDER, "scenario", "assess", ("provider_review", "assessment", "amending")),
    Decides(frozenset({Role.DATA_AUTHORITY}), "organisation", "activate", ("registered",)),
    Decides(BODY, "agreement", "approve", ("draft",)),
    Decides(BODY, "agreement", "activate", ("signed",)),
    Decides(BODY, "scenario", "pass_form", ("formal_review",)),
    Decides(BODY, "scenario", "approve", ("provider_review", "assessment")),
    Decides(BODY, "scenario", "approve_amendment", ("amending",)),
    Decides(BODY, "rectification", "verify", ("reported",)),
)
# what a kind says of itself to whoever decides on it for the first time
FACTS = {
    "catalogue-entry": ("category", "update_frequency", "entity"),
    "scenario": ("purpose", "description", "starts", "ends", "uses", "developer"),
    "organisation": ("roles", "region", "credit_code"),
    "agreement": ("operator", "mode", "scope", "starts", "ends"),
    "rectification": ("agreement", "breach", "items"),
}
SETTLED = {  # states in which a version counts as decided
    "catalogue-entry": ("confirmed", "included", "conditional", "excluded"),
    "organisation": ("active",),
}


@dataclass(frozen=True)
class Decision:
    """One that waits: ``since`` is what has changed since it was last decided, None the first time, when
    ``facts`` tell of it; ``told`` is what else bears on it; ``own``: this very person may not confirm it."""

    row: Row
    act: str
    since: Changes | None
    facts: dict[str, Any]
    told: dict[str, Any]
    own: bool


def decisions(visit: Visit) -> tuple[tuple[Decision, ...], tuple[str, ...]]:
    """What waits for the actor, in the order of ``DECIDES``, the first due first; and the kinds of which more
    may wait than is shown."""
    found: list[Decision] = []
    more: list[str] = []
    for kind in dict.fromkeys(one.kind for one in DECIDES):
        by_state = {state: one for one in offered(visit) if one.kind == kind for state in one.states}
        if not by_state:
            continue
        waiting, left = listed(
            visit.control,
            visit.actor,
            kind,
            states=tuple(by_state),
            order="due",
            descending=False,
            limit=LOOKED_AT,
        )
        if not waiting:
            continue
        with visit.control.store.read() as reader:
            sight = Sight(reader)
            mine = [one for one in waiting if _concerns(visit, sight, by_state[one.state], one)]
        found += [_decision(visit, by_state[one.state], one) for one in mine[:SHOWN]]
        more += [kind] if left or len(mine) > SHOWN else []
    return tuple(found), tuple(more)


def offered(visit: Visit) -> list[Decides]:
    """The decisions that the profile leaves to the actor's role."""
    role = visit.actor.role
    return [one for one in DECIDES if role in one.roles and (role not in BODY or _may_authorise(visit, one))]


def _may_authorise(visit: Visit, one: Decides) -> bool:
    """Agreements are decided on by the roles that the profile names (P-10)."""
    if one.kind != "agreement":
        return True
    return str(visit.actor.role) in visit.control.policy.get("authorisation.authoriser")


def _concerns(visit: Visit, sight: Sight, one: Decides, resource: Resource) -> bool:
    """Whether the actor's organisation is the one that is waited for."""
    actor = visit.actor
    if one.kind == "organisation":
        return True
    if one.kind == "catalogue-entry":
        return resource.organisation == actor.organisation
    if one.event == "assess":
        case = Case(resource, actor, None, visit.control.policy, visit.now, sight, visit.control.term)
        given = resource.status.get("assessments") or ()
        said = {tuple(pair) for told in given for pair in told.get("stands_for", ())}
        return bool(stands_for(case) - said)
    agreement = resource if one.kind == "agreement" else sight.get("agreement", resource.spec["agreement"])
    return agreement is not None and agreement.spec["authoriser"] == actor.organisation


def _decision(visit: Visit, one: Decides, resource: Resource) -> Decision:
    before, after = _compared(visit, resource)
    facts = {name: resource.spec[name] for name in FACTS[one.kind] if resource.spec.get(name)}
    if one.kind == "catalogue-entry":
        facts["fields"] = [f"{field['name']} · {field['level']}" for field in resource.spec["fields"]]
    if one.kind == "scenario":
        facts["list"] = [f"{item['entry']}: {', '.join(item['columns'])}" for item in resource.spec["list"]]
    row_of = kind_of(one.kind).row(one.event, resource.state)
    return Decision(
        row=row(visit, resource),
        act=visit.named(row_of) if row_of else one.event,
        since=None if before is None else changes(before, after),
        facts=facts,
        told=_told(one, resource),
        own=resource.status.get("edited", {}).get("person") == visit.actor.person,
    )


def _told(one: Decides, resource: Resource) -> dict[str, Any]:
    """What others have said that bears on it."""
    if one.kind == "rectification":
        return {"done": resource.status.get("report", {}).get("done", ())}
    if one.kind == "scenario":
        given = resource.status.get("assessments") or ()
        return {"answers": [f"{told.get('organisation', '')}: {_said(told)}" for told in given]}
    return {}


def _said(told: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {answer}" for name, answer in told.get("answers", {}).items())


def _compared(visit: Visit, resource: Resource) -> tuple[Mapping[str, Any] | None, Mapping[str, Any]]:
    """What was decided last and what is to be decided now; None before for what was never decided."""
    if resource.kind == "scenario" and resource.state == "amending":
        grant = resource.status.get("grant", {}).get("items", ())
        asked = (resource.status.get("amendment") or {}).get("list", ())
        return {"list": _columns(grant)}, {"list": _columns(asked)}
    kind = kind_of(resource.kind)
    if not any(row.payload is kind.spec for row in kind.transitions if row.source):
        return None, resource.spec  # nobody can change it once it is made
    versions = visit.control.history(visit.actor, resource.kind, resource.id)
    settled = SETTLED.get(resource.kind)
    for earlier in reversed(versions):
        if earlier.spec != resource.spec and (settled is None or earlier.state in settled):
            return earlier.spec, resource.spec
    return None, resource.spec


def _columns(items: Any) -> list[dict[str, Any]]:
    """A list of data as it was asked for: what is derived from it (versions, hashes) is nobody's decision."""
    asked = ("entry", "columns", "rows", "period")
    return [{name: item[name] for name in asked if item.get(name)} for item in items]
