"""Tells the workers of one database that there is work, so that nobody has to look for it all the time.

On SQLite a pipe with a name beside the file, on PostgreSQL ``NOTIFY``. A ring that is lost costs time and
nothing else: the durable engine looks for itself now and then (``durable.LOOK_SECONDS``).
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psycopg
import sqlalchemy as sa

CHANNEL = "sandbox_work"
AGAIN_SECONDS = 5.0  # before a listener that lost its database tries anew
HEARD_SECONDS = 1.0  # longest wait for a notification; then it is looked whether to stop


class Bell(Protocol):
    """One end rings, the other listens; both may be in one process."""

    def ring(self) -> None:
        """There is work. Never an error, and never waits."""

    def listen(self, heard: Callable[[], None]) -> None:
        """Call ``heard`` in a thread of its own after each ring, or after several at once."""

    def close(self) -> None:
        """Listen no more."""


class PipeBell:
    """A named pipe at ``path``, made by whoever listens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._over = False
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        """See ``Bell``."""
        with contextlib.suppress(OSError):  # nobody listens, or it was rung often enough
            pipe = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if stat.S_ISFIFO(os.fstat(pipe).st_mode):
                    os.write(pipe, b".")
            finally:
                os.close(pipe)

    def listen(self, heard: Callable[[], None]) -> None:
        """See ``Bell``."""
        with contextlib.suppress(FileExistsError):
            os.mkfifo(self._path, 0o600)
        # open for both, so that it has no end when the last one who rang is gone
        pipe = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._thread = threading.Thread(target=self._hear, args=(pipe, heard), name="bell", daemon=True)
        self._thread.start()

    def _hear(self, pipe: int, heard: Callable[[], None]) -> None:
        while os.read(pipe, 4096) and not self._over:
            heard()
        os.close(pipe)

    def close(self) -> None:
        """See ``Bell``."""
        self._over = True
        if self._thread is not None:
            self.ring()
            self._thread.join(AGAIN_SECONDS)


class NotifyBell:
    """PostgreSQL's own; ``pool`` rings, a connection to ``url`` of its own listens."""

    def __init__(self, url: str, pool: Callable[[], sa.Engine]) -> None:
        self._url = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._pool = pool
        self._over = threading.Event()

    def ring(self) -> None:
        """See ``Bell``."""
        with contextlib.suppress(sa.exc.SQLAlchemyError, OSError), self._pool().begin() as connection:
            connection.exec_driver_sql(f"NOTIFY {CHANNEL}")

    def listen(self, heard: Callable[[], None]) -> None:
        """See ``Bell``."""
        threading.Thread(target=self._hear, args=(heard,), name="bell", daemon=True).start()

    def _hear(self, heard: Callable[[], None]) -> None:
        while not self._over.is_set():
            with (
                contextlib.suppress(psycopg.Error, OSError),
                psycopg.connect(self._url, autocommit=True) as line,
            ):
                line.execute(f"LISTEN {CHANNEL}")
                heard()  # what was rung while nobody listened
                while not self._over.is_set():
                    for _ in line.notifies(timeout=HEARD_SECONDS, stop_after=1):
                        heard()
            self._over.wait(AGAIN_SECONDS)

    def close(self) -> None:
        """See ``Bell``."""
        self._over.set()
