"""The executor for more than one machine: Slurm picks the node, which runs the task as this machine would.

A worker lays the task out in a folder that all nodes share (``slurm_folder``) and submits a job; on the node
``slurm_node`` claims the task, runs it with the executor of the node (docker or bubblewrap: the same
container, profile, probe, outcome) and brings the outputs back. What a node guarantees is measured on a
node, and each node compares itself with it before it runs a task.

Beyond the contract
- ``run`` also blocks while the job waits for a node; the task's wall clock starts with its container.
- ``running`` counts a job that waits: it may begin at any moment, and whoever stops tasks means it too.
- A node that Slurm gives up is a LOST task; nothing that the node does afterwards counts. It is never
  requeued.
- Nothing is prepared: no container waits on a node.

``root``, the inputs and ``SANDBOX_IMAGES`` must be on a file system that the nodes share, and readable there
by the user that submits: root for docker.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.core.errors import SandboxError, fail
from sandbox.executor import folders, profile, slurm_calls, slurm_secrets
from sandbox.executor.contract import End, Guarantees, Outcome, Shape, Task
from sandbox.executor.folders import TaskFolder
from sandbox.executor.guarantees import DEFAULT_RUNTIME
from sandbox.executor.images import ImageList
from sandbox.executor.slurm_calls import LIVE, Settings
from sandbox.executor.slurm_folder import STOP, Run, Watch

LOOK_SECONDS = 1.0  # between two looks at a folder whose changes no kernel tells of
ASK_SECONDS = 2.0  # between two questions to Slurm
SETTLE_SECONDS = 2.0  # a job that has ended has noted its end before; a shared file system may be behind
AWAY_SECONDS = 120.0  # a controller that restarts may be away this long
STOP_SECONDS = 9.0
# Slurm's word for how a job without a noted end ended; any other: LOST
ENDS = {"TIMEOUT": End.TIMED_OUT, "DEADLINE": End.TIMED_OUT}


class SlurmExecutor:
    """Runs tasks on the nodes of a Slurm cluster; see the module's text and ``contract.Executor``.

    Threads and processes may use executors of the same root at the same time.
    """

    entry = profile.ENTRY  # what a container runs; tests put their probes in its place

    def __init__(self, root: Path, images: ImageList | None = None, settings: Settings | None = None) -> None:
        self.root = root.resolve()
        self.images = images or ImageList()
        self.settings = settings or Settings.from_env()
        self.space = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
        self._measured: dict[str, Guarantees] = {}

    # -- the contract -----------------------------------------------------------------------------

    def run(self, task: Task) -> Outcome:
        """See ``contract.Executor``. SCHEDULER_UNREACHABLE if Slurm does not answer or does not take it,
        SLURM_KEY if its parameters hold keys and there is none to seal them under."""
        folders.check(task)
        home = TaskFolder(self.root, task.id)
        with home.lock():
            run = Run.of(home)
            if run and (known := run.ended()):
                return known
            run = run or self._lay_out(task, home)
            self._submit(task, run)
        self._wait(run)
        with home.lock():
            return self._outcome(home, run)

    def ended(self, task_id: str) -> Outcome | None:
        """See ``contract.Executor``."""
        run = Run.of(self._home(task_id))
        return run.ended() if run else None

    def stop(self, task_id: str) -> None:
        """See ``contract.Executor``."""
        home = self._home(task_id)
        with home.lock():
            run = Run.of(home)
            if run is None or run.closed():
                return
            run.notes.note(STOP, {"at": time.time()})
            slurm_calls.cancel(self._name(run))
        self._gone(run)

    def discard(self, task_id: str) -> None:
        """See ``contract.Executor``. ISOLATION_UNAVAILABLE while Slurm still has the job."""
        home = self._home(task_id)
        with home.lock():
            if run := Run.of(home):
                run.close(End.STOPPED)  # from now on nothing that a node does counts
                if self._state(run) in LIVE:
                    slurm_calls.cancel(self._name(run))
                    if not self._gone(run):
                        raise fail("ISOLATION_UNAVAILABLE", missing="kill (slurm)")
            home.remove()

    def running(self, label: str | None = None, value: str | None = None) -> list[str]:
        """See ``contract.Executor``; a job that waits for a node counts."""
        found: dict[str, Run] = {}
        for task_id in self.known():
            home = TaskFolder(self.root, task_id)
            run, labels = Run.of(home), (home.noted("run") or {}).get("labels", {})
            wanted = label is None or (label in labels and value in (None, labels[label]))
            if run and wanted and not run.closed():
                found[task_id] = run
        if not found:
            return []
        there = slurm_calls.states(f"sandbox-{self.space}-")
        return [id for id, run in found.items() if LIVE & set(there.get(self._name(run), {}).values())]

    def known(self) -> list[str]:
        """See ``contract.Executor``."""
        if not self.root.exists():
            return []
        return sorted(path.name for path in self.root.iterdir() if not path.name.startswith("."))

    def prepare(self, wanted: Sequence[Shape]) -> None:
        """Nothing is ever ready: which node a task gets is known when it begins."""

    def close(self) -> None:
        """Nothing waits."""

    def image(self, name: str) -> str:
        """See ``contract.Executor``."""
        return self.images.digest(name)

    def guarantees(self, runtime: str = DEFAULT_RUNTIME) -> Guarantees:
        """See ``contract.Executor``: those of the executor on the nodes, measured on one of them, once."""
        if runtime not in self._measured:
            told = slurm_calls.measured(self.settings, "guarantees", self.settings.inner, runtime)
            try:
                answer = json.loads(told)
            except ValueError:
                raise fail("SCHEDULER_UNREACHABLE", why="slurm_node") from None
            if "code" in answer:
                raise fail(answer["code"], **answer["details"])
            self._measured[runtime] = Guarantees(
                f"slurm/{answer['executor']}", runtime, answer["grades"], answer["found"]
            )
        return self._measured[runtime]

    # -- one task ---------------------------------------------------------------------------------

    def _home(self, task_id: str) -> TaskFolder:
        if not folders.ID.fullmatch(task_id):
            raise fail("TASK_INVALID", what="id", why=folders.ID.pattern)
        return TaskFolder(self.root, task_id)

    def _name(self, run: Run) -> str:
        return f"sandbox-{self.space}-{run.ticket}"

    def _lay_out(self, task: Task, home: TaskFolder) -> Run:
        self.images.check(task.image)
        promised = self.guarantees(task.runtime).grades
        inputs = [[one.name, str(one.path.resolve())] for one in task.inputs]
        params, sealed = slurm_secrets.seal(task, self.root)
        order: dict[str, Any] = {
            "task": {**asdict(task), "inputs": inputs, "params": params},
            "sealed": sealed,
            "executor": self.settings.inner,
            "entry": list(self.entry),
            "promised": dict(promised),
        }
        return Run.lay_out(home, order, {**task.labels, "sandbox.kind": task.kind})

    def _submit(self, task: Task, run: Run) -> None:
        """Submit it unless that was done. Two jobs for one ticket, by a worker that was killed in between,
        are harmless: one of them claims the task."""
        if run.notes.noted("job") or run.closed():
            return
        if run.notes.noted(STOP):
            run.close(End.STOPPED)
            return
        name = self._name(run)
        jobs = slurm_calls.states(name).get(name)
        words = self.settings.program("run", str(self.root), task.id, run.ticket)
        job = max(jobs) if jobs else slurm_calls.submit(self.settings, name, task.limits, words)
        run.notes.note("job", {"slurm": job, "at": time.time()})

    def _state(self, run: Run) -> str | None:
        """Slurm's word for where its job is; None if it has forgotten it. A live one goes first."""
        found = slurm_calls.states(self._name(run)).get(self._name(run), {})
        return next((state for state in found.values() if state in LIVE), next(iter(found.values()), None))

    def _wait(self, run: Run) -> None:
        """Until the end is noted, by the node, or, if the job ended without a word of it, here."""
        watch = Watch(run.path)
        asked = answered = time.monotonic()
        over_since: float | None = None
        try:
            while not run.closed():
                watch.wait(LOOK_SECONDS)
                if run.closed() or time.monotonic() - asked < ASK_SECONDS:
                    continue
                asked = time.monotonic()
                try:
                    state = self._state(run)
                except SandboxError:
                    if time.monotonic() - answered > AWAY_SECONDS:
                        raise
                    continue
                answered = time.monotonic()
                over_since = None if state in LIVE else over_since or answered
                if over_since is not None and answered - over_since >= SETTLE_SECONDS:
                    stopped = run.notes.noted(STOP) is not None if run.path.exists() else False
                    run.close(End.STOPPED if stopped else ENDS.get(state or "", End.LOST))
        finally:
            watch.close()

    def _gone(self, run: Run) -> bool:
        """Wait for the end of its jobs and of what they left on their nodes (epilogs are part of a job);
        whether that came in time. A node that does not answer keeps nobody waiting: what it does no longer
        counts."""
        deadline = time.monotonic() + STOP_SECONDS
        while self._state(run) in LIVE:
            if time.monotonic() > deadline:
                run.close(End.STOPPED)
                return False
            time.sleep(0.1)
        return True

    def _outcome(self, home: TaskFolder, run: Run) -> Outcome:
        if known := run.ended():
            return known
        if refused := run.refused():
            home.remove()
            raise fail(refused[0], **refused[1])
        return Outcome(  # discarded while we waited
            end=End.LOST, exit_code=None, seconds=0.0, files=run.files("worker"), report={}, started_at=0.0,
            config_sha256="", isolation={},
        )  # fmt: skip
