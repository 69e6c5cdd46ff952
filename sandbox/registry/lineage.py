"""The one lineage graph: catalogue entry -> supply -> job -> product -> egress request -> delivery (R-191).

It is not stored a second time: the edges are read from the resources themselves, so it cannot disagree
with them.
"""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.core.lifecycle import World
from sandbox.core.resource import Resource

KINDS = ("supply", "job", "product", "egress-request")


def sources(resource: Resource) -> list[str]:
    """The refs that a resource was directly made of."""
    if resource.kind == "supply":
        return [f"catalogue-entry/{resource.spec['entry']}"]
    if resource.kind == "job":
        inputs = resource.status.get("lineage", {}).get("inputs", [])
        return [
            f"product/{item['product']}" if "product" in item else f"supply/{item['supply']}"
            for item in inputs
        ]
    if resource.kind == "product" and resource.spec["request"]:
        return [f"egress-request/{resource.spec['request']}"]
    return [f"job/{resource.spec['job']}"]  # an egress request, or a primary product


def deliveries(resource: Resource) -> list[str]:
    """Refs of the downloads of a released request: ``delivery/<request>/<n>@<recipient>``."""
    return [
        f"delivery/{resource.id}/{number}@{taken['organisation']}"
        for number, taken in enumerate(resource.status.get("downloads", []), 1)
    ]


def edges(world: World) -> set[tuple[str, str]]:
    """All edges (made of, made), over the whole store."""
    found: set[tuple[str, str]] = set()
    for kind in KINDS:
        for resource in world.find(kind):
            found |= {(source, resource.ref) for source in sources(resource)}
            found |= {(resource.ref, delivery) for delivery in deliveries(resource)}
    return found


def reach(starts: Iterable[str], pairs: set[tuple[str, str]]) -> set[str]:
    """Everything that can be walked to from ``starts`` along ``pairs``, without the starts."""
    onward: dict[str, set[str]] = {}
    for source, target in pairs:
        onward.setdefault(source, set()).add(target)
    seen: set[str] = set()
    frontier = list(starts)
    while frontier:
        for target in onward.get(frontier.pop(), ()):
            if target not in seen:
                seen.add(target)
                frontier.append(target)
    return seen


def trace(world: World, ref: str) -> dict[str, list[str]]:
    """Both ways from one resource: what it was made of, and what was made of it."""
    pairs = edges(world)
    return {
        "made_of": sorted(reach([ref], {(target, source) for source, target in pairs})),
        "made_into": sorted(reach([ref], pairs)),
    }
