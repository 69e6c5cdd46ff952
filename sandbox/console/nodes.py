"""Points of a frontier of risk against loss, as a search's report has them, packed into an address; and the
steps of a recipe that generalise as a point of the lattice does.

Nothing is kept: the report is the operator's file, and the address holds what is drawn of it.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.console import codes  # noqa: F401
from sandbox.core.errors import fail

MOST_POINTS, MOST_COLUMNS = 60, 40
LONGEST, UNPACKED = 6000, 64 << 10  # characters of an address, bytes of what it says
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
Level = Annotated[int, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Point(_Model):
    """One row of ``frontier`` in a report (``sandbox.desensitize.search.frontier``)."""

    method: Literal["lattice", "mondrian"]
    asked_k: Count
    k: Annotated[int, Field(ge=1, lt=1 << 53)]
    risk: Annotated[float, Field(gt=0, le=1)]
    loss: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
    suppressed: Count = 0
    classes: Count = 0
    levels: Annotated[dict[Name, Level], Field(max_length=MOST_COLUMNS)] | None = None
    pareto: bool = False
    chosen: bool = False


class Hierarchy(_Model):
    """How a search generalised a column (``sandbox.desensitize.search.hierarchy.HierarchySpec``)."""

    by: Literal["file", "age", "band", "prefix", "date", "top"] = "top"
    widths: Annotated[
        tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], Field(max_length=20)
    ] = ()
    start: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    lengths: Annotated[tuple[Annotated[int, Field(ge=1, le=64)], ...], Field(max_length=20)] = ()
    to: Annotated[tuple[Literal["month", "quarter", "year", "decade"], ...], Field(max_length=4)] = ()


class Frontier(_Model):
    """What is drawn. ``columns``: the hierarchies of the description that came with the report."""

    points: Annotated[tuple[Point, ...], Field(min_length=1, max_length=MOST_POINTS)]
    releases: Annotated[dict[Literal["public", "controlled", "enclave"], Share], Field(max_length=3)] = {}
    columns: Annotated[dict[Name, Hierarchy], Field(max_length=MOST_COLUMNS)] = {}


def read_report(report: Any, description: Any) -> Frontier:
    """What a report and a description of the fields (None: there is none) say. Raises FRONTIER_REPORT."""
    if not isinstance(report, Mapping) or not report.get("frontier"):
        raise fail("FRONTIER_REPORT", what="frontier")
    fields = description.get("fields") if isinstance(description, Mapping) else description
    columns = {
        one["name"]: one["hierarchy"] or {}
        for one in (fields if isinstance(fields, Sequence) else ())
        if isinstance(one, Mapping) and isinstance(one.get("name"), str) and one.get("hierarchy")
    }
    try:
        return Frontier.model_validate(
            {"points": report["frontier"], "releases": report.get("releases") or {}, "columns": columns}
        )
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise fail("FRONTIER_REPORT", what=where) from None


def packed(frontier: Frontier) -> str:
    """As a parameter of an address. Raises FRONTIER_LONG."""
    text = json.dumps(
        frontier.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, separators=(",", ":")
    )
    found = base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")
    if len(found) > LONGEST:
        raise fail("FRONTIER_LONG")
    return found


def unpacked(text: str) -> Frontier:
    """What an address says. Raises FRONTIER_REPORT."""
    try:
        if len(text) > LONGEST:
            raise ValueError
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        opened = zlib.decompressobj()
        plain = opened.decompress(raw, UNPACKED)
        if opened.unconsumed_tail or not opened.eof:
            raise ValueError
        return Frontier.model_validate(json.loads(plain))
    except (ValueError, zlib.error, binascii.Error, RecursionError):
        raise fail("FRONTIER_REPORT", what="at") from None


AGE_BANDS = (5.0, 10.0, 20.0)  # of a search's hierarchy ``age``


def _step(name: str, rule: Hierarchy, level: int, type_: str) -> dict[str, Any] | None:
    """The step that does what ``level`` of the hierarchy does; None where a recipe has no such step."""
    widths = AGE_BANDS if rule.by == "age" else rule.widths
    ways: dict[str, tuple[Sequence[Any], str]] = {
        "age": (widths, "band"),
        "band": (widths, "band"),
        "prefix": (rule.lengths, "prefix"),
        "date": (rule.to, "date"),
    }
    if rule.by not in ways or level > len(ways[rule.by][0]):
        return None
    value, by = ways[rule.by][0][level - 1], ways[rule.by][1]
    if by == "prefix" and value > 6:
        return None
    start = {"start": rule.start} if by == "band" and rule.start else {}
    params = {"by": by, {"band": "width", "prefix": "length", "date": "to"}[by]: value, **start}
    return {"column": name, "transform": "generalise", "params": params}


def with_point(
    recipe: Mapping[str, Any], frontier: Frontier, number: int, types: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """``recipe`` with the quasi-identifiers of a lattice's point generalised as there, and the columns for
    which that cannot be said in a recipe (left out of the product). Raises FRONTIER_POINT."""
    if not 0 <= number < len(frontier.points) or not frontier.points[number].levels:
        raise fail("FRONTIER_POINT", number=number + 1)
    levels = {name: level for name, level in (frontier.points[number].levels or {}).items() if name in types}
    steps = [one for one in recipe.get("steps", ()) if one.get("column") not in levels]
    keep = [name for name in recipe.get("keep", ()) if name not in levels]
    unsaid = []
    for name, level in levels.items():
        rule = frontier.columns.get(name, Hierarchy())
        if not level:
            keep.append(name)
        elif (step := _step(name, rule, level, types[name])) is not None:
            steps.append(step)
        elif (
            rule.by == "file"
            or (rule.by == "prefix" and level <= len(rule.lengths))
            or name not in frontier.columns
        ):
            unsaid.append(name)  # else it is the top of its hierarchy: no value of it stays
    return {**recipe, "steps": steps, "keep": keep}, unsaid
