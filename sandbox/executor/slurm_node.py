"""What runs on a node of the cluster: ``python -m sandbox.executor.slurm_node run|reap|guarantees``.

- ``run ROOT ID TICKET``: the program of one Slurm job. It claims the task, runs it with the node's own
  executor below a folder of the node, and notes the end. It stops the task when it is told to (a signal,
  ``stop.json``) and when what it does no longer counts (the end is noted by somebody else, or the folder is
  gone).
- ``reap``: the cluster's ``Epilog``, after every job, however it ended: ``scancel`` ends the processes of a
  job but not a container, whose processes are an engine's. What dead programs of ours left is found by
  folder and label and ended. It fails if something cannot be ended, and Slurm then gives the node no more
  jobs.
- ``guarantees EXECUTOR RUNTIME``: what the node guarantees, as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox.core.errors import SandboxError, fail
from sandbox.executor import processes, slurm_secrets
from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.contract import End, Executor, Guarantees, Input, Limits, Task, TaskKind
from sandbox.executor.docker import DockerExecutor
from sandbox.executor.folders import TaskFolder
from sandbox.executor.guarantees import match
from sandbox.executor.slurm_folder import CLAIM, NODE, STOP, Run

DEFAULT_NODE_ROOT = "/var/lib/sandbox-node"
LOOK_SECONDS = 0.5  # between two looks at whether the task is still wanted
AnyInner = DockerExecutor | BubblewrapExecutor
INNER: dict[str, type[AnyInner]] = {"docker": DockerExecutor, "bubblewrap": BubblewrapExecutor}


def node_root() -> Path:
    """Where a node keeps what its tasks need while they run: ``SANDBOX_SLURM_NODE_ROOT``, on the node's own
    disk."""
    return Path(os.environ.get("SANDBOX_SLURM_NODE_ROOT") or DEFAULT_NODE_ROOT)


def _inner(name: str, root: Path, entry: tuple[str, ...] | None = None) -> AnyInner:
    kind = INNER.get(name)
    if kind is None:
        raise fail("EXECUTOR_UNKNOWN", name=name, known=", ".join(INNER))
    chosen: type[AnyInner] = kind if entry is None else type(kind.__name__, (kind,), {"entry": entry})
    return chosen(root)


def _task(told: dict[str, Any], secrets: dict[str, Any]) -> Task:
    return Task(
        **{
            **told,
            "params": {**told["params"], **secrets},
            "secrets": tuple(told["secrets"]),
            "kind": TaskKind(told["kind"]),
            "limits": Limits(**told["limits"]),
            "inputs": tuple(Input(name, Path(path)) for name, path in told["inputs"]),
        }
    )


class Program:
    """One job on this node; used once."""

    def __init__(self, root: Path, task_id: str, ticket: str) -> None:
        self.shared = Run(TaskFolder(root, task_id), ticket)
        self.local = node_root()
        self.signalled = threading.Event()
        self.over = threading.Event()

    def run(self) -> int:
        """The exit code of the job: 0 also where another job has the task, or it is wanted no more."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.signalled.set())
        order = self.shared.order()
        if order is None or not self._claim(order["executor"]):
            return 0
        watcher: threading.Thread | None = None
        try:
            told = order["task"]
            secrets = slurm_secrets.unseal(order["sealed"], told["id"], self.shared.home.root)
            task = _task(told, secrets)
            inner = _inner(order["executor"], self.local, tuple(order["entry"]))
            watcher = threading.Thread(target=self._watch, args=(inner, task.id), daemon=True)
            watcher.start()
            self._compare(inner.guarantees(task.runtime), order["promised"])
            outcome = inner.run(task)
            if outcome.end is End.LOST and self._stopped():
                # Slurm's signal reached the task itself before the executor here was told to stop it
                outcome = replace(outcome, end=End.STOPPED)
            self.shared.end(outcome, NODE)
        except SandboxError as refused:
            self.shared.refuse(refused.code, refused.details)
        finally:
            self.over.set()
            if watcher:
                watcher.join()
            clear(self.local)  # what cannot be cleared is the epilog's to try again, and to tell
        return 0

    def _claim(self, executor: str) -> bool:
        """Whether this job is the one that runs the task; then it has a folder on this node."""
        pid, birth = processes.name_of(os.getpid())
        who = {"slurm": os.environ.get("SLURM_JOB_ID", ""), "node": os.environ.get("SLURMD_NODENAME", "")}
        if self.shared.closed() or not self.shared.make_once(CLAIM, {**who, "at": time.time()}):
            return False
        self.local = node_root() / f"{self.shared.ticket}-{executor}-{pid}-{birth}"
        self.local.mkdir(mode=0o700, parents=True)
        return True

    def _compare(self, given: Guarantees, promised: dict[str, str]) -> None:
        """ISOLATION_UNAVAILABLE if this node gives less than the one that was measured."""
        match(given, promised)

    def _stopped(self) -> bool:
        """Whether somebody asked for its end; a signal alone may be the node's, which drains."""
        return (self.shared.path / f"{STOP}.json").exists()

    def _unwanted(self) -> bool:
        return self._stopped() or self.signalled.is_set() or self.shared.closed()

    def _watch(self, inner: Executor, task_id: str) -> None:
        """Stop the task as often as it takes: it may not have begun yet when it is no longer wanted."""
        while not self.over.is_set():
            if self._unwanted():
                with suppress(SandboxError):  # said again by ``run``, or the next time
                    inner.stop(task_id)
            (self.over if self.signalled.is_set() else self.signalled).wait(LOOK_SECONDS)


def clear(local: Path) -> None:
    """End and remove everything of a program of this node, whose folder is ``local``. ISOLATION_UNAVAILABLE,
    ENGINE_UNREACHABLE if something stays."""
    inner = _inner(local.name.split("-")[1], local)
    for task_id in inner.known():
        inner.discard(task_id)
    if isinstance(inner, DockerExecutor):
        inner.tidy()
    shutil.rmtree(local)


def reap() -> int:
    """Clear the folder of every program on this node that is dead; 0 if all of it is gone."""
    left = 0
    for local in sorted(node_root().iterdir()) if node_root().is_dir() else ():
        _, _, pid, birth = local.name.split("-")
        if processes.alive((int(pid), birth)):
            continue
        try:
            clear(local)
        except (SandboxError, FileNotFoundError) as error:  # the latter: another reaper was here
            if local.exists():
                print(f"{local.name}: {getattr(error, 'code', error)}", file=sys.stderr)
                left = 1
    return left


def guarantees(executor: str, runtime: str) -> int:
    """Print what this node guarantees, or the code of why it cannot be said."""
    try:
        told = vars(_inner(executor, node_root() / "none").guarantees(runtime))
    except SandboxError as error:
        told = {"code": error.code, "details": error.details}
    print(json.dumps(told, default=dict))
    return 0


def run(root: str, task_id: str, ticket: str) -> int:
    """See ``Program``. What a killed program left on this node is cleared first."""
    reap()
    return Program(Path(root), task_id, ticket).run()


VERBS: dict[str, Callable[..., int]] = {"run": run, "reap": reap, "guarantees": guarantees}

if __name__ == "__main__":
    sys.exit(VERBS[sys.argv[1]](*sys.argv[2:]))
