"""What people and the machine have recorded on a resource, as the page tells it: an act, who did it when,
and what they said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.console.labels import FIELDS, ROLES
from sandbox.console.visit import Visit
from sandbox.console.words import when
from sandbox.core.lifecycle import Kind

SIGNATURE = ("by", "organisation", "role", "at", "salt")  # told in one line, the salt not at all


@dataclass(frozen=True)
class Record:
    """``signed`` is who did it and when, "" for what nobody signs; ``rest`` is what else was recorded."""

    label: str
    signed: str
    rest: Any


def records(visit: Visit, kind: Kind, status: Mapping[str, Any]) -> tuple[Record, ...]:
    """The status in its order; lists of signed acts become one record each."""
    names = {row.event: visit.named(row) for row in kind.transitions}
    found = []
    for key, value in status.items():
        label = names.get(key) or visit.say(FIELDS.get(key, key))
        several = isinstance(value, list) and value and all(_is_signed(one) for one in value)
        found += [_record(visit, label, one) for one in (value if several else [value])]
    return tuple(found)


def _is_signed(value: Any) -> bool:
    return isinstance(value, Mapping) and "by" in value and "at" in value


def _record(visit: Visit, label: str, value: Any) -> Record:
    if not _is_signed(value):
        return Record(label, "", value)
    said = [value["by"], value.get("organisation"), visit.say(ROLES.get(value.get("role", ""), ""))]
    told = " · ".join(str(part) for part in (*said, when(value["at"])) if part)
    return Record(label, told, {name: one for name, one in value.items() if name not in SIGNATURE})
