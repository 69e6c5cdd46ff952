"""A grant's view is exactly the granted columns x rows x period."""

from __future__ import annotations

import datetime
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.core.errors import SandboxError
from sandbox.workspace import view

DAYS = [datetime.datetime(2024, month, 15, 23, 30) for month in range(1, 11)]  # noqa: DTZ001  data has no zone
TABLE = pa.table(
    {
        "id": list(range(10)),
        "区": ["南明区", "云岩区"] * 4 + [None, "花溪区"],
        "income": [float(100 * n) for n in range(10)],
        "at": DAYS,
        "phone": [f"1380000000{n}" for n in range(10)],
    }
)


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    out.mkdir()
    pq.write_table(TABLE, inputs / "snapshot")
    return inputs, out


Place = tuple[Path, Path]


def make(place: Place, **described: Any) -> pa.Table:
    """Run one view and read it back; its report must say what the file holds."""
    inputs, out = place
    one = {"name": "v", "source": "snapshot", "columns": ["id"], "rows": [], "period": None} | described
    report = view.run({"views": [one]}, inputs, out)
    table = pq.read_table(out / "v.parquet")
    assert report == {
        "ok": True,
        "views": [{"name": "v", "rows": table.num_rows, "columns": table.column_names}],
    }
    return table


def refusal(place: Place, **described: Any) -> str:
    with pytest.raises(SandboxError) as caught:
        make(place, **described)
    assert list(place[1].iterdir()) == []
    return caught.value.code


def test_only_granted_columns_are_in_the_file(place: Place) -> None:
    assert make(place, columns=["区", "id"]).column_names == ["区", "id"]
    # Not among the column's statistics or dictionaries either.
    assert b"13800000001" not in (place[1] / "v.parquet").read_bytes()


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("=", 3, [3]),
        ("!=", 3, [0, 1, 2, 4, 5, 6, 7, 8, 9]),
        ("<", 2, [0, 1]),
        ("<=", 2, [0, 1, 2]),
        (">", 7, [8, 9]),
        (">=", "8", [8, 9]),
        ("in", [1, 5, 99], [1, 5]),
    ],
)
def test_row_conditions(place: Place, op: str, value: object, expected: list[int]) -> None:
    table = make(place, rows=[{"column": "id", "op": op, "value": value}])
    assert table["id"].to_pylist() == expected


def test_conditions_are_joined_by_and(place: Place) -> None:
    rows = [{"column": "区", "op": "=", "value": "南明区"}, {"column": "id", "op": ">", "value": 2}]
    assert make(place, rows=rows)["id"].to_pylist() == [4, 6]


def test_an_empty_cell_meets_no_condition(place: Place) -> None:
    table = make(place, rows=[{"column": "区", "op": "!=", "value": "南明区"}])
    assert table["id"].to_pylist() == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ({"column": "at", "from": "2024-03-15", "to": "2024-05-15"}, [2, 3, 4]),
        ({"column": "at", "from": "2024-09-01", "to": None}, [8, 9]),
        ({"column": "at", "from": None, "to": "2024-01-15"}, [0]),
    ],
)
def test_the_period_includes_both_days_whole(
    place: Place, period: dict[str, Any], expected: list[int]
) -> None:
    assert make(place, period=period)["id"].to_pylist() == expected


def test_the_same_grant_gives_the_same_bytes(place: Place) -> None:
    make(place, columns=["id", "区"])
    first = (place[1] / "v.parquet").read_bytes()
    make(place, columns=["id", "区"])
    assert (place[1] / "v.parquet").read_bytes() == first


@pytest.mark.parametrize(
    ("described", "code"),
    [
        ({"columns": []}, "VIEW_MALFORMED"),
        ({"columns": ["id", "id"]}, "VIEW_MALFORMED"),
        ({"columns": ["ID"]}, "VIEW_COLUMN"),
        ({"columns": ["*"]}, "VIEW_COLUMN"),
        ({"columns": ["nothing"]}, "VIEW_COLUMN"),
        ({"columns": [{"a": 1}]}, "VIEW_COLUMN"),
        ({"columns": ["filename"]}, "VIEW_COLUMN"),
        ({"columns": ["file_row_number"]}, "VIEW_COLUMN"),
        ({"rows": [{"column": "id", "op": "like", "value": "%"}]}, "VIEW_MALFORMED"),
        ({"rows": [{"column": "id", "op": "= 1 OR 1", "value": 1}]}, "VIEW_MALFORMED"),
        ({"rows": ["id = 1"]}, "VIEW_MALFORMED"),
        ({"rows": [{"column": "nothing", "op": "=", "value": 1}]}, "VIEW_COLUMN"),
        ({"rows": [{"column": "id", "op": "=", "value": None}]}, "VIEW_VALUE"),
        ({"rows": [{"column": "id", "op": "=", "value": "1.5"}]}, "VIEW_VALUE"),
        ({"rows": [{"column": "id", "op": "=", "value": "1 OR true"}]}, "VIEW_VALUE"),
        ({"rows": [{"column": "id", "op": "=", "value": [1]}]}, "VIEW_VALUE"),
        ({"rows": [{"column": "id", "op": "in", "value": 1}]}, "VIEW_VALUE"),
        ({"rows": [{"column": "id", "op": "in", "value": []}]}, "VIEW_VALUE"),
        ({"rows": [{"column": "id", "op": "in", "value": [1, {}]}]}, "VIEW_VALUE"),
        ({"period": {"column": "id", "from": "2024-01-01", "to": None}}, "VIEW_MALFORMED"),
        ({"period": {"column": "at", "from": None, "to": None}}, "VIEW_MALFORMED"),
        ({"period": {"column": "at", "from": "yesterday", "to": None}}, "VIEW_VALUE"),
        ({"period": {"column": "at", "from": 2024, "to": None}}, "VIEW_VALUE"),
        ({"period": "2024"}, "VIEW_MALFORMED"),
        ({"name": "../v"}, "VIEW_MALFORMED"),
        ({"name": ".v"}, "VIEW_MALFORMED"),
        ({"source": "../in/snapshot"}, "VIEW_MALFORMED"),
        ({"source": "nothing"}, "VIEW_SOURCE"),
    ],
)
def test_refusals(place: Place, described: dict[str, Any], code: str) -> None:
    assert refusal(place, **described) == code


