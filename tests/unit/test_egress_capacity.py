"""The bound in bits of what a file could carry, and what the labels of bands may say."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.egress.bands import bands
from sandbox.egress.capacity import label_bits, number_bits, order_bits, text_bits
from sandbox.egress.check import check
from sandbox.egress.context import RawTable
from sandbox.policy import load_profile


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        ([9999], 13.3),  # a number of four digits
        ([0.25], math.log2(26)),
        ([500, 0, 17], 3 * math.log2(501)),
        ([-3, 3], 2 * (math.log2(4) + 1)),
        ([7, None], math.log2(8) + 2),
        ([0, 0, 0], 0.0),
        ([], 0.0),
    ],
)
def test_a_column_of_numbers_carries_its_steps(values: list[float | None], bits: float) -> None:
    assert number_bits(pl.Series(values, dtype=pl.Float64)) == pytest.approx(bits, abs=0.05)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=50))
def test_the_bound_covers_every_column_of_such_numbers(values: list[int]) -> None:
    """As many different columns as there are: n cells of 0…m in whole steps are (m + 1)^n."""
    ways = len(values) * math.log2(max(values) + 1)
    step = 10 ** min((len(str(v)) - len(str(v).rstrip("0")) for v in values if v), default=0)
    assert number_bits(pl.Series(values)) >= ways - len(values) * math.log2(step) - 1e-6


@given(st.lists(st.sampled_from(["a", "bb", "丙"]), min_size=1, max_size=40))
def test_labels_carry_their_characters_or_which_of_them_they_are(values: list[str]) -> None:
    bits = label_bits(pl.Series(values))
    assert bits <= text_bits(values) + 1e-9
    assert bits <= text_bits(set(values)) + len(values) * math.log2(len(set(values)) + 1) + 1e-9
    assert bits >= len(values) * math.log2(len(set(values))) - 1e-9


def test_text_carries_its_characters_and_an_order_its_permutations() -> None:
    assert text_bits(["abc", "汉"]) == pytest.approx(3 * math.log2(95) + math.log2(20_992))
    assert order_bits(5) == pytest.approx(math.log2(120))


@pytest.mark.parametrize(
    ("labels", "edges"),
    [
        (["0-14", "15-64", "65+"], [(0, 15), (15, 65), (65, math.inf)]),
        (["18岁以下", "18-59岁", "60岁及以上"], [(-math.inf, 18), (18, 60), (60, math.inf)]),
        (["0-10", "10-20"], [(0, 10), (10, 21)]),
        (["[0,10)", "[10,20)"], [(0, 10), (10, 20)]),
        (["(0,10]", "(10,20]"], [(1, 11), (11, 21)]),
        (["1980s", "1990年代"], [(1980, 1990), (1990, 2000)]),
        (["1980", "1990", "2000"], [(1980, 1990), (1990, 2000), (2000, 2010)]),
        (["1", "2", "3", "4+"], [(1, 2), (2, 3), (3, 4), (4, math.inf)]),
        (["<18", "≥18"], [(-math.inf, 18), (18, math.inf)]),
    ],
)
def test_labels_are_read_as_intervals(labels: list[str], edges: list[tuple[float, float]]) -> None:
    found = bands(labels)
    assert found is not None
    assert list(found.edges) == edges


@pytest.mark.parametrize(
    "labels",
    [
        ["low", "high"],
        ["0-20", "10-30"],  # they overlap
        ["20-29"],
        ["10.1-20.25", "20.25-33.125"],  # edges of more digits than anybody chooses
        ["1-2", "3—4", "5~6", "7 至 8", "9到10"],  # one way of writing them each
    ],
)
def test_what_is_no_honest_grouping_is_none(labels: list[str]) -> None:
    assert bands(labels) is None


def test_edges_are_charged_with_their_digits_unless_all_bands_are_alike() -> None:
    even, uneven = bands(["0-19", "20-39", "40-59", "60-79"]), bands(["0-17", "18-41", "42-63", "64-79"])
    assert even is not None
    assert uneven is not None
    assert uneven.bits > even.bits + 20


def test_the_names_of_archived_files_and_of_columns_are_charged(tmp_path: Path) -> None:
    """They leave as the job wrote them: in an archive of empty-handed tables the names are all there is."""
    people = pl.DataFrame({"id": [f"p{i}" for i in range(90)], "sex": ["男", "女", "女"] * 30})
    people.write_parquet(tmp_path / "people.parquet")
    raws = [RawTable("people", tmp_path / "people.parquet", "id", ("sex",), (), ())]
    values = load_profile("national").values()

    def bits(member: str, column: str) -> int:
        (tmp_path / "outputs").mkdir(exist_ok=True)
        with zipfile.ZipFile(tmp_path / "outputs" / "tables.zip", "w") as archive:
            archive.writestr(member, f"sex,{column}\n男,30\n女,60\n")
        report = check([tmp_path / "outputs"], raws, {}, values, "national")
        assert report.capacity["files"][0]["recomputed"] == 1
        return int(report.capacity["bits"])

    plain = bits("a.csv", "n")
    assert bits("amber-cedar-dune-ember-fern-grove.csv", "n") > plain + 150
    assert bits("a.csv", "count_of_amber_cedar_dune_ember_fern") > plain + 150
