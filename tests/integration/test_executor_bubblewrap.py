"""The executor without an engine: the contract, kills of each of its processes, what it must not believe."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sandbox.core.errors import SandboxError
from sandbox.executor import images, kernel, processes
from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.contract import End, Guarantees, Input, Outcome, Task, TaskKind
from sandbox.executor.guarantees import match, needed_for
from sandbox.executor.images import ImageList
from sandbox.executor.keeper import Order
from sandbox.executor.rootfs import Rootfs
from sandbox.policy.load import load_profile
from tests.plugins.bubblewrap import REPO, BubblewrapProber, UserProber, prober_of
from tests.plugins.engine import SLEEP, until
from tests.refusal import refused

WORKER = """
import json, sys
from pathlib import Path
from tests.plugins.bubblewrap import BubblewrapProber, small_task
executor = BubblewrapProber(Path(sys.argv[1]))
print(json.dumps(vars(executor.run(small_task(executor.image("python"), sys.argv[2]))), default=str))
"""
STAY = "import ctypes; ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\n"  # what the task can do against its own end


def house(executor: BubblewrapProber, task_id: str) -> dict[str, Any]:
    """What is noted of a running task's processes."""
    noted: dict[str, Any] = json.loads((executor.root / task_id / "house.json").read_text())
    return noted


def begun(executor: BubblewrapProber, task_id: str) -> bool:
    """Whether its code (``SLEEP``) runs."""
    with suppress(OSError, ValueError):
        return Path(f"/proc/{house(executor, task_id)['keeper'][0]}/root/tmp/out/files/begun").exists()
    return False


def in_background(executor: BubblewrapProber, task: Task) -> Future[Outcome]:
    """``run`` in a thread, returned when the task's code has begun."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(executor.run, task)
    pool.shutdown(wait=False)
    until(lambda: future.done() or begun(executor, task.id))
    return future


def nothing_left(executor: BubblewrapProber, noted: dict[str, Any], group: str) -> bool:
    """Whether no process and no control group of it is there any more."""
    names = [processes.read_name(noted[who]) for who in ("keeper", "init")]
    return not any(name and processes.alive(name) for name in names) and not kernel.processes(group)


def group_of(executor: BubblewrapProber, task_id: str) -> str:
    """The name of its control groups."""
    return f"bwrap-{executor.space}-{task_id}"


def test_a_task_runs_once_and_is_remembered(bubblewrapped: BubblewrapProber) -> None:
    task = bubblewrapped.task("report['n'] = os.getpid(); open('/out/files/a', 'w').write('x')")
    first = bubblewrapped.run(task)
    assert (first.end, first.exit_code) == (End.SUCCEEDED, 0)
    assert (first.files / "a").read_text() == "x"
    again = bubblewrapped.run(task)
    assert (again.started_at, again.report) == (first.started_at, first.report)
    assert bubblewrapped.ended(task.id) == again
    assert bubblewrapped.known() == [task.id]
    bubblewrapped.discard(task.id)
    bubblewrapped.discard(task.id)
    assert bubblewrapped.known() == []
    assert bubblewrapped.ended(task.id) is None


def test_what_was_looked_at_stands_in_the_outcome(bubblewrapped: BubblewrapProber) -> None:
    outcome = bubblewrapped.run(bubblewrapped.task("report['uid'] = os.getuid()"))
    assert outcome.isolation["kernel"] == {"observed": True}
    assert outcome.isolation["uid"] == outcome.report["uid"] >= 1 << 30
    assert outcome.isolation["control_groups"] == ["cpu", "memory", "pids"]
    assert outcome.isolation["probe"]["attempts"] == outcome.isolation["probe"]["refused"] >= 40


def test_a_real_job_runs_in_it(tmp_path: Path) -> None:
    """With the images' own entry: a developer's SQL over a table, and nothing but its outputs comes back."""
    import polars

    data, code = tmp_path / "data", tmp_path / "code"
    data.mkdir()
    code.mkdir()
    polars.DataFrame({"a": [1, 2, 3]}).write_parquet(data / "t.parquet")
    (code / "main.sql").write_text("create table total as select sum(a) as s from t")
    with prober_of("bubblewrap", tmp_path) as executor:
        assert isinstance(executor, BubblewrapProber)
        executor.entry = BubblewrapExecutor.entry
        asked = {
            "language": "sql",
            "entry": "main.sql",
            "inputs": ["t"],
            "outputs": [{"path": "total.csv"}],
            "log": False,
        }
        task = executor.task("")
        outcome = executor.run(
            Task(
                task.id,
                TaskKind.JOB,
                executor.image("sql"),
                asked,
                (Input("data", data), Input("code", code)),
            )
        )
        assert (outcome.end, outcome.report["ok"]) == (End.SUCCEEDED, True), outcome.report
        assert (outcome.files / "total.csv").read_text().split() == ["s", "6"]


def test_a_task_outlives_the_worker_that_started_it(bubblewrapped: BubblewrapProber) -> None:
    code = SLEEP.format(seconds=3)
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(bubblewrapped.root), code], cwd=REPO)
    task_id = until(lambda: next(iter(bubblewrapped.known()), ""), 60)
    until(lambda: begun(bubblewrapped, task_id), 60)
    worker.kill()
    worker.wait()
    assert bubblewrapped.running() == [task_id]
    template = bubblewrapped.task(code)
    task = Task(task_id, template.kind, template.image, template.params, limits=template.limits)
    outcome = bubblewrapped.run(task)
    assert (outcome.end, outcome.report) == (End.SUCCEEDED, {"slept": True})


@pytest.mark.parametrize("code", [SLEEP, STAY + SLEEP], ids=["plain", "clears its death signal"])
def test_a_task_dies_with_its_keeper_and_is_lost(bubblewrapped: BubblewrapProber, code: str) -> None:
    task = bubblewrapped.task(code.format(seconds=60))
    running = in_background(bubblewrapped, task)
    noted = house(bubblewrapped, task.id)
    os.kill(noted["keeper"][0], signal.SIGKILL)
    assert running.result(30).end is End.LOST
    assert nothing_left(bubblewrapped, noted, group_of(bubblewrapped, task.id))


def parent_of(pid: int) -> int:
    """By the kernel."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize(
    ("victim", "end", "code"),
    [("init", End.FAILED, 137), ("bwrap", End.LOST, None)],
    ids=["first process", "bwrap outside"],
)
def test_a_sandbox_that_is_killed_from_outside_ends(
    bubblewrapped: BubblewrapProber, victim: str, end: End, code: int | None
) -> None:
    task = bubblewrapped.task(SLEEP.format(seconds=60))
    running = in_background(bubblewrapped, task)
    noted = house(bubblewrapped, task.id)
    init = noted["init"][0]
    os.kill(init if victim == "init" else parent_of(init), signal.SIGKILL)
    outcome = running.result(30)
    assert (outcome.end, outcome.exit_code) == (end, code)
    assert nothing_left(bubblewrapped, noted, group_of(bubblewrapped, task.id))


