"""What a number of a table may honestly be: aggregates of the raw data for the cell it stands in.

A number is *explained* when it is, to the last digit written, one of these facts of its row. What is
left over is measured in digits: that is what it could carry. ``facts_derived`` and ``facts_models`` add
further facts; ``recompute.facts`` writes whole columns anew from them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sandbox.egress.columns import encode
from sandbox.egress.digits import spelled
from sandbox.egress.digits import written as written
from sandbox.egress.rawdata import RawIndex, numeric
from sandbox.egress.shape import Shape, recount
from sandbox.pii.kinds import PROVINCES

_MOST_COLUMNS = 12  # raw numbers whose aggregates are tried
_LABELS = 30  # a raw column of at most so many values gives counts of a part
_MOST_PARTS = 120
AGGREGATES = (
    "sum({x})",
    "avg({x})",
    "median({x})",
    "min({x})",
    "max({x})",
    "stddev_samp({x})",
    "stddev_pop({x})",
    "var_samp({x})",
    "quantile_cont({x}, 0.1)",
    "quantile_cont({x}, 0.25)",
    "quantile_cont({x}, 0.75)",
    "quantile_cont({x}, 0.9)",
)
SCALES = (1.0, 100.0, 1000.0, 1e-4)  # shares as per cent and per mille, sums in units of ten thousand
_COLUMN = 3  # rows from which a fact that holds in all of them is no chance
_GLANCE = 16  # rows looked at before all
_BASES = (10, 5)  # to which offices round counts
_RECOUNTS = 2  # facts that come first: entities, and rows
RELATIVE = 1e-11  # what two orders of summation may differ by


def raw_numbers(index: RawIndex, most: int = _MOST_COLUMNS) -> list[str]:
    """The raw columns that are numbers and identify nobody."""
    hidden = (*index.identifiers, index.entity)
    return [c for c in index.columns if numeric(index.kinds[c]) and c not in hidden][:most]


def _part_columns(index: RawIndex) -> list[str]:
    """Raw columns of few labels, as many as there may be labels: the entities with each are counted."""
    found, labels = [], 0
    for column in index.columns:
        few = index.cardinality.get(column, 0)
        hidden = column in (*index.identifiers, index.entity)
        if not hidden and 0 < few <= _LABELS and labels + few <= _MOST_PARTS:
            labels += few
            found.append(column)
    return found


def _parts(shape: Shape, rows: pl.Series) -> np.ndarray:
    """Rows of the shape by labels of raw columns: how many entities of the cell carry the label."""
    index, height = shape.index, shape.frame.height
    found = [np.zeros((height, 0))]
    for column in _part_columns(index):
        code = index.code(column)
        pair = f"struct_pack(c := any_value({code}), n := {index.entity_count})"
        cells = recount(shape, "list(s)", part=pair, by=code, rows=rows)
        listed = pl.DataFrame({"i": np.arange(height), "s": cells}).drop_nulls()
        matrix = np.zeros((height, index.cardinality[column]))
        if listed.height:
            listed = listed.explode("s").unnest("s").filter(pl.col("c") >= 0)
            matrix[listed["i"].to_numpy(), listed["c"].to_numpy()] = listed["n"].to_numpy()
        found.append(matrix)
    return np.column_stack(found)


def _matrix(shape: Shape, selects: Sequence[str], rows: pl.Series) -> np.ndarray:
    """Rows of the shape by ``selects``, recounted; what cannot be formed is not a number."""
    pack = ", ".join(f"f{i} := CAST({sql} AS DOUBLE)" for i, sql in enumerate(selects))
    cells = recount(shape, f"struct_pack({pack})", rows=rows).to_list()
    found = [[np.nan] * len(selects) if cell is None else list(cell.values()) for cell in cells]
    return np.array(found, dtype=np.float64).reshape(shape.frame.height, len(selects))


def counts(shape: Shape) -> np.ndarray:
    """Rows of the shape by its two recounts: entities, and rows."""
    return np.column_stack([s.cast(pl.Float64).to_numpy() for s in (shape.n, shape.rows_n)])


def facts(shape: Shape, rows: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the shape by facts: (counts and aggregates of raw numbers, counts of a part and shares).

    The second are many: one of them is any short number by chance, but not a whole column. ``rows``: which
    have facts at all; in the others nothing is a number.
    """
    index = shape.index
    selects = [sql.format(x=index.number(c)) for c in raw_numbers(index) for sql in AGGREGATES]
    selects += [f"count({index.number(c)})" for c in raw_numbers(index)]
    known = counts(shape)
    n = known[:, 0]
    parts = _parts(shape, rows)
    counted = np.column_stack([known, parts, n[:, None] - parts])
    groups = [np.full(len(n), float(index.entities_total)), np.full(len(n), n.sum()), n]
    frame = shape.frame.with_columns(__n=pl.Series(n))
    groups += [frame.select(pl.col("__n").sum().over(k)).to_series().to_numpy() for k in shape.dims]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [counted / whole[:, None] for whole in groups]
    plain = np.column_stack([known, *([_matrix(shape, selects, rows)] if selects else [])])
    many = np.column_stack([counted, *shares])
    plain[~rows.to_numpy()] = many[~rows.to_numpy()] = np.nan
    return plain, many


