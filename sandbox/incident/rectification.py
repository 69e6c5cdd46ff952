"""Rectification order (限期整改): requirements D.7, R-248."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field as Bound

from sandbox.authorisation.agreement import each, restore
from sandbox.authorisation.organisation import Reason
from sandbox.core.actor import BODY, OPERATOR, READS_ALL, Actor
from sandbox.core.errors import Conflict, define, fail
from sandbox.core.lifecycle import Case, Command, Kind, Model, State, Transition, World
from sandbox.core.records import need, signed
from sandbox.core.resource import Resource

NAME = "rectification"

define(
    Conflict,
    NOT_OVERDUE=(
        "整改期限未过，不能以逾期为由终止。",
        "The order's date has not passed; it cannot be ended as overdue.",
    ),
)


class RectificationSpec(Model):
    """The breach and what has to be mended."""

    agreement: str
    breach: str = Bound(min_length=2)
    items: tuple[str, ...] = Bound(min_length=1)
    law: str = Bound(min_length=2)
    suspend: bool = False


class Report(Model):
    """What the operator says it has mended, item by item."""

    done: tuple[str, ...] = Bound(min_length=1)


def ordered_by_authoriser(case: Case) -> None:
    """Guard: the authoriser of the agreement orders."""
    agreement = need(case, "agreement", case.payload.agreement)
    if agreement.spec["authoriser"] != case.actor.organisation:
        raise fail("NOT_AUTHORISER", authoriser=agreement.spec["authoriser"])


def same_authoriser(case: Case) -> None:
    """Guard: who ordered, verifies."""
    agreement = need(case, "agreement", case.resource.spec["agreement"])
    if agreement.spec["authoriser"] != case.actor.organisation:
        raise fail("NOT_AUTHORISER", authoriser=agreement.spec["authoriser"])


def operator_reports(case: Case) -> None:
    """Guard: the operator under the order."""
    agreement = need(case, "agreement", case.resource.spec["agreement"])
    if agreement.spec["operator"] != case.actor.organisation:
        raise fail("NOT_PARTY")


def date_passed(case: Case) -> None:
    """Guard: only an order whose date is over opens the way to termination."""
    if not case.resource.overdue:
        raise fail("NOT_OVERDUE")


def suspend(case: Case, after: Resource) -> Iterable[Command]:
    """Effect: when the order says so, supply and jobs stop at once with it (CD 34)."""
    agreement = need(case, "agreement", after.spec["agreement"])
    if after.spec["suspend"] and agreement.state == "active":
        yield from (
            command
            for kind, states, event in (
                ("job", ("queued", "provisioning", "running"), "kill"),
                ("supply", ("available",), "pause"),
                ("scenario", ("granted", "amending"), "suspend"),
            )
            for command in each(case, agreement, kind, states, event)
        )


def resume(case: Case, after: Resource) -> Iterable[Command]:
    """Effect of the verification: what this order had stopped goes on, unless another order holds it."""
    agreement = need(case, "agreement", after.spec["agreement"])
    if after.spec["suspend"] and agreement.state == "active":
        yield from restore(case, agreement)


def reported(case: Case) -> dict[str, Any]:
    """Record: the operator's report."""
    return {"report": signed(case)}


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """The operator concerned and the supervising side."""
    agreement = world.get("agreement", resource.spec["agreement"])
    return actor.role in READS_ALL or (
        agreement is not None and agreement.spec["operator"] == actor.organisation
    )


# fmt: off
TRANSITIONS = (
    Transition("create", (), "rectifying", BODY, "责令整改", "order", "CD 34; GD 39(三)",
               payload=RectificationSpec, guards=(ordered_by_authoriser,), effects=(suspend,),
               clock="breach.rectification_wd"),
    Transition("report", ("rectifying",), "reported", OPERATOR, "报告整改", "report", "CD 34",
               payload=Report, guards=(operator_reports,), record=reported, keeps_clock=True),
    Transition("verify", ("reported",), "verified", BODY, "核验", "verify", "CD 34", payload=Reason,
               guards=(same_authoriser,), effects=(resume,)),
    Transition("refuse", ("reported",), "rectifying", BODY, "核验不通过", "refuse", "CD 34",
               payload=Reason, guards=(same_authoriser,), keeps_clock=True),
    Transition("decide_termination", ("rectifying", "reported"), "termination_decided", BODY, "决定终止",
               "decide termination", "CD 34; GD 39(三)", payload=Reason,
               guards=(same_authoriser, date_passed)),
)
# fmt: on

KIND = Kind(
    name=NAME,
    zh="整改",
    en="rectification order",
    prefix="re",
    spec=RectificationSpec,
    labels=lambda case: {"agreement": case.payload.agreement},
    visible=visible,
    states=(
        State("rectifying", "整改中", "rectifying", "operator"),
        State("reported", "已报告，待核验", "reported", "implementing_body"),
        State("verified", "已核验", "verified", ""),
        State("termination_decided", "已决定终止", "termination decided", ""),
    ),
    transitions=TRANSITIONS,
)
