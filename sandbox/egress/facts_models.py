"""Tables of fitted statistics, recognised by fitting them again: correlations and least squares.

A regression table names its terms; terms that are raw numbers, labels of raw columns or ages are built from
the raw data, every raw number is tried as the response, over all rows and over one row an entity, and the
table is one when the coefficients are ours to every digit written. Then its standard errors, t, p and
intervals are compared too. Fits that speak of few are none: fewer than the threshold of degrees of freedom,
or of entities with or without a label; or a response whose sum over those with a label, or over all, few
dominate: with labels alone on the right, coefficients are differences of means. So are fits that few decide:
a number that fewer entities have otherwise than most, or one entity's leverage of a half (Huber, *Robust
Statistics*, 1981, section 7.2: the fit passes through its response).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations

import numpy as np
import polars as pl

from sandbox.egress.bands import tame
from sandbox.egress.context import Context
from sandbox.egress.dominance import Dominance
from sandbox.egress.facts import RELATIVE, prose_digits, raw_numbers, written
from sandbox.egress.forms import Table
from sandbox.egress.rawdata import RawIndex

_MOST_TERMS = 60
_MOST_ROWS = 300_000
_INTERCEPT = re.compile(r"\(?intercept\)?|const(?:ant)?|_cons|截距项?|常数项?", re.IGNORECASE)
_LEVEL = re.compile(r"(?:C\()?(.+?)\)?\s*(?:=|:|\[(?:T\.)?)\s*(.+?)\]?")
_AGE = re.compile(r"age|年龄", re.IGNORECASE)
_DATE = r"^\d{4}-\d{2}-\d{2}"
_TWICE = 2
_LEVELS = (0.90, 0.95, 0.99)  # of confidence intervals
_LEVERAGE = 0.5  # of an entity: fewer than two observations' worth of others are behind its fitted value
_RANK = 1e-9  # of the largest: a direction that is shorter is rounding


@dataclass(frozen=True)
class Fitted:
    """``columns``: those of the table that are explained; ``numbers``: what a note may say of the fit: how
    many, degrees of freedom, shares explained; ``entities``: behind it."""

    columns: frozenset[str]
    numbers: tuple[float, ...]
    entities: int


@dataclass(frozen=True, eq=False)
class _Terms:
    """The design of a regression over all raw rows; a row with NaN has no value for some term."""

    matrix: np.ndarray
    used: frozenset[str]
    intercept: int | None
    age: int | None
    first_age: int  # the year from which ages are counted in ``matrix``


def fitted(context: Context, index: RawIndex, table: Table) -> Fitted | None:
    """What ``table`` is as a fitted statistic of a raw table; None if it is none. Computed once a pair."""
    memo: dict[tuple[int, str], Fitted | None] = context.memo.setdefault("fitted", {})
    at = (id(table), index.view)
    if at not in memo:
        data = table.data
        texts = [c for c in data.columns if data[c].dtype == pl.String]
        numbers = [c for c in data.columns if data[c].dtype.is_numeric()]
        plain = (
            len(texts) == 1 and numbers and len(numbers) == data.width - 1 and 2 <= data.height <= _MOST_TERMS
        )
        memo[at] = None
        if plain and index.rows_total <= _MOST_ROWS and not data[texts[0]].null_count():
            least = context.min_cell(index.name)
            rule = Dominance.of(context)
            memo[at] = _correlation(index, data, texts[0], numbers, least) or _regression(
                index, data, texts[0], numbers, least, rule
            )
    return memo[at]


def _raw(index: RawIndex, columns: Sequence[str]) -> np.ndarray:
    """Raw numbers, one row a raw row; NaN where there is none."""
    listed = ", ".join(f"{index.number(c)} AS n{i}" for i, c in enumerate(columns))
    frame = index.engine.frame(f"SELECT {listed} FROM {index.table} r ORDER BY rowid")
    return frame.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _fits(stated: pl.Series, ours: np.ndarray) -> bool:
    """Whether the numbers of a column, where it has any, are ours to every digit written."""
    known = stated.cast(pl.Float64).fill_null(np.nan).to_numpy()
    here = np.isfinite(known)
    if not here.any():
        return False
    limit = np.array([1.001 * written(float(v))[1] + abs(v) * RELATIVE * 100 for v in known[here]])
    with np.errstate(invalid="ignore"):
        return bool((np.abs(known[here] - ours[here]) <= limit).all())


def _entities(index: RawIndex, rows: np.ndarray) -> int:
    return len(np.unique(index.entities[rows & (index.entities >= 0)]))


def _correlation(
    index: RawIndex, data: pl.DataFrame, label: str, numbers: list[str], least: float
) -> Fitted | None:
    """A matrix over raw numbers: Pearson's or Spearman's, over rows that have all or each pair of them."""
    known = {tame(c): c for c in raw_numbers(index)}
    down = [known.get(tame(str(v))) for v in data[label]]
    across = [known.get(tame(c)) for c in numbers]
    wanted = [c for c in dict.fromkeys([*down, *across]) if c is not None]
    if None in down or None in across or len(wanted) < 2:
        return None
    values = _raw(index, wanted)
    whole = np.isfinite(values).all(axis=1)
    entities = _entities(index, whole)
    if entities < least:
        return None
    if _few_decide(index, values, whole, least):
        return None
    place = {c: i for i, c in enumerate(wanted)}
    rows, columns = [place[str(c)] for c in down], [place[str(c)] for c in across]
    for matrix in _matrices(values, whole):
        if all(_fits(data[name], matrix[rows, at]) for name, at in zip(numbers, columns, strict=True)):
            return Fitted(frozenset(data.columns), (float(whole.sum()),), entities)
    return None


def _few_decide(index: RawIndex, values: np.ndarray, whole: np.ndarray, least: float) -> bool:
    """Whether few entities decide how some of the columns go together, over the ``whole`` rows or, where
    columns lack values, over those of any pair."""
    asked = [(list(range(values.shape[1])), whole)]
    if not whole.all():
        known = np.isfinite(values)
        asked += [([a, b], known[:, a] & known[:, b]) for a, b in combinations(range(values.shape[1]), 2)]
    for columns, rows in asked:
        x = np.column_stack([np.ones(int(rows.sum())), values[rows][:, columns]])
        if _decided(x, index.entities[rows], least):
            return True
    return False


def _decided(x: np.ndarray, entities: np.ndarray, least: float) -> bool:
    """Whether fewer entities than the threshold have another number than most in a column of a design, or
    one of them has the leverage of a half."""
    for column in x.T:
        other = np.unique(entities[column != np.median(column)])
        if 0 < len(other) < least:
            return True
    long = np.abs(np.diag(np.linalg.qr(x, mode="r")))
    kept = long > _RANK * long.max()
    q = np.linalg.qr(x[:, kept])[0]
    _, place = np.unique(entities, return_inverse=True)
    return bool(np.bincount(place, weights=(q**2).sum(axis=1)).max() >= _LEVERAGE)


def _matrices(values: np.ndarray, whole: np.ndarray) -> Iterator[np.ndarray]:
    yield np.corrcoef(values[whole].T)
    pairwise = pl.DataFrame(values).fill_nan(None)
    names = pairwise.columns
    for method in ("pearson", "spearman"):
        cells = [[pairwise.select(pl.corr(a, b, method=method)).item() for b in names] for a in names]
        yield np.array(cells, dtype=np.float64)
    yield np.corrcoef(pl.DataFrame(values[whole]).select(pl.all().rank()).to_numpy().T)


def _years(index: RawIndex, raw: str) -> np.ndarray | None:
    """The year of a raw day, one a raw row; None where the column is none of days."""
    values = index.coded(raw).values
    if not len(values) or not bool(values.head(200).str.contains(_DATE).all()):
        return None
    years = values.str.slice(0, 4).cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    found: np.ndarray = np.append(years, np.nan)[index.coded(raw).codes]
    return found


def _designs(index: RawIndex, labels: Sequence[str], least: float) -> Iterator[_Terms]:
    """The terms as columns, for every raw day from which an age may be taken."""
    hidden = {*index.identifiers, index.entity}
    known = {tame(c): c for c in index.columns if c not in hidden}
    numbers = {tame(c): c for c in raw_numbers(index, len(index.columns))}
    columns: list[np.ndarray | None] = []
    used: set[str] = set()
    intercept: int | None = None
    age: int | None = None
    for position, text in enumerate(labels):
        level = _LEVEL.fullmatch(text)
        if _INTERCEPT.fullmatch(text):
            intercept = position
            columns.append(np.ones(index.rows_total))
        elif tame(text) in numbers:
            used.add(numbers[tame(text)])
            columns.append(_raw(index, [numbers[tame(text)]])[:, 0])
        elif level and tame(level[1]) in known:
            raw = known[tame(level[1])]
            code = int(index.coded(raw).lexicon.find(pl.Series([level[2].strip()]))[0])
            having = index.coded(raw).codes == code
            if code < 0 or min(_entities(index, having), _entities(index, ~having)) < least:
                return
            used.add(raw)
            columns.append(having.astype(np.float64))
        elif _AGE.fullmatch(text) and age is None:
            age = position
            columns.append(None)
        else:
            return
    born = [c for c in index.columns if c not in hidden] if age is not None else [""]
    for raw in born:
        years = _years(index, raw) if raw else None
        if raw and years is None:
            continue
        first = int(np.nanmax(years)) if years is not None else 0
        filled = [first - years if c is None and years is not None else c for c in columns]
        yield _Terms(np.column_stack(filled), frozenset({*used, raw}), intercept, age, first)  # type: ignore[arg-type]


def _samples(index: RawIndex, whole: np.ndarray, known: np.ndarray) -> Iterator[np.ndarray]:
    """Rows a model may be fitted on: all that have every value, or the first of each entity."""
    yield np.flatnonzero(whole)
    if index.entities_total != index.rows_total:
        for rows in (np.flatnonzero(whole), np.flatnonzero(known), np.arange(len(whole))):
            _, first = np.unique(index.entities[rows], return_index=True)
            chosen = rows[first]
            yield chosen[whole[chosen]]


def _few_make(rule: Dominance, terms: _Terms, y: np.ndarray, rows: np.ndarray, entities: np.ndarray) -> bool:
    """Whether few entities dominate the response over all rows, or over those with or without some label."""
    parts = [np.ones(len(rows), dtype=bool)]
    for column in terms.matrix[rows].T:
        if np.isin(column, (0.0, 1.0)).all() and not (column == 1).all():
            parts += [column == 1, column == 0]
    return any(rule.fails_over(y[rows][part], entities[rows][part]) for part in parts)


def _regression(
    index: RawIndex, data: pl.DataFrame, label: str, numbers: list[str], least: float, rule: Dominance
) -> Fitted | None:
    """Least squares of a raw number on the terms."""
    labels = [str(v).strip() for v in data[label]]
    for terms in _designs(index, labels, least):
        inside = np.isfinite(terms.matrix).all(axis=1)
        for response in raw_numbers(index):
            if response in terms.used:
                continue
            y = _raw(index, [response])[:, 0]
            known = np.isfinite(y)
            for rows in _samples(index, inside & known, known):
                freedom = len(rows) - len(labels)
                if freedom < least or len(np.unique(index.entities[rows])) < least:
                    continue
                told = [_told(data, numbers, found) for found in _least_squares(terms, y, rows)]
                if any(columns for columns, _ in told):
                    few = _few_make(rule, terms, y, rows, index.entities)
                    if few or _decided(terms.matrix[rows], index.entities[rows], least):
                        return None
                    # Rounded coefficients may be those of several years: the errors say of which.
                    columns, also = max(told, key=lambda one: len(one[0]))
                    entities = len(np.unique(index.entities[rows]))
                    return Fitted(frozenset({label, *columns}), also, entities)
    return None


@dataclass(frozen=True, eq=False)
class _Fit:
    columns: list[np.ndarray]  # coefficients, standard errors, t, p, ends of intervals, exponentials
    numbers: tuple[float, ...]


def _told(data: pl.DataFrame, numbers: list[str], found: _Fit) -> tuple[list[str], tuple[float, ...]]:
    """The columns that a fit explains, where one of them is its coefficients; and what a note may say."""
    columns = [c for c in numbers if any(_fits(data[c], one) for one in found.columns)]
    return (columns if any(_fits(data[c], found.columns[0]) for c in columns) else []), found.numbers


def _least_squares(terms: _Terms, y: np.ndarray, rows: np.ndarray) -> Iterator[_Fit]:
    """The fit over ``rows``, for every year from which ages may be counted."""
    x = terms.matrix[rows]
    n, p = x.shape
    upper: np.ndarray = np.asarray(np.linalg.qr(np.column_stack([x, y[rows]]), mode="r"))
    r, right = upper[:p, :p], upper[:p, p]
    if np.abs(np.diag(r)).min() < 1e-9 * np.abs(np.diag(r)).max():
        return
    beta = np.linalg.solve(r, right)
    inverse = np.linalg.inv(r)
    residual = float(upper[p, p] ** 2)
    spread = float(((y[rows] - y[rows].mean()) ** 2).sum())
    covariance = residual / (n - p) * inverse @ inverse.T
    share = 1 - residual / spread
    adjusted = 1 - (1 - share) * (n - 1) / (n - p)
    test = share / max(p - 1, 1) / ((1 - share) / (n - p))
    numbers = (
        float(n),
        float(n - p),
        float(p),
        float(p - 1),
        share,
        adjusted,
        test,
        (residual / (n - p)) ** 0.5,
    )
    from scipy import stats  # half a second, needed by regressions only

    shifted = terms.age is not None and terms.intercept is not None
    last = datetime.now(UTC).year + 1 if shifted else terms.first_age
    for year in range(terms.first_age, max(last, terms.first_age) + 1):
        turn = np.eye(p)
        if terms.age is not None and terms.intercept is not None:
            turn[terms.intercept, terms.age] = terms.first_age - year
        moved, error = turn @ beta, np.sqrt(np.diag(turn @ covariance @ turn.T))
        t = moved / error
        columns = [moved, error, t, 2 * stats.t.sf(np.abs(t), n - p)]
        for level in _LEVELS:
            wide = stats.t.ppf(0.5 + level / 2, n - p) * error
            columns += [moved - wide, moved + wide]
        yield _Fit(columns, numbers)


_NUMBER = re.compile(
    r"(?<![\d.])-?\d{1,3}(?:,\d{3})+(?![\d,])|(?<![\d.])-?\d+(?:\.\d+)?(?![\d.]*\d)",
)


def told_digits(texts: Sequence[str], known: Sequence[float]) -> list[int]:
    """Digits of each running text beyond numbers that are ``known`` otherwise, to every digit written.

    Each of those is taken twice at most in all texts: which of them stands where would tell something too.
    """
    left = dict.fromkeys(known, _TWICE)

    def blank(match: re.Match[str]) -> str:
        value = float(match[0].replace(",", ""))
        for one in left:
            limit = 0.0 if one == round(one) else 1.001 * written(value)[1]
            if left[one] and ("." in match[0]) == (limit > 0) and abs(value - one) <= limit + 1e-9:
                left[one] -= 1
                return ""
        return match[0]

    return [prose_digits(_NUMBER.sub(blank, text)) for text in texts]
