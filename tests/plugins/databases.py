"""Both databases for the tests: a SQLite file, and a PostgreSQL server that the tests start themselves.

The server comes from the distribution's package, runs as an unprivileged user, listens on a Unix
socket in a folder of its own and has durability off. Each test gets a clone of a migrated template.
A machine without PostgreSQL fails the tests: half of what is promised would go untested.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sandbox.audit import FileSigner
from sandbox.store import Store
from sandbox.store.engine import make_private_file, open_engine, parse_url
from sandbox.store.store import migrate

DIALECTS = ["sqlite", "postgresql"]
_START_SECONDS = 60
_FAST = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]


@dataclass(frozen=True)
class Server:
    """A running server; ``url(name)`` is the address of one of its databases."""

    socket: Path
    user: str

    def url(self, database: str) -> str:
        return f"postgresql://{self.user}@/{database}?host={self.socket}"

    def admin(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.fail(
            "找不到 PostgreSQL：请安装发行版的 postgresql 软件包。"
            "PostgreSQL is missing: install the distribution's package postgresql.",
            pytrace=False,
        )
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


def _unprivileged() -> dict[str, Any]:
    """Arguments of ``Popen`` that make the server run as no root: PostgreSQL refuses to."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _die_with_us() -> None:
    """In the child: end fast (SIGINT) when the tests are killed, so that no server is left behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG


@contextlib.contextmanager
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server of one's own, from the distribution's package, ended and removed afterwards."""
    binaries, who = _binaries(), _unprivileged()
    # not pytest's folder: that one is closed to other users, and a socket's path has 107 bytes at most
    folder = Path(tempfile.mkdtemp(prefix="sbx-pg-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if who:
            os.chown(folder, who["user"], who["group"])
        data, log = folder / "data", folder / "log"
        made = subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "sandbox", "-A", "trust", "-E", "UTF8", "--no-sync"],
            capture_output=True,
            cwd=folder,
            env={"LC_ALL": "C", "PATH": os.defpath},
            check=False,
            **who,
        )
        if made.returncode:
            pytest.fail(f"initdb: {made.stderr.decode(errors='replace')}", pytrace=False)
        options = [f"unix_socket_directories={folder}", "listen_addresses=", *_FAST]
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, *(word for option in options for word in ("-c", option))],
            stdout=stack.enter_context(log.open("wb")),
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={"LC_ALL": "C", "PATH": os.defpath},
            preexec_fn=_die_with_us,
            **who,
        )
        stack.callback(process.wait, 30)
        stack.callback(process.send_signal, signal.SIGINT)
        server = Server(folder, "sandbox")
        _wait(server, process, log)
        yield server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL server for this test run."""
    with postgresql() as server:
        yield server


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(server.url("postgres")).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"PostgreSQL: {error}\n{log.read_text(errors='replace')}", pytrace=False)
            time.sleep(0.05)


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: Server) -> str:
    """The name of a migrated database without a log, to clone."""
    postgresql_server.admin("CREATE DATABASE template_sandbox")
    _migrate(postgresql_server.url("template_sandbox"))
    return "template_sandbox"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file without a log, to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


def _migrate(address: str) -> None:
    url = parse_url(address)
    make_private_file(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """``new_database(dialect, blank=False)`` gives the address of a fresh database, gone after the test.

    It holds the migrated tables; with ``blank`` nothing. ``Store(url).upgrade()`` begins the log.
    """
    with contextlib.ExitStack() as stack:

        def make(dialect: str, *, blank: bool = False) -> str:
            name = f"t_{uuid.uuid4().hex}"
            if dialect == "sqlite":
                path = tmp_path / f"{name}.db"
                if not blank:
                    shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
                return f"sqlite:///{path}"
            server: Server = request.getfixturevalue("postgresql_server")
            template = "template0" if blank else request.getfixturevalue("postgresql_template")
            server.admin(f"CREATE DATABASE {name} TEMPLATE {template}")
            stack.callback(server.admin, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            return server.url(name)

        yield make


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest, new_database: Callable[..., str]) -> str:
    """The address of a fresh database with the tables; the test runs once per kind of database."""
    return new_database(request.param)


@pytest.fixture(params=DIALECTS)
def blank_database_url(request: pytest.FixtureRequest, new_database: Callable[..., str]) -> str:
    """The address of an empty database; the test runs once per kind of database."""
    return new_database(request.param, blank=True)


@pytest.fixture
def signer(tmp_path: Path) -> FileSigner:
    """A fresh checkpoint signing key."""
    return FileSigner.create(tmp_path / "signing.key")


@pytest.fixture
def store(database_url: str, signer: FileSigner) -> Iterator[Store]:
    """A ready store; the test runs once per kind of database."""
    opened = Store(database_url, signer=signer)
    opened.upgrade()
    yield opened
    opened.close()