def _throughout(matrix: np.ndarray, scale: float, numbers: np.ndarray, limit: np.ndarray) -> int | None:
    """The first column of ``matrix`` that, times ``scale``, is ``numbers`` in every row, and never two of
    them for one fact: a half is within rounding of both nought and one."""
    candidates = np.arange(matrix.shape[1])
    for end in (_GLANCE, len(numbers)):  # nearly all fall at the first glance
        with np.errstate(invalid="ignore"):
            gap = np.abs(matrix[:end, candidates] * scale - numbers[:end, None])
            candidates = candidates[(gap <= limit[:end, None]).all(axis=0)]
    distinct = len(np.unique(numbers)) if len(candidates) else 0
    return next((int(c) for c in candidates if len(np.unique(matrix[:, c])) >= distinct), None)


@dataclass(frozen=True, eq=False)
class _Known:
    """The cells of a column with a number: their ``rows``, the ``numbers``, the ``digits`` each is written
    with, and the ``limit``: how far a fact may be from each."""

    rows: np.ndarray
    numbers: np.ndarray
    digits: np.ndarray
    limit: np.ndarray

    def of(self, matrix: np.ndarray) -> np.ndarray:
        """The same rows of a matrix."""
        return matrix if len(self.rows) == len(matrix) else matrix[self.rows]


def _known(values: pl.Series) -> _Known:
    every = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
    rows = np.flatnonzero(np.isfinite(every))
    column = encode(pl.Series(every[rows]))  # a number is spelled once, however often it stands there
    numbers = column.values.to_numpy()
    digits, halves = spelled(numbers)
    limit = 1.001 * halves + np.abs(numbers) * RELATIVE
    return _Known(rows, every[rows], digits[column.codes], limit[column.codes])


def fact_of(values: pl.Series, plain: np.ndarray, many: np.ndarray) -> tuple[np.ndarray, int, float] | None:
    """The one fact that a column is throughout: its matrix, its place in it, and the scale. In few rows only
    a plain fact is none by chance."""
    return _fact_of(_known(values), plain, many)


def _fact_of(known: _Known, plain: np.ndarray, many: np.ndarray) -> tuple[np.ndarray, int, float] | None:
    if not len(known.rows):
        return None
    enough = len(known.rows) >= _COLUMN
    for matrix in (plain, many) if enough else (plain,):
        here = known.of(matrix)
        for scale in SCALES if enough and here.shape[1] else SCALES[:1]:
            column = _throughout(here, scale, known.numbers, known.limit)
            if column is not None:
                return matrix, column, scale
    return None


def rounded(values: pl.Series, known: np.ndarray) -> bool:
    """Whether ``values`` are one of the recounts ``known`` to the nearest five or ten in every row."""
    return _rounded(_known(values), known)


def _rounded(cells: _Known, known: np.ndarray) -> bool:
    if len(cells.rows) < _COLUMN:
        return False
    base = next((b for b in _BASES if not (cells.numbers % b).any()), 0)
    with np.errstate(invalid="ignore"):
        near = np.abs(cells.of(known) - cells.numbers[:, None]) <= base / 2
    return bool(base and near.all(axis=0).any())


def unexplained_digits(values: pl.Series, plain: np.ndarray, many: np.ndarray) -> int:
    """Digits that ``values`` (one a row) carry beyond the facts of their rows.

    A column is explained by one fact throughout; failing that, each cell by a plain one, for tables that
    put unlike things below each other.
    """
    known = _known(values)
    if not len(known.rows) or _fact_of(known, plain, many) is not None:
        return 0
    if _rounded(known, plain[:, :_RECOUNTS]):
        return 0
    with np.errstate(invalid="ignore"):
        near = np.abs(known.of(plain) - known.numbers[:, None]) <= known.limit[:, None]
    return sum(map(weighed, known.digits[~near.any(axis=1)].tolist()))


