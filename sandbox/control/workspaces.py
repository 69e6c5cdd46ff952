"""What lies in the workspaces of an agreement, counted: for its operator, who answers for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.control.door import Control
from sandbox.control.places import Places
from sandbox.core.actor import Actor
from sandbox.core.errors import fail

# what the operator itself puts there or receives; of the rest (a developer's outputs and logs, what a
# reviewer sees) the size would say more of a single file than the operator may know
OWN = frozenset({"quarantine", "raw", "primary", "tokens", "keys"})
GRAIN = 1 << 20  # bytes of the rest are rounded up to this
ORDER = (
    "quarantine", "raw", "primary", "tokens", "staging", "log", "sealed", "review", "answers", "assembled",
    "keys",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """One folder of a workspace. ``bytes`` of what is not the operator's own are rounded up to ``GRAIN``."""

    name: str
    files: int
    bytes: int
    exact: bool


@dataclass(frozen=True)
class Workspace:
    """The workspace of one scenario. ``key_since``: when the wrapped key of the workspace was written, None
    where bytes rest in plain."""

    scenario: str
    folders: tuple[Place, ...]
    key_since: datetime | None


class Workspaces:
    """Counts of what lies in ``places``. Who asks gets numbers, and no way to a file."""

    def __init__(self, control: Control, places: Places) -> None:
        self._control, self._places = control, places

    @property
    def encrypted(self) -> bool:
        """Whether the bytes rest encrypted."""
        return self._places.vault.encrypted

    def of(self, actor: Actor, agreement: str) -> tuple[Workspace, ...]:
        """The workspaces of ``agreement`` as they are now.

        Raises NOT_FOUND for an agreement that the actor may not know of, NOT_YOURS for one that another
        operates, and what an encrypted vault raises that cannot be read.
        """
        found = self._control.get(actor, "agreement", agreement)
        if found.spec["operator"] != actor.organisation:
            self._control.note(actor, "read-workspaces", found.ref, reason="NOT_YOURS")
            raise fail("NOT_YOURS")
        counts: dict[str, dict[str, list[int]]] = {}
        for item in self._places.inventory(found.id):
            counts.setdefault(item["scenario"], {}).setdefault(item["place"], []).append(item["bytes"])
        return tuple(
            Workspace(scenario, tuple(_places(held.items())), _key_since(self._places, found.id, scenario))
            for scenario, held in sorted(counts.items())
        )


def _places(held: Iterable[tuple[str, list[int]]]) -> list[Place]:
    made = []
    for name, sizes in held:
        total, own = sum(sizes), name in OWN
        made.append(Place(name, len(sizes), total if own else -(-total // GRAIN) * GRAIN, own))
    return sorted(
        made, key=lambda one: (ORDER.index(one.name) if one.name in ORDER else len(ORDER), one.name)
    )


def _key_since(places: Places, agreement: str, scenario: str) -> datetime | None:
    record = places.vault.record(f"{agreement}/{scenario}")
    try:
        return datetime.fromtimestamp(record.stat().st_mtime, UTC) if record is not None else None
    except OSError:  # destroyed meanwhile
        return None
