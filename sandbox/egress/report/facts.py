"""What the pictures of a report are drawn from: counts only, computed where the raw data is.

Of each table that a recount explains: how large its cells are, and the state of each cell in order. Nothing
of it is a value, and only the reviewer sees it (``sandbox.review.coarse``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from sandbox.egress.checks import CHECKS
from sandbox.egress.context import Context, PolicyMissing
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.shape import best

MOST_TABLES, MOST_CELLS = 24, 600
_FORMATS = "egress.formats"


def thresholds(rule: str) -> list[str]:
    """The policy parameters that the checks of ``rule`` apply."""
    keys = [key for check in CHECKS if rule in check.rules for key in check.thresholds if key != _FORMATS]
    return list(dict.fromkeys(keys))


def applied(context: Context) -> dict[str, Any]:
    """The value of every threshold that some check applies, as the policy of this check has it."""
    keys = {key for check in CHECKS for key in check.thresholds} - {_FORMATS}
    return {key: context.policy[key] for key in sorted(keys) if key in context.policy}


def _bands(threshold: int) -> list[tuple[str, int, int]]:
    edges = [1, max(2, threshold // 2), threshold, 2 * threshold, 5 * threshold, 10 * threshold]
    edges = sorted(set(edges))
    ends = [*(edge - 1 for edge in edges[1:]), 1 << 62]
    return [
        (f"{low}–{high}" if high < 1 << 62 else f"≥ {low}", low, high)
        for low, high in zip(edges, ends, strict=True)
    ]


def _table(context: Context, document: Document, table: Table, marked: set[int]) -> dict[str, Any] | None:
    shape = best(context, document, table)
    if shape is None or not shape.aggregate or not len(shape.n):
        return None
    threshold = int(context.min_cell(shape.index.name))
    counts = shape.n.cast(pl.Int64)
    states = "".join(
        "?" if n is None else "0" if n == 0 else "s" if n < threshold else "d" if row in marked else "."
        for row, n in enumerate(counts.head(MOST_CELLS).to_list(), 1)
    )
    sizes = [
        {"label": label, "cells": int(counts.is_between(low, high).sum()), "below": high < threshold}
        for label, low, high in _bands(threshold)
    ]
    return {
        "path": document.shown,
        "part": table.part,
        "threshold": threshold,
        "cells": len(counts),
        "states": states,
        "sizes": sizes,
    }


def pictures(context: Context, findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Of each table (24 at most): ``sizes`` of its cells in bands of entities, and ``states``, a letter a
    cell: ``.`` large enough, ``s`` below the threshold, ``d`` dominated, ``0`` empty, ``?`` not recounted.
    """
    marked: dict[str, set[int]] = {}
    for found in findings:
        if found.rule == "DOMINANCE":
            marked.setdefault(found.path, set()).update(found.evidence.get("rows", ()))
    drawn: list[dict[str, Any]] = []
    for document in context.exact if context.raws else []:
        for table in document.tables[:MOST_TABLES]:
            try:
                one = _table(context, document, table, marked.get(document.shown, set()))
            except PolicyMissing:
                return []
            drawn += [one] if one else []
    return drawn[:MOST_TABLES]
