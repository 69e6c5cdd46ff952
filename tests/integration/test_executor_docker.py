"""The executor's promises, on the real engine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox.core.errors import Invalid, Unavailable
from sandbox.executor import docker as docker_executor
from sandbox.executor import kernel, mounts, profile
from sandbox.executor.contract import End, Input, Limits, Outcome, Task, TaskKind
from sandbox.executor.docker import DockerExecutor
from tests.plugins.engine import PROBE_ENTRY, ProbeExecutor

Run = Callable[..., Outcome]

SLEEP = "open('/out/files/begun', 'w').close(); time.sleep({seconds}); report['slept'] = True"


def until(holds: Callable[[], Any], seconds: float = 15) -> Any:
    """Wait until ``holds`` gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if got := holds():
            return got
        time.sleep(0.05)
    raise AssertionError("did not happen in time")


def begun(executor: DockerExecutor, task: Task) -> bool:
    """Whether the user's code of ``task`` (``SLEEP``) runs."""
    return (executor.root / task.id / "out/files/begun").exists()


def containers(api: docker.APIClient, executor: DockerExecutor) -> list[dict[str, Any]]:
    """Every container of the executor's root, running or not."""
    found: list[dict[str, Any]] = api.containers(
        all=True, filters={"label": f"sandbox.space={executor.space}"}
    )
    return found


