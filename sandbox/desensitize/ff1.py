"""FF1 of NIST SP 800-38G (revision 1, second draft, 2025), vectorised: many numerals at once, AES or SM4.

One call of the block cipher a round encrypts the blocks of all values (ECB over the stacked blocks, which is
what the CBC-MAC of FF1 comes to where all blocks but the last are the same for everyone). FF3 and FF3-1 were
withdrawn in that draft and are not here. Block cipher: ``cryptography`` (OpenSSL).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from sandbox.desensitize.transforms.base import NoCipher

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numerals = NDArray[np.uint8]

ROUNDS = 10
LEAST_DOMAIN = 1_000_000  # SP 800-38G revision 1, section 5.2: radix ** length
_WIDEST = 1 << 56  # radix ** half: products of a byte with a half stay below 2**64
_AT_ONCE = 1 << 15  # values; their blocks stay in the processor's cache
KEY_BYTES = {"aes": (16, 24, 32), "sm4": (16,)}
Cipher = Literal["aes", "sm4"]


def _ecb(key: bytes, cipher: Cipher) -> Callable[[bytes | memoryview], bytes]:
    """The block cipher over stacked blocks. Raises NoCipher where the library is not there."""
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher as Machine
        from cryptography.hazmat.primitives.ciphers import algorithms, modes
    except ImportError:
        raise NoCipher from None
    made = algorithms.AES(key) if cipher == "aes" else algorithms.SM4(key)
    machine = Machine(made, modes.ECB())  # noqa: S305 - the raw block cipher is what FF1 is built of

    def encrypt(blocks: bytes | memoryview) -> bytes:
        worker = machine.encryptor()
        return worker.update(blocks) + worker.finalize()

    return encrypt


class FF1:
    """FF1 under one key, radix (2 to 256), and tweak. ``key``: bytes of a length in ``KEY_BYTES``."""

    def __init__(self, key: bytes, radix: int, cipher: Cipher = "aes", tweak: bytes = b"") -> None:
        if len(key) not in KEY_BYTES[cipher] or not 2 <= radix <= 256 or len(tweak) >= 1 << 32:
            raise ValueError("FF1: key, radix or tweak")
        self._cipher = _ecb(key, cipher)
        self.radix = radix
        self.tweak = tweak

    def longest(self) -> int:
        """The most numerals that a value may have."""
        half = 1
        while self.radix ** (half + 1) < _WIDEST:
            half += 1
        return 2 * half

    def encrypt(self, numerals: Numerals) -> Numerals:
        """Rows of numerals (each below the radix, all of one length) enciphered, one by one.

        Raises ValueError for a domain below 10⁶, a value that is too long, or a numeral out of range."""
        return self._walk(numerals, range(ROUNDS), forward=True)

    def decrypt(self, numerals: Numerals) -> Numerals:
        """The inverse of ``encrypt``."""
        return self._walk(numerals, range(ROUNDS - 1, -1, -1), forward=False)

    def _walk(self, numerals: Numerals, rounds: range, forward: bool) -> Numerals:
        count, length = numerals.shape
        if self.radix**length < LEAST_DOMAIN or length > self.longest():
            raise ValueError("FF1: length")
        if count and int(numerals.max()) >= self.radix:
            raise ValueError("FF1: numeral")
        out = np.empty_like(numerals)
        for start in range(0, count, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            out[part] = self._block(numerals[part], rounds, forward)
        return out

    def _block(self, numerals: Numerals, rounds: range, forward: bool) -> Numerals:
        """Algorithms 7 and 8 of the standard; the names are its names."""
        length = numerals.shape[1]
        u, v = length // 2, length - length // 2
        b = math.ceil((self.radix**v - 1).bit_length() / 8)
        left, right = self._number(numerals[:, :u]), self._number(numerals[:, u:])
        first, last = self._fixed(length, u, b)
        blocks = np.empty((len(numerals), 2), dtype=np.uint64)
        for i in rounds:
            modulus = np.uint64(self.radix ** (v if i % 2 else u))
            source = right if forward else left
            blocks[:, 0] = first
            blocks[:, 1] = (source ^ np.uint64(last ^ i << 8 * b)).astype(">u8").view(np.uint64)
            s = np.frombuffer(self._cipher(blocks.view(np.uint8).data), dtype=">u8").reshape(-1, 2)
            y = _remainder(s, b, int(modulus))
            if forward:
                left, right = right, _below(left + y, modulus)
            else:
                left, right = _below(right + (modulus - y), modulus), left
        return np.hstack([self._spell(left, u), self._spell(right, v)])

    def _fixed(self, length: int, u: int, b: int) -> tuple[np.uint64, int]:
        """The last block of P || Q, which alone differs between values and rounds, with the CBC-MAC of all
        blocks before it added: its first half as it lies in memory, and its second half as a number, without
        the round and the half that is enciphered: these are ``b`` + 1 bytes at its end, eight at most."""
        state = self._before(length, u, b)
        tail = len(self.tweak) + (-len(self.tweak) - b - 1) % 16
        rest = tail % 16
        padded = self.tweak + bytes(tail - len(self.tweak))
        block = padded[tail - rest :] + bytes(16 - rest) if rest else bytes(16)
        mixed = bytes(x ^ y for x, y in zip(block, state, strict=True))
        return np.frombuffer(mixed[:8], dtype=np.uint64)[0], int.from_bytes(mixed[8:], "big")

    def _before(self, length: int, u: int, b: int) -> bytes:
        """The CBC-MAC after every block but the last, which alone differs between values and rounds."""
        t = len(self.tweak)
        p = bytes([1, 2, 1]) + self.radix.to_bytes(3, "big") + bytes([10, u % 256])
        p += length.to_bytes(4, "big") + t.to_bytes(4, "big")
        fixed = p + self.tweak + bytes((-t - b - 1) % 16)
        fixed = fixed[: len(fixed) - len(fixed) % 16]
        state = bytes(16)
        for at in range(0, len(fixed), 16):
            mixed = bytes(a ^ c for a, c in zip(state, fixed[at : at + 16], strict=True))
            state = self._cipher(mixed)
        return state

    def _number(self, numerals: Numerals) -> NDArray[np.uint64]:
        value = np.zeros(len(numerals), dtype=np.uint64)
        for place in range(numerals.shape[1]):
            value = value * np.uint64(self.radix) + numerals[:, place]
        return value

    def _spell(self, value: NDArray[np.uint64], length: int) -> Numerals:
        out = np.empty((len(value), length), dtype=np.uint8)
        for place in range(length - 1, -1, -1):
            rest = value // np.uint64(self.radix)  # by a constant: a multiplication
            out[:, place] = value - rest * np.uint64(self.radix)
            value = rest
        return out


def _below(value: NDArray[np.uint64], modulus: np.uint64) -> NDArray[np.uint64]:
    """``value``, below twice the modulus, modulo it: what is less wraps to a larger number."""
    less: NDArray[np.uint64] = np.minimum(value, value - modulus)
    return less


def _modulo(value: NDArray[np.uint64], modulus: int) -> NDArray[np.uint64]:
    """``%`` by a constant, in the way that numpy does fast."""
    return value - value // np.uint64(modulus) * np.uint64(modulus)


def _remainder(s: NDArray[np.uint64], b: int, modulus: int) -> NDArray[np.uint64]:
    """NUM(S) modulo ``modulus``: S is the first 8 bytes of the rows, or 12 where a half has more than 4."""
    total = _modulo(s[:, 0].astype(np.uint64), modulus)
    if b <= 4:
        return total
    low = s[:, 1].astype(np.uint64) >> np.uint64(32)
    bits = next(bits for bits in (32, 16, 8) if modulus.bit_length() + bits <= 64)
    for taken in range(32 - bits, -1, -bits):
        part = low >> np.uint64(taken) & np.uint64((1 << bits) - 1)
        total = _modulo(total << np.uint64(bits) | part, modulus)
    return total