_RUN = re.compile(r"\d+|[零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖]{3,}")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d\s*年")
_WORD = re.compile(r"[0-9A-Za-z]{8,}")  # between hyphens, strokes and the like: names are made of short ones
_CAMEL = re.compile(r"[A-Z]?[a-z]+(?:[A-Z][a-z]+)*")
_TURN = re.compile(r"[a-z](?=[A-Z0-9])|[A-Z](?=[0-9])|[0-9](?=[A-Za-z])")
_TURNS = 4  # from small letters to capitals, from letters to digits and back: no word, no name has so many
# What a token may be made of, and the digits that each character counts for: log 16, log 36; of both cases
# more than log 62, for eight such characters are a mobile number and no abbreviation
_ALPHABETS = ((r"[0-9a-f]+|[0-9A-F]+", 1.2), (r"[0-9a-z]+|[0-9A-Z]+", 1.6), (r".+", 2.2))
# From how many digits a number is a long one, and each of its digits counts twice. Honest numbers of a table
# are explained; those of a sentence are not, and a median in yuan has five.
_LONG, _LONG_IN_SENTENCE, _MORE = 5, 6, 2
_TOGETHER = 11  # digits of a mobile number, from which numbers that stand by themselves are read as one
_YEARS = re.compile(r"(?:19|20)\d\d")
_SENTENCE = re.compile(r"[^\W\d_]{2}")  # a line with words
_REGION = re.compile(rf"{PROVINCES}(?:[0-4]\d|5[0-4]|90)\d\d")  # GB/T 2260: notes name places by such codes
_HAN = "\u4e00-\u9fff"
_NAMED = "zero|one|two|three|four|five|six|seven|eight|nine|ling|yao|yi|er|san|si|wu|liu|qi|ba|jiu"
_SPELLED = re.compile(rf"(?:(?:{_NAMED})[^\w\n]{{0,2}}_?){{5,}}", re.IGNORECASE)
_PICTURE, _STROKE = "[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]", "[.·\u2013\u2014-]"
_SIGN = re.compile(rf"[{_HAN}]|{_PICTURE}|{_STROKE}")
_SIGNS = re.compile(  # in a row: ten ideographs, ten pictures, twenty dots and dashes
    rf"[{_HAN}]{{10,}}"
    rf"|{_PICTURE}(?:(?:(?!{_PICTURE})[^\w\n]){{0,2}}{_PICTURE}){{9,}}"
    rf"|{_STROKE}(?:[ /|]{{0,3}}{_STROKE}){{19,}}"
)
_SIGN_KINDS, _VARIED = 10, 0.75  # kinds of them, and kinds a sign: language has more
_SINGLES = re.compile(rf"(?:[{_HAN}][^{_HAN}\n]{{1,2}}){{5,}}[{_HAN}](?![{_HAN}])")


def weighed(digits: int, long: int = _LONG) -> int:
    """What a number of so many digits counts for: one that is ``long`` twice as much. A mobile number (11
    digits) in one or two pieces then counts as an identity number without its check digit (GB 11643: 17)."""
    return digits if digits < long else digits * _MORE


def together(digits: Sequence[int]) -> int:
    """What numbers of so many digits count for that stand by themselves: nothing says what they are, so they
    may be one that was cut."""
    whole = sum(digits)
    return whole * _MORE if whole >= _TOGETHER else sum(map(weighed, digits))


def _line_digits(line: str) -> int:
    """The same of all numbers of a line. In a sentence the code of a region is no long one; without words,
    what is no year is read together."""
    runs = _RUN.findall(line)
    if _SENTENCE.search(_RUN.sub(" ", line)):
        long = _LONG_IN_SENTENCE
        return sum(len(run) if _REGION.fullmatch(run) else weighed(len(run), long) for run in runs)
    others = [len(run) for run in runs if not _YEARS.fullmatch(run)]
    return sum(map(len, runs)) - sum(others) + together(others)


def _row_digits(row: str) -> int:
    """Digits that a row of signs may spell: of at most ten kinds that come again more often than language has
    them, whatever stands for what."""
    signs = _SIGN.findall(row)
    kinds = len(set(signs))
    if not 1 < kinds <= min(_SIGN_KINDS, _VARIED * len(signs)):
        return 0
    return weighed(len(signs) if kinds > 2 else math.ceil(len(signs) * math.log10(2)))


def _token_digits(word: str) -> int:
    """The digits that a token may stand for; 0: a word or a name."""
    if len(_TURN.findall(word)) < _TURNS or _CAMEL.fullmatch(word):
        return 0
    each = next(digits for pattern, digits in _ALPHABETS if re.fullmatch(pattern, word))
    return math.ceil(len(word) * each)


def prose_digits(text: str) -> int:
    """Digits of running text, as ``weighed``: in a line with words from six on.

    A year written as one does not count, Chinese numerals in runs do. A token counts as the digits that it
    may stand for, and so do words for digits: five of their names in a row, six ideographs apart from each
    other of which some stand there twice, ten signs together that are a few over and over, Morse code.
    """
    plain = _YEAR.sub("", text)
    tokens = [(word, digits) for word in _WORD.findall(plain) if (digits := _token_digits(word))]
    rest = _WORD.sub(lambda match: "" if _token_digits(match[0]) else match[0], plain)
    signs = [re.findall(f"[{_HAN}]", match.group()) for match in _SINGLES.finditer(rest)]
    rows = [row for row in signs if len(set(row)) < len(row)]
    rows += [re.findall(_NAMED, match.group().lower()) for match in _SPELLED.finditer(rest)]
    told = sum(weighed(len(row)) for row in rows)
    told += sum(_row_digits(match.group()) for match in _SIGNS.finditer(_RUN.sub(" ", rest)))
    return told + sum(digits for _, digits in tokens) + sum(map(_line_digits, rest.splitlines()))
