"""The executor for a machine without a container engine: bubblewrap, the same contract, the same images.

Each task has a keeper (``keeper.py``), a process of its own that outlives the worker; this class starts it,
waits for it, and reads what it noted in the task's folder. Started as root it gives each task a user of its
own before bwrap runs: bwrap started *by root* lets a task write the host's ``core_pattern`` (measured) and
is never started so. Started by another user, the task is that user to the host, in a user namespace of its
own, and where no control group was handed to that user its memory is watched instead of bounded:
``guarantees`` says which, and a policy that needs more refuses.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.executor import cgroups, folders, kernel, processes, profile, syscalls
from sandbox.executor.contract import End, Guarantees, Outcome, Shape, Task
from sandbox.executor.folders import TaskFolder
from sandbox.executor.guarantees import DEFAULT_RUNTIME, bubblewrap_guarantees
from sandbox.executor.images import ImageList
from sandbox.executor.keeper import Order
from sandbox.executor.rootfs import Rootfs
from sandbox.executor.slots import REQUIRED

STOP_SECONDS = 9.0
KEEPER = ("-I", "-m", "sandbox.executor.keeper")


class BubblewrapExecutor:
    """Runs tasks below ``root``, a folder that no one else writes to; see ``contract.Executor``.

    ``images`` is the list of what may run, unpacked beside it (see ``rootfs``). Threads and processes of one
    user may use executors of the same root at the same time.
    """

    entry = profile.ENTRY  # what a sandbox runs; tests put their probes in its place

    def __init__(self, root: Path, images: ImageList | None = None) -> None:
        self.root = root.resolve()
        self.rootfs = Rootfs(images)
        self._measured: dict[str, Guarantees] = {}
        self.space = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]

    # -- the contract -----------------------------------------------------------------------------

    def run(self, task: Task) -> Outcome:
        """See ``contract.Executor``."""
        folders.check(task)
        folder = TaskFolder(self.root, task.id)
        child: subprocess.Popen[bytes] | None = None
        with folder.lock():
            if known := folder.outcome():
                return known
            if not folder.noted("house"):
                child = self._start(task, folder)
            keeper = self._keeper(folder)
        if child:
            child.wait()
        elif keeper:
            processes.wait(keeper)
        with folder.lock():
            return self._outcome(folder)

    def ended(self, task_id: str) -> Outcome | None:
        """See ``contract.Executor``."""
        return self._folder(task_id).outcome()

    def stop(self, task_id: str) -> None:
        """See ``contract.Executor``."""
        folder = self._folder(task_id)
        with folder.lock():
            if not folder.path.exists() or folder.outcome():
                return
            folder.note("stop", {"at": time.time()})
            keeper = self._keeper(folder)
        if keeper:
            processes.send(keeper, signal.SIGTERM)
            if not processes.wait(keeper, STOP_SECONDS):
                self._end(folder)

    def discard(self, task_id: str) -> None:
        """See ``contract.Executor``."""
        folder = self._folder(task_id)
        with folder.lock():
            self._end(folder)
            folder.remove()

    def running(self, label: str | None = None, value: str | None = None) -> list[str]:
        """See ``contract.Executor``."""
        found = []
        for task_id in self.known():
            noted = TaskFolder(self.root, task_id).noted("house") or {}
            keeper, labels = processes.read_name(noted.get("keeper")), noted.get("labels", {})
            wanted = label is None or (label in labels and value in (None, labels[label]))
            if keeper and wanted and processes.alive(keeper):
                found.append(task_id)
        return found

    def known(self) -> list[str]:
        """See ``contract.Executor``."""
        if not self.root.exists():
            return []
        return sorted(path.name for path in self.root.iterdir() if not path.name.startswith("."))

    def prepare(self, wanted: Sequence[Shape]) -> None:
        """Nothing is ever ready: a sandbox starts in tens of milliseconds. The images are unpacked."""
        for shape in wanted:
            self.rootfs.path(shape.image)

    def close(self) -> None:
        """Nothing waits."""

    def image(self, name: str) -> str:
        """See ``contract.Executor``."""
        return self.rootfs.images.digest(name)

    def guarantees(self, runtime: str = DEFAULT_RUNTIME) -> Guarantees:
        """See ``contract.Executor``; measured once per runtime."""
        if runtime not in self._measured:
            self._measured[runtime] = bubblewrap_guarantees(runtime)
        return self._measured[runtime]

    # -- one task ---------------------------------------------------------------------------------

    def _folder(self, task_id: str) -> TaskFolder:
        if not folders.ID.fullmatch(task_id):
            raise fail("TASK_INVALID", what="id", why=folders.ID.pattern)
        return TaskFolder(self.root, task_id)

    def _group(self, folder: TaskFolder) -> str:
        return f"bwrap-{self.space}-{folder.id}"

    @staticmethod
    def _keeper(folder: TaskFolder) -> processes.Name | None:
        return processes.read_name((folder.noted("house") or {}).get("keeper"))

    def _order(self, task: Task, folder: TaskFolder) -> Order:
        program = shutil.which("bwrap")
        if program is None:
            raise fail("ISOLATION_UNAVAILABLE", missing="bwrap")
        uid = profile.uid_of(task.id)
        place = profile.Place(task.id, uid, folder.inputs, folder.output, self.space)
        environment = profile.configuration(task.shape, place, self.entry)["Env"]
        told: dict[str, Any] = {
            "root": str(self.root),
            "id": task.id,
            "program": program,
            "rootfs": str(self.rootfs.path(task.image)),
            "inputs": [[given.name, str(given.path.resolve())] for given in task.inputs],
            "document": folders.document(task).decode(),
            "limits": asdict(task.limits),
            "uid": uid,
            "drop": os.geteuid() == 0,
            "group": self._group(folder),
            "controllers": list(cgroups.usable()),
            "environment": environment,
            "entry": list(self.entry),
            "required": sorted(REQUIRED),
        }
        asked = {**told, "document": None, "image": task.image}
        asked["seccomp_sha256"] = hashlib.sha256(syscalls.program()).hexdigest()
        return Order(**told, config_sha256=profile.sha256_of(asked))

    def _start(self, task: Task, folder: TaskFolder) -> subprocess.Popen[bytes]:
        """Start the keeper. It begins when it has its order, and gets that only when it is noted whose it is:
        a worker that dies in between leaves a keeper that ends without having done anything."""
        order = json.dumps(asdict(self._order(task, folder))).encode()
        folder.remove()
        folder.path.mkdir(mode=0o700)
        keeper = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, *KEEPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
            start_new_session=True,
        )
        assert keeper.stdin is not None
        try:
            folder.note("house", {"keeper": processes.name_of(keeper.pid), "labels": dict(task.labels)})
            keeper.stdin.write(order)
            keeper.stdin.close()
        except OSError as error:
            keeper.kill()
            keeper.wait()
            folder.remove()
            raise fail("ISOLATION_UNAVAILABLE", missing="keeper") from error
        return keeper

    def _outcome(self, folder: TaskFolder) -> Outcome:
        """What an ended keeper noted; without a word of it the task is lost, and nothing of it goes on."""
        if known := folder.outcome():
            return known
        if refused := folder.noted("refused") if folder.path.exists() else None:
            folder.remove()
            raise fail(refused["code"], **refused["details"])
        self._end(folder)
        started = folder.noted("started") or {}
        outcome = Outcome(
            end=End.STOPPED if folder.noted("stop") else End.LOST,
            exit_code=None,
            seconds=0.0,
            files=folder.files,
            report={},
            started_at=float(started.get("at", 0.0)),
            config_sha256=str(started.get("config_sha256", "")),
            isolation=dict(started.get("isolation", {})),
        )
        if folder.path.exists():  # else it was discarded while we waited
            folder.fresh_files().mkdir()
            folder.note_outcome(outcome)
        return outcome

    def _end(self, folder: TaskFolder) -> None:
        """Nothing of the task runs any more: neither its keeper nor its sandbox, whatever became of them."""
        noted = folder.noted("house") or {}
        for who in ("keeper", "init"):
            if name := processes.read_name(noted.get(who)):
                processes.send(name, signal.SIGKILL)
                if not processes.wait(name, STOP_SECONDS):
                    raise fail("ISOLATION_UNAVAILABLE", missing="kill")
        if not kernel.kill_all(self._group(folder)):
            raise fail("ISOLATION_UNAVAILABLE", missing="kill")
        kernel.remove_groups(self._group(folder))
