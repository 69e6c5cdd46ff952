"""A file as columns, and what is counted of each: one reading, column by column.

Parquet is read a column at a time. Text of a CSV file is typed by all of its content: what values are written
like, not what a guess over the first rows says.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from sandbox.core.errors import fail
from sandbox.desensitize.profile.written import in_digits
from sandbox.pii.kinds import KINDS
from sandbox.pii.normal import fold
from sandbox.pii.scan import scan

SAMPLE = 20_000  # distinct values, and rows, from which shares are estimated
_TOKENS = [name for name, kind in KINDS.items() if kind.scope == "token"]
_GROUPED = r"^(?:[0-9A-Za-z]{3,8}[\s\-]){1,4}[0-9A-Za-z]{2,8}$"  # a number written in groups
_ENCODINGS = ("utf-8-sig", "gb18030", "latin-1")
_SEPARATORS = ",;\t|"
_TYPED = {  # of text: in this order, each with what every value must look like
    "boolean": r"^(?i:true|false|t|f|是|否)$",
    "integer": r"^[+-]?(?:0|[1-9][0-9]{0,13})$",
    "number": r"^[+-]?(?:(?:0|[1-9][0-9]*)?\.[0-9]+|0|[1-9][0-9]{0,13})(?:[eE][+-]?[0-9]{1,3})?$",
    "date": (
        r"^(?:1[6-9]|20|21)[0-9]{2}"
        r"(?:-[0-9]{2}-[0-9]{2}|/[0-9]{1,2}/[0-9]{1,2}|(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))$"
    ),
    "datetime": (
        r"^(?:1[6-9]|20|21)[0-9]{2}[-/][0-9]{1,2}[-/][0-9]{1,2}"
        r"(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?Z?)?$"
    ),
}
# Days as people write them, for what is no date of the catalogue's own form.
_DAYS = (
    (r"^([0-9]{4})[-/.年]\s?([0-9]{1,2})[-/.月]\s?([0-9]{1,2})", (1, 2, 3)),
    (r"^([0-9]{4})([0-9]{2})([0-9]{2})$", (1, 2, 3)),
    (r"^([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})", (3, 2, 1)),
    (r"^([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})", (3, 1, 2)),
)  # fmt: skip


@dataclass
class Column:
    """One column: ``values`` as they stand, ``distinct`` as text with ``cells`` each, nulls apart."""

    name: str
    position: int
    type: str
    values: pl.Series
    distinct: pl.Series
    cells: np.ndarray
    rows: int
    nulls: int
    declared: bool = False  # its type stands in the file

    @property
    def full(self) -> int:
        """Cells that are no null."""
        return self.rows - self.nulls

    @cached_property
    def folded(self) -> pl.Series:
        """``distinct`` as the scanners see it."""
        return fold(self.distinct)

    @cached_property
    def sample(self) -> pl.Series:
        """At most ``SAMPLE`` of ``folded``, evenly spread."""
        return (
            self.folded.gather_every(max(1, -(-len(self.folded) // SAMPLE)))
            if len(self.folded)
            else self.folded
        )

    @cached_property
    def plain(self) -> pl.Series:
        """The same values as ``sample``, normalised (NFKC) and not folded."""
        step = max(1, -(-len(self.distinct) // SAMPLE))
        return self.distinct.gather_every(step).str.normalize("NFKC").str.strip_chars()

    @cached_property
    def hits(self) -> pl.DataFrame:
        """``pii.scan`` of every distinct value; types that can hold no identifier are not looked at."""
        may = self.type in ("string", "decimal", "number") or (self.type == "integer" and self.longest >= 8)
        looked = self.distinct if may else self.distinct.clear()
        if self.type in ("number", "decimal"):
            looked = looked.filter(looked.str.contains(r"^[0-9]{8,}(?:\.0+)?$"))
        hits = scan(looked if self.share(_GROUPED) < 0.5 else looked.str.replace_all(r"[\s\-]", ""))
        # The numbers within an address of the web are pages, not persons.
        web = looked.gather(hits["index"]).str.contains("^[a-z]{2,6}://")
        return hits.filter(~(pl.col("kind").is_in(_TOKENS) & web))

    @cached_property
    def longest(self) -> int:
        """Characters of the longest value."""
        return int(self.distinct.str.len_chars().max() or 0)  # type: ignore[arg-type]

    @cached_property
    def numbers(self) -> np.ndarray:
        """The distinct values that are numbers, as floats."""
        found = self.distinct.cast(pl.Float64, strict=False).drop_nulls()
        return found.filter(found.is_finite()).to_numpy()

    def share(self, pattern: str) -> float:
        """Share of the sampled distinct values that match ``pattern`` (Rust), 0 to 1."""
        return float(self.sample.str.contains(pattern).mean() or 0.0) if len(self.sample) else 0.0  # type: ignore[arg-type]

    def cells_in(self, words: frozenset[str]) -> float:
        """Share of the cells (not the distinct values) whose text is one of ``words``, 0 to 1."""
        if not self.full or len(self.distinct) > 5000:
            return 0.0
        known = self.folded.str.strip_chars().str.to_lowercase().is_in(list(words)).to_numpy()
        return float(self.cells[known].sum() / self.full)


@dataclass
class Table:
    """Columns in the file's order."""

    rows: int
    columns: list[Column]


