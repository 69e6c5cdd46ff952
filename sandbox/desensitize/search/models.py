"""Privacy models, each judged class by class over cells.

Sources: k — Sweeney 2002; distinct, entropy and recursive (c, l)-diversity — Machanavajjhala et al. 2007;
t-closeness with the equal, ordered and hierarchical distance — Li et al. 2007; (alpha, k) — Wong et al. 2006;
beta-likeness — Cao and Karras 2012; delta-disclosure (in bits) — Brickell and Shmatikov 2008; k-map —
Sweeney; delta-presence — Nergiz et al. 2007.

The hierarchical distance in one formula: with m_l the sum over the groups N of level l of min(p_N, q_N), the
paper's sum of height(N) / H times the smaller of the surplus and the want of N's children is
1 - (m_0 + … + m_{H-1}) / H, as surplus and want of N are P_N and Q_N less the minima of its children.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.desensitize.search.groups import Bools, Cells, Classes, Longs, Sensitive, Table
from sandbox.desensitize.search.hierarchy import Floats, Hierarchy

_CLOSE = 1e-9  # thresholds hold up to this: shares are quotients of counts


class Model(BaseModel):
    """One model. ``column``: the sensitive column of those that have one.

    ===================  =====================================================================
    ``k``                at least ``at_least`` entities a class
    ``distinct_l``       at least ``at_least`` sensitive values a class
    ``entropy_l``        entropy at least ln ``at_least``
    ``recursive``        the commonest value less often than ``c`` times all from the l-th on
    ``t``                distance to the whole at most ``at_most``; ``distance``
    ``alpha``            no value of more than ``at_most`` of a class's entities
    ``beta``             no value's share grows by more than ``at_most`` of itself
    ``enhanced_beta``    nor by more than -ln of its share in the whole
    ``delta``            |log2 of a share over its share in the whole| below ``at_most``
    ``k_map``            at least ``at_least`` rows of the population
    ``presence``         published part of the population's rows from ``at_least`` to ``at_most``
    ===================  =====================================================================
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal[
        "k", "distinct_l", "entropy_l", "recursive", "t", "alpha", "beta", "enhanced_beta", "delta", "k_map",
        "presence",
    ]  # fmt: skip
    column: str | None = None
    at_least: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    at_most: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    c: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    distance: Literal["equal", "ordered", "hierarchical"] = "equal"

    @model_validator(mode="after")
    def _column(self) -> Model:
        if (self.column is None) != (self.kind in ("k", "k_map", "presence")):
            raise ValueError("column")
        return self

    @property
    def merges(self) -> bool:
        """Whether a class that holds still does when rows of any other are added: then what holds at a node
        holds above it, suppression included. The others hold for unions of classes that hold."""
        return self.kind in ("k", "distinct_l", "k_map")

    @property
    def relative(self) -> bool:
        """Whether it compares a class with the whole."""
        return self.kind in ("t", "beta", "enhanced_beta", "delta")


@dataclass(frozen=True)
class Parts:
    """What the models of one column look at: its cells, where each class begins, shares within the class and
    in the whole. Every class has a cell."""

    cells: Cells
    starts: Longs
    cell_of: Longs  # begin of the cells proper in the lines: lines are pairs where entities have several rows
    count: Longs
    value: Longs
    total: Longs
    number: Longs
    share: Floats
    whole: Floats
    sizes: Longs
    tree: Hierarchy | None

    @property
    def known(self) -> Floats:
        """The share of each cell's value in the whole."""
        return self.whole[self.value]


def parts(cells: Cells, sizes: Longs, values: int, tree: Hierarchy | None, whole: Floats | None) -> Parts:
    """``whole``: shares of the values; None for those of these cells together."""
    owner, value, count = cells.owner, cells.value, cells.count
    lines = np.arange(len(owner))
    if cells.entity is not None and len(owner):
        lines = np.flatnonzero(np.r_[True, (owner[1:] != owner[:-1]) | (value[1:] != value[:-1])])
        count = np.add.reduceat(count, lines)
        owner, value = owner[lines], value[lines]
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]]) if len(owner) else np.zeros(0, np.int64)
    total = np.add.reduceat(count, starts) if len(starts) else np.zeros(0, np.int64)
    number = np.diff(np.r_[starts, len(owner)])
    if whole is None:
        whole = np.bincount(value, weights=count, minlength=values) / max(int(count.sum()), 1)
    share = count / np.repeat(total, number)
    return Parts(cells, starts, lines, count, value, total, number, share, whole, sizes, tree)


def _entropy(of: Parts, model: Model) -> Bools:
    found = np.log(of.total) - np.add.reduceat(of.count * np.log(of.count), of.starts) / of.total
    return np.asarray(found >= math.log(max(model.at_least, 1.0)) - _CLOSE)


