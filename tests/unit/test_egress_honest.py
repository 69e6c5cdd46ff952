"""Honest statistics flow; the same ones with something hidden in them do not."""

import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.egress.canonical.numbers import steady, steady_number
from sandbox.egress.check import check, declarations
from sandbox.egress.context import RawTable
from sandbox.egress.facts_models import told_digits
from sandbox.egress.findings import Severity

BORN = pl.col("birth").str.to_date()


def rules(report, severity=None):
    return {f.rule for f in report.findings if severity is None or f.severity == severity}


def stored(folder, frame, name="raw"):
    """``frame`` as the raw table of a check, with the roles that its columns have in the register."""
    path = folder / f"{name}.parquet"
    frame.write_parquet(path)
    quasi = ("district", "sex", "age", "occupation", "birth")
    return RawTable(name, path, "id_no", quasi, ("disease",), ("name", "phone"))


@pytest.fixture
def together(persons_file, policy, tmp_path):
    """Check several files at once: (name, frame or text)."""

    def go(*files, declared=()):
        folder = tmp_path / f"set{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for name, content in files:
            if isinstance(content, pl.DataFrame):
                content.write_csv(folder / name)
            else:
                (folder / name).write_text(content, encoding="utf-8")
        raw = RawTable("persons", persons_file, "id_no", ("district", "sex"), ("disease",), ("name", "phone"))
        return check([folder], [raw], declarations(list(declared)), policy, "test@1")

    return go


def least_squares(frame, levels, year=2026):
    """Income on age and levels of occupation, as a table of a regression."""
    age = year - frame["birth"].str.slice(0, 4).cast(pl.Int64).to_numpy()
    dummies = [(frame["occupation"] == level).cast(pl.Float64).to_numpy() for level in levels]
    x, y = np.column_stack([np.ones(frame.height), age, *dummies]), frame["income"].to_numpy()
    beta, residual, *_ = np.linalg.lstsq(x, y, rcond=None)
    error = np.sqrt(residual[0] / (len(y) - x.shape[1]) * np.diag(np.linalg.inv(x.T @ x)))
    return pl.DataFrame(
        {
            "term": ["(Intercept)", "age", *(f"occupation={level}" for level in levels)],
            "estimate": [float(f"{b:.4g}") for b in beta],
            "std_error": [float(f"{e:.3g}") for e in error],
            "t": np.round(beta / error, 2),
        }
    )


LEVELS = ["工人", "教师", "职员", "医生"]


def test_a_regression_is_fitted_again_with_its_errors(attack, persons):
    table = least_squares(persons, LEVELS)
    assert attack(table).verdict == "no_objection"
    other = table.with_columns(estimate=pl.col("estimate") * 1.01)
    assert "UNEXPLAINED" in rules(attack(other), Severity.HOLD)
    errors = table.with_columns(std_error=pl.col("std_error").reverse(), t=pl.col("t").reverse())
    assert "UNEXPLAINED" in rules(attack(errors), Severity.HOLD)


@pytest.mark.parametrize("decimals", [-4, -3])
def test_a_rounded_intercept_of_several_years_is_told_by_its_errors(attack, persons, decimals):
    """Ages counted from another year move the intercept, here by less than it is rounded."""
    table = least_squares(persons, LEVELS).with_columns(
        estimate=pl.when(pl.col("term") == "(Intercept)")
        .then(pl.col("estimate").round_sig_figs(5 + decimals))
        .otherwise("estimate")
    )
    assert attack(table).verdict == "no_objection"


def test_a_regression_on_a_label_of_few_is_not_explained(attack, persons, tmp_path):
    rare = persons.with_columns(
        occupation=pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("飞行员")).otherwise("occupation")
    )
    report = attack(least_squares(rare, [*LEVELS, "飞行员"]), raws=[stored(tmp_path, rare)])
    assert "UNEXPLAINED" in rules(report, Severity.HOLD)


