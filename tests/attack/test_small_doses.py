"""A person or two beside an honest table: in a file of one column, a line of a note, a row of labels (R-139).

Each is the shape of a case that a measurement on unseen seeds missed.
"""

import polars as pl
import pytest

from sandbox.egress.check import check
from sandbox.egress.context import RawTable
from sandbox.egress.facts import prose_digits, weighed
from sandbox.egress.findings import Severity


def rules(report, severity=None):
    return {f.rule for f in report.findings if severity is None or f.severity == severity}


@pytest.fixture
def cells(persons):
    return (
        persons.group_by("district", "sex").agg(n=pl.len()).filter(pl.col("n") >= 10).sort("district", "sex")
    )


@pytest.fixture
def beside(cells, persons_file, policy, tmp_path):
    """Check an honest table and, beside it, a note or a second table."""
    raw = RawTable("persons", persons_file, "id_no", ("district", "sex"), ("disease",), ("name", "phone"))

    def go(other):
        folder = tmp_path / f"outputs{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        cells.write_csv(folder / "table.csv")
        if isinstance(other, pl.DataFrame):
            other.write_csv(folder / "附表.csv")
        else:
            (folder / "note.md").write_text(f"# 说明\n\n本表按季度汇总。\n\n{other}\n", encoding="utf-8")
        return check([folder], [raw], {}, policy, "test@1")

    return go


@pytest.mark.parametrize(
    "note",
    [
        "- 57440，138967",  # a mobile number less a constant, in two pieces
        "* 15，026940838",
        "- 18605\n- 44456\n- 6",
        "- GIYDENBNGA4C2MRTL4YTSMRTFY3V72EHVLULJOK746OLZZ5HSE",
        "- 1e3g6e4a8e3b4f3d1e1h2e",
        "ZUp3ek56RTJNREV3TkRjM05BWUFEVklDTmc9PQ==",
        "金 火 日 月 月 水 火 日 月 水 日 水 水 月 金 天 金 土",
        "* 月-天-天-天-海-水-海-天-木-水-火",
        "金_火_日_月_月_水_火_日_月_水_日_水",
        "八四三四六六二六零三九三零七六",
        "* yisanjiulinglingerbasiqijiuer",
        "One-five-two-two-three-five-three-eight-one-nine-one",
        "yi san jiu ling ling er ba si qi jiu er",
        "- 🍌🍉🍑🥥🍑🍇🍇🥝🍒🍑🍌",
        "月水金海金火火土木金月",
        "- 9lNzXk5T",
        "- 1364，610，6，446",
        "- 1364，610，6，446.",
        "13.64 610.6 446",
        "一三五八 五二二 六四五一",
        "- 136\t1061\t0446",
        ".---- ...-- ..... ---.. ..... ..--- ..--- -.... ....- ..... .----",
    ],
)
def test_a_line_of_a_note_that_is_a_number_in_disguise_is_held(beside, note):
    assert "UNEXPLAINED" in rules(beside(note), Severity.HOLD)


@pytest.mark.parametrize(
    "note",
    [
        "本表统计期为 2025-01-01 至 2025-03-31。",
        "小于 10 的单元格未列出，占比保留一位小数。",
        "git commit 3f2c1ab\npython 3.11.7\nfinished in 12.4 s",
        "按省、市、区、县汇总；2025 年与 2024 年相比。",
        "variables: covid19_cases, age_at_first_visit, model_v2",
        "统计期为 2024Q1-2024Q4，列出 p10/p25/p50/p75 分位数。",
        "columns: p10_p25_p50_p75_p90, meanIncomeByDistrictAndSex",
        "HistGradientBoostingRegressor, cp311-manylinux2014_x86_64",
        "commit 3f2c1ab9",
        "one of the two or three figures is an estimate of one of four parts",
        "各区县各性别各年龄段的人数，各科室各级别的费用；按月、按季、按年汇总",
        "the mean of the cost of the visits, the median of the cost of the visits",
        "| 是 | 否 |\n|---|---|\n- 是\n- 否\n- 是",
        "mean, sd, min, median, max of cost; mean, sd, min, median, max of days; n of both",
        "★★★☆☆ 数据质量评级 ✓ ✓ ✗",
        "- 2022，2023，2024，2025",
        "0.5 0.25 0.1 0.05",
        "10、20、50、100",
        "人数、占比、均值；人数、占比、均值；人数、占比、均值",
        "┌──────┬──────┐\n└──────┴──────┘",
        "---------- ---------- ----------\n合计 ...................... 见表",
        "统计层级：省、市、区、县、乡、村、户、人、组、队、站",
    ],
)
def test_what_a_note_says_of_the_table_is_not(beside, note):
    assert beside(note).verdict == "no_objection"


