"""Connections to the two databases, set up so that both behave alike.

SQLite: WAL, ``synchronous=FULL`` (state and audit share the transaction), foreign keys, 30 s busy
time-out, the driver's own transaction handling off; a write transaction begins IMMEDIATE, because one
that reads first and writes later fails at once with "database is locked" whatever the time-out.
PostgreSQL: a read transaction is REPEATABLE READ and read-only, which is what SQLite gives by itself.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from pydantic_core import from_json
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

import sandbox.store.codes  # noqa: F401 - states the error codes raised here
from sandbox.core.errors import fail

LOCK_SECONDS = 30
_BEGIN = "sandbox_begin"
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # what is purged is overwritten, not only unlinked
    f"PRAGMA busy_timeout={LOCK_SECONDS * 1000}",
)
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def parse_url(text: str) -> URL:
    """The address with our driver filled in; raises DATABASE_URL (the text itself may hold a password)."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise fail("DATABASE_URL", why="it is not an address") from None
    if url.drivername not in _DRIVERS:
        raise fail("DATABASE_URL", why=f"{url.drivername} is not supported")
    url = url.set(drivername=_DRIVERS[url.drivername])
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise fail("DATABASE_URL", why="a database in memory loses everything")
    return url


def open_engine(url: URL) -> Engine:
    """The engine for ``url``; connects to nothing yet."""
    if url.drivername == "sqlite":
        return _sqlite(url)
    options = f"-c timezone=UTC -c lock_timeout={LOCK_SECONDS}s"
    return create_engine(
        url,
        hide_parameters=True,  # what is stored does not belong in an error's text or a log
        json_deserializer=from_json,  # twice as fast as the standard library's
        pool_size=5,
        max_overflow=35,  # one per thread of the API's pool at the most
        pool_timeout=LOCK_SECONDS,
        pool_pre_ping=True,
        connect_args={"options": options, "connect_timeout": 10},
    )


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        json_deserializer=from_json,
        pool_size=5,
        max_overflow=35,
        pool_timeout=LOCK_SECONDS,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(pragma).close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine


def for_reading(connection: Connection) -> Connection:
    """``connection`` whose next transaction is one snapshot and changes nothing."""
    if connection.dialect.name == "sqlite":
        return connection.execution_options(**{_BEGIN: "BEGIN"})
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def for_writing(connection: Connection) -> Connection:
    """``connection`` whose next transaction may write."""
    if connection.dialect.name == "sqlite":
        return connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
    return connection.execution_options(isolation_level="READ COMMITTED", postgresql_readonly=False)


def make_private_file(url: URL) -> None:
    """Make a new SQLite file readable by its owner only; its WAL takes over the mode."""
    if url.drivername == "sqlite" and url.database is not None:
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
