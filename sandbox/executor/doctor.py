"""What this machine can guarantee, row by row, and how to mend what it cannot.

The last row runs a container with the full profile: what it says was seen from within the kernel, not
only read from the engine's description of itself.
"""

from __future__ import annotations

import os
import platform
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.core.errors import SandboxError
from sandbox.executor.contract import Limits, Task, TaskKind
from sandbox.executor.docker import DEFAULT_ENGINE, DockerExecutor, calls

LEAST_MEMORY = 4 << 30
LEAST_DISK = 10 << 30
_ENGINE_MEND = (
    "运行 scripts/engine start（配置见该脚本）",
    "run scripts/engine start (it holds the configuration)",
)


@dataclass(frozen=True)
class Health:
    """One row: what is checked, whether it holds, what was found, and the mend if it does not hold."""

    name: str
    zh: str
    en: str
    ok: bool
    found: str
    mend_zh: str
    mend_en: str


@dataclass(frozen=True)
class _Machine:
    info: dict[str, Any]  # the engine's own description; empty if it does not answer
    networks: list[str]
    root: Path


@dataclass(frozen=True)
class _Check:
    name: str
    zh: str
    en: str
    look: Callable[[_Machine], tuple[bool, str]]
    mend: tuple[str, str] = _ENGINE_MEND


def _flag(key: str) -> Callable[[_Machine], tuple[bool, str]]:
    """A property that the engine reports as true or false."""
    return lambda machine: (bool(machine.info.get(key)), str(machine.info.get(key)))


def _is(key: str, value: str) -> Callable[[_Machine], tuple[bool, str]]:
    return lambda machine: (machine.info.get(key) == value, str(machine.info.get(key)))


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _swap() -> tuple[bool, str]:
    areas = Path("/proc/swaps").read_text().splitlines()[1:]
    return not areas, f"{len(areas)}"


def _disk(machine: _Machine) -> tuple[bool, str]:
    existing = next(path for path in (machine.root, *machine.root.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    return free >= LEAST_DISK, f"{free >> 30} GiB"


def _seccomp(machine: _Machine) -> tuple[bool, str]:
    options = [option.split(",")[0] for option in machine.info.get("SecurityOptions") or []]
    return "name=seccomp" in options, ", ".join(options) or "-"


def _bridge(machine: _Machine) -> tuple[bool, str]:
    return bool(machine.networks) and "bridge" not in machine.networks, ", ".join(machine.networks) or "-"


CHECKS = (
    _Check(
        "platform", "x86_64 Linux", "x86_64 Linux",
        lambda _: (platform.system() == "Linux" and platform.machine() == "x86_64",
                   f"{platform.system()} {platform.machine()}"),
        ("换用 x86_64 Linux 主机：系统调用白名单只为它编写",
         "use an x86_64 Linux host: the system-call list is written for it"),
    ),
    _Check(
        "root", "以 root 运行（挂载需要）", "runs as root (mounts need it)",
        lambda _: (os.geteuid() == 0, f"uid {os.geteuid()}"),
        ("以 root 运行 worker", "run the worker as root"),
    ),
    _Check(
        "memory", "内存不少于 4 GiB", "at least 4 GiB of memory",
        lambda _: (_memory() >= LEAST_MEMORY, f"{_memory() >> 30} GiB"),
        ("增加内存", "add memory"),
    ),
    _Check(
        "swap", "无交换区（内存中的原始数据不落盘）", "no swap (raw data in memory must not reach a disk)",
        lambda _: _swap(), ("运行 swapoff -a", "run swapoff -a"),
    ),
    _Check(
        "disk", "任务目录可用空间不少于 10 GiB", "at least 10 GiB free for the tasks' folder",
        _disk, ("清理磁盘或换用更大的分区", "free space or use a larger file system"),
    ),
    _Check(
        "engine", "容器引擎有应答", "the container engine answers",
        lambda machine: (bool(machine.info), str(machine.info.get("ServerVersion", "-"))),
    ),
    _Check("runtime", "运行时 runc", "runtime runc", _is("DefaultRuntime", "runc")),
    _Check("seccomp", "系统调用过滤", "system-call filter", _seccomp),
    _Check("cgroup_driver", "cgroupfs 控制组驱动", "control-group driver cgroupfs",
           _is("CgroupDriver", "cgroupfs")),
    _Check("memory_limit", "内存上限", "memory limit", _flag("MemoryLimit")),
    _Check("swap_limit", "交换区上限", "swap limit", _flag("SwapLimit")),
    _Check("pids_limit", "进程数上限", "process limit", _flag("PidsLimit")),
    _Check("cpu_limit", "CPU 上限", "CPU limit", _flag("CpuCfsQuota")),
    _Check("live_restore", "引擎重启时作业继续运行", "tasks live through an engine restart",
           _flag("LiveRestoreEnabled")),
    _Check("no_bridge", "引擎没有网桥", "the engine has no bridge", _bridge),
    _Check("no_log", "不保存容器输出", "no container output is kept", _is("LoggingDriver", "none")),
)  # fmt: skip


def _probe(root: Path, engine: str) -> tuple[bool, str]:
    """Run a container with the full profile; (whether all held, what was missing)."""
    executor = _Prober(root, engine)
    task = f"doctor-{uuid.uuid4().hex[:12]}"
    try:
        limits = Limits(seconds=30, memory_bytes=128 << 20, output_bytes=1 << 20, tmp_bytes=1 << 20)
        outcome = executor.run(Task(task, TaskKind.JOB, executor.image("sql"), {}, limits=limits))
    except SandboxError as error:
        return False, f"{error.code} {error.details.get('missing', '')}".strip()
    finally:
        with suppress(SandboxError):
            executor.discard(task)
    return outcome.isolation["kernel"] == {"observed": True}, outcome.end


class _Prober(DockerExecutor):
    # Long enough for the kernel to be asked about it, and nothing else.
    entry = ("python3", "-I", "-c", "import time; time.sleep(1)")


def examine(root: Path, engine: str | None = None) -> list[Health]:
    """Every row for the engine at ``engine`` and tasks below ``root``; raises nothing.

    Takes about two seconds: it runs one container.
    """
    address = engine or os.environ.get("SANDBOX_ENGINE") or DEFAULT_ENGINE
    info: dict[str, Any] = {}
    networks: list[str] = []
    with suppress(SandboxError), calls(address) as api:  # if it does not answer, the row "engine" says so
        info = api.info()
        networks = sorted(network["Name"] for network in api.networks())
    machine = _Machine(info, networks, root)
    found = [(check, *check.look(machine)) for check in CHECKS]
    probe = _Check(
        "probe",
        "实测：以完整配置运行容器",
        "measured: a container with the full profile",
        lambda _: _probe(root, address) if info else (False, "-"),
        ("运行 make setup 重建引擎与镜像", "run make setup to rebuild engine and images"),
    )
    found.append((probe, *probe.look(machine)))
    return [
        Health(check.name, check.zh, check.en, ok, text, *(("", "") if ok else check.mend))
        for check, ok, text in found
    ]
