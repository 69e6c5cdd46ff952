"""One pass against the definitions, written out class by class."""

import math
from collections import Counter, defaultdict

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.desensitize.measures import RELEASES, measure, population_uniques, risk

SETTINGS = settings(max_examples=25)
CELL = st.one_of(st.none(), st.integers(-2, 3))
ROW = st.tuples(st.sampled_from(["a", "b", None]), CELL, CELL, st.integers(0, 6))


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as found:
        yield found


def found_of(connection, rows, sensitive, entity=None):
    schema = {"q": pl.String, "r": pl.Int64, "s": pl.Int64, "e": pl.Int64}
    connection.register("given", pl.DataFrame(rows, schema=schema, orient="row").to_arrow())
    return measure(connection, "given", ["q", "r"], sensitive, entity)


def by_hand(rows, entity):
    """Definitions, slowly: (k, l, entropy l, c, alpha, t equal, t ordered, beta, delta)."""
    pairs = {(q, r, s, e) for q, r, s, e in rows} if entity else list(rows)
    classes, people = defaultdict(Counter), defaultdict(set)
    for number, (q, r, s, e) in enumerate(pairs):
        classes[q, r][s] += 1
        people[q, r].add(e if entity else number)
    values = sorted({s for *_, s, _ in rows}, key=lambda s: (s is not None, s or 0))
    whole = sum(classes.values(), Counter())
    total = sum(whole.values())
    p = {s: whole[s] / total for s in values}
    least = min(len(counts) for counts in classes.values())
    worst = defaultdict(float)
    entropy = math.inf
    for key, counts in classes.items():
        n = sum(counts.values())
        share = {s: counts[s] / n for s in values}
        entropy = min(entropy, -sum(x * math.log(x) for x in share.values() if x))
        falling = sorted(counts.values(), reverse=True)
        worst["c"] = max(worst["c"], falling[0] / sum(falling[least - 1 :]))
        worst["alpha"] = max(worst["alpha"], falling[0] / len(people[key]))
        worst["t"] = max(worst["t"], sum(abs(share[s] - p[s]) for s in values) / 2)
        gap = np.cumsum([share[s] - p[s] for s in values])
        worst["ordered"] = max(worst["ordered"], np.abs(gap).sum() / max(len(values) - 1, 1))
        worst["beta"] = max([worst["beta"]] + [share[s] / p[s] - 1 for s in values])
        worst["delta"] = max([worst["delta"]] + [abs(math.log(share[s] / p[s])) for s in values if share[s]])
    sizes = sorted(len(some) for some in people.values())
    return sizes, least, math.exp(max(entropy, 0.0)), worst


@SETTINGS
@given(rows=st.lists(ROW, min_size=1, max_size=40), entity=st.booleans())
def test_one_pass_is_the_definition(connection, rows, entity):
    sizes, least, entropy, worst = by_hand(rows, entity)
    for ordered in (False, True):
        found = found_of(connection, rows, {"s": ordered}, "e" if entity else None)
        spread = found.spread["s"]
        assert sorted(found.sizes) == sizes
        assert spread.distinct_l == least
        assert spread.entropy_l == pytest.approx(entropy, abs=1e-9)
        assert spread.recursive_c == (None if least == 1 else pytest.approx(worst["c"]))
        assert spread.alpha == pytest.approx(worst["alpha"])
        assert spread.t == pytest.approx(worst["ordered" if ordered else "t"], abs=1e-12)
        assert spread.beta == pytest.approx(worst["beta"], abs=1e-9)
        assert spread.delta == pytest.approx(worst["delta"], abs=1e-9)


def test_a_person_of_fifty_rows_is_one(connection):
    rows = [("a", 1, 5, 7)] * 50 + [("a", 1, 5, 8)]
    assert found_of(connection, rows, {"s": False}).k == 51
    assert found_of(connection, rows, {"s": False}, "e").k == 2


def test_an_entity_with_several_values_counts_once_in_its_class(connection):
    found = found_of(connection, [("a", 1, 5, 7), ("a", 1, 6, 7), ("a", 1, 5, 8)], {"s": False}, "e")
    assert found.k == 2
    assert found.spread["s"].alpha == 1.0  # all of its entities have the value 5


def test_values_of_any_width_do_not_run_together(connection):
    """Seven columns of 1,000 values each are more combinations than 64 bits count."""
    rng = np.random.default_rng(3)
    columns = {f"q{i}": rng.permutation(1000) for i in range(7)}
    connection.register("given", pl.DataFrame({**columns, "s": [0] * 1000}).to_arrow())
    found = measure(connection, "given", list(columns), {"s": True})
    assert (found.k, len(found.sizes), found.uniques) == (1, 1000, 1000)


@pytest.mark.parametrize(
    ("sizes", "release", "level", "over"),
    [
        ([20, 40], "public", 3, 0.0), ([19, 41], "public", 2, 19 / 60), ([5, 95], "controlled", 3, 0.0),
        ([4, 96], "controlled", 2, 0.04), ([3, 3], "enclave", 3, 0.0), ([2, 98], "enclave", 2, 0.02),
    ],
)  # fmt: skip
def test_the_level_of_gbt_42460(sizes, release, level, over):
    found = risk(np.array(sizes), release)
    assert (found.level, found.over, found.tau) == (level, pytest.approx(over), RELEASES[release])
    assert found.decisive == (found.highest if release == "public" else found.average)
    assert risk(np.array(sizes), release, identified=True).level == 1
    assert risk(np.array(sizes), release, quasi=False).level == 4


def test_a_sample_says_less_of_the_population():
    sizes = np.array([1] * 50 + [2] * 100 + [9] * 20)
    shares = [population_uniques(sizes, fraction) for fraction in (1.0, 0.5, 0.1, 0.01)]
    assert shares[0] == 50 / 430
    assert shares == sorted(shares, reverse=True)
    assert population_uniques(np.array([3, 4]), 0.5) == 0.0
    for wrong in (0.0, -0.1, 1.1):
        with pytest.raises(ValueError, match=str(wrong)):
            population_uniques(sizes, wrong)
