"""The registry: every check, in the order of the report. To add one, write a file and list it here."""

from __future__ import annotations

from sandbox.egress.checks import (
    border,
    cells,
    combinations,
    declared,
    differencing,
    formats,
    fragments,
    hashes,
    hazards,
    identifiers,
    lineage,
    magnitudes,
    microdata,
    opaque,
    overlap,
    passages,
    recoverable,
    sequences,
    tokens,
    unexplained,
)
from sandbox.egress.checks.base import Check

CHECKS: tuple[Check, ...] = (
    declared.CHECK,
    declared.MISSING,
    lineage.CHECK,
    overlap.CHECK,
    passages.CHECK,
    combinations.CHECK,
    sequences.CHECK,
    microdata.CHECK,
    opaque.CHECK,
    identifiers.CHECK,
    fragments.CHECK,
    cells.CHECK,
    recoverable.CHECK,
    magnitudes.CHECK,
    differencing.CHECK,
    border.CHECK,
    border.RECIPIENT,
    formats.CHECK,
    hazards.CHECK,
    hashes.CHECK,
    tokens.CHECK,
    unexplained.CHECK,
)
