"""What is said of a request beside the verdicts: reviewers' notes, opinions of experts, who has it in hand.

All of it is appended and never changed, and is for the supervising side alone (``egress_request.view``); the
blind rule holds for it as for verdicts (``blind``). None of it decides: a note is no verdict, an opinion is
somebody else's, and a claim binds nobody.
"""

from __future__ import annotations

from pydantic import Field as Bound

from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Model
from sandbox.core.records import need
from sandbox.review import codes  # noqa: F401
from sandbox.review.judges import sides_of


class Note(Model):
    """A reviewer's remark."""

    text: str = Bound(min_length=2, max_length=4000)


class Opinion(Model):
    """What a named expert says, and whether they have an interest in it (``interest`` says which)."""

    expert: str = Bound(min_length=2, max_length=80)
    expert_organisation: str = Bound(min_length=2, max_length=160)
    text: str = Bound(min_length=2, max_length=20_000)
    no_interest: bool = False
    interest: str = Bound(default="", max_length=1000)


def expert_apart(case: Case) -> None:
    """Guard: the expert is of none of the sides that the request serves, by its id or by its name.

    Raises EXPERT_SIDED. Names of organisations are free text: the declaration says what no name shows.
    """
    stated = case.payload.expert_organisation.strip().casefold()
    for side in sides_of(case):
        spec = need(case, "organisation", side).spec
        if stated in {name.strip().casefold() for name in (side, spec["name_zh"], spec["name_en"]) if name}:
            raise fail("EXPERT_SIDED", organisation=side)


def interest_said(case: Case) -> None:
    """Guard: either no interest is declared, or which one. Raises INTEREST_UNSAID."""
    given: Opinion = case.payload
    if given.no_interest == bool(given.interest.strip()):
        raise fail("INTEREST_UNSAID")


def own_claim(case: Case) -> None:
    """Guard: who puts it back had it in hand. Raises NOT_CLAIMED."""
    if (case.resource.status.get("claim") or {}).get("person") != case.actor.person:
        raise fail("NOT_CLAIMED")
