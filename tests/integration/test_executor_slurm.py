"""The executor's promises on a real Slurm: slurmctld and slurmd, one node, docker and bubblewrap on it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.executor import slurm_calls
from sandbox.executor.contract import End, Guarantees, Outcome, Task
from sandbox.executor.slurm_folder import Run
from tests.plugins.engine import until
from tests.plugins.slurm import Cluster, SlurmProber
from tests.refusal import refused

Make = Callable[..., SlurmProber]
INNER = ("docker", "bubblewrap")
LONG = "time.sleep(600)"


def in_background(executor: SlurmProber, task: Task) -> Future[Outcome]:
    """``run`` in a thread."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(executor.run, task)
    pool.shutdown(wait=False)
    return future


def running(executor: SlurmProber, cluster: Cluster, task: Task) -> Future[Outcome]:
    """``run`` in a thread, returned when its sandbox was let go on the node."""
    future = in_background(executor, task)
    until(lambda: future.done() or cluster.begun(task))
    assert not future.done(), future.result()
    assert cluster.there(task)
    return future


def nothing_left(cluster: Cluster, task: Task) -> bool:
    """Whether the node has no process and no folder of ``task``."""
    return not cluster.there(task) and not list(cluster.node_root.glob(f"*/{task.id}"))


@pytest.mark.parametrize("inner", INNER)
def test_a_task_runs_on_the_node_in_the_same_sandbox(slurmed: Make, cluster: Cluster, inner: str) -> None:
    executor = slurmed(inner)
    task = executor.task("report['uid'] = os.getuid(); open('/out/files/a.csv', 'w').write('x\\n1\\n')")
    outcome = executor.run(task)
    assert (outcome.end, outcome.exit_code) == (End.SUCCEEDED, 0)
    assert (outcome.files / "a.csv").read_text() == "x\n1\n"
    assert outcome.report["uid"] > 1 << 30
    assert outcome.isolation["kernel"] == {"observed": True}
    assert outcome.isolation["probe"]["attempts"] == outcome.isolation["probe"]["refused"] > 40
    assert executor.run(task) == executor.ended(task.id) == outcome
    assert executor.guarantees().executor == f"slurm/{inner}"
    assert executor.guarantees().grades["limits"] == "enforced"
    assert executor.known() == [task.id]
    executor.discard(task.id)
    assert executor.known() == []
    until(lambda: nothing_left(cluster, task))


def test_an_unsuccessful_end_comes_back_as_what_it_is(slurmed: Make) -> None:
    executor = slurmed()
    failed = executor.run(executor.task("raise SystemExit(7)"))
    assert (failed.end, failed.exit_code) == (End.FAILED, 7)
    late = executor.run(executor.task(LONG, seconds=1))
    assert late.end is End.TIMED_OUT
    assert late.seconds < 60


def test_a_node_that_gives_less_than_was_measured_runs_nothing(slurmed: Make, cluster: Cluster) -> None:
    executor = slurmed()
    real = executor.guarantees()
    executor._measured["runc"] = Guarantees(real.executor, "runc", {**real.grades, "kernel": "machine"})
    task = executor.task("pass")
    with refused("ISOLATION_UNAVAILABLE"):
        executor.run(task)
    assert executor.known() == []
    assert not cluster.begun(task)


@pytest.mark.parametrize("inner", INNER)
def test_stop_ends_it_within_ten_seconds(slurmed: Make, cluster: Cluster, inner: str) -> None:
    executor = slurmed(inner)
    task = executor.task(LONG)
    future = running(executor, cluster, task)
    assert executor.running() == [task.id]
    assert executor.running("sandbox.kind", "job") == [task.id]
    assert executor.running("sandbox.kind", "check") == []
    asked = time.monotonic()
    executor.stop(task.id)
    outcome = future.result(timeout=10)
    assert time.monotonic() - asked < 10
    assert outcome.end is End.STOPPED
    assert executor.running() == []
    assert nothing_left(cluster, task)


