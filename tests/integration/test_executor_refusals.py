"""The isolation of a container as its owner sees it, and what is refused rather than run without it."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox.core.errors import Invalid, Unavailable
from sandbox.executor import docker as docker_executor
from sandbox.executor import kernel, mounts, profile
from sandbox.executor.contract import End, Input, Limits, Task, TaskKind
from sandbox.executor.docker import DockerExecutor
from sandbox.executor.folders import TaskFolder
from tests.plugins.engine import SLEEP, ProbeExecutor, containers, in_background


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
    slot = config["Labels"]["sandbox.slot"]
    uid = profile.uid_of(slot)
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
    made_at = prober.root / ".slots" / slot  # since then renamed to the task's folder
    assert sorted((m["Source"], m["Destination"], m["RW"], m["Propagation"]) for m in report["Mounts"]) == [
        *[(str(path), str(path), False, "rprivate") for path in (profile.HUGE_PAGE,) if path.is_file()],
        (str(made_at / "in"), "/in", False, "rslave"),
        (str(made_at / "out"), "/out", True, "rprivate"),
    ]
    assert not [m for m in report["Mounts"] if "docker.sock" in m["Source"]]
    assert set(config["Labels"]) == {"sandbox.slot", "sandbox.space"}
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
    monkeypatch.setattr(prober.slots, "entry", ("/no/such/program",))
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
    for name in ("nothing", "no-such", "../x", "job:latest"):
        with pytest.raises(Invalid) as caught:
            executor.image(name)
        assert caught.value.code == "IMAGE_UNKNOWN"
    task = Task("unknown-image", TaskKind.JOB, f"sha256:{'0' * 64}", {})
    with pytest.raises(Invalid) as caught:
        executor.run(task)
    assert caught.value.code == "IMAGE_UNTRUSTED"
    assert executor.known() == []
    assert {image["Id"] for image in engine_api.images(all=True)} == before


def test_an_engine_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    executor = DockerExecutor(tmp_path / "tasks", engine=f"unix://{tmp_path}/none.sock")
    for call in (
        lambda: executor.image("sql"),
        lambda: executor.running(),
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

    def sometimes(api: docker.APIClient, folder: TaskFolder) -> dict[str, Any] | None:
        calls.append(folder)
        if len(calls) in (1, 2):  # the first two looks of the wait
            raise docker_executor.requests.ConnectionError
        return true(api, folder)

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
                DockerExecutor(tmp_path, engine=f"unix://{tmp_path}/mute.sock").image("sql")
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
    """Each image answers in closed vocabulary through ``python3 -m sandbox.task``."""
    for image in ("sql", "python", "check"):
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
