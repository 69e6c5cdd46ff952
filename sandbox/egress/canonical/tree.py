"""JSON and JSON lines: sorted keys, no spaces, records sorted."""

from __future__ import annotations

import json as stdlib
from typing import Any

from sandbox.egress.canonical.numbers import steady_number
from sandbox.egress.clean import clean_text
from sandbox.egress.forms import Document


def tidy(value: Any, ordered: bool) -> Any:
    """``value`` with its text cleaned, numbers spelled in one way, and records sorted unless ``ordered``."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        value = steady_number(value)
        return int(value) if value.is_integer() and abs(value) < 1e15 else value
    if isinstance(value, dict):
        return {clean_text(name): tidy(child, ordered) for name, child in value.items()}
    if isinstance(value, list):
        items = [tidy(child, ordered) for child in value]
        if not ordered and items and all(isinstance(item, dict) for item in items):
            items.sort(key=dump)
        return items
    return value


def dump(value: Any) -> str:
    """``value`` as one line of JSON with sorted keys."""
    return stdlib.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def json(document: Document, ordered: bool) -> bytes:
    """A JSON file."""
    return (dump(tidy(document.body, ordered)) + "\n").encode()


def _records(value: Any, key: str = "") -> Any:
    """Chart data with records sorted; what is drawn in order stays in order."""
    if isinstance(value, dict):
        return {name: _records(child, name) for name, child in value.items()}
    if isinstance(value, list):
        items = [_records(child) for child in value]
        return (
            sorted(items, key=dump) if key == "values" and all(isinstance(i, dict) for i in items) else items
        )
    return value


def chart(document: Document, ordered: bool) -> bytes:
    """A chart specification as its reader rebuilt it."""
    spec = tidy(document.body, True)
    return (dump(spec if ordered else _records(spec)) + "\n").encode()


def jsonl(document: Document, ordered: bool) -> bytes:
    """A file of one JSON value a line."""
    lines = [dump(tidy(value, ordered)) for value in document.body]
    return ("\n".join(lines if ordered else sorted(lines)) + "\n").encode()
