"""What a protection does to one table, and what it costs. Pure data.

The costs are those of the literature, each in the unit that it is stated in there:

* cells, rows and columns suppressed, and the share of the published numbers' sum that stood in suppressed
  cells: what cell suppression minimises (Hundepool et al., Statistical Disclosure Control, 2012, chapter 4);
* the average absolute distance of a rounded cell from what it was (Shlomo, International Statistical Review
  75(2), 2007, section 5);
* the share of a column's entropy that merging its categories destroys (Willenborg and de Waal, Elements of
  Statistical Disclosure Control, 2001, chapter 1).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.shape import Shape


@dataclass(frozen=True)
class Loss:
    """The cost of one step. Shares lie between 0 and 1, ``distance`` is in the unit of the cells."""

    cells: int = 0
    value_share: float = 0.0
    rows: int = 0
    columns: int = 0
    rounded: int = 0
    distance: float = 0.0
    categories: int = 0
    entropy_share: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """What it did cost: the figures that are not nought."""
        return {name: round(value, 4) for name, value in asdict(self).items() if value}


@dataclass(frozen=True, eq=False)
class Change:
    """The table after a protection, its cost, and where it was applied (numbers of columns, no values)."""

    frame: pl.DataFrame
    loss: Loss
    where: str = ""


@dataclass(frozen=True, eq=False)
class Place:
    """A table with hard findings. ``shape``: what it is against the raw table that explains most of it.

    ``asked``: a person chose the protection, or the gentler ones did not help: it need not be the best.
    """

    context: Context
    document: Document
    table: Table
    shape: Shape | None
    found: list[Finding]
    asked: bool = False

    @property
    def cells(self) -> Shape | None:
        """The shape of a table of cells; None for rows of persons and for what nothing explains."""
        return self.shape if self.shape is not None and self.shape.aggregate and self.shape.dims else None

    @property
    def least(self) -> int:
        """The least entities of a cell or class: whatever the policy demands of either."""
        name = self.shape.index.name if self.shape is not None else ""
        return int(max(self.context.min_cell(name), self.context.number("egress.k_min")))

    @property
    def plain(self) -> bool:
        """Whether a row of the shape is a row of the table (no cross table laid out long)."""
        shape = self.shape
        return (
            shape is not None
            and shape.frame.height == self.table.data.height
            and [*shape.names.values()] == self.table.columns
        )


def entropy(sizes: pl.Series) -> float:
    """Shannon entropy in bits of a distribution given by its sizes."""
    total = float(sizes.sum())
    shares = sizes.filter(sizes > 0).cast(pl.Float64).to_numpy() / total if total > 0 else np.array([])
    return float(-(shares * np.log2(shares)).sum())