def test_a_regression_of_what_one_person_has_is_not_explained(attack, persons, tmp_path):
    first = (pl.col("occupation") == "医生").cum_sum() == 1
    rich = persons.with_columns(
        income=pl.when((pl.col("occupation") == "医生") & first).then(1e12).otherwise("income")
    )
    report = attack(least_squares(rich, LEVELS), raws=[stored(tmp_path, rich)])
    assert "UNEXPLAINED" in rules(report, Severity.HOLD)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_a_matrix_of_correlations_is_computed_again(attack, persons, tmp_path, method):
    draw = np.random.default_rng(3)
    frame = persons.with_columns(
        **{f"v{i}": pl.col("income") * i / 9 + 9000 * draw.normal(size=persons.height) for i in range(1, 6)}
    )
    names = ["age", "income", *(f"v{i}" for i in range(1, 6))]
    cells = {b: [frame.select(pl.corr(a, b, method=method)).item() for a in names] for b in names}
    table = pl.DataFrame({"变量": names, **cells}).with_columns(pl.col(names).round(3))
    assert attack(table, raws=[stored(tmp_path, frame)]).verdict == "no_objection"
    moved = table.with_columns(v5=pl.col("v5") + 0.002)
    report = attack(moved, raws=[stored(tmp_path, frame, "again")])
    assert "UNEXPLAINED" in rules(report, Severity.HOLD)


def test_numbers_told_of_a_fit_are_taken_twice_at_most():
    assert told_digits(["N = 4,000，R² = 0.123，门限 17"], [4000.0, 0.1229]) == [2]
    assert told_digits(["4000 4000", "4000"], [4000.0]) == [0, 4]
    assert told_digits(["4000.5", "0.124"], [4000.0, 0.1229]) == [5, 4]


