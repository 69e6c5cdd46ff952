"""The steps of a job that asks: one draw, one seal, and the same bytes for whoever asks again."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.control.steps import dp_answer
from sandbox.control.work import Work
from sandbox.core.errors import SandboxError, fail
from sandbox.core.resource import Resource
from sandbox.executor.contract import Task, TaskKind
from sandbox.executor.stub import Room, StubExecutor
from tests.plugins.questions import books, query, question, spent
from tests.plugins.space import Scene


def view_room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    for view in params["views"]:
        (out / f"{view['name']}.parquet").write_bytes((inputs / view["source"]).read_bytes())
    return {"ok": True}


def check_room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    raise fail("EGRESS_PARAMS", why="played")


class Bench:
    """A scene whose steps run on a stub; every draw of the room ``dp`` is another number."""

    def __init__(self, scene: Scene, root: Path) -> None:
        self.scene, self.number = scene, itertools.count(100)
        self.rooms: dict[TaskKind, Room] = {
            TaskKind.VIEW: view_room,
            TaskKind.DP: self.draw,
            TaskKind.CHECK: check_room,
        }
        self.executor = StubExecutor(root, self.rooms)
        self.work = Work(scene.control, self.executor, scene.space.places, scene.space.gate)
        self.blobs("raw").take(iter([b"snapshotraw"]))
        self.blobs("primary").take(iter([b"primary"]))

    def draw(self, params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        assert (inputs / "data").read_bytes() == b"primary"
        (out / params["output"]).write_text(f"district,people\nA,{next(self.number)}\n", encoding="utf-8")
        return {"ok": True, "output": params["output"], "rows": 1}

    def blobs(self, place: str) -> Any:
        return self.scene.space.places.blobs("ag-a", "sc-a", place)

    def submit(self, id: str, **over: Any) -> str:
        self.scene.create("developer", "job", question(self.scene, **over), id)
        return f"job/{id}"

    def run(self, ref: str, times: int = 20) -> Resource:
        """So many steps, or until there is none."""
        for _ in range(times):
            if not self.work.step(ref):
                break
        return self.scene.get(*ref.split("/"))

    def asked(self) -> list[Task]:
        return [task for task in self.executor.tasks if task.kind is TaskKind.DP]

    def answer(self, job: str) -> bytes:
        (output,) = self.scene.get("job", job).status["outputs"]
        assert output["place"] == "sealed"
        content: bytes = self.blobs("sealed").path(output["sha256"]).read_bytes()
        return content


@pytest.fixture
def bench(granted: Scene, tmp_path: Path) -> Bench:
    return Bench(granted, tmp_path / "tasks")


def test_a_question_is_charged_before_its_room_is_asked(bench: Bench) -> None:
    seen: list[dict[str, int]] = []

    def draw(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        seen.append(spent(bench.scene))
        return bench.draw(params, inputs, out)

    bench.executor.rooms[TaskKind.DP] = draw
    job = bench.run(bench.submit("job-q"))
    assert job.state == "quarantined"
    assert seen == [spent(bench.scene)]
    assert min(seen[0].values()) > 0
    (task,) = bench.asked()
    assert task.params["entity"] == "person_id"  # of the catalogue: the specification cannot name it
    assert task.params["query"] == query()
    assert [given.name for given in task.inputs] == ["data"]


def test_whoever_asks_again_is_given_the_same_bytes_without_a_draw(bench: Bench) -> None:
    first = bench.run(bench.submit("job-1"))
    before = spent(bench.scene)
    second = bench.run(bench.submit("job-2"))
    assert (first.state, second.state) == ("quarantined", "quarantined")
    assert bench.answer("job-1") == bench.answer("job-2")
    assert len(bench.asked()) == 1
    assert spent(bench.scene) == before
    outcomes = [bench.scene.get("job", id).status["outcome"] for id in ("job-1", "job-2")]
    assert outcomes[0]["config_sha256"] == outcomes[1]["config_sha256"]


def test_the_answer_outlives_the_job_that_drew_it(bench: Bench) -> None:
    bench.run(bench.submit("job-1"))
    content = bench.answer("job-1")
    bench.scene.act("system", "job", "job-1", "purge", {"cause": "lapse"})
    bench.run("job/job-1")
    assert bench.work.leftovers.sweep() == []
    bench.run(bench.submit("job-2"))
    assert bench.answer("job-2") == content


def test_a_draw_that_fell_down_before_the_seal_is_spent_and_the_next_is_charged(bench: Bench) -> None:
    """That it fell down may have followed from the noise: a second draw on its charge would be a free one."""

    def lost(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        raise fail("DP_SOURCE")

    bench.executor.rooms[TaskKind.DP] = lost
    failed = bench.run(bench.submit("job-1"))
    assert (failed.state, failed.status["outcome"]["error"]["class"]) == ("failed", "DP_SOURCE")
    before = spent(bench.scene)
    bench.executor.rooms[TaskKind.DP] = bench.draw
    assert bench.run(bench.submit("job-2")).state == "quarantined"
    assert spent(bench.scene) == {level: 2 * cost for level, cost in before.items()}
    assert books(bench.scene)["use"].status["budget"]["charges"] == 2
    first, second = (bench.scene.get("job", id).status["dp"] for id in ("job-1", "job-2"))
    assert first["asked_sha256"] == second["asked_sha256"]
    releases = [bench.scene.get("dp-release", one["release"]) for one in (first, second)]
    assert [(one.state, one.spec["draw"]) for one in releases] == [("lost", 0), ("sealed", 1)]
    assert bench.run(bench.submit("job-3")).status["dp"] == second
    assert len(bench.asked()) == 2


def test_draws_whose_files_do_not_fit_cost_a_charge_each(bench: Bench) -> None:
    """A quota that cut by the digits of the noise let one ask until they were few, on one charge."""

    def cut(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        told = bench.draw(params, inputs, out)
        file = out / params["output"]
        if "103" not in file.read_text():  # collected are only files within the quota
            file.unlink()
        return told

    bench.executor.rooms[TaskKind.DP] = cut
    ends = [bench.run(bench.submit(f"job-{number}")).state for number in range(4)]
    assert ends == ["failed", "failed", "failed", "quarantined"]
    assert books(bench.scene)["use"].status["budget"]["charges"] == len(bench.asked()) == 4


def test_a_draw_that_is_lost_takes_those_that_share_its_charge_with_it(bench: Bench) -> None:
    """Otherwise the first to fail would tell of its noise, and the others would answer, all on one charge."""
    for id in ("job-1", "job-2"):
        bench.run(bench.submit(id), times=3)  # both have drawn, none is sealed
    bench.scene.act("system", "job", "job-1", "fail", bench.scene.ran("failed"))
    shared = bench.run("job/job-2")
    assert (shared.state, shared.status["outcome"]["error"]["class"]) == ("failed", "DP_LOST")
    assert books(bench.scene)["use"].status["budget"]["charges"] == 1
    bench.run(bench.submit("job-3"))
    assert bench.answer("job-3") == b"district,people\nA,102\n"
    assert books(bench.scene)["use"].status["budget"]["charges"] == 2


def test_what_becomes_of_a_second_draw_does_not_show_once_the_first_is_sealed(bench: Bench) -> None:
    """A job that shared the charge and failed meanwhile is given the sealed answer as any other."""
    bench.run(bench.submit("job-1"), times=3)
    bench.run(bench.submit("job-2"), times=2)  # about to draw

    def meanwhile(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        bench.run("job/job-1")
        raise fail("DP_SOURCE")

    bench.executor.rooms[TaskKind.DP] = meanwhile
    assert bench.run("job/job-2").state == "quarantined"
    assert bench.answer("job-1") == bench.answer("job-2") == b"district,people\nA,100\n"


@pytest.mark.parametrize(("steps", "state", "charges"), [(1, "charged", 1), (2, "lost", 2)])
@pytest.mark.parametrize("event", ["cancel", "kill"])
def test_a_question_is_given_up_for_free_until_its_draw_may_have_begun(
    bench: Bench, event: str, steps: int, state: str, charges: int
) -> None:
    bench.run(bench.submit("job-1"), times=steps)
    if event == "cancel":
        bench.scene.act("developer", "job", "job-1", "cancel")
    else:
        bench.scene.act("reviewer", "job", "job-1", "kill", {"cause": "order"})
    release = bench.scene.get("job", "job-1").status["dp"]["release"]
    assert bench.scene.get("dp-release", release).state == state
    bench.run(bench.submit("job-2"))
    assert books(bench.scene)["use"].status["budget"]["charges"] == charges


def test_of_two_draws_for_one_question_the_first_sealed_is_the_answer(bench: Bench) -> None:
    for id in ("job-1", "job-2"):
        bench.run(bench.submit(id), times=3)  # both have drawn, none is sealed
        assert bench.scene.state("job", id) == "succeeded"
    assert len(bench.asked()) == 2
    bench.run("job/job-2")
    bench.run("job/job-1")
    assert bench.answer("job-1") == bench.answer("job-2") == b"district,people\nA,101\n"
    assert books(bench.scene)["use"].status["budget"]["charges"] == 1


def test_a_seal_that_is_overtaken_gives_way(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other job seals between our look and our seal: ours is dropped."""
    bench.run(bench.submit("job-1"), times=3)
    bench.run(bench.submit("job-2"), times=3)
    seal = dp_answer.seal

    def overtaken(means: Any, job: Resource, *rest: Any) -> bool:
        if job.id == "job-1" and bench.scene.state("job", "job-2") == "succeeded":
            bench.run("job/job-2")
        return seal(means, job, *rest)

    monkeypatch.setattr(dp_answer, "seal", overtaken)
    bench.run("job/job-1")
    assert bench.answer("job-1") == bench.answer("job-2") == b"district,people\nA,101\n"
    kept = bench.scene.get("job", "job-1").status["outputs"][0]["sha256"]
    (dropped,) = set(bench.blobs("sealed").names()) - {kept}
    assert bench.work.leftovers.sweep() == [f"sealed/{dropped}"]


