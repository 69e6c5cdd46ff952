"""Negative list (负面清单): which entries are excluded is decided by this list, not by code (R-005)."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.catalog import codes  # noqa: F401
from sandbox.core.actor import Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Command, Kind, Model, State, Transition, World
from sandbox.core.records import need
from sandbox.core.resource import Resource

NAME = "negative-list-entry"


class NegativeSpec(Model):
    """An excluded catalogue entry, with the reason and the law."""

    entry: str
    reason: str
    law: str


def not_listed(world: World, entry: str) -> None:
    """The one test behind all five gates; raises NEGATIVE_LIST."""
    if world.find(NAME, state="listed", labels={"entry": entry}):
        raise fail("NEGATIVE_LIST", entry=entry)


def entry_exists(case: Case) -> None:
    """Guard: the excluded entry is in the catalogue."""
    need(case, "catalogue-entry", case.payload.entry)


def stop_use(case: Case, after: Resource) -> Iterable[Command]:
    """Effect: supplies of the entry stop, and jobs that mount it are stopped, in the same transaction."""
    entry = after.spec["entry"]
    why = {"cause": "NEGATIVE_LIST"}
    for supply in case.world.find("supply", labels={"entry": entry}):
        if supply.state in ("in_transfer", "quarantined", "loaded", "available", "paused"):
            yield Command("supply", supply.id, "emergency_stop", why)
    for job in case.world.find("job", state=("queued", "provisioning", "running")):
        if entry in job.status.get("lineage", {}).get("entries", []):
            yield Command("job", job.id, "kill", why)


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """The list is public."""
    return True


AUTHORITY = frozenset({Role.DATA_AUTHORITY})

# fmt: off
TRANSITIONS = (
    Transition("create", (), "listed", AUTHORITY, "列入负面清单", "list", "GZ 二(一)",
               payload=NegativeSpec, guards=(entry_exists,), effects=(stop_use,)),
    Transition("lift", ("listed",), "lifted", AUTHORITY, "移出负面清单", "lift", "GZ 二(一)"),
)
# fmt: on

KIND = Kind(
    name=NAME,
    zh="负面清单条目",
    en="negative-list entry",
    prefix="nl",
    spec=NegativeSpec,
    labels=lambda case: {"entry": case.payload.entry},
    visible=visible,
    states=(
        State("listed", "在列", "listed", "data_authority"),
        State("lifted", "已移出", "lifted", ""),
    ),
    transitions=TRANSITIONS,
)
