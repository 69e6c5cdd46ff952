"""What the console proposes for a held output is what ``egress mend`` knows, and the SQL it writes runs."""

from __future__ import annotations

import duckdb
import pytest

from sandbox.console.views.mend import BASES, BY_FAMILY, PROTECTIONS, protected
from sandbox.egress import mend
from sandbox.egress.families import family
from sandbox.task.statements import hold, split


def test_each_family_has_the_protections_of_its_rules() -> None:
    known: dict[str, set[str]] = {}
    for rule, protections in mend.LADDER.items():
        known.setdefault(family(rule), set()).update(protections)
    assert {name: set(protections) for name, protections in BY_FAMILY.items()} == known
    assert set(PROTECTIONS) == set(mend.PROTECTIONS)
    assert mend.BASES == BASES


@pytest.mark.parametrize(
    ("base", "least", "rows"),
    [
        (5, 10, [("a", 10, 3), ("b", 25, 4)]),
        (0, 10, [("a", 12, 3), ("b", 23, 4)]),
        (10, 0, [("a", 10, 3), ("b", 20, 4), ("c", 0, 5)]),
    ],
)
def test_the_protection_is_sql_that_a_job_may_run(
    base: int, least: int, rows: list[tuple[str, int, int]]
) -> None:
    name = 'people "of all"'
    quoted = '"people ""of all"""'
    values = "(VALUES ('a', 12, 3), ('b', 23, 4), ('c', 4, 5))"
    made = f"CREATE TABLE out AS SELECT * FROM {values} t(d, {quoted}, m);"
    script = f"{made}\n{protected({'path': 'out.csv', 'counts': [name]}, base, least)}"
    hold(split(script), "main.sql")
    with duckdb.connect() as database:
        database.execute(script)
        assert database.execute("SELECT * FROM out ORDER BY 1").fetchall() == rows
