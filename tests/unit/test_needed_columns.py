"""What an application must ask for, derived from its SQL: never less than is read, and in bounded work."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.authorisation import needed as module
from sandbox.authorisation.needed import MOST_BYTES, Needed, needed
from sandbox.core.errors import SandboxError

TABLES = {
    "people": ("person_id", "district", "income", "day"),
    "firms": ("firm_id", "district", "g", "h", "k"),
}


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT district, avg(income) FROM people GROUP BY 1", {"people": ("district", "income")}),
        ('SELECT "District" FROM PEOPLE', {"people": ("district",)}),
        (
            "SELECT p.day, f.g FROM people p JOIN firms f USING (district)",
            {"people": ("district", "day"), "firms": ("district", "g")},
        ),
        (
            "SELECT day FROM people NATURAL JOIN firms",
            {"people": ("district", "day"), "firms": ("district",)},
        ),
        ("SELECT district FROM people, firms", {"people": ("district",), "firms": ("district",)}),  # either
        (
            "SELECT firm_id FROM firms QUALIFY row_number() OVER (PARTITION BY g ORDER BY h) = 1",
            {"firms": ("firm_id", "g", "h")},
        ),
        (
            "SELECT (SELECT max(k) FROM firms f WHERE f.district = p.district) FROM people p",
            {"people": ("district",), "firms": ("district", "k")},
        ),
        ("WITH people AS (SELECT district FROM people) SELECT * FROM people", {"people": ("district",)}),
        ("CREATE TABLE z AS SELECT income FROM people; SELECT * FROM z", {"people": ("income",)}),
        ("SELECT r.x FROM (SELECT district AS x FROM people) r", {"people": ("district",)}),
        ("SELECT income AS z FROM people ORDER BY z", {"people": ("income",)}),
        ("SELECT list_transform([1], x -> x + income) FROM people", {"people": ("income",)}),
        ("SELECT [y + 1 FOR y IN [1] IF y > k] FROM firms", {"firms": ("k",)}),
        (
            "SELECT g FROM (people JOIN firms USING (district))",
            {"people": ("district",), "firms": ("district", "g")},
        ),
        ("CREATE MACRO f(x) AS TABLE SELECT g FROM firms WHERE h = x", {"firms": ("g", "h")}),
        ("SELECT income.part FROM people", {"people": ("income",)}),
        ("SELECT count(*) FROM people", {"people": ()}),
        ("SELECT t.i, p.income FROM range(3) t(i), people p", {"people": ("income",)}),
        ("SELECT district FROM people UNION SELECT g FROM firms", {"people": ("district",), "firms": ("g",)}),
        ("", {}),
    ],
)  # fmt: skip
def test_what_is_read_is_told_and_nothing_is_unknown(sql: str, columns: dict[str, tuple[str, ...]]) -> None:
    assert needed(sql, TABLES) == Needed(columns, (), (), ())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM people",
        "FROM people",
        "SELECT p.* FROM people p",
        "SELECT COLUMNS('.*') FROM people",
        "SUMMARIZE people",
        "PIVOT people ON district USING sum(income)",
        "SELECT people FROM people",
        "SELECT b FROM people AS p(a, b, c, d)",
    ],
)
def test_what_names_no_columns_reads_the_whole_table(sql: str) -> None:
    assert needed(sql, TABLES) == Needed({"people": TABLES["people"]}, ("people",), (), ())


def test_what_is_excluded_is_not_read() -> None:
    found = needed("SELECT * EXCLUDE (income) FROM people", TABLES)
    assert found.columns == {"people": ("person_id", "district", "day")}
    assert found.whole == ("people",)


def test_names_that_do_not_exist_are_named() -> None:
    found = needed("SELECT nope, p.also FROM people p; SELECT x FROM nowhere", TABLES)
    assert set(found.unknown_columns) == {"nope", "people.also"}
    assert found.unknown_tables == ("nowhere",)


@pytest.mark.parametrize(
    ("sql", "code", "line"),
    [
        ("SELECT district FROM people\nWHERE", "SQL_UNREAD", 2),
        ("SELECT 1;\nSELECT 'open", "SQL_UNREAD", 2),
        ("\nCOPY people TO 'x'", "SQL_STATEMENT", 2),
        ("SELECT 1\n, getenv('HOME')", "SQL_FUNCTION", 2),
    ],
)
def test_what_cannot_be_read_is_one_sentence_with_its_line(sql: str, code: str, line: int) -> None:
    with pytest.raises(SandboxError) as caught:
        needed(sql, TABLES)
    assert (caught.value.code, caught.value.details["line"]) == (code, line)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT " + "x" * MOST_BYTES, "SQL_LONG"),
        ("SELECT '" + "区" * (MOST_BYTES // 3) + "'", "SQL_LONG"),  # bytes, not characters
        ("SELECT " + "(" * 3000, "SQL_DEEP"),
        ("SELECT " + "f(" * 1000, "SQL_DEEP"),
        ("SELECT " + "CASE WHEN " * 1000, "SQL_DEEP"),
        ("SELECT " + "a," * 8001 + "1", "SQL_DEEP"),
    ],
)
def test_what_is_too_long_or_too_deep_is_refused(sql: str, code: str) -> None:
    with pytest.raises(SandboxError) as caught:
        needed(sql, TABLES)
    assert caught.value.code == code


def test_the_parser_is_stopped_after_so_many_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MOVES", 10)
    with pytest.raises(SandboxError) as caught:
        needed("SELECT district, income, day FROM people WHERE income > 3 AND day > district", TABLES)
    assert caught.value.code == "SQL_DEEP"


def test_a_sum_of_many_terms_is_no_deep_nesting() -> None:
    sql = "SELECT " + "income + " * 1500 + "1 FROM people"
    assert needed(sql, TABLES).columns == {"people": ("income",)}


@settings(max_examples=40, deadline=None)
@given(
    chosen=st.sets(st.sampled_from(TABLES["people"]), min_size=1),
    nested=st.integers(0, 3),
    qualified=st.booleans(),
)
def test_a_list_of_columns_is_derived_as_it_is(chosen: set[str], nested: int, qualified: bool) -> None:
    names = [f"p.{one}" if qualified else one for one in sorted(chosen)]
    sql = f"SELECT {', '.join(names)} FROM people p"
    for _ in range(nested):
        sql = f"SELECT * FROM ({sql}) q"
    found = needed(sql, TABLES)
    assert set(found.columns["people"]) == chosen
    assert (found.whole, found.unknown_columns) == ((), ())


# DuckDB has the last word: with nothing but the derived columns the query still binds
BINDS = (
    "SELECT p.*, f.g FROM people p LEFT JOIN firms f ON p.district = f.district",
    "SELECT district, income AS i, i + 1 FROM people WHERE i > 3 GROUP BY ALL",
    "SELECT sum(income) FILTER (WHERE day IS NULL) OVER w FROM people WINDOW w AS (PARTITION BY district)",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT day FROM r, people",
    "WITH a AS (SELECT district AS d FROM people), b AS (SELECT d FROM a) SELECT count(*) FROM b",
    "SELECT g FROM firms WHERE EXISTS (FROM people WHERE people.district = firms.district AND income > k)",
    "SELECT f.g FROM firms f, LATERAL (SELECT max(income) FROM people p WHERE p.district = f.district) q",
    "SELECT district FROM people WHERE income IN (SELECT k FROM firms) ORDER BY day LIMIT 3",
    "SELECT * FROM (PIVOT people ON district IN ('a', 'b') USING sum(income) GROUP BY day)",
    "SELECT * FROM people PIVOT (sum(income) FOR district IN ('a', 'b') GROUP BY day)",
    "UNPIVOT firms ON g, h INTO NAME n VALUE v",
    "FROM people SELECT district, count(*) GROUP BY district HAVING max(income) > 3",
    "SELECT a.district FROM people a ASOF JOIN people b ON a.district = b.district AND a.day >= b.day",
    "SELECT DISTINCT ON (district) district, income FROM people ORDER BY day",
    "CREATE TEMP TABLE z AS SELECT * FROM people; CREATE VIEW v AS SELECT day AS x FROM z; SELECT x FROM v",
    "SELECT CASE WHEN income > 3 THEN day ELSE NULL END FROM people UNION ALL BY NAME SELECT h FROM firms",
    "SELECT unnest([income, income]) FROM people",
    "SELECT struct_pack(a := income).a, {'b': day}['b'] FROM people",
    "SELECT main.people.district FROM main.people",
    "SELECT people.income FROM people SEMI JOIN firms USING (district)",
    "SELECT quantile_cont(income, 0.5 ORDER BY day) FROM people",
    "SELECT (people).income FROM people",
    "SELECT * REPLACE (income + 1 AS income) FROM people",
    "SELECT district FROM people GROUP BY ROLLUP (district, day)",
    "SELECT list_filter([1, 2], lambda x: x > income) FROM people",
    "SELECT count(*) FROM people WHERE (district, income) IN (SELECT (district, k) FROM firms)",
    "SELECT x.district FROM (people x CROSS JOIN firms y) WHERE y.g IS NULL",
    "TABLE people",
    "SELECT #1, income FROM people",
)


@pytest.mark.parametrize("sql", BINDS)
def test_a_query_binds_with_the_derived_columns_alone(sql: str) -> None:
    found = needed(sql, TABLES)
    assert found.unknown_tables == ()
    with duckdb.connect() as database:
        for table in TABLES:
            columns = [*found.columns.get(table, ()), "only_so_that_there_is_one"]
            types = {"income": "INTEGER", "k": "INTEGER", "day": "DATE"}
            told = ", ".join(f"{one} {types.get(one, 'TEXT')}" for one in columns)
            database.execute(f"CREATE TABLE {table} ({told})")
        for statement in duckdb.extract_statements(sql):
            database.execute(statement)
