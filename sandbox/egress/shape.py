"""What a table *is*, seen from one raw table: dimensions, counts, measures; aggregate or row level.

Names are never trusted alone. A dimension is a column whose values are values of a raw column; a count is
what the recount confirms, or what is declared or named so; a cross table is laid out long first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from sandbox.egress.context import Context, Declared
from sandbox.egress.forms import Document, Table
from sandbox.egress.rawdata import RawIndex, norm, numeric, quote

COUNT_NAME = re.compile(
    r"(?:n|nn?_?(?:obs|rows|persons?)?|count|counts|cnt|freq|frequency|len|size|num(?:ber)?|persons?|people|"
    r"人数|户数|人次|频数|频次|样本量|计数|数量|个数|count_?star\(\)|.*_(?:count|cnt|n)|"
    r"(?:count|n|num)_.*|.*人数|.*数量)",
    re.IGNORECASE,
)
MARGIN = re.compile(
    r"(?:all|total|sum|grand total|overall|subtotal|合计|总计|小计|全部|全体|总数|总体|全市|全省|全国|不限)",
    re.IGNORECASE,
)
_BAND = re.compile(
    r"\s*[\[(]?\s*(-?\d+(?:\.\d+)?)\s*(?:-|–|—|~|～|至|到|,|，|to)\s*(-?\d+(?:\.\d+)?)\s*([\])]?)\s*(?:岁|元|years?)?\s*"
)
_OPEN = (
    (re.compile(r"\s*(?:>=|≥)\s*(\d+(?:\.\d+)?)\D*|\s*(\d+(?:\.\d+)?)\s*(?:\+|岁?及?以上|岁?以上)\D*"), "ge"),
    (re.compile(r"\s*(?:<=|≤)\s*(\d+(?:\.\d+)?)\D*|\s*(\d+(?:\.\d+)?)\s*岁?及以下\D*"), "le"),
    (re.compile(r"\s*<\s*(\d+(?:\.\d+)?)\D*|\s*(\d+(?:\.\d+)?)\s*岁?以下\D*"), "lt"),
)
# Share of a column's distinct values that must be raw values for it to be the raw column. Labels agree by
# chance hardly ever, so half will do: a few invented labels must not stop the recount. Numbers do agree.
LABELS, NUMBERS = 0.5, 0.9


@dataclass(eq=False)
class Shape:
    """A table against one raw table. ``frame`` has columns ``o0``…, one row a cell; ``names`` theirs.

    ``dims`` maps ``o#`` to the SQL of the raw value it equals; ``raw_of`` to the raw column's name.
    ``n`` is the recount of distinct entities of each row (null where a row's cell cannot be formed).
    """

    index: RawIndex
    view: str
    frame: pl.DataFrame
    names: dict[str, str]
    raw_of: dict[str, str] = field(default_factory=dict)
    matched: dict[str, str] = field(default_factory=dict)  # by value alone, dimensions and others
    others: list[str] = field(default_factory=list)  # unexplained labels: the recount is an upper bound
    dims: dict[str, str] = field(default_factory=dict)
    counts: list[str] = field(default_factory=list)
    measures: list[str] = field(default_factory=list)
    confirmed: set[str] = field(default_factory=set)
    n: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.Int64))
    rows_n: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.Int64))
    aggregate: bool = False
    declared: bool = False

    def numbers(self, column: str) -> pl.Series:
        """A column as numbers; what is no number is null."""
        return as_numbers(self.frame[column])


def as_numbers(values: pl.Series) -> pl.Series:
    """Numbers out of cells: thousands separators and percent signs are understood."""
    if values.dtype.is_numeric():
        return values.cast(pl.Float64)
    if values.dtype != pl.String:
        return pl.Series(values.name, [None] * len(values), dtype=pl.Float64)
    plain = values.str.replace_all(r"(\d),(\d{3})", "${1}${2}").str.replace(r"\s*%$", "")
    return plain.cast(pl.Float64, strict=False)


def tame(name: str) -> str:
    """A column name for comparison."""
    return re.sub(r"[\s_\-]", "", name).casefold()


def _frame(table: Table) -> tuple[pl.DataFrame, dict[str, str]]:
    names = {f"o{i}": name for i, name in enumerate(table.columns)}
    return table.data.rename({name: key for key, name in names.items()}), names


def _contained(index: RawIndex, view: str, names: dict[str, str]) -> dict[str, dict[str, float]]:
    """For each output column the raw columns that hold enough of its distinct values, with the share."""
    engine = index.engine
    kinds = {str(row[0]): str(row[1]) for row in engine.rows(f"DESCRIBE {view}")}
    found: dict[str, dict[str, float]] = {}
    order = list(names)
    distinct = " UNION ALL ".join(
        f"SELECT DISTINCT {number} AS o, {norm(quote(column), kinds[column])} AS v FROM {view} "
        f"WHERE {quote(column)} IS NOT NULL"
        for number, column in enumerate(order)
    )
    # In one pass over all columns: a query a column took seconds on wide tables.
    engine.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE out_values AS SELECT o, v FROM ({distinct}) "
        f"WHERE NOT regexp_full_match(v, '{MARGIN.pattern}', 'i')"
    )
    totals = dict(engine.rows("SELECT o, count(*) FROM out_values GROUP BY o"))
    hits = engine.rows(
        f"SELECT o, d.c, count(*) FROM out_values JOIN {index.dictionary} d USING (v) GROUP BY ALL"
    )
    for number, column in enumerate(order):
        total = totals.get(number)
        if not total:
            continue
        text = kinds[column] == "VARCHAR"
        shares = {index.columns[int(c)]: count / total for o, c, count in hits if o == number}
        found[column] = {
            raw: share
            for raw, share in shares.items()
            if share >= (LABELS if text or tame(names[column]) == tame(raw) else NUMBERS)
        }
    return found


def _assign(index: RawIndex, names: dict[str, str], contained: dict[str, dict[str, float]]) -> dict[str, str]:
    """One raw column for each output column: same name first, then the most specific."""
    order = sorted(
        ((key, raw) for key, found in contained.items() for raw in found),
        key=lambda pair: (
            tame(names[pair[0]]) != tame(pair[1]),
            -contained[pair[0]][pair[1]],
            index.cardinality.get(pair[1], 0),
        ),
    )
    result: dict[str, str] = {}
    taken: set[str] = set()
    for key, raw in order:
        if key not in result and raw not in taken:
            result[key] = raw
            taken.add(raw)
    return result


def _band_sql(index: RawIndex, name: str, values: list[str]) -> tuple[str, str] | None:
    """Raw column and SQL that maps its numbers to the bands ``values`` of an output column ``name``."""
    near = [c for c in index.columns if numeric(index.kinds[c]) and tame(c) in tame(name)]
    labels = [value for value in values if not MARGIN.fullmatch(value)]
    if not near or not labels:
        return None
    raw = max(near, key=len)
    arms = []
    bands = [m for value in labels if (m := _BAND.fullmatch(value))]
    ends = {float(m.group(2)) for m in bands} & {float(m.group(1)) for m in bands}
    for value in labels:
        band = _BAND.fullmatch(value)
        quoted = value.replace("'", "''")
        if band:
            low, high = float(band.group(1)), float(band.group(2))
            closed_left = not value.strip().startswith("(")
            closed = value.strip().endswith("]") or (not value.strip().endswith(")") and high not in ends)
            whole = closed and "." not in band.group(2) and not value.strip().endswith("]")
            upper = f"< {high + 1}" if whole else ("<= " if closed else "< ") + str(high)
            arms.append(
                f"WHEN {quote(raw)} {'>=' if closed_left else '>'} {low} AND {quote(raw)} {upper} "
                f"THEN '{quoted}'"
            )
            continue
        for pattern, sign in _OPEN:
            match = pattern.fullmatch(value)
            if match:
                limit = next(group for group in match.groups() if group)
                mark = {"ge": ">=", "le": "<=", "lt": "<"}[sign]
                arms.append(f"WHEN {quote(raw)} {mark} {limit} THEN '{quoted}'")
                break
        else:
            return None
    return raw, f"CASE {' '.join(arms)} END"


def _unpivot(
    index: RawIndex, frame: pl.DataFrame, names: dict[str, str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    """A cross table laid out long, if headers of its numeric columns are values of one raw column."""
    number = [k for k in names if as_numbers(frame[k]).drop_nulls().len() >= max(1, frame.height // 2)]
    heads = {k: names[k] for k in number}
    if len(heads) < 2:
        return frame, names
    wanted = ", ".join("?" for _ in heads)
    hits = index.engine.rows(
        f"SELECT c, list(v) FROM {index.dictionary} WHERE v IN ({wanted}) "
        f"GROUP BY c ORDER BY count(*) DESC, c",
        list(heads.values()),
    )
    if not hits or len(hits[0][1]) < 2 or len(hits[0][1]) < 0.5 * len(heads):
        return frame, names
    values = set(hits[0][1])
    melt = [k for k, name in heads.items() if name in values or MARGIN.fullmatch(name)]
    keep = [k for k in names if k not in melt]
    if len(keep) > 6:
        return frame, names
    long = frame.with_columns([pl.col(k).cast(pl.String) for k in melt]).unpivot(
        on=melt, index=keep, variable_name="__head", value_name="__value"
    )
    head = long["__head"].replace_strict(heads, return_dtype=pl.String)
    result = long.select(keep).with_columns(
        head.alias(f"o{len(names)}"), as_numbers(long["__value"]).alias(f"o{len(names) + 1}")
    )
    fresh = {k: names[k] for k in keep}
    raw = index.columns[int(hits[0][0])]
    return result, {**fresh, f"o{len(names)}": raw, f"o{len(names) + 1}": "value"}


def recount(shape: Shape, select: str, empty: Any = None, per_entity: str = "") -> pl.Series:
    """``select`` (an aggregate over the raw rows ``r``) for the cell of each row of the shape.

    With ``per_entity`` (an aggregate) the rows are first summed up to one value ``s`` an entity.
    A margin label, or an empty cell where the raw column has no missing values, stands for all values.
    """
    index, engine = shape.index, shape.index.engine
    keys = list(shape.dims)
    source = f"{index.view} r"
    if not keys:
        if per_entity:
            source = f"(SELECT {per_entity} AS s FROM {source} GROUP BY {index.entity_sql})"
        value = engine.rows(f"SELECT {select} FROM {source}")[0][0]
        return pl.Series([value] * shape.frame.height, strict=False)
    kinds = {str(row[0]): str(row[1]) for row in engine.rows(f"DESCRIBE {shape.view}")}
    outs = {k: norm(quote(k), kinds[k]) for k in keys}
    wild = {
        k: f"(coalesce(regexp_full_match({outs[k]}, '{MARGIN.pattern}', 'i'), "
        f"{'false' if shape.raw_of[k] in index.nullable else 'true'}))"
        for k in keys
    }
    patterns = engine.rows(f"SELECT DISTINCT {', '.join(wild[k] for k in keys)} FROM {shape.view}")
    parts = []
    for pattern in patterns[:64]:
        kept = [k for k, free in zip(keys, pattern, strict=True) if not free]
        here = " AND ".join(
            f"{wild[k]} = {str(bool(free)).lower()}" for k, free in zip(keys, pattern, strict=True)
        )
        group = ", ".join(f"{shape.dims[k]} AS {k}" for k in kept)
        by = f"GROUP BY {', '.join(str(i + 1) for i in range(len(kept)))}" if kept else ""
        lead = f"{group}, " if kept else ""
        inner = f"SELECT {lead}{select} AS a FROM {source} {by}"
        if per_entity:
            each = f"SELECT {lead}{index.entity_sql} AS e, {per_entity} AS s FROM {source} GROUP BY ALL"
            inner = f"SELECT {', '.join([*kept, ''])}{select} AS a FROM ({each}) {by}"
        on = " AND ".join(f"o.{k} IS NOT DISTINCT FROM g.{k}" for k in kept) or "true"
        ours = ", ".join(["row_number AS i", *(f"{outs[k]} AS {k}" for k in kept)])
        parts.append(
            f"SELECT o.i AS i, g.a AS a FROM (SELECT {ours} FROM {shape.view} WHERE {here}) o "
            f"LEFT JOIN ({inner}) g ON {on}"
        )
    found = engine.frame(" UNION ALL ".join(parts))
    joined = pl.DataFrame({"i": pl.arange(0, shape.frame.height, eager=True)}).join(
        found.with_columns(pl.col("i").cast(pl.Int64)), on="i", how="left", maintain_order="left"
    )
    result = joined["a"]
    return result.fill_null(empty) if empty is not None else result


def _agrees(stated: pl.Series, recounted: pl.Series) -> float:
    """Share of rows whose stated count is the recount, rounding to a base of at most 10 included."""
    pair = pl.DataFrame({"s": stated, "r": recounted.cast(pl.Float64)}).drop_nulls()
    if not pair.height:
        return 0.0
    values = pair["s"]
    base = next((b for b in (10, 5) if pair.height > 2 and bool((values % b == 0).all())), 1)
    return float(((pair["s"] - pair["r"]).abs() < max(base, 0.5)).mean())  # type: ignore[arg-type]


def best(context: Context, document: Document, table: Table) -> Shape | None:
    """The shape against the raw table that explains most of ``table``; None if none explains anything."""
    shapes = [recognise(context, document, table, index) for index in context.indexes]
    shapes = [shape for shape in shapes if shape.dims or shape.confirmed]
    return max(shapes, key=lambda s: (len(s.confirmed), len(s.dims), len(s.matched)), default=None)


def _unique(frame: pl.DataFrame, keys: list[str]) -> bool:
    return frame.height <= 1 or (bool(keys) and frame.select(keys).n_unique() == frame.height)


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
    frame, names = _unpivot(index, *_frame(table))
    view = f"out_{len(context.shapes)}"
    index.engine.register(view, frame.with_row_index("row_number"))
    shape = Shape(index, view, frame, names, declared=bool(declared.columns))
    shape.matched = matched = _assign(index, names, _contained(index, view, names))
    text = [k for k in names if frame[k].dtype == pl.String or frame[k].dtype == pl.Boolean]
    count_like = [
        k for k in names if k not in text and (names[k] in declared.counts or COUNT_NAME.fullmatch(names[k]))
    ]

    def use(k: str) -> None:
        shape.raw_of[k] = matched[k]
        shape.dims[k] = index.value(matched[k])

    for k in names:
        if k in count_like or (names[k] in declared.measures and k not in text):
            continue  # a declaration cannot make a measure of a label
        if k in matched and (k in text or names[k] in declared.dimensions):
            use(k)
        elif k not in matched and frame[k].dtype == pl.String and frame[k].n_unique() <= 200:
            band = _band_sql(index, names[k], [str(v) for v in frame[k].unique().drop_nulls()])
            if band:
                shape.raw_of[k], shape.dims[k] = band
    others = shape.others = [
        k for k in text if k not in shape.dims and frame[k].n_unique() <= max(50, frame.height // 2)
    ]
    _recount(shape, [k for k in names if k not in text and k not in shape.dims], names, declared)
    for k in sorted(matched, key=lambda k: tame(names[k]) != tame(matched[k])):
        # A number is a dimension only when the rows need it to be told apart: means are raw values by
        # chance, whatever they are called. Columns named like the raw column come first.
        settled = k in shape.dims or k in shape.confirmed or k in count_like or k in text
        if settled or names[k] in declared.measures:
            continue
        if not _unique(frame, [*shape.dims, *others]):
            use(k)
    _recount(shape, [k for k in names if k not in text and k not in shape.dims], names, declared)
    shape.measures = [k for k in names if k not in text and k not in shape.dims and k not in shape.counts]
    unique = _unique(frame, [*shape.dims, *others])
    least = shape.n.drop_nulls().min()
    supported = least is not None and float(least) >= context.min_cell(index.name)  # type: ignore[arg-type]
    stated = bool(declared.counts) or (declared.kind in ("aggregate", "table") and shape.declared)
    shape.aggregate = unique and (bool(shape.counts) or supported or stated or frame.height <= 1)
    return shape


def _recount(shape: Shape, numbers: list[str], names: dict[str, str], declared: Declared) -> None:
    """Distinct entities and rows of every cell, and which columns state them."""
    shape.n = recount(shape, f"count(DISTINCT r.{shape.index.entity_sql})", 0).cast(pl.Int64)
    shape.rows_n = recount(shape, "count(*)", 0).cast(pl.Int64)
    shape.confirmed = {
        k
        for k in numbers
        if max(_agrees(shape.numbers(k), shape.n), _agrees(shape.numbers(k), shape.rows_n)) >= 0.8
    }
    shape.counts = [
        k
        for k in numbers
        if k in shape.confirmed
        or names[k] in declared.counts
        or (COUNT_NAME.fullmatch(names[k]) and names[k] not in declared.measures and whole(shape.numbers(k)))
    ]


def whole(values: pl.Series) -> bool:
    """Whether all known values are whole and not negative."""
    known = values.drop_nulls()
    return bool((known == known.round(0)).all()) and bool((known >= 0).all())
