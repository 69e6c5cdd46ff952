"""The ledger in the control plane: no release without its cells, none that has not seen the others."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.control.leftovers import Leftovers
from sandbox.executor.contract import TaskKind
from sandbox.review.ledger import counted
from tests.plugins.space import Scene
from tests.unit.test_work import CODE, Yard, check_room, told

CELLS = hashlib.sha256(b"cells").hexdigest()


def cells_of(scene: Scene, request: str = "eg-a") -> str:
    """The hash of the cells of a request."""
    file = scene.get("egress-request", request).status["check"]["ledger"]["files"][0]
    return str(file["sha256"])


def counting(scene: Scene, but: str = "") -> list[str]:
    with scene.store.read() as reader:
        return [one.id for one in counted(reader, ["ce-a"], but)]


@pytest.mark.parametrize(("damage", "cause"), [("removed", "BLOB_MISSING"), ("changed", "BLOB_DAMAGED")])
def test_nothing_is_released_without_its_cells(granted: Scene, damage: str, cause: str) -> None:
    granted.job()
    granted.request(until="releasing")
    assert counting(granted) == ["eg-a"]
    file = granted.space.places.ledger().path(cells_of(granted))
    if damage == "removed":
        file.unlink()
    else:
        file.write_bytes(b"others")
    granted.space.gate.release("eg-a")
    request = granted.get("egress-request", "eg-a")
    assert (request.state, request.status["withhold"]["cause"]) == ("recalled", cause)
    assert list((granted.space.settings.home / "released").glob("[!.]*")) == []
    assert counting(granted) == []  # it never left


def test_a_release_counts_from_its_review_on_and_its_recall_takes_nothing_back(granted: Scene) -> None:
    granted.job()
    granted.request(until="auto_check")
    assert counting(granted) == []
    granted.act("system", "egress-request", "eg-a", "forward", granted.check("eg-a"))
    assert counting(granted) == ["eg-a"]
    assert counting(granted, but="eg-a") == []
    for who, which in (("reviewer", "security"), ("reviewer-two", "business_conformity")):
        granted.act(who, "egress-request", "eg-a", "give_verdict", granted.verdict(which))
    granted.act("reviewer-two", "egress-request", "eg-a", "approve", {})
    granted.register("eg-a")
    granted.space.gate.release("eg-a")
    granted.act("reviewer", "egress-request", "eg-a", "recall", {"cause": "leak"})
    assert counting(granted) == ["eg-a"]


def test_what_was_not_let_out_does_not_count(granted: Scene) -> None:
    granted.job()
    granted.request(until="rejected")
    granted.job("job-b")
    granted.request("eg-b", until="approved", job="job-b")
    granted.act("reviewer", "egress-request", "eg-b", "recall", {"cause": "leak"})
    assert counting(granted) == []
    with granted.store.read() as reader:
        assert counted(reader, ["ce-other"], "") == []


def test_cells_stay_as_long_as_they_count_whatever_ends_with_the_agreement(granted: Scene) -> None:
    granted.job()
    granted.request()
    granted.job("job-b")
    granted.request("eg-b", until="rejected", job="job-b")
    places = granted.space.places
    released, rejected = cells_of(granted), cells_of(granted, "eg-b")
    places.ledger().take(iter([b"nobody's"]))
    Leftovers(granted.store, places).sweep()
    assert places.ledger().names() == [released]
    assert released != rejected
    places.destroy("ag-a")
    assert places.ledger().verified(released).read_bytes() == b"eg-a"


def test_the_key_of_the_ledger_is_one_for_the_space(granted: Scene) -> None:
    places = granted.space.places
    assert places.ledger_key() == places.ledger_key()
    assert len(bytes.fromhex(places.ledger_key())) == 32
    assert places.ledger_key() != places.key("ag-a", "sc-a", "entities")


def code_job(yard: Yard, id: str) -> None:
    spec = yard.scene.job_spec(language="python", entry="a.py", code={"a.py": CODE})
    yard.scene.create("developer", "job", spec, id)
    yard.run(f"job/{id}")


def test_who_is_checked_while_another_comes_to_count_is_compared_anew(granted: Scene, tmp_path: Path) -> None:
    yard = Yard(granted, tmp_path / "tasks")
    yard.job()
    code_job(yard, "job-b")
    seen: list[list[str]] = []

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        folder = inputs / "ledger"
        seen.append(sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [])
        if len(seen) == 1:  # meanwhile the other one is forwarded
            yard.executor.rooms[TaskKind.CHECK] = check_room
            assert yard.request("eg-b", "job-b").state == "human_review"
            yard.executor.rooms[TaskKind.CHECK] = room
        return check_room(params, inputs, out)

    yard.executor.rooms[TaskKind.CHECK] = room
    request = yard.request("eg-a", "job-a")
    assert seen == [[], ["eg-b"]]
    assert request.state == "human_review"
    assert request.status["check"]["ledger"]["seen"] == ["eg-b"]
    assert yard.left() == []


@pytest.mark.parametrize("given", [None, {"files": [], "seen": []}, {"files": [{"path": "../x"}]}, 7])
def test_a_check_that_leaves_no_cells_is_a_rejection(granted: Scene, tmp_path: Path, given: Any) -> None:
    yard = Yard(granted, tmp_path / "tasks")
    yard.job()

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        check_room(params, inputs, out)
        (out / "verdict.json").write_text(json.dumps(told(ledger=given)), encoding="utf-8")
        return {"ok": True}

    yard.executor.rooms[TaskKind.CHECK] = room
    request = yard.request()
    assert request.state == "auto_rejected"
    assert request.status["check"]["error"] in ("LEDGER_MISSING", "VERDICT_UNREADABLE")
    assert granted.space.places.ledger().names() == []


@pytest.mark.parametrize("content", [b"other", None])
def test_cells_that_are_not_what_the_verdict_says_are_a_rejection(
    granted: Scene, tmp_path: Path, content: bytes | None
) -> None:
    yard = Yard(granted, tmp_path / "tasks")
    yard.job()

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        check_room(params, inputs, out)
        file = out / "ledger" / "cells.parquet"
        file.unlink() if content is None else file.write_bytes(content)
        return {"ok": True}

    yard.executor.rooms[TaskKind.CHECK] = room
    request = yard.request()
    assert (request.state, request.status["check"]["error"]) == ("auto_rejected", "CANONICAL_MISMATCH")


def test_a_damaged_ledger_stops_the_next_check(granted: Scene, tmp_path: Path) -> None:
    yard = Yard(granted, tmp_path / "tasks")
    yard.job()
    granted.request()
    code_job(yard, "job-b")
    granted.space.places.ledger().path(cells_of(granted)).write_bytes(b"changed")
    request = yard.request("eg-b", "job-b")
    assert (request.state, request.status["check"]["error"]) == ("auto_rejected", "BLOB_DAMAGED")


def test_the_submitter_learns_no_other_request(granted: Scene) -> None:
    granted.job()
    granted.request(until="auto_check")
    found = granted.finding("DIFFERENCING", evidence={"release": "eg-z", "count": 3, "threshold": 10})
    granted.act("system", "egress-request", "eg-a", "forward", granted.check("eg-a", "hold", found))
    shown = granted.control.get(granted.who("developer"), "egress-request", "eg-a")
    assert "eg-z" not in json.dumps(shown.status)
    assert "ledger" not in json.dumps(shown.status)
    assert [one["family"] for one in shown.status["check"]["findings"]] == ["releases"]
    reviewer = granted.control.get(granted.who("reviewer"), "egress-request", "eg-a")
    assert "eg-z" in json.dumps(reviewer.status)
