"""The room that runs a desensitising recipe: snapshot in, primary product out.

Input ``/in/data`` (Parquet snapshot) and params ``{"recipe": {...}, "fields": [{"name", "type", "flags",
"role", ...}], "keys": {"<key name>": "<hex>"}, "anonymity": {"entity": "<field>" | null, "fields": [{"name",
"role"}, ...], "threshold": k}}``. Writes ``product.parquet`` and returns the record that
becomes the product's lineage (R-103)::

    {"ok": true, "rows", "sha256", "recipe": {"name", "version", "sha256"},
     "steps": [{"column", "output", "transform", "parameter_hash", "rows"}],
     "columns": [{"name", "type", "source", "transforms"}], "dropped": [...],
     "identifiers": {"before": {column: {kind: cells}}, "after": {}},
     "anonymity": {"verdict", "k", "threshold", "reasons"}}

``rows`` of a step counts the cells it changed. Keys are used and never written.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import polars as pl

from sandbox.core.errors import fail
from sandbox.desensitize.anonymity import judge
from sandbox.desensitize.recipe import Recipe, plan, validate_recipe
from sandbox.desensitize.scan import scan
from sandbox.desensitize.transforms.base import Unfit

PRODUCT = "product.parquet"
SHORTEST_KEY = 16  # bytes; 128 bits


def _keys(recipe: Recipe, given: Any) -> dict[str, bytes]:
    """The keys the recipe needs. Raises RECIPE_KEY for the first that is missing, malformed or short."""
    keys = {}
    for name in sorted(recipe.keys):
        text = given.get(name) if isinstance(given, dict) else None
        if not isinstance(text, str) or not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
            raise fail("RECIPE_KEY", key=name)
        keys[name] = bytes.fromhex(text)
        if len(keys[name]) < SHORTEST_KEY:
            raise fail("RECIPE_KEY", key=name)
    return keys


def _changed(before: pl.Series, after: pl.Series) -> int:
    if before.dtype != after.dtype:
        return before.len() - before.null_count()
    return int(before.ne_missing(after).sum())


def _read(path: Path, names: set[str]) -> pl.DataFrame:
    try:
        table = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError):
        raise fail("RECIPE_SOURCE") from None
    if set(table.columns) != names:
        raise fail("RECIPE_SOURCE")
    return table


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """See the module's text. Raises the codes of ``codes.py``."""
    fields = params.get("fields")
    if not isinstance(fields, list) or not all(
        isinstance(f, dict) and {"name", "type"} <= f.keys() for f in fields
    ):
        raise fail("RECIPE_MALFORMED", field="fields")
    recipe = validate_recipe(params.get("recipe"), fields)
    columns = plan(recipe, fields)
    keys = _keys(recipe, params.get("keys"))
    source = _read(inputs / "data", {field["name"] for field in fields})
    work = {column.name: column for column in source.iter_columns()}
    steps = []
    for number, step in enumerate(recipe.steps, 1):
        before = work[step.column]
        try:
            after = step.row.apply(before, step.parameters, keys).alias(step.target)
        except Unfit as unfit:
            raise fail("RECIPE_VALUES", step=number, column=step.column, bad_rows=unfit.rows) from None
        work[step.target] = after
        steps.append(
            {
                "column": step.column,
                "output": step.target,
                "transform": step.transform,
                "parameter_hash": step.parameter_hash,
                "rows": _changed(before, after),
            }
        )
    product = pl.DataFrame([work[column.name].alias(column.name) for column in columns])
    identifiers = {"before": scan(source), "after": scan(product)}
    if identifiers["after"]:
        raise fail("IDENTIFIERS_REMAIN", columns=sorted(identifiers["after"]), found=identifiers["after"])
    asked = params.get("anonymity")
    if not isinstance(asked, dict) or type(asked.get("threshold")) is not int:
        raise fail("RECIPE_MALFORMED", field="anonymity")
    entity = asked.get("entity")
    anonymity = judge(
        product,
        {column.name: column.source for column in columns},
        asked["fields"],
        source[entity] if entity in source.columns else None,
        asked["threshold"],
    )
    target = out / PRODUCT
    partial = out / f".{PRODUCT}.partial"
    product.write_parquet(partial, compression="zstd", row_group_size=122_880)
    partial.replace(target)
    kept = {column.source for column in columns}
    return {
        "ok": True,
        "rows": product.height,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "recipe": {"name": recipe.name, "version": recipe.version, "sha256": recipe.sha256},
        "steps": steps,
        "columns": [
            {"name": c.name, "type": c.type, "source": c.source, "transforms": list(c.transforms)}
            for c in columns
        ],
        "dropped": [field["name"] for field in fields if field["name"] not in kept],
        "identifiers": identifiers,
        "anonymity": anonymity,
    }
