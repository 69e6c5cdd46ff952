"""What exports of public bodies do to headers and cells: benchmarks/profile_heldout_fourth.py's first run."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.desensitize.profile.concepts import heads
from sandbox.desensitize.profile.model import FieldProposal, Profile
from sandbox.desensitize.profile.propose import profile
from sandbox.desensitize.profile.table import Table, column
from sandbox.desensitize.profile.written import in_digits
from sandbox.pii.normal import fold

COUNT = 200


def proposed(**columns: Sequence[Any]) -> Profile:
    made = [
        column(name, place, pl.Series([str(one) for one in values], dtype=pl.String), False)
        for place, (name, values) in enumerate(columns.items())
    ]
    return profile(Table(made[0].rows, made))


def names(draw: random.Random) -> list[str]:
    return [
        draw.choice("王李张刘陈杨黄赵吴周") + draw.choice("伟芳娜敏静丽") + draw.choice("强磊军洋勇")
        for _ in range(COUNT)
    ]


def beside_names(header: str, values: Sequence[Any]) -> FieldProposal:
    """The proposal for a column in a table of persons."""
    return proposed(姓名=names(random.Random(1)), **{header: values}).field(header)


@pytest.mark.parametrize(
    ("header", "concept"),
    [("人员编号", "person_number"), ("个人编号", "person_number"), ("grbh", "person_number"),
     ("物料编号", "number"), ("结婚证字号", "certificate"), ("签证号", "certificate"),
     ("学生证编号", "certificate"), ("证件种类", ""), ("zkzh", "student"), ("发动机号", "engine"),
     ("机动车登记证书编号", "vehicle_certificate"), ("残疾人证号", "disability_card"),
     ("残疾等级", "health"), ("医保卡号", "medical"), ("社会保障卡号", "social"), ("银行卡号", "bank_card"),
     ("PatronBarcode", "user"), ("ItemBarcode", ""), ("PatronName", "person_name"), ("英文姓", "person_name"),
     ("productName", ""), ("户口性质", "residence"), ("毕业学校", "school"), ("bj", "school"),
     ("出生人数", "count"), ("csny", "birth_date"), ("号牌种类", ""), ("号牌号码", "plate"),
     ("养老金月额", "income"), ("表资产编号", "number"), ("体检编号", "number"), ("尿酸", "health")],
)  # fmt: skip
def test_headers_of_registers(header: str, concept: str) -> None:
    assert heads(header) == concept


@pytest.mark.parametrize(
    ("header", "concept"),
    [("基本信息_XB", "sex"), ("申请人/XM", "person_name"), ("家庭情况.家庭人口(人)", "household_size"),
     ("生化_GLU(mmol/L)", "health"), ("一般_BP(mmHg)", "health"), ("生化_TC", "health"),
     ("生化工程", ""), ("仓库_xl", "education"),
     ("仓库_货位", "")],
)  # fmt: skip
def test_of_merged_headers_the_lower_one_and_its_unit_count(header: str, concept: str) -> None:
    assert heads(header) == concept


def test_numbers_of_persons_without_form_under_the_words_of_registers() -> None:
    draw = random.Random(2)
    visas = [f"Y{draw.randint(10**6, 10**7 - 1)}" for _ in range(COUNT)]
    assert beside_names("签证号", visas).role == "identifier"
    persons = [str(1_000_000_000 + draw.randrange(10**6)) for _ in range(COUNT)]  # seconds of 2001, they seem
    assert beside_names("个人编号", persons).role == "identifier"
    assert beside_names("编号", persons).role == "other"
    engines = [
        f"{draw.choice('ABC')}{draw.choice('XYZ')}{draw.randint(10**5, 10**6 - 1)}" for _ in range(COUNT)
    ]
    assert beside_names("发动机号", engines).role == "identifier"
    # A header that the content belies, and a certificate in a table about nobody.
    assert beside_names("签证号", ["已签"] * COUNT).conflict
    assert proposed(资格证编号=visas, 数量=range(COUNT)).field("资格证编号").role == "other"


def test_a_number_of_a_person_names_the_entity_of_several_rows() -> None:
    draw = random.Random(3)
    rows = [draw.randrange(10**7, 10**8) for _ in range(50)] * 4
    told = proposed(人员编号=rows, 性别=[("男", "女")[n % 2] for n in rows], 年龄=[n % 90 for n in rows])
    assert told.entity == "人员编号"


def test_the_body_s_measures_are_sensitive_beside_persons_and_nothing_elsewhere() -> None:
    draw = random.Random(4)
    values = [f"{draw.uniform(3, 12):.2f}" for _ in range(COUNT)]
    assert beside_names("生化_GLU(mmol/L)", values).flags == ("personal", "sensitive_personal")
    water = proposed(**{"断面": [f"断面{n}" for n in range(COUNT)], "钙(mmol/L)": values})
    assert water.field("钙(mmol/L)").role == "other"


# --- days and ages that are written out ------


@pytest.mark.parametrize(
    ("written", "meant"),
    [("一九八四年九月二十八日", "1984-09-28"), ("二〇〇六年十一月十日", "2006-11-10"),
     ("二零零六年五月六日", "2006-05-06"), ("民國73年9月28日", "1984-09-28"),
     ("民国七十三年九月廿八日", "1984-09-28"),
     ("26-JUL-1963", "1963-07-26"), ("3 March 1990", "1990-03-03"), ("公元1990年1月2日", "1990-01-02"),
     ("1990-01-02", "1990-01-02"), ("5 Mayflower 12", "5 Mayflower 12"), ("三年二班", "三年二班"),
     (None, None)],
)  # fmt: skip
def test_days_written_out(written: str | None, meant: str | None) -> None:
    assert in_digits(fold(pl.Series([written], dtype=pl.String))).to_list() == [meant]


@given(st.dates(date(1912, 1, 1), date(2049, 12, 31)))
@settings(max_examples=100, deadline=None)
def test_every_day_of_the_republic_s_years_is_the_same_day(day: date) -> None:
    written = f"民國{day.year - 1911}年{day.month}月{day.day}日"
    assert in_digits(pl.Series([written]))[0] == day.isoformat()


def test_days_of_birth_written_out_are_found_and_other_days_are_not() -> None:
    draw = random.Random(5)
    born = [
        f"民國{draw.randint(30, 90)}年{draw.randint(1, 12)}月{draw.randint(1, 28)}日" for _ in range(COUNT)
    ]
    assert (beside_names("男方_出生", born).kind, beside_names("c1", born).kind) == (
        "birth_date",
        "birth_date",
    )
    lately = [f"民國{draw.randint(110, 113)}年{draw.randint(1, 12)}月1日" for _ in range(COUNT)]
    assert beside_names("c1", lately).kind == ""
    months = [f"{draw.randint(1940, 1990)}年{draw.randint(1, 12)}月" for _ in range(COUNT)]
    assert beside_names("出生年月", months).kind == "birth_date"


def test_ages_in_years_and_months() -> None:
    draw = random.Random(6)
    ages = [draw.choice((f"{draw.randint(1, 95)}岁", f"{draw.randint(1, 11)}个月")) for _ in range(COUNT)]
    assert beside_names("年龄", ages).kind == "age"
    young = proposed(
        姓名=names(draw), 年龄=[draw.choice(("3岁", "8岁", "7月", "11 岁")) for _ in range(COUNT)]
    )
    assert young.sensitive_group
    assert not proposed(姓名=names(draw), 年龄=[f"{n % 50 + 20}岁" for n in range(COUNT)]).sensitive_group


# --- content ------


def test_names_in_pinyin() -> None:
    draw = random.Random(7)
    last = ["Wang", "Zhao", "Ouyang", "Qian", "Lü", "Shen", "Xu", "Jiang"]
    first = ["Jianguo", "Haitao", "Yuxin", "Wenbo", "Ruoxi", "Mei", "Xiao Yu"]

    def one() -> str:
        a, b = draw.choice(last), draw.choice(first)
        return draw.choice((f"{a} {b}", f"{a.upper()}, {b}", f"{b} {a}"))

    assert proposed(c1=[one() for _ in range(COUNT)]).field("c1").kind == "person_name"
    goods = [f"{draw.choice(('Long', 'Song', 'Tan', 'Dong', 'Fan'))} {draw.choice(('Table', 'Shelf'))}"
             for _ in range(COUNT)]  # fmt: skip
    assert proposed(c1=goods).field("c1").role == "other"
    quarters = ["Wan Chai", "Sai Ying Pun", "Tai Po", "Kwun Tong", "Dong Cheng", "Chang Ping", "Xi Cheng",
                "Fang Shan", "Hai Dian", "Feng Tai", "Chao Yang", "Pu Dong"]  # fmt: skip
    assert proposed(c1=[draw.choice(quarters) for _ in range(COUNT)]).field("c1").role == "other"


def test_a_universal_identifier_in_braces_holds_no_telephone_number() -> None:
    draw = random.Random(8)
    made = [
        f"{{{draw.getrandbits(32):08X}-9380-4138-A013-{draw.randrange(10**12):012d}}}" for _ in range(COUNT)
    ]
    made[3] = "{40771138-4041-4473-A828-C7FD66A5FB53}"  # 138-4041-4473 stands in it
    assert proposed(GUID=made).field("GUID").role == "other"


def test_branches_hotels_and_partnerships_are_organisations() -> None:
    ends = ("支行", "宾馆", "事务所（普通合伙）", "信用社")
    made = [f"杭州{'甲乙丙丁戊'[n % 5]}{'东南西北'[n % 4]}{ends[n % 4]}" for n in range(COUNT)]
    one = proposed(c1=made, c2=[f"{n}.5" for n in range(COUNT)]).field("c1")
    assert (one.kind, one.role) == ("organisation", "identifier")
