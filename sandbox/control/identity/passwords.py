"""Local passwords: argon2id with the library's defaults, rules of NIST SP 800-63B (length, no composition).

A hash takes 64 MiB and tens to hundreds of milliseconds: it is made outside every transaction, no more
than ``AT_ONCE`` at a time: a flood of sign-ins takes neither the memory nor the threads of the server.
"""

from __future__ import annotations

import functools
import itertools
import re
import secrets
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sandbox.control import codes  # noqa: F401 - states the error codes raised here
from sandbox.core.errors import fail
from sandbox.store import Password

LEAST, MOST = 12, 200  # characters; SP 800-63B asks for 8 and at least 64 that are accepted
LEFT = 8  # characters that must be left beside names and common words, and of how many kinds
LEFT_KINDS = 5
AT_ONCE, WAIT_SECONDS = 2, 10.0
COMMON = (
    *("password", "passw0rd", "p@ssw0rd", "passwort", "mima", "密码", "口令", "admin", "root", "user"),
    *("qwertyuiop", "asdfghjkl", "zxcvbnm", "qwerty", "asdfgh", "1qaz2wsx", "welcome", "letmein", "iloveyou"),
    *("woaini", "changeme", "sandbox", "secret", "abc123", "123456", "888888", "666666", "shujuju"),
)
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is read as something else
GROUPS, GROUP = 5, 4  # of a start password: 99 bits


def normal(password: str) -> str:
    """NFKC, as SP 800-63B has it: the same password from every keyboard."""
    return unicodedata.normalize("NFKC", password)


def start_password() -> str:
    """A random password to be read out or copied once: five groups of four, 99 bits."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))
    return "-".join(groups)


def weak(password: str, names: Iterable[str]) -> bool:
    """Whether ``password`` may not be chosen by someone called, and working for, ``names``."""
    text = normal(password).casefold()
    if not LEAST <= len(text) <= MOST or "\x00" in text:
        return True
    steps = [ord(b) - ord(a) for a, b in itertools.pairwise(text)]
    if sum(step in (-1, 0, 1) for step in steps) * 4 >= len(steps) * 3:
        return True  # aaaa…, 1234…, dcba…
    known = {normal(name).casefold() for name in names} | set(COMMON)
    words = sorted((re.escape(word) for word in known if len(word) > 1), key=len, reverse=True)
    left = re.sub("|".join([*words, r"\s"]), "", text)
    return len(left) < LEFT or len(set(left)) < LEFT_KINDS


class Passwords:
    """Hashes and compares. ``hasher`` is given by tests and by an operator of stronger machines."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def hash(self, password: str) -> str:
        """The argon2id hash of a password, with parameters and salt. Raises SIGN_IN_BUSY."""
        with self._turn():
            return self._hasher.hash(_bytes(password))

    def check(self, known: Password | None, password: str, now: datetime) -> bool:
        """Whether ``password`` is the one that is known and still in force.

        Without a known one the same work is done, on a hash of nobody's. Raises SIGN_IN_BUSY.
        """
        dummy = self._dummy
        fits = len(password) <= MOST
        with self._turn():
            try:
                self._hasher.verify(known.hash if known else dummy, _bytes(password if fits else ""))
            except (VerificationError, InvalidHashError):
                return False
        return known is not None and fits and (known.expires_at is None or now < known.expires_at)

    def outdated(self, known: Password) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(known.hash)

    @functools.cached_property
    def _dummy(self) -> str:
        return self.hash(secrets.token_urlsafe(32))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=WAIT_SECONDS):
            raise fail("SIGN_IN_BUSY")
        try:
            yield
        finally:
            self._turns.release()


def _bytes(password: str) -> bytes:
    return normal(password).encode("utf-8", "surrogatepass")
