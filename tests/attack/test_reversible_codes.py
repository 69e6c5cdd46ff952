"""Codes that lead back inside (tokens, enciphered numbers of a product) do not leave in any dress (R-131)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox.control.checking import REVERSIBLE
from sandbox.desensitize.tokens import TokenVault
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import Setting
from sandbox.desensitize.transforms.fpe import FpeParams
from sandbox.desensitize.transforms.fpe import apply as encipher
from sandbox.desensitize.transforms.pseudonym import PseudonymParams
from sandbox.desensitize.transforms.pseudonym import apply as name
from sandbox.egress.context import RawTable
from sandbox.egress.task import _raw
from tests.refusal import refused

KEYS = Setting({"k": bytes(range(32))})


@pytest.fixture
def codes(persons: pl.DataFrame) -> pl.DataFrame:
    """The operator's product: tokens, enciphered numbers, and pseudonyms, which are not led back."""
    people = persons.head(200)
    return pl.DataFrame(
        {
            "token": TokenVault().tokens("person", people["id_no"]),
            "number": encipher(people["phone"], FpeParams(key="k", form="mobile"), KEYS),
            "code": name(people["id_no"], PseudonymParams(key="k"), KEYS),
        }
    )


@pytest.fixture
def given(codes: pl.DataFrame, tmp_path: Path) -> RawTable:
    path = tmp_path / "product.parquet"
    codes.write_parquet(path)
    return RawTable("product", path, reversible=("token", "number"))


def found(report: Any) -> list[Any]:
    return [
        one
        for one in report.findings
        if one.rule == "REVERSIBLE" and one.evidence["method"] == "codes that lead back in the domain"
    ]


@pytest.mark.parametrize("column", ["token", "number"])
@pytest.mark.parametrize(
    ("file", "dress"),
    [
        ("out.csv", lambda code: f"which\n{code}\n"),
        ("out.csv", lambda code: f"which\n{code.lower()}\n"),
        ("out.csv", lambda code: f"note\n第 {code}。号\n"),
        ("out.json", lambda code: f'[{{"a": "x-{code}"}}]'),
        ("out.md", lambda code: f"# 结论\n\n最高的一位是 {code}，其余略。\n"),
    ],
)
def test_a_single_one_is_refused(
    attack: Any, codes: pl.DataFrame, given: RawTable, column: str, file: str, dress: Any
) -> None:
    code = str(codes[column][7])
    report = attack(dress(code), file, raws=[given])
    assert report.verdict == "reject"
    assert [one.evidence["count"] for one in found(report)] == [1]
    assert code not in str(report.as_json())


def test_what_is_no_such_code_is_let_alone(attack: Any, codes: pl.DataFrame, given: RawTable) -> None:
    assert not found(attack(pl.DataFrame({"district": ["A", "B"], "people": [1200, 1300]}), raws=[given]))
    assert not found(attack(codes.select("code"), raws=[given]))
    unstated = RawTable("product", given.path)
    assert not found(attack(codes.select("token"), raws=[unstated]))


def test_the_order_names_the_columns_and_a_wrong_name_lets_nothing_pass(
    attack: Any, codes: pl.DataFrame, given: RawTable
) -> None:
    told = _raw({"name": "p", "file": "product.parquet", "reversible": ["token"]}, given.path.parent)
    assert told == RawTable("p", given.path, reversible=("token",))
    wrong = RawTable("product", given.path, reversible=("tokens",))
    report = attack(codes.select("token"), raws=[wrong])
    assert (report.verdict, found(report)) == ("reject", [])


def test_every_transform_that_hands_out_a_way_back_is_named() -> None:
    """A pseudonym is found again by trying candidates only; a shifted date is no identifier."""
    back = {one.name for one in TRANSFORMS.values() if one.reversible_with_key}
    assert back == REVERSIBLE | {"pseudonym", "date_shift"}
    with refused("EGRESS_PARAMS"):
        _raw({"name": "p", "file": "../p"}, Path("/nowhere"))
