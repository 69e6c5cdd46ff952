"""``pseudonym``: a keyed one-way code. There is no unkeyed form: identifiers can be enumerated (R-131)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from sandbox.desensitize.transforms.base import (
    KeyedParams,
    Setting,
    Transform,
    digests,
    each,
    over_distinct,
    subkey,
)

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

LENGTH = 26  # base32 characters: 130 bits, no collision worth naming below 10^15 values
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648
_AT_ONCE = 1 << 14  # values spelled at a time: they stay in the processor's cache


# By chance one code in 50,000 has the four letters that keys of a cloud service begin with (AKIA, AKID,
# LTAI), and one in 200,000 is spelled like a plate of the armed police (WJ and five signs).
MARKS = frozenset({"credential", "plate"})


class PseudonymParams(KeyedParams):
    """``key`` names the scenario's key; the same key gives the same code for the same text.

    ``hash`` is sha256 (RFC 2104, FIPS 180-4) or sm3 (GB/T 32905). Base32 has no 0, 1, 8 or 9, so a code never
    looks like a telephone or identity number.
    """

    hash: Literal["sha256", "sm3"] = "sha256"
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z_-]{0,12}$")] = ""

    def gives(self, type_: str) -> str:
        return "string"


def spell(bits: np.ndarray, prefix: str = "") -> pl.Series:
    """Rows of 17 bytes and more as base32 (RFC 4648) of ``LENGTH`` characters, all at once."""
    import numpy as np

    from sandbox.desensitize.octets import as_text

    signs = np.frombuffer(_ALPHABET, dtype=np.uint8)
    two = np.stack([np.repeat(signs, 32), np.tile(signs, 32)], axis=1)
    pairs = np.ascontiguousarray(two).view(np.uint16).ravel()  # two letters for every ten bits
    made = np.empty((len(bits), LENGTH // 2), dtype=np.uint16)
    for start in range(0, len(bits), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        octets = np.ascontiguousarray(bits[part, :17].T).astype(np.uint16)
        for place in range(LENGTH // 2):
            byte, bit = divmod(10 * place, 8)  # ten bits lie in two bytes
            made[part, place] = pairs.take((octets[byte] << 8 | octets[byte + 1]) >> (6 - bit) & 1023)
    letters = made.view(np.uint8)
    if prefix:
        head = np.tile(np.frombuffer(prefix.encode(), dtype=np.uint8), (len(letters), 1))
        letters = np.hstack([head, letters])
    return as_text(letters)


def own(key: bytes, params: PseudonymParams) -> bytes:
    """The key of the codes themselves, derived from the named one: a code shows 130 bits of an HMAC of text
    that others may choose, and under the named key such a text would be the derivation of another
    transform's key."""
    return subkey(key, "pseudonym", params.hash)


def code(value: str, key: bytes, params: PseudonymParams) -> str:
    """The pseudonym of ``value`` under the named ``key``."""
    import polars as pl

    return str(spell(digests(pl.Series([value]), own(key, params), params.hash), params.prefix)[0])


def apply(column: pl.Series, params: PseudonymParams, setting: Setting) -> pl.Series:
    """One code per distinct value. The caller has made sure that the key is there."""
    key = own(setting.keys[params.key], params)
    return over_distinct(column, lambda values: spell(digests(values, key, params.hash), params.prefix))


def explain(params: PseudonymParams) -> tuple[str, str]:
    """One sentence in each language."""
    name = {"sha256": "HMAC-SHA-256", "sm3": "HMAC-SM3"}[params.hash]
    return (
        f"以密钥 {params.key} 的 {name} 换成 {LENGTH} 位假名；同值同名，无密钥者不能还原或枚举。",
        f"Replaces the value by a pseudonym of {LENGTH} characters ({name}, key {params.key}): equal values "
        "stay equal, and without the key nobody can go back or try candidates.",
    )


TRANSFORM = Transform(
    "pseudonym", "假名化", "pseudonym", PseudonymParams, each(apply), explain, "pseudonym",
    desensitises=True, reversible_with_key=True, keeps_joins=True, keeps_order=False,
    marks=lambda params: MARKS,
)  # fmt: skip
