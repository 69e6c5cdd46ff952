"""What a transform is. Imports pydantic only: the control plane reads this table to check recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import polars as pl

ANY = frozenset({"string", "integer", "number", "decimal", "date", "datetime", "boolean"})
NUMERIC = frozenset({"integer", "number", "decimal"})
TEMPORAL = frozenset({"date", "datetime"})
TEXT = frozenset({"string"})

Keys = Mapping[str, bytes]


class Params(BaseModel):
    """Base of every transform's parameters: nothing unknown is accepted, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def accepts(self) -> frozenset[str]:
        """The catalogue types that the transform works on with these parameters."""
        return ANY

    def gives(self, type_: str) -> str:
        """The catalogue type that comes out when ``type_`` goes in."""
        return type_


class Unfit(Exception):
    """Raised by ``apply``: ``rows`` cells cannot be transformed as asked."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.rows = rows


@dataclass(frozen=True)
class Transform:
    """One row of the registry.

    ``desensitises``: is enough for a personal identifier (R-103). ``reversible_with_key``: whoever has
    the key and can enumerate candidates finds the value again. ``keeps_joins``: equal values stay equal,
    so two products join. ``keeps_order``: a <= b stays so. ``apply(column, params, keys)`` is vectorised and
    deterministic, keeps empty cells empty and the row order.
    """

    name: str
    title_zh: str
    title_en: str
    params: type[Params]
    apply: Callable[[pl.Series, Any, Keys], pl.Series]
    desensitises: bool
    reversible_with_key: bool
    keeps_joins: bool
    keeps_order: bool


def over_distinct(column: pl.Series, change: Callable[[str], str | None]) -> pl.Series:
    """``change`` applied to each distinct value as text, once; empty cells stay empty."""
    import polars as pl

    text = column.cast(pl.String)
    distinct = text.drop_nulls().unique(maintain_order=True)
    changed = pl.Series([change(value) for value in distinct], dtype=pl.String)
    return text.replace_strict(distinct, changed, default=None, return_dtype=pl.String)
