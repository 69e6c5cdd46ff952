"""The store: facts and the audit log that tells of them, in one database and one transaction."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sandbox.audit.bundle import write_bundle
from sandbox.audit.checkpoint import Checkpoint, check_origin, make_checkpoint
from sandbox.audit.signer import Signer
from sandbox.audit.tree import hasher
from sandbox.core.errors import SandboxError, fail
from sandbox.store.engine import for_reading, for_writing, make_private_file, open_engine, parse_url
from sandbox.store.log import Origin, begin_log
from sandbox.store.reader import Reader
from sandbox.store.writer import Writer

if TYPE_CHECKING:  # imported where it is used: only a space that is made or brought up to date needs it
    from alembic.config import Config

_UPGRADE_LOCK = 7_368_251  # any number of our own: PostgreSQL's advisory lock for migrations
_NO_TABLE = ("no such table", "no such column", "UndefinedTable", "UndefinedColumn")


def migrate(connection: Connection) -> None:
    """Bring the tables on ``connection`` to this version, in its transaction."""
    from alembic import command

    command.upgrade(migrations(connection), "head")


def migrations(connection: Connection) -> Config:
    """Alembic's configuration for the migrations in this package, on ``connection``."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "sandbox.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _as_ours(error: DBAPIError | PoolTimeout) -> SandboxError | None:
    """The error of ours that a database error amounts to, or None for a defect."""
    cause = getattr(error, "orig", None)
    seen = f"{type(cause).__name__} {cause}"  # not of ``error``: its text holds the statement
    if isinstance(error, OperationalError | ProgrammingError) and any(mark in seen for mark in _NO_TABLE):
        return fail("STORE_SCHEMA")
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        return fail("STORE_UNAVAILABLE")
    return None


@contextmanager
def _translated() -> Iterator[None]:
    """Raises STORE_SCHEMA or STORE_UNAVAILABLE for the database errors that mean that."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        ours = _as_ours(error)
        if ours is None:
            raise
        raise ours from error


class Store:
    """One database: SQLite (``sqlite:///path``) or PostgreSQL (``postgresql://…``). Safe for threads.

    ``origin`` names the audit log and ``algorithm`` its hash ("sha256", "sm3"); both are fixed when
    the log begins. ``signer`` signs its heads; without one, ``checkpoint`` raises AUDIT_NO_SIGNER.
    Raises DATABASE_URL, AUDIT_ALGORITHM, AUDIT_CHECKPOINT (origin). Connects to nothing yet.
    """

    def __init__(
        self, url: str, *, origin: str = "sandbox", algorithm: str = "sha256", signer: Signer | None = None
    ) -> None:
        self._url = parse_url(url)
        self._origin = Origin(check_origin(origin), hasher(algorithm))
        self._signer = signer
        self._engine = open_engine(self._url)
        self._here = threading.local()

    def upgrade(self) -> None:
        """Make or migrate the tables and begin the log; does nothing where that is done.

        Raises AUDIT_ORIGIN when the database holds another log, STORE_UNAVAILABLE.
        """
        make_private_file(self._url)
        with _translated(), for_writing(self._engine.connect()) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _UPGRADE_LOCK})
            migrate(connection)
            begin_log(connection, self._origin)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """A transaction that sees one snapshot. Raises STORE_SCHEMA, STORE_UNAVAILABLE."""
        with _translated(), for_reading(self._engine.connect()) as connection, connection.begin():
            yield Reader(connection, self._origin)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        """A transaction: commits at the end, rolls all back when an exception leaves it.

        Writers are serial; keep it short and do no input or output in it. Within a ``write`` of the
        same thread it would wait for itself: RuntimeError. Raises STORE_SCHEMA, STORE_UNAVAILABLE,
        AUDIT_ORIGIN.
        """
        if getattr(self._here, "writing", False):
            raise RuntimeError("a write transaction within a write transaction of the same thread")
        self._here.writing = True
        try:
            with _translated(), for_writing(self._engine.connect()) as connection, connection.begin():
                yield Writer(connection, self._origin)
        finally:
            self._here.writing = False

    def checkpoint(self) -> Checkpoint:
        """Sign the present head, keep it and give it: hand its ``note`` out.

        A head that was signed before gives that checkpoint. Raises AUDIT_NO_SIGNER.
        """
        if self._signer is None:
            raise fail("AUDIT_NO_SIGNER")
        with self.read() as reader:
            head = reader.head()
            known = reader.checkpoint_of(head.size)
        if known is not None:
            return known
        h = self._origin.hasher
        # outside a transaction: the signer may be a slow device
        signed, key = make_checkpoint(self._origin.name, head.size, head.root(h), h.algorithm, self._signer)
        with self.write() as writer:
            writer.put_checkpoint(signed, key)
        return signed

    def export(self, out: Path) -> Checkpoint:
        """Write the audit bundle up to the newest checkpoint into ``out``; gives that checkpoint.

        With a signer the present head is signed first. Raises AUDIT_BUNDLE when nothing was signed yet
        or ``out`` exists.
        """
        if self._signer is not None:
            self.checkpoint()
        with self.read() as reader:
            signed = reader.checkpoints()
            heads = [checkpoint for checkpoint, _ in signed]
            keys = dict.fromkeys(key for _, key in signed)
            end = heads[-1].size if heads else 0
            write_bundle(out, reader.raw_entries(end), heads, keys)
        return heads[-1]

    def scrub(self) -> None:
        """After a purge: give up the space in which its payload stood (SQLite: write-ahead log; PostgreSQL:
        dead rows). What backups hold is theirs to purge. Raises STORE_UNAVAILABLE."""
        statement = "VACUUM audit"
        with _translated(), self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                statement = "PRAGMA wal_checkpoint(TRUNCATE)"
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(statement)

    def close(self) -> None:
        """Close every connection; the store can still be used and opens new ones."""
        self._engine.dispose()
