"""Which statements the checker computes again, and what it answers for each of the others."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import pytest

from sandbox.egress.context import Context, RawTable
from sandbox.egress.recompute.expr import Unrecognised
from sandbox.egress.recompute.plan import outputs
from sandbox.egress.recompute.relations import Given
from sandbox.egress.recompute.run import Input, Planned, view_sql
from sandbox.egress.shape import Shape, recount
from sandbox.egress.task import run as check_room
from tests.refusal import refused

PEOPLE = Given("people", ("id", "sex", "town", "born", "pay", "home"), frozenset({"id", "home"}))
HOMES = Given("homes", ("home", "kind"), frozenset({"home"}))


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Forty persons with one to three rows each, in eight homes."""
    folder = tmp_path_factory.mktemp("raw")
    rows = []
    for i in range(40):
        for visit in range(1 + i % 3):
            born = dt.date(1950 + i, 1 + i % 12, 1 + i % 28)
            pay = None if i % 10 == 9 else 1000 * (i % 7) + visit
            rows.append(
                {
                    "id": f"p{i}",
                    "sex": "fm"[i % 2],
                    "town": "abc"[i % 3],
                    "born": born,
                    "pay": pay,
                    "home": i % 8,
                }
            )
    pl.DataFrame(rows).write_parquet(folder / "people.parquet")
    homes = pl.DataFrame({"home": range(6), "kind": ["flat", "house"] * 3})
    homes.write_parquet(folder / "homes.parquet")
    raws = [
        RawTable("people", folder / "people.parquet", "id", ("sex", "town", "born"), (), ("home",)),
        RawTable("homes", folder / "homes.parquet", None, (), (), ("home",)),
    ]
    return Context(raws, {}, {})


RECOGNISED = {
    "groups and aggregates": (
        "SELECT sex, town, count(*) AS n, avg(pay) AS m, median(pay) AS q FROM people GROUP BY sex, town"
    ),
    "entities": "SELECT sex, count(DISTINCT id) AS n FROM people GROUP BY 1",
    "group by all, expressions": "SELECT year(born) // 10 * 10 AS y, count(*) AS n FROM people GROUP BY ALL",
    "by the name of an expression": "SELECT upper(town) AS t, count(*) AS n FROM people GROUP BY t",
    "case bands": (
        "SELECT CASE WHEN pay < 2000 THEN 'low' WHEN pay < 4000 THEN 'mid' ELSE 'high' END AS b, "
        "count(*) AS n FROM people GROUP BY b"
    ),
    "a filter": (
        "SELECT sex, sum(pay) AS s FROM people WHERE town IN ('a', 'b') AND pay IS NOT NULL GROUP BY sex"
    ),
    "a filter of an aggregate": (
        "SELECT town, count(*) FILTER (WHERE sex = 'f') AS f, count(*) AS n FROM people GROUP BY town"
    ),
    "a share": (
        "SELECT town, round(100.0 * sum(CASE WHEN sex = 'f' THEN 1 ELSE 0 END) / count(*), 1) AS share "
        "FROM people GROUP BY town"
    ),
    "quantile and deviation": (
        "SELECT sex, quantile_cont(pay, 0.25) AS q, stddev(pay) AS d FROM people GROUP BY sex"
    ),
    "within group": (
        "SELECT sex, percentile_cont(0.25) WITHIN GROUP (ORDER BY pay) AS q FROM people GROUP BY sex"
    ),
    "correlation": (
        "SELECT sex, corr(pay, date_diff('year', born, DATE '2026-01-01')) AS r FROM people GROUP BY sex"
    ),
    "no groups": "SELECT count(*) AS n, avg(pay) AS m FROM people",
    "a common table": (
        "WITH a AS (SELECT sex AS s, pay * 2 AS p FROM people WHERE pay > 0) SELECT s, avg(p) AS m FROM "
        "a GROUP BY s"
    ),
    "a subquery": (
        "SELECT t, n FROM (SELECT town AS t, count(*) AS n FROM people GROUP BY town) q WHERE n >= 5"
    ),
    "having": "SELECT town, count(*) AS n FROM people GROUP BY town HAVING count(*) >= 5 AND n < 1000",
    "an inner join": (
        "SELECT h.kind, count(*) AS n FROM people p JOIN homes h ON p.home = h.home GROUP BY h.kind"
    ),
    "a left join": (
        "SELECT kind, count(*) AS n, avg(pay) AS m FROM people LEFT JOIN homes USING (home) GROUP BY kind"
    ),
    "a constant": "SELECT '2026' AS year, town, count(*) AS n FROM people GROUP BY town",
}


