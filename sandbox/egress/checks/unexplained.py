"""Default deny: what neither the recount nor the raw data explains is held for people to look at.

A dimension is explained by raw values, a count by the recount, a measure by recomputation. The rest is
free space. It is measured over the whole set, in digits and in labels: less than an identity number
without its check digit (GB 11643: 17 digits) and fewer labels than a cell needs persons pass; long numbers
count half again, and codes among the labels count in digits. Beside dimensions by which nothing is counted
nothing is free at all: such a row is somebody's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from sandbox.egress.bands import MARGIN
from sandbox.egress.capacity import text_bits
from sandbox.egress.checks.base import Check
from sandbox.egress.checks.cells import suppressed
from sandbox.egress.checks.omitted import cells_of, choices
from sandbox.egress.context import Context
from sandbox.egress.facts import counts, facts, prose_digits, together, unexplained_digits
from sandbox.egress.facts_derived import Derived
from sandbox.egress.facts_models import fitted, told_digits
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.layout import running_text
from sandbox.egress.messages import finding
from sandbox.egress.shape import Shape, as_numbers, recognise

_DIGITS = 17
_LABEL = 100.0  # bits of a label of fifteen letters or seven ideographs: what is longer counts as several
_ROWS = 10_000  # rows from which a table that is no aggregate is one of persons
_DIGIT = math.log2(10)  # bits of a digit
_COLUMN = 3  # rows from which a fact that holds in all of them is no chance
_CODE_DIGITS = 9  # of a label; a date in full has eight
_DAY = re.compile(r"(?:19|20)\d\d[-/.年]?\d{1,2}[-/.月]?\d{1,2}日?")
_MARKS = 2  # of suppression that a column of numbers may have: of small cells, and of their complement
_EDGES = (("", " ", ""), ("", ",", ""), ("", ", ", ""), ("", " | ", ""), ("", "|", ""), ("| ", " | ", " |"))
_WAYS = range(2 * len(_EDGES))  # to write a row as a line: the latter half with its number before it
_MOST_ROWS = 2_000  # of a table whose rows text may repeat
_PROSE = 20_000  # characters of running text: more than a person reads in passing


def _columns(document: Document, context: Context, table: Table) -> list[Shape]:
    return [recognise(context, document, table, index) for index in context.indexes]


def _most(shapes: list[Shape]) -> Shape:
    """The shape that explains most."""
    return max(shapes, key=lambda one: (len(one.dims), len(one.confirmed), len(one.matched)))


def _digits(bits: float) -> int:
    """Bits in digits; none for what is of no bound, and held for itself."""
    return int(bits / _DIGIT) if bits < math.inf else 0


def _numbers(context: Context, shapes: list[Shape], threshold: float) -> tuple[int, bool]:
    """Digits of all columns that are neither dimensions nor facts, by the shape that explains most; and
    whether it explains a column of numbers, by no chance, at all."""
    best: tuple[int, bool] | None = None
    for shape in shapes:
        supported = (shape.n >= threshold).fill_null(False)
        known = counts(shape)
        known[~supported.to_numpy()] = np.nan
        left, noughts, explained = [], 0, False
        for k in shape.names:
            if k in shape.dims:
                continue
            values = shape.numbers(k)
            if values.count() and 2 * values.null_count() <= len(values):
                noughts += _noughts(shape, k)
                digits = unexplained_digits(values, known, known[:, :0])
                explained |= not digits and values.count() >= _COLUMN
                if digits:  # what is no recount is compared with all that can be recomputed
                    left.append((values, digits))
        total = sum(digits for _, digits in left)
        # Rows of persons are judged as such: no aggregate explains them, and to look for one costs the memory
        # of all aggregates in all rows. What is not looked for counts as unexplained: nothing passes by it.
        rows = not shape.aggregate and shape.frame.height > _ROWS
        if left and bool(supported.any()) and not rows:
            plain, many = facts(shape, supported)
            derived = Derived(context, shape, supported)
            total = 0
            for values, _ in left:
                digits = unexplained_digits(values, plain, many)
                explained |= not digits and values.count() >= _COLUMN
                cost = derived.cost(values) if digits else None
                total += digits if cost is None else min(digits, cost)
        if not shape.dims and not explained:
            total = max(total, _bare_numbers([values for values, _ in left]))
        found = (total + noughts, explained)
        best = found if best is None else min(best, found, key=lambda one: one[0])
    return best or (0, False)


def _bare_numbers(columns: list[pl.Series]) -> int:
    """Digits of a table that is nothing but a few whole numbers, read ``together``."""
    numbers = [number for values in columns for number in values.drop_nulls().to_list()]
    whole = all(float(number).is_integer() for number in numbers)
    return together([len(str(abs(int(number)))) for number in numbers]) if whole else 0


def _noughts(shape: Shape, column: str) -> int:
    """Noughts that numbers written as text begin with: they are digits of a code, and lost in a number."""
    if shape.frame[column].dtype != pl.String:
        return 0
    return int(shape.frame[column].str.extract(r"^\s*(0+)\d").str.len_chars().sum())


def _odd(shapes: list[Shape]) -> Iterator[list[str]]:
    """The distinct labels of each column of text that no raw column explains, by the shape of the fewest."""
    for number in range(len(shapes[0].names)):
        fewest: list[str] | None = None
        for shape in shapes:
            k = list(shape.names)[number] if number < len(shape.names) else None
            if k is None or k in shape.dims or k in shape.matched or shape.frame[k].dtype.is_numeric():
                fewest = []
                break
            column, numbers = shape.values(k), shape.numbers(k)
            known = int((column.codes >= 0).sum())
            if 2 * (len(numbers) - numbers.null_count()) >= max(1, known):
                fewest = []  # numbers with marks: counted as digits
                break
            values = column.values.cast(pl.String)
            labels = values.filter(~values.str.contains(f"(?i)^{MARGIN.pattern}$")).to_list()
            fewest = labels if fewest is None or len(labels) < len(fewest) else fewest
        if fewest:
            yield fewest


def _labels(columns: list[list[str]]) -> int:
    """The most labels in one column of those, or the columns."""
    odd = [max(len(labels), int(text_bits(labels) / _LABEL)) for labels in columns]
    return max([*odd, len(columns)])


def _written(columns: list[list[str]]) -> int:
    """Digits in the labels that are codes or numbers and no words: see ``prose_digits``. A date, a band and
    what has few digits in a word are labels like others."""
    told = (prose_digits(_DAY.sub("", label)) for labels in columns for label in labels)
    return sum(digits for digits in told if digits >= _CODE_DIGITS)


def _bare(shape: Shape, columns: list[list[str]]) -> bool:
    """Whether a table of cells lists values of raw columns, counts nothing by them, and says something else:
    another thing of some cells than of others, if it is a word."""
    other = any(len(labels) > 1 or shape.frame.height == 1 for labels in columns)
    numbers = any(shape.frame[k].dtype.is_numeric() for k in shape.names if k not in shape.dims)
    return shape.aggregate and len(shape.dims) > 1 and not shape.counts and (other or numbers)


def _blank(shape: Shape) -> float:
    """Bits in which rows are listed without a number: they say that somebody is there, or were chosen.

    None where every combination of the labels is listed, or all that there are and most of them with a
    number: that is a rule. Where there is nothing but such rows it is a list, and of no bound.
    """
    keys = list(shape.dims)
    if not keys or (not shape.aggregate and shape.frame.height > _ROWS):
        return 0.0
    free = pl.DataFrame({k: shape.wild(k) for k in keys}).select(pl.any_horizontal(pl.all())).to_series()
    rows = pl.DataFrame({k: shape.codes[k] for k in keys}).with_columns(hidden=suppressed(shape))
    rows = rows.filter(~free).filter(pl.all_horizontal(pl.col(k) >= 0 for k in keys))
    hidden, shown = (
        rows.filter(which).select(keys).unique() for which in (pl.col("hidden"), ~pl.col("hidden"))
    )
    if not hidden.height or not shown.height:
        return math.inf if hidden.height else 0.0
    absent = math.prod(rows[k].n_unique() for k in keys) - hidden.height - shown.height
    if absent <= 0:
        return 0.0
    cells = cells_of(shape)
    there = cells is not None and cells.height == hidden.height + shown.height and bool(cells["shown"].all())
    return 0.0 if there and hidden.height <= shown.height else choices(hidden.height, absent)


def _choice(shape: Shape) -> float:
    """Bits in which rows carry which label: of columns that no raw column explains, and that say another
    thing of some cells than of others. A column that lists the same of every cell, such as the names of
    measures below each other, says nothing."""
    bits = 0.0
    for k in shape.names if shape.dims else ():
        numbers = shape.numbers(k)
        if k in shape.dims or k in shape.matched or shape.frame[k].dtype.is_numeric():
            continue
        if 2 * (len(numbers) - numbers.null_count()) >= len(numbers):
            continue
        if not shape.aggregate and shape.frame.height > _ROWS:  # any label in any row
            bits += shape.frame.height * float(np.log2(max(2, shape.column(k).n_unique)))
            continue
        cells = pl.DataFrame({d: shape.codes[d] for d in shape.dims}).with_columns(v=shape.texts[k])
        listed = cells.group_by(list(shape.dims)).agg(pl.col("v").fill_null("").sort().str.join("\n"))
        times = listed["v"].value_counts()["count"].to_numpy()
        bits += float(-(times * np.log2(times / times.sum())).sum())
    return bits


def _marks(table: Table, shape: Shape) -> float:
    """Bits in which of several marks stands where a column of numbers has none."""
    bits, dims = 0.0, {shape.names[k] for k in shape.dims}
    for name in table.columns:
        if table.data[name].dtype != pl.String or name in dims:
            continue
        column = table.column(name)
        words = as_numbers(column.values).is_null().to_numpy()
        times = column.times()[words]
        if len(times) > _MARKS and 2 * times.sum() <= column.times().sum():
            bits -= float((times * np.log2(times / times.sum())).sum())
    return bits


def prose(document: Document) -> str:
    """Running text outside tables, without lines that only repeat the rows of a table in their order,
    all in one way."""
    lines = [piece.text for piece in running_text(document)]
    if not lines:
        return ""
    rows = [
        (number, [str("" if cell is None else cell) for cell in row])
        for table in document.tables
        for number, row in enumerate(
            table.cells.head(_MOST_ROWS).select(pl.all().cast(pl.String)).iter_rows()
        )
    ]
    left, at = [], 0
    ways: Iterable[int] = _WAYS
    for line in lines:
        number, row = rows[at] if at < len(rows) else (0, [])
        plain = " ".join(line.split())
        written = [_line(way, number, row) for way in _WAYS] if row else []
        same = [way for way in (ways if number else _WAYS) if row and written[way] == plain]
        if same:
            at, ways = at + 1, same
        else:
            left.append(line)
    return "\n".join(left)


def _line(way: int, number: int, row: list[str]) -> str:
    """A row as a line. A table is repeated in one way: spaces, commas and bars at will would be free."""
    before, between, after = _EDGES[way % len(_EDGES)]
    cells = [str(number), *row] if way >= len(_EDGES) else row
    return " ".join(f"{before}{between.join(cells)}{after}".split())


def _plain(context: Context) -> list[float]:
    """What a log may say of the raw data: rows, columns, entities, and the threshold."""
    found = [float(context.min_cell(index.name)) for index in context.indexes]
    for index in context.indexes:
        found += [float(index.rows_total), float(len(index.columns)), float(index.entities_total)]
    return found


def _model(context: Context, table: Table) -> tuple[int, tuple[float, ...]] | None:
    """(digits that a table of fitted statistics has beyond them, numbers that a note may say of the fit)."""
    none = np.zeros((table.data.height, 0))
    for index in context.indexes:
        found = fitted(context, index, table)
        if found is not None:
            rest = [table.data[c] for c in table.columns if c not in found.columns]
            return sum(unexplained_digits(values, none, none) for values in rest), found.numbers
    return None


def run(_: Document, context: Context) -> Iterable[Finding]:
    """One finding a document, when the set as a whole leaves more unexplained than it may."""
    found: list[tuple[Document, int, int, bool, str]] = []
    known = _plain(context)
    for document in context.exact:
        digits = labels = 0
        bare = False
        for table in document.tables:
            told = context.recomputed.get(id(table))
            if not table.data.height:
                continue
            if told is not None and not told.why:
                # Its numbers are ours, and which rows it has, unless a statement says so.
                listed = (
                    0.0 if context.script is not None else _blank(_most(_columns(document, context, table)))
                )
                digits, bare = digits + _digits(listed), bare or listed == math.inf
                continue
            model = _model(context, table)
            if model is not None:
                digits += model[0]
                known += model[1]
                continue
            shapes = _columns(document, context, table)
            threshold = min(context.min_cell(shape.index.name) for shape in shapes)
            numbers, explained = _numbers(context, shapes, threshold)
            most = _most(shapes)
            odd = list(_odd(shapes))
            digits += numbers + int((_choice(most) + _marks(table, most)) / _DIGIT) + _written(odd)
            labels = max(labels, _labels(odd))
            listed = _blank(most)
            digits += _digits(listed)
            bare |= listed == math.inf or (_bare(most, odd) and bool(numbers or odd) and not explained)
        found.append((document, digits, labels, bare, prose(document)))
    told_in = told_digits([text for *_, text in found], known)
    digits_of = [one[1] + more for one, more in zip(found, told_in, strict=True)]
    least = context.number("egress.min_cell")
    total = sum(digits_of)
    for (document, _own, labels, bare, text), beyond in zip(found, digits_of, strict=True):
        if (beyond and total >= _DIGITS) or labels >= least or bare or len(text) > _PROSE:
            evidence = {"digits": beyond, "labels": labels, "characters": len(text)}
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
    exact=True,
)
