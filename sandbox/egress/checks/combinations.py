"""A few values of one person in running text: in one line, or a value a line below each other.

A line, or lines that follow each other, overlap when they name one value each of at least
``egress.raw_overlap_columns`` raw columns, a quasi-identifier among them, and fewer entities than a class
needs carry them together (R-139, as for tables): what ten persons share is an honest statement. A number
beside labels that many share counts when it is the value of few of them and no aggregate of them (a median
is somebody's income); where it may well be theirs by chance, the text is held. Where a line names two values
of a column it says nothing of one person, and the column is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.passages import open_columns, tokens
from sandbox.egress.clean import fold
from sandbox.egress.context import Context
from sandbox.egress.facts import AGGREGATES, RELATIVE, raw_numbers, written
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document
from sandbox.egress.layout import running_text
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import RawIndex, numeric

_MOST = 20_000  # lines looked at; a longer text is held for its length
_LABELS = 5000  # values a column of labels may have
_LINE = 60  # characters of a line that may be one of several of a person
_IDLE = 20  # characters of a line without a value that may stand between them
_LINES = 8  # lines of one person
_CODE = 5  # digits from which a number is a label of its own (a region), not a count
_DIGITS = 3  # significant digits of a number that is no threshold or round figure
_CHANCE = 0.05  # share of a column's values that a cell may hold for one of them to be no chance
_HAN = "㐀-鿿"
_KEY = re.compile(rf"[{_HAN}]{{0,2}}")
_WORD, _SORT = re.compile(rf"[\w{_HAN}]"), re.compile("[性族士生]")  # 女性, 汉族, 男士, 女生
_ASCII = re.compile(r"[0-9A-Za-z_]")


@dataclass(frozen=True)
class _Lines:
    """``values``: (line, v, date, number) of the raw values in each line; ``bare``: the lines that hold a
    value and no more than its name; ``short``: the lines that may be one of several of a person, in order,
    a new group (second) wherever other text stands between."""

    values: pl.DataFrame
    bare: np.ndarray
    short: list[tuple[int, int]]


def _whole(text: str, label: str, at: int) -> bool:
    """Whether ``label`` stands in ``text`` as a word of its own; one Chinese character is part of a word
    unless it stands alone or says what sort of person it is about."""
    before, after = text[max(0, at - 1) : at], text[at + len(label) : at + len(label) + 1]
    if label.isascii():
        return not (_ASCII.match(before) or _ASCII.match(after))
    return len(label) > 1 or bool(_SORT.match(after)) or not (_WORD.match(before) or _WORD.match(after))


def _labels(index: RawIndex, texts: Sequence[str]) -> list[tuple[int, str, str]]:
    """(line, raw value, as written): labels that stand in the lines, the longest first, none in another."""
    columns = [
        c for c in open_columns(index) if index.kinds[c] == "VARCHAR" and index.cardinality[c] <= _LABELS
    ]
    if not columns or not texts:
        return []
    values = pl.concat([index.coded(c).values for c in columns]).unique(maintain_order=True)
    # Bare numbers are no labels: they are looked up whole, as numbers.
    known = pl.DataFrame({"v": values, "t": fold(values)}).filter(pl.col("t").str.contains(r"[^\d.\s]"))
    known = known.sort(pl.col("t").str.len_chars(), descending=True, maintain_order=True)
    spelling = dict(zip(known["t"].to_list(), known["v"].to_list(), strict=True))
    lines, patterns = pl.col("t"), list(spelling)
    places = pl.DataFrame({"t": pl.Series(texts, dtype=pl.String)}).select(
        found=lines.str.extract_many(patterns, leftmost=True), at=lines.str.find_many(patterns, leftmost=True)
    )
    result = []
    for i, (found, at) in enumerate(places.iter_rows()):
        raw = texts[i].encode() if found else b""
        for label, place in zip(found or (), at or (), strict=True):
            if _whole(texts[i], label, len(raw[:place].decode())):
                result.append((i, spelling[label], label))
    return result


def _amounts(index: RawIndex, numbers: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Those of ``numbers`` that are values of a raw column of numbers and too precise for a round figure."""
    asked = pl.Series([v for _, v in numbers], dtype=pl.String)
    known = np.zeros(len(asked), dtype=bool)
    for column in raw_numbers(index):
        known |= index.coded(column).lexicon.find(asked) >= 0
    return [numbers[i] for i in np.flatnonzero(known).tolist() if written(float(numbers[i][1]))[0] >= _DIGITS]