def test_a_source_that_is_no_snapshot_or_a_link(place: Place) -> None:
    (place[0] / "text").write_text("id\n1\n")
    assert refusal(place, source="text") == "VIEW_SOURCE"
    (place[0] / "link").symlink_to(place[0] / "snapshot")
    assert refusal(place, source="link") == "VIEW_SOURCE"


def test_columns_that_differ_only_in_case_are_ambiguous(place: Place) -> None:
    pq.write_table(pa.table({"a": [1], "A": [2]}), place[0] / "twins")
    assert refusal(place, source="twins", columns=["a"]) == "VIEW_SOURCE"


@pytest.mark.parametrize("views", [None, [], "v", [{"name": "v"}], ["v"]])
def test_a_malformed_list(place: Place, views: object) -> None:
    with pytest.raises(SandboxError, match="VIEW_MALFORMED"):
        view.run({"views": views}, *place)


def test_two_views_of_one_name(place: Place) -> None:
    one = {"name": "v", "source": "snapshot", "columns": ["id"], "rows": []}
    with pytest.raises(SandboxError, match="VIEW_MALFORMED"):
        view.run({"views": [one, one]}, *place)


HOSTILE = [
    "'",
    '"',
    "' OR '1'='1",
    "\\",
    "x'; COPY r TO '/tmp/x'; --",
    "?",
    "$1",
    "{}",
    "%s",
    "\n",
    "名'",
    "a\tb",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_are_values(place: Place, text: str) -> None:
    pq.write_table(pa.table({"k": ["harmless", text], "n": [1, 2]}), place[0] / "texts")
    table = make(place, source="texts", columns=["n"], rows=[{"column": "k", "op": "=", "value": text}])
    assert table["n"].to_pylist() == [2]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_column_names_are_names(place: Place, name: str) -> None:
    pq.write_table(pa.table({name: [1, 2], "secret": ["a", "b"]}), place[0] / "names")
    table = make(place, source="names", columns=[name], rows=[{"column": name, "op": ">=", "value": 2}])
    assert table.to_pydict() == {name: [2]}


OPS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda cell, values: cell in values,
}
CELL = st.none() | st.text(alphabet="ab'\"\\%_ 名", max_size=4)
CONDITION = st.one_of(
    st.tuples(
        st.sampled_from(["k", "z"]),
        st.sampled_from(sorted(OPS.keys() - {"in"})),
        st.text("ab'名", max_size=3),
    ),
    st.tuples(st.just("k"), st.just("in"), st.lists(st.text("ab'名", max_size=3), min_size=1, max_size=4)),
)


@settings(max_examples=40)
@given(
    cells=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12),
    columns=st.lists(st.sampled_from(["n", "k", "z"]), min_size=1, unique=True),
    conditions=st.lists(CONDITION, max_size=3),
)
def test_a_view_never_yields_an_ungranted_column_or_row(
    place: Place, cells: list[tuple[Any, Any]], columns: list[str], conditions: list[tuple[str, str, Any]]
) -> None:
    rows = [{"n": n, "k": k, "z": z} for n, (k, z) in enumerate(cells)]
    schema = pa.schema([("n", pa.int64()), ("k", pa.string()), ("z", pa.string())])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), place[0] / "random")
    table = make(
        place,
        source="random",
        columns=columns,
        rows=[{"column": column, "op": op, "value": value} for column, op, value in conditions],
    )
    granted = [
        {column: row[column] for column in columns}
        for row in rows
        if all(row[c] is not None and OPS[op](row[c], value) for c, op, value in conditions)
    ]
    assert table.to_pylist() == granted
