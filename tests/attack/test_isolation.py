"""Attacks from inside a real container with the full profile."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sandbox.executor import mounts
from sandbox.executor.contract import End, Input, Outcome
from sandbox.executor.profile import uid_of
from tests.plugins.engine import ProbeExecutor

ENGINE_DATA = Path("/var/lib/sandbox-engine/data")
PROBE = Path(__file__).with_name("isolation_probe.py").read_text()

Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the probe reports; its input has a writable file system mounted below it on the host."""
    root = tmp_path_factory.mktemp("attack")
    data = root / "data"
    (data / "below").mkdir(parents=True)
    (data / "rows.csv").write_text("a\n1\n")
    for path in (data, data / "below"):
        path.chmod(0o755)
    executor = ProbeExecutor(root / "tasks")
    task = executor.task(PROBE, Input("data", data), memory_bytes=512 << 20)
    mounts.tmpfs(data / "below", size=1 << 20, inodes=16, uid=0)
    (data / "below").chmod(0o777)
    try:
        outcome = executor.run(task)
        assert outcome.end is End.SUCCEEDED
        assert outcome.isolation["kernel"] == {"observed": True}
        yield outcome.report
    finally:
        executor.discard(task.id)
        mounts.unmount_below(data)


def test_what_a_task_needs_works(attacked: dict[str, Any]) -> None:
    assert set(attacked["controls"].values()) == {"open"}, attacked["controls"]


EPERM = {"EPERM"}
REFUSED = {"EPERM", "EACCES", "EROFS"}
ABSENT = {"ENOENT", "ENODATA"}
EXPECTED = {
    "dns": {"OSError -3", "OSError -2"},  # EAI_AGAIN, EAI_NONAME: no name server can be asked
    "clone3": {"ENOSYS"},  # libc falls back to clone, whose flags the filter can read
    "engine_socket": ABSENT, "docker_socket": ABSENT, "containerd_abstract": {"ECONNREFUSED"},
    "interface_beyond_lo": ABSENT, "device_beyond_the_usual": ABSENT, "environment": ABSENT,
    "capability_effective": ABSENT, "capability_permitted": ABSENT, "capability_bounding": ABSENT,
    "capability_ambient": ABSENT, "capability_inheritable": ABSENT, "setuid_files": ABSENT,
    "write_root": REFUSED, "write_usr": REFUSED, "write_passwd": REFUSED, "write_resolv": REFUSED,
    "write_task": REFUSED, "write_input": REFUSED, "write_input_folder": REFUSED,
    "write_input_sub_mount": REFUSED, "chmod_input": REFUSED, "unlink_input": REFUSED,
    "write_core_pattern": REFUSED, "write_sysrq": REFUSED | ABSENT, "write_cgroup": REFUSED | ABSENT,
    "write_release_agent": REFUSED | ABSENT, "lower_oom_score": {"EACCES"}, "write_dev": REFUSED,
    "exec_tmp": {"EACCES"}, "exec_out": {"EACCES"}, "exec_shm": {"EACCES"},
    "shell": ABSENT, "apt_sources": ABSENT, "nice_up": REFUSED,
    "others_in_proc": ABSENT, "signal_others": {"ESRCH"}, "proc_1_mem": ABSENT,
    "kallsyms": ABSENT, "kcore": ABSENT, "keys": ABSENT, "interrupts": ABSENT, "diskstats": ABSENT,
    "partitions": ABSENT, "modules": ABSENT, "command_line": ABSENT, "sys_class": ABSENT,
    "sys_block": ABSENT, "sys_kernel": ABSENT, "sys_firmware": ABSENT,
}  # fmt: skip


@pytest.mark.requirement("R-111")
def test_every_attempt_is_refused_by_what_should_refuse_it(attacked: dict[str, Any]) -> None:
    """What is not in the table must meet EPERM: the system-call filter or a missing capability."""
    wrong = {name: got for name, got in attacked["attempts"].items() if got not in EXPECTED.get(name, EPERM)}
    assert wrong == {}
    assert len(attacked["attempts"]) >= 111


def test_a_fork_bomb_meets_the_process_limit(probe: Run) -> None:
    outcome = probe(
        """
import errno, signal
children = []
try:
    while len(children) < 1000:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
except OSError as error:
    report["error"] = errno.errorcode[error.errno]
report["children"] = len(children)
""",
        pids=32,
    )
    assert outcome.end is End.SUCCEEDED
    assert outcome.report == {"error": "EAGAIN", "children": 31}


def test_a_memory_bomb_ends_as_out_of_memory(probe: Run) -> None:
    outcome = probe("hog = [bytearray(b'x' * (1 << 20)) for _ in range(4096)]", memory_bytes=64 << 20)
    assert outcome.end is End.OUT_OF_MEMORY
    assert outcome.exit_code == 137


def test_output_is_bounded_in_bytes_and_the_rest_of_the_machine_never_sees_it(probe: Run) -> None:
    outcome = probe(
        """
import errno
for name in ("/out/files/big", "/tmp/big"):
    try:
        with open(name, "wb", buffering=0) as file:
            for _ in range(64):
                file.write(b"x" * (1 << 20))
    except OSError as error:
        report[name] = errno.errorcode[error.errno]
    os.truncate(name, 1 << 20)
""",
        output_bytes=2 << 20,
        tmp_bytes=2 << 20,
    )
    # the per-file bound and the quota stand close together: either may be met first
    assert set(outcome.report) == {"/out/files/big", "/tmp/big"}
    assert set(outcome.report.values()) <= {"ENOSPC", "EFBIG"}
    assert [path.stat().st_size for path in outcome.files.iterdir()] == [1 << 20]


