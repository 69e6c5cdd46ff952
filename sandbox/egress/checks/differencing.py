"""Differencing with earlier releases: cells, and all totals both releases give, that differ by a few.

Within one request only tables over the same dimensions are compared: totals differ by what was suppressed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context, Release
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.messages import finding
from sandbox.egress.shape import Shape, best, margins

_MOST_DIMENSIONS = 4  # subsets of shared dimensions compared: at most 2^4


def _counts(shape: Shape) -> dict[str, pl.DataFrame]:
    """Cells without margins as raw column -> value, with each stated count; else the recount."""
    frame = shape.frame.select(
        pl.col(k).cast(pl.String).fill_null("").alias(raw)
        for k, raw in shape.raw_of.items()
        if k in shape.dims
    )
    inside = pl.Series([True] * frame.height, dtype=pl.Boolean)
    for name in frame.columns:
        inside = inside & ~(margins(frame[name]) | (frame[name] == ""))
    columns = {shape.names[k]: shape.numbers(k) for k in shape.counts} or {"": shape.n.cast(pl.Float64)}
    return {name: frame.with_columns(__n=values).filter(inside) for name, values in columns.items()}


def _tables(context: Context, documents: list[Document]) -> Iterable[tuple[Document, Table, Shape]]:
    for document in documents:
        for table in document.tables:
            shape = best(context, document, table)
            if shape is not None and shape.aggregate and not shape.others:
                yield document, table, shape


def _sums(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    if keys:
        return frame.group_by(keys).agg(pl.col("__n").sum())
    return frame.select(pl.col("__n").sum())


def _differences(new: pl.DataFrame, old: pl.DataFrame, threshold: float) -> int:
    """Cells and common totals whose counts differ by at least one and less than the threshold."""
    shared = [c for c in new.columns if c in old.columns and c != "__n"][:_MOST_DIMENSIONS]
    found = 0
    for size in range(len(shared), -1, -1):
        for keys in combinations(shared, size):
            pair = [_sums(frame, keys) for frame in (new, old)]
            both = (
                pair[0].join(pair[1], on=list(keys), how="inner", suffix="_old")
                if keys
                else pl.concat([pair[0], pair[1].rename({"__n": "__n_old"})], how="horizontal")
            )
            gap = (both["__n"] - both["__n_old"]).abs()
            found += int(((gap >= 1) & (gap < threshold)).sum())
        if found:
            break
    return found


def _release(document: Document, context: Context, release: Release) -> Iterable[Finding]:
    for _, table, shape in _tables(context, [document]):
        threshold = context.min_cell(shape.index.name)
        for _, _, older in _tables(context, release.documents):
            if older.index is not shape.index:
                continue
            count = sum(
                _differences(new, old, threshold)
                for new in _counts(shape).values()
                for old in _counts(older).values()
            )
            if count:
                evidence = {"release": release.id, "count": count, "threshold": threshold}
                yield finding("DIFFERENCING", document.shown, table.part, evidence)
                return


@dataclass(frozen=True)
class _Cut:
    """A table of this request: its place among all of them, and its confirmed counts with ``__place``."""

    place: int
    document: Document
    table: Table
    shape: Shape
    cells: pl.DataFrame


def _cuts(context: Context) -> dict[Any, list[_Cut]]:
    """The tables of this request that count, by raw table and dimensions; computed once."""
    if "cuts" not in context.memo:
        cuts: dict[Any, list[_Cut]] = {}
        for place, (document, table, shape) in enumerate(_tables(context, context.documents)):
            keys = sorted({raw for k, raw in shape.raw_of.items() if k in shape.dims})[:_MOST_DIMENSIONS]
            names = {shape.names[k] for k in shape.confirmed}
            frames = [_sums(frame, keys) for name, frame in _counts(shape).items() if name in names]
            if frames and shape.confirmed:
                cells = pl.concat(frames).with_columns(__place=pl.lit(place))
                cut = _Cut(place, document, table, shape, cells)
                cuts.setdefault((shape.index.view, frozenset(shape.raw_of.values())), []).append(cut)
        context.memo["cuts"] = cuts
    found: dict[Any, list[_Cut]] = context.memo["cuts"]
    return found


def _same_cut(document: Document, context: Context) -> Iterable[Finding]:
    """Two tables of this very request over the same dimensions, both counts of all their cells."""
    for cuts in _cuts(context).values():
        for number, cut in enumerate(cuts):
            if cut.document is not document or not number:
                continue
            threshold = context.min_cell(cut.shape.index.name)
            older = pl.concat([one.cells for one in cuts[:number]])
            keys = [name for name in cut.cells.columns if not name.startswith("__")]
            how: Any = "inner" if keys else "cross"
            both = cut.cells.join(older, on=keys or None, how=how, suffix="_old")
            gap = (pl.col("__n") - pl.col("__n_old")).abs()
            close = both.filter((gap >= 1) & (gap < threshold))
            if close.height:
                first = close["__place_old"].min()
                other = next(one for one in cuts if one.place == first).document
                count = close.filter(pl.col("__place_old") == first).height
                evidence = {"release": other.shown, "count": count, "threshold": threshold}
                yield finding("DIFFERENCING", document.shown, cut.table.part, evidence)
                return


def run(document: Document, context: Context) -> Iterable[Finding]:
    """At most one finding a release or file; it names the release, never the persons."""
    for release in context.history:
        yield from _release(document, context, release)
    yield from _same_cut(document, context)


CHECK = Check(("DIFFERENCING",), "table", run, ("egress.min_cell", "egress.min_cell_sensitive"), raw=True)
