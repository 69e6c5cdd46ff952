"""T3, T4, T5, T9, T10 of the plan: what an attacker can prove of what comes out, and that the attacks work.

An audit gives a lower bound of epsilon that is wrong with a probability of ``ALARM`` at the most: above the
claim, and the claim is a lie. Each attack is also tried on something broken, which it has to find.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from sandbox.core.errors import SandboxError
from sandbox.desensitize.dp import mechanisms, pipeline, rewrite, task
from sandbox.desensitize.dp.accounting import NANO, Scale, components, epsilon, pure_epsilon
from sandbox.desensitize.dp.pipeline import answer
from sandbox.desensitize.dp.sampler import Ints, discrete_gaussian, discrete_laplace
from sandbox.desensitize.dp.spec import Query, validate_query

ALARM = 1e-9
DRAWS = 30_000

Outputs = Any  # an array of what came out, one run each
Event = Callable[[Outputs], Any]


# --- the attacker's tools


def bits(values: Outputs) -> Any:
    """The lowest bit that is set of a float's grid of 2^-53, or of an integer: 0 for none."""
    floats = values.dtype.kind == "f"
    finer = np.where(np.isfinite(values), values, 0) * 2.0**53 if floats else values.astype(np.float64)
    return (finer != np.floor(finer)).astype(int) if floats else (values & 1)


def events(outputs: Outputs) -> dict[str, Event]:
    """What to look for: size, bits, what is no number, how long it is written."""
    finite = outputs[np.isfinite(outputs.astype(np.float64))]
    found: dict[str, Event] = {}
    for level in np.quantile(finite, [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98]):
        found[f"<= {level}"] = lambda values, level=level: values <= level
        found[f"> {level}"] = lambda values, level=level: values > level
    found["off grid"] = lambda values: bits(values) == 1
    found["on grid"] = lambda values: bits(values) == 0
    found["not a number"] = lambda values: ~np.isfinite(values.astype(np.float64))
    found["minus zero"] = lambda values: np.array(
        [str(value).startswith("-0") for value in values[:500].tolist()]
    )
    found["long"] = lambda values: np.array([len(str(value)) > 18 for value in values[:2000].tolist()])
    return found


def proven(draw: Callable[[int, int], Outputs], delta: float = 0.0) -> tuple[float, str]:
    """The epsilon that ``draw(value, size)`` of the neighbours 0 and 1 proves, and by which event.

    Clopper-Pearson for both probabilities, shared out over all events and both directions.
    """
    looks = events(draw(0, DRAWS))
    samples = [draw(value, DRAWS) for value in (0, 1)]
    level = ALARM / (4 * len(looks))
    best = (0.0, "")
    for name, event in looks.items():
        hits = [event(sample) for sample in samples]
        for one, other in ((0, 1), (1, 0)):
            p, n = int(hits[one].sum()), len(hits[one])
            q, m = int(hits[other].sum()), len(hits[other])
            least = stats.beta.ppf(level, p, n - p + 1) if p else 0.0
            most = stats.beta.ppf(1 - level, q + 1, m - q) if q < m else 1.0
            if least > delta:
                best = max(best, (math.log((least - delta) / most), name))
    return best


def one_run(guesses: int, right: int) -> float:
    """The epsilon that so many right guesses about canaries prove (Steinke, Nasr, Jagielski 2023).

    Each is right with a chance of e^epsilon / (1 + e^epsilon) at the most; delta is so small that it adds
    nothing.
    """
    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        if stats.binom.sf(right - 1, guesses, 1 / (1 + math.exp(-middle))) < ALARM:
            low = middle
        else:
            high = middle
    return low


# --- T3, T4: the mechanisms


def shifted(sample: Callable[[Scale, int], Ints], scale: Scale) -> Callable[[int, int], Outputs]:
    return lambda value, size: value + sample(scale, size)


