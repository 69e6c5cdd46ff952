"""Identifiers that are not whole: cut, spread over columns, mixed with letters, inside running text.

All of it is equality with parts of the identifiers of the raw data, so it needs the raw data; what is short
enough to be equal by chance counts only when a fair share of the values is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from itertools import permutations

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.identifiers import batch, sources
from sandbox.egress.clean import fold, key
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document, Table
from sandbox.egress.layout import running_text
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import SHORT_PART, RawIndex

_LONG = 14  # characters from which one hit is no chance (a day, a region and a sequence at least)
_SHARE = 0.2
_SAMPLE = 300  # rows of which columns are joined
_MOST_COLUMNS = 6  # columns joined in every order; more only in theirs
_MOST_LINES = 5000  # lines of which numbers are joined
_MOST_NUMBERS = 4  # numbers of a line
_TOLD, _LONGEST = 16, 18  # of an identity number: region, day of birth and two digits; all
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?!\d)日?")
_NUMBER = re.compile(r"(?<![\d.])\d+[Xx]?(?![\d.])")
_DIGITS = r"^[0-9Xx]{1,17}$"
_PIECE = r"^[0-9A-Za-z]{2,16}$"
_RARE = 0.002  # share of the places in a text where a short name may stand by chance


def _spellings(values: pl.Series) -> pl.DataFrame:
    """(index, part): the digits of each value, of its words, and of numbers written with an exponent."""
    frame = pl.DataFrame({"i": pl.arange(0, len(values), eager=True), "v": fold(values.cast(pl.String))})
    frame = frame.drop_nulls()
    power = frame.filter(pl.col("v").str.contains(r"^-?[0-9.]+[eE]\+?[0-9]{1,2}$"))
    power = power.with_columns(
        v=pl.col("v").cast(pl.Float64, strict=False).map_elements(lambda x: f"{abs(x):.0f}", pl.String)
    )
    words = frame.with_columns(pl.col("v").str.extract_all(r"[0-9A-Za-z.\-_ ]{9,}")).explode("v").drop_nulls()
    digits = pl.concat([words, power, frame]).with_columns(
        pl.col("v").str.replace(r"\.0+$", "").str.replace_all(r"[^0-9Xx]", "").str.to_uppercase()
    )
    plain = pl.concat([digits, digits.with_columns(pl.col("v").str.replace_all("X", ""))])
    # A float64 keeps fifteen digits: longer numbers are also compared by those.
    cut = plain.filter(pl.col("v").str.len_chars() >= 16)
    heads = [cut.with_columns(pl.col("v").str.head(n)) for n in (14, 15)]
    return pl.concat([plain, *heads]).filter(pl.col("v").str.len_chars() >= SHORT_PART).unique()


def _joined(table: Table) -> pl.Series:
    """Rows of columns of digits, joined: in their order, and by twos, threes and fours in any."""
    head = table.cells.head(_SAMPLE).select(pl.all().cast(pl.String))
    columns = [
        name
        for name in head.columns
        if head[name].len() and bool((head[name].str.contains(_DIGITS).fill_null(False).mean() or 0) > 0.9)  # type: ignore[operator]
    ]
    if len(columns) < 2:
        return pl.Series([], dtype=pl.String)
    orders: list[tuple[str, ...]] = [tuple(columns), tuple(columns[::-1])]
    if len(columns) <= _MOST_COLUMNS:
        orders += [order for size in (2, 3, 4) for order in permutations(columns, size)]
    return pl.concat([head.select(pl.concat_str(order)).to_series() for order in dict.fromkeys(orders)])


def _over_files(context: Context) -> pl.Series:
    """Rows of columns of short codes in two to four files of equal length, joined in every order."""
    found: dict[int, list[tuple[int, pl.Series]]] = {}
    for number, document in enumerate(context.documents):
        for table in document.tables:
            head = table.cells.head(_SAMPLE).select(pl.all().cast(pl.String))
            for column in head.iter_columns():
                if bool((column.str.contains(_PIECE).fill_null(False).mean() or 0) > 0.9):  # type: ignore[operator]
                    found.setdefault(table.cells.height, []).append((number, column))
    joined = [pl.Series([], dtype=pl.String)]
    for columns in found.values():
        for size in (2, 3, 4) if len(columns) <= _MOST_COLUMNS else ():
            for order in permutations(columns, size):
                if len({number for number, _ in order}) == size:
                    frame = pl.DataFrame({f"p{i}": column for i, (_, column) in enumerate(order)})
                    joined.append(frame.select(pl.concat_str(pl.all())).to_series().rename(""))
    return pl.concat(joined).unique().drop_nulls()


def _whole_again(document: Document, context: Context) -> Iterable[Finding]:
    """Identifiers that are whole when files are put beside each other."""
    values = _over_files(context)
    hits = context.identifying(values).filter("strong") if len(values) else pl.DataFrame()
    for (raw,), group in hits.group_by("raw") if hits.height else ():
        evidence = {"count": group["index"].n_unique(), "basis": "parts"}
        yield finding("RAW_IDENTIFIER", document.shown, "files joined", evidence, raw=str(raw))


def _parts(index: RawIndex, values: pl.Series) -> pl.DataFrame:
    """(index of the value, part): spellings of ``values`` that are parts of raw identifiers."""
    spelled = _spellings(values)
    return spelled.filter(index.is_part(spelled["v"])).rename({"i": "index"})


def _cut(document: Document, where: str, hits: pl.DataFrame, rows: int, index: RawIndex) -> Iterable[Finding]:
    """``rows``: how many values a share is taken of."""
    long = hits.filter(pl.col("v").str.len_chars() >= _LONG)
    distinct = hits["index"].n_unique()
    if long.height or (distinct >= 3 and distinct >= _SHARE * rows):
        evidence = {"count": distinct, "basis": "parts"}
        yield finding("RAW_IDENTIFIER", document.shown, where, evidence, raw=index.name)


def _spread(document: Document, table: Table, context: Context) -> Iterable[Finding]:
    """Identifiers whose characters stand in columns beside each other. Forwards and backwards only, and in a
    fair share of the rows: a telephone number is some counts beside each other by chance."""
    rows = min(_SAMPLE, table.cells.height)
    joined = _joined(table)
    where = f"{table.part} columns joined".strip()
    if not len(joined):
        return
    whole = context.identifying(joined.head(2 * rows)).filter("strong")
    for (raw,), group in whole.group_by("raw"):
        if (count := group["index"].n_unique()) >= _SHARE * rows:
            evidence = {"count": count, "basis": "parts"}
            yield finding("RAW_IDENTIFIER", document.shown, where, evidence, raw=str(raw))
    for index in context.indexes:
        yield from _cut(document, where, _parts(index, joined), rows, index)


def _numbers(text: str) -> list[str]:
    """The numbers of a text, a day as one of eight digits."""
    return _NUMBER.findall(_DAY.sub(lambda day: f"{day[1]}{int(day[2]):02d}{int(day[3]):02d}", text))


def _lines(document: Document) -> pl.Series:
    """The numbers and days of each line of text, joined in every order: parts of one identifier."""
    found: set[str] = set()
    for piece in running_text(document)[:_MOST_LINES]:
        numbers = _numbers(piece.text)
        if 2 <= len(numbers) <= _MOST_NUMBERS:
            orders = (order for size in range(2, len(numbers) + 1) for order in permutations(numbers, size))
            found.update("".join(order) for order in orders)
    return pl.Series(sorted(found), dtype=pl.String)


def _following(document: Document) -> pl.Series:
    """Numbers that follow each other, over the ends of lines and down the columns of tables: few of them in
    every order, more forwards and backwards. A region and a day alone are in many an honest note."""
    texts = [[number for piece in running_text(document)[:_MOST_LINES] for number in _numbers(piece.text)]]
    for table in document.tables:
        for column in table.cells.head(_SAMPLE).select(pl.all().cast(pl.String)).iter_columns():
            texts.append([number for cell in column.drop_nulls() for number in _numbers(cell)])
    found: set[str] = set()
    for numbers in texts:
        for start in range(len(numbers)):
            size, end = 0, start
            while end < len(numbers) and size + len(numbers[end]) <= _LONGEST:
                size, end = size + len(numbers[end]), end + 1
                if size >= _TOLD and end - start > 1:
                    joined = numbers[start:end]
                    few = len(joined) <= _MOST_NUMBERS
                    orders = permutations(joined) if few else iter((joined, joined[::-1]))
                    found.update("".join(order).upper() for order in orders)
    return pl.Series(sorted(found), dtype=pl.String)


def _chinese(values: pl.Series) -> pl.DataFrame:
    """Values in which a name may stand: (index, length, the value as a key)."""
    frame = pl.DataFrame({"v": values}).with_row_index("index")
    frame = frame.filter(pl.col("v").str.contains(r"[㐀-鿿]") & (pl.col("v").str.len_chars() >= 3))
    return frame.select("index", n=pl.col("v").str.len_chars(), key=key(frame["v"]))


def _inside(texts: list[str], index: RawIndex) -> tuple[int, int, int]:
    """(long identifiers, distinct short names, places looked at) inside running text without boundaries."""
    found = index.phrases.find(texts)
    places = sum(max(0, len(text) - 2) for text in texts) if 3 in index.phrases.lengths else 0
    return sum(len(part) >= 8 for part in found), len({part for part in found if len(part) < 8}), places


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Hard, but for one or two names that ordinary words may spell: those are held."""
    every = batch(context)
    for source in sources(document, context):
        rows = source.values.n_unique()
        for index in context.indexes:
            hits = every.part(f"parts {index.view}", source, partial(_parts, index))
            yield from _cut(document, source.where, hits, rows, index)
        chinese = every.part("chinese", source, _chinese)
        texts = chinese.filter(pl.col("n") >= (8 if source.cells else 3))["key"].to_list()
        for index in context.indexes if texts else ():
            long, short, places = _inside(texts, index)
            if not (long or short) or (source.cells and not long and short < 3):
                continue
            chosen = source.where == "file name" and document.path not in context.declared
            sure = long > 0 or chosen or (short >= 3 and short > _RARE * places)
            evidence = {"count": long or short, "basis": "inside text"}
            severity = Severity.HARD if sure else Severity.HOLD
            yield finding("RAW_IDENTIFIER", document.shown, source.where, evidence, severity, raw=index.name)
    for table in document.tables:
        yield from _spread(document, table, context)
    lines = _lines(document)
    for index in context.indexes if len(lines) else ():
        yield from _cut(document, "text", _parts(index, lines), _MOST_LINES, index)
    below = _following(document)
    for index in context.indexes if len(below) else ():
        if count := int(index.is_part(below).sum()):
            evidence = {"count": count, "basis": "parts"}
            yield finding("RAW_IDENTIFIER", document.shown, "text", evidence, raw=index.name)
    if document is context.documents[0] and len(context.documents) > 1:
        yield from _whole_again(document, context)


CHECK = Check(("RAW_IDENTIFIER",), "file", run, raw=True)
