"""What an executor guarantees on this machine, what the policy needs for data of a level, whether they meet.

The words stand in ``sandbox.policy.isolation``. A guarantee is measured, not assumed: for bubblewrap a
sandbox is made with every namespace, the filter is compiled, the control groups are tried; for the engine it
is what the engine reports of itself. Either way each single task is looked at through the kernel and probed
from within before its code runs, so a machine that changes its mind refuses the task.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from sandbox.core.errors import SandboxError, fail
from sandbox.core.lifecycle import Policy
from sandbox.executor import cgroups, profile, syscalls
from sandbox.executor.contract import Executor, Guarantees
from sandbox.policy.isolation import GRADES, lacking

DEFAULT_RUNTIME = "runc"
# What each runtime's container runs on: runc and crun make namespaces and no more.
KERNEL_OF = {"runc": "shared", "crun": "shared", "runsc": "interposed", "kata": "machine"}
TRY_SECONDS = 20


def none_of(executor: str, runtime: str, why: str) -> Guarantees:
    """The weakest grade of everything, and why."""
    return Guarantees(executor, runtime, {name: rows[0].name for name, rows in GRADES.items()},
                      dict.fromkeys(GRADES, why))  # fmt: skip


def docker_guarantees(info: Mapping[str, Any], runtime: str = DEFAULT_RUNTIME) -> Guarantees:
    """What an engine gives with ``runtime``, from its own ``info`` (GET /info).

    ISOLATION_UNAVAILABLE if the engine does not know that runtime. The rows of ``profile`` are compared with
    what it made for each container, so network, files and user stand here as each container is asked for.
    """
    if runtime not in (info.get("Runtimes") or {}):
        raise fail("ISOLATION_UNAVAILABLE", missing=f"runtime {runtime}")
    options = [option.split(",")[0] for option in info.get("SecurityOptions") or []]
    bounds = {key: bool(info.get(key)) for key in ("MemoryLimit", "SwapLimit", "PidsLimit", "CpuCfsQuota")}
    absent = sorted(key for key, there in bounds.items() if not there)
    verified = "inspect, /proc"  # of each container, before its task is shown to it
    return Guarantees(
        "docker",
        runtime,
        {
            "network": "isolated",
            "filesystem": "private",
            "syscalls": "filtered" if "name=seccomp" in options else "none",
            "limits": "none" if absent else "enforced",
            "user": "own",
            "user_namespace": "own" if "name=userns" in options else "none",
            "kernel": KERNEL_OF.get(runtime, "shared"),
        },
        {
            "network": verified,
            "filesystem": verified,
            "syscalls": ", ".join(options) or "-",
            "limits": ", ".join(f"-{key}" for key in absent) or f"cgroup v{info.get('CgroupVersion', '?')}",
            "user": verified,
            "user_namespace": ", ".join(options) or "-",
            "kernel": runtime,
        },
    )


def tried() -> str:
    """Why no sandbox can be made here; "" if one was."""
    program = shutil.which("bwrap")
    if program is None:
        return "bwrap: not installed"
    asked = [
        program, "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session",
        "--cap-drop", "ALL", "--ro-bind", "/", "/", "--proc", "/proc", "--", program, "--version",
    ]  # fmt: skip
    root = os.geteuid() == 0
    uid = profile.uid_of("guarantees")
    who: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": []} if root else {}
    try:
        done = subprocess.run(  # noqa: S603 - constant arguments
            asked, env={}, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=TRY_SECONDS, **who,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return type(error).__name__
    return "" if done.returncode == 0 else done.stderr.strip()[-200:] or str(done.returncode)


def bubblewrap_guarantees(runtime: str = DEFAULT_RUNTIME) -> Guarantees:
    """What bubblewrap gives to this user on this machine. It shares the host's kernel, so a runtime with a
    kernel of its own is not there: ISOLATION_UNAVAILABLE."""
    if KERNEL_OF.get(runtime) != "shared":
        raise fail("ISOLATION_UNAVAILABLE", missing=f"runtime {runtime}")
    if why := tried():
        return none_of("bubblewrap", runtime, why)
    try:
        syscalls.program()
        filtered, filter_found = "filtered", syscalls.LIBRARY
    except SandboxError as error:
        filtered, filter_found = "none", str(error.details["missing"])
    root = os.geteuid() == 0
    bounded = cgroups.usable()
    enforced = set(bounded) == set(cgroups.CONTROLLERS)
    unshared = "bwrap --unshare-all"
    return Guarantees(
        "bubblewrap",
        runtime,
        {
            "network": "isolated",
            "filesystem": "private",
            "syscalls": filtered,
            "limits": "enforced" if enforced else "watched",
            "user": "own" if root else "shared",
            "user_namespace": "own",
            "kernel": "shared",
        },
        {
            "network": unshared,
            "filesystem": unshared,
            "syscalls": filter_found,
            "limits": f"cgroup: {', '.join(bounded) or '-'}",
            "user": f"uid {os.geteuid()}",
            "user_namespace": "bwrap --disable-userns",
            "kernel": os.uname().release,
        },
    )


def needed_for(policy: Policy, level: int) -> dict[str, str]:
    """What ``policy`` needs for data of ``level`` (1 to 4): guarantee -> least grade. POLICY_MISSING."""
    needs: dict[str, str] = policy.get("isolation.needed")[str(level)]
    return needs


def match(given: Guarantees, needed: Mapping[str, str]) -> None:
    """ISOLATION_UNAVAILABLE naming each guarantee that is given in a lower grade than needed."""
    missing = lacking(given.grades, needed)
    if missing:
        told = ", ".join(f"{name}: {had} < {grade}" for name, (had, grade) in sorted(missing.items()))
        raise fail("ISOLATION_UNAVAILABLE", missing=f"{given.executor}/{given.runtime} {told}")


def admit(executor: Executor, policy: Policy, level: int) -> str:
    """The runtime for a task over data of ``level``, which ``executor`` may run here.

    To be asked before a task is started. ISOLATION_UNAVAILABLE names the missing guarantees or runtime.
    """
    runtime: str = policy.get("isolation.runtime")[str(level)]
    match(executor.guarantees(runtime), needed_for(policy, level))
    return runtime
