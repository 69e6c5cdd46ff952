"""What an act that suspends, stops or withdraws would halt, before it is done, and what it has halted after.

What follows of itself is asked of the table's own effects, so that no second list can disagree with it;
what can no longer go on because a guard refuses it from then on (a release not yet made, a package not yet
taken, a job that waits) stands in ``WAITS``. Everything is read in one transaction and bounded by ``MOST`` of
a kind and state; what the actor may not know of is neither named nor counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sandbox.control.door import Control, Sight, shown
from sandbox.control.kinds import kind_of
from sandbox.core.actor import Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Reach, Transition, World
from sandbox.core.resource import Resource
from sandbox.store import Reader

MOST = 1000  # resources of a kind and state that are looked at
SHOWN = 20  # of them that are named

# what follows from a guard, not from an effect: a word for each
NOT_RELEASED, NOT_TAKEN, NOT_STARTED, NOT_SUPPLIED = (
    "not_released",
    "not_taken",
    "not_started",
    "not_supplied",
)

BEFORE_RELEASE = ("requested", "auto_check", "held_cross_border", "human_review", "approved", "releasing")
LISTING = (
    "formal_review",
    "provider_review",
    "assessment",
    "approved",
    "contract_pending",
    "granted",
    "amending",
)

# acts that halt something: kind -> events. Each moves the resource to a state in which the halt lasts.
HALTS: dict[str, tuple[str, ...]] = {
    "agreement": ("suspend", "terminate"),
    "organisation": ("suspend", "leave"),
    "rectification": ("create",),
    "negative-list-entry": ("create",),
    "catalogue-entry": ("exclude", "withdraw"),
    "scenario": ("revoke",),
    "supply": ("pause", "emergency_stop"),
    "product": ("suspend", "withdraw", "recall"),
    "egress-request": ("recall",),
}


@dataclass(frozen=True)
class Group:
    """Resources of one kind in one state, and what becomes of them: ``how`` is an event of theirs or one of
    the words above. ``found`` names the first ``SHOWN`` as the actor may see them; ``more``: there are more
    than ``count``, which is where counting ended."""

    kind: str
    state: str
    how: str
    count: int
    more: bool
    found: tuple[Resource, ...]


@dataclass(frozen=True)
class Wait:
    """Resources of ``kind`` in ``states`` under ``labels`` that cannot go on, if ``match`` says so."""

    kind: str
    states: tuple[str, ...]
    how: str
    labels: Callable[[Resource], Mapping[str, str]] = lambda about: {}
    match: Callable[[World, Resource, Resource], bool] = lambda world, about, one: True


def _own(name: str) -> Callable[[Resource], Mapping[str, str]]:
    return lambda about: {name: about.id}


def _untaken(world: World, about: Resource, one: Resource) -> bool:
    return not one.status.get("downloads")


def _reads(entry: Callable[[Resource], str]) -> Callable[[World, Resource, Resource], bool]:
    """Whether a job names the entry itself among its inputs."""
    return lambda world, about, one: entry(about) in {given.get("entry") for given in one.spec["inputs"]}


def _uses_product(world: World, about: Resource, one: Resource) -> bool:
    return about.id in {given.get("product") for given in one.spec["inputs"]}


def _of_request(world: World, about: Resource, one: Resource) -> bool:
    return bool(one.id == about.spec.get("request"))


def _made_of(world: World, about: Resource, one: Resource) -> bool:
    """Whether the outputs of a request go back to the entry (R-005)."""
    job = world.get("job", one.spec["job"])
    return job is not None and about.spec["entry"] in job.status.get("lineage", {}).get("entries", ())


def _made_of_untaken(world: World, about: Resource, one: Resource) -> bool:
    return _untaken(world, about, one) and _made_of(world, about, one)


def _lists(world: World, about: Resource, one: Resource) -> bool:
    return about.id in {item["entry"] for item in one.spec["list"]}


def _of_request_untaken(world: World, about: Resource, one: Resource) -> bool:
    return _of_request(world, about, one) and _untaken(world, about, one)


_AGREEMENT = (
    Wait("egress-request", BEFORE_RELEASE, NOT_RELEASED, _own("agreement")),
    Wait("egress-request", ("released",), NOT_TAKEN, _own("agreement"), _untaken),
)
_SUPPLY = (
    Wait(
        "job",
        ("queued",),
        NOT_STARTED,
        lambda about: {"scenario": about.spec["scenario"]},
        _reads(lambda about: str(about.spec["entry"])),
    ),
)
_PRODUCT = (
    Wait("job", ("queued",), NOT_STARTED, lambda about: {"scenario": about.spec["scenario"]}, _uses_product),
    Wait(
        "egress-request",
        ("approved", "releasing"),
        NOT_RELEASED,
        lambda about: {"scenario": about.spec["scenario"]},
        _of_request,
    ),
    Wait(
        "egress-request",
        ("released",),
        NOT_TAKEN,
        lambda about: {"scenario": about.spec["scenario"]},
        _of_request_untaken,
    ),
)
_ENTRY = (
    Wait("job", ("queued",), NOT_STARTED, match=_reads(lambda about: about.id)),
    Wait("scenario", LISTING, NOT_SUPPLIED, match=_lists),
)
WAITS: dict[tuple[str, str], tuple[Wait, ...]] = {
    ("agreement", "suspend"): _AGREEMENT,
    ("agreement", "terminate"): _AGREEMENT,
    ("scenario", "revoke"): (Wait("job", ("queued",), NOT_STARTED, _own("scenario")),),
    ("supply", "pause"): _SUPPLY,
    ("supply", "emergency_stop"): _SUPPLY,
    ("product", "suspend"): _PRODUCT,
    ("product", "withdraw"): _PRODUCT,
    ("product", "recall"): _PRODUCT,
    ("catalogue-entry", "exclude"): _ENTRY,
    ("catalogue-entry", "withdraw"): _ENTRY,
    ("negative-list-entry", "create"): (
        Wait("egress-request", BEFORE_RELEASE, NOT_RELEASED, match=_made_of),
        Wait("egress-request", ("released",), NOT_TAKEN, match=_made_of_untaken),
    ),
}

# what the effects of a kind's halting acts do to others: looked for afterwards
DONE: dict[str, tuple[tuple[str, str], ...]] = {
    "agreement": (
        ("scenario", "suspend"),
        ("scenario", "revoke"),
        ("supply", "pause"),
        ("supply", "emergency_stop"),
        ("job", "kill"),
        ("product", "suspend"),
    ),
    "rectification": (("scenario", "suspend"), ("supply", "pause"), ("job", "kill")),
    "organisation": (("job", "kill"),),
    "negative-list-entry": (("supply", "emergency_stop"), ("job", "kill")),
    "egress-request": (("product", "recall"),),
}

# creations that halt something: the field that says what they are about, and the kind it names
NAMES = {"rectification": ("agreement", "agreement"), "negative-list-entry": ("entry", "catalogue-entry")}


class _Bounded(Sight):
    """The world of a preview: no look-up gives more than ``MOST`` and one."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self._bounded = reader

    def find(
        self,
        kind: str,
        *,
        organisation: str | None = None,
        state: str | Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[Resource]:
        return self._bounded.find(kind, organisation=organisation, state=state, labels=labels, limit=MOST + 1)


def foreseen(control: Control, actor: Actor, kind: str, id: str, event: str) -> tuple[Group, ...]:
    """What ``event`` would halt now. Raises NOT_FOUND for what the actor may not know of, STATE or ROLE where
    the table does not offer them the event, NO_DATA_RIGHT."""
    table = kind_of(kind)
    control.may_look(actor, kind)
    with control.store.read() as reader:
        sight = _Bounded(reader)
        present = reader.get(kind, id)
        if present is None or not control.sees(actor, present, sight):
            raise fail("NOT_FOUND", kind=kind, id=id)
        row = next((one for one in table.possible(present.state) if one.event == event), None)
        if row is None:
            raise fail("STATE", kind=present.ref, state=present.state, event=event, possible="-")
        _offered(actor, row)
        return _groups(control, actor, sight, row, present, event)


def foreseen_new(control: Control, actor: Actor, kind: str, spec: Mapping[str, Any]) -> tuple[Group, ...]:
    """What creating one of ``kind`` with this much of a spec would halt; nothing where it says too little.
    Raises ROLE where the actor may not create one."""
    table = kind_of(kind)
    _offered(actor, table.create)
    with control.store.read() as reader:
        sight = _Bounded(reader)
        about, within = NAMES.get(kind, ("", ""))
        named = reader.get(within, str(spec.get(about, "")))
        if named is None or not control.sees(actor, named, sight):
            return ()
        present = Resource(kind, "-", actor.organisation, "", dict(spec))
        return _groups(control, actor, sight, table.create, present, table.create.event)


def led_to(kind: str, state: str) -> bool:
    """Whether a halting act leads to this state of the kind."""
    rows = kind_of(kind).transitions
    return any(one.event in HALTS.get(kind, ()) and one.target == state for one in rows)


def halted(control: Control, actor: Actor, kind: str, id: str) -> tuple[Group, ...]:
    """What the act that led to the present state has halted, and what waits for it to end; nothing where no
    such act did. Raises NOT_FOUND, NO_DATA_RIGHT."""
    control.may_look(actor, kind)
    with control.store.read() as reader:
        sight = _Bounded(reader)
        present = reader.get(kind, id)
        if present is None or not control.sees(actor, present, sight):
            raise fail("NOT_FOUND", kind=kind, id=id)
        rows = [one for one in kind_of(kind).transitions if one.event in HALTS.get(kind, ())]
        came = [one.event for one in rows if one.target == present.state]
        if not came or present.spec.get("suspend") is False:
            return ()
        since = _entered(reader, present)
        found = [
            (one, event)
            for other, event in DONE.get(kind, ())
            for one in _changed(reader, other, present, since)
            if _by(present, one, event, since)
        ]
        found += _waiting(sight, kind, came[0], present)
        return _grouped(control, actor, sight, found)


def _offered(actor: Actor, row: Transition) -> None:
    if actor.role not in row.by:
        may = ", ".join(sorted(str(role) for role in row.by))
        raise fail("ROLE", role=str(actor.role), event=row.event, may=may)


def _groups(
    control: Control, actor: Actor, sight: _Bounded, row: Transition, present: Resource, event: str
) -> tuple[Group, ...]:
    after = replace(present, state=row.target)
    case = Case(present, actor, None, control.policy, control.clock(), sight, control.term)
    found: list[tuple[Resource, str]] = []
    for effect in row.effects:
        for command in effect(case, after):
            one = None if command.creates else sight.get(command.kind, command.id)
            if one is not None:
                found.append((one, command.event))
    return _grouped(control, actor, sight, found + _waiting(sight, present.kind, event, present))


def _waiting(sight: World, kind: str, event: str, about: Resource) -> list[tuple[Resource, str]]:
    return [
        (one, wait.how)
        for wait in WAITS.get((kind, event), ())
        for state in wait.states
        for one in sight.find(wait.kind, state=state, labels=wait.labels(about) or None)
        if wait.match(sight, about, one)
    ]


def _grouped(
    control: Control, actor: Actor, sight: World, found: Iterable[tuple[Resource, str]]
) -> tuple[Group, ...]:
    """By kind, state and what becomes of them, in the order in which they were found."""
    groups: dict[tuple[str, str, str], list[Resource]] = {}
    for one, how in found:
        if control.sees(actor, one, sight):
            groups.setdefault((one.kind, one.state, how), []).append(one)
    return tuple(
        Group(
            kind,
            state,
            how,
            min(len(all), MOST),
            len(all) > MOST,
            tuple(shown(actor, one) for one in all[:SHOWN]),
        )
        for (kind, state, how), all in groups.items()
    )


def _entered(reader: Reader, present: Resource) -> datetime:
    """When the present state began."""
    began = present.changed_at
    for one in reversed(reader.history(present.kind, present.id)):
        if one.state != present.state:
            break
        began = one.changed_at
    assert began is not None  # stored
    return began


def _changed(reader: Reader, kind: str, about: Resource, since: datetime) -> list[Resource]:
    """Those of ``kind`` under ``about`` that changed since then, at most ``MOST`` and one."""
    agreement = {"agreement": about.id}.get(about.kind, about.spec.get("agreement", ""))
    reach = {
        "organisation": Reach(about.id),
        "negative-list-entry": None,
        "egress-request": Reach("", (("request", about.id),)),
    }.get(about.kind, Reach("", (("agreement", str(agreement)),)))
    page = reader.page(kind, reach=reach, order="changed", descending=True, limit=MOST + 1)
    return [one for one in page if one.changed_at is not None and one.changed_at >= since]


def _by(about: Resource, one: Resource, event: str, since: datetime) -> bool:
    """Whether the system did ``event`` to it on account of ``about``, since then."""
    told = one.status.get(event)
    if not isinstance(told, Mapping) or told.get("role") != Role.SYSTEM:
        return False
    if datetime.fromisoformat(told["at"]) < since:
        return False
    cause = str(told.get("cause", ""))
    if about.kind == "negative-list-entry":
        entry = about.spec["entry"]
        concerned = one.labels.get("entry") == entry or entry in one.status.get("lineage", {}).get(
            "entries", ()
        )
        return cause == "NEGATIVE_LIST" and concerned
    if about.kind == "rectification":
        return cause == f"agreement {about.spec['agreement']} active"
    return f"{cause} ".startswith(f"{about.kind} {about.id} ")
