"""For Python jobs: ``import sandbox_job``. Two functions, ``inputs`` and ``output``; nothing else is in it.

import sandbox_job
residents = sandbox_job.inputs("residents")        # a DuckDB relation, read when used
frame = residents.pl()                             # or .df(), .to_arrow_table(), .filter("n > 1"), ...
with sandbox_job.output("totals.csv").open("w") as file: ...
"""

from __future__ import annotations

import os as _os
from pathlib import Path as _Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def inputs(name: str) -> duckdb.DuckDBPyRelation:
    """The granted input ``name``, read-only. FileNotFoundError if job.yaml has no such input."""
    import duckdb

    file = _Path(_os.environ["SANDBOX_INPUT"]) / f"{name}.parquet"
    if not file.is_file():
        raise FileNotFoundError(name)
    return duckdb.read_parquet(str(file))


def output(name: str) -> _Path:
    """Where to write the declared output ``name``."""
    return _Path(_os.environ["SANDBOX_OUTPUT"]) / name