def run(context: Context, body: str, number: int = 0, script: str = "CREATE TABLE o AS {};"):  # type: ignore[no-untyped-def]
    connection = context.engine.connection
    inputs = {
        "people": Input("people", "people", PEOPLE.columns),
        "homes": Input("homes", "homes.parquet", HOMES.columns),
    }
    for one in inputs.values():
        index = next(i for i in context.indexes if i.name == one.name)
        context.engine.rows(f"CREATE OR REPLACE VIEW job_{one.name} AS {view_sql(one, index)}")
    cells = outputs(connection, script.format(body), [PEOPLE, HOMES])["o"]()
    return cells, Planned(number, cells, inputs, context.indexes).run()


@pytest.mark.parametrize("name", RECOGNISED)
def test_what_is_recognised_gives_what_the_statement_gives(context: Context, name: str) -> None:
    """Against DuckDB's own answer to the statement as it was written."""
    number = 100 + list(RECOGNISED).index(name)
    cells, found = run(context, RECOGNISED[name], number)
    with duckdb.connect() as other:
        for raw in context.raws:
            other.execute(f"CREATE VIEW {raw.name} AS SELECT * FROM '{raw.path}'")
        expected = sorted(other.execute(RECOGNISED[name]).fetchall(), key=repr)
    own = [
        tuple(
            row[f"k{column.value.group}"] if column.value.group is not None else row[f"o{place}"]
            for place, column in enumerate(cells.columns)
        )
        for row in found.frame.to_dicts()
    ]
    for mine, theirs in zip(sorted(own, key=repr), expected, strict=True):
        assert mine == pytest.approx(theirs)


