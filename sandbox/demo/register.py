"""A synthetic resident register: ``python -m sandbox.demo.register OUT.csv [--rows 200000] [--seed 1]``.

Nobody in it is real, and the same arguments give the same bytes (numpy's PCG64; no clock, no locale).

**Identity numbers.** An 18-digit number is made of a real county code, a drawn birth date, a drawn
three-digit sequence (odd for men) and the check character of GB 11643-1999, because a checker that is
tried on malformed numbers is not tried. The numbers are drawn, not looked up; but every well-formed
number lies in the space that authorities assign from, so it **cannot be excluded** that one of
them, or a telephone number, is somebody's. No other field of that row has anything to do with them.
The file is for tests and demonstrations inside the domain, and is not to be published.

**Joint distributions.** Age pyramid -> education by birth cohort -> occupation by age and education ->
income (log-normal) by occupation, education, age and sex; chronic disease by age and sex; people (民族) by
prefecture; households share district, address and, mostly, their head's surname. The shapes follow
common knowledge of such registers; the figures are ours and measure nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sandbox.demo.guizhou import PEOPLE_SHARES, PEOPLES, counties

Ints = NDArray[np.int64]
TODAY = np.datetime64("2025-12-31")  # the day the register was drawn up, in its own story

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈"
)
GIVEN_MALE = "伟强磊军勇杰涛明超辉刚健俊峰鹏飞波斌浩宇轩然子豪博文志国建华平东海龙成林安康宁泽瑞"
GIVEN_FEMALE = "芳娜敏静丽艳娟霞秀英玉兰梅红燕玲婷雪慧倩欣怡佳琪梦瑶雨涵诗思颖洁萍琳莹菊花桂珍凤"

EDUCATION = ("未上学", "小学", "初中", "高中", "大专", "本科", "研究生")
# Rows: born before 1950, 1950-69, 1970-84, 1985-99, 2000 and later (adults). Columns: EDUCATION.
EDUCATION_BY_COHORT = (
    (0.34, 0.44, 0.15, 0.05, 0.012, 0.007, 0.001),
    (0.10, 0.40, 0.35, 0.10, 0.03, 0.018, 0.002),
    (0.03, 0.22, 0.44, 0.15, 0.09, 0.06, 0.01),
    (0.01, 0.07, 0.36, 0.20, 0.17, 0.16, 0.03),
    (0.005, 0.02, 0.20, 0.30, 0.23, 0.23, 0.015),
)
OCCUPATION = (
    "学龄前", "学生", "务农", "制造业工人", "建筑业工人", "商业服务业人员", "个体经营者",
    "办事人员", "专业技术人员", "教师", "医务人员", "单位负责人", "离退休", "无业",
)  # fmt: skip
# For ages 18 to 59, by education; columns are OCCUPATION from 务农 on.
OCCUPATION_BY_EDUCATION = (
    (0.62, 0.05, 0.08, 0.06, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.14),
    (0.48, 0.12, 0.14, 0.10, 0.07, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.09),
    (0.27, 0.20, 0.15, 0.18, 0.10, 0.01, 0.01, 0.0, 0.0, 0.005, 0.0, 0.075),
    (0.10, 0.18, 0.07, 0.27, 0.13, 0.09, 0.05, 0.01, 0.01, 0.02, 0.0, 0.07),
    (0.02, 0.10, 0.03, 0.20, 0.10, 0.20, 0.16, 0.06, 0.06, 0.03, 0.0, 0.04),
    (0.005, 0.04, 0.01, 0.10, 0.06, 0.24, 0.26, 0.14, 0.08, 0.045, 0.0, 0.02),
    (0.0, 0.01, 0.0, 0.04, 0.03, 0.18, 0.40, 0.16, 0.11, 0.06, 0.0, 0.01),
)
# Yuan a year, at the median, of the occupations from 务农 on; pensions and transfers for the last two.
MEDIAN_INCOME = (16e3, 52e3, 55e3, 43e3, 54e3, 62e3, 82e3, 78e3, 88e3, 130e3, 30e3, 4e3)
DISEASE = ("无", "高血压", "糖尿病", "冠心病", "慢性阻塞性肺疾病", "恶性肿瘤")
HOUSEHOLD = 2.8  # persons, on average
STREETS = ("中华路", "人民路", "解放路", "建设路", "新华路", "和平路", "北京路", "遵义路", "文化路", "环城路")
PREFIXES = ("135", "136", "137", "138", "139", "150", "151", "152", "158", "159", "182", "183", "187", "188",
            "130", "131", "132", "155", "156", "186", "133", "153", "177", "180", "181", "189")  # fmt: skip
WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])  # GB 11643-1999


def _pick(draw: NDArray[np.float64], table: Sequence[Sequence[float]], row: Ints) -> Ints:
    """One column index per draw, by the probabilities of its ``row`` of ``table``."""
    shares = np.asarray(table, dtype=np.float64)
    edges = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1)
    edges[:, -1] = 1.0
    return np.asarray((draw[:, None] >= edges[row]).sum(axis=1), dtype=np.int64)


def _ages(random: np.random.Generator, rows: int) -> Ints:
    """Age in days: a pyramid with its baby-boom bulges and the thinning of the old."""
    years = np.arange(0, 101)
    shape = np.where(years < 65, 1.0, np.exp(-((np.maximum(years - 65, 0) / 14.0) ** 1.4)))
    bulges = 0.45 * np.exp(-(((years - 54) / 6.0) ** 2)) + 0.35 * np.exp(-(((years - 36) / 5.0) ** 2))
    weight = (shape + bulges) * np.where(years < 6, 0.75, 1.0)
    drawn = random.choice(years, size=rows, p=weight / weight.sum())
    return np.asarray(drawn * 365.2425 + random.integers(0, 365, rows), dtype=np.int64)


def _resident_ids(
    random: np.random.Generator, region: Ints, birth: NDArray[np.datetime64], male: Ints
) -> pl.Series:
    """Distinct identity numbers. Persons who share region, day and sex get consecutive sequence numbers
    from a drawn start; ``ValueError`` when more than 500 share them (no number is left then)."""
    days = birth.astype("datetime64[D]")
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    month = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    body = region * 100_000_000 + year * 10_000 + month * 100 + day
    order = np.lexsort((male, body))
    group = np.concatenate(([True], (np.diff(body[order]) != 0) | (np.diff(male[order]) != 0)))
    first = np.maximum.accumulate(np.where(group, np.arange(len(order)), 0))
    rank = np.arange(len(order)) - first
    if rank.max(initial=0) >= 500:
        raise ValueError("too many rows: no identity number is left for some day and county")
    start = random.integers(0, 500, len(order))[first]
    sequence = np.empty(len(order), dtype=np.int64)
    sequence[order] = (start + rank) % 500 * 2
    sequence += male
    number = body * 1000 + sequence
    digits = number[:, None] // 10 ** np.arange(16, -1, -1) % 10
    check = np.array(list("10X98765432"))[(digits * WEIGHTS).sum(axis=1) % 11]
    return pl.Series(number).cast(pl.String) + pl.Series(check)


def _households(random: np.random.Generator, county: Ints, adult: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Per person: household number and the index of the household's head, an adult of the same county."""
    household = np.empty(len(county), dtype=np.int64)
    head = np.empty(len(county), dtype=np.int64)
    number = 0
    for code in range(int(county.max(initial=0)) + 1):
        members = np.flatnonzero(county == code)
        adults = members[adult[members]]
        count = max(1, min(len(adults), round(len(members) / HOUSEHOLD)))
        heads = adults[:count] if len(adults) else members[:1]
        chosen = random.integers(0, count, len(members))
        household[members], head[members] = number + chosen, heads[chosen]
        household[heads], head[heads] = number + np.arange(len(heads)), heads
        number += count
    return household, head


