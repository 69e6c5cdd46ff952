"""A whole space in this process: parties, people, a settable clock, and a builder that drives a case.

``scene`` is a fresh space under Guizhou's rules on SQLite, ``scene_of(profile, database)`` any other one;
``both_scenes`` runs a test once per kind of database. Every step of the builder goes through the door
(``Control``) as the person who may take it; what containers would have reported is made up, as no row is
touched here. People are called by the names in ``PEOPLE``.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sandbox.control import accounts
from sandbox.control.kinds import KINDS
from sandbox.control.space import ADMIN, Settings, Space
from sandbox.core.actor import SYSTEM, Actor, Role
from sandbox.core.resource import Entry, Resource
from sandbox.policy.load import load_profile
from sandbox.review.ledger import counted
from tests.plugins.vault import MASTER, copy_vault, folder_of

START = datetime(2026, 9, 21, 2, 0, tzinfo=UTC)  # a Monday, ten in the morning in China, before the holidays
CONTRACT = hashlib.sha256(b"contract").hexdigest()
PURPOSE = "income-statistics"
OUTPUT = "district,people\nA,120\n"

# id -> roles it is registered for
ORGANISATIONS: dict[str, tuple[str, ...]] = {
    "bdb": ("data_authority", "implementing_body", "reviewer"),
    "bdb-two": ("data_authority", "implementing_body", "reviewer"),
    "sector": ("sector_authority", "implementing_body", "reviewer"),
    "office": ("provider",),
    "bureau": ("provider",),
    "opco": ("operator",),
    "opco-two": ("operator",),
    "dev": ("developer",),
    "dev-two": ("developer",),
    "court": ("auditor",),
    "panel": ("expert",),
}

# name -> organisation, role; each is one natural person
PEOPLE: dict[str, tuple[str, Role]] = {
    "chief": ("bdb", Role.DATA_AUTHORITY),
    "body": ("bdb", Role.IMPLEMENTING_BODY),
    "reviewer": ("bdb", Role.REVIEWER),
    "reviewer-two": ("bdb", Role.REVIEWER),
    "other-chief": ("bdb-two", Role.DATA_AUTHORITY),
    "other-body": ("bdb-two", Role.IMPLEMENTING_BODY),
    "other-reviewer": ("bdb-two", Role.REVIEWER),
    "sector": ("sector", Role.SECTOR_AUTHORITY),
    "editor": ("office", Role.PROVIDER),
    "confirmer": ("office", Role.PROVIDER),
    "connector": ("office", Role.CONNECTOR),
    "bureau-editor": ("bureau", Role.PROVIDER),
    "bureau-confirmer": ("bureau", Role.PROVIDER),
    "operator": ("opco", Role.OPERATOR),
    "other-operator": ("opco-two", Role.OPERATOR),
    "developer": ("dev", Role.DEVELOPER),
    "colleague": ("dev", Role.DEVELOPER),
    "rival": ("dev-two", Role.DEVELOPER),
    "auditor": ("court", Role.AUDITOR),
    "expert": ("panel", Role.EXPERT),
}
ADMINISTRATOR = Actor(ADMIN, ADMIN, "space", Role.SPACE_ADMIN)


@dataclass
class Clock:
    """The time, as the test sets it."""

    now: datetime = START

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)  # no two events at one instant
        return self.now

    def move(self, **length: float) -> None:
        """Let time pass, e.g. ``move(days=3)``."""
        self.now += timedelta(**length)


@dataclass(frozen=True)
class Overlay:
    """A policy with some values replaced: for what no profile of ours states."""

    base: Any
    replaced: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.base.id}+test"

    def get(self, key: str) -> Any:
        return self.replaced[key] if key in self.replaced else self.base.get(key)

    def values(self) -> dict[str, Any]:
        return {**self.base.values(), **self.replaced}


def field_of(name: str, role: str = "other", **more: Any) -> dict[str, Any]:
    """A graded field of a catalogue entry."""
    told = {"name": name, "title_zh": name, "title_en": name, "type": "string", "role": role}
    return {**told, "category": "people", "level": 3, **more}


@dataclass
class Scene:
    """One space with its people. Methods named after a kind make one and give it as stored."""

    space: Space
    clock: Clock
    key: Ed25519PrivateKey
    people: dict[str, Actor] = field(default_factory=dict)

    @property
    def control(self) -> Any:
        return self.space.control

    @property
    def store(self) -> Any:
        return self.space.store

    def overlay(self, **replaced: Any) -> None:
        """Replace policy values; ``__`` stands for the dot."""
        values = {key.replace("__", "."): value for key, value in replaced.items()}
        self.control.policy = Overlay(self.control.policy, values)

    def found(self) -> None:
        """Register the parties and open the accounts, through the door."""
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        keys = {"k1": base64.b64encode(public).decode()}
        for name, roles in ORGANISATIONS.items():
            spec = {"name_zh": name, "name_en": name, "roles": roles}
            spec |= {"manifest_keys": keys} if "provider" in roles else {}
            self.organisation(name, **spec)
        for name, (organisation, role) in PEOPLE.items():
            self.join(name, f"person-{name}", organisation, role)

    def join(self, name: str, person: str, organisation: str, role: Role) -> Actor:
        """A new account of a natural person with one membership."""
        accounts.open_account(self.control, ADMINISTRATOR, name, name, person)
        accounts.add_membership(self.control, ADMINISTRATOR, name, organisation, role)
        self.people[name] = Actor(name, person, organisation, role)
        return self.people[name]

    def token(self, name: str) -> str:
        """A new API token of a person (or of the administrator)."""
        account = ADMIN if name == "admin" else name
        token: str = accounts.give_token(self.control, ADMINISTRATOR, account, f"t{self.clock().timestamp()}")
        return token

    def who(self, name: str) -> Actor:
        """The actor called so."""
        return {"system": SYSTEM, "admin": ADMINISTRATOR}.get(name) or self.people[name]

    # --- the door

    def act(self, who: str, kind: str, id: str, event: str, payload: Any = None, **more: Any) -> Resource:
        done: Resource = self.control.act(self.who(who), kind, id, event, payload, **more)
        return done

    def create(self, who: str, kind: str, spec: Mapping[str, Any], id: str = "") -> Resource:
        made: Resource = self.control.create(self.who(who), kind, spec, id=id)
        return self.get(kind, made.id)

    def get(self, kind: str, id: str) -> Resource:
        """As stored, nothing hidden."""
        with self.store.read() as reader:
            found = reader.get(kind, id)
        assert found is not None, f"{kind}/{id}"
        return found

    def state(self, kind: str, id: str) -> str:
        return self.get(kind, id).state

    def everything(self) -> dict[str, Resource]:
        """Every resource by ref: to compare before and after."""
        with self.store.read() as reader:
            return {one.ref: one for kind in KINDS for one in reader.find(kind)}

    def logged(self) -> int:
        """How many audit entries there are; to read them only for this takes as long as the test."""
        with self.store.read() as reader:
            size: int = reader.head().size
        return size

    def log(self, start: int = 0) -> list[Entry]:
        """The audit entries from position ``start``."""
        with self.store.read() as reader:
            return [entry for _, entry in reader.entries(start=start)]

    # --- what there is

    def organisation(self, id: str, **spec: Any) -> Resource:
        told = {"name_zh": id, "name_en": id, "roles": ("developer",), **spec}
        self.create("admin", "organisation", told, id)
        self.act("admin", "organisation", id, "activate")
        return self.get("organisation", id)

    def entry_spec(self, **over: Any) -> dict[str, Any]:
        fields = [
            field_of("person_id", "identifier", flags=["personal"]),
            field_of("district", "quasi"),
            field_of("income", "sensitive", type="integer"),
            field_of("phone", "identifier", flags=["personal"]),
            field_of("day", type="date"),
        ]
        told = {"title_zh": "居民", "title_en": "residents", "category": "people", "fields": fields}
        return {**told, "entity": "person_id", "update_frequency": "monthly", **over}

    def entry(self, id: str = "ce-a", until: str = "included", org: str = "office", **over: Any) -> Resource:
        """A catalogue entry, driven to ``graded``, ``confirmed``, ``registered`` or ``included``."""
        editor, confirmer = {
            "office": ("editor", "confirmer"),
            "bureau": ("bureau-editor", "bureau-confirmer"),
        }[org]
        self.create(editor, "catalogue-entry", self.entry_spec(**over), id)
        steps: tuple[tuple[str, str, str, Any], ...] = (
            ("confirmed", confirmer, "confirm", None),
            ("registered", editor, "register", self.registration(id)),
            ("included", editor, "include", None),
        )
        self._drive("catalogue-entry", id, steps, until, "graded")
        return self.get("catalogue-entry", id)

    @staticmethod
    def registration(id: str) -> dict[str, Any]:
        return {"registration_no": f"GZ-{id}", "registered_on": "2026-09-01", "registrar": "platform"}

    def agreement_spec(self, **over: Any) -> dict[str, Any]:
        told = {
            "title": "agreement",
            "authoriser": "bdb",
            "operator": "opco",
            "mode": "overall",
            "scope": ["ce-a"],
            "starts": "2026-09-01",
            "ends": "2028-08-31",
            "security_officer": "officer",
            "emergency_plan": "plan-1",
            "clauses": {
                name: f"clause {name}" for name in self.control.policy.get("agreement.required_clauses")
            },
        }
        return {**told, **over}

    def agreement(self, id: str = "ag-a", until: str = "active", **over: Any) -> Resource:
        spec = self.agreement_spec(**over)
        may = self.control.policy.get("authorisation.authoriser")
        bdb = "chief" if "data_authority" in may else "body"
        body = {"bdb": bdb, "bdb-two": f"other-{bdb}", "sector": "sector"}[spec["authoriser"]]
        operator = {"opco": "operator", "opco-two": "other-operator"}[spec["operator"]]
        self.create(body, "agreement", spec, id)
        steps = (
            ("approved", body, "approve", {"decision_ref": "decision-1"}),
            ("signed", operator, "sign", {"text_sha256": CONTRACT}),
            ("active", body, "activate", {"receipt": "filed-1"}),
        )
        self._drive("agreement", id, steps, until, "draft")
        return self.get("agreement", id)

    def scenario_spec(self, **over: Any) -> dict[str, Any]:
        told = {
            "agreement": "ag-a",
            "title": "scenario",
            "purpose": PURPOSE,
            "description": "incomes by district",
            "list": [{"entry": "ce-a", "columns": ["person_id", "district", "income"]}],
            "starts": "2026-09-01",
            "ends": "2027-08-31",
            "uses": 20,
        }
        return {**told, **over}

    @staticmethod
    def answers(*criteria: str, answer: str = "yes") -> dict[str, Any]:
        asked = criteria or ("reasonable", "compliant", "safe")
        return {"answers": dict.fromkeys(asked, answer), "notes": dict.fromkeys(asked, "seen")}

    def scenario(
        self, id: str = "sc-a", until: str = "granted", who: str = "developer", **over: Any
    ) -> Resource:
        self.create(who, "scenario", self.scenario_spec(**over), id)
        steps = (
            ("assessed", "chief", "assess", self.answers()),
            ("jointly", "editor", "assess", self.answers()),
            ("approved", "chief", "approve", None),
            ("contract_pending", "operator", "contract", {"text_sha256": CONTRACT}),
            ("granted", who, "accept", {"text_sha256": CONTRACT}),
        )
        self._drive("scenario", id, steps, until, "assessment")
        return self.get("scenario", id)

    def manifest(self, content: bytes = b"raw", **over: Any) -> dict[str, Any]:
        """A manifest of ``content``, signed by the provider's key."""
        told = {
            "entry": "ce-a",
            "agreement": "ag-a",
            "scenario": "sc-a",
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "rows": None,
            "format": "csv",
            "supplied_at": "2026-09-21T10:00:00+08:00",
            "key_id": "k1",
            **over,
        }
        signature = base64.b64encode(self.key.sign(rfc8785.dumps(told))).decode()
        return {**told, "signature": signature}

    def supply_spec(self, content: bytes = b"raw", **over: Any) -> dict[str, Any]:
        manifest = self.manifest(content, **over)
        return {**{key: manifest[key] for key in ("agreement", "scenario", "entry")}, "manifest": manifest}

    def supply(
        self, id: str = "su-a", until: str = "available", content: bytes = b"raw", **over: Any
    ) -> Resource:
        spec = self.supply_spec(content, **over)
        self.create("connector", "supply", spec, id)
        delivery = {"sha256": spec["manifest"]["sha256"], "bytes": len(content)}
        snapshot = {
            "sha256": hashlib.sha256(b"snapshot" + content).hexdigest(),
            "rows": 5000,
            "entities": 4900,
            "columns": [{"name": "person_id", "type": "string"}],
            "task": {},
        }
        steps = (
            ("quarantined", "connector", "deliver", delivery),
            ("loaded", "system", "load", snapshot),
            ("available", "system", "open", None),
        )
        self._drive("supply", id, steps, until, "in_transfer")
        return self.get("supply", id)

    def recipe_spec(self, **over: Any) -> dict[str, Any]:
        """A job of the operator: primary processing."""
        told = {
            "scenario": "sc-a",
            "purpose": PURPOSE,
            "language": "recipe",
            "recipe": {
                "name": "primary",
                "version": "1",
                "steps": [{"column": "person_id", "transform": "pseudonym", "params": {"key": "key-1"}}],
                "keep": ["district", "income"],
            },
            "inputs": [
                {"name": "residents", "entry": "ce-a", "columns": ["person_id", "district", "income"]}
            ],
        }
        return {**told, **over}

    def job_spec(self, **over: Any) -> dict[str, Any]:
        """A job of the developer over the primary product."""
        told = {
            "scenario": "sc-a",
            "purpose": PURPOSE,
            "language": "sql",
            "entry": "main.sql",
            "code": {"main.sql": "SELECT 1"},
            "inputs": [{"name": "residents", "product": "pr-a", "columns": ["district", "income"]}],
            "outputs": [{"path": "out.csv", "kind": "table"}],
        }
        return {**told, **over}

    def ran(self, end: str = "succeeded", **over: Any) -> dict[str, Any]:
        return {"end": end, "error": None, "seconds": 1.2, **over}

    def _start(self, id: str) -> dict[str, Any]:
        job = self.get("job", id)
        grant = self.get("scenario", job.spec["scenario"]).status["grant"]
        return {"lineage": job.status["lineage"], "list_sha256": grant["list_sha256"], "attempt": 1}

    def primary(
        self, id: str = "pr-a", until: str = "offered", job: str = "job-primary", **over: Any
    ) -> Resource:
        """A primary product of the operator, offered to its scenario."""
        spec = self.recipe_spec(**over)
        self.create("operator", "job", spec, job)
        kept = {
            "product": id,
            "title": "primary",
            "artefact_sha256": hashlib.sha256(b"primary").hexdigest(),
            "columns": [
                {"name": name, "type": "string", "source": name, "transforms": []}
                for name in ("person_id", "district", "income")
            ],
            "steps": [],
            "anonymity": {
                "verdict": False,
                "k": 3,
                "threshold": 10,
                "reasons": ["IDENTIFIER_KEPT", "K_BELOW"],
            },
        }
        self._drive(
            "job",
            job,
            (
                ("provisioning", "system", "provision", self._start(job)),
                ("running", "system", "run", None),
                ("succeeded", "system", "succeed", self.ran()),
                ("kept", "system", "keep", kept),
            ),
            "kept",
            "queued",
        )
        if until == "offered":
            self.act("operator", "product", id, "offer", {"scenario": spec["scenario"]})
        return self.get("product", id)

    def job(
        self, id: str = "job-a", until: str = "quarantined", who: str = "developer", **over: Any
    ) -> Resource:
        """A developer's job, driven to one of its states."""
        made = self.create(who, "job", self.job_spec(**over), id)
        staging = self.space.places.blobs(made.labels["agreement"], made.labels["scenario"], "staging")
        sha256, size = staging.take(iter([OUTPUT.encode()]))
        staged = {"outputs": [{"path": "out.csv", "sha256": sha256, "bytes": size, "kind": "table"}]}
        last = {"failed": ("failed", "system", "fail", self.ran("failed"))}
        last["killed"] = ("killed", "reviewer", "kill", {"cause": "stop"})
        steps = [
            ("provisioning", "system", "provision", self._start(id)),
            ("running", "system", "run", None),
            last.get(until, ("succeeded", "system", "succeed", self.ran())),
            ("quarantined", "system", "stage", staged),
        ]
        if until == "denied":
            steps = [("denied", "system", "deny", {"code": "GRANT_SPENT"})]
        self._drive("job", id, tuple(steps), until, "queued")
        return self.get("job", id)

    def request_spec(self, **over: Any) -> dict[str, Any]:
        told = {"job": "job-a", "title": "incomes", "recipient": "dev", "purpose": PURPOSE, "form": "dataset"}
        return {**told, **over}

    def check(
        self, id: str, verdict: str = "no_objection", *found: dict[str, Any], **over: Any
    ) -> dict[str, Any]:
        """A check's result; the canonical file is really in the review room, the cells in the ledger."""
        request = self.get("egress-request", id)
        review = self.space.places.blobs(request.labels["agreement"], request.labels["scenario"], "review")
        sha256, size = review.take(iter([OUTPUT.encode()]))
        cells, length = self.space.places.ledger().take(iter([id.encode()]))
        entries = self.get("job", request.spec["job"]).status["lineage"]["entries"]
        with self.store.read() as reader:
            seen = [one.id for one in counted(reader, entries, id)]
        return {
            "verdict": verdict,
            "ledger": {
                "files": [{"path": "cells.parquet", "sha256": cells, "bytes": length}],
                "seen": seen,
            },
            "findings": found,
            "files": [{"path": "out.csv"}],
            "canonical": [{"path": "out.csv", "sha256": sha256, "bytes": size}],
            "checker": "test/1",
            "seconds": 0.5,
            "capacity": {"bits": 40, "files": [{"path": "out.csv", "bits": 40}]},
            **over,
        }

    @staticmethod
    def finding(rule: str = "SMALL_CELL", severity: str = "hard", **over: Any) -> dict[str, Any]:
        told = {"rule": rule, "point": "26.4", "severity": severity, "path": "out.csv", "where": "people"}
        return {**told, "message_zh": "", "message_en": "", "evidence": {}, "hint": "", **over}

    def verdict(self, which: str = "security", verdict: str = "pass", **over: Any) -> dict[str, Any]:
        """A reviewer's verdict with every point of the profile answered."""
        get = self.control.policy.get
        points = [*get("review.points"), *get("review.extra_points")] if which == "security" else []
        form = {point: {"answer": "pass", "note": "seen"} for point in points}
        told = {"which": which, "verdict": verdict, "points": form, "note": "seen", "no_interest": True}
        return {**told, **over}

    def request(
        self, id: str = "eg-a", until: str = "released", who: str = "developer", **over: Any
    ) -> Resource:
        """An egress request of a job in quarantine, driven to one of its states."""
        self.create(who, "egress-request", self.request_spec(**over), id)
        result = "auto_rejected" if until == "auto_rejected" else "human_review"
        hold = until == "held_cross_border"
        steps: list[tuple[str, str, str, Any]] = [("auto_check", "system", "begin_check", None)]
        if until not in ("requested", "auto_check"):
            found = (self.finding(),) if result == "auto_rejected" else ()
            check = self.check(id, "reject" if found else "no_objection", *found)
            event = "hold" if hold else "object" if found else "forward"
            steps += [(until if hold else result, "system", event, check)]
        steps += [
            ("one_verdict", "reviewer", "give_verdict", self.verdict()),
            ("two_verdicts", "reviewer-two", "give_verdict", self.verdict("business_conformity")),
            ("approved", "reviewer-two", "approve", {}),
        ]
        last = {
            "returned": ("return", {"reasons": ["mend"]}),
            "rejected": ("reject", {"reason": "no", "law": "GD 26"}),
        }
        if until in last:
            steps[2:] = [(until, "reviewer", *last[until])]
        stop = "approved" if until in ("releasing", "released") else until
        self._drive("egress-request", id, tuple(steps), stop, "requested")
        if until in ("releasing", "released"):
            self.register(id, who)
        if until == "released":
            self.space.gate.release(id)
        return self.get("egress-request", id)

    def product_spec(self, id: str) -> dict[str, Any]:
        """A product's specification as a person may send it: without what the machine measures."""
        return {key: value for key, value in self.get("product", id).spec.items() if key != "anonymity"}

    def product_of(self, request: str) -> Resource:
        """The level-2 product of an egress request."""
        with self.store.read() as reader:
            found: list[Resource] = reader.find("product", labels={"request": request})
        return found[0]

    def register(self, request: str, who: str = "developer") -> Resource:
        """Register the product of an approved request."""
        told = {"registration_no": f"CP-{request}", "registered_on": "2026-09-21"}
        return self.act(who, "product", self.product_of(request).id, "register", told)

    def granted(self) -> None:
        """Included entry, active agreement, granted scenario, available supply, offered primary product."""
        self.entry()
        self.agreement()
        self.scenario()
        self.supply()
        self.primary()

    def _drive(
        self, kind: str, id: str, steps: tuple[tuple[str, str, str, Any], ...], until: str, first: str
    ) -> None:
        if until == first:
            return
        for name, who, event, payload in steps:
            self.act(who, kind, id, event, payload)
            if name == until:
                return
        raise AssertionError(f"{kind} is never {until}")


