"""A page of what somebody may see, without reading all there is."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.control.door import Control, Sight, shown
from sandbox.control.kinds import kind_of
from sandbox.core.actor import Actor
from sandbox.core.resource import Resource


def listed(
    control: Control,
    actor: Actor,
    kind: str,
    *,
    states: Sequence[str] = (),
    order: str = "created",
    descending: bool = True,
    after: str = "",
    limit: int = 50,
) -> tuple[list[Resource], bool]:
    """At most ``limit`` of ``kind`` that ``actor`` may see, each as they may see it, and whether more follow.

    ``after`` is the id of the last one of the page before. There is no count of all: it would tell of what
    the actor may not know of. Raises NOT_FOUND (no such kind, or ``after`` is nothing they may see),
    NO_DATA_RIGHT.
    """
    table = kind_of(kind)
    control.may_look(actor, kind)
    if after:
        control.get(actor, kind, after)
    found: list[Resource] = []
    with control.store.read() as reader:
        sight = Sight(reader, settled=True)
        while True:
            batch = reader.page(
                kind,
                states=states,
                reach=table.reach(actor),
                order=order,
                descending=descending,
                after=after,
                limit=limit + 1,
            )
            for one in batch:
                if not control.sees(actor, one, sight):
                    continue
                if len(found) == limit:
                    return found, True
                found.append(shown(actor, one))
            if len(batch) <= limit:
                return found, False
            after = batch[-1].id
