"""Exhaustion and odd outputs under each executor: each limit holds, and says which one it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.executor.contract import End, Outcome, Task
from tests.plugins.bubblewrap import USER, BubblewrapProber, Prober, UserProber
from tests.plugins.engine import ProbeExecutor, until

ENGINE_DATA = Path("/var/lib/sandbox-engine/data")
Overrun = Callable[..., Outcome]


def test_a_fork_bomb_meets_the_process_limit(overrun: Overrun) -> None:
    outcome = overrun(
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


def test_a_thread_bomb_meets_the_process_limit(overrun: Overrun) -> None:
    outcome = overrun(
        """
import threading
for_ever = threading.Event()
try:
    while len(threading.enumerate()) < 1000:
        threading.Thread(target=for_ever.wait, daemon=True).start()
except RuntimeError:
    report["refused"] = True
report["threads"] = len(threading.enumerate())
for_ever.set()
""",
        pids=32,
    )
    assert outcome.end is End.SUCCEEDED
    assert outcome.report == {"refused": True, "threads": 32}


BOMBS = {
    "heap": "hog = [bytearray(b'x' * (1 << 20)) for _ in range(4096)]",
    "hidden": """
import ctypes
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # not dumpable: its files below /proc are the kernel's
hog = [bytearray(b'x' * (1 << 20)) for _ in range(4096)]
""",
    "shared": """
import mmap
hogs = []
for _ in range(64):
    hog = mmap.mmap(-1, 16 << 20)
    hog.write(b"x" * (16 << 20))
    hogs.append(hog)
""",
    "children": """
children = []
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        hog = bytearray(os.urandom(1 << 20) * 32)
        time.sleep(30)
        os._exit(0)
    children.append(pid)
if any(os.waitpid(pid, 0)[1] for pid in children):
    os._exit(1)
""",
    "files": """
for number in range(64):
    with open(f"/tmp/{number}", "wb") as file:
        file.write(b"x" * (2 << 20))
hog = [bytearray(b'x' * (1 << 20)) for _ in range(64)]
time.sleep(5)
""",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_memory_bomb_ends_as_out_of_memory(overrun: Overrun, bomb: str) -> None:
    outcome = overrun(BOMBS[bomb], memory_bytes=128 << 20, tmp_bytes=256 << 20)
    assert outcome.end is End.OUT_OF_MEMORY


def test_a_task_that_ends_before_its_limits_ends_as_it_did(overrun: Overrun) -> None:
    assert overrun("os._exit(3)").end is End.FAILED
    assert overrun("os.kill(os.getpid(), 11); time.sleep(1); os._exit(4)").end is End.FAILED


def test_output_is_bounded_in_bytes_and_the_rest_of_the_machine_never_sees_it(overrun: Overrun) -> None:
    outcome = overrun(
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


def test_output_is_bounded_in_files(overrun: Overrun) -> None:
    outcome = overrun(
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
    assert set(outcome.skipped) == {"over_quota"}  # the spare inodes of the report and the like


def test_sparse_files_count_in_full(overrun: Overrun) -> None:
    outcome = overrun(
        """
for name in "ab":
    with open(f"/out/files/{name}", "wb") as file:
        file.truncate(3 << 20)
""",
        output_bytes=4 << 20,
    )
    assert [path.name for path in outcome.files.iterdir()] == ["a"]
    assert outcome.skipped == {"over_quota": 1}


def test_only_regular_files_with_decent_names_are_collected(overrun: Overrun) -> None:
    outcome = overrun(
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


def test_a_report_that_is_a_link_or_too_large_is_none(bubblewrapped: BubblewrapProber) -> None:
    for last_words in (
        "os.symlink('/in/task.json', '/out/report.json')",
        "open('/out/report.json', 'w').write('[' * (1 << 20))",
        "open('/out/report.json', 'w').write('{\"a\": \"' + 'x' * (1 << 20) + '\"}')",
        "open('/out/report.json', 'w').write('[1]')",
        "open('/out/report.json', 'w').write('{\"a\": NaN}')",
        "open('/out/report.json', 'w').write('{\"a\": \"\\\\u0000\"}')",
        "open('/out/report.json', 'w').write('{\"a\": \"\\\\ud800\"}')",
    ):
        outcome = bubblewrapped.run(bubblewrapped.task(f"{last_words}; os._exit(0)"))
        assert (outcome.end, outcome.report) == (End.SUCCEEDED, {}), last_words


def test_a_task_that_ignores_every_signal_ends_with_its_time(overrun: Overrun) -> None:
    outcome = overrun(
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
    assert outcome.exit_code == 137


def processes_of(uid: int) -> list[str]:
    """Host processes of the user ``uid``."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if f"\nUid:\t{uid}\t" in status.read_text():
                found.append(status.parent.name)
    return found


def test_an_orphan_does_not_outlive_its_task(attacker: Prober) -> None:
    outcome = attacker.run(
        attacker.task(
            """
report["user"] = os.getuid()
if os.fork() == 0:
    os.setsid()
    while True:
        time.sleep(1)
"""
        )
    )
    assert outcome.end is End.SUCCEEDED
    assert processes_of(USER if isinstance(attacker, UserProber) else outcome.report["user"]) == []


def test_each_task_has_a_user_of_its_own(attacker: Prober) -> None:
    users = [
        attacker.run(attacker.task("report['ids'] = [os.getuid(), os.getgid(), os.getgroups()]")).report[
            "ids"
        ]
        for _ in range(2)
    ]
    assert users[0] != users[1]
    assert all(uid == gid >= 1 << 30 and groups in ([], [gid]) for uid, gid, groups in users)


def begun(attacker: Prober, task: Task, name: str) -> bool:
    """Whether the task has made the file ``name`` among its outputs."""
    if not isinstance(attacker, ProbeExecutor):
        with contextlib.suppress(OSError):
            return (attacker.inside(task) / "files" / name).exists()
        return False
    return (attacker.root / task.id / "out/files" / name).exists()


def test_what_a_task_prints_is_kept_nowhere(attacker: Prober) -> None:
    number = "110101199003074514"
    task = attacker.task(
        f"print({number}, flush=True); print({number}, file=sys.stderr, flush=True); "
        "open('/out/files/printed', 'w').close(); time.sleep(3)"
    )
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(attacker.run, task)
        until(lambda: begun(attacker, task, "printed") or ended.done())
        logs = [
            path
            for path in (ENGINE_DATA / "containers").rglob("*")
            if path.is_file() and path.suffix == ".log" and number.encode() in path.read_bytes()
        ]
        assert ended.result().end is End.SUCCEEDED
    assert logs == []
    held = [path for path in attacker.root.rglob("*") if path.is_file()]
    assert held
    assert not [path for path in held if number.encode() in path.read_bytes()]
