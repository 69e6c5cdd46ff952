"""Control groups for an executor without an engine: made, limited, entered, looked at, removed.

They stand where the engine's stand, at ``/sandbox/<name>`` in each hierarchy (version 1) or in the one
(version 2), so ``kernel.processes``, ``kernel.kill_all`` and ``kernel.remove_groups`` work for both.
Whoever may write to that folder may use it: root, or a user to whom root has handed it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sandbox.executor.contract import Limits
from sandbox.executor.kernel import CGROUPS, PERIOD_MICROSECONDS
from sandbox.executor.profile import CGROUP_PARENT

CONTROLLERS = ("memory", "pids", "cpu")
_PARENT = CGROUP_PARENT.lstrip("/")
_WRITE = os.W_OK | os.X_OK


def _unified() -> bool:
    return (CGROUPS / "cgroup.controllers").exists()


def _top(controller: str) -> Path:
    return CGROUPS if _unified() else CGROUPS / controller


def _may_make(controller: str) -> bool:
    """Whether this user may make groups below the parent, or the parent itself."""
    top = _top(controller)
    parent = top / _PARENT
    if _unified() and controller not in _words(top / "cgroup.controllers"):
        return False
    if parent.is_dir():
        return os.access(parent, _WRITE)
    return top.is_dir() and os.access(top, _WRITE)


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def usable() -> tuple[str, ...]:
    """The controllers that bound a task here."""
    return tuple(name for name in CONTROLLERS if _may_make(name))


def _settings(controller: str, limits: Limits, spare_pids: int) -> Iterator[tuple[str, str, bool]]:
    """(file, content, whether it must exist) for ``controller``; version 1, then version 2."""
    quota = round(limits.cpus * PERIOD_MICROSECONDS)
    memory = str(limits.memory_bytes)
    table = {
        ("memory", False): [
            ("memory.limit_in_bytes", memory, True),
            ("memory.memsw.limit_in_bytes", memory, False),  # absent where swap is not counted
            ("memory.swappiness", "0", False),
        ],
        ("pids", False): [("pids.max", str(limits.pids + spare_pids), True)],
        ("cpu", False): [
            ("cpu.cfs_period_us", str(PERIOD_MICROSECONDS), True),
            ("cpu.cfs_quota_us", str(quota), True),
        ],
        ("memory", True): [("memory.max", memory, True), ("memory.swap.max", "0", False)],
        ("pids", True): [("pids.max", str(limits.pids + spare_pids), True)],
        ("cpu", True): [("cpu.max", f"{quota} {PERIOD_MICROSECONDS}", True)],
    }
    yield from table[controller, _unified()]


class Groups:
    """The groups ``name`` under ``controllers``. ``spare_pids``: processes in it that are not the task's."""

    def __init__(self, name: str, controllers: tuple[str, ...], spare_pids: int = 0) -> None:
        self.name = name
        self.controllers = controllers
        self.spare_pids = spare_pids

    def _folders(self) -> list[Path]:
        return sorted({_top(controller) / _PARENT / self.name for controller in self.controllers})

    def make(self, limits: Limits) -> None:
        """Make them with their limits. OSError if the kernel refuses one."""
        if _unified() and self.controllers:
            self._delegate(CGROUPS / _PARENT)
        for controller in self.controllers:
            folder = _top(controller) / _PARENT / self.name
            folder.mkdir(parents=True, exist_ok=True)
            for file, content, needed in _settings(controller, limits, self.spare_pids):
                if needed or (folder / file).exists():
                    (folder / file).write_text(content)

    def _delegate(self, parent: Path) -> None:
        """Version 2: hand the controllers down, where that has not been done."""
        parent.mkdir(exist_ok=True)
        for folder in (CGROUPS, parent):
            absent = set(self.controllers) - set(_words(folder / "cgroup.subtree_control"))
            if absent:
                words = " ".join(f"+{name}" for name in sorted(absent))
                (folder / "cgroup.subtree_control").write_text(words)

    def enter(self, pid: int) -> None:
        """Move the process ``pid`` into them; its children will be there too."""
        for folder in self._folders():
            (folder / "cgroup.procs").write_text(str(pid))

    def out_of_memory(self) -> bool:
        """Whether the kernel has killed a process in it for want of memory."""
        for file in ("memory.oom_control", "memory.events"):
            for folder in self._folders():
                with suppress(OSError):
                    for line in (folder / file).read_text().splitlines():
                        if line.startswith("oom_kill ") and int(line.split()[1]) > 0:
                            return True
        return False
