"""What is worked out of noisy numbers, and the room that writes it down."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.core.errors import SandboxError
from sandbox.desensitize.dp import mechanisms, task
from sandbox.desensitize.dp.accounting import NANO, tree_levels
from sandbox.desensitize.dp.mechanisms import prefixes
from sandbox.desensitize.dp.pipeline import Answer, answer
from sandbox.desensitize.dp.spec import validate_query
from sandbox.task.rooms import ROOMS

NONE = {name: lambda scale, size: np.zeros(size, np.int64) for name in ("gaussian", "laplace")}
PEOPLE = pl.DataFrame(
    {
        "pid": [f"p{number}" for number in range(400)],
        "area": ["东", "西"] * 200,
        "age": [number % 100 for number in range(400)],
        "pay": [number / 4 for number in range(400)],
    }
)
MEASURES: list[dict[str, Any]] = [
    {"name": "n", "of": "count"},
    {"name": "p", "of": "distinct"},
    {"name": "total", "of": "sum", "column": "pay", "lower": 0, "upper": 100, "scale": 2},
    {"name": "mean", "of": "mean", "column": "pay", "lower": 0, "upper": 100, "scale": 2},
    {"name": "spread", "of": "variance", "column": "age", "lower": 0, "upper": 99},
    {"name": "bands", "of": "histogram", "column": "age", "edges": [0, 18, 60, 100]},
    {"name": "age", "of": "quantile", "column": "age", "edges": list(range(0, 101, 1)), "at": [0.25, 0.5]},
    {"name": "mid", "of": "quantile", "column": "age", "edges": [0, 50, 100], "at": [0.5]},
]
BY = [{"column": "area", "keys": ["西", "东", "南"]}]


def described(**changes: Any) -> dict[str, Any]:
    return {"by": BY, "measures": MEASURES, "nano_rho": NANO, **changes}


def told(table: pl.DataFrame, folder: Path, **changes: Any) -> Answer:
    table.write_parquet(folder / "data")
    return answer(validate_query(described(**changes)), folder / "data", "pid", folder)


@pytest.fixture
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No noise: for arithmetic only."""
    monkeypatch.setattr(mechanisms, "SAMPLERS", NONE)


@pytest.mark.usefixtures("_quiet")
def test_figures_without_noise_are_the_true_ones(tmp_path: Path) -> None:
    table = told(PEOPLE, tmp_path).table
    assert table.column_names == [
        "area", "age_p25", "age_p50", "bands_1", "bands_2", "bands_3",
        "mean", "mid", "n", "p", "spread", "total",
    ]  # fmt: skip
    rows = table.to_pylist()
    assert [row["area"] for row in rows] == ["东", "南", "西"]
    empty = rows.pop(1)
    assert (empty["n"], empty["p"], empty["total"], empty["bands_1"]) == (0, 0, Decimal("0.00"), 0)
    for row in rows:
        mine = PEOPLE.filter(pl.col("area") == row["area"])
        assert (row["n"], row["p"]) == (200, 200)
        assert row["total"] == Decimal(str(mine["pay"].sum())).quantize(Decimal("0.01"))
        assert float(row["mean"]) == pytest.approx(float(str(mine["pay"].mean())), abs=1e-4)
        assert float(row["spread"]) == pytest.approx(float(str(mine["age"].var(ddof=0))), abs=1e-2)
        bands = [
            int(((mine["age"] >= a) & (mine["age"] < b)).sum()) for a, b in ((0, 18), (18, 60), (60, 100))
        ]
        assert [row[f"bands_{i}"] for i in (1, 2, 3)] == bands
        assert abs(row["age_p25"] - 24.5) <= 1.5
        assert row["age_p50"] in (49, 50)
        assert row["mid"] == 50


def test_types_are_integers_and_decimals_of_a_public_scale(tmp_path: Path) -> None:
    schema = told(PEOPLE, tmp_path).table.schema
    assert schema.field("n").type == pa.int64()
    assert schema.field("total").type == pa.decimal128(38, 2)
    assert schema.field("mean").type == pa.decimal128(38, 4)
    assert schema.field("spread").type == pa.decimal128(38, 2)
    assert schema.field("area").type == pa.string()


