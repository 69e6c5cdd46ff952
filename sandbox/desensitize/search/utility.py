"""What is left of a table's use after recoding. Lower is better for each.

``discernability`` — Bayardo and Agrawal 2005; ``class_size`` (C_AVG, rows over classes and k) — LeFevre et
al. 2006; ``granularity`` (normalised certainty penalty, all columns together the global one) — Xu et al.
2006, Ghinita et al. 2007; ``entropy``: bits of the original value that what is written leaves open, of those
that knowing nothing leaves open — de Waal and Willenborg 1999. ``query_error``: |estimate - truth| /
truth of count queries, the rows of a class spread evenly over the leaves that it covers.
A suppressed row counts as one of which nothing is known, and is missing in the estimates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sandbox.core.errors import fail
from sandbox.desensitize.search.groups import Table, joined
from sandbox.desensitize.search.hierarchy import Floats, Hierarchy
from sandbox.desensitize.search.recoding import Recoding, width

Query = Mapping[str, Any]


def _granularity(of: Recoding, column: int) -> float:
    wide = width(of.table.hierarchies[column], of.low[column], of.high[column])
    return float((wide @ of.rows + of.suppressed) / of.table.rows)


def _bits(counts: Floats, within: Floats) -> float:
    return float(-(counts * np.log2(counts / within)).sum())


def _entropy(of: Recoding, column: int) -> float:
    h, leaves = of.table.hierarchies[column], of.table.leaves[column]
    there = np.bincount(leaves, minlength=h.leaves).astype(np.float64)
    there = there[there > 0]
    most = _bits(there, np.full(len(there), float(of.table.rows)))
    if not most:
        return 0.0
    low = np.r_[of.low[column], h.leaves].astype(np.int64)[of.owner]
    high = np.r_[of.high[column], h.leaves].astype(np.int64)[of.owner]
    written, number = joined([(low, h.leaves + 1), (high, h.leaves + 1)], of.table.rows)
    pair, pairs = joined([(written, number), (leaves, h.leaves)], of.table.rows)
    count = np.bincount(pair, minlength=pairs).astype(np.float64)
    first = np.zeros(pairs, dtype=np.int64)
    first[pair] = written
    return _bits(count, np.bincount(written)[first].astype(np.float64)) / most


def _meant(h: Hierarchy, wanted: Any, column: str) -> np.ndarray:
    """Which leaves a condition means: a list of values, or ``{"from": …, "to": …}`` for numbers."""
    if isinstance(wanted, Mapping) and h.numbers is not None and wanted.keys() <= {"from", "to"}:
        low, high = wanted.get("from", -np.inf), wanted.get("to", np.inf)
        return np.asarray((h.numbers >= low) & (h.numbers <= high))
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        asked = set(wanted)
        return np.array([value in asked for value in h.labels[0]])
    raise fail("ANONYMISE_MALFORMED", field=f"queries.{column}")


def query_errors(of: Recoding, queries: Sequence[Query]) -> list[float]:
    """The relative error of each count query: a mapping from quasi-identifiers to what they shall be (see
    ``_meant``). A truth of 0 counts as 1. Raises ANONYMISE_MALFORMED."""
    return [_error(of, query) for query in queries]


def _error(of: Recoding, query: Query) -> float:
    table: Table = of.table
    true = np.ones(table.rows, dtype=np.bool_)
    part = of.rows.astype(np.float64)
    for name, wanted in query.items():
        if name not in table.names:
            raise fail("ANONYMISE_MALFORMED", field=f"queries.{name}")
        at = table.names.index(name)
        meant = _meant(table.hierarchies[at], wanted, name)
        true &= meant[table.leaves[at]]
        upto = np.r_[0.0, np.cumsum(meant)]
        low, high = of.low[at], of.high[at]
        part = part * (upto[high + 1] - upto[low]) / (high - low + 1)
    truth = float(true.sum())
    return abs(float(part.sum()) - truth) / max(truth, 1.0)


def utility(of: Recoding, k: int, queries: Sequence[Query] = ()) -> dict[str, Any]:
    """All measures, ``columns`` with those of each column. Numbers only."""
    rows = of.rows.astype(np.float64)
    total = of.table.rows
    names = range(len(of.table.names))
    fine = [_granularity(of, column) for column in names]
    bits = [_entropy(of, column) for column in names]
    errors = query_errors(of, queries)
    return {
        "classes": of.classes,
        "suppressed": of.suppressed,
        "discernability": int(rows @ rows + of.suppressed * total),
        "class_size": float(rows.sum()) / max(of.classes, 1) / max(k, 1),
        "granularity": sum(fine) / len(fine),
        "entropy": sum(bits) / len(bits),
        "query_errors": errors,
        "columns": {
            name: {"granularity": fine[i], "entropy": bits[i]} for i, name in enumerate(of.table.names)
        },
    }
