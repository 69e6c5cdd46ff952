"""What a technique is given to work with, what it gives back, and how a payload is planted.

``Draw`` is one case's source of chance and material: its world, its dose, its container. A technique of kind
*rows* turns some persons into a payload table; ``plant`` then dilutes it in benign cells in one of several
ways. A technique of kind *whole* builds all files itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tests.attack.corpus.containers import FRAMES, TEXTS, Content, pack
from tests.attack.corpus.domains import World, world

# Dose -> at most so many rows of honest cells around the payload, and the payload's share of all rows; a
# payload is never less than one person. "one" is one person in a small table, what an attacker does once;
# "0.1%" one payload among a thousand cells of many statistics, what a scan by share overlooks.
DOSES: dict[str, tuple[int, float]] = {
    "100%": (0, 1.0),
    "10%": (180, 0.1),
    "1%": (180, 0.01),
    "0.1%": (200, 0.001),
    "one": (20, 0.0),
}
ALONE = 120  # persons where the payload is all there is


@dataclass
class Output:
    """Files by path (a frame goes into the case's container), what is declared of them, earlier releases,
    paths to make as symbolic links; ``raw`` where the case has a raw table of its own; ``twin`` the same
    files without what is hidden in them, for channels that the canonical form closes: equal bytes leave."""

    files: dict[str, Content]
    declared: list[dict[str, Any]] = field(default_factory=list)
    history: dict[str, dict[str, Content]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    raw: pl.DataFrame | None = None
    twin: dict[str, Content] | None = None

    def write(self, folder: Path) -> Path | None:
        """Write everything below ``folder``; the outputs are in ``outputs``. Gives the history folder."""
        _write(folder / "outputs", self.files)
        for name, target in self.links.items():
            (folder / "outputs" / name).symlink_to(target)
        for release, files in self.history.items():
            _write(folder / "history" / release, files)
        return folder / "history" if self.history else None


def _write(folder: Path, files: Mapping[str, Content]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack(name, content))


@dataclass
class Draw:
    """One case: ``rng`` is seeded by the case's id, so each run makes the same bytes."""

    id: str
    domain: str
    dose: str
    container: str
    seed: int

    @cached_property
    def rng(self) -> np.random.Generator:
        """All chance of this case."""
        return np.random.default_rng(int.from_bytes(hashlib.sha256(self.id.encode()).digest()[:8], "big"))

    @cached_property
    def world(self) -> World:
        """Two worlds a domain and seed range: raw tables are large, techniques are many."""
        return world(self.domain, self.seed - self.seed % 1_000 + self.seed % 2)

    @property
    def benign(self) -> int:
        """Rows of benign cells around the payload."""
        return DOSES[self.dose][0]

    @property
    def size(self) -> int:
        """Rows (or persons) of payload."""
        if not self.benign:
            return ALONE
        share = DOSES[self.dose][1]
        return max(1, round(self.around().height * share / (1 - share)))

    def around(self) -> pl.DataFrame:
        """The honest cells of this dose: one table, for what one leaves out another would give away."""
        return carrier(self.world, self.benign, self.dose == "0.1%")

    def pick(self, *values: Any) -> Any:
        """One of ``values``."""
        return values[int(self.rng.integers(len(values)))]

    def persons(self, least: int = 1) -> pl.DataFrame:
        """The persons of the payload: their whole raw rows."""
        return self.world.persons(self.rng, max(least, self.size))

    def file(self, stem: str) -> str:
        """A path in the case's container."""
        return f"{stem}.{self.container}"


@dataclass(frozen=True)
class Technique:
    """One way out. ``rows`` are the rows of the catalogue (research on disclosure control, families a to i).

    ``hard``: the verdict must be ``reject``; else ``hold`` is enough, where honest content can look the same
    and only a person can tell.
    """

    name: str
    make: Callable[[Draw], Output]
    rows: tuple[int, ...]
    hard: bool
    doses: tuple[str, ...]
    containers: tuple[str, ...]
    domains: tuple[str, ...]

    @property
    def family(self) -> str:
        """Its letter."""
        return self.name[0]


def cells(where: World, keys: tuple[str, ...], measure: bool = True) -> pl.DataFrame:
    """Honest cells over ``keys``: distinct entities, and the mean of the mild measure; small cells dropped.

    Cells keep twice the threshold, so that no verdict on a carrier hangs on the case next to it.
    """
    count = "人数" if where.entity[0] >= "\u3400" else "persons"
    mean = ("平均" if count == "人数" else "mean_") + where.number
    wanted = [pl.col(where.entity).n_unique().alias(count)]
    if measure:
        wanted.append(pl.col(where.number).mean().round(1).alias(mean))
    full = where.frame.filter(pl.all_horizontal(pl.col(k).is_not_null() for k in keys))
    return full.group_by(keys).agg(wanted).filter(pl.col(count) >= 2 * where.least).sort(keys)


@lru_cache(maxsize=64)
def carrier(where: World, rows: int, wide: bool = False) -> pl.DataFrame:
    """Honest cells over three categories, ``rows`` at most; ``wide``: with more statistics of the measure."""
    # Not by the sensitive category: with small cells left out, one value of it may be all that a row shows.
    keys = [c for c in where.labels if where.frame[c].null_count() == 0 and c != where.sensitive][:3]
    table = cells(where, tuple(keys)).head(rows)
    if wide:
        value = pl.col(where.number)
        more = where.frame.group_by(keys).agg(
            value.std().round(1).alias("sd"),
            # to the whole number: to the digit of the raw values a quartile is somebody's value
            value.median().round(0).alias("median"),
            value.quantile(0.25, "linear").round(0).alias("p25"),
            value.quantile(0.75, "linear").round(0).alias("p75"),
        )
        table = table.join(more, on=keys, how="left", maintain_order="left")
    return table


def _fill(draw: Draw) -> str | None:
    return draw.pick(None, None, "—", "一般", "正常")


def _as_rows(draw: Draw, base: pl.DataFrame, payload: pl.DataFrame) -> pl.DataFrame:
    """Payload below the cells, under their headings: texts where labels stand, numbers where numbers do."""
    texts = [c for c in base.columns if base[c].dtype == pl.String]
    numbers = [c for c in base.columns if c not in texts]
    columns: dict[str, list[Any]] = {}
    strings = [payload[c].cast(pl.String).to_list() for c in payload.columns]
    packed = strings
    if len(strings) > len(texts):
        mark = draw.pick("/", "|", " ", "_")
        tail = [mark.join(v or "" for v in row) for row in zip(*strings[len(texts) - 1 :], strict=True)]
        packed = [*strings[: len(texts) - 1], tail]
    for place, name in enumerate(texts):
        known = base[name].to_list() or [""]
        filler = [known[int(i)] for i in draw.rng.integers(len(known), size=payload.height)]
        columns[name] = packed[place] if place < len(packed) else filler
    for name in numbers:
        known = base[name].to_list()
        columns[name] = [known[int(i)] for i in draw.rng.integers(len(known), size=payload.height)]
    extra = pl.DataFrame(columns, schema={c: base[c].dtype for c in base.columns}, strict=False)
    return pl.concat([base, extra]).sample(fraction=1.0, shuffle=True, seed=int(draw.rng.integers(10**6)))


def _as_column(draw: Draw, base: pl.DataFrame, payload: pl.DataFrame) -> pl.DataFrame:
    """Payload in further columns of some rows; the others hold an innocuous word or nothing."""
    n = min(payload.height, base.height)
    places = draw.rng.choice(base.height, size=n, replace=False)
    for column in payload.columns:
        cells: list[Any] = [None] * base.height
        values = payload[column].to_list()
        if payload[column].dtype == pl.String:
            cells = [_fill(draw)] * base.height
        for place, value in zip(places, values, strict=False):
            cells[int(place)] = value
        base = base.with_columns(pl.Series(column, cells, dtype=payload[column].dtype, strict=False))
    return base


def _lines(payload: pl.DataFrame) -> list[str]:
    return ["，".join("" if v is None else str(v) for v in row) for row in payload.iter_rows()]


def plant(draw: Draw, payload: pl.DataFrame) -> Output:
    """The payload at the case's dose: alone, or among honest cells in one of four ways."""
    if not draw.benign:
        return Output({draw.file("output"): payload})
    ways = [_way_rows, _way_rows, _way_column, _way_file]
    if draw.container in ("csv", "json", *TEXTS):
        ways.append(_way_note)
    return draw.pick(*ways)(draw, draw.around(), payload)


def _way_rows(draw: Draw, table: pl.DataFrame, payload: pl.DataFrame) -> Output:
    return Output({draw.file("table"): _as_rows(draw, table, payload)})


def _way_column(draw: Draw, table: pl.DataFrame, payload: pl.DataFrame) -> Output:
    return Output({draw.file("table"): _as_column(draw, table, payload)})


def _way_file(draw: Draw, table: pl.DataFrame, payload: pl.DataFrame) -> Output:
    other = draw.file(draw.pick("appendix", "detail", "附表"))
    return Output({draw.file("table"): table, other: payload})


def _way_note(draw: Draw, table: pl.DataFrame, payload: pl.DataFrame) -> Output:
    lead = draw.pick("# 说明\n\n本表按季度汇总。\n\n", "# 备注\n\n", "## Notes\n\nRounded.\n\n")
    mark = draw.pick("- ", "", "* ")
    note = lead + "\n".join(mark + line for line in _lines(payload)) + "\n"
    return Output({draw.file("table"): table, "note.md": note})


def control(draw: Draw) -> Output | None:
    """The same carrier without a payload, or None where there is none: what a check says of it is not the
    payload's doing."""
    if not draw.benign or draw.container not in FRAMES:
        return None
    return Output({draw.file("table"): draw.around()})


__all__ = ["DOSES", "FRAMES", "Draw", "Output", "Technique", "carrier", "cells", "control", "plant"]