def test_the_laplace_gives_away_what_it_claims_and_no_more() -> None:
    found, _ = proven(shifted(discrete_laplace, Scale(1, 1)))
    assert 0.8 < found <= 1.0


def test_the_gaussian_gives_away_what_it_claims_and_no_more() -> None:
    claimed = epsilon(NANO // 2, 10**9)
    found, _ = proven(shifted(discrete_gaussian, Scale(1, 1)), 1e-6)
    assert 1.0 < found <= claimed


def test_half_the_noise_is_found() -> None:
    assert proven(shifted(discrete_laplace, Scale(1, 2)))[0] > 1.5


def test_noise_in_floating_point_is_found_by_its_bits() -> None:
    """diffprivlib's Laplace and a plain one: the last bits tell what sizes do not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffprivlib import mechanisms as peers
    peer = peers.Laplace(epsilon=1.0, sensitivity=1)

    def theirs(value: int, size: int) -> Outputs:
        return np.array([peer.randomise(float(value)) for _ in range(size // 10)])

    def plain(value: int, size: int) -> Outputs:
        return value + np.random.default_rng(3).laplace(0, 1, size)

    for broken in (theirs, plain):
        found, event = proven(broken)
        assert found > 1.5
        assert event == "off grid"


def test_noise_that_is_sometimes_no_number_is_found() -> None:
    def broken(value: int, size: int) -> Outputs:
        drawn = value + discrete_laplace(Scale(1, 1), size).astype(np.float64)
        drawn[:: 50 if value else size] = np.nan
        return drawn

    found, event = proven(broken)
    assert found > 1.5
    assert event == "not a number"


@pytest.mark.parametrize("value", [0, 1, 2**53, 2**60 + 129, -(2**61)])
def test_integers_of_every_size_have_neighbours_that_cannot_be_told(value: int) -> None:
    """Where floating point loses the last bits, one output would give its input away."""
    low = (value + discrete_laplace(Scale(4, 1), DRAWS)) & 1
    assert stats.binomtest(int(low.sum()), DRAWS, 0.5).pvalue > ALARM
    assert low.dtype == np.int64


# --- T5: the whole pipeline, in one run

CANARIES = 4_000


def canaries(rows: int) -> tuple[pl.DataFrame, Any]:
    """Each canary alone in two groups of its own with so many rows each; who is in, by a coin."""
    inside = np.random.default_rng().integers(0, 2, CANARIES).astype(bool)
    who = np.repeat(np.flatnonzero(inside), 2 * rows)
    group = who * 2 + np.tile(np.repeat([0, 1], rows), int(inside.sum()))
    return pl.DataFrame({"pid": who, "k": group}), inside


def question(mechanism: str, **changes: Any) -> Query:
    return validate_query(
        {
            "by": [{"column": "k", "keys": list(range(2 * CANARIES))}],
            "measures": [{"name": "n", "of": "count"}, {"name": "p", "of": "distinct"}],
            "groups_per_entity": 2,
            "rows_per_entity": 3,
            "mechanism": mechanism,
            "nano_rho": NANO // 2,
            **changes,
        }
    )


def score(query: Query, table: pa.Table) -> Any:
    """How much likelier each canary is inside than outside, by all that came out about it."""
    total = np.zeros(CANARIES)
    for one in components(query):
        seen = table["p" if one.kind == "persons" else "n"].to_numpy().astype(np.float64)
        scale = float(one.scale)
        if query.mechanism == "laplace":
            each = (np.abs(seen) - np.abs(seen - one.bound)) / scale
        else:
            each = (seen**2 - (seen - one.bound) ** 2) / (2 * scale**2)
        total += each.reshape(CANARIES, 2).sum(axis=1)
    return total


def audited(folder: Path, mechanism: str, rows: int = 3) -> float:
    """The epsilon that one run of the pipeline proves: the surest third of the guesses counts."""
    table, inside = canaries(rows)
    table.write_parquet(folder / "data")
    query = question(mechanism)
    scores = score(query, answer(query, folder / "data", "pid", folder).table)
    order = np.argsort(scores)
    sure = CANARIES // 6
    right = int(inside[order[-sure:]].sum()) + int((~inside[order[:sure]]).sum())
    return one_run(2 * sure, right)


@pytest.mark.parametrize("mechanism", ["laplace", "gaussian"])
def test_one_run_of_the_pipeline_proves_no_more_than_is_claimed(tmp_path: Path, mechanism: str) -> None:
    query = question(mechanism)
    claimed = pure_epsilon(query) or epsilon(NANO // 2, 1000)  # delta 1e-12
    found = audited(tmp_path, mechanism)
    assert 0.1 < found <= claimed


def _unbounded(self: Any, one: Any) -> str:
    return "n" if one.kind == "rows" else "1"


def _less(one: Any) -> Any:
    return lambda scale, size: one(Scale(scale.top, 4 * scale.bottom), size)


@pytest.mark.parametrize("bug", ["rows", "noise"])
def test_planted_bugs_of_the_pipeline_are_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    if bug == "rows":  # an entity may have as many rows as it likes
        monkeypatch.setattr(rewrite._Rewrite, "_contribution", _unbounded)
    else:  # a quarter of the noise
        monkeypatch.setattr(mechanisms, "SAMPLERS", {"laplace": _less(discrete_laplace)})
    claimed = pure_epsilon(question("laplace"))
    assert claimed is not None
    assert audited(tmp_path, "laplace", rows=40 if bug == "rows" else 3) > claimed


# --- T9: which keys come out


def discovering(delta_e15: int, **changes: Any) -> Query:
    return validate_query(
        {
            "by": [{"column": "k", "keys": "discover"}],
            "measures": [{"name": "p", "of": "distinct"}],
            "nano_rho": NANO,
            "delta_e15": delta_e15,
            **changes,
        }
    )


@pytest.mark.parametrize("mechanism", ["laplace", "gaussian"])
def test_a_key_of_one_person_comes_out_as_rarely_as_is_claimed(tmp_path: Path, mechanism: str) -> None:
    """60,000 persons, each alone in a key of their own: each shows with a probability of 1e-3 at the most."""
    persons = 60_000
    pl.DataFrame({"pid": range(persons), "k": range(persons)}).write_parquet(tmp_path / "data")
    query = discovering(10**12, mechanism=mechanism)
    shown = answer(query, tmp_path / "data", "pid", tmp_path).table.num_rows
    assert stats.binomtest(shown, persons, 1e-3, alternative="greater").pvalue > ALARM
    if mechanism == "laplace":  # its tail is exact: delta is used, not wasted
        assert shown > 0


def test_a_threshold_that_is_too_low_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    persons = 60_000
    pl.DataFrame({"pid": range(persons), "k": range(persons)}).write_parquet(tmp_path / "data")
    query = discovering(10**12)
    true = mechanisms.threshold(query)
    assert true is not None
    monkeypatch.setattr(mechanisms, "threshold", lambda query: true - 2)
    shown = answer(query, tmp_path / "data", "pid", tmp_path).table.num_rows
    assert stats.binomtest(shown, persons, 1e-3, alternative="greater").pvalue < ALARM


# --- T10: side channels

PAIR = [
    pl.DataFrame(
        {"pid": ["a", "b", "b", "c"], "k": ["x", "x", "y", "z"], "v": [1.0, 2.0, 3.0, float("inf")]}
    ),
    pl.DataFrame({"pid": ["a", "b", "b"], "k": ["x", "x", "y"], "v": [1.0, 2.0, 3.0]}),
]
PUBLIC: Mapping[str, Any] = {
    "by": [{"column": "k", "keys": ["z", "y", "x"]}],
    "measures": [{"name": "s", "of": "sum", "column": "v", "lower": 0, "upper": 4}],
    "nano_rho": NANO,
}


def ran(table: pl.DataFrame, folder: Path, **changes: Any) -> tuple[dict[str, Any], bytes]:
    (folder / "in").mkdir(exist_ok=True)
    (folder / "out").mkdir(exist_ok=True)
    table.write_parquet(folder / "in" / "data")
    params = {
        "query": {**PUBLIC, **changes},
        "entity": "pid",
        "fields": [{"name": "k"}, {"name": "v"}],
    }
    report = task.run(params, folder / "in", folder / "out")
    return report, (folder / "out" / "answer.parquet").read_bytes()


def test_neighbours_differ_in_nothing_but_noisy_numbers(tmp_path: Path) -> None:
    (one, first), (other, second) = (ran(table, tmp_path) for table in PAIR)
    for report in (one, other):
        del report["sha256"]
    assert one == other
    tables = [pq.read_table(pa.BufferReader(data)) for data in (first, second)]
    assert tables[0]["k"] == tables[1]["k"]
    assert tables[0]["k"].to_pylist() == ["x", "y", "z"]
    assert tables[0].schema.equals(tables[1].schema, check_metadata=True)
    metas = [pq.read_metadata(pa.BufferReader(data)) for data in (first, second)]
    assert metas[0].metadata == metas[1].metadata
    assert [metas[0].num_row_groups, metas[0].created_by] == [metas[1].num_row_groups, metas[1].created_by]


def test_the_bytes_are_a_function_of_the_noisy_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same noise, the same rows in another order and under other persons give the same bytes."""
    fixed = {"gaussian": lambda scale, size: np.arange(size, dtype=np.int64)}
    monkeypatch.setattr(mechanisms, "SAMPLERS", fixed)
    _, first = ran(PAIR[0], tmp_path, groups_per_entity=2)
    turned = PAIR[0].reverse().with_columns(pid=pl.col("pid") + "号")
    assert ran(turned, tmp_path, groups_per_entity=2)[1] == first
    assert ran(PAIR[1], tmp_path, groups_per_entity=2)[1] != first


@pytest.mark.parametrize(
    "changes",
    [
        {"measures": [{"name": "s", "of": "sum", "column": "k", "lower": 0, "upper": 4}]},
        {"by": [{"column": "v", "keys": "discover"}], "delta_e15": 1},
        {"measures": [{"name": "s", "of": "sum", "column": "gone", "lower": 0, "upper": 4}]},
        {"where": [{"column": "k", "op": "gt", "value": 1}]},
        {"where": [{"column": "v", "op": "eq", "value": "2026-01-01"}]},
    ],
)
def test_refusals_are_the_same_for_every_data(tmp_path: Path, changes: dict[str, Any]) -> None:
    told = []
    for table in (*PAIR, PAIR[0].head(0)):
        with pytest.raises(SandboxError) as caught:
            ran(table, tmp_path, **changes)
        told.append((caught.value.code, caught.value.details, str(caught.value)))
    assert len(set(map(str, told))) == 1
    assert "2.0" not in told[0][2]


def test_no_statement_that_is_logged_or_raised_holds_a_value(tmp_path: Path) -> None:
    """Values that break casts, overflow sums and divide by zero in plain SQL: an answer as any other."""
    extremes = [1e308, -1e308, float("nan"), float("inf"), 5e-324, None, 2.0**63, -0.0]
    table = pl.DataFrame({"pid": [f"p{i}" for i in range(8)], "k": ["x"] * 8, "v": extremes})
    report, data = ran(table, tmp_path)
    assert report["ok"]
    assert struct.pack("<d", 1e308) not in data
    assert b"1e308" not in repr(report).encode()


def test_a_new_salt_and_new_noise_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    salts = []
    true = pipeline.count
    monkeypatch.setattr(pipeline, "count", lambda *given: salts.append(given[-2]) or true(*given))
    for _ in range(3):
        ran(PAIR[0], tmp_path)
    assert len({salt for pair in salts for salt in pair}) == 6
