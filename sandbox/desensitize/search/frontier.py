"""The frontier of risk against loss: what every level of k costs with either method, and which of it is worth
choosing. A point is on the frontier if no other has both a risk and a loss that are no greater, one less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.core.errors import SandboxError
from sandbox.desensitize.search.describe import FieldSpec, Wanted
from sandbox.desensitize.search.groups import Table
from sandbox.desensitize.search.lattice import Lattice
from sandbox.desensitize.search.recoding import Recoding
from sandbox.desensitize.search.utility import utility


def pareto(points: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Which of ``points`` (``risk``, ``loss``) no other one beats."""
    pairs = [(float(p["risk"]), float(p["loss"])) for p in points]
    return [
        not any(r <= risk and x <= loss and (r < risk or x < loss) for r, x in pairs) for risk, loss in pairs
    ]


def _point(recoding: Recoding, told: Mapping[str, Any], k: int) -> dict[str, Any]:
    """The search's own figures: the product that is chosen is measured anew."""
    sizes = _sizes(recoding)
    found = utility(recoding, k)
    return {
        "method": told["method"],
        "asked_k": k,
        "k": min(sizes),
        "risk": 1.0 / min(sizes),
        "average_risk": len(sizes) / sum(sizes),
        "loss": found["granularity"],
        "entropy": found["entropy"],
        "suppressed": recoding.suppressed,
        "classes": recoding.classes,
        "levels": told.get("levels"),
    }


def _sizes(recoding: Recoding) -> list[int]:
    import numpy as np

    table = recoding.table
    if not table.several or table.entity is None:
        return [int(n) for n in recoding.rows]
    inside = recoding.owner >= 0
    below = int(table.entity.max()) + 1
    held = np.unique(recoding.owner[inside] * below + table.entity[inside])
    return [int(n) for n in np.bincount(held // below, minlength=recoding.classes)]


def frontier(
    table: Table,
    wanted: Wanted,
    fields: tuple[FieldSpec, ...],
    lattice: Lattice | None,
    tell: Any,
) -> list[dict[str, Any]]:
    """Points of both methods at the levels of k of ``wanted.frontier`` and at the one asked for, the other
    models as asked. ``pareto`` says which are on the frontier, ``chosen`` which is the one that was asked
    for. A level that a method cannot reach is left out; a lattice that is too large leaves out that
    method."""
    from sandbox.desensitize.search.run import recode

    points = []
    levels = sorted({*wanted.frontier, wanted.least})
    for method in ("lattice", "mondrian"):
        own = wanted.model_copy(
            update={
                "method": method,
                "suppress": wanted.suppress if method == "lattice" else 0.0,
                "relaxed": wanted.relaxed and method == "mondrian",
            }
        )
        try:
            over = (lattice or Lattice(table)) if method == "lattice" else None
        except SandboxError:
            continue
        for number, k in enumerate(levels):
            tell("frontier", (number + len(levels) * (method == "mondrian")) / (2 * len(levels)))
            try:
                recoding, told = recode(table, own, fields, over, k, lambda step, part: None)
            except SandboxError:
                continue
            point = _point(recoding, told, k)
            points.append({**point, "chosen": k == wanted.least and method == wanted.method})
    for point, best in zip(points, pareto(points), strict=True):
        point["pareto"] = best
    return points
