"""Raw rows in running text, in packed cells and in lines of notes: the values of one person side by side.

A passage overlaps when at least ``egress.raw_overlap_columns`` values of one raw row stand in it, a
quasi-identifier among them, and fewer entities than a class needs share them (R-139, as for tables). What
singles out must be a date or a long label, for a mean is somebody's income by chance; numbers alone count
when there are many such passages and they fall apart once the numbers are moved to the next passage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.clean import fold
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import RawIndex, numeric
from sandbox.pii.numerals import HAN_DIGITS

_MOST = 5000  # passages looked at; of more every n-th
_PAIRS = 1_000_000  # of passages and raw rows compared at a time
_SHARED = 1000  # entities that may share an anchor value
_LABELS = 5000  # values a column of labels may have
_MANY = 10  # passages from which numbers alone are evidence
_RECORDS = re.compile(r"[\]})]\s*,\s*[\[{(]|[\n;；]")
_DATE = re.compile(r"(?<!\d)((?:18|19|20)\d\d)\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?!\d)")
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_HAN_RUN = re.compile("[" + "".join(HAN_DIGITS) + "]{2,}")
_TO_DIGITS = str.maketrans(HAN_DIGITS)


def _texts(document: Document) -> Iterator[tuple[str, list[str]]]:
    """(place, passages) of a document: its lines, and the cells of its columns of text."""
    lines = [part for piece in document.pieces for part in _RECORDS.split(piece.text)]
    if lines:
        yield "text", lines
    for table in document.tables:
        for number, name in enumerate(table.columns):
            values = table.shown(name).values
            long = values.filter(values.str.len_chars() >= 10)
            if len(long):
                cells = [part for value in long for part in _RECORDS.split(value)]
                yield f"{table.part} column {number + 1}".strip(), cells


def tokens(passages: list[str]) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """(dates, numbers) of each passage, as raw values are normalised."""
    dates, numbers = [], []
    for i, text in enumerate(passages):
        plain = _HAN_RUN.sub(lambda m: m.group().translate(_TO_DIGITS), text)
        for match in _DATE.finditer(plain):
            year, month, day = match.groups()
            dates.append((i, f"{year}-{int(month):02d}-{int(day):02d}"))
        rest = _DATE.sub(" ", plain)
        numbers += [(i, m.group().replace(",", "").removesuffix(".0")) for m in _NUMBER.finditer(rest)]
    return dates, numbers


def open_columns(index: RawIndex) -> list[str]:
    """The raw columns that identify nobody by themselves."""
    hidden = (*index.identifiers, index.entity)
    return [c for c in index.columns if c not in hidden]


def _labels(index: RawIndex, passages: list[str]) -> list[tuple[int, str]]:
    """Every label of the raw columns that stands in a passage."""
    wanted = [
        c for c in open_columns(index) if index.kinds[c] == "VARCHAR" and index.cardinality[c] <= _LABELS
    ]
    if not wanted:
        return []
    known = pl.concat([index.coded(c).values for c in wanted]).unique()
    found = (
        pl.Series(passages, dtype=pl.String)
        .to_frame("t")
        .select(pl.col("t").str.extract_many(known.to_list(), overlapping=True))["t"]
    )
    return [(i, str(v)) for i, values in enumerate(found.to_list()) for v in set(values or ())]


@dataclass(frozen=True)
class _Values:
    """What stands in the passages as values of one raw column: ``pairs`` = line × values + code, sorted."""

    lines: np.ndarray
    codes: np.ndarray
    pairs: np.ndarray

    def there(self, lines: np.ndarray, codes: np.ndarray, values: int) -> np.ndarray:
        """Whether ``codes`` stand in ``lines``."""
        asked = lines * values + codes
        place = np.minimum(np.searchsorted(self.pairs, asked), len(self.pairs) - 1)
        return np.asarray((codes >= 0) & (self.pairs[place] == asked)) if len(self.pairs) else codes < -1


def _standing(index: RawIndex, column: str, frame: pl.DataFrame) -> _Values:
    codes = index.coded(column).lexicon.find(frame["v"])
    known = codes >= 0
    lines, codes = frame["line"].to_numpy()[known], codes[known]
    return _Values(lines, codes, np.unique(lines * index.cardinality[column] + codes))


def _candidates(index: RawIndex, column: str, here: _Values) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(line, raw row) of the raw rows that carry a value of the line, in batches; common values left out."""
    rows, begins = index.rows_of(column)
    count = begins[here.codes + 1] - begins[here.codes]
    chosen = np.flatnonzero(count <= _SHARED)
    for batch in np.array_split(chosen, max(1, int(count[chosen].sum()) // _PAIRS)):
        n = count[batch]
        inside = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
        yield np.repeat(here.lines[batch], n), rows[np.repeat(begins[here.codes[batch]], n) + inside]


def _carrying(
    index: RawIndex, tokens: list[tuple[int, str]], k: float, least: float, soft: bool
) -> np.ndarray:
    """Passages in which the values of one raw row stand. ``soft``: numbers may single out as well."""
    frame = pl.DataFrame(tokens, schema={"line": pl.Int64, "v": pl.String}, orient="row").unique()
    columns = open_columns(index)
    anchors = [
        c
        for c in columns
        if index.cardinality[c] > 50 and (soft or not numeric(index.kinds[c]))
        if index.kinds[c] != "VARCHAR" or index.cardinality[c] > 200
    ]
    if not anchors or not frame.height:
        return np.zeros(0, dtype=np.int64)
    standing = {c: _standing(index, c, frame) for c in columns}
    quasi = [c for c in columns if c in index.quasi]
    found = []
    for anchor in anchors:
        for lines, rows in _candidates(index, anchor, standing[anchor]):
            flags = {
                c: here.there(lines, index.coded(c).codes[rows], index.cardinality[c])
                for c, here in standing.items()
            }
            enough = np.sum(list(flags.values()), axis=0) >= least
            if quasi:
                enough &= np.any([flags[c] for c in quasi], axis=0)
            which = np.packbits(np.array(list(flags.values()))[:, enough], axis=0)
            found.append(
                pl.DataFrame(
                    {
                        "line": lines[enough],
                        "entity": index.entities[rows[enough]],
                        **{f"f{i}": part for i, part in enumerate(which)},
                    }
                )
            )
    every = pl.concat(found).unique()
    same = [name for name in every.columns if name != "entity"]
    few = every.group_by(same).agg(n=pl.col("entity").filter(pl.col("entity") >= 0).n_unique())
    return few.filter(pl.col("n") < k)["line"].unique().to_numpy()


def _rows(index: RawIndex, texts: list[list[str]], k: float, least: float) -> list[int]:
    """How many passages of each text carry a raw row; the texts of a document are looked up together."""
    passages = [passage for text in texts for passage in text]
    dates, numbers = tokens(passages)
    if len(dates) + len(numbers) == 0:
        return [0] * len(texts)
    starts = np.cumsum([0, *(len(text) for text in texts)])
    labels = _labels(index, passages)

    def count(lines: Iterable[int]) -> np.ndarray:
        place = np.searchsorted(starts, np.fromiter(lines, dtype=np.int64), side="right") - 1
        return np.bincount(place, minlength=len(texts))

    sure = count(_carrying(index, [*dates, *labels, *numbers], k, least, soft=False))
    again = (sure == 0) & (count({i for i, _ in numbers}) >= _MANY)
    if not again.any():
        return [int(n) for n in sure]
    place = np.searchsorted(starts, np.arange(len(passages)), side="right") - 1
    kept = [[(i, v) for i, v in tokens if again[place[i]]] for tokens in (dates, labels, numbers)]
    hits = count(_carrying(index, [*kept[0], *kept[1], *kept[2]], k, least, soft=True))
    if (hits >= _MANY).any():
        size, first = np.diff(starts)[place], starts[place]
        moved = [(int(first[i] + (i + 1 - first[i]) % size[i]), v) for i, v in kept[2]]
        chance = count(_carrying(index, [*kept[0], *kept[1], *moved], k, least, soft=True))
        sure = np.where(again & (hits >= _MANY) & (hits > 3 * chance), hits, sure)
    return [int(n) for n in sure]


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Hard findings with the number of passages; the text never."""
    k, least = context.number("egress.k_min"), context.number("egress.raw_overlap_columns")
    places, texts, steps = [], [], []
    for where, parts in _texts(document):
        passages = fold(pl.Series(parts, dtype=pl.String)).to_list()
        passages = [text for text in passages if text and any(c.isdigit() or c in HAN_DIGITS for c in text)]
        steps.append(max(1, len(passages) // _MOST))
        texts.append(passages[:: steps[-1]])
        places.append(where)
    for index in context.indexes:
        for where, step, found in zip(places, steps, _rows(index, texts, k, least), strict=True):
            count = step * found
            if count > context.number("egress.raw_overlap_rows"):
                evidence = {"count": count, "columns": int(least), "basis": "passages"}
                yield finding("RAW_OVERLAP", document.shown, where, evidence, raw=index.name)


CHECK = Check(
    ("RAW_OVERLAP",),
    "text",
    run,
    ("egress.k_min", "egress.raw_overlap_rows", "egress.raw_overlap_columns"),
    raw=True,
)
