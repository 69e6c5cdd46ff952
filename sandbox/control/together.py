"""Several resources at once, as somebody may see them: one transaction for a page that names many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sandbox.control.door import Control, Sight, shown
from sandbox.control.kinds import kind_of
from sandbox.core.actor import Actor
from sandbox.core.resource import Resource

Seen = Mapping[tuple[str, str], Resource]


def together(control: Control, actor: Actor, refs: Iterable[tuple[str, str]]) -> Seen:
    """Of ``refs`` (kind, id) those that ``actor`` may know of, each as ``Control.get`` would show it.

    Raises NOT_FOUND for a kind that does not exist, NO_DATA_RIGHT.
    """
    wanted = list(dict.fromkeys(refs))
    for kind in dict.fromkeys(kind for kind, _ in wanted):
        kind_of(kind)
        control.may_look(actor, kind)
    found: dict[tuple[str, str], Resource] = {}
    with control.store.read() as reader:
        sight = Sight(reader, settled=True)
        for kind, id in wanted:
            one = sight.get(kind, id)
            if one is not None and control.sees(actor, one, sight):
                found[kind, id] = shown(actor, one)
    return found