def test_a_crash_between_seal_and_stage_stages_what_was_sealed(bench: Bench) -> None:
    bench.run(bench.submit("job-1"), times=4)  # sealed, not staged
    assert bench.scene.state("job", "job-1") == "succeeded"
    for task in bench.executor.known():
        bench.executor.discard(task)
    bench.executor.rooms[TaskKind.DP] = check_room  # a second draw would fail
    bench.run("job/job-1")
    assert bench.answer("job-1") == b"district,people\nA,100\n"


def test_rows_amended_after_the_charge_are_not_answered(bench: Bench) -> None:
    """The grant's rows changed while the job ran: the answer would be that of another question."""
    scene = bench.scene
    scene.overlay(raw__developer_use="allowed")
    columns = ["person_id", "district", "income"]
    inputs = [{"name": "residents", "entry": "ce-a", "columns": columns}]
    ref = bench.submit("job-1", inputs=inputs)
    bench.run(ref, times=2)
    assert scene.state("job", "job-1") == "running"
    item = {"entry": "ce-a", "columns": columns, "rows": [{"column": "district", "op": "=", "value": "A"}]}
    scene.act("developer", "scenario", "sc-a", "amend", {"list": [item]})
    for who in ("chief", "editor"):
        scene.act(who, "scenario", "sc-a", "assess", scene.answers())
    scene.act("chief", "scenario", "sc-a", "approve_amendment")
    job = bench.run(ref)
    assert (job.state, job.status["outcome"]["error"]["class"]) == ("failed", "DP_VIEW_CHANGED")
    assert bench.asked() == []
    assert min(spent(scene).values()) > 0  # the charge stays


