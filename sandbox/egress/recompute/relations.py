"""Relations of a job's script while it is being looked at: rows of raw data, and the cells made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.egress.recompute.expr import Aggregate, Scalar, Unrecognised


@dataclass(frozen=True)
class Given:
    """An input of the job: its columns in order, and which of them identify (entity key, identifiers)."""

    name: str
    columns: tuple[str, ...]
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Column:
    """A column of a relation: ``relation`` is the name it may be qualified with; a column that a USING has
    merged is found only by its qualified name (``open`` false)."""

    relation: str
    name: str
    value: Any  # Scalar or Value
    open: bool = True


@dataclass(frozen=True)
class Rows:
    """Rows of raw data: ``sources`` are the inputs called s0, s1, … in ``sql``; ``nullable`` those on the
    right of a left join."""

    sources: tuple[tuple[int, str], ...]
    sql: str
    where: tuple[Scalar, ...]
    columns: tuple[Column, ...]
    nullable: frozenset[int] = frozenset()
    join: tuple[Scalar, ...] = ()


@dataclass(frozen=True)
class Cells:
    """The cells of a table: rows grouped by ``groups``; ``kept``: conditions on cells, as SQL with tokens."""

    rows: Rows
    groups: tuple[Scalar, ...]
    pool: tuple[Aggregate, ...]
    columns: tuple[Column, ...]
    kept: tuple[str, ...] = ()


def finder(columns: Sequence[Column]) -> Callable[[list[str]], Any]:
    """What a column name, qualified or not, stands for among ``columns``; one, or ``Unrecognised``."""

    def find(path: list[str]) -> Any:
        relation, name = (path[0].lower(), path[1].lower()) if len(path) == 2 else ("", path[-1].lower())
        if len(path) > 2:
            raise Unrecognised("column")
        fits = [
            one
            for one in columns
            if one.name.lower() == name and (one.relation.lower() == relation if relation else one.open)
        ]
        if len(fits) != 1:
            raise Unrecognised("column")
        return fits[0].value

    return find
