"""What the door would say to a creation, asked beforehand: nothing is written but a refusal's note.

The answers are those of the creation itself, guard by guard, so that nobody learns here what they would not
learn by submitting; a refusal is logged as there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785
from pydantic import BaseModel, ValidationError

from sandbox.control.door import Control, Sight
from sandbox.control.kinds import kind_of
from sandbox.core.actor import Actor
from sandbox.core.errors import SandboxError, fail
from sandbox.core.lifecycle import Case, Kind
from sandbox.core.resource import Resource

FORM = "form"  # the name under which role and shape of the specification are asked


@dataclass(frozen=True)
class Answer:
    """One guard of the creation, by its name: ``asked`` is False where an earlier one has refused."""

    guard: str
    asked: bool
    refusal: SandboxError | None = None


def rehearse(control: Control, actor: Actor, kind: str, spec: Mapping[str, Any]) -> tuple[Answer, ...]:
    """What creating a ``kind`` with ``spec`` would be answered now, the first refusal ending it.

    Raises NOT_FOUND for a kind that there is not.
    """
    table = kind_of(kind)
    answers: list[Answer] = []
    try:
        for name in _asked(control, actor, table, spec):
            answers.append(Answer(name, True))
    except SandboxError as error:
        row = [FORM, *(guard.__name__ for guard in table.create.guards)]
        answers.append(Answer(row[len(answers)], True, error))
        answers += [Answer(name, False) for name in row[len(answers) :]]
        control.note(actor, "rehearse", f"{kind}/-", reason=error.code)
    return tuple(answers)


def _asked(control: Control, actor: Actor, table: Kind, spec: Mapping[str, Any]) -> Iterator[str]:
    """The names of what has raised no objection, one after another."""
    row = table.create
    if actor.role not in row.by:
        may = ", ".join(sorted(str(role) for role in row.by))
        raise fail("ROLE", role=str(actor.role), event=row.event, may=may)
    for name in sorted(table.machine & spec.keys()):
        raise fail("MACHINE_ONLY", field=name)
    payload = _parsed(row.payload, spec, row.event)
    yield FORM
    with control.store.read() as reader:
        present = Resource(table.name, "-", actor.organisation, "", {})
        case = Case(present, actor, payload, control.policy, control.clock(), Sight(reader), control.term)
        for guard in row.guards:
            guard(case)
            yield guard.__name__


def _parsed(model: type[BaseModel], spec: Mapping[str, Any], event: str) -> BaseModel:
    try:
        parsed = model.model_validate(dict(spec))
        rfc8785.dumps(parsed.model_dump(mode="json"))  # guards hash: as the door, nothing without this form
        return parsed
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or event
        raise fail("MALFORMED", what=where, why=first["msg"]) from error
    except (rfc8785.CanonicalizationError, ValueError, RecursionError) as error:
        raise fail("MALFORMED", what=event, why="no canonical JSON (RFC 8785): NaN, 2^53, …") from error
