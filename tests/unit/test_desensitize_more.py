"""Shifted dates, grids, samples, random rounding, noise, groups, hierarchies, tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sandbox.core.errors import SandboxError
from sandbox.desensitize import tokens
from sandbox.desensitize.groups import by_order, mdav
from sandbox.desensitize.hierarchies import icd_chapter, read_hierarchy
from sandbox.desensitize.tokens import TokenVault, destroy
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import Setting, Unfit
from sandbox.desensitize.transforms.geo import within

KEYS = {"k": bytes(range(32)), "other": bytes(range(1, 33))}


def apply(
    name: str, columns: Sequence[pl.Series], beside: dict[str, pl.Series] | None = None, **params: Any
) -> list[list[Any]]:
    row = TRANSFORMS[name]
    made = row.apply(columns, row.params.model_validate(params), Setting(KEYS, beside or {}, TokenVault()))
    assert [one.len() for one in made] == [one.len() for one in columns]
    return [one.to_list() for one in made]


# --- dates ------------------------------------------------------------------------------------------

VISITS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", None]), st.none() | st.dates(date(1900, 1, 1))),
    min_size=1, max_size=30,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(VISITS)
def test_a_shift_keeps_intervals_within_a_subject_and_moves_every_one(visits: list[Any]) -> None:
    who = pl.Series("who", [one for one, _ in visits], dtype=pl.String)
    days = pl.Series("day", [day for _, day in visits], dtype=pl.Date)
    (made,) = apply("date_shift", [days], {"who": who}, key="k", by="who", days=30)
    offsets: dict[str, set[int]] = {}
    for (subject, before), after in zip(visits, made, strict=True):
        assert (after is None) == (before is None or subject is None)
        if after is not None:
            offsets.setdefault(subject, set()).add((after - before).days)
    assert all(len(found) == 1 and 1 <= abs(*found) <= 30 for found in offsets.values())


def test_shifts_are_spread_evenly_and_depend_on_the_key() -> None:
    who = pl.Series([f"p{n}" for n in range(4000)])
    days = pl.Series([datetime(2020, 6, 1, 12, 30)] * 4000)  # noqa: DTZ001
    (made,) = apply("date_shift", [days], {"who": who}, key="k", by="who", days=10)
    moved = np.array([(one - datetime(2020, 6, 1, 12, 30)) // timedelta(days=1) for one in made])  # noqa: DTZ001
    values, counts = np.unique(moved, return_counts=True)
    assert values.tolist() == [*range(-10, 0), *range(1, 11)]
    # 20 places, 4,000 draws: a bound that chance passes once in 10^9 (chi-squared, 19 degrees of freedom)
    assert ((counts - 200) ** 2 / 200).sum() < 85
    (other,) = apply("date_shift", [days], {"who": who}, key="other", by="who", days=10)
    assert other != made


# --- random rounding, noise, sample -----------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.integers(-1000, 1000), min_size=1, max_size=30), st.integers(2, 50))
def test_random_rounding_gives_a_multiple_beside_the_value(values: list[int | None], base: int) -> None:
    column = pl.Series("x", values, dtype=pl.Int64)
    who = pl.Series([str(n) for n in range(len(values))])
    (made,) = apply("round_random", [column], {"who": who}, key="k", to=base, by="who")
    for before, after in zip(values, made, strict=True):
        if before is None:
            assert after is None
        else:
            assert after % base == 0
            assert abs(after - before) < base
            assert before % base or after == before


def test_random_rounding_is_right_on_average_and_the_same_when_asked_again() -> None:
    people = 40_000
    column = pl.Series([7] * people)
    who = pl.Series([f"p{n}" for n in range(people)])
    (made,) = apply("round_random", [column], {"who": who}, key="k", to=10, by="who")
    assert set(made) == {0, 10}
    # deviation of the mean: sqrt(.7 x .3) x 10 / sqrt(40,000) = 0.023; seven of them
    assert abs(np.mean(made) - 7) < 0.17
    assert apply("round_random", [column], {"who": who}, key="k", to=10, by="who") == [made]


def test_noise_is_the_same_for_equal_values_of_one_subject() -> None:
    who = pl.Series("who", ["a", "a", "b", "b", None] * 200)
    column = pl.Series("x", [100, 100, 100, None, 100] * 200)
    (made,) = apply("noise", [column], {"who": who}, scale=1000, by="who")
    assert len(set(made[0::5]) | set(made[1::5])) == 1
    assert set(made[3::5]) | set(made[4::5]) == {None}
    (free,) = apply("noise", [pl.Series([0] * 5000)], scale=20)
    assert len(set(free)) > 50
    # of the discrete Laplace of scale 20 the variance is about 800; the mean of 5,000 has 0.4
    assert abs(np.mean(free)) < 3
    assert 600 < np.var(free) < 1050


def test_a_sample_takes_whole_subjects_and_the_share_asked_for() -> None:
    who = pl.Series([f"p{n % 20_000}" for n in range(60_000)] + [None])
    (kept,) = apply("sample", [who], key="k", share=0.25)
    assert kept[-1] is False
    assert kept[:20_000] == kept[20_000:40_000] == kept[40_000:60_000]
    # deviation of the share of 20,000: 0.0031
    assert abs(sum(kept[:20_000]) / 20_000 - 0.25) < 0.02
    (more,) = apply("sample", [who], key="k", share=0.5)
    assert all(b for a, b in zip(kept, more, strict=True) if a)


# --- places -----------------------------------------------------------------------------------------

BARRACKS = [[106.70, 26.55], [106.74, 26.55], [106.74, 26.60], [106.70, 26.60]]


@pytest.mark.requirement("R-138")
def test_points_are_coarsened_and_listed_sites_are_removed_or_refused() -> None:
    lat = pl.Series("lat", [26.647112, 26.575312, None, 91.0, 26.601])
    lon = pl.Series("lon", [106.630153, 106.715312, 106.7, 106.7, 106.72])
    made = apply("geo", [lat, lon], decimals=2, areas=[BARRACKS])
    assert made == [[26.65, None, None, None, 26.6], [106.63, None, None, None, 106.72]]
    with pytest.raises(Unfit) as caught:
        apply("geo", [lat, lon], decimals=2, areas=[BARRACKS], inside="refuse")
    assert caught.value.rows == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=20),
    st.tuples(st.integers(-4, 0), st.integers(1, 4), st.integers(-4, 0), st.integers(1, 4)),
)
def test_the_inside_of_a_rectangle(points: list[Any], box: tuple[int, int, int, int]) -> None:
    west, east, south, north = box
    ring = [[west, south], [east, south], [east, north], [west, north]]
    lat, lon = np.array([p[0] for p in points]), np.array([p[1] for p in points])
    found = within(lat, lon, [[float(x), float(y)] for x, y in ring])
    for y, x, inside in zip(lat, lon, found, strict=True):
        if west < x < east and south < y < north:
            assert inside
        if not (west <= x <= east and south <= y <= north):
            assert not inside


# --- hierarchies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "values", "expected"),
    [
        ({"by": "age", "on": "2026-01-01"}, [date(2021, 1, 1), date(2021, 1, 2), None], ["5-9", "0-4", None]),
        ({"by": "age", "on": "2026-01-01", "width": 10.0, "top": 85}, [date(1930, 1, 1)], ["80+"]),
        ({"by": "age", "on": "2026-01-01"}, [date(2026, 6, 1), date(1800, 1, 1)], [None, None]),
        ({"by": "age", "on": "2024-02-29", "width": 1.0}, [date(2000, 2, 29), date(2000, 3, 1)],
         ["24-24", "23-23"]),
        ({"by": "date", "to": "half"}, [date(1990, 6, 30), date(1990, 7, 1)], ["1990H1", "1990H2"]),
        ({"by": "date", "to": "week"}, [date(2021, 1, 3)], ["2020-W53"]),
        ({"by": "admin", "division": "prefecture"}, ["520102", "520102003001", " 520102 "], ["520100"] * 3),
        ({"by": "admin", "division": "province"}, ["520102", "52", "abc", "920102"],
         ["520000", None, None, None]),
        ({"by": "admin", "division": "county"}, ["520102003"], ["520102"]),
        ({"by": "icd", "level": "category"}, ["E11.902", "e11", "H60.1", "?", None],
         ["E11", "E11", "H60", None, None]),
        ({"by": "icd", "level": "chapter"}, ["A00", "D48", "D50", "H59", "H60", "T98"],
         ["I", "II", "III", "VII", "VIII", "XIX"]),
        ({"by": "icd", "level": "chapter"}, ["U07.1", "V01", "Z99", "O99", "P00"],
         ["XXII", "XX", "XXI", "XV", "XVI"]),
        ({"by": "hierarchy", "rows": [["a", "x", "*"], ["b", "x", "*"]]}, ["a", "b", "c", None],
         ["x", "x", None, None]),
        ({"by": "hierarchy", "rows": [["a", "x", "*"]], "step": 2, "other": "?"}, ["a", "c"], ["*", "?"]),
    ],
)  # fmt: skip
def test_groups(params: dict[str, Any], values: list[Any], expected: list[Any]) -> None:
    assert apply("generalise", [pl.Series("x", values)], **params) == [expected]


@pytest.mark.parametrize(
    "params",
    [
        {"by": "age", "on": "2026-13-01"},
        {"by": "age", "on": "2026-01-01", "width": 2.5},
        {"by": "age"},
        {"by": "admin", "division": "street"},
        {"by": "icd", "level": "category", "length": 3},
        {"by": "hierarchy", "rows": [["a", "x"]], "step": 2},
        {"by": "prefix", "length": 2, "step": 2},
        {"by": "band", "width": 5, "other": "x"},
    ],
)
def test_parameters_of_another_way_are_none(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TRANSFORMS["generalise"].params.model_validate(params)


def test_what_is_no_code_of_a_disease_has_no_chapter() -> None:
    assert [icd_chapter(code) for code in ("", "1", "11A", "AB1", "E1")] == [None] * 5


def test_a_hierarchy_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "h.csv"
    file.write_text("\ufeff25;20-29;*\n31;30-39;*\n", encoding="utf-8")
    assert read_hierarchy(file) == [["25", "20-29", "*"], ["31", "30-39", "*"]]
    file.write_text('a,"x, y"\n\n')
    assert read_hierarchy(file) == [["a", "x, y"]]
    for bad in ("a\nb\n", "a,b\nc\n", "a,b\na,c\n", ""):
        file.write_text(bad)
        with pytest.raises((SandboxError, ValueError)) as caught:
            read_hierarchy(file)
        assert getattr(caught.value, "code", "") == "RECIPE_HIERARCHY"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SandboxError):
        read_hierarchy(file)


# --- groups -----------------------------------------------------------------------------------------

NUMBERS = st.lists(st.integers(-1000, 1000), min_size=3, max_size=60)


@settings(max_examples=20, deadline=None)
@given(NUMBERS, st.integers(2, 6), st.sampled_from(["sort", "mdav"]))
def test_groups_have_k_subjects_and_keep_the_mean(values: list[int], k: int, method: str) -> None:
    column = pl.Series("x", values, dtype=pl.Int64)
    if len(values) < k:
        with pytest.raises(Unfit):
            apply("microaggregate", [column], k=k, method=method)
        return
    (made,) = apply("microaggregate", [column], k=k, method=method)
    assert all(made.count(one) >= k for one in made)
    assert np.isclose(np.mean(made), np.mean(values), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 80), st.integers(2, 9), st.integers(0, 1 << 32))
def test_both_ways_put_everyone_into_a_group_of_k_to_2k(count: int, k: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(count, 2))
    for places in (by_order(values[:, 0], k), mdav(values, k)):
        sizes = np.bincount(places)
        assert sizes.sum() == count
        assert count < k or (sizes.min() >= k and sizes.max() < 2 * k)


def test_a_subject_is_one_whatever_its_rows_and_columns_go_together() -> None:
    who = pl.Series("who", ["a"] * 50 + ["b", "c", "d", None])
    income = pl.Series("income", [10.0] * 50 + [12.0, 100.0, 102.0, 7.0])
    age = pl.Series("age", [30] * 50 + [32, 60, 62, 9])
    assert apply("microaggregate", [income], {"who": who}, k=2, by="who") == [
        [11.0] * 51 + [101.0] * 2 + [None]
    ]
    both = apply("microaggregate", [income, age], {"who": who}, k=2, by="who", method="mdav")
    assert both == [[11.0] * 51 + [101.0] * 2 + [None], [31.0] * 51 + [61.0] * 2 + [None]]
    with pytest.raises(Unfit):
        apply("microaggregate", [income], {"who": who}, k=5, by="who")
    with pytest.raises(Unfit):
        apply("microaggregate", [income, age], {"who": who}, k=2, by="who")  # sorting has one order


# --- tokens -----------------------------------------------------------------------------------------


def test_tokens_are_random_stay_and_lead_back_by_the_vault_only(tmp_path: Path) -> None:
    vault, key = TokenVault(), bytes(range(32))
    names = pl.Series(["张三", "李四", "王五"])
    made = vault.tokens("person", names)
    assert made.n_unique() == 3
    assert vault.tokens("person", pl.Series(["李四", "赵六"]))[0] == made[1]
    assert vault.tokens("firm", names).is_in(made.to_list()).sum() == 0
    assert TokenVault().tokens("person", names).is_in(made.to_list()).sum() == 0  # nothing but chance
    assert vault.reidentify("person", [made[2], "NONE", made[0]]) == ["王五", None, "张三"]
    assert vault.reidentify("firm", [made[0]]) == [None]

    file = tmp_path / "tokens.vault"
    vault.save(file, key)
    assert file.stat().st_mode & 0o777 == 0o600
    body = file.read_bytes()
    assert not any(word.encode() in body for word in (*names, *made))
    assert TokenVault.load(file, key).reidentify("person", [made[0]]) == ["张三"]
    first = body
    vault.save(file, key)
    assert file.read_bytes() != first  # another salt, another key of the file
    broken = bytearray(first)
    broken[len(broken) // 2] ^= 1
    cases = [
        (first, bytes(32)),
        (bytes(broken), key),
        (first[:40], key),
        (b"PAR1" + first[4:], key),
        (b"", key),
    ]
    for content, other in cases:
        file.write_bytes(content)
        with pytest.raises(SandboxError) as caught:
            TokenVault.load(file, other)
        assert (caught.value.code, caught.value.details) == ("RECIPE_TOKENS", {"file": "tokens.vault"})
    destroy(file)
    destroy(file)
    assert not file.exists()


def test_a_vault_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST", 3)
    vault = TokenVault()
    vault.tokens("person", pl.Series(["a", "b", "c"]))
    with pytest.raises(SandboxError) as caught:
        vault.tokens("person", pl.Series(["a", "d"]))
    assert caught.value.code == "RECIPE_TOKENS_FULL"
    assert len(vault) == 3
