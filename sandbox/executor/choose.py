"""The executor of this machine, by the setting ``SANDBOX_EXECUTOR``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sandbox.core.errors import fail
from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.docker import DockerExecutor
from sandbox.executor.slurm import SlurmExecutor

AnyExecutor = DockerExecutor | BubblewrapExecutor | SlurmExecutor
KINDS: dict[str, Callable[[Path], AnyExecutor]] = {
    "docker": DockerExecutor,
    "bubblewrap": BubblewrapExecutor,
    "slurm": SlurmExecutor,
}


def wanted(name: str | None = None) -> str:
    """``name``, by default what ``SANDBOX_EXECUTOR`` says, else docker.

    EXECUTOR_UNKNOWN if there is no such executor: nothing is fallen back to.
    """
    asked = name or os.environ.get("SANDBOX_EXECUTOR") or "docker"
    if asked not in KINDS:
        raise fail("EXECUTOR_UNKNOWN", name=asked, known=", ".join(KINDS))
    return asked


def executor_for(root: Path, name: str | None = None) -> AnyExecutor:
    """The executor that is ``wanted`` for tasks below ``root``."""
    return KINDS[wanted(name)](root)
