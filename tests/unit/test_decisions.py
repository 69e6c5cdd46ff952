"""Which acts need a confirmed identity and the widest scope: the table against the lifecycle tables."""

from __future__ import annotations

import pytest

from sandbox.control.decisions import DECISIONS, Scope, needs_step_up, use_of
from sandbox.control.kinds import KINDS
from sandbox.core.actor import Role

# What people do that decides nothing over others. An event that is new stands in one table or the other.
PLAIN: dict[str, set[str]] = {
    "organisation": {"create", "amend"},
    "catalogue-entry": {"create", "edit", "register"},
    "agreement": {"create"},
    "scenario": {"create", "edit", "amend"},
    "supply": {"create", "deliver"},
    "job": {"create", "cancel", "propose_log"},
    "egress-request": {"create", "download", "note", "attach_opinion", "claim", "unclaim"},
    "product": {"create"},
    "reidentification": {"create", "withdraw", "close"},
    "rectification": {"report"},
}


def by_people(kind: str) -> set[str]:
    """The events of a kind that somebody else than the system may bring about."""
    return {row.event for row in KINDS[kind].transitions if row.by - {Role.SYSTEM}}


@pytest.mark.parametrize(
    ("kind", "event"), [(k, e) for k, events in DECISIONS.items() for e in sorted(events)]
)
def test_every_decision_is_an_event_of_people(kind: str, event: str) -> None:
    assert event in by_people(kind)
    assert needs_step_up(kind, event)
    assert use_of(kind, "x-1", event).scope is Scope.DECIDE


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_of_people_is_a_decision_or_said_to_be_none(kind: str) -> None:
    decisions, plain = DECISIONS.get(kind, frozenset()), PLAIN.get(kind, set())
    assert by_people(kind) == decisions | plain
    assert not decisions & plain
    for event in plain:
        assert not needs_step_up(kind, event)
        assert use_of(kind, "x-1", event).scope is Scope.ACT


def test_scopes_hold_one_another() -> None:
    order = [Scope.READ, Scope.ACT, Scope.DECIDE]
    assert [[a.covers(b) for b in order] for a in order] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_what_is_only_sent_is_not_repeated_in_the_log() -> None:
    said = use_of("my secret", "<b>", "x" * 99)
    assert (said.event, said.object) == ("-", "-/-")
