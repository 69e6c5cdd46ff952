"""Data product (数据产品和服务): level 1 stays in the domain, level 2 leaves it. Requirements D.6."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from pydantic import Field as Bound

from sandbox.authorisation.assessment import authorising_side
from sandbox.authorisation.scenario_spec import LIVE as GRANTING
from sandbox.authorisation.scenario_spec import Cause, user_of
from sandbox.core.actor import MACHINE, OPERATING, OPERATOR, READS_ALL, Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Command, Kind, Model, State, Transition, World
from sandbox.core.records import limited, need, own, signed
from sandbox.core.resource import Resource
from sandbox.registry.anonymity import Anonymity
from sandbox.review import codes  # noqa: F401

NAME = "product"


class Lineage(Model):
    """What it was made of."""

    supplies: tuple[str, ...]
    entries: tuple[str, ...]
    products: tuple[str, ...] = ()


class ProductSpec(Model):
    """Level 1: ``artefact_sha256``, ``columns``, ``anonymity`` of the in-domain table. Level 2: the egress
    ``request``."""

    level: int = Bound(ge=1, le=2)
    title: str
    form: str
    scenario: str
    agreement: str
    job: str
    lineage: Lineage
    request: str = ""
    artefact_sha256: str = ""
    columns: tuple[dict[str, Any], ...] = ()
    anonymity: Anonymity | None = None  # level 1: what the re-identification test found


class Registration(Model):
    """The number that the registration platform gave back (GD 27)."""

    registration_no: str = Bound(min_length=3)
    registered_on: date


class Offer(Model):
    """To which scenario a primary product is offered."""

    scenario: str


def reviewed(case: Case) -> None:
    """Guard: a level-2 product exists only by a passed review (R-174)."""
    spec: ProductSpec = case.payload
    if spec.level == 1 and case.actor.role == Role.SYSTEM:
        return
    request = case.world.get("egress-request", spec.request)
    if request is None or request.state != "approved" or case.actor.role != Role.SYSTEM:
        raise fail("NOT_REVIEWED", request=spec.request or "-")


def still_reviewed(case: Case) -> None:
    """Guard: registering needs the review to stand."""
    request = case.world.get("egress-request", case.resource.spec["request"])
    if request is None or request.state != "approved":
        raise fail("NOT_REVIEWED", request=case.resource.spec["request"] or "-")


def sources_registered(case: Case) -> None:
    """Guard: every resource of the lineage has a number (R-175)."""
    for entry in case.resource.spec["lineage"]["entries"]:
        if "registration" not in need(case, "catalogue-entry", entry).status:
            raise fail("NOT_REGISTERED", entry=entry)


def own_scenario(case: Case) -> None:
    """Guard: offered only to the scenario it was made under, while that is granted (R-092, R-097)."""
    scenario = case.world.get("scenario", case.payload.scenario)
    if scenario is None or scenario.state not in GRANTING:
        raise fail(
            "NOT_GRANTED", scenario=case.payload.scenario, state=scenario.state if scenario else "unknown"
        )
    if scenario.id != case.resource.spec["scenario"]:
        raise fail("PRODUCT_NOT_OFFERED", product=case.resource.id, scenario=scenario.id)


def registration(case: Case) -> dict[str, Any]:
    """Record: the number, linked to the numbers of all sources, which come from lineage and not by hand."""
    return {
        "registration": {
            **signed(case),
            "sources": {
                entry: need(case, "catalogue-entry", entry).status["registration"]["registration_no"]
                for entry in case.resource.spec["lineage"]["entries"]
            },
        }
    }


def offered(case: Case) -> dict[str, Any]:
    """Record: to whom it is offered."""
    return {"offer": signed(case)}


def prepare(case: Case, after: Resource) -> Iterable[Command]:
    """Effect: the approved request may now be released."""
    yield Command("egress-request", after.spec["request"], "prepare")


def labels(case: Case) -> dict[str, str]:
    """Index: by scenario, agreement and egress request."""
    spec: ProductSpec = case.payload
    found = {"scenario": spec.scenario, "agreement": spec.agreement, "job": spec.job}
    return found | ({"request": spec.request} if spec.request else {})


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """Its maker and supervisors; a primary product also to the developer of the scenario it is offered to."""
    if actor.role in READS_ALL or actor.organisation == resource.organisation:
        return True
    scenario = world.get("scenario", resource.spec["scenario"])
    return scenario is not None and resource.state == "offered" and user_of(scenario) == actor.organisation


def view(actor: Actor, resource: Resource) -> Resource:
    """A developer sees a primary product's columns, not its hash (a hash of few rows can be guessed) nor the
    measured k (a count of people); its maker sees the k, to mend the recipe by."""
    if actor.role in READS_ALL or resource.spec["level"] == 2:
        return resource
    spec = {key: value for key, value in resource.spec.items() if key != "artefact_sha256"}
    if actor.organisation != resource.organisation and spec.get("anonymity"):
        spec["anonymity"] = {key: value for key, value in spec["anonymity"].items() if key != "k"}
    offer = {key: value for key, value in resource.status.items() if key == "offer"}
    return limited(resource, spec=spec, status=offer)


SUPERVISOR = frozenset({Role.REVIEWER, Role.IMPLEMENTING_BODY, Role.DATA_AUTHORITY})


def supervising(case: Case) -> None:
    """Guard: a person who suspends or recalls is of the authorising side."""
    if case.actor.role == Role.SYSTEM:
        return
    authorising_side(case_of_scenario(case))


def case_of_scenario(case: Case) -> Case:
    """The same case seen from the product's scenario."""
    return Case(
        need(case, "scenario", case.resource.spec["scenario"]),
        case.actor,
        case.payload,
        case.policy,
        case.now,
        case.world,
        case.term,
    )


