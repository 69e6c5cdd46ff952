"""Attacks on signing in: planted and replayed ids, guessing, oracles, a provider that lies."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sandbox.control.door import Control
from sandbox.control.identity import Identity
from sandbox.control.identity.sessions import Grant
from sandbox.core.actor import Role
from sandbox.core.errors import SandboxError
from sandbox.store import Store
from tests.plugins.identity import HERE, OWN, THERE, House, HouseMaker
from tests.plugins.provider import ISSUER, SETTINGS, Liar
from tests.plugins.space import ADMINISTRATOR
from tests.refusal import refused

# --- fixation and replay


def test_an_id_that_was_planted_opens_nothing(guests: House) -> None:
    guests.equip("reviewer")
    for planted in ("", "planted", "A" * 43, "x" * 10_000, "\x00", "\ud800", "' OR 1=1 --", "%"):
        with refused("NO_SESSION"):
            guests.identity.open(planted)
        for act in (
            lambda id: guests.identity.choose(id, "reviewer@bdb"),
            lambda id: guests.identity.step_up(id, OWN, HERE),
            lambda id: guests.identity.change_password(id, OWN, OWN + "1", HERE),
        ):
            with refused("NO_SESSION"):
                act(planted)
        guests.identity.sign_out(planted)


def test_what_the_table_holds_opens_nothing(guests: House) -> None:
    """Who reads the database has the hashes of the ids, the CSRF tokens and the hashes of the passwords."""
    guests.equip("reviewer")
    guests.enter("reviewer")
    with guests.control.store.read() as reader:
        rows = reader._connection.exec_driver_sql("SELECT sha256, csrf FROM session").all()
        hashes = reader._connection.exec_driver_sql("SELECT hash FROM password").scalars().all()
    assert rows
    for value in (*(cell for row in rows for cell in row), *hashes):
        with refused("NO_SESSION"):
            guests.identity.open(value)
        with refused("SIGN_IN"):
            guests.identity.sign_in("reviewer", value, f"192.0.2.{len(value)}")
        guests.enter("reviewer")  # clears the count


def test_every_change_makes_the_old_id_worthless(people: House) -> None:
    people.join("body", "bdb", Role.REVIEWER)
    first = people.equip("body")
    who, seen = people.identity, [first]
    steps: list[Callable[[str], Grant]] = [
        lambda id: who.choose(id, "reviewer@bdb"),
        lambda id: who.step_up(id, OWN, HERE),
        lambda id: who.choose(id, "implementing_body@bdb"),
        lambda id: who.change_password(id, OWN, OWN + "9", HERE),
    ]
    for step in steps:
        seen.append(step(seen[-1]).session_id)
    who.sign_out(seen[-1])
    assert len(set(seen)) == len(seen)
    for old in seen:
        with refused("NO_SESSION"):
            who.open(old)
        with refused("NO_SESSION"):
            who.step_up(old, OWN + "9", HERE)


def test_one_id_confirmed_twice_at_once_goes_on_once(people: House) -> None:
    """Two requests race with the same cookie: one session goes on, none is doubled."""
    people.equip("reviewer")
    id, said = people.enter("reviewer"), list[str]()
    gate = threading.Barrier(2)

    def confirm() -> None:
        gate.wait()
        try:
            people.identity.step_up(id, OWN, HERE)
            said.append("done")
        except SandboxError as error:
            said.append(error.code)

    threads = [threading.Thread(target=confirm) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["NO_SESSION", "done"]


def test_nobody_acts_as_what_they_do_not_hold(guests: House) -> None:
    guests.equip("developer")
    id = guests.enter("developer")
    for wanted in (
        "developer@dev-two",
        "reviewer@bdb",
        "system@",
        "space_admin@space",
        "Developer@dev",
        "developer@dev ",
    ):
        with refused("ACTING_AS"):
            guests.identity.choose(id, wanted)
    assert guests.identity.open(id).actor == guests.who("developer")


# --- guessing


def second_process(house: House, stores: list[Store], database: str) -> Identity:
    """The same space as another process has it: a store, a door and limits of its own."""
    store = Store(database)
    stores.append(store)
    control = Control(store, house.control.policy, house.control.calendar, clock=house.clock)
    return Identity(control, house.settings, hasher=house.identity._passwords._hasher)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_guessing_by_two_processes_and_many_threads_is_guessing_once(
    dialect: str, house_of: HouseMaker
) -> None:
    house, stores = house_of(dialect), list[Store]()
    house.equip("reviewer")
    both = [house.identity, second_process(house, stores, house.settings.database)]
    said: list[str] = []

    def guess(who: Identity, n: int) -> None:
        try:
            who.sign_in("reviewer", f"guess number {n}", f"198.51.100.{n}")
            said.append("in")
        except SandboxError as error:
            said.append(error.code)

    threads = [threading.Thread(target=guess, args=(both[n % 2], n)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert sorted(said) == ["SIGN_IN"] * 5 + ["TOO_MANY_ATTEMPTS"] * 7


def test_the_right_password_after_the_limit_is_not_even_looked_at(guests: House) -> None:
    """Else the answer would tell that it is right."""
    guests.equip("reviewer")
    for n in range(5):
        with refused("SIGN_IN"):
            guests.enter("reviewer", f"wrong {n}")
    looked: list[Any] = []
    guests.identity._passwords.check = lambda *given: looked.append(given) or True  # type: ignore[method-assign, func-returns-value]
    for password in (OWN, "wrong"):
        with refused("TOO_MANY_ATTEMPTS"):
            guests.enter("reviewer", password)
    assert looked == []


# --- oracles


def answer(house: House, account: str, password: str) -> dict[str, Any]:
    with pytest.raises(SandboxError) as caught:
        house.identity.sign_in(account, password, THERE)
    return caught.value.as_json() | {"status": caught.value.status}


def test_unknown_wrong_disabled_expired_and_without_password_are_one_answer(guests: House) -> None:
    guests.equip("reviewer")
    guests.equip("developer")
    guests.disable("developer")
    start = guests.identity.start_password(ADMINISTRATOR, "chief")
    guests.clock.move(hours=73)
    said = [
        answer(guests, *asked)
        for asked in (
            ("reviewer", "wrong"),
            ("nobody-at-all", "wrong"),
            ("developer", OWN),
            ("chief", start),
            ("body", OWN),
            ("reviewer", "x" * 100_000),
            ("reviewer\x00", OWN),
            ("\ud800", "\ud800"),
            ("", ""),
        )
    ]
    assert all(one == said[0] for one in said)
    assert said[0]["code"] == "SIGN_IN"


def test_an_unknown_account_is_shut_out_like_a_known_one(guests: House) -> None:
    guests.equip("reviewer")
    for account in ("reviewer", "nobody-at-all"):
        said = [answer(guests, account, f"wrong {n}")["code"] for n in range(7)]
        assert said == ["SIGN_IN"] * 5 + ["TOO_MANY_ATTEMPTS"] * 2
        guests.clock.move(minutes=20)


def test_an_unknown_account_costs_the_same_work(guests: House) -> None:
    """Hashes are counted, not only timed: one each, whoever is asked for; the time is compared coarsely."""
    guests.identity = guests.another(hasher=PasswordHasher(time_cost=2, memory_cost=4096, parallelism=1))
    guests.equip("reviewer")
    guests.equip("developer")
    guests.disable("developer")
    hasher = guests.identity._passwords._hasher
    looked: list[str] = []
    verify = hasher.verify

    def counted(hash: str, password: bytes) -> Any:
        looked.append(hash)
        return verify(hash, password)

    guests.identity._passwords._hasher = type("Counting", (), {"verify": staticmethod(counted)})()
    guests.identity._passwords.__dict__.setdefault("_dummy", hasher.hash("nobody's"))
    times: dict[str, list[float]] = {}
    for _ in range(4):
        for account in ("reviewer", "nobody-at-all", "developer", "body"):
            begun = time.perf_counter()
            answer(guests, account, "wrong")
            times.setdefault(account, []).append(time.perf_counter() - begun)
    assert len(looked) == 16
    assert {one.split("$")[3] for one in looked} == {"m=4096,t=2,p=1"}
    middle = {account: statistics.median(one) for account, one in times.items()}
    assert max(middle.values()) < 4 * min(middle.values()), middle


# --- the identity provider


@pytest.fixture
def liar(house_of: HouseMaker) -> tuple[House, Liar]:
    house = house_of(**SETTINGS)
    made = Liar(clock=lambda: house.clock.now.timestamp())
    house.identity = house.another(transport=made.transport)
    house.identity.link(ADMINISTRATOR, "reviewer", ISSUER, "sub-1")
    return house, made


Visit = tuple[House, Liar]


def enter(visit: Visit, **query: str) -> Grant:
    house, provider = visit
    url, ticket = house.identity.oidc_begin()
    return house.identity.oidc_finish(ticket, provider.answer(url) | query, HERE)


def test_the_honest_way_works(liar: Visit) -> None:
    assert enter(liar).session.account == "reviewer"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": ["another-client"]},
        {"aud": None},
        {"aud": ["space", "another-client"]},
        {"aud": ["space", "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ""},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 99_999_999_999},
        {"iat": None},
        {"nbf": 99_999_999_999},
        {"sub": None},
        {"sub": ""},
        {"sub": 1},
        {"sub": ["sub-1"]},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_us_now_is_refused(claims: dict[str, Any], liar: Visit) -> None:
    liar[1].claims = claims
    with pytest.raises(SandboxError) as caught:
        enter(liar)
    assert caught.value.code == "OIDC_REFUSED"
    assert caught.value.details == {"why": "token"}


@pytest.mark.parametrize("how", ["unsigned", "by_public_key", "by_another_key", "by_a_key_inside"])
def test_a_token_that_the_provider_did_not_sign_is_refused(how: str, liar: Visit) -> None:
    liar[1].sign = getattr(liar[1], how)
    with refused("OIDC_REFUSED"):
        enter(liar)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.", "..", "é", "9" * 100_000])
def test_what_is_no_token_is_refused(token: str, liar: Visit) -> None:
    liar[1].sign = lambda _: token
    with refused("OIDC_REFUSED"):
        enter(liar)


def test_state_code_and_ticket_belong_together(liar: Visit) -> None:
    house, provider = liar
    who = house.identity
    (mine, my_ticket), (theirs, their_ticket) = who.oidc_begin(), who.oidc_begin()
    good, other = provider.answer(mine), provider.answer(theirs)
    for ticket, query in (
        (my_ticket, other),  # an answer that was planted (login CSRF)
        (their_ticket, good),
        (my_ticket, {"code": good["code"]}),
        (my_ticket, {"code": good["code"], "state": ""}),
        (my_ticket, {"state": good["state"]}),
        (my_ticket, {"state": good["state"], "error": "access_denied"}),
        (my_ticket, good | {"error": "access_denied"}),
        (my_ticket, good | {"iss": "https://evil.example"}),
        ("", good),
        (my_ticket[:-4] + "AAAA", good),
        ("\ud800", good),
    ):
        with refused("OIDC_REFUSED"):
            who.oidc_finish(ticket, query, HERE)
    assert who.oidc_finish(my_ticket, good, HERE).session.account == "reviewer"


def test_a_code_from_elsewhere_does_not_fit_the_verifier(liar: Visit) -> None:
    """The attacker's code, put into the victim's answer beside the victim's own state."""
    house, provider = liar
    url, ticket = house.identity.oidc_begin()
    attackers = provider.answer(house.identity.oidc_begin()[0])["code"]
    with pytest.raises(SandboxError) as caught:
        house.identity.oidc_finish(ticket, provider.answer(url) | {"code": attackers}, HERE)
    assert caught.value.details == {"why": "code"}


