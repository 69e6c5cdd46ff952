"""The room of dummy data and what the catalogue may state for it: refusals, types, what it tells."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from sandbox.catalog.entry import EntryField
from sandbox.catalog.stated import Stated
from sandbox.desensitize.dummy import fields
from sandbox.desensitize.dummy.task import run
from sandbox.pii.kinds import KINDS
from tests.refusal import refused

PARAMS: dict[str, Any] = {
    "tables": [{"name": "t", "entity": None, "fields": [{"name": "n", "type": "integer"}]}],
    "language": "sql",
    "entry": "m.sql",
    "code": {"m.sql": "CREATE TABLE o AS SELECT n FROM t WHERE n = 77 AND n < (SELECT max(n) FROM t)"},
    "outputs": ["o.csv"],
    "rows": 50,
    "seed": 1,
    "edges": 0.1,
    "least": 10,
}


def test_the_room_writes_a_table_an_input_and_tells_what_it_read(tmp_path: Path) -> None:
    told = run(PARAMS, tmp_path / "nothing is read", tmp_path)
    assert told["ok"] is True
    assert told["tables"] == [{"name": "t", "rows": 50}]
    assert told["unmet"] == []
    assert len(told["unread"]) == 1
    frame = pl.read_parquet(tmp_path / "t.parquet")
    assert (frame["n"] == 77).sum() >= 30


def test_what_no_value_meets_is_told(tmp_path: Path) -> None:
    code = {"m.sql": "CREATE TABLE o AS SELECT n FROM t WHERE n < 3 AND n > 5"}
    assert run({**PARAMS, "code": code}, tmp_path, tmp_path)["unmet"] == ['("t.n" < 3)', '("t.n" > 5)']


@pytest.mark.parametrize("condition", ["id = 'P7'", "tel LIKE '138%'", "CAST(n AS DATE) > DATE '2020-01-01'"])
def test_what_an_identifier_does_not_meet_or_nothing_can_compute_is_told(
    condition: str, tmp_path: Path
) -> None:
    fields = [
        {"name": "id", "type": "string", "role": "identifier"},
        {"name": "tel", "type": "string", "title_zh": "手机", "role": "identifier"},
        {"name": "n", "type": "integer"},
    ]
    code = {"m.sql": f"CREATE TABLE o AS SELECT n FROM t WHERE {condition}"}
    told = run(
        {**PARAMS, "tables": [{"name": "t", "entity": "id", "fields": fields}], "code": code},
        tmp_path,
        tmp_path,
    )
    assert len(told["unmet"]) == 1


@pytest.mark.parametrize(
    "field",
    [
        {"name": "n", "type": "blob"},
        {"name": "n"},
        {"type": "integer"},
        {"name": "n", "type": "integer", "minimum": "soon"},
        {"name": "n", "type": "date", "maximum": "31.12.2020"},
        {"name": "n", "type": "integer", "minimum": 5, "maximum": 3},
    ],
)
def test_a_field_that_nothing_can_be_made_of_is_refused(field: dict[str, Any], tmp_path: Path) -> None:
    with refused("DUMMY_FIELDS"):
        run({**PARAMS, "tables": [{"name": "t", "fields": [field]}]}, tmp_path, tmp_path)


@pytest.mark.parametrize("tables", [None, [], [{"name": "t", "fields": []}], "t"])
def test_no_table_is_refused(tables: object, tmp_path: Path) -> None:
    with refused("DUMMY_FIELDS"):
        run({**PARAMS, "tables": tables}, tmp_path, tmp_path)


@pytest.mark.parametrize(
    "over",
    [
        {"rows": 9},
        {"rows": 10**7},
        {"rows": "many"},
        {"rows": {"t": 3}},
        {"seed": -1},
        {"seed": None},
        {"edges": 0.6},
        {"edges": "some"},
        {"least": 1.5},
    ],
)
def test_parameters_out_of_bounds_are_refused(over: dict[str, Any], tmp_path: Path) -> None:
    with refused("DUMMY_PARAMS"):
        run({**PARAMS, **over}, tmp_path, tmp_path)


def test_more_persons_of_one_day_than_there_are_numbers_are_refused(tmp_path: Path) -> None:
    fields = [
        {"name": "id", "type": "string", "title_zh": "身份证号", "role": "identifier", "unique": True},
        {
            "name": "born",
            "type": "date",
            "title_zh": "出生日期",
            "minimum": "1990-01-01",
            "maximum": "1990-01-01",
        },
    ]
    tables = [{"name": "t", "entity": "id", "fields": fields}]
    assert run({**PARAMS, "tables": tables, "rows": 20_000}, tmp_path, tmp_path)["ok"] is True
    with refused("DUMMY_PARAMS"):
        run({**PARAMS, "tables": tables, "rows": 40_000}, tmp_path, tmp_path)


def test_rows_may_be_said_of_each_table(tmp_path: Path) -> None:
    two = [*PARAMS["tables"], {"name": "u", "fields": [{"name": "n", "type": "integer"}]}]
    told = run({**PARAMS, "tables": two, "rows": {"u": 20, "": 30}}, tmp_path, tmp_path)
    assert told["tables"] == [{"name": "t", "rows": 30}, {"name": "u", "rows": 20}]


MEANINGS = {
    ("sfzh", "居民身份证号", "identifier"): "resident_id",
    ("tel", "联系电话", "identifier"): "mobile",
    ("tyshxydm", "统一社会信用代码", "identifier"): "uscc",
    ("company", "企业名称", "identifier"): "organisation",
    ("xm", "姓名", "identifier"): "person",
    ("addr", "家庭住址", "identifier"): "address_room",
    ("acct", "银行卡号", "identifier"): "bank_card",
    ("record_no", "病案号", "identifier"): "other",
    ("xb", "性别", "quasi"): "sex",
    ("xzqhdm", "行政区划代码", "quasi"): "region_code",
    ("remark", "备注", "other"): "",
}


@pytest.mark.parametrize("told", MEANINGS)
def test_a_column_is_recognised_by_its_name_and_titles(told: tuple[str, str, str]) -> None:
    name, title, role = told
    assert fields.meaning_of(name, f"{title}\n", "string", role) == MEANINGS[told]


def test_the_catalogue_of_identifiers_is_the_shared_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    monkeypatch.setitem(KINDS, "vin", dataclasses.replace(KINDS["vin"], context="奇异编号"))
    assert fields.meaning_of("code", "奇异编号\n", "string", "identifier") == "vin"


def test_a_provider_may_state_what_values_can_be() -> None:
    told = {"code_list": ["a"], "minimum": 0, "maximum": 9.5, "null_share": 0.1, "unique": True,
            "references": "ce-a.code", "determined_by": "b", "pattern": "##"}  # fmt: skip
    field = EntryField.model_validate(
        {"name": "a", "title_zh": "甲", "title_en": "a", "type": "integer", **told}
    )
    assert (field.minimum, field.maximum, field.code_list) == (0, 9.5, ("a",))
    assert Stated(minimum=date(2020, 1, 1)).model_dump(mode="json")["minimum"] == "2020-01-01"
    assert Stated.model_validate_json('{"minimum": "2020-01-01"}').minimum == date(2020, 1, 1)


@pytest.mark.parametrize(
    "told", [{"type": "date", "minimum": 3}, {"type": "integer", "maximum": "2020-01-01"}]
)
def test_the_ends_of_a_range_are_of_the_fields_type(told: dict[str, Any]) -> None:
    named = {"name": "a", "title_zh": "甲", "title_en": "a"}
    with pytest.raises(ValidationError):
        EntryField.model_validate({**named, **told})
    day = EntryField.model_validate({**named, "type": "datetime", "minimum": "2020-01-01"})
    assert day.minimum == date(2020, 1, 1)


@pytest.mark.parametrize(
    "told",
    [
        {"minimum": 3, "maximum": 2},
        {"minimum": 3, "maximum": "2020-01-01"},
        {"code_list": ["a", "a"]},
        {"null_share": 1.5},
        {"pattern": ""},
        {"references": "no column"},
        {"mean": 3},
    ],
)
def test_what_contradicts_itself_is_no_statement(told: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Stated.model_validate(told)
