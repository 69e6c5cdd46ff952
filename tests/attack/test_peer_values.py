"""Our measures give the values that peers publish: ARX's risks on Adult, pycanon's k and l of its files."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from sandbox.desensitize.anonymity import least_group
from sandbox.egress.check import check
from sandbox.egress.context import RawTable
from sandbox.policy import load_profile

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the peers' files are not beside the repository")
PYCANON = SHARED / "peers" / "pycanon"
# The peers' own files, and one of each size; the k of all of them costs a second, a whole check more.
WITH_L = ("StudentsMath_Score.csv", "StudentsMath_Score_k5.csv", "drugs_k5.csv", "hospital_anonymized.csv")


def expected():
    return json.loads((PYCANON / "expected.json").read_text("utf-8")) if PYCANON.is_dir() else {}


VALUES = expected().get("computed", {}).get("values", {})


def frame(name):
    for path in (PYCANON / name, PYCANON / f"{name}.gz"):
        if path.exists():
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            table = pl.read_csv(data, infer_schema_length=None)
            return table.rename({c: c.strip() for c in table.columns})
    raise FileNotFoundError(name)


def evidence(table, quasi, sensitive, folder, rule, **policy):
    """The evidence of ``rule`` on ``table``, put out as it is in the raw data."""
    path = folder / "raw.parquet"
    table.write_parquet(path)
    (folder / "out").mkdir()
    table.sample(fraction=1.0, shuffle=True, seed=5).write_csv(folder / "out" / "table.csv")
    raw = RawTable("raw", path, None, tuple(quasi), tuple(sensitive))
    profile = load_profile("national")
    values = {**profile.values(), **policy}
    report = check([folder / "out"], [raw], {}, values, profile.id)
    return [item.evidence for item in report.findings if item.rule == rule]


@pytest.mark.parametrize("name", VALUES)
def test_least_class_is_pycanons(name):
    table, known = frame(name), VALUES[name]
    assert table.height == known["rows"]
    assert least_group(table, pl.Series(range(table.height)), known["qi"]) == known["k"]


@pytest.mark.parametrize("name", VALUES)
def test_least_class_does_not_hang_on_the_order_of_rows(name):
    """pycanon's own values do: it mixes labels and positions of a shuffled index."""
    table, known = frame(name), VALUES[name]
    mixed = table.sample(fraction=1.0, shuffle=True, seed=2)
    assert least_group(mixed, pl.Series(range(table.height)), known["qi"]) == known["k"]


@pytest.mark.parametrize("name", [name for name in WITH_L if name in VALUES])
def test_the_check_finds_pycanons_k(name, tmp_path):
    known = VALUES[name]
    found = evidence(
        frame(name), known["qi"], known["sa"], tmp_path, "K_ANONYMITY", **{"egress.k_min": 10**6}
    )
    assert found[0]["k"] == known["k"]
    assert found[0]["classes"] == known["n_ec"]


@pytest.mark.parametrize("name", [name for name in WITH_L if name in VALUES])
def test_the_check_finds_pycanons_l(name, tmp_path):
    known = VALUES[name]
    wanted = {"egress.k_min": 1, "egress.l_min": 10**6}
    found = evidence(frame(name), known["qi"], known["sa"], tmp_path, "L_DIVERSITY", **wanted)
    assert found[0]["l"] == known["l"]


def test_the_check_finds_arxs_risks_on_adult(tmp_path):
    """All nine columns as quasi-identifiers: average risk is classes over rows, and the uniques."""
    with gzip.open(SHARED / "persons" / "arx_adult" / "adult.csv.gz") as file:
        table = pl.read_csv(file.read(), separator=";", infer_schema=False)
    risks = json.loads((SHARED / "peers" / "arx_adult_expected.json").read_text("utf-8"))["risk"]
    found = evidence(table, table.columns, (), tmp_path, "K_ANONYMITY")[0]
    assert (
        f"{found['classes']}/{table.height}" == risks["average_sample_risk_raw_as_fraction"] == "19502/30162"
    )
    uniques = found["sizes"]["1-1"]
    assert f"{uniques}/{table.height}" == risks["sample_uniqueness_as_fraction"] == "15512/30162"
