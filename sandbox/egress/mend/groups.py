"""Protections of categories: coarser bands, merged small categories, top- and bottom-coding.

Only labels of the table itself are put together: a band that is written holds whole bands that stood there.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence

import polars as pl

from sandbox.egress.bands import bands
from sandbox.egress.mend.change import Change, Loss, Place, entropy
from sandbox.egress.shape import Shape
from sandbox.egress.shape_columns import margins

_MANY = 0.2  # share of small cells from which coarser groups lose less than blanks
_FEW = 0.05  # share of rows of persons that is left to suppression
_SINGLES = 5  # years of age and the like become bands of five first
_STEPS = 12  # times that columns of one table are made coarser in one step
_DATE = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")
_NUMBER = re.compile(r"(?<!\d)-?\d+(?:\.\d+)?")
_REST = {"zh": "其他", "en": "other"}
_FLOATS = 20  # bands that a column of measures of persons begins with

Labels = Mapping[str, str]  # label: the coarser one it becomes part of


def _spelled(low: float, high: float, touching: frozenset[float]) -> str:
    """A half-open interval of whole numbers as ``bands`` reads it. ``touching``: ends that are written though
    they belong to the next band."""
    if math.isinf(high):
        return f"{low:.0f}+"
    if math.isinf(low):
        return f"<{high:.0f}"
    return f"{low:.0f}-{high if high in touching else high - 1:.0f}"


def _line(labels: Sequence[str]) -> tuple[list[tuple[float, float, str]], frozenset[float]] | None:
    """Labels in their order on a line, and the ends that are written though they belong to the next band;
    None where they are no bands of whole numbers."""
    read = bands(list(labels))
    if read is None or len(labels) < 3:
        return None
    ends = [end for pair in read.edges for end in pair if math.isfinite(end)]
    if any(end != round(end) for end in ends):
        return None
    told = sorted((low, high, label) for (low, high), label in zip(read.edges, labels, strict=True))
    touching = frozenset(
        high
        for low, high, label in told
        if math.isfinite(high) and math.isfinite(low) and high in map(float, _NUMBER.findall(label)[1:])
    )
    return told, touching


def _joined(run: Sequence[tuple[float, float, str]], touching: frozenset[float]) -> dict[str, str] | None:
    """The labels of neighbouring bands with the one band they make; None where there is a gap."""
    if any(left[1] != right[0] for left, right in itertools.pairwise(run)):
        return None
    label = run[0][2] if len(run) == 1 else _spelled(run[0][0], run[-1][1], touching)
    return {one[2]: label for one in run}


def coarser(labels: Sequence[str]) -> Labels | None:
    """One step up: days to months to years, single numbers to bands of five, bands in pairs.

    None where the labels are nothing that has an order.
    """
    if all(_DATE.fullmatch(label) for label in labels):
        return {label: label[:-3] for label in labels}
    found = _line(labels)
    if found is None:
        return None
    line, touching = found
    singles = all(high - low == 1 for low, high, _ in line)
    runs: dict[float, list[tuple[float, float, str]]] = {}
    for number, band in enumerate(line):
        runs.setdefault(band[0] // _SINGLES if singles else number // 2, []).append(band)
    result: dict[str, str] = {}
    for run in runs.values():
        if singles:  # a year that nobody is of leaves no gap
            low = run[0][0] // _SINGLES * _SINGLES
            result |= {one[2]: _spelled(low, low + _SINGLES, frozenset()) for one in run}
            continue
        joined = _joined(run, touching)
        if joined is None:
            return None
        result |= joined
    return result if len(set(result.values())) < len(labels) and len(set(result.values())) > 1 else None


def _labels(shape: Shape, k: str) -> list[str]:
    values = shape.texts[k].drop_nulls()
    return [str(value) for value in values.filter(~margins(values)).unique(maintain_order=True)]


def _small(place: Place, shape: Shape) -> pl.Series:
    return (shape.n > 0) & (shape.n < place.least)


def _regrouped(place: Place, shape: Shape, k: str, told: Labels) -> Change | None:
    """The table with a dimension's labels replaced and its cells added up. Only counts add up."""
    name = shape.names[k]
    by = [shape.names[d] for d in shape.dims]
    numbers = [n for n in place.table.columns if n not in by]
    if not place.plain or shape.others or shape.measures or not numbers:
        return None
    frame = place.table.data.with_columns(
        shape.texts[k].replace(dict(told)).fill_null(place.table.data[name].cast(pl.String)).alias(name)
    )
    sums = [
        pl.when(pl.col(n).is_null().any()).then(None).otherwise(pl.col(n).sum()).alias(n) for n in numbers
    ]
    made = frame.group_by(by, maintain_order=True).agg(sums).select(place.table.columns)
    sizes = pl.DataFrame({"label": shape.texts[k], "n": shape.n})
    inner = sizes.filter(~margins(sizes["label"]).fill_null(True))
    before = entropy(inner.group_by("label").agg(pl.col("n").sum())["n"])
    after = entropy(
        inner.with_columns(pl.col("label").replace(dict(told))).group_by("label").agg(pl.col("n").sum())["n"]
    )
    joined = sum(1 for one in told if list(told.values()).count(told[one]) > 1)
    loss = Loss(categories=joined, entropy_share=1 - after / before if before else 0.0)
    return Change(made, loss, f"column {place.table.columns.index(name) + 1}")


def _dims(shape: Shape) -> list[str]:
    """Dimensions, the one with the most labels first."""
    return sorted(shape.dims, key=lambda k: -len(_labels(shape, k)))


