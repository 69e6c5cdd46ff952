"""Whose job starts next: limits hold, nobody waits for ever, priority passes by no other organisation."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.core.resource import Resource
from sandbox.operation.turn import turns
from tests.plugins.space import Scene
from tests.refusal import refused

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def job(
    id: str, organisation: str, minute: float = 0, priority: str = "normal", state: str = "queued"
) -> Resource:
    """A job submitted ``minute`` minutes after noon."""
    return Resource(
        kind="job",
        id=id,
        organisation=organisation,
        version=1,
        state=state,
        spec={"priority": priority},
        status={},
        labels={},
        created_at=NOON + timedelta(minutes=minute),
    )


def test_a_flood_of_one_organisation_does_not_keep_another_waiting() -> None:
    flood = [job(f"a-{number:02}", "a", number) for number in range(40)]
    late = [job("b-0", "b", 100)]
    assert turns(flood + late, [], total=4, each=3) == ["a-00", "b-0", "a-01", "a-02"]
    running = [job("a-x", "a", state="running")]
    assert turns(flood + late, running, total=2, each=2) == ["b-0"]


def test_one_organisation_never_takes_every_place() -> None:
    flood = [job(f"a-{number}", "a", number) for number in range(9)]
    assert turns(flood, [], total=4, each=2) == ["a-0", "a-1"]
    assert turns(flood, [job("a-x", "a"), job("a-y", "a")], total=4, each=2) == []


def test_no_place_no_turn() -> None:
    assert turns([job("a", "a")], [job("x", "b"), job("y", "b")], total=2, each=2) == []
    assert turns([job("a", "a")], [job("x", "b"), job("y", "b"), job("z", "b")], total=2, each=2) == []


def test_priority_orders_an_organisation_s_own_jobs_and_only_for_an_hour() -> None:
    waiting = [
        job("low", "a", 0, "low"),
        job("normal", "a", 1),
        job("high", "a", 2, "high"),
        job("normal-later", "a", 61),
    ]
    assert turns(waiting, [], total=9, each=9) == ["high", "normal", "low", "normal-later"]


def test_priority_does_not_pass_by_an_organisation_that_runs_less() -> None:
    waiting = [job("a-high", "a", 0, "high"), job("b-low", "b", 0, "low")]
    assert turns(waiting, [job("a-x", "a", state="running")], total=2, each=2) == ["b-low"]


queues = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 500), st.sampled_from(["low", "normal", "high"])),
    max_size=40,
)


@given(queues, queues, st.integers(1, 8), st.integers(1, 4))
def test_limits_hold_and_no_free_place_stays_empty(
    queued: list[tuple[str, int, str]], held: list[tuple[str, int, str]], total: int, each: int
) -> None:
    waiting = [job(f"w-{number}", *one) for number, one in enumerate(queued)]
    active = [job(f"r-{number}", *one) for number, one in enumerate(held)]
    order = turns(waiting, active, total, each)
    assert len(set(order)) == len(order)
    assert len(order) <= max(0, total - len(active))
    owner = {one.id: one.organisation for one in waiting}
    before = Counter(one.organisation for one in active)
    after = before + Counter(owner[id] for id in order)
    assert all(after[name] <= max(each, before[name]) for name in after)
    if len(order) < total - len(active):  # only for want of somebody who may
        left = {one.organisation for one in waiting if one.id not in order}
        assert all(after[name] >= each for name in left)


@given(queues, st.integers(1, 4), st.integers(1, 3))
def test_everybody_s_turn_comes(queued: list[tuple[str, int, str]], total: int, each: int) -> None:
    """However the places are taken: when one job ends at a time, all have started in the end."""
    waiting = [job(f"w-{number}", *one) for number, one in enumerate(queued)]
    active: list[Resource] = []
    started: list[str] = []
    for _ in range(2 * len(queued) + 1):
        for id in turns(waiting, active, total, each):
            active.append(next(one for one in waiting if one.id == id))
            started.append(id)
        waiting = [one for one in waiting if one.id not in started]
        active = active[1:]
    assert sorted(started) == sorted(f"w-{number}" for number in range(len(queued)))


def test_a_job_out_of_turn_does_not_start(granted: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.core.actor import SYSTEM
    from sandbox.operation import turn

    granted.create("developer", "job", granted.job_spec(), "job-a")
    with monkeypatch.context() as patch:
        patch.setattr(turn, "turns", lambda *_: [])
        payload = {"lineage": {}, "list_sha256": "", "attempt": 1}
        with refused("NOT_ITS_TURN"):
            granted.control.act(SYSTEM, "job", "job-a", "provision", payload)
    assert granted.state("job", "job-a") == "queued"
