"""A small house for who comes in: a store, four people, passwords; no vault, no containers.

``house_of(dialect)`` gives one; ``people`` runs a test once per kind of database, ``guests`` on SQLite only.
The hasher is light: what argon2 costs is not tested here.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from sandbox.control import accounts
from sandbox.control.door import Control
from sandbox.control.identity import Identity
from sandbox.control.space import Settings
from sandbox.core.actor import Actor, Role
from sandbox.core.resource import Entry
from sandbox.policy.load import load_calendar
from sandbox.store import Store
from tests.plugins.space import ADMINISTRATOR, Clock, _load_profile

LIGHT = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HERE, THERE = "192.0.2.7", "198.51.100.9"
OWN = "垂柳 und 9 Enten am Teich"
ORGANISATIONS: dict[str, tuple[str, ...]] = {
    "bdb": ("data_authority", "implementing_body", "reviewer"),
    "dev": ("developer",),
    "dev-two": ("developer",),
}
PEOPLE: dict[str, tuple[str, Role]] = {
    "chief": ("bdb", Role.DATA_AUTHORITY),
    "body": ("bdb", Role.IMPLEMENTING_BODY),
    "reviewer": ("bdb", Role.REVIEWER),
    "developer": ("dev", Role.DEVELOPER),
}


@dataclass
class House:
    """``equip("reviewer")`` gives a password of one's own, ``enter("reviewer")`` signs in with it."""

    control: Control
    settings: Settings
    clock: Clock
    identity: Identity = field(init=False)

    def __post_init__(self) -> None:
        self.identity = self.another()

    def another(self, **more: Any) -> Identity:
        """What a second process over the same store would have."""
        return Identity(self.control, self.settings, **({"hasher": LIGHT} | more))

    def found(self) -> None:
        """The organisations and accounts, through the door."""
        for name, roles in ORGANISATIONS.items():
            spec = {"name_zh": name, "name_en": name, "roles": roles}
            self.control.create(ADMINISTRATOR, "organisation", spec, id=name)
            self.control.act(ADMINISTRATOR, "organisation", name, "activate")
        for name, (organisation, role) in PEOPLE.items():
            accounts.open_account(self.control, ADMINISTRATOR, name, name, f"person-{name}")
            self.join(name, organisation, role)

    def join(self, name: str, organisation: str, role: Role) -> None:
        accounts.add_membership(self.control, ADMINISTRATOR, name, organisation, role)

    def who(self, name: str) -> Actor:
        organisation, role = PEOPLE[name]
        return Actor(name, f"person-{name}", organisation, role)

    def suspend(self, organisation: str) -> None:
        reason = {"reason": "for the test"}
        self.control.act(ADMINISTRATOR, "organisation", organisation, "suspend", reason)

    def resume(self, organisation: str) -> None:
        self.control.act(ADMINISTRATOR, "organisation", organisation, "resume")

    def disable(self, name: str, disabled: bool = True) -> None:
        accounts.set_disabled(self.control, ADMINISTRATOR, name, disabled)

    def equip(self, name: str, password: str = OWN) -> str:
        """Start password, first sign-in, own password; the id of the session."""
        start = self.identity.start_password(ADMINISTRATOR, name)
        grant = self.identity.sign_in(name, start, HERE)
        return self.identity.change_password(grant.session_id, start, password, HERE).session_id

    def enter(self, name: str, password: str = OWN, address: str = HERE) -> str:
        return self.identity.sign_in(name, password, address).session_id

    def log(self, start: int = 0) -> list[Entry]:
        with self.control.store.read() as reader:
            return [entry for _, entry in reader.entries(start=start)]

    def actions(self, start: int = 0) -> list[tuple[str, str, str]]:
        return [(one.action, one.outcome, one.reason) for one in self.log(start)]


HouseMaker = Callable[..., House]


def _open(home: Path, database: str, stores: list[Store], *, new: bool = True, **settings: Any) -> House:
    (home / "keys").mkdir(parents=True)
    (home / "keys" / "token.key").write_text("5a" * 32)
    stores.append(Store(database))
    if new:
        stores[-1].upgrade()
    clock = Clock()
    control = Control(stores[-1], _load_profile("guizhou"), load_calendar(), clock=clock)
    return House(control, Settings(home=home, database=database, work_database="", **settings), clock)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    """A SQLite file in which the organisations and accounts are, to copy."""
    folder, stores = tmp_path_factory.mktemp("founded"), list[Store]()
    shutil.copyfile(sqlite_template, folder / "facts.db")
    _open(folder / "home", f"sqlite:///{folder}/facts.db", stores).found()
    stores[0].scrub()  # all of it into the one file
    stores[0].close()
    return folder / "facts.db"


@pytest.fixture
def house_of(founded: Path, new_database: Callable[..., str], tmp_path: Path) -> Iterator[HouseMaker]:
    """``house_of(dialect="sqlite", **settings)`` gives a house with its people."""
    stores: list[Store] = []

    def make(dialect: str = "sqlite", **more: Any) -> House:
        home = tmp_path / f"house-{len(stores)}"
        if dialect == "sqlite":
            shutil.copyfile(founded, tmp_path / f"facts-{len(stores)}.db")
            database = f"sqlite:///{tmp_path}/facts-{len(stores)}.db"
            return _open(home, database, stores, new=False, **more)
        house = _open(home, new_database(dialect), stores, **more)
        house.found()
        return house

    yield make
    for store in stores:
        store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def people(request: pytest.FixtureRequest, house_of: HouseMaker) -> House:
    return house_of(request.param)


@pytest.fixture
def guests(house_of: HouseMaker) -> House:
    return house_of()
