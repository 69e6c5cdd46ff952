"""A statement of a job as the tree that DuckDB's parser makes of it; nothing of it is run."""

from __future__ import annotations

import json

import duckdb

from sandbox.egress.recompute.expr import Node, Unrecognised


def tree_of(connection: duckdb.DuckDBPyConnection, text: str) -> Node:
    """The parser's tree of one read statement. Raises ``Unrecognised``."""
    try:
        # all of the result: an open one would block the next query
        tree = _serialised(connection, text)
        statements = tree.get("statements") or []
        if tree.get("error") is False and len(statements) == 1:
            node = dict(statements[0]["node"])
            for item in node.get("select_list") or ():
                if not item.get("alias") and item.get("class") not in ("COLUMN_REF", "STAR"):
                    item["alias"] = _default_name(connection, item)
            return node
    except (duckdb.Error, ValueError, RecursionError):
        pass
    raise Unrecognised("statement")


def _serialised(connection: duckdb.DuckDBPyConnection, text: str) -> Node:
    ((found,),) = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchall()
    return dict(json.loads(found))


def _default_name(connection: duckdb.DuckDBPyConnection, item: Node) -> str:
    """What DuckDB calls a column without a name: its expression, written by DuckDB. A name that is not known
    could be any, and carry what the job likes."""
    tree = _serialised(connection, "SELECT 1")
    tree["statements"][0]["node"]["select_list"] = [item]
    rows = connection.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)]).fetchall()
    return str(rows[0][0]).removeprefix("SELECT ")
