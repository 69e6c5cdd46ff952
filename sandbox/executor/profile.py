"""The hardening of every task's container, in one reviewed table.

The same rows make what is asked of the engine and what is compared with what the engine says it made:
a row that the engine dropped, changed or does not know refuses the task (invariant 3 of the design: no
silent fallback). Each flag was tried by attack on this engine; see docs/adr/0003-executor.md.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.executor import codes as codes  # registers the error codes
from sandbox.executor.contract import Limits, Shape

ENTRY = ("python3", "-I", "-m", "sandbox.task")
CGROUP_PARENT = "/sandbox"
SECCOMP = json.dumps(json.loads((Path(__file__).parent / "seccomp.json").read_text()), separators=(",", ":"))
INTERPOSED = frozenset({"runsc"})  # runtimes with a kernel in user space: no pipe of the host opens in there
# gVisor's filter knows no error but EPERM, after which libc starts no thread. Its answer to "ask the tracer",
# where there is no tracer and no way to become one, is the ENOSYS that is meant.
SECCOMP_INTERPOSED = SECCOMP.replace('"action":"SCMP_ACT_ERRNO","errnoRet":38', '"action":"SCMP_ACT_TRACE"')
TMP, SHM = "/tmp", "/dev/shm"  # noqa: S108 - the container's own, in memory
SHM_BYTES = 16 << 20
OPEN_FILES = 1024
KERNEL = "/sys/kernel"
# Beyond the container runtime's own list: what tells of the machine and its other tenants.
MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/buddyinfo",
    "/proc/cmdline",
    "/proc/config.gz",
    "/proc/diskstats",
    "/proc/interrupts",
    "/proc/iomem",
    "/proc/ioports",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/keys",
    "/proc/key-users",
    "/proc/kmsg",
    "/proc/latency_stats",
    "/proc/locks",
    "/proc/modules",
    "/proc/pagetypeinfo",
    "/proc/partitions",
    "/proc/pressure",
    "/proc/sched_debug",
    "/proc/schedstat",
    "/proc/scsi",
    "/proc/slabinfo",
    "/proc/softirqs",
    "/proc/swaps",
    "/proc/sysvipc",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/vmallocinfo",
    "/proc/vmstat",
    "/proc/zoneinfo",
    "/sys/block",
    "/sys/class",
    "/sys/dev",
    "/sys/devices/virtual",
    "/sys/firmware",
    "/sys/hypervisor",
    KERNEL,
    "/sys/module",
)
# One number of the kernel that a task may read: how large a huge page is. DuckDB's allocator asks for it, and
# without an answer takes small pages: 2.6 times the page faults (benchmarks/throughput.py).
HUGE_PAGE = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
OVER_KERNEL = "ro,noexec,nosuid,nodev,size=4096,nr_inodes=8,mode=0755"  # the empty folder around it
READ_ONLY = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)


@dataclass(frozen=True)
class Place:
    """Where a container meets the host: its slot, its user, its two folders, the name of its house."""

    slot: str
    uid: int
    inputs: Path
    output: Path
    space: str  # value of the label ``sandbox.space``: which executor's root it belongs to


@dataclass(frozen=True)
class Row:
    """One guarantee: its name, where it stands in what is asked and in what the engine reports, its value.

    Paths are dotted; ``Config.X`` of the report is ``X`` of the request. An empty value means: none at all.
    """

    name: str
    path: str
    value: Any


def uid_of(slot: str) -> int:
    """A user of its own for each container: no two on a machine can signal or read each other.

    30 bits of the id's hash above the range of people and services; it names nobody on the host.
    """
    return 0x40000000 + int.from_bytes(hashlib.sha256(slot.encode()).digest()[:4], "big") % 0x30000000


def seccomp_of(runtime: str) -> str:
    """The list of system calls, as ``runtime`` understands it."""
    return SECCOMP_INTERPOSED if runtime in INTERPOSED else SECCOMP


def tmpfs_options(size: int, inodes: int) -> str:
    """Mount options of an in-memory folder inside the container."""
    return f"rw,noexec,nosuid,nodev,size={size},nr_inodes={inodes},mode=1777"


def ulimits(limits: Limits) -> list[dict[str, Any]]:
    """Per-process bounds. ``cpu`` ends a burner even when nobody is left to watch the wall clock."""
    seconds = math.ceil(limits.seconds * max(1.0, limits.cpus)) + 30
    values = {
        "core": 0,
        "cpu": seconds,
        "fsize": max(limits.output_bytes, limits.tmp_bytes) + (1 << 20),
        "memlock": 64 << 10,
        "nofile": OPEN_FILES,
    }
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in values.items()]


def tells_huge_page(runtime: str) -> bool:
    """Whether a container shows ``HUGE_PAGE``: this kernel has it, and ``runtime`` has none of its own."""
    return runtime not in INTERPOSED and HUGE_PAGE.is_file()


def mounts(place: Place, runtime: str) -> list[dict[str, Any]]:
    """The only two folders of the host that a container sees, and ``HUGE_PAGE``. What is mounted in ``/in``
    later appears there (``rslave``), read-only as it was made; nothing travels the other way."""
    shown = [(place.inputs, "/in", True, "rslave"), (place.output, "/out", False, "rprivate")]
    if tells_huge_page(runtime):
        shown.append((HUGE_PAGE, str(HUGE_PAGE), True, "rprivate"))
    return [
        {
            "Type": "bind",
            "Source": str(source),
            "Target": target,
            "ReadOnly": read_only,
            "BindOptions": {"Propagation": propagation},
        }
        for source, target, read_only, propagation in shown
    ]


def labels(place: Place) -> dict[str, str]:
    """Whose container it is. What it is used for stands in its folder: it is made before its task."""
    return {"sandbox.slot": place.slot, "sandbox.space": place.space}


def rows(shape: Shape, place: Place) -> tuple[Row, ...]:
    """Every guarantee of a container of ``shape`` at ``place``."""
    limits = shape.limits
    host = "HostConfig."
    memory = {TMP: tmpfs_options(limits.tmp_bytes, 65536), SHM: tmpfs_options(SHM_BYTES, 1024)}
    masked = list(MASKED)
    if tells_huge_page(shape.runtime):
        masked.remove(KERNEL)
        memory[KERNEL] = OVER_KERNEL
    return (
        Row("image_by_digest", "Config.Image", shape.image),
        Row("user", "Config.User", f"{place.uid}:{place.uid}"),
        Row("labels", "Config.Labels", labels(place)),
        Row("no_volumes", "Config.Volumes", None),
        Row("no_terminal", "Config.Tty", False),
        Row("no_input_stream", "Config.OpenStdin", False),
        Row("no_health_command", "Config.Healthcheck", None),
        Row("no_network", host + "NetworkMode", "none"),
        Row("no_ports", host + "PortBindings", None),
        Row("no_links", host + "Links", None),
        Row("no_extra_hosts", host + "ExtraHosts", None),
        Row("read_only_root", host + "ReadonlyRootfs", True),
        Row("not_privileged", host + "Privileged", False),
        Row("no_capabilities", host + "CapDrop", ["ALL"]),
        Row("no_added_capabilities", host + "CapAdd", None),
        Row(
            "no_new_privileges_and_seccomp",
            host + "SecurityOpt",
            ["no-new-privileges:true", f"seccomp={seccomp_of(shape.runtime)}"],
        ),
        Row("no_added_groups", host + "GroupAdd", None),
        Row("no_devices", host + "Devices", None),
        Row("no_device_rules", host + "DeviceCgroupRules", None),
        Row("no_device_requests", host + "DeviceRequests", None),
        Row("no_binds", host + "Binds", None),
        Row("no_volumes_from", host + "VolumesFrom", None),
        Row("own_ipc", host + "IpcMode", "none"),
        Row("own_pid_namespace", host + "PidMode", None),
        Row("own_uts_namespace", host + "UTSMode", None),
        Row("own_cgroup_namespace", host + "CgroupnsMode", "private"),
        Row("no_sysctls", host + "Sysctls", None),
        Row("runtime", host + "Runtime", shape.runtime),
        Row("memory", host + "Memory", limits.memory_bytes),
        Row("no_swap", host + "MemorySwap", limits.memory_bytes),
        Row("oom_kill", host + "OomKillDisable", None),
        Row(
            "oom_first", host + "OomScoreAdj", 500
        ),  # short of memory, the machine ends a task, not the engine
        Row("cpus", host + "NanoCpus", round(limits.cpus * 1e9)),
        Row("pids", host + "PidsLimit", limits.pids),
        Row("ulimits", host + "Ulimits", ulimits(limits)),
        Row("cgroup_parent", host + "CgroupParent", CGROUP_PARENT),
        Row("tmpfs", host + "Tmpfs", memory),
        Row("masked_paths", host + "MaskedPaths", masked),
        Row("read_only_paths", host + "ReadonlyPaths", list(READ_ONLY)),
        Row("no_log", host + "LogConfig", {"Type": "none", "Config": {}}),
        Row("no_restart", host + "RestartPolicy", {"Name": "no", "MaximumRetryCount": 0}),
        Row("kept_until_collected", host + "AutoRemove", False),
    )


def configuration(shape: Shape, place: Place, entry: tuple[str, ...] = ENTRY) -> dict[str, Any]:
    """The body of the engine's create call."""
    limits = shape.limits
    threads = str(max(1, math.ceil(limits.cpus)))
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS")
    body: dict[str, Any] = {
        "Entrypoint": [],
        "Cmd": list(entry),
        "WorkingDir": TMP,
        "Hostname": "sandbox",
        "Env": [
            "PATH=/usr/bin",
            f"HOME={TMP}",
            f"TMPDIR={TMP}",
            "LANG=C.UTF-8",
            *(f"{pool}={threads}" for pool in pools),
            # what the probe inside tries to exceed (sandbox/task/probe.py)
            f"TASK_PIDS={limits.pids}",
            f"TASK_MEMORY={limits.memory_bytes}",
            f"TASK_TMP_BYTES={limits.tmp_bytes}",
            f"TASK_OUTPUT_BYTES={limits.output_bytes}",
        ],
        "HostConfig": {"Mounts": mounts(place, shape.runtime)},
    }
    for row in rows(shape, place):
        section, name = row.path.split(".")
        target = body["HostConfig"] if section == "HostConfig" else body
        target[name] = row.value
    return body