REFUSED = {
    "rows": "SELECT town, pay FROM people",
    "rows with a group of one": "SELECT id, count(*) AS n FROM people GROUP BY id",
    "an identifier as a condition": "SELECT sex, count(*) AS n FROM people WHERE id <> 'p1' GROUP BY sex",
    "an identifier in an aggregate": (
        "SELECT sex, count(CASE WHEN id = 'p1' THEN 1 END) AS n FROM people GROUP BY sex"
    ),
    "an identifier in an aggregate's filter": (
        "SELECT sex, count(*) FILTER (WHERE id < 'p3') AS n FROM people GROUP BY sex"
    ),
    "an identifier in a join": (
        "SELECT p.sex, count(*) AS n FROM people p JOIN homes h ON p.home = h.home AND p.id = 'p1' GROUP BY 1"
    ),
    "extremes": "SELECT sex, max(pay) AS m FROM people GROUP BY sex",
    "an extreme quantile": "SELECT sex, quantile_cont(pay, 0.999) AS m FROM people GROUP BY sex",
    "several persons in one number": (
        "SELECT sex, sum(pay * power(1000, year(born) % 5)) AS s FROM people GROUP BY sex"
    ),
    "two columns in one number": "SELECT sex, sum(pay * 1000 + year(born)) AS s FROM people GROUP BY sex",
    "many arms in one number": (
        "SELECT sex, sum(CASE WHEN town = 'a' THEN 1 WHEN town = 'b' THEN 1000 ELSE 0 END) AS s FROM "
        "people GROUP BY sex"
    ),
    "a nonlinear operand": "SELECT sex, sum(exp(pay)) AS s FROM people GROUP BY sex",
    "a subquery as a number": (
        "SELECT sex, count(*) + (SELECT max(pay) FROM people) AS n FROM people GROUP BY sex"
    ),
    "exists": "SELECT sex, count(*) AS n FROM people WHERE EXISTS (SELECT 1 FROM homes) GROUP BY sex",
    "a window": "SELECT sex, count(*) AS n, sum(count(*)) OVER () AS t FROM people GROUP BY sex",
    "a hash as a group": "SELECT md5(town) AS t, count(*) AS n FROM people GROUP BY 1",
    "a list": "SELECT sex, list(pay) AS n FROM people GROUP BY sex",
    "a row by what an aggregate of few is": (
        "SELECT town, count(*) AS n FROM people GROUP BY town HAVING max(pay) > 5"
    ),
    "a row by a condition of a part": (
        "SELECT town, count(*) AS n FROM people GROUP BY town HAVING count(*) FILTER (WHERE sex = 'f') = 3"
    ),
    "a limit": "SELECT town, count(*) AS n FROM people GROUP BY town ORDER BY n LIMIT 2",
    "distinct rows": "SELECT DISTINCT town FROM people",
    "a sample": "SELECT sex, count(*) AS n FROM people TABLESAMPLE 10% GROUP BY sex",
    "grouping sets": "SELECT sex, count(*) AS n FROM people GROUP BY ROLLUP (sex)",
    "a union": "SELECT sex, count(*) AS n FROM people GROUP BY sex UNION ALL SELECT 'all', 5",
    "a cross product": "SELECT sex, count(*) AS n FROM people, homes GROUP BY sex",
    "a join that repeats rows": (
        "SELECT a.sex, sum(b.pay) AS s FROM people a JOIN people b ON a.town = b.town GROUP BY a.sex"
    ),
    "a join that repeats the rows of whom it likes": (
        "SELECT a.sex, avg(a.pay) AS m FROM people a JOIN people b ON (a.id = b.id AND a.pay = b.pay) "
        "OR a.born = DATE '1950-01-01' GROUP BY a.sex"
    ),
    "a join without a key": (
        "SELECT a.sex, count(*) AS n FROM people a JOIN people b ON a.pay > b.pay GROUP BY a.sex"
    ),
    "a right join": "SELECT kind, count(*) AS n FROM people RIGHT JOIN homes USING (home) GROUP BY kind",
    "aggregates of aggregates": (
        "SELECT avg(n) AS m FROM (SELECT town, count(*) AS n FROM people GROUP BY town) q"
    ),
    "random numbers": "SELECT sex, sum(pay + random()) AS s FROM people GROUP BY sex",
    "an ordered aggregate": "SELECT sex, sum(pay ORDER BY id) AS s FROM people GROUP BY sex",
    "a file": "SELECT count(*) AS n FROM 'people.parquet'",
    "a function of rows": "SELECT count(*) AS n FROM range(10)",
    "a type of its own": "SELECT CAST(town AS BLOB) AS t, count(*) AS n FROM people GROUP BY ALL",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_recognised_is_not_recomputed(context: Context, name: str) -> None:
    with pytest.raises(Unrecognised):
        run(context, REFUSED[name])


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE a AS SELECT * FROM people; CREATE OR REPLACE TABLE a AS SELECT * FROM people; "
        "CREATE TABLE o AS {};",
        "CREATE TABLE people AS SELECT 1; CREATE TABLE o AS {};",
        "CREATE MACRO m(x) AS x + 1; CREATE TABLE o AS SELECT sex, sum(m(pay)) AS s FROM people GROUP BY 1;",
    ],
)
def test_a_script_in_which_a_name_may_mean_two_things_is_not_recomputed(
    context: Context, script: str
) -> None:
    with pytest.raises(Unrecognised):
        run(context, RECOGNISED["entities"], script=script)


def test_views_and_tables_of_the_script_are_followed(context: Context) -> None:
    script = "CREATE VIEW v AS SELECT sex AS s, pay FROM people WHERE town = 'a'; CREATE TABLE o AS {};"
    _, found = run(context, "SELECT s, count(pay) AS n FROM v GROUP BY s", 1, script)
    assert found.frame["rows_n"].sum() < context.indexes[0].rows_total


def test_entities_are_counted_behind_each_cell_and_behind_each_part_of_it(context: Context) -> None:
    _, found = run(
        context,
        "SELECT town, count(*) AS rows, count(*) FILTER (WHERE sex = 'f') AS f, avg(pay) AS m "
        "FROM people WHERE town = 'a' GROUP BY town",
        2,
    )
    row = found.frame.row(0, named=True)
    town_a = [i for i in range(40) if i % 3 == 0]
    assert (row["n"], row["rows_n"]) == (len(town_a), sum(1 + i % 3 for i in town_a))
    assert (row["s1"], row["m1"]) == (sum(i % 2 == 0 for i in town_a), sum(i % 2 == 1 for i in town_a))
    assert row["s2"] == sum(i % 10 != 9 for i in town_a)  # those whose pay is known


