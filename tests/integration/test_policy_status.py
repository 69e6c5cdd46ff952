"""What a profile is, a draft or past its date, shows in the log and in every decision (R-207)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.policy.load import load_profile
from tests.plugins.space import Scene

DATED = {
    "instrument.effective_date": {"value": "2021-09-01", "basis": "stated", "cite": "第1条"},
    "instrument.validity_years": {"value": 5, "basis": "stated", "cite": "第2条"},
}


def use(scene: Scene, folder: Path, status: str, parameters: dict[str, Any]) -> str:
    """Let the scene go on under a profile of this status that adds to Guizhou's; gives the profile's id."""
    header = {
        "name": "city",
        "title": "市",
        "title_en": "city",
        "version": "1.2.0",
        "extends": "guizhou",
        "status": status,
    }
    path = folder / "city.yaml"
    path.write_text(yaml.safe_dump({"profile": header, "parameters": parameters}), encoding="utf-8")
    scene.space.policy = scene.control.policy = load_profile(path)
    return str(scene.space.policy.id)


@pytest.mark.requirement("R-207")
def test_a_profile_past_its_date_is_told_when_it_is_loaded(granted: Scene, tmp_path: Path) -> None:
    use(granted, tmp_path, "in_force", DATED)
    size = len(granted.log())
    assert granted.space.announce() == ["POLICY_EXPIRED"]
    (told,) = granted.log(size)
    assert (told.action, told.object, told.actor, told.outcome) == (
        "load-policy",
        "policy/city",
        "system",
        "done",
    )
    assert told.details == {"warning": "POLICY_EXPIRED", "profile": "city@1.2.0", "date": "2026-09-01"}


@pytest.mark.parametrize(("status", "expected"), [("in_force", []), ("draft", ["POLICY_DRAFT"])])
def test_what_is_told_of_a_profile_without_a_date(
    granted: Scene, tmp_path: Path, status: str, expected: list[str]
) -> None:
    use(granted, tmp_path, status, {})
    size = len(granted.log())
    assert granted.space.announce() == expected
    assert len(granted.log()) == size + len(expected)


@pytest.mark.requirement("R-207")
@pytest.mark.parametrize(("status", "cited"), [("draft", "city@1.2.0-draft"), ("in_force", "city@1.2.0")])
def test_a_draft_profile_shows_in_every_decision(
    granted: Scene, tmp_path: Path, status: str, cited: str
) -> None:
    assert use(granted, tmp_path, status, {}) == cited
    size = len(granted.log())
    granted.job()
    granted.request(until="approved")
    assert granted.get("egress-request", "eg-a").status["decision"]["policy"] == cited
    later = granted.log(size)
    assert {entry.action for entry in later} >= {"approve", "give_verdict", "provision"}
    assert {entry.policy for entry in later} == {cited}