SceneMaker = Callable[..., Scene]


_load_profile = functools.cache(load_profile)  # reading the YAML is most of what a scene costs


def open_scene(home: Path, database: str, profile: str, key: Ed25519PrivateKey, *, new: bool = True) -> Scene:
    """A scene over a space at ``home``, opened (and initialised if it is ``new``)."""
    settings = Settings(
        home=home,
        database=database,
        work_database="",
        profile=profile,
        master=MASTER,
        vault=str(folder_of(home)),
    )
    clock = Clock()
    with mock.patch("sandbox.control.space.load_profile", _load_profile):
        if new:
            Space.init(settings)
        return Scene(Space(settings, clock=clock), clock, key)


def _people() -> dict[str, Actor]:
    return {
        name: Actor(name, f"person-{name}", organisation, role)
        for name, (organisation, role) in PEOPLE.items()
    }


@pytest.fixture(scope="session")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Callable[[str, bool], tuple[Path, Ed25519PrivateKey, datetime]]:
    """``prepared(profile, granted)``: the folder of a space that stands ready to be copied (SQLite)."""
    made: dict[tuple[str, bool], tuple[Path, Ed25519PrivateKey, datetime]] = {}

    def prepare(profile: str, granted: bool) -> tuple[Path, Ed25519PrivateKey, datetime]:
        if (profile, granted) not in made:
            home = tmp_path_factory.mktemp("prepared") / "space"
            home.mkdir(mode=0o700)
            shutil.copyfile(sqlite_template, home / "facts.db")
            key = Ed25519PrivateKey.generate()
            scene = open_scene(home, f"sqlite:///{home}/facts.db", profile, key)
            scene.found()
            if granted:
                scene.granted()
            scene.store.close()
            made[profile, granted] = (home, key, scene.clock.now)
        return made[profile, granted]

    return prepare