WEEK = dict(enumerate(["周一", "周二", "周三", "周四", "周五", "周六", "周日"], 1))
GROUPS = {
    "days of the week": BORN.dt.weekday().replace_strict(WEEK),
    "months of any year": pl.format("{}月", BORN.dt.month()),
    "quarters of any year": pl.format("Q{}", BORN.dt.quarter()),
    "before and after": pl.when(BORN.dt.year() < 1980).then(pl.lit("前期")).otherwise(pl.lit("后期")),
    "decades": pl.format("{}年代", BORN.dt.year() // 10 * 10),
}


@pytest.mark.parametrize("name", GROUPS)
def test_groups_of_days_are_recounted(attack, persons, name):
    frame = persons.with_columns(组=GROUPS[name])
    table = frame.group_by("组", "sex").agg(n=pl.len()).filter(pl.col("n") >= 10).sort("组", "sex")
    assert attack(table).verdict == "no_objection"
    labels = table["组"].unique(maintain_order=True)
    turned = dict(zip(labels, [*labels[1:], labels[0]], strict=True))
    wrong = table.with_columns(pl.col("组").replace_strict(turned))
    if len(labels) == 2:  # two words may stand for either side of a year, but not of a day within one
        later = pl.when(pl.date(1980, 3, 5) > BORN).then(pl.lit("前期")).otherwise(pl.lit("后期"))
        wrong = persons.with_columns(组=later).group_by("组", "sex").agg(n=pl.len())
    assert attack(wrong).verdict != "no_objection"


def test_those_left_of_a_life_table_are_counted_down(attack, persons):
    table = (
        persons.group_by(age_from=pl.col("age") // 10 * 10)
        .agg(n=pl.len())
        .filter(pl.col("n") >= 10)
        .sort("age_from")
    )
    left = table.with_columns(at_risk=pl.col("n").reverse().cum_sum().reverse())
    assert (
        attack(left.with_columns(share=(pl.col("at_risk") / pl.col("at_risk").max()).round(3))).findings == []
    )
    # The pattern of what is added is five bits a row.
    odd = left.with_columns(at_risk=pl.col("at_risk") + pl.int_range(pl.len()) * 7 % 31 + 40)
    assert attack(odd).verdict != "no_objection"


def test_counts_rounded_to_five_are_the_nearest(attack, persons):
    table = persons.group_by("district", "sex", "occupation").agg(n=pl.len()).sort(pl.all())
    table = table.filter(pl.col("n") >= 10)
    nearest = table.with_columns(n=(pl.col("n") / 5).round(0).cast(pl.Int64) * 5)
    assert attack(nearest).verdict == "no_objection"
    either = (
        pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.col("n") // 5).otherwise(pl.col("n") // 5 + 1) * 5
    )
    assert "UNEXPLAINED" in rules(attack(table.with_columns(n=either)), Severity.HOLD)


def test_the_place_in_a_ranking_is_nobodys_value(attack, persons, tmp_path):
    """A raw column holds each small number once, and the least in the very cell that is the first."""
    table = persons.group_by("district").agg(n=pl.len(), mean=pl.col("income").mean().round(1))
    table = table.sort("mean", descending=True).with_row_index("place", 1)
    raw = persons.join(table.select("district", "place"), on="district", maintain_order="left")
    inner, last = pl.int_range(pl.len()).over("district"), pl.col("place") == 2
    raw = raw.sort(inner, last, "place").drop("place").with_columns(staff=pl.int_range(1, pl.len() + 1))
    assert "EXTREME" not in rules(attack(table, raws=[stored(tmp_path, raw)]))
    unlike = table.with_columns(place=pl.Series([1, 60, 20, 50, 30, 40][: table.height]))
    assert "EXTREME" in rules(attack(unlike, raws=[stored(tmp_path, raw, "again")]))
    least = raw.group_by("district").agg(n=pl.len(), place=pl.col("staff").min())
    assert "EXTREME" in rules(attack(least.sort("district"), raws=[stored(tmp_path, raw, "third")]))


def test_a_value_beside_others_left_out_for_being_few_is_no_whole_group(attack, persons, tmp_path):
    """Nobody can be sure of an attribute where others have another one, though too few to be shown."""
    few = persons.with_columns(
        disease=pl.when((pl.col("district") == "东城区") & (pl.int_range(pl.len()) > 20))
        .then(pl.lit("无"))
        .otherwise("disease")
    )
    table = few.group_by("district", "disease").agg(n=pl.len()).filter(pl.col("n") >= 10)
    assert table.filter(pl.col("district") == "东城区").height == 1
    assert "ZERO_CELL" not in rules(attack(table, raws=[stored(tmp_path, few)]))
    all_ = few.filter((pl.col("district") != "东城区") | (pl.col("disease") == "无"))
    assert "ZERO_CELL" in rules(attack(table, raws=[stored(tmp_path, all_, "again")]))


CELLS = ("district", "occupation", "sex")


def by_cells(persons):
    return persons.group_by(CELLS).agg(n=pl.len()).filter(pl.col("n") >= 10).sort(CELLS)


def test_cells_left_out_follow_a_rule_or_are_held(attack, persons):
    table = by_cells(persons)
    assert attack(table).verdict == "no_objection"
    bits = pl.int_range(pl.len()) % 5 != 2
    for chosen in (table.filter(bits), table.with_columns(n=pl.when(bits).then("n"))):
        report = attack(chosen)
        assert [f.severity for f in report.findings if f.rule == "OMITTED"] == [Severity.HOLD]
    # A higher threshold, a whole value, the first rows: a rule that the numbers bear out.
    high = sorted(table["n"])[table.height // 3]
    for chosen in (
        table.filter(pl.col("n") >= high),
        table.with_columns(n=pl.when(pl.col("n") >= high).then("n")),
        table.filter(pl.col("occupation") != "教师"),
        table.head(table.height // 2),
    ):
        assert "OMITTED" not in rules(attack(chosen))


def test_dominated_cells_may_be_left_out_and_others_may_not(attack, tmp_path):
    """Each cell has as many firms; in four of them one firm has nearly all of the revenue."""
    draw = np.random.default_rng(5)
    firms = pl.DataFrame({"id_no": [f"F{i:05}" for i in range(1200)]}).with_columns(
        district=pl.Series([f"{'甲乙丙丁戊己'[i % 6]}区" for i in range(1200)]),
        trade=pl.Series([f"{'农林牧渔工'[i // 6 % 5]}业" for i in range(1200)]),
        revenue=pl.Series(draw.uniform(100, 900, 1200).round(2)),
    )
    large = pl.int_range(pl.len()).is_in([7, 15, 34, 52])
    firms = firms.with_columns(revenue=pl.when(large).then(1e7).otherwise("revenue"))
    firms.write_parquet(tmp_path / "firms.parquet")
    raw = RawTable("firms", tmp_path / "firms.parquet", "id_no", ("district", "trade"))
    keys = ("district", "trade")
    table = firms.group_by(keys).agg(n=pl.len(), total=pl.col("revenue").sum().round(2)).sort(keys)
    mild = table.filter(pl.col("total") < 1e6)
    assert table.height - mild.height == 4
    for chosen in (mild, table.with_columns(total=pl.when(pl.col("total") < 1e6).then("total"))):
        assert attack(chosen, raws=[raw]).verdict == "no_objection"
    for chosen in (mild.filter(pl.int_range(pl.len()) % 5 != 2), mild.drop("total")):
        assert "OMITTED" in rules(attack(chosen, raws=[raw]), Severity.HOLD)


def test_digits_in_names_are_numbers_of_files_or_dates_or_held(together, persons):
    table = by_cells(persons)
    one, two = table.head(9), table.tail(9)
    for names in (("by_1.csv", "by_2.csv"), ("q20250101.csv", "summary_2024.csv"), ("p90.csv", "p75.csv")):
        assert "NAMES" not in rules(together((names[0], one), (names[1], two)))
    assert "NAMES" in rules(together(("t_520.csv", one), ("q913_all.csv", two)), Severity.HOLD)
    kept = [{"path": name, "dimensions": [], "counts": []} for name in ("t_520.csv", "q913_all.csv")]
    assert "NAMES" not in rules(together(("t_520.csv", one), ("q913_all.csv", two), declared=kept))
    assert "NAMES" in rules(together(("a.csv", one.rename({"n": "n_520913"}))), Severity.HOLD)


def test_one_short_word_in_an_empty_column_is_held(attack, persons):
    table = by_cells(persons)
    word = table.with_columns(注=pl.when(pl.int_range(pl.len()) == 3).then(pl.lit("含李伟")))
    assert "LABEL" in rules(attack(word))
    usual = table.with_columns(注=pl.lit("一般"))
    assert "LABEL" not in rules(attack(usual))


def test_a_row_of_marks_is_no_mark(attack, persons):
    table = by_cells(persons)
    marks = table.with_columns(注=pl.when(pl.int_range(pl.len()) == 3).then(pl.lit("..--.-...-")))
    assert "LABEL" in rules(attack(marks))
    assert "LABEL" not in rules(attack(table.with_columns(注=pl.lit("……"))))


def test_which_rows_carry_which_usual_word_is_free_space(attack, persons):
    """Two words of statistics, each of which passes: a bit a row. Measures below each other are none."""
    table = persons.group_by("district", "occupation", "sex", "disease").agg(n=pl.len())
    table = table.filter(pl.col("n") >= 10).sort(pl.all())
    bits = (pl.int_range(pl.len()) * 7919 % 101 % 2).cast(pl.Boolean)
    odd = table.with_columns(标记=pl.when(bits).then(pl.lit("是")).otherwise(pl.lit("否")))
    assert table.height > 60
    assert "UNEXPLAINED" in rules(attack(odd), Severity.HOLD)
    long = table.with_columns(户数="n").unpivot(
        on=["n", "户数"], index=["district", "occupation", "sex", "disease"], variable_name="指标"
    )
    assert "UNEXPLAINED" not in rules(attack(long.rename({"value": "数值"})))


def test_lines_that_repeat_a_table_say_nothing_new(attack, persons):
    table = persons.group_by("district").agg(n=pl.len(), mean=pl.col("income").mean().round(1)).sort("n")
    head = "| district | n | mean |\n|---|---|---|\n"
    rows = [[str(cell) for cell in row] for row in table.rows()]
    text = head + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"
    again = "".join(f"{','.join(row)}\n\n" for row in rows)
    assert attack(text + again, "a.md").verdict == "no_objection"
    moved = "".join(f"{','.join(row)}\n\n" for row in [*rows[1:], rows[0]])
    assert "UNEXPLAINED" in rules(attack(text + moved, "a.md"), Severity.HOLD)


def test_identifiers_over_several_files_are_put_together(together, persons):
    phone = persons["phone"][7]
    parts = [("a.csv", f"v\n{phone[4:]}\n"), ("b.csv", f"v\n{phone[:4]}\n")]
    assert "RAW_IDENTIFIER" in rules(together(*parts), Severity.HARD)
    other = [("a.csv", "v\n4711987\n"), ("b.csv", "v\n4711\n")]
    assert "RAW_IDENTIFIER" not in rules(together(*other))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_order_of_columns_is_ours_or_declared(attack, persons, tmp_path, suffix):
    table = (
        by_cells(persons).rename({"n": "10月"}).with_columns(pl.lit(0).alias("合计"), pl.lit(0).alias("9月"))
    )

    def written(columns, **options):
        folder = tmp_path / f"leaves{len(list(tmp_path.iterdir()))}"
        report = attack(table.select(columns), f"out.{suffix}", canonical=folder, **options)
        assert report.verdict != "reject", report.findings
        return (folder / f"out.{suffix}").read_bytes()

    names = table.columns
    one = written(names)
    assert written(names[::-1]) == one
    if suffix == "csv":
        assert one.decode().splitlines()[0] == "district,occupation,sex,9月,10月,合计"
        keys = {"dimensions": ["sex", "occupation", "district"], "measures": ["合计", "9月", "10月"]}
        kept = written(names, declared=[{"path": "out.csv", **keys}])
        assert kept.decode().splitlines()[0] == "sex,occupation,district,合计,9月,10月"


def test_digits_below_any_statistic_do_not_leave(attack, persons, tmp_path):
    table = persons.group_by("district").agg(n=pl.len(), mean=pl.col("income").mean())
    words = table["mean"].to_numpy().copy().view(np.uint64)
    low = table.with_columns(mean=pl.Series((words ^ np.uint64(5)).view(np.float64)))
    assert not low["mean"].equals(table["mean"])
    for suffix in ("csv", "parquet", "json"):
        made = []
        for frame in (table, low):
            content = json.dumps(frame.to_dicts()) if suffix == "json" else frame
            folder = tmp_path / f"low{len(list(tmp_path.iterdir()))}"
            assert attack(content, f"out.{suffix}", canonical=folder).verdict == "no_objection"
            made.append((folder / f"out.{suffix}").read_bytes())
        assert made[0] == made[1]


@given(st.lists(st.floats() | st.none(), min_size=1, max_size=8))
def test_twelve_digits_are_kept_and_no_more(values):
    once = steady(pl.Series(values, dtype=pl.Float64))
    assert steady(once).equals(once)
    for before, after in zip(values, once, strict=True):
        if before is None or not math.isfinite(before):
            assert after is None if before is None else str(after) == str(before)
        elif abs(before) > 1e-300:  # below, a double has fewer digits itself
            assert float(f"{after:.12g}") == after
            assert abs(after - before) <= abs(before) * 5.01e-12
            assert math.isclose(steady_number(before), after, rel_tol=1.1e-11)


def test_a_cross_table_of_counts_is_no_list_of_persons_when_turned(attack, persons):
    """Wider than long: its columns are read as rows too, in case they were persons."""
    frame = persons.with_columns(组=pl.format("{}-{}", pl.col("age") // 4 * 4, pl.col("age") // 4 * 4 + 3))
    table = frame.group_by("district", "组").agg(n=pl.len()).filter(pl.col("n") >= 10).sort("组")
    wide = table.pivot(on="组", index="district", values="n").sort("district").head(4)
    wide = wide.select(name for name in wide.columns if wide[name].null_count() == 0)
    assert wide.width > 2 * wide.height
    assert wide.width >= 10
    assert rules(attack(wide)) & {"K_ANONYMITY", "ROW_LEVEL"} == set()
    own = persons.sample(12, seed=2).select("district", "sex", "occupation", "age", "disease")
    turned = pl.DataFrame([[name, *map(str, own[name])] for name in own.columns], orient="row")
    assert rules(attack(turned)) & {"K_ANONYMITY", "RAW_OVERLAP"}


@pytest.mark.parametrize("declared", [True, False])
def test_counts_with_marks_for_small_cells_are_no_ages(together, persons, declared):
    """What is left of such a column are small whole numbers, as ages are; real ages are still found."""
    groups = ["district", "occupation", "disease"]
    cells = persons.group_by(groups).agg(pl.len().alias("n")).sort(groups)
    shown = pl.when(pl.col("n") < 20).then(pl.lit("*")).otherwise(pl.col("n").cast(pl.String)).alias("n")
    told = {"path": "out.csv", "kind": "table", "dimensions": groups, "counts": ["n"]}
    report = together(("out.csv", cells.with_columns(shown)), declared=[told] if declared else [])
    assert (report.findings, {"*"} < set(cells.select(shown)["n"])) == ([], True)
    marked = pl.when(pl.int_range(pl.len()) % 7 == 0).then(pl.lit("*"))
    rows = persons.head(300).select(*groups, marked.otherwise(pl.col("age").cast(pl.String)).alias("n"))
    raw = together(("out.csv", rows), declared=[told] if declared else [])
    assert rules(raw, Severity.HARD)
