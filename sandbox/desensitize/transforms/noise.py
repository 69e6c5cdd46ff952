"""``noise``: whole numbers added at random, drawn exactly (no floating point on the way)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from sandbox.desensitize.transforms.base import ColumnName, Params, Setting, Transform, each

if TYPE_CHECKING:
    import polars as pl


class NoiseParams(Params):
    """``scale``: of the discrete Laplace distribution, in the column's unit; the mean error is about as
    large.
    ``by``: the column of the subject: equal values of one subject get the same noise, so that rows of one
    subject cannot be averaged. That holds within a step: every step and every run draws afresh, so a recipe
    has one column of a source that gets noise. Cells are no differentially private answer: for that there are
    dp jobs."""

    scale: Annotated[int, Field(ge=1, le=1_000_000_000)]
    by: ColumnName | None = None

    def accepts(self) -> frozenset[str]:
        return frozenset({"integer"})

    def reads(self) -> tuple[str, ...]:
        return (self.by,) if self.by else ()


def apply(column: pl.Series, params: NoiseParams, setting: Setting) -> pl.Series:
    """value + noise, of 64 bits; without a subject, where one is asked for, the cell is empty."""
    import polars as pl

    from sandbox.desensitize.dp.accounting import Scale
    from sandbox.desensitize.dp.sampler import discrete_laplace

    value = column.cast(pl.Int64)
    if params.by is None:
        return value + pl.Series(discrete_laplace(Scale(params.scale, 1), len(value)))
    table = pl.DataFrame({"value": value, "by": setting.beside[params.by]})
    once = table.drop_nulls().unique(maintain_order=True)
    drawn = once.with_columns(noise=pl.Series(discrete_laplace(Scale(params.scale, 1), once.height)))
    noisy = table.join(drawn, on=["value", "by"], how="left", maintain_order="left")
    return (noisy["value"] + noisy["noise"]).alias(column.name)


def explain(params: NoiseParams) -> tuple[str, str]:
    """One sentence in each language."""
    by_zh = f"；同一主体（{params.by}）的同一值加同一噪声" if params.by else ""
    by_en = f"; equal values of one subject ({params.by}) get the same" if params.by else ""
    return (
        f"加离散拉普拉斯噪声，尺度 {params.scale}{by_zh}；不是差分隐私保证。",
        f"Adds discrete Laplace noise of scale {params.scale}{by_en}; this is no differential privacy.",
    )


TRANSFORM = Transform(
    "noise", "加噪", "noise", NoiseParams, each(apply), explain, "noise",
    desensitises=False, reversible_with_key=False, keeps_joins=False, keeps_order=False,
    whole=lambda params: params.by is not None,
)  # fmt: skip
