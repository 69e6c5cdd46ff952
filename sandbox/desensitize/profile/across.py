"""What one row's columns say of each other: the day of birth, the sex and the age within an identity number,
and pairs of coordinates."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from sandbox.desensitize.profile.content import per_cent, precise
from sandbox.desensitize.profile.decide import Decision
from sandbox.desensitize.profile.relations import SAMPLE
from sandbox.desensitize.profile.table import Table, days
from sandbox.pii.normal import fold

_AGREES = 0.9


def _rows(table: Table, one: Decision) -> pl.Series:
    """An even sample of the rows of a column, as text."""
    step = max(1, -(-table.rows // SAMPLE))
    return fold(one.column.values.gather_every(step).cast(pl.String))


def _sure(one: Decision, kind: str, reason: str, share: float) -> None:
    one.kind, one.confidence, one.waits, one.some = kind, max(one.confidence, 0.97), False, False
    one.because(reason, share=per_cent(share))


def with_identity(table: Table, decisions: list[Decision]) -> None:
    """Columns that agree with the identity number in the same row are what stands in it."""
    keys = [one for one in decisions if one.kind == "resident_id" and not one.some]
    if not keys:
        return
    numbers = _rows(table, keys[0])
    born = numbers.str.extract(r"([0-9]{17}[0-9Xx])", 1).str.slice(6, 8).str.to_date("%Y%m%d", strict=False)
    male = numbers.str.extract(r"([0-9]{17})[0-9Xx]", 1).str.slice(16, 1).cast(pl.Int8, strict=False) % 2 == 1
    for one in decisions:
        if one.column.type in ("date", "datetime", "string", "integer") and one.kind in (
            "",
            "birth_date",
            "event_time",
        ):
            found = days(one.column, _rows(table, one))
            share = _agreement(found, born)
            if share >= _AGREES:
                _sure(one, "birth_date", "BIRTH_IN_IDENTITY", share)
        if len(one.column.distinct) in (2, 3) and one.kind in ("", "sex", "status", "number"):
            share = _same_split(_rows(table, one), male)
            if share >= _AGREES:
                _sure(one, "sex", "SEX_IN_IDENTITY", share)


def _agreement(one: pl.Series, other: pl.Series) -> float:
    both = one.is_not_null() & other.is_not_null()
    known = int(both.sum())
    return float((one == other).filter(both).sum() / known) if known >= 8 else 0.0


def _same_split(values: pl.Series, male: pl.Series) -> float:
    """Share of rows in which a value goes with one sex only."""
    frame = pl.DataFrame({"v": values, "m": male}).drop_nulls()
    if frame.height < 8 or frame["m"].n_unique() < 2:
        return 0.0
    sizes = frame.group_by("v").agg(pl.col("m").sum().alias("m"), pl.len().alias("n"))
    most = np.maximum(sizes["m"].to_numpy(), sizes["n"].to_numpy() - sizes["m"].to_numpy())
    sides = (sizes["m"].to_numpy() * 2 > sizes["n"].to_numpy()).tolist()
    return float(most.sum() / frame.height) if len(set(sides)) == 2 else 0.0


def ages(table: Table, decisions: list[Decision]) -> None:
    """A column of small numbers that keeps its distance from the year of birth beside it is the age."""
    births = [one for one in decisions if one.kind == "birth_date" and not one.some]
    if not births:
        return
    years = days(births[0].column, _rows(table, births[0])).dt.year()
    for one in decisions:
        if one.column.type != "integer" or one.kind not in ("", "age", "count", "number"):
            continue
        total = _rows(table, one).cast(pl.Int64, strict=False) + years
        known = total.drop_nulls()
        if len(known) < 8 or one.column.longest > 3 or len(one.column.distinct) < 5:
            continue
        middle = float(known.median())  # type: ignore[arg-type]
        share = float(((known - middle).abs() <= 1).mean())  # type: ignore[arg-type]
        if share >= _AGREES and 1950 <= middle <= date.today().year + 1:  # noqa: DTZ011
            _sure(one, "age", "AGE_OF_BIRTH", share)


def coordinates(decisions: list[Decision]) -> None:
    """Two columns of precise numbers, one in the range of latitudes and one of longitudes of the country."""
    free = [
        one for one in decisions
        if one.kind in ("", "latitude", "longitude", "number", "amount", "turnover", "income")
        and one.column.type in ("number", "decimal", "string") and precise(one.column) >= 0.8
    ]  # fmt: skip
    ranges = {"latitude": (3.0, 54.0), "longitude": (73.0, 136.0)}
    found: dict[str, list[Decision]] = {"latitude": [], "longitude": []}
    for one in free:
        numbers = one.column.numbers
        for kind, (low, high) in ranges.items():
            if len(numbers) >= 8 and bool((numbers >= low).all() and (numbers <= high).all()):
                found[kind].append(one)
    if len(found["latitude"]) != 1 or len(found["longitude"]) != 1:
        return
    for kind, (one,) in found.items():
        if one.head and one.head not in ("latitude", "longitude"):
            one.conflict = one.head not in ("number",)
        one.kind, one.confidence = kind, max(one.confidence, 0.85)
        one.because("COORDINATES", share=per_cent(precise(one.column)))


def surnames(decisions: list[Decision]) -> None:
    """A column of single capitalised words beside one of given names is the other half of the name."""
    for number, one in enumerate(decisions):
        beside = [
            decisions[place] for place in (number - 1, number + 1, number - 2) if 0 <= place < len(decisions)
        ]
        column = one.column
        if (
            one.kind
            or one.head
            or column.type != "string"
            or len(column.distinct) < max(8, 0.3 * column.full)
        ):
            continue
        named = [other for other in beside if other.kind == "person_name" and not other.some]
        if named and column.share(r"^\p{Lu}[\p{L}'’\-]+(?: \p{Lu}[\p{L}'’\-]+)?$") >= 0.9:
            one.kind, one.confidence = "person_name", 0.65
            one.because("BESIDE_NAMES")
