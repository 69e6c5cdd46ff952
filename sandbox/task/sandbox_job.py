"""For Python jobs: ``import sandbox_job``. Reads granted inputs, names output files. Nothing else is in it.

import sandbox_job
residents = sandbox_job.table("residents")          # pyarrow.Table
with open(sandbox_job.output("totals.csv"), "w") as file: ...
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import pyarrow


def path(name: str) -> Path:
    """The Parquet file of the granted input ``name``."""
    return Path(os.environ["SANDBOX_INPUT"]) / f"{name}.parquet"


def table(name: str) -> pyarrow.Table:
    """The granted input ``name`` as an Arrow table, in memory."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path(name))


def relation(name: str) -> duckdb.DuckDBPyRelation:
    """The granted input ``name`` as a DuckDB relation, read when used: for what does not fit in memory."""
    import duckdb

    return duckdb.read_parquet(str(path(name)))


def output(name: str) -> Path:
    """Where to write the declared output ``name``."""
    return Path(os.environ["SANDBOX_OUTPUT"]) / name
