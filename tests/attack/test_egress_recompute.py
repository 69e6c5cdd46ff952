"""Bits hidden in an allowed shape: what leaves of a recomputed table is the same, whatever was in it.

A hostile job knows a secret and has an honest table to put it into. Each ``Channel`` is one way; its
canonical form must be byte for byte that of the honest job, or the table is not recomputed and is stopped, or
at least charged. The register is the demonstration's; secrets and places are drawn by seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from sandbox.demo.register import generate
from sandbox.egress.check import Report, check, declarations
from sandbox.egress.context import RawTable
from sandbox.egress.recompute.run import Input
from sandbox.egress.recompute.tables import Script
from sandbox.egress.report.html import html
from sandbox.policy import load_profile

QUASI = ("sex", "birth_date", "ethnicity", "district_code", "district", "education", "occupation")
HONEST = """CREATE TABLE out AS
SELECT district, sex, count(*) AS n, round(avg(income), 1) AS mean_income, median(income) AS median_income
FROM residents GROUP BY district, sex HAVING count(*) >= 20"""


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("register") / "residents.parquet"
    generate(2000, 5).write_parquet(path)
    return path


def raw(path: Path, **over: Any) -> RawTable:
    hidden = ("name", "address", "phone", "household_id")
    return RawTable("residents", path, "resident_id", QUASI, ("income", "chronic_disease"), hidden, **over)


def result(register: Path, sql: str) -> pl.DataFrame:
    """What the statement gives, rows in a fixed order."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW residents AS SELECT * FROM '{register}'")
        connection.execute(sql)
        return pl.DataFrame(pl.from_arrow(connection.sql("SELECT * FROM out ORDER BY ALL").to_arrow_table()))


def judged(
    folder: Path,
    register: Path,
    table: pl.DataFrame | str,
    sql: str | None = HONEST,
    name: str = "out.csv",
    declared: list[dict[str, Any]] | None = None,
) -> tuple[Report, bytes]:
    """(the report, the canonical bytes) of ``table`` as the output of a job with the script ``sql``."""
    folder.mkdir()
    file = folder / "outputs" / name
    file.parent.mkdir()
    if isinstance(table, str):
        file.write_text(table, encoding="utf-8")
    elif name.endswith("parquet"):
        table.write_parquet(file)
    else:
        table.write_csv(file)
    profile = load_profile("national")
    columns = tuple(pl.read_parquet_schema(register))
    script = Script(sql, (Input("residents", "residents", columns),)) if sql else None
    report = check(
        [file.parent],
        [raw(register)],
        declarations(declared or []),
        profile.values(),
        profile.id,
        canonical=folder / "canonical",
        script=script,
    )
    left = folder / "canonical" / name
    return report, left.read_bytes() if left.exists() else b""


@dataclass(frozen=True)
class Channel:
    """``hide(table, rng)`` puts bits into an honest table; the first of ``ends`` is what must come of them:
    "erased" (the honest bytes leave), or a rule that stops the set."""

    name: str
    hide: Callable[[pl.DataFrame, random.Random], pl.DataFrame | str]
    end: str


