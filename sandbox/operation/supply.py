"""Supply (数据供给): requirements D.3. By signed manifest, through the provider's connector only (R-088)."""

from __future__ import annotations

import base64
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field as Bound

from sandbox.authorisation.agreement import active
from sandbox.authorisation.assessment import authorising_side
from sandbox.authorisation.scenario_spec import LIVE as GRANTING
from sandbox.authorisation.scenario_spec import Cause, user_of
from sandbox.catalog.entry import USABLE
from sandbox.catalog.negative import not_listed
from sandbox.core.actor import BODY, MACHINE, READS_ALL, Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Kind, Model, State, Transition, World
from sandbox.core.records import limited, need, own, signed
from sandbox.core.resource import Resource
from sandbox.operation import codes  # noqa: F401

NAME = "supply"


class Manifest(Model):
    """What will be delivered: signed by the provider over the RFC 8785 form without the signature."""

    entry: str
    agreement: str
    scenario: str
    sha256: str = Bound(pattern="^[0-9a-f]{64}$")
    rows: int | None = Bound(default=None, ge=0)
    format: str = Bound(pattern="^(csv|parquet)$")
    supplied_at: str
    key_id: str
    signature: str  # base64 Ed25519
    bytes: int = Bound(ge=1)


def signed_part(manifest: Manifest) -> bytes:
    """What the signature is over."""
    return rfc8785.dumps(manifest.model_dump(mode="json", exclude={"signature"}))


class SupplySpec(Model):
    """One delivery of one resource into one scenario's workspace."""

    agreement: str
    scenario: str
    entry: str
    manifest: Manifest


class Delivery(Model):
    """What arrived, as counted by the receiving side."""

    sha256: str
    bytes: int


class Snapshot(Model):
    """The immutable, content-addressed result of the ingest. ``grading``: what its profile proposes and where
    the entry says less, or the code why there is none; it is told, and decides nothing."""

    sha256: str
    rows: int
    entities: int
    columns: tuple[dict[str, Any], ...]
    task: dict[str, Any]
    grading: dict[str, Any] = Bound(default_factory=dict)


class LoadRefusal(Model):
    """Why nothing was loaded: the ingest's code and its closed details."""

    code: str
    details: dict[str, Any] = Bound(default_factory=dict)


def provider_of_entry(case: Case) -> None:
    """Guard: the resource's own provider supplies it."""
    entry = need(case, "catalogue-entry", case.payload.entry)
    if entry.organisation != case.actor.organisation:
        raise fail("NOT_YOURS")


def connector_only(case: Case) -> None:
    """Guard: people upload nothing, and operators least of all (R-088)."""
    if case.actor.role != Role.CONNECTOR:
        raise fail("MANUAL_UPLOAD")


def active_grant(case: Case) -> None:
    """Guard: agreement active, scenario granted, resource usable and on its list (R-089)."""
    spec: SupplySpec = case.payload
    active(case, case.world.get("agreement", spec.agreement), spec.agreement)
    scenario = case.world.get("scenario", spec.scenario)
    if scenario is None or scenario.state not in GRANTING:
        raise fail("NOT_GRANTED", scenario=spec.scenario, state=scenario.state if scenario else "unknown")
    if scenario.spec["agreement"] != spec.agreement:
        raise fail("NOT_GRANTED", scenario=spec.scenario, state="of another agreement")
    entry = need(case, "catalogue-entry", spec.entry)
    not_listed(case.world, entry.id)
    if entry.state not in USABLE:
        raise fail("NOT_AUTHORISED", entry=entry.id, state=entry.state)
    if spec.entry not in {item["entry"] for item in scenario.status["grant"]["items"]}:
        raise fail("COLUMN_NOT_GRANTED", column="*", source=spec.entry)


def signed_manifest(case: Case) -> None:
    """Guard: the manifest tells of this supply and carries a valid signature of the provider."""
    spec: SupplySpec = case.payload
    manifest = spec.manifest
    same = (manifest.entry, manifest.agreement, manifest.scenario)
    key = need(case, "organisation", case.actor.organisation).spec["manifest_keys"].get(manifest.key_id)
    if key is None or same != (spec.entry, spec.agreement, spec.scenario):
        raise fail("MANIFEST_SIGNATURE")
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        public.verify(base64.b64decode(manifest.signature, validate=True), signed_part(manifest))
    except (InvalidSignature, ValueError) as error:
        raise fail("MANIFEST_SIGNATURE") from error


def whole(case: Case) -> None:
    """Guard: the bytes that arrived are those of the manifest."""
    manifest = case.resource.spec["manifest"]
    if (case.payload.sha256, case.payload.bytes) != (manifest["sha256"], manifest["bytes"]):
        raise fail("HASH_MISMATCH")


def still_active(case: Case) -> None:
    """Guard: the agreement is active (resuming a supply under a suspended one is not possible)."""
    name = case.resource.spec["agreement"]
    active(case, case.world.get("agreement", name), name)


