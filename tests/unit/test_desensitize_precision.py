"""Coordinates in a product are as coarse as the policy says, whatever step wrote them (R-138)."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.desensitize import task
from sandbox.desensitize.precision import finer, named
from tests.refusal import refused

DRAW = random.Random(4)
ROWS = 200
LAT = [round(22.5 + DRAW.random(), 6) for _ in range(ROWS)]
LON = [round(113.9 + DRAW.random(), 6) for _ in range(ROWS)]
ROUND = {"transform": "round", "params": {"to": 0.01}}
FINE = {"transform": "round", "params": {"to": 0.001}}
GRID = {"columns": ["lat", "lon"], "transform": "geo", "params": {"decimals": 2}}
TEXT = {"transform": "convert", "params": {"to": "string"}}


def run(
    place: Path, steps: list[dict[str, Any]], frame: pl.DataFrame, keep: list[str], decimals: int | None = 2
) -> pl.DataFrame:
    """The product of a recipe over ``frame``."""
    inputs, out = place / "in", place / "out"
    inputs.mkdir()
    out.mkdir()
    frame.write_parquet(inputs / "data")
    types = {pl.Float64: "number", pl.String: "string", pl.Int64: "integer"}
    fields = [{"name": name, "type": types[kind], "role": "quasi"} for name, kind in frame.schema.items()]  # type: ignore[index]
    params = {
        "recipe": {"name": "r", "version": "1", "steps": steps, "keep": keep},
        "fields": fields,
        "rules": {"decimals": decimals},
        "anonymity": {"entity": None, "fields": fields, "threshold": 10},
    }
    task.run(params, inputs, out)
    return pl.read_parquet(out / task.PRODUCT)


def points(lat: str = "lat", lon: str = "lon") -> pl.DataFrame:
    return pl.DataFrame({lat: LAT, lon: LON, "rate": [number / 7 for number in range(ROWS)]})


def on(column: str, step: dict[str, Any]) -> dict[str, Any]:
    return {"column": column, **step}


@pytest.mark.parametrize(
    ("steps", "keep"),
    [
        ([], ["lat", "lon"]),
        ([on("lat", ROUND)], ["lon"]),
        ([on("lat", FINE), on("lon", FINE)], []),
        ([on("lat", TEXT)], []),
    ],
)
def test_a_finer_coordinate_is_in_no_product(
    tmp_path: Path, steps: list[dict[str, Any]], keep: list[str]
) -> None:
    with refused("RECIPE_TOO_FINE"):
        run(tmp_path, steps, points(), keep)
    assert not (tmp_path / "out" / task.PRODUCT).exists()


@pytest.mark.parametrize("steps", [[GRID], [on("lat", ROUND), on("lon", ROUND)]])
def test_a_coarse_one_is_and_other_fractions_are_nobody_s_business(
    tmp_path: Path, steps: list[dict[str, Any]]
) -> None:
    product = run(tmp_path, steps, points(), ["rate"])
    assert finer(product["lat"], 2) == finer(product["lon"], 2) == 0
    assert finer(product["rate"], 2) > ROWS / 2


def test_names_do_not_hide_a_pair_of_coordinates(tmp_path: Path) -> None:
    with refused("RECIPE_TOO_FINE"):
        run(tmp_path, [], points("a", "b"), ["a"])


def test_precise_numbers_of_one_range_alone_are_no_coordinates(tmp_path: Path) -> None:
    assert run(tmp_path, [], points("a", "b").drop("b"), ["a"]).height == ROWS


def test_a_policy_that_asks_nothing_measures_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, [], points(), ["lat", "lon"], decimals=None).height == ROWS


@pytest.mark.parametrize(
    "name", ["lat", "home_lat", "startLng", "gps", "经度", "WGS84_x", "Longitude", "坐标"]
)
def test_a_coordinate_is_known_by_its_name(name: str) -> None:
    assert named([{"name": name}]) == {name}
    assert named([{"name": "x", "title_zh": name}]) == {"x"}


@pytest.mark.parametrize(
    "name", ["late_fee", "plate", "colony", "long_term", "latest", "along", "salon", "rate"]
)
def test_other_words_are_no_coordinates(name: str) -> None:
    assert named([{"name": name}]) == set()


@given(st.integers(-18_000, 18_000), st.integers(1, 999))
def test_decimals_are_counted_as_they_are_written(hundredths: int, more: int) -> None:
    coarse = Decimal(hundredths) / 100
    fine = coarse + (Decimal(more) / 100_000).copy_sign(coarse)
    for values, expected in (([coarse], 0), ([fine], 1), ([coarse, None, fine], 1)):
        numbers = [None if value is None else float(value) for value in values]
        texts = [None if value is None else f"POINT({value})" for value in values]
        assert finer(pl.Series(numbers, dtype=pl.Float64), 2) == expected
        assert finer(pl.Series(texts, dtype=pl.String), 2) == expected
        assert finer(pl.Series(values, dtype=pl.Decimal(12, 6)), 2) == expected


def test_what_is_no_number_has_no_decimals() -> None:
    assert finer(pl.Series([float("nan"), float("inf"), None]), 2) == 0
    assert finer(pl.Series([1, 2]), 0) == 0
    assert finer(pl.Series(["30.1200", "x", None, "1.5e3"]), 2) == 0
