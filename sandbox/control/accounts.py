"""Accounts, memberships and tokens: given by the administrator, bounded by the separation of duty."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sandbox.authorisation.affiliation import apart, no_redevelopment, one_side
from sandbox.control import codes  # noqa: F401
from sandbox.control.decisions import ANYTHING, Scope, Use
from sandbox.control.door import Control, Sight
from sandbox.core.actor import MANAGING, OPERATING, Actor, Role
from sandbox.core.errors import SandboxError, fail
from sandbox.core.resource import Resource
from sandbox.store import Account, Membership, Reader, Writer


def may_hold(organisation: Resource, role: Role) -> None:
    """The organisation is active and registered for the role; a connector acts for a provider.

    Raises ORGANISATION_INACTIVE, ROLE_NOT_REGISTERED.
    """
    if organisation.state != "active":
        raise fail("ORGANISATION_INACTIVE", organisation=organisation.id)
    registered = set(organisation.spec["roles"])
    needed = {Role.CONNECTOR: Role.PROVIDER, Role.REVIEWER: Role.IMPLEMENTING_BODY}.get(role, role)
    if role not in registered and needed not in registered:
        raise fail("ROLE_NOT_REGISTERED", organisation=organisation.id, role=str(role))


def both_sides(writer: Writer, control: Control, account: Account) -> None:
    """SD-1 and SD-3 over everything that this natural person would hold, in every account.

    Raises SOD_MANAGE_OPERATE, SOD_REDEV.
    """
    others = [a for a in writer.accounts() if a.person == account.person and a.id != account.id]
    held = {(m.organisation, m.role) for a in (account, *others) for m in a.memberships}
    one_side({role for _, role in held}, account.id)
    sight = Sight(writer)
    managing = {organisation for organisation, role in held if role in MANAGING}
    operating = {organisation for organisation, role in held if role in OPERATING}
    for a in sorted(managing):
        for b in sorted(operating):
            apart(sight, control.policy, a, b)
    for operator in sorted({o for o, role in held if role == Role.OPERATOR}):
        for developer in sorted({o for o, role in held if role == Role.DEVELOPER}):
            if sight.find("agreement", labels={"operator": operator}):
                no_redevelopment(sight, control.policy, operator, developer)
                raise fail("SOD_REDEV", operator=operator, other=developer)


def open_account(control: Control, actor: Actor, id: str, name: str, person: str) -> Account:
    """A new account of a natural person (or machine) without any membership. Only for administrators."""
    administrators_only(control, actor, "open-account", id)
    with control.store.write() as writer:
        if writer.account(id) is not None:
            raise fail("EXISTS", kind="account", id=id)
        entry = control._entry(actor, "open-account", f"account/{id}")
        return writer.put_account(Account(id, name, person), entry)


def add_membership(control: Control, actor: Actor, id: str, organisation: str, role: Role) -> Account:
    """Let an account act for ``organisation`` as ``role``; refused where duties would meet (R-068, R-070)."""
    administrators_only(control, actor, "add-membership", id)
    try:
        with control.store.write() as writer:
            account = writer.account(id)
            if account is None:
                raise fail("NOT_FOUND", kind="account", id=id)
            found = writer.get("organisation", organisation)
            if found is None:
                raise fail("NOT_FOUND", kind="organisation", id=organisation)
            may_hold(found, role)
            wanted = replace(account, memberships=(*account.memberships, Membership(organisation, role)))
            both_sides(writer, control, wanted)
            entry = control._entry(
                actor,
                "add-membership",
                f"account/{id}",
                details={"organisation": organisation, "role": str(role)},
            )
            return writer.put_account(wanted, entry)
    except SandboxError as error:
        control.note(actor, "add-membership", f"account/{id}", reason=error.code)
        raise


def give_token(
    control: Control, actor: Actor, id: str, name: str, days: int = 90, *, scope: Scope = Scope.DECIDE
) -> str:
    """An API token, shown this once; only its hash is stored. ``scope`` bounds what it may be used for."""
    administrators_only(control, actor, "give-token", id)
    with control.store.write() as writer:
        entry = control._entry(
            actor, "give-token", f"account/{id}", details={"name": name, "scope": str(scope)}
        )
        until = control.clock() + timedelta(days=days)
        return writer.put_token(id, name, until, entry, scope=str(scope))


def revoke_token(control: Control, actor: Actor, id: str, name: str) -> None:
    """End the account's tokens called ``name`` at once; NOT_FOUND if none is in force."""
    administrators_only(control, actor, "revoke-token", id)
    with control.store.write() as writer:
        writer.revoke_token(
            id, name, control._entry(actor, "revoke-token", f"account/{id}", details={"name": name})
        )


def set_disabled(control: Control, actor: Actor, id: str, disabled: bool) -> Account:
    """Shut an account out at once (its tokens stop, its sessions end), or let it in again.

    NOT_FOUND if there is none.
    """
    event = "disable-account" if disabled else "enable-account"
    administrators_only(control, actor, event, id)
    with control.store.write() as writer:
        account = writer.account(id)
        if account is None:
            raise fail("NOT_FOUND", kind="account", id=id)
        if disabled:  # and not only refused at the next use: none comes to life again with the account
            writer.end_sessions(id)
        entry = control._entry(actor, event, f"account/{id}")
        return writer.put_account(replace(account, disabled=disabled), entry)


def sign_in(control: Control, token: str, acting: str, use: Use = ANYTHING) -> Actor:
    """Who is behind a token. ``acting`` is ``role@organisation``; empty if the account has only one.

    ``use`` is what the token is about to be used for: the one place where its scope is asked. Raises
    NO_TOKEN, ACTING_AS (not one of the account's memberships), ORGANISATION_INACTIVE (the organisation is
    suspended or has left), SCOPE (noted in the log).
    """
    with control.store.read() as reader:
        held = reader.token_of(token, control.clock())
        account = reader.account(held.account) if held is not None else None
        if held is None or account is None or account.disabled:
            raise fail("NO_TOKEN")
        actor = standing(reader, account, acting)
    scope = Scope(held.scope)
    if not scope.covers(use.scope):
        control.note(actor, use.event, use.object, reason="SCOPE", token=held.name)
        raise fail("SCOPE", scope=str(scope), needed=str(use.scope))
    return actor


def standing(reader: Reader, account: Account, acting: str) -> Actor:
    """Who acts when ``account`` acts as ``acting`` (``role@organisation``; empty: its only membership).

    The one rule of tokens and sessions; whether the account is disabled is asked before. Raises ACTING_AS,
    ORGANISATION_INACTIVE.
    """
    held = {f"{m.role}@{m.organisation}": m for m in account.memberships}
    if not acting and len(held) == 1:
        acting = next(iter(held))
    if acting not in held:
        raise fail("ACTING_AS", may=", ".join(sorted(held)) or "-")
    chosen = held[acting]
    organisation = reader.get("organisation", chosen.organisation)
    if organisation is not None and organisation.state in ("suspended", "exited"):
        raise fail("ORGANISATION_INACTIVE", organisation=organisation.id)
    return Actor(account.id, account.person, chosen.organisation, Role(chosen.role))


def administrators_only(control: Control, actor: Actor, event: str, id: str) -> None:
    """Raises ROLE, and notes it, unless an administrator (or the system) does ``event`` to account ``id``."""
    if actor.role not in (Role.SPACE_ADMIN, Role.SYSTEM):
        control.note(actor, event, f"account/{id}", reason="ROLE")
        raise fail("ROLE", role=str(actor.role), event=event, may=str(Role.SPACE_ADMIN))
