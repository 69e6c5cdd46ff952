"""What a profile proposes is kept with the supply, beside what its entry says; it decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.control.grading import told
from sandbox.control.means import owner_of
from sandbox.core.errors import fail
from sandbox.desensitize.profile.model import About, FieldProposal, Profile, Reason, Shape
from sandbox.executor.contract import End, Outcome, TaskKind
from sandbox.executor.stub import PlayedEnd, Room
from tests.plugins.space import Scene
from tests.unit.test_work import Yard, supply

SHAPE = Shape(rows=10, nulls=0, distinct=10, longest=18)
DISTRICT = FieldProposal(
    name="district",
    type="string",
    kind="resident_id",
    category="个人身份信息",
    level=4,
    flags=("personal",),
    role="identifier",
    confidence=0.99,
    reasons=(Reason(code="HEADER", counts={"zh": "居民身份证号", "en": "resident identity number"}),),
    shape=SHAPE,
)
PROPOSAL = Profile(rows=10, about=About.PERSON, fields=(DISTRICT,), entity="person_id")


@pytest.fixture
def yard(granted: Scene, tmp_path: Path) -> Yard:
    return Yard(granted, tmp_path / "tasks")


def saying(proposal: Any) -> Room:
    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        assert (inputs / "data").read_bytes().startswith(b"snapshot")
        assert params == {"entity": "person_id"}
        return {"ok": True, "profile": proposal}

    return room


def graded(yard: Yard, room: Room) -> dict[str, Any]:
    yard.executor.rooms[TaskKind.PROFILE] = room
    found = supply(yard)
    assert found.state == "available"
    kept: dict[str, Any] = found.status["grading"]
    return kept


def test_the_proposal_and_where_the_entry_says_less_stand_with_the_supply(yard: Yard) -> None:
    kept = graded(yard, saying(PROPOSAL.model_dump(mode="json")))
    assert Profile.model_validate(kept["proposal"]) == PROPOSAL
    assert [(row["field"], row["what"], row["entry"], row["proposed"]) for row in kept["laxer"]] == [
        ("district", "level", 3, 4),
        ("district", "flag", None, "personal"),
        ("district", "role", "quasi", "identifier"),
    ]

    # To the provider and the operator it is shown, to who uses the grant it is not.
    def shown(who: str) -> dict[str, Any]:
        return yard.scene.control.get(yard.scene.who(who), "supply", "su-b").status

    assert shown("editor")["grading"] == shown("operator")["grading"] == kept
    assert shown("developer") == {}


def test_whoever_lacks_a_profile_sees_why(yard: Yard) -> None:
    def broken(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        raise PlayedEnd(End.OUT_OF_MEMORY)

    assert graded(yard, broken) == {"code": "TASK_OUT_OF_MEMORY"}


def test_a_refusal_of_the_profiler_is_told(yard: Yard) -> None:
    def refusing(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        raise fail("PROFILE_COLUMN", column="district")

    assert graded(yard, refusing) == {"code": "PROFILE_COLUMN"}


def test_a_policy_may_refuse_what_is_graded_less(yard: Yard) -> None:
    yard.scene.overlay(supply__refuse_laxer_grading=True)
    yard.executor.rooms[TaskKind.PROFILE] = saying(PROPOSAL.model_dump(mode="json"))
    before = yard.inventory()
    found = supply(yard)
    assert found.state == "refused"
    told = found.status["refused"]
    assert (told["code"], told["details"]) == ("GRADING_LAXER", {"differences": 3})
    assert yard.inventory() == before
    with pytest.raises(Exception, match="3"):
        raise fail(told["code"], **told["details"])


def test_a_policy_that_refuses_lets_an_equal_grading_in(yard: Yard) -> None:
    yard.scene.overlay(supply__refuse_laxer_grading=True)
    equal = DISTRICT.model_copy(update={"level": 3, "flags": (), "role": "quasi"})
    proposal = PROPOSAL.model_copy(update={"fields": (equal,)})
    yard.executor.rooms[TaskKind.PROFILE] = saying(proposal.model_dump(mode="json"))
    assert supply(yard).state == "available"


ENTRY = {"fields": [{"name": "district", "level": 3, "flags": [], "role": "quasi"}], "entity": None}


def outcome(profile: Any) -> Outcome:
    return Outcome(End.SUCCEEDED, 0, 0.0, Path("none"), {"ok": True, "profile": profile}, 0.0, "", {})


def changed(**more: Any) -> dict[str, Any]:
    return {**PROPOSAL.model_dump(mode="json"), "entity": None, **more}


def field(**more: Any) -> list[dict[str, Any]]:
    return [{**DISTRICT.model_dump(mode="json"), **more}]


@pytest.mark.parametrize(
    "profile",
    [
        None,
        {},
        {"ok": True},
        changed(rows="many"),
        changed(fields=field(name="520102199001011239")),
        changed(fields=field() * 2),
        changed(fields=field(level=5)),
        changed(fields=field(kind="张三 13800000001")),
        changed(fields=field(category="13800000001")),
        changed(fields=field(reasons=[{"code": "HEADER", "counts": {"zh": "13800000001", "en": "x"}}])),
        changed(fields=field(reasons=[{"code": "NO_SUCH", "counts": {}}])),
        changed(entity="13800000001"),
        changed(keys=[["13800000001"]]),
        changed(combinations=[{"columns": ["张三"], "entities": 1, "unique": 1}]),
        changed(dependencies=[{"columns": ["district"], "determines": "张三", "holds": 1.0}]),
    ],
)
def test_a_report_that_says_anything_else_is_none(profile: Any) -> None:
    assert told(outcome(profile), ENTRY) == {"code": "REPORT_UNREADABLE"}


def test_what_the_entry_says_of_the_whole_table_is_compared_too() -> None:
    whole = changed(entity="district", sensitive_group=True, fields=field(level=3, flags=[], role="quasi"))
    found = told(outcome(whole), ENTRY)["laxer"]
    assert [(row["what"], row["field"]) for row in found] == [("entity", "district"), ("sensitive_group", "")]


def test_the_task_belongs_to_its_supply() -> None:
    assert owner_of("su-b-profile") == "supply/su-b"
