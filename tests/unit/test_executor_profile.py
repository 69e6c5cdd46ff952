"""The profile: what is asked is what is checked, row by row."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.core.errors import Unavailable
from sandbox.executor import profile
from sandbox.executor.contract import Limits, Shape

PLACE = profile.Place(
    "slot-1-2-3", 1 << 30, Path("/root-of-tasks/t/in"), Path("/root-of-tasks/t/out"), "space"
)
SHAPE = Shape(f"sha256:{'a' * 64}", Limits(cpus=1.5))
ROWS = profile.rows(SHAPE, PLACE)


def report_of(shape: Shape) -> dict[str, Any]:
    """What an honest engine reports of a container made as asked."""
    body = copy.deepcopy(profile.configuration(shape, PLACE))
    host = body.pop("HostConfig")
    shown = [
        {
            "Source": m["Source"],
            "Destination": m["Target"],
            "RW": not m["ReadOnly"],
            "Propagation": m["BindOptions"]["Propagation"],
        }
        for m in host["Mounts"]
    ]
    return {
        "Image": shape.image,
        "Config": body,
        "HostConfig": host,
        "Mounts": shown,
        "NetworkSettings": {"Networks": {"none": {}}},
    }


def missing(report: dict[str, Any]) -> str:
    """What ``verify`` says is missing from ``report``."""
    with pytest.raises(Unavailable) as caught:
        profile.verify(SHAPE, PLACE, report)
    assert caught.value.code == "ISOLATION_UNAVAILABLE"
    return str(caught.value.details["missing"])


def test_an_honest_report_is_accepted_and_told() -> None:
    told = profile.verify(SHAPE, PLACE, report_of(SHAPE))
    assert told["no_network"] == "none"
    assert told["memory"] == SHAPE.limits.memory_bytes
    assert told["cpus"] == 1_500_000_000
    assert len(told["seccomp_sha256"]) == 64
    json.dumps(told)


def test_the_engine_may_spell_nothing_as_it_likes_and_order_ulimits() -> None:
    report = report_of(SHAPE)
    report["HostConfig"] |= {"Binds": [], "PidMode": "", "OomKillDisable": False, "ExtraHosts": []}
    report["HostConfig"]["Ulimits"].reverse()
    profile.verify(SHAPE, PLACE, report)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_each_row_that_came_out_differently_is_refused_by_name(row: profile.Row) -> None:
    report = report_of(SHAPE)
    section, key = row.path.split(".")
    report[section][key] = "something else"
    assert missing(report) == row.name


@pytest.mark.parametrize("row", [r for r in ROWS if r.value], ids=[r.name for r in ROWS if r.value])
def test_each_row_that_the_engine_dropped_is_refused_by_name(row: profile.Row) -> None:
    report = report_of(SHAPE)
    section, key = row.path.split(".")
    del report[section][key]
    assert missing(report) == row.name


def test_another_image_mount_or_network_is_refused() -> None:
    other = report_of(SHAPE) | {"Image": f"sha256:{'b' * 64}"}
    assert missing(other) == "image"
    socket = {"Source": "/run/x.sock", "Destination": "/x.sock", "RW": True, "Propagation": "rprivate"}
    more = report_of(SHAPE)
    more["Mounts"].append(socket)
    assert missing(more) == "only_granted_mounts"
    writable = report_of(SHAPE)
    writable["Mounts"][0]["RW"] = True
    assert missing(writable) == "only_granted_mounts"
    bridged = report_of(SHAPE) | {"NetworkSettings": {"Networks": {"none": {}, "bridge": {}}}}
    assert missing(bridged) == "only_network_none"


def test_users_are_far_from_the_host_s_and_differ() -> None:
    users = {profile.uid_of(f"task-{number}") for number in range(2000)}
    assert len(users) == 2000
    assert min(users) >= 0x40000000
    assert max(users) < 0x70000000
    assert profile.uid_of("task-1") == profile.uid_of("task-1")


def test_the_hash_of_a_configuration_tells_them_apart() -> None:
    one = profile.configuration(SHAPE, PLACE)
    assert profile.sha256_of(one) == profile.sha256_of(copy.deepcopy(one))
    assert profile.sha256_of(one) != profile.sha256_of(one | {"Cmd": ["other"]})


def test_the_entry_is_the_task_s_room_and_nothing_else() -> None:
    assert profile.configuration(SHAPE, PLACE)["Cmd"] == ["python3", "-I", "-m", "sandbox.task"]


def test_a_container_tells_whose_it_is_and_not_what_for() -> None:
    """It is made before its task is known; nothing of a task stands on it."""
    assert profile.labels(PLACE) == {"sandbox.slot": "slot-1-2-3", "sandbox.space": "space"}


NEVER = set(
    """
    io_uring_setup io_uring_enter ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd bpf
    perf_event_open keyctl add_key request_key userfaultfd mount umount2 fsopen fsmount move_mount
    open_tree mount_setattr pivot_root chroot unshare setns name_to_handle_at open_by_handle_at mknod
    mknodat vmsplice memfd_create memfd_secret kexec_load init_module finit_module delete_module reboot
    swapon swapoff settimeofday clock_settime adjtimex sethostname setdomainname iopl ioperm modify_ldt
    shmget msgget semget mq_open quotactl acct syslog seccomp landlock_create_ruleset lookup_dcookie
    uselib
    """.split()  # noqa: SIM905
)


def test_the_system_call_list_is_an_allow_list_without_the_dangerous_ones() -> None:
    listed = json.loads(profile.SECCOMP)
    assert listed["defaultAction"] == "SCMP_ACT_ERRNO"
    assert listed["architectures"] == ["SCMP_ARCH_X86_64"]
    allowed = [name for rule in listed["syscalls"] for name in rule["names"] if "errnoRet" not in rule]
    assert not NEVER & set(allowed)
    narrowed = {name for rule in listed["syscalls"] if "args" in rule for name in rule["names"]}
    plain = {n for r in listed["syscalls"] if "args" not in r and "errnoRet" not in r for n in r["names"]}
    assert narrowed == {"socket", "clone", "personality"}
    assert not narrowed & plain
    assert {"read", "write", "mmap", "execve", "futex"} <= plain
