"""Tokens are led back for one person, on record, by the decision of another, and for nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox.control.led_back import open_answer
from sandbox.control.leftovers import Leftovers
from sandbox.control.work import Work
from sandbox.core.actor import Role
from sandbox.core.resource import Resource
from sandbox.desensitize import reidentify
from sandbox.desensitize.tokens import TokenVault
from sandbox.executor.contract import End, TaskKind
from sandbox.executor.stub import PlayedEnd, Room, StubExecutor
from sandbox.operation.tokens import domain_of
from tests.plugins.reidentify import RECIPE, STEP, TOKENS, asked, requested, tokenised, vault_key
from tests.plugins.space import Scene
from tests.refusal import refused

PEOPLE = ["110105194912310021", "110105194912310022", "110105194912310023"]


class Bench:
    """A space with two persons in a product and a third one only in the vault."""

    def __init__(self, scene: Scene, root: Path) -> None:
        self.scene = scene
        self.executor = StubExecutor(root / "tasks", {TaskKind.REIDENTIFY: reidentify.run})
        self.work = Work(scene.control, self.executor, scene.space.places, scene.space.gate)
        vault = TokenVault()
        self.tokens = vault.tokens("person", pl.Series(PEOPLE)).to_list()
        vault.save(root / "vault", vault_key(scene))
        tokenised(scene, content=(root / "vault").read_bytes())
        product = pl.DataFrame({"person_id": self.tokens[:2], "district": ["A", "B"], "income": [1, 2]})
        product.write_parquet(root / "product")
        self.product = root / "product"

    def plant(self) -> None:
        """The product's bytes where its row says that they lie."""
        sha256 = self.scene.get("product", "pr-t").spec["artefact_sha256"]
        folder = self.scene.space.places.blobs("ag-a", "sc-a", "primary")
        taken, _ = folder.take(iter([self.product.read_bytes()]))
        folder.path(taken).rename(folder.folder / sha256)

    def blobs(self, place: str) -> Any:
        return self.scene.space.places.blobs("ag-a", "sc-a", place)

    def run(self) -> Resource:
        while self.work.step("reidentification/rid-a"):
            pass
        return self.scene.get("reidentification", "rid-a")

    def read(self, who: str) -> Any:
        return json.loads(
            open_answer(self.scene.control, self.scene.space.places, self.scene.who(who), "rid-a")
        )


@pytest.fixture
def bench(granted: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(granted, tmp_path)
    places = type(granted.space.places.blobs("ag-a", "sc-a", "primary"))
    real = places.verified
    # the product's hash in the scene is a made-up one: its file is planted under that name
    monkeypatch.setattr(
        places,
        "verified",
        lambda self, sha256: self.path(sha256) if self.folder.name == "primary" else real(self, sha256),
    )
    made.plant()
    return made


def test_the_way_from_the_question_to_the_answer_and_its_end(bench: Bench) -> None:
    scene = bench.scene
    requested(scene, tokens=bench.tokens)
    assert not bench.work.step("reidentification/rid-a")  # nothing is done before somebody decides
    scene.act("reviewer", "reidentification", "rid-a", "approve", {"reason": "leak"})
    row = bench.run()
    assert row.state == "answered", row.status
    assert bench.executor.known() == []
    assert bench.blobs("answers").names() == [row.status["answer"]["sha256"]]
    before = scene.logged()
    answer = bench.read("editor")
    values = {one["token"]: one["value"] for one in answer["values"]}
    # the third stands in the vault and in another product: not in the column that was asked about
    assert values == dict(zip(bench.tokens, [*PEOPLE[:2], None], strict=True))
    assert [(e.actor, e.action, e.outcome) for e in scene.log(before)] == [("editor", "open-answer", "done")]
    scene.act("editor", "reidentification", "rid-a", "close", {"cause": "read"})
    assert bench.run().state == "closed"
    assert bench.blobs("answers").names() == []
    with refused("NO_ANSWER"):
        bench.read("editor")
    assert PEOPLE[0] not in str(scene.everything())
    assert PEOPLE[0] not in str(scene.log())


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("confirmer", "ANSWER_SEALED"),  # of the same organisation
        ("reviewer", "ANSWER_SEALED"),  # who approved it
        ("chief", "ANSWER_SEALED"),
        ("auditor", "ANSWER_SEALED"),
        ("connector", "ANSWER_SEALED"),
        ("operator", "NOT_FOUND"),
        ("developer", "NOT_FOUND"),
        ("bureau-editor", "NOT_FOUND"),
    ],
)
def test_nobody_else_reads_it(granted: Scene, who: str, code: str) -> None:
    requested(granted, until="answered")
    before = granted.logged()
    with refused(code):
        open_answer(granted.control, granted.space.places, granted.who(who), "rid-a")
    noted = [(e.actor, e.action, e.reason) for e in granted.log(before)]
    assert noted == ([(who, "open-answer", code)] if code == "ANSWER_SEALED" else [])


