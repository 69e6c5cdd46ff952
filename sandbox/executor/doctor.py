"""What this machine can guarantee, row by row, and how to mend what it cannot.

The last row runs a task with the full profile: what it says was seen from within the kernel, not only read
from an executor's description of itself. What the policy needs for each level of data: ``survey``.
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
from sandbox.executor import cgroups, guarantees, slurm_calls, syscalls
from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.choose import wanted
from sandbox.executor.contract import Executor, Limits, Task, TaskKind
from sandbox.executor.docker import DEFAULT_ENGINE, DockerExecutor, calls
from sandbox.executor.slurm import SlurmExecutor

LEAST_MEMORY = 4 << 30
LEAST_DISK = 10 << 30
ENGINE_MEND = (
    "运行 scripts/engine start（配置见该脚本）",
    "run scripts/engine start (it holds the configuration)",
)
AS_ROOT = ("以 root 运行 worker", "run the worker as root")


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
    mend: tuple[str, str] = ENGINE_MEND


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


def _bounded() -> tuple[bool, str]:
    usable = cgroups.usable()
    return set(usable) == set(cgroups.CONTROLLERS), ", ".join(usable) or "-"


def _compiled() -> tuple[bool, str]:
    try:
        return True, f"{syscalls.LIBRARY}: {len(syscalls.program()) // 8}"
    except SandboxError as error:
        return False, str(error.details["missing"])


def _namespaces() -> tuple[bool, str]:
    why = guarantees.tried()
    return not why, why or "bwrap --unshare-all --disable-userns"


COMMON = (
    _Check(
        "platform", "x86_64 Linux", "x86_64 Linux",
        lambda _: (platform.system() == "Linux" and platform.machine() == "x86_64",
                   f"{platform.system()} {platform.machine()}"),
        ("换用 x86_64 Linux 主机：系统调用白名单只为它编写",
         "use an x86_64 Linux host: the system-call list is written for it"),
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
)  # fmt: skip
DOCKER = (
    _Check(
        "root", "以 root 运行（挂载需要）", "runs as root (mounts need it)",
        lambda _: (os.geteuid() == 0, f"uid {os.geteuid()}"), AS_ROOT,
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


BUBBLEWRAP = (
    _Check(
        "bubblewrap", "bubblewrap 已安装", "bubblewrap is installed",
        lambda _: (shutil.which("bwrap") is not None, shutil.which("bwrap") or "-"),
        ("apt-get install bubblewrap，或运行 scripts/setup",
         "apt-get install bubblewrap, or run scripts/setup"),
    ),
    _Check(
        "namespaces", "可新建全部命名空间", "every namespace can be made new", lambda _: _namespaces(),
        ("允许非特权用户命名空间：sysctl user.max_user_namespaces=10000；主机禁用时改用容器引擎",
         "allow user namespaces: sysctl user.max_user_namespaces=10000; if the host forbids it, use docker"),
    ),
    _Check(
        "seccomp", "系统调用过滤", "system-call filter", lambda _: _compiled(),
        ("apt-get install libseccomp2", "apt-get install libseccomp2"),
    ),
    _Check(
        "cgroups", "内存、进程数、处理器由内核限制", "memory, processes, processors bounded by the kernel",
        lambda _: _bounded(),
        ("以 root 运行 worker，或由 root 新建各控制组层级的 sandbox 目录并交给该用户",
         "run the worker as root, or have root make a folder sandbox in each control-group hierarchy for it"),
    ),
)  # fmt: skip
SLURM_MEND = (
    "设 SLURM_CONF 指向集群的 slurm.conf；单机试用：scripts/slurm start",
    "point SLURM_CONF at the cluster's slurm.conf; to try it on one machine: scripts/slurm start",
)


def _slurm_commands() -> tuple[bool, str]:
    absent = [name for name in slurm_calls.COMMANDS if shutil.which(name) is None]
    return not absent, ", ".join(f"-{name}" for name in absent) or ", ".join(slurm_calls.COMMANDS)


def _slurm_setting(name: str, fits: Callable[[str], bool]) -> tuple[bool, str]:
    try:
        value = slurm_calls.settings_of_cluster().get(name, "-")
    except SandboxError as error:
        return False, str(error.details["why"])
    return fits(value), value


SLURM = (
    _Check(
        "slurm", "Slurm 的命令已安装", "Slurm's commands are installed", lambda _: _slurm_commands(),
        ("apt-get install slurm-client munge，或运行 scripts/slurm start",
         "apt-get install slurm-client munge, or run scripts/slurm start"),
    ),
    _Check(
        "slurm_controller", "Slurm 有应答", "Slurm answers",
        lambda _: _slurm_setting("SLURM_VERSION", lambda value: value != "-"), SLURM_MEND,
    ),
    _Check(
        "slurm_epilog", "作业结束后清除遗留的容器（Epilog）", "what a job leaves running is ended (Epilog)",
        lambda _: _slurm_setting("Epilog", lambda value: value != "(null)"),
        ("在 slurm.conf 中设 Epilog 为运行 python -m sandbox.executor.slurm_node reap 的脚本",
         "set Epilog in slurm.conf to a script that runs python -m sandbox.executor.slurm_node reap"),
    ),
)  # fmt: skip


def _probe(executor: Executor) -> tuple[bool, str]:
    """Run a task with the full profile; (whether all held, what was missing)."""
    task = f"doctor-{uuid.uuid4().hex[:12]}"
    try:
        limits = Limits(seconds=30, memory_bytes=256 << 20, output_bytes=1 << 20, tmp_bytes=1 << 20)
        outcome = executor.run(Task(task, TaskKind.JOB, executor.image("sql"), {}, limits=limits))
    except SandboxError as error:
        return False, f"{error.code} {error.details.get('missing', '')}".strip()
    finally:
        with suppress(SandboxError):
            executor.discard(task)
    return outcome.isolation["kernel"] == {"observed": True}, outcome.end


def examine(root: Path, engine: str | None = None, executor: str | None = None) -> list[Health]:
    """Every row for tasks below ``root`` by the executor that is wanted (``SANDBOX_EXECUTOR``), by default
    docker with the engine at ``engine``; raises nothing but EXECUTOR_UNKNOWN.

    Takes a few seconds: it runs one task.
    """
    name = wanted(executor)
    address = engine or os.environ.get("SANDBOX_ENGINE") or DEFAULT_ENGINE
    info: dict[str, Any] = {}
    networks: list[str] = []
    if name == "docker":
        with suppress(SandboxError), calls(address) as api:  # if it does not answer, the row "engine" says so
            info = api.info()
            networks = sorted(network["Name"] for network in api.networks())
    machine = _Machine(info, networks, root)
    checks, maker = BY_NAME[name]
    found = [(check, *check.look(machine)) for check in (*COMMON, *checks)]
    there = bool(info) or name != "docker"
    probe = _Check(
        "probe",
        "实测：以完整配置运行任务",
        "measured: a task with the full profile",
        lambda _: _probe(maker(root, address)) if there else (False, "-"),
        ("运行 make setup 重建引擎与镜像", "run make setup to rebuild engine and images"),
    )
    found.append((probe, *probe.look(machine)))
    return [
        Health(check.name, check.zh, check.en, ok, text, *(("", "") if ok else check.mend))
        for check, ok, text in found
    ]


BY_NAME: dict[str, tuple[tuple[_Check, ...], Callable[[Path, str], Executor]]] = {
    "docker": (DOCKER, DockerExecutor),
    "bubblewrap": (BUBBLEWRAP, lambda root, _: BubblewrapExecutor(root)),
    "slurm": (SLURM, lambda root, _: SlurmExecutor(root)),
}