@pytest.fixture
def scene_of(
    prepared: Callable[[str, bool], tuple[Path, Ed25519PrivateKey, datetime]],
    new_database: Callable[..., str],
    tmp_path: Path,
) -> Iterator[SceneMaker]:
    """``scene_of(profile="guizhou", dialect="sqlite", granted=False)`` gives a fresh scene."""
    opened: list[Scene] = []

    def make(profile: str = "guizhou", dialect: str = "sqlite", *, granted: bool = False) -> Scene:
        home = tmp_path / f"space-{len(opened)}"
        if dialect == "sqlite":
            source, key, now = prepared(profile, granted)
            shutil.copytree(source, home)
            copy_vault(source, home)
            scene = open_scene(home, f"sqlite:///{home}/facts.db", profile, key, new=False)
            scene.people, scene.clock.now = _people(), now
        else:
            scene = open_scene(home, new_database(dialect), profile, Ed25519PrivateKey.generate())
            scene.found()
            if granted:
                scene.granted()
        opened.append(scene)
        return scene

    yield make
    for scene in opened:
        scene.store.close()
        shutil.rmtree(folder_of(scene.space.settings.home), ignore_errors=True)


@pytest.fixture
def scene(scene_of: SceneMaker) -> Scene:
    """Parties and people under Guizhou's rules, nothing else yet (SQLite)."""
    return scene_of()


@pytest.fixture
def granted(scene_of: SceneMaker) -> Scene:
    """``scene`` with everything a developer's job needs (SQLite)."""
    return scene_of(granted=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def granted_on(request: pytest.FixtureRequest, scene_of: SceneMaker) -> Scene:
    """``granted`` once per kind of database."""
    return scene_of(dialect=request.param, granted=True)
