"""What a request is held against by eye: the last release of the same scenario or product. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sandbox.core.resource import Resource

NAME = "egress-request"


class Shelf(Protocol):
    """Where resources are found: a transaction of the store, or the world that guards see."""

    def get(self, kind: str, id: str) -> Resource | None: ...

    def find(
        self, kind: str, *, state: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Resource]: ...


def canonical_of(request: Resource) -> dict[str, str]:
    """The canonical files of a checked request: path -> SHA-256."""
    return {file["path"]: file["sha256"] for file in request.status["check"]["canonical"]}


def last_release(shelf: Shelf, request: Resource, path: str) -> Resource | None:
    """The newest released request with a file called ``path``: of the same scenario, else made from one of
    the same primary products under the same agreement. None if there is none."""

    def released(**labels: str) -> list[Resource]:
        found = shelf.find(NAME, state="released", labels=labels)
        return [one for one in found if one.id != request.id and path in canonical_of(one)]

    def products(one: Resource) -> set[str]:
        job = shelf.get("job", one.spec["job"])
        return set(job.status["lineage"]["products"]) if job else set()

    found = released(scenario=request.labels["scenario"])
    if not found and (mine := products(request)):
        alike = released(agreement=request.labels["agreement"])
        found = [one for one in alike if products(one) & mine]
    return max(found, key=lambda one: str(one.status["release"]["at"]), default=None)
