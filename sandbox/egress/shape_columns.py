"""Which raw column an output column is, by its values; what a count column may be besides the recount."""

from __future__ import annotations

import numpy as np
import polars as pl

from sandbox.egress.bands import MARGIN, tame
from sandbox.egress.columns import Column
from sandbox.egress.lexicon import hashes
from sandbox.egress.rawdata import RawIndex

# Share of a column's distinct values that must be raw values for it to be the raw column. Labels agree by
# chance hardly ever, so half will do: a few invented labels must not stop the recount. Numbers do agree.
LABELS, NUMBERS = 0.5, 0.9
_STEPS = 3  # rows from which sums of what went before are no chance


def margins(values: pl.Series) -> pl.Series:
    """Which of ``values`` are margin labels; null where there is no value."""
    return values.cast(pl.String).str.contains(f"(?i)^(?:{MARGIN.pattern})$")


def contained(
    index: RawIndex, frame: pl.DataFrame, cells: dict[str, Column], names: dict[str, str]
) -> dict[str, dict[str, float]]:
    """For each output column the raw columns that hold enough of its distinct values, with the share."""
    distinct = {k: column.values.filter(~column.once("margin", margins)) for k, column in cells.items()}
    distinct = {k: values for k, values in distinct.items() if len(values)}
    if not distinct:
        return {}
    # All columns at once: a look-up a column took seconds on wide tables.
    together = pl.concat(list(distinct.values()))
    totals = np.array([len(values) for values in distinct.values()])
    owner = np.repeat(np.arange(len(totals)), totals)
    bits = hashes(together)
    found = {raw: owner[index.coded(raw).lexicon.find(together, bits) >= 0] for raw in index.columns}
    shares = {raw: np.bincount(owners, minlength=len(totals)) / totals for raw, owners in found.items()}
    return {
        k: {
            raw: float(share[number])
            for raw, share in shares.items()
            if share[number]
            and share[number]
            >= (LABELS if frame[k].dtype == pl.String or tame(names[k]) == tame(raw) else NUMBERS)
        }
        for number, k in enumerate(distinct)
    }


def assign(index: RawIndex, names: dict[str, str], contained: dict[str, dict[str, float]]) -> dict[str, str]:
    """One raw column for each output column: same name first, then the most specific."""
    order = sorted(
        ((key, raw) for key, found in contained.items() for raw in found),
        key=lambda pair: (
            tame(names[pair[0]]) != tame(pair[1]),
            -contained[pair[0]][pair[1]],
            index.cardinality.get(pair[1], 0),
        ),
    )
    result: dict[str, str] = {}
    taken: set[str] = set()
    for key, raw in order:
        if key not in result and raw not in taken:
            result[key] = raw
            taken.add(raw)
    return result


def running(stated: pl.Series, recounted: pl.Series) -> bool:
    """Whether a column is the recounts of the rows added up from the first row or from the last: those at
    risk, those who reached a step."""
    numbers, n = stated.cast(pl.Float64).to_numpy(), recounted.cast(pl.Float64).to_numpy()
    if len(n) < _STEPS or np.isnan(numbers).any():
        return False
    return any(bool((np.cumsum(n[::way])[::way] == numbers).all()) for way in (1, -1))
