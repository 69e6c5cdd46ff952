"""The operator's desk: what waits, supplies and their custody, recipes that ran, products, and exits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from sandbox.console.render import render
from sandbox.console.views import home
from sandbox.console.views.custody import Chain, chain
from sandbox.console.views.resources import Row, row
from sandbox.console.visit import BASE, Visit
from sandbox.control.kinds import KINDS
from sandbox.control.listing import listed

SHOWN = 50  # of each kind, the newest; the lists have the rest
LEAVING = ("terminating", "deleting", "deletion_verified", "terminated", "closed")


@dataclass(frozen=True)
class Delivered:
    """A supply and its custody, as far as the operator may see it."""

    row: Row
    entry: str
    sha256: str
    rows: int | None
    chain: Chain
    grading: str  # where its grading is looked at, "" before there is a snapshot
    laxer: int  # where the entry said less than was proposed


@dataclass(frozen=True)
class Group:
    """The supplies of one state."""

    label: str
    supplies: tuple[Delivered, ...]


@dataclass(frozen=True)
class Primary:
    """A primary product and what the re-identification test found."""

    row: Row
    scenario: str
    anonymous: bool | None  # None: not tested
    k: int | None
    threshold: int | None
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Exit:
    """An agreement that ends, and the machine's certificate of deletion."""

    row: Row
    url: str
    removed: int | None  # None: there is no certificate yet
    left: int | None
    keys: int | None
    at: str
    verified_at: str


@dataclass(frozen=True)
class OperatePage:
    """What ``operate.html`` shows."""

    waiting: tuple[home.Waiting, ...]
    groups: tuple[Group, ...]
    jobs: tuple[Row, ...]
    products: tuple[Primary, ...]
    exits: tuple[Exit, ...]
    links: dict[str, str]


def supplies(visit: Visit) -> tuple[Group, ...]:
    """The newest supplies, by state in the order of the table."""
    found, _ = listed(visit.control, visit.actor, "supply", limit=SHOWN)
    kind = KINDS["supply"]
    groups = []
    for state in kind.states:
        here = tuple(_delivered(visit, one) for one in found if one.state == state.name)
        if here:
            groups.append(Group(visit.named(state), here))
    return tuple(groups)


def _delivered(visit: Visit, supply: Any) -> Delivered:
    taken, grading = supply.status.get("snapshot", {}), supply.status.get("grading") or {}
    return Delivered(
        row=row(visit, supply),
        entry=supply.spec["entry"],
        sha256=taken.get("sha256") or supply.status.get("deliver", {}).get("sha256", ""),
        rows=taken.get("rows"),
        chain=chain(visit, supply),
        grading=f"{BASE}/grading/{supply.id}" if taken else "",
        laxer=len(grading.get("laxer", ())),
    )


def products(visit: Visit) -> tuple[Primary, ...]:
    """Primary products with their verdict."""
    found, _ = listed(visit.control, visit.actor, "product", limit=SHOWN)
    made = []
    for one in found:
        if one.spec["level"] != 1:
            continue
        told = one.spec.get("anonymity") or {}
        made.append(
            Primary(
                row=row(visit, one),
                scenario=one.spec["scenario"],
                anonymous=told.get("verdict"),
                k=told.get("k"),
                threshold=told.get("threshold"),
                reasons=tuple(told.get("reasons", ())),
            )
        )
    return tuple(made)


def exits(visit: Visit) -> tuple[Exit, ...]:
    """Agreements on their way out, with what their certificate of deletion says."""
    found, _ = listed(visit.control, visit.actor, "agreement", states=LEAVING, limit=SHOWN)
    made = []
    for one in found:
        certificate = one.status.get("certify", {})
        removed = certificate.get("removed")
        made.append(
            Exit(
                row=row(visit, one),
                url=f"{BASE}/operate/exit/{one.id}",
                removed=len(removed) if removed is not None else None,
                left=certificate.get("left"),
                keys=certificate.get("keys_destroyed"),
                at=certificate.get("at", ""),
                verified_at=one.status.get("verify_deletion", {}).get("at", ""),
            )
        )
    return tuple(made)


def page(visit: Visit) -> Response:
    """The desk."""
    jobs, _ = listed(visit.control, visit.actor, "job", limit=SHOWN)
    told = OperatePage(
        waiting=home.model(visit).waiting,
        groups=supplies(visit),
        jobs=tuple(row(visit, one) for one in jobs if one.spec["language"] == "recipe"),
        products=products(visit),
        exits=exits(visit),
        links={kind: f"{BASE}/r/{kind}" for kind in ("supply", "job", "product", "agreement")},
    )
    return render(visit, "operate.html", page=told)
