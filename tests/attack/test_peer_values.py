"""Our measures give the values that peers publish: ARX's risks on Adult, pycanon's k and l of its files."""

import gzip
import json
import math
from pathlib import Path

import duckdb
import polars as pl
import pytest

from sandbox.desensitize.anonymity import least_group
from sandbox.desensitize.measures import measure, population_uniques, risk
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


def measured(table, quasi, sensitive):
    with duckdb.connect() as connection:
        connection.register("given", table.to_arrow())
        ordered = {name: table[name].dtype.is_numeric() for name in sensitive}
        return measure(connection, "given", quasi, ordered)


@pytest.mark.parametrize("name", VALUES)
def test_every_measure_is_pycanons(name):
    """Equal to the last digits but for what pycanon rounds or defines otherwise.

    It cuts the entropy l off to a whole number (1.999… to 1), and gives for enhanced beta the lesser of two
    maxima that are not of the same value, so that it is a number even where no beta fulfils the definition.
    Its recursive c is not the one of the definition: see below.
    """
    known = VALUES[name]
    found = measured(frame(name), known["qi"], known["sa"])
    (spread,) = found.spread.values()
    assert (found.k, len(found.sizes), found.uniques) == (known["k"], known["n_ec"], known["uniques"])
    assert spread.distinct_l == known["l"]
    assert known["entropy_l"] in (math.floor(spread.entropy_l), math.floor(spread.entropy_l - 1e-9))
    assert [spread.alpha, found.k] == pytest.approx(known["alpha_k"], abs=1e-12)
    assert spread.t == pytest.approx(known["t"], abs=1e-12)
    assert spread.beta == pytest.approx(known["basic_beta"], rel=1e-12)
    assert min(spread.beta, -math.log(spread.rarest)) == pytest.approx(known["enhanced_beta"], rel=1e-12)
    assert spread.delta == pytest.approx(known["delta"], rel=1e-12)


@pytest.mark.skipif("drugs_k5.csv" not in VALUES, reason="the file is not there")
def test_the_recursive_c_is_of_the_most_frequent_value():
    """pycanon sorts the counts of a class upwards and so puts its rarest value in the place of r1."""
    known = VALUES["drugs_k5.csv"]
    table = frame("drugs_k5.csv")
    (spread,) = measured(table, known["qi"], known["sa"]).spread.values()
    worst, peers = 0.0, 0.0
    for _, group in table.group_by(known["qi"]):
        counts = sorted(group[known["sa"][0]].value_counts()["count"].to_list(), reverse=True)
        worst = max(worst, counts[0] / sum(counts[known["l"] - 1 :]))
        peers = max(peers, math.floor(counts[-1] / sum(counts[::-1][known["l"] - 1 :]) + 1))
    assert spread.recursive_c == pytest.approx(worst) == 5.0
    assert [peers, known["l"]] == known["c_l"] == [2, 2]


def test_the_order_of_rows_and_empty_values_change_nothing():
    """pycanon gives l = 2 and t = 0 for the first once shuffled, and k = 5 for the second: it drops rows."""
    table = pl.DataFrame({"q": ["a", "a", "b", "b"], "s": ["x", "x", "y", "y"]})
    for seed in range(4):
        found = measured(table.sample(fraction=1.0, shuffle=True, seed=seed), ["q"], ["s"])
        assert (found.k, found.spread["s"].distinct_l, found.spread["s"].t) == (2, 1, 0.5)
    table = pl.DataFrame({"q": ["a"] * 5 + [None], "s": ["x", "y", None, "x", "y", "x"]})
    found = measured(table, ["q"], ["s"])
    assert (found.k, found.uniques, found.spread["s"].distinct_l) == (1, 1, 1)


def test_arxs_risks_on_adult_are_those_of_the_measures():
    """Average risk, uniqueness, and its estimate for the population by sampling fraction (Zayatz)."""
    with gzip.open(SHARED / "persons" / "arx_adult" / "adult.csv.gz") as file:
        table = pl.read_csv(file.read(), separator=";", infer_schema=False)
    known = json.loads((SHARED / "peers" / "arx_adult_expected.json").read_text("utf-8"))["risk"]
    sizes = measured(table, table.columns, []).sizes
    found = risk(sizes, "public")
    assert found.average == pytest.approx(known["average_sample_risk_raw"], abs=1e-15)
    assert (found.highest, found.decisive, found.level) == (known["highest_risk_raw"], 1.0, 2)
    assert population_uniques(sizes, 1.0) == pytest.approx(known["sample_uniqueness_raw"], abs=1e-15)
    estimates = known["population_uniqueness_dankar"]
    for fraction, name in ((0.1, "f=0.1 (Zayatz)"), (0.2, "f=0.2"), (1.0, "f=1")):
        assert population_uniques(sizes, fraction) == pytest.approx(estimates[name], abs=5e-7)
