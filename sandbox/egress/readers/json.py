"""JSON and JSON lines: records become tables, everything else text with its path."""

from __future__ import annotations

import json
import math
from typing import Any

import polars as pl

from sandbox.egress.clean import clean_text
from sandbox.egress.forms import Budget, Document, Piece, Table, Unreadable
from sandbox.egress.readers import chart
from sandbox.egress.readers.text import decode
from sandbox.egress.readers.typing import table

_FLAT = 200  # columns a record may be laid open to


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({clean_text(name) for name, _ in pairs}) != len(pairs):
        raise Unreadable("duplicate")
    return dict(pairs)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Unreadable("malformed")
    return value + 0.0


def _constant(_: str) -> Any:
    raise Unreadable("malformed")  # NaN and Infinity are no JSON (RFC 8259)


def _int(text: str) -> int:
    if len(text) > 40:
        raise Unreadable("malformed")
    return int(text)


def parse(text: str) -> Any:
    """Strict JSON: no duplicate keys, no NaN, finite numbers. Raises ``Unreadable``."""
    try:
        return json.loads(
            text, object_pairs_hook=_pairs, parse_float=_float, parse_constant=_constant, parse_int=_int
        )
    except (ValueError, RecursionError):
        raise Unreadable("malformed") from None


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def depth(value: Any, left: int) -> None:
    """Raises ``Unreadable`` (nested) for more levels than ``left``."""
    if left < 0:
        raise Unreadable("nested")
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        depth(child, left - 1)


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """The scalars of one record with their paths: objects and lists inside it are laid open."""
    if _scalar(value):
        return {path or "value": value}
    if not value:  # nothing inside: the name is there all the same
        return {path or "value": None}
    children = value.items() if isinstance(value, dict) else ((str(i + 1), v) for i, v in enumerate(value))
    found: dict[str, Any] = {}
    for key, child in children:
        for name, leaf in _flat(child, f"{path}.{key}" if path else str(key)).items():
            if name in found:  # "a.b" beside "a": {"b"}: one would hide the other
                raise Unreadable("duplicate")
            found[name] = leaf
    return found


def _records(value: Any) -> list[dict[str, Any]] | None:
    """Rows, if ``value`` is a table in one of its usual spellings."""
    flat = isinstance(value, list) and value and all(isinstance(row, dict) for row in value)
    if flat and all(_scalar(cell) for row in value for cell in row.values()):
        return list(value)
    if isinstance(value, list) and len(value) > 1 and not all(_scalar(row) for row in value):
        return _alike([_flat(row) for row in value])
    if not isinstance(value, dict) or not value:
        return None
    kinds = {str if isinstance(cell, str) else float for cell in value.values() if cell is not None}
    if len(kinds) == 2 and all(_scalar(cell) for cell in value.values()):
        return [value]  # one record: labels and numbers side by side
    columns, data = value.get("columns"), value.get("data")
    if isinstance(columns, list) and isinstance(data, list) and all(isinstance(c, str) for c in columns):
        listed = [row for row in data if isinstance(row, list) and len(row) == len(columns)]
        if len(listed) == len(data) > 0 and all(_scalar(cell) for row in listed for cell in row):
            return [dict(zip(columns, row, strict=True)) for row in listed]
    lists = list(value.values())
    equal = all(isinstance(v, list) and len(v) == len(lists[0]) > 1 for v in lists)
    if equal and all(_scalar(cell) for column in lists for cell in column):
        return [dict(zip(value, row, strict=True)) for row in zip(*lists, strict=True)]
    rows = _tree(value)
    if rows is None and len(value) > 1 and not any(_scalar(child) for child in value.values()):
        rows = _alike([{"key": name, **_flat(child, "_")} for name, child in value.items()])
    return rows


def _alike(rows: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """``rows`` if they are of few kinds; unlike things are no table and are walked one by one."""
    kinds = {tuple(row) for row in rows}
    wide = max(len(row) for row in rows)
    return rows if 0 < wide <= _FLAT and len(kinds) <= max(3, len(rows) // 4) else None


def _tree(value: dict[str, Any]) -> list[dict[str, Any]] | None:
    """A dictionary (of dictionaries) of numbers is a table with its keys as dimensions."""
    leaves: list[tuple[list[str], Any]] = []

    def walk(node: Any, path: list[str]) -> bool:
        if isinstance(node, dict):
            return bool(node) and all(walk(child, [*path, name]) for name, child in node.items())
        leaves.append((path, node))
        return node is None or (isinstance(node, int | float) and not isinstance(node, bool))

    if not walk(value, []) or len({len(path) for path, _ in leaves}) != 1 or not leaves[0][0]:
        return None
    if len(leaves[0][0]) == 1 and len(leaves) < 2:
        return None
    return [{**{f"key_{i + 1}": k for i, k in enumerate(path)}, "value": v} for path, v in leaves]


def _as_table(part: str, rows: list[dict[str, Any]], budget: Budget) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    if len(names) * len(rows) > budget.cells:
        raise Unreadable("size")
    columns = [pl.Series([_text(row.get(name)) for row in rows], dtype=pl.String) for name in names]
    return table(part, names, columns, budget)


def _walk(document: Document, value: Any, path: str, budget: Budget) -> None:
    """Tables are taken out, the rest becomes pieces; names of members are pieces as well."""
    rows = _records(value)
    if rows is not None:
        document.tables.append(_as_table(path, rows, budget))
    elif isinstance(value, dict):
        for index, (name, child) in enumerate(value.items()):
            document.pieces.append(Piece(f"{path}/{index} name", name))
            _walk(document, child, f"{path}/{index}", budget)
    elif isinstance(value, list):
        flat = [_text(child) or "" for child in value if _scalar(child)]
        if len(flat) > 1 and len(flat) == len(value):
            column = pl.Series([_text(child) for child in value], dtype=pl.String)
            document.tables.append(table(path, ["value"], [column], budget))
            return
        for index, child in enumerate(value):
            _walk(document, child, f"{path}/{index}", budget)
    elif value is not None:
        document.pieces.append(Piece(path or "/", _text(value) or ""))


def lay_open(document: Document, value: Any, budget: Budget) -> Any:
    """Add the tables and pieces of ``value`` to ``document``; gives it back as the body."""
    _walk(document, value, "", budget)
    return value


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document`` with tables and pieces; a chart specification becomes one. Raises ``Unreadable``."""
    value = parse(decode(data))
    depth(value, budget.depth)
    if chart.kind(value):
        document.form = "chart"
        document.body = chart.lay_open(document, value, budget)
    else:
        document.body = lay_open(document, value, budget)


def read_lines(document: Document, data: bytes, budget: Budget) -> None:
    """The same for one value a line."""
    values = [parse(line) for line in decode(data).split("\n") if line.strip()]
    depth(values, budget.depth)
    if not values:
        raise Unreadable("empty")
    _walk(document, values, "", budget)
    document.body = values