def test_a_second_table_of_persons_counts_too(context: Context) -> None:
    """One person on the other side of a join stands alone, however many are on this one."""
    _, found = run(
        context,
        "SELECT h.kind, sum(b.pay) AS s FROM people a JOIN people b ON a.id = b.id AND a.pay = b.pay "
        "JOIN homes h ON h.home = a.home WHERE b.born = DATE '1950-01-01' GROUP BY h.kind",
        3,
    )
    assert found.frame["n"].to_list() == [1]


def test_the_cells_of_a_filtered_table_can_be_recounted_over_the_rows_it_chose(context: Context) -> None:
    """What the checks and the release ledger read: entity sets over the plan's own population."""
    _, found = run(context, "SELECT sex, count(*) AS n FROM people WHERE town = 'b' GROUP BY sex", 4)
    frame = pl.DataFrame({"o0": found.frame["k0"]})
    shape = Shape(found.index, frame, {"o0": "sex"}, frame)
    shape.dims, shape.raw_of = {"o0": found.dims[0]}, {"o0": "sex"}
    shape.codes = {"o0": found.frame["c0"].cast(pl.Int64).to_numpy()}
    shape.all_values("o0")
    persons = recount(shape, "list(DISTINCT r.e ORDER BY r.e)").to_list()
    names = context.indexes[0].coded("id").values
    told = {found.frame["k0"][i]: {names[e] for e in listed} for i, listed in enumerate(persons)}
    assert told == {
        sex: {f"p{i}" for i in range(40) if i % 3 == 1 and "fm"[i % 2] == sex} for sex in ("f", "m")
    }


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ({"rows": ({"column": "town", "op": "in", "value": ["a", "b"]},)}, {"a", "b"}),
        ({"rows": ({"column": "town", "op": "=", "value": "c"},)}, {"c"}),
        ({"period": {"column": "born", "from": "1950-01-01", "to": "1950-12-31"}}, {"a"}),
    ],
)
def test_the_job_is_recomputed_over_the_rows_it_was_granted(
    context: Context, given: dict[str, object], rows: set[str]
) -> None:
    one = Input("people", "people", ("town",), **given)  # type: ignore[arg-type]
    found = context.engine.rows(f"SELECT DISTINCT town FROM ({view_sql(one, context.indexes[0])}) v")
    assert {row[0] for row in found} == rows


@pytest.mark.parametrize(
    "given",
    [
        {"columns": ("nothing",)},
        {"columns": ("town",), "rows": ({"column": "town", "op": "LIKE", "value": "x"},)},
        {"columns": ("town",), "rows": ({"column": "none", "op": "=", "value": "x"},)},
        {"columns": ("town",), "period": {"column": "none", "from": "2020-01-01"}},
    ],
)
def test_a_grant_that_cannot_be_read_is_not_guessed(context: Context, given: dict[str, object]) -> None:
    with pytest.raises(Unrecognised):
        view_sql(Input("people", "people", **given), context.indexes[0])  # type: ignore[arg-type]


def test_two_raw_tables_of_one_name_are_not_told_apart_by_guessing(context: Context, tmp_path: Path) -> None:
    from sandbox.egress.recompute.run import raw_of

    with pytest.raises(Unrecognised):
        raw_of(Input("people", "people", ("town",)), [context.indexes[0], context.indexes[0]])


@pytest.mark.parametrize(
    "told",
    [
        [],
        {"text": "SELECT 1"},
        {"text": "SELECT 1", "inputs": [{"name": "people"}]},
        {"text": "SELECT 1", "inputs": [{"name": "a; DROP", "file": "a.parquet", "columns": []}]},
        {"text": "SELECT 1", "inputs": [{"name": "a", "file": "a.parquet", "columns": [], "rows": [5]}]},
    ],
)
def test_a_malformed_script_parameter_is_the_callers_error(tmp_path: Path, told: object) -> None:
    params = {"raws": [], "policy": {}, "policy_id": "test", "script": told}
    with refused("EGRESS_PARAMS"):
        check_room(params, tmp_path, tmp_path)
