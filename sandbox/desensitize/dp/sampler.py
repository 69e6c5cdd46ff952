"""Exact noise: discrete Laplace and discrete Gaussian of rational scale, vectorised, in integers only.

Canonne, Kamath, Steinke 2020, algorithms 1 to 3: rejection sampling out of fair bits of the operating
system's generator. No probability is rounded anywhere: every comparison is one of integers below 2^63, so
the law of what comes out is the one stated, not one near to it. The seed cannot be set; how long it takes
depends on the noise drawn and on nothing of the data.

The Gaussian of scale s/d is accepted out of the Laplace of the same scale. With abs(y) * d = v*s + u the
exponent (abs(y) - s/d)^2 / (2 (s/d)^2) becomes (v - 1 + u/s)^2 / 2, whose terms need no number above s: so
every step stays inside 64 bits whatever the scale.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sandbox.desensitize.dp.accounting import WIDEST, Scale

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_STEPS = 200  # times the scale: beyond lies exp(-200) of the Laplace, exp(-19,000) of the Gaussian
_BATCH = 1 << 18  # drawn at once: bounds the memory


def uniform(below: int, size: int) -> Ints:
    """``size`` integers of [0, ``below``), all equally likely; ``below`` is at most 2^62."""
    if not 1 <= below <= 1 << 62:
        raise ValueError("the range is 1 to 2^62")
    bits = (below - 1).bit_length()
    word: type[np.unsignedinteger] = np.uint8 if bits <= 8 else np.uint32 if bits <= 32 else np.uint64
    made = np.empty(size, np.int64)
    filled = 0
    while filled < size:
        wanted = size - filled
        width = np.dtype(word).itemsize
        drawn = np.frombuffer(os.urandom((wanted + wanted // 8 + 8) * width), word) & word((1 << bits) - 1)
        kept = drawn[drawn < below] if below != 1 << bits else drawn
        kept = kept[:wanted]
        made[filled : filled + len(kept)] = kept
        filled += len(kept)
    return made


def _below(tops: Ints, bottom: int) -> Flags:
    """Bernoulli(top / bottom) for each of ``tops``."""
    hit: Flags = uniform(bottom, len(tops)) < tops
    return hit


def _exp(size: int, trial: Callable[[npt.NDArray[np.intp], int], Flags]) -> Flags:
    """``size`` times Bernoulli(exp(-g)) with g in [0, 1]; ``trial(which, k)`` is Bernoulli(g/k) for those.

    The number of successes of g/1, g/2, … before the first failure is even with exactly that probability.
    """
    answer = np.ones(size, np.bool_)
    active = np.arange(size)
    step = 1
    while len(active):
        active = active[trial(active, step)]
        answer[active] = step % 2 == 0
        step += 1
    return answer


def _one_of(size: int, parts: int) -> Flags:
    """Bernoulli(1 / parts)."""
    hit: Flags = uniform(parts, size) == 0
    return hit


def bernoulli_exp(tops: Ints, bottom: int) -> Flags:
    """Bernoulli(exp(-top / bottom)) for each of ``tops``, which are between 0 and ``bottom``."""

    def trial(which: npt.NDArray[np.intp], step: int) -> Flags:
        hit = _below(tops[which], bottom)
        hit[hit] = _one_of(int(hit.sum()), step)
        return hit

    return _exp(len(tops), trial)


def bernoulli_exp_half_square(tops: Ints, bottom: int) -> Flags:
    """Bernoulli(exp(-(top / bottom)^2 / 2)) for each of ``tops``, which are between 0 and ``bottom``."""

    def trial(which: npt.NDArray[np.intp], step: int) -> Flags:
        hit = _below(tops[which], bottom)
        hit[hit] = _below(tops[which[hit]], bottom)
        hit[hit] = _one_of(int(hit.sum()), 2 * step)
        return hit

    return _exp(len(tops), trial)


def _repeated(times: Ints, trial: Callable[[npt.NDArray[np.intp]], Flags]) -> Flags:
    """For each of ``times``: do that many trials all succeed?"""
    alive = np.ones(len(times), np.bool_)
    step = 0
    while len(still := np.flatnonzero(alive & (times > step))):
        alive[still] = trial(still)
        step += 1
    return alive


def _geometric(size: int) -> Ints:
    """Successes of Bernoulli(exp(-1)) before the first failure."""
    made = np.zeros(size, np.int64)
    active = np.arange(size)
    ones = np.ones(size, np.int64)
    while len(active):
        active = active[bernoulli_exp(ones[: len(active)], 1)]
        made[active] += 1
    return made


def _laplace(scale: Scale, size: int) -> Ints:
    """At most ``size`` draws of the discrete Laplace: as many as were not rejected."""
    rest = uniform(scale.top, size)
    rest = rest[bernoulli_exp(rest, scale.top)]
    steps = _geometric(len(rest))
    within = steps < _STEPS
    far = (rest[within] + scale.top * steps[within]) // scale.bottom
    minus = uniform(2, len(far)) == 1
    kept = ~(minus & (far == 0))
    drawn: Ints = np.where(minus, -far, far)[kept]
    return drawn


def _gaussian(scale: Scale, size: int) -> Ints:
    """At most ``size`` draws of the discrete Gaussian."""
    drawn = _laplace(scale, size)
    steps, rest = np.divmod(np.abs(drawn) * scale.bottom, scale.top)
    over = np.maximum(steps - 1, 0)
    kept = bernoulli_exp_half_square(np.where(steps == 0, scale.top - rest, rest), scale.top)
    for times, trial in (
        (over * over, lambda which: bernoulli_exp_half_square(np.ones(len(which), np.int64), 1)),
        (over, lambda which: bernoulli_exp(rest[which], scale.top)),
    ):
        kept &= _repeated(np.where(kept, times, 0), trial)
    return drawn[kept]


def _fill(draw: Callable[[Scale, int], Ints], scale: Scale, size: int) -> Ints:
    if not (1 <= scale.top <= WIDEST and 1 <= scale.bottom <= 1 << 60):
        raise ValueError("the scale is out of range")
    made = np.empty(size, np.int64)
    filled = 0
    while filled < size:
        some = draw(scale, min(_BATCH, 2 * (size - filled) + 16))[: size - filled]
        made[filled : filled + len(some)] = some
        filled += len(some)
    return made


def discrete_laplace(scale: Scale, size: int) -> Ints:
    """``size`` integers y with probability proportional to exp(-abs(y) / scale).

    Draws beyond 200 times the scale are drawn anew; they would be one in 10^86. Raises ValueError for a scale
    whose numerator is not within 1 and 2^54.
    """
    return _fill(_laplace, scale, size)


def discrete_gaussian(scale: Scale, size: int) -> Ints:
    """``size`` integers y with probability proportional to exp(-y^2 / (2 scale^2)); otherwise as above."""
    return _fill(_gaussian, scale, size)


SAMPLERS: dict[str, Callable[[Scale, int], Ints]] = {
    "gaussian": discrete_gaussian,
    "laplace": discrete_laplace,
}
