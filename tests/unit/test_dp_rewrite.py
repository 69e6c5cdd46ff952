"""T6 and T7 of the plan: one entity never moves what is counted by more than the noise is made for."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.core.errors import SandboxError
from sandbox.desensitize.dp import rewrite
from sandbox.desensitize.dp.accounting import components, groups, sensitivity_squared
from sandbox.desensitize.dp.rewrite import MOST, Counted, count
from sandbox.desensitize.dp.spec import Query, validate_query

SALT = (3, 1 << 63)
SCHEMA = {"pid": pl.String, "a": pl.String, "b": pl.Int64, "x": pl.Float64}
ROWS = {"name": "n", "of": "count"}
PERSONS = {"name": "p", "of": "distinct"}
SUM = {"name": "s", "of": "sum", "column": "x", "lower": -2, "upper": 5, "scale": 1}
MEAN = {"name": "m", "of": "mean", "column": "x", "lower": -2, "upper": 5}
VARIANCE = {"name": "v", "of": "variance", "column": "x", "lower": 0, "upper": 9, "scale": 1}
BINS = {"name": "h", "of": "histogram", "column": "x", "edges": [-1, 0, 0.5, 3], "scale": 1}
EDGES = [*range(65)]
MEDIAN = {"name": "q", "of": "quantile", "column": "b", "edges": EDGES, "at": [0.5]}
PUBLIC = {"column": "a", "keys": ["东", "西", "é", None]}
FOUND = {"column": "b", "keys": "discover"}


def asked(*measures: dict[str, Any], **changes: Any) -> Query:
    by = changes.get("by", [])
    found = any(one["keys"] == "discover" for one in by)
    return validate_query(
        {"measures": list(measures), "nano_rho": 10**9, "delta_e15": 10**6 if found else 0, **changes}
    )


def counted(query: Query, table: pl.DataFrame, entity: str = "pid", salt: tuple[int, int] = SALT) -> Counted:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        table.write_parquet(path)
        return count(query, path, entity, Path(folder), salt)


def frame(rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def by_kind(query: Query, found: Counted) -> dict[str, list[list[int]]]:
    return {
        one.kind: vector.tolist()
        for one, vector in zip(components(query), found.vectors, strict=True)
        if one.width == 1
    }


# --- T6


def moved(query: Query, table: pl.DataFrame, person: str, whole: Counted | None = None) -> list[str]:
    """The claims that fail when ``person`` is taken away: none, or the sensitivity is a lie."""
    with_ = whole or counted(query, table)
    without = counted(query, table.filter(pl.col("pid").ne_missing(person)))
    failed = []
    for number, one in enumerate(components(query)):
        before, after = with_.vectors[number], without.vectors[number]
        if with_.keys is not None and without.keys is not None:
            rows = {key: before[i].copy() for i, key in enumerate(with_.keys)}
            for i, key in enumerate(without.keys):
                rows[key] = rows.get(key, np.zeros(one.cells, np.int64)) - after[i]
            change = np.array(list(rows.values())).reshape(-1, one.cells)
        else:
            change = before - after
        each = np.abs(change).sum(axis=1)
        l2, l1 = int((change.astype(object) ** 2).sum()), int(each.sum())
        claim = sensitivity_squared(query, one)
        far = l2 > claim if query.mechanism == "gaussian" else l1**2 > claim
        if far or int((each > 0).sum()) > groups(query) or int(each.max(initial=0)) > one.bound:
            failed.append(one.kind)
    return failed


PEOPLE = st.sampled_from(["p1", "p2", "p3", "é", "e\u0301", "", None])
VALUES = st.one_of(
    st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 1e308, 5e-324, None, 0.05, 2.45]),
    st.floats(-9, 9),
)
TABLES = st.lists(
    st.tuples(
        PEOPLE,
        st.sampled_from(["东", "西", "南", "é", "e\u0301", "", None]),
        st.one_of(st.none(), st.integers(0, 70), st.sampled_from([2**63 - 1, -(2**63)])),
        VALUES,
    ),
    max_size=25,
)
WHERE = st.sampled_from(
    [
        [],
        [{"column": "x", "op": "ge", "value": 0}],
        [{"column": "a", "op": "ne", "value": "东"}, {"column": "b", "op": "not_null"}],
        [{"column": "b", "op": "not_in", "values": [1, 2.5]}],
    ]
)


@st.composite
def questions(draw: st.DrawFn) -> Query:
    return asked(
        *draw(
            st.lists(
                st.sampled_from([ROWS, PERSONS, SUM, MEAN, VARIANCE, BINS, MEDIAN]),
                min_size=1,
                unique_by=lambda one: one["name"],
            )
        ),
        by=draw(st.sampled_from([[], [PUBLIC], [FOUND], [PUBLIC, FOUND]])),
        where=draw(WHERE),
        groups_per_entity=draw(st.integers(1, 3)),
        rows_per_entity=draw(st.integers(1, 3)),
        mechanism=draw(st.sampled_from(["gaussian", "laplace"])),
    )


@given(questions(), TABLES, st.sampled_from(["p1", "p2", "é"]))
@settings(deadline=None, max_examples=25)
def test_no_entity_moves_more_than_is_claimed(query: Query, rows: list[Any], person: str) -> None:
    table = frame(rows).with_columns(pl.col("pid").str.normalize("NFC"))
    assert moved(query, table, person) == []


def crowd() -> pl.DataFrame:
    seeded = random.Random(7)
    rows = [
        (f"p{seeded.randrange(7)}", seeded.choice("东西南"), seeded.randrange(9), seeded.uniform(-9, 9))
        for _ in range(300)
    ]
    return frame(rows)


EVERYTHING: dict[str, Any] = {"by": [PUBLIC, FOUND], "groups_per_entity": 2, "rows_per_entity": 2}


def test_a_crowd_with_many_rows_each() -> None:
    table, query = crowd(), asked(ROWS, PERSONS, SUM, MEAN, VARIANCE, BINS, MEDIAN, **EVERYTHING)
    whole = counted(query, table)
    assert {person for person in table["pid"].unique() if moved(query, table, person, whole)} == set()


def _unbounded(self: Any, one: Any) -> str:
    return "n" if one.kind == "rows" else "1"


def _all_groups(self: Any) -> None:
    self.limits = False
    _LINES(self)


def _common_choice(self: Any) -> None:
    """Which groups of an entity count depends on how many rows there are."""
    self.hash = f"hash((SELECT count(*) FROM {self.source.relation}), e"
    _LINES(self)


_LINES = rewrite._Rewrite.lines
PLANTED: list[tuple[str, Callable[..., Any]]] = [
    ("_contribution", _unbounded),
    ("lines", _all_groups),
    ("lines", _common_choice),
]


@pytest.mark.parametrize(("name", "bug"), PLANTED, ids=["rows", "groups", "choice"])
def test_planted_bugs_are_found(monkeypatch: pytest.MonkeyPatch, name: str, bug: Callable[..., Any]) -> None:
    monkeypatch.setattr(rewrite._Rewrite, name, bug)
    table, query = crowd(), asked(ROWS, PERSONS, **EVERYTHING)
    assert any(moved(query, table, person) for person in table["pid"].unique())


# --- what is counted


def test_counts_are_those_of_the_definition() -> None:
    """Against the definition written down a second time, where no bound binds."""
    table = crowd()
    query = asked(
        ROWS, PERSONS, SUM, MEAN, BINS, by=[PUBLIC], rows_per_entity=400, groups_per_entity=4,
        where=[{"column": "b", "op": "lt", "value": 6}],
    )  # fmt: skip
    found = by_kind(query, counted(query, table))
    kept = [row for row in table.rows() if row[2] < 6]
    for place, key in enumerate(["东", "西", "é", None]):
        rows = [row for row in kept if row[1] == key]
        assert found["rows"][place] == [len(rows)]
        assert found["persons"][place] == [len({row[0] for row in rows})]
        held = [max(-20, min(50, round(max(-2.0, min(5.0, row[3])) * 10))) for row in rows]
        assert found["sum"][place] == [sum(held)]
        whole = [max(-2, min(5, round(row[3]))) - 1 for row in rows]
        assert found["centred"][place] == [sum(whole)]
        cells = [0, 0, 0]
        for row in rows:
            cells[0 if row[3] < 0 else 1 if row[3] < 0.5 else 2] += 1
        assert found["bins"][place] == cells


def test_an_entity_with_too_many_rows_counts_as_its_mean_row() -> None:
    table = frame([("p", "东", 1, value) for value in (1.0, 2.0, 3.0, 4.0)] + [("o", "东", 1, 0.0)])
    found = by_kind(query := asked(ROWS, SUM, BINS, rows_per_entity=2), counted(query, table))
    assert found["rows"] == [[3]]
    assert found["sum"] == [[50]]  # 100 / 4 * 2, in tenths
    assert [sum(row) for row in found["bins"]] == [3]


def test_the_salt_decides_which_groups_count() -> None:
    table = frame([("p", None, number, 1.0) for number in range(40)])
    query = asked(PERSONS, by=[FOUND], groups_per_entity=3)
    chosen = {frozenset(counted(query, table, salt=(salt, 5)).keys or ()) for salt in range(6)}
    assert len(chosen) > 1
    assert all(len(one) == 3 for one in chosen)
    assert counted(query, table).keys is not None


def test_the_order_of_rows_says_nothing() -> None:
    table, query = crowd(), asked(ROWS, SUM, VARIANCE, BINS, MEDIAN, by=[PUBLIC], rows_per_entity=3)
    first = counted(query, table)
    again = counted(query, table.sample(fraction=1.0, shuffle=True, seed=4))
    for one, other in zip(first.vectors, again.vectors, strict=True):
        assert np.array_equal(one, other)


def test_rows_of_nobody_count_for_nobody() -> None:
    table = frame([(None, "东", 1, 1.0)] * 5 + [("", "东", 1, 1.0)] * 5)
    for by in ([], [PUBLIC], [FOUND]):
        query = asked(ROWS, PERSONS, SUM, BINS, by=by)
        found = counted(query, table)
        assert not any(vector.any() for vector in found.vectors)
        assert not found.keys


def test_what_looks_alike_is_one_key_and_one_entity() -> None:
    table = frame([("e\u0301", "e\u0301", 1, 1.0), ("é", "é", 1, 1.0)])
    query = asked(PERSONS, by=[PUBLIC])
    assert by_kind(query, counted(query, table))["persons"] == [[0], [0], [1], [0]]
    found = counted(asked(PERSONS, by=[{"column": "a", "keys": "discover"}]), table)
    assert found.keys == (("é",),)


def test_empty_keys_are_keys_and_unlisted_ones_are_not() -> None:
    table = frame([("p", None, 1, 1.0), ("q", "北", None, 1.0)])
    query = asked(PERSONS, by=[PUBLIC])
    assert by_kind(query, counted(query, table))["persons"] == [[0], [0], [0], [1]]
    found = counted(asked(PERSONS, by=[PUBLIC, FOUND]), table)
    assert found.keys == ((None, 1),)


@pytest.mark.parametrize("value", [None, math.nan])
def test_no_value_is_no_value(value: float | None) -> None:
    table = frame([("p", "东", 1, value), ("q", "东", 1, 3.0)])
    query = asked(SUM, MEAN, BINS, where=[])
    found = by_kind(query, counted(query, table))
    assert (found["sum"], found["values"], found["bins"]) == ([[30]], [[1]], [[0, 0, 1]])
    compared = asked(ROWS, where=[{"column": "x", "op": "ge", "value": 0}])
    assert by_kind(compared, counted(compared, table))["rows"] == [[1]]


def test_values_beyond_the_bounds_count_as_the_bounds() -> None:
    table = frame([("p", "东", 1, math.inf), ("q", "东", 1, -math.inf), ("r", "东", 1, -0.0)])
    query = asked(SUM, BINS)
    found = by_kind(query, counted(query, table))
    assert (found["sum"], found["bins"]) == ([[50 - 20]], [[1, 1, 1]])


def test_every_type_of_integer_to_its_ends() -> None:
    ends = {
        pl.Int8: 2**7, pl.Int16: 2**15, pl.Int32: 2**31, pl.Int64: 2**63,
        pl.UInt8: 2**8, pl.UInt16: 2**16, pl.UInt32: 2**32, pl.UInt64: 2**64,
    }  # fmt: skip
    wide = {"name": "s", "of": "sum", "column": "x", "lower": -(10**12), "upper": 10**12}
    for kind, end in ends.items():
        least = 0 if kind.is_unsigned_integer() else -end
        values = [least, end - 1, None]
        table = pl.DataFrame({"pid": pl.Series(["a", "b", "c"]), "x": pl.Series(values, dtype=kind)})
        query = asked(
            wide,
            {**MEAN, "scale": 2},
            {**BINS, "edges": [0, 100]},
            by=[{"column": "pid", "keys": "discover"}],
        )
        found = by_kind(query, counted(query, table))
        held = sorted(max(-(10**12), min(10**12, value)) for value in values[:2] if value is not None)
        assert sorted(row[0] for row in found["sum"]) == sorted([*held, 0])
        people = pl.DataFrame({"pid": pl.Series(values, dtype=kind), "x": [1, 1, 1]})
        assert by_kind(q := asked(PERSONS), counted(q, people))["persons"] == [[2]]


def test_integers_above_two_to_the_53_stay_apart() -> None:
    table = pl.DataFrame({"pid": [2**60 + 128, 2**60 + 129], "k": [2**60 + 128, 2**60 + 129]})
    query = asked(PERSONS, by=[{"column": "k", "keys": [2**60 + 128, 2**60 + 129]}])
    assert by_kind(query, counted(query, table))["persons"] == [[1], [1]]


def test_sums_beyond_64_bits_are_held() -> None:
    rows = 5_000
    table = pl.DataFrame({"pid": range(rows), "x": [10.0**12] * rows})
    query = asked({**SUM, "lower": 0, "upper": 10**12, "scale": 0}, rows_per_entity=10_000)
    assert by_kind(query, counted(query, table))["sum"] == [[rows * 10**12 >> 14]]
    alone = pl.DataFrame({"pid": [1] * rows, "x": [10.0**9] * rows})
    spread = asked({**VARIANCE, "lower": -(10**9), "upper": 10**9, "scale": 0}, rows_per_entity=10_000)
    (one,) = (one for one in components(spread) if one.kind == "squares")
    found = by_kind(spread, counted(spread, alone))["squares"][0][0]
    assert found == min(MOST, rows * (10**18 - one.centre2) // one.grain)


def test_dates_truths_decimals_and_awkward_names() -> None:
    table = pl.DataFrame(
        {
            "e": [1, 2], "k": [True, False], "code": [date(2026, 1, 2), date(2026, 1, 3)],
            'src."x': pl.Series(["1.005", "2.5"]).cast(pl.Decimal(38, 3)), "g": ["a", "a"],
        }
    )  # fmt: skip
    query = asked(
        {"name": "s", "of": "sum", "column": 'src."x', "lower": 0, "upper": 9, "scale": 3},
        by=[
            {"column": "k", "keys": [True, False]}, {"column": "code", "keys": ["2026-01-02", "2026-01-03"]},
            {"column": "g", "keys": ["a"]},
        ],
        where=[
            {"column": "code", "op": "le", "value": "2026-01-03"},
            {"column": "k", "op": "in", "values": [True]},
        ],
    )  # fmt: skip
    assert by_kind(query, counted(query, table, "e"))["sum"] == [[1005], [0], [0], [0]]


@pytest.mark.parametrize(
    ("op", "value", "kept"),
    [
        ("eq", 2, 1), ("ne", 2, 2), ("lt", 2, 1), ("le", 2, 2), ("gt", 2, 1), ("ge", 2.5, 1),
        ("in", [1, 3], 2), ("not_in", [1, 3], 1), ("is_null", None, 1), ("not_null", None, 3),
    ],
)  # fmt: skip
def test_conditions_keep_the_rows_that_meet_them(op: str, value: Any, kept: int) -> None:
    table = frame([(f"p{b}", "x" if b else None, b, 0.0) for b in (1, 2, 3, None)])
    where: dict[str, Any] = {"column": "b", "op": op}
    if value is not None:
        where["values" if isinstance(value, list) else "value"] = value
    query = asked(ROWS, where=[where])
    assert by_kind(query, counted(query, table))["rows"] == [[kept]]


def test_nothing_at_all() -> None:
    for by in ([], [PUBLIC], [FOUND]):
        query = asked(ROWS, PERSONS, SUM, MEAN, VARIANCE, BINS, MEDIAN, by=by)
        found = counted(query, frame([]))
        assert not any(vector.any() for vector in found.vectors)
        assert found.size == (0 if by == [FOUND] else query.cells)


# --- refusals: by the question and the types alone


@pytest.mark.parametrize(
    ("changes", "entity", "column", "use"),
    [
        ({}, "x", "x", "entity"),
        ({}, "nobody", "nobody", "entity"),
        ({"by": [{"column": "x", "keys": "discover"}]}, "pid", "x", "key"),
        ({"by": [{"column": "b", "keys": ["1"]}]}, "pid", "b", "key"),
        ({"by": [{"column": "a", "keys": [1]}]}, "pid", "a", "key"),
        ({"by": [{"column": "b", "keys": [True]}]}, "pid", "b", "key"),
        ({"measures": [{**SUM, "column": "a"}]}, "pid", "a", "value"),
        ({"measures": [{**BINS, "column": "day"}]}, "pid", "day", "value"),
        ({"where": [{"column": "b", "op": "eq", "value": "1"}]}, "pid", "b", "where"),
        ({"where": [{"column": "a", "op": "eq", "value": 1}]}, "pid", "a", "where"),
        ({"where": [{"column": "b", "op": "eq", "value": True}]}, "pid", "b", "where"),
        ({"where": [{"column": "gone", "op": "is_null"}]}, "pid", "gone", "where"),
        ({"where": [{"column": "day", "op": "eq", "value": "1. 1. 2026"}]}, "pid", "day", "where"),
    ],
)
def test_a_column_that_does_not_fit_is_refused(
    changes: dict[str, Any], entity: str, column: str, use: str
) -> None:
    described: dict[str, Any] = {"measures": [ROWS], **changes}
    query = asked(*described.pop("measures"), **described)
    for rows in ([], [("p", "13800138000", 1, 1.0)]):  # with and without rows alike
        table = frame(rows).with_columns(pl.lit(date(2026, 1, 1)).alias("day"))
        with pytest.raises(SandboxError) as caught:
            counted(query, table, entity)
        assert caught.value.code == "DP_COLUMN"
        assert caught.value.details == {"column": column, "use": use}


@pytest.mark.parametrize("data", [b"", b"PAR1", b"not a table"])
def test_a_source_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "data").write_bytes(data)
    with pytest.raises(SandboxError, match="DP_SOURCE"):
        count(asked(ROWS), tmp_path / "data", "pid", tmp_path, SALT)


def test_a_text_that_would_break_a_cast_breaks_nothing() -> None:
    """No number is ever made of a text: the cast's error would quote it."""
    with pytest.raises(duckdb.ConversionException, match="13800138000x"):
        duckdb.sql("SELECT CAST('13800138000x' AS INTEGER)").fetchall()
    table = frame([("p", "13800138000x", 1, 1.0)])
    query = asked(
        ROWS, by=[{"column": "a", "keys": "discover"}], where=[{"column": "a", "op": "ne", "value": "1"}]
    )
    assert counted(query, table).keys == (("13800138000x",),)
