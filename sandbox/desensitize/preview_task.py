"""The room that tries a recipe on made-up rows: no input, a few cells in its report, no file left.

Params ``{"recipe", "fields", "entity", "rules", "rows", "shown", "seed"}``, the first four as of a recipe's
run. Returns ``{"ok": true, "aligned", "columns": [{"name", "source", "transforms", "before": [cells],
"after": [cells]}]}``: of each column of the product at most ``shown`` cells as text, None for empty ones.
``aligned``: cell by cell the two are of one row (no step selects rows). Raises what ``preview`` raises, and
RECIPE_MALFORMED for parameters that are none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from sandbox.core.errors import fail
from sandbox.desensitize.preview import preview
from sandbox.desensitize.recipe import Rules, plan, validate_recipe
from sandbox.desensitize.required import with_entity

LONGEST = 120  # characters of a cell
MOST = (1000, 50)  # rows made, cells shown


def _cells(column: pl.Series, shown: int) -> list[str | None]:
    return [None if cell is None else str(cell)[:LONGEST] for cell in column.head(shown)]


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """See the module's text."""
    fields, counts = params.get("fields"), [params.get(name) for name in ("rows", "shown", "seed")]
    if not isinstance(fields, list) or not all(
        isinstance(one, dict) and {"name", "type"} <= one.keys() for one in fields
    ):
        raise fail("RECIPE_MALFORMED", field="fields")
    rows, shown, seed = (one if type(one) is int else -1 for one in counts)
    if not (0 < rows <= MOST[0] and 0 < shown <= MOST[1] and seed >= 0):
        raise fail("RECIPE_MALFORMED", field="rows")
    try:
        rules = Rules.model_validate(params["rules"]) if params.get("rules") is not None else None
    except ValidationError:
        raise fail("RECIPE_MALFORMED", field="rules") from None
    entity = params.get("entity")
    described = with_entity(fields, entity)
    recipe = validate_recipe(params.get("recipe"), described, rules)
    columns = plan(recipe, described, rules)
    before, after = preview(params.get("recipe"), described, entity, rules, rows, seed)
    return {
        "ok": True,
        "aligned": before.height == after.height,
        "columns": [
            {
                "name": one.name,
                "source": one.source,
                "transforms": list(one.transforms),
                "before": _cells(before[one.source], shown),
                "after": _cells(after[one.name], shown),
            }
            for one in columns
        ],
    }
