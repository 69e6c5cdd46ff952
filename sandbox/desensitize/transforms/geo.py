"""``geo``: a point becomes the middle of its grid cell; points inside listed areas go (R-138)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from sandbox.desensitize.transforms.base import Params, Setting, Transform, Unfit

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

Degree = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Ring = Annotated[list[Annotated[list[Degree], Field(min_length=2, max_length=2)]], Field(min_length=3)]


class GeoParams(Params):
    """The columns are latitude and longitude in degrees. ``decimals``: of a degree (2 is about a kilometre).

    ``areas``: rings of ``[longitude, latitude]`` as GeoJSON has them; ``inside``: what becomes of a point in
    one of them, ``remove`` (both cells empty) or ``refuse`` (the recipe ends)."""

    decimals: Annotated[int, Field(ge=0, le=4)]
    areas: list[Ring] = []
    inside: Literal["remove", "refuse"] = "remove"

    @model_validator(mode="after")
    def _closed_or_not(self) -> GeoParams:
        if any(len({tuple(point) for point in ring}) < 3 for ring in self.areas):
            raise ValueError("areas")
        return self

    def accepts(self) -> frozenset[str]:
        return frozenset({"number"})


def within(lat: np.ndarray, lon: np.ndarray, ring: list[list[float]]) -> np.ndarray:
    """Which points are inside the ring, by the parity of edges that a ray to the east crosses."""
    import numpy as np

    inside = np.zeros(len(lat), dtype=bool)
    for (x1, y1), (x2, y2) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if y1 == y2:
            continue
        crosses = (lat < y1) != (lat < y2)
        inside ^= crosses & (lon < (x2 - x1) * (lat - y1) / (y2 - y1) + x1)
    return inside


def apply(columns: Sequence[pl.Series], params: GeoParams, setting: Setting) -> Sequence[pl.Series]:
    """Both coordinates rounded to the grid; what is no place on Earth becomes empty."""
    import numpy as np
    import polars as pl

    lat, lon = (column.cast(pl.Float64).to_numpy() for column in columns)
    gone = ~((np.abs(lat) <= 90) & (np.abs(lon) <= 180))
    listed = np.zeros(len(lat), dtype=bool)
    for ring in params.areas:
        listed |= within(lat, lon, ring)
    if params.inside == "refuse" and bool(listed.any()):
        raise Unfit(int(listed.sum()))
    gone |= listed
    return [
        pl.Series(column.name, np.where(gone, np.nan, np.round(value, params.decimals))).fill_nan(None)
        for column, value in zip(columns, (lat, lon), strict=True)
    ]


def explain(params: GeoParams) -> tuple[str, str]:
    """One sentence in each language."""
    zh, en = "", ""
    if params.areas:
        refuse = params.inside == "refuse"
        zh = f"；{len(params.areas)} 个列明区域内的点" + ("使方案停止" if refuse else "删去")
        en = f"; points in {len(params.areas)} listed areas " + (
            "end the recipe" if refuse else "are removed"
        )
    return (
        f"坐标粗化到 {params.decimals} 位小数{zh}。",
        f"Rounds coordinates to {params.decimals} decimals of a degree{en}.",
    )


TRANSFORM = Transform(
    "geo", "坐标网格化", "geographic grid", GeoParams, apply, explain, "generalise",
    desensitises=True, reversible_with_key=False, keeps_joins=False, keeps_order=False, many=True,
)  # fmt: skip