def test_the_person_who_asked_reads_it_as_the_provider_only(granted: Scene) -> None:
    requested(granted, until="answered")
    hat = granted.join("hat", "person-editor", "bdb", Role.REVIEWER)
    with refused("ANSWER_SEALED"):
        open_answer(granted.control, granted.space.places, hat, "rid-a")


@pytest.mark.parametrize("until", ["requested", "approved"])
def test_there_is_no_answer_before_there_is_one(granted: Scene, until: str) -> None:
    requested(granted, until=until)
    with refused("NO_ANSWER"):
        open_answer(granted.control, granted.space.places, granted.who("editor"), "rid-a")


def test_an_answer_lapses_and_may_be_taken_back(bench: Bench) -> None:
    scene = bench.scene
    requested(scene, until="answered")
    scene.clock.move(days=8)
    assert "reidentification/rid-a" in scene.control.tick()
    assert bench.run().state == "closed"
    requested(scene, "rid-b", until="answered")
    scene.act("reviewer", "reidentification", "rid-b", "revoke", {"reason": "wrong person"})
    assert scene.state("reidentification", "rid-b") == "closing"


def test_no_decision_by_lapse_of_time(granted: Scene) -> None:
    requested(granted)
    granted.clock.move(days=30)
    granted.control.tick()
    row = granted.get("reidentification", "rid-a")
    assert (row.state, row.overdue) == ("requested", True)


@pytest.mark.parametrize(("event", "who"), [("refuse", "reviewer"), ("withdraw", "editor")])
def test_what_was_not_led_back_does_not_count_against_the_year(granted: Scene, event: str, who: str) -> None:
    granted.overlay(reidentify__tokens_year=2)
    requested(granted)
    granted.act(who, "reidentification", "rid-a", event, {"reason": "no need"} if event == "refuse" else {})
    assert requested(granted, "rid-b").state == "requested"
    with refused("REIDENTIFY_BOUND"):
        requested(granted, "rid-c", tokens=[TOKENS[2]])
    granted.clock.move(days=366)
    assert requested(granted, "rid-d", tokens=[TOKENS[2]]).state == "requested"


def test_outside_the_supervising_side_no_hash_is_shown(granted: Scene) -> None:
    requested(granted, until="answered")
    seen = granted.control.get(granted.who("editor"), "reidentification", "rid-a")
    assert "answer" not in seen.status
    assert seen.status["decision"]["by"] == "reviewer"
    assert "answer" in granted.control.get(granted.who("auditor"), "reidentification", "rid-a").status