def _typed(distinct: pl.Series) -> str:
    """The catalogue's type of text values."""
    if not len(distinct):
        return "string"
    for name, pattern in _TYPED.items():
        # The first few values rule out most types before all are looked at.
        if bool(distinct.head(50).str.contains(pattern).all()) and bool(distinct.str.contains(pattern).all()):
            return name
    return "string"


def _type_of(kind: pl.DataType) -> str:
    if kind.is_integer():
        return "integer"
    if kind.is_float():
        return "number"
    if kind.is_decimal():
        return "decimal"
    return {pl.Date: "date", pl.Datetime: "datetime", pl.Boolean: "boolean"}.get(kind.base_type(), "string")


def column(name: str, position: int, values: pl.Series, declared: bool = True) -> Column:
    """Count the values of one column; ``declared``: the file says its type (Parquet)."""
    rows = len(values)
    if values.dtype in (pl.String, pl.Categorical):
        text = values.cast(pl.String).str.strip_chars()
        text = text.set(text == "", None) if bool((text == "").any()) else text
    elif values.dtype.is_float():
        whole = values.fill_nan(None)
        text = whole
    elif values.dtype.is_nested() or values.dtype == pl.Binary:
        raise fail("PROFILE_COLUMN", column=name)
    else:
        text = values
    counted = text.drop_nulls().alias("v").value_counts(sort=False, name="n")
    distinct = counted["v"].cast(pl.String) if len(counted) else pl.Series("v", [], dtype=pl.String)
    if values.dtype.is_float():
        # 3.0 of a float column is the whole number 3.
        distinct = distinct.str.replace(r"\.0$", "")
    kind = _typed(distinct) if values.dtype == pl.String else _type_of(values.dtype)
    cells = counted["n"].to_numpy()
    return Column(name, position, kind, text, distinct, cells, rows, int(text.null_count()), declared)


def days(column: Column, values: pl.Series | None = None) -> pl.Series:
    """The days that values of a column stand for (its sample if none are given); null where none."""
    text = column.sample if values is None else values.cast(pl.String)
    if column.type in ("date", "datetime") and column.values.dtype != pl.String:
        return text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    text = in_digits(text)
    found = pl.Series([None] * len(text), dtype=pl.Date)
    frame = pl.DataFrame({"t": text})
    for pattern, (year, month, day) in _DAYS:
        parts = [
            pl.col("t").str.extract(pattern, place).cast(pl.Int32, strict=False)
            for place in (year, month, day)
        ]
        ok = (parts[0].is_between(1850, 2100)) & parts[1].is_between(1, 12) & parts[2].is_between(1, 31)
        made = frame.select(
            pl.when(ok)
            .then(pl.format("{}-{}-{}", *(part.cast(pl.String).str.zfill(2) for part in parts)))
            .str.to_date("%Y-%m-%d", strict=False)
            .alias("d")
        )["d"]
        found = found.zip_with(found.is_not_null(), made)
    return found


def read(path: Path) -> Table:
    """The table in ``path``: Parquet, or CSV (comma, semicolon, tab or bar; UTF-8, GB 18030; gzip).

    Raises PROFILE_FILE for what is neither, PROFILE_HEADER where the first line of a CSV file is data,
    PROFILE_COLUMN for nested columns.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head == b"PAR1":
            return _parquet(path)
        return _csv(path, gzipped=head[:2] == b"\x1f\x8b")
    except (OSError, pl.exceptions.PolarsError, UnicodeDecodeError, EOFError):
        raise fail("PROFILE_FILE") from None


def _parquet(path: Path) -> Table:
    names = list(pl.read_parquet_schema(path))
    rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
    columns = [
        column(name, place, pl.read_parquet(path, columns=[name])[name]) for place, name in enumerate(names)
    ]
    return Table(rows, columns)


def _csv(path: Path, gzipped: bool) -> Table:
    raw = gzip.decompress(path.read_bytes()) if gzipped else path.read_bytes()
    if not raw.strip() or b"\x00" in raw[:4096]:
        raise fail("PROFILE_FILE")
    encoding = next(name for name in _ENCODINGS if _decodes(raw, name))
    text = raw if encoding == "utf-8-sig" else raw.decode(encoding).encode()
    first = text.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode()
    separator = max(_SEPARATORS, key=lambda mark: (first.count(mark), -_SEPARATORS.index(mark)))
    frame = pl.read_csv(text, separator=separator, infer_schema=False)
    if looks_like_data(frame.columns):
        raise fail("PROFILE_HEADER")
    return Table(
        frame.height, [column(name, place, frame[name], False) for place, name in enumerate(frame.columns)]
    )


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def looks_like_data(names: list[str]) -> bool:
    """Whether a header is a row of data: it holds an identifier, or a third of it are numbers and days."""
    header = fold(pl.Series(names, dtype=pl.String))
    told = scan(header)
    value = header.str.contains(r"^[+-]?[0-9]+(?:\.[0-9]+)?$|^[0-9]{4}[-/年][0-9]{1,2}[-/月][0-9]{1,2}")
    value = value & ~header.str.contains("^(?:18|19|20)[0-9]{2}$")  # years are headers of many yearbooks
    return bool(told["sure"].any()) or int(value.sum()) * 3 >= max(3, len(names))