def _names(random: np.random.Generator, male: Ints, head: Ints, kin: NDArray[np.bool_]) -> pl.Series:
    rows = len(male)
    weight = 1.0 / np.arange(3, len(SURNAMES) + 3)  # a few names are common, many rare
    surname = random.choice(len(SURNAMES), rows, p=weight / weight.sum())
    surname = np.where(kin, surname[head], surname)
    parts = []
    for _ in range(2):
        boy = np.array(list(GIVEN_MALE))[random.integers(0, len(GIVEN_MALE), rows)]
        girl = np.array(list(GIVEN_FEMALE))[random.integers(0, len(GIVEN_FEMALE), rows)]
        parts.append(np.where(male == 1, boy, girl))
    second = np.where(random.random(rows) < 0.85, parts[1], "")
    return pl.Series(np.array(list(SURNAMES))[surname]) + pl.Series(parts[0]) + pl.Series(second)


def _work(
    random: np.random.Generator, age: Ints, birth_year: Ints, male: Ints
) -> tuple[Ints, Ints, NDArray[np.float64]]:
    """Education, occupation (indices) and income in yuan a year (NaN for the young)."""
    rows = len(age)
    cohort = np.searchsorted([1950, 1970, 1985, 2000], birth_year, side="right")
    education = _pick(random.random(rows), EDUCATION_BY_COHORT, cohort)
    school = np.select([age < 6, age < 12, age < 15, age < 18], [0, 1, 2, 3], default=6)
    education = np.where(age < 18, school, education)
    occupation = _pick(random.random(rows), OCCUPATION_BY_EDUCATION, education) + 2
    draw = random.random(rows)
    student = (age < 18) | ((age < 23) & (education >= 4) & (draw < 0.85))
    retired = (age >= 60) & (draw < np.where(occupation == 2, 0.35, 0.93))
    occupation = np.select([age < 6, student, retired], [0, 1, 12], default=occupation)
    earning = occupation >= 2
    median = np.asarray(MEDIAN_INCOME)[np.maximum(occupation - 2, 0)]
    experience = 1 + 0.35 * np.clip((age - 20) / 25, 0, 1) - 0.15 * np.clip((age - 50) / 15, 0, 1)
    schooling = 1 + 0.07 * (education - 2)
    income = median * experience * schooling * np.where(male == 1, 1.09, 0.91)
    income = income * np.exp(random.normal(0, 0.45, rows))
    return education, occupation, np.where(earning, np.round(income, -2), np.nan)


