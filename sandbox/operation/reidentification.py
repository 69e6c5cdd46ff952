"""Re-identification (还原): a few tokens of a primary product led back to whom they stand for, on record.

A value goes back only to where it came from: the provider of the resource asks, for one of the purposes that
the profile names and on a legal ground, and the person who asked reads the answer. Another person, a
reviewer of the authorising body, decides and never sees it. How many tokens one act, and all acts of a
scenario in a year, may name is bounded. The operator, the developer and every recipient have no part in it.
What leaves the space never leads back: see the rule REVERSIBLE of the egress checker (R-131).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field as Bound

from sandbox.authorisation.organisation import Reason
from sandbox.authorisation.scenario_spec import Cause
from sandbox.core.actor import MACHINE, READS_ALL, Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Kind, Model, State, Transition, World
from sandbox.core.records import limited, need, signed
from sandbox.core.resource import Resource
from sandbox.operation import codes  # noqa: F401
from sandbox.operation.tokens import domain_of

NAME = "reidentification"
Token = Annotated[str, Bound(pattern=r"^[A-Z2-7]{26}$")]  # as ``transforms.pseudonym.spell`` writes them
Purpose = Literal["subject_right", "incident_notice", "statutory_duty", "source_correction"]
LIVE = ("active", "suspended")  # states of an agreement whose workspaces are kept
NOTHING_TOLD = ("refused", "withdrawn", "failed")  # states in which no token was led back
YEAR = timedelta(days=365)


class ReidentificationSpec(Model):
    """Which tokens of which column of a primary product, what for, and on which legal ground."""

    product: str
    column: str
    tokens: tuple[Token, ...] = Bound(min_length=1, max_length=1000)
    purpose: Purpose
    ground: str = Bound(min_length=4, max_length=400)
    reason: str = Bound(min_length=2, max_length=2000)


class Answer(Model):
    """The sealed answer by its hash (salted inside, so that no value can be guessed by it)."""

    sha256: str = Bound(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Bound(ge=1, lt=1 << 40)
    isolation: dict[str, Any] = Bound(default_factory=dict)


class Failure(Model):
    """Why there is no answer."""

    code: str = Bound(pattern=r"^[A-Z][A-Z0-9_]{1,60}$")


def purpose_allowed(case: Case) -> None:
    """Guard: the profile names the purpose."""
    allowed = case.policy.get("reidentify.purposes")
    if case.payload.purpose not in allowed:
        raise fail("REIDENTIFY_PURPOSE", purpose=case.payload.purpose, allowed=", ".join(allowed) or "-")


def own_source(case: Case) -> None:
    """Guard: the column's last step drew tokens, from a resource of the organisation that asks, and the
    workspace is still kept. One code for all: who asks may not know what others have."""
    product = case.world.get("product", case.payload.product)
    job = case.world.get("job", product.spec["job"]) if product and product.spec["level"] == 1 else None
    if product is None or job is None or not domain_of(job, case.payload.column):
        raise fail("REIDENTIFY_SOURCE")
    entries = [need(case, "catalogue-entry", id) for id in product.spec["lineage"]["entries"]]
    if {entry.organisation for entry in entries} != {case.actor.organisation}:
        raise fail("REIDENTIFY_SOURCE")
    agreement = need(case, "agreement", product.spec["agreement"])
    if agreement.state not in LIVE:
        raise fail("AGREEMENT_INACTIVE", agreement=agreement.id, state=agreement.state)


def bounded(case: Case) -> None:
    """Guard: no more tokens than one act may name, and all acts of the scenario in a year."""
    asked = len(set(case.payload.tokens))
    each, yearly = (int(case.policy.get(f"reidentify.tokens_{name}")) for name in ("max", "year"))
    scenario = need(case, "product", case.payload.product).spec["scenario"]
    before = sum(
        len(one.spec["tokens"])
        for one in case.world.find(NAME, labels={"scenario": scenario})
        if one.state not in NOTHING_TOLD and one.created_at is not None and one.created_at > case.now - YEAR
    )
    if asked > each or asked < len(case.payload.tokens) or before + asked > yearly:
        raise fail("REIDENTIFY_BOUND", most=each, left=max(0, yearly - before))


def authoriser_decides(case: Case) -> None:
    """Guard: who authorises, reviews (谁授权、谁审核)."""
    agreement = need(case, "agreement", case.resource.labels["agreement"])
    if agreement.spec["authoriser"] != case.actor.organisation:
        raise fail("NOT_AUTHORISER", authoriser=agreement.spec["authoriser"])


def second_person(case: Case) -> None:
    """Guard: another natural person than the one who asked, whatever account it is (four eyes)."""
    if case.actor.person == case.resource.status["create"]["person"]:
        raise fail("REIDENTIFY_FOUR_EYES")


def asker(case: Case) -> None:
    """Guard: the organisation that asked, or the clock."""
    if case.actor.role != Role.SYSTEM and case.actor.organisation != case.resource.organisation:
        raise fail("NOT_YOURS")


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """Who asked, and the supervising side: not the operator, whose product it is about."""
    return actor.role in READS_ALL or actor.organisation == resource.organisation


def view(actor: Actor, resource: Resource) -> Resource:
    """Outside the supervising side no hash and no size of the answer."""
    if actor.role in READS_ALL:
        return resource
    return limited(resource, status={key: value for key, value in resource.status.items() if key != "answer"})


def labels(case: Case) -> dict[str, str]:
    """Index: by product, and the workspace where the answer lies."""
    product = need(case, "product", case.payload.product)
    named = {"agreement": product.spec["agreement"], "scenario": product.spec["scenario"]}
    return {**named, "product": product.id}


def decided(case: Case) -> dict[str, Any]:
    """Record: who decided, and why."""
    return {"decision": signed(case)}


PROVIDER, REVIEWER = frozenset({Role.PROVIDER}), frozenset({Role.REVIEWER})

# fmt: off
TRANSITIONS = (
    Transition("create", (), "requested", PROVIDER, "申请还原", "ask",
               "default: R-131; a value goes back only to where it came from, on record",
               payload=ReidentificationSpec, guards=(purpose_allowed, own_source, bounded),
               clock="reidentify.decision_wd"),
    Transition("approve", ("requested",), "approved", REVIEWER, "同意", "approve",
               "default: R-131; four eyes, as R-164 has them for a high risk", payload=Reason,
               guards=(authoriser_decides, second_person), record=decided),
    Transition("refuse", ("requested",), "refused", REVIEWER, "不同意", "refuse",
               "default: R-131; four eyes", payload=Reason,
               guards=(authoriser_decides, second_person), record=decided),
    Transition("withdraw", ("requested",), "withdrawn", PROVIDER, "撤回", "withdraw",
               "default: whoever asked may give it up", guards=(asker,)),
    Transition("answer", ("approved",), "answered", MACHINE, "给出", "answer",
               "default: R-131; sealed for the person who asked", payload=Answer,
               clock="reidentify.answer_days"),
    Transition("fail", ("approved",), "failed", MACHINE, "未能给出", "fail",
               "default: R-131; no answer rather than a wrong one", payload=Failure),
    Transition("close", ("answered",), "closing", PROVIDER | MACHINE, "关闭", "close",
               "default: R-131; an answer is kept no longer than it is needed", payload=Cause,
               guards=(asker,)),
    Transition("revoke", ("answered",), "closing", REVIEWER, "收回", "revoke",
               "default: R-131; whoever allowed it may end it", payload=Reason,
               guards=(authoriser_decides,)),
    Transition("erase", ("closing",), "closed", MACHINE, "清除完毕", "erase",
               "default: R-131; an answer is kept no longer than it is needed"),
)
# fmt: on

KIND = Kind(
    name=NAME,
    zh="还原申请",
    en="re-identification",
    prefix="rid",
    spec=ReidentificationSpec,
    labels=labels,
    visible=visible,
    view=view,
    working=frozenset({"approved", "closing"}),
    states=(
        State("requested", "待决定", "requested", "reviewer"),
        State("approved", "已同意，待给出", "approved, not answered yet", "system"),
        State("refused", "不同意", "refused", ""),
        State("withdrawn", "已撤回", "withdrawn", ""),
        State("answered", "已给出，待查看", "answered", "provider", lapse="close"),
        State("failed", "未能给出", "no answer", ""),
        State("closing", "清除中", "closing", "system"),
        State("closed", "已关闭", "closed", ""),
    ),
    transitions=TRANSITIONS,
)
