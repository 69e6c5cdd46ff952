"""The positive model: a table leaves as dimensions, counts and measures, or it does not leave.

What the checker has recomputed must be what the job wrote, and behind every part of a cell that a conditional
count or mean speaks of stand enough entities, on both sides. A column that is none of the three, whatever it
encodes, is not releasable: tokens and running text in the rows of a table, and one number for each entity.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.opaque import opaque
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.messages import finding
from sandbox.egress.recompute.tables import Told
from sandbox.egress.shape import recognise

_ROWS = 10  # rows from which a column is judged
_LONG = 40  # characters of a label; a cell that is longer is running text
_ENTITIES = 0.5  # share of the entities from which a row is one each
_WHY = {
    "token": ("逐行不同的不透明内容", "opaque content that differs from row to row"),
    "text": ("逐行不同的文字", "running text that differs from row to row"),
    "entity": ("每个主体一个数值", "one number for each entity"),
}


def _recomputed(document: Document, context: Context, table: Table, told: Told) -> Iterable[Finding]:
    if told.why == "differs":
        evidence = {"count": len(told.rows), "rows": told.rows, "cells": table.data.height}
        yield finding("RECOMPUTED", document.shown, table.part, evidence)
    if told.why:
        return
    threshold = context.min_cell(told.raw)
    between = told.support["between"] if told.support.width else pl.Series([], dtype=pl.Int64)
    yield from _few(document, table, between, threshold, "difference")
    yield from _dominated(document, context, table, told)
    for number in range(told.support.width // 2):
        sides = [("part", told.support[f"s{number}"])]
        if number in told.counted:
            sides.append(("complement", told.support[f"m{number}"]))
        for basis, entities in sides:
            yield from _few(document, table, entities, threshold, basis)
            none = entities == 0
            if number in told.counted and bool(none.any()):
                evidence = {"count": int(none.sum()), "rows": [int(i) + 1 for i in none.arg_true().head(10)]}
                yield finding("ZERO_CELL", document.shown, table.part, evidence)


def _dominated(document: Document, context: Context, table: Table, told: Told) -> Iterable[Finding]:
    """Of a sum that is scaled, shifted or of a part, nobody sees by its numbers whose it is."""
    if told.dominated:
        evidence = {
            "count": len(told.dominated),
            "rows": list(told.dominated[:10]),
            "n": context.number("egress.dominance_n"),
            "k": context.number("egress.dominance_k"),
            "p": context.number("egress.p_percent"),
        }
        yield finding("DOMINANCE", document.shown, table.part, evidence)


def _few(
    document: Document, table: Table, entities: pl.Series, threshold: float, basis: str
) -> Iterable[Finding]:
    few = (entities > 0) & (entities < threshold)
    if bool(few.any()):
        evidence = {
            "count": int(few.sum()),
            "threshold": threshold,
            "rows": [int(i) + 1 for i in few.arg_true().head(10)],
            "basis": basis,
        }
        yield finding("SMALL_CELL", document.shown, table.part, evidence)


def _differs(values: pl.Series) -> bool:
    known = values.drop_nulls()
    return len(known) >= _ROWS and known.n_unique() >= 0.9 * len(known)


def _what(context: Context, document: Document, table: Table, name: str) -> str:
    """Why a column cannot be released: a key of ``_WHY``, or "" where it may be something."""
    values = table.data[name]
    if not _differs(values):
        return ""
    cells = table.cells[name].cast(pl.String)
    if values.dtype == pl.String:
        long = cells.drop_nulls().str.len_chars()
        if bool((long > _LONG).mean() > 0.5):  # type: ignore[operator]
            return "text"
        return "token" if opaque(cells, number=False) else ""
    if not values.dtype.is_numeric() or opaque(cells, number=True):
        return "token" if values.dtype.is_numeric() else ""
    shapes = [recognise(context, document, table, index) for index in context.indexes]
    if any(shape.dims or shape.confirmed for shape in shapes):
        return ""
    return "entity" if any(table.data.height >= _ENTITIES * s.index.entities_total for s in shapes) else ""


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Hard findings only; what is merely not explained is held by ``unexplained``."""
    for table in document.tables:
        told = context.recomputed.get(id(table))
        if told is not None:
            yield from _recomputed(document, context, table, told)
            if not told.why:
                continue
        explained = set()
        for index in context.indexes:
            shape = recognise(context, document, table, index)
            explained |= {shape.names[k] for k in {**shape.matched, **shape.raw_of}}
        for number, name in enumerate(table.columns):
            why = "" if name in explained else _what(context, document, table, name)
            if why:
                where = context.column(number, name)
                zh, en = _WHY[why]
                evidence = {"rows": table.data.height}
                place = f"{table.part} {where}".strip()
                yield finding(
                    "NOT_RELEASABLE", document.shown, place, evidence, column=where, why_zh=zh, why_en=en
                )


CHECK = Check(
    ("RECOMPUTED", "NOT_RELEASABLE"),
    "table",
    run,
    ("egress.min_cell", "egress.min_cell_sensitive"),
    raw=True,
    exact=True,
)
