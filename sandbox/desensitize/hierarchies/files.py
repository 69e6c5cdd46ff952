"""A hierarchy as the operator supplies it: a CSV without a header, one row a value, from fine to coarse."""

from __future__ import annotations

import csv
from pathlib import Path

from sandbox.core.errors import fail
from sandbox.desensitize import codes as codes  # registers the error codes

LONGEST = 200_000  # rows


def read_hierarchy(path: Path) -> list[list[str]]:
    """The rows of a CSV (UTF-8; comma or semicolon, as ARX writes it). Raises RECIPE_HIERARCHY for a file
    that cannot be read, has rows of different lengths, one column only, or a value twice with different
    groups."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise fail("RECIPE_HIERARCHY", file=path.name) from None
    first = text.partition("\n")[0]
    rows = [row for row in csv.reader(text.splitlines(), delimiter=";" if ";" in first else ",") if row]
    widths = {len(row) for row in rows}
    seen: dict[str, list[str]] = {}
    clash = any(seen.setdefault(row[0], row) != row for row in rows)
    if len(widths) != 1 or min(widths) < 2 or clash or len(rows) > LONGEST:
        raise fail("RECIPE_HIERARCHY", file=path.name)
    return rows
