"""Microaggregation over subjects (Domingo-Ferrer and Mateo-Sanz 2002; MDAV: Domingo-Ferrer and Torra
2005)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

MDAV_MOST = 20_000  # subjects: MDAV looks at all of them for every group


def by_order(values: Floats, k: int) -> Places:
    """The group of each value: runs of k in ascending order, the last one of k to 2k - 1."""
    count = len(values)
    places = np.empty(count, dtype=np.int64)
    places[np.argsort(values, kind="stable")] = np.minimum(np.arange(count) // k, max(count // k - 1, 0))
    return places


def mdav(values: Floats, k: int) -> Places:
    """The group of each row (standardised columns): round the row farthest from the mean its k - 1 nearest,
    round the row farthest from that one likewise, until fewer than 2k are left."""
    left = np.arange(len(values))
    places = np.empty(len(values), dtype=np.int64)
    group = 0

    def take(around: Floats) -> Floats:
        nonlocal left, group
        distance = ((values[left] - around) ** 2).sum(axis=1)
        chosen = np.argpartition(distance, k - 1)[:k]
        places[left[chosen]] = group
        left = np.delete(left, chosen)
        group += 1
        return around

    while len(left) >= 3 * k:
        middle = values[left].mean(axis=0)
        far = values[left[((values[left] - middle) ** 2).sum(axis=1).argmax()]]
        take(far)
        opposite = values[left[((values[left] - far) ** 2).sum(axis=1).argmax()]]
        take(opposite)
    if len(left) >= 2 * k:
        middle = values[left].mean(axis=0)
        take(values[left[((values[left] - middle) ** 2).sum(axis=1).argmax()]])
    places[left] = group
    return places


def microaggregated(
    columns: Sequence[pl.Series], by: pl.Series | None, k: int, method: str
) -> list[pl.Series] | None:
    """The columns with every subject's values replaced by its group's means; None if there are fewer than k
    subjects, several columns for ``sort``, or too many for ``mdav``."""
    names = [f"c{number}" for number in range(len(columns))]
    table = pl.DataFrame(
        [column.cast(pl.Float64).fill_nan(None).alias(n) for n, column in zip(names, columns, strict=True)]
    )
    subject = by if by is not None else pl.int_range(0, table.height, eager=True)
    table = table.with_columns(subject.alias("by")).with_row_index("row")
    whole = table.drop_nulls()
    means = whole.group_by("by", maintain_order=True).agg(pl.col(name).mean() for name in names)
    values = means.select(names).to_numpy()
    if (
        len(values) < k
        or (method == "sort" and len(names) > 1)
        or (method == "mdav" and len(values) > MDAV_MOST)
    ):
        return None
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    places = by_order(values[:, 0], k) if method == "sort" else mdav(scaled, k)
    groups = means.with_columns(group=pl.Series(places))
    centres = groups.with_columns(pl.col(name).mean().over("group") for name in names).drop("group")
    found = whole.select("row", "by").join(centres, on="by", how="left").drop("by")
    placed = table.select("row").join(found, on="row", how="left", maintain_order="left")
    return [placed[n].alias(column.name) for n, column in zip(names, columns, strict=True)]
