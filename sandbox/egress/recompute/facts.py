"""Recomputation without a statement: a table over recognised dimensions whose every number is one statistic
of the raw data throughout its column is written anew from the raw data.

What the job declared of a column (``statistics``: which function of which raw column; ``precision``:
decimals) is taken at its word and compared; without a declaration the statistic is looked for among the
known facts, and the choice is counted as what the job could have said with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from sandbox.egress.context import Context, Declared
from sandbox.egress.facts import RELATIVE, SCALES, counts, fact_of, facts, written
from sandbox.egress.forms import Document, Table
from sandbox.egress.rawdata import NULL, UNKNOWN, numeric
from sandbox.egress.shape import Shape, recognise, recount

DIGITS = 12  # significant digits of a number whose rounding nobody stated: sums of floats agree to so many
PRECISION_BITS = float(np.log2(18))  # with so many numbers of decimals a column may be written
_MARGINS = 20  # words for "all" that are understood
_MOST_CELLS = 2_000_000
# Functions that a declaration may name; {x} is the raw column. Extremes are one person's value.
FUNCTIONS = {
    "sum": "sum({x})",
    "avg": "avg({x})",
    "mean": "avg({x})",
    "median": "median({x})",
    "stddev": "stddev_samp({x})",
    "variance": "var_samp({x})",
    "count": "count({x})",
    "p10": "quantile_cont({x}, 0.1)",
    "p25": "quantile_cont({x}, 0.25)",
    "p75": "quantile_cont({x}, 0.75)",
    "p90": "quantile_cont({x}, 0.9)",
}


@dataclass(frozen=True)
class Own:
    """A table of our numbers: its cells, what each column is, and the bits that choosing it could carry."""

    frame: pl.DataFrame
    columns: dict[str, str]
    bits: float
    raw: str


def own(context: Context, document: Document, table: Table) -> Own | None:
    """``table`` written anew from the raw table that explains all of it; None if none does."""
    for index in context.indexes:
        shape = recognise(context, document, table, index)
        made = _own(context, document, table, shape)
        if made is not None:
            return made
    return None


def _own(context: Context, document: Document, table: Table, shape: Shape) -> Own | None:
    names = list(shape.names)
    if (
        [*shape.names.values()] != table.columns
        or not shape.aggregate
        or not (shape.dims or table.data.height == 1)
    ):
        return None
    rest = [k for k in names if k not in shape.dims]
    if not rest or any(not shape.frame[k].dtype.is_numeric() for k in rest):
        return None
    known = [(shape.codes[k] != UNKNOWN) | shape.wild(k).to_numpy() for k in shape.dims]
    if not all(bool(column.all()) for column in known):
        return None
    blank = pl.Series(np.logical_and.reduce([shape.numbers(k).is_null().to_numpy() for k in rest]))
    supported = shape.n >= context.min_cell(shape.index.name)
    if bool(blank.all()) or not bool((supported | blank).all()):
        return None
    declared = context.declared.get(document.path, Declared(document.path))
    columns: dict[str, str] = {}
    fresh: dict[str, pl.Series] = {}
    bits = _suppression(shape, blank.to_numpy())
    numbers = counts(shape)
    found: tuple[np.ndarray, np.ndarray] | None = None
    for k in rest:
        name, stated = shape.names[k], shape.numbers(k)
        asked, kind = _declared(shape, declared, name), "measure"
        if asked is None:
            asked, kind = _matches(stated, numbers, numbers[:, :0]), "count"
        if asked is None:
            found = found or facts(shape, supported & ~blank)
            asked, kind = _matches(stated, *found), "measure"
        if asked is None:
            return None
        values, choices = asked
        values = np.where(blank.to_numpy(), np.nan, values)
        places = declared.precision.get(name, _places(stated))
        if not _near(stated, values, places):
            return None
        bits += float(np.log2(choices))
        bits += PRECISION_BITS if name not in declared.precision and kind == "measure" else 0.0
        columns[name] = kind
        fresh[name] = _rounded(values, places, shape.frame[k])
    for k in shape.dims:
        columns[shape.names[k]] = "dimension"
        fresh[shape.names[k]], more = _labels(shape, k)
        bits += more
    bits += _presence(shape)
    return Own(pl.DataFrame({name: fresh[name] for name in table.columns}), columns, bits, shape.index.name)


def _declared(shape: Shape, declared: Declared, name: str) -> tuple[np.ndarray, float] | None:
    """The statistic that was declared of a column, for each row."""
    told = declared.statistics.get(name)
    if not told:
        return None
    function, of = FUNCTIONS.get(told.get("fn", "")), told.get("of", "")
    hidden = (*shape.index.identifiers, shape.index.entity)
    if function is None or of in hidden or not numeric(shape.index.kinds.get(of, "")):
        return None
    sql = f"CAST({function.format(x=shape.index.number(of))} AS DOUBLE)"
    return recount(shape, sql).cast(pl.Float64).to_numpy(), 1.0


def _matches(stated: pl.Series, plain: np.ndarray, many: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The fact that a column is throughout, and among how many it was found."""
    number = fact_of(stated, plain, many)
    if number is None:
        return None
    matrix, column, scale = number
    return matrix[:, column] * scale, float(max(1, (plain.shape[1] + many.shape[1]) * len(SCALES)))


