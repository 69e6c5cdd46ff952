"""What is read from the kernel, on real control groups and processes."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.core.errors import Unavailable
from sandbox.executor import kernel, mounts, profile
from sandbox.executor.contract import Limits

LIMITS = Limits()
PLACE = profile.Place("slot-1-2-3", 1 << 30, Path("/in"), Path("/out"), "space")


@pytest.fixture
def group() -> Iterator[tuple[str, Path]]:
    """A control group as the engine makes them for a container: (the container's id, its folder)."""
    container = uuid.uuid4().hex
    top = kernel.CGROUPS / "pids"
    folder = (top if top.is_dir() else kernel.CGROUPS) / "sandbox" / container
    folder.mkdir(parents=True)
    yield container, folder
    if folder.exists():
        folder.rmdir()


def sleeper(folder: Path) -> subprocess.Popen[bytes]:
    """A process of ours in the group ``folder``."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (folder / "cgroup.procs").write_text(str(process.pid))
    return process


def test_everything_in_a_group_is_found_killed_and_the_group_removed(group: tuple[str, Path]) -> None:
    container, folder = group
    assert kernel.processes(container) == set()
    assert kernel.kill_all(container)
    processes = [sleeper(folder) for _ in range(3)]
    assert kernel.processes(container) == {process.pid for process in processes}
    kernel.remove_groups(container)
    assert folder.exists()  # the kernel keeps a group that is not empty
    assert kernel.kill_all(container)
    assert [process.wait() for process in processes] == [-9, -9, -9]
    kernel.remove_groups(container)
    assert not folder.exists()
    assert kernel.processes(container) == set()


def test_what_cannot_be_killed_in_time_is_said_so(
    group: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    container, folder = group
    process = sleeper(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", lambda *_: None)
        assert not kernel.kill_all(container, seconds=0.1)
    assert kernel.kill_all(container)
    process.wait()


def test_an_ordinary_process_of_the_host_is_refused_with_all_that_it_lacks() -> None:
    with pytest.raises(Unavailable) as caught:
        kernel.observe(LIMITS, PLACE, "no-such-container", os.getpid())
    assert caught.value.code == "ISOLATION_UNAVAILABLE"
    lacks = {name.strip().removeprefix("kernel: ") for name in caught.value.details["missing"].split(",")}
    assert lacks >= {
        "uid", "gid", "capabilities", "no_new_privileges", "seccomp_filter", "shared_namespaces",
        "root_read_only", "inputs_read_only", "output_hardened_tmpfs", "tmp_hardened",
        "memory", "pids", "cpus",
    }  # fmt: skip


def test_a_process_that_is_gone_is_not_believed_to_be_isolated() -> None:
    gone = 2**22 + 1  # beyond the largest process id
    with pytest.raises(Unavailable) as caught:
        kernel.observe(LIMITS, PLACE, "x", gone)
    assert caught.value.details["missing"] == "kernel: unreadable"


def test_a_mount_that_stays_is_an_error_and_nothing_below_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts.tmpfs(tmp_path, size=4096, inodes=4, uid=0)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(mounts, "mounted_below", lambda _: [tmp_path / "not-a-mount"])
            with pytest.raises(OSError, match="not-a-mount"):
                mounts.unmount_below(tmp_path)
    finally:
        mounts.unmount_below(tmp_path)
