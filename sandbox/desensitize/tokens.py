"""The token vault: a random token for every value, and the table that leads back, encrypted.

A token says nothing of its value, to nobody and under no key: only the table leads back. The table is one
Parquet file, encrypted and authenticated (AES-256-GCM, Parquet modular encryption) under a key of this file
alone, which is derived from the workspace's key and a random salt kept before the file. It lies in the
workspace, which the kernel encrypts once more, and dies with the workspace's key.

Two recipients never share a table: a table belongs to one project and recipient, as a key does.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.parquet import encryption

from sandbox.core.errors import fail
from sandbox.desensitize import codes as codes  # registers the error codes
from sandbox.desensitize.transforms.base import subkey
from sandbox.desensitize.transforms.pseudonym import spell

MAGIC = b"STV1"
_SALT = 16
_SCHEMA = {"domain": pl.String, "value": pl.String, "token": pl.String}
MOST = 5_000_000  # values; a table is held in memory


class TokenVault:
    """The table in memory. ``domain`` is the recipe's name for a set of values, so that one token stands for
    the same person in two tables of the project."""

    def __init__(self, known: pl.DataFrame | None = None) -> None:
        self._known = pl.DataFrame(schema=_SCHEMA) if known is None else known

    def __len__(self) -> int:
        return self._known.height

    def tokens(self, domain: str, values: pl.Series) -> pl.Series:
        """The token of each of ``values`` (text, distinct, no nulls); new ones are drawn and kept.

        Raises RECIPE_TOKENS_FULL when there would be more than ``MOST`` values."""
        asked = pl.DataFrame({"value": values.cast(pl.String)})
        ours = self._known.filter(pl.col("domain") == domain).select("value", "token")
        found = asked.join(ours, on="value", how="left", maintain_order="left")
        fresh = found.filter(pl.col("token").is_null()).select("value").unique(maintain_order=True)
        if fresh.height:
            if len(self) + fresh.height > MOST:
                raise fail("RECIPE_TOKENS_FULL", most=MOST)
            bits = np.frombuffer(secrets.token_bytes(17 * fresh.height), dtype=np.uint8).reshape(-1, 17)
            made = fresh.with_columns(token=spell(bits), domain=pl.lit(domain)).select(list(_SCHEMA))
            self._known = pl.concat([self._known, made])
            return self.tokens(domain, values)
        return found["token"]

    def reidentify(self, domain: str, tokens: list[str]) -> list[str | None]:
        """The value behind each token, None where it is none of this table. Who asks has been authorised and
        recorded by the caller."""
        ours = self._known.filter(pl.col("domain") == domain).select("token", "value")
        asked = pl.DataFrame({"token": pl.Series(tokens, dtype=pl.String)})
        return asked.join(ours, on="token", how="left", maintain_order="left")["value"].to_list()

    def save(self, path: Path, key: bytes) -> None:
        """Write the table, whole or not at all, under a fresh key of its own."""
        salt = os.urandom(_SALT)
        properties = encryption.create_encryption_properties(_file_key(key, salt), aad_prefix=MAGIC + salt)
        sink = pa.BufferOutputStream()
        pq.write_table(self._known.to_arrow(), sink, compression="zstd", encryption_properties=properties)
        part = path.with_name(f".{path.name}.partial")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(MAGIC + salt)
            file.write(sink.getvalue())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    @classmethod
    def load(cls, path: Path, key: bytes) -> TokenVault:
        """The table in ``path``. Raises RECIPE_TOKENS for a file that is no vault, was altered, or is under
        another key."""
        try:
            body = path.read_bytes()
            salt = body[len(MAGIC) : len(MAGIC) + _SALT]
            if body[: len(MAGIC)] != MAGIC:
                raise fail("RECIPE_TOKENS", file=path.name)
            properties = encryption.create_decryption_properties(
                _file_key(key, salt), aad_prefix=MAGIC + salt
            )
            source = pa.BufferReader(pa.py_buffer(body[len(MAGIC) + _SALT :]))
            table = pq.read_table(source, decryption_properties=properties)
        except (OSError, ValueError, pa.ArrowException):
            raise fail("RECIPE_TOKENS", file=path.name) from None
        known = pl.DataFrame(table)
        if dict(known.schema) != _SCHEMA:
            raise fail("RECIPE_TOKENS", file=path.name)
        return cls(known)


def _file_key(key: bytes, salt: bytes) -> bytes:
    return subkey(key, "tokens", salt.hex())


def destroy(path: Path) -> None:
    """Overwrite and remove the table. On a file system that copies on write, or a flash disk, the overwriting
    may not reach the old bytes: that no one can read them is the work of the workspace's key, destroyed."""
    if path.exists():
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