def sha256_of(body: Mapping[str, Any]) -> str:
    """Hash of a configuration: what was asked for, for the job's record."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def at(report: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, None where a step is missing."""
    value: Any = report
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _plain(value: Any) -> Any:
    """Lists of named things in one order; everything empty is the same nothing."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return sorted(value, key=lambda item: json.dumps(item, sort_keys=True))
    return value or None


def verify(shape: Shape, place: Place, report: Mapping[str, Any]) -> dict[str, Any]:
    """Compare the engine's ``inspect`` answer with what was asked; returns the verified properties.

    ISOLATION_UNAVAILABLE names every guarantee that does not stand as asked.
    """
    checked = {row.name: (_plain(row.value), _plain(at(report, row.path))) for row in rows(shape, place)}
    checked["image"] = (shape.image, report.get("Image"))
    granted = [
        (m["Target"], m["Source"], not m["ReadOnly"], m["BindOptions"]["Propagation"])
        for m in mounts(place, shape.runtime)
    ]
    shown = [(m["Destination"], m["Source"], m["RW"], m["Propagation"]) for m in report.get("Mounts", [])]
    checked["only_granted_mounts"] = (granted, sorted(shown))
    networks = at(report, "NetworkSettings.Networks") or {}
    checked["only_network_none"] = (set(), set(networks) - {"none"})
    missing = [name for name, (asked, got) in checked.items() if asked != got]
    if missing:
        raise fail("ISOLATION_UNAVAILABLE", missing=", ".join(missing))
    verified = {row.name: row.value for row in rows(shape, place) if row.name not in _NOT_TOLD}
    seccomp = hashlib.sha256(seccomp_of(shape.runtime).encode()).hexdigest()
    return {**verified, "no_new_privileges": True, "seccomp_sha256": seccomp, "only_granted_mounts": True}


# Too long for an outcome, or told elsewhere in it.
_NOT_TOLD = {"labels", "no_new_privileges_and_seccomp", "masked_paths", "read_only_paths"}