def test_a_room_that_writes_nothing_ends_the_job(bench: Bench) -> None:
    bench.executor.rooms[TaskKind.DP] = lambda params, inputs, out: {"ok": True}
    job = bench.run(bench.submit("job-1"))
    assert (job.state, job.status["outcome"]["error"]["class"]) == ("failed", "MISSING_OUTPUT")


def test_a_budget_that_is_spent_meanwhile_denies_the_job_and_says_so(bench: Bench) -> None:
    refs = [
        bench.submit(f"job-{number}", query=query(nano_rho=10_000_000, rows_per_entity=number))
        for number in (1, 2)
    ]
    assert bench.run(refs[0]).state == "quarantined"
    denied = bench.run(refs[1])
    assert (denied.state, denied.status["deny"]["code"]) == ("denied", "BUDGET")
    seen = bench.scene.control.get(bench.scene.who("developer"), "job", "job-2")
    assert seen.status["deny"]["details"]["scope"] == "use"
    assert seen.status["deny"]["details"]["left_nano_rho"] > 0


def test_the_checker_is_told_of_the_charge_for_the_very_file(bench: Bench) -> None:
    scene = bench.scene
    bench.run(bench.submit("job-1"))
    scene.create("developer", "egress-request", scene.request_spec(job="job-1"), "eg-a")
    bench.run("egress-request/eg-a")
    task = next(task for task in bench.executor.tasks if task.kind is TaskKind.CHECK)
    (output,) = scene.get("job", "job-1").status["outputs"]
    (paid,) = task.params["dp"]
    release = scene.get("dp-release", paid["release"])
    assert (paid["path"], paid["sha256"]) == ("out.csv", output["sha256"])
    assert paid["nano_rho"] == release.spec["nano_rho"]
    assert paid["noise"].keys() == {"people"}
    json.dumps(task.params)


def test_a_job_that_asks_nothing_has_no_charge_to_tell_of(bench: Bench) -> None:
    scene = bench.scene
    scene.job()
    scene.create("developer", "egress-request", scene.request_spec(), "eg-a")
    bench.run("egress-request/eg-a")
    (task,) = [task for task in bench.executor.tasks if task.kind is TaskKind.CHECK]
    assert task.params["dp"] == []


def test_a_sealed_answer_that_is_damaged_is_not_given(bench: Bench) -> None:
    bench.run(bench.submit("job-1"))
    (output,) = bench.scene.get("job", "job-1").status["outputs"]
    path = bench.blobs("sealed").path(output["sha256"])
    path.chmod(0o644)
    path.write_bytes(b"district,people\nA,0\n")
    again = bench.run(bench.submit("job-2"))
    assert (again.state, again.status["outcome"]["error"]["class"]) == ("failed", "BLOB_DAMAGED")
    with pytest.raises(SandboxError, match="BLOB_DAMAGED"):
        bench.blobs("sealed").verified(output["sha256"])
