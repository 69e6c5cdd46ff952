"""Slurm's own commands, as few of them as there must be: submit, list, cancel, measure.

No accounting data base is needed: a job that the controller has forgotten (``MinJobAge``) is a job that
ended. A job is found by its name, which holds the task's ticket, so that a worker killed between submitting
and noting the number finds it again.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.core.errors import fail
from sandbox.executor import codes as codes  # registers the error codes
from sandbox.executor.contract import Limits

CALL_SECONDS = 20.0
FREE_SECONDS = 60  # for a node to be free for the measurement
SPARE_SECONDS = 120  # beyond a task's own wall clock, before Slurm ends its job
NODE_MEMORY = 256  # MiB for the program on the node, beside the task's own
# Slurm's states of a job that may still run or begin to (squeue(1), JOB STATE CODES); any other is an end.
LIVE = frozenset({
    "PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "REQUEUED", "REQUEUE_HOLD",
    "REQUEUE_FED", "RESIZING", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "RESV_DEL_HOLD",
})  # fmt: skip
COMMANDS = ("sbatch", "scancel", "scontrol", "squeue", "srun")
PASSED_ON = (
    *("PATH", "SANDBOX_ENGINE", "SANDBOX_IMAGES", "SANDBOX_IMAGE_KEY"),
    *("SANDBOX_SLURM_KEY", "SANDBOX_SLURM_NODE_ROOT"),
)


@dataclass(frozen=True)
class Settings:
    """``partition``: where jobs go ("" the cluster's default); ``inner``: the executor on the nodes
    (``docker`` or ``bubblewrap``); ``python``: the interpreter there, which has this package."""

    partition: str
    inner: str
    python: str

    @classmethod
    def from_env(cls) -> Settings:
        """``SANDBOX_SLURM_PARTITION``, ``SANDBOX_SLURM_EXECUTOR``, ``SANDBOX_SLURM_PYTHON``."""
        get = os.environ.get
        return cls(
            get("SANDBOX_SLURM_PARTITION", ""),
            get("SANDBOX_SLURM_EXECUTOR") or "docker",
            get("SANDBOX_SLURM_PYTHON") or sys.executable,
        )

    def program(self, *words: str) -> list[str]:
        """The call of ``slurm_node`` on a node."""
        return [self.python, "-I", "-m", "sandbox.executor.slurm_node", *words]

    def where(self) -> list[str]:
        """The options that every submission has. Nothing is requeued; nothing that is printed is kept."""
        given = [name for name in PASSED_ON if os.environ.get(name)]
        partition = [f"--partition={self.partition}"] if self.partition else []
        return ["--nodes=1", "--ntasks=1", "--chdir=/", f"--export={','.join(given)}", *partition]


def _call(words: Sequence[str], seconds: float = CALL_SECONDS, text: str = "") -> str:
    """Standard output. SCHEDULER_UNREACHABLE if the command is not there, fails, or takes too long."""
    if shutil.which(words[0]) is None:
        raise fail("SCHEDULER_UNREACHABLE", why=f"{words[0]}: not installed")
    try:
        done = subprocess.run(  # noqa: S603 - Slurm's commands with words of ours
            list(words), input=text, capture_output=True, text=True, timeout=seconds, check=False, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise fail("SCHEDULER_UNREACHABLE", why=f"{words[0]}: {type(error).__name__}") from None
    if done.returncode != 0:
        why = done.stderr.strip().splitlines()[-1:] or [str(done.returncode)]
        raise fail("SCHEDULER_UNREACHABLE", why=f"{words[0]}: {why[0][:200]}")
    return done.stdout


def submit(settings: Settings, name: str, limits: Limits, words: Sequence[str]) -> int:
    """Have ``words`` run on a node; the job's number. SCHEDULER_UNREACHABLE says what Slurm said."""
    minutes = math.ceil((limits.seconds + SPARE_SECONDS) / 60)
    memory = (limits.memory_bytes >> 20) + NODE_MEMORY
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    answer = _call(
        [
            "sbatch", "--parsable", "--no-requeue", f"--job-name={name}", *settings.where(),
            f"--cpus-per-task={max(1, math.ceil(limits.cpus))}", f"--mem={memory}", f"--time={minutes}",
            "--input=/dev/null", "--output=/dev/null", "--error=/dev/null",
        ],
        text=f"#!/bin/sh\nexec {quoted}\n",
    )  # fmt: skip
    return int(answer.split(";")[0])


def states(prefix: str) -> dict[str, dict[int, str]]:
    """Every job whose name begins with ``prefix`` that Slurm knows: name -> number -> state."""
    found: dict[str, dict[int, str]] = {}
    for line in _call(["squeue", "--noheader", "--states=all", "--format=%j|%A|%T"]).splitlines():
        name, number, state = line.strip().split("|")
        if name.startswith(prefix):
            found.setdefault(name, {})[int(number)] = state
    return found


def settings_of_cluster() -> dict[str, str]:
    """The cluster's own configuration, as its controller has it: name -> value."""
    lines = _call(["scontrol", "show", "config"]).splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def cancel(name: str) -> None:
    """End every job of that name; none is fine."""
    _call(["scancel", f"--name={name}"])


def measured(settings: Settings, *words: str) -> str:
    """What the program on a node answers to ``words``."""
    call = [
        "srun",
        "--quiet",
        f"--immediate={FREE_SECONDS}",
        *settings.where(),
        f"--mem={NODE_MEMORY}",
        "--time=2",
        *settings.program(*words),
    ]
    return _call(call, FREE_SECONDS + CALL_SECONDS)
