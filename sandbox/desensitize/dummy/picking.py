"""Rows drawn from candidates so that what the job asks for is there.

A row belongs to one want of the job, or to none. The rows of a want draw from the candidates that meet its
conditions: DuckDB itself evaluates them, so that whatever it can compute is understood. Columns that are
grouped by get few values there, in even shares, so that every group has its least size.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from sandbox.desensitize.dummy.wanted import Condition, Reading, Want
from sandbox.workspace.duck import identifier, locked

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
FREE = -1  # the want of a row that belongs to none
_IN_TEN = 7  # of ten rows belong to a want
_ROUNDS = 20  # of drawing anew where a condition is about several columns
_SPARE = 1.6  # groups are made that much larger than asked: some rows get lost in joins
_CROSSED = 400


@dataclass
class Unit:
    """Columns that are drawn together from ``pool``; its last row is all null. ``names``: column of the pool
    -> what conditions call it. ``order``: which row takes which candidate, where that is given."""

    pool: pl.DataFrame
    names: dict[str, list[str]]
    order: Ints | None = None

    @property
    def called(self) -> set[str]:
        """Everything that conditions call its columns."""
        return {full for fulls in self.names.values() for full in fulls}


def unit(columns: Mapping[str, pl.Series], names: dict[str, list[str]], order: Ints | None = None) -> Unit:
    """A unit of these candidates."""
    frame = pl.DataFrame(dict(columns))
    nothing = pl.DataFrame({name: [None] for name in frame.columns}, schema=frame.schema)
    return Unit(pl.concat([frame, nothing]), names, order)


def slots(rows: int, wants: int) -> Ints:
    """Which want each row (or entity) belongs to."""
    number = np.arange(rows)
    bound = (number % 10 < _IN_TEN) & (wants > 0)
    place = number // 10 * _IN_TEN + number % 10
    return np.where(bound, place % max(1, wants), FREE)


@dataclass
class Picker:
    """Draws rows; ``unmet`` are the conditions that no candidate meets."""

    reading: Reading
    least: int
    random: np.random.Generator
    unmet: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.duck = locked([], Path(tempfile.gettempdir()))
        for macro in self.reading.macros:
            self._try(macro)

    def _try(self, statement: str) -> list[tuple[object, ...]] | None:
        try:
            return self.duck.execute(statement).fetchall()
        except duckdb.Error:
            return None

    def meets(
        self, frame: pl.DataFrame, names: Mapping[str, list[str]], condition: Condition
    ) -> Bools | None:
        """Which rows of ``frame`` meet ``condition``; None if DuckDB cannot compute it over them."""
        if frame.is_empty():
            return np.zeros(0, dtype=bool)
        self.duck.register("pool", frame.to_arrow())
        called = [
            f"{identifier(name)} AS {identifier(full)}"
            for name, fulls in names.items()
            for full in fulls
            if full in condition.columns
        ]
        rows = f"(SELECT {', '.join(called)} FROM pool)"
        found = self._try(f"SELECT coalesce(try({condition.sql}), false)::BOOLEAN FROM {rows}")
        self.duck.unregister("pool")
        return None if found is None else np.array([row[0] for row in found], dtype=bool)

    def rows(
        self, units: Sequence[Unit], slot: Ints, fixed: pl.DataFrame, names: Mapping[str, list[str]]
    ) -> pl.DataFrame:
        """A row for each entry of ``slot``: the columns of ``units`` beside those of ``fixed``."""
        drawn = [np.zeros(len(slot), dtype=np.int64) for _ in units]
        for number in np.unique(slot):
            where = np.flatnonzero(slot == number)
            want = self.reading.wants[number] if number != FREE else Want()
            pools = [self._pool(one, want) for one in units]
            share = self._even(units, pools, want, fixed, names, where)
            for at, one in enumerate(units):
                drawn[at][where] = self._draw(one, pools[at], share.get(at), where)
            self._together(units, pools, drawn, want, fixed, names, where)
        made = [one.pool[index] for one, index in zip(units, drawn, strict=True)]
        return pl.concat([fixed, *made], how="horizontal") if made else fixed

    def _draw(self, one: Unit, pool: Ints, share: Ints | None, where: Ints) -> Ints:
        if share is not None:
            return pool[share % len(pool)]
        if one.order is not None:
            return one.order[where]
        # a candidate at the beginning is a little more frequent: some cells come out large, some small
        place = (self.random.random(len(where)) ** 1.3 * len(pool)).astype(np.int64)
        return pool[place]

    def told(self, frame: pl.DataFrame, names: Mapping[str, list[str]]) -> None:
        """Say so of conditions that no row of ``frame`` meets: identifiers, which no condition chooses."""
        called = {full for fulls in names.values() for full in fulls}
        for want in self.reading.wants:
            for condition in want.conditions:
                missing = condition.sql.endswith("IS NULL)")  # of a join that finds nobody, not of a row
                asked = condition.columns <= called and not missing
                found = self.meets(frame, names, condition) if asked else None
                if found is not None and not found.any():
                    self.unmet.add(condition.sql)

    def _pool(self, one: Unit, want: Want) -> Ints:
        """The candidates of a unit that meet what ``want`` says of it alone."""
        everything = np.arange(one.pool.height - 1)
        asked = [condition for condition in want.conditions if condition.columns <= one.called]
        if one.order is not None:
            self.told(one.pool, one.names)
        if not asked or one.order is not None:
            return everything
        left = self._meeting(one, asked)
        if left is None and one.pool.width > 1:
            self._cross(one, asked)
            left = self._meeting(one, asked)
        if left is None:
            self.unmet.update(condition.sql for condition in asked)
            return everything
        return left

    def _meeting(self, one: Unit, asked: Iterable[Condition]) -> Ints | None:
        good = np.ones(one.pool.height, dtype=bool)
        for condition in asked:
            found = self.meets(one.pool, one.names, condition)
            if (
                found is None
            ):  # the engine cannot compute it: a type that it does not fit, a function of a job
                self.unmet.add(condition.sql)
            else:
                good &= found
        return np.flatnonzero(good) if good.any() else None

    def _cross(self, one: Unit, asked: Sequence[Condition]) -> None:
        """More candidates: values that meet what is asked of each column, combined."""
        parts = []
        for name in one.pool.columns:
            mine = [c for c in asked if c.columns <= set(one.names[name])]
            alone = unit(
                {name: one.pool[name].drop_nulls().unique(maintain_order=True)}, {name: one.names[name]}
            )
            kept = self._meeting(alone, mine) if mine else np.arange(1)
            parts.append(alone.pool[kept if kept is not None else np.arange(1)].unique(maintain_order=True))
        crossed = parts[0]
        for part in parts[1:]:
            crossed = crossed.join(part, how="cross").head(_CROSSED)
        one.pool = pl.concat([one.pool[:-1], crossed.select(one.pool.columns), one.pool[-1:]])

    def _even(
        self, units: Sequence[Unit], pools: list[Ints], want: Want, fixed: pl.DataFrame,
        names: Mapping[str, list[str]], where: Ints,
    ) -> dict[int, Ints]:  # fmt: skip
        """For units that are grouped by: which candidate each row takes, so that groups are even."""
        grouped = [at for at, one in enumerate(units) if one.order is None and one.called & set(want.groups)]
        if not grouped:
            return {}
        size = max(want.least, self.least)
        already = [name for name in fixed.columns if set(names.get(name, ())) & set(want.groups)]
        combined = fixed[where].select(already).n_unique() if already else 1
        left = max(1, int(len(where) / (size * _SPARE)) // max(1, combined))
        place = (
            self.random.permutation(len(where)) if not already else self._within(fixed[where].select(already))
        )
        shares: dict[int, Ints] = {}
        grouped.sort(key=lambda at: len(pools[at]))
        for done, at in enumerate(grouped):
            count = min(len(pools[at]), max(1, round(left ** (1 / (len(grouped) - done)))))
            # the same few for every table and every want: a column that is joined by meets itself
            few = np.random.default_rng(len(pools[at])).permutation(len(pools[at]))[:count]
            shares[at] = few[place % count]
            place, left = place // count, max(1, left // count)
        return shares

    def _within(self, groups: pl.DataFrame) -> Ints:
        """The running number of each row in its group."""
        return groups.with_columns(
            pl.int_range(pl.len()).over(groups.columns).alias("#")
        )["#"].to_numpy().astype(np.int64)  # fmt: skip

    def _together(
        self, units: Sequence[Unit], pools: list[Ints], drawn: list[Ints], want: Want, fixed: pl.DataFrame,
        names: Mapping[str, list[str]], where: Ints,
    ) -> None:  # fmt: skip
        """Draw anew, for conditions about columns of more than one unit, where they do not hold yet."""
        known = {full for name in fixed.columns for full in names.get(name, ())}
        called = known.union(*(one.called for one in units))
        asked = [
            condition
            for condition in want.conditions
            if condition.columns <= called
            and not any(condition.columns <= one.called for one in units)
            and not condition.columns <= known
        ]
        if not asked:
            return
        touched = [
            at for at, one in enumerate(units) if any(one.called & condition.columns for condition in asked)
        ]
        touched = [at for at in touched if units[at].order is None]
        every = {**names, **{name: fulls for one in units for name, fulls in one.names.items()}}
        left = where
        for _ in range(_ROUNDS):
            good = self._hold(units, drawn, asked, fixed, every, left)
            left = left[~good]
            if not len(left):
                return
            for at in touched:
                drawn[at][left] = pools[at][self.random.integers(0, len(pools[at]), len(left))]
        good_rows = np.setdiff1d(where, left)
        if not len(good_rows):
            self.unmet.update(condition.sql for condition in asked)
            return
        copied = good_rows[self.random.integers(0, len(good_rows), len(left))]
        for at in touched:
            drawn[at][left] = drawn[at][copied]

    def _hold(
        self, units: Sequence[Unit], drawn: list[Ints], asked: list[Condition], fixed: pl.DataFrame,
        names: Mapping[str, list[str]], where: Ints,
    ) -> Bools:  # fmt: skip
        parts = [fixed[where], *(one.pool[index[where]] for one, index in zip(units, drawn, strict=True))]
        frame = pl.concat(parts, how="horizontal")
        good = np.ones(len(where), dtype=bool)
        for condition in asked:
            found = self.meets(frame, names, condition)
            good &= found if found is not None else True
        return good
