"""Organisation (单位): its roles and its declared control relations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pydantic import Field as Bound

from sandbox.authorisation import codes  # noqa: F401
from sandbox.authorisation.affiliation import one_side, redevelopment_in_scope
from sandbox.core.actor import READS_ALL, Actor, Role
from sandbox.core.lifecycle import Case, Command, Kind, Model, State, Transition, World
from sandbox.core.resource import Resource


class Control(Model):
    """One declared owner: control as such, or a holding (share of 1)."""

    organisation: str
    share: float = Bound(default=0.0, ge=0, le=1)
    declared_control: bool = False


class OrganisationSpec(Model):
    """``manifest_keys``: key id -> raw Ed25519 public key (base64) that signs this provider's supplies."""

    name_zh: str
    name_en: str
    roles: tuple[Role, ...] = Bound(min_length=1)
    credit_code: str = ""
    region: str = "CN"  # ISO 3166-1 of registration and hosting; anything but CN is cross-border
    legal_representative: str = ""  # an opaque key of the person, not the name
    controlled_by: tuple[Control, ...] = ()
    agent_of: tuple[str, ...] = ()
    manifest_keys: dict[str, str] = Bound(default_factory=dict)


class Reason(Model):
    """Why."""

    reason: str = Bound(min_length=2)


def sides(case: Case) -> None:
    """Guard: not both the managing and the operating side (R-070)."""
    one_side({str(role) for role in case.payload.roles}, case.resource.id or case.payload.name_en)


def not_redeveloping(case: Case) -> None:
    """Guard: an operator of a live scope does not also become a developer (R-068 a)."""
    redevelopment_in_scope(case.world, case.policy, case.resource, {str(role) for role in case.payload.roles})


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """Names and roles of the parties are disclosed to all who are signed in."""
    return True


def view(actor: Actor, resource: Resource) -> Resource:
    """Who it is and as what it is registered; control relations and keys are for itself and supervisors."""
    if actor.role in READS_ALL | {Role.SPACE_ADMIN} or actor.organisation == resource.id:
        return resource
    return replace(resource, spec={key: resource.spec[key] for key in DISCLOSED}, status={})


def stop_work(case: Case, after: Resource) -> Iterable[Command]:
    """Effect: the jobs of an organisation that is suspended or has left do not run on."""
    for job in case.world.find("job", organisation=after.id, state=("queued", "provisioning", "running")):
        yield Command("job", job.id, "kill", {"cause": f"organisation {after.id} {after.state}"})


DISCLOSED = ("name_zh", "name_en", "roles", "credit_code", "region")
REGISTRAR = frozenset({Role.SPACE_ADMIN, Role.DATA_AUTHORITY})

# fmt: off
TRANSITIONS = (
    Transition("create", (), "registered", REGISTRAR, "登记", "register", "GZ 二(三); CD 3(五)",
               payload=OrganisationSpec, guards=(sides,)),
    Transition("amend", ("registered", "active"), "registered", REGISTRAR, "变更登记", "amend",
               "GZ 二(三): the separation-of-duty graph is checked anew at each change",
               payload=OrganisationSpec, guards=(sides, not_redeveloping)),
    Transition("activate", ("registered",), "active", REGISTRAR, "生效", "activate", "GZ 二(三)"),
    Transition("suspend", ("active",), "suspended", REGISTRAR, "暂停", "suspend", "GM 五(四)",
               payload=Reason, effects=(stop_work,)),
    Transition("resume", ("suspended",), "active", REGISTRAR, "恢复", "resume", "GM 五(四)"),
    Transition("leave", ("registered", "active", "suspended"), "exited", REGISTRAR, "退出", "leave",
               "GM 五(四)", payload=Reason, effects=(stop_work,)),
)
# fmt: on

KIND = Kind(
    name="organisation",
    zh="单位",
    en="organisation",
    prefix="org",
    spec=OrganisationSpec,
    visible=visible,
    view=view,
    states=(
        State("registered", "已登记", "registered", "data_authority"),
        State("active", "有效", "active", "data_authority"),
        State("suspended", "已暂停", "suspended", "data_authority"),
        State("exited", "已退出", "exited", ""),
    ),
    transitions=TRANSITIONS,
)