def _read(index: RawIndex, texts: Sequence[str]) -> _Lines:
    """The values of ``index`` in ``texts``."""
    dates, numbers = tokens(list(texts))
    labels = _labels(index, texts)
    codes = [(i, v) for i, v in numbers if len(v) >= _CODE and v.isdigit()]
    values = pl.DataFrame(
        [
            *((i, v, True, False) for i, v in dates),
            *((i, v, False, False) for i, v in [*((i, v) for i, v, _ in labels), *codes]),
            *((i, v, False, True) for i, v in _amounts(index, numbers)),
        ],
        schema={"line": pl.Int64, "v": pl.String, "date": pl.Boolean, "number": pl.Boolean},
        orient="row",
    ).unique()
    names = {re.sub(r"\W|_", "", name).casefold() for name in index.columns}
    bare = np.zeros(len(texts), dtype=bool)
    spelled: dict[int, list[str]] = {}
    for i, _, label in labels:
        spelled.setdefault(i, []).append(label)
    filled = {int(i) for i in values["line"]}
    for i in filled:
        rest = texts[i]
        for label in spelled.get(i, ()):
            rest = rest.replace(label, " ", 1)
        rest = re.sub(r"[\W\d_]", "", rest).casefold()
        bare[i] = rest in names or _KEY.fullmatch(rest) is not None
    short, group = [], 0
    for i, text in enumerate(texts):
        if i in filled and len(text) <= _LINE:
            short.append((i, group))
        elif len(text) > _IDLE:
            group += 1
    return _Lines(values, bare, short)


def _passages(lines: _Lines, least: int) -> tuple[pl.DataFrame, np.ndarray]:
    """((passage, v, number), whether each passage is sure): each line, and lines that follow each other.

    A line that names a person's values is sure; lines below each other are when they hold nothing else, or
    a date: else they may be a list of results."""
    base = len(lines.bare)
    parts, sure = (
        [lines.values.select("v", "number", passage="line").select("passage", "v", "number")],
        [np.ones(base, dtype=bool)],
    )
    place = np.array([i for i, _ in lines.short], dtype=np.int64)
    group = np.array([g for _, g in lines.short], dtype=np.int64)
    dated = np.zeros(base, dtype=bool)
    dated[lines.values.filter("date")["line"].to_numpy()] = True
    for size in range(2, max(least, _LINES) + 1):
        starts = np.arange(max(0, len(place) - size + 1))
        starts = starts[group[starts] == group[starts + size - 1]]
        if not len(starts):
            break
        members = place[starts[:, None] + np.arange(size)]
        passage = base + np.arange(len(starts))
        frame = pl.DataFrame({"line": members.ravel(), "passage": np.repeat(passage, size)})
        parts.append(frame.join(lines.values, on="line").select("passage", "v", "number"))
        sure.append(lines.bare[members].all(axis=1) | dated[members].any(axis=1))
        base += len(starts)
    return pl.concat(parts).unique(), np.concatenate(sure)


def _codes(index: RawIndex, columns: Sequence[str], values: pl.DataFrame, total: int) -> np.ndarray:
    """Passages by columns: the code of the one value of the column that the passage names; -1 if none."""
    matrix = np.full((total, len(columns)), -1, dtype=np.int64)
    for number, column in enumerate(columns):
        codes = index.coded(column).lexicon.find(values["v"])
        found = pl.DataFrame({"p": values["passage"], "c": codes}).filter(pl.col("c") >= 0)
        one = (
            found.group_by("p").agg(n=pl.col("c").n_unique(), c=pl.col("c").first()).filter(pl.col("n") == 1)
        )
        matrix[one["p"].to_numpy(), number] = one["c"].to_numpy()
    return matrix


def _cells(index: RawIndex, columns: Sequence[str], asked: np.ndarray, select: str) -> pl.DataFrame:
    """``select`` (aggregates over raw rows ``r``) for each row of ``asked`` (codes by column; -1: any value),
    in its order; null where there is no such raw row."""
    present = asked >= 0
    parts = []
    for pattern in np.unique(present, axis=0):
        rows = np.flatnonzero((present == pattern).all(axis=1))
        used = np.flatnonzero(pattern).tolist()
        names = [index.code(columns[i]).removeprefix("r.") for i in used]
        frame = pl.DataFrame({name: asked[rows, i] for name, i in zip(names, used, strict=True)})
        index.engine.register("asked_rows", frame.unique())
        listed = ", ".join(names)
        known = index.engine.frame(
            f"SELECT {listed}, {select} FROM {index.table} r "
            f"SEMI JOIN asked_rows a USING ({listed}) GROUP BY {listed}"
        )
        known = known.cast(dict.fromkeys(names, pl.Int64))
        parts.append(frame.with_columns(__i=pl.Series(rows)).join(known, on=names, how="left").drop(names))
    return pl.concat(parts).sort("__i").drop("__i")


def _carriers(index: RawIndex, columns: Sequence[str], asked: np.ndarray) -> np.ndarray:
    """How many entities carry each row of ``asked``."""
    if not len(asked):
        return np.zeros(0, dtype=np.int64)
    n = _cells(index, columns, asked, f"{index.entity_count} AS n")["n"]
    return np.asarray(n.fill_null(0).cast(pl.Int64).to_numpy())


