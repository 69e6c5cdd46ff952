"""The trees of DuckDB's parser: which part is a column, a constant, an aggregate, one condition of
several."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

Node = dict[str, Any]
COUNTS = frozenset({"count", "count_star", "count_if", "countif", "approx_count_distinct"})
AMOUNTS = frozenset({"sum", "avg", "mean", "min", "max", "median"})
_OTHERS = frozenset(
    {"stddev", "stddev_samp", "variance", "var_samp", "quantile_cont", "quantile_disc", "mode", "list"}
    | {
        "string_agg",
        "any_value",
        "first",
        "last",
        "arg_max",
        "arg_min",
        "bool_or",
        "bool_and",
        "corr",
        "fsum",
    }
)
AGGREGATES = COUNTS | AMOUNTS | _OTHERS
_LIKE = frozenset(
    {"~~", "~~*", "like_escape", "ilike_escape", "starts_with", "prefix", "suffix", "ends_with", "contains"}
)


def empty_trees(parser: duckdb.DuckDBPyConnection) -> tuple[Node, Node]:
    """The parser's own trees of a select and of ``x > 0``: with whatever this version wants in one."""
    ((told,),) = parser.execute("SELECT json_serialize_sql('SELECT x > 0')").fetchall()
    node = json.loads(told)["statements"][0]["node"]
    return node, node["select_list"][0]


def node_of(told: Node) -> Node:
    """A query node in whatever it is wrapped."""
    for key in ("query_node", "query", "node"):
        if isinstance(told.get(key), dict):
            return node_of(told[key])
    return told


def branches(node: Node) -> list[Node]:
    return list(node.get("children") or ()) or [node[key] for key in ("left", "right") if key in node]


def group_list(node: Node) -> list[Node]:
    """The group expressions; with GROUP BY ALL whatever of the list is no aggregate."""
    if node.get("group_expressions"):
        return list(node["group_expressions"])
    everything = node.get("aggregate_handling") == "FORCE_AGGREGATES"
    return [one for one in node.get("select_list") or () if everything and not has_aggregate(one)]


def conjuncts(node: Node | None) -> Iterator[Node]:
    if node and node.get("type") == "CONJUNCTION_AND":
        for child in node["children"]:
            yield from conjuncts(child)
    elif node:
        yield node


def walk(tree: Any) -> Iterator[Node]:
    left = [tree]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def columns_in(tree: Any) -> set[str]:
    return {str(one["column_names"][-1]) for one in walk(tree) if one.get("class") == "COLUMN_REF"}


def has_aggregate(tree: Any) -> bool:
    return any(str(one.get("function_name", "")).lower() in AGGREGATES for one in walk(tree))


def plain(node: Node | None) -> bool:
    """Whether it is a column as it stands, or cast."""
    inner = node["child"] if node and node.get("class") == "CAST" else node
    return bool(inner and inner.get("class") == "COLUMN_REF")


def name_of(node: Node) -> str:
    return str((node["child"] if node.get("class") == "CAST" else node)["column_names"][-1])


def constant(node: Node) -> float | None:
    text = (node.get("literal") or {}).get("text")
    try:
        return float(text) if node.get("class") == "CONSTANT" and text is not None else None
    except ValueError:
        return None


def constants(tree: Any) -> Iterator[tuple[str, bool]]:
    """The constants of a condition, and whether each is a pattern of LIKE."""
    liked = [
        id(one)
        for node in walk(tree)
        if str(node.get("function_name", "")).lower().lstrip("!") in _LIKE
        for one in walk(node.get("arguments"))
    ]
    for one in walk(tree):
        text = (one.get("literal") or {}).get("text") if one.get("class") == "CONSTANT" else None
        if text is not None:
            yield str(text), id(one) in liked
