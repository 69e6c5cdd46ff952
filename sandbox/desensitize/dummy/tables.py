"""The dummy tables of one job: its inputs, with keys that join, and rows that the job asks for.

Columns that the job or the catalogue joins by are one *universe* of entities where one of them is an
identifier: an entity has one set of personal attributes in whatever table it stands in. Everything follows
from the seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from sandbox.core.errors import fail
from sandbox.desensitize.dummy import codes  # noqa: F401  (defines the codes raised here)
from sandbox.desensitize.dummy.edges import roughen
from sandbox.desensitize.dummy.fields import KEYS, PERSONAL, Field, Table
from sandbox.desensitize.dummy.picking import FREE, Ints, Picker, Unit, slots, unit
from sandbox.desensitize.dummy.reserved import NUMBER_FROM, resident_number
from sandbox.desensitize.dummy.values import POLARS, REGIONAL, candidates, divisions, identifiers
from sandbox.desensitize.dummy.wanted import Condition, Reading, Want

_ROOM = 2.5  # rows for each that a group needs: some are free, some get lost in joins
_ONCE = 0.9  # of the rows show an entity for the first time, unless the key is declared unique
_MALE = frozenset({"男", "男性", "1", "M", "m", "male", "Male"})


@dataclass
class _Universe:
    """Entities that several columns name. ``frame``: attributes by name and, last, ``_key``."""

    columns: list[Field]
    size: int = 0
    frame: pl.DataFrame = field(default_factory=pl.DataFrame)
    names: dict[str, list[str]] = field(default_factory=dict)
    slot: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class Made:
    """The tables by name, and the conditions of the job that no row meets."""

    frames: dict[str, pl.DataFrame]
    unmet: list[str]


def build(
    tables: Sequence[Table], reading: Reading, rows: int | dict[str, int], seed: int, least: int, edges: float
) -> Made:
    """Make every table. ``rows`` of each (or by name), ``least`` entities that a group is to have at the
    least, ``edges`` the share of rows with edge cases. The same arguments give the same tables. Raises
    DUMMY_PARAMS where more residents of one birth date are asked for than there are numbers."""
    return _Maker(tables, reading, rows, seed, least, edges).build()


class _Maker:
    def __init__(
        self, tables: Sequence[Table], reading: Reading, rows: int | dict[str, int], seed: int, least: int,
        edges: float,
    ) -> None:  # fmt: skip
        self.tables, self.edges = tables, edges
        self.count = {
            table.name: rows if isinstance(rows, int) else rows.get(table.name, rows[""]) for table in tables
        }
        self.random = np.random.default_rng(seed)
        self.fields = {one.full: one for table in tables for one in table.fields}
        self.classes = self._classes(reading)
        self.reading = self._spread(reading)
        self.firsts = len(self.reading.wants)
        self.twins = self._twins()
        self._grow()
        self.picker = Picker(self.reading, least, self.random)
        self.universes = self._universes()

    def build(self) -> Made:
        for universe in {id(one): one for one in self.universes.values()}.values():
            self._populate(universe)
        frames = {table.name: self._table(table) for table in self.tables}
        return Made(frames, sorted(self.picker.unmet))

    def _grow(self) -> None:
        """More rows where the groups that the job asks for need them."""
        needed = sum(want.least for want in self.reading.wants) * _ROOM
        for name, rows in self.count.items():
            self.count[name] = max(rows, int(needed))

    def _twins(self) -> dict[int, list[int]]:
        """Number of a want -> the numbers of its twins, which stand behind all others from now on."""
        found = {}
        for number, want in enumerate(self.reading.wants[: self.firsts]):
            after = len(self.reading.wants)
            self.reading.wants += want.twins
            found[number] = list(range(after, len(self.reading.wants)))
        return found

    # -- what belongs together --------------------------------------------------------------------

    def _classes(self, reading: Reading) -> dict[str, tuple[str, ...]]:
        """Column -> the columns that it is equal to in a join, itself included."""
        pairs = [pair for want in reading.wants for pair in want.joins]
        sources = {table.source or table.name: table.name for table in self.tables}
        for one in self.fields.values():
            entry, _, column = one.references.rpartition(".")
            if entry in sources:
                pairs.append((one.full, f"{sources[entry]}.{column}"))
        alike: dict[tuple[str, str], list[str]] = defaultdict(list)
        for table in self.tables:
            for one in table.fields:
                if one.identifier and (
                    one.name == table.entity or one.unique or one.meaning == "resident_id"
                ):
                    alike[(one.name.lower(), one.meaning)].append(one.full)
        pairs += [(group[0], other) for group in alike.values() for other in group[1:]]
        root = {full: full for full in self.fields}

        def find(full: str) -> str:
            while root[full] != full:
                full = root[full]
            return full

        for left, right in pairs:
            types = [self.fields[one].type for one in (left, right) if one in root]
            if len(types) == 2 and (types[0] == types[1] or KEYS.issuperset(types)):
                root[find(left)] = find(right)
        found: dict[str, list[str]] = defaultdict(list)
        for full in self.fields:
            found[find(full)].append(full)
        return {full: tuple(group) for group in found.values() for full in group}

    def _spread(self, reading: Reading) -> Reading:
        """What is asked of a column is asked of the columns that it is joined with."""
        wants = [self._spread_want(want) for want in reading.wants]
        literals: dict[str, set[str]] = defaultdict(set)
        patterns: dict[str, set[str]] = defaultdict(set)
        for source, target in ((reading.literals, literals), (reading.patterns, patterns)):
            for full, told in source.items():
                for other in self.classes.get(full, (full,)):
                    target[other] |= told
        return replace(reading, wants=wants, literals=literals, patterns=patterns)

    def _spread_want(self, want: Want) -> Want:
        more = want.copy()
        for condition in want.conditions:
            column = next(iter(condition.columns))
            if len(condition.columns) == 1 and column in self.classes:
                for other in self.classes[column]:
                    sql = condition.sql.replace(f'"{column}"', f'"{other}"')
                    more.take(Want([Condition(sql, frozenset({other}))]))
        more.twins = [self._spread_want(twin) for twin in want.twins]
        return more

    def _universes(self) -> dict[str, _Universe]:
        """Column -> the universe that it names entities of."""
        entities = {f"{table.name}.{table.entity}" for table in self.tables if table.entity}
        found: dict[str, _Universe] = {}
        for full, group in self.classes.items():
            members = [self.fields[one] for one in group]
            keyed = [m for m in members if not m.values and (m.unique or m.full in entities)]
            if (
                full in found
                or members[0].type not in KEYS
                or not (keyed or (len(members) > 1 and any(m.identifier for m in members)))
            ):
                continue
            made = _Universe(members)
            found.update(dict.fromkeys(group, made))
        return found

    def _key(self, table: Table) -> Field | None:
        """The column whose entities the rows of ``table`` are about."""
        mine = [one for one in table.fields if one.full in self.universes]
        first = [one for one in mine if one.name == table.entity] or [one for one in mine if one.unique]
        return next(iter([*first, *(one for one in mine if one.identifier)]), None)

    def _attributes(self, table: Table) -> list[Field]:
        """The columns that an entity has once, whatever row it stands in."""
        key = self._key(table)
        if key is None:
            return []
        return [
            one
            for one in table.fields
            if one is not key
            and one.full not in self.universes
            and one.meaning not in REGIONAL
            and (one.determined_by == key.name or (one.meaning in PERSONAL and not one.values))
        ]

    # -- entities ---------------------------------------------------------------------------------

    def _populate(self, universe: _Universe) -> None:
        mains = [table for table in self.tables if (key := self._key(table)) and key in universe.columns]
        sizes = [self.count[t.name] if self._once(t) else int(self.count[t.name] * _ONCE) for t in mains]
        universe.size = max(sizes or [max(self.count.values()) // 3])
        universe.slot = slots(universe.size, self.firsts)
        by_name: dict[str, list[Field]] = defaultdict(list)
        for table in mains:
            for one in self._attributes(table):
                by_name[one.name.lower()].append(one)
        units = [self._unit(group, universe.size) for group in by_name.values()]
        universe.names = {name: fulls for one in units for name, fulls in one.names.items()}
        number = pl.DataFrame({"_entity": np.arange(universe.size)})
        frame = self.picker.rows(units, universe.slot, number, {})
        keys = self._keys(
            universe.columns, frame, {group[0].meaning: group[0].full for group in by_name.values()}
        )
        universe.frame = frame.with_columns(keys)
        universe.names["_key"] = [one.full for one in universe.columns]
        self.picker.told(universe.frame.select("_key"), {"_key": universe.names["_key"]})

    def _once(self, table: Table) -> bool:
        key = self._key(table)
        return key is not None and key.unique

    def _keys(self, columns: list[Field], frame: pl.DataFrame, meanings: dict[str, str]) -> pl.Series:
        """The identifiers of the entities: of residents, by the birth date and sex that stand beside them."""
        whole = any(one.type != "string" for one in columns)
        first = next((one for one in columns if one.meaning == "resident_id"), None)
        first = first or next((one for one in columns if one.identifier), columns[0])
        if whole:
            values: list[Any] = [NUMBER_FROM + n for n in range(frame.height)]
        elif first.meaning == "resident_id" and not first.pattern and "birth_date" in meanings:
            values = self._residents(frame, meanings)
        else:
            meaning = first.meaning if first.identifier else "other"
            values = identifiers(replace(first, unique=True, meaning=meaning), frame.height)
        return pl.Series("_key", values)

    def _residents(self, frame: pl.DataFrame, meanings: dict[str, str]) -> list[str]:
        births = frame[meanings["birth_date"]].to_list()
        sexes = frame[meanings["sex"]].to_list() if "sex" in meanings else [None] * frame.height
        used: dict[tuple[date, bool], int] = defaultdict(int)
        values = []
        for number, (birth, sex) in enumerate(zip(births, sexes, strict=True)):
            day = birth if isinstance(birth, date) else date.fromisoformat(str(birth)[:10])
            male = str(sex) in _MALE if sex is not None else bool(number % 2)
            try:
                values.append(resident_number(used[day, male], date(day.year, day.month, day.day), male))
            except ValueError:  # more persons of one day and sex than numbers
                raise fail("DUMMY_PARAMS", field="rows") from None
            used[day, male] += 1
        return values

    # -- rows -------------------------------------------------------------------------------------

    def _unit(self, group: Sequence[Field], rows: int, shared: bool = False) -> Unit:
        """The candidates of one column; ``group``: the columns of several tables that share it."""
        first = group[0]
        names = {first.full: [one.full for one in group]}
        if first.identifier and not shared:
            values = identifiers(first, rows)
            return unit({first.full: self._series(first, values)}, names, np.arange(rows, dtype=np.int64))
        if first.identifier:  # shared by some: a household's number, say
            values = identifiers(first, max(10, rows // 3))
        else:
            literals = set().union(*(self.reading.literals.get(one.full, set()) for one in group))
            patterns = set().union(*(self.reading.patterns.get(one.full, set()) for one in group))
            values = candidates(first, literals, patterns)
        return unit({first.full: self._series(first, values)}, names)

    def _series(self, column: Field, values: Sequence[Any]) -> pl.Series:
        return pl.Series(column.full, list(values), dtype=POLARS[column.type], strict=False)

    def _units(self, table: Table, taken: set[str], rows: int) -> list[Unit]:
        """The columns of ``table`` that are not ``taken``, those that determine each other together."""
        left = [one for one in table.fields if one.full not in taken]
        regional = [
            one for one in left if one.meaning in REGIONAL and one.type == "string" and not one.values
        ]
        units = []
        if len(regional) > 1:
            pool = list(zip(*divisions(regional, self.reading.literals), strict=True))
            columns = {
                one.full: self._series(one, values) for one, values in zip(regional, pool, strict=True)
            }
            units.append(unit(columns, {one.full: [one.full] for one in regional}))
            left = [one for one in left if one not in regional]
        names = {one.name: one for one in left}
        heads = [one for one in left if self._head(one, names) in (one, None)]
        for head in heads:
            made = self._unit([head], rows, shared=True)
            below = [one for one in left if one is not head and self._head(one, names) is head]
            columns = {head.full: made.pool[head.full][:-1]}
            for one in below:
                values = list(reversed(self._unit([one], rows, shared=True).pool[one.full][:-1].to_list()))
                columns[one.full] = self._series(
                    one, [values[n % len(values)] for n in range(made.pool.height - 1)]
                )
            units.append(unit(columns, {full: [full] for full in columns}) if below else made)
        return units

    def _head(self, column: Field, names: dict[str, Field]) -> Field | None:
        """What in the end determines ``column``; None where they go in a circle."""
        for _ in names:
            above = names.get(column.determined_by)
            if above is None or above is column:
                return column
            column = above
        return None

    def _table(self, table: Table) -> pl.DataFrame:
        rows, key = self.count[table.name], self._key(table)
        taken: dict[str, pl.Series] = {}
        names: dict[str, list[str]] = {}
        slot = slots(rows, self.firsts)
        home = slot
        if key is not None:
            universe = self.universes[key.full]
            entity, turn = self._entities(universe.size, rows, table, once=key.unique)
            home = universe.slot[entity]
            slot = self._turns(home, turn)
            rows_of = universe.frame[entity]
            for one in self._attributes(table):
                column = next(name for name, fulls in universe.names.items() if one.full in fulls)
                taken[one.full] = rows_of[column].cast(POLARS[one.type], strict=False)
            taken[key.full] = rows_of["_key"].cast(POLARS[key.type])
        for one in table.fields:
            if one.full in self.universes and one.full not in taken:
                taken[one.full] = self._foreign(one, home)
        names = {full: [full] for full in taken}
        fixed = pl.DataFrame({full: series.alias(full) for full, series in taken.items()})
        if not taken:
            fixed = pl.DataFrame({"_row": np.arange(rows)})
        frame = self.picker.rows(self._units(table, set(taken), rows), slot, fixed, names)
        ordered = frame.select(pl.col(one.full).alias(one.name) for one in table.fields)
        asked = {column for want in self.reading.wants for c in want.conditions for column in c.columns}
        asked |= {column for want in self.reading.wants for column in want.groups}
        free = slot == FREE
        return roughen(ordered, table, free, asked, key, self.edges, self.random)

    def _entities(self, size: int, rows: int, table: Table, *, once: bool) -> tuple[Ints, Ints]:
        """Which entity each row is about, and its how manieth row that is: each once, then, unless the key is
        unique, some again; where the table is joined with itself, as often as it stands in the join."""
        columns = {one.full for one in table.fields}
        joined = [self.reading.wants[number].twins for number in range(self.firsts)]
        times = 1 + max(
            (sum(bool(twin.columns() & columns) for twin in twins) for twins in joined), default=0
        )
        if once or times == 1:
            first = np.arange(min(size, rows if once else int(rows * _ONCE)))
            return np.concatenate([first, self.random.integers(0, size, rows - len(first))]), np.zeros(
                rows, np.int64
            )
        number = np.arange(rows)
        return number // times % size, number % times

    def _turns(self, home: Ints, turn: Ints) -> Ints:
        """The want of each row: of an entity's further rows, the twin of its want."""
        slot = home.copy()
        for number, twins in self.twins.items():
            for place, twin in enumerate(twins, 1):
                slot[(home == number) & (turn == place)] = twin
        return slot

    def _foreign(self, column: Field, slot: Ints) -> pl.Series:
        """Keys of another universe: a row of a want names an entity of the same want."""
        universe = self.universes[column.full]
        chosen = np.zeros(len(slot), dtype=np.int64)
        for number in np.unique(slot):
            where = np.flatnonzero(slot == number)
            of_want = np.flatnonzero(universe.slot == number)
            pool = of_want if len(of_want) else np.arange(universe.size)
            chosen[where] = pool[self.random.integers(0, len(pool), len(where))]
        return universe.frame["_key"][chosen].cast(POLARS[column.type]).alias(column.full)
