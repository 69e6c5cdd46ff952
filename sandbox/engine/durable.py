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
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from sandbox.engine.bell import Bell, NotifyBell, PipeBell
from sandbox.engine.contract import Step

PROTOCOL = "2"  # of the workflow below: raise it when its steps change meaning
QUEUE = "work"
NAME = "sandbox"
SCHEMA = "dbos"  # the engine's own, in PostgreSQL
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
UNFINISHED = ["PENDING", "ENQUEUED", "DELAYED"]
# The queue is looked at when the bell rings (``bell.py``), and from time to time for a ring that was lost.
LOOK_SECONDS = 2.0
MESSAGES_SECONDS = 1.0  # between two looks for messages between workflows, of which we send none
START_SECONDS = 3.0  # longest wait for the queue's own thread
# A look that was under way when the bell rang may have missed the work: looked again so many seconds later.
AGAIN_SECONDS = (0.0, 0.01, 0.05)


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


class _Looks(list[threading.Event]):
    """The events whose setting ends the durable engine's threads; they wait for it between two looks.

    It has no call to make it look, so this list gives each event that is put into it a wait that can be
    disturbed: it ends then, and says that the end has not come. Where the engine does not wait like this any
    more, it looks every ``LOOK_SECONDS``, and tests/integration/test_engine_bell.py fails.
    """

    def append(self, over: threading.Event) -> None:
        """One more, before anybody waits for it."""
        ended = over.wait

        def wait(timeout: float | None = None) -> bool:
            ended(timeout)
            return over.is_set()

        over.wait = wait  # type: ignore[method-assign]
        super().append(over)

    def disturb(self) -> None:
        """End all waits."""
        for over in self:
            waiters: threading.Condition = over._cond  # type: ignore[attr-defined]
            with waiters:
                waiters.notify_all()


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
        self._bell: Bell | None = None  # of the worker; whoever only enqueues has its own
        self._ringer: Bell | None = None
        self._doing = threading.local()  # the ref whose step runs in a thread
        self._looks = _Looks()

    def enqueue(self, ref: str) -> bool:
        """See the contract. One live workflow per ref, by deduplication."""
        if getattr(self._doing, "ref", None) == ref:
            return True  # its own step asks: the work that goes on is the only one
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
        self._ring()
        return True

    def _ring(self) -> None:
        with self._lock:
            if self._ringer is None:
                self._ringer = self._new_bell()
        self._ringer.ring()

    def _new_bell(self) -> Bell:
        url = sa.make_url(self._url)
        if url.get_backend_name() == "sqlite":
            return PipeBell(Path(f"{url.database}.bell"))
        return NotifyBell(self._url, lambda: self._pools[-1])

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
        self._ring()
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
            "notification_listener_polling_interval_sec": MESSAGES_SECONDS,
        }
        logging.getLogger("dbos").setLevel(logging.ERROR)
        engine = DBOS(config=config)
        engine.background_thread_stop_events = self._looks = _Looks()

        # One step of the engine for all of ours: how far a resource came stands in its row, and a second
        # record of it here would cost a write for each.
        @DBOS.step(name="steps")
        def steps(ref: str) -> None:
            self._doing.ref = ref
            try:
                while step(ref):
                    pass
            finally:
                self._doing.ref = None

        @DBOS.workflow(name="advance")
        def advance(ref: str) -> None:
            steps(ref)

        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=self._slots,
            polling_interval_sec=LOOK_SECONDS,
            on_conflict="always_update",
        )
        self._running = True
        self._begin_to_listen()

    def _begin_to_listen(self) -> None:
        """From now on a ring is heard. The engine starts the queue's thread when it looks at its queues."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if f"queue-worker-{QUEUE}" in {thread.name for thread in threading.enumerate()}:
                break
            self._looks.disturb()
            time.sleep(0.01)
        self._bell = self._new_bell()
        self._bell.listen(self._look)
        self._look()

    def _look(self) -> None:
        """Have the durable engine look at its queue now."""
        for seconds in AGAIN_SECONDS:
            time.sleep(seconds)
            self._looks.disturb()

    def stop(self) -> None:
        """See the contract."""
        self._step = None
        self._halt()

    def _halt(self) -> None:
        if self._bell is not None:
            self._bell.close()
            self._bell = None
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
