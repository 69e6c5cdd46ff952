"""What each executor guarantees on this machine, beside what the policy needs for each level of data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sandbox.core.errors import SandboxError
from sandbox.core.lifecycle import Policy
from sandbox.executor import guarantees
from sandbox.executor.choose import wanted
from sandbox.executor.contract import Executor, Guarantees
from sandbox.executor.docker import DEFAULT_ENGINE
from sandbox.executor.doctor import AS_ROOT, BUBBLEWRAP, BY_NAME, ENGINE_MEND, SLURM_MEND
from sandbox.policy.isolation import LEVELS, lacking

# How to get a better grade of a guarantee from an executor; any other: get the executor going.
MENDS: dict[tuple[str, str], tuple[str, str]] = {
    ("bubblewrap", "limits"): next(check.mend for check in BUBBLEWRAP if check.name == "cgroups"),
    ("bubblewrap", "user"): AS_ROOT,
    ("bubblewrap", "kernel"): (
        "改用容器引擎（SANDBOX_EXECUTOR=docker）与 runsc 或 kata",
        "use an engine (SANDBOX_EXECUTOR=docker) with runsc or kata",
    ),
    ("docker", "kernel"): (
        "运行 SANDBOX_RUNTIMES=runsc scripts/setup（kata 须自行安装并登记到引擎），"
        "并在政策 isolation.runtime 中写明",
        "run SANDBOX_RUNTIMES=runsc scripts/setup (kata: install it and make it known to the engine), "
        "and name it in the policy's isolation.runtime",
    ),
    ("docker", "user_namespace"): (
        "在引擎配置中设 userns-remap", "set userns-remap in the engine's configuration",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Need:
    """One guarantee that the policy needs for data of ``level``, and whether ``executor`` gives it here."""

    level: str
    needs: str  # everything that this level needs
    executor: str
    guarantee: str
    needed: str
    given: str
    ok: bool
    mend_zh: str
    mend_en: str


def survey(policy: Policy, root: Path, engine: str | None = None) -> tuple[list[Guarantees], list[Need]]:
    """What each executor guarantees here with the runtimes of ``policy``, and what each level of data lacks.

    Slurm is asked only where it is the executor. One that is not there, or does not know a runtime, gives
    the weakest grade of everything. The rows of needs are those that an executor does *not* meet, and one
    row per executor and level that it meets.
    """
    address = engine or os.environ.get("SANDBOX_ENGINE") or DEFAULT_ENGINE
    runtimes: dict[str, str] = policy.get("isolation.runtime")
    given: list[Guarantees] = []
    needs: list[Need] = []
    for name, (_, maker) in BY_NAME.items():
        if name == "slurm" and wanted() != name:
            continue  # what a cluster gives is asked of the cluster, if there is one
        by_runtime = {one: _given(name, maker(root, address), one) for one in sorted(set(runtimes.values()))}
        given += by_runtime.values()
        for level in LEVELS:
            here = by_runtime[runtimes[level]]
            asked = guarantees.needed_for(policy, int(level))
            told = ", ".join(f"{guarantee} {grade}" for guarantee, grade in asked.items())
            gaps = lacking(here.grades, asked)
            needs += [
                Need(level, told, name, guarantee, needed, had, False, *_mend(name, guarantee))
                for guarantee, (had, needed) in sorted(gaps.items())
            ] or [Need(level, told, name, "-", "-", "-", True, "", "")]
    return given, needs


def _given(name: str, executor: Executor, runtime: str) -> Guarantees:
    try:
        return executor.guarantees(runtime)
    except SandboxError as error:
        return guarantees.none_of(name, runtime, str(error.details.get("missing", error.code)))


def _mend(executor: str, guarantee: str) -> tuple[str, str]:
    return MENDS.get((executor, guarantee), _GENERAL[executor])


_GENERAL = {"docker": ENGINE_MEND, "bubblewrap": BUBBLEWRAP[0].mend, "slurm": SLURM_MEND}
