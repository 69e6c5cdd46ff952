"""What is read of a job's text, and what is said not to have been read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.desensitize.dummy.fields import tables_of
from sandbox.desensitize.dummy.reading_python import read_python
from sandbox.desensitize.dummy.reading_sql import SqlReader
from sandbox.desensitize.dummy.wanted import Reading


def column(name: str, type_: str = "string") -> dict[str, Any]:
    return {"name": name, "type": type_}


TABLES = tables_of(
    [
        {
            "name": "people",
            "fields": [column("id"), column("town"), column("pay", "integer"), column("born", "date")],
        },
        {"name": "homes", "fields": [column("id"), column("kind")]},
    ]
)


def sql(text: str, *outputs: str) -> Reading:
    reading = Reading()
    SqlReader(TABLES, reading).script(text, outputs)
    return reading


def python(text: str, **files: str) -> Reading:
    reading = Reading()
    read_python(
        {"main.py": text, **{f"{name}.py": body for name, body in files.items()}}, "main.py", TABLES, reading
    )
    return reading


def asked(reading: Reading) -> list[str]:
    return [condition.sql for want in reading.wants for condition in want.conditions]


CONDITIONS = {
    "town = 'a'": "(\"people.town\" = 'a')",
    "p.pay BETWEEN 3 AND 5": '("people.pay" BETWEEN 3 AND 5)',
    "town IN ('a', 'b')": "(\"people.town\" IN ('a', 'b'))",
    "NOT (pay = 3 OR town IS NULL)": '(NOT (("people.pay" = 3) OR ("people.town" IS NULL)))',
}


@pytest.mark.parametrize("text", CONDITIONS)
def test_a_condition_is_read_over_the_columns_of_the_input(text: str) -> None:
    assert asked(sql(f"SELECT 1 FROM people p WHERE {text}")) == [CONDITIONS[text]]


def test_names_are_followed_through_views_tables_subqueries_and_expressions() -> None:
    reading = sql(
        """
        CREATE VIEW v AS SELECT *, year(born) AS y FROM people;
        CREATE TABLE t AS WITH c AS (SELECT y, town AS place FROM v WHERE pay > 1)
            SELECT place, count(*) AS n FROM (SELECT * FROM c WHERE y < 2000) q GROUP BY 1 HAVING n >= 7
        """,
        "t",
    )
    (want,) = reading.wants
    assert asked(reading) == ['("people.pay" > 1)', '("year"("people.born") < 2000)']
    assert (want.groups, want.least) == (["people.town"], 7)
    assert reading.literals == {"people.pay": {"1"}, "people.born": {"2000"}}


def test_only_the_declared_outputs_want_anything() -> None:
    text = "".join(
        f"CREATE TABLE {name} AS SELECT 1 FROM people WHERE pay = {n};" for n, name in ((1, "a"), (2, "b"))
    )
    assert asked(sql(text, "b")) == ['("people.pay" = 2)']
    assert len(asked(sql(text))) == 2


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FROM people p JOIN homes h ON p.id = h.id",
        "SELECT 1 FROM people JOIN homes USING (id)",
        "SELECT 1 FROM people, homes WHERE people.id = homes.id",
        "SELECT 1 FROM people WHERE EXISTS (SELECT 1 FROM homes WHERE homes.id = people.id)",
        "SELECT 1 FROM people WHERE id IN (SELECT id FROM homes)",
        "SELECT 1 FROM people p JOIN homes h ON CAST(p.id AS VARCHAR) = h.id",
    ],
)
def test_joins_are_read_however_they_are_written(text: str) -> None:
    (want,) = sql(text).wants
    assert [set(pair) for pair in want.joins] == [{"people.id", "homes.id"}]


SIZES = {
    "count(*) >= 20": 20,
    "count(*) > 20": 21,
    "20 <= count(*)": 20,
    "count(DISTINCT id) BETWEEN 12 AND 99": 12,
    "count_if(pay > 3) >= 8": 8,
    "sum(CASE WHEN pay > 3 THEN 1 ELSE 0 END) >= 8": 9,
    "count(*) < 20": 1,
    "count(*) >= 99999999": 5000,
}


@pytest.mark.parametrize("text", SIZES)
def test_the_least_size_of_a_group_is_read(text: str) -> None:
    assert sql(f"SELECT town FROM people GROUP BY town HAVING {text}").wants[0].least == SIZES[text]


def test_what_only_some_rows_are_to_meet_makes_two_wants() -> None:
    reading = sql("SELECT town FROM people GROUP BY town HAVING count(*) FILTER (WHERE pay > 3) >= 8")
    assert asked(reading) == ['("people.pay" > 3)', 'NOT (coalesce(("people.pay" > 3), false))']


def test_an_input_joined_with_itself_has_twins() -> None:
    (want,) = sql(
        "SELECT 1 FROM people a JOIN people b ON a.id = b.id WHERE a.pay = 1 AND b.pay = 2 AND a.pay < b.pay"
    ).wants
    assert [one.sql for one in want.conditions] == ['("people.pay" = 1)']
    assert [one.sql for twin in want.twins for one in twin.conditions] == ['("people.pay" = 2)']
    assert want.joins == []


@pytest.mark.parametrize(
    "text", ["people a JOIN people b ON a.pay < b.pay", "people a JOIN homes b ON a.town < b.kind"]
)
def test_a_comparison_of_several_rows_is_said_not_to_be_aimed_at(text: str) -> None:
    assert len(sql(f"SELECT 1 FROM {text}").unread) == 1


def test_an_amount_asks_for_rows_that_have_it() -> None:
    assert asked(sql("SELECT town FROM people GROUP BY 1 HAVING avg(pay) > 900")) == ['("people.pay" > 900)']


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FROM people WHERE pay > (SELECT avg(pay) FROM people)",
        "SELECT 1 FROM people WHERE unknown > 3",
        "SELECT town FROM people GROUP BY 1 HAVING stddev(pay) > avg(pay)",
    ],
)
def test_what_is_not_read_is_said(text: str) -> None:
    reading = sql(text)
    assert (asked(reading), len(reading.unread)) == ([], 1)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert isinstance(sql(text).wants, list)
    assert isinstance(python(text).wants, list)


def test_a_chain_of_views_that_doubles_is_not_followed_for_ever() -> None:
    views = "".join(f"CREATE VIEW v{n} AS SELECT a.* FROM v{n - 1} a, v{n - 1} b;" for n in range(1, 25))
    assert len(sql(f"CREATE VIEW v0 AS SELECT * FROM people WHERE pay = 1; {views}", "v24").wants) <= 6


EXPRESSIONS = {
    'pl.col("pay") >= 18': ['("people.pay" >= 18)'],
    'frame["pay"] < -2': ['("people.pay" < -2)'],
    'frame.town == "x"': ["(\"people.town\" = 'x')"],
    '"x" == row["town"]': ["(\"people.town\" = 'x')"],
    '5 < row["pay"]': ['("people.pay" > 5)'],
    'pl.col("town").is_in(["a", "b"])': ["(\"people.town\" IN ('a', 'b'))"],
    'frame["town"].isin(["a"])': ["(\"people.town\" IN ('a'))"],
    'frame["town"].str.startswith("a")': ["(\"people.town\" LIKE 'a%')"],
    'pl.col("pay").is_between(3, 5)': ['("people.pay" BETWEEN 3 AND 5)'],
    'pl.col("born") >= date(2020, 1, 31)': ["(\"people.born\" >= '2020-01-31')"],
    'row["town"] in ("a", "b")': ["(\"people.town\" IN ('a', 'b'))"],
    'sandbox_job.inputs("people").filter("pay > 3")': ['("people.pay" > 3)'],
    'duckdb.sql("SELECT 1 FROM p WHERE pay = 4")': ['("people.pay" = 4)'],
    'duckdb.sql(f"SELECT 1 FROM people WHERE pay > {x}")': ['("people.pay" > 0)'],
    'frame["nothing"] == 3': [],
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_a_comparison_in_python_is_read(text: str) -> None:
    assert asked(python(f'p = sandbox_job.inputs("people").pl()\nx = {text}\n')) == EXPRESSIONS[text]


def test_groups_and_their_least_size_are_read_in_python_and_in_every_file() -> None:
    (want,) = python(
        'import other\nf.group_by("town").agg(n).filter(pl.len() >= 25)', other='g.groupby(["born"])'
    ).wants
    assert (want.groups, want.least) == (["people.town", "people.born"], 25)


def test_of_two_equalities_either_will_do() -> None:
    assert asked(python('a = r["town"] == "x"\nb = r["town"] == "y"')) == [
        "(\"people.town\" = 'x' OR \"people.town\" = 'y')"
    ]