def _disease(random: np.random.Generator, age: Ints, male: Ints) -> Ints:
    """Index of DISEASE: rises with age, somewhat more among men for the heart and the lung."""
    old = np.clip((age - 30) / 45, 0, 1)
    men = np.where(male == 1, 1.25, 0.8)
    risks = np.stack(
        [0.34 * old, 0.12 * old, 0.07 * old**2 * men, 0.06 * old**2 * men, 0.002 + 0.03 * old**1.5]
    )
    edges = np.cumsum(risks, axis=0)
    draw = random.random(len(age))
    below = (draw < edges).argmax(axis=0) + 1
    return np.where(draw < edges[-1], below, 0)


def generate(rows: int = 200_000, seed: int = 1) -> pl.DataFrame:
    """The register as a table, one row per person, resident_id unique. ``ValueError`` for too many rows."""
    random = np.random.default_rng(seed)
    divisions = counties()
    weight = np.array([row[3] for row in divisions])
    county = random.choice(len(divisions), rows, p=weight / weight.sum())
    codes = np.array([int(row[0]) for row in divisions])
    # One in eight was first registered elsewhere in the province: the number keeps the first county.
    moved = random.random(rows) < 0.125
    origin = np.where(moved, random.choice(len(divisions), rows, p=weight / weight.sum()), county)
    age_days = _ages(random, rows)
    birth = TODAY - age_days.astype("timedelta64[D]")
    age = (age_days / 365.2425).astype(np.int64)
    birth_year = birth.astype("datetime64[Y]").astype(np.int64) + 1970
    male = (random.random(rows) < np.where(age < 60, 0.515, 0.485)).astype(np.int64)
    education, occupation, income = _work(random, age, birth_year, male)
    household, head = _households(random, county, age >= 22)
    kin = (head != np.arange(rows)) & (random.random(rows) < np.where(age < 22, 0.92, 0.35))
    shares = [PEOPLE_SHARES[row[0][:4]] for row in divisions]
    people = _pick(random.random(rows), shares, county)
    people = np.where(kin, people[head], people)
    homes = int(household.max(initial=0)) + 1
    street, house = random.integers(0, len(STREETS), homes), random.integers(1, 400, homes)
    block, room = (
        random.integers(1, 31, homes),
        random.integers(1, 33, homes) * 100 + random.integers(1, 5, homes),
    )
    prefix = np.array(PREFIXES)[random.integers(0, len(PREFIXES), rows)]
    has_phone = (age >= 10) & (random.random(rows) < np.where(age < 75, 0.97, 0.7))
    registered = birth + (random.random(rows) ** 3 * age_days).astype("timedelta64[D]")
    names = [prefecture + district for _, prefecture, district, _ in divisions]
    table = pl.DataFrame(
        {
            "resident_id": _resident_ids(random, codes[origin], birth, male),
            "name": _names(random, male, head, kin),
            "sex": np.where(male == 1, "男", "女"),
            "birth_date": birth,
            "ethnicity": np.array(PEOPLES)[people],
            "district_code": codes[county],
            "district": np.array([row[2] for row in divisions])[county],
            "_place": np.array(names)[county],
            "_street": np.array(STREETS)[street[household]],
            "_house": house[household],
            "_block": block[household],
            "_room": room[household],
            "phone": pl.Series(prefix)
            + pl.Series(random.integers(0, 10**8, rows)).cast(pl.String).str.zfill(8),
            "_has_phone": has_phone,
            "education": np.array(EDUCATION)[education],
            "occupation": np.array(OCCUPATION)[occupation],
            "income": pl.Series(income).fill_nan(None).cast(pl.Int64),
            "household_id": household,
            "chronic_disease": np.array(DISEASE)[_disease(random, age, male)],
            "register_date": registered,
        }
    )
    return table.select(
        "resident_id",
        "name",
        "sex",
        pl.col("birth_date").cast(pl.Date),
        "ethnicity",
        pl.col("district_code").cast(pl.String),
        "district",
        pl.format("贵州省{}{}{}号{}栋{}室", "_place", "_street", "_house", "_block", "_room").alias(
            "address"
        ),
        pl.when(pl.col("_has_phone")).then(pl.col("phone")).alias("phone"),
        "education",
        "occupation",
        "income",
        pl.format("H{}", pl.col("household_id").cast(pl.String).str.zfill(8)).alias("household_id"),
        "chronic_disease",
        pl.col("register_date").cast(pl.Date),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.demo.register", description="合成居民登记表 / Synthetic resident register"
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    if chosen.rows < 1:
        parser.error("--rows >= 1")
    generate(chosen.rows, chosen.seed).write_csv(chosen.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
