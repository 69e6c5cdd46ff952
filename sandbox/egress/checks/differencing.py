"""Differencing with earlier releases: cells, and all totals both releases give, that differ by a few.

Within one request only tables over the same dimensions are compared: totals differ by what was suppressed.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context, Release
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.messages import finding
from sandbox.egress.shape import MARGIN, Shape, best

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
        inside = inside & ~frame[name].map_elements(
            lambda v: bool(MARGIN.fullmatch(v)) or v == "", pl.Boolean
        )
    columns = {shape.names[k]: shape.numbers(k) for k in shape.counts} or {"": shape.n.cast(pl.Float64)}
    return {name: frame.with_columns(__n=values).filter(inside) for name, values in columns.items()}


def _tables(context: Context, documents: list[Document]) -> Iterable[tuple[Document, Table, Shape]]:
    for document in documents:
        for table in document.tables:
            shape = best(context, document, table)
            if shape is not None and shape.aggregate and not shape.others:
                yield document, table, shape


def _differences(new: pl.DataFrame, old: pl.DataFrame, threshold: float, totals: bool = True) -> int:
    """Cells and common totals whose counts differ by at least one and less than the threshold."""
    shared = [c for c in new.columns if c in old.columns and c != "__n"][:_MOST_DIMENSIONS]
    found = 0
    for size in range(len(shared), -1 if totals else len(shared) - 1, -1):
        for keys in combinations(shared, size):
            pair = [
                frame.group_by(keys).agg(pl.col("__n").sum()) if keys else frame.select(pl.col("__n").sum())
                for frame in (new, old)
            ]
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


def _same_cut(document: Document, context: Context) -> Iterable[Finding]:
    """Two tables of this very request over the same dimensions, both counts of all their cells."""
    earlier = context.documents[: context.documents.index(document) + 1]
    mine = list(_tables(context, [document]))
    for position, (_, table, shape) in enumerate(mine):
        threshold = context.min_cell(shape.index.name)
        others = [*_tables(context, earlier[:-1]), *mine[:position]]
        for other_document, _, other in others:
            if other.index is not shape.index or set(other.raw_of.values()) != set(shape.raw_of.values()):
                continue
            news, olds = _confirmed(shape), _confirmed(other)
            count = sum(_differences(new, old, threshold, totals=False) for new in news for old in olds)
            if count:
                evidence = {"release": other_document.shown, "count": count, "threshold": threshold}
                yield finding("DIFFERENCING", document.shown, table.part, evidence)
                return


def _confirmed(shape: Shape) -> list[pl.DataFrame]:
    names = {shape.names[k] for k in shape.confirmed}
    return [frame for name, frame in _counts(shape).items() if name in names]


def run(document: Document, context: Context) -> Iterable[Finding]:
    """At most one finding a release or file; it names the release, never the persons."""
    for release in context.history:
        yield from _release(document, context, release)
    yield from _same_cut(document, context)


CHECK = Check(("DIFFERENCING",), "table", run, ("egress.min_cell", "egress.min_cell_sensitive"), raw=True)
