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
from collections.abc import Iterable, Iterator

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


def _shuffles(sizes: Iterable[int]) -> float:
    """Digits that orders of so many things each could say: the logarithm of their permutations."""
    return sum(math.lgamma(size + 1) for size in sizes) / math.log(10)


def _runs(order: np.ndarray, groups: np.ndarray) -> list[np.ndarray]:
    return [order[groups[order] == one] for one in np.unique(groups[order])]


def _order_digits(base: np.ndarray, runs: list[np.ndarray], labels: np.ndarray) -> float:
    """Digits that an order of the job's own could say. ``labels``: the number of each row's label.

    None where a fact sorts the rows, and their labels those in which it is equal; else the order of these;
    or that of the labels, where all ``runs`` share it; or that of every run: whichever is least.
    """
    flat = np.concatenate(runs)
    digits = _shuffles(map(len, runs))
    seen, first = np.unique(labels[np.sort(flat)], return_index=True)
    place = np.zeros(int(labels.max()) + 1, dtype=np.int64)
    place[seen] = first
    between = np.zeros(len(flat) - 1, dtype=bool)  # the step from the last row of a run to the next run
    between[np.cumsum([len(run) for run in runs])[:-1] - 1] = True
    if ((np.diff(place[labels[flat]]) > 0) | between).all():
        digits = min(digits, _shuffles([len(seen)]))
    steps, onward = np.diff(base[flat], axis=0), np.diff(labels[flat])
    for way in (steps >= 0, steps <= 0):
        for i in np.flatnonzero((way | between[:, None]).all(axis=0)):
            tied = (steps[:, i] == 0) & ~between
            if (onward[tied] > 0).all():
                return 0.0
            unlike = np.flatnonzero(~tied)
            ties = np.diff(np.concatenate([[-1], unlike, [len(flat) - 1]]))
            digits = min(digits, _shuffles(map(int, ties)))
    return digits


def _orders(shape: Shape, base: np.ndarray) -> Iterator[tuple[list[np.ndarray], float]]:
    """Sequences of rows in which one dimension advances and the others stay, margins left out; with the
    digits that choosing the sequence could say: rows leave sorted, and running sums in an order of the job's
    own would tell which it was."""
    frame = shape.frame
    every = np.arange(frame.height)
    if not shape.dims:
        yield [every], _order_digits(base, [every], every)
        return
    for k in shape.dims:
        rest = [other for other in shape.dims if other != k]
        inner = every[~shape.wild(k).to_numpy()]
        if not len(inner):
            continue
        groups = np.zeros(frame.height, dtype=np.int64)
        if rest:
            keys = frame.select(pl.struct(pl.col(rest).cast(pl.String)).rank("dense"))
            groups = keys.to_series().cast(pl.Int64).to_numpy()
        values = frame[k].cast(pl.String)
        numbers = as_numbers(values)
        ranked = numbers if numbers.null_count() == values.null_count() else values
        labels = ranked.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
        by_label = inner[np.argsort(labels[inner], kind="stable")]
        yield _runs(by_label, groups), 0.0
        if not np.array_equal(inner, by_label):
            runs = _runs(inner, groups)
            yield runs, _order_digits(base, runs, labels)


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


def _ranks(base: np.ndarray, order: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Ranks of the rows by each fact, from the largest and from the smallest, with the digits that they could
    say: ties share a place, or follow each other in ``order`` (by label), or as the job has its rows, which
    tells of it what the ties leave open."""
    for column in base.T:
        values = pl.Series(column).fill_nan(None)
        ties = _shuffles(values.drop_nulls().value_counts()["count"].to_list())
        for down in (True, False):
            placed = np.zeros(len(column))
            placed[order] = values.gather(order).rank("ordinal", descending=down).cast(pl.Float64).to_numpy()
            yield placed, 0.0
            for rank, digits in (
                (values.rank("ordinal", descending=down), ties),
                (values.rank("min", descending=down), 0.0),
                (values.rank("dense", descending=down), 0.0),
            ):
                yield rank.cast(pl.Float64).to_numpy(), digits


class Derived:
    """The second-order facts of one table's rows, built on first use.

    ``rows``: which rows stand for enough entities. ``cost`` says what a column carries beyond them.
    """

    def __init__(self, context: Context, shape: Shape, rows: pl.Series) -> None:
        self._context, self._shape, self._rows = context, shape, rows
        self._made: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def _facts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(facts that stand for themselves, digits that choosing each could say, facts that a constant may
        multiply)."""
        if self._made is None:
            added, level = base_facts(self._context, self._shape, self._rows)
            base = np.column_stack([added, level])
            n = base[:, :2]
            with np.errstate(divide="ignore", invalid="ignore"):
                root = 1 / np.sqrt(n)
            sorted_ = self._shape.frame.select(
                pl.arg_sort_by(list(self._shape.dims) or self._shape.frame.columns)
            )
            ranks = _ranks(base, sorted_.to_series().to_numpy())
            parts = [(base, 0.0), (root, 0.0), *((rank[:, None], digits) for rank, digits in ranks)]
            for runs, digits in _orders(self._shape, base):
                parts += [(made, digits) for made in _along(base, runs, added.shape[1])]
            digits_of = np.repeat([digits for _, digits in parts], [made.shape[1] for made, _ in parts])
            own = np.column_stack([made for made, _ in parts])
            self._made = own, digits_of, np.column_stack([base, root])
        return self._made

    def cost(self, values: pl.Series) -> int | None:
        """Digits that a column of numbers (one a row) carries beyond second-order facts; None if it is none.

        Nought where it is one of them throughout, by itself or per cent, per mille, in ten thousands; what an
        order of the job's own could say where it follows one; the digits of the constant of a multiple.
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
        own, digits, multiplied = self._facts()
        found = _is_one(own[at], digits, stated, limit)
        if found == 0:
            return 0
        many = _multiple(multiplied[at], stated, limit)
        return min((one for one in (found, many) if one is not None), default=None)


def _is_one(facts: np.ndarray, digits: np.ndarray, stated: np.ndarray, limit: np.ndarray) -> int | None:
    """Digits of the cheapest fact that, at one of the usual scales, is the column in every row, and tells it
    apart; None: there is none."""
    distinct = len(np.unique(stated))
    best: float | None = None
    for scale in (*SCALES, -1.0):
        with np.errstate(invalid="ignore"):
            fits = (np.abs(facts * scale - stated[:, None]) <= limit[:, None]).all(axis=0)
        able = [digits[i] for i in np.flatnonzero(fits) if len(np.unique(facts[:, i])) >= distinct]
        best = min([*able, *([] if best is None else [best])], default=None)
    return None if best is None else math.ceil(best - 1e-9)


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