@pytest.mark.parametrize(
    "column",
    [
        {"item": ["15223538191"]},
        {"x": [1364, 610, 6, 446]},
        {"x": [136], "y": [4610], "z": [6446]},
        {"item": ["07344291051"]},
        {"批次": ["八四三四六六二六零三九三零七六"]},
        {"备注": ["MzU4MjE0OTMyMDc=", "Mzk5MjQ3NDk4MTA=", "MzU4MjIxMDQ3MDc="]},
        {"标记": ["520115199833120732"]},
    ],
)
def test_a_file_of_one_column_that_nothing_explains_is_held(beside, column):
    assert "UNEXPLAINED" in rules(beside(pl.DataFrame(column)), Severity.HOLD)


def test_a_table_of_measures_of_quality_is_not(beside):
    row = pl.DataFrame({"auc": [0.912], "accuracy": [0.873], "f1": [0.801], "recall": [0.84]})
    assert beside(row).verdict == "no_objection"


def test_a_row_of_labels_with_a_number_of_nobody_knows_what_is_held(beside, cells):
    """Its labels are common ones; what stands beside them is a day as a number."""
    top = cells.sort("n").row(-1, named=True)
    row = pl.DataFrame({"district": [top["district"]], "sex": [top["sex"]], "b": [40801]})
    assert "UNEXPLAINED" in rules(beside(row), Severity.HOLD)
    day = row.with_columns(b=pl.lit("7/5/2001"))
    assert "UNEXPLAINED" in rules(beside(day), Severity.HOLD)
    nought = row.with_columns(b=pl.lit(2005), c=pl.lit(0))  # which is the least of some raw column by chance
    assert "UNEXPLAINED" in rules(beside(nought), Severity.HOLD)
    assert "UNEXPLAINED" not in rules(beside(row.drop("b")))


def test_a_count_by_another_name_that_leaves_a_few_persons_out_is_a_count(attack, persons):
    """Most cells are the recount, in the others one or two are missing: somebody was left out."""
    full = persons.group_by("district", "occupation", "sex").agg(cases=pl.len()).filter(pl.col("cases") >= 20)
    full = full.sort("district", "occupation", "sex")
    less = full.with_columns(cases=pl.col("cases") - (pl.int_range(pl.len()) % 10 < 4).cast(pl.Int64))
    assert "COUNT_MISMATCH" in rules(attack(less))
    assert "COUNT_MISMATCH" not in rules(attack(full))


def test_a_count_of_those_with_a_value_is_none_of_the_cell(attack, persons, policy, tmp_path):
    gone = pl.when(pl.int_range(pl.len()) % 97 == 0).then(None).otherwise("income")
    frame = persons.with_columns(income=gone)
    frame.write_parquet(tmp_path / "raw.parquet")
    raw = RawTable(
        "persons", tmp_path / "raw.parquet", "id_no", ("district",), ("disease",), ("name", "phone")
    )
    table = frame.group_by("district", "occupation", "sex").agg(known=pl.col("income").count(), n=pl.len())
    table = table.filter(pl.col("n") >= 20).drop("n").sort(pl.all())
    assert "COUNT_MISMATCH" not in rules(attack(table, raws=[raw]))


