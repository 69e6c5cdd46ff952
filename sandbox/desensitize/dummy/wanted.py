"""What a job asks of its inputs, as read from its text: the common form of SQL and Python jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


def once(column: str) -> str:
    """The column of an input that ``"people#2.pay"`` is, of a further row of the same input."""
    return re.sub(r"#\d+\.", ".", column)


@dataclass(frozen=True)
class Condition:
    """A condition on rows: SQL over columns called ``"input.column"``, each one identifier."""

    sql: str
    columns: frozenset[str]


@dataclass
class Want:
    """What one query wants: rows that meet every condition, in groups of at least ``least``, that join.
    ``some`` is what only a part of the rows of a group is to meet; ``twins`` is what further rows of the same
    entities are to meet, where an input is joined with itself."""

    conditions: list[Condition] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    least: int = 1
    joins: list[tuple[str, str]] = field(default_factory=list)
    some: list[Condition] = field(default_factory=list)
    twins: list[Want] = field(default_factory=list)

    def take(self, other: Want) -> None:
        """Everything that ``other`` wants as well."""
        self.conditions += [one for one in other.conditions if one not in self.conditions]
        self.groups += [one for one in other.groups if one not in self.groups]
        self.joins += [one for one in other.joins if one not in self.joins]
        self.some += [one for one in other.some if one not in self.some]
        self.least = max(self.least, other.least)

    def copy(self) -> Want:
        """One that can be changed without this."""
        return Want(
            list(self.conditions),
            list(self.groups),
            self.least,
            list(self.joins),
            list(self.some),
            list(self.twins),
        )

    def columns(self) -> set[str]:
        """Every column that it says something of."""
        told = {column for one in (*self.conditions, *self.some) for column in one.columns}
        return told | set(self.groups) | {column for pair in self.joins for column in pair}

    def renamed(self, called: Mapping[str, str]) -> Want:
        """The same of inputs that are ``called`` something else."""

        def name(column: str) -> str:
            table, _, rest = column.rpartition(".")
            return f"{called.get(table, table)}.{rest}"

        def conditions(those: list[Condition]) -> list[Condition]:
            made = []
            for one in those:
                sql = one.sql
                for column in one.columns:
                    sql = sql.replace(f'"{column}"', f'"{name(column)}"')
                made.append(Condition(sql, frozenset(map(name, one.columns))))
            return made

        joins = [(name(one), name(other)) for one, other in self.joins]
        return Want(
            conditions(self.conditions),
            list(map(name, self.groups)),
            self.least,
            joins,
            conditions(self.some),
        )

    def across(self) -> list[str]:
        """Conditions about several inputs, or several rows of one, at once: nothing is aimed at them."""
        return [
            one.sql
            for one in self.conditions
            if len({column.rpartition(".")[0] for column in one.columns}) > 1
        ]

    def parted(self) -> Want:
        """This with what is said of further rows (``"people#2.pay"``) in ``twins``, one for each further row,
        in the plain names of columns. A condition about several rows of one input at once is dropped."""
        further = {column.rpartition(".")[0] for column in self.columns() if once(column) != column}
        called = {table: once(f"{table}.")[:-1] for table in further}
        base = Want(
            [one for one in self.conditions if not any(once(column) != column for column in one.columns)],
            [column for column in self.groups if once(column) == column],
            self.least,
            [(once(one), once(other)) for one, other in self.joins if once(one) != once(other)],
        )
        for number in sorted({table.partition("#")[2] for table in further}):
            mine = {table for table in further if table.endswith(f"#{number}")}
            about = [
                one
                for one in self.conditions
                if {column.rpartition(".")[0] for column in one.columns} <= mine
            ]
            grouped = [column for column in self.groups if column.rpartition(".")[0] in mine]
            base.twins.append(Want(about, grouped, self.least).renamed(called))
        return base

    def halves(self) -> list[Want]:
        """This, and with ``some`` several in its place: for each one whose rows meet it, and one of none."""
        if not self.some:
            return [self]
        any_of = " OR ".join(f"coalesce({one.sql}, false)" for one in self.some)
        columns = frozenset().union(*(one.columns for one in self.some))
        made = []
        for one in (*self.some, Condition(f"NOT ({any_of})", columns)):
            part = self.copy()
            part.conditions.append(one)
            part.some = []
            made.append(part)
        return made


@dataclass
class Reading:
    """What was read of a job. ``literals``: per column the constants that it is compared with, as text;
    ``patterns``: the same for LIKE; ``macros``: definitions that conditions may use; ``unread``: conditions
    that say something about several tables, or in a way that is not read."""

    wants: list[Want] = field(default_factory=list)
    literals: dict[str, set[str]] = field(default_factory=dict)
    patterns: dict[str, set[str]] = field(default_factory=dict)
    macros: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def note(self, column: str, text: str, *, like: bool = False) -> None:
        """``column`` is compared with ``text``."""
        (self.patterns if like else self.literals).setdefault(column, set()).add(text)
