"""``pseudonym``: a keyed one-way code. There is no unkeyed form: identifiers can be enumerated (R-131)."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from sandbox.desensitize.transforms.base import Keys, Params, Transform, over_distinct

if TYPE_CHECKING:
    import polars as pl

LENGTH = 26  # base32 characters: 130 bits, no collision worth naming below 10^15 values


class PseudonymParams(Params):
    """``key`` names the scenario's key; the same key gives the same code for the same text.

    ``hash`` is sha256 (RFC 2104, FIPS 180-4) or sm3 (GB/T 32905). Base32 has no 0, 1, 8 or 9, so a code never
    looks like a telephone or identity number.
    """

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")]
    hash: Literal["sha256", "sm3"] = "sha256"
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z_-]{0,12}$")] = ""

    def gives(self, type_: str) -> str:
        return "string"


def code(value: str, key: bytes, params: PseudonymParams) -> str:
    """The pseudonym of ``value`` under ``key``."""
    digest = hmac.digest(key, value.encode(), params.hash)
    return params.prefix + base64.b32encode(digest)[:LENGTH].decode()


def apply(column: pl.Series, params: PseudonymParams, keys: Keys) -> pl.Series:
    """One code per distinct value. The caller has made sure that the key is there."""
    key = keys[params.key]
    return over_distinct(column, lambda value: code(value, key, params))


TRANSFORM = Transform(
    "pseudonym", "假名化", "pseudonym", PseudonymParams, apply,
    desensitises=True, reversible_with_key=True, keeps_joins=True, keeps_order=False,
)  # fmt: skip
