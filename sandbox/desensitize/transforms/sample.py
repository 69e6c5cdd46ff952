"""``sample``: a share of the subjects, whom the key decides, each with all of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from sandbox.desensitize.transforms.base import KeyedParams, Setting, Transform, subkey, uniform

if TYPE_CHECKING:
    import polars as pl


class SampleParams(KeyedParams):
    """``share``: of the subjects, above 0 and below 1. The column is that of the subject; rows without one
    go.

    Who is drawn with a small share is also drawn, under the same key, with a larger one."""

    share: Annotated[float, Field(gt=0, lt=1)]


def apply(columns: Sequence[pl.Series], params: SampleParams, setting: Setting) -> Sequence[pl.Series]:
    """Which rows stay."""
    drawn = uniform(columns[0], subkey(setting.keys[params.key], "sample"))
    return [(drawn // 2**32 < int(params.share * 2**32)).fill_null(False).alias(columns[0].name)]


def explain(params: SampleParams) -> tuple[str, str]:
    """One sentence in each language."""
    return (
        f"按主体抽样，留 {params.share:.4g}（密钥 {params.key} 决定），入样主体的行全部保留。",
        f"Keeps a sample of {params.share:.4g} of the subjects (key {params.key}), with all of their rows.",
    )


TRANSFORM = Transform(
    "sample", "抽样", "sample", SampleParams, apply, explain, "none",
    desensitises=False, reversible_with_key=False, keeps_joins=True, keeps_order=True, selects=True,
)  # fmt: skip
