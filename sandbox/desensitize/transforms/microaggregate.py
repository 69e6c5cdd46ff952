"""``microaggregate``: subjects in groups of k and more that are near each other; each gets the group's
mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from sandbox.desensitize.transforms.base import NUMERIC, ColumnName, Params, Setting, Transform, Unfit

if TYPE_CHECKING:
    import polars as pl


class MicroaggregateParams(Params):
    """``k``: the least number of subjects in a group; ``by``: the column of the subject (none: every row is
    one). ``method``: ``sort`` for one column (groups of neighbours in its order), ``mdav`` for several
    together (at most 20,000 subjects)."""

    k: Annotated[int, Field(ge=2, le=1000)]
    by: ColumnName | None = None
    method: Literal["sort", "mdav"] = "sort"

    def accepts(self) -> frozenset[str]:
        return NUMERIC

    def gives(self, type_: str) -> str:
        return "number"

    def reads(self) -> tuple[str, ...]:
        return (self.by,) if self.by else ()


def apply(
    columns: Sequence[pl.Series], params: MicroaggregateParams, setting: Setting
) -> Sequence[pl.Series]:
    """Each subject's mean, then the mean of its group. A row with an empty cell or without a subject becomes
    empty. Raises Unfit where there are fewer than k subjects: no group can be made."""
    from sandbox.desensitize.groups import microaggregated

    by = setting.beside[params.by] if params.by else None
    means = microaggregated(columns, by, params.k, params.method)
    if means is None:
        raise Unfit(columns[0].len())
    return means


def explain(params: MicroaggregateParams) -> tuple[str, str]:
    """One sentence in each language."""
    who_zh, who_en = (params.by, params.by) if params.by else ("每行", "row")
    return (
        f"把相近的至少 {params.k} 个主体（{who_zh}）分为一组，以组均值代替（{params.method}）。",
        f"Puts at least {params.k} near subjects ({who_en}) into a group and gives each its mean "
        f"({params.method}).",
    )


TRANSFORM = Transform(
    "microaggregate", "微聚集", "microaggregation", MicroaggregateParams, apply, explain, "aggregate",
    desensitises=True, reversible_with_key=False, keeps_joins=False, keeps_order=False, many=True,
    whole=lambda params: True,
)  # fmt: skip
