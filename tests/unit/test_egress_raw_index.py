"""Columns numbered two at a time are those numbered one after another."""

import numpy as np
import polars as pl
import pytest

from sandbox.egress import rawdata
from sandbox.egress.rawdata import Engine, RawIndex

ROWS = 3_000


@pytest.fixture
def stored(tmp_path):
    rng = np.random.default_rng(7)
    number = rng.integers(0, 500, ROWS)
    frame = pl.DataFrame(
        {
            "id": [f"5201{i:014d}" for i in range(ROWS)],
            "name": [f" 张{chr(0x4E00 + i % 900)} " for i in range(ROWS)],
            "whole": number,
            "share": number / 7,
            "day": pl.Series(number).cast(pl.Int32).cast(pl.Date),
            "time": pl.Series(number * 86_400_000_000).cast(pl.Datetime("us")),
            "money": pl.Series(number).cast(pl.Decimal(10, 2)),
            "known": [None if i % 5 else "是" for i in range(ROWS)],
        }
    )
    frame.write_parquet(tmp_path / "raw.parquet")
    return tmp_path / "raw.parquet"


def made(path):
    return RawIndex(Engine(), 0, "raw", path, "id", (), (), ("id", "name"))


def test_they_are_the_same_and_so_are_the_keys(stored, monkeypatch):
    monkeypatch.setattr(rawdata, "_MANY_ROWS", 1)
    one, two = made(stored), made(stored)
    two.code_all()
    assert set(two._coded) == set(two.columns)
    for column in one.columns:
        assert one.coded(column).values.to_list() == two._coded[column].values.to_list(), column
        assert np.array_equal(one.coded(column).codes, two._coded[column].codes), column
    assert {k: v.values.to_list() for k, v in one.keys.items()} == {
        k: v.values.to_list() for k, v in two.keys.items()
    }
    part = pl.Series([one.coded("id").values[5][6:], "123456789", "12", None])
    assert one.is_part(part).to_list() == two.is_part(part).to_list() == [True, False, False, False]


def test_few_rows_and_frames_are_left_for_when_they_are_asked_for(stored, tmp_path, monkeypatch):
    few = made(stored)
    few.code_all()
    assert not few._coded
    monkeypatch.setattr(rawdata, "_MANY_ROWS", 1)
    pl.read_parquet(stored).write_csv(tmp_path / "raw.csv")
    frame = made(tmp_path / "raw.csv")
    frame.code_all()
    assert not frame._coded


def test_a_column_that_cannot_be_numbered_is_left_to_the_check_that_asks(stored, monkeypatch):
    monkeypatch.setattr(rawdata, "_MANY_ROWS", 1)
    index = made(stored)
    index.columns = [*index.columns, "absent"]
    index.kinds["absent"] = "VARCHAR"
    index.code_all()
    assert set(index._coded) == {*index.columns} - {"absent"}
    with pytest.raises(rawdata.duckdb.Error):
        index.coded("absent")
