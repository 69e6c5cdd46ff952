"""Each transform: its result, its properties as the registry states them."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.desensitize.tokens import TokenVault
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import Setting, Unfit

KEYS = {"k": bytes(range(32)), "other": bytes(range(1, 33))}


def apply(name: str, values: Sequence[Any] | pl.Series, **params: Any) -> list[Any]:
    row = TRANSFORMS[name]
    column = values if isinstance(values, pl.Series) else pl.Series("x", values)
    (result,) = row.apply([column], row.params.model_validate(params), Setting(KEYS))
    assert result.len() == column.len()
    return result.to_list()


@pytest.mark.parametrize(
    ("name", "params", "values", "expected"),
    [
        ("mask", {"keep_first": 3, "keep_last": 4}, ["13812345678", "1381234567"], ["138****5678", "*" * 10]),
        ("mask", {"keep_first": 1}, ["张三", "欧阳明", "王", ""], ["张*", "欧**", "*", ""]),
        ("mask", {}, [12345], ["*****"]),
        ("generalise", {"by": "band", "width": 10}, [0, 9, 10, None], ["[0,10)", "[0,10)", "[10,20)", None]),
        ("generalise", {"by": "band", "width": 10}, [-1], ["[-10,0)"]),
        ("generalise", {"by": "band", "width": 5, "start": 2.5}, [2.5, 7.5], ["[2.5,7.5)", "[7.5,12.5)"]),
        ("generalise", {"by": "band", "edges": [18, 60]}, [17, 18, 60], ["<18", "[18,60)", ">=60"]),
        ("generalise", {"by": "band", "edges": [18, 60]}, [59.5, None], ["[18,60)", None]),
        ("generalise", {"by": "date", "to": "year"}, [date(1990, 5, 6), None], ["1990", None]),
        ("generalise", {"by": "date", "to": "month"}, [date(1990, 5, 6)], ["1990-05"]),
        ("generalise", {"by": "date", "to": "quarter"}, [date(1990, 5, 6)], ["1990Q2"]),
        ("generalise", {"by": "date", "to": "decade"}, [datetime(1999, 12, 31, 23)], ["1990s"]),  # noqa: DTZ001
        ("generalise", {"by": "prefix", "length": 4}, ["520102", "52", None], ["5201", "52", None]),
        ("generalise", {"by": "prefix", "length": 4}, [520102], ["5201"]),
        ("generalise", {"by": "map", "table": {"a": "A"}}, ["a", "b", None], ["A", None, None]),
        ("generalise", {"by": "map", "table": {"a": "A"}, "other": "其他"}, ["b", None], ["其他", None]),
        ("suppress", {}, [1, None], [None, None]),
        ("suppress", {"mode": "null"}, ["a"], [None]),
        ("top_code", {"limit": 5}, [3, 7, None], [3, 5, None]),
        ("bottom_code", {"limit": 2.5}, [1.0, 3.0], [2.5, 3.0]),
        ("round", {"to": 100}, [149, 150, -150, None], [100, 200, -100, None]),
        ("round", {"to": 0.5}, [0.74, 0.75], [0.5, 1.0]),
        ("tidy", {}, [" １２ａ ", "", "\u3000", None], ["12a", None, None, None]),
        ("tidy", {"upper": True}, ["1x"], ["1X"]),
        ("convert", {"to": "integer"}, ["1", None, "-7"], [1, None, -7]),
        ("convert", {"to": "integer", "on_error": "null"}, [1.5, 2.0], [None, 2]),
        ("convert", {"to": "number"}, ["1.5"], [1.5]),
        ("convert", {"to": "date"}, ["2020-02-29"], [date(2020, 2, 29)]),
        ("convert", {"to": "string"}, [date(2020, 2, 29), None], ["2020-02-29", None]),
    ],
)  # fmt: skip
def test_results(name: str, params: dict[str, Any], values: list[Any], expected: list[Any]) -> None:
    assert apply(name, values, **params) == expected


def test_a_mask_of_a_long_text_costs_what_the_text_is_long() -> None:
    long = "x" * (1 << 20)
    assert apply("mask", [long, "13812345678"], keep_first=1) == ["x" + "*" * ((1 << 20) - 1), "1" + "*" * 10]


@pytest.mark.parametrize("values", [["1", "x", None, ""], [1.5, 2.0], [float("inf")]])
def test_convert_counts_what_it_cannot_do(values: list[Any]) -> None:
    with pytest.raises(Unfit) as caught:
        apply("convert", values, to="integer")
    assert caught.value.rows == (2 if isinstance(values[0], str) else 1)


@pytest.mark.parametrize("name", ["sha256", "sm3"])
def test_a_pseudonym_is_an_hmac_under_a_key_of_its_own(name: str) -> None:
    info = f'["sandbox/recipe/1","pseudonym","{name}"]'.encode()
    key = HKDFExpand(SHA256(), 32, info).derive(KEYS["k"])
    digest = hmac.new(key, b"520102199001011234", name).digest()
    assert apply("pseudonym", ["520102199001011234"], key="k", hash=name, prefix="P-") == [
        "P-" + b32encode(digest)[:26].decode()
    ]


def test_a_pseudonym_is_no_plain_hash() -> None:
    for name in ("md5", "sha1", "sha256", "sm3"):
        plain = hashlib.new(name, b"13800000001").digest()
        assert b32encode(plain)[:26].decode() not in apply("pseudonym", ["13800000001"], key="k")


TEXTS = st.lists(st.none() | st.text(max_size=8), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_pseudonyms_keep_joins_and_differ_per_key_and_hash(values: list[str | None]) -> None:
    column = pl.Series("x", values, dtype=pl.String)
    code = apply("pseudonym", column, key="k")
    for (a, p), (b, q) in (
        (x, y) for x in zip(values, code, strict=True) for y in zip(values, code, strict=True)
    ):
        assert (a == b) == (p == q)
    for variant in (apply("pseudonym", column, key="other"), apply("pseudonym", column, key="k", hash="sm3")):
        assert not ({one for one in code if one} & {one for one in variant if one})
        assert [one is None for one in variant] == [one is None for one in values]


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(0, 4), st.integers(0, 4))
def test_a_mask_covers_a_third_or_more(values: list[str | None], first: int, last: int) -> None:
    column = pl.Series("x", values, dtype=pl.String)
    for value, masked in zip(values, apply("mask", column, keep_first=first, keep_last=last), strict=True):
        if value is None or masked is None:
            assert masked == value
            continue
        assert len(masked) == len(value)
        assert masked.count("*") >= len(value) / 3


NUMBERS = st.lists(st.none() | st.integers(-(10**12), 10**12), min_size=2, max_size=20)
ORDERED = [("top_code", {"limit": 10}), ("bottom_code", {"limit": 10}), ("round", {"to": 100})]


@pytest.mark.parametrize(("name", "params"), ORDERED)
@settings(max_examples=40, deadline=None)
@given(values=NUMBERS)
def test_what_says_so_keeps_order(name: str, params: dict[str, Any], values: list[int | None]) -> None:
    assert TRANSFORMS[name].keeps_order
    after = apply(name, pl.Series("x", values, dtype=pl.Int64), **params)
    pairs = [(a, b) for a, b in zip(values, after, strict=True) if a is not None]
    assert all(b is not None for _, b in pairs)
    assert [b for _, b in sorted(pairs)] == sorted(b for _, b in pairs)


def test_those_are_all_that_say_so() -> None:
    # a sample changes no value
    assert {name for name, row in TRANSFORMS.items() if row.keeps_order} == {name for name, _ in ORDERED} | {
        "sample"
    }


@settings(max_examples=40, deadline=None)
@given(NUMBERS, st.sampled_from([0.5, 3, 10, 1000]))
def test_a_band_holds_its_value(values: list[int | None], width: float) -> None:
    column = pl.Series("x", values, dtype=pl.Int64)
    for value, label in zip(values, apply("generalise", column, by="band", width=width), strict=True):
        if value is None:
            assert label is None
        else:
            low, high = (float(edge) for edge in label[1:-1].split(","))
            assert low <= value < high


EMPTY: dict[str, dict[str, Any]] = {
    "generalise": {"by": "prefix", "length": 2},
    "pseudonym": {"key": "k"},
    "fpe": {"key": "k", "form": "mobile"},
    "token": {"domain": "person"},
    "top_code": {"limit": 1},
    "bottom_code": {"limit": 1},
    "round": {"to": 1},
    "round_random": {"key": "k", "to": 5, "by": "x"},
    "noise": {"scale": 2},
    "date_shift": {"key": "k", "by": "x", "days": 30},
    "convert": {"to": "string"},
}
NUMBERED = {"top_code", "bottom_code", "round", "round_random", "noise"}


@pytest.mark.parametrize(
    "name", sorted(name for name, row in TRANSFORMS.items() if not (row.many or row.selects))
)
def test_an_empty_column_stays_empty(name: str) -> None:
    type_ = pl.Int64 if name in NUMBERED else pl.Date if name == "date_shift" else pl.String
    row = TRANSFORMS[name]
    params = row.params.model_validate(EMPTY.get(name, {}))
    for values in ([], [None, None]):
        column = pl.Series("x", values, dtype=type_)
        setting = Setting(KEYS, {"x": pl.Series("x", values, dtype=pl.String)}, TokenVault())
        assert row.apply([column], params, setting)[0].to_list() == values


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_every_transform_says_what_it_does(name: str) -> None:
    more = {
        "geo": {"decimals": 2},
        "microaggregate": {"k": 5, "by": "who"},
        "sample": {"key": "k", "share": 0.1},
    }
    row = TRANSFORMS[name]
    zh, en = row.explain(row.params.model_validate((EMPTY | more).get(name, {})))
    assert zh.endswith("。")
    assert en.endswith(".")
    assert row.title_zh
    assert row.title_en
