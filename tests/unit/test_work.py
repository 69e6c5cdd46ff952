"""The machine's steps with rooms played here: whatever a container reports, the row ends closed."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.control.means import owner_of
from sandbox.control.work import Work
from sandbox.core.errors import fail
from sandbox.core.resource import Resource
from sandbox.executor.contract import End, TaskKind
from sandbox.executor.stub import PlayedEnd, Room, StubExecutor
from tests.plugins.space import OUTPUT, Scene
from tests.refusal import refused

SHA = hashlib.sha256(OUTPUT.encode()).hexdigest()
CODE = "a = 1\nb = 2\n"


def ingest_room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    (out / "snapshot.parquet").write_bytes(b"snapshot" + (inputs / "data").read_bytes())
    return {"ok": True, "rows": 10, "entities": None, "columns": [{"name": "person_id", "type": "string"}]}


def view_room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    for view in params["views"]:
        (out / f"{view['name']}.parquet").write_bytes((inputs / view["source"]).read_bytes())
    return {"ok": True}


def job_room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    assert sorted(path.name for path in (inputs / "data").iterdir()) == ["residents.parquet"]
    for output in params["outputs"]:
        (out / output["path"]).write_text(OUTPUT, encoding="utf-8")
    return {"ok": True, "timing": {"user_start": 0.0, "user_seconds": 0.0}}


def recipe_room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    (out / "product.parquet").write_bytes(b"product")
    column = {"name": "district", "type": "string", "source": "district", "transforms": []}
    asked = params["anonymity"]["threshold"]
    verdict = {"verdict": False, "k": 2, "threshold": asked, "reasons": ["K_BELOW"]}
    return {"ok": True, "columns": [column], "steps": [], "identifiers": {}, "anonymity": verdict}


def told(**over: Any) -> dict[str, Any]:
    """A verdict as the checker writes it."""
    canonical = [{"path": "out.csv", "sha256": SHA, "bytes": len(OUTPUT)}]
    body = {"verdict": "no_objection", "findings": [], "rules": [], "files": [], "canonical": canonical}
    cells = {"path": "cells.parquet", "sha256": hashlib.sha256(b"cells").hexdigest(), "bytes": 5}
    ledger = {"files": [cells], "seen": over.pop("seen", [])}
    return {**body, "checker": "test/1", "seconds": 0.0, "ledger": ledger, "capacity": {"bits": 40}, **over}


def check_room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    (out / "canonical").mkdir()
    (out / "canonical" / "out.csv").write_bytes((inputs / "outputs" / "out.csv").read_bytes())
    seen = [path.name for path in (inputs / "ledger").iterdir()] if (inputs / "ledger").is_dir() else []
    enter(out)
    (out / "verdict.json").write_text(json.dumps(told(seen=seen)), encoding="utf-8")
    return {"ok": True}


def enter(out: Path) -> None:
    """The cells for the ledger, as the checker leaves them."""
    (out / "ledger").mkdir()
    (out / "ledger" / "cells.parquet").write_bytes(b"cells")


ROOMS = {
    TaskKind.INGEST: ingest_room,
    TaskKind.VIEW: view_room,
    TaskKind.JOB: job_room,
    TaskKind.RECIPE: recipe_room,
    TaskKind.CHECK: check_room,
}


class Yard:
    """A scene whose steps run on a stub; ``rooms`` may be replaced."""

    def __init__(self, scene: Scene, root: Path) -> None:
        self.scene = scene
        self.executor = StubExecutor(root, ROOMS)
        self.work = Work(scene.control, self.executor, scene.space.places, scene.space.gate)
        self.blobs("raw").take(iter([b"snapshotraw"]))
        self.blobs("primary").take(iter([b"primary"]))

    def blobs(self, place: str) -> Any:
        return self.scene.space.places.blobs("ag-a", "sc-a", place)

    def run(self, ref: str) -> Resource:
        """Steps until there is none."""
        for _ in range(20):
            if not self.work.step(ref):
                return self.scene.get(*ref.split("/"))
        raise AssertionError(f"{ref} does not come to rest")

    def job(self, **over: Any) -> Resource:
        spec = {"language": "python", "entry": "main.py", "code": {"main.py": CODE}, **over}
        self.scene.create("developer", "job", self.scene.job_spec(**spec), "job-a")
        return self.run("job/job-a")

    def request(self, id: str = "eg-a", job: str = "job-a") -> Resource:
        self.scene.create("developer", "egress-request", self.scene.request_spec(job=job), id)
        return self.run(f"egress-request/{id}")

    def left(self) -> list[str]:
        """Tasks that are still there, but for the granted views: those stay with the grant."""
        return [task for task in self.executor.known() if not owner_of(task).startswith("scenario/")]

    def inventory(self) -> set[tuple[str, str]]:
        found = self.scene.space.places.inventory("ag-a")
        return {(item["place"], item["name"]) for item in found}


@pytest.fixture
def yard(granted: Scene, tmp_path: Path) -> Yard:
    return Yard(granted, tmp_path / "tasks")


def reporting(report: dict[str, Any], *files: str) -> Room:
    """A room that writes ``files`` and reports ``report``."""

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        for name in files:
            (out / name).write_bytes(b"content")
        return report

    return room


def ending(end: End) -> Room:
    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        raise PlayedEnd(end)

    return room


def refusing(code: str, **details: Any) -> Room:
    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        raise fail(code, **details)

    return room


# --- the way when all goes well


def test_the_whole_way_of_a_job(yard: Yard) -> None:
    uses = yard.scene.get("scenario", "sc-a").status["grant"]["uses_left"]
    job = yard.job()
    assert job.state == "quarantined"
    assert job.status["outputs"] == [
        {"path": "out.csv", "sha256": SHA, "bytes": len(OUTPUT), "kind": "table"}
    ]
    assert yard.scene.get("scenario", "sc-a").status["grant"]["uses_left"] == uses - 1
    view, run = (task.id for task in yard.executor.tasks)
    assert re.fullmatch(r"sc-a-v[0-9a-f]{32}", view)
    assert run == "job-a-a1-run"
    request = yard.request()
    assert request.state == "human_review"
    assert ("review", SHA) in yard.inventory()
    assert yard.left() == []
    assert yard.scene.space.places.assemblies() == []


def test_a_step_of_what_needs_none_or_is_not_there_does_nothing(yard: Yard) -> None:
    yard.job()
    before = yard.scene.everything()
    for ref in ("job/job-a", "job/none", "scenario/sc-a", "nothing/x", "garbage"):
        assert yard.work.step(ref) is False
    assert yard.scene.everything() == before


def test_earlier_releases_of_the_same_resource_are_given_to_the_check(yard: Yard) -> None:
    yard.job()
    yard.scene.request()
    yard.scene.create(
        "developer", "job", yard.scene.job_spec(language="python", entry="a.py", code={"a.py": CODE}), "job-b"
    )
    yard.run("job/job-b")
    seen: list[str] = []

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        seen.extend(str(path.relative_to(inputs)) for path in (inputs / "ledger").rglob("*.parquet"))
        return check_room(params, inputs, out)

    yard.executor.rooms[TaskKind.CHECK] = room
    yard.request("eg-b", "job-b")
    assert seen == ["ledger/eg-a/cells.parquet"]


# --- supply


def supply(yard: Yard, content: bytes = b"delivered") -> Resource:
    yard.blobs("quarantine").take(iter([content]))
    yard.scene.supply("su-b", "quarantined", content)
    return yard.run("supply/su-b")


def test_a_supply_is_loaded_and_what_was_delivered_is_gone(yard: Yard) -> None:
    assert supply(yard).state == "available"
    assert yard.scene.get("supply", "su-b").status["snapshot"]["entities"] == 10
    assert yard.blobs("quarantine").names() == []
    yard.blobs("raw").verified(hashlib.sha256(b"snapshotdelivered").hexdigest())


GOOD_SNAPSHOT = {"ok": True, "rows": 10, "entities": 9, "columns": [{"name": "a", "type": "string"}]}


@pytest.mark.parametrize(
    ("room", "code"),
    [
        (refusing("HASH_MISMATCH"), "HASH_MISMATCH"),
        (refusing("UNGRADED", field="x"), "UNGRADED"),
        (ending(End.OUT_OF_MEMORY), "TASK_OUT_OF_MEMORY"),
        (ending(End.TIMED_OUT), "TASK_TIMED_OUT"),
        (ending(End.FAILED), "TASK_FAILED"),
        (reporting({}), "REPORT_UNREADABLE"),
        (reporting({"ok": "yes"}), "REPORT_UNREADABLE"),
        (reporting({"ok": False, "code": 7, "details": "x"}), "REPORT_UNREADABLE"),
        (reporting(GOOD_SNAPSHOT), "REPORT_UNREADABLE"),  # and no snapshot
        (reporting({"ok": True}, "snapshot.parquet"), "REPORT_UNREADABLE"),
        (reporting({**GOOD_SNAPSHOT, "rows": "many"}, "snapshot.parquet"), "REPORT_UNREADABLE"),
        (reporting({**GOOD_SNAPSHOT, "rows": -1, "entities": -1}, "snapshot.parquet"), "REPORT_UNREADABLE"),
        (reporting({**GOOD_SNAPSHOT, "entities": 11}, "snapshot.parquet"), "REPORT_UNREADABLE"),
        (reporting({**GOOD_SNAPSHOT, "columns": [1]}, "snapshot.parquet"), "REPORT_UNREADABLE"),
    ],
)
def test_a_refused_supply_leaves_nothing(yard: Yard, room: Room, code: str) -> None:
    before = yard.inventory()
    yard.executor.rooms[TaskKind.INGEST] = room
    refused_one = supply(yard)
    assert refused_one.state == "refused"
    assert refused_one.status["refused"]["code"] == code
    assert yard.inventory() == before
    assert yard.left() == []


def test_a_supply_whose_bytes_are_gone_is_refused(yard: Yard) -> None:
    yard.scene.supply("su-b", "quarantined", b"never there")
    assert yard.run("supply/su-b").status["refused"]["code"] == "BLOB_MISSING"


def test_the_same_bytes_delivered_twice_are_not_taken_from_the_second(yard: Yard) -> None:
    yard.scene.supply("su-c", "quarantined", b"delivered")
    assert supply(yard).state == "available"
    assert yard.run("supply/su-c").state == "available"
    assert yard.blobs("quarantine").names() == []


# --- job


@pytest.mark.parametrize(
    ("room", "class_", "line"),
    [
        (ending(End.TIMED_OUT), "timed_out", None),
        (ending(End.OUT_OF_MEMORY), "out_of_memory", None),
        (ending(End.FAILED), "failed", None),
        (reporting({}), "Exception", None),
        (reporting({"ok": 1}), "Exception", None),
        (reporting({"ok": False, "code": "MISSING_OUTPUT"}), "MISSING_OUTPUT", None),
        (reporting({"ok": False, "code": "张三 52010219900101001X"}), "Exception", None),
        (reporting({"ok": False, "code": ["x"]}), "Exception", None),
        (
            reporting({"ok": False, "code": "USER_ERROR", "error": {"class": "ValueError", "line": 2}}),
            "ValueError",
            2,
        ),
        (
            reporting({"ok": False, "code": "USER_ERROR", "error": {"class": "Zhang", "line": 2}}),
            "Exception",
            2,
        ),
        (
            reporting({"ok": False, "code": "USER_ERROR", "error": {"class": "ValueError", "line": 520102}}),
            "ValueError",
            None,
        ),
        (
            reporting({"ok": False, "code": "USER_ERROR", "error": {"line": True, "file": "张三"}}),
            "Exception",
            None,
        ),
        (reporting({"ok": False, "code": "USER_ERROR", "error": 7}), "Exception", None),
        (reporting({"ok": True}), "MISSING_OUTPUT", None),  # says so, and has put out nothing
    ],
)
def test_a_failed_jobs_report_is_closed_words(yard: Yard, room: Room, class_: str, line: int | None) -> None:
    yard.executor.rooms[TaskKind.JOB] = room
    job = yard.job()
    assert job.state == "failed"
    error = job.status["outcome"]["error"]
    assert (error["class"], error["line"]) == (class_, line)
    assert error["file"] in ("main.py", "")
    assert yard.left() == []


@pytest.mark.parametrize(
    "timing",
    [
        {"user_start": math.nan, "user_seconds": math.inf},
        {"user_start": -1, "user_seconds": 10**400},
        {"user_start": 5201021990, "user_seconds": 1e9},  # a value smuggled out as a time
        {"user_start": True, "user_seconds": "1"},
        {"user_start": [1], "other": 0.0},
        [1, 2],
        "soon",
        None,
    ],
)
def test_a_forged_time_is_dropped(yard: Yard, timing: Any) -> None:
    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        return {**job_room(params, inputs, out), "timing": timing}

    yard.executor.rooms[TaskKind.JOB] = room
    assert yard.job().status["outcome"]["timing"] == {}


def test_times_within_the_run_are_kept(yard: Yard) -> None:
    assert yard.job().status["outcome"]["timing"] == {"user_start": 0.0, "user_seconds": 0.0}


@pytest.mark.parametrize("lost", [TaskKind.VIEW, TaskKind.JOB])
@pytest.mark.parametrize("end", [End.LOST, End.STOPPED])
def test_a_lost_container_is_run_anew_and_costs_no_second_use(yard: Yard, lost: TaskKind, end: End) -> None:
    uses = yard.scene.get("scenario", "sc-a").status["grant"]["uses_left"]
    yard.executor.rooms[lost] = ending(end)
    with refused("TASK_LOST"):
        yard.job()
    assert yard.scene.state("job", "job-a") in ("provisioning", "running")
    yard.executor.rooms[lost] = ROOMS[lost]
    assert yard.run("job/job-a").state == "quarantined"
    assert yard.scene.get("scenario", "sc-a").status["grant"]["uses_left"] == uses - 1


def test_a_job_killed_while_its_container_runs_stays_killed(yard: Yard) -> None:
    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        yard.scene.act("reviewer", "job", "job-a", "kill", {"cause": "suspected"})
        yard.executor.stop("job-a-a1-run")
        return job_room(params, inputs, out)

    yard.executor.rooms[TaskKind.JOB] = room
    assert yard.job().state == "killed"
    assert yard.left() == []
    assert yard.blobs("staging").names() == []


def test_a_job_that_may_no_longer_start_is_denied_with_the_rules_code(yard: Yard) -> None:
    yard.scene.create("developer", "job", yard.scene.job_spec(), "job-a")
    yard.scene.clock.move(days=500)
    denied = yard.run("job/job-a")
    assert denied.state == "denied"
    assert denied.status["deny"]["code"] == "GRANT_EXPIRED"
    assert yard.executor.tasks == []


def test_a_job_whose_input_was_changed_on_the_disk_fails(yard: Yard) -> None:
    product = yard.scene.get("product", "pr-a").spec["artefact_sha256"]
    yard.blobs("primary").path(product).write_bytes(b"changed")
    job = yard.job()
    assert job.state == "failed"
    assert job.status["outcome"]["error"]["class"] == "BLOB_DAMAGED"


@pytest.mark.parametrize(
    "room",
    [
        reporting({"ok": True, "columns": [], "steps": []}, "product.parquet"),
        reporting(
            {"ok": True, "columns": [{"name": "x"}], "steps": [], "identifiers": {}}, "product.parquet"
        ),
        reporting({"ok": True, "columns": [], "steps": [], "identifiers": {}}),
        reporting({"ok": True, "columns": 3, "steps": 4, "identifiers": 5}, "product.parquet"),
    ],
)
def test_a_recipe_without_a_whole_report_makes_no_product(yard: Yard, room: Room) -> None:
    yard.executor.rooms[TaskKind.RECIPE] = room
    yard.scene.create("operator", "job", yard.scene.recipe_spec(), "job-r")
    job = yard.run("job/job-r")
    assert job.state == "failed"
    assert job.status["outcome"]["error"]["class"] in ("REPORT_UNREADABLE", "Exception")
    with yard.scene.store.read() as reader:
        assert [one.id for one in reader.find("product", labels={"job": "job-r"})] == []
    yard.work.leftovers.sweep()
    assert len(yard.blobs("primary").names()) == 1


def test_a_recipe_makes_a_draft_product(yard: Yard) -> None:
    yard.scene.create("operator", "job", yard.scene.recipe_spec(), "job-r")
    job = yard.run("job/job-r")
    assert job.state == "kept"
    product = yard.scene.get("product", job.status["keep"]["product"])
    assert yard.blobs("primary").verified(product.spec["artefact_sha256"]).read_bytes() == b"product"


RISK = {
    "quasi": ["district"], "k": 2, "classes": 1, "entities_unique": 0,
    "bands": [{"size": "2", "classes": 1, "entities": 2}],
}  # fmt: skip
METRICS = {"before": RISK, "after": RISK, "loss": []}


def test_the_metrics_of_a_recipe_are_kept_with_its_job_if_they_are_counts_and_nothing_else(
    yard: Yard,
) -> None:
    def room(metrics: Any) -> Room:
        return lambda params, inputs, out: {**recipe_room(params, inputs, out), "metrics": metrics}

    yard.executor.rooms[TaskKind.RECIPE] = room(METRICS)
    yard.scene.create("operator", "job", yard.scene.recipe_spec(), "job-r")
    assert yard.run("job/job-r").status["keep"]["metrics"] == METRICS
    forged = (METRICS | {"note": "张三"}, METRICS | {"before": RISK | {"k": "张三"}}, 5)
    for number, told in enumerate(forged):
        yard.executor.rooms[TaskKind.RECIPE] = room(told)
        yard.scene.create("operator", "job", yard.scene.recipe_spec(), f"job-f{number}")
        assert yard.run(f"job/job-f{number}").state == "failed"


def recipe_saying(anonymity: Any) -> Room:
    """A recipe room that reports this of the anonymity test."""

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        return {**recipe_room(params, inputs, out), "anonymity": anonymity}

    return room


TEN = {"verdict": True, "k": 10, "threshold": 10, "reasons": []}
BELOW = {"verdict": False, "k": 9, "threshold": 10, "reasons": ["K_BELOW"]}
UNMEASURED = {"verdict": False, "k": None, "threshold": 10, "reasons": ["NOT_MEASURED"]}


@pytest.mark.parametrize(
    ("told", "recorded"),
    [
        (TEN, TEN),
        (BELOW, BELOW),
        (None, UNMEASURED),
        (True, UNMEASURED),
        ("anonymised", UNMEASURED),
        ({**TEN, "k": 9}, UNMEASURED),  # says yes below the threshold
        ({**TEN, "k": None}, UNMEASURED),
        ({**TEN, "reasons": ["IDENTIFIER_KEPT"]}, UNMEASURED),  # says yes with a reason against
        ({**BELOW, "reasons": []}, UNMEASURED),
        ({**BELOW, "reasons": ["张三"]}, UNMEASURED),  # a word of its own
        ({**TEN, "threshold": 2}, UNMEASURED),  # tested against another threshold
        ({**TEN, "k": "10" * 9000}, UNMEASURED),
        ({**TEN, "note": "52010219900101001X"}, UNMEASURED),
    ],
)
def test_only_a_whole_anonymity_verdict_is_taken(yard: Yard, told: Any, recorded: dict[str, Any]) -> None:
    yard.executor.rooms[TaskKind.RECIPE] = recipe_saying(told)
    yard.scene.create("operator", "job", yard.scene.recipe_spec(), "job-r")
    job = yard.run("job/job-r")
    product = yard.scene.get("product", job.status["keep"]["product"])
    assert product.spec["anonymity"] == recorded


# --- the check


def checker(write: Callable[[Path], None], report: dict[str, Any] | None = None) -> Room:
    """A checker that writes what ``write`` writes beside an honest canonical file."""

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        check_room(params, inputs, out)
        write(out)
        return report or {"ok": True}

    return room


def text(content: str) -> Room:
    def write(out: Path) -> None:
        (out / "verdict.json").write_text(content, encoding="utf-8")

    return checker(write)


def verdict(**over: Any) -> Room:
    return text(json.dumps(told(**over)))


def finding(severity: str) -> dict[str, Any]:
    return Scene.finding(severity=severity)


RULE = {"rule": "SMALL_CELL", "point": "26.4", "version": "1", "result": "flag"}
ATTACK = {"path": "m", "raw": "r", "auc": 0.5, "threshold": 0.6, "tpr": 0.0, "rows": 9, "curve": []}
NO_RULES: tuple[dict[str, Any], ...] = (
    {"rule": [1]},  # no name: nothing could be looked up by it
    {"rule": "small cell"},
    {"point": "26.40"},
    {"result": "pass"},
    {"version": {}},
    {"thresholds": ["egress.none"]},  # of no policy
    {"thresholds": [["egress.k_min"]]},
    {"more": 1},
)


def link(out: Path) -> None:
    (out / "verdict.json").unlink()
    (out / "verdict.json").symlink_to("/etc/hostname")


def test_a_rule_of_its_form_is_kept(yard: Yard) -> None:
    yard.job()
    told = {**RULE, "thresholds": ["egress.min_cell"]}

    def write(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        done = check_room(params, inputs, out)
        body = json.loads((out / "verdict.json").read_text(encoding="utf-8"))
        (out / "verdict.json").write_text(json.dumps({**body, "rules": [told]}), encoding="utf-8")
        return done

    yard.executor.rooms[TaskKind.CHECK] = write
    assert yard.request().status["check"]["rules"] == [told]


@pytest.mark.parametrize(
    ("room", "error"),
    [
        (ending(End.FAILED), "TASK_FAILED"),
        (ending(End.TIMED_OUT), "TASK_TIMED_OUT"),
        (ending(End.OUT_OF_MEMORY), "TASK_OUT_OF_MEMORY"),
        (refusing("MALFORMED", what="x", why="y"), "MALFORMED"),
        (reporting({"ok": True}), "VERDICT_UNREADABLE"),  # no verdict
        (checker(lambda out: None, {"ok": "true"}), "REPORT_UNREADABLE"),
        (text("{"), "VERDICT_UNREADABLE"),
        (text("[]"), "VERDICT_UNREADABLE"),
        (text("\xff\x00"), "VERDICT_UNREADABLE"),
        (text("[" * 100_000), "VERDICT_UNREADABLE"),
        (text(" " * ((16 << 20) + 1)), "VERDICT_UNREADABLE"),
        (checker(link), "VERDICT_UNREADABLE"),
        (verdict(capacity=None), "VERDICT_UNREADABLE"),
        (verdict(capacity={"bits": -1}), "VERDICT_UNREADABLE"),
        (verdict(verdict="pass"), "VERDICT_UNREADABLE"),
        (verdict(verdict=["no_objection"]), "VERDICT_UNREADABLE"),
        (verdict(findings=[{"rule": "X"}]), "VERDICT_UNREADABLE"),
        (verdict(findings=[{**finding("flag"), "severity": "none"}]), "VERDICT_UNREADABLE"),
        (verdict(findings="none"), "VERDICT_UNREADABLE"),
        (verdict(findings=[{**finding("flag"), "evidence": {"n": math.nan}}]), "VERDICT_UNREADABLE"),
        (verdict(rules=7), "VERDICT_UNREADABLE"),
        *[(verdict(rules=[{**RULE, **over}]), "VERDICT_UNREADABLE") for over in NO_RULES],
        (verdict(rules=[RULE] * 1_001), "VERDICT_UNREADABLE"),
        (verdict(attacks=[{**ATTACK, "curve": [[0.1, 1.5]]}]), "VERDICT_UNREADABLE"),
        (verdict(attacks=[{**ATTACK, "auc": math.nan}]), "VERDICT_UNREADABLE"),
        (verdict(canonical=[{**told()["canonical"][0], "changes": {"hidden": 1}}]), "VERDICT_UNREADABLE"),
        (verdict(findings=[finding("hard")]), "VERDICT_INCOHERENT"),  # forged: no objection to a hard finding
        (verdict(verdict="hold", findings=[finding("hard")]), "VERDICT_INCOHERENT"),
        (verdict(verdict="reject"), "VERDICT_INCOHERENT"),
        (verdict(findings=[finding("hold")]), "VERDICT_INCOHERENT"),
        (verdict(canonical=[]), "CANONICAL_MISSING"),
        (verdict(canonical=[{"path": "../verdict.json", "sha256": SHA, "bytes": 1}]), "VERDICT_UNREADABLE"),
        (verdict(canonical=[{"path": "/etc/hostname", "sha256": SHA, "bytes": 1}]), "VERDICT_UNREADABLE"),
        (verdict(canonical=[*told()["canonical"], *told()["canonical"]]), "VERDICT_UNREADABLE"),
        (
            verdict(canonical=[{"path": "out.csv", "sha256": "0" * 64, "bytes": len(OUTPUT)}]),
            "CANONICAL_MISMATCH",
        ),
        (verdict(canonical=[{"path": "out.csv", "sha256": SHA, "bytes": 1}]), "CANONICAL_MISMATCH"),
        (verdict(canonical=[{"path": "out.csv", "sha256": "../..", "bytes": 1}]), "VERDICT_UNREADABLE"),
        (checker(lambda out: (out / "canonical" / "out.csv").unlink()), "CANONICAL_MISMATCH"),
    ],
)
def test_anything_but_a_whole_verdict_is_a_rejection(yard: Yard, room: Room, error: str) -> None:
    yard.job()
    yard.executor.rooms[TaskKind.CHECK] = room
    request = yard.request()
    assert request.state == "auto_rejected"
    assert request.status["check"]["error"] == error
    assert request.status["check"]["canonical"] == []
    yard.work.leftovers.sweep()
    assert yard.blobs("review").names() == []
    shown = yard.scene.control.get(yard.scene.who("developer"), "egress-request", "eg-a")
    assert shown.status["check"]["verdict"] == "reject"  # and it can be shown at all
    assert yard.left() == []


@pytest.mark.parametrize(
    ("room", "state"),
    [
        (verdict(), "human_review"),
        (verdict(verdict="hold", findings=[finding("hold")]), "human_review"),
        (verdict(findings=[finding("flag")]), "human_review"),
        (verdict(verdict="reject", findings=[finding("hard")], canonical=[]), "auto_rejected"),
        (verdict(seconds=10**9), "human_review"),  # its clock is not believed
    ],
)
def test_a_whole_verdict_is_taken_as_it_is(yard: Yard, room: Room, state: str) -> None:
    yard.job()
    yard.executor.rooms[TaskKind.CHECK] = room
    request = yard.request()
    assert request.state == state
    assert request.status["check"]["error"] is None
    assert request.status["check"]["seconds"] < 60


def test_outputs_changed_after_staging_are_not_checked_but_rejected(yard: Yard) -> None:
    yard.job()
    yard.blobs("staging").path(SHA).write_bytes(b"changed")
    request = yard.request()
    assert request.state == "auto_rejected"
    assert request.status["check"]["error"] == "BLOB_DAMAGED"


@pytest.mark.requirement("R-153")
def test_nothing_is_released_by_lapse_of_time(yard: Yard) -> None:
    yard.job()
    assert yard.request().state == "human_review"
    yard.scene.clock.now = yard.scene.control.calendar.add_working_days(yard.scene.clock.now, 31)
    yard.scene.control.tick()
    request = yard.scene.get("egress-request", "eg-a")
    assert (request.state, request.overdue) == ("human_review", True)
    yard.run("egress-request/eg-a")
    with refused("NOT_RELEASED"):
        yard.scene.space.gate.token(yard.scene.who("developer"), "eg-a")


def test_a_recipient_abroad_holds_the_request(yard: Yard) -> None:
    yard.job()
    spec = yard.scene.request_spec(recipient_region="HK")
    yard.scene.create("developer", "egress-request", spec, "eg-a")
    assert yard.run("egress-request/eg-a").state == "held_cross_border"


# --- the granted view


def again(yard: Yard, id: str, **over: Any) -> Resource:
    """Another job on the same grant."""
    spec = {"language": "python", "entry": "main.py", "code": {"main.py": CODE}, **over}
    yard.scene.create("developer", "job", yard.scene.job_spec(**spec), id)
    return yard.run(f"job/{id}")


def kinds(yard: Yard) -> list[TaskKind]:
    return [task.kind for task in yard.executor.tasks]


def test_a_second_job_on_the_same_grant_finds_its_view_made(yard: Yard) -> None:
    assert yard.job().state == again(yard, "job-b").state == "quarantined"
    assert kinds(yard) == [TaskKind.VIEW, TaskKind.JOB, TaskKind.JOB]


def test_other_columns_are_another_view(yard: Yard) -> None:
    yard.job()
    [table] = yard.scene.job_spec()["inputs"]
    assert len(table["columns"]) > 1
    again(yard, "job-b", inputs=[{**table, "columns": table["columns"][:1]}])
    assert kinds(yard).count(TaskKind.VIEW) == 2


def test_a_view_that_failed_is_made_anew_for_the_next_job(yard: Yard) -> None:
    good = yard.executor.rooms[TaskKind.VIEW]
    yard.executor.rooms[TaskKind.VIEW] = ending(End.OUT_OF_MEMORY)
    assert yard.job().state == "failed"
    yard.executor.rooms[TaskKind.VIEW] = good
    assert again(yard, "job-b").state == "quarantined"
    assert kinds(yard) == [TaskKind.VIEW, TaskKind.VIEW, TaskKind.JOB]


# --- ids


@pytest.mark.parametrize(
    ("task", "owner"),
    [
        (f"sc-1-v{'0' * 32}", "scenario/sc-1"),
        (f"sc-1-v{'0' * 31}", ""),
        ("job-1a-a12-run", "job/job-1a"),
        ("su-1-ingest", "supply/su-1"),
        ("eg-1-check", "egress-request/eg-1"),
        ("rid-1-answer", "reidentification/rid-1"),
        ("job-a-a1-run-a2-run", "job/job-a-a1-run"),
        ("job-1-view", ""),
        ("job-1-a-run", ""),
        ("job-1-a1-check", "egress-request/job-1-a1"),
        ("-ingest", ""),
        ("probe-0123", ""),
        ("", ""),
    ],
)
def test_the_owner_of_a_task(task: str, owner: str) -> None:
    assert owner_of(task) == owner


def test_a_delivery_that_was_announced_and_never_sent_is_refused(yard: Yard) -> None:
    """The event alone brings no bytes: the supply ends refused instead of being tried for ever."""
    yard.scene.supply("su-empty", until="in_transfer")
    manifest = yard.scene.get("supply", "su-empty").spec["manifest"]
    told = {"sha256": manifest["sha256"], "bytes": manifest["bytes"]}
    yard.scene.act("connector", "supply", "su-empty", "deliver", told)
    refused_one = yard.run("supply/su-empty")
    assert refused_one.state == "refused"
    assert refused_one.status["refused"]["code"] == "BLOB_MISSING"
    assert yard.executor.tasks == []
