"""Measures bound to raw numbers by recomputation: dominance of sums and means, extremes of few."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import polars as pl

from sandbox.egress.bands import tame
from sandbox.egress.checks.base import Check
from sandbox.egress.checks.cells import suppressed
from sandbox.egress.context import Context
from sandbox.egress.dominance import Dominance
from sandbox.egress.facts import counts, fact_of, facts
from sandbox.egress.facts_derived import Derived
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import RawIndex, numeric
from sandbox.egress.shape import Shape, as_numbers, below, recount

_EXTREME = re.compile(
    r"(?:^|[^a-z])(?:min|max|minimum|maximum|lowest|highest)(?:[^a-z]|$)|最大|最小|最高|最低", re.I
)
_MOST_COLUMNS = 24
_OUTER = 0.05  # of a cell's entities: so far from an end a raw value still speaks of those at the end
_COLUMN = 3  # rows from which a column of outermost values is no chance
_CHANCE = 20.0  # so many times as often as chance would have it


def _tolerance(values: pl.Series) -> pl.Series:
    """Half a unit of the last digit written, and a little of the value for floating point."""
    digits = values.drop_nulls().cast(pl.String).str.extract(r"\.(\d+)$", 1).str.len_chars().max()
    unit = 10.0 ** -int(str(digits or 0))
    return values.abs() * 1e-9 + (0.5 * unit if unit >= 1e-6 else 0.0) + 1e-9


def _same(stated: pl.Series, computed: pl.Series) -> float:
    """Share of the rows in which a stated value is the computed one, but for rounding."""
    frame = pl.DataFrame({"s": stated, "c": computed.cast(pl.Float64), "t": _tolerance(stated)}).drop_nulls()
    if not frame.height:
        return 0.0
    return float(((frame["s"] - frame["c"]).abs() <= frame["t"]).mean())  # type: ignore[arg-type]


def _numbers(index: RawIndex) -> list[str]:
    names = [
        c for c in index.columns if numeric(index.kinds[c]) and c not in (*index.identifiers, index.entity)
    ]
    return names[:_MOST_COLUMNS]


def _dominated(context: Context, shape: Shape, raw: str) -> pl.Series:
    """Rows whose cell fails the (n, k) or the p % rule on entities' absolute values."""
    rule = Dominance.of(context)
    top = recount(
        shape,
        f"struct_pack(t := sum(s), top := max(s, {rule.needed}))",
        part=f"sum(abs({shape.index.number(raw)}))",
    )
    result = []
    for cell in top.to_list():
        total = (cell or {}).get("t") or 0.0
        largest = list((cell or {}).get("top") or [])
        result.append(total > 0 and bool(largest) and rule.fails(total, largest))
    return pl.Series(result, dtype=pl.Boolean)


def _holders(shape: Shape, column: str, raw: str) -> pl.Series:
    """How many entities of each cell hold exactly the stated value."""
    return recount(shape.bound(column, raw), shape.index.entity_count, 0).cast(pl.Int64)


def _ends(shape: Shape, raw: str, rows: pl.Series, least: int) -> pl.Series:
    """Of each cell in ``rows`` the outermost raw values at both ends, each with its entity."""
    x, most = shape.index.number(raw), 4 * least  # an entity may have several rows
    entity = "coalesce(r.e, -1)"
    return recount(
        shape,
        f"struct_pack(hi := max({x}, {most}), hi_of := arg_max({entity}, {x}, {most}), "
        f"lo := min({x}, {most}), lo_of := arg_min({entity}, {x}, {most}))",
        rows=rows,
    )


def _outer(value: float, slack: float, values: list[float], owners: list[int], room: float) -> bool:
    """Whether ``value`` is one of the outermost ``values`` with fewer entities at it or beyond than ``room``.

    ``values`` run inwards from the end of the distribution.
    """
    inside = [abs(v - value) <= slack for v in values]
    if not any(inside):
        return False
    last = len(inside) - 1 - inside[::-1].index(True)
    return last + 1 < len(values) and len(set(owners[: last + 1])) < room


def _tails(context: Context, shape: Shape, column: str, raw: str) -> pl.Series:
    """Rows whose number is a raw value of their cell that fewer entities than the threshold reach.

    So a minimum or maximum, the second largest, a quantile far out. Nearer the middle a raw value tells less
    of its owner: a median is one person's number too. What rounds to a raw value by chance is left out.
    """
    index = shape.index
    threshold = context.min_cell(index.name)
    stated = shape.numbers(column)
    slack = _tolerance(stated)
    known = index.numbers(raw)
    nowhere = pl.Series([False] * shape.frame.height, dtype=pl.Boolean)
    if len(known) < 2:
        return nowhere
    asked = stated.fill_null(np.nan).to_numpy()
    wide = slack.fill_null(0.0).to_numpy()
    left = np.searchsorted(known, asked - wide)
    near = (left < len(known)) & (known[np.minimum(left, len(known) - 1)] <= asked + wide)
    near &= ~np.isnan(asked) & (shape.n.fill_null(0).to_numpy() >= threshold)
    if not near.any():
        return nowhere
    rows = pl.Series(near)
    cells = _ends(shape, raw, rows, int(threshold)).to_list()
    found = []
    chance = 0.0
    span = float(known[-1] - known[0]) or 1.0
    for row, cell in enumerate(cells):
        if cell is None or not near[row]:
            found.append(False)
            continue
        room = min(threshold, max(2.0, _OUTER * float(shape.n[row] or 0)) + 1)
        ends = ((cell["hi"], cell["hi_of"]), (cell["lo"], cell["lo_of"]))
        found.append(any(_outer(asked[row], wide[row], v, o, room) for v, o in ends if v))
        chance += min(1.0, 4 * room * wide[row] / span)
    hits = pl.Series(found, dtype=pl.Boolean)
    told = int(hits.sum())
    many = told >= _COLUMN and told >= 0.8 * int(stated.count())
    return hits if many or chance * _CHANCE < told else nowhere


