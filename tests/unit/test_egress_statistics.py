"""Statistics that are one person's value, or everyone's: recounted from the raw data."""

import polars as pl
import pytest

from sandbox.egress.context import RawTable
from sandbox.egress.findings import Severity


def rules(report, severity=None):
    return {f.rule for f in report.findings if severity is None or f.severity == severity}


@pytest.fixture(scope="module")
def stays(tmp_path_factory):
    """Persons of three wards with one or several stays each, a diagnosis, and what they paid."""
    rows = []
    for person in range(400):
        ward = "甲乙丙"[person % 3]
        for stay in range(1 + person % 2):
            paid = round(100 + 37.31 * person + 1.07 * stay, 2)
            rows.append(
                (f"P{person:04}", ward, "丙肝" if ward == "丙" else ["流感", "丙肝"][person % 2], paid)
            )
    path = tmp_path_factory.mktemp("stays") / "stays.parquet"
    schema = ["person", "ward", "diagnosis", "paid"]
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(path)
    return RawTable("stays", path, "person", ("ward",), ("diagnosis",))


def by_ward(stays, value, name="v"):
    frame = pl.read_parquet(stays.path)
    return frame.group_by("ward").agg(n=pl.col("person").n_unique(), **{name: value}).sort("ward")


PAID = pl.col("paid")
TAILS = {
    "second largest": PAID.sort(descending=True).get(1), "fifth least": PAID.sort().get(4),
    "largest": PAID.max(), "far quantile": PAID.quantile(0.99, "higher"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAILS)
@pytest.mark.parametrize("alone", [False, True])
def test_a_value_that_few_persons_reach_is_one_persons(attack, stays, name, alone):
    """In every row, or in one only: the others are empty."""
    table = by_ward(stays, TAILS[name])
    if alone:
        table = table.with_columns(v=pl.when(pl.col("ward") == "乙").then("v"))
    found = [f for f in attack(table, raws=[stays]).findings if f.rule == "EXTREME"]
    assert [(f.severity, f.evidence["count"]) for f in found] == [(Severity.HARD, 1 if alone else 3)]


def test_the_middle_of_a_distribution_is_nobodys_extreme(attack, stays):
    for value in (PAID.median(), PAID.quantile(0.25, "higher"), PAID.quantile(0.9), PAID.mean().round(2)):
        report = attack(by_ward(stays, value), raws=[stays])
        assert "EXTREME" not in rules(report)


def test_a_group_whose_persons_are_all_alike_is_held(attack, stays):
    """As a column named by the value, as rows of that value alone, and as a cross table."""
    frame = pl.read_parquet(stays.path)
    long = frame.group_by("ward", "diagnosis").agg(n=pl.col("person").n_unique()).sort("ward", "diagnosis")
    named = long.filter(pl.col("diagnosis") == "丙肝").select("ward", 丙肝="n")
    alone = long.filter(pl.col("diagnosis") == "丙肝", pl.col("ward") == "丙")
    wide = long.pivot(on="diagnosis", index="ward", values="n").fill_null(0)
    for table in (named, alone, wide):
        assert "ZERO_CELL" in rules(attack(table, raws=[stays]), Severity.HOLD)
    mixed = long.filter(pl.col("ward") != "丙")
    assert "ZERO_CELL" not in rules(attack(mixed, raws=[stays]))


def test_row_level_output_comes_with_its_measures_and_risks(attack, persons):
    rows = persons.sample(1500, seed=3).select("district", "sex", "disease")
    found = {f.rule: f.evidence for f in attack(rows).findings}
    sizes = rows.group_by("district", "sex").len()["len"]
    told = found["ROW_LEVEL"]
    assert told["k"] == sizes.min() > 20
    one = {"level": 3, "risk": round(1 / told["k"], 4), "share_above": 0.0}
    assert told["risk"]["public"] == one
    (spread,) = told["sensitive"].values()
    share = rows.group_by("district", "sex", "disease").len()
    assert spread["l"] == share.group_by("district", "sex").len()["len"].min()
    assert 0 <= spread["t"] <= 1
    few = {f.rule: f.evidence for f in attack(rows.head(60)).findings}["K_ANONYMITY"]
    assert few["risk"]["public"]["level"] == 2
    assert few["risk"]["public"]["risk"] == round(1 / few["k"], 4)


FUNCTIONS = {
    "count": lambda column: float(len(column)),
    "mean": pl.Series.mean,
    "std": pl.Series.std,
    "25%": lambda column: column.quantile(0.25, "linear"),
    "50%": pl.Series.median,
    "75%": lambda column: column.quantile(0.75, "linear"),
}


def described(persons, *columns, places=6):
    """What ``describe`` gives: a statistic a row."""
    told = {name: [round(fn(persons[name]), places) for fn in FUNCTIONS.values()] for name in columns}
    return pl.DataFrame({"statistic": list(FUNCTIONS), **told})


@pytest.mark.parametrize("places", [6, 1])
@pytest.mark.parametrize("columns", [("age",), ("age", "income")])
def test_statistics_below_each_other_are_no_persons(attack, persons, columns, places):
    """Quartiles of ages are ages: a table of ages was seen, of which each is one person's."""
    report = attack(described(persons, *columns, places=places))
    assert report.verdict.value == "no_objection", report.findings


def test_persons_beside_statistics_are_persons(attack, persons):
    row = persons.row(7, named=True)
    one = pl.DataFrame({"statistic": ["x"], "age": [float(row["age"])], "income": [row["income"]]})
    names = pl.Series("statistic", list("abcdef"))
    tens = persons.filter(pl.col("age") % 10 == 0).head(6)
    for table in (
        pl.concat([described(persons, "age", "income"), one]),
        persons.slice(5, 6).select(names, "age", "income"),
        tens.select(names, "age", "income"),
    ):
        assert "K_ANONYMITY" in {f.rule for f in attack(table).findings if f.severity.value == "hard"}
