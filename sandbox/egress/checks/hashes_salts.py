"""Salts and keys that can be guessed: names that stand in the output, years, small numbers, usual words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from sandbox.egress.context import Context

_USUAL = (
    "salt SALT secret pepper 123456 password admin test key hash data guizhou gz chengdu guangdong sandbox"
    " project id phone mobile abc abc123 hmac token anon user"
)
_YEARS, _NUMBERS = range(2015, 2031), range(32)
_LONGEST = 40  # characters of a name that is tried as a salt
_MOST = 60  # names of the set that are tried
_BLOCK = 64  # RFC 2104: bytes of a block, for every digest here but SHA-384 and SHA-512
_BLOCKS = {"sha384": 128, "sha512": 128}


def guesses(context: Context) -> list[bytes]:
    """Everything tried as a salt or key for this set of outputs."""
    names: list[str] = []
    for document in context.documents:
        path = PurePosixPath(document.path)
        names += [path.name, path.stem, *path.parts[:-1]]
        names += [column for table in document.tables for column in table.columns]
    names += [index.name for index in context.indexes]
    names += [column for index in context.indexes for column in index.columns]
    names += [str(value) for value in context.recipient.values()]
    names += [release.id for release in context.history]
    short = [name for name in dict.fromkeys(names) if 0 < len(name) <= _LONGEST][:_MOST]
    usual = [*re.findall(r"\w+", _USUAL), *map(str, _YEARS), *map(str, _NUMBERS)]
    return [text.encode() for text in dict.fromkeys([*usual, *short])]


def _hmac(algorithm: str, key: bytes) -> Callable[[bytes], bytes]:
    """HMAC with ``key`` (RFC 2104) of one value; the padded key is digested once."""
    new = partial(hashlib.new, algorithm, usedforsecurity=False)
    block = _BLOCKS.get(algorithm, _BLOCK)
    padded = (key if len(key) <= block else new(key).digest()).ljust(block, b"\0")
    inner, outer = new(bytes(b ^ 0x36 for b in padded)), new(bytes(b ^ 0x5C for b in padded))

    def digest(value: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(value)
        second.update(first.digest())
        return second.digest()

    return digest


def salted_digests(
    algorithm: str, salts: Iterable[bytes], values: list[bytes]
) -> Iterable[tuple[str, list[bytes]]]:
    """(place of the salt, digests of ``values``) for each guess."""
    empty = hashlib.new(algorithm, usedforsecurity=False)

    def begun(engine: Any, values: Iterable[bytes]) -> list[bytes]:
        """Digests of ``values``, each after what ``engine`` has read."""
        found = []
        for value in values:
            one = engine.copy()
            one.update(value)
            found.append(one.digest())
        return found

    for salt in salts:
        salted = empty.copy()
        salted.update(salt)
        yield "salt first", begun(salted, values)
        yield "salt last", begun(empty, [value + salt for value in values])
        keyed = _hmac(algorithm, salt)
        yield "HMAC key", [keyed(value) for value in values]