def test_output_is_bounded_in_files(probe: Run) -> None:
    outcome = probe(
        """
import errno
try:
    for number in range(1000):
        open(f"/out/files/{number}", "w").close()
except OSError as error:
    report["error"] = errno.errorcode[error.errno]
os.unlink("/out/files/0")  # room for the report
""",
        output_files=10,
    )
    assert outcome.report == {"error": "ENOSPC"}
    assert len(list(outcome.files.iterdir())) == 10
    assert outcome.skipped == {"over_quota": 1}


def test_sparse_files_count_in_full(probe: Run) -> None:
    outcome = probe(
        """
for name in "ab":
    with open(f"/out/files/{name}", "wb") as file:
        file.truncate(3 << 20)
""",
        output_bytes=4 << 20,
    )
    assert [path.name for path in outcome.files.iterdir()] == ["a"]
    assert outcome.skipped == {"over_quota": 1}


def test_only_regular_files_with_decent_names_are_collected(probe: Run) -> None:
    outcome = probe(
        """
import socket
os.chdir("/out/files")
os.symlink("/etc/passwd", "link")
os.symlink("/in", "folder-link")
open("twice", "w").write("x"); os.link("twice", "twice-again")
open(".hidden", "w").close()
open("new\\nline", "w").close()
open(b"not-utf8-\\xff", "w").close()
open("right-to-left-\\u202egnp.exe", "w").close()
socket.socket(socket.AF_UNIX).bind("/out/files/socket")
os.makedirs("a/b"); open("a/b/deep.csv", "w").write("1")
os.makedirs("/".join("d" * 12))
open("good.csv", "w").write("a")
open("secret", "w").write("x"); os.chmod("secret", 0)
report["done"] = True
"""
    )
    assert outcome.report == {"done": True}
    taken = sorted(
        str(path.relative_to(outcome.files)) for path in outcome.files.rglob("*") if path.is_file()
    )
    assert taken == ["a/b/deep.csv", "good.csv", "secret"]
    assert outcome.skipped == {"not_regular": 3, "hard_link": 2, "name": 4, "too_deep": 1}


def test_a_report_that_is_a_link_or_too_large_is_none(prober: ProbeExecutor) -> None:
    for last_words in (
        "os.symlink('/in/task.json', '/out/report.json')",
        "open('/out/report.json', 'w').write('[' * (1 << 20))",
        "open('/out/report.json', 'w').write('{\"a\": \"' + 'x' * (1 << 20) + '\"}')",
        "open('/out/report.json', 'w').write('[1]')",
        "open('/out/report.json', 'w').write('{\"a\": NaN}')",
        "open('/out/report.json', 'w').write('{\"a\": \"\\\\u0000\"}')",
        "open('/out/report.json', 'w').write('{\"a\": \"\\\\ud800\"}')",
    ):
        outcome = prober.run(prober.task(f"{last_words}; os._exit(0)"))
        assert (outcome.end, outcome.report) == (End.SUCCEEDED, {}), last_words


def test_a_task_that_ignores_every_signal_ends_with_its_time(probe: Run) -> None:
    outcome = probe(
        """
import signal
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
while True:
    time.sleep(1)
""",
        seconds=2,
    )
    assert outcome.end is End.TIMED_OUT
    assert 2 <= outcome.seconds < 12


def processes_of(uid: int) -> list[str]:
    """Host processes of the user ``uid``."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if f"\nUid:\t{uid}\t" in status.read_text():
                found.append(status.parent.name)
    return found


def test_an_orphan_does_not_outlive_its_task(prober: ProbeExecutor) -> None:
    task = prober.task(
        """
if os.fork() == 0:
    os.setsid()
    while True:
        time.sleep(1)
"""
    )
    assert prober.run(task).end is End.SUCCEEDED
    assert processes_of(uid_of(task.id)) == []


def test_each_task_has_a_user_of_its_own(prober: ProbeExecutor) -> None:
    users = [
        prober.run(prober.task("report['ids'] = [os.getuid(), os.getgid(), os.getgroups()]")).report["ids"]
        for _ in range(2)
    ]
    assert users[0] != users[1]
    assert all(uid == gid >= 1 << 30 and groups in ([], [gid]) for uid, gid, groups in users)


def test_what_a_task_prints_is_kept_nowhere(prober: ProbeExecutor) -> None:
    number = "110101199003074514"
    task = prober.task(
        f"print({number}, flush=True); print({number}, file=sys.stderr, flush=True); "
        "open('/out/files/printed', 'w').close(); time.sleep(3)"
    )
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(prober.run, task)
        while not (prober.root / task.id / "out/files/printed").exists():
            time.sleep(0.05)
        logs = [
            path
            for path in (ENGINE_DATA / "containers").rglob("*")
            if path.is_file() and path.suffix == ".log" and number.encode() in path.read_bytes()
        ]
        assert ended.result().end is End.SUCCEEDED
    assert logs == []
    held = [path for path in prober.root.rglob("*") if path.is_file()]
    assert held
    assert not [path for path in held if number.encode() in path.read_bytes()]
