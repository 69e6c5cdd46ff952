"""What a check does not look at, load or hold, and that it finds the same without."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.egress import shape
from sandbox.egress.checks import unexplained
from sandbox.egress.clean import fold
from sandbox.egress.columns import encode
from sandbox.egress.context import Context, RawTable
from sandbox.egress.forms import Cells, Document, Table, tabled
from sandbox.egress.rawdata import Engine, RawIndex, norm, quote
from sandbox.egress.shape import recognise
from sandbox.pii.glyphs import bracketed, translation

LOADED_LATER = {"onnx", "openpyxl", "pandas", "pikepdf", "pypdfium2", "scipy", "sklearn", "skops"}


def test_a_check_starts_without_the_libraries_that_only_some_files_need():
    asked = "import sys, sandbox.egress.task; print(*(name for name in sys.modules if '.' not in name))"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert not LOADED_LATER & set(told.split())


def test_cells_are_text_by_distinct_values():
    cells = Cells(
        {"a": encode(pl.Series(["x", None, "y", "x"])), "b": encode(pl.Series(["1", "2", "1", None]))}
    )
    assert (cells.width, cells.height) == (2, 4)
    assert cells["a"].to_list() == ["x", None, "y", "x"]
    assert cells["a"].name == "a"
    assert cells.head(2).rows() == [("x", "1"), (None, "2")]


def test_a_table_is_encoded_anew_when_its_numbers_were_replaced():
    column = encode(pl.Series([1, 2, 2]))
    table = tabled("", {"a": encode(pl.Series(["1", "2", "2"]))}, {"a": column})
    assert table.column("a") is column
    table.data = pl.DataFrame({"a": [5, 5, 6]})
    assert table.column("a").values.to_list() == [5, 6]
    assert table.shown("a").values.to_list() == ["1", "2"]


def test_ideographs_need_no_folding_but_numerals():
    assert not [
        sign for sign in [*translation(), *bracketed()] if any("\u4e00" <= char <= "\u9fff" for char in sign)
    ]


@given(st.lists(st.none() | st.text(alphabet="a0 王一三〇拾万１Оé①\u200b\u0301豈ﬁ", max_size=8), max_size=6))
def test_folding_many_is_folding_each(texts):
    found = fold(pl.Series(texts, dtype=pl.String)).to_list()
    assert found == [None if text is None else fold(pl.Series([text]))[0] for text in texts]


@pytest.fixture
def index(tmp_path):
    def make(frame: pl.DataFrame) -> RawIndex:
        frame.write_parquet(tmp_path / "raw.parquet")
        return RawIndex(Engine(), 0, "raw", tmp_path / "raw.parquet", None, (), (), ())

    return make


@pytest.mark.parametrize(
    "values",
    [
        ["甲", "乙", "甲", "A1"],
        [" 甲", "甲", "", None],
        ["\uf900", "\u8c48", "é", "e\u0301"],  # compatibility ideograph, combining mark
        [1.0, 1.5, None, -0.0],
        [True, None, False, True],
        [b"a", b"b", b"a", None],
    ],
)
def test_raw_values_are_numbered_by_their_normalised_text(index, values):
    one = index(pl.DataFrame({"a": values}))
    wanted = one.engine.frame(
        f"SELECT CAST({norm(quote('a'), one.kinds['a'])} AS VARCHAR) AS v FROM {one.view}"
    )["v"]
    coded = one.coded("a")
    assert [None if code < 0 else coded.values[int(code)] for code in coded.codes] == wanted.to_list()
    assert coded.values.to_list() == wanted.drop_nulls().unique(maintain_order=True).to_list()


def test_rows_that_differ_only_far_down_are_told(monkeypatch):
    monkeypatch.setattr(shape, "_GLANCE", 3)
    assert shape._unique(pl.DataFrame({"a": [1, 2, 3, 4, 5]}), ["a"])
    assert not shape._unique(pl.DataFrame({"a": [1, 2, 3, 4, 4]}), ["a"])
    assert not shape._unique(pl.DataFrame({"a": [1, 1, 3, 4, 5]}), ["a"])
    assert not shape._unique(pl.DataFrame({"a": [1, 2]}), [])


def test_rows_of_persons_are_not_compared_with_aggregates_and_count_in_full(tmp_path, monkeypatch):
    random = np.random.default_rng(1)
    raw = pl.DataFrame({"sex": ["男", "女"] * 300, "x": random.integers(0, 9, 600), "y": random.random(600)})
    raw.write_parquet(tmp_path / "raw.parquet")
    frame = raw.select("sex", z=(pl.col("y") * 7).round(3))
    table = Table("", frame.select(pl.all().cast(pl.String)), frame)
    document = Document("a.csv", "a.csv", "", 0, tables=[table])
    context = Context(
        [RawTable("raw", tmp_path / "raw.parquet")], {}, {"egress.min_cell": 10, "egress.k_min": 10}
    )
    context.documents = [document]
    found = recognise(context, document, table, context.indexes[0])
    assert not found.aggregate
    monkeypatch.setattr(unexplained, "_ROWS", 100)
    monkeypatch.setattr(unexplained, "facts", lambda *_: pytest.fail("all aggregates of all rows"))
    digits, explained = unexplained._numbers(context, [found], 10)
    assert digits >= 2 * 600  # three decimals, hardly ever two noughts
    assert not explained
