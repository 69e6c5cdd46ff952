"""``convert``: to another type of the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sandbox.desensitize.transforms.base import ANY, NUMERIC, TEXT, Params, Setting, Transform, Unfit, each

if TYPE_CHECKING:
    import polars as pl

_FROM = {
    "string": ANY,
    "integer": TEXT | NUMERIC | {"boolean"},
    "number": TEXT | NUMERIC,
    "date": TEXT | {"date", "datetime"},
}


class ConvertParams(Params):
    """``to``: the type; ``on_error``: ``refuse`` (the recipe ends) or ``null`` (the cell becomes empty)."""

    to: Literal["string", "integer", "number", "date"]
    on_error: Literal["refuse", "null"] = "refuse"

    def accepts(self) -> frozenset[str]:
        return frozenset(_FROM[self.to])

    def gives(self, type_: str) -> str:
        return self.to


def _cast(column: pl.Series, to: str) -> pl.Series:
    import polars as pl

    if column.dtype == pl.String and to == "date":
        return column.str.strptime(pl.Date, "%Y-%m-%d", strict=False)
    target = {"string": pl.String, "integer": pl.Int64, "number": pl.Float64, "date": pl.Date}[to]
    cast = column.cast(target, strict=False)
    if to == "integer" and not column.dtype.is_integer() and column.dtype.is_numeric():
        return cast.set(cast.cast(pl.Float64) != column.cast(pl.Float64), None)  # 1.5 is no integer
    return cast


def apply(column: pl.Series, params: ConvertParams, setting: Setting) -> pl.Series:
    """The column as ``to``. Raises ``Unfit`` with the number of cells that cannot be converted."""
    converted = _cast(column, params.to)
    lost = converted.null_count() - column.null_count()
    if lost and params.on_error == "refuse":
        raise Unfit(lost)
    return converted


def explain(params: ConvertParams) -> tuple[str, str]:
    """One sentence in each language."""
    zh, en = (
        ("不能转换则停止", "stops")
        if params.on_error == "refuse"
        else ("不能转换的置空", "leaves the cell empty")
    )
    return f"转换为 {params.to} 类型，{zh}。", f"Converts to {params.to}; where that fails, {en}."


TRANSFORM = Transform(
    "convert", "类型转换", "convert", ConvertParams, each(apply), explain, "none",
    desensitises=False, reversible_with_key=False, keeps_joins=True, keeps_order=False,
)  # fmt: skip
