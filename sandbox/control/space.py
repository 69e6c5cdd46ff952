"""One space put together: settings -> store, policy, door, places, gate; and for a worker the executor."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sandbox.audit.signer import FileSigner
from sandbox.control.door import Control
from sandbox.control.places import Places
from sandbox.control.previewing import Previews
from sandbox.control.reconcile import Reconciler
from sandbox.control.work import Work
from sandbox.control.workspaces import Workspaces
from sandbox.core.actor import SYSTEM, Role
from sandbox.core.calendar import BEIJING
from sandbox.core.resource import Resource
from sandbox.egress.gate import Gate
from sandbox.engine.contract import Engine
from sandbox.executor.contract import Executor
from sandbox.policy.load import load_calendar, load_profile
from sandbox.store import Account, Membership, Store
from sandbox.vault import AtRest, vault_at

ADMIN = "space-admin"


@dataclass(frozen=True)
class Settings:
    """Where a space lives. ``home`` holds the domain's bytes, ``database`` its facts. ``at_rest``
    and the three after it say how bytes rest: see ``sandbox.vault.vault_at``."""

    home: Path
    database: str
    work_database: str  # of the durable engine: disposable, never the same SQLite file
    profile: str = "national"
    origin: str = "sandbox"
    algorithm: str = "sha256"
    node: str = "node-1"
    slots: int = 4
    prepared: int = 1  # containers that wait, for each image
    at_rest: str = "encrypted"
    master: str = ""  # where the master key comes from
    vault: str = ""  # a folder on a file system that encrypts; "": in the home
    vault_bytes: int = 0  # of an image that is made in the home; 0: most of what is free
    oidc_issuer: str = ""  # the identity provider; "": local accounts only
    oidc_client: str = ""
    oidc_secret: str = field(default="", repr=False)
    oidc_redirect: str = ""  # where it sends browsers back to, as it knows it: https://…/console/oidc/return

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read from ``SANDBOX_HOME``, ``SANDBOX_DATABASE``, ``SANDBOX_PROFILE`` and so on, as named below."""
        get = env.get
        home = Path(get("SANDBOX_HOME", "var/space")).resolve()
        database = get("SANDBOX_DATABASE", f"sqlite:///{home}/sandbox.db")
        work = database if database.startswith("postgresql") else f"sqlite:///{home}/work.db"
        return cls(
            home=home,
            database=database,
            work_database=get("SANDBOX_WORK_DATABASE", work),
            profile=get("SANDBOX_PROFILE", "national"),
            origin=get("SANDBOX_ORIGIN", "sandbox"),
            algorithm=get("SANDBOX_HASH", "sha256"),
            node=get("SANDBOX_NODE", "node-1"),
            slots=int(get("SANDBOX_SLOTS", "4")),
            prepared=int(get("SANDBOX_PREPARED", "1")),
            at_rest=get("SANDBOX_AT_REST", "encrypted"),
            master=get("SANDBOX_MASTER", ""),
            vault=get("SANDBOX_VAULT", ""),
            vault_bytes=int(get("SANDBOX_VAULT_BYTES", "0")),
            oidc_issuer=get("SANDBOX_OIDC_ISSUER", ""),
            oidc_client=get("SANDBOX_OIDC_CLIENT_ID", ""),
            oidc_secret=get("SANDBOX_OIDC_CLIENT_SECRET", ""),
            oidc_redirect=get("SANDBOX_OIDC_REDIRECT", ""),
        )

    def resting(self) -> AtRest:
        """Where the bytes rest, as the profile allows. Raises VAULT_SETTING, VAULT_PLAIN_FORBIDDEN."""
        get, size = load_profile(self.profile).get, self.vault_bytes
        return vault_at(self.home, get, self.at_rest, master=self.master, folder=self.vault, size=size)


class Space:
    """The parts of one space. ``init`` once, then open as often as needed."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        engine: Engine | None = None,
        executor: Callable[[Path], Executor] | None = None,
    ) -> None:
        """``executor``: of a server that may try recipes on made-up rows, what makes one for a folder."""
        self.settings = settings
        keys = settings.home / "keys"
        self.store = Store(
            settings.database,
            origin=settings.origin,
            algorithm=settings.algorithm,
            signer=FileSigner.load(keys / "audit.pem"),
        )
        self.policy = load_profile(settings.profile)
        self.places = Places(settings.resting())
        self.engine = engine
        self.control = Control(self.store, self.policy, load_calendar(), clock=clock, wake=self._wake)
        self.workspaces = Workspaces(self.control, self.places)
        self.previews = Previews(self.control, lambda: self.places.vault.scratch() / "previews", executor)
        self.gate = Gate(
            self.control,
            self.places,
            settings.home / "released",
            FileSigner.load(keys / "release.pem"),
            bytes.fromhex((keys / "token.key").read_text()),
        )

    @classmethod
    def init(cls, settings: Settings) -> str | None:
        """Make folders, keys, vault, tables, first administrator. Returns the administrator's token, once."""
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = settings.home / "keys"
        keys.mkdir(exist_ok=True, mode=0o700)
        for name in ("audit.pem", "release.pem"):
            if not (keys / name).exists():
                FileSigner.create(keys / name)
        token_key = keys / "token.key"
        if not token_key.exists():
            token_key.touch(0o600)
            token_key.write_text(secrets.token_hex(32))
        space = cls(settings)
        space.places.vault.create()
        space.store.upgrade()
        try:
            return space._first_administrator()
        finally:
            space.store.close()

    def _first_administrator(self) -> str | None:
        from sandbox.control.accounts import give_token

        with self.store.read() as reader:
            if reader.account(ADMIN) is not None:
                return None
        with self.store.write() as writer:
            entry = self.control._entry(SYSTEM, "open-account", f"account/{ADMIN}")
            membership = Membership("space", str(Role.SPACE_ADMIN))
            writer.put_account(Account(ADMIN, ADMIN, ADMIN, memberships=(membership,)), entry)
        return give_token(self.control, SYSTEM, ADMIN, "first", days=7)

    def _wake(self, resource: Resource) -> None:
        if self.engine is not None:
            self.engine.enqueue(resource.ref)

    def announce(self) -> list[str]:
        """Tell the log what there is to know of the profile that was loaded: it is a draft, or expires, or
        has expired (R-207). The codes told; nothing of it stops the space."""
        today = self.control.clock().astimezone(BEIJING).date()
        warnings = self.policy.warnings(today)
        for warning in warnings:
            told = {"warning": warning.code, **warning.details}
            self.control.note(SYSTEM, "load-policy", f"policy/{self.policy.name}", **told)
        return [warning.code for warning in warnings]

    def worker(self, executor: Executor) -> tuple[Work, Reconciler]:
        """What a worker process runs. Needs an engine."""
        assert self.engine is not None
        work = Work(self.control, executor, self.places, self.gate)
        return work, Reconciler(work, self.engine, self.settings.node)
