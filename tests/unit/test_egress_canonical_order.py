"""The order in which the rows of a long table leave."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sandbox.egress.canonical import tables
from sandbox.egress.canonical.tables import in_order
from sandbox.egress.forms import Document, Table

COLUMNS = {
    "text": (pl.String, st.text(alphabet="aB一é\U00020000", max_size=2)),
    "number": (pl.Float64, st.floats(-3, 3, width=16).map(lambda x: x + 0.0)),
    "whole": (pl.Int64, st.integers(-(2**62), 2**62)),
    "day": (pl.Date, st.dates()),
    "truth": (pl.Boolean, st.booleans()),
}


@given(data=st.data())
def test_a_long_table_is_sorted_as_a_short_one(data):
    rows = data.draw(st.integers(1, 30))
    frame = pl.DataFrame(
        {
            name: pl.Series(data.draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), dtype=kind)
            for name, (kind, values) in COLUMNS.items()
        }
    )
    document = Document("a.csv", "a.csv", "", 0)
    short = in_order(Table("", frame, frame), document, False)
    kept = tables._LONG, tables._SPAN
    try:
        for tables._SPAN in (kept[1], 40):  # 40: hardly two columns make one number
            tables._LONG = 0
            assert in_order(Table("", frame, frame), document, False).equals(short, null_equal=True)
    finally:
        tables._LONG, tables._SPAN = kept