def _recursive(of: Parts, model: Model) -> Bools:
    owner = np.repeat(np.arange(len(of.starts)), of.number)
    falling = of.count[np.lexsort((-of.count, owner))]
    place = np.arange(len(falling)) - np.repeat(of.starts, of.number)
    rest = np.add.reduceat(np.where(place >= model.at_least - 1, falling, 0), of.starts)
    return np.asarray(falling[of.starts] < model.c * rest)


def _ordered(of: Parts) -> Floats:
    """The earth mover's distance over ordered values, all steps alike, of each class.

    Between two values of a class its cumulative share stands still while the whole's rises: the two cross
    where bisection finds it, and the areas below and above are prefix sums.
    """
    values = len(of.whole)
    if values < 2:
        return np.zeros(len(of.starts))
    whole = np.cumsum(of.whole)
    area = np.r_[0.0, np.cumsum(whole)]
    reached = np.cumsum(of.share)
    reached -= np.repeat(reached[of.starts] - of.share[of.starts], of.number)
    until = np.r_[of.value[1:], values]
    until[np.r_[of.starts[1:] - 1, len(of.value) - 1]] = values
    cross = np.clip(np.searchsorted(whole, reached), of.value, until)
    under = reached * (cross - of.value) - (area[cross] - area[of.value])
    over = (area[until] - area[cross]) - reached * (until - cross)
    work = under + over
    work[of.starts] += area[of.value[of.starts]]
    return np.asarray(np.add.reduceat(work, of.starts) / (values - 1))


def _hierarchical(of: Parts) -> Floats:
    tree = of.tree
    if tree is None:
        raise ValueError("tree")
    owner = np.repeat(np.arange(len(of.starts)), of.number)
    held = np.zeros(len(of.starts))
    for level in range(tree.height):
        group = tree.levels[level][of.value]
        begin = np.flatnonzero(np.r_[True, (group[1:] != group[:-1]) | (owner[1:] != owner[:-1])])
        share = np.add.reduceat(of.share, begin)
        least = np.minimum(share, _grouped(tree, level, of.whole)[group[begin]])
        held += np.bincount(owner[begin], weights=least, minlength=len(held))
    return np.asarray(1.0 - held / tree.height)


def distances(of: Parts, distance: str) -> Floats:
    """The distance of each class to the whole: ``equal``, ``ordered`` or ``hierarchical``."""
    if distance == "ordered":
        return _ordered(of)
    if distance == "hierarchical":
        return _hierarchical(of)
    return np.asarray(1.0 - np.add.reduceat(np.minimum(of.share, of.known), of.starts))


def _most(of: Parts, values: Floats) -> Floats:
    return np.asarray(np.maximum.reduceat(values, of.starts))


_BY_CELLS: dict[str, Callable[[Parts, Model], NDArray[Any]]] = {
    "distinct_l": lambda of, m: of.number >= m.at_least,
    "entropy_l": _entropy,
    "recursive": _recursive,
    "t": lambda of, m: distances(of, m.distance) <= m.at_most + _CLOSE,
    "alpha": lambda of, m: np.maximum.reduceat(of.count, of.starts) <= (m.at_most + _CLOSE) * of.sizes,
    "beta": lambda of, m: _most(of, of.share / of.known) - 1.0 <= m.at_most + _CLOSE,
    "enhanced_beta": lambda of, m: (
        _most(of, of.share / of.known - 1.0 - np.minimum(m.at_most, -np.log(of.known))) <= _CLOSE
    ),
    "delta": lambda of, m: _most(of, np.abs(np.log2(of.share / of.known))) < m.at_most - _CLOSE,
}
_BY_SIZE: dict[str, Callable[[Classes, Model], NDArray[Any]]] = {
    "k": lambda of, m: of.sizes >= m.at_least,
    "k_map": lambda of, m: of.everyone >= m.at_least,
    "presence": lambda of, m: (
        (of.rows >= (m.at_least - _CLOSE) * of.everyone) & (of.rows <= (m.at_most + _CLOSE) * of.everyone)
    ),
}


def whole(table: Table, column: Sensitive) -> Floats:
    """The shares of a sensitive column's values in all published rows."""
    inside = column.codes if table.sample is None else column.codes[table.sample]
    return np.bincount(inside, minlength=column.values) / max(len(inside), 1)


def _overlap(shares: Floats, n: int) -> float:
    """The most that the shares of ``n`` rows can have in common with ``shares``: whole rows first, then the
    greatest of what is left of each value."""
    full = np.floor(n * shares + _CLOSE)
    left = np.sort(np.maximum(shares - full / n, 0.0))[::-1]
    return float(full.sum() / n + left[: max(n - int(full.sum()), 0)].sum())


