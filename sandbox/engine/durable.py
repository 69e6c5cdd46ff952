"""The engine on DBOS Transact (MIT core), the only module that imports it.

Own database file beside SQLite's application file, or its own schema in PostgreSQL; JSON instead of the
default pickle; a fixed protocol version instead of a hash of the code, so that an upgrade recovers
what the version before had begun.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from sandbox.engine.contract import Step

PROTOCOL = "2"  # of the workflow below: raise it when its steps change meaning
QUEUE = "work"
NAME = "sandbox"
SCHEMA = "dbos"  # the engine's own, in PostgreSQL
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
UNFINISHED = ["PENDING", "ENQUEUED", "DELAYED"]
POLL_SECONDS = 0.02  # between a submission and its work; an idle node spends 2 % of a core on looking


def _engine(url: str) -> sa.Engine:
    """SQLite in WAL mode with a patient lock; PostgreSQL as it is."""
    if not url.startswith("sqlite"):
        return sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA busy_timeout=30000")
        cursor.close()

    return engine


class DurableEngine:
    """See ``contract.Engine``. ``node`` is this machine's stable name, ``slots`` how many refs at a time."""

    def __init__(self, url: str, node: str, slots: int = 4) -> None:
        self._url = url
        self._node = node
        self._slots = slots
        self._client: DBOSClient | None = None
        self._lock = threading.Lock()
        self._running = False
        self._step: Step | None = None
        self._pools: list[sa.Engine] = []  # ours to close: the durable engine closes none that it was given

    def enqueue(self, ref: str) -> bool:
        """See the contract. One live workflow per ref, by deduplication."""
        try:
            self._reach().enqueue(
                {
                    "queue_name": QUEUE,
                    "workflow_name": "advance",
                    "deduplication_id": ref,
                    "duplication_policy": "return-existing",
                    "app_version": PROTOCOL,
                },
                ref,
            )
        except (SQLAlchemyError, OSError):
            return False  # the row is in our tables: the reconciler asks again
        return True

    def live(self) -> set[str]:
        """See the contract."""
        try:
            return self._live()
        except SQLAlchemyError:
            if self._step is None or not self._tables_are_gone():
                raise
            self._halt()
            self.start(self._step)
            return self._live()

    def _live(self) -> set[str]:
        return {self._ref(status) for status in self._reach().list_workflows(status=UNFINISHED)}

    def _tables_are_gone(self) -> bool:
        """Whether the database answers and does not have our tables."""
        engine = _engine(self._url)
        try:
            return not sa.inspect(engine).has_table("workflow_status", schema=self._schema)
        finally:
            engine.dispose()

    @property
    def _schema(self) -> str | None:
        return None if self._url.startswith("sqlite") else SCHEMA

    def requeue(self, node: str) -> int:
        """See the contract. Fencing is the engine's: a late result of the old owner is discarded."""
        stuck = self._reach().list_workflows(status="PENDING", executor_id=node, load_input=False)
        self._reach().resume_workflows([status.workflow_id for status in stuck])
        return len(stuck)

    def prune(self, seconds: float) -> int:
        """See the contract."""
        before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))
        ended = self._reach().list_workflows(
            status=ENDED, completed_before=before, load_input=False, load_output=False
        )
        for status in ended:
            self._reach().delete_workflow(status.workflow_id)
        return len(ended)

    def start(self, step: Step) -> None:
        """See the contract. One running engine per process."""
        self._step = step
        config: DBOSConfig = {
            "name": NAME,
            "system_database_engine": self._pool(),
            "system_database_url": self._url,
            "serializer": DBOSPortableJSONSerializer(),
            "application_version": PROTOCOL,
            "executor_id": self._node,
            "log_level": "ERROR",
            "use_listen_notify": False,
            "notification_listener_polling_interval_sec": POLL_SECONDS,
        }
        logging.getLogger("dbos").setLevel(logging.ERROR)
        DBOS(config=config)

        # One step of the engine for all of ours: how far a resource came stands in its row, and a second
        # record of it here would cost a write for each.
        @DBOS.step(name="steps")
        def steps(ref: str) -> None:
            while step(ref):
                pass

        @DBOS.workflow(name="advance")
        def advance(ref: str) -> None:
            steps(ref)

        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=self._slots,
            polling_interval_sec=POLL_SECONDS,
            on_conflict="always_update",
        )
        self._running = True

    def stop(self) -> None:
        """See the contract."""
        self._step = None
        self._halt()

    def _halt(self) -> None:
        if self._running:
            DBOS.destroy(destroy_registry=True)
            self._running = False
        with self._lock:
            if self._client is not None:
                with contextlib.suppress(SQLAlchemyError):
                    self._client.destroy()
                self._client = None
            while self._pools:
                self._pools.pop().dispose()

    def _pool(self) -> sa.Engine:
        self._pools.append(_engine(self._url))
        return self._pools[-1]

    def _reach(self) -> DBOSClient:
        with self._lock:
            if self._client is None:
                pool = self._pool()
                try:
                    self._client = DBOSClient(
                        system_database_engine=pool,
                        system_database_url=self._url,
                        serializer=DBOSPortableJSONSerializer(),
                        application_name=NAME,
                    )
                except Exception:
                    self._pools.remove(pool)
                    pool.dispose()
                    raise
            return self._client

    @staticmethod
    def _ref(status: Any) -> str:
        arguments = (status.input or {}).get("args") or [""]
        return str(arguments[0])
