"""Catalogue entry (公共数据资源目录条目): lifecycle of requirements D.9, grading of R-001."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any, Self

from pydantic import Field as Bound
from pydantic import model_validator

from sandbox.catalog import codes  # noqa: F401  (defines the error codes)
from sandbox.catalog.stated import Stated
from sandbox.core.actor import Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Kind, Model, Nothing, State, Transition, World
from sandbox.core.records import own, signed
from sandbox.core.resource import Resource

USABLE = frozenset({"included", "conditional"})


class FieldType(StrEnum):
    """The types that a snapshot's columns can have."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    DECIMAL = "decimal"
    DATE = "date"
    DATETIME = "datetime"
    BOOLEAN = "boolean"


class Flag(StrEnum):
    """Statutory classes of a field, apart from its level."""

    PERSONAL = "personal"
    SENSITIVE_PERSONAL = "sensitive_personal"
    ENTERPRISE_CONFIDENTIAL = "enterprise_confidential"
    SECRET = "secret"  # noqa: S105  (a class of data)


class FieldRole(StrEnum):
    """What a field does in re-identification: which checks look at it."""

    IDENTIFIER = "identifier"
    QUASI = "quasi"
    SENSITIVE = "sensitive"
    OTHER = "other"


class EntryField(Stated):
    """One column. ``level`` 1 (public) to 4 (most sensitive); without level or category it is ungraded."""

    name: str = Bound(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")
    title_zh: str
    title_en: str
    type: FieldType
    category: str | None = None
    level: int | None = Bound(default=None, ge=1, le=4)
    flags: tuple[Flag, ...] = ()
    role: FieldRole = FieldRole.OTHER

    @model_validator(mode="after")
    def _ends_of_its_type(self) -> Self:
        days = self.type in (FieldType.DATE, FieldType.DATETIME)
        for end in (self.minimum, self.maximum):
            if end is not None and isinstance(end, date) != days:
                raise ValueError("minimum and maximum are days of a date, numbers of a number")
        return self


class EntrySpec(Model):
    """What the provider states. ``entity`` is the column naming the person or enterprise; none: each row.
    ``entity_domain``: the name that resources telling of the same entities share, so that what is asked of
    them under differential privacy adds up (R-134); none: the resource by itself.
    ``sensitive_group``: it is of minors, patients, aided persons and the like, and the stricter threshold of
    cells holds for what is made of it (R-136)."""

    title_zh: str
    title_en: str
    description: str = ""
    category: str
    fields: tuple[EntryField, ...] = Bound(min_length=1)
    entity: str | None = None
    entity_domain: str = Bound(default="", pattern=r"^([a-z][a-z0-9-]{1,62})?$")
    sensitive_group: bool = False
    update_frequency: str = Bound(pattern=r"^(once|yearly|quarterly|monthly|weekly|daily)$")
    origin_provider: str | None = None  # 共享数据的原提供单位


class Registration(Model):
    """公共数据资源登记: number, date, registrar."""

    registration_no: str = Bound(min_length=3)
    registered_on: date
    registrar: str


class Refusal(Model):
    """Not in scope: reason and law (GD 11)."""

    reason: str = Bound(min_length=2)
    law: str = Bound(min_length=2)


def graded(case: Case) -> None:
    """Guard: every field carries a category and a level; the entity key is one of the fields (R-001); what
    is stated of an identifier is its form, never its values: the catalogue is public, dummy data copy it."""
    spec: EntrySpec = case.payload
    names = [field.name for field in spec.fields]
    for field in spec.fields:
        if field.level is None or not field.category:
            raise fail("UNGRADED", field=field.name)
        if names.count(field.name) > 1:
            raise fail("FIELD_TWICE", field=field.name)
        literal = field.pattern is not None and not {"#", "@"} & set(field.pattern)
        if field.role is FieldRole.IDENTIFIER and (field.code_list or literal):
            raise fail("IDENTIFIER_LISTED", field=field.name)
    if spec.entity is not None and spec.entity not in names:
        raise fail("ENTITY_UNKNOWN", column=spec.entity)
    for field in spec.fields:
        if field.determined_by is not None and field.determined_by not in names:
            raise fail("DETERMINED_UNKNOWN", field=field.name, column=field.determined_by)


def four_eyes(case: Case) -> None:
    """Guard: confirmed by a natural person other than the editor (R-026)."""
    if case.resource.status["edited"]["person"] == case.actor.person:
        raise fail("FOUR_EYES")


def domain_kept(case: Case) -> None:
    """Guard: entity and domain stay once something was asked of them under differential privacy (R-134).

    Another domain would have a budget of which nothing is spent; another column would make of one person as
    many entities as it has values for them, each protected by itself."""
    before, after = case.resource.spec, case.payload
    kept = (after.entity_domain, after.entity) == (before.get("entity_domain", ""), before["entity"])
    if not kept and case.world.find("dp-budget", labels={"dataset": case.resource.id}):
        raise fail("DOMAIN_FIXED", entry=case.resource.id)


def edited(case: Case) -> dict[str, Any]:
    """Record: who edited; the specification itself becomes the resource's new version."""
    return {"edited": {"by": case.actor.account, "person": case.actor.person, "at": case.now.isoformat()}}


def registered(case: Case) -> dict[str, Any]:
    """Record: the registration number, where lineage and packages read it."""
    return {"registration": signed(case)}


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """The catalogue is open to everybody once confirmed; before that only to its provider."""
    return resource.organisation == actor.organisation or resource.state != "graded"


PROVIDER = frozenset({Role.PROVIDER})
LIVE = ("confirmed", "included", "conditional")

# fmt: off
TRANSITIONS = (
    Transition("create", (), "graded", PROVIDER, "编制", "compile", "GZ 二(四); CD 5, 8",
               payload=EntrySpec, guards=(graded,), record=edited),
    Transition("edit", ("graded", *LIVE, "excluded"), "graded", PROVIDER, "更新", "update", "CD 8; GD 11",
               payload=EntrySpec, guards=(own, graded, domain_kept), record=edited),
    Transition("confirm", ("graded",), "confirmed", PROVIDER, "确认", "confirm", "GM 六(三)",
               guards=(own, four_eyes)),
    Transition("register", LIVE, "confirmed", PROVIDER, "登记", "register", "CN (四); GD 9",
               payload=Registration, guards=(own,), record=registered),
    Transition("include", LIVE, "included", PROVIDER, "纳入授权运营", "include", "GD 11", Nothing,
               (own,)),
    Transition("make_conditional", LIVE, "conditional", PROVIDER, "有条件纳入", "make conditional",
               "GD 11", Nothing, (own,)),
    Transition("exclude", LIVE, "excluded", PROVIDER, "不予纳入", "exclude", "GD 11", payload=Refusal,
               guards=(own,)),
    Transition("withdraw", ("graded", *LIVE, "excluded"), "withdrawn", PROVIDER, "撤销", "withdraw",
               "GD 11", guards=(own,)),
)
# fmt: on

KIND = Kind(
    name="catalogue-entry",
    zh="目录条目",
    en="catalogue entry",
    prefix="ce",
    spec=EntrySpec,
    visible=visible,
    states=(
        State("graded", "已分级，待确认", "graded, to be confirmed", "provider"),
        State("confirmed", "已确认", "confirmed", "provider"),
        State("included", "纳入授权", "included", "provider"),
        State("conditional", "有条件授权", "conditional", "provider"),
        State("excluded", "不予授权", "excluded", "provider"),
        State("withdrawn", "已撤销", "withdrawn", ""),
    ),
    transitions=TRANSITIONS,
)
