"""What later checks took for an honest statistic, and what could be said by choosing among such (R-139)."""

import numpy as np
import polars as pl
import pytest

from sandbox.egress.checks.scope import purpose
from sandbox.egress.context import Context, RawTable, Scope
from sandbox.egress.findings import Severity

CELLS = ["district", "occupation", "sex"]


def rules(report, severity=None):
    return {f.rule for f in report.findings if severity is None or f.severity == severity}


def stored(folder, frame):
    frame.write_parquet(folder / "raw.parquet")
    return RawTable(
        "persons", folder / "raw.parquet", "id_no", ("district", "sex"), ("disease",), ("name", "phone")
    )


@pytest.fixture
def cells(persons):
    return persons.group_by(CELLS).agg(n=pl.len()).filter(pl.col("n") >= 10).sort(CELLS)


def shuffled(table):
    """The rows in an order of the job's own, as a message would choose it."""
    return table.with_columns(at=pl.int_range(pl.len()) * 7919 % 101).sort("at").drop("at")


def test_running_sums_in_an_order_of_the_job_s_own_are_a_message(attack, persons, tmp_path):
    """Rows leave sorted; the sums then tell in which of all orders they were added up."""
    place = (pl.int_range(pl.len()) ** 2 // 7919).cast(pl.String)
    streets = persons.with_columns(street=pl.lit("街") + (place.str.slice(-2)))
    raw = stored(tmp_path, streets)
    table = streets.group_by("street").agg(n=pl.len()).filter(pl.col("n") >= 10).sort("street")
    assert table.height > 40
    told = pl.col("n").cum_sum()
    assert "UNEXPLAINED" in rules(attack(shuffled(table).with_columns(told=told), raws=[raw]), Severity.HOLD)
    for honest in (table, table.sort("n", "street", descending=[True, False])):
        report = attack(honest.with_columns(told=told), raws=[raw])
        assert not report.findings, [(f.rule, f.where, f.evidence) for f in report.findings]


def test_ranks_among_equals_are_a_message(attack, persons, cells, tmp_path):
    """Every cell has the same mean of a raw column that says the year: its ranks are any order at all."""
    raw = stored(tmp_path, persons.with_columns(year=pl.lit(2025)))
    odd = shuffled(cells).with_row_index("place", 1)
    assert "UNEXPLAINED" in rules(attack(odd, raws=[raw]), Severity.HOLD)
    table = cells.with_columns(place=pl.col("n").rank("ordinal", descending=True))
    assert attack(table, raws=[raw]).verdict == "no_objection"


def test_a_fit_or_correlation_that_one_person_decides_is_none(attack, persons, tmp_path):
    """A number that one person has: slope and correlation are that person's income, rescaled."""
    one = pl.int_range(pl.len()) == 17
    paid = persons.with_columns(grant=pl.when(one).then(1234.5).otherwise(0.0), bonus=pl.col("age") * 0.5 + 3)
    paid = paid.with_columns(bonus=pl.when(one).then(9.25e4).otherwise("bonus"))
    raw = stored(tmp_path, paid)
    income = paid["income"].to_numpy()
    for number in ("grant", "bonus", "age"):
        x = np.column_stack([np.ones(paid.height), paid[number].cast(pl.Float64).to_numpy()])
        beta = np.linalg.lstsq(x, income)[0]
        fit = pl.DataFrame({"term": ["(Intercept)", number], "estimate": beta.round(9)})
        r = np.corrcoef(x[:, 1], income).round(12)
        pair = pl.DataFrame({"变量": [number, "income"], number: r[0], "income": r[1]})
        for table in (fit, pair):
            assert ("UNEXPLAINED" in rules(attack(table, raws=[raw]))) == (number != "age"), (number, table)


def test_lines_that_repeat_a_table_each_in_another_way_are_a_message(attack, cells):
    """Numbered or not, with a comma or a bar, with a space inside a word: what may stand freely may speak."""
    rows = [[str(cell) for cell in row] for row in cells.rows()]
    head = "| district | occupation | sex | n |\n|---|---|---|---|\n"
    text = head + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"
    bits = [number * 7919 % 101 % 2 for number in range(len(rows))]

    def told(*ways):
        lines = [ways[bit % len(ways)](n, row) for n, (bit, row) in enumerate(zip(bits, rows, strict=True))]
        return attack(text + "".join(f"{line}\n\n" for line in lines), "a.md")

    def plain(_, row):
        return " ".join(row)

    for odd in (
        lambda n, row: f"{n} {plain(n, row)}",
        lambda _, row: ", ".join(row),
        lambda n, row: plain(n, row).replace("区", " 区"),
        lambda n, row: f"{plain(n, row)} |",
    ):
        assert "UNEXPLAINED" in rules(told(plain, odd), Severity.HOLD)
    for honest in (plain, lambda n, row: f"{n} {plain(n, row)}", lambda _, row: ", ".join(row)):
        assert told(honest).verdict == "no_objection"


def test_which_values_of_a_dimension_are_shown_is_a_message(attack, persons, tmp_path):
    """Of ninety streets half: by size, by name or by a threshold that is a rule, one by one it is none."""
    streets = persons.with_columns(
        street=pl.lit("街") + (pl.int_range(pl.len()) ** 2 % 8101 % 90).cast(pl.String)
    )
    raw = stored(tmp_path, streets)
    table = streets.group_by("street").agg(n=pl.len(), mean=pl.col("income").mean().round(1)).sort("street")
    bits = pl.int_range(pl.len()) * 7919 % 101 % 2 == 0
    assert table.height > 70
    for odd in (
        table.filter(bits),
        table.with_columns(pl.when(bits & (pl.col("n") > 20)).then("n").alias("n")),
    ):
        assert "OMITTED" in rules(attack(odd, raws=[raw]), Severity.HOLD)
    high = sorted(table["n"])[table.height // 2]
    for honest in (
        table.filter(pl.col("n") >= high),
        table.head(40),
        table.filter(pl.int_range(pl.len()) % 9 != 4),
    ):
        assert "OMITTED" not in rules(attack(honest, raws=[raw])), honest


def test_a_long_word_in_every_row_is_no_ordinary_one(attack, cells):
    """A word that all rows repeat is a usual remark; not where it is a sentence, or one of many."""
    payload = "qwertyuiopasdfghjklzxcvbnm" * 5
    assert "LABEL" in rules(attack(cells.with_columns(note=pl.lit(payload))), Severity.HOLD)
    words = {f"c{i}": pl.lit(word) for i, word in enumerate(("江河", "湖海", "山川", "云雨", "风雪"))}
    assert "LABEL" in rules(attack(cells.with_columns(**words)), Severity.HOLD)
    assert attack(cells.with_columns(c0=pl.lit("一般"), c1=pl.lit("confirmed"))).verdict == "no_objection"


def test_marks_of_suppression_that_differ_are_a_message(attack, persons):
    """Any two or three signs are a mark; which of many stands in a suppressed cell says some bits."""
    index = ["district", "occupation", "disease"]
    table = persons.group_by(*index, "sex").agg(n=pl.len()).sort(pl.all())
    large = pl.when(pl.col("n") >= 10).then(pl.col("n").cast(pl.String))

    def marked(*signs):
        mark = pl.Series([signs[i * 7919 % 101 % len(signs)] for i in range(table.height)])
        return attack(table.with_columns(n=large.otherwise(mark)).pivot("sex", index=index, values="n"))

    assert "UNEXPLAINED" in rules(marked("*", "-", "..", "x", "c:", "/", "()", "×"), Severity.HOLD)
    assert marked("*").verdict == marked("*", "-").verdict == "no_objection"


def test_a_remark_in_every_row_takes_a_table_out_of_no_check(attack, persons, tmp_path):
    """A suppressed cell beside its total, cells left out at will, counts that are none, with a usual word."""
    few = persons.filter(
        (pl.col("district") != "东城区") | (pl.col("sex") == "女") | (pl.int_range(pl.len()) < 120)
    )
    small = few.group_by("district", "sex").agg(n=pl.len()).sort("district", "sex")
    assert small["n"].min() < 10 < sorted(small["n"])[1]
    raw = stored(tmp_path, few)
    totals = small.group_by("district").agg(pl.col("n").sum()).select("district", sex=pl.lit("合计"), n="n")
    blank = pl.concat([small.with_columns(n=pl.when(pl.col("n") >= 10).then("n")), totals])
    full = persons.group_by(CELLS).agg(n=pl.len()).filter(pl.col("n") >= 10).sort(CELLS)
    holes = full.filter(pl.int_range(pl.len()) % 5 != 2)
    wrong = full.with_columns(n=pl.when(pl.int_range(pl.len()) == 7).then(pl.col("n") + 40).otherwise("n"))
    for table, raws, rule in (
        (blank, {"raws": [raw]}, "RECOVERABLE"),
        (holes, {}, "OMITTED"),
        (wrong, {}, "COUNT_MISMATCH"),
    ):
        assert rule in rules(attack(table, **raws)), rule
        assert rule in rules(attack(table.with_columns(备注=pl.lit("一般")), **raws)), rule


def test_measures_below_each_other_are_tables_of_their_own(attack, persons, tmp_path):
    """Names of measures tell rows of one cell apart; what is suppressed, dominated or left out stays so."""
    keys = ["district", "sex"]
    few = persons.filter(
        (pl.col("district") != "东城区") | (pl.col("sex") == "女") | (pl.int_range(pl.len()) < 120)
    )
    few = few.with_columns(income=pl.when(pl.int_range(pl.len()) == 700).then(9e9).otherwise("income"))
    raw, many = (
        stored(tmp_path, few),
        {"人数": pl.len().cast(pl.Float64), "均值": pl.col("income").mean().round(2)},
    )
    rows = pl.concat([few, few.with_columns(sex=pl.lit("合计"))])
    told = [{"path": "out.csv", "dimensions": [*keys, "指标"], "counts": [], "measures": ["数值"]}]

    def long(table):
        return table.unpivot(on=list(many), index=keys, variable_name="指标", value_name="数值").sort(
            *keys, "指标"
        )

    cells = rows.group_by(keys).agg(**many).sort(keys)
    blank = long(
        cells.with_columns(pl.when(pl.col("人数") >= 10).then(pl.col(name)).alias(name) for name in many)
    )
    assert {"RECOVERABLE", "DOMINANCE"} <= rules(attack(blank, raws=[raw], declared=told), Severity.HARD)
    fair = few.filter((pl.col("income") < 1e9) & (pl.col("district") != "东城区"))
    honest = long(fair.group_by(keys).agg(**many))
    report = attack(honest, raws=[stored(tmp_path, fair)], declared=told)
    assert report.verdict == "no_objection", report.findings


def test_no_purpose_is_not_the_one_that_was_determined():
    """A determination that is gone has no purpose; a request without one agrees with it."""
    for asked, granted, found in (("", "", ["PURPOSE"]), (" ", " ", ["PURPOSE"]), ("统计", "统计", [])):
        context = Context([], {}, {}, scope=Scope(asked, granted, (), ()))
        assert [one.rule for one in purpose(None, context)] == found
