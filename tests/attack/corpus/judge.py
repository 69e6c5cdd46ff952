"""One case through the checker: what it said, whether that stops the attack, and if the payload is why."""

from __future__ import annotations

import dataclasses
import resource
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from sandbox.egress.check import Report, check, declarations
from sandbox.egress.context import RawTable
from sandbox.policy import load_profile
from tests.attack.corpus.cases import build
from tests.attack.corpus.domains import World
from tests.attack.corpus.draw import Draw, Output, control

STOPPED = ("reject", "hold", "sanitised")


@dataclasses.dataclass(frozen=True)
class Result:
    """``outcome``: reject, hold, sanitised (the canonical form is that of the file without the payload) or
    missed. ``carrier``: the verdict on the same files without the payload, "" where there are none: a case
    on a carrier that is stopped anyhow shows nothing of the payload. ``peak`` in bytes, of the process."""

    case: str
    outcome: str
    hard: bool
    carrier: str
    rules: tuple[str, ...]
    seconds: float
    peak: int

    @property
    def stopped(self) -> bool:
        """Whether the attack did not leave without a person's decision."""
        return self.outcome in STOPPED

    @property
    def as_asked(self) -> bool:
        """Whether it was stopped as firmly as asked."""
        return self.outcome in ("reject", "sanitised") or (self.stopped and not self.hard)


@lru_cache(maxsize=1)
def policy() -> tuple[dict[str, Any], str]:
    """Values and id of the national profile."""
    profile = load_profile("national")
    return dict(profile.values()), profile.id


def raw_table(where: World, path: Path) -> RawTable:
    """What the catalogue would say of a world."""
    identifiers = tuple(dict.fromkeys([*where.ids, where.name, *where.extra.get("people", ())]))
    return RawTable("raw", path, where.entity, where.quasi, where.sensitives, identifiers, where.strict)


def store_raw(where: World, folder: Path) -> Path:
    """The world's raw table as a file in ``folder``, written once."""
    path = folder / f"{where.domain}-{where.seed}.parquet"
    if not path.exists():
        part = folder / f".{path.name}.{time.monotonic_ns()}"
        where.frame.write_parquet(part)
        part.replace(path)
    return path


def examine(output: Output, where: World, raw: Path, canonical: Path | None = None) -> Report:
    """The report on ``output`` beside the raw table at ``raw``."""
    values, profile = policy()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "outputs").mkdir()
        history = output.write(folder)
        own = folder / "raw.parquet"
        if output.raw is not None:
            output.raw.write_parquet(own)
        source = own if output.raw is not None else raw
        known = declarations(output.declared)
        return check(
            [folder / "outputs"], [raw_table(where, source)], known, values, profile, history, canonical
        )


def _same_bytes(output: Output, where: World, raw: Path) -> bool:
    """Whether what may leave of ``output`` is what may leave of its twin."""
    if output.twin is None:
        return False
    with tempfile.TemporaryDirectory() as name:
        ours, twins = Path(name) / "a", Path(name) / "b"
        examine(output, where, raw, ours)
        examine(Output(output.twin), where, raw, twins)
        return _bytes(ours) == _bytes(twins) != {}


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


_carriers: dict[tuple[str, int, str, str], str] = {}


def _carrier(draw: Draw, raw: Path) -> str:
    key = (draw.domain, draw.world.seed, draw.container, draw.dose)
    if key not in _carriers:
        made = control(draw)
        _carriers[key] = examine(made, draw.world, raw).verdict.value if made else ""
    return _carriers[key]


def judge(case: str, folder: Path, carrier: bool = True) -> Result:
    """Build and check ``case``; raw tables are kept in ``folder``. ``carrier``: also without payload."""
    technique, draw, output = build(case)
    raw = store_raw(draw.world, folder)
    started = time.perf_counter()
    report = examine(output, draw.world, raw)
    seconds = time.perf_counter() - started
    outcome = report.verdict.value
    if outcome == "no_objection":
        outcome = "sanitised" if _same_bytes(output, draw.world, raw) else "missed"
    rules = tuple(sorted({item.rule for item in report.findings if item.severity != "flag"}))
    without = _carrier(draw, raw) if carrier else ""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Result(case, outcome, technique.hard, without, rules, seconds, peak)
