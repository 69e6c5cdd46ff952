"""Sessions, passwords and the limits on guessing, on both databases."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from argon2 import PasswordHasher

from sandbox.control.identity import passwords
from sandbox.control.identity.attempts import place
from sandbox.control.identity.sessions import sweep
from sandbox.control.reconcile import Reconciler
from sandbox.core.actor import Role
from sandbox.core.errors import SandboxError
from sandbox.store.reader import token_hash
from tests.plugins.identity import HERE, OWN, THERE, House
from tests.plugins.space import ADMINISTRATOR
from tests.refusal import refused

# --- passwords


def test_a_start_password_lets_in_to_nothing_but_a_password_of_ones_own(people: House) -> None:
    who = people.identity
    start = who.start_password(ADMINISTRATOR, "reviewer")
    grant = who.sign_in("reviewer", start, HERE)
    assert grant.session.must_change
    assert grant.session.actor is None
    assert grant.session.memberships == ("reviewer@bdb",)
    for refuse in (
        lambda: who.choose(grant.session_id, "reviewer@bdb"),
        lambda: who.step_up(grant.session_id, start, HERE),
    ):
        with refused("PASSWORD_MUST_CHANGE"):
            refuse()
    after = who.change_password(grant.session_id, start, OWN, HERE)
    assert not after.session.must_change
    assert after.session.actor == people.who("reviewer")
    with refused("NO_SESSION"):
        who.open(grant.session_id)
    with refused("SIGN_IN"):
        who.sign_in("reviewer", start, HERE)
    assert who.open(people.enter("reviewer")).actor == people.who("reviewer")


def test_a_start_password_ends_and_each_one_replaces_the_last(guests: House) -> None:
    who = guests.identity
    first = who.start_password(ADMINISTRATOR, "reviewer")
    second = who.start_password(ADMINISTRATOR, "reviewer")
    assert first != second
    with refused("SIGN_IN"):
        who.sign_in("reviewer", first, HERE)
    open_one = who.sign_in("reviewer", second, HERE).session_id
    third = who.start_password(ADMINISTRATOR, "reviewer")
    with refused("NO_SESSION"):
        who.open(open_one)
    guests.clock.move(hours=73)
    with refused("SIGN_IN"):
        who.sign_in("reviewer", third, HERE)


def test_only_administrators_set_a_start_password(guests: House) -> None:
    for name in ("chief", "reviewer"):
        with refused("ROLE"):
            guests.identity.start_password(guests.who(name), "reviewer")
    with refused("NOT_FOUND"):
        guests.identity.start_password(ADMINISTRATOR, "nobody")


def test_changing_the_password_ends_every_other_session(people: House) -> None:
    first = people.equip("reviewer")
    others = [people.enter("reviewer") for _ in range(2)]
    bystander = people.equip("developer")
    after = people.identity.change_password(first, OWN, OWN + "!", HERE)
    for gone in (first, *others):
        with refused("NO_SESSION"):
            people.identity.open(gone)
    assert people.identity.open(after.session_id).fresh_until is not None
    assert people.identity.open(bystander).account == "developer"
    with refused("SIGN_IN"):
        people.enter("reviewer")
    people.enter("reviewer", OWN + "!")


@pytest.mark.parametrize(
    "new",
    [
        "short-one-1",
        "x" * 201,
        "reviewer-reviewer-1",
        "reviewer bdb 2026",
        "passwordpassword12",
        "密码密码密码密码密码密码",
        "aaaaaaaaaaaaaaaa",
        "abcdefghijklmnop",
        "987654321098765",
        "qwertyuiop123456",
        "null\x00null-null-xyz",
        OWN,
    ],
)
def test_a_weak_password_is_refused_and_the_old_one_stays(new: str, guests: House) -> None:
    id = guests.equip("reviewer")
    with refused("PASSWORD_WEAK"):
        guests.identity.change_password(id, OWN, new, HERE)
    assert guests.identity.open(id).account == "reviewer"
    guests.enter("reviewer")


@pytest.mark.parametrize(
    "new",
    [
        "correct horse battery staple",
        "一个人走在雨后的小街上很久",
        "vb7!kq2#mmz0",
        "reviewer mag Kürbissuppe",
        "y" + "ab3$" * 49,
    ],
)
def test_no_mixture_of_characters_is_asked_for(new: str) -> None:
    assert not passwords.weak(new, ["reviewer", "bdb"])


def test_the_same_password_from_another_keyboard(guests: House) -> None:
    guests.equip("reviewer", "Ｃａｆé am Ufer 7 Uhr")
    assert guests.enter("reviewer", "Café am Ufer 7 Uhr")


def test_a_hash_of_old_parameters_is_made_anew_at_sign_in(guests: House) -> None:
    guests.equip("reviewer")
    stronger = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    with guests.control.store.read() as reader:
        before = reader.password("reviewer")
    guests.another(hasher=stronger).sign_in("reviewer", OWN, HERE)
    with guests.control.store.read() as reader:
        after = reader.password("reviewer")
    assert before is not None
    assert after is not None
    assert before.hash != after.hash
    assert not stronger.check_needs_rehash(after.hash)
    assert (before.must_change, before.changed_at) == (after.must_change, after.changed_at)
    guests.enter("reviewer")


def test_the_hash_is_argon2id_with_the_librarys_defaults(guests: House) -> None:
    guests.another(hasher=None).start_password(ADMINISTRATOR, "reviewer")
    with guests.control.store.read() as reader:
        stored = reader.password("reviewer")
    assert stored is not None
    assert stored.hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_password_changed_while_it_is_compared_does_not_let_in(guests: House) -> None:
    guests.equip("reviewer")
    who = guests.identity
    slow = who._passwords.check

    def check(*given: Any) -> bool:
        right = slow(*given)
        guests.disable("reviewer")
        return right

    who._passwords.check = check  # type: ignore[method-assign]
    with refused("SIGN_IN"):
        guests.enter("reviewer")


def test_too_many_hashes_at_once_are_refused_and_count_as_nothing(
    guests: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    guests.equip("reviewer")
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)
    turns = guests.identity._passwords._turns
    for _ in range(passwords.AT_ONCE):
        turns.acquire()
    for _ in range(6):
        with refused("SIGN_IN_BUSY"):
            guests.enter("reviewer")
    for _ in range(passwords.AT_ONCE):
        turns.release()
    assert guests.enter("reviewer")


# --- sessions


def test_idle_absolute_and_fresh_run_out(people: House) -> None:
    who, clock = people.identity, people.clock
    people.equip("reviewer")
    id = people.enter("reviewer")
    assert who.open(id).fresh_until is None
    id = who.step_up(id, OWN, HERE).session_id
    fresh = who.open(id).fresh_until
    assert fresh is not None
    assert timedelta(minutes=9) < fresh - clock.now <= timedelta(minutes=10)
    clock.move(minutes=10)
    assert who.open(id).fresh_until is None
    clock.move(minutes=29)
    assert who.open(id).ends_at > clock.now + timedelta(minutes=29)
    clock.move(minutes=29)
    assert who.open(id, touch=False)  # what the page asks by itself keeps nobody signed in
    clock.move(minutes=2)
    with refused("NO_SESSION"):
        who.open(id)
    id = people.enter("reviewer")
    for _ in range(24):
        clock.move(minutes=29)
        who.open(id)
    clock.move(minutes=25)
    with refused("NO_SESSION"):
        who.open(id)


def test_stepping_up_and_choosing_do_not_lengthen_the_day(guests: House) -> None:
    guests.equip("reviewer")
    id = guests.enter("reviewer")
    for _ in range(24):
        guests.clock.move(minutes=29)
        id = guests.identity.step_up(id, OWN, HERE).session_id
    guests.clock.move(minutes=25)
    with refused("NO_SESSION"):
        guests.identity.step_up(id, OWN, HERE)


def test_a_sign_of_life_is_written_once_a_minute(guests: House) -> None:
    guests.equip("reviewer")
    id, clock = guests.enter("reviewer"), guests.clock

    def seen() -> Any:
        with guests.control.store.read() as reader:
            row = reader.session(token_hash(id))
            assert row is not None
            return row.seen_at

    begun = seen()
    clock.move(seconds=50)
    guests.identity.open(id)
    assert seen() == begun
    clock.move(seconds=20)
    guests.identity.open(id)
    assert seen() > begun


def test_the_role_is_chosen_and_changes_the_id_and_ends_what_was_confirmed(people: House) -> None:
    people.join("body", "bdb", Role.REVIEWER)
    people.equip("body")
    grant = people.identity.sign_in("body", OWN, HERE)
    assert grant.session.actor is None
    assert set(grant.session.memberships) == {"implementing_body@bdb", "reviewer@bdb"}
    first = people.identity.choose(grant.session_id, "reviewer@bdb")
    assert first.session.actor is not None
    assert first.session.actor.role == Role.REVIEWER
    fresh = people.identity.step_up(first.session_id, OWN, HERE)
    assert fresh.session.fresh_until is not None
    assert fresh.session.actor == first.session.actor
    second = people.identity.choose(fresh.session_id, "implementing_body@bdb")
    assert second.session.fresh_until is None
    assert len({grant.session.csrf, first.session.csrf, fresh.session.csrf, second.session.csrf}) == 4
    for old in (grant, first, fresh):
        with refused("NO_SESSION"):
            people.identity.open(old.session_id)
    for none_of_ours in ("operator@opco", "reviewer@bdb-two", "", "system@", "@", "x\x00y"):
        with refused("ACTING_AS"):
            people.identity.choose(second.session_id, none_of_ours)
    assert people.identity.open(second.session_id).actor == second.session.actor


def test_a_suspended_organisation_cannot_be_chosen(guests: House) -> None:
    guests.join("developer", "dev-two", Role.DEVELOPER)
    guests.equip("developer")
    id = guests.enter("developer")
    guests.suspend("dev-two")
    with refused("ORGANISATION_INACTIVE"):
        guests.identity.choose(id, "developer@dev-two")
    assert guests.identity.choose(id, "developer@dev").session.actor is not None


@pytest.mark.parametrize("what", ["disabled", "organisation", "membership"])
def test_a_session_ends_with_what_it_stands_on(what: str, people: House) -> None:
    people.equip("developer")
    id = people.enter("developer")
    if what == "disabled":
        people.disable("developer")
    elif what == "organisation":
        people.suspend("dev")
    else:
        with people.control.store.write() as writer:
            account = writer.account("developer")
            entry = people.control._entry(ADMINISTRATOR, "leave", "account/developer")
            writer.put_account(type(account)(account.id, account.name, account.person), entry)
    with refused("NO_SESSION"):
        people.identity.open(id)
    # what comes back does not bring the session back
    people.disable("developer", False)
    if what == "organisation":
        people.resume("dev")
    with refused("NO_SESSION"):
        people.identity.open(id)


def test_a_disabled_account_loses_its_sessions_at_once(guests: House) -> None:
    guests.equip("developer")
    id = guests.enter("developer")
    guests.disable("developer")
    guests.disable("developer", False)
    with refused("NO_SESSION"):
        guests.identity.open(id)


def test_signing_out_ends_the_session_and_twice_is_no_error(guests: House) -> None:
    guests.equip("developer")
    id, other = guests.enter("developer"), guests.enter("developer")
    for _ in range(2):
        guests.identity.sign_out(id)
    guests.identity.sign_out("nonsense")
    with refused("NO_SESSION"):
        guests.identity.open(id)
    assert guests.identity.open(other)


def test_the_sweep_removes_what_has_run_out_and_nothing_else(people: House) -> None:
    people.equip("developer")
    old = people.enter("developer")
    with refused("SIGN_IN"):
        people.enter("developer", "wrong")
    people.clock.move(minutes=31)
    new = people.enter("developer")
    with refused("SIGN_IN"):
        people.enter("nobody", "wrong")
    sessions, attempts = sweep(people.control)
    assert sessions == 2  # the one of the first sign-in and the old one
    assert attempts == 1  # of the address; the account's were cleared by signing in
    assert sweep(people.control) == (0, 0)
    assert people.identity.open(new)
    with refused("NO_SESSION"):
        people.identity.open(old)


def test_the_worker_sweeps(guests: House) -> None:
    guests.equip("developer")
    guests.clock.move(hours=1)
    worker = Reconciler(SimpleNamespace(control=guests.control), None, "node-1")  # type: ignore[arg-type]
    worker.sweep_sessions()
    assert sweep(guests.control) == (0, 0)


def test_a_decision_needs_a_fresh_confirmation_and_the_rest_does_not(guests: House) -> None:
    guests.equip("reviewer")
    id, who = guests.enter("reviewer"), guests.identity
    session = who.open(id)
    with refused("STEP_UP"):
        who.require_fresh(session, "egress-request", "approve")
    who.require_fresh(session, "job", "create")
    session = who.step_up(id, OWN, HERE).session
    who.require_fresh(session, "egress-request", "approve")
    guests.clock.move(minutes=10)
    with refused("STEP_UP"):
        who.require_fresh(session, "egress-request", "approve")


def test_stepping_up_needs_the_password(guests: House) -> None:
    guests.equip("reviewer")
    id = guests.enter("reviewer")
    with refused("PASSWORD_WRONG"):
        guests.identity.step_up(id, OWN + "x", HERE)
    assert guests.identity.open(id).fresh_until is None
    assert guests.identity.step_up(id, OWN, HERE).session.fresh_until is not None


# --- the log


def test_everything_is_in_the_log_and_no_secret_is(people: House) -> None:
    who = people.identity
    start = len(people.log())
    first = who.start_password(ADMINISTRATOR, "reviewer")
    grant = who.sign_in("reviewer", first, HERE)
    changed = who.change_password(grant.session_id, first, OWN, HERE)
    fresh = who.step_up(changed.session_id, OWN, HERE)
    chosen = who.choose(fresh.session_id, "reviewer@bdb")
    who.sign_out(chosen.session_id)
    typed = "my-Secret-typed-as-a-name"
    for account, password in (("reviewer", "wrong-password-1"), (typed, "wrong-password-2")):
        with refused("SIGN_IN"):
            who.sign_in(account, password, THERE)
    who.link(ADMINISTRATOR, "reviewer", "https://id.example", "sub-1234")
    assert people.actions(start) == [
        ("set-password", "done", ""),
        ("sign-in", "done", ""),
        ("change-password", "done", ""),
        ("step-up", "done", ""),
        ("step-up", "done", ""),
        ("choose-role", "done", ""),
        ("sign-out", "done", ""),
        ("sign-in", "refused", "SIGN_IN"),
        ("sign-in", "refused", "SIGN_IN"),
        ("link-account", "done", ""),
    ]
    entries = people.log(start)
    assert [one.object for one in entries[-3:-1]] == ["account/reviewer", "account/-"]
    assert entries[-2].details["address"] == THERE
    text = repr(entries)
    secrets = [first, OWN, typed, "wrong-password-1", "wrong-password-2"]
    secrets += [one.session_id for one in (grant, changed, fresh, chosen)]
    secrets += [one.session.csrf for one in (grant, changed, fresh, chosen)]
    assert [one for one in secrets if one in text] == []
    assert token_hash(chosen.session_id) not in text


# --- limits on guessing


def guess(people: House, account: str, address: str, times: int) -> list[str]:
    """The codes of so many wrong guesses."""
    said = []
    for _ in range(times):
        with pytest.raises(SandboxError) as caught:
            people.identity.sign_in(account, "a-wrong-password", address)
        said.append(caught.value.code)
    return said


def test_an_account_is_guessed_at_five_times_and_opens_again(people: House) -> None:
    people.equip("reviewer")
    start = len(people.log())
    assert guess(people, "reviewer", THERE, 8) == ["SIGN_IN"] * 5 + ["TOO_MANY_ATTEMPTS"] * 3
    assert people.actions(start).count(("sign-in", "refused", "TOO_MANY_ATTEMPTS")) == 1
    with pytest.raises(SandboxError) as caught:
        people.enter("reviewer")
    assert (caught.value.code, caught.value.status) == ("TOO_MANY_ATTEMPTS", 429)
    people.clock.move(seconds=caught.value.details["seconds"] + 1)
    assert people.enter("reviewer")
    assert guess(people, "reviewer", THERE, 5) == ["SIGN_IN"] * 5  # a success has cleared the account's


def test_an_address_is_shut_out_whatever_the_names(guests: House) -> None:
    guests.equip("reviewer")
    said = [guess(guests, f"name-{n}", THERE, 1)[0] for n in range(32)]
    assert said == ["SIGN_IN"] * 30 + ["TOO_MANY_ATTEMPTS"] * 2
    with refused("TOO_MANY_ATTEMPTS"):
        guests.identity.sign_in("reviewer", OWN, THERE)
    assert guests.enter("reviewer")  # from elsewhere


def test_an_own_account_does_not_buy_more_guesses(guests: House) -> None:
    guests.equip("developer")
    said = []
    for n in range(32):
        said += guess(guests, f"name-{n}", HERE, 1)
        if n < 29:
            guests.enter("developer")
    assert said == ["SIGN_IN"] * 30 + ["TOO_MANY_ATTEMPTS"] * 2


@pytest.mark.parametrize(
    ("addresses", "counted"),
    [
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"], "2001:db8:1:2::/64"),
        (["192.0.2.7", "::ffff:192.0.2.7"], "192.0.2.7"),
        (["", "unknown", "192.0.2.7, 10.0.0.1"], "-"),
    ],
)
def test_addresses_that_are_one_subscribers_count_as_one(addresses: list[str], counted: str) -> None:
    assert {place(one) for one in addresses} == {counted}


def test_a_stranger_cannot_lock_out_who_is_inside(guests: House) -> None:
    guests.equip("reviewer")
    id = guests.enter("reviewer")
    guess(guests, "reviewer", THERE, 6)
    grant = guests.identity.step_up(id, OWN, THERE)
    assert guests.identity.open(grant.session_id).fresh_until is not None
    assert guests.identity.change_password(grant.session_id, OWN, OWN + "?", THERE)


def test_guessing_from_inside_is_limited_too(guests: House) -> None:
    guests.equip("reviewer")
    id = guests.enter("reviewer")
    ask = (
        lambda: guests.identity.step_up(id, "wrong", HERE),
        lambda: guests.identity.change_password(id, "wrong", OWN + "?", HERE),
    )
    said = []
    for n in range(7):
        with pytest.raises(SandboxError) as caught:
            ask[n % 2]()
        said.append(caught.value.code)
    assert said == ["PASSWORD_WRONG"] * 5 + ["TOO_MANY_ATTEMPTS"] * 2
    assert guests.identity.open(id)


# --- links


def test_links_are_made_and_taken_away_by_administrators(people: House) -> None:
    who = people.identity
    told = ("reviewer", "https://id.example", "sub-1")
    for act in (who.link, who.unlink):
        with refused("ROLE"):
            act(people.who("chief"), *told)
    with refused("NOT_FOUND"):
        who.unlink(ADMINISTRATOR, *told)
    who.link(ADMINISTRATOR, *told)
    with refused("EXISTS"):
        who.link(ADMINISTRATOR, "developer", *told[1:])
    with refused("NOT_FOUND"):
        who.link(ADMINISTRATOR, "nobody", "https://id.example", "sub-2")
    with refused("MALFORMED"):
        who.link(ADMINISTRATOR, "reviewer", "https://id.example", "x" * 401)
    people.equip("reviewer")
    id = people.enter("reviewer")
    who.unlink(ADMINISTRATOR, *told)
    with refused("NO_SESSION"):
        who.open(id)
    who.link(ADMINISTRATOR, "developer", *told[1:])
