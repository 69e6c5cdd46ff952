"""T1, T3, T7 of the plan for differential privacy: every sampler has exactly the law that it states.

The generator cannot be seeded, so each test accepts with a false alarm of 1e-9 at the most.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sandbox.desensitize.dp import sampler
from sandbox.desensitize.dp.accounting import WIDEST, Scale, ceil_root
from sandbox.desensitize.dp.sampler import Ints, discrete_gaussian, discrete_laplace

ALARM = 1e-9
DRAWS = 100_000
SCALES = [
    Scale(1, 3),
    Scale(1 << 20, 1 << 20),
    Scale(1269100, 163840),
    Scale((1 << 20) + 7, 1 << 13),
]


def gaussian(value: int, scale: float) -> float:
    return math.exp(-(value**2) / (2 * scale**2))


def laplace(value: int, scale: float) -> float:
    return math.exp(-abs(value) / scale)


LAWS: list[tuple[Callable[[Scale, int], Ints], Callable[[int, float], float]]] = [
    (discrete_gaussian, gaussian),
    (discrete_laplace, laplace),
]


def fits(drawn: Any, law: Callable[[int, float], float], scale: float) -> float:
    """p of the chi-squared test against the law, both tails pooled where fewer than 10 are expected."""
    reach = int(60 * scale) + 60
    weight = np.array([law(value, scale) for value in range(reach + 1)])
    whole = weight[0] + 2 * weight[1:].sum()
    share = weight / whole
    edge = max(1, int(np.flatnonzero(share * len(drawn) >= 10)[-1]))
    outside = share[edge + 1 :].sum()
    expected = np.concatenate([[outside], share[edge:0:-1], share[: edge + 1], [outside]]) * len(drawn)
    held = np.clip(drawn, -edge - 1, edge + 1) + edge + 1
    seen = np.bincount(held.astype(np.int64), minlength=2 * edge + 3)
    if expected[0] < 10:  # the tails join their neighbours
        expected[1] += expected[0]
        expected[-2] += expected[-1]
        seen[1] += seen[0]
        seen[-2] += seen[-1]
        expected, seen = expected[1:-1], seen[1:-1]
    return float(stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue)


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: f"{float(scale):.2f}")
@pytest.mark.parametrize(("draw", "law"), LAWS, ids=["gaussian", "laplace"])
def test_the_law_is_the_one_stated(
    draw: Callable[[Scale, int], Ints], law: Callable[[int, float], float], scale: Scale
) -> None:
    drawn = draw(scale, DRAWS)
    assert drawn.dtype == np.int64
    assert fits(drawn, law, float(scale)) > ALARM


@pytest.mark.parametrize(("draw", "law"), LAWS, ids=["gaussian", "laplace"])
def test_the_test_would_notice_a_small_fault(
    draw: Callable[[Scale, int], Ints], law: Callable[[int, float], float]
) -> None:
    """A scale 4 % off, and noise that is rounded from a continuous one."""
    assert fits(draw(Scale(104, 100), DRAWS), law, 1.0) < ALARM
    rounded = np.random.default_rng(1)
    smooth = rounded.normal(0, 1, DRAWS) if law is gaussian else rounded.laplace(0, 1, DRAWS)
    assert fits(np.rint(smooth), law, 1.0) < ALARM


@pytest.mark.parametrize("top", [(1 << 40) + 1, WIDEST], ids=["2^40", "widest"])
@pytest.mark.parametrize("draw", [discrete_gaussian, discrete_laplace])
def test_wide_noise_keeps_its_law_down_to_the_last_bit(draw: Callable[[Scale, int], Ints], top: int) -> None:
    """At scales of 2^40 and more the law is that of the continuous one within 1e-12; bits are fair."""
    drawn = draw(Scale(top, 1), 40_000)
    smooth = stats.norm(0, top) if draw is discrete_gaussian else stats.laplace(0, top)
    cells = np.bincount((smooth.cdf(drawn.astype(np.float64)) * 64).astype(int).clip(0, 63), minlength=64)
    assert stats.chisquare(cells).pvalue > ALARM
    for bit in (0, 1, 5, 20):
        ones = int(((drawn >> bit) & 1).sum())
        assert stats.binomtest(ones, len(drawn)).pvalue > ALARM
    assert len(np.unique(drawn)) > len(drawn) - 5  # two alike are rare, five pairs are not to be seen


@pytest.mark.parametrize("below", [1, 2, 3, 255, 256, 257, (1 << 32) + 1, 1 << 62])
def test_uniform_integers_are_uniform(below: int) -> None:
    drawn = sampler.uniform(below, 20_000)
    assert 0 <= int(drawn.min()) <= int(drawn.max()) < below
    if below > 1:
        cells = np.bincount((drawn.astype(object) * min(below, 64) // below).astype(int))
        wanted = [
            -(-(i + 1) * below // min(below, 64)) - -(-i * below // min(below, 64)) for i in range(len(cells))
        ]
        assert stats.chisquare(cells, np.array(wanted) / below * 20_000).pvalue > ALARM


def test_coins_have_the_probability_of_the_exponential() -> None:
    for top, bottom in ((0, 7), (3, 7), (7, 7), (1, 1 << 50), (1 << 53, 1 << 54)):
        tops = np.full(40_000, top, np.int64)
        for coin, chance in (
            (sampler.bernoulli_exp, math.exp(-top / bottom)),
            (sampler.bernoulli_exp_half_square, math.exp(-((top / bottom) ** 2) / 2)),
        ):
            assert stats.binomtest(int(coin(tops, bottom).sum()), 40_000, min(1.0, chance)).pvalue > ALARM


@pytest.mark.parametrize("scale", [Scale(0, 1), Scale(WIDEST + 1, 1), Scale(1, 0), Scale(1, 1 << 61)])
def test_a_scale_that_does_not_fit_in_64_bits_is_refused(scale: Scale) -> None:
    with pytest.raises(ValueError, match="scale"):
        discrete_gaussian(scale, 1)
    with pytest.raises(ValueError, match="scale"):
        discrete_laplace(scale, 1)


@pytest.mark.parametrize("below", [0, -1, (1 << 62) + 1])
def test_a_range_that_does_not_fit_is_refused(below: int) -> None:
    with pytest.raises(ValueError, match="range"):
        sampler.uniform(below, 1)


@pytest.mark.parametrize("size", [0, 1, 7])
def test_as_many_as_asked_for(size: int) -> None:
    assert discrete_gaussian(Scale(3, 2), size).shape == (size,)


def test_a_scale_is_rounded_up_and_hardly() -> None:
    for square in (Fraction(1, 10**6), Fraction(2), Fraction(10**9, 2 * 3), Fraction(10**30, 7)):
        scale = ceil_root(square)
        assert scale is not None
        taken = Fraction(scale.top, scale.bottom) ** 2
        assert square <= taken <= square * (1 + Fraction(1, 2**18))
    assert ceil_root(Fraction(WIDEST**2 + 1)) is None


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(discrete_laplace, "Geometric"), (discrete_gaussian, "GaussianDiscrete")],
)
def test_diffprivlib_draws_the_same(ours: Callable[[Scale, int], Ints], theirs: str) -> None:
    """Its integer mechanisms as oracle, within what is sound of them: small integers, scale about one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffprivlib import mechanisms
    size = 6_000
    if theirs == "Geometric":
        peer, scale = mechanisms.Geometric(epsilon=1.0, sensitivity=1), Scale(1, 1)
    else:
        peer = mechanisms.GaussianDiscrete(epsilon=1.0, delta=1e-2, sensitivity=1)
        scale = Scale(int(Fraction(peer._scale) * 2**20), 2**20)
    drawn = np.array([peer.randomise(0) for _ in range(size)])
    width = int(3 * float(scale)) + 1
    cells = [np.bincount(np.clip(one, -width, width) + width) for one in (drawn, ours(scale, size))]
    assert stats.chi2_contingency(np.array(cells)).pvalue > ALARM