def _singled(
    index: RawIndex, columns: Sequence[str], matrix: np.ndarray, numbers: pl.DataFrame, k: float, least: int
) -> tuple[np.ndarray, np.ndarray]:
    """(passages whose number singles few out of the many that share their labels, those where it may be
    chance). ``numbers``: (passage, v)."""
    sure, perhaps = np.zeros(len(matrix), dtype=bool), np.zeros(len(matrix), dtype=bool)
    aggregates = [sql.format(x=index.number(c)) for c in raw_numbers(index) for sql in AGGREGATES]
    for column in raw_numbers(index):
        codes = index.coded(column).lexicon.find(numbers["v"])
        passage, amount = numbers["passage"].to_numpy(), numbers["v"].cast(pl.Float64).to_numpy()
        quasi = np.array([not index.quasi or {c, column} & {*index.quasi} != set() for c in columns])
        named = matrix[passage] >= 0
        kept = (codes >= 0) & (named.sum(axis=1) >= least - 1) & (named & quasi).any(axis=1)
        for few in (False, True):  # the number with the labels is rare, the labels alone are not
            asked = matrix[passage[kept]]
            if few:
                asked = np.column_stack([asked, codes[kept]])
            n = _carriers(index, [*columns, column] if few else columns, asked)
            kept[kept] = ((n > 0) & (n < k)) if few else n >= k
        if not kept.any():
            continue
        facts = [*aggregates, index.entity_count, "count(*)"]
        listed = ", ".join(f"CAST({sql} AS DOUBLE) AS f{i}" for i, sql in enumerate(facts))
        values = f"count(DISTINCT {index.code(column)}) AS d, {listed}"
        cells = _cells(index, columns, matrix[passage[kept]], values)
        half = np.array([written(float(v))[1] for v in amount[kept]]) * 1.001 + amount[kept] * RELATIVE
        with np.errstate(invalid="ignore"):
            gap = np.abs(cells.drop("d").to_numpy() - amount[kept][:, None])
            honest = (gap <= half[:, None]).any(axis=1)
        chance = cells["d"].to_numpy() > _CHANCE * index.cardinality[column]
        sure[passage[kept][~honest & ~chance]] = True
        perhaps[passage[kept][~honest & chance]] = True
    return sure, perhaps


def _rare(index: RawIndex, columns: Sequence[str], matrix: np.ndarray, k: float, least: int) -> np.ndarray:
    """Which rows of ``matrix`` fewer than ``k`` entities carry, but at least one.

    A value that does not belong hides nobody: what no entity carries is asked again with a column less."""
    quasi = np.array([c in index.quasi or not index.quasi for c in columns])

    def enough(asked: np.ndarray) -> np.ndarray:
        present = asked >= 0
        return np.asarray((present.sum(axis=1) >= least) & (present & quasi).any(axis=1))

    asked, back = np.unique(matrix, axis=0, return_inverse=True)
    owner = np.arange(len(asked))
    rare = np.zeros(len(asked), dtype=bool)
    while True:
        kept = enough(asked)
        asked, owner = asked[kept], owner[kept]
        if not len(asked):
            return np.asarray(rare[back.ravel()])
        n = _carriers(index, columns, asked)
        rare[owner[(n > 0) & (n < k)]] = True
        left = ~np.isin(owner, owner[n > 0])
        smaller = []
        for number in range(len(columns)):
            here = left & (asked[:, number] >= 0)
            cut = asked[here].copy()
            cut[:, number] = -1
            smaller.append(np.column_stack([owner[here], cut]))
        every = np.unique(np.concatenate(smaller), axis=0)
        owner, asked = every[:, 0], every[:, 1:]


def _count(index: RawIndex, texts: Sequence[str], k: float, least: int) -> tuple[int, int]:
    """(passages that carry a combination of few, those that may be a list of results)."""
    columns = [c for c in open_columns(index) if not numeric(index.kinds[c])]
    lines = _read(index, texts)
    if not columns or lines.values.height < least:
        return 0, 0
    values, sure = _passages(lines, least)
    said = values.group_by("passage").len().filter(pl.col("len") >= least)
    values = values.join(said, on="passage", how="semi")
    matrix = _codes(index, columns, values.filter(~pl.col("number")), len(sure))
    rare = _rare(index, columns, matrix, k, least)
    singled, chance = _singled(index, columns, matrix, values.filter("number"), k, least)
    return int(((rare | singled) & sure).sum()), int(((rare | singled) & ~sure | chance).sum())


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Hard with the number of passages, never their text; held when they may be results below each other."""
    k, least = context.number("egress.k_min"), int(context.number("egress.raw_overlap_columns"))
    pieces = [piece.text for piece in running_text(document)][:_MOST]
    texts = [text for text in fold(pl.Series(pieces, dtype=pl.String)).to_list() if text.strip()]
    for index in context.indexes if texts else ():
        count, perhaps = _count(index, texts, k, least)
        limit = context.number("egress.raw_overlap_rows")
        if max(count, perhaps) > limit:
            hard = count > limit
            evidence = {"count": count if hard else perhaps, "columns": least, "basis": "combinations"}
            severity = Severity.HARD if hard else Severity.HOLD
            yield finding("RAW_OVERLAP", document.shown, "text", evidence, severity, raw=index.name)


CHECK = Check(
    ("RAW_OVERLAP",),
    "text",
    run,
    ("egress.k_min", "egress.raw_overlap_rows", "egress.raw_overlap_columns"),
    raw=True,
    exact=True,
)
