"""Second-order facts: what offices work out from counts, sums and means of cells.

Growth and differences between periods, indices, cumulated counts, moving averages, shares of a total, ranks,
standard errors and their intervals, and any constant multiple (rates, weights, units), all recomputed from
recounts of cells of at least the threshold of entities. A constant that the job chose itself is counted with
the digits it has: so much it could carry, whatever the length of the column.

Means, sums and deviations of a cell that one or few entities dominate (policy ``egress.dominance_*``,
``egress.p_percent``) are no facts here: a multiple of them would tell what the plain number may not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from sandbox.egress.context import Context
from sandbox.egress.dominance import Dominance
from sandbox.egress.facts import RELATIVE, SCALES, raw_numbers, written
from sandbox.egress.shape import Shape, as_numbers, recount

_MOST_ROWS = 20_000
_LEAST_ROWS = 3  # a multiple, a growth rate of fewer is chance
_WINDOWS = (2, 3, 4, 5, 7, 12)  # periods of a moving average
_NORMAL = (1.645, 1.96, 2.576)  # two-sided 90, 95, 99 % points of the normal distribution
_MOST_DIGITS = 9  # of a constant of the job's own
_PERIODS = (1, 4, 7, 12)  # last period; the year before, of quarters, of months; the week before, of days


def dominated(context: Context, shape: Shape, raw: str, rows: pl.Series) -> np.ndarray:
    """Rows whose cell fails the (n, k) or the p % rule for a raw number."""
    rule = Dominance.of(context)
    top = recount(
        shape,
        f"struct_pack(t := sum(s), top := max(s, {rule.needed}))",
        part=f"sum(abs({shape.index.number(raw)}))",
        rows=rows,
    )
    found = np.ones(shape.frame.height, dtype=bool)
    for row, cell in enumerate(top.to_list()):
        if cell and cell["t"] and cell["top"]:
            found[row] = rule.fails(float(cell["t"]), cell["top"])
    return found


def base_facts(context: Context, shape: Shape, rows: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """(counts and sums, means and what belongs to them) of each row; nothing where ``rows`` is false."""
    index, nothing = shape.index, ~rows.to_numpy()
    n = shape.n.cast(pl.Float64).to_numpy()
    added: list[np.ndarray] = [n, shape.rows_n.cast(pl.Float64).to_numpy()]
    level: list[np.ndarray] = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for raw in raw_numbers(index):
            x = index.number(raw)
            pack = f"struct_pack(s := sum({x}), a := avg({x}), d := stddev_samp({x}), c := count({x}))"
            cells = recount(shape, pack, rows=rows)
            if cells.dtype != pl.Struct:
                continue
            fields = [cells.struct.field(f).cast(pl.Float64).to_numpy().copy() for f in "sadc"]
            bad = dominated(context, shape, raw, rows)
            for one in fields:
                one[bad] = np.nan
            total, mean, spread, known = fields
            error = spread / np.sqrt(known)
            added.append(total)
            level += [mean, spread, error, spread / mean, error / mean, total / n]
            level += [mean + sign * z * error for z in _NORMAL for sign in (1, -1)]
    made = np.column_stack(added), np.column_stack(level) if level else np.zeros((len(n), 0))
    for matrix in made:
        matrix[nothing] = np.nan
    return made


def _orders(shape: Shape) -> Iterator[list[np.ndarray]]:
    """Sequences of rows in which one dimension advances and the others stay, margins left out."""
    frame = shape.frame
    every = np.arange(frame.height)
    if not shape.dims:
        yield [every]
        return
    for k in shape.dims:
        rest = [other for other in shape.dims if other != k]
        inner = every[~shape.wild(k).to_numpy()]
        values = frame[k].cast(pl.String)
        numbers = as_numbers(values)
        place = (numbers if numbers.null_count() == values.null_count() else values).rank("dense")
        by_label = inner[np.argsort(place.fill_null(0).to_numpy()[inner], kind="stable")]
        orders = [inner] if np.array_equal(inner, by_label) else [inner, by_label]
        for order in orders:
            if not rest:
                yield [order]
                continue
            keys = frame.select(pl.struct(pl.col(rest).cast(pl.String)).rank("dense")).to_series().to_numpy()
            yield [order[keys[order] == one] for one in np.unique(keys[order])]


def _along(base: np.ndarray, runs: list[np.ndarray], level: int) -> Iterator[np.ndarray]:
    """Facts along one order: changes, indices, running sums and means. The first ``level`` columns add up."""
    with np.errstate(divide="ignore", invalid="ignore"):
        for lag in _PERIODS:
            before = np.full_like(base, np.nan)
            for run in runs:
                before[run[lag:]] = base[run[:-lag]] if len(run) > lag else base[:0]
            yield base / before - 1
            yield base / before
            yield base - before
        for end in (0, -1):
            index = np.full_like(base, np.nan)
            for run in runs:
                index[run] = base[run] / base[run[end]] if len(run) else base[run]
            yield index
            yield index - 1
        sums = base[:, :level]
        for way in (1, -1):
            running = np.full_like(sums, np.nan)
            share = np.full_like(sums, np.nan)
            for run in runs:
                running[run] = np.cumsum(sums[run][::way], axis=0)[::way]
                share[run] = running[run] / sums[run].sum(axis=0)
            yield running
            yield share
        total = np.full_like(sums, np.nan)
        for run in runs:
            total[run] = sums[run] / sums[run].sum(axis=0)
        yield total
        for width in _WINDOWS:
            for shift in {0, width // 2}:
                mean = np.full_like(base, np.nan)
                for run in runs:
                    if len(run) >= width:
                        windows = np.lib.stride_tricks.sliding_window_view(base[run], width, axis=0).mean(-1)
                        mean[run[width - 1 - shift : len(run) - shift]] = windows
                yield mean


def _ranks(base: np.ndarray) -> np.ndarray:
    """Ranks of the rows by each fact, from the largest and from the smallest, ties in order or shared."""
    columns = []
    for column in base.T:
        values = pl.Series(column).fill_nan(None)
        for method in ("ordinal", "min", "dense"):
            for down in (True, False):
                columns.append(values.rank(method, descending=down).cast(pl.Float64).to_numpy())
    return np.column_stack(columns) if columns else np.zeros((len(base), 0))


class Derived:
    """The second-order facts of one table's rows, built on first use.

    ``rows``: which rows stand for enough entities. ``cost`` says what a column carries beyond them.
    """

    def __init__(self, context: Context, shape: Shape, rows: pl.Series) -> None:
        self._context, self._shape, self._rows = context, shape, rows
        self._made: tuple[np.ndarray, np.ndarray] | None = None

    def _facts(self) -> tuple[np.ndarray, np.ndarray]:
        """(facts that stand for themselves, those that a constant may multiply)."""
        if self._made is None:
            added, level = base_facts(self._context, self._shape, self._rows)
            base = np.column_stack([added, level])
            n = base[:, :2]
            with np.errstate(divide="ignore", invalid="ignore"):
                root = 1 / np.sqrt(n)
            parts = [base, root, _ranks(base)]
            for runs in _orders(self._shape):
                parts += _along(base, runs, added.shape[1])
            self._made = np.column_stack(parts), np.column_stack([base, root])
        return self._made

    def cost(self, values: pl.Series) -> int | None:
        """Digits that a column of numbers (one a row) carries beyond second-order facts; None if it is none.

        Nought where it is one of them throughout, by itself or per cent, per mille, in ten thousands; the
        digits of the constant where it is a multiple.
        """
        numbers = values.cast(pl.Float64).to_numpy().copy()
        if len(numbers) > _MOST_ROWS:
            return None
        known = np.isfinite(numbers)
        at = np.flatnonzero(known)
        stated = numbers[at]
        if len(at) < _LEAST_ROWS or not self._rows.to_numpy()[at].all():
            return None
        half = np.array([written(float(one))[1] for one in stated])
        limit = 1.001 * half + np.abs(stated) * RELATIVE
        own, multiplied = self._facts()
        if _is_one(own[at], stated, limit):
            return 0
        return _multiple(multiplied[at], stated, limit)


def _is_one(facts: np.ndarray, stated: np.ndarray, limit: np.ndarray) -> bool:
    """Whether one fact, at one of the usual scales, is the column in every row, and tells it apart."""
    distinct = len(np.unique(stated))
    for scale in (*SCALES, -1.0):
        with np.errstate(invalid="ignore"):
            fits = (np.abs(facts * scale - stated[:, None]) <= limit[:, None]).all(axis=0)
        if any(len(np.unique(facts[:, i])) >= distinct for i in np.flatnonzero(fits)):
            return True
    return False


def _multiple(facts: np.ndarray, stated: np.ndarray, limit: np.ndarray) -> int | None:
    """Digits of the shortest constant by which one fact is the column throughout."""
    if (stated <= 0).any():
        return None
    best: int | None = None
    distinct = len(np.unique(stated))
    for fact in facts.T:
        if not (fact > 0).all() or len(np.unique(fact)) < distinct:
            continue
        low, high = ((stated - limit) / fact).max(), ((stated + limit) / fact).min()
        if 0 < low <= high:
            digits = _shortest(low, high)
            best = digits if best is None else min(best, digits)
    return best if best is not None and best <= _MOST_DIGITS else None


def _shortest(low: float, high: float) -> int:
    """Significant digits of the shortest decimal between two positive numbers."""
    exponent = math.floor(math.log10(high))
    for digits in range(1, 18):
        unit = 10.0 ** (exponent - digits + 1)
        if math.floor(high / unit) * unit >= low:
            return digits
    return 18
