"""Rows and identifiers of persons in the shape of notes and small tables, and honest notes beside them."""

import io
import zipfile

import openpyxl
import polars as pl
import pytest

from sandbox.egress.findings import Severity
from sandbox.egress.layout import DOWN

HEAD = "# 说明\n\n本表按季度汇总。\n\n"


def found(report, severity):
    return {(f.rule, f.evidence.get("basis")) for f in report.findings if f.severity == severity}


@pytest.fixture
def person(persons):
    return persons.row(17, named=True)


def year(row):
    return str(row["birth"])[:4]


# A line of the note, from a raw row; coarsened, so that nothing of it is equal to a raw value but the labels.
RECORDS = {
    "commas": lambda r: f"{r['district']}，{r['sex']}，{r['occupation']}，{year(r)}，0.0",
    "a bullet and bars": lambda r: f"- {r['occupation']} | {r['sex']} | {year(r)}",
    "words of nobody, two numbers": lambda r: "5天前因急，0.862，1",
    "two values of one column": lambda r: f"{r['district']}，{r['sex']}，朝阳区，海淀区，{year(r)}，3.5",
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_row_written_as_a_line_of_text_is_held(attack, person, kind):
    report = attack(f"{HEAD}{RECORDS[kind](person)}\n", "note.md")
    assert ("RAW_OVERLAP", "records") in found(report, Severity.HOLD), report.findings


WAYS = (
    "区：{district}，性别：{sex}，职业：{occupation}，出生年：{year}",
    "d={district}; s={sex}; o={occupation}; y={year}",
    "{district} {sex} {occupation} {year}",
    "{district}/{sex}/{occupation}/{year}",
    "{district}·{sex}·{occupation}·{year}",
    "{district}-{sex}-{occupation}-{year}",
    "{district}，{sex}，{occupation}，{year}，以上为某一位居民登记时所填写的各项信息",
    "{district}，{sex}，{occupation}({year})",
    "[{district}，{sex}，{occupation}，{year}]",
    "“{district}”，“{sex}”，“{occupation}”，{year}!",
    "{district}，{sex}，{occupation}，{year}年",
    "{district}，{sex}，{occupation}，一九八五",
)


def test_a_row_is_held_however_its_fields_are_divided(attack, person):
    told = {**person, "year": year(person)}
    report = attack(HEAD + "\n\n".join(way.format(**told) for way in WAYS) + "\n", "note.md")
    (held,) = [f for f in report.findings if f.evidence.get("basis") == "records"]
    assert (held.severity, held.evidence["count"]) == (Severity.HOLD, len(WAYS))


ORDINARY = """筛选条件：区=东城区，性别=男，年份=2024
范围：东城区、西城区；性别：男、女；2024年
东城区男性教师共 120 人
district: 东城区, sex: 男, n = 410
无高血压者 1050 人，高血压 300 人，糖尿病 150 人
职业：工人、教师、医生、职员、其他；年龄 20-85 岁
区划代码 110101，统计日期 2024-05-01
性别（男/女）、区（6 个）、年龄组（10 岁一组）
东城区：410；西城区：390；朝阳区：460
男 / 女 = 720 / 780
男 教师 东城区 合计
样本量：1500，均值：43.2，标准差：12.1
p<0.05，95% CI 1.1-2.3"""


def test_ordinary_notes_are_no_rows_of_persons(attack):
    report = attack(HEAD + "\n\n".join(ORDINARY.split("\n")) + "\n", "note.md")
    assert "records" not in {f.evidence.get("basis") for f in report.findings}


NOTES = (
    "数据来源：统计局，2024年，单位：人",
    "范围：东城区、西城区、朝阳区",
    "2021、2022、2023",
    "- 男，女，合计",
    "东城区的平均年龄为 43.2 岁，比上年高 0.3 岁。",
    "Mean age 43.2, median 42, range 18 to 85 (n = 4000).",
    "1. 人数不足 10 的单元格已抑制",
)


@pytest.mark.parametrize("note", NOTES)
def test_an_honest_note_is_not_held(attack, note):
    assert not attack(f"{HEAD}{note}\n", "note.md").findings


def test_parts_of_an_identity_number_in_a_line_of_text(attack, person):
    """Day, region and sequence: put together they are the number without its check digit."""
    number = person["id_no"]
    born = f"{number[6:10]}年{int(number[10:12])}月{int(number[12:14])}日"
    report = attack(f"{HEAD}* {born}，{number[:6]}，{number[14:17]}\n", "note.md")
    assert ("RAW_IDENTIFIER", "parts") in found(report, Severity.HARD)


def parts_of(number):
    """Day of birth, region and sequence: put together they are the number without its check digit."""
    return [f"{number[6:10]}年{int(number[10:12])}月{int(number[12:14])}日", number[:6], number[14:17]]


SPREAD = {
    "a part a line": lambda n: "\n\n".join(parts_of(n)),
    "the last part first": lambda n: "\n\n".join(parts_of(n)[::-1]),
    "five in a list": lambda n: "\n".join(
        f"- {n[i:j]}" for i, j in ((0, 3), (3, 6), (6, 10), (10, 14), (14, 17))
    ),
    "backwards": lambda n: "\n".join(f"- {n[i:j]}" for i, j in ((14, 17), (10, 14), (6, 10), (3, 6), (0, 3))),
    "two by two": lambda n: f"{n[:4]}、{n[4:8]}\n\n{n[8:12]}、{n[12:17]}",
}


@pytest.mark.parametrize("kind", SPREAD)
def test_parts_of_an_identity_number_in_lines_that_follow_each_other(attack, person, kind):
    report = attack(f"{HEAD}{SPREAD[kind](person['id_no'])}\n", "note.md")
    assert ("RAW_IDENTIFIER", "parts") in found(report, Severity.HARD)


def test_an_identity_number_down_a_column(attack, person):
    table = pl.DataFrame({"item": ["a", "b", "c"], "x": [person["id_no"][i : i + 6] for i in (0, 6, 12)]})
    assert ("RAW_IDENTIFIER", "parts") in found(attack(table), Severity.HARD)


def test_a_region_and_a_day_are_no_identity_number(attack, person):
    """Somebody of a large register was born there on the day that a note was written, whatever is counted."""
    number = person["id_no"]
    day = f"{number[6:10]}-{number[10:12]}-{number[12:14]}"
    lines = (number[:6], day, "1234")
    assert not attack(f"{HEAD}代码：{lines[0]}\n\n日期：{lines[1]}\n\n人数：{lines[2]}\n", "note.md").findings


def test_what_is_asked_of_the_whole_set_is_asked_though_an_archive_lies_first_in_it(attack, persons):
    """Ciphered numbers, few: what nothing explains is held, also in a file that has no table of its own."""
    codes = [str(int(number) * 7919 % 10**11) for number in persons["phone"].head(6)]
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("codes.csv", "item\n" + "\n".join(codes) + "\n")
    assert "UNEXPLAINED" in {f.rule for f in attack(body.getvalue(), "out.zip").findings}


def test_a_telephone_number_with_a_digit_a_column(attack, person):
    digits = pl.DataFrame({f"x{i}": [int(digit)] for i, digit in enumerate(person["phone"])})
    for table in (digits, digits.select(digits.columns[::-1])):
        assert ("RAW_IDENTIFIER", "parts") in found(attack(table), Severity.HARD)


def test_persons_as_columns_of_a_small_table(attack, persons):
    few = persons.select("birth", "occupation", "district").head(5).cast(pl.String)
    turned = few.transpose(include_header=True, header_name="item")
    assert "RAW_OVERLAP" in {f.rule for f in attack(turned).findings if f.severity == Severity.HARD}


@pytest.mark.parametrize("many", [1, 3, 6])
@pytest.mark.parametrize("name", ["out.csv", "out.md"])
def test_persons_as_columns_with_as_many_attributes(attack, persons, many, name):
    """No wider than long; a person alone is a column of values."""
    columns = ["district", "sex", "age", "occupation", "birth", "income", "disease"]
    few = persons.select(columns).slice(3, many).cast(pl.String)
    turned = few.transpose(include_header=True, header_name="item")
    text = turned
    if name.endswith(".md"):
        rows = [turned.columns, ["---"] * turned.width, *turned.rows()]
        text = HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    assert "RAW_OVERLAP" in {f.rule for f in attack(text, name).findings if f.severity == Severity.HARD}


def test_a_list_of_the_groups_of_several_columns_is_nobody(attack, persons):
    """The first table of a paper: of each column its groups, and how many are in each. Whatever stands first
    in each is a combination that somebody rare may have."""
    columns = ("district", "sex", "occupation", "disease")
    rare = persons.group_by(columns).len().filter(pl.col("len") < 10).sort("len", *columns).row(0, named=True)
    rows = []
    for column in columns:
        groups = persons[column].value_counts().sort(pl.col(column) != rare[column], column)
        rows += [{"group": label, "n": n} for label, n in groups.iter_rows()]
    table = pl.DataFrame(rows)
    assert table["group"].is_in([rare[column] for column in columns]).sum() == len(columns)
    assert not found(attack(table), Severity.HARD)


def test_a_name_of_a_sheet_is_no_reading_of_it(attack, persons):
    """What the checks look over in a table read by columns is not for a job to ask for."""
    rows = persons.select("district", "sex", "age", "occupation").head(30)
    book = openpyxl.Workbook()
    book.active.title = f"x {DOWN}"
    for row in (rows.columns, *rows.rows()):
        book.active.append(row)
    body = io.BytesIO()
    book.save(body)
    report = attack(body.getvalue(), "out.xlsx")
    assert "K_ANONYMITY" in {f.rule for f in report.findings}
