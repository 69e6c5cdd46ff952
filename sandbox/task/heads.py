"""What a SQL job may say, and how its statements begin: pure data and text, no database.

The list is shared. At submission the control plane, which holds no parser, looks at the first words of
each statement (``refuse_heads``), so that a mistake costs no use of the grant. Inside the container
``statements.py`` holds the whole script to DuckDB's own parser before anything is run: that is the wall,
this is the courtesy. What this reading misses the other one refuses.
"""

from __future__ import annotations

import re

from sandbox.core.errors import fail
from sandbox.task import codes  # noqa: F401  (registers the error codes)

READS = frozenset({"SELECT", "FROM", "WITH", "VALUES", "TABLE", "PIVOT", "UNPIVOT", "DESCRIBE", "SUMMARIZE"})
MAKES = re.compile(r"CREATE (OR REPLACE )?(TEMP |TEMPORARY )?(TABLE|VIEW|MACRO|FUNCTION)\b")
# Functions that read files, other databases, settings or the process, that write a log, or that run text
# as a query: refused by name wherever they stand, though external access is off as well.
REFUSED = re.compile(
    r"(read|parquet|pandas|arrow|python|duckdb|pragma|sniff|iceberg|delta|sqlite|postgres|mysql)_\w+"
    r"|(enable|disable|truncate|register|deregister|create|destroy)_\w+|glob|getenv|current_setting"
    r"|which_secret|write_log|query|query_table|seq_scan|\w*checkpoint"
    r"|json_execute_serialized_sql|json_serialize_plan|add_parquet_key|copy_database|import_database|\w*_scan",
    re.ASCII | re.IGNORECASE,
)
# Names that look refused and only calculate.
CALCULATES = frozenset({"create_sort_key"})
# What is opened and never closed is read to the end of the script (``\Z``): the parser refuses it, and to
# look for its end anew from each next character would take the square of the script's length.
_TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<text>[eE]'(?:[^'\\]|\\.|'')*(?:'|\\?\Z)|'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)
    |\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))
    |(?P<word>[^\W\d]\w*)|(?P<end>;)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


def refused_function(name: str) -> bool:
    """Whether a function of this name is none for a job."""
    return REFUSED.fullmatch(name) is not None and name.lower() not in CALCULATES


def refuse_heads(script: str, file: str) -> None:
    """Refuse ``script`` at the first statement that does not begin like a read statement.

    Raises SQL_STATEMENT, SQL_FUNCTION (``file``, ``line``, ``what``: a word of the developer's own script).
    """
    head: list[str] = []
    word = ""  # the last token, if it was a word: a function's name stands before "("
    line = start = 1
    for found in _TOKEN.finditer(script):
        kind, text = found.lastgroup, found[0]
        if kind == "end":
            _judge(head, file, start)
            head = []
        elif kind != "skip":
            if not head:
                start = line
            if text == "(" and word and refused_function(word):
                raise fail("SQL_FUNCTION", file=file, line=line, what=word[:60])
            if len(head) < 5:
                head.append(text.upper() if found["word"] else text[:1])
            word = text if found["word"] else ""
        line += text.count("\n")
    _judge(head, file, start)


def _judge(head: list[str], file: str, line: int) -> None:
    """The first words of one statement; an empty one says nothing."""
    while head and head[0] == "(":
        head = head[1:]
    if head and head[0] not in READS and not MAKES.match(" ".join(head)):
        raise fail("SQL_STATEMENT", file=file, line=line, what=head[0][:60])
