"""The raw side: each column is normalised and numbered once; the recounts in DuckDB run on the numbers.

Read-only, in memory; built on first use and shared by all checks of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from sandbox.core.errors import fail
from sandbox.egress import codes  # noqa: F401  (defines the codes raised here)
from sandbox.egress.clean import key
from sandbox.egress.columns import encode, renumbered
from sandbox.egress.forms import Budget, Document, Unreadable
from sandbox.egress.lexicon import Lexicon, Phrases, hashes
from sandbox.egress.readers.csv import read as read_csv

# Parts of an identifier (first character, characters cut from the end) that still single a person out:
# without check digit, first or last digits, or region; region and birth; the digits a float64 keeps.
_CUTS = ((0, 0), (0, 1), (0, 2), (1, 0), (2, 0), (6, 0), (6, 1), (0, 3), (0, 4))
# distinct values of a column, and their share of the entities, from which it tells persons apart
_APART, _SHARE = 20, 0.1
NULL, UNKNOWN = -1, -2  # codes: no value; a value that is none of the raw column's
_MANY_ROWS, _THREADS = 50_000, 2  # rows from which columns are numbered at once, and how many
SHORT_PART = 9  # characters; a shorter part is equal by chance

# Types that are the same in DuckDB, polars and Arrow, so that their distinct values can be made text alone.
_PLAIN = ("VARCHAR", "BOOLEAN", "DATE", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE")
PLAIN = (pl.String, pl.Boolean, pl.Date, pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Float32, pl.Float64)
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "U")


def quote(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def numeric(kind: str) -> bool:
    """Whether a DuckDB type is a number."""
    return kind.upper().startswith(_NUMBERS) and not kind.upper().startswith(("UUID", "UNION"))


def norm(column: str, kind: str) -> str:
    """SQL for a value as text that is equal wherever the value is: 5, 5.0 and '5' are the same."""
    if kind.upper() in ("FLOAT", "DOUBLE") or kind.upper().startswith("DECIMAL"):
        return (
            f"CASE WHEN {column} = trunc({column}) AND abs({column}) < 1e15 "
            f"THEN CAST(CAST({column} AS BIGINT) AS VARCHAR) "
            f"ELSE CAST(CAST({column} AS DOUBLE) AS VARCHAR) END"
        )
    if kind.upper() == "VARCHAR":
        return f"nullif(nfc_normalize(trim({column})), '')"
    if kind.upper().startswith("TIMESTAMP"):
        return f"regexp_replace(CAST({column} AS VARCHAR), ' 00:00:00.*$', '')"
    return f"CAST({column} AS VARCHAR)"


def _normal(values: pl.Series) -> bool:
    """Whether ``norm`` leaves every text as it is: printed ASCII without spaces, and unified ideographs."""
    return not bool((values.str.contains("[^!-~\u4e00-\u9fff]") | (values == "")).any())


def texts_of(engine: Engine, frame: pl.DataFrame) -> pl.DataFrame:
    """All cells of ``frame`` as text that is equal wherever the value is."""
    if not frame.width:
        return frame
    engine.register("out_cells", frame)
    kinds = {str(row[0]): str(row[1]) for row in engine.rows("DESCRIBE out_cells")}
    listed = ", ".join(f"CAST({norm(quote(c), kinds[c])} AS VARCHAR) AS {quote(c)}" for c in frame.columns)
    return engine.frame(f"SELECT {listed} FROM out_cells").cast(pl.String)


def _keys(values: pl.Series) -> Lexicon:
    keys = key(values).unique(maintain_order=True).drop_nulls()
    long = keys.str.len_chars()
    plain = keys.str.contains(r"^[0-9]*$")
    return Lexicon(keys.filter((~plain & (long >= 2)) | (long >= 6)))


def _cut(keys: pl.Series, ends: tuple[int, int]) -> np.ndarray:
    first, last = ends
    part = keys.str.slice(first).str.head(-last) if last else keys.str.slice(first)
    return hashes(part.filter(part.str.len_chars() >= SHORT_PART))


@dataclass(frozen=True, eq=False)
class Coded:
    """A raw column: ``values`` its distinct normalised values, ``codes`` the position of each row's value
    in them (``NULL`` where it is missing), ``lexicon`` finds positions."""

    values: pl.Series
    codes: np.ndarray
    lexicon: Lexicon
    _memo: dict[str, Any] = field(default_factory=dict, repr=False)

    def once(self, name: str, make: Callable[[pl.Series], Any]) -> Any:
        """``make(values)``, computed once for a ``name``."""
        if name not in self._memo:
            self._memo[name] = make(self.values)
        return self._memo[name]


class Engine:
    """One in-memory DuckDB. ``rows`` runs a query and gives all its rows."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(
            ":memory:", config={"threads": 2, "autoinstall_known_extensions": False}
        )

    def beside(self) -> Engine:
        """The same database for another thread: it sees the views of files, not those of frames."""
        other = copy(self)
        other.connection = self.connection.cursor()
        return other

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of ``sql`` (fetched whole: an open result would block the next register)."""
        return self.connection.execute(sql, list(values)).fetchall()

    def frame(self, sql: str) -> pl.DataFrame:
        """The result as a frame."""
        return pl.DataFrame(pl.from_arrow(self.connection.sql(sql).to_arrow_table()))

    def register(self, name: str, frame: pl.DataFrame) -> None:
        """Make ``frame`` the view ``name``."""
        self.connection.register(name, frame.to_arrow())


class RawIndex:
    """Queries over one raw table. Its columns are ``columns``; the entity of a row is ``entity_sql``."""

    def __init__(
        self,
        engine: Engine,
        number: int,
        name: str,
        path: Path,
        entity: str | None,
        quasi: tuple[str, ...],
        sensitive: tuple[str, ...],
        identifiers: tuple[str, ...],
        unsaid: tuple[str, ...] = (),
    ) -> None:
        self.engine, self.name, self.path = engine, name, path
        self.quasi, self.sensitive, self._identifiers, self._unsaid = quasi, sensitive, identifiers, unsaid
        self.entity = entity
        self.view = f"raw_{number}"
        self._stored, self._threads = False, 1  # whether its view is of a file; and threads for its columns
        self._coded: dict[str, Coded] = {}
        self._numbers: dict[str, np.ndarray] = {}
        self._rows_of: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._times: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._open()
        described = engine.rows(f"DESCRIBE {self.view}")
        self.kinds = {str(row[0]): str(row[1]) for row in described if not str(row[0]).startswith("__row")}
        self.columns = list(self.kinds)
        for column in (*quasi, *sensitive, *identifiers, *([entity] if entity else ())):
            if column not in self.kinds:
                raise fail("EGRESS_RAW_COLUMN", name=name, column=column)
        self.rows_total = int(engine.rows(f"SELECT count(*) FROM {self.view}")[0][0])

    def _open(self) -> None:
        try:
            if self.path.read_bytes()[:4] == b"PAR1":
                source = str(self.path).replace("'", "''")
                self.engine.connection.execute(
                    f"CREATE VIEW {self.view} AS "
                    f"SELECT * EXCLUDE (file_row_number), file_row_number AS __row "
                    f"FROM read_parquet('{source}', file_row_number = true)"
                )
                self._stored = True
                return
            document = Document(self.path.name, "", "", 0)
            read_csv(document, self.path.read_bytes(), Budget(file_bytes=1 << 40, cells=1 << 33))
        except (OSError, duckdb.Error, Unreadable):
            raise fail("EGRESS_RAW_UNREADABLE", name=self.name) from None
        frame = document.tables[0].data.with_row_index("__row")
        self.engine.register(self.view, frame)

    @cached_property
    def identifiers(self) -> tuple[str, ...]:
        """The declared identifier columns; and of the personal ones whose role nobody stated those of text
        that tell persons apart, as recipes hold them for identifiers (``desensitize.required``): names that
        were left in remarks would else be nobody's."""
        told = [
            column
            for column in self._unsaid
            if self.kinds.get(column) == "VARCHAR"
            and len(self.coded(column).values) >= max(_APART, _SHARE * self.entities_total)
        ]
        return (*self._identifiers, *told)

    def coded(self, column: str) -> Coded:
        """A column as numbers of its distinct values; computed once."""
        if column not in self._coded:
            self._coded[column] = self._code(column, self.engine)
        return self._coded[column]

    def _code(self, column: str, engine: Engine) -> Coded:
        kind = self.kinds[column]
        plain = kind in _PLAIN  # its distinct values are made text, not all of them
        asked = quote(column) if plain else norm(quote(column), kind)
        found = encode(engine.frame(f"SELECT {asked} AS v FROM {self.view}")["v"])
        if plain and not (kind == "VARCHAR" and _normal(found.values)):
            found = renumbered(found, texts_of(engine, found.values.to_frame("v"))["v"])
        return Coded(found.values, found.codes.astype(np.int64), Lexicon(found.values))

    def code_all(self) -> None:
        """Number all columns now, two at a time, and find keys so later: checks of a small output need most
        of them. Two at once take their memory, which beside a large output is not there."""
        if not self._stored or self.rows_total < _MANY_ROWS:
            return
        self._threads = _THREADS
        wanted = [column for column in self.columns if column not in self._coded]
        with ThreadPoolExecutor(_THREADS) as pool:
            for column, found in zip(wanted, pool.map(self._code_beside, wanted), strict=True):
                if found is not None:
                    self._coded[column] = found

    def _code_beside(self, column: str) -> Coded | None:
        """The same in another thread. What cannot be numbered fails where a check asks for it."""
        try:
            return self._code(column, self.engine.beside())
        except Exception:
            return None

    @cached_property
    def entities(self) -> np.ndarray:
        """The entity of each row, as a number; -1 where the key is missing."""
        return self.coded(self.entity).codes if self.entity else np.arange(self.rows_total)

    @cached_property
    def entities_total(self) -> int:
        """Distinct entities."""
        return len(self.coded(self.entity).values) if self.entity else self.rows_total

    @cached_property
    def table(self) -> str:
        """Name of the table the recounts read: ``e`` the entity, ``c#`` the codes, ``x#`` the numbers."""
        numbered = {f"c{i}": self.coded(name).codes.astype(np.int32) for i, name in enumerate(self.columns)}
        known = pl.Series(self.entities).cast(pl.Int32)
        frame = pl.DataFrame({"e": known.set(known == NULL, None), **numbered})
        numbers = [
            f"CAST({quote(name)} AS DOUBLE) AS x{i}"
            for i, name in enumerate(self.columns)
            if numeric(self.kinds[name])
        ]
        if numbers:
            frame = frame.hstack(self.engine.frame(f"SELECT {', '.join(numbers)} FROM {self.view}"))
        self.engine.register(f"{self.view}_codes", frame)
        self.engine.connection.execute(
            f"CREATE TEMP TABLE {self.view}_table AS SELECT * FROM {self.view}_codes"
        )
        self.engine.connection.unregister(f"{self.view}_codes")
        return f"{self.view}_table"

    def code(self, column: str) -> str:
        """SQL for the number of a raw value in ``table``; -1 is null."""
        return f"r.c{self.columns.index(column)}"

    def number(self, column: str) -> str:
        """SQL for a numeric raw column in ``table``, as a double."""
        return f"r.x{self.columns.index(column)}"

    @cached_property
    def entity_count(self) -> str:
        """SQL that counts the distinct entities of a group of rows of ``table``."""
        return "count(*)" if self.entities_total == self.rows_total else "count(DISTINCT r.e)"

    def numbers(self, column: str) -> np.ndarray:
        """The distinct known numbers of a numeric column, sorted; computed once."""
        if column not in self._numbers:
            values = self.engine.frame(
                f"SELECT DISTINCT CAST({quote(column)} AS DOUBLE) AS v FROM {self.view}"
            )
            self._numbers[column] = np.sort(values["v"].drop_nulls().drop_nans().to_numpy())
        return self._numbers[column]

    def pairs(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        """(entity, code of the column's value) of every pair that occurs, both known; computed once."""
        if column not in self._pairs:
            entities, codes = self.entities, self.coded(column).codes
            known = (entities >= 0) & (codes >= 0)
            many = max(1, len(self.coded(column).values))
            if self.entities_total == self.rows_total:  # a row each: every pair occurs once
                order = np.argsort(entities[known], kind="stable")
                self._pairs[column] = (entities[known][order], codes[known][order])
            else:
                both = np.unique(entities[known].astype(np.int64) * many + codes[known])
                self._pairs[column] = (both // many, both % many)
        return self._pairs[column]

    def times(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        """(rows, entities) that carry each value of a column, in the order of its codes; computed once."""
        if column not in self._times:
            codes, many = self.coded(column).codes, len(self.coded(column).values)
            both = (codes[codes >= 0], self.pairs(column)[1])
            rows, entities = (np.bincount(of, minlength=many).astype(np.float64) for of in both)
            self._times[column] = (rows, entities)
        return self._times[column]

    def rows_of(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        """(rows in the order of the column's codes, where each code begins, with the end of the last)."""
        if column not in self._rows_of:
            codes = self.coded(column).codes
            order = np.argsort(codes, kind="stable")
            ends = np.searchsorted(codes[order], np.arange(len(self.coded(column).values) + 1))
            self._rows_of[column] = (order, ends)
        return self._rows_of[column]

    @cached_property
    def keys(self) -> dict[str, Lexicon]:
        """The keys of each declared identifier column and of the entity column.

        Short numbers are left out: a serial number of five digits equals any count by chance.
        """
        names = list(dict.fromkeys([*self.identifiers, *([self.entity] if self.entity else [])]))
        columns = [self.coded(name).values for name in names]
        with ThreadPoolExecutor(self._threads) as pool:
            return dict(zip(names, pool.map(_keys, columns), strict=True))

    @cached_property
    def _parts(self) -> np.ndarray:
        keys = [lexicon.values for lexicon in self.keys.values()]
        keys = [one.filter(one.str.contains(r"^[A-Z0-9]*[0-9]{8}[A-Z0-9]*$")) for one in keys]
        with ThreadPoolExecutor(self._threads) as pool:
            found = list(pool.map(_cut, *zip(*product(keys, _CUTS), strict=True))) if keys else []
        return np.sort(np.concatenate(found)) if found else np.zeros(0, dtype=np.uint64)

    def is_part(self, values: pl.Series) -> pl.Series:
        """Which of ``values`` are parts of identifiers with digits that still single a person out.

        By 64-bit hash: chance makes one of 10^12 comparisons wrong in ten million.
        """
        long = values.str.len_chars().fill_null(0).to_numpy() >= SHORT_PART
        if not long.any() or not len(self._parts):  # of a million persons they take a second to make
            return pl.Series([False] * len(values), dtype=pl.Boolean)
        bits = hashes(values)
        place = np.minimum(np.searchsorted(self._parts, bits), len(self._parts) - 1)
        return pl.Series((self._parts[place] == bits) & long, dtype=pl.Boolean)

    @cached_property
    def phrases(self) -> Phrases:
        """Identifiers written in Chinese (names, addresses), to be found inside text."""
        keys = [lexicon.values for lexicon in self.keys.values()]
        keys = [values.filter(values.str.contains(r"[^\x00-\x7F]")) for values in keys]
        return Phrases(pl.concat([pl.Series([], dtype=pl.String), *keys]).unique(maintain_order=True))

    @cached_property
    def cardinality(self) -> dict[str, int]:
        """Distinct non-null values of each column."""
        return {name: len(self.coded(name).values) for name in self.columns}

    @cached_property
    def nullable(self) -> set[str]:
        """Columns with missing values."""
        parts = ", ".join(f"count({quote(name)})" for name in self.columns)
        counts = self.engine.rows(f"SELECT {parts} FROM {self.view}")[0]
        return {name for name, count in zip(self.columns, counts, strict=True) if count < self.rows_total}
