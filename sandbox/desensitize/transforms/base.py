"""What a transform is. Imports pydantic only: the control plane reads this table to check recipes."""

from __future__ import annotations

import functools
import hashlib
import hmac
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

ANY = frozenset({"string", "integer", "number", "decimal", "date", "datetime", "boolean"})
NUMERIC = frozenset({"integer", "number", "decimal"})
TEMPORAL = frozenset({"date", "datetime"})
TEXT = frozenset({"string"})

Keys = Mapping[str, bytes]
KeyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$")]
# no control character: nothing that a recipe names can be taken for a column that the run keeps for itself
ColumnName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
# What a policy may ask of a field; see ``sandbox.desensitize.required``.
Method = Literal["drop", "mask", "pseudonym", "generalise", "aggregate", "noise", "none"]


class Params(BaseModel):
    """Base of every transform's parameters: nothing unknown is accepted, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def accepts(self) -> frozenset[str]:
        """The catalogue types that the transform works on with these parameters."""
        return ANY

    def gives(self, type_: str) -> str:
        """The catalogue type that comes out when ``type_`` goes in."""
        return type_

    def reads(self) -> tuple[str, ...]:
        """The columns that are looked at beside the one that is changed, as they stand at this step."""
        return ()

    def idle(self, type_: str) -> str:
        """The parameter by which no value of the catalogue's type ``type_`` can change; empty: some can."""
        return ""


class KeyedParams(Params):
    """``key`` names the key; the same key gives the same result for the same value."""

    key: KeyName


class Unfit(Exception):
    """Raised by ``apply``: ``rows`` cells cannot be transformed as asked."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.rows = rows


class NoCipher(Exception):
    """Raised by ``apply``: this machine or image has no block cipher."""


class Tokens(Protocol):
    """A store of random tokens: see ``sandbox.desensitize.tokens``."""

    def tokens(self, domain: str, values: pl.Series) -> pl.Series:
        """The token of each of ``values`` (text, distinct, no nulls); new ones are drawn and kept."""


@dataclass(frozen=True)
class Setting:
    """What a transform is given besides its columns: the keys by name, the columns that it only reads, the
    store of tokens."""

    keys: Keys = field(default_factory=dict)
    beside: Mapping[str, pl.Series] = field(default_factory=dict)
    tokens: Tokens | None = None


Apply = Callable[[Sequence["pl.Series"], Any, Setting], Sequence["pl.Series"]]


@dataclass(frozen=True)
class Transform:
    """One row of the registry.

    ``desensitises``: is enough for a personal identifier (R-103). ``reversible_with_key``: whoever has
    the key and can enumerate candidates finds the value again. ``keeps_joins``: equal values stay equal,
    so two products join. ``keeps_order``: a <= b stays so. ``method``: what it counts as where the policy
    asks for a transform. ``explain(params)`` is one sentence in Chinese and one in English.

    ``apply(columns, params, setting)`` gives as many columns as it was given, is vectorised, keeps empty
    cells empty and the row order. It is given any run of rows, unless ``whole(params)``: then all of them at
    once. ``many``: takes several columns together. ``selects``: gives one Boolean column instead, of the
    rows that stay in the product. ``marks(params)``: the kinds of identifier that results look like on
    purpose and are not; the scan after the recipe counts them apart.
    """

    name: str
    title_zh: str
    title_en: str
    params: type[Params]
    apply: Apply
    explain: Callable[[Any], tuple[str, str]]
    method: Method
    desensitises: bool
    reversible_with_key: bool
    keeps_joins: bool
    keeps_order: bool
    many: bool = False
    whole: Callable[[Any], bool] = lambda params: False
    selects: bool = False
    marks: Callable[[Any], frozenset[str]] = lambda params: frozenset()


def each(change: Callable[[pl.Series, Any, Setting], pl.Series]) -> Apply:
    """``apply`` of a transform that treats every column by itself."""

    def apply(columns: Sequence[pl.Series], params: Any, setting: Setting) -> Sequence[pl.Series]:
        return [change(column, params, setting) for column in columns]

    return apply


def subkey(key: bytes, *purpose: str) -> bytes:
    """32 bytes derived from ``key`` for one purpose, so that no two transforms share a key.

    HKDF-Expand (RFC 5869) with SHA-256 and one block; ``key`` is uniformly random, so Extract is left out
    (section 3.3 there). The parts of the purpose are joined unambiguously, as JSON."""
    info = json.dumps(["sandbox/recipe/1", *purpose], ensure_ascii=True, separators=(",", ":"))
    return hmac.digest(key, info.encode() + b"\x01", "sha256")


def over_distinct(column: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """``change`` applied once to the distinct values as text (no nulls among them); empty cells stay
    empty."""
    import polars as pl

    text = column.cast(pl.String)
    encoded = text.to_arrow().dictionary_encode()
    changed = change(pl.Series(encoded.dictionary, dtype=pl.String))
    return changed.gather(pl.Series(encoded.indices).cast(pl.UInt32)).alias(column.name)


def _hash(name: str) -> Callable[[bytes], Any]:
    """What makes a hash object. For SHA-256 the interpreter's own: one of OpenSSL's takes longer to copy than
    two blocks to hash. ``hashlib`` has it under no public name; where it is not, OpenSSL's does the same."""
    for module in ("_sha2", "_sha256") if name == "sha256" else ():  # Python 3.12 and later; before
        with suppress(ImportError):
            made: Callable[[bytes], Any] = importlib.import_module(module).sha256
            return made
    return functools.partial(hashlib.new, name)


def digests(values: pl.Series, key: bytes, name: str = "sha256") -> np.ndarray:
    """HMAC (RFC 2104) of each of ``values`` (text, no nulls) as an array of rows of 32 bytes.

    The two hash states that have absorbed the padded key are made once and copied for every value, as the
    RFC's section 4 says; ``hmac`` does the same behind objects that cost half as much again."""
    import numpy as np
    import polars as pl

    new = _hash(name)
    size, width = new(b"").block_size, new(b"").digest_size
    padded = (key if len(key) <= size else new(key).digest()).ljust(size, b"\0")
    inner = new(bytes(byte ^ 0x36 for byte in padded)).copy
    outer = new(bytes(byte ^ 0x5C for byte in padded)).copy
    made = []
    for value in values.cast(pl.Binary).to_list():
        within, around = inner(), outer()
        within.update(value)
        around.update(within.digest())
        made.append(around.digest())
    return np.frombuffer(b"".join(made), dtype=np.uint8).reshape(len(made), width)


def uniform(values: pl.Series, key: bytes) -> pl.Series:
    """For each of ``values`` (any type, nulls stay null) a number of 0 to 2⁶⁴-1 that the key decides."""
    import numpy as np
    import polars as pl

    def draw(distinct: pl.Series) -> pl.Series:
        return pl.Series(digests(distinct, key)[:, :8].copy().view(np.dtype(">u8")).ravel().astype(np.uint64))

    return over_distinct(values, draw)
