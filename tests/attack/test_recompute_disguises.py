"""Statements in disguise: each looks like the plain aggregation beside it, and tells of one person or of few.

A statement of an adversary is recomputed only in shapes in which nobody can be singled out; each case here is
a way in which one once was. The plain sibling is recomputed, so that refusing everything would fail as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from sandbox.demo.register import generate
from sandbox.egress.check import Report, check
from sandbox.egress.context import RawTable
from sandbox.egress.ledger.room import Ledger
from sandbox.egress.recompute import tables as recompute
from sandbox.egress.recompute.expr import Unrecognised
from sandbox.egress.recompute.plan import outputs
from sandbox.egress.recompute.relations import Cells, Given
from sandbox.egress.recompute.run import Input
from sandbox.egress.recompute.tables import Script
from sandbox.policy import load_profile
from tests.attack.test_egress_recompute import raw, result


@dataclass(frozen=True)
class Register:
    """A register of 1,200 persons, three of them with a second home, and one in it who is looked for."""

    path: Path
    person: Mapping[str, Any]

    def sql(self, body: str) -> str:
        """``{…}`` in a statement stands for the person's values; ``{largest}`` for the largest income."""
        return body.format(**self.person)


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Register:
    people = generate(1200, 5)
    known = people.filter(pl.col("income").is_not_null())
    born = known.filter(pl.col("birth_date").is_unique()).sort("birth_date")
    person = born.row(born.height // 2, named=True)
    homes = pl.when(pl.int_range(pl.len()) < 3).then(pl.int_range(pl.len()) + 2).otherwise(1)
    rich = pl.when(resident_id=known["resident_id"][0]).then(4 * 10**8).otherwise("income")
    people = people.with_columns(homes=homes, fortune=rich.cast(pl.Int64))
    path = tmp_path_factory.mktemp("register") / "residents.parquet"
    people.write_parquet(path)
    top = int(known["income"].max())  # type: ignore[arg-type]
    return Register(path, {**person, "largest": top, "twice": int(top * 1.98)})


def judged(folder: Path, register: Register, ledger: Ledger | None = None, **statements: str) -> Report:
    """The report of a job whose script makes one table of each statement; all of them are written as CSV."""
    outputs = folder / "outputs"
    outputs.mkdir(parents=True)
    for name, statement in statements.items():
        result(register.path, f"CREATE TABLE out AS {statement}").write_csv(outputs / f"{name}.csv")
    return of(outputs, register, ledger, **statements)


def of(outputs: Path, register: Register, ledger: Ledger | None = None, **statements: str) -> Report:
    profile = load_profile("national")
    inputs = (Input("residents", "residents", tuple(pl.read_parquet_schema(register.path))),)
    text = "".join(f"CREATE TABLE {name} AS {body};\n" for name, body in statements.items())
    return check(
        [outputs],
        [raw(register.path)],
        {},
        profile.values(),
        profile.id,
        canonical=outputs.parent / "canonical",
        script=Script(text, inputs),
        ledger=ledger,
    )


def planned(register: Register, body: str, views: str = "") -> Cells:
    """What is recognised of a statement; raises ``Unrecognised``."""
    given = [Given("residents", tuple(pl.read_parquet_schema(register.path)), frozenset({"resident_id"}))]
    with duckdb.connect() as connection:
        return outputs(connection, f"{views}CREATE TABLE out AS {register.sql(body)}", given)["out"]()


def recomputed(report: Report) -> list[int]:
    return [file["recomputed"] for file in report.capacity["files"]]


def rules(report: Report) -> set[str]:
    return {f.rule for f in report.findings if f.severity == "hard"}


BY_SEX = "SELECT sex, count(*) AS n, {} FROM residents GROUP BY sex"

# (in disguise, the plain statement it looks like)
OPERANDS = {
    "a cast that is a threshold": (
        "sum(CAST(CAST(income - {largest} AS BOOLEAN) AS INTEGER)) AS k",
        "sum(CAST(income AS BIGINT)) AS k",
    ),
    "a cast that rounds": (
        "sum(CAST(income / {twice} AS INTEGER)) AS k",
        "sum(CAST(income AS DOUBLE) / 10000) AS k",
    ),
    "a cast that fails above a bound": (
        "sum(TRY_CAST(income AS DECIMAL(5, 0))) AS k",
        "sum(CAST(income AS DECIMAL(12, 0))) AS k",
    ),
    "a narrow type": ("avg(TRY_CAST(income AS SMALLINT)) AS k", "avg(CAST(income AS INTEGER)) AS k"),
    "a truth value": (
        "sum(CAST(CAST(homes AS BOOLEAN) AS DOUBLE)) AS k",
        "sum(CAST(CAST(homes AS BIGINT) AS DOUBLE)) AS k",
    ),
    "a shift that swallows all but the largest": (
        "sum(income * 0.000001 + 4503599627370496e0) AS k",
        "sum(income * 0.001 + 100) AS k",
    ),
    "many small steps to such a shift": (
        "sum((income * 1e-5) * 1e-5 * 1e-5 + 1e5) AS k",
        "sum(income * 1e-5 + 1e5) AS k",
    ),
    "a millennium between two dates": (
        "sum(date_diff('millennium', birth_date, DATE '2936-01-01')) AS k",
        "sum(date_diff('year', birth_date, DATE '2026-01-01')) AS k",
    ),
    "whole years since a date of one's own": (
        "sum(date_sub('year', birth_date, DATE '2026-03-04')) AS k",
        "sum(date_sub('day', birth_date, DATE '2026-03-04')) AS k",
    ),
}


def test_an_operand_that_is_a_condition_in_disguise_is_not_recomputed(register: Register) -> None:
    for name, (hidden, plain) in OPERANDS.items():
        with pytest.raises(Unrecognised) as refusal:
            planned(register, BY_SEX.replace("{}", hidden))
        assert refusal.value.why == "operand", name
        assert planned(register, BY_SEX.replace("{}", plain)).pool, name


def test_what_is_not_recomputed_is_charged(register: Register, tmp_path: Path) -> None:
    hidden, plain = (register.sql(BY_SEX.replace("{}", one)) for one in OPERANDS["a cast that rounds"])
    assert judged(tmp_path / "hidden", register, out=hidden).capacity["bits"] > 20
    assert judged(tmp_path / "plain", register, out=plain).capacity["bits"] < 10


def test_a_statement_that_doubles_itself_is_given_up(register: Register) -> None:
    """Sixteen views, each naming the last column twice."""
    views = "CREATE VIEW v0 AS SELECT sex, income AS x FROM residents;\n" + "".join(
        f"CREATE VIEW v{i} AS SELECT sex, coalesce(x, x) AS x FROM v{i - 1};\n" for i in range(1, 17)
    )
    with pytest.raises(Unrecognised) as refusal:
        planned(register, "SELECT x, count(*) AS n FROM v16 GROUP BY x", views)
    assert refusal.value.why == "size"
    assert planned(register, "SELECT x, count(*) AS n FROM v3 GROUP BY x", views).groups


@pytest.mark.parametrize(
    "body", ["stddev(homes) AS s", "covar_pop(income, homes) AS s", "corr(income, homes) AS s"]
)
def test_how_values_spread_tells_of_the_few_that_differ(
    body: str, register: Register, tmp_path: Path
) -> None:
    """Three persons have more than one home: the deviation is a number of theirs."""
    report = judged(tmp_path / "few", register, out=register.sql(BY_SEX.replace("{}", body)))
    assert report.verdict == "reject"
    assert "SMALL_CELL" in rules(report)
    common = body.replace("homes", "year(birth_date)")
    report = judged(tmp_path / "many", register, out=BY_SEX.replace("{}", common))
    assert (report.verdict, recomputed(report)) == ("no_objection", [1])


@pytest.mark.parametrize(
    "body",
    [
        "sum(fortune) AS s",
        "sum(fortune * 2) AS s",
        "sum(fortune) * 2 AS s",
        "sum(fortune + 100000) AS s",
        "avg(fortune * 1e-5 + 1e5) AS s",
        "avg(CASE WHEN fortune > 0 THEN fortune END) AS s",
        "sum(fortune) FILTER (WHERE birth_date > DATE '1900-01-01') / 7 AS s",
    ],
)
def test_one_fortune_is_told_whatever_it_is_shifted_or_scaled_by(
    body: str, register: Register, tmp_path: Path
) -> None:
    report = judged(tmp_path / "job", register, out=BY_SEX.replace("{}", body))
    assert report.verdict == "reject"
    assert "DOMINANCE" in rules(report)


JOINS = {
    "a median of one who is repeated": (
        "SELECT a.sex, count(DISTINCT a.resident_id) AS n, median(a.income) AS m FROM residents a "
        "JOIN residents b ON (a.birth_date = b.birth_date AND a.income = b.income) "
        "OR a.birth_date = DATE '{birth_date}' GROUP BY 1"
    ),
    "a key of one's own that gathers others' rows at one": (
        "SELECT a.sex, count(DISTINCT a.resident_id) AS n, median(a.income) AS m FROM residents a "
        "JOIN residents b ON a.sex = b.sex AND (a.birth_date = b.birth_date "
        "OR (a.birth_date = DATE '{birth_date}' AND b.income > 1)) GROUP BY 1"
    ),
}


@pytest.mark.parametrize("name", JOINS)
def test_a_join_that_repeats_a_person_is_not_recomputed(
    name: str, register: Register, tmp_path: Path
) -> None:
    report = judged(tmp_path / "job", register, out=register.sql(JOINS[name]))
    assert recomputed(report) == [0]
    assert report.capacity["bits"] > 20


def test_a_join_by_keys_is(register: Register, tmp_path: Path) -> None:
    body = (
        "SELECT a.sex, count(DISTINCT a.resident_id) AS n, avg(b.income) AS m FROM residents a "
        "JOIN residents b ON a.resident_id = b.resident_id AND a.birth_date = b.birth_date GROUP BY 1"
    )
    report = judged(tmp_path / "job", register, out=body)
    assert (report.verdict, recomputed(report)) == ("no_objection", [1])


def test_a_median_over_rows_that_are_mostly_of_one_entity_is_theirs(tmp_path: Path) -> None:
    """Visits: one patient has nearly all those of a ward, and more than enough others have one each."""
    rows = [{"patient": "P1", "ward": "A", "cost": 777} for _ in range(400)]
    rows += [{"patient": f"Q{i}", "ward": "AB"[i % 2], "cost": 100 + i} for i in range(60)]
    place = tmp_path / "visits.parquet"
    pl.DataFrame(rows).write_parquet(place)
    table = recompute_visits(place, "median(cost) AS m", tmp_path / "job")
    assert "DOMINANCE" in rules(table)
    assert "DOMINANCE" not in rules(recompute_visits(place, "count(*) AS rows", tmp_path / "plain"))


def recompute_visits(place: Path, body: str, folder: Path) -> Report:
    sql = f"SELECT ward, count(DISTINCT patient) AS n, {body} FROM visits GROUP BY ward"
    (folder / "outputs").mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW visits AS SELECT * FROM '{place}'")
        frame = pl.DataFrame(pl.from_arrow(connection.sql(sql).to_arrow_table()))
    frame.write_csv(folder / "outputs" / "out.csv")
    script = Script(f"CREATE TABLE out AS {sql}", (Input("visits", "visits", ("patient", "ward", "cost")),))
    table = RawTable("visits", place, "patient", ("ward",), ("cost",), ())
    values = load_profile("national").values()
    return check([folder / "outputs"], [table], {}, values, "national", script=script)


# Two aggregates of one table, each of many; what lies between them is one person.
BETWEEN = {
    "a share and a count": (
        "avg(CASE WHEN birth_date <= DATE '{birth_date}' THEN 1 ELSE 0 END) AS a, "
        "count(*) FILTER (WHERE birth_date < DATE '{birth_date}') AS b"
    ),
    "a sum by a mean and a count": (
        "sum(income) FILTER (WHERE birth_date <= DATE '{birth_date}') AS a, "
        "avg(income) FILTER (WHERE birth_date <= DATE '{birth_date}') AS b, "
        "count(*) FILTER (WHERE birth_date < DATE '{birth_date}' AND income IS NOT NULL) AS c"
    ),
    "two sums that a constant tells apart, and a count": (
        "sum(CASE WHEN birth_date <= DATE '{birth_date}' THEN income + 1 END) AS a, "
        "sum(CASE WHEN birth_date <= DATE '{birth_date}' THEN income END) AS b, "
        "count(*) FILTER (WHERE birth_date < DATE '{birth_date}' AND income > 0) AS c"
    ),
    "two deviations and a count": (
        "var_pop(income) FILTER (WHERE birth_date <= DATE '{birth_date}') AS a, "
        "var_samp(income) FILTER (WHERE birth_date <= DATE '{birth_date}') AS b, "
        "count(*) FILTER (WHERE birth_date < DATE '{birth_date}' AND income IS NOT NULL) AS c"
    ),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_a_count_that_is_told_by_two_statistics_is_compared_with_the_others(
    name: str, register: Register, tmp_path: Path
) -> None:
    report = judged(tmp_path / "job", register, out=register.sql(BY_SEX.replace("{}", BETWEEN[name])))
    assert report.verdict == "reject"
    assert any(f.evidence.get("basis") == "difference" for f in report.findings)


# Two tables of one request, each of many; what lies between them is one person.
PARTS = {
    "conditional counts": (
        BY_SEX.replace("{}", "count(*) FILTER (WHERE birth_date < DATE '{birth_date}') AS a"),
        BY_SEX.replace("{}", "count(*) FILTER (WHERE birth_date <= DATE '{birth_date}') AS a"),
    ),
    "conditional means": (
        BY_SEX.replace("{}", "avg(CASE WHEN birth_date < DATE '{birth_date}' THEN income END) AS a"),
        BY_SEX.replace("{}", "avg(income) FILTER (WHERE birth_date <= DATE '{birth_date}') AS a"),
    ),
    "a part and a filtered table": (
        BY_SEX.replace("{}", "sum(income) FILTER (WHERE birth_date < DATE '{birth_date}') AS a"),
        "SELECT sex, count(*) AS n, sum(income) AS a FROM residents "
        "WHERE birth_date <= DATE '{birth_date}' GROUP BY sex",
    ),
    "single numbers": (
        "SELECT avg(income) AS m FROM residents",
        "SELECT avg(income) AS m FROM residents WHERE birth_date <> DATE '{birth_date}'",
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_two_tables_that_differ_by_one_are_refused_together(
    name: str, register: Register, tmp_path: Path
) -> None:
    one, other = (register.sql(body) for body in PARTS[name])
    report = judged(tmp_path / "job", register, one=one, other=other)
    assert recomputed(report) == [1, 1]
    assert "DIFFERENCING" in rules(report)


THREE = {
    "three tables": (
        "SELECT sex, count(*) AS n, sum(income) AS s FROM residents GROUP BY sex",
        "SELECT sex, count(*) AS n, sum(income) AS s FROM residents WHERE birth_date < DATE '{birth_date}' "
        "GROUP BY sex",
        "SELECT sex, count(*) AS n, sum(income) AS s FROM residents WHERE birth_date > DATE '{birth_date}' "
        "GROUP BY sex",
    ),
    "three numbers of one table": (
        BY_SEX.replace(
            "{}",
            "sum(income) AS s, sum(income) FILTER (WHERE birth_date < DATE '{birth_date}') AS a, "
            "sum(CASE WHEN birth_date > DATE '{birth_date}' THEN income ELSE 0 END) AS b",
        ),
    ),
}


@pytest.mark.parametrize("name", THREE)
def test_what_three_numbers_leave_of_one_person_is_refused(
    name: str, register: Register, tmp_path: Path
) -> None:
    """All, without those born before a day, without those born after it: each of hundreds."""
    statements = {f"t{i}": register.sql(body) for i, body in enumerate(THREE[name])}
    report = judged(tmp_path / "job", register, **statements)
    assert recomputed(report) == [1] * len(statements)
    assert "DIFFERENCING" in rules(report)
    wider = {
        key: body.replace(f"> DATE '{register.person['birth_date']}'", "> DATE '1999-12-31'")
        for key, body in statements.items()
    }
    report = judged(tmp_path / "wider", register, **wider)
    assert (report.verdict, [f.rule for f in report.findings]) == ("no_objection", [])


@pytest.mark.parametrize("name", ["conditional counts", "single numbers"])
def test_parts_of_two_requests_that_differ_by_one_are_refused_as_well(
    name: str, register: Register, tmp_path: Path
) -> None:
    one, other = (register.sql(body) for body in PARTS[name])
    kept = tmp_path / "ledger" / "REQUEST-1"
    first = judged(tmp_path / "first", register, Ledger(b"k" * 32, None, kept, {}), one=one)
    assert (first.verdict, first.findings) == ("no_objection", [])
    second = judged(tmp_path / "second", register, Ledger(b"k" * 32, kept.parent, None, {}), other=other)
    assert "DIFFERENCING" in rules(second)


def test_a_column_without_a_name_cannot_be_named_by_the_job(register: Register, tmp_path: Path) -> None:
    body = "SELECT sex, count(*), round(avg(income), 1) FROM residents GROUP BY sex"
    honest = judged(tmp_path / "honest", register, out=body)
    assert (honest.verdict, recomputed(honest)) == ("no_objection", [1])
    file = tmp_path / "honest" / "outputs" / "out.csv"
    assert "round(avg(income), 1)" in file.read_text("utf-8")
    hostile = tmp_path / "hostile" / "outputs"
    hostile.mkdir(parents=True)
    (hostile / "out.csv").write_text(file.read_text("utf-8").replace("round(avg(income), 1)", "xqmvbtr"))
    assert "RECOMPUTED" in rules(of(hostile, register, out=body))


def test_a_statement_that_takes_too_long_is_given_up(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the time for all statements were over: the table is charged, and the other checks still run."""
    body = "SELECT sex, count(*) AS n FROM residents GROUP BY sex"
    monkeypatch.setattr(recompute, "_AGAIN", 0.0001)
    monkeypatch.setattr(recompute, "_SECONDS", -1.0)
    report = judged(tmp_path / "job", register, out=body)
    assert "CHECK_ERROR" not in rules(report)
    assert report.verdict == "no_objection"
    monkeypatch.undo()
    assert isinstance(register.person["birth_date"], dt.date)


TYPED = (
    "SELECT year(birth_date) // 10 * 10 AS born, sex, count(*) AS n, round(avg(income), 1) AS m "
    "FROM residents GROUP BY ALL HAVING count(*) >= 20"
)


def test_the_types_of_a_recomputed_table_are_ours(register: Register, tmp_path: Path) -> None:
    """An integer of two bytes or of eight, a float, text, a decimal: bits that nobody sees."""
    honest = result(register.path, f"CREATE TABLE out AS {TYPED}")
    choices = (pl.col("n").cast(pl.Float64), pl.col("born").cast(pl.Int16), pl.col("born").cast(pl.String))
    tables = [honest, *(honest.with_columns(one) for one in choices)]
    left = set()
    for number, table in enumerate(tables):
        outputs = tmp_path / str(number) / "outputs"
        outputs.mkdir(parents=True)
        table.write_parquet(outputs / "out.parquet")
        report = of(outputs, register, out=TYPED)
        assert (report.verdict, recomputed(report)) == ("no_objection", [1])
        left.add((outputs.parent / "canonical" / "out.parquet").read_bytes())
    assert len(left) == 1


def test_a_statement_that_says_how_many_decimals_leaves_no_choice_of_them(
    register: Register, tmp_path: Path
) -> None:
    honest = result(register.path, f"CREATE TABLE out AS {TYPED}")
    (tmp_path / "outputs").mkdir()
    honest.with_columns(pl.col("m").round(0)).write_csv(tmp_path / "outputs" / "out.csv")
    assert "RECOMPUTED" in rules(of(tmp_path / "outputs", register, out=TYPED))


def test_a_remark_in_every_row_takes_no_table_out_of_the_ledger(register: Register, tmp_path: Path) -> None:
    """A label that the raw data does not know once made the cells unknown, and the ledger blind."""
    people = pl.read_parquet(register.path)
    counts = people.group_by("ethnicity").agg(n=pl.len()).filter(pl.col("n") >= 10).sort("n")
    later = (
        "SELECT ethnicity, count(*) AS n, avg(income) AS m FROM residents "
        "WHERE birth_date <> DATE '{birth_date}' GROUP BY ethnicity HAVING count(*) >= 10"
    )
    for name, table in (("plain", counts), ("remark", counts.with_columns(remark=pl.lit("版本一")))):
        outputs, kept = tmp_path / name / "outputs", tmp_path / name / "ledger" / "REQUEST-1"
        outputs.mkdir(parents=True)
        table.write_csv(outputs / "out.csv")
        assert of(outputs, register, Ledger(b"k" * 32, None, kept, {})).verdict == "no_objection"
        ledger = Ledger(b"k" * 32, kept.parent, None, {})
        second = judged(tmp_path / name / "later", register, ledger, other=register.sql(later))
        assert "DIFFERENCING" in rules(second), name


def test_how_many_values_there_are_tells_where_the_rare_one_is(register: Register, tmp_path: Path) -> None:
    """Three of all persons have more than one home."""
    body = "SELECT sex, count(*) AS n, count(DISTINCT {}) AS kinds FROM residents GROUP BY sex"
    report = judged(tmp_path / "rare", register, out=body.replace("{}", "homes"))
    assert "SMALL_CELL" in rules(report)
    report = judged(tmp_path / "common", register, out=body.replace("{}", "education"))
    assert (report.verdict, recomputed(report)) == ("no_objection", [1])


def test_a_group_all_alike_is_seen_through_an_expression(register: Register, tmp_path: Path) -> None:
    """Everybody of a district has the disease; the dimension is made of it and of another column."""
    people = pl.read_parquet(register.path)
    district = people.group_by("district").len().sort("len", "district")["district"][-1]
    ill = pl.when(district=district).then(pl.lit("糖尿病")).otherwise("chronic_disease")
    path = tmp_path / "residents.parquet"
    people.with_columns(chronic_disease=ill).write_parquet(path)
    body = (
        "SELECT district, CASE WHEN chronic_disease = '糖尿病' AND birth_date IS NOT NULL THEN 'a' ELSE 'b' "
        "END AS g, count(*) AS n FROM residents GROUP BY ALL HAVING count(*) >= 15"
    )
    report = judged(tmp_path / "job", Register(path, register.person), out=body)
    assert recomputed(report) == [1]
    assert "ZERO_CELL" in {f.rule for f in report.findings}
