"""The contract between whoever needs rows touched and whoever runs the container that does it.

A *task* is: a kind, an image by digest, read-only inputs, one writable output folder with a hard
quota, parameters as JSON, limits. ``Executor.run`` turns it into an *outcome*.

The promises
- **Idempotent by id.** ``run`` of a task whose container exists attaches to it and waits; of one
  that has ended and was not collected yet, gives its outcome; it never starts a second one. The id
  names its folder.
- **Re-attachable.** All that is needed to wait for, stop or collect a task is in the task's folder and
  on the container's labels; a new process needs no memory of the old one.
- **Data last.** A container is made, started, probed from within and looked at from outside before the
  inputs of its task are shown to it; it may have been made ahead (``prepare``). It serves one task.
- **Blocking.** ``run`` blocks until the container has ended or the wall clock of the limits is over
  (plus ten seconds at the most); ``stop`` and ``running`` return at once (within ten seconds).
- **Typed end.** User code that fails is an outcome, never an exception. An exception
  (``SandboxError``) means that it was not run or cannot be watched: ``ISOLATION_UNAVAILABLE``,
  ``ENGINE_UNREACHABLE``, ``IMAGE_UNKNOWN``, ``TASK_INVALID``, ``INPUT_UNREADABLE``. Nothing is
  retried in here.
- **Nothing else comes back.** Standard output and error are not collected (no log driver). What a
  task has to say stands in its output folder ``/out``: ``report.json``, ``files/``, and ``log.txt``, what a
  job printed: sealed, of at most ``sandbox.task.log.LOG_BYTES``, and read by nobody on the way.
- **Collected, not trusted.** When the last process of the task is gone, the regular files of
  ``/out/files`` are copied out, up to the quota; links, devices, hidden and ill-named entries stay
  behind and are counted in ``Outcome.skipped``.
- **In memory.** ``/out`` and ``/tmp`` are held in memory: what a task writes there counts in its
  ``memory_bytes``.
- **Readable inputs.** A task runs as a user of its own, so inputs must be readable for others (files
  ``o+r``, folders ``o+rx``); keep their parent folder closed (0700) to hide them on the host. What
  ``Outcome.files`` holds is made so, and can be the input of the next task as it stands.
- **Gone afterwards.** After ``discard(id)`` no container, mount or folder of the task is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from sandbox.task.log import LOG_FILE


class TaskKind(StrEnum):
    """What a task is for; each has its room behind ``python -m sandbox.task`` in the image."""

    INGEST = "ingest"  # supplied file -> checked snapshot (Parquet)
    PROFILE = "profile"  # snapshot -> what each field is, proposed
    VIEW = "view"  # snapshot -> granted columns x rows
    RECIPE = "recipe"  # operator's desensitising recipe -> primary product
    PREVIEW = "preview"  # a recipe tried on made-up rows -> a few cells; no input holds a row of data
    REIDENTIFY = "reidentify"  # tokens of a product -> a sealed answer for the one who asked
    ANONYMISE = "anonymise"  # a table and its fields -> a proven anonymised product
    DP = "dp"  # a question over the view -> its answer under differential privacy
    DUMMY = "dummy"  # catalogue metadata and a job's text -> dummy tables; no input holds a row of data
    JOB = "job"  # a developer's or operator's code
    CHECK = "check"  # the egress checker; also writes the canonical form


@dataclass(frozen=True)
class Input:
    """A read-only file or folder. It appears in the container as ``/in/<name>``."""

    name: str  # [a-z0-9._-]+
    path: Path


@dataclass(frozen=True)
class Limits:
    """Hard bounds. Bytes, seconds and counts; ``cpus`` in cores."""

    seconds: float = 3600
    memory_bytes: int = 2 << 30
    cpus: float = 1.0
    pids: int = 256
    output_bytes: int = 256 << 20
    output_files: int = 256
    tmp_bytes: int = 256 << 20


@dataclass(frozen=True)
class Shape:
    """What a container is made for before its task is known: it can take any task of this shape."""

    image: str  # sha256:<64 hex>
    limits: Limits = field(default_factory=Limits)
    runtime: str = "runc"


@dataclass(frozen=True)
class Task:
    """One run in one throw-away container.

    ``params`` is written to ``/in/task.json`` together with the kind. ``image`` is ``sha256:<64 hex>``.
    ``labels`` are added to the container's labels, e.g. ``{"sandbox.agreement": "ag-1"}``. ``level`` is the
    highest of the data that it touches (1 public to 4), by which the policy says what isolation it needs and
    which ``runtime`` runs it: ``guarantees.admit``. Whoever does not say has the most sensitive data.
    ``secrets`` names the parameters that hold keys: no executor keeps them in plain on a lasting storage.
    """

    id: str  # [a-z0-9-]{3,80}
    kind: TaskKind
    image: str
    params: dict[str, Any]
    inputs: tuple[Input, ...] = ()
    limits: Limits = field(default_factory=Limits)
    labels: dict[str, str] = field(default_factory=dict)
    level: int = 4
    runtime: str = "runc"
    secrets: tuple[str, ...] = ()

    @property
    def shape(self) -> Shape:
        """Image, limits and runtime."""
        return Shape(self.image, self.limits, self.runtime)


class End(StrEnum):
    """How a task ended."""

    SUCCEEDED = "succeeded"  # exit 0
    FAILED = "failed"  # the code in it ended with an error
    STOPPED = "stopped"  # by ``stop``
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    LOST = "lost"  # the container vanished without an exit (machine restarted): may be run anew


@dataclass(frozen=True)
class Outcome:
    """What is known of an ended task. ``files`` is the folder that holds what it put out."""

    end: End
    exit_code: int | None
    seconds: float
    files: Path  # host folder with the copies of /out/files: regular files and folders, contents untrusted
    report: dict[str, Any]  # <task>/out/report.json if it was a JSON object of <= 1 MiB, else {}
    started_at: float  # POSIX time of the container's start
    config_sha256: str  # hash of the container configuration that was asked for
    isolation: dict[str, Any]  # the properties of the container that were checked
    skipped: dict[str, int] = field(default_factory=dict)  # entries of /out/files not taken, by reason

    @property
    def log(self) -> Path | None:
        """The sealed log beside ``files``, if the task left one."""
        path = self.files.with_name(LOG_FILE)
        return path if path.is_file() else None


@dataclass(frozen=True)
class Guarantees:
    """What ``executor`` gives here with ``runtime``: guarantee -> grade (``sandbox.policy.isolation``), and
    what that was read off."""

    executor: str
    runtime: str
    grades: Mapping[str, str]
    found: Mapping[str, str] = field(default_factory=dict)


class Executor(Protocol):
    """See the module's text for the promises."""

    def run(self, task: Task) -> Outcome: ...

    def ended(self, task_id: str) -> Outcome | None:
        """The outcome of a task that has ended and was collected; None of any other."""

    def stop(self, task_id: str) -> None:
        """End the task now, whatever it does; no such task: nothing happens."""

    def discard(self, task_id: str) -> None:
        """Remove container, mounts and folder; idempotent."""

    def running(self, label: str | None = None, value: str | None = None) -> list[str]:
        """Ids of the tasks whose container runs, optionally only those with this label value."""

    def known(self) -> list[str]:
        """Ids of all tasks that have a container or a folder, running or not: for the reconciler."""

    def prepare(self, wanted: Sequence[Shape]) -> None:
        """From now on have a container ready for each of ``wanted`` (a shape may stand there more than
        once) and none for anything else; returns at once. An executor may have none ready ever."""

    def close(self) -> None:
        """Prepare nothing any more and remove what waits; tasks that run are not touched."""

    def guarantees(self, runtime: str = "runc") -> Guarantees:
        """What it gives on this machine with ``runtime``; ISOLATION_UNAVAILABLE if that is not there."""

    def image(self, name: str) -> str:
        """The digest (``sha256:…``) of the image ``name`` ("sql", "python", "check"). IMAGE_UNKNOWN if there
        is none; IMAGE_UNTRUSTED, IMAGE_LIST if the signed list does not have it."""
