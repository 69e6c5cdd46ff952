"""Generalisation hierarchies: what a value may become, from itself up to ``*``.

Leaves are numbered so that every group of every level is a run of them: two leaves and all between them then
have their lowest common group where the groups of the two outer ones first are the same, which is what
Mondrian and the hierarchical distance rest on. An empty value is a leaf of its own that stays apart up to
the top.

The CSV form is that of ARX: no header, one line a value, columns from the value itself to the top.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.core.errors import fail
from sandbox.desensitize.search import codes  # noqa: F401  (defines the error codes)

TOP = "*"
AGE_BANDS = (5.0, 10.0, 20.0)
Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
_PERIODS: dict[str, Callable[[dt.date], str]] = {
    "month": lambda day: f"{day.year:04d}-{day.month:02d}",
    "quarter": lambda day: f"{day.year:04d}Q{(day.month - 1) // 3 + 1}",
    "year": lambda day: f"{day.year:04d}",
    "decade": lambda day: f"{day.year // 10 * 10:04d}s",
}
_COARSER = tuple(_PERIODS)
_MOST_BYTES = 64 << 20


class HierarchySpec(BaseModel):
    """How a column is generalised, one of five ways ``by``; ``*`` is always on top:

    - ``file``: ``path`` of a CSV in the form of ARX, its ``separator``
    - ``age``: bands of 5, 10 and 20 years
    - ``band``: bands of the ``widths``, each a multiple of the one before, from ``start``
    - ``prefix``: the first ``lengths`` characters of a code, falling: 520102 -> 5201 -> 52
    - ``date``: ``to`` periods of month, quarter, year, decade, in this order
    - ``top``: nothing between the value and ``*``
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["file", "age", "band", "prefix", "date", "top"] = "top"
    path: str | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ";"
    widths: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = ()
    start: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    lengths: tuple[Annotated[int, Field(ge=1, le=64)], ...] = ()
    to: tuple[Literal["month", "quarter", "year", "decade"], ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> HierarchySpec:
        needs = {"file": self.path, "band": self.widths, "prefix": self.lengths, "date": self.to}
        given = {name for name, value in needs.items() if value}
        if given != ({self.by} & needs.keys()):
            raise ValueError("by")
        if any(wide % narrow or wide <= narrow for narrow, wide in pairwise(self.widths)):
            raise ValueError("widths")
        if any(short >= long for long, short in pairwise(self.lengths)):
            raise ValueError("lengths")
        if list(self.to) != sorted(set(self.to), key=_COARSER.index):
            raise ValueError("to")
        return self


@dataclass(frozen=True)
class Hierarchy:
    """``levels[l][leaf]``: the leaf's group at level l, level 0 the leaf itself, the last one ``*`` alone;
    group numbers rise with the leaves. ``labels[l][group]``: what is written; of level 0 the values
    themselves (None for the empty one). ``numbers``: the leaves as numbers where ranges of them make sense,
    NaN for the empty one; days for dates."""

    levels: tuple[Ints, ...]
    labels: tuple[tuple[Any, ...], ...]
    numbers: Floats | None = None

    @property
    def height(self) -> int:
        """The highest level."""
        return len(self.levels) - 1

    @property
    def leaves(self) -> int:
        """The size of the domain."""
        return len(self.levels[0])

    def sizes(self) -> tuple[int, ...]:
        """Groups of each level."""
        return tuple(len(names) for names in self.labels)

    def shares(self, level: int) -> Floats:
        """The part of the domain that each group of a level covers."""
        return np.bincount(self.levels[level], minlength=len(self.labels[level])) / self.leaves


def _built(rows: Sequence[Sequence[Any]], numbers: Floats | None = None) -> Hierarchy:
    """The hierarchy of ``rows`` (value, group, …, ``*``), leaves put in order. Raises ValueError with one of
    ``repeated`` (a value twice), ``not nested`` (a group that falls apart further up)."""
    height = len(rows[0]) - 1
    if len({row[0] for row in rows}) < len(rows):
        raise ValueError("repeated")
    place: list[Ints] = []
    for level in range(height + 1):
        seen: dict[Any, int] = {}
        place.append(np.array([seen.setdefault(row[level], len(seen)) for row in rows], dtype=np.int32))
    for low, high in pairwise(place):
        pairs = np.unique(np.stack([low, high], axis=1), axis=0)
        if len(pairs) != len(np.unique(low)):
            raise ValueError("not nested")
    order = np.lexsort(place)
    levels, labels = [], []
    for level in range(height + 1):
        codes_ = place[level][order]
        group = np.cumsum(np.r_[0, codes_[1:] != codes_[:-1]]).astype(np.int32)
        first = order[np.flatnonzero(np.r_[True, group[1:] != group[:-1]])]
        levels.append(group)
        labels.append(tuple(rows[i][level] for i in first))
    return Hierarchy(tuple(levels), tuple(labels), None if numbers is None else numbers[order])


def _bands(number: float, widths: Iterable[float], start: float) -> list[str]:
    lows = [(np.floor((number - start) / width) * width + start, width) for width in widths]
    return [f"[{low:.15g},{low + width:.15g})" for low, width in lows]


def _day(value: Any) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value)[:10])


