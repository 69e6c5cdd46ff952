"""The executor's promises, on the real engine: idempotent, re-attachable, typed, gone afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from sandbox.executor import kernel, mounts, slots
from sandbox.executor.contract import End, Input, Outcome, Task
from tests.plugins.engine import PROBE_ENTRY, SLEEP, ProbeExecutor, begun, containers, in_background, until

Run = Callable[..., Outcome]


def test_inputs_parameters_outputs_and_report_go_through(probe: Run, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/a.csv").write_text("x\n1\n")
    (tmp_path / "one.txt").write_text("single file")
    outcome = probe(
        """
report["task"] = sorted(json.load(open("/in/task.json")))
report["inputs"] = sorted(os.listdir("/in"))
report["read"] = open("/in/rows/a.csv").read() + open("/in/one.txt").read()
open("/out/files/result.csv", "w").write("y\\n2\\n")
""",
        Input("rows", tmp_path / "rows"),
        Input("one.txt", tmp_path / "one.txt"),
    )
    assert outcome.end is End.SUCCEEDED
    assert outcome.exit_code == 0
    assert outcome.report == {
        "task": ["id", "kind", "params"],
        "inputs": ["go", "one.txt", "rows", "task.json"],
        "read": "x\n1\nsingle file",
    }
    assert (outcome.files / "result.csv").read_text() == "y\n2\n"
    assert abs(outcome.started_at - time.time()) < 60
    assert 0 < outcome.seconds < 30
    assert outcome.skipped == {}


def test_what_was_collected_can_be_the_next_task_s_input(probe: Run) -> None:
    first = probe("os.umask(0o077); os.mkdir('/out/files/d'); open('/out/files/d/a', 'w').write('1')")
    second = probe("report['a'] = open('/in/previous/d/a').read()", Input("previous", first.files))
    assert second.report == {"a": "1"}


def test_code_that_fails_is_an_outcome(probe: Run) -> None:
    outcome = probe("raise SystemExit(7)")
    assert (outcome.end, outcome.exit_code, outcome.report) == (End.FAILED, 7, {})


def test_the_same_task_is_never_started_twice(prober: ProbeExecutor) -> None:
    task = prober.task("report['at'] = time.time()")
    first = prober.run(task)
    assert prober.run(task) == first
    assert ProbeExecutor(prober.root).run(task) == first


def test_two_waiting_processes_share_one_container(
    prober: ProbeExecutor, engine_api: docker.APIClient
) -> None:
    task = prober.task(SLEEP.format(seconds=2))
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(ProbeExecutor(prober.root).run, task) for _ in range(3)]
        until(lambda: begun(prober, task))
        assert len(containers(engine_api, prober)) == 1
        outcomes = [future.result() for future in futures]
    assert outcomes[0].report == {"slept": True}
    assert outcomes[1:] == outcomes[:1] * 2


DRIVER = """
import json, sys
from pathlib import Path
from sandbox.executor.contract import Limits, Task, TaskKind
from sandbox.executor.docker import DockerExecutor
root, task, entry = json.loads(sys.argv[1])
DockerExecutor.entry = tuple(entry)
limits = Limits(**task.pop("limits"))
DockerExecutor(Path(root)).run(Task(**task, limits=limits))
"""


def start_elsewhere(executor: ProbeExecutor, task: Task) -> subprocess.Popen[bytes]:
    """``run`` in another process, returned when the code in the container has begun."""
    asked = {
        "id": task.id,
        "kind": task.kind,
        "image": task.image,
        "params": task.params,
        "limits": vars(task.limits),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, json.dumps([str(executor.root), asked, PROBE_ENTRY])]
    )
    until(lambda: begun(executor, task) or process.poll() is not None)
    assert process.poll() is None
    return process


def kill_9(process: subprocess.Popen[bytes]) -> None:
    """Without any chance to tidy up."""
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_killed_waiter_is_replaced_by_another_process(
    prober: ProbeExecutor, engine_api: docker.APIClient
) -> None:
    task = prober.task(SLEEP.format(seconds=3))
    kill_9(start_elsewhere(prober, task))
    assert prober.running() == [task.id]
    [before] = containers(engine_api, prober)
    outcome = prober.run(task)
    assert (outcome.end, outcome.report) == (End.SUCCEEDED, {"slept": True})
    assert outcome.started_at >= before["Created"]
    assert outcome.isolation["kernel"] == {"observed": True}
    assert prober.run(task) == outcome


def test_a_task_that_ended_with_nobody_waiting_is_collected_later(prober: ProbeExecutor) -> None:
    task = prober.task(SLEEP.format(seconds=1))
    kill_9(start_elsewhere(prober, task))
    until(lambda: not prober.running())
    assert prober.known() == [task.id]
    outcome = prober.run(task)
    assert (outcome.end, outcome.report) == (End.SUCCEEDED, {"slept": True})
    assert 1 <= outcome.seconds < 30


def test_the_clock_runs_on_without_a_waiter(prober: ProbeExecutor) -> None:
    task = prober.task(SLEEP.format(seconds=600), seconds=2)
    kill_9(start_elsewhere(prober, task))
    time.sleep(2.5)
    asked = time.monotonic()
    assert prober.run(task).end is End.TIMED_OUT
    assert time.monotonic() - asked < 10
    assert prober.running() == []


def test_a_container_that_vanished_is_lost_and_not_started_again(
    prober: ProbeExecutor, engine_api: docker.APIClient
) -> None:
    task = prober.task(SLEEP.format(seconds=600))
    kill_9(start_elsewhere(prober, task))
    [container] = containers(engine_api, prober)
    engine_api.remove_container(container["Id"], force=True)
    outcome = prober.run(task)
    assert (outcome.end, outcome.exit_code) == (End.LOST, None)
    assert list(outcome.files.iterdir()) == []
    assert prober.run(task) == outcome


def test_an_output_that_vanished_is_lost(prober: ProbeExecutor) -> None:
    """After a restart of the machine the container is still listed, the folder in memory is gone."""
    task = prober.task(SLEEP.format(seconds=1))
    kill_9(start_elsewhere(prober, task))
    until(lambda: not prober.running())
    mounts.unmount_below(prober.root / task.id)
    assert prober.run(task).end is End.LOST


def test_a_crash_before_the_start_is_repeated_from_the_beginning(prober: ProbeExecutor) -> None:
    task = prober.task("report['inputs'] = os.listdir('/in')")
    half = prober.root / task.id / "in"
    half.mkdir(parents=True)
    (half / "left-over").touch()
    assert prober.run(task).report == {"inputs": ["task.json", "go"]}


def test_a_crash_while_collecting_is_repeated(prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    task = prober.task("open('/out/files/a', 'w').write('1'); report['a'] = 1")

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sandbox.executor.folders.TaskFolder.note_outcome", crash)
        with pytest.raises(KeyboardInterrupt):
            prober.run(task)
    outcome = prober.run(task)
    assert (outcome.end, outcome.report) == (End.SUCCEEDED, {"a": 1})
    assert (outcome.files / "a").read_text() == "1"


def test_stop_ends_a_running_task_at_once(prober: ProbeExecutor) -> None:
    task = prober.task(SLEEP.format(seconds=600))
    future = in_background(prober, task)
    asked = time.monotonic()
    prober.stop(task.id)
    assert prober.running() == []
    outcome = future.result(timeout=10)
    assert time.monotonic() - asked < 10
    assert (outcome.end, outcome.exit_code, outcome.report) == (End.STOPPED, 137, {})
    assert [path.name for path in outcome.files.iterdir()] == ["begun"]


def test_stop_of_an_unknown_or_ended_task_changes_nothing(prober: ProbeExecutor) -> None:
    prober.stop("never-heard-of")
    assert prober.known() == []
    task = prober.task("pass")
    ended = prober.run(task)
    prober.stop(task.id)
    assert prober.run(task) == ended


def test_a_task_stopped_before_its_start_is_never_started(
    prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = prober.task("report['ran'] = True")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(slots, "bring", crash)
        patch.setattr(ProbeExecutor, "_clear", lambda *_: None)  # as if killed: nothing is tidied up
        with pytest.raises(KeyboardInterrupt):
            prober.run(task)
    prober.stop(task.id)
    outcome = prober.run(task)
    assert (outcome.end, outcome.exit_code, outcome.report) == (End.STOPPED, None, {})


def test_running_is_told_by_label(prober: ProbeExecutor) -> None:
    tasks = [
        prober.task(SLEEP.format(seconds=600), labels={"sandbox.agreement": f"ag-{number}"})
        for number in (1, 1, 2)
    ]
    futures = [in_background(prober, task) for task in tasks]
    ids = [task.id for task in tasks]
    assert prober.running() == sorted(ids)
    assert prober.running("sandbox.agreement") == sorted(ids)
    assert prober.running("sandbox.agreement", "ag-1") == sorted(ids[:2])
    assert prober.running("sandbox.agreement", "ag-3") == []
    asked = time.monotonic()
    for task_id in prober.running("sandbox.agreement", "ag-1"):
        prober.stop(task_id)
    assert time.monotonic() - asked < 10
    assert prober.running() == [ids[2]]
    prober.stop(ids[2])
    assert [future.result(timeout=10).end for future in futures] == [End.STOPPED] * 3


def test_discard_leaves_nothing(prober: ProbeExecutor, engine_api: docker.APIClient, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows.csv").write_text("a\n")
    running = prober.task(SLEEP.format(seconds=600), Input("data", tmp_path / "data"))
    ended = prober.task("pass", Input("data", tmp_path / "data"))
    prober.run(ended)
    future = in_background(prober, running)
    assert prober.known() == sorted([running.id, ended.id])
    for _ in range(2):
        prober.discard(running.id)
        prober.discard(ended.id)
        assert prober.known() == []
        assert containers(engine_api, prober) == []
        assert mounts.mounted_below(prober.root) == []
        assert sorted(prober.root.rglob("*")) == [prober.root / ".locks", prober.root / ".slots"]
    assert (tmp_path / "data/rows.csv").read_text() == "a\n"
    assert future.result(timeout=10).end is End.LOST


def test_a_shim_killed_under_a_task_leaves_no_process(
    prober: ProbeExecutor, engine_api: docker.APIClient
) -> None:
    """The engine then says that the container has exited while its process runs on."""
    task = prober.task(SLEEP.format(seconds=600))
    future = in_background(prober, task)
    [container] = containers(engine_api, prober)
    first = engine_api.inspect_container(container["Id"])["State"]["Pid"]
    fields = Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()
    os.kill(int(fields[1]), signal.SIGKILL)  # its parent, the shim of this one container
    outcome = future.result(timeout=30)
    assert outcome.end in (End.FAILED, End.LOST)
    assert kernel.processes(container["Id"]) == set()
    until(lambda: not Path(f"/proc/{first}").exists())  # dead, until its parent has asked for its end
    assert not list(Path("/sys/fs/cgroup").rglob(container["Id"]))