def test_a_ticket_and_its_answer_work_once_even_where_the_provider_does_not_care(liar: Visit) -> None:
    house, provider = liar
    url, ticket = house.identity.oidc_begin()
    good = provider.answer(url)
    kept = dict(provider._codes)
    first = house.identity.oidc_finish(ticket, good, HERE)
    provider._codes = kept  # as if it gave a code twice
    with refused("OIDC_REFUSED"):
        house.identity.oidc_finish(ticket, good, HERE)
    assert house.identity.open(first.session_id)


def test_a_ticket_of_another_space_is_none_of_ours(liar: Visit, house_of: HouseMaker) -> None:
    house, provider = liar
    enter(liar)  # our own key is read by now
    (house.settings.home / "keys" / "token.key").write_text("a5" * 32)
    stranger = house.another(transport=provider.transport)
    url, ticket = stranger.oidc_begin()
    with refused("OIDC_REFUSED"):
        house.identity.oidc_finish(ticket, provider.answer(url), HERE)


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "http://id.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
    ],
    ids=str,
)
def test_a_description_that_leads_elsewhere_is_refused(described: dict[str, Any], liar: Visit) -> None:
    liar[1].described = described
    with refused("OIDC_REFUSED"):
        enter(liar)


def test_signing_in_makes_no_account_and_the_same_subject_elsewhere_is_nobody(liar: Visit) -> None:
    house, provider = liar
    provider.sub = "sub-2"
    with house.control.store.read() as reader:
        before = reader.accounts()
    with refused("SIGN_IN"):
        enter(liar)
    provider.sub = "sub-1"
    house.identity.unlink(ADMINISTRATOR, "reviewer", ISSUER, "sub-1")
    house.identity.link(ADMINISTRATOR, "reviewer", "https://other.example", "sub-1")
    with refused("SIGN_IN"):
        enter(liar)
    with house.control.store.read() as reader:
        assert reader.accounts() == before


