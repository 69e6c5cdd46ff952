"""Cells that an aggregate leaves out though enough entities stand in them: a bit each, and nobody's number.

What is left out must follow a rule that the raw data confirms: fewer entities than in every cell that is
shown, dominance as in none that is shown, a whole value of a dimension, the rest after the first rows, or the
complement that margins need. Values of a dimension may be left out altogether, unless which of them could
say as much as ``unexplained`` lets pass in digits. A statement that was recomputed leaves out what its text
says; that is for its readers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.facts import raw_numbers
from sandbox.egress.facts_derived import dominated
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.messages import finding
from sandbox.egress.shape import Shape, as_numbers, counting

_FEW = 3  # cells left out for no reason from which it is no oversight
_COMPLEMENT = 2  # cells that margins need to be left out with each small one, at most
_BITS = 17 * math.log2(10)  # see ``unexplained``
_MOST_ROWS = 20_000  # of an aggregate that people read


def choices(shown: int, hidden: int) -> float:
    """Bits in which of so many are shown: the logarithm of the ways to choose them."""
    ways = math.lgamma(shown + hidden + 1) - math.lgamma(shown + 1) - math.lgamma(hidden + 1)
    return ways / math.log(2)


def _chosen(shown: np.ndarray, hidden: np.ndarray) -> float:
    """Bits in which are shown that their sizes do not tell: under the best threshold, of those below it and
    of those above. Small parts of cells make the smaller cells go, nearly all of them and few others."""
    sizes = np.concatenate([shown, hidden])
    least = math.inf
    for threshold in np.unique(sizes):
        below, without = int((shown < threshold).sum()), int((hidden < threshold).sum())
        least = min(least, choices(below, without) + choices(len(shown) - below, len(hidden) - without))
    return least


def cells_of(shape: Shape, every: str = "") -> pl.DataFrame | None:
    """Every cell of the raw data over the values shown: its codes, entities, rows; None: too few.
    ``every``: a dimension of which all values are asked for."""
    keys = list(shape.dims)
    inside = ~pl.DataFrame({k: shape.wild(k) for k in keys}).select(pl.any_horizontal(pl.all())).to_series()
    shown = pl.DataFrame({k: shape.codes[k] for k in keys}).filter(inside)
    shown = shown.filter(pl.all_horizontal(pl.all() >= 0)).unique()
    if shown.height < _FEW:
        return None
    lists = [", ".join(map(str, shown[k].unique())) for k in keys]
    asked = {k: f"IN ({some})" if k != every else ">= 0" for k, some in zip(keys, lists, strict=True)}
    where = " AND ".join(f"{shape.dims[k]} {some}" for k, some in asked.items())
    lead = ", ".join(f"{shape.dims[k]} AS {k}" for k in keys)
    index = shape.index
    found = index.engine.frame(
        f"SELECT {lead}, {index.entity_count} AS n, count(*) AS m "
        f"FROM {index.table} r WHERE {where} GROUP BY ALL"
    ).with_columns(pl.col(k).cast(shown[k].dtype) for k in keys)
    found = found.join(shown.with_columns(pl.lit(True).alias("shown")), on=keys, how="left").with_columns(
        pl.col("shown").fill_null(False)
    )
    return found if found["shown"].any() else None  # labels that nobody has together: nothing was chosen


def _unruly(context: Context, shape: Shape, cells: pl.DataFrame, margin: bool) -> int:
    """How many cells are not ``shown`` for no reason of size or dominance."""
    least = context.min_cell(shape.index.name)
    shown, hidden = cells.filter("shown"), cells.filter(~pl.col("shown"))
    n, m = shown["n"].min(), shown["m"].min()
    large = hidden.filter((pl.col("n") >= max(n, least)) & (pl.col("m") >= m))  # type: ignore[type-var]
    few = large.height
    if few >= _FEW:
        few = _without_dominated(context, shape, shown, large)
    small = hidden.height - few
    allowed = _COMPLEMENT * small if margin else 0
    return few if few >= max(_FEW, allowed + 1) else 0


def _without_dominated(context: Context, shape: Shape, shown: pl.DataFrame, large: pl.DataFrame) -> int:
    """How many of the cells in ``large`` are not dominated, for the raw number that explains most of them:
    one of which no cell that is ``shown`` is dominated, so that leaving out is a rule and no choice."""
    both = pl.concat([shown, large])
    made = replace(shape, frame=both, codes={k: both[k].to_numpy() for k in shape.dims}, _wild={})
    for k in shape.dims:
        made.all_values(k)
    few = large.height
    for raw in raw_numbers(shape.index) if shape.measures else ():
        bad = dominated(context, made, raw, pl.Series([True] * both.height))
        if not bad[: shown.height].any():
            few = min(few, int((~bad[shown.height :]).sum()))
    return few


def _between(shape: Shape, cells: pl.DataFrame) -> pl.DataFrame:
    """``cells`` between the first and the last that are shown, as the rows would be sorted."""
    keys = list(shape.dims)
    for k in keys:
        names = pl.DataFrame({k: shape.codes[k], f"t{k}": shape.frame[k].cast(pl.String)}).unique(k)
        cells = cells.join(names, on=k, how="left")
    sorted_ = cells.sort([f"t{k}" for k in keys], nulls_last=False)
    at = sorted_["shown"].arg_true()
    return sorted_.slice(int(at[0]), int(at[-1]) - int(at[0]) + 1)


def _plain(shape: Shape) -> list[str]:
    """Dimensions that are raw columns, and no groups of the job's own."""
    return [k for k, raw in shape.raw_of.items() if shape.dims[k] == shape.index.code(raw)]


