"""What the console asks of identity. Each call is one or two transactions, and each change is in the log."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
from argon2 import PasswordHasher

from sandbox.control.accounts import administrators_only, standing
from sandbox.control.decisions import needs_step_up
from sandbox.control.door import Control
from sandbox.control.identity import passwords
from sandbox.control.identity.attempts import Attempts, Limit, place, secret_of
from sandbox.control.identity.journal import Journal
from sandbox.control.identity.oidc import TICKET_SECONDS, Configured, Provider
from sandbox.control.identity.passwords import Passwords
from sandbox.control.identity.sessions import (
    TOUCH,
    Grant,
    Session,
    Terms,
    new_row,
    offered,
    present,
    shown,
    turned,
)
from sandbox.core.actor import Actor
from sandbox.core.errors import SandboxError, fail
from sandbox.store import Account, Link, Password, SessionRow, Writer
from sandbox.store.reader import token_hash

if TYPE_CHECKING:
    from sandbox.control.space import Settings


class Identity:
    """Signing in, sessions and passwords of one space. Safe for threads; ``hasher`` and
    ``transport`` (to an identity provider) are for tests."""

    def __init__(
        self,
        control: Control,
        settings: Settings,
        *,
        hasher: PasswordHasher | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._control = control
        self._settings = settings
        self._passwords = Passwords(hasher)
        self._transport = transport

    # --- signing in and out

    def sign_in(self, account: str, password: str, address: str) -> Grant:
        """A new session for who knows the password. ``address`` is the network address of the browser.

        Raises SIGN_IN (one answer for an unknown account, a wrong or expired password and a disabled
        account), TOO_MANY_ATTEMPTS, SIGN_IN_BUSY.
        """
        limits = self._attempts.sign_in(account, address)
        attempt = self._begin(limits, "sign-in", account, address)
        with self._control.store.read() as reader:
            known, stored = reader.account(account), reader.password(account)
        right = self._check(stored, password, attempt)
        hash = self._passwords.hash(password) if right and stored and self._passwords.outdated(stored) else ""
        if right and stored is not None and known is not None and not known.disabled:
            with self._control.store.write() as writer:
                now_known = writer.account(account)
                # what was compared is still what stands
                if now_known is not None and not now_known.disabled and writer.password(account) == stored:
                    self._attempts.succeed(writer, limits, attempt)
                    if hash:
                        writer.rehash(stored, hash)
                    return self._enter(writer, now_known, "local", address)
        self._refuse(account, address, "SIGN_IN")
        raise fail("SIGN_IN")

    def sign_out(self, session_id: str) -> None:
        """End the session; one that has ended already is no error."""
        with self._control.store.write() as writer:
            row = writer.session(token_hash(session_id))
            if row is not None:
                writer.end_session(row.sha256, self._journal.of(row, "sign-out"))

    # --- using a session

    def open(self, session_id: str, *, touch: bool = True) -> Session:
        """Who is there. ``touch=False`` for what the page asks by itself: polling keeps nobody signed in.

        Raises NO_SESSION; a session whose account, membership or organisation no longer stands is ended.
        """
        now = self._control.clock()
        try:
            with self._control.store.read() as reader:
                row = present(reader, session_id, self._terms, now)
                session = shown(reader, row, self._terms, now)
        except SandboxError as error:
            if error.code != "NO_SESSION":
                self._end(session_id, error.code)
            raise fail("NO_SESSION") from error
        if touch and now - row.seen_at >= TOUCH:
            with self._control.store.write() as writer:
                writer.touch_session(row.sha256, now)
            session = replace(session, ends_at=self._terms.ends_at(replace(row, seen_at=now)))
        return session

    def choose(self, session_id: str, acting: str) -> Grant:
        """Act as ``role@organisation`` from now on, under a new id; a confirmed identity does not carry over.

        Raises NO_SESSION, PASSWORD_MUST_CHANGE, ACTING_AS, ORGANISATION_INACTIVE.
        """
        self._ready(session_id)
        try:
            with self._control.store.write() as writer:
                row, account = self._standing(writer, session_id)
                standing(writer, account, acting or "-")
                return self._turn(writer, row, "choose-role", acting=acting, stepped_up_at=None)
        except SandboxError as error:
            if error.code in ("ACTING_AS", "ORGANISATION_INACTIVE"):
                self._note_refused(session_id, "choose-role", error.code)
            raise

    def step_up(self, session_id: str, password: str, address: str) -> Grant:
        """Confirm one's identity by the password: the session goes on under a new id, open to decisions.

        Raises NO_SESSION, PASSWORD_MUST_CHANGE, PASSWORD_WRONG, TOO_MANY_ATTEMPTS, SIGN_IN_BUSY.
        """
        self._ready(session_id)
        account, stored, limits, attempt = self._again(session_id, "step-up", password, address)
        with self._control.store.write() as writer:
            row, _ = self._standing(writer, session_id)
            if writer.password(account.id) != stored:
                raise fail("PASSWORD_WRONG")
            self._attempts.succeed(writer, limits, attempt)
            return self._turn(writer, row, "step-up", address=address, stepped_up_at=self._control.clock())

    def change_password(self, session_id: str, old: str, new: str, address: str) -> Grant:
        """Change one's password: all other sessions of the account end, this one goes on under a new id.

        Raises NO_SESSION, PASSWORD_WRONG, PASSWORD_WEAK, TOO_MANY_ATTEMPTS, SIGN_IN_BUSY.
        """
        account, stored, limits, attempt = self._again(session_id, "change-password", old, address)
        names = [account.id, account.name, *(m.organisation for m in account.memberships)]
        same = passwords.normal(old) == passwords.normal(new)
        if same or passwords.weak(new, [*names, *self._named(account)]):
            self._note_refused(session_id, "change-password", "PASSWORD_WEAK")
            raise fail("PASSWORD_WEAK", least=passwords.LEAST, most=passwords.MOST)
        hash = self._passwords.hash(new)
        with self._control.store.write() as writer:
            row, account = self._standing(writer, session_id)
            if writer.password(account.id) != stored:
                raise fail("PASSWORD_WRONG")
            now = self._control.clock()
            self._attempts.succeed(writer, limits, attempt)
            ended = writer.end_sessions(account.id) - 1
            chosen = row.acting or offered(writer, account)
            id, kept = turned(row, now, stepped_up_at=now, acting=chosen)
            entry = self._journal.of(kept, "change-password", address=place(address), ended=ended)
            writer.put_password(Password(account.id, hash, False, None, now), entry)
            writer.open_session(kept, self._journal.of(kept, "step-up", address=place(address)))
            return Grant(id, shown(writer, kept, self._terms, now))

    # --- what an administrator does

    def start_password(self, actor: Actor, id: str) -> str:
        """Give an account a start password, shown this once, to be changed at first sign-in; its sessions
        end. Raises ROLE, NOT_FOUND."""
        administrators_only(self._control, actor, "set-password", id)
        with self._control.store.read() as reader:
            if reader.account(id) is None:
                raise fail("NOT_FOUND", kind="account", id=id)
        made = passwords.start_password()
        hash, now = self._passwords.hash(made), self._control.clock()
        until = now + timedelta(hours=int(self._control.policy.get("sign_in.start_password_hours")))
        with self._control.store.write() as writer:
            ended = writer.end_sessions(id)
            details = {"ended": ended, "until": until.isoformat()}
            entry = self._control._entry(actor, "set-password", f"account/{id}", details=details)
            writer.put_password(Password(id, hash, True, until, now), entry)
        return made

    def link(self, actor: Actor, id: str, issuer: str, sub: str) -> None:
        """Let the subject ``sub`` of an identity provider sign in as an account. Raises ROLE, NOT_FOUND,
        EXISTS, MALFORMED."""
        self._linking(actor, "link-account", Link(issuer, sub, id))

    def unlink(self, actor: Actor, id: str, issuer: str, sub: str) -> None:
        """Take such a link away; the account's sessions end. Raises ROLE, NOT_FOUND."""
        self._linking(actor, "unlink-account", Link(issuer, sub, id))

    def _linking(self, actor: Actor, event: str, link: Link) -> None:
        administrators_only(self._control, actor, event, link.account)
        details = {"issuer": link.issuer, "sub": self._attempts.key("sub", link.sub)}
        entry = self._control._entry(actor, event, f"account/{link.account}", details=details)
        with self._control.store.write() as writer:
            if writer.account(link.account) is None:
                raise fail("NOT_FOUND", kind="account", id=link.account)
            if event == "link-account":
                writer.link(link, entry)
            else:
                writer.unlink(link, entry)
                writer.end_sessions(link.account)

    # --- decisions

    @staticmethod
    def needs_step_up(kind: str, event: str) -> bool:
        """Whether ``event`` of ``kind`` needs a fresh confirmation of identity."""
        return needs_step_up(kind, event)

    def require_fresh(self, session: Session, kind: str, event: str) -> None:
        """Raises STEP_UP if ``event`` is a decision and the identity was not confirmed just now."""
        fresh = session.fresh_until is not None and self._control.clock() < session.fresh_until
        if needs_step_up(kind, event) and not fresh:
            raise fail("STEP_UP")

    # --- by an identity provider

    @property
    def oidc_enabled(self) -> bool:
        """Whether one is configured."""
        settings = self._settings
        return bool(settings.oidc_issuer and settings.oidc_client and settings.oidc_redirect)

    def oidc_begin(self, session_id: str = "") -> tuple[str, str]:
        """Where to send the browser, and the ticket for its cookie, good for ten minutes and once.

        With ``session_id`` it is a confirmation of identity for that session (``step_up`` of accounts
        without a local password). Raises OIDC_OFF, OIDC_UNREACHABLE, OIDC_REFUSED, NO_SESSION.
        """
        if not session_id:
            return self._provider.begin()
        self.open(session_id)
        return self._provider.begin(token_hash(session_id))

    def oidc_finish(self, ticket: str, query: Mapping[str, str], address: str) -> Grant:
        """The session of the account that the provider's subject is linked to; no account is made.

        ``query`` is that of the provider's redirect. Raises OIDC_OFF, OIDC_REFUSED, OIDC_UNREACHABLE,
        SIGN_IN (nobody is linked, or disabled), NO_SESSION, TOO_MANY_ATTEMPTS.
        """
        limits = (self._attempts.address(address),)
        provider = self._provider
        attempt = self._begin(limits, "sign-in", "", address)
        try:
            found, sub = provider.finish(ticket, query)
            with self._control.store.write() as writer:
                used = self._attempts.key("ticket", found.state)
                if writer.attempts(used, self._control.clock() - timedelta(seconds=TICKET_SECONDS)):
                    raise fail("OIDC_REFUSED", why="ticket")
                linked = writer.linked(provider.configured.issuer, sub)
                account = writer.account(linked) if linked else None
                if account is None or account.disabled:
                    raise fail("SIGN_IN")
                self._attempts.succeed(writer, limits, attempt)
                writer.record_attempt(secrets.token_hex(16), used, self._control.clock())
                if found.session:
                    return self._confirmed(writer, found.session, account, address)
                return self._enter(writer, account, "oidc", address)
        except SandboxError as error:
            if error.code == "OIDC_UNREACHABLE":
                self._forget(attempt)
            else:
                why = str(error.details.get("why", error.code))
                self._refuse("", address, error.code, method="oidc", why=why)
            raise

    @functools.cached_property
    def _provider(self) -> Provider:
        """Raises OIDC_OFF."""
        settings = self._settings
        if not self.oidc_enabled:
            raise fail("OIDC_OFF")
        configured = Configured(
            settings.oidc_issuer, settings.oidc_client, settings.oidc_secret, settings.oidc_redirect
        )
        return Provider(configured, secret_of(settings.home), self._control.clock, self._transport)

    def _confirmed(self, writer: Writer, sha256: str, account: Account, address: str) -> Grant:
        row = writer.session(sha256)
        if row is None or self._terms.ends_at(row) <= self._control.clock():
            raise fail("NO_SESSION")
        if row.account != account.id:
            raise fail("OIDC_REFUSED", why="account")
        return self._turn(writer, row, "step-up", address=address, stepped_up_at=self._control.clock())

    # --- how it is done

    @functools.cached_property
    def _attempts(self) -> Attempts:
        return Attempts(self._control, secret_of(self._settings.home))

    @functools.cached_property
    def _journal(self) -> Journal:
        return Journal(self._control, self._attempts)

    @property
    def _terms(self) -> Terms:
        return Terms.of(self._control.policy)

    def _begin(self, limits: Sequence[Limit], action: str, account: str, address: str) -> tuple[str, ...]:
        """Record an attempt, before any password is looked at. Raises TOO_MANY_ATTEMPTS."""
        now = self._control.clock()
        try:
            with self._control.store.write() as writer:
                return self._attempts.begin(writer, limits, now)
        except SandboxError as error:
            if error.code == "TOO_MANY_ATTEMPTS":
                with self._control.store.write() as writer:
                    if not self._attempts.told(writer, limits, now):
                        writer.note(self._journal.stranger(writer, action, account, address, error.code))
            raise

    def _again(
        self, session_id: str, action: str, password: str, address: str
    ) -> tuple[Account, Password, Sequence[Limit], Sequence[str]]:
        """The password once more, from inside a session. Raises NO_SESSION, PASSWORD_WRONG, …"""
        session = self.open(session_id)
        limits = self._attempts.again(session.account)
        attempt = self._begin(limits, action, session.account, address)
        with self._control.store.read() as reader:
            account, stored = reader.account(session.account), reader.password(session.account)
        right = self._check(stored, password, attempt)
        if not right or account is None or stored is None:
            self._note_refused(session_id, action, "PASSWORD_WRONG", address=place(address))
            raise fail("PASSWORD_WRONG")
        return account, stored, limits, attempt

    def _check(self, stored: Password | None, password: str, attempt: Sequence[str]) -> bool:
        try:
            return self._passwords.check(stored, password, self._control.clock())
        except SandboxError:  # too busy to look: that is nobody's failed attempt
            self._forget(attempt)
            raise

    def _forget(self, attempt: Sequence[str]) -> None:
        with self._control.store.write() as writer:
            self._attempts.take_back(writer, attempt)

    def _ready(self, session_id: str) -> None:
        if self.open(session_id).must_change:
            raise fail("PASSWORD_MUST_CHANGE")

    def _standing(self, writer: Writer, session_id: str) -> tuple[SessionRow, Account]:
        """The session's row and account, inside the transaction that changes it. Raises NO_SESSION."""
        row = present(writer, session_id, self._terms, self._control.clock())
        account = writer.account(row.account)
        if account is None or account.disabled:
            raise fail("NO_SESSION")
        return row, account

    def _enter(self, writer: Writer, account: Account, method: str, address: str) -> Grant:
        """Begin a session, in the caller's transaction; one by a start password acts as nobody yet."""
        now = self._control.clock()
        password = writer.password(account.id) if method == "local" else None
        acting = "" if password is not None and password.must_change else offered(writer, account)
        id, row = new_row(account.id, acting, method, now)
        writer.open_session(row, self._journal.of(row, "sign-in", method=method, address=place(address)))
        return Grant(id, shown(writer, row, self._terms, now))

    def _turn(self, writer: Writer, row: SessionRow, action: str, address: str = "", **changed: Any) -> Grant:
        """The session goes on under a new id, in the caller's transaction."""
        now = self._control.clock()
        id, fresh = turned(row, now, **changed)
        details = {"address": place(address)} if address else {}
        writer.turn_session(row.sha256, fresh, self._journal.of(fresh, action, **details))
        return Grant(id, shown(writer, fresh, self._terms, now))

    def _end(self, session_id: str, reason: str) -> None:
        with self._control.store.write() as writer:
            row = writer.session(token_hash(session_id))
            if row is not None:
                writer.end_session(row.sha256, self._journal.of(row, "end-session", cause=reason))

    def _refuse(self, account: str, address: str, reason: str, **details: str) -> None:
        with self._control.store.write() as writer:
            writer.note(self._journal.stranger(writer, "sign-in", account, address, reason, **details))

    def _note_refused(self, session_id: str, action: str, reason: str, **details: str) -> None:
        with self._control.store.write() as writer:
            row = writer.session(token_hash(session_id))
            if row is not None:
                writer.note(self._journal.of(row, action, reason, **details))

    def _named(self, account: Account) -> list[str]:
        """The names of the organisations that the account acts for."""
        with self._control.store.read() as reader:
            found = [reader.get("organisation", m.organisation) for m in account.memberships]
        return [str(one.spec[key]) for one in found if one for key in ("name_zh", "name_en")]
