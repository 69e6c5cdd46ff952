"""Real official tables as honest outputs: beside an unrelated register, and microdata they are true of.

The tables are not part of the repository; a folder of them is given. Without raw data any table is held
(``LINEAGE``), by design, so that is not measured.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path

import polars as pl

from sandbox.egress.check import check
from sandbox.egress.context import RawTable
from tests.attack.corpus.domains import world
from tests.attack.corpus.judge import Result, policy, raw_table, store_raw

# Tables of counts by place and year: each unit counted becomes a row of microdata.
EXPANDED = ("cn_nbs_population_2015_2022.csv",)
UNITS = 200_000  # rows of microdata at most; larger tables are expanded for their last years only


def tables(folder: Path) -> list[Path]:
    """The tables below ``folder``."""
    return sorted(path for path in folder.rglob("*.csv") if path.name != "INDEX.csv")


def _result(kind: str, path: Path, raw: RawTable, shown: Path) -> Result:
    values, profile = policy()
    started = time.perf_counter()
    report = check([shown], [raw], {}, values, profile)
    seconds = time.perf_counter() - started
    rules = tuple(sorted({item.rule for item in report.findings if item.severity != "flag"}))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Result(f"{kind}:{path.stem}:benign:csv:0", report.verdict.value, False, "", rules, seconds, peak)


def unrelated(path: Path, folder: Path) -> Result:
    """The verdict on the table at ``path`` beside a register that has nothing to do with it."""
    where = world("health", 1)
    return _result("official_unrelated", path, raw_table(where, store_raw(where, folder)), path)


def expand(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A wide table of counts (places by years) and microdata it is true of: (table, rows).

    The row of the whole is what its parts do not explain as well: units without a place.
    """
    table = pl.read_csv(path)
    place = table.columns[0]
    years = table.columns[1:]
    while len(years) > 1 and int(table[0, years[-1]]) * len(years) > UNITS:
        years = years[1:]
    table = table.select(place, *years)
    parts = table.slice(1)
    long = parts.unpivot(index=place, on=years, variable_name="year", value_name="n")
    rest = pl.DataFrame(
        {place: [None] * len(years), "year": years, "n": [table[0, y] - int(parts[y].sum()) for y in years]},
        schema=long.schema,
    )
    rows = pl.concat([long, rest]).filter(pl.col("n") > 0)
    micro = rows.select(pl.col(place, "year").repeat_by("n").explode()).with_row_index("unit")
    return table, micro.with_columns(pl.format("u{}", pl.col("unit")).alias("unit"))


def related(path: Path, folder: Path) -> Result:
    """The verdict on a table beside microdata it is true of."""
    table, micro = expand(path)
    raw, shown = folder / f"{path.stem}.parquet", folder / "shown" / path.name
    shown.parent.mkdir(exist_ok=True)
    micro.write_parquet(raw)
    table.write_csv(shown)
    place = table.columns[0]
    return _result("official_related", path, RawTable("raw", raw, "unit", (place, "year")), shown)
