"""Attacks that take several releases are stopped before a group comes to light; honest series go through."""

from __future__ import annotations

import pytest

from sandbox.egress.ledger.compare import Hit, How, compare
from tests.attack.sequences import ATTACKS, HONEST, Register, Sequence, T, books, cases

STOPS = {How.PAIR, How.STATED, How.LAYERS, How.COMBINATION, How.DETERMINED}
HOLD, MOST = 0.10, 0.20


def stopped(hits: list[Hit]) -> bool:
    return any(hit.how in STOPS or (hit.how is How.RATE and hit.rate > MOST) for hit in hits)


def play(register: Register, sequence: Sequence) -> tuple[int, list[Hit]]:
    """(steps that were let out, what was said of the one that was not)."""
    old: list = []
    for number, step in enumerate(sequence.steps):
        new = books(register, number, step)
        hits = compare(new, old, HOLD)
        if stopped(hits):
            return number, hits
        old += new
    return len(sequence.steps), []


@pytest.mark.parametrize("kind", ATTACKS)
def test_an_attack_is_stopped_before_its_last_release(kind: str) -> None:
    for register, sequence in cases({kind: ATTACKS[kind]}, 1):
        assert sequence.exposed
        assert max(sequence.exposed) < T
        out, hits = play(register, sequence)
        assert out < len(sequence.steps)
        assert {name for hit in hits for name in hit.releases}  # the reviewer learns with what


@pytest.mark.parametrize("kind", HONEST)
def test_an_honest_series_goes_through(kind: str) -> None:
    for register, sequence in cases({kind: HONEST[kind]}, 1):
        out, hits = play(register, sequence)
        assert out == len(sequence.steps), hits


def test_what_is_stopped_is_stopped_only_with_what_went_before() -> None:
    for register, sequence in cases(ATTACKS, 1):
        last = books(register, 9, sequence.steps[-1])
        assert not stopped(compare(last, [], HOLD)), sequence.kind