def entry_graded(case: Case) -> dict[str, Any]:
    """Record: with which version of the catalogue entry the supply was accepted, and which column named the
    entity then."""
    entry = need(case, "catalogue-entry", case.payload.entry)
    registration = entry.status.get("registration", {})
    return {
        "accepted": {
            "entry_version": entry.version,
            "entity": entry.spec["entity"],
            "at": case.now.isoformat(),
        },
        "registration_no": registration.get("registration_no", ""),
        "provider": entry.organisation,
    }


def snapshot(case: Case) -> dict[str, Any]:
    """Record: the snapshot, and apart from it the proposed grading."""
    taken = signed(case)
    return {"grading": taken.pop("grading"), "snapshot": taken}


def refused(case: Case) -> dict[str, Any]:
    """Record: why the ingest refused."""
    return {"refused": signed(case)}


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """Provider, operator of the agreement, supervisors; a developer sees states only of its scenario."""
    agreement = world.get("agreement", resource.spec["agreement"])
    scenario = world.get("scenario", resource.spec["scenario"])
    return (
        actor.role in READS_ALL
        or actor.organisation == resource.organisation
        or (agreement is not None and actor.organisation == agreement.spec["operator"])
        or (scenario is not None and actor.organisation == user_of(scenario))
    )


def labels(case: Case) -> dict[str, str]:
    """Index: by agreement, scenario, entry, and the operator who may see the counts."""
    spec: SupplySpec = case.payload
    operator = need(case, "agreement", spec.agreement).spec["operator"]
    named = {"agreement": spec.agreement, "scenario": spec.scenario, "entry": spec.entry}
    return {**named, "operator": str(operator)}


def view(actor: Actor, resource: Resource) -> Resource:
    """Provider and operator see it whole; the user of the grant that there is one, not its counts."""
    if actor.role in READS_ALL or actor.organisation in (resource.organisation, resource.labels["operator"]):
        return resource
    named = {key: resource.spec[key] for key in ("agreement", "scenario", "entry")}
    return limited(resource, spec=named, status={}, labels={})


CONNECTOR = frozenset({Role.CONNECTOR, Role.OPERATOR, Role.PROVIDER})  # the latter two to be told why not
FLOWING = ("in_transfer", "quarantined", "loaded", "available", "paused")

# fmt: off
TRANSITIONS = (
    Transition("create", (), "in_transfer", CONNECTOR, "发起供给", "announce", "GZ 二(四); CD 23; GD 24",
               payload=SupplySpec,
               guards=(connector_only, provider_of_entry, active_grant, signed_manifest),
               record=entry_graded, clock="supply.delivery_wd"),
    Transition("deliver", ("in_transfer",), "quarantined", CONNECTOR, "送达", "deliver", "CD 23, 29",
               payload=Delivery, guards=(connector_only, own, still_active, whole)),
    Transition("load", ("quarantined",), "loaded", MACHINE, "装载", "load", "CD 25; CN (四)",
               payload=Snapshot, record=snapshot),
    Transition("refuse", ("quarantined",), "refused", MACHINE, "拒绝装载", "refuse", "CN (四)",
               payload=LoadRefusal, record=refused),
    Transition("open", ("loaded",), "available", MACHINE, "开放", "make available", "CD 12, 28; GD 34",
               guards=(still_active,)),
    Transition("pause", ("available",), "paused", BODY | MACHINE, "暂停", "pause", "CD 34", payload=Cause,
               guards=(authorising_side,)),
    Transition("resume", ("paused",), "available", BODY | MACHINE, "恢复", "resume", "CD 34",
               payload=Cause, guards=(authorising_side, still_active)),
    Transition("emergency_stop", FLOWING, "stopped", BODY | MACHINE, "紧急停止", "stop at once",
               "GM 五(四); GD 25; GZ 二(一)", payload=Cause, guards=(authorising_side,)),
    Transition("destroy", ("stopped",), "destroyed", MACHINE, "销毁", "destroy", "GD 39", payload=Cause),
)
# fmt: on

KIND = Kind(
    name=NAME,
    zh="数据供给",
    en="supply",
    prefix="su",
    spec=SupplySpec,
    labels=labels,
    visible=visible,
    view=view,
    working=frozenset({"quarantined", "loaded"}),
    states=(
        State("in_transfer", "传送中", "in transfer", "connector"),
        State("quarantined", "隔离待检", "quarantined", "system"),
        State("loaded", "已装载", "loaded", "system"),
        State("refused", "拒绝装载", "refused", ""),
        State("available", "可用", "available", "operator"),
        State("paused", "已暂停", "paused", "implementing_body"),
        State("stopped", "已停止", "stopped", "implementing_body"),
        State("destroyed", "已销毁", "destroyed", ""),
    ),
    transitions=TRANSITIONS,
)
