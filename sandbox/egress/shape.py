"""What a table *is*, seen from one raw table: dimensions, counts, measures; aggregate or row level.

Names are never trusted alone. A dimension is a column whose values are values of a raw column; a count is
what the recount confirms, or what is declared or named so; a cross table is laid out long first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from sandbox.egress.bands import MARGIN, MARK, bands, tame
from sandbox.egress.columns import Column, encode, renumbered
from sandbox.egress.context import Context, Declared
from sandbox.egress.forms import Document, Table
from sandbox.egress.model_groups import MOST_LABELS, PERIOD, group, numbers_sql
from sandbox.egress.rawdata import NULL, PLAIN, UNKNOWN, RawIndex
from sandbox.egress.rawdata import texts_of as normalised
from sandbox.egress.shape_columns import assign, contained, running
from sandbox.egress.shape_columns import margins as margins

COUNT_NAME = re.compile(
    r"(?:n|nn?_?(?:obs|rows|persons?)?|count|counts|cnt|freq|frequency|len|size|num(?:ber)?|persons?|people|"
    r"人数|户数|人次|频数|频次|样本量|计数|数量|个数|count_?star\(\)|.*_(?:count|cnt|n)|"
    r"(?:count|n|num)_.*|.*人数|.*数量)",
    re.IGNORECASE,
)
_GLANCE = 20_000  # rows looked at before all
_CONFIRMED, _HALF = 0.8, 0.5  # share of the rows in which a column is the recount
_NEAR = 0.1  # how far it is from it in the others, as a share of it
_PART_LABELS, _MOST_PARTS = 12, 200  # labels of a raw column, and parts of a cell, that a count may be of
_MOST_WORDS = 20  # names of measures that stand below each other in one table
_MOST_MARKS = 20  # that one column is looked through for
_MOST_KEPT = 6  # columns beside those of a cross table that are laid out long


@dataclass(eq=False)
class Texts:
    """The cells of an output, normalised like raw values, a column at a time: by name a series, in
    ``coded`` as distinct values and their numbers."""

    coded: dict[str, Column]

    @property
    def columns(self) -> list[str]:
        """The columns there are."""
        return list(self.coded)

    def __getitem__(self, name: str) -> pl.Series:
        return self.coded[name].rows(self.coded[name].values).rename(name)


@dataclass(eq=False)
class Shape:
    """A table against one raw table. ``frame`` has columns ``o0``…, one row a cell; ``names`` theirs.

    ``texts`` holds the same cells normalised as raw values are. ``dims`` maps ``o#`` to the SQL of the
    number of the raw value it equals, ``codes`` to that number in each row, ``raw_of`` to the raw column's
    name. ``n`` is the recount of distinct entities of each row (null where a row's cell cannot be formed).
    """

    index: RawIndex
    frame: pl.DataFrame
    names: dict[str, str]
    texts: pl.DataFrame | Texts
    codes: dict[str, np.ndarray] = field(default_factory=dict)
    _wild: dict[tuple[str, str], pl.Series] = field(default_factory=dict)
    _columns: dict[str, Column] = field(default_factory=dict)
    _values: dict[str, Column] = field(default_factory=dict)
    _numbers: dict[str, pl.Series] = field(default_factory=dict)
    raw_of: dict[str, str] = field(default_factory=dict)
    matched: dict[str, str] = field(default_factory=dict)  # by value alone, dimensions and others
    others: list[str] = field(default_factory=list)  # unexplained labels: the recount is an upper bound
    dims: dict[str, str] = field(default_factory=dict)
    counts: list[str] = field(default_factory=list)
    measures: list[str] = field(default_factory=list)
    confirmed: set[str] = field(default_factory=set)
    n: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.Int64))
    rows_n: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.Int64))
    within: frozenset[str] = frozenset()  # dimensions whose margins are of the labels shown, not of all
    aggregate: bool = False
    part: str = ""  # which conditional aggregate of a recomputed table it speaks of; "": of the whole cells
    declared: bool = False
    spelling: dict[str, float] = field(default_factory=dict)  # bits in the labels of groups of one's own

    @cached_property
    def divided(self) -> bool:
        """Whether labels that the raw data does not know divide the cells. They do not where the dimensions
        alone tell the rows apart and the counts are the recount: a remark in every row changes nothing."""
        dims = list(self.dims)
        alone = self.frame.select(dims).is_unique().all() if dims else self.frame.height == 1
        return bool(self.others) and not (alone and self.confirmed)

    def numbers(self, column: str) -> pl.Series:
        """A column as numbers; what is no number is null."""
        if column not in self._numbers:
            self._numbers[column] = as_numbers(self.frame[column], self.values(column))
        return self._numbers[column]

    def values(self, name: str) -> Column:
        """The cells of a column as they are typed, as distinct values and their numbers."""
        if name not in self._values:
            self._values[name] = encode(self.frame[name])
        return self._values[name]

    def column(self, name: str) -> Column:
        """The normalised cells of a column as distinct values and their numbers."""
        if isinstance(self.texts, Texts):
            return self.texts.coded[name]
        if name not in self._columns:
            self._columns[name] = encode(self.texts[name])
        return self._columns[name]

    def has_margins(self, name: str) -> bool:
        """Whether a column has a margin label at all."""
        return bool(self.column(name).once("margin", margins).any())

    def margins(self, name: str) -> np.ndarray:
        """Which cells of a column are margin labels."""
        cells = self.column(name)
        return cells.spread(cells.once("margin", margins).to_numpy(), False)

    def coded(self, column: str, raw: str) -> np.ndarray:
        """The numbers that the cells of ``column`` have as values of ``raw``; ``NULL`` and ``UNKNOWN``."""
        lexicon = self.index.coded(raw).lexicon

        def find(values: pl.Series) -> np.ndarray:
            found = lexicon.find(values)
            found[found < 0] = UNKNOWN
            return found

        cells = self.column(column)
        return cells.spread(cells.once(f"{self.index.view} {raw}", find), NULL)

    def bound(self, column: str, raw: str) -> Shape:
        """The same with ``column`` as a further dimension, equal to ``raw``."""
        return replace(
            self,
            dims={**self.dims, column: self.index.code(raw)},
            raw_of={**self.raw_of, column: raw},
            codes={**self.codes, column: self.coded(column, raw)},
        )

    def wild(self, column: str) -> pl.Series:
        """Rows in which a dimension stands for all its values: a margin label, or an empty cell where the
        raw column has no missing values."""
        memo = (column, self.raw_of[column])
        if memo not in self._wild:
            empty = self.raw_of[column] not in self.index.nullable
            missing = empty & (self.column(column).codes < 0)
            self._wild[memo] = pl.Series(np.asarray(self.margins(column) | missing), dtype=pl.Boolean)
        return self._wild[memo]

    def all_values(self, column: str) -> None:
        """Every cell of a dimension is one of its values, an empty one too: none stands for all of them."""
        nowhere = pl.Series([False] * self.frame.height, dtype=pl.Boolean)
        self._wild[(column, self.raw_of[column])] = nowhere


def as_numbers(values: pl.Series, cells: Column | None = None) -> pl.Series:
    """Numbers out of cells: thousands separators and percent signs are understood. ``cells``: the same,
    encoded, for whoever has them so."""
    if values.dtype.is_numeric():
        return values.cast(pl.Float64)
    if values.dtype != pl.String:
        return pl.Series(values.name, [None] * len(values), dtype=pl.Float64)
    cells = encode(values) if cells is None else cells
    plain = cells.values.str.replace_all(r"(\d),(\d{3})", "${1}${2}").str.replace(r"\s*%$", "")
    return cells.rows(plain.cast(pl.Float64, strict=False)).rename(values.name)


def _frame(table: Table) -> tuple[pl.DataFrame, dict[str, str]]:
    names = {f"o{i}": name for i, name in enumerate(table.columns)}
    return table.data.rename({name: key for key, name in names.items()}), names


def texts_of(index: RawIndex, frame: pl.DataFrame) -> pl.DataFrame:
    """All cells of an output, normalised like raw values."""
    return normalised(index.engine, frame)


def _texts(index: RawIndex, frame: pl.DataFrame, values: dict[str, Column]) -> Texts:
    """The same by columns; of flat types only the distinct values are normalised."""
    if frame.height <= _GLANCE:
        texts = texts_of(index, frame)
        return Texts({name: encode(texts[name]) for name in frame.columns})
    coded = {}
    for name in frame.columns:
        if frame[name].dtype in PLAIN:
            column = values[name] if name in values else encode(frame[name])
            coded[name] = renumbered(column, texts_of(index, column.values.to_frame("v"))["v"])
        else:
            coded[name] = encode(texts_of(index, frame.select(name)).to_series())
    return Texts(coded)


def _unpivot(
    index: RawIndex, frame: pl.DataFrame, names: dict[str, str], values: dict[str, Column]
) -> tuple[pl.DataFrame, dict[str, str]]:
    """A cross table laid out long, if headers of its numeric columns are values of one raw column."""
    known = {k: frame.height - as_numbers(frame[k], values[k]).null_count() for k in names}
    number = [k for k in names if known[k] >= max(1, frame.height // 2)]
    heads = {k: names[k] for k in number}
    if len(heads) < 2:
        return frame, names
    order = list(heads.values())
    asked = pl.Series(order, dtype=pl.String)
    hits = [
        (raw, asked.filter(pl.Series(index.coded(raw).lexicon.find(asked) >= 0)).to_list())
        for raw in index.columns
    ]
    hits.sort(key=lambda hit: -len(hit[1]))
    if not hits or len(hits[0][1]) < 2 or len(hits[0][1]) < 0.5 * len(heads):
        return frame, names
    found = set(hits[0][1])
    melt = [k for k, name in heads.items() if name in found or MARGIN.fullmatch(name)]
    if len(names) - len(melt) > _MOST_KEPT:
        return frame, names
    return _long(frame, names, melt, hits[0][0])


def _by_groups(
    frame: pl.DataFrame, names: dict[str, str], values: dict[str, Column]
) -> tuple[pl.DataFrame, dict[str, str]] | None:
    """A cross table laid out long, if the headers of its whole numbers read as groups: bands, periods, two
    words for before and after. Whether they are, the recount says."""
    numbers = {k: as_numbers(column.values).drop_nulls() for k, column in values.items()}
    heads = [k for k in names if len(numbers[k]) and whole(numbers[k])]
    labels = [names[k] for k in heads if not MARGIN.fullmatch(names[k])]
    words = len(labels) == 2 and not any(COUNT_NAME.fullmatch(label) for label in labels)
    if len(labels) < 2 or len(names) - len(heads) > _MOST_KEPT:
        return None
    if not words and bands(labels) is None and not all(PERIOD.fullmatch(label) for label in labels):
        return None
    return _long(frame, names, heads, "")


def _long(
    frame: pl.DataFrame, names: dict[str, str], melt: list[str], title: str
) -> tuple[pl.DataFrame, dict[str, str]]:
    """``melt`` below each other: a column of their headers called ``title``, and one of their numbers."""
    heads = {k: names[k] for k in melt}
    keep = [k for k in names if k not in melt]
    long = frame.with_columns([pl.col(k).cast(pl.String) for k in melt]).unpivot(
        on=melt, index=keep, variable_name="__head", value_name="__value"
    )
    head = long["__head"].replace_strict(heads, return_dtype=pl.String)
    result = long.select(
        *keep, head.alias(f"o{len(names)}"), as_numbers(long["__value"]).alias(f"o{len(names) + 1}")
    )
    fresh = {k: names[k] for k in keep}
    return result, {**fresh, f"o{len(names)}": title, f"o{len(names) + 1}": "value"}


def recount(
    shape: Shape,
    select: str,
    empty: Any = None,
    part: str = "",
    by: str = "r.e",
    rows: pl.Series | None = None,
) -> pl.Series:
    """``select`` (an aggregate over the raw rows ``r``) for the cell of each row of the shape.

    With ``part`` (an aggregate) the rows are first summed up to one value ``s`` an entity, or for each value
    of ``by``. ``rows``: which rows are asked for; the others are null. What stands for all values: see
    ``Shape.wild``.
    """
    index, engine = shape.index, shape.index.engine
    keys = list(shape.dims)
    source = f"{index.table} r"
    if not keys:
        if part:
            source = f"(SELECT {part} AS s FROM {source} GROUP BY {by})"
        value = engine.rows(f"SELECT {select} FROM {source}")[0][0]
        return pl.Series([value] * shape.frame.height, strict=False)
    cells = pl.DataFrame({k: shape.codes[k] for k in keys}).with_row_index("i")
    wild = pl.DataFrame({k: shape.wild(k) for k in keys})
    if rows is not None:
        cells, wild = cells.filter(rows), wild.filter(rows)
    parts = []
    for pattern in wild.unique(maintain_order=True).head(64).iter_rows():
        kept = [k for k, free in zip(keys, pattern, strict=True) if not free]
        here = cells.filter(
            wild.select(
                pl.all_horizontal(pl.col(k) == free for k, free in zip(keys, pattern, strict=True))
            ).to_series()
        )
        asked = here.select(kept).unique()
        # Only the raw rows of the cells asked for are grouped: an output of few cells costs little.
        lead = "".join(f"{k}, " for k in kept)
        inner = f"(SELECT {''.join(f'{shape.dims[k]} AS {k}, ' for k in kept)}r.* FROM {source}"
        inner += f"{subtotal(shape, [k for k in keys if k not in kept])}) r"
        if kept:
            engine.register("asked_cells", asked)
            inner = f"(SELECT * FROM {inner} SEMI JOIN asked_cells a USING ({', '.join(kept)})) r"
        if part:
            inner = f"(SELECT {lead}{part} AS s FROM {inner} GROUP BY {lead}{by}) r"
        found = engine.frame(
            f"SELECT {lead}{select} AS a FROM {inner} {f'GROUP BY {lead[:-2]}' if kept else ''}"
        )
        found = found.with_columns(pl.col(k).cast(pl.Int64) for k in kept)
        if kept:
            parts.append(here.select("i", *kept).join(found, on=kept, how="inner").select("i", "a"))
        else:
            parts.append(here.select("i").join(found, how="cross"))
    every = pl.DataFrame({"i": pl.arange(0, shape.frame.height, eager=True, dtype=pl.UInt32)})
    if not parts:
        return pl.Series([empty] * shape.frame.height)
    result = every.join(pl.concat(parts), on="i", how="left", maintain_order="left")["a"]
    return result.fill_null(empty) if empty is not None else result


def subtotal(shape: Shape, free: list[str]) -> str:
    """SQL that keeps the raw rows with labels that are shown, for margins of those only."""
    asked = {k: np.unique(shape.codes[k]) for k in free if k in shape.within}
    parts = [f"{shape.dims[k]} IN ({', '.join(map(str, v[v >= 0])) or 'NULL'})" for k, v in asked.items()]
    return f" WHERE {' AND '.join(parts)}" if parts else ""


def _agrees(stated: pl.Series, recounted: pl.Series) -> float:
    """Share of rows whose stated count is the recount, rounding to a base of at most 10 included."""
    pair = pl.DataFrame({"s": stated, "r": recounted.cast(pl.Float64)}).drop_nulls()
    if not pair.height:
        return 0.0
    values = pair["s"]
    base = next((b for b in (10, 5) if pair.height > 2 and bool((values % b == 0).all())), 1)
    return float(((pair["s"] - pair["r"]).abs() < max(base, 0.5)).mean())  # type: ignore[arg-type]


def _nearly(shape: Shape, k: str, alone: bool) -> bool:
    """Whether a column is the recount in half of the rows and near it in the others, as where a few persons
    were left out before counting, and not those without a value of some raw column. ``alone``: nor those of
    another label; a count of these, beside the recount, tells of the few others."""
    stated = shape.numbers(k)
    share, recounted = max(((_agrees(stated, one), one) for one in (shape.n, shape.rows_n)), key=_first)
    if share < _HALF:
        return False
    gap = (stated - recounted.cast(pl.Float64)).abs()
    if not whole(stated) or not bool((gap <= recounted * _NEAR).all()):
        return False
    counted = "count(*)" if recounted is shape.rows_n else shape.index.entity_count
    asked = [
        f"f{i} := {counted} FILTER (WHERE {which})" for i, which in enumerate(_of_a_part(shape.index, alone))
    ]
    found = recount(shape, f"struct_pack({', '.join(asked)})") if asked else None
    if found is None or found.dtype != pl.Struct:
        return True
    parts = found.struct.unnest().with_columns(pl.all().cast(pl.Int64).fill_null(0))
    return all(_agrees(stated, part) < _CONFIRMED for part in parts.iter_columns())


def _of_a_part(index: RawIndex, labels: bool) -> list[str]:
    """SQL for those of a cell of whom a count may honestly be: with a value of a raw column; with one of its
    few ``labels``, with another."""
    found = [f"{index.code(raw)} >= 0" for raw in sorted(index.nullable)]
    for raw, few in index.cardinality.items() if labels else ():
        if 1 < few <= _PART_LABELS and raw not in (*index.identifiers, index.entity):
            found += [f"{index.code(raw)} {sign} {code}" for code in range(few) for sign in ("=", "<>")]
    return found[:_MOST_PARTS]


def _first(pair: tuple[float, pl.Series]) -> float:
    return pair[0]


def best(context: Context, document: Document, table: Table) -> Shape | None:
    """The shape against the raw table that explains most of ``table``; None if none explains anything."""
    shapes = [recognise(context, document, table, index) for index in context.indexes]
    shapes = [shape for shape in shapes if shape.dims or shape.confirmed]
    return max(shapes, key=lambda s: (len(s.confirmed), len(s.dims), len(s.matched)), default=None)


def below(context: Context, document: Document, table: Table) -> list[Shape]:
    """``best``; where words tell rows of the same cell apart (names of measures that stand below each other),
    one shape for each of the words, without them. Computed once."""
    shape = best(context, document, table)
    if shape is None or not shape.divided or not shape.dims:
        return [] if shape is None else [shape]
    memo: dict[int, list[Shape]] = context.memo.setdefault("below", {})
    if id(table) not in memo:
        declared = context.declared.get(document.path, Declared(document.path))
        names = {k: name for k, name in shape.names.items() if k not in shape.others}
        parts = shape.frame.partition_by(shape.others, maintain_order=True, include_key=False)
        alone = len(parts) <= _MOST_WORDS and all(_unique(part, list(shape.dims)) for part in parts)
        made = [_laid_out(context, declared, shape.index, part, names, {}) for part in parts if alone]
        memo[id(table)] = made or [shape]
    return memo[id(table)]


def counting(context: Context, document: Document, table: Table) -> list[Shape]:
    """Those of ``below`` whose cells are the raw data's own: no unknown label divides them."""
    found = below(context, document, table)
    return [one for one in found if one.aggregate and not one.divided and (len(found) == 1 or one.confirmed)]


def _unique(frame: pl.DataFrame, keys: list[str]) -> bool:
    if frame.height <= 1 or not keys:
        return frame.height <= 1
    head = frame.head(_GLANCE).select(keys)  # rows that are alike are, where there are many, among the first
    if head.n_unique() < head.height:
        return False
    return frame.height <= _GLANCE or frame.select(keys).n_unique() == frame.height


def recognise(context: Context, document: Document, table: Table, index: RawIndex) -> Shape:
    """The shape of ``table`` against ``index``; computed once a pair."""
    memo = (id(table), index.view)
    if memo not in context.shapes:
        context.shapes[memo] = _recognise(context, document, table, index)
    found = context.shapes[memo]
    assert isinstance(found, Shape)
    return found


def _recognise(context: Context, document: Document, table: Table, index: RawIndex) -> Shape:
    declared = context.declared.get(document.path, Declared(document.path))
    frame, names = _frame(table)
    values = {k: table.column(name) for k, name in names.items()}
    laid = _unpivot(index, frame, names, values)
    if laid[1] is not names:
        return _laid_out(context, declared, index, *laid, {})
    long = _by_groups(frame, names, values)
    made = _laid_out(context, declared, index, *long, {}) if long else None
    if made is not None and f"o{len(names)}" in made.dims and f"o{len(names) + 1}" in made.confirmed:
        return made
    return _laid_out(context, declared, index, frame, names, values)


def _suppressed(shape: Shape, k: str, declared: Declared) -> bool:
    """Whether a column of text is one of counts, by its name or declaration, with marks for small cells: the
    numbers left would else be taken for values of a raw column of small numbers, an age."""
    name, cells = shape.names[k], shape.values(k)
    if name not in declared.counts and not COUNT_NAME.fullmatch(name):
        return False
    words = cells.values.filter(as_numbers(cells.values).is_null()).drop_nulls()
    return len(words) < min(cells.n_unique, _MOST_MARKS) and all(MARK.fullmatch(word) for word in words)


def _laid_out(
    context: Context,
    declared: Declared,
    index: RawIndex,
    frame: pl.DataFrame,
    names: dict[str, str],
    values: dict[str, Column],
) -> Shape:
    """``values``: the columns of ``frame``, as far as they are encoded already."""
    texts = _texts(index, frame.select(list(names)), values)
    shape = Shape(index, frame, names, texts, declared=bool(declared.columns), _values=dict(values))
    shape.matched = matched = assign(
        index, names, contained(index, frame, {k: shape.column(k) for k in names}, names)
    )
    text = [
        k
        for k in names
        if frame[k].dtype == pl.Boolean
        or (frame[k].dtype == pl.String and not _suppressed(shape, k, declared))
    ]
    count_like = [
        k for k in names if k not in text and (names[k] in declared.counts or COUNT_NAME.fullmatch(names[k]))
    ]

    def use(k: str) -> None:
        shape.raw_of[k] = matched[k]
        shape.dims[k] = index.code(matched[k])
        shape.codes[k] = shape.coded(k, matched[k])

    def part_of_day(k: str) -> bool:
        """Days of the week are values of any column of small numbers: the counts say which it is."""
        alike = tame(names[k]) == tame(matched[k]) or not frame[k].dtype.is_integer()
        return not alike and _grouped(shape, k, matched[k])

    for k in names:
        if k in count_like or (names[k] in declared.measures and k not in text):
            continue  # a declaration cannot make a measure of a label
        if k in matched and (k in text or names[k] in declared.dimensions):
            if not part_of_day(k):
                use(k)
        elif k not in matched and k in text:
            _grouped(shape, k)
    others = shape.others = [
        k for k in text if k not in shape.dims and shape.values(k).n_unique <= max(50, frame.height // 2)
    ]
    _recount(shape, [k for k in names if k not in text and k not in shape.dims], names, declared)
    _subtotals(shape, [k for k in names if k not in text and k not in shape.dims], names, declared)
    found = len(shape.dims)
    for k in names:
        # Birth years and the like: a number is a group only when the rows need it to be told apart.
        own = k not in matched and k not in count_like and frame[k].dtype.is_integer()
        if own and names[k] not in declared.measures and not _unique(frame, [*shape.dims, *others]):
            _grouped(shape, k)
    for k in sorted(matched, key=lambda k: tame(names[k]) != tame(matched[k])):
        # A number is a dimension only when the rows need it to be told apart: means are raw values by
        # chance, whatever they are called. Columns named like the raw column come first.
        settled = k in shape.dims or k in shape.confirmed or k in count_like or k in text
        if settled or names[k] in declared.measures:
            continue
        if not _unique(frame, [*shape.dims, *others]) and not part_of_day(k):
            use(k)
    if len(shape.dims) > found:
        _recount(shape, [k for k in names if k not in text and k not in shape.dims], names, declared)
    shape.measures = [k for k in names if k not in text and k not in shape.dims and k not in shape.counts]
    unique = _unique(frame, [*shape.dims, *others])
    least = shape.n.drop_nulls().min()
    supported = least is not None and float(least) >= context.min_cell(index.name)  # type: ignore[arg-type]
    stated = bool(declared.counts) or (declared.kind in ("aggregate", "table") and shape.declared)
    shape.aggregate = unique and (bool(shape.counts) or supported or stated or frame.height <= 1)
    return shape


def _grouped(shape: Shape, k: str, other_than: str = "") -> bool:
    """Make a dimension of a column that groups a raw one by bands, years, first digits; whether it does."""
    if shape.values(k).n_unique > MOST_LABELS:
        return False
    # Margins of the other columns would count everyone twice.
    cells = shape.column(k)
    place = cells.codes.astype(np.int64) + 1  # 0: no value, or not counted here
    for other in shape.names:
        if other != k and other in shape.texts.columns and shape.has_margins(other):
            place[shape.margins(other)] = 0
    stated = [
        np.bincount(
            place, weights=shape.numbers(other).fill_null(0).to_numpy(), minlength=len(cells.values) + 1
        )[1:]
        for other in shape.names
        if shape.frame[other].dtype.is_numeric()
    ]
    found = group(shape.index, shape.names[k], cells.values.to_list(), stated, _shown(shape))
    if found is None or found.raw == other_than:
        return False
    shape.raw_of[k], shape.dims[k] = found.raw, numbers_sql(shape.index, found)
    shape.codes[k], shape.spelling[k] = found.codes(cells), found.bits
    return True


def _shown(shape: Shape) -> np.ndarray | None:
    """The raw rows with the values that the dimensions known so far show; None where that is all."""
    result: np.ndarray | None = None
    for k, raw in shape.raw_of.items():
        if shape.dims[k] != shape.index.code(raw):
            continue
        asked = np.zeros(shape.index.cardinality[raw] + 1, dtype=bool)  # the last one: no value
        asked[shape.codes[k][shape.codes[k] >= 0]] = True
        if not asked[:-1].all():
            inside = asked[shape.index.coded(raw).codes]
            result = inside if result is None else result & inside
    return result


def _recount(shape: Shape, numbers: list[str], names: dict[str, str], declared: Declared) -> None:
    """Distinct entities and rows of every cell, and which columns state them."""
    both = recount(shape, f"struct_pack(n := {shape.index.entity_count}, rows_n := count(*))")
    cells = both.struct.unnest() if both.dtype == pl.Struct else pl.DataFrame({"n": both, "rows_n": both})
    shape.n, shape.rows_n = (cells[name].cast(pl.Int64).fill_null(0) for name in ("n", "rows_n"))
    shape.confirmed = {
        k
        for k in numbers
        if any(_agrees(shape.numbers(k), one) >= _CONFIRMED for one in (shape.n, shape.rows_n))
    }
    alone = not shape.confirmed
    shape.confirmed |= {k for k in numbers if k not in shape.confirmed and _nearly(shape, k, alone)}
    shape.counts = [
        k
        for k in numbers
        if shape.numbers(k).count()  # a column without a number counts nothing, whatever it is called
        and (
            k in shape.confirmed
            or (names[k] in declared.counts and not running(shape.numbers(k), shape.n))
            or (
                COUNT_NAME.fullmatch(names[k])
                and names[k] not in declared.measures
                and whole(shape.numbers(k))
            )
        )
    ]


def _subtotals(shape: Shape, numbers: list[str], names: dict[str, str], declared: Declared) -> None:
    """Take margins for those of the labels shown where that, and not the total of all, is what they state."""
    free = {k: shape.wild(k) for k in shape.dims}
    some = frozenset(
        k
        for k, wild in free.items()
        if bool(wild.any())
        and len(np.unique(shape.codes[k])) <= MOST_LABELS
        and shape.frame[k].dtype == pl.String
    )
    rows = pl.DataFrame(list(free.values())).max_horizontal() if some else None
    if rows is None or not numbers:
        return
    for within in (frozenset(), *(frozenset({k}) for k in some), some):
        shape.within = within
        _recount(shape, numbers, names, declared)
        if any(_agrees(shape.numbers(k).filter(rows), shape.n.filter(rows)) == 1.0 for k in numbers):
            return
    shape.within = frozenset()
    _recount(shape, numbers, names, declared)


def whole(values: pl.Series) -> bool:
    """Whether all known values are whole and not negative."""
    known = values.drop_nulls()
    return bool((known == known.round(0)).all()) and bool((known >= 0).all())