def _row(value: Any, spec: HierarchySpec) -> tuple[list[Any], float]:
    """(value and its groups without the top, its number) by the rules of ``spec``; ValueError if unfit."""
    if spec.by in ("age", "band"):
        number = float(value)
        if not np.isfinite(number):
            raise ValueError
        return [value, *_bands(number, spec.widths or AGE_BANDS, spec.start)], number
    if spec.by == "date":
        day = _day(value)
        return [value, *(_PERIODS[period](day) for period in spec.to)], float(day.toordinal())
    if spec.by == "prefix":
        text = str(value)
        return [value, *(text[:length] + "*" * (len(text) - length) for length in spec.lengths)], np.nan
    return [value], np.nan


def read_csv(text: str, separator: str = ";") -> list[list[str]]:
    """The rows of a hierarchy in the form of ARX. Raises ValueError ``uneven`` or ``empty``."""
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
    if not rows:
        raise ValueError("empty")
    if len({len(row) for row in rows}) > 1:
        raise ValueError("uneven")
    if len({row[-1] for row in rows}) > 1:
        rows = [[*row, TOP] for row in rows]
    return rows


def _ranges(values: list[Any]) -> Floats | None:
    """``values`` as numbers, if all of them are."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values, dtype=np.float64)
    return None


def build(column: str, values: Sequence[Any], spec: HierarchySpec, folder: Path | None = None) -> Hierarchy:
    """The hierarchy of ``column`` for its distinct ``values`` (None among them if it has empty cells).

    ``folder``: where a ``path`` that is not absolute is looked for. The domain is the file's, else the
    values. Raises ANONYMISE_HIERARCHY (file or parameters), ANONYMISE_VALUES (values without a place in it).
    """
    present = [value for value in values if value is not None]
    if spec.by == "file":
        rows, numbers = _of_file(column, present, spec, folder), None
    else:
        rows, numbers = _of_rule(column, present, spec)
    if len(present) < len(values):
        rows.insert(0, [None] * (len(rows[0]) - 1) + [rows[0][-1]] if rows else [None, TOP])
        numbers = None if numbers is None else np.r_[np.nan, numbers]
    try:
        return _built(rows or [[None, TOP]], numbers)
    except ValueError as error:
        raise fail("ANONYMISE_HIERARCHY", column=column, why=str(error)) from None


def _of_rule(column: str, present: list[Any], spec: HierarchySpec) -> tuple[list[list[Any]], Floats | None]:
    rows, numbers, unfit = [], [], 0
    for value in sorted(present):
        try:
            row, number = _row(value, spec)
        except ValueError:
            unfit += 1
            continue
        rows.append([*row, TOP])
        numbers.append(number)
    if unfit:
        raise fail("ANONYMISE_VALUES", column=column, number=unfit)
    plain = _ranges([row[0] for row in rows]) if spec.by == "top" else None
    return rows, np.array(numbers) if spec.by in ("age", "band", "date") else plain


def _of_file(column: str, present: list[Any], spec: HierarchySpec, folder: Path | None) -> list[list[Any]]:
    path = (folder or Path()) / str(spec.path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("too large")
        rows = read_csv(path.read_text("utf-8-sig"), spec.separator)
    except (OSError, UnicodeDecodeError):
        raise fail("ANONYMISE_HIERARCHY", column=column, why="unreadable") from None
    except ValueError as error:
        raise fail("ANONYMISE_HIERARCHY", column=column, why=str(error)) from None
    known = {str(value): value for value in present}
    missing = len(known.keys() - {row[0] for row in rows})
    if missing:
        raise fail("ANONYMISE_VALUES", column=column, number=missing)
    return [[known.get(row[0], row[0]), *row[1:]] for row in rows]
