"""Anonymity (匿名化): what the re-identification test of a primary product found (R-127).

It is a verdict of the machine's. No person sets it: see ``Kind.machine`` and the code MACHINE_ONLY.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field as Bound
from pydantic import model_validator

from sandbox.core.lifecycle import Model

Reason = Literal["ENTITY_UNKNOWN", "QUASI_UNDECLARED", "IDENTIFIER_KEPT", "EMPTY", "K_BELOW", "NOT_MEASURED"]


class Anonymity(Model):
    """``k``: the least number of entities that share one combination of quasi-identifiers (None: not
    measured); ``threshold``: what the policy asks; ``reasons`` against (see ``desensitize.anonymity``)."""

    verdict: bool
    k: int | None = Bound(default=None, ge=0, lt=1 << 53)
    threshold: int = Bound(ge=1, lt=1 << 53)
    reasons: tuple[Reason, ...] = Bound(default=(), max_length=6)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        """A yes has no reason against it and a measured k that reaches the threshold; a no has a reason."""
        reached = self.k is not None and self.k >= self.threshold
        if self.verdict != (reached and not self.reasons) or not (self.verdict or self.reasons):
            raise ValueError("the verdict is not what its reasons say")
        return self


def not_measured(threshold: int) -> Anonymity:
    """The verdict where the test gave none: no."""
    return Anonymity(verdict=False, threshold=threshold, reasons=("NOT_MEASURED",))