def _decimals(table: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    noise = pl.Series([rng.randrange(1000) / 1e5 - 0.005 for _ in range(table.height)])
    return table.with_columns(pl.col("median_income") + noise * 1e-9)


def _rounding(table: pl.DataFrame, rng: random.Random) -> str:
    """The same number with more or fewer noughts: 57200, 57200.0, 57200.00."""
    rows = [
        [*map(str, row[:3]), f"{row[3]:.{rng.randrange(1, 5)}f}", f"{row[4]:.{rng.randrange(1, 6)}f}"]
        for row in table.rows()
    ]
    return "\n".join(",".join(row) for row in [table.columns, *rows]) + "\n"


def _order(table: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    return table.sample(fraction=1.0, shuffle=True, seed=rng.randrange(1 << 30))


def _spelling(table: pl.DataFrame, rng: random.Random) -> str:
    """Blanks around labels, full-width commas of nothing, quotes where none are needed."""
    rows = [
        [f'"{row[0]}"' if rng.random() < 0.5 else f" {row[0]} ", *map(str, row[1:])] for row in table.rows()
    ]
    return "\r\n".join(",".join(row) for row in [table.columns, *rows]) + "\r\n"


def _without_rows(table: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    return table.filter(pl.Series([rng.random() < 0.8 for _ in range(table.height)]))


def _twice(table: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    return pl.concat([table, table.sample(5, seed=rng.randrange(1 << 30))])


def _counts(table: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    return table.with_columns(n=pl.col("n") + pl.Series([rng.randrange(2) for _ in range(table.height)]))


def _means(table: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    noise = pl.Series([rng.randrange(2) / 10 for _ in range(table.height)])
    return table.with_columns(mean_income=pl.col("mean_income") + noise)


def _added_row(table: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    secret = str(rng.randrange(10**17))
    extra = table.head(1).with_columns(district=pl.lit(secret))
    return pl.concat([table, extra])


def _names(table: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    return table.rename({"n": f"n{rng.randrange(10**6)}"})


CHANNELS = (
    Channel("order of rows", _order, "erased"),
    Channel("low decimals", _decimals, "erased"),
    Channel("choice of rounding", _rounding, "erased"),
    Channel("spelling of labels, quotes, line ends", _spelling, "erased"),
    Channel("presence of rows", _without_rows, "RECOMPUTED"),
    Channel("rows twice", _twice, "RECOMPUTED"),
    Channel("counts off by one", _counts, "RECOMPUTED"),
    Channel("last digit of means", _means, "RECOMPUTED"),
    Channel("a row of its own", _added_row, "RECOMPUTED"),
    Channel("column names", _names, "RECOMPUTED"),
)


@pytest.fixture(scope="module")
def honest_bytes(register: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("honest") / "job"
    report, left = judged(folder, register, result(register, HONEST))
    assert (report.verdict, [f.rule for f in report.findings]) == ("no_objection", [])
    return left


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_no_bit_survives_in_a_recomputed_table(
    channel: Channel, register: Path, honest_bytes: bytes, tmp_path: Path
) -> None:
    hostile = channel.hide(result(register, HONEST), random.Random(channel.name))
    told, carried = judged(tmp_path / "hostile", register, hostile)
    if channel.end == "erased":
        assert carried == honest_bytes
        assert told.verdict == "no_objection"
        assert told.capacity["bits"] <= 10  # with how many decimals the median's column is written
    else:
        assert (told.verdict, carried) == ("reject", b"")
        assert channel.end in {f.rule for f in told.findings}


# Statements that smuggle: each is refused by name or is not recognised as something to recompute.
SMUGGLERS = {
    "one person's income in a sum": (
        "SELECT district, count(*) AS n, sum(CASE WHEN birth_date = DATE '{birth}' AND sex = '{sex}' "
        "THEN income ELSE 0 END) AS s FROM residents GROUP BY district HAVING count(*) >= 20",
        "SMALL_CELL",
    ),
    "one person's income by a filter": (
        "SELECT sex, count(*) AS n, avg(income) FILTER (WHERE birth_date = DATE '{birth}') AS m "
        "FROM residents GROUP BY sex",
        "SMALL_CELL",
    ),
    "all but one": (
        "SELECT sex, count(*) AS n, count(*) FILTER (WHERE NOT (birth_date = DATE '{birth}')) AS rest "
        "FROM residents GROUP BY sex",
        "SMALL_CELL",
    ),
    "the sum without one": (
        "SELECT sex, count(*) AS n, sum(income) AS s, "
        "sum(income) FILTER (WHERE birth_date <> DATE '{birth}') AS r FROM residents GROUP BY sex",
        "SMALL_CELL",
    ),
    "two parts that differ by one": (
        "SELECT district, count(*) FILTER (WHERE sex = '{sex}') AS a, count(*) AS n, "
        "count(*) FILTER (WHERE sex = '{sex}' AND NOT birth_date = DATE '{birth}') AS b "
        "FROM residents GROUP BY district HAVING count(*) >= 40",
        "SMALL_CELL",
    ),
    "a filter that leaves few": (
        "SELECT sex, count(*) AS n, avg(income) AS m FROM residents WHERE birth_date = DATE '{birth}' "
        "GROUP BY sex",
        "SMALL_CELL",
    ),
    "a case for one person as a group": (
        "SELECT CASE WHEN birth_date = DATE '{birth}' THEN 'a' ELSE 'b' END AS g, count(*) AS n, "
        "avg(income) AS m FROM residents GROUP BY ALL",
        "SMALL_CELL",
    ),
}


@pytest.mark.parametrize("name", SMUGGLERS)
def test_a_statement_that_singles_out_is_refused(name: str, register: Path, tmp_path: Path) -> None:
    person = pl.read_parquet(register).filter(pl.col("income").is_not_null()).row(7, named=True)
    body, rule = SMUGGLERS[name]
    sql = "CREATE TABLE out AS " + body.format(birth=person["birth_date"], sex=person["sex"])
    report, left = judged(tmp_path / "job", register, result(register, sql), sql)
    assert (report.verdict, left) == ("reject", b"")
    assert rule in {f.rule for f in report.findings}


def test_a_filter_counts_the_persons_it_leaves_not_all(register: Path, tmp_path: Path) -> None:
    """Without the statement the cells of a filtered table are counted over everyone."""
    few = "CREATE TABLE out AS SELECT district, count(*) AS n FROM residents WHERE income > 90000 GROUP BY 1"
    report, _ = judged(tmp_path / "job", register, result(register, few), few)
    found = next(
        f for f in report.findings if f.rule == "SMALL_CELL" and f.evidence.get("basis") == "recount"
    )
    small = result(register, few).filter(pl.col("n") < 10).height
    assert found.evidence["count"] == small > 0


@pytest.mark.parametrize(("lang", "words"), [("zh", "1 / 1 个表已重算"), ("en", "1 / 1 tables recomputed")])
def test_the_report_says_what_was_recomputed_and_what_could_be_carried(
    lang: str, words: str, register: Path, tmp_path: Path
) -> None:
    report, _ = judged(tmp_path / "job", register, result(register, HONEST))
    page = html(report.as_json(), lang)
    assert words in page
    assert f" {report.capacity['bits']} " in page


def test_the_table_of_another_statement_is_refused(register: Path, tmp_path: Path) -> None:
    """A runner in the developer's hands writes the table of another statement."""
    other = HONEST.replace("avg(income)", "stddev(income)")
    report, left = judged(tmp_path / "job", register, result(register, other), HONEST)
    assert (report.verdict, left) == ("reject", b"")
    assert "RECOMPUTED" in {f.rule for f in report.findings}


# --- without a statement: a Python job


def declared(**over: Any) -> list[dict[str, Any]]:
    told = {"path": "out.csv", "dimensions": ["district", "sex"], "counts": ["n"]}
    return [{**told, "measures": ["mean_income", "median_income"], **over}]


SAID = {
    "statistics": {
        "mean_income": {"fn": "avg", "of": "income"},
        "median_income": {"fn": "median", "of": "income"},
    },
    "precision": {"mean_income": 1, "median_income": 0},
}


@pytest.mark.parametrize(
    "channel", [one for one in CHANNELS if one.end == "erased"], ids=lambda channel: channel.name
)
def test_declared_statistics_of_a_python_job_are_recomputed_alike(
    channel: Channel, register: Path, tmp_path: Path
) -> None:
    table = result(register, HONEST)
    _, left = judged(tmp_path / "honest", register, table, None, declared=declared(**SAID))
    hostile = channel.hide(table, random.Random(channel.name))
    report, carried = judged(tmp_path / "hostile", register, hostile, None, declared=declared(**SAID))
    assert (report.verdict, carried) == ("no_objection", left)
    assert left
    assert report.capacity["bits"] <= 10  # from how many persons on cells are shown
    assert report.capacity["files"][0]["recomputed"] == 1


def test_what_a_python_job_does_not_get_from_the_data_is_charged_and_held(
    register: Path, tmp_path: Path
) -> None:
    honest = result(register, HONEST)
    secret = pl.Series([random.Random(3).randrange(10**6) for _ in range(honest.height)])
    report, _ = judged(tmp_path / "job", register, honest.with_columns(mean_income=secret), None)
    assert report.verdict == "hold"
    assert "UNEXPLAINED" in {f.rule for f in report.findings}
    assert report.capacity["bits"] > honest.height * 15  # nearly log2(10^6) a row
    assert report.capacity["files"][0]["recomputed"] == 0


def test_which_rows_are_there_is_charged_where_no_threshold_explains_it(
    register: Path, tmp_path: Path
) -> None:
    honest = result(register, HONEST)
    by_size, _ = judged(tmp_path / "size", register, honest.filter(pl.col("n") >= 30), None)
    by_secret, _ = judged(tmp_path / "secret", register, _without_rows(honest, random.Random(5)), None)
    assert by_secret.capacity["bits"] > by_size.capacity["bits"] + 20


# --- groups of one's own


def _ages(edges: list[float], register: Path) -> pl.DataFrame:
    """Persons by income band with the given edges, labels written from them."""
    people = pl.read_parquet(register).filter(pl.col("income").is_not_null())
    rows = []
    for low, high in pairwise(edges):
        inside = people.filter((pl.col("income") >= low) & (pl.col("income") < high))
        rows += [
            {"income": f"{low}-{high}", "sex": s, "n": inside.filter(sex=s).height} for s in ("男", "女")
        ]
    return pl.DataFrame(rows).filter(pl.col("n") >= 20)


def test_even_bands_are_recounted_and_pass(register: Path, tmp_path: Path) -> None:
    report, left = judged(tmp_path / "job", register, _ages([0, 20000, 40000, 60000, 80000], register), None)
    assert (report.verdict, [f.rule for f in report.findings]) == ("no_objection", [])
    assert left
    assert report.capacity["files"][0]["recomputed"] == 1


def test_edges_that_say_too_much_are_no_honest_bands(register: Path, tmp_path: Path) -> None:
    """Each edge of 17 digits carries an identity number's worth."""
    rng = random.Random(7)
    edges = [0, *(k * 20000 + rng.randrange(10**12) / 1e9 for k in (1, 2, 3)), 80000]
    report, _ = judged(tmp_path / "job", register, _ages(edges, register), None)
    assert report.verdict != "no_objection"
    assert report.capacity["files"][0]["recomputed"] == 0


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("birth year", pl.col("birth_date").dt.year()),
        ("birth decade", pl.col("birth_date").dt.year() // 10 * 10),
        ("decade in words", pl.format("{}年代", pl.col("birth_date").dt.year() // 10 * 10)),
        ("age", 2026 - pl.col("birth_date").dt.year()),
        (
            "birth quarter",
            pl.format("{}Q{}", pl.col("birth_date").dt.year(), pl.col("birth_date").dt.quarter()),
        ),
        ("upper division", pl.col("district_code").cast(pl.String).str.slice(0, 4)),
    ],
)
def test_honest_groups_pass_and_false_counts_of_them_do_not(
    name: str, key: pl.Expr, register: Path, tmp_path: Path
) -> None:
    people = pl.read_parquet(register)
    table = people.group_by(key.alias(name.replace(" ", "_"))).agg(n=pl.len()).filter(pl.col("n") >= 12)
    report, _ = judged(tmp_path / "honest", register, table, None)
    assert (report.verdict, [f.rule for f in report.findings]) == ("no_objection", [])
    false = table.with_columns(
        n=pl.when(pl.int_range(pl.len()) % 4 == 0).then(pl.col("n") + 7).otherwise("n")
    )
    report, _ = judged(tmp_path / "false", register, false, None)
    assert report.verdict != "no_objection"


# --- no positive model


@pytest.mark.parametrize(
    ("why", "column"),
    [
        ("token", [f"{random.Random(i).getrandbits(64):016x}" for i in range(40)]),
        (
            "text",
            [
                f"第{i}户的情况是经多次走访后了解到的，其家庭在过去几年里经历了若干变化，编号{i * 37}"
                + "，详情另附" * 3
                for i in range(40)
            ],
        ),
    ],
)
def test_a_column_that_is_no_dimension_count_or_measure_is_not_releasable(
    why: str, column: list[str], register: Path, tmp_path: Path
) -> None:
    frame = pl.DataFrame({"note": column, "n": range(20, 60)})
    report, left = judged(tmp_path / "job", register, frame, None)
    assert (report.verdict, left) == ("reject", b"")
    found = [f for f in report.findings if f.rule == "NOT_RELEASABLE"]
    assert len(found) == 1
    assert "note" in found[0].where


def test_one_number_for_each_entity_is_not_releasable(register: Path, tmp_path: Path) -> None:
    rng = random.Random(11)
    frame = pl.DataFrame({"score": [rng.random() for _ in range(2000)]})
    report, _ = judged(tmp_path / "job", register, frame, None)
    assert "NOT_RELEASABLE" in {f.rule for f in report.findings}


def test_two_statements_that_differ_by_one_persons_birthday_are_refused_together(
    register: Path, tmp_path: Path
) -> None:
    """Each cell of both has hundreds; the populations behind them are compared, not only stated numbers."""
    birth = pl.read_parquet(register)["birth_date"][5]
    body = "SELECT sex, count(*) AS n, avg(income) AS m FROM residents"
    one, other = f"{body} GROUP BY sex", f"{body} WHERE birth_date <> DATE '{birth}' GROUP BY sex"
    (tmp_path / "outputs").mkdir()
    for name, statement in (("one", one), ("other", other)):
        result(register, f"CREATE TABLE out AS {statement}").write_csv(tmp_path / "outputs" / f"{name}.csv")
    profile = load_profile("national")
    inputs = (Input("residents", "residents", tuple(pl.read_parquet_schema(register))),)
    script = Script(f"CREATE TABLE one AS {one}; CREATE TABLE other AS {other};", inputs)
    report = check([tmp_path / "outputs"], [raw(register)], {}, profile.values(), profile.id, script=script)
    assert report.verdict == "reject"
    assert "DIFFERENCING" in {f.rule for f in report.findings if f.severity == "hard"}
    assert [file["recomputed"] for file in report.capacity["files"]] == [1, 1]
