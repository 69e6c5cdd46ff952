"""``token``: a random token for every value; only the token vault leads back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from sandbox.desensitize.transforms.base import Params, Setting, Transform, each, over_distinct
from sandbox.desensitize.transforms.pseudonym import MARKS

if TYPE_CHECKING:
    import polars as pl


class TokenParams(Params):
    """``domain``: the set of values that share tokens, e.g. ``person``, in all tables of the project."""

    domain: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")]

    def gives(self, type_: str) -> str:
        return "string"


def apply(column: pl.Series, params: TokenParams, setting: Setting) -> pl.Series:
    """One token per distinct value. The caller has made sure that the vault is there."""
    vault = setting.tokens
    assert vault is not None
    return over_distinct(column, lambda values: vault.tokens(params.domain, values))


def explain(params: TokenParams) -> tuple[str, str]:
    """One sentence in each language."""
    return (
        f"换成随机令牌（值域 {params.domain}）；对照表加密存于域内，还原须经审批并留痕。",
        f"Replaces the value by a random token (domain {params.domain}); the table that leads back stays in "
        "the domain, encrypted, and re-identification is an act on record.",
    )


TRANSFORM = Transform(
    "token", "令牌化", "tokenisation", TokenParams, each(apply), explain, "pseudonym",
    desensitises=True, reversible_with_key=True, keeps_joins=True, keeps_order=False,
    marks=lambda params: MARKS,
)  # fmt: skip