def refusing(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    return {"ok": False, "code": "RECIPE_TOKENS"}


def empty(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    return {"ok": True}


def slow(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    raise PlayedEnd(End.TIMED_OUT)


@pytest.mark.parametrize(
    ("room", "code"),
    [(refusing, "RECIPE_TOKENS"), (empty, "REPORT_UNREADABLE"), (slow, "TASK_TIMED_OUT")],
)
def test_a_task_that_gives_none_ends_it(bench: Bench, room: Room, code: str) -> None:
    bench.executor.rooms[TaskKind.REIDENTIFY] = room
    requested(bench.scene, until="approved", tokens=bench.tokens)
    row = bench.run()
    assert (row.state, row.status["fail"]["code"]) == ("failed", code)
    assert bench.blobs("answers").names() == []


def test_a_workspace_that_is_gone_answers_nothing_and_is_not_made_anew(bench: Bench) -> None:
    requested(bench.scene, until="approved")
    bench.scene.space.places.destroy("ag-a")
    row = bench.run()
    assert (row.state, row.status["fail"]["code"]) == ("failed", "BLOB_MISSING")
    assert bench.scene.space.places.scenarios() == []


def test_an_answer_that_no_row_names_is_swept(bench: Bench) -> None:
    requested(bench.scene, until="answered")
    loose, _ = bench.blobs("answers").take(iter([b"of a worker that died"]))
    gone = Leftovers(bench.scene.store, bench.scene.space.places).sweep()
    assert [one for one in gone if one.startswith("answers/")] == [f"answers/{loose}"]
    assert len(bench.blobs("answers").names()) == 1


# --- the room


def room_folder(tmp_path: Path) -> tuple[Path, Path, dict[str, Any]]:
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    out.mkdir()
    vault, key = TokenVault(), bytes(range(32))
    tokens = vault.tokens("person", pl.Series(PEOPLE)).to_list()
    vault.save(inputs / "tokens", key)
    pl.DataFrame({"person": tokens[:1]}).write_parquet(inputs / "data")
    return inputs, out, {"key": key.hex(), "domain": "person", "column": "person", "tokens": tokens}


def test_the_room_says_nothing_of_what_it_found_and_salts_its_answer(tmp_path: Path) -> None:
    inputs, out, params = room_folder(tmp_path)
    texts = []
    for _ in range(2):
        assert reidentify.run(params, inputs, out) == {"ok": True}
        texts.append((out / reidentify.ANSWER).read_text())
    assert texts[0] != texts[1]
    assert json.loads(texts[0])["values"] == json.loads(texts[1])["values"]
    assert [one["value"] for one in json.loads(texts[0])["values"]] == [PEOPLE[0], None, None]
    assert reidentify.run({**params, "domain": "firm"}, inputs, out) == {"ok": True}
    assert {one["value"] for one in json.loads((out / reidentify.ANSWER).read_text())["values"]} == {None}


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"key": "ff" * 32}, "RECIPE_TOKENS"),
        ({"key": None}, "RECIPE_KEY"),
        ({"column": "x"}, "RECIPE_SOURCE"),
    ],
)
def test_the_room_refuses(tmp_path: Path, over: dict[str, Any], code: str) -> None:
    inputs, out, params = room_folder(tmp_path)
    with refused(code):
        reidentify.run({**params, **over}, inputs, out)
    assert list(out.iterdir()) == []


# --- which column holds tokens


@pytest.mark.parametrize(
    ("steps", "column", "domain"),
    [
        ([STEP], "person_id", "person"),
        ([STEP], "district", ""),
        ([{**STEP, "output": "token"}], "token", "person"),
        ([{**STEP, "output": "token"}], "person_id", ""),
        ([STEP, {"column": "person_id", "transform": "mask", "params": {}}], "person_id", ""),
        ([{"column": "person_id", "transform": "tidy", "params": {}}, STEP], "person_id", "person"),
        (
            [STEP, {"column": "person_id", "transform": "sample", "params": {"key": "k", "share": 0.5}}],
            "person_id",
            "person",
        ),
    ],
)
def test_the_domain_of_a_column_is_its_last_steps(steps: list[Any], column: str, domain: str) -> None:
    job = Resource("job", "j", "opco", "kept", {"recipe": {**RECIPE, "steps": steps, "keep": []}})
    assert domain_of(job, column) == domain


def test_code_makes_no_tokens() -> None:
    assert domain_of(Resource("job", "j", "dev", "kept", {"recipe": None}), "x") == ""
    assert asked()["product"] == "pr-t"
