"""Which transform the policy requires of a field, by its level and class (R-132). Pure; no library of ours
but core.

A *class* is what a field's flags and role make it, the first of these that fits:

=============  ===============================================================================
identifier     names its person by itself: role ``identifier``; or personal and neither ``quasi`` nor
               ``sensitive`` (its role says nothing); or the declared entity (``with_entity``)
confidential   flag ``enterprise_confidential``
sensitive      flag ``sensitive_personal`` or role ``sensitive``
quasi          role ``quasi``
other          the rest
=============  ===============================================================================

The policy's table ``desensitise.required`` has, for each class, four lists, of the levels 1 to 4: the methods
of which a field in a product must have met one. An empty list asks for nothing. A field that leaves the
product by ``drop`` is always right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sandbox.policy.methods import CLASSES

UNGRADED = 4  # the level of a field that has none: the strictest row

Required = Mapping[str, Sequence[Sequence[str]]]


def needs_desensitising(field: Mapping[str, Any]) -> bool:
    """Is a catalogue field (flags, role) an identifier of a person or enterprise? A personal field whose role
    says nothing counts as one: a catalogue fills ``other`` in where nobody stated a role, and a name that
    nobody looked at is a name."""
    role = field.get("role")
    personal = {"personal", "sensitive_personal"} & set(field.get("flags") or ())
    return role == "identifier" or (bool(personal) and role not in ("quasi", "sensitive"))


def with_entity(fields: Sequence[Mapping[str, Any]], entity: str | None) -> list[dict[str, Any]]:
    """``fields`` with the declared entity as an identifier, whatever role it was given: it tells persons
    apart, or it would be no entity."""
    return [{**field, **({"role": "identifier"} if field["name"] == entity else {})} for field in fields]


def class_of(field: Mapping[str, Any]) -> str:
    """The class of a catalogue field (flags, role)."""
    role, flags = field.get("role"), set(field.get("flags") or ())
    tests = (
        needs_desensitising(field),
        "enterprise_confidential" in flags,
        "sensitive_personal" in flags or role == "sensitive",
        role == "quasi",
        True,
    )
    return CLASSES[tests.index(True)]


def required_of(field: Mapping[str, Any], table: Required) -> tuple[str, ...]:
    """The methods of which one is required; empty: none is. A class that the table lacks asks for all that
    there is: it must be dropped."""
    rows = table.get(class_of(field))
    if rows is None:
        return ("drop",)
    level = field.get("level") or UNGRADED
    return tuple(rows[int(level) - 1])


def met(required: Sequence[str], methods: Iterable[str]) -> bool:
    """Whether a column that went through ``methods`` meets what is required."""
    return not required or bool(set(required) & set(methods))
