"""The room of the kind ``anonymise``: a table in, a proven product and its report out.

Inputs ``/in/data`` (CSV or Parquet) and, where hierarchies are files, ``/in/hierarchies`` (a folder of them).
Params ``{"format": "csv" | "parquet", "description": {...}, "candidates": [...], "wanted": {...},
"out": "csv" | "parquet"}``, see ``describe``. Writes ``product.<out>`` and returns ``{"ok": true, "report":
{...}}``, see ``run``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from sandbox.core.errors import fail
from sandbox.desensitize.search.describe import described, wanted
from sandbox.desensitize.search.run import Progress, anonymise, read

FORMATS = ("csv", "parquet")


def write(product: pl.DataFrame, target: Path, form: str) -> None:
    """The product, whole or not at all."""
    partial = target.with_name(f".{target.name}.partial")
    if form == "csv":
        product.write_csv(partial)
    else:
        product.write_parquet(partial, compression="zstd")
    partial.replace(target)


def made(
    params: Mapping[str, Any],
    table: Path,
    folder: Path,
    target: Path,
    tell: Progress = lambda step, part: None,
) -> dict[str, Any]:
    """The report, once the product is written to ``target``. ``folder``: of hierarchy files. Raises
    ``ANONYMISE_…``."""
    if params.get("format") not in FORMATS or params.get("out") not in FORMATS:
        raise fail("ANONYMISE_MALFORMED", field="format")
    description = described(params.get("description"))
    candidates = params.get("candidates") or ()
    if not all(isinstance(name, str) for name in candidates):
        raise fail("ANONYMISE_MALFORMED", field="candidates")
    description = description.with_quasi(tuple(candidates))
    asked = wanted(params.get("wanted") or {})
    outcome = anonymise(read(table, str(params["format"])), description, asked, folder, tell)
    write(outcome.product, target, str(params["out"]))
    return outcome.report


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """See the module's text. Raises the codes ``ANONYMISE_…`` and IDENTIFIERS_REMAIN."""
    target = out / f"product.{params.get('out')}"
    return {"ok": True, "report": made(params, inputs / "data", inputs / "hierarchies", target)}