def _places(stated: pl.Series) -> int:
    """Decimals of the number written with the most; negative where all are whole tens or hundreds."""
    halves = [written(float(one))[1] for one in stated.unique() if one]
    return max((round(-np.log10(2 * half)) for half in halves), default=0)


def _near(stated: pl.Series, values: np.ndarray, places: int) -> bool:
    """Whether the job's numbers are ours to so many decimals, and missing in the same rows."""
    theirs = stated.cast(pl.Float64).to_numpy()
    limit = 0.5 * 10.0**-places * 1.001 + np.abs(values) * RELATIVE * 10
    with np.errstate(invalid="ignore"):
        near = np.abs(theirs - values) <= limit
    return bool((near | (np.isnan(theirs) & np.isnan(values))).all())


def _suppression(shape: Shape, blank: np.ndarray) -> float:
    """Bits in which rows are blanked: none to speak of where it is the small ones."""
    if not blank.any():
        return 0.0
    n = shape.n.to_numpy()
    if n[blank].max() < n[~blank].min():
        return float(np.log2(len(np.unique(n)) + 1))
    return _choose(len(n), int(blank.sum()))


def _rounded(values: np.ndarray, places: int, stated: pl.Series) -> pl.Series:
    ours = pl.Series(values, nan_to_null=True).round_sig_figs(DIGITS)
    made = pl.Series(np.round(ours.to_numpy(), places), nan_to_null=True) + 0.0
    return made.cast(pl.Int64) if stated.dtype.is_integer() and places <= 0 else made


def _labels(shape: Shape, k: str) -> tuple[pl.Series, float]:
    """A dimension as it leaves, and the bits that its spelling could carry: raw values are spelled as the raw
    data has them, a margin keeps its word, bands keep theirs."""
    codes, wild = shape.codes[k], shape.wild(k)
    given = shape.frame[k]
    margins = given.filter(wild).drop_nulls().n_unique() * float(np.log2(_MARGINS))
    if shape.dims[k] != shape.index.code(shape.raw_of[k]):
        return given, margins + shape.spelling.get(k, 0.0)
    values = shape.index.coded(shape.raw_of[k]).values
    texts = values.gather(pl.Series(np.where(codes < 0, 0, codes))).alias(k)
    texts = texts.set(pl.Series(codes == NULL), None)
    if given.dtype == pl.String:
        return pl.select(pl.when(wild).then(given).otherwise(texts)).to_series(), margins
    made = texts.cast(given.dtype, strict=False)
    return (made if made.null_count() == given.null_count() else given), margins


def _presence(shape: Shape) -> float:
    """Bits in which of the possible rows are there; next to none for all cells from a size on."""
    keys = list(shape.dims)
    if not keys:
        return 0.0
    wild = pl.DataFrame({k: shape.wild(k) for k in keys})
    bits = 0.0
    for pattern in wild.unique(maintain_order=True).iter_rows():
        kept = [k for k, free in zip(keys, pattern, strict=True) if not free]
        here = np.ones(shape.frame.height, dtype=bool)
        for k, free in zip(keys, pattern, strict=True):
            here &= wild[k].to_numpy() == free
        if not kept:
            bits += 1.0
            continue
        dims = ", ".join(f"{shape.dims[k]} AS {k}" for k in kept)
        sizes = shape.index.engine.frame(
            f"SELECT {shape.index.entity_count} AS n FROM (SELECT r.*, {dims} FROM {shape.index.table} r) r "
            f"WHERE {' AND '.join(f'{k} >= 0' for k in kept)} GROUP BY {', '.join(kept)} LIMIT {_MOST_CELLS}"
        )["n"].to_numpy()
        shown = shape.n.to_numpy()[here]
        least = shown.min()
        if int((sizes >= least).sum()) == len(shown):
            bits += float(np.log2(len(np.unique(sizes)) + 1))
        else:
            bits += _choose(max(len(sizes), len(shown)), len(shown))
    return bits


def _choose(of: int, some: int) -> float:
    """log2 of how many ways there are to take ``some`` ``of`` so many."""
    ways = math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)
    return ways / math.log(2.0)