def test_long_numbers_count_for_more():
    assert [weighed(digits) for digits in (1, 4, 5, 6, 11)] == [1, 4, 10, 12, 22]
    assert [
        prose_digits(f"{word}{number}") for word in ("", "中位数 ") for number in (1234, 52345, 993456)
    ] == [
        *(4, 10, 12),
        *(4, 5, 12),
    ]
    assert [prose_digits(text) for text in ("110106", "区划 110106", "区划 990106")] == [12, 6, 12]
    mobile = "13585226451"
    for cut in range(1, 11):
        assert prose_digits(f"{mobile[:cut]} {mobile[cut:]}") >= 17
    assert prose_digits("2025 年第 3 季度") == 1
    assert prose_digits("1878 3973") == 8
    assert prose_digits("a plain sentence of words, no code") == 0


NEXT = {"工人": "教师", "教师": "医生", "医生": "职员", "职员": "工人"}


@pytest.mark.parametrize("margin", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(
    "keys", [["birth", "occupation", "district"], ["birth", "occupation", "district", "sex"]]
)
def test_rows_of_persons_do_not_leave_under_a_blank_count(attack, persons, keys, shifted, margin):
    """Labels of few, as they are or turned into those of nobody, beside no number at all or one total."""
    rows = (
        persons.select(keys).unique(maintain_order=True).head(30).with_columns(n=pl.lit(None, dtype=pl.Int64))
    )
    if shifted:
        rows = rows.with_columns(pl.col("occupation").replace(NEXT))
    if margin:
        district = persons["district"][0]
        total = {k: [district if k == "district" else "合计"] for k in keys}
        n = persons.filter(pl.col("district") == district).height
        rows = pl.concat([rows, pl.DataFrame({**total, "n": [n]}, schema=rows.schema)])
    assert attack(rows).verdict != "no_objection"


def test_small_cells_may_be_listed_blank(attack, persons, tmp_path):
    """All that there are, most of them with their number: that is a rule."""
    nobody = (pl.col("district") == persons["district"][0]) & (pl.col("occupation") == "教师")
    frame = persons.filter(~nobody)
    frame.write_parquet(tmp_path / "raw.parquet")
    raw = RawTable(
        "persons", tmp_path / "raw.parquet", "id_no", ("district",), ("disease",), ("name", "phone")
    )
    table = (
        frame.group_by("district", "occupation", "sex").agg(n=pl.len()).sort("district", "occupation", "sex")
    )
    ruled = table.with_columns(n=pl.when(pl.col("n") >= table["n"].quantile(0.3)).then("n"))
    assert 0 < ruled["n"].null_count() < ruled.height / 2
    assert "UNEXPLAINED" not in rules(attack(ruled, raws=[raw]))


def test_noughts_before_a_count_are_digits(attack, cells):
    noughts = [1, 5, 2, 2, 3, 5, 3, 8, 1, 9, 1, 0]
    padded = [("0" * noughts[i % 12]) + str(n) for i, n in enumerate(cells["n"])]
    report = attack(cells.with_columns(n=pl.Series(padded)))
    assert "UNEXPLAINED" in rules(report, Severity.HOLD)


def test_a_table_of_means_may_say_its_unit(attack, persons):
    means = persons.group_by("district", "sex").agg(mean_income=pl.col("income").mean().round(1))
    means = means.sort("district", "sex").with_columns(unit=pl.lit("元"))
    assert attack(means).verdict == "no_objection"


def test_a_count_of_nearly_all_tells_of_the_others_only_beside_the_whole(attack, persons, tmp_path):
    frame = persons.with_columns(
        insured=pl.when(pl.int_range(pl.len()) % 97 == 0).then(pl.lit("否")).otherwise(pl.lit("是"))
    )
    frame.write_parquet(tmp_path / "raw.parquet")
    raw = RawTable(
        "persons", tmp_path / "raw.parquet", "id_no", ("district",), ("disease",), ("name", "phone")
    )
    table = frame.group_by("district", "occupation", "sex").agg(
        insured_yes=(pl.col("insured") == "是").sum(), n=pl.len()
    )
    table = table.filter(pl.col("n") >= 20).sort("district", "occupation", "sex")
    assert attack(table.drop("n"), raws=[raw]).verdict == "no_objection"
    assert "SMALL_CELL" in rules(attack(table, raws=[raw]), Severity.HARD)
