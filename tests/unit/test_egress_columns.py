"""Columns as distinct values, and how numbers are written: the same as one value at a time."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.egress.columns import encode, renumbered
from sandbox.egress.digits import spelled, written

KINDS = {
    "text": (pl.String, st.text(alphabet="ab一\U00020000 ", max_size=3)),
    "whole numbers": (pl.Int64, st.integers(-3, 3)),
    "numbers": (pl.Float64, st.floats(-2, 2, width=16)),
    "days": (pl.Date, st.dates(date(2020, 1, 1), date(2020, 1, 4))),
    "truth values": (pl.Boolean, st.booleans()),
}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_column_is_its_distinct_values_and_their_numbers(kind, data):
    dtype, values = KINDS[kind]
    series = pl.Series("a", data.draw(st.lists(st.none() | values, max_size=12)), dtype=dtype)
    column = encode(series)
    assert column.rows(column.values).equals(series, null_equal=True)
    assert column.values.null_count() == 0
    assert (column.codes < 0).tolist() == series.is_null().to_list()
    first = list(dict.fromkeys(repr(value) for value in series if value is not None))
    assert [repr(value) for value in column.values] == first


@given(st.lists(st.none() | st.sampled_from(["a", "A", "b", " "]), max_size=12))
def test_values_that_became_equal_are_one(cells):
    series = pl.Series(cells, dtype=pl.String)

    def plain(values: pl.Series) -> pl.Series:
        upper = values.str.to_uppercase().str.strip_chars()
        return upper.set(upper == "", None)

    column = encode(series)
    found = renumbered(column, plain(column.values))
    assert found.values.n_unique() == len(found.values)
    assert found.rows(found.values).to_list() == plain(series).to_list()


def test_what_is_asked_of_the_values_is_asked_once():
    column = encode(pl.Series(["a", None, "b", "a"]))
    asked = []

    def long(values: pl.Series) -> np.ndarray:
        asked.append(len(values))
        return (values == "a").to_numpy()

    for _ in range(2):
        assert column.spread(column.once("long", long), False).tolist() == [True, False, False, True]
    assert asked == [2]


@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False)
        | st.integers(-(10**17), 10**17).map(float)
        | st.builds(lambda whole, places: whole / 10**places, st.integers(0, 10**16), st.integers(0, 12))
    )
)
def test_many_numbers_are_spelled_as_each_alone(numbers):
    digits, halves = spelled(np.array(numbers, dtype=np.float64))
    assert list(zip(digits.tolist(), halves.tolist(), strict=True)) == [written(one) for one in numbers]


@pytest.mark.parametrize(
    ("number", "digits", "half"),
    [(0.0, 1, 0.5), (-1200.0, 2, 50.0), (0.25, 2, 0.005), (1e22, 1, 5e21), (1.5e-12, 2, 0.5e-13)],
)
def test_how_numbers_are_written(number, digits, half):
    assert written(number) == (digits, pytest.approx(half, rel=1e-12))
