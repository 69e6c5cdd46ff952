"""What the checker says: findings and the verdict over them. Pure data, shared by both planes.

The JSON form is a public contract (README, `sandbox egress check --format json`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sandbox.core.severity import Severity

__all__ = ["Finding", "Severity", "Verdict", "verdict_of"]


class Verdict(StrEnum):
    """A check can fail, hold, or raise no objection; a pass is a named person's act."""

    NO_OBJECTION = "no_objection"
    HOLD = "hold"
    REJECT = "reject"


@dataclass(frozen=True)
class Finding:
    """One finding. Evidence never shows a leaked value in full."""

    rule: str  # e.g. "SMALL_CELL"
    point: str  # review point, "26.1" … "26.6"
    severity: Severity
    path: str  # file within the outputs, "" for the set as a whole
    where: str  # column, row, page, byte position: enough to find it in the review room
    message_zh: str
    message_en: str
    evidence: dict[str, Any]  # counts, thresholds, masked samples
    hint: str  # how to mend it, Chinese and English separated by " / "

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def verdict_of(findings: list[Finding]) -> Verdict:
    """Reject if any finding is hard, hold if any holds, else no objection."""
    severities = {finding.severity for finding in findings}
    if Severity.HARD in severities:
        return Verdict.REJECT
    return Verdict.HOLD if Severity.HOLD in severities else Verdict.NO_OBJECTION
