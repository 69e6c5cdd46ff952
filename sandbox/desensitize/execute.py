"""A recipe over a Parquet file, batch by batch: memory grows with the batch and with what must be seen whole.

A step that needs all rows (``Transform.whole``) is given its columns only, made by the steps before it in a
pass of their own; its result is kept and handed out again by position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.core.errors import fail
from sandbox.desensitize.effect import same
from sandbox.desensitize.recipe import Recipe, Step
from sandbox.desensitize.transforms.base import Keys, NoCipher, Setting, Tokens, Unfit

BATCH = 1 << 18  # rows; what a scan costs at the least, it costs once a batch and column
# No recipe can name a column so (``ColumnName``): the raw entity key, and before a name its raw column.
ENTITY, RAW = "\x00entity", "\x00raw/"
Work = dict[str, pl.Series]


def _nothing(rows: int) -> None:
    """No one wants to be told."""


@dataclass
class Source:
    """The snapshot. Raises RECIPE_SOURCE if it is no Parquet file or has other columns than ``names``."""

    path: Path
    names: set[str]
    rows: int = 0

    def __post_init__(self) -> None:
        with self._open() as file:
            if set(file.schema_arrow.names) != self.names:
                raise fail("RECIPE_SOURCE")
            self.rows = file.metadata.num_rows

    def _open(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.path)
        except (pa.ArrowException, OSError):
            raise fail("RECIPE_SOURCE") from None

    def batches(self, columns: set[str] | None = None) -> Iterator[pl.DataFrame]:
        """The rows in batches of about one size, so that no last one is small; at least one, maybe empty."""
        with self._open() as file:
            names = [name for name in file.schema_arrow.names if columns is None or name in columns]
            size = max(1, -(-self.rows // max(1, -(-self.rows // BATCH))))
            if not self.rows:
                yield pl.DataFrame(file.schema_arrow.empty_table().select(names))
            try:
                for batch in file.iter_batches(batch_size=size, columns=names):
                    yield pl.DataFrame(pa.Table.from_batches([batch]))
            except (pa.ArrowException, OSError):
                raise fail("RECIPE_SOURCE") from None


@dataclass
class Execution:
    """One run: ``batches`` gives the columns as they are after all steps; ``changed`` counts cells by
    step."""

    recipe: Recipe
    source: Source
    keys: Keys
    tokens: Tokens | None = None
    entity: str | None = None
    watched: frozenset[str] = frozenset()  # columns whose raw values are handed on beside the product
    told: Callable[[int], None] = _nothing  # called with the rows of every batch that is done
    changed: dict[tuple[int, str], int] = field(default_factory=dict)
    _made: dict[int, list[pl.Series]] = field(default_factory=dict)
    _places: dict[int, int] = field(default_factory=dict)

    @property
    def passes(self) -> int:
        """How often the source is read."""
        return 1 + sum(step.row.whole(step.parameters) for step in self.recipe.steps)

    def batches(self) -> Iterator[tuple[pl.DataFrame, Work]]:
        """(rows of the source, columns by name after the steps); ``ENTITY`` is the raw key of what is left,
        ``RAW`` + name the raw values of a watched column there.

        Raises RECIPE_VALUES, RECIPE_CIPHER, RECIPE_SOURCE."""
        for number, step in enumerate(self.recipe.steps):
            if step.row.whole(step.parameters):
                self._made[number] = self._whole(number, step)
        self._places = dict.fromkeys(self._made, 0)
        for frame, work in self._run(len(self.recipe.steps), None, count=True):
            yield frame, work
            self.told(frame.height)

    def _whole(self, number: int, step: Step) -> list[pl.Series]:
        """The result of a step that needs all rows, over all that are left there."""
        wanted = dict.fromkeys((*step.sources, *step.parameters.reads()))
        parts: dict[str, list[pl.Series]] = {name: [] for name in wanted}
        self._places = dict.fromkeys(self._made, 0)
        for frame, work in self._run(number, set(wanted), count=False):
            for name in wanted:
                parts[name].append(work[name])
            self.told(frame.height)
        columns = {name: pl.concat(series) for name, series in parts.items()}
        try:
            return list(self._apply(number, step, columns))
        except Unfit as unfit:
            raise self._unfit(number, step, unfit.rows) from None

    def _needed(self, until: int, wanted: set[str] | None) -> list[int]:
        """The steps before ``until`` that ``wanted`` (None: everything) comes from, rows that go included."""
        if wanted is None:
            return list(range(until))
        needed = []
        for number in range(until - 1, -1, -1):
            step = self.recipe.steps[number]
            if step.row.selects or wanted & set(step.targets):
                needed.append(number)
                wanted |= {*step.sources, *step.parameters.reads()}
        return needed[::-1]

    def _run(self, until: int, wanted: set[str] | None, count: bool) -> Iterator[tuple[pl.DataFrame, Work]]:
        """The batches after the steps before ``until``. A step that cannot do some cells ends it when all of
        them are counted."""
        asked = None if wanted is None else set(wanted)
        needed = self._needed(until, asked)
        unfit: tuple[int, int] | None = None  # step, cells
        for frame in self.source.batches(asked):
            work: Work = {column.name: column for column in frame.iter_columns()}
            if self.entity is not None and self.entity in work:
                work[ENTITY] = work[self.entity]
            if count:
                work |= {RAW + name: work[name] for name in self.watched}
            number = 0
            try:
                for number in needed:
                    if unfit is not None and number > unfit[0]:
                        break
                    work = self._step(number, work, count)
            except Unfit as found:
                first = unfit is None or number < unfit[0]
                unfit = (number, found.rows if first or unfit is None else unfit[1] + found.rows)
            if unfit is None:
                yield frame, work
        if unfit is not None:
            raise self._unfit(unfit[0], self.recipe.steps[unfit[0]], unfit[1])

    def _unfit(self, number: int, step: Step, rows: int) -> Exception:
        return fail("RECIPE_VALUES", step=number + 1, column=", ".join(step.sources), bad_rows=rows)

    def _step(self, number: int, work: Work, count: bool) -> Work:
        """The columns after one step."""
        step = self.recipe.steps[number]
        if number in self._made:
            start, rows = self._places[number], work[step.sources[0]].len()
            self._places[number] = start + rows
            after = [series.slice(start, rows) for series in self._made[number]]
        else:
            after = list(self._apply(number, step, work))
        if step.row.selects:
            return {name: series.filter(after[0]) for name, series in work.items()}
        for source, target, made in zip(step.sources, step.targets, after, strict=True):
            if count:
                key = (number, target)
                self.changed[key] = self.changed.get(key, 0) + int((~same(work[source], made)).sum())
        return work | {target: made.alias(target) for target, made in zip(step.targets, after, strict=True)}

    def _apply(self, number: int, step: Step, work: Work) -> list[pl.Series]:
        parameters = step.parameters
        beside = {name: work[name] for name in parameters.reads()}
        columns = [work[name] for name in step.sources]
        try:
            return list(step.row.apply(columns, parameters, Setting(self.keys, beside, self.tokens)))
        except NoCipher:
            raise fail("RECIPE_CIPHER", step=number + 1) from None
