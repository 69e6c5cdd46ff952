"""What the log is told of who comes in: neither a password nor the id of a session is in an entry."""

from __future__ import annotations

from typing import Any

from sandbox.control.door import Control
from sandbox.control.identity.attempts import Attempts, place
from sandbox.core.resource import Entry
from sandbox.store import Reader, SessionRow

NOBODY = "-"  # the actor of an entry about someone who is not known to be anyone; no account is called so


class Journal:
    """Makes the entries; who calls writes them, in the transaction of the change."""

    def __init__(self, control: Control, attempts: Attempts) -> None:
        self._control = control
        self._attempts = attempts

    def of(self, row: SessionRow, action: str, reason: str = "", **details: Any) -> Entry:
        """What was done, or with ``reason`` refused, in a session."""
        role, _, organisation = row.acting.partition("@")
        return self._made(row.account, organisation, role, action, f"account/{row.account}", reason, details)

    def stranger(
        self, reader: Reader, action: str, account: str, address: str, reason: str, **details: str
    ) -> Entry:
        """A refusal outside any session.

        Of a name that is no account only a keyed hash is told: people type passwords into that field.
        """
        known = reader.account(account) is not None
        told = {"address": place(address), **details}
        if account and not known:
            told["name"] = self._attempts.key("name", account)
        object = f"account/{account}" if known else "account/-"
        return self._made(NOBODY, "", "", action, object, reason, told)

    def _made(
        self,
        actor: str,
        organisation: str,
        role: str,
        action: str,
        object: str,
        reason: str,
        details: dict[str, Any],
    ) -> Entry:
        return Entry(
            at=self._control.clock(),
            actor=actor,
            organisation=organisation,
            role=role,
            action=action,
            object=object,
            outcome="refused" if reason else "done",
            reason=reason,
            policy=self._control.policy.id,
            details=details,
        )
