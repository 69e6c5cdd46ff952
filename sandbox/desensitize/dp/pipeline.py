"""A question answered: counted, noised, laid out in one order. All that leaves the room is made here."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sandbox.desensitize.dp.keys import order, public
from sandbox.desensitize.dp.mechanisms import Figure, Threshold, figures, noisy
from sandbox.desensitize.dp.report import report
from sandbox.desensitize.dp.rewrite import count
from sandbox.desensitize.dp.spec import Query

_ARROW = {"bool": pa.bool_(), "integer": pa.int64(), "text": pa.string()}


@dataclass(frozen=True)
class Answer:
    """``table``: the group's keys, then the figures (integers, or decimals of a public scale), rows sorted by
    key. ``report``: what it cost and how exact it is; nothing in it comes from the data."""

    table: pa.Table
    report: dict[str, Any]


def _column(figure: Figure, rows: Any) -> Any:
    """Integers as they are, others as decimals: the same bits with the point moved."""
    units = pa.array(figure.units[rows], pa.int64())
    if not figure.places:
        return units
    wide = units.cast(pa.decimal128(38, 0))
    return pa.Array.from_buffers(pa.decimal128(38, figure.places), len(wide), wide.buffers())


def answer(query: Query, path: Path, entity: str, scratch: Path) -> Answer:
    """Answer ``query`` over the Parquet file ``path``; the privacy unit is the column ``entity``.

    Each call draws noise anew, and so costs ``cost(query)`` anew: whoever calls has charged it before.
    ``scratch``: a folder to spill to. Raises DP_NOISE, DP_SOURCE, DP_COLUMN.
    """
    told = report(query)
    salt, choice = (secrets.randbits(64), secrets.randbits(64)), Threshold(query)
    counted = count(query, path, entity, scratch, salt, choice)
    drawn = noisy(query, counted, choice.shown if query.discovers else None)
    keys = list(public(query) if counted.keys is None else counted.keys)
    rows = np.array(sorted(range(len(keys)), key=lambda at: order(keys[at])), np.intp)
    columns = {
        dimension.column: pa.array([keys[at][number] for at in rows], _ARROW[counted.kinds[number]])
        for number, dimension in enumerate(query.by)
    }
    columns |= {figure.name: _column(figure, rows) for figure in figures(query, drawn)}
    return Answer(pa.table(columns), told)
