"""Blind review: where two reviewers judge, neither sees the other's verdict before giving one. Pure.

A second judgement that knows the first is not a second one. What the first said, in a verdict, in a note or
by an expert whose opinion they attached, stays hidden from a reviewer who has not given a security verdict,
until two persons have given theirs (R-164; policy ``highrisk.two_reviewers``). Who supervises and does not
review reads all of it, at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.core.actor import Actor, Role

JUDGED = ("held_cross_border", "human_review")  # a decided request hides nothing any more
SAID = ("verdicts", "notes", "opinions")
TOLD = ("which", "by", "organisation", "at", "hidden")  # that somebody has spoken, not what was said


def speakers(verdicts: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The natural persons who have given a security verdict."""
    return frozenset(one["person"] for one in verdicts if one["which"] == "security")


def unheard(verdicts: Sequence[Mapping[str, Any]], two: bool) -> bool:
    """Whether a second reviewer has still to speak. ``two``: the request needs two."""
    return two and len(speakers(verdicts)) < 2


def seen_by(actor: Actor, state: str, status: Mapping[str, Any]) -> dict[str, Any]:
    """``status`` of a request as ``actor`` may see it.

    ``status["two_reviewers"]`` was recorded with what was said; where it is missing, two are taken to be
    needed. Of what is hidden ``TOLD`` remains.
    """
    given = status.get("verdicts", ())
    hides = (
        actor.role == Role.REVIEWER
        and state in JUDGED
        and unheard(given, status.get("two_reviewers", True))
        and actor.person not in speakers(given)
    )
    if not hides:
        return dict(status)
    return {**status, **{key: _hidden(actor, status[key]) for key in SAID if status.get(key)}}


def _hidden(actor: Actor, said: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What ``actor`` said themselves, and of the rest that it was said."""
    return [
        one
        if one["person"] == actor.person
        else {key: value for key, value in {**one, "hidden": True}.items() if key in TOLD}
        for one in said
    ]
