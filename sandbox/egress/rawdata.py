"""The raw side, on DuckDB: lazily built value dictionaries and recounts. Read-only, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from sandbox.core.errors import fail
from sandbox.egress import codes  # noqa: F401  (defines the codes raised here)
from sandbox.egress.clean import key
from sandbox.egress.forms import Budget, Document, Unreadable
from sandbox.egress.readers import READERS

# Parts of an identifier (first character, characters cut from the end) that still single a person out:
# without check digit, first or last digits, or region; region and birth; the digits a float64 keeps.
_CUTS = ((0, 0), (0, 1), (0, 2), (1, 0), (2, 0), (6, 0), (6, 1), (0, 3), (0, 4))
SHORT_PART = 9  # characters; a shorter part is equal by chance

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


class Engine:
    """One in-memory DuckDB. ``rows`` runs a query and gives all its rows."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(
            ":memory:", config={"threads": 2, "autoinstall_known_extensions": False}
        )

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
    ) -> None:
        self.engine, self.name, self.path = engine, name, path
        self.quasi, self.sensitive, self.identifiers = quasi, sensitive, identifiers
        self.entity = entity
        self.view = f"raw_{number}"
        self._open()
        described = engine.rows(f"DESCRIBE {self.view}")
        self.kinds = {str(row[0]): str(row[1]) for row in described if not str(row[0]).startswith("__row")}
        self.columns = list(self.kinds)
        for column in (*quasi, *sensitive, *identifiers, *([entity] if entity else ())):
            if column not in self.kinds:
                raise fail("EGRESS_RAW_COLUMN", name=name, column=column)
        self.entity_sql = quote(entity) if entity else "__row"
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
                return
            document = Document(self.path.name, "", "", 0)
            READERS["csv"](document, self.path.read_bytes(), Budget(file_bytes=1 << 40, cells=1 << 33))
        except (OSError, duckdb.Error, Unreadable):
            raise fail("EGRESS_RAW_UNREADABLE", name=self.name) from None
        frame = document.tables[0].data.with_row_index("__row")
        self.engine.register(self.view, frame)

    def value(self, column: str) -> str:
        """SQL for a raw column's normalised value."""
        return norm(quote(column), self.kinds[column])

    @cached_property
    def entities_total(self) -> int:
        """Distinct entities."""
        return int(self.engine.rows(f"SELECT count(DISTINCT {self.entity_sql}) FROM {self.view}")[0][0])

    @cached_property
    def identifier_keys(self) -> pl.DataFrame:
        """Distinct keys of the declared identifier columns and of the entity column: (key, column).

        Short numbers are left out: a serial number of five digits equals any count by chance.
        """
        names = dict.fromkeys([*self.identifiers, *([self.entity] if self.entity else [])])
        parts = [pl.DataFrame(schema={"key": pl.String, "column": pl.String})]
        for name in names:
            values = self.engine.frame(
                f"SELECT DISTINCT {self.value(name)} AS v FROM {self.view} WHERE {quote(name)} IS NOT NULL"
            )["v"].cast(pl.String)
            frame = pl.DataFrame({"key": key(values).unique()}).drop_nulls()
            parts.append(
                frame.filter(
                    pl.col("key").str.contains(r"[^0-9]") & (pl.col("key").str.len_chars() >= 2)
                    | (pl.col("key").str.len_chars() >= 6)
                ).with_columns(column=pl.lit(name))
            )
        return pl.concat(parts)

    @cached_property
    def identifier_parts(self) -> pl.DataFrame:
        """Parts (v) of identifiers with digits that still single a person out."""
        keys = self.identifier_keys["key"].unique()
        keys = keys.filter(keys.str.contains(r"^[A-Z0-9]*[0-9]{8}[A-Z0-9]*$"))
        parts = [keys.str.slice(a).str.head(-b) if b else keys.str.slice(a) for a, b in _CUTS]
        found = pl.DataFrame({"v": pl.concat(parts).unique()})
        return found.filter(pl.col("v").str.len_chars() >= SHORT_PART)

    @cached_property
    def identifiers_by_length(self) -> dict[int, set[str]]:
        """Identifiers written in Chinese (names, addresses) of three characters and more, by length."""
        found: dict[int, set[str]] = {}
        for value in self.identifier_keys["key"].unique():
            if len(value) >= 3 and not value.isascii():
                found.setdefault(len(value), set()).add(value)
        return found

    @cached_property
    def dictionary(self) -> str:
        """Name of the table of distinct values: (c: number of the column, v: normalised value)."""
        table = f"{self.view}_values"
        parts = " UNION ALL ".join(
            f"SELECT {number} AS c, v FROM (SELECT DISTINCT {self.value(name)} AS v FROM {self.view})"
            for number, name in enumerate(self.columns)
        )
        self.engine.connection.execute(
            f"CREATE TEMP TABLE {table} AS SELECT c, v FROM ({parts}) WHERE v IS NOT NULL"
        )
        return table

    @cached_property
    def cardinality(self) -> dict[str, int]:
        """Distinct non-null values of each column."""
        found = self.engine.rows(f"SELECT c, count(*) FROM {self.dictionary} GROUP BY c")
        return {self.columns[int(number)]: int(count) for number, count in found}

    @cached_property
    def nullable(self) -> set[str]:
        """Columns with missing values."""
        parts = ", ".join(f"count({quote(name)})" for name in self.columns)
        counts = self.engine.rows(f"SELECT {parts} FROM {self.view}")[0]
        return {name for name, count in zip(self.columns, counts, strict=True) if count < self.rows_total}
