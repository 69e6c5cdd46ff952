"""Two recipes side by side: what each makes of every column, and, where both were run, risk and loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.desensitize.explain import guarantees
from sandbox.desensitize.recipe import Recipe, plan

GONE = "-"


def compared(one: Recipe, other: Recipe, fields: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each column that is in either product: ``{"column", "one", "other", "differs"}``, the
    transforms on its way or "-" where it is not in that product, and what only one of the two guarantees."""
    plans = [{column.name: column for column in plan(recipe, fields)} for recipe in (one, other)]
    rows = []
    for name in dict.fromkeys([*plans[0], *plans[1]]):
        found = [made.get(name) for made in plans]
        told = [GONE if made is None else " → ".join(made.transforms) or "=" for made in found]
        held = [{} if made is None else guarantees(made.transforms) for made in found]
        differs = [key for key in held[0] if held[1] and held[0][key] != held[1][key]]
        rows.append({"column": name, "one": told[0], "other": told[1], "differs": differs})
    return rows


def measured(reports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """``{"measure", "values"}`` of several reports of a run (``sandbox.desensitize.report``) over one input:
    k, subjects that stand alone, classes, rows, and the share of cells that were changed."""
    after = [report["metrics"]["after"] for report in reports]
    changed = []
    for report in reports:
        cells = sum(loss["changed"] for loss in report["metrics"]["loss"])
        changed.append(round(cells / max(1, report["rows"] * len(report["columns"])), 4))
    return [
        {"measure": "k", "values": [risk["k"] for risk in after]},
        {"measure": "entities_unique", "values": [risk["entities_unique"] for risk in after]},
        {"measure": "classes", "values": [risk["classes"] for risk in after]},
        {"measure": "rows", "values": [report["rows"] for report in reports]},
        {"measure": "cells_changed", "values": changed},
    ]