# fmt: off
TRANSITIONS = (
    Transition("create", (), "draft", MACHINE | OPERATING, "形成产品", "make", "GD 25, 26, 27; CD 17(三)(五)",
               payload=ProductSpec, guards=(reviewed,)),
    Transition("offer", ("draft",), "offered", OPERATOR, "提供给场景", "offer to scenario", "GZ 二(四)",
               payload=Offer, guards=(own, own_scenario), record=offered),
    Transition("register", ("draft",), "registered", OPERATING, "登记", "register", "GD 27; CD 18; GZ 二(四)",
               payload=Registration, guards=(own, still_reviewed, sources_registered),
               record=registration, effects=(prepare,)),
    Transition("suspend", ("draft", "offered", "registered"), "suspended", SUPERVISOR | MACHINE, "暂停",
               "suspend", "CD 26; GD 39", payload=Cause, guards=(supervising,)),
    Transition("withdraw", ("draft", "offered", "suspended"), "withdrawn", OPERATING, "撤回", "withdraw",
               "CD 26", payload=Cause, guards=(own,)),
    Transition("recall", ("registered", "suspended"), "recalled", SUPERVISOR | MACHINE, "召回", "recall",
               "CN (十三); GD 39", payload=Cause, guards=(supervising,)),
)
# fmt: on

KIND = Kind(
    name=NAME,
    zh="数据产品",
    en="data product",
    prefix="pr",
    spec=ProductSpec,
    labels=labels,
    machine=frozenset({"anonymity", "anonymised"}),
    visible=visible,
    view=view,
    states=(
        State("draft", "待登记或待提供", "to be registered or offered", "operator"),
        State("offered", "已向场景提供", "offered to its scenario", "operator"),
        State("registered", "已登记", "registered", "developer"),
        State("suspended", "已暂停", "suspended", "implementing_body"),
        State("withdrawn", "已撤回", "withdrawn", ""),
        State("recalled", "已召回", "recalled", ""),
    ),
    transitions=TRANSITIONS,
)