def _values(context: Context, shape: Shape, k: str, cells: pl.DataFrame) -> int:
    """How many values of a dimension are not ``shown`` at all though they have cells as large as those that
    are, between the first and the last value shown; nought where that could say little."""
    cells = cells.filter(pl.col(k) >= 0)
    if not bool(cells["shown"].any()):
        return 0
    values = shape.index.coded(shape.raw_of[k]).values
    numbers = as_numbers(values)
    order = (numbers if numbers.null_count() == 0 else values).rank("dense").to_numpy()
    place = order[cells[k].to_numpy()]
    shown = place[cells["shown"].to_numpy()]
    n, m = (float(cells.filter("shown")[c].min()) for c in "nm")  # type: ignore[arg-type]
    large = cells.filter(
        (pl.col("n") >= max(n, context.min_cell(shape.index.name)))
        & (pl.col("m") >= m)
        & pl.Series((place > shown.min()) & (place < shown.max()) & ~np.isin(place, shown))
    )
    few, seen = large[k].n_unique(), len(np.unique(shown))
    sizes = [one.group_by(k).agg(pl.col("n").max())["n"].to_numpy() for one in (cells.filter("shown"), large)]
    if choices(seen, few) < _BITS or _chosen(*sizes) < _BITS:
        return 0
    few = min(few, _without_dominated(context, shape, cells.filter("shown"), large))
    return few if choices(seen, few) >= _BITS else 0


def _gaps(context: Context, shape: Shape, margin: bool) -> int:
    """Numbers missing in rows whose cell is no smaller than those of other rows; the worst column."""
    worst = 0
    for k in shape.names:
        values = shape.numbers(k)
        empty = values.is_null()
        if k in shape.dims or not bool(empty.any()) or bool(empty.all()):
            continue
        rows = {d: shape.codes[d] for d in shape.dims}
        cells = pl.DataFrame({**rows, "n": shape.n, "m": shape.rows_n, "shown": ~empty}).drop_nulls()
        few = max((_values(context, shape, d, cells) for d in _plain(shape)), default=0)
        worst = max(worst, few)
        # the first period has no growth: a whole value of a dimension without the number
        for d in shape.dims:
            whole = cells.group_by(d).agg(pl.col("shown").any().alias("some"))
            cells = cells.join(whole.filter("some").select(d), on=d, how="semi")
        if bool(cells["shown"].any()):
            few, seen = _unruly(context, shape, cells, margin), int(cells["shown"].sum())
            # A column that is mostly empty was meant for few rows: which, could say something.
            if 2 * int(empty.sum()) <= len(values) or choices(seen, few) >= _BITS:
                worst = max(worst, few)
    return worst


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A hold a table."""
    for table in document.tables:
        told = context.recomputed.get(id(table))
        ours = told is not None and not told.why and context.script is not None
        if ours or not 0 < table.data.height <= _MOST_ROWS:
            continue
        shapes = counting(context, document, table)
        count = max((_left_out(context, shape, table) for shape in shapes), default=0)
        if count:
            yield finding("OMITTED", document.shown, table.part, {"count": count, "rows": table.data.height})


def _left_out(context: Context, shape: Shape, table: Table) -> int:
    if not shape.dims or not shape.confirmed:
        return 0
    margin = any(bool(shape.wild(k).any()) for k in shape.dims) or shape.frame.height > table.data.height
    cells = cells_of(shape)
    rows = _unruly(context, shape, _between(shape, cells), margin) if cells is not None else 0
    every = [(k, cells_of(shape, k)) for k in _plain(shape)]
    values = [_values(context, shape, k, cells) for k, cells in every if cells is not None]
    return max([rows, _gaps(context, shape, margin), *values])


CHECK = Check(
    ("OMITTED",),
    "table",
    run,
    (
        "egress.min_cell",
        "egress.min_cell_sensitive",
        "egress.dominance_n",
        "egress.dominance_k",
        "egress.p_percent",
    ),
    raw=True,
    exact=True,
)
