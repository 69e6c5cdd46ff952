"""The room that answers a differentially private question: table in, noisy table out.

Input ``/in/data`` (Parquet, the granted view) and params ``{"query": {...}, "entity": "<field>", "fields":
[{"name", ...}, ...], "output": "answer.parquet"}``. ``entity`` comes from the catalogue, never from whoever
asks; it need not be among ``fields``, which are the columns that the question may read. ``output`` ends in
``.parquet`` (the default) or ``.csv``.

Writes that one file and returns ``{"ok": true, "output", "rows", "sha256", "dp": pipeline.report}``. Whoever
orders the task has charged the cost before: noise is drawn as often as the task is run.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.csv as pc
import pyarrow.parquet as pq

from sandbox.core.errors import fail
from sandbox.desensitize.dp.pipeline import answer
from sandbox.desensitize.dp.spec import validate_query

OUTPUT = "answer.parquet"


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """See the module's text. Raises DP_QUERY, DP_COLUMN, DP_NOISE, DP_SOURCE."""
    query = validate_query(params.get("query"))
    entity, fields, output = params.get("entity"), params.get("fields"), params.get("output", OUTPUT)
    if not isinstance(entity, str) or not entity:
        raise fail("DP_QUERY", field="entity")
    if not isinstance(fields, list) or not all(isinstance(one, dict) and "name" in one for one in fields):
        raise fail("DP_QUERY", field="fields")
    if not isinstance(output, str) or Path(output).name != output or output[:1] in (".", ""):
        raise fail("DP_QUERY", field="output")
    if not output.endswith((".parquet", ".csv")):
        raise fail("DP_QUERY", field="output")
    for column in sorted(query.columns - {one["name"] for one in fields}):
        raise fail("DP_COLUMN", column=column, use="field")
    with tempfile.TemporaryDirectory() as scratch:
        found = answer(query, inputs / "data", entity, Path(scratch))
    target, partial = out / output, out / f".{output}.partial"
    if output.endswith(".csv"):
        pc.write_csv(found.table, partial)
    else:
        pq.write_table(found.table, partial, compression="zstd")
    partial.replace(target)
    return {
        "ok": True,
        "output": output,
        "rows": found.table.num_rows,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "dp": found.report,
    }
