"""The (n, k) rule and the p % rule on what entities contribute to a sum (Hundepool et al., section 4.2.2).

A sum fails when its ``egress.dominance_n`` largest make ``egress.dominance_k`` of it, or when all but the two
largest are less than ``egress.p_percent`` of the largest: the second largest then knows the largest so well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sandbox.egress.context import Context


@dataclass(frozen=True)
class Dominance:
    """Both rules with the thresholds of a policy. ``n``: entities; ``k``, ``p``: shares."""

    n: int
    k: float
    p: float

    @classmethod
    def of(cls, context: Context) -> Dominance:
        """As the policy has them. Raises ``PolicyMissing``."""
        keys = ("egress.dominance_n", "egress.dominance_k", "egress.p_percent")
        n, k, p = (context.number(key) for key in keys)
        return cls(int(n), k, p)

    @property
    def needed(self) -> int:
        """How many of the largest contributions ``fails`` must see."""
        return max(self.n, 2)

    def fails(self, total: float, largest: Sequence[float]) -> bool:
        """Whether few make ``total``, above nought; ``largest``: the largest contributions, falling."""
        return sum(largest[: self.n]) >= self.k * total or total - sum(largest[:2]) < self.p * largest[0]

    def fails_over(self, values: np.ndarray, entities: np.ndarray) -> bool:
        """The same of the sum of ``values``, of which each belongs to one of ``entities`` (numbers)."""
        _, place = np.unique(entities, return_inverse=True)
        each = np.sort(np.bincount(place, weights=np.abs(values)))[::-1]
        total = float(each.sum())
        return total > 0 and self.fails(total, each[: self.needed].tolist())
