"""Recipes of a space that draw tokens: one vault a workspace, one job at a time, nothing of it outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox.control.checking import _product_roles
from sandbox.control.door import Sight
from sandbox.control.leftovers import Leftovers
from sandbox.control.work import Work
from sandbox.core.resource import Resource
from sandbox.desensitize import task
from sandbox.desensitize.keys import SECRET, VAULT, recipient_key
from sandbox.desensitize.tokens import TokenVault
from sandbox.executor.contract import TaskKind
from sandbox.executor.stub import StubExecutor
from sandbox.operation.tokens import draws, free, left_by, vault_of
from tests.plugins.space import Scene

PEOPLE = [f"person{number:03d}x" for number in range(40)]
TABLE = {"name": "residents", "entry": "ce-a", "columns": ["person_id", "district", "income"]}
RECIPE = {
    "name": "primary",
    "version": "1",
    "steps": [{"column": "person_id", "transform": "token", "params": {"domain": "person"}}],
    "keep": ["district", "income"],
}


def view_room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """The granted view: the same persons every time."""
    frame = pl.DataFrame({"person_id": PEOPLE, "district": ["A"] * 40, "income": list(range(40))})
    frame.write_parquet(out / "residents.parquet")
    return {"ok": True}


class Bench:
    """A granted scene whose recipes really run."""

    def __init__(self, scene: Scene, root: Path) -> None:
        self.scene = scene
        self.executor = StubExecutor(root, {TaskKind.VIEW: view_room, TaskKind.RECIPE: task.run})
        self.work = Work(scene.control, self.executor, scene.space.places, scene.space.gate)
        scene.space.places.blobs("ag-a", "sc-a", "raw").take(iter([b"snapshotraw"]))

    def submit(self, id: str, **over: Any) -> None:
        spec = self.scene.recipe_spec(recipe=RECIPE, inputs=[TABLE], **over)
        self.scene.create("operator", "job", spec, id)

    def run(self, id: str) -> Resource:
        while self.work.step(f"job/{id}"):
            pass
        return self.scene.get("job", id)

    def blobs(self, place: str) -> Any:
        return self.scene.space.places.blobs("ag-a", "sc-a", place)

    def key(self) -> bytes:
        secret = bytes.fromhex(self.scene.space.places.key("ag-a", "sc-a", SECRET))
        return recipient_key(secret, "sc-a", "dev", VAULT)

    def tokens(self, job: Resource) -> list[str]:
        product = self.scene.get("product", job.status["keep"]["product"])
        path = self.blobs("primary").path(product.spec["artefact_sha256"])
        return pl.read_parquet(path)["person_id"].to_list()


@pytest.fixture
def bench(granted: Scene, tmp_path: Path) -> Bench:
    return Bench(granted, tmp_path / "tasks")


def test_the_second_job_gives_the_same_persons_the_same_tokens(bench: Bench) -> None:
    bench.submit("job-1")
    first = bench.run("job-1")
    assert first.state == "kept", first.status
    bench.submit("job-2")
    second = bench.run("job-2")
    tokens = bench.tokens(first)
    assert len(set(tokens)) == 40
    assert not set(tokens) & set(PEOPLE)
    assert bench.tokens(second) == tokens
    with bench.scene.store.read() as reader:
        assert vault_of(Sight(reader), "sc-a") == left_by(second)
        assert vault_of(Sight(reader), "sc-none") == ""
    path = bench.blobs("tokens").path(left_by(second))
    assert TokenVault.load(path, bench.key()).reidentify("person", tokens) == PEOPLE
    product = bench.scene.get("product", second.status["keep"]["product"])
    assert _product_roles(bench.work.means, product)["reversible"] == ["person_id"]
    assert b"person001x" not in path.read_bytes()
    assert tokens[0].encode() not in path.read_bytes()


def test_a_job_that_draws_waits_for_the_one_before_and_is_called_when_that_is_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.submit("job-1")
    bench.submit("job-2")
    assert bench.work.step("job/job-1")
    assert bench.scene.state("job", "job-1") == "provisioning"
    assert not bench.work.step("job/job-2")
    assert bench.scene.state("job", "job-2") == "queued"
    called: list[str] = []
    monkeypatch.setattr(bench.scene.control, "wake", lambda one: called.append(one.ref))
    assert bench.run("job-1").state == "kept"
    assert "job/job-2" in called
    assert bench.run("job-2").state == "kept"


def test_jobs_of_other_scenarios_and_without_tokens_wait_for_nobody() -> None:
    def job(id: str, scenario: str, spec: dict[str, Any]) -> Resource:
        return Resource("job", id, "opco", "queued", spec, labels={"scenario": scenario})

    drawing: dict[str, Any] = {"recipe": RECIPE}
    plain: dict[str, Any] = {"recipe": {"steps": []}}
    code: dict[str, Any] = {"recipe": None}
    waiting = [job("a", "sc-a", drawing), job("b", "sc-b", drawing), job("c", "sc-a", plain)]
    waiting.append(job("d", "sc-a", code))
    assert [one.id for one in free(waiting, [job("x", "sc-a", drawing)])] == ["b", "c", "d"]
    assert [one.id for one in free(waiting, [job("x", "sc-a", plain)])] == ["a", "b", "c", "d"]
    assert [draws(one) for one in waiting] == [True, True, False, False]


def test_a_room_that_leaves_no_vault_makes_no_product(bench: Bench) -> None:
    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        told = task.run(params, inputs, out)
        (out / "tokens.vault").unlink()
        return told

    bench.executor.rooms[TaskKind.RECIPE] = room
    bench.submit("job-1")
    done = bench.run("job-1")
    assert (done.state, done.status["outcome"]["error"]["class"]) == ("failed", "REPORT_UNREADABLE")


def test_the_vault_stays_with_its_row_and_nobody_outside_is_told_of_it(bench: Bench) -> None:
    bench.submit("job-1")
    kept = left_by(bench.run("job-1"))
    loose, _ = bench.blobs("tokens").take(iter([b"of a job that never came to its end"]))
    assert Leftovers(bench.scene.store, bench.scene.space.places).sweep() == [f"tokens/{loose}"]
    assert bench.blobs("tokens").names() == [kept]
    for who in ("operator", "developer"):
        for one in bench.scene.control.find(bench.scene.who(who), "job"):
            assert kept not in str(one)
    bench.scene.space.places.destroy("ag-a")
    assert not bench.blobs("tokens").names()