@pytest.mark.parametrize("inner", INNER)
def test_a_cancelled_job_whose_program_is_killed_leaves_nothing_running(
    slurmed: Make, cluster: Cluster, inner: str
) -> None:
    """Slurm ends the processes of the job; a container is none of them. The epilog reaps it."""
    executor = slurmed(inner)
    task = executor.task(LONG)
    future = running(executor, cluster, task)
    [program] = [int(path.name.split("-")[2]) for path in cluster.node_root.iterdir()]
    os.kill(program, signal.SIGKILL)  # as Slurm does when ``KillWait`` is over
    cluster.say("scancel", f"--name={executor._name(_run(executor, task))}")
    assert future.result(timeout=30).end is End.LOST
    until(lambda: nothing_left(cluster, task))
    assert executor.run(task).end is End.LOST


def _run(executor: SlurmProber, task: Task) -> Run:
    run = Run.of(executor._home(task.id))
    assert run is not None
    return run


def test_a_job_that_waits_can_be_stopped_and_never_begins(slurmed: Make, cluster: Cluster) -> None:
    executor = slurmed()
    executor.guarantees()
    cluster.say("scontrol", "update", "NodeName=sandbox", "State=DRAIN", "Reason=test")
    try:
        task = executor.task("report['ran'] = True")
        future = in_background(executor, task)
        until(executor.running)
        assert executor.running() == [task.id]
        executor.stop(task.id)
        outcome = future.result(timeout=10)
    finally:
        cluster.say("scontrol", "update", "NodeName=sandbox", "State=RESUME")
    assert (outcome.end, outcome.report) == (End.STOPPED, {})
    assert not cluster.begun(task)


def test_two_jobs_for_one_ticket_run_it_once(slurmed: Make, cluster: Cluster) -> None:
    """A worker was killed after it had submitted, and the next one submitted again."""
    executor = slurmed()
    task = executor.task("report['ran'] = True; time.sleep(1)")
    run = executor._lay_out(task, executor._home(task.id))
    words = executor.settings.program("run", str(executor.root), task.id, run.ticket)
    jobs = {slurm_calls.submit(executor.settings, executor._name(run), task.limits, words) for _ in range(2)}
    assert len(jobs) == 2
    outcome = executor.run(task)
    assert outcome.report == {"ran": True}
    job = run.notes.noted("job")
    assert job is not None
    assert job["slurm"] in jobs  # found by name, not submitted a third time
    until(lambda: executor._state(run) not in slurm_calls.LIVE)
    ended = json.loads((run.path / "end.json").read_text())
    assert executor.run(task) == outcome
    assert json.loads((run.path / "end.json").read_text()) == ended


def test_a_node_that_dies_loses_the_task_and_gives_no_second_result(slurmed: Make, cluster: Cluster) -> None:
    """slurmd is killed; the container and its program run on, on a node that the cluster gives up."""
    executor = slurmed()
    task = executor.task(LONG)
    future = running(executor, cluster, task)
    os.kill(cluster.pid("slurmd"), signal.SIGKILL)
    outcome = future.result(timeout=60)
    assert (outcome.end, outcome.report, list(outcome.files.iterdir())) == (End.LOST, {}, [])
    until(lambda: nothing_left(cluster, task))  # its program sees that it counts no more
    assert executor.run(task) == outcome
    executor.discard(task.id)
    cluster.script("start")
    until(cluster.idle)
    again = executor.run(executor.task("report['again'] = True"))
    assert again.report == {"again": True}


def test_without_slurm_it_is_said(slurmed: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    executor = slurmed()
    executor._measured.clear()
    task = executor.task("pass")
    monkeypatch.setenv("PATH", str(tmp_path))
    with refused("SCHEDULER_UNREACHABLE"):
        executor.run(task)
    for name in slurm_calls.COMMANDS:
        (tmp_path / name).write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    with refused("SCHEDULER_UNREACHABLE"):
        executor.run(task)
    assert executor.known() == []
