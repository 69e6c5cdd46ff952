"""Many requests at once, before the first is answered: the limit of answers holds for them too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.core.errors import SandboxError
from tests.plugins.space import Scene
from tests.refusal import refused

MOST = 3


def ask(scene: Scene, letter: str) -> str:
    """The state of a new request for the job of that letter, or the code of its refusal."""
    try:
        spec = scene.request_spec(job=f"job-{letter}")
        return str(scene.create("developer", "egress-request", spec, f"eg-{letter}").state)
    except SandboxError as error:
        return error.code


def test_no_more_answers_are_to_be_had_by_asking_before_the_first(granted_on: Scene) -> None:
    granted_on.overlay(egress__resubmissions_max=MOST)
    letters = "abcdef"
    for letter in letters:
        granted_on.job(f"job-{letter}")
    with ThreadPoolExecutor(len(letters)) as pool:
        told = list(pool.map(lambda letter: ask(granted_on, letter), letters))
    assert sorted(told) == ["RESUBMISSIONS_SPENT"] * (len(letters) - MOST) + ["requested"] * MOST


@pytest.mark.parametrize("ends", ["auto_rejected", "human_review"])
def test_a_place_is_free_again_only_when_the_check_ended_well(granted: Scene, ends: str) -> None:
    granted.overlay(egress__resubmissions_max=1)
    for letter in "ab":
        granted.job(f"job-{letter}")
    granted.request("eg-a", until="auto_check")
    assert ask(granted, "b") == "RESUBMISSIONS_SPENT"
    found = [granted.finding()] if ends == "auto_rejected" else []
    check = granted.check("eg-a", "reject" if found else "no_objection", *found)
    granted.act("system", "egress-request", "eg-a", "object" if found else "forward", check)
    if found:
        with refused("RESUBMISSIONS_SPENT"):
            granted.request("eg-b", until="requested", job="job-b")
    else:
        assert ask(granted, "b") == "requested"
