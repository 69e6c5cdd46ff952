"""What the host's kernel says of a container whose own kernel runs in user space (gVisor's runsc).

The task's processes are none of the host's: what the host sees is the *sentry*, which is that kernel, and the
*gofer*, which opens files for it. So user, capabilities and flags of the task itself cannot be read here; the
probe tries them from within, and what can be read here is the wall around the sentry:

- every process of the container: no new privileges, a system-call filter, a user namespace of its own and no
  capability beyond those that file access and the sentry's own tracing need (in that namespace);
- the sentry: no network but ``lo``, nothing mounted but an empty read-only root;
- the gofer: the container's files, with the flags that they must have;
- the control group's bounds.

Process and cgroup namespace are the host's by design of runsc (read with release 20240729); the sentry's
filter does not let it open a process by id.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.executor import kernel
from sandbox.executor.contract import Limits
from sandbox.executor.kernel import CAPABILITY_SETS, LIMIT_FILES, PROC
from sandbox.executor.profile import Place

GOFER = b"runsc-gofer"
SENTRY = b"runsc-sandbox"
NAMESPACES = ("ipc", "mnt", "net", "user", "uts")
# <linux/capability.h>: CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID; SYS_CHROOT (the gofer, which
# shuts itself into the container's files); SYS_PTRACE (the sentry's platform)
ALLOWED = 0x1F | 1 << 18 | 1 << 19
# Attempts of the probe that the sentry grants from what is its own: it shows no limits of the host's
# control group, which hold for it all the same (``_missing``), and a /dev/fuse that needs a mount.
OWN = frozenset({"devices", "memory", "processes"})
_HARDENED = {"nosuid", "nodev", "noexec"}


def _named(container: str, name: bytes) -> int:
    """The process of ``container`` with that name. LookupError if there is not exactly one."""
    found = [
        pid
        for pid in kernel.processes(container)
        if (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")[0] == name
    ]
    if len(found) != 1:
        raise LookupError(name.decode())
    return found[0]


def gofer(container: str) -> int:
    """The process that sees the container's files. OSError if it is gone."""
    try:
        return _named(container, GOFER)
    except LookupError as error:
        raise OSError(str(error)) from None


def _status(pid: int) -> dict[str, str]:
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def _namespace(of: Path, name: str) -> str:
    return str((of / "ns" / name).readlink())


def _missing(limits: Limits, container: str) -> list[str]:
    sentry, files = _named(container, SENTRY), _named(container, GOFER)
    everyone = kernel.processes(container)
    statuses = [_status(pid) for pid in everyone]
    shared = [
        name
        for pid in everyone
        for name in NAMESPACES
        if _namespace(PROC / str(pid), name) == _namespace(PROC / "self", name)
    ]
    sees = {point: flags for point, (flags, _) in kernel.mounts_of(sentry).items()}
    shown = kernel.mounts_of(files)
    out_flags, out_options = shown.get("/out", (set(), ""))
    held = max(int(status[name], 16) & ~ALLOWED for status in statuses for name in CAPABILITY_SETS)
    checked = {
        "no_new_privileges": all(status["NoNewPrivs"] == "1" for status in statuses),
        "seccomp_filter": all(status["Seccomp"] == "2" for status in statuses),
        "capabilities": held == 0,
        "shared_namespaces": not shared,
        "interfaces": kernel.interfaces_of(sentry) == ["lo"] and kernel.interfaces_of(files) == ["lo"],
        "sentry_sees_no_file": set(sees) == {"/"} and "ro" in sees["/"],
        "root_read_only": "ro" in shown["/"][0],
        "inputs_hardened": shown.get("/in", (set(), ""))[0] >= _HARDENED,
        "output_hardened_tmpfs": out_flags >= _HARDENED
        and out_options.startswith("tmpfs")
        and "size=" in out_options,
        **{name: kernel.limit_of(container, v1, v2) == due for name, v1, v2, due in _limits(limits)},
    }
    return [name for name, holds in checked.items() if not holds]


def _limits(limits: Limits) -> list[tuple[str, str, str, str]]:
    """(limit, file in version 1, in version 2, what must stand there)."""
    due = kernel.expected_limits(limits)
    return [(name, v1, v2, due[name]) for name, v1, v2 in LIMIT_FILES]


def observe(limits: Limits, _: Place, container: str, __: int) -> dict[str, Any]:
    """As ``kernel.observe``. ISOLATION_UNAVAILABLE names what is not in force, or says that the processes
    cannot be looked at."""
    try:
        missing = _missing(limits, container)
    except (OSError, LookupError, ValueError):
        raise fail("ISOLATION_UNAVAILABLE", missing="kernel: unreadable") from None
    if missing:
        raise fail("ISOLATION_UNAVAILABLE", missing=", ".join(f"kernel: {name}" for name in missing))
    return {"observed": True}