def _worked_out(context: Context, shape: Shape, column: str) -> bool:
    """Whether a column is throughout the count of a part, a share, or what offices work out from sums, means
    and counts: an index, a rank."""
    rows = (shape.n >= context.min_cell(shape.index.name)).fill_null(False)
    values, known = shape.numbers(column), counts(shape)
    if len(values) < _COLUMN:
        return False
    parts = facts(shape, rows)[1]
    return fact_of(values, known, parts) is not None or Derived(context, shape, rows).cost(values) == 0


def _measure(
    document: Document,
    context: Context,
    table: Table,
    shape: Shape,
    column: str,
    facts: dict[str, pl.DataFrame],
) -> Iterable[Finding]:
    stated = shape.numbers(column)
    hidden = suppressed(shape)
    threshold = context.min_cell(shape.index.name)
    position = [*table.columns, shape.names[column]].index(shape.names[column])
    where = f"{table.part} {context.column(position, shape.names[column])}".strip()
    for raw, cells in facts.items():
        shares = {kind: _same(stated, cells[kind]) for kind in ("s", "a", "lo", "hi")}
        named = tame(raw) in tame(shape.names[column]) and not _EXTREME.search(shape.names[column])
        if max(shares["s"], shares["a"]) >= 0.8 or (named and max(shares["lo"], shares["hi"]) < 0.8):
            bad = _dominated(context, shape, raw) & ~hidden & stated.is_not_null()
            if bool(bad.any()):
                yield finding(
                    "DOMINANCE",
                    document.shown,
                    where,
                    {
                        "count": int(bad.sum()),
                        "rows": [int(i) + 1 for i in bad.arg_true().head(10)],
                        "n": context.number("egress.dominance_n"),
                        "k": context.number("egress.dominance_k"),
                        "p": context.number("egress.p_percent"),
                    },
                )
            if max(shares["s"], shares["a"]) >= 0.8:
                return
        if max(shares["lo"], shares["hi"]) >= 0.8:
            held = _holders(shape, column, raw)
            few = (held > 0) & (held < threshold) & ~hidden
        else:
            few = _tails(context, shape, column, raw) & ~hidden
            # Numbers that have another meaning meet somebody's value by chance.
            if bool(few.any()) and 2 * int(few.sum()) < len(few) and _worked_out(context, shape, column):
                return
        if bool(few.any()):
            evidence = {
                "count": int(few.sum()),
                "threshold": threshold,
                "rows": [int(i) + 1 for i in few.arg_true().head(10)],
            }
            yield finding("EXTREME", document.shown, where, evidence)
            return


def _labelled(document: Document, context: Context, table: Table, index: RawIndex) -> Iterable[Finding]:
    """Rows or columns named minimum or maximum whose number is the extreme of a raw column, held by few."""
    labels = pl.Series([False] * table.data.height, dtype=pl.Boolean)
    for name in table.columns:
        if table.data[name].dtype == pl.String:
            column = table.column(name)
            hits = column.values.str.contains(f"(?i){_EXTREME.pattern}").to_numpy()
            labels = labels | pl.Series(column.spread(hits, False), dtype=pl.Boolean)
    told: list[np.ndarray] = []
    for name in table.columns:
        column = table.column(name)
        if _EXTREME.search(name):
            told.append(as_numbers(column.values).drop_nulls().to_numpy())
        elif bool(labels.any()):
            told.append(as_numbers(table.data[name], column).filter(labels).drop_nulls().to_numpy())
    values = np.concatenate([np.zeros(0), *told])
    if not len(values):
        return
    threshold = context.min_cell(index.name)
    count = 0
    for raw in _numbers(index):
        known = index.numbers(raw)
        if not len(known) or not np.isin(known[[0, -1]], values).any():
            continue
        ends = index.engine.rows(
            f"SELECT {index.number(raw)}, {index.entity_count} FROM {index.table} r "
            f"WHERE {index.number(raw)} IN (?, ?) GROUP BY 1",
            [float(known[0]), float(known[-1])],
        )
        count += sum(bool((values == value).any()) and held < threshold for value, held in ends)
    if count:
        yield finding("EXTREME", document.shown, table.part, {"count": count, "threshold": threshold})


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Hard findings with row numbers; values never."""
    for table in document.tables:
        done = False
        for shape in below(context, document, table):
            if not shape.aggregate or not shape.measures:
                continue
            facts = {}
            for raw in _numbers(shape.index):
                x = shape.index.number(raw)
                pack = f"struct_pack(s := sum({x}), a := avg({x}), lo := min({x}), hi := max({x}))"
                facts[raw] = pl.DataFrame({"f": recount(shape, pack)}).unnest("f")
            for column in shape.measures:
                for found in _measure(document, context, table, shape, column, facts):
                    done = done or found.rule == "EXTREME"
                    yield found
        if not done:
            for index in context.indexes:
                yield from _labelled(document, context, table, index)


CHECK = Check(
    ("DOMINANCE", "EXTREME"),
    "table",
    run,
    (
        "egress.dominance_n",
        "egress.dominance_k",
        "egress.p_percent",
        "egress.min_cell",
        "egress.min_cell_sensitive",
    ),
    raw=True,
    exact=True,
)
