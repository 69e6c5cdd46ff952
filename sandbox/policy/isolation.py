"""The closed vocabulary of what an isolation guarantees: each guarantee with its grades, weakest first.

Executors say which grade each gives on a machine (``sandbox.executor.guarantees``); a profile says which
grade each data level needs (``isolation.needed``). A guarantee that is not named is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

Level = Literal["1", "2", "3", "4"]  # of a field, as in the catalogue: 1 is public
LEVELS: tuple[Level, ...] = ("1", "2", "3", "4")
Runtime = Literal["runc", "crun", "runsc", "kata"]


@dataclass(frozen=True)
class Grade:
    """One grade of one guarantee, with what it means."""

    name: str
    zh: str
    en: str


GRADES: dict[str, tuple[Grade, ...]] = {
    "network": (
        Grade("none", "与主机共用网络", "shares the host's network"),
        Grade("isolated", "没有网络", "no network at all"),
    ),
    "filesystem": (
        Grade("none", "看得到主机的文件", "sees the host's files"),
        Grade("private", "只见只读的镜像、只读的输入、有配额的输出",
              "a read-only image, its inputs, an output with a quota"),
    ),
    "syscalls": (
        Grade("none", "系统调用不受限", "any system call"),
        Grade("filtered", "系统调用白名单，无特权", "an allow-list of system calls, no capabilities"),
    ),
    "limits": (
        Grade("none", "用量不受限", "no bounds"),
        Grade("watched", "内存由看守者每 50 毫秒查一次，其余由内核限制",
              "memory is looked at every 50 ms by a keeper, the rest is bounded by the kernel"),
        Grade("enforced", "内存、进程数、处理器都由内核限制",
              "memory, processes and processors bounded by the kernel"),
    ),
    "user": (
        Grade("shared", "与启动者同一用户", "the same user as who starts it"),
        Grade("own", "每个任务一个用户", "a user of its own for each task"),
    ),
    "user_namespace": (
        Grade("none", "没有自己的用户命名空间", "no user namespace of its own"),
        Grade("own", "自己的用户命名空间", "a user namespace of its own"),
    ),
    "kernel": (
        Grade("shared", "共用主机内核", "the host's kernel"),
        Grade("interposed", "用户态内核代为应答", "a kernel in user space answers in its place"),
        Grade("machine", "独立的虚拟机内核", "a virtual machine with a kernel of its own"),
    ),
}  # fmt: skip


def rank(guarantee: str, grade: str | None) -> int:
    """The place of a grade, 0 the weakest; no grade is the weakest. KeyError, ValueError for other words."""
    names = [one.name for one in GRADES[guarantee]]
    return 0 if grade is None else names.index(grade)


def lacking(given: Mapping[str, str], needed: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Guarantees that are given in a lower grade than needed: name -> (given, needed)."""
    return {
        name: (given.get(name, GRADES[name][0].name), grade)
        for name, grade in needed.items()
        if rank(name, given.get(name)) < rank(name, grade)
    }


def at_least(child: Any, parent: Any) -> bool:
    """Whether the needs ``child`` by level are at least those of ``parent``."""
    return not any(lacking(child.get(level, {}), needs) for level, needs in parent.items())


def _known(value: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    for level, needs in value.items():
        for name, grade in needs.items():
            if name not in GRADES or grade not in [one.name for one in GRADES[name]]:
                raise ValueError(f"level {level}: no such guarantee or grade: {name}: {grade}")
    if set(value) != set(LEVELS):
        raise ValueError("each of the levels 1 to 4 once")
    for lower, higher in pairwise(LEVELS):
        if lacking(value[higher], value[lower]):
            raise ValueError(f"level {higher} needs less than level {lower}")
    return value


def _every_level(value: dict[str, str]) -> dict[str, str]:
    if set(value) != set(LEVELS):
        raise ValueError("each of the levels 1 to 4 once")
    return value


NeededByLevel = Annotated[dict[str, dict[str, str]], AfterValidator(_known)]
RuntimeByLevel = Annotated[dict[str, Runtime], AfterValidator(_every_level)]


def told(proof: Mapping[str, Any]) -> dict[str, Any]:
    """What a released package says of the isolation under which one of its tasks ran.

    ``proof`` is ``{"config_sha256", "isolation"}`` as the record of the task has it. Given back: executor,
    runtime, the grade of each guarantee, how many attempts to break out the task's own container made and how
    many it refused, and the hash of the configuration. Nothing of it depends on a row. ``{}`` where nothing
    was kept.
    """
    kept = proof.get("isolation") or {}
    probe = kept.get("probe") or {}
    said = {
        "executor": kept.get("executor"),
        "runtime": kept.get("runtime"),
        "grades": kept.get("grades"),
        "attempts_tried": probe.get("attempts"),
        "attempts_refused": probe.get("refused"),
        "config_sha256": proof.get("config_sha256"),
    }
    return {key: value for key, value in said.items() if value is not None and value != ""}
