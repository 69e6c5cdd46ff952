"""Dummy tables: types, keys, dependencies, null shares, edge cases, the seed; and our jobs return rows on
them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.demo.data import HERE, residents, survey
from sandbox.desensitize.dummy.reserved import is_dummy
from sandbox.desensitize.dummy.task import make
from sandbox.workspace.fields import TYPES

REGISTER = yaml.safe_load((HERE / "register.fields.yaml").read_text(encoding="utf-8"))
FAIR = yaml.safe_load((HERE / "fair.fields.yaml").read_text(encoding="utf-8"))
RESIDENTS = {"name": "residents", "entity": REGISTER["entity"], "fields": REGISTER["fields"]}
SURVEY = {"name": "survey", "entity": None, "fields": FAIR["fields"]}
JOBS = HERE / "jobs"


def column(name: str, type_: str = "string", **told: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **told}


VISITS = {
    "name": "visits",
    "source": "ce-visits",
    "entity": "resident_id",
    "fields": [
        column("resident_id", title_zh="身份证号", role="identifier"),
        column("hospital", references="ce-hospitals.code"),
        column("ward", title_zh="病区"),
        column("cost", "decimal", title_zh="费用"),
        column("visited", "date"),
    ],
}
HOSPITALS = {
    "name": "hospitals",
    "source": "ce-hospitals",
    "entity": "code",
    "fields": [column("code", unique=True), column("grade", code_list=["三级", "二级", "一级"])],
}


def made(
    tables: list[dict[str, Any]], text: str = "", rows: int = 1000, **over: Any
) -> dict[str, pl.DataFrame]:
    """The tables, for a SQL job of this text."""
    params = {
        "tables": tables, "language": "sql", "entry": "m", "code": {"m": text}, "rows": rows, "seed": 1,
        "edges": 0.05, "least": 10, **over,
    }  # fmt: skip
    return make(params)[0].frames


def answers(frames: dict[str, pl.DataFrame], text: str) -> list[int]:
    """How many rows each statement of ``text`` gives on these tables."""
    with duckdb.connect() as connection:
        for name, frame in frames.items():
            connection.register(name, frame.to_arrow())
        found = []
        for statement in duckdb.extract_statements(text):
            head = re.match(r"\s*CREATE\s+(?:TEMP\s+)?(?:TABLE|VIEW)\s+(\w+)", statement.query, re.IGNORECASE)
            connection.execute(statement.query)
            if head:
                ((count,),) = connection.execute(f"SELECT count(*) FROM {head[1]}").fetchall()
                found.append(count)
            elif not re.match(r"\s*CREATE", statement.query):
                found.append(len(connection.execute(statement.query).fetchall()))
        return found


@pytest.mark.parametrize("name", sorted(path.name for path in JOBS.glob("*.sql")))
def test_every_sql_job_of_the_demonstration_returns_rows(name: str) -> None:
    text = "\n".join(
        line for line in (JOBS / name).read_text(encoding="utf-8").splitlines() if line[:2] != "--"
    )
    assert min(answers(made([RESIDENTS], text), text)) > 0


@pytest.mark.parametrize("name", sorted(path.name for path in JOBS.glob("*.py")))
def test_every_python_job_of_the_demonstration_returns_rows(name: str, tmp_path: Path) -> None:
    text, table = (JOBS / name).read_text(encoding="utf-8"), SURVEY if name == "survey.py" else RESIDENTS
    for table_name, frame in made([table], language="python", code={name: text}, entry=name).items():
        frame.write_parquet(tmp_path / f"{table_name}.parquet")
    out = tmp_path / "out"
    out.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": f"{HERE.parents[1]}:{HERE.parent / 'task'}",
        "SANDBOX_INPUT": str(tmp_path),
        "SANDBOX_OUTPUT": str(out),
    }
    done = subprocess.run(
        [sys.executable, JOBS / name], env=environment, capture_output=True, text=True, check=False
    )
    if name == "broken.py":  # made to fail, and it fails on a row that it was given
        assert "ValueError: ('119999" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    for path in out.glob("*.csv"):
        assert pl.read_csv(path).height > 0, path.name


def test_the_jobs_of_the_story_are_those_that_were_tried(tmp_path: Path) -> None:
    names = {residents(tmp_path, 50).job["entry"], survey(tmp_path).job["entry"]}
    assert names <= {path.name for path in JOBS.iterdir()}


QUERIES = {
    "an unknown name, a code, a fortnight": """
        CREATE TABLE o AS SELECT sex, count(*) AS n FROM residents WHERE
        district = '黔西市' AND district_code LIKE '52%' AND birth_date BETWEEN
        DATE '1991-03-01' AND DATE '1991-03-14' GROUP BY sex HAVING count(*) >=
        20
    """,
    "views, a macro, group by all": """
        CREATE MACRO band(x) AS floor(x / 10) * 10; CREATE TEMP TABLE a AS
        SELECT *, year(birth_date) AS y FROM residents WHERE income > 500000 AND
        education IN ('博士', '本科'); CREATE TABLE o AS SELECT band(y) AS b,
        count(DISTINCT resident_id) AS n FROM a WHERE y >= 1960 GROUP BY ALL
        HAVING n >= 30
    """,
    "or over two columns, a mean": """
        WITH q AS (SELECT substr(district_code, 1, 4) AS c, income FROM
        residents WHERE chronic_disease LIKE '%瘤%' OR ethnicity = '傣族') SELECT
        c, avg(income) FROM q GROUP BY 1 HAVING count(*) > 25 AND avg(income) >
        60000
    """,
    "two columns in one condition": """
        SELECT sex, count(*) FROM residents WHERE register_date > birth_date +
        INTERVAL 30 YEAR AND income * 12 >= 3000000 GROUP BY sex HAVING count(*)
        >= 15
    """,
    "what only some meet": """
        SELECT district, count(*) FROM residents GROUP BY 1 HAVING count(*)
        FILTER (WHERE chronic_disease = '糖尿病') >= 20 AND count(*) > 30
    """,
    "a case that is counted": """
        SELECT district FROM residents GROUP BY 1 HAVING sum(CASE WHEN
        occupation = '飞行员' THEN 1 ELSE 0 END) >= 12
    """,
    "union": """
        SELECT sex FROM residents WHERE education = '博士后' UNION ALL SELECT sex
        FROM residents WHERE income = 17
    """,
    "nothing": """
        SELECT count(*) FROM residents WHERE chronic_disease IS NULL HAVING
        count(*) > 5
    """,
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_finds_what_it_asks_for(name: str) -> None:
    assert min(answers(made([RESIDENTS], QUERIES[name], 2000), QUERIES[name])) > 0


JOINS = {
    "three tables": """
        SELECT r.sex, h.grade, count(DISTINCT v.resident_id) AS n FROM visits v
        JOIN residents r USING (resident_id) JOIN hospitals h ON h.code =
        v.hospital WHERE h.grade = '三级' AND v.visited >= DATE '2019-05-01' AND
        v.visited < DATE '2019-06-01' AND r.birth_date < DATE '1960-01-01' AND
        v.ward = '骨科' GROUP BY ALL HAVING count(DISTINCT v.resident_id) >= 20
    """,
    "exists and in": """
        SELECT sex, count(*) FROM residents r WHERE EXISTS (SELECT 1 FROM visits
        v WHERE v.resident_id = r.resident_id AND ward = '儿科') AND resident_id
        IN (SELECT resident_id FROM visits WHERE cost BETWEEN 1 AND 2) GROUP BY
        sex HAVING count(*) >= 10
    """,
    "a left join": """
        SELECT grade, count(*) FROM visits LEFT JOIN hospitals ON hospital =
        code WHERE grade IS NOT NULL GROUP BY grade HAVING count(*) > 40
    """,
}


COMPANIES = {
    "name": "companies",
    "entity": "uscc",
    "fields": [
        column("uscc", title_zh="统一社会信用代码", role="identifier", unique=True),
        column("industry", pattern="@##"),
        column("founded", "date"),
        column("status", title_zh="经营状态"),
    ],
}
TAXES = {
    "name": "taxes",
    "entity": "uscc",
    "fields": [
        column("uscc", title_zh="统一社会信用代码", role="identifier"),
        column("year", "integer", title_zh="年度"),
        column("month", "integer", minimum=1, maximum=12),
        column("tax", "decimal", title_zh="纳税额"),
        column("paid_at", "datetime"),
        column("overdue", "boolean"),
    ],
}
OF_COMPANIES = {
    "a table joined with itself, a year with the next": """
        SELECT a.month, avg(b.tax / a.tax) FROM taxes a JOIN taxes b ON a.uscc = b.uscc
        WHERE a.year = 2010 AND b.year = 2011 AND a.tax > 0 GROUP BY 1 HAVING count(*) >= 10
    """,
    "the same by common table expressions": """
        WITH p AS (SELECT uscc, tax FROM taxes WHERE year = 2010),
             q AS (SELECT uscc, tax FROM taxes WHERE year = 2011)
        SELECT count(*) FROM p JOIN q USING (uscc) HAVING count(*) > 20
    """,
    "whoever is not there": """
        SELECT status, count(*) FROM companies c LEFT JOIN taxes t USING (uscc) WHERE t.tax IS NULL GROUP BY 1
    """,
    "two counts of opposite rows": """
        SELECT year FROM taxes GROUP BY year HAVING count(DISTINCT uscc) FILTER (WHERE overdue) >= 5
        AND count(DISTINCT uscc) FILTER (WHERE NOT overdue) >= 5
    """,
    "a regular expression, an old date": """
        SELECT industry[1], count(*) FROM companies WHERE regexp_matches(industry, '^[CFM]')
        AND founded < DATE '1990-01-01' GROUP BY 1 HAVING count(*) >= 10
    """,
    "months of a moment": """
        SELECT date_trunc('month', paid_at), sum(tax) FROM taxes WHERE strftime(paid_at, '%Y-%m') = '2017-03'
        GROUP BY 1 HAVING count(DISTINCT uscc) >= 10
    """,
    "arithmetic": "SELECT count(*) FROM taxes WHERE floor(tax / 12 / 1000) = 40 HAVING count(*) > 30",
    "a window": """
        SELECT uscc FROM taxes QUALIFY row_number() OVER (PARTITION BY uscc ORDER BY year DESC) = 1
    """,
    "more than the rows that were asked for": """
        SELECT status FROM companies WHERE status = '筹建' GROUP BY 1 HAVING count(*) >= 3000
    """,
    "a comparison between tables": """
        SELECT count(*) FROM taxes t JOIN companies c USING (uscc) WHERE t.paid_at > c.founded
        HAVING count(*) > 9
    """,
}


@pytest.mark.parametrize("name", OF_COMPANIES)
def test_a_query_about_companies_finds_what_it_asks_for(name: str) -> None:
    text = OF_COMPANIES[name]
    assert min(answers(made([COMPANIES, TAXES], text, 2000), text)) > 0


@pytest.mark.parametrize("name", JOINS)
def test_joins_hit(name: str) -> None:
    assert min(answers(made([RESIDENTS, VISITS, HOSPITALS], JOINS[name], 2000), JOINS[name])) > 0


def test_an_identifier_is_never_taken_from_the_job() -> None:
    number = "520103199001011234"
    text = f"SELECT count(*) FROM residents WHERE resident_id = '{number}' OR name = '张三'"
    result, _, _ = make(
        {
            "tables": [RESIDENTS], "language": "sql", "entry": "m", "code": {"m": text}, "rows": 500,
            "seed": 1, "edges": 0.05, "least": 10,
        }
    )  # fmt: skip
    cells = {str(cell) for row in result.frames["residents"].rows() for cell in row}
    assert not {number, "张三"} & cells


def test_identifiers_are_valid_distinct_and_agree_with_what_stands_beside_them() -> None:
    frame = made([RESIDENTS], edges=0.0)["residents"]
    assert frame["resident_id"].n_unique() == 1000
    assert all(is_dummy(one) for name in ("resident_id", "phone", "name", "address") for one in frame[name])
    assert (frame["resident_id"].str.slice(6, 8) == frame["birth_date"].dt.strftime("%Y%m%d")).all()
    male = frame["resident_id"].str.slice(16, 1).cast(pl.Int8) % 2 == 1
    assert (male == (frame["sex"] == "男")).all()


def test_a_code_has_one_name() -> None:
    text = "SELECT 1 FROM residents WHERE district = '某地' OR district_code = '520103'"
    frame = made([RESIDENTS], text, edges=0.0)["residents"]
    assert frame.group_by("district_code").agg(pl.col("district").n_unique())["district"].max() == 1
    assert {"某地", "云岩区"} <= set(frame["district"])


def test_what_determines_is_declared_or_recognised() -> None:
    table = {
        "name": "t",
        "fields": [
            column("icd", code_list=["A00", "B01", "C02", "D03"]),
            column("illness", determined_by="icd", code_list=["霍乱", "水痘", "肿瘤", "良性肿瘤"]),
            column("round", determined_by="other"),
            column("other", determined_by="round"),
        ],
    }
    frame = made([table], "SELECT 1 FROM t WHERE illness = '水痘'", edges=0.0)["t"]
    assert frame.group_by("icd").agg(pl.col("illness").n_unique())["illness"].to_list() == [1] * 4
    assert frame.columns == ["icd", "illness", "round", "other"]


def test_an_entity_has_one_birth_date_in_whatever_row_and_table() -> None:
    births = {**VISITS, "fields": [*VISITS["fields"], column("birth_date", "date", title_zh="出生日期")]}
    frames = made([RESIDENTS, births], edges=0.0)
    both = frames["visits"].join(frames["residents"], on="resident_id")
    assert both.height >= 900
    assert (both["birth_date"] == both["birth_date_right"]).all()
    assert frames["visits"]["resident_id"].n_unique() < frames["visits"].height  # several rows of some


def test_references_hit_and_a_unique_key_is_unique() -> None:
    frames = made([VISITS, HOSPITALS], edges=0.0)
    assert frames["hospitals"]["code"].n_unique() == frames["hospitals"].height
    assert (
        frames["visits"].join(frames["hospitals"], left_on="hospital", right_on="code", how="anti").is_empty()
    )


def test_types_are_those_of_a_snapshot(tmp_path: Path) -> None:
    table = {"name": "t", "fields": [column(f"c{n}", type_) for n, type_ in enumerate(TYPES)]}
    frame = made([table])["t"]
    frame.write_parquet(tmp_path / "t.parquet")
    with duckdb.connect() as connection:
        found = connection.execute(f"DESCRIBE SELECT * FROM '{tmp_path / 't.parquet'}'").fetchall()
    wanted = [one.sql.replace(" ", "") for one in TYPES.values()]
    assert [row[1].replace(" ", "") for row in found] == wanted


def test_declared_ranges_codes_forms_and_null_shares_hold() -> None:
    table = {
        "name": "t",
        "fields": [
            column("score", "integer", minimum=3, maximum=9),
            column("day", "date", minimum="2020-02-01", maximum="2020-02-29"),
            column("sort", code_list=["甲", "乙"]),
            column("licence", pattern="贵A-####@", role="identifier"),
            column("rated", "integer", title_zh="评分（1–5）"),
            column("seldom", "number", null_share=0.3),
        ],
    }
    frame = made([table], "SELECT 1 FROM t WHERE score > 100 AND sort = '丙'", 4000, edges=0.0)["t"]
    assert (frame["score"].min(), frame["score"].max()) == (3, 9)
    assert str(frame["day"].min()) >= "2020-02-01"
    assert str(frame["day"].max()) <= "2020-02-29"
    assert set(frame["sort"]) == {"甲", "乙"}
    assert frame["licence"].str.contains(r"^贵A-\d{4}[A-Z]$").all()
    assert (frame["rated"].min(), frame["rated"].max()) == (1, 5)
    assert 0.25 < frame["seldom"].null_count() / 4000 < 0.35


def test_edge_cases_stand_in_a_share_of_the_rows_and_can_be_switched_off() -> None:
    fields = [
        *VISITS["fields"],
        column("note", title_zh="备注"),
        column("seen", "boolean"),
        column("at", "datetime"),
    ]
    table = {**VISITS, "fields": fields}
    rough, tidy = (made([table], rows=4000, edges=edges)["visits"] for edges in (0.2, 0.0))
    notes = rough["note"].drop_nulls()
    assert notes.str.contains("𠮷").any()
    assert (notes == "").any()
    assert notes.str.starts_with(" ").any()
    assert all(rough[name].null_count() > 0 for name in ("ward", "cost", "visited", "seen", "at"))
    assert (rough["visited"].dt.year() == 1900).any()
    assert rough["resident_id"].null_count() == 0
    assert rough.is_duplicated().any()
    changed = (
        rough["ward"].is_null() | (rough["ward"].str.strip_chars() != rough["ward"]) | (rough["ward"] == "")
    ).sum()
    assert changed <= 0.2 * 4000
    assert sum(tidy.null_count().row(0)) == 0


def test_the_same_seed_gives_the_same_tables_and_another_another() -> None:
    text = QUERIES["or over two columns, a mean"]
    first, again, other = (made([RESIDENTS, VISITS], text, seed=seed) for seed in (1, 1, 2))
    assert all(first[name].equals(again[name]) for name in first)
    assert not first["residents"].equals(other["residents"])


TITLES = (
    "姓名",
    "身份证号",
    "手机",
    "年龄（0–120）",
    "出生日期",
    "性别",
    "行政区划代码",
    "县",
    "金额",
    "备注",
    "车牌",
)
FIELD = st.fixed_dictionaries(
    {
        "type": st.sampled_from(sorted(TYPES)),
        "title_zh": st.sampled_from(TITLES),
        "role": st.sampled_from(["identifier", "quasi", "other"]),
    },
    optional={
        "unique": st.just(True),
        "code_list": st.sampled_from([["1", "2"], ["a"], ["2020-01-01"]]),
        "pattern": st.sampled_from(["##", "@-#"]),
        "null_share": st.sampled_from([0.5, 1.0]),
        "determined_by": st.sampled_from(["c0", "c1", "c2"]),
        "references": st.sampled_from(["ta.c0", "tb.c1"]),
    },
)
FIELDS = st.lists(FIELD, min_size=3, max_size=6)
CONSTANTS = st.sampled_from(["1", "'a'", "'2020-05-01'", "DATE '2019-02-03'", "NULL", "3.5", "'%x'"])


@settings(max_examples=30, deadline=None)
@given(
    FIELDS,
    FIELDS,
    st.sampled_from(["c0", "c1", "zz"]),
    CONSTANTS,
    st.sampled_from(["=", ">", "LIKE"]),
    st.data(),
)
def test_any_catalogue_and_any_condition_give_tables(
    first: list[dict[str, Any]],
    second: list[dict[str, Any]],
    entity: str,
    constant: str,
    sign: str,
    data: st.DataObject,
) -> None:
    tables = [
        {"name": name, "entity": entity, "fields": [{**one, "name": f"c{n}"} for n, one in enumerate(fields)]}
        for name, fields in (("ta", first), ("tb", second))
    ]
    left, right = (
        data.draw(st.sampled_from(["c0", "c1", "c2"])),
        data.draw(st.sampled_from(["c0", "c1", "c2"])),
    )
    joined = f"ta a JOIN tb b ON a.{left} = b.{right}"
    text = f"SELECT a.c0 FROM {joined} WHERE a.{right} {sign} {constant} GROUP BY 1"
    frames, again = (made(tables, text, 60) for _ in range(2))
    for table in tables:
        frame = frames[table["name"]]
        assert frame.height >= 60
        assert frame.equals(again[table["name"]])
        for one in table["fields"]:
            if one["type"] == "string" and "code_list" in one and "determined_by" not in one:
                held = set(frame[one["name"]].drop_nulls().str.strip_chars()) - {"", *one["code_list"]}
                assert all(
                    map(is_dummy, held)
                )  # a column that is joined by holds the keys that it is joined with


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["sex", "district", "education", "income", "birth_date", "occupation"]),
    st.sampled_from(["=", "<", ">=", "<>"]),
    st.integers(0, 400),
    st.integers(2, 25),
)
def test_any_comparison_of_a_column_is_met(name: str, sign: str, number: int, least: int) -> None:
    kind = {"income": str(number * 1000), "birth_date": f"DATE '{1936 + number % 80}-05-17'"}
    value = kind.get(name, f"'值{number}'")
    sign = sign if name in kind or sign in ("=", "<>") else "="
    text = f"SELECT count(*) AS n FROM residents WHERE {name} {sign} {value} HAVING count(*) >= {least}"
    if name == "income" and sign == "<" and number == 0:
        return  # no income is below nothing
    assert answers(made([RESIDENTS], text, 300), text) == [1]


def test_the_report_of_the_demonstrations_job_says_that_everything_was_met() -> None:
    code = {"m": (JOBS / "income.sql").read_text(encoding="utf-8")}
    result, _, reading = make(
        {
            "tables": [RESIDENTS], "language": "sql", "entry": "m", "code": code,
            "outputs": ["income_by_county.csv"], "rows": 2000, "seed": 1, "edges": 0.05, "least": 10,
        }
    )  # fmt: skip
    assert (result.unmet, reading.unread) == ([], [])
    assert json.dumps(reading.wants[0].groups) == '["residents.district", "residents.sex"]'
