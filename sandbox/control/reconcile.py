"""The reconciler: rebuilds the work from our rows and from what the containers show (invariant 7)."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from datetime import timedelta

from sandbox.control.kinds import KINDS
from sandbox.control.means import owner_of
from sandbox.control.work import Work, keeps_views, working
from sandbox.core.errors import SandboxError
from sandbox.engine.contract import Engine

log = logging.getLogger("sandbox.worker")

STOP_SECONDS = 1.0  # how often running containers are compared with their rows (R-107: stopped within 10 s)
RECONCILE_SECONDS = 5.0
CLOCK_SECONDS = 30.0
PRUNE_SECONDS = 3600.0
SILENT_SECONDS = 60.0  # a node without a heartbeat for so long is dead


class Reconciler:
    """What a worker does beside the work itself."""

    def __init__(self, work: Work, engine: Engine, node: str) -> None:
        self.work = work
        self.engine = engine
        self.node = node
        self.boot = secrets.token_hex(8)

    def enqueue(self) -> list[str]:
        """Ask for work for every row in a working state that has none; the refs asked for."""
        live = self.engine.live()
        wanted: list[str] = []
        with self.work.control.store.read() as reader:
            for kind in KINDS.values():
                if kind.working:
                    found = reader.find(kind.name, state=sorted(kind.working))
                    wanted += [one.ref for one in found if one.ref not in live and not self._waits(one)]
        return [ref for ref in wanted if self.engine.enqueue(ref)]

    @staticmethod
    def _waits(resource: object) -> bool:
        """An agreement that is deleted and certified waits for a person, not for the machine."""
        status = getattr(resource, "status", {})
        return getattr(resource, "state", "") == "deleting" and status.get("certify", {}).get("left") == 0

    def stop_unwanted(self) -> list[str]:
        """Stop every container whose row no longer runs: a killed job is over within seconds (R-107)."""
        stopped: list[str] = []
        for task in self.work.executor.running():
            if not self._wanted(task):
                self.work.executor.stop(task)
                stopped.append(task)
        return stopped

    def discard_orphans(self) -> list[str]:
        """Remove containers and folders that no row needs any more."""
        gone: list[str] = []
        for task in sorted({*self.work.executor.known(), *self.work.places.assemblies()}):
            if not self._wanted(task):
                self.work.executor.stop(task)
                self.work.executor.discard(task)
                self.work.places.forget(task)
                gone.append(task)
        return gone

    def _wanted(self, task: str) -> bool:
        kind, _, id = owner_of(task).partition("/")
        if kind not in KINDS:
            return False
        with self.work.control.store.read() as reader:
            found = reader.get(kind, id)
        return found is not None and (working(found) or keeps_views(found))

    def watch_nodes(self) -> list[str]:
        """Beat our own heart; give the work of nodes that are silent to the living."""
        now = self.work.control.clock()
        with self.work.control.store.write() as writer:
            writer.heartbeat(self.node, self.boot, now)
            nodes = writer.nodes()
        dead = [
            node.id
            for node in nodes
            if node.id != self.node and now - node.heartbeat_at > timedelta(seconds=SILENT_SECONDS)
        ]
        return [node for node in dead if self.engine.requeue(node)]

    def sweep_sessions(self) -> None:
        """Remove sessions that have run out and attempts that no longer count."""
        from sandbox.control.identity.sessions import sweep  # argon2 and httpx: not before a worker starts

        sweep(self.work.control)

    def run(self, stop: threading.Event) -> None:
        """All of it, each at its own pace, until ``stop``. A failed round is logged and tried again."""
        rounds = (
            (STOP_SECONDS, self.stop_unwanted),
            (RECONCILE_SECONDS, self.enqueue),
            (RECONCILE_SECONDS, self.discard_orphans),
            (RECONCILE_SECONDS, self.watch_nodes),
            (CLOCK_SECONDS, self.work.control.tick),
            (CLOCK_SECONDS, self.work.gate.sweep),
            (CLOCK_SECONDS, self.work.leftovers.sweep),
            (PRUNE_SECONDS, self.sweep_sessions),
            (PRUNE_SECONDS, lambda: self.engine.prune(PRUNE_SECONDS)),
        )
        last = dict.fromkeys(range(len(rounds)), 0.0)
        while not stop.is_set():
            for number, (every, act) in enumerate(rounds):
                if time.monotonic() - last[number] >= every:
                    last[number] = time.monotonic()
                    try:
                        act()
                    except SandboxError as error:
                        log.warning("round %s: %s", getattr(act, "__name__", number), error.code)
                    except Exception as error:  # a defect must not end the watch
                        log.error("round %s: %s", getattr(act, "__name__", number), type(error).__name__)
            stop.wait(0.2)