def test_nothing_of_the_provider_is_in_the_log_or_the_settings_text(liar: Visit) -> None:
    house, provider = liar
    start = len(house.log())
    url, ticket = house.identity.oidc_begin()
    good = provider.answer(url)
    grant = house.identity.oidc_finish(ticket, good, HERE)
    with refused("OIDC_REFUSED"):
        house.identity.oidc_finish(ticket, good, HERE)
    text = repr(house.log(start)) + repr(house.settings)
    told = (good["code"], good["state"], ticket, grant.session_id, SETTINGS["oidc_secret"], "sub-1")
    assert [one for one in told if one in text] == []
    assert house.actions(start) == [("sign-in", "done", ""), ("sign-in", "refused", "OIDC_REFUSED")]


# --- any order of acts


class Sessions(RuleBasedStateMachine):
    """A model beside the real thing: which ids are alive, as whom, until when."""

    house: House

    @initialize()
    def begin(self) -> None:
        self.alive: dict[str, Any] = {}
        self.dead: list[str] = []
        for id in list(getattr(type(self), "left", [])):
            self.house.identity.sign_out(id)
        type(self).left = []  # type: ignore[attr-defined]

    def _replace(self, old: str, grant: Grant) -> None:
        known = self.alive.pop(old)
        self.dead.append(old)
        self.alive[grant.session_id] = replace(known, ends_at=grant.session.ends_at)
        assert grant.session.account == known.account

    @rule()
    def sign_in(self) -> None:
        grant = self.house.identity.sign_in("body", OWN, HERE)
        assert grant.session_id not in self.alive
        self.alive[grant.session_id] = grant.session
        type(self).left.append(grant.session_id)  # type: ignore[attr-defined]

    @rule(data=st.data(), acting=st.sampled_from(["reviewer@bdb", "implementing_body@bdb", "developer@dev"]))
    def choose(self, data: st.DataObject, acting: str) -> None:
        if not self.alive:
            return
        old = data.draw(st.sampled_from(sorted(self.alive)))
        if acting == "developer@dev":
            with refused("ACTING_AS"):
                self.house.identity.choose(old, acting)
        else:
            self._replace(old, self.house.identity.choose(old, acting))

    @rule(data=st.data())
    def step_up(self, data: st.DataObject) -> None:
        if self.alive:
            old = data.draw(st.sampled_from(sorted(self.alive)))
            self._replace(old, self.house.identity.step_up(old, OWN, HERE))

    @rule(data=st.data())
    def sign_out(self, data: st.DataObject) -> None:
        if self.alive:
            old = data.draw(st.sampled_from(sorted(self.alive)))
            self.house.identity.sign_out(old)
            del self.alive[old]
            self.dead.append(old)

    @rule(minutes=st.sampled_from([1, 9, 31]))
    def wait(self, minutes: int) -> None:
        self.house.clock.move(minutes=minutes)
        now = self.house.clock.now
        for id in [id for id, one in self.alive.items() if one.ends_at <= now]:
            del self.alive[id]
            self.dead.append(id)

    @rule()
    def disable(self) -> None:
        self.house.disable("body")
        self.house.disable("body", False)
        self.dead += self.alive
        self.alive = {}

    @invariant()
    def the_living_live_and_the_dead_are_dead(self) -> None:
        for id in getattr(self, "alive", {}):
            assert self.house.identity.open(id, touch=False).account == "body"
        for id in getattr(self, "dead", [])[-3:]:
            with refused("NO_SESSION"):
                self.house.identity.open(id)


def test_no_order_of_acts_keeps_a_dead_session_alive(guests: House) -> None:
    guests.join("body", "bdb", Role.REVIEWER)
    guests.equip("body")
    machine = type("Bound", (Sessions,), {"house": guests, "left": []})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
