"""``generalise``: a value becomes the group that it is part of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from sandbox.desensitize.hierarchies.codes import ADMIN_DIGITS, icd_level
from sandbox.desensitize.transforms.base import (
    NUMERIC,
    TEMPORAL,
    TEXT,
    Params,
    Setting,
    Transform,
    each,
    over_distinct,
)

if TYPE_CHECKING:
    import polars as pl

Number = Annotated[float, Field(allow_inf_nan=False)]
_CODES = TEXT | {"integer"}
# way -> the types that it works on, the parameters of which it has exactly one, those that it may have
_WAYS: dict[str, tuple[frozenset[str], frozenset[str], frozenset[str]]] = {
    "band": (NUMERIC, frozenset({"width", "edges"}), frozenset({"start"})),
    "age": (TEMPORAL, frozenset({"on"}), frozenset({"width", "top"})),
    "date": (TEMPORAL, frozenset({"to"}), frozenset()),
    "prefix": (_CODES, frozenset({"length"}), frozenset()),
    "admin": (_CODES, frozenset({"division"}), frozenset()),
    "icd": (TEXT, frozenset({"level"}), frozenset()),
    "map": (_CODES, frozenset({"table"}), frozenset({"other"})),
    "hierarchy": (_CODES, frozenset({"rows"}), frozenset({"step", "other"})),
}
_OLDEST = 150


class GeneraliseParams(Params):
    """One of eight ways ``by``:

    - ``band``: ``width`` (bands from ``start``) or ascending ``edges``; gives ``[20,30)``, ``<18``, ``>=60``
    - ``age``: completed years of age ``on`` a day (YYYY-MM-DD) in bands of ``width`` years, open from ``top``
    - ``date``: ``to`` year, half, quarter, month, week or decade; gives ``1990``, ``1990H1``, ``1990Q2``,
      ``1990-05``, ``1990-W19`` (ISO 8601), ``1990s``
    - ``prefix``: the first ``length`` (at most 6) characters of a code
    - ``admin``: the ``division`` province, prefecture or county of a code by GB/T 2260, filled with zeros;
    what
      is no such code becomes empty
    - ``icd``: the ``level`` category or chapter of an ICD-10 code; what is none becomes empty
    - ``map``: ``table`` value -> group; what is not in it becomes ``other`` (empty without one)
    - ``hierarchy``: ``rows`` (value, group, coarser group, …), the group ``step`` levels up; else ``other``
    """

    by: Literal["band", "age", "date", "prefix", "admin", "icd", "map", "hierarchy"]
    width: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    start: Number = 0.0
    edges: Annotated[list[Number], Field(min_length=1)] | None = None
    on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    top: Annotated[int, Field(ge=1, le=_OLDEST)] | None = None
    to: Literal["year", "half", "quarter", "month", "week", "decade"] | None = None
    length: Annotated[int, Field(ge=1, le=6)] | None = None
    division: Literal["province", "prefecture", "county"] | None = None
    level: Literal["category", "chapter"] | None = None
    table: Annotated[dict[str, str], Field(min_length=1)] | None = None
    rows: Annotated[list[Annotated[list[str], Field(min_length=2)]], Field(min_length=1)] | None = None
    step: Annotated[int, Field(ge=1)] = 1
    other: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> GeneraliseParams:
        _, one, may = _WAYS[self.by]
        given = (
            self.model_fields_set - {"by"} - {n for n in self.model_fields_set if getattr(self, n) is None}
        )
        if len(given & one) != 1 or given - one - may:
            raise ValueError("by")
        if self.edges and any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("edges")
        if self.on is not None:
            date.fromisoformat(self.on)
            if self.width is not None and not self.width.is_integer():
                raise ValueError("width")
        if self.rows is not None and any(len(row) <= self.step for row in self.rows):
            raise ValueError("step")
        pairs = [*(self.table or {}).items(), *((row[0], row[self.step]) for row in self.rows or ())]
        if pairs and all(value == group for value, group in pairs):
            raise ValueError("table")
        return self

    def accepts(self) -> frozenset[str]:
        return _WAYS[self.by][0]

    def gives(self, type_: str) -> str:
        return "string"

    def idle(self, type_: str) -> str:
        """A band that holds one whole number is that number in other words."""
        return "width" if type_ == "integer" and self.width is not None and self.width <= 1 else ""


def _band(column: pl.Series, params: GeneraliseParams) -> pl.Series:
    import polars as pl

    values = column.cast(pl.Float64)
    if params.edges is not None:
        edges = [f"{edge:g}" for edge in params.edges]
        labels = [f"<{edges[0]}", *(f"[{a},{b})" for a, b in pairwise(edges)), f">={edges[-1]}"]
        place = pl.Series(params.edges).search_sorted(values, side="right")
        return pl.Series(labels).gather(place).set(values.is_null(), None)
    width = params.width or 1.0
    low = ((values - params.start) / width).floor() * width + params.start
    distinct = low.drop_nulls().unique(maintain_order=True)
    labels = [f"[{value:.15g},{value + width:.15g})" for value in distinct]
    return low.replace_strict(
        distinct, pl.Series(labels, dtype=pl.String), default=None, return_dtype=pl.String
    )


def _age(column: pl.Series, params: GeneraliseParams) -> pl.Series:
    """Bands of completed years; a birth after the day, or of more than 150 years before, is no age."""
    import polars as pl

    day = date.fromisoformat(params.on or "")
    width, top = int(params.width or 5), params.top
    born = column.cast(pl.Date)
    later = born.dt.month().cast(pl.Int32) * 100 + born.dt.day().cast(pl.Int32) > day.month * 100 + day.day
    years = day.year - born.dt.year() - later.cast(pl.Int32)
    place = (years // width).set((years < 0) | (years > _OLDEST), None)
    labels = [f"{low}-{low + width - 1}" for low in range(0, _OLDEST + 1, width)]
    if top is not None:
        whole = top // width
        place = place.clip(upper_bound=whole)
        labels = [*labels[:whole], f"{whole * width}+"]
    return pl.Series(labels, dtype=pl.String).gather(place.cast(pl.UInt32))


_DATES: dict[str, Callable[[pl.Series], Any]] = {
    "month": lambda column: column.dt.strftime("%Y-%m"),
    "week": lambda column: column.dt.strftime("%G-W%V"),
    "quarter": lambda column: _text(column.dt.year()) + "Q" + _text(column.dt.quarter()),
    "half": lambda column: _text(column.dt.year()) + "H" + _text((column.dt.month() + 5) // 6),
    "decade": lambda column: _text(column.dt.year() // 10 * 10) + "s",
    "year": lambda column: _text(column.dt.year()),
}


def _text(column: pl.Series) -> pl.Series:
    import polars as pl

    return column.cast(pl.String)


def _admin(column: pl.Series, params: GeneraliseParams) -> pl.Series:
    import polars as pl

    digits = ADMIN_DIGITS[params.division or "province"]
    text = column.cast(pl.String).str.strip_chars()
    code = text.str.head(digits).str.pad_end(6, "0")
    return code.set(~text.str.contains(r"^[1-8][0-9]{5}(?:[0-9]{3}|[0-9]{6})?$"), None)


def _table(column: pl.Series, table: dict[str, str], other: str | None) -> pl.Series:
    import polars as pl

    return over_distinct(
        column,
        lambda values: values.replace_strict(
            list(table), list(table.values()), default=other, return_dtype=pl.String
        ),
    )


def _icd(column: pl.Series, params: GeneraliseParams) -> pl.Series:
    import polars as pl

    level = params.level or "chapter"
    return over_distinct(
        column, lambda values: pl.Series([icd_level(value, level) for value in values], dtype=pl.String)
    )


_APPLY: dict[str, Callable[[pl.Series, GeneraliseParams], pl.Series]] = {
    "band": _band,
    "age": _age,
    "date": lambda column, params: _DATES[params.to or "year"](column),
    "prefix": lambda column, params: _text(column).str.head(params.length or 1),
    "admin": _admin,
    "icd": _icd,
    "map": lambda column, params: _table(column, params.table or {}, params.other),
    "hierarchy": lambda column, params: _table(
        column, {row[0]: row[params.step] for row in params.rows or []}, params.other
    ),
}


def apply(column: pl.Series, params: GeneraliseParams, setting: Setting) -> pl.Series:
    """Text labels of groups."""
    return _APPLY[params.by](column, params)


_LEVELS_ZH = {
    "year": "年", "half": "半年", "quarter": "季度", "month": "月", "week": "周", "decade": "十年",
    "province": "省级", "prefecture": "地级", "county": "县级", "category": "三位类目", "chapter": "章",
}  # fmt: skip


def explain(params: GeneraliseParams) -> tuple[str, str]:
    """One sentence in each language."""
    edges = ", ".join(f"{edge:g}" for edge in params.edges or [])
    cut_zh = f"以 {edges} 为界的区间" if edges else f"宽 {params.width or 0:g} 的区间"
    cut_en = f"bands cut at {edges}" if edges else f"bands {params.width or 0:g} wide"
    width = int(params.width or 5)
    open_zh = f"，{params.top} 岁及以上合并" if params.top else ""
    open_en = f", open from {params.top}" if params.top else ""
    to = params.to or params.division or params.level or "year"
    level = _LEVELS_ZH[to]
    zh, en = {
        "band": (f"归入{cut_zh}。", f"Puts the value into {cut_en}."),
        "age": (
            f"按 {params.on} 的周岁归入 {width} 岁组{open_zh}。",
            f"Puts the age on {params.on} into groups of {width} years{open_en}.",
        ),
        "date": (f"日期只保留到{level}。", f"Keeps the {to} of the date."),
        "prefix": (f"只保留代码前 {params.length} 位。", f"Keeps the first {params.length} characters."),
        "admin": (f"行政区划代码归并到{level}。", f"Keeps the {to} of the division code (GB/T 2260)."),
        "icd": (f"疾病编码归并到 ICD-10 的{level}。", f"Keeps the ICD-10 {to} of the code."),
        "map": (
            f"按 {len(params.table or {})} 项对照表归组。",
            f"Puts the value into a group by a table of {len(params.table or {})} rows.",
        ),
        "hierarchy": (
            f"按 {len(params.rows or [])} 行的层级表上溯 {params.step} 级。",
            f"Goes {params.step} levels up in a hierarchy of {len(params.rows or [])} rows.",
        ),
    }[params.by]
    return zh, en


TRANSFORM = Transform(
    "generalise", "泛化", "generalise", GeneraliseParams, each(apply), explain, "generalise",
    desensitises=True, reversible_with_key=False, keeps_joins=True, keeps_order=False,
)  # fmt: skip