def merge(place: Place) -> Change | None:
    """Coarser bands in the dimension with the most of them; if it was asked for, the small categories of one
    as “others”, which people have to judge.

    Of rows of persons every column that has an order, until few rows stand alone. Where only a few cells are
    small and nobody asked, suppression loses less: None.
    """
    shape = place.cells
    if shape is None:
        return _generalised(place)
    small = _small(place, shape)
    if not bool(small.any()) or (not place.asked and float(small.mean() or 0) < _MANY):  # type: ignore[arg-type]
        return None
    for k in _dims(shape):
        told = coarser(_labels(shape, k))
        change = _regrouped(place, shape, k, told) if told else None
        if change is not None:
            return change
    rest = _dims(shape) if place.asked else []
    return next((c for k in rest if (c := _rest(place, shape, k, small)) is not None), None)


def _rest(place: Place, shape: Shape, k: str, small: pl.Series) -> Change | None:
    """The categories with a small cell, two at least, as “others”."""
    labels = _labels(shape, k)
    told = pl.DataFrame({"label": shape.texts[k], "n": shape.n, "small": small})
    sizes = told.group_by("label", maintain_order=True).agg(pl.col("n").sum(), pl.col("small").any())
    order = sizes.filter(pl.col("label").is_in(labels)).sort("small", "n", descending=[True, False])
    chosen = order["label"].head(max(2, int(order["small"].sum()))).to_list()
    rest = _REST["en" if all(label.isascii() for label in labels) else "zh"]
    chosen += [rest] if rest in labels and rest not in chosen else []
    if len(chosen) >= len(labels):
        return None
    return _regrouped(place, shape, k, {label: rest if label in chosen else label for label in labels})


def code_ends(place: Place) -> Change | None:
    """The outermost bands as one, at the top and at the bottom, until no cell of it is small.

    None where bands between the ends are small too, or more than half of the bands would go.
    """
    shape = place.cells
    if shape is None:
        return None
    small = _small(place, shape)
    for k in _dims(shape):
        found = _line(_labels(shape, k))
        if found is None:
            continue
        line, touching = found
        cells = pl.DataFrame(
            {"own": shape.texts[k], "n": shape.n, **{o: shape.texts[o] for o in shape.dims if o != k}}
        )
        rest = [o for o in shape.dims if o != k]
        bad = set(shape.texts[k].filter(small).to_list())
        top = _end(cells, rest, [one[2] for one in reversed(line)], bad, place.least)
        low = _end(cells, rest, [one[2] for one in line], bad, place.least)
        inner = bad - {one[2] for one in line[:low]} - {one[2] for one in line[len(line) - top :]}
        if inner - {None} or not top + low or 2 * (top + low) > len(line):
            continue
        told = {one[2]: one[2] for one in line}
        if low:
            told |= {one[2]: _spelled(-math.inf, line[low - 1][1], touching) for one in line[:low]}
        if top:
            told |= {one[2]: _spelled(line[-top][0], math.inf, touching) for one in line[-top:]}
        change = _regrouped(place, shape, k, told)
        if change is not None:
            return change
    return None


def _end(cells: pl.DataFrame, rest: list[str], order: list[str], bad: set[str], least: int) -> int:
    """How many bands from the end to put together; 0 when the outermost one has no small cell."""
    if order[0] not in bad:
        return 0
    for many in range(2, len(order)):
        inside = cells.filter(pl.col("own").is_in(order[:many]))
        sizes = inside.group_by(rest).agg(pl.col("n").sum())["n"] if rest else pl.Series([inside["n"].sum()])
        if not bool(((sizes > 0) & (sizes < least)).any()) and order[many] not in bad:
            return many
    return 0


def _generalised(place: Place) -> Change | None:
    """Rows of persons with coarser columns, until at most one in twenty has too few peers."""
    if place.shape is None:
        return None
    frame, changed, before = place.table.data, set(), place.table.data
    for _ in range(_STEPS):
        size = frame.select(pl.len().over(frame.columns)).to_series()
        if float((size < place.least).mean() or 0) <= _FEW:  # type: ignore[arg-type]
            break
        for name in sorted(frame.columns, key=lambda n: -frame[n].n_unique()):
            made = _coarser_column(frame[name])
            if made is not None:
                frame = frame.with_columns(made.alias(name))
                changed.add(name)
                break
        else:
            break
    if not changed:
        return None
    shares = [1 - entropy(_sizes(frame[n])) / e for n in changed if (e := entropy(_sizes(before[n])))]
    merged = sum(before[n].n_unique() - frame[n].n_unique() for n in changed)
    loss = Loss(categories=merged, entropy_share=sum(shares) / len(shares) if shares else 0.0)
    where = ", ".join(f"column {i + 1}" for i, n in enumerate(frame.columns) if n in changed)
    return Change(frame, loss, where)


def _sizes(column: pl.Series) -> pl.Series:
    return column.value_counts()["count"]


def _coarser_column(column: pl.Series) -> pl.Series | None:
    """A column of persons one step coarser; measures as bands of 1, 2 or 5 times a power of ten."""
    if column.dtype.is_float():
        low, high = column.min(), column.max()
        if not isinstance(low, float) or not isinstance(high, float) or low == high:
            return None
        width = _nice((high - low) / _FLOATS)
        start = ((column / width).floor() * width).cast(pl.Int64)
        return start.cast(pl.String) + "-" + (start + int(width)).cast(pl.String)
    texts = column.cast(pl.String)
    labels = texts.drop_nulls().unique(maintain_order=True).to_list()
    told = coarser(labels)
    return texts.replace(dict(told)) if told else None


def _nice(width: float) -> float:
    """The next of 1, 2, 5, 10, 20, … that is no less; whole."""
    power = 10.0 ** max(0, math.floor(math.log10(width))) if width > 0 else 1.0
    return next(power * step for step in (1, 2, 5, 10) if power * step >= width)
