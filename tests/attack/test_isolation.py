"""Attacks from inside a real sandbox of each executor with the full profile: to get out, to see, to gain."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.core.errors import SandboxError
from sandbox.executor import mounts
from sandbox.executor.contract import End, Input, Outcome
from tests.plugins.bubblewrap import PROBERS, RUNTIMES, UserProber, prober_of

SCRIPT = Path(__file__).with_name("isolation_probe.py").read_text()
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")


def names_of(table: str) -> list[str]:
    """The keys of a table of the probe, which is never run out here."""
    for node in ast.parse(SCRIPT).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == table:
            assert isinstance(node.value, ast.Dict)
            return [ast.literal_eval(key) for key in node.value.keys if key]
    raise AssertionError(table)


@pytest.fixture(scope="module", params=(*PROBERS, *RUNTIMES))
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """What the probe reports; its input has a writable file system mounted below it on the host."""
    root = tmp_path_factory.mktemp("attack")
    before = CORE_PATTERN.read_bytes()
    with prober_of(request.param, root) as executor:
        data = (executor.home if isinstance(executor, UserProber) else root) / "data"
        (data / "below").mkdir(parents=True)
        (data / "rows.csv").write_text("a\n1\n")
        for path in (data, data / "below"):
            path.chmod(0o755)
        task = executor.task(SCRIPT, Input("data", data), memory_bytes=512 << 20)
        if not isinstance(executor, UserProber):  # a user's task with such an input is refused: see below
            mounts.tmpfs(data / "below", size=1 << 20, inodes=16, uid=0)
            (data / "below").chmod(0o777)
        try:
            outcome = executor.run(task)
            assert outcome.end is End.SUCCEEDED
            assert outcome.isolation["kernel"] == {"observed": True}
            probe = outcome.isolation["probe"]
            assert probe["attempts"] == probe["refused"] + len(probe.get("own_kernel", ())) > 0
            assert ("own_kernel" in probe) == (request.param == "docker_runsc")
            yield outcome
            assert CORE_PATTERN.read_bytes() == before
        finally:
            mounts.unmount_below(data)


@pytest.mark.parametrize("name", names_of("CONTROLS"))
def test_what_a_task_needs_works(attacked: Outcome, name: str) -> None:
    assert attacked.report["controls"][name] == "open"


EPERM = {"EPERM"}
REFUSED = {"EPERM", "EACCES", "EROFS"}
ABSENT = {"ENOENT", "ENODATA"}
UNREAD = ABSENT | {"EACCES"}  # masked with an empty file, or with one that cannot be opened
NOBODY = {"EPERM", "EINVAL"}  # refused, or in this user namespace there is no such user
EXPECTED: dict[str, set[str]] = {
    "dns": {"OSError -3", "OSError -2"},  # EAI_AGAIN, EAI_NONAME: no name server can be asked
    "clone3": {"ENOSYS"},  # libc falls back to clone, whose flags the filter can read
    "engine_socket": ABSENT, "docker_socket": ABSENT, "containerd_abstract": {"ECONNREFUSED"},
    "interface_beyond_lo": ABSENT, "device_beyond_the_usual": ABSENT, "environment": ABSENT,
    "capability_effective": ABSENT, "capability_permitted": ABSENT, "capability_bounding": ABSENT,
    "capability_ambient": ABSENT, "capability_inheritable": ABSENT, "setuid_files": ABSENT,
    "setuid_0": NOBODY, "setgid_0": NOBODY,
    "write_root": REFUSED, "write_usr": REFUSED, "write_passwd": REFUSED, "write_resolv": REFUSED,
    "write_task": REFUSED, "write_input": REFUSED, "write_input_folder": REFUSED,
    "write_input_sub_mount": REFUSED, "chmod_input": REFUSED, "unlink_input": REFUSED,
    "write_core_pattern": REFUSED, "write_sysrq": REFUSED | ABSENT, "write_cgroup": REFUSED | ABSENT,
    "write_huge_page": REFUSED | ABSENT, "write_beside_huge_page": REFUSED | ABSENT,
    "write_release_agent": REFUSED | ABSENT, "lower_oom_score": {"EACCES"}, "write_dev": REFUSED,
    "exec_tmp": {"EACCES"}, "exec_out": {"EACCES"}, "exec_shm": {"EACCES"},
    "shell": ABSENT, "apt_sources": ABSENT, "nice_up": REFUSED,
    "others_in_proc": ABSENT, "signal_others": {"ESRCH"}, "other_memory": ABSENT, "other_environment": ABSENT,
    "kill_first_process": {"EPERM", "ESRCH"}, "inherited_descriptors": ABSENT,
    "kallsyms": UNREAD, "kcore": UNREAD, "keys": UNREAD, "interrupts": UNREAD, "diskstats": UNREAD,
    "partitions": UNREAD, "modules": UNREAD, "command_line": UNREAD, "sys_class": ABSENT,
    "sys_block": ABSENT, "sys_kernel": ABSENT, "sys_firmware": ABSENT,
}  # fmt: skip
# What gVisor answers from what is its own and tells nothing of the host: devices that need what is refused, a
# name list and a command line that it made up, a score and a priority among its own threads, no such line.
OWN_KERNEL: dict[str, set[str]] = {
    "device_beyond_the_usual": {"RuntimeError: ['fuse', 'net']"}, "sys_class": {"open"},
    "command_line": {"open"}, "lower_oom_score": {"open"}, "nice_up": {"open"},
    "capability_ambient": {"KeyError: 'CapAmb'"},
}  # fmt: skip
ATTEMPTS = names_of("ATTEMPTS")


@pytest.mark.requirement("R-111")
@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_is_refused_by_what_should_refuse_it(attacked: Outcome, name: str) -> None:
    """What is not in the table must meet EPERM: the system-call filter or a missing capability."""
    own = OWN_KERNEL.get(name, set()) if "own_kernel" in attacked.isolation["probe"] else set()
    assert attacked.report["attempts"][name] in EXPECTED.get(name, EPERM) | own


def test_no_attempt_is_left_out(attacked: Outcome) -> None:
    made: dict[str, Any] = attacked.report["attempts"]
    assert list(made) == ATTEMPTS
    assert len(made) >= 113


def test_a_users_task_is_refused_an_input_with_a_file_system_below_it(tmp_path: Path) -> None:
    """The kernel does not let a user show what such a mount covers, and the mount itself is not granted."""
    with prober_of("bubblewrap_user", tmp_path) as executor:
        assert isinstance(executor, UserProber)
        data = executor.home / "data"
        (data / "below").mkdir(parents=True)
        mounts.tmpfs(data / "below", size=1 << 20, inodes=16, uid=0)
        (data / "below").chmod(0o755)
        try:
            with pytest.raises(SandboxError, match=r"mount .*/in/data") as caught:
                executor.run(executor.task("pass", Input("data", data)))
            assert caught.value.code == "ISOLATION_UNAVAILABLE"
        finally:
            mounts.unmount_below(data)
        assert executor.known() == []
