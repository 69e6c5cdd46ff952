"""An answer under differential privacy before the checker: paid for it is no small cell, unpaid it is one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox.core.errors import SandboxError
from sandbox.egress.capacity import noisy_bits, number_bits
from sandbox.egress.check import Report, check, declarations
from sandbox.egress.checks import CHECKS
from sandbox.egress.context import Paid, RawTable
from sandbox.egress.ledger.room import Ledger
from sandbox.egress.task import run
from tests.plugins.egress import resident_id

ANSWER = "district,people\n东城区,4\n西城区,7\n朝阳区,1203\n"  # two cells below the threshold, and exact ones
TOLD = [{"path": "out.csv", "kind": "table", "dimensions": ["district"], "counts": ["people"]}]


def paid_for(text: str, **over: Any) -> dict[str, Paid]:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return {"out.csv": Paid("dpr-1", over.get("sha256", sha256), 1_000_000, over.get("noise", {}))}


@pytest.fixture
def checked(tmp_path: Path, persons_file: Path, policy: dict[str, Any]) -> Any:
    """``checked(text, paid, declared=TOLD)``: the report on one file."""
    raw = RawTable(
        "persons", persons_file, "id_no", ("district", "sex", "age"), ("disease",), ("name", "phone")
    )
    folder = tmp_path / "outputs"
    folder.mkdir()

    def run_it(text: str, paid: dict[str, Paid] | None, declared: Any = TOLD, **more: Any) -> Report:
        (folder / "out.csv").write_text(text, encoding="utf-8")
        told = declarations(declared)
        return check([folder], [raw], told, policy, "test", canonical=tmp_path / "c", paid=paid, **more)

    return run_it


def rules(report: Report) -> set[str]:
    return {found.rule for found in report.findings}


def test_a_small_noisy_count_that_was_paid_for_is_no_objection_and_the_same_unpaid_is(checked: Any) -> None:
    assert checked(ANSWER, paid_for(ANSWER)).verdict.value == "no_objection"
    unpaid = checked(ANSWER, None)
    assert unpaid.verdict.value == "reject"
    assert "SMALL_CELL" in rules(unpaid)


@pytest.mark.parametrize(
    "forged",
    [
        {"out.csv": Paid("dpr-1", hashlib.sha256(b"another").hexdigest(), 10**9)},
        {"other.csv": Paid("dpr-1", hashlib.sha256(ANSWER.encode()).hexdigest(), 10**9)},
        {"out.csv": Paid("dpr-1", "", 10**9)},
    ],
    ids=["hash", "path", "none"],
)
def test_a_charge_for_another_file_pays_for_nothing(checked: Any, forged: dict[str, Paid]) -> None:
    """Exactly what it is without any charge: a claim alone is handled as exact."""
    with_claim, without = checked(ANSWER, forged), checked(ANSWER, None)
    assert with_claim.verdict.value == "reject"
    assert rules(with_claim) == rules(without)


@pytest.mark.parametrize(
    ("text", "declared", "rule"),
    [
        (
            "district,people,id_no\n东城区,4," + resident_id("110101", "19900307", 7) + "\n",
            TOLD,
            "IDENTIFIER",
        ),
        ("district,people\n=SUM(A1),4\n", TOLD, "FORMULA"),
        ("district,people\n东城区,4\n", [{**TOLD[0], "path": "x.csv"}], "UNDECLARED"),
        ("district,people\njavascript:alert(1),4\n", TOLD, "ACTIVE_TEXT"),
    ],
    ids=["identifier", "formula", "undeclared", "active"],
)
def test_paying_buys_nothing_but_the_noise(checked: Any, text: str, declared: Any, rule: str) -> None:
    assert rule in rules(checked(text, paid_for(text), declared))


def test_our_own_numbers_never_take_the_place_of_the_noise(
    checked: Any, persons: pl.DataFrame, tmp_path: Path
) -> None:
    """A noisy table may be all but exact: recomputed, it would leave exact."""
    exact = persons["district"].value_counts().sort("district")
    noisy = exact.with_columns(pl.col("count").cast(pl.Int64) + pl.Series([1, 0, -1, 0, 0, 0]))
    text = noisy.rename({"count": "people"}).write_csv()
    report = checked(text, paid_for(text))
    assert report.verdict.value == "no_objection"
    assert (
        pl.read_csv(tmp_path / "c" / "out.csv").sort("district")["people"].to_list()
        == noisy["count"].to_list()
    )
    assert report.capacity["files"][0]["recomputed"] == 0


def test_its_cells_do_not_enter_the_ledger(checked: Any, persons: pl.DataFrame, tmp_path: Path) -> None:
    counts = persons["district"].value_counts().sort("district").rename({"count": "people"})
    text, cells = counts.write_csv(), []
    for name, paid in (("paid", paid_for(text)), ("exact", None)):
        room = Ledger(b"k" * 32, None, tmp_path / name, {})
        assert checked(text, paid, ledger=room).verdict.value == "no_objection"
        cells.append(pl.read_parquet(tmp_path / name / "cells.parquet").height)
    assert cells[0] == 0 < cells[1]


def test_the_checks_that_presume_exact_values_are_the_ones_that_are_listed() -> None:
    """A new check has to say which it is; docs/differential-privacy.md lists them."""
    exact = {check.run.__module__.rpartition(".")[2] for check in CHECKS if check.exact}
    assert exact == {
        *("cells", "combinations", "differencing", "labels", "magnitudes", "microdata", "omitted"),
        *("overlap", "positive", "records", "recoverable", "sequences", "unexplained"),
    }


def test_noise_lowers_what_a_column_can_carry() -> None:
    values = pl.Series([1203, 997, 4, 0])
    assert noisy_bits(values, 3.0) == pytest.approx(4 * 7.2424, abs=0.01)
    assert noisy_bits(values, 20.0) < 0.01
    assert noisy_bits(pl.Series([-4, 4]), 0.0) == pytest.approx(2 * 3.17, abs=0.01)
    assert noisy_bits(pl.Series([], dtype=pl.Int64), 3.0) == 0
    assert noisy_bits(pl.Series([5, None]), 30.0) == pytest.approx(2, abs=0.01)  # which one is missing


def test_the_report_charges_the_less_of_both_bounds(checked: Any) -> None:
    plain = checked(ANSWER, paid_for(ANSWER)).capacity["bits"]
    noisy = checked(ANSWER, paid_for(ANSWER, noise={"people": 6.0})).capacity["bits"]
    loud = checked(ANSWER, paid_for(ANSWER, noise={"people": -60.0})).capacity["bits"]
    assert noisy < plain == loud
    assert plain >= number_bits(pl.Series([4, 7, 1203]))


@pytest.mark.parametrize(
    "told", [5, [{"path": "out.csv"}], [{"path": "o", "release": "r", "sha256": "", "nano_rho": "x"}]]
)
def test_a_room_refuses_charges_that_have_no_form(tmp_path: Path, told: Any) -> None:
    params = {"raws": [], "policy": {}, "policy_id": "test", "dp": told}
    with pytest.raises(SandboxError, match="EGRESS_PARAMS"):
        run(params, tmp_path, tmp_path)
