"""The executor of this machine, by the setting ``SANDBOX_EXECUTOR``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sandbox.core.errors import fail
from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.docker import DockerExecutor

KINDS: dict[str, Callable[[Path], DockerExecutor | BubblewrapExecutor]] = {
    "docker": DockerExecutor,
    "bubblewrap": BubblewrapExecutor,
}


def executor_for(root: Path, name: str | None = None) -> DockerExecutor | BubblewrapExecutor:
    """The executor ``name`` (by default that of ``SANDBOX_EXECUTOR``, else docker) for tasks below ``root``.

    EXECUTOR_UNKNOWN for any other name: nothing is fallen back to.
    """
    wanted = name or os.environ.get("SANDBOX_EXECUTOR") or "docker"
    if wanted not in KINDS:
        raise fail("EXECUTOR_UNKNOWN", name=wanted, known=", ".join(KINDS))
    return KINDS[wanted](root)