def in_background(executor: DockerExecutor, task: Task) -> Future[Outcome]:
    """``run`` in a thread, returned when the code in the container has begun."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(executor.run, task)
    pool.shutdown(wait=False)
    until(lambda: future.done() or begun(executor, task))
    return future


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
        "inputs": ["one.txt", "rows", "task.json"],
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
    assert outcome.seconds < 3


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
    assert prober.run(task).report == {"inputs": ["task.json"]}


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
        patch.setattr(ProbeExecutor, "_start", crash)
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
        assert list(prober.root.rglob("*")) == [prober.root / ".locks"]
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


@pytest.mark.requirement("R-111")
def test_every_listed_property_of_the_container_holds(
    prober: ProbeExecutor, engine_api: docker.APIClient, tmp_path: Path
) -> None:
    """Written out here, not read from the profile: a row lost there must be missed here."""
    (tmp_path / "data").mkdir()
    task = prober.task(
        SLEEP.format(seconds=600),
        Input("data", tmp_path / "data"),
        memory_bytes=128 << 20,
        cpus=0.5,
        pids=50,
        labels={"sandbox.agreement": "ag-1"},
    )
    future = in_background(prober, task)
    [container] = containers(engine_api, prober)
    report = engine_api.inspect_container(container["Id"])
    prober.stop(task.id)
    host, config = report["HostConfig"], report["Config"]
    uid = profile.uid_of(task.id)
    assert report["Image"] == task.image
    assert list(report["NetworkSettings"]["Networks"]) == ["none"]
    assert host["NetworkMode"] == "none"
    assert config["User"] == f"{uid}:{uid}"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["Privileged"] is False
    assert "no-new-privileges:true" in host["SecurityOpt"]
    [seccomp] = [json.loads(o[8:]) for o in host["SecurityOpt"] if o.startswith("seccomp=")]
    assert seccomp["defaultAction"] == "SCMP_ACT_ERRNO"
    assert host["Memory"] == host["MemorySwap"] == 128 << 20
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 50
    assert {limit["Name"] for limit in host["Ulimits"]} == {"core", "cpu", "fsize", "memlock", "nofile"}
    assert host["IpcMode"] == "none"
    assert host["CgroupnsMode"] == "private"
    assert host["PidMode"] == host["UTSMode"] == ""
    assert host["LogConfig"]["Type"] == "none"
    assert not report["LogPath"]
    assert not host["Devices"]
    assert not host["Binds"]
    task_folder = prober.root / task.id
    assert sorted((m["Source"], m["Destination"], m["RW"]) for m in report["Mounts"]) == [
        (str(task_folder / "in"), "/in", False),
        (str(task_folder / "out"), "/out", True),
    ]
    assert not [m for m in report["Mounts"] if "docker.sock" in m["Source"]]
    assert config["Labels"]["sandbox.task"] == task.id
    assert config["Labels"]["sandbox.agreement"] == "ag-1"
    assert float(config["Labels"]["sandbox.seconds"]) == task.limits.seconds
    outcome = future.result(timeout=10)
    assert outcome.isolation["kernel"] == {"observed": True}
    assert len(outcome.config_sha256) == 64


def refused(prober: ProbeExecutor, task: Task) -> str:
    """Run ``task``, which must be refused and leave nothing; what is missing."""
    with pytest.raises(Unavailable) as caught:
        prober.run(task)
    assert caught.value.code == "ISOLATION_UNAVAILABLE"
    assert prober.known() == []
    assert mounts.mounted_below(prober.root) == []
    return str(caught.value.details["missing"])


@pytest.mark.parametrize(
    ("key", "missing"),
    [("PidsLimit", "pids"), ("CapDrop", "no_capabilities"), ("ReadonlyRootfs", "read_only_root")],
)
def test_a_container_that_is_not_what_was_asked_is_refused(
    prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch, key: str, missing: str
) -> None:
    """As if the engine had dropped a setting without a word."""
    true = profile.configuration

    def dropped(*arguments: Any) -> dict[str, Any]:
        body = true(*arguments)
        del body["HostConfig"][key]
        return body

    monkeypatch.setattr(profile, "configuration", dropped)
    assert refused(prober, prober.task("pass")) == missing


def test_isolation_that_the_kernel_does_not_confirm_is_refused(
    prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = kernel._expected
    monkeypatch.setattr(kernel, "_expected", lambda *a: {**true(*a), "pids": "1", "capabilities": 1})
    task = prober.task(SLEEP.format(seconds=600))
    assert refused(prober, task) == "kernel: capabilities, kernel: pids"


def test_an_engine_that_cannot_create_or_start_is_refused(
    prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = profile.rows

    def with_row(row: profile.Row) -> None:
        def rows(*a: Any) -> tuple[profile.Row, ...]:
            return (*(kept for kept in true(*a) if kept.path != row.path), row)

        monkeypatch.setattr(profile, "rows", rows)

    with_row(profile.Row("runtime", "HostConfig.Runtime", "no-such-runtime"))
    assert refused(prober, prober.task("pass")) == "create"
    with_row(profile.Row("oom_first", "HostConfig.OomScoreAdj", 500))
    monkeypatch.setattr(prober, "entry", ("/no/such/program",))
    assert refused(prober, prober.task("pass")) == "start"


def test_a_machine_that_may_not_mount_is_refused(
    prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(mounts, "tmpfs", denied)
    assert refused(prober, prober.task("pass")) == "mount"


def test_images_are_known_by_digest_only_and_never_pulled(
    executor: DockerExecutor, engine_api: docker.APIClient
) -> None:
    before = {image["Id"] for image in engine_api.images(all=True)}
    for name in ("python", "no-such", "../x", "job:latest"):
        with pytest.raises(Invalid) as caught:
            executor.image(name)
        assert caught.value.code == "IMAGE_UNKNOWN"
    task = Task("unknown-image", TaskKind.JOB, f"sha256:{'0' * 64}", {})
    with pytest.raises(Invalid) as caught:
        executor.run(task)
    assert caught.value.code == "IMAGE_UNKNOWN"
    assert executor.known() == []
    assert {image["Id"] for image in engine_api.images(all=True)} == before


def test_an_engine_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    executor = DockerExecutor(tmp_path / "tasks", engine=f"unix://{tmp_path}/none.sock")
    for call in (
        lambda: executor.image("job"),
        lambda: executor.running(),
        lambda: executor.known(),
        lambda: executor.run(Task("any-task", TaskKind.JOB, f"sha256:{'0' * 64}", {})),
    ):
        with pytest.raises(Unavailable) as caught:
            call()
        assert caught.value.code == "ENGINE_UNREACHABLE"


def test_an_engine_that_is_away_for_a_moment_is_waited_for(
    prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = prober.task(SLEEP.format(seconds=2))
    true, calls = prober._report, []

    def sometimes(api: docker.APIClient, task_id: str) -> dict[str, Any] | None:
        calls.append(task_id)
        if len(calls) in (2, 3):  # the first two looks of the wait
            raise docker_executor.requests.ConnectionError
        return true(api, task_id)

    monkeypatch.setattr(prober, "_report", sometimes)
    assert prober.run(task).end is End.SUCCEEDED
    assert len(calls) >= 4


def test_the_clock_does_not_wait_for_an_engine_that_is_away(
    prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch, engine_api: docker.APIClient
) -> None:
    task = prober.task(SLEEP.format(seconds=600), seconds=2)
    monkeypatch.setattr(docker_executor, "AWAY_SECONDS", 4.0)
    future = in_background(prober, task)
    [container] = containers(engine_api, prober)

    def away(*_: object, **__: object) -> None:
        raise docker_executor.requests.ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(docker_executor.docker.APIClient, "wait", away)
        patch.setattr(prober, "_report", away)
        with pytest.raises(Unavailable) as caught:
            future.result(timeout=20)
    assert caught.value.code == "ENGINE_UNREACHABLE"
    assert kernel.processes(container["Id"]) == set()
    assert prober.run(task).end is End.TIMED_OUT


def test_an_engine_that_answers_but_does_not_speak_is_said_so(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute.sock"))
        mute.listen()

        def hang_up() -> None:
            for _ in range(2):
                mute.accept()[0].close()

        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(hang_up)
            with pytest.raises(Unavailable) as caught:
                DockerExecutor(tmp_path, engine=f"unix://{tmp_path}/mute.sock").image("job")
            done.result(timeout=10)
    assert caught.value.code == "ENGINE_UNREACHABLE"


def test_ids_that_are_none_are_refused(executor: DockerExecutor) -> None:
    for call in (executor.stop, executor.discard):
        with pytest.raises(Invalid) as caught:
            call("../elsewhere")
        assert caught.value.code == "TASK_INVALID"


def test_a_task_that_cannot_be_killed_is_said_so(
    prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = prober.task(SLEEP.format(seconds=600))
    future = in_background(prober, task)
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "kill_all", lambda *_: False)
        with pytest.raises(Unavailable) as caught:
            prober.stop(task.id)
        assert caught.value.details == {"missing": "kill"}
        with pytest.raises(Unavailable):  # the waiter must not collect beside a process that may live
            future.result(timeout=20)
    assert prober.run(task).end is End.STOPPED


def test_mounts_that_stay_keep_the_folder(prober: ProbeExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    task = prober.task("pass")
    prober.run(task)

    def busy(_: Path) -> None:
        raise OSError(16, "Device or resource busy")

    with monkeypatch.context() as patch:
        patch.setattr(mounts, "unmount_below", busy)
        with pytest.raises(Unavailable) as caught:
            prober.discard(task.id)
    assert caught.value.details == {"missing": "umount"}
    assert prober.known() == [task.id]


def test_the_real_entry_runs_a_statement(executor: DockerExecutor, tmp_path: Path) -> None:
    """Both images answer in closed vocabulary through ``python3 -m sandbox.task``."""
    for image in ("job", "check"):
        task = Task(
            f"entry-{image}",
            TaskKind.JOB,
            executor.image(image),
            {"language": "none"},
            limits=Limits(seconds=60, memory_bytes=512 << 20),
        )
        outcome = executor.run(task)
        assert outcome.end is End.SUCCEEDED
        assert outcome.report["ok"] is False
        assert outcome.report["code"] == "TASK_MALFORMED"
