"""The table of techniques. A family's module registers its own; ``TECHNIQUES`` has them by name."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from tests.attack.corpus.domains import DOMAINS
from tests.attack.corpus.draw import DOSES, Draw, Output, Technique, plant

TECHNIQUES: dict[str, Technique] = {}
ALL = tuple(DOSES)
COMMON = (
    "csv",
    "parquet",
    "json",
    "jsonl",
    "md",
    "tsv",
    "xlsx",
    "html",
    "ipynb",
    "zip",
    "arrow",
    "docx",
    "vl.json",
    "svg",
)
# The rows of the catalogue that are no property of a file: where they are tested instead.
ELSEWHERE = {
    72: "an automated search for attacks is a campaign, not a file: benchmarks/egress_corpus.py itself",
    80: "a trigger in a model is behaviour: models are always held for people; h80 hides rows in weights",
    86: "exit code, run time, retries: tests/attack/test_job_limits.py, tests/functional",
    87: "verdict text as an oracle: the submitter's coarse view, tests/functional",
    92: "exceptions and overrides: a hard finding is lifted by no role, tests/integration/test_gate.py",
}  # fmt: skip

Rows = Callable[[Draw, pl.DataFrame], pl.DataFrame]
Whole = Callable[[Draw], Output]


def _add(
    name: str, make: Whole, numbers: tuple[int, ...], hard: bool, limits: dict[str, tuple[str, ...]]
) -> None:
    if name in TECHNIQUES:
        raise ValueError(name)
    TECHNIQUES[name] = Technique(
        name,
        make,
        numbers,
        hard,
        limits.get("doses", ALL),
        limits.get("containers", COMMON),
        limits.get("domains", DOMAINS),
    )


def rows(name: str, *numbers: int, hard: bool = True, **limits: tuple[str, ...]) -> Callable[[Rows], Rows]:
    """Register a technique that turns persons (whole raw rows) into a payload table."""

    def register(make: Rows) -> Rows:
        _add(name, lambda draw: plant(draw, make(draw, draw.persons())), numbers, hard, limits)
        return make

    return register


def whole(name: str, *numbers: int, hard: bool = True, **limits: tuple[str, ...]) -> Callable[[Whole], Whole]:
    """Register a technique that makes all files of its output."""

    def register(make: Whole) -> Whole:
        _add(name, make, numbers, hard, limits)
        return make

    return register
