"""What a crash leaves behind in the folders of the domain: bytes that no row names. Found and removed.

Bytes are written before the row that names them, so a worker that dies in between leaves them over. The
table ``KEEPERS`` says which rows name the bytes of a place, and in which states a row may be writing there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sandbox.control.places import Places
from sandbox.core.resource import Resource
from sandbox.operation.dp_release import NAME as DP_RELEASE
from sandbox.operation.outcome import kept
from sandbox.operation.reidentification import NAME as REIDENTIFICATION
from sandbox.operation.tokens import left_by
from sandbox.review.ledger import stays
from sandbox.store import Store

PART_SECONDS = 3600.0  # a file half written and untouched for so long has no writer any more


@dataclass(frozen=True)
class Keeper:
    """``names`` gives the hashes that a row of ``kind`` keeps; in the states ``busy`` (kind, states) a row
    may have written what it does not name yet."""

    place: str
    kind: str
    names: Callable[[Resource], Iterable[str]]
    busy: tuple[str, tuple[str, ...]] | None = None
    everywhere: bool = False  # rows of every scenario name the bytes of the place


def _delivered(supply: Resource) -> Iterable[str]:
    """Until it is loaded or refused; afterwards the snapshot stands for it, or nothing does."""
    return [supply.spec["manifest"]["sha256"]] if supply.state in ("in_transfer", "quarantined") else []


def _snapshot(supply: Resource) -> Iterable[str]:
    return [supply.status["snapshot"]["sha256"]] if "snapshot" in supply.status else []


def _product(product: Resource) -> Iterable[str]:
    return [product.spec["artefact_sha256"]] if product.spec.get("artefact_sha256") else []


def _cells(request: Resource) -> Iterable[str]:
    """What was released stays for good: later requests are compared with it."""
    told = request.status.get("check", {}).get("ledger")
    return [file["sha256"] for file in told["files"]] if told and stays(request) else []


def _canonical(request: Resource) -> Iterable[str]:
    return [file["sha256"] for file in request.status.get("check", {}).get("canonical", [])]


def _sealed(release: Resource) -> Iterable[str]:
    """An answer that was paid for stays as long as the workspace: who asks the same again is given it."""
    return [release.status["seal"]["sha256"]] if release.state == "sealed" else []


def _vault(job: Resource) -> Iterable[str]:
    """Every state of the token vault stays: a product's tokens are led back by the one that its job left."""
    return [left_by(job)] if left_by(job) else []


def _answer(asked: Resource) -> Iterable[str]:
    return [asked.status["answer"]["sha256"]] if asked.state in ("answered", "closing") else []


KEEPERS = (
    Keeper("quarantine", "supply", _delivered),
    Keeper("raw", "supply", _snapshot, ("supply", ("quarantined",))),
    Keeper("staging", "job", lambda job: kept(job, "staging"), ("job", ("succeeded",))),
    Keeper("log", "job", lambda job: kept(job, "log"), ("job", ("running",))),
    Keeper("sealed", DP_RELEASE, _sealed, ("job", ("succeeded",))),
    Keeper("primary", "product", _product, ("job", ("succeeded",))),
    Keeper("tokens", "job", _vault, ("job", ("succeeded",))),
    Keeper("answers", REIDENTIFICATION, _answer, (REIDENTIFICATION, ("approved",))),
    Keeper("review", "egress-request", _canonical, ("egress-request", ("auto_check",))),
    Keeper("cells", "egress-request", _cells, ("egress-request", ("auto_check",)), everywhere=True),
)


class Leftovers:
    """Sweeps the places of a space. Safe beside running work, in any number of processes."""

    def __init__(self, store: Store, places: Places) -> None:
        self.store = store
        self.places = places

    def sweep(self) -> list[str]:
        """Everything that no row names, in every scenario's folder: ``place/hash`` of what was removed."""
        gone: list[str] = []
        for agreement, scenario in self.places.scenarios():
            self.places.drop_parts(agreement, scenario, PART_SECONDS)
            for keeper in KEEPERS:
                gone += self.clear(keeper.place, agreement, scenario)
        return gone

    def clear(self, place: str, agreement: str, scenario: str) -> list[str]:
        """The same for one place of one scenario.

        The order is what makes it safe: first the names of the files, then who may be writing, then what
        is named. Bytes that were there at first were named, or their writer was busy, from then on.
        """
        keeper = next(one for one in KEEPERS if one.place == place)
        blobs = self.places.blobs(agreement, scenario, place)
        present = blobs.names()
        if not present:
            return []
        labels = None if keeper.everywhere else {"scenario": scenario}
        with self.store.read() as reader:
            if keeper.busy and reader.find(keeper.busy[0], state=keeper.busy[1], labels=labels):
                return []
        with self.store.read() as reader:
            named = {name for row in reader.find(keeper.kind, labels=labels) for name in keeper.names(row)}
        return [f"{place}/{name}" for name in present if name not in named and blobs.remove(name)]
