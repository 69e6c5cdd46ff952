"""Lifecycles as tables.

A *kind* is one file: a pydantic model of its spec, its states, and its transitions. Everything else
(API, command line, audit entries, diagrams, the exhaustiveness tests) is read from the table, so a
rule that is not in a table does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from sandbox.core.actor import Actor, Role
from sandbox.core.resource import Resource


class Model(BaseModel):
    """Base of every spec and payload: unknown fields are errors, instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Nothing(Model):
    """The payload of an event that needs none."""


class Policy(Protocol):
    """What guards need of a profile. ``get`` raises POLICY_MISSING: an absent value never permits."""

    @property
    def id(self) -> str: ...

    def get(self, key: str) -> Any: ...


class World(Protocol):
    """Read-only sight of the other resources, in the transaction of the transition."""

    def get(self, kind: str, id: str) -> Resource | None: ...

    def find(
        self,
        kind: str,
        *,
        organisation: str | None = None,
        state: str | Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[Resource]: ...

    def persons(self, organisation: str) -> frozenset[str]:
        """The natural persons who hold an account in ``organisation``."""

    def roles(self, organisation: str) -> frozenset[str]:
        """The roles that accounts of ``organisation`` hold."""


@dataclass(frozen=True)
class Case:
    """All that a guard, a recorder or an effect may look at."""

    resource: Resource
    actor: Actor
    payload: Any  # the transition's payload model (the kind's spec on creation)
    policy: Policy
    now: datetime
    world: World
    term: Callable[[str], datetime]  # policy parameter (…_wd working, …_days calendar days) -> its end


@dataclass(frozen=True)
class Command:
    """A transition that follows from another one, carried out by the system in the same transaction."""

    kind: str
    id: str  # "" on creation: one is generated
    event: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    organisation: str = ""  # the owner; given on creation only
    creates: bool = False


Guard = Callable[[Case], None]  # raises a SandboxError to refuse
Recorder = Callable[[Case], dict[str, Any]]  # what the event adds to status
Effect = Callable[[Case, Resource], Iterable[Command]]


@dataclass(frozen=True)
class State:
    """``owner`` is who has the next move; a final state has none ("").

    ``lapse`` is the one event that the end of the state's clock brings about by itself (expiry,
    retention); without it the clock only raises the overdue flag: nothing is approved by lapse of time.
    """

    name: str
    zh: str
    en: str
    owner: str
    lapse: str = ""

    @property
    def final(self) -> bool:
        """No transition leads on; only records remain."""
        return self.owner == ""


@dataclass(frozen=True)
class Transition:
    """One row of a lifecycle table. An empty ``source`` is the creation."""

    event: str
    source: tuple[str, ...]
    target: str
    by: frozenset[Role]
    zh: str
    en: str
    cite: str  # article of the seed, or "default: reason"
    payload: type[Model] = Nothing
    guards: tuple[Guard, ...] = ()
    record: Recorder | None = None  # None: status[event] = payload + who + when
    effects: tuple[Effect, ...] = ()
    clock: str | Callable[[Case], datetime] | None = None  # policy parameter (…_wd, …_days), or the instant
    keeps_clock: bool = False  # the running deadline goes on (acts inside a review)


@dataclass(frozen=True)
class Reach:
    """Where to look for what somebody may see: belongs to ``organisation``, or carries one of ``labels``.

    It spares reading all of a kind to show a page of it. ``Kind.visible`` decides; a reach may be wider
    than it, never narrower.
    """

    organisation: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Kind:
    """One kind of resource. ``labels`` derives the indexed labels from the case of the creation or edit."""

    name: str
    zh: str
    en: str
    spec: type[Model]
    states: tuple[State, ...]
    transitions: tuple[Transition, ...]
    prefix: str  # of generated ids
    labels: Callable[[Case], dict[str, str]] = lambda case: {}
    visible: Callable[[Actor, Resource, World], bool] = lambda actor, resource, world: False
    reach: Callable[[Actor], Reach | None] = lambda actor: None  # None: anywhere
    view: Callable[[Actor, Resource], Resource] = lambda actor, resource: resource
    machine: frozenset[str] = frozenset()  # fields of spec and payloads that no person sets: MACHINE_ONLY
    working: frozenset[str] = frozenset()  # states in which the machine, not a person, has work to do

    @property
    def create(self) -> Transition:
        """The transition that brings one into being."""
        return next(row for row in self.transitions if not row.source)

    def state(self, name: str) -> State:
        """The state called ``name``."""
        return next(state for state in self.states if state.name == name)

    def row(self, event: str, state: str) -> Transition | None:
        """The row for ``event`` in ``state``, if the table has one."""
        return next((r for r in self.transitions if r.event == event and state in r.source), None)

    def possible(self, state: str) -> list[Transition]:
        """The rows that lead on from ``state``."""
        return [row for row in self.transitions if state in row.source]


def defects(kind: Kind) -> list[str]:
    """What is wrong with a table: the exhaustiveness rules, one sentence each; an empty list is a pass."""
    names = [state.name for state in kind.states]
    found: list[str] = [
        f"{kind.name}: state {n} stands twice" for n in {n for n in names if names.count(n) > 1}
    ]
    if sum(1 for row in kind.transitions if not row.source) != 1:
        found.append(f"{kind.name}: there must be exactly one creation")
    seen: set[tuple[str, str]] = set()
    for row in kind.transitions:
        for source in row.source or ("",):
            if (row.event, source) in seen:
                found.append(f"{kind.name}: {row.event} from {source or 'creation'} stands twice")
            seen.add((row.event, source))
        found += [
            f"{kind.name}: {row.event} names unknown state {name}"
            for name in (*row.source, row.target)
            if name not in names
        ]
        found += [
            f"{kind.name}: {row.event} has no {what}"
            for what, value in (("actor", row.by), ("citation", row.cite), ("label", row.zh and row.en))
            if not value
        ]
    reached = {row.target for row in kind.transitions if not row.source}
    while True:
        more = {r.target for r in kind.transitions if reached & set(r.source)} - reached
        if not more:
            break
        reached |= more
    found += [f"{kind.name}: state {name} cannot be reached" for name in names if name not in reached]
    for state in kind.states:
        leads_on = any(row.target != state.name for row in kind.possible(state.name))
        if state.final and leads_on:
            found.append(f"{kind.name}: final state {state.name} leads on")
        if state.lapse and kind.row(state.lapse, state.name) is None:
            found.append(f"{kind.name}: state {state.name} lapses by unknown event {state.lapse}")
        if not state.final and not leads_on:
            found.append(f"{kind.name}: state {state.name} has an owner and no way on")
    found += [f"{kind.name}: working state {name} is unknown" for name in kind.working if name not in names]
    return found
