"""Limits on guessing, in the database, as several processes answer.

An attempt is recorded before the password is looked at and taken back when it was right: those who guess in
parallel get no more than those who guess in turn. What is counted is named by a keyed hash.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path

from sandbox.control.door import Control
from sandbox.core.errors import fail
from sandbox.store import Writer

NETWORK6 = 64  # bits of an IPv6 address that one subscriber is given: what is below is theirs to choose


def place(address: str) -> str:
    """A network address as it is counted and logged: IPv4, the /64 of IPv6, "-" for anything else."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "-"
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        return str(mapped)
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found), NETWORK6), strict=False))


@dataclass(frozen=True)
class Limit:
    """At most ``most`` attempts under ``key`` in the window; a success clears them where that is said."""

    key: str
    most: int
    cleared: bool = True


class Attempts:
    """The limits of one space. ``secret`` keys the hashes of what is counted."""

    def __init__(self, control: Control, secret: bytes) -> None:
        self._control = control
        self._secret = secret

    def key(self, what: str, name: str) -> str:
        """The keyed hash of a name, separate for each ``what``."""
        text = f"{what}\x00{name}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()

    def sign_in(self, account: str, address: str) -> tuple[Limit, Limit]:
        """The limits of a sign-in: of the account, known or not, and of the network address."""
        return (
            Limit(self.key("account", account), int(self._control.policy.get("sign_in.failures_account"))),
            self.address(address),
        )

    def address(self, address: str) -> Limit:
        """The limit of a network address; who has an account of their own does not clear it by signing in."""
        most = int(self._control.policy.get("sign_in.failures_address"))
        return Limit(self.key("address", place(address)), most, cleared=False)

    def again(self, account: str) -> tuple[Limit, ...]:
        """The limit inside an open session: of its own, as strangers must not lock it out."""
        return (
            Limit(self.key("session", account), int(self._control.policy.get("sign_in.failures_account"))),
        )

    def begin(self, writer: Writer, limits: Sequence[Limit], now: datetime) -> tuple[str, ...]:
        """Record an attempt under each limit; their ids, to be taken back by ``succeed``.

        Raises TOO_MANY_ATTEMPTS with the seconds until there is room again; then nothing is recorded.
        """
        window = self.window
        if full := self._full(writer, limits, now):
            waits = [before[-limit.most] + window - now for limit, before in full]
            raise fail("TOO_MANY_ATTEMPTS", seconds=max(1, ceil(max(waits).total_seconds())))
        ids = tuple(secrets.token_hex(16) for _ in limits)
        for id, limit in zip(ids, limits, strict=True):
            writer.record_attempt(id, limit.key, now)
        return ids

    def succeed(self, writer: Writer, limits: Sequence[Limit], ids: Sequence[str]) -> None:
        """It was right: take it back, and the earlier failures with it that a success clears."""
        for id, limit in zip(ids, limits, strict=True):
            writer.forget_attempts(id=id, key=limit.key if limit.cleared else "")

    @staticmethod
    def take_back(writer: Writer, ids: Sequence[str]) -> None:
        """Nothing was tried: the password was not looked at."""
        for id in ids:
            writer.forget_attempts(id=id)

    def told(self, writer: Writer, limits: Sequence[Limit], now: datetime) -> bool:
        """Whether the log has been told, in this window, of one of the limits that refuse; now it has.

        One entry a window and limit: who floods must not fill a log that nothing is taken out of.
        """
        keys = [self.key("told", limit.key) for limit, _ in self._full(writer, limits, now)]
        if any(writer.attempts(key, now - self.window) for key in keys):
            return True
        for key in keys:
            writer.record_attempt(secrets.token_hex(16), key, now)
        return False

    def _full(
        self, writer: Writer, limits: Sequence[Limit], now: datetime
    ) -> list[tuple[Limit, list[datetime]]]:
        counted = [(limit, writer.attempts(limit.key, now - self.window)) for limit in limits]
        return [(limit, before) for limit, before in counted if len(before) >= limit.most]

    @property
    def window(self) -> timedelta:
        """The length of time in which attempts count."""
        return timedelta(minutes=int(self._control.policy.get("sign_in.window_minutes")))


def secret_of(home: Path) -> bytes:
    """The key of these hashes and of sealed tickets, derived from the space's token key."""
    root = bytes.fromhex((home / "keys" / "token.key").read_text())
    return hmac.new(root, b"sandbox identity 1", hashlib.sha256).digest()
