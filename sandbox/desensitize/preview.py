"""A recipe on made-up rows, so that its author sees what comes out without a row of data."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from sandbox.desensitize.dummy.task import make
from sandbox.desensitize.execute import Execution, Source
from sandbox.desensitize.recipe import Rules, plan, validate_recipe
from sandbox.desensitize.tokens import TokenVault


def preview(
    described: Any,
    fields: Sequence[Mapping[str, Any]],
    entity: str | None,
    rules: Rules | None,
    rows: int,
    seed: int,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(made-up rows, what the recipe makes of them), from the description of the fields alone. Keys are
    made up as well: nothing of it joins with a real product. Raises what ``validate_recipe`` and a run
    raise."""
    recipe = validate_recipe(described, fields, rules)
    columns = plan(recipe, fields, rules)
    table = {"name": "preview", "source": "", "entity": entity, "fields": list(fields)}
    made, _, _ = make(
        {"tables": [table], "language": "sql", "rows": rows, "seed": seed, "edges": 0.0, "least": 0}
    )
    frame = made.frames["preview"].select([str(field["name"]) for field in fields])
    keys = {name: bytes([seed % 256]) * 32 for name in recipe.keys}
    with tempfile.TemporaryDirectory(prefix="preview-") as folder:
        file = Path(folder) / "data"
        frame.write_parquet(file)
        run = Execution(recipe, Source(file, set(frame.columns)), keys, TokenVault())
        parts = [
            pl.DataFrame([work[column.name].alias(column.name) for column in columns])
            for _, work in run.batches()
        ]
    return frame, pl.concat(parts)