def test_noise_is_on_every_number_and_anew_each_time(tmp_path: Path) -> None:
    first = told(PEOPLE, tmp_path, nano_rho=NANO // 10**6).table
    again = told(PEOPLE, tmp_path, nano_rho=NANO // 10**6).table
    for name in ("n", "p", "total", "bands_1"):
        assert first[name] != again[name]
    assert first["area"] == again["area"]


@pytest.mark.parametrize("mechanism", ["gaussian", "laplace"])
def test_the_error_told_beforehand_is_the_error(tmp_path: Path, mechanism: str) -> None:
    """Nobody in 4,000 groups: what comes out is the noise. 20 % is ten standard deviations and more."""
    by = [{"column": "area", "keys": [str(number) for number in range(4000)]}]
    found = told(
        PEOPLE.head(0), tmp_path, by=by, measures=MEASURES[:3], mechanism=mechanism, rows_per_entity=2,
        nano_rho=NANO // 10,
    )  # fmt: skip
    for one in found.report["expected"]:
        seen = np.array(found.table[one["measure"]].to_pylist(), dtype=np.float64)
        assert float(seen.std()) == pytest.approx(one["sd"], rel=0.2)


def test_groups_are_sorted_whatever_their_type(tmp_path: Path) -> None:
    table = pl.DataFrame({"pid": range(4), "k": [True, False, True, False], "d": [10, 9, None, 9]})
    by = [{"column": "k", "keys": [True, False]}, {"column": "d", "keys": [None, 10, 9]}]
    found = told(table, tmp_path, by=by, measures=MEASURES[:1]).table
    keys = [(row["k"], row["d"]) for row in found.to_pylist()]
    assert keys == [(False, 9), (False, 10), (False, None), (True, 9), (True, 10), (True, None)]


def test_discovered_keys_need_enough_entities(tmp_path: Path) -> None:
    table = pl.DataFrame({"pid": range(1001), "k": ["many"] * 1000 + ["alone"]})
    found = told(
        table, tmp_path, by=[{"column": "k", "keys": "discover"}], measures=MEASURES[:2], delta_e15=1
    )
    assert found.table["k"].to_pylist() == ["many"]
    assert found.report["threshold"] < 100
    assert abs(found.table["p"][0].as_py() - 1000) < 100
    bands = [{"name": "b", "of": "histogram", "column": "v", "edges": [0, 1, 2]}]
    valued = table.with_columns(v=pl.lit(1.5)).reverse()
    told_bands = told(
        valued, tmp_path, by=[{"column": "k", "keys": "discover"}], measures=bands, delta_e15=1
    ).table.to_pylist()
    assert [row["k"] for row in told_bands] == ["many"]
    assert abs(told_bands[0]["b_1"]) < 100
    assert abs(told_bands[0]["b_2"] - 1000) < 100
    nobody = told(
        table.head(0), tmp_path, by=[{"column": "k", "keys": "discover"}], measures=MEASURES[:2], delta_e15=1
    )
    assert nobody.table.num_rows == 0
    assert nobody.table.schema == found.table.schema


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 200), st.randoms(use_true_random=False))
def test_a_prefix_is_the_sum_of_its_intervals(bins: int, chance: Any) -> None:
    leaves = np.array([[chance.randrange(9) for _ in range(bins)] for _ in range(2)])
    levels = {}
    for width in tree_levels(bins):
        padded = np.pad(leaves, ((0, 0), (0, -bins % width)))
        levels[width] = padded.reshape(2, -1, width).sum(axis=2)
    assert (prefixes(levels, bins)[:, 1:] == np.cumsum(leaves, axis=1)).all()


def test_medians_with_noise_are_near(tmp_path: Path) -> None:
    found = told(PEOPLE, tmp_path, by=[], measures=MEASURES[6:7], nano_rho=NANO).table.to_pylist()[0]
    assert abs(found["age_p25"] - 25) <= 15
    assert abs(found["age_p50"] - 50) <= 15


def test_the_report_says_nothing_of_the_data(tmp_path: Path) -> None:
    one, other = told(PEOPLE, tmp_path), told(PEOPLE.head(3), tmp_path)
    assert one.report == other.report
    assert one.report["nano_rho"] <= NANO
    assert one.report["epsilon"] == pytest.approx(7.766, abs=0.01)
    assert json.loads(json.dumps(one.report)) == one.report


# --- the room


def run(folder: Path, **changes: Any) -> tuple[dict[str, Any], Path]:
    inputs, out = folder / "in", folder / "out"
    for each in (inputs, out):
        each.mkdir(exist_ok=True)
    PEOPLE.write_parquet(inputs / "data")
    params = {
        "query": described(),
        "entity": "pid",
        "fields": [{"name": name, "type": "string"} for name in ("area", "age", "pay")],
        **changes,
    }
    return task.run(params, inputs, out), out


def test_the_room_writes_one_file_and_reports_its_price(tmp_path: Path) -> None:
    report, out = run(tmp_path)
    assert [path.name for path in out.iterdir()] == ["answer.parquet"] == [report["output"]]
    data = (out / "answer.parquet").read_bytes()
    assert report["sha256"] == hashlib.sha256(data).hexdigest()
    assert (report["ok"], report["rows"], report["dp"]["delta_e15"]) == (True, 3, 0)
    assert pq.read_schema(out / "answer.parquet").metadata is None
    assert ROOMS["dp"] == task.__name__


def test_the_room_writes_csv(tmp_path: Path) -> None:
    report, out = run(tmp_path, output="by_area.csv", query=described(measures=MEASURES[:3]))
    lines = (out / "by_area.csv").read_text().splitlines()
    assert lines[0] == '"area","n","p","total"'
    assert re.fullmatch(r'"东",-?\d+,-?\d+,-?\d+\.\d\d', lines[1])
    assert (report["output"], len(lines)) == ("by_area.csv", 4)


@pytest.mark.parametrize(
    ("changes", "code", "details"),
    [
        ({"query": None}, "DP_QUERY", {"field": "query"}),
        ({"entity": None}, "DP_QUERY", {"field": "entity"}),
        ({"fields": [1]}, "DP_QUERY", {"field": "fields"}),
        ({"output": "../x.csv"}, "DP_QUERY", {"field": "output"}),
        ({"output": ".csv"}, "DP_QUERY", {"field": "output"}),
        ({"output": "x.xlsx"}, "DP_QUERY", {"field": "output"}),
        ({"output": 1}, "DP_QUERY", {"field": "output"}),
        ({"fields": [{"name": "age"}, {"name": "pay"}]}, "DP_COLUMN", {"column": "area", "use": "field"}),
        ({"entity": "pay"}, "DP_COLUMN", {"column": "pay", "use": "entity"}),
    ],
)
def test_the_room_refuses(
    tmp_path: Path, changes: dict[str, Any], code: str, details: dict[str, Any]
) -> None:
    with pytest.raises(SandboxError) as caught:
        run(tmp_path, **changes)
    assert (caught.value.code, caught.value.details) == (code, details)
    assert not list((tmp_path / "out").iterdir())
