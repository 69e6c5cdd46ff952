"""What the kernel itself says of a container: its processes, and whether the isolation is in force.

An engine can be wrong about a container (a killed shim leaves processes running that it calls exited), so
the end of a task and the isolation of its first process are read from /proc and /sys/fs/cgroup.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.executor.contract import Limits
from sandbox.executor.profile import CGROUP_PARENT, TMP, Place

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
# (limit, file under the v1 controller, file under the one v2 hierarchy)
LIMIT_FILES = (
    ("memory", "memory/{group}/memory.limit_in_bytes", "{group}/memory.max"),
    ("pids", "pids/{group}/pids.max", "{group}/pids.max"),
    ("cpus", "cpu/{group}/cpu.cfs_quota_us", "{group}/cpu.max"),
)
PERIOD_MICROSECONDS = 100_000  # the kernel's default period of a CPU quota


def _groups(container: str) -> Iterator[Path]:
    """The folders of the container's control group in every hierarchy, v1 and v2."""
    inner = Path(CGROUP_PARENT.lstrip("/")) / container
    for top in (CGROUPS, *CGROUPS.iterdir()):
        if (top / inner).is_dir():
            yield top / inner


def processes(container: str) -> set[int]:
    """Host process ids of everything that still runs in ``container`` (its full id)."""
    found: set[int] = set()
    for group in _groups(container):
        with suppress(OSError):  # removed while we look: empty
            found |= {int(pid) for file in group.rglob("cgroup.procs") for pid in file.read_text().split()}
    return found - {0}


def holds(container: str, pid: int) -> bool:
    """Whether ``pid`` is a live process of ``container``."""
    try:
        groups = (PROC / str(pid) / "cgroup").read_text()
        state = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return f":{CGROUP_PARENT}/{container}\n" in groups and state not in "ZX"


def kill_all(container: str, seconds: float = 5) -> bool:
    """Kill everything in ``container``; whether its control group is empty now. A job is over only then."""
    deadline = time.monotonic() + seconds
    while left := processes(container):
        if time.monotonic() > deadline:
            return False
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return True


def remove_groups(container: str) -> None:
    """Remove the container's empty control groups; the runtime does it unless it was killed."""
    for group in _groups(container):
        with suppress(OSError):
            group.rmdir()


def limit_of(container: str, v1: str, v2: str) -> str | None:
    """What stands in a limit's file of the container's control group; None if there is none."""
    group = f"{CGROUP_PARENT.lstrip('/')}/{container}"
    for name in (v1, v2):
        with suppress(OSError):
            return (CGROUPS / name.format(group=group)).read_text().split()[0]
    return None


def mounts_of(pid: int) -> dict[str, tuple[set[str], str]]:
    """Mount point as ``pid`` sees it -> (its flags, "type options" of its file system)."""
    found = {}
    for line in (PROC / str(pid) / "mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        fields = left.split()
        found[fields[4]] = (set(fields[5].split(",")), f"{kind} {options}")
    return found


def interfaces_of(pid: int) -> list[str]:
    """The network interfaces that ``pid`` sees."""
    lines = (PROC / str(pid) / "net/dev").read_text().splitlines()[2:]
    return [line.split(":")[0].strip() for line in lines]


def expected_limits(limits: Limits) -> dict[str, str]:
    """What must stand in the files of ``LIMIT_FILES``."""
    return {
        "memory": str(limits.memory_bytes // 4096 * 4096),
        "pids": str(limits.pids),
        "cpus": str(round(limits.cpus * PERIOD_MICROSECONDS)),
    }


def _expected(limits: Limits, place: Place) -> dict[str, Any]:
    return {
        "uid": [str(place.uid)] * 4,
        "gid": [str(place.uid)] * 4,
        "capabilities": 0,
        "no_new_privileges": "1",
        "seccomp_filter": "2",
        "interfaces": ["lo"],
        "shared_namespaces": [],
        "root_read_only": True,
        "inputs_read_only": True,
        "output_hardened_tmpfs": True,
        "tmp_hardened": True,
        **expected_limits(limits),
    }


def _observed(container: str, pid: int) -> dict[str, Any]:
    status = dict(
        line.split(":\t", 1)
        for line in (PROC / str(pid) / "status").read_text().splitlines()
        if ":\t" in line
    )
    shown = mounts_of(pid)
    hardened = {"nosuid", "nodev", "noexec"}
    below_in = [flags for point, (flags, _) in shown.items() if point == "/in" or point.startswith("/in/")]
    out_flags, out_options = shown.get("/out", (set(), ""))
    mine = PROC / "self/ns"
    theirs = PROC / str(pid) / "ns"
    return {
        "uid": status["Uid"].split(),
        "gid": status["Gid"].split(),
        "capabilities": sum(int(status[name], 16) for name in CAPABILITY_SETS),
        "no_new_privileges": status["NoNewPrivs"],
        "seccomp_filter": status["Seccomp"],
        "interfaces": interfaces_of(pid),
        "shared_namespaces": [n for n in NAMESPACES if (mine / n).readlink() == (theirs / n).readlink()],
        "root_read_only": "ro" in shown["/"][0],
        "inputs_read_only": bool(below_in) and all("ro" in flags for flags in below_in),
        "output_hardened_tmpfs": hardened <= out_flags
        and out_options.startswith("tmpfs")
        and "size=" in out_options,
        "tmp_hardened": hardened <= shown.get(TMP, (set(), ""))[0],
        **{name: limit_of(container, v1, v2) for name, v1, v2 in LIMIT_FILES},
    }


def observe(limits: Limits, place: Place, container: str, pid: int) -> dict[str, Any]:
    """Read the isolation of a container's first process, which waits for its task, from the kernel.

    Returns ``{"observed": True}``. ISOLATION_UNAVAILABLE names what is not in force, or says that the
    process cannot be looked at.
    """
    try:
        observed = _observed(container, pid)
    except (OSError, KeyError, ValueError):
        raise fail("ISOLATION_UNAVAILABLE", missing="kernel: unreadable") from None
    missing = [name for name, due in _expected(limits, place).items() if observed[name] != due]
    if missing:
        raise fail("ISOLATION_UNAVAILABLE", missing=", ".join(f"kernel: {name}" for name in missing))
    return {"observed": True}


def shown_below(pid: int, folder: str) -> dict[str, set[str]]:
    """Mount points below ``folder`` as process ``pid`` sees them -> their flags. OSError if it is gone."""
    return {point: flags for point, (flags, _) in mounts_of(pid).items() if point.startswith(f"{folder}/")}
