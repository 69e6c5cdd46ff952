"""Family c: hashes, pseudonyms and ciphers of identifiers."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import numpy as np
import polars as pl
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.attack.corpus.draw import Draw
from tests.attack.corpus.identifiers import chosen, heading, single
from tests.attack.corpus.registry import rows

Digest = Callable[[bytes], bytes]


def sm3(data: bytes) -> bytes:
    """GB/T 32905."""
    state = hashes.Hash(hashes.SM3())
    state.update(data)
    return state.finalize()


DIGESTS: dict[str, Digest] = {
    **{
        n: (lambda b, n=n: hashlib.new(n, b, usedforsecurity=False).digest())
        for n in ("md5", "sha1", "sha256", "sha512", "sha224")
    },
    "sm3": sm3,
}  # fmt: skip


@rows("c20-digest", 20)
def _digest(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    digest = DIGESTS[draw.pick(*DIGESTS)]
    return single(draw, [digest(v.encode()).hex() for v in chosen(draw, persons, names=True)])


@rows("c21-changed_digest", 21)
def _changed_digest(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    digest = DIGESTS[draw.pick(*DIGESTS)]
    size = int(draw.rng.integers(8, 17))
    show = draw.pick(
        lambda b: b.hex().upper(), lambda b: base64.b64encode(b).decode(), lambda b: b[:size].hex(),
        lambda b: b[-size:].hex(), lambda b: base64.b32encode(b[:size]).decode().rstrip("="),
        lambda b: str(int.from_bytes(b[:8], "big")),
        lambda b: base64.urlsafe_b64encode(b[:size]).decode().rstrip("="),
        lambda b: b[:size].hex()[::-1],
    )  # fmt: skip
    return single(draw, [show(digest(v.encode())) for v in chosen(draw, persons)])


@rows("c22-weak_salt", 22)
def _weak_salt(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    digest = DIGESTS[draw.pick("md5", "sha1", "sha256", "sm3")]
    salt = draw.pick("2024", "2025", "salt", "abc123", "pepper", "test", "123456", "secret", draw.domain)
    mark = draw.pick("", "_", "|", ":")
    values = chosen(draw, persons)
    texts = draw.pick([salt + mark + v for v in values], [v + mark + salt for v in values])
    return single(draw, [digest(t.encode()).hex() for t in texts])


@rows("c23-salt_beside", 23)
def _salt_beside(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    digest = DIGESTS[draw.pick("md5", "sha1", "sha256", "sm3")]
    salts = [f"{draw.rng.integers(16**8):08x}" for _ in range(persons.height)]
    a, b = heading(draw, 2)
    values = chosen(draw, persons)
    first = bool(draw.rng.integers(2))
    return pl.DataFrame(
        {
            a: salts,
            b: [
                digest((s + v if first else v + s).encode()).hex() for s, v in zip(salts, values, strict=True)
            ],
        }
    )


def _secret(draw: Draw) -> bytes:
    return draw.rng.bytes(16)


def _fpe(key: bytes, value: str) -> str:
    """A small Feistel network over the digits: the same length, digits only, reversible with the key."""
    digits = "".join(c if c.isdigit() else str(ord(c) % 10) for c in value)
    left, right = digits[: len(digits) // 2], digits[len(digits) // 2 :]
    for turn in range(6):
        word = int.from_bytes(hmac.digest(key, bytes([turn]) + right.encode(), "sha256")[:8], "big")
        left, right = right, str((int(left) + word) % 10 ** len(left)).zfill(len(left))
    return left + right


@rows("c24-keyed", 24, hard=False)
def _keyed(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    key = _secret(draw)
    box = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305  (equal values stay equal, as an attacker has it)

    def aes(value: str) -> str:
        lock = box.encryptor()
        return (lock.update(value.encode().ljust(32, b"\0")) + lock.finalize()).hex()

    turn = draw.pick(
        lambda v: hmac.digest(key, v.encode(), "sha256").hex(),
        lambda v: hmac.digest(key, v.encode(), "sha256")[:9].hex(),
        lambda v: base64.b64encode(hmac.digest(key, v.encode(), "md5")).decode(),
        aes,
        lambda v: _fpe(key, v),
        lambda v: "".join(chr(b ^ key[i % 16]) for i, b in enumerate(v.encode())).encode("utf-8").hex(),
    )
    return single(draw, [turn(v) for v in chosen(draw, persons)])


@rows("c25-kept_order", 25, hard=False, doses=("100%", "10%"))
def _kept_order(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    first = int(draw.rng.integers(1, 5000))
    numbers = [f"P{first + i:05d}" for i in range(persons.height)]
    a, b = heading(draw, 2)
    return pl.DataFrame({a: numbers, b: persons[draw.world.number]})


@rows("c26-bloom_filter", 26, hard=False)
def _bloom_filter(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    size, key = draw.pick(64, 128), _secret(draw)

    def bits(value: str) -> list[int]:
        found = np.zeros(size, dtype=int)
        for i in range(len(value) - 1):
            word = hmac.digest(key, value[i : i + 2].encode(), "sha256")
            found[[b % size for b in word[:4]]] = 1
        return [int(b) for b in found]

    rows_of = [bits(v) for v in chosen(draw, persons, names=True)]
    if draw.rng.random() < 0.5:
        return single(draw, [f"{int(''.join(map(str, b)), 2):0{size // 4}x}" for b in rows_of])
    return pl.DataFrame({f"f{i}": [b[i] for b in rows_of] for i in range(min(size, 64))})
