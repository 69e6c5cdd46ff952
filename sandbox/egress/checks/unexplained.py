"""Default deny: what neither the recount nor the raw data explains is held for people to look at.

A dimension is explained by raw values, a count by the recount, a measure by recomputation. The rest is
free space. It is measured over the whole set, in digits and in labels: less than an identity number
without its check digit (GB 11643: 17 digits) and fewer labels than a cell needs persons pass.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from sandbox.egress.bands import MARGIN
from sandbox.egress.capacity import text_bits
from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.facts import counts, facts, prose_digits, unexplained_digits
from sandbox.egress.facts_derived import Derived
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.layout import running_text
from sandbox.egress.messages import finding
from sandbox.egress.shape import Shape, recognise

_DIGITS = 17
_LABEL = 100.0  # bits of a label of fifteen letters or seven ideographs: what is longer counts as several
_PROSE = 20_000  # characters of running text: more than a person reads in passing


def _columns(document: Document, context: Context, table: Table) -> list[Shape]:
    return [recognise(context, document, table, index) for index in context.indexes]


def _numbers(context: Context, shapes: list[Shape], threshold: float) -> int:
    """Digits of all columns that are neither dimensions nor facts, by the shape that explains most."""
    best: int | None = None
    for shape in shapes:
        supported = (shape.n >= threshold).fill_null(False)
        known = counts(shape)
        known[~supported.to_numpy()] = np.nan
        left = []
        for k in shape.names:
            if k in shape.dims:
                continue
            values = shape.numbers(k)
            if 2 * values.null_count() <= len(values):
                digits = unexplained_digits(values, known, known[:, :0])
                if digits:  # what is no recount is compared with all that can be recomputed
                    left.append((values, digits))
        total = sum(digits for _, digits in left)
        if left and bool(supported.any()):
            plain, many = facts(shape, supported)
            derived = Derived(context, shape, supported)
            total = 0
            for values, _ in left:
                digits = unexplained_digits(values, plain, many)
                cost = derived.cost(values) if digits else None
                total += digits if cost is None else min(digits, cost)
        best = total if best is None else min(best, total)
    return best or 0


def _labels(shapes: list[Shape]) -> int:
    """The most labels in one column of text, or the columns of such, that no raw column explains."""
    worst = columns = 0
    for number in range(len(shapes[0].names)):
        fewest: int | None = None
        for shape in shapes:
            k = list(shape.names)[number] if number < len(shape.names) else None
            if k is None or k in shape.dims or k in shape.matched or shape.frame[k].dtype.is_numeric():
                fewest = 0
                continue
            values = shape.frame[k].cast(pl.String).drop_nulls()
            if 2 * shape.numbers(k).drop_nulls().len() >= max(1, len(values)):
                fewest = 0  # numbers with marks: counted as digits
                continue
            labels = values.filter(~values.str.contains(f"(?i)^{MARGIN.pattern}$")).unique()
            odd = max(len(labels), int(text_bits(labels.to_list()) / _LABEL))
            fewest = odd if fewest is None else min(fewest, odd)
        worst = max(worst, fewest or 0)
        columns += bool(fewest)
    return max(worst, columns)


def _prose(document: Document) -> str:
    """Running text outside tables."""
    return "\n".join(p.text for p in running_text(document))


def run(_: Document, context: Context) -> Iterable[Finding]:
    """One finding a document, when the set as a whole leaves more unexplained than it may."""
    found: list[tuple[Document, int, int, int]] = []
    for document in context.documents:
        digits = labels = 0
        for table in document.tables:
            told = context.recomputed.get(id(table))
            if not table.data.height or (told is not None and not told.why):
                continue
            shapes = _columns(document, context, table)
            threshold = min(context.min_cell(shape.index.name) for shape in shapes)
            digits += _numbers(context, shapes, threshold)
            labels = max(labels, _labels(shapes))
        text = _prose(document)
        found.append((document, digits + prose_digits(text), labels, len(text)))
    least = context.number("egress.min_cell")
    total = sum(digits for _, digits, _, _ in found)
    for document, digits, labels, text_length in found:
        if (digits and total >= _DIGITS) or labels >= least or text_length > _PROSE:
            evidence = {"digits": digits, "labels": labels, "characters": text_length}
            yield finding("UNEXPLAINED", document.shown, "", evidence)


CHECK = Check(
    ("UNEXPLAINED",),
    "text",
    run,
    (
        "egress.min_cell",
        "egress.min_cell_sensitive",
        "egress.dominance_n",
        "egress.dominance_k",
        "egress.p_percent",
    ),
    raw=True,
    whole_set=True,
)