def test_an_order_that_was_not_whole_is_not_obeyed(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-m", "sandbox.executor.keeper"]
    for order in (b"", b'{"root": "', json.dumps({"root": str(tmp_path)}).encode()):
        assert subprocess.run(command, input=order, check=False).returncode == 2
    assert list(tmp_path.iterdir()) == []
    assert Order.__dataclass_fields__.keys() > {"root"}


def test_stop_ends_it_whatever_it_does(bubblewrapped: BubblewrapProber) -> None:
    code = "import signal\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\n" + SLEEP.format(seconds=60)
    task = bubblewrapped.task(code)
    running = in_background(bubblewrapped, task)
    noted = house(bubblewrapped, task.id)
    bubblewrapped.stop(task.id)
    assert nothing_left(bubblewrapped, noted, group_of(bubblewrapped, task.id))
    outcome = running.result(30)
    assert (outcome.end, outcome.exit_code) == (End.STOPPED, 137)
    assert (outcome.files / "begun").exists()
    bubblewrapped.stop(task.id)  # ended: nothing happens
    bubblewrapped.stop("never-there")
    assert bubblewrapped.known() == [task.id]


def test_discard_of_a_running_task_leaves_nothing(bubblewrapped: BubblewrapProber) -> None:
    task = bubblewrapped.task(SLEEP.format(seconds=60))
    running = in_background(bubblewrapped, task)
    noted = house(bubblewrapped, task.id)
    bubblewrapped.discard(task.id)
    assert nothing_left(bubblewrapped, noted, group_of(bubblewrapped, task.id))
    assert not list(kernel._groups(group_of(bubblewrapped, task.id)))
    assert running.result(30).end is End.LOST
    assert bubblewrapped.known() == []


def test_running_is_told_by_label_and_the_host_sees_no_mount(bubblewrapped: BubblewrapProber) -> None:
    template = bubblewrapped.task(SLEEP.format(seconds=60), memory_bytes=200 << 20)
    task = Task(
        template.id, template.kind, template.image, template.params, limits=template.limits,
        labels={"sandbox.agreement": "ag-1"},
    )  # fmt: skip
    in_background(bubblewrapped, task)
    assert bubblewrapped.running("sandbox.agreement", "ag-1") == [task.id]
    assert bubblewrapped.running("sandbox.agreement") == bubblewrapped.running() == [task.id]
    assert bubblewrapped.running("sandbox.agreement", "ag-2") == []
    assert str(bubblewrapped.root) not in Path("/proc/self/mountinfo").read_text()


def test_an_image_that_is_not_on_the_signed_list_is_not_unpacked(bubblewrapped: BubblewrapProber) -> None:
    task = bubblewrapped.task("pass")
    stranger = Task(task.id, task.kind, f"sha256:{'0' * 64}", task.params, limits=task.limits)
    with refused("IMAGE_UNTRUSTED"):
        bubblewrapped.run(stranger)
    assert bubblewrapped.known() == []


def test_an_unpacked_image_that_others_could_change_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    for name in (images.RECORD, images.SIGNED, images.PUBLIC):
        shutil.copy(images.home() / name, store)
    rootfs = Rootfs(ImageList(store))
    digest = rootfs.images.digest("sql")
    target = store / "rootfs" / digest.removeprefix("sha256:")
    target.mkdir(parents=True)
    target.chmod(0o755)
    assert rootfs.path(digest) == target
    target.chmod(0o777)
    with refused("IMAGE_UNTRUSTED"):
        rootfs.path(digest)


def test_without_its_layers_an_image_cannot_be_unpacked(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    for name in (images.RECORD, images.SIGNED, images.PUBLIC):
        shutil.copy(images.home() / name, store)
    rootfs = Rootfs(ImageList(store))
    with refused("IMAGE_RECORD"):
        rootfs.path(rootfs.images.digest("sql"))


def test_without_bubblewrap_nothing_runs(
    bubblewrapped: BubblewrapProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = bubblewrapped.task("pass")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxError, match="missing: bwrap") as caught:
        bubblewrapped.run(task)
    assert caught.value.code == "ISOLATION_UNAVAILABLE"
    given = BubblewrapProber(bubblewrapped.root).guarantees()
    assert given.found["network"] == "bwrap: not installed"
    with refused("ISOLATION_UNAVAILABLE"):
        match(given, needed_for(load_profile("national"), 1))


@pytest.fixture
def forger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """``forger(case)``: from now on ``bwrap`` is a program that changes its arguments before the real one."""
    real = shutil.which("bwrap")
    folder = Path(tempfile.mkdtemp(prefix="sandbox-forger-", dir="/var/tmp"))  # a keeper covers /tmp
    folder.chmod(0o755)

    def forge(case: str) -> None:
        program = folder / "bwrap"
        program.write_text(
            f"""#!/bin/sh
n=$#
while [ $n -gt 0 ]; do
  a=$1; shift; n=$((n-1))
  case "$a" in
    {case}
    *) set -- "$@" "$a";;
  esac
done
exec {real} "$@"
"""
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    yield forge
    shutil.rmtree(folder)


SHARED = "--unshare-user --unshare-pid --unshare-ipc --unshare-uts"


@pytest.mark.parametrize(
    ("case", "missing"),
    [
        ("--seccomp) shift; n=$((n-1));;", "probe: no answer"),
        (f'--unshare-all) set -- "$@" {SHARED};;', "namespaces"),
        ('--cap-drop) set -- "$@" --cap-add;;', "capabilities"),
        ('/in) set -- "$@" /in --bind / /mnt;;', "only_granted_mounts"),
        ('/proc/1) set -- "$@" /proc/2;;', "first_process_hidden"),
        ('--ro-bind) set -- "$@" --bind;;', "inputs_read_only"),
        ('--remount-ro) shift; n=$((n-1));;', "devices_read_only"),
    ],
    ids=["filter", "shared network", "capabilities", "one more mount", "first process", "inputs", "devices"],
)  # fmt: skip
def test_isolation_that_the_kernel_does_not_confirm_is_refused(
    bubblewrapped: BubblewrapProber, forger: Any, case: str, missing: str
) -> None:
    """Whatever bwrap was told: the task's code does not run in a sandbox that is not as it must be."""
    task = bubblewrapped.task("report['ran'] = True")
    forger(case)
    with pytest.raises(SandboxError) as caught:
        bubblewrapped.run(task)
    assert caught.value.code == "ISOLATION_UNAVAILABLE"
    assert missing in caught.value.details["missing"]
    assert bubblewrapped.known() == []


def test_a_user_without_rights_says_what_is_weaker_and_is_held_to_it(tmp_path: Path) -> None:
    with prober_of("bubblewrap_user", tmp_path) as prober:
        assert isinstance(prober, UserProber)
        given = Guarantees(**prober.guarantees())
    assert given.grades == {
        "network": "isolated",
        "filesystem": "private",
        "syscalls": "filtered",
        "limits": "watched",
        "user": "shared",
        "user_namespace": "own",
        "kernel": "shared",
    }
    policy = load_profile("national")
    match(given, needed_for(policy, 1))
    for level, missing in ((2, "limits: watched < enforced"), (3, "user: shared < own")):
        with pytest.raises(SandboxError) as caught:
            match(given, needed_for(policy, level))
        assert caught.value.code == "ISOLATION_UNAVAILABLE"
        assert missing in caught.value.details["missing"]