def _grouped(tree: Hierarchy, level: int, shares: Floats) -> Floats:
    """Shares of the groups of a level."""
    return np.bincount(tree.levels[level], weights=shares, minlength=len(tree.labels[level])).astype(
        np.float64
    )


def _gain(model: Model, shares: Floats, exact: bool) -> Floats | float:
    """How often a value may be commoner in a class than in the whole, at most. ``exact``: the whole is
    that."""
    if model.kind == "delta":
        return float(2.0**model.at_most)
    if model.kind == "enhanced_beta" and exact:
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 + np.minimum(model.at_most, -np.log(shares)))
    return 1.0 + model.at_most


def _fits(model: Model, shares: Floats, tree: Hierarchy | None, n: int, gone: float) -> bool:
    """Whether a class of ``n`` rows could satisfy ``model`` at all. ``gone``: the part of the rows that may
    be missing in the whole it is compared with: a share there is at most 1 / (1 - gone) of that in
    ``shares``."""
    more = 1.0 / (1.0 - gone)
    if model.kind == "t" and model.distance == "equal":
        return 1.0 - more * _overlap(shares, n) <= model.at_most + _CLOSE
    if model.kind == "t" and model.distance == "hierarchical" and tree is not None:
        held = [_overlap(_grouped(tree, level, shares), n) for level in range(tree.height)]
        return 1.0 - more * sum(held) / tree.height <= model.at_most + _CLOSE
    if model.kind in ("beta", "enhanced_beta", "delta"):
        most = np.floor(n * _gain(model, shares, not gone) * more * shares + _CLOSE)
        return bool(most.sum() >= n)
    return n * model.at_most >= 1.0 - _CLOSE if model.kind == "alpha" else True


_MOST_TRIED = 512


def least_size(table: Table, models: Sequence[Model], gone: float) -> int:
    """Classes of fewer rows than this satisfy one of ``models`` in no way; for tagging. ``gone``: see
    ``_fits``. 1 where entities have several rows: then a class of few entities may have many pairs."""
    least = 1
    if table.several or gone >= 1.0:
        return least
    for model in models:
        if model.kind in ("k", "distinct_l", "entropy_l", "recursive"):
            least = max(least, math.ceil(model.at_least - _CLOSE))
        elif model.column is not None:
            column = table.sensitive[model.column]
            shares = whole(table, column)
            fits = (n for n in range(1, _MOST_TRIED) if _fits(model, shares, column.tree, n, gone))
            least = max(least, next(fits, _MOST_TRIED))
    return least


def by_cells(model: Model, of: Parts) -> Bools:
    """Whether ``model`` (one with a column) holds, class by class."""
    return np.asarray(_BY_CELLS[model.kind](of, model), dtype=np.bool_)


def by_size(model: Model, classes: Classes) -> Bools:
    """The same of one without a column."""
    return np.asarray(_BY_SIZE[model.kind](classes, model), dtype=np.bool_)


def holds(
    table: Table,
    classes: Classes,
    models: Sequence[Model],
    reference: str = "product",
    allowed: float = math.inf,
) -> Bools:
    """The classes that can be published: where every model holds. Others are suppressed.

    ``reference``: what the relative models compare with: ``source``, all rows to be published as they came
    in (that is ARX's), or ``product``, only those that are left; then what has to go may
    change what the rest is compared with, and classes go until the rest holds. ``allowed``: where more rows
    than these have to go, that is enough to know, and the answer is some of them.
    """
    kept = classes.rows > 0
    for model in models:
        if model.column is None:
            kept &= by_size(model, classes)
    again = True
    while again and int(classes.rows[~kept].sum()) <= allowed:
        again = False
        for name in dict.fromkeys(m.column for m in models if m.column is not None):
            if not kept.any():
                return kept
            wanted = [m for m in models if m.column == name]
            of = _parts_of(table, classes, name, kept, reference)
            found = np.ones(len(of.starts), dtype=np.bool_)
            for model in wanted:
                found &= by_cells(model, of)
            if not found.all():
                kept[np.flatnonzero(kept)[~found]] = False
                again = reference == "product" and any(m.relative for m in models)
    return kept


def _parts_of(table: Table, classes: Classes, name: str, kept: Bools, reference: str) -> Parts:
    column, cells = table.sensitive[name], classes.cells[name]
    shares = None
    if reference == "source":
        shares = np.bincount(cells.value, weights=cells.count, minlength=column.values) / cells.count.sum()
    if not kept.all():
        inside = kept[cells.owner]
        some = None if cells.entity is None else cells.entity[inside]
        cells = Cells(cells.owner[inside], cells.value[inside], cells.count[inside], some)
    return parts(cells, classes.sizes[kept], column.values, column.tree, shares)
