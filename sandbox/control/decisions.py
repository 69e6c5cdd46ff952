"""What needs a fresh confirmation of identity in the console, and which scope of a token each call needs.

One table for both: the acts that decide, halt or open something, or that say who may come in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

NAME = re.compile(r"^[a-z][a-z0-9_-]{1,40}\Z")

# kind -> events. A test holds each against the lifecycle tables.
DECISIONS: dict[str, frozenset[str]] = {
    "organisation": frozenset({"activate", "suspend", "resume", "leave"}),
    "catalogue-entry": frozenset({"confirm", "include", "make_conditional", "exclude", "withdraw"}),
    "negative-list-entry": frozenset({"create", "lift"}),
    "agreement": frozenset(
        {
            "approve",
            "sign",
            "activate",
            "suspend",
            "resume",
            "terminate",
            "hand_over",
            "verify_deletion",
            "close",
        }
    ),
    "scenario": frozenset(
        {"pass_form", "return", "assess", "approve", "reject", "contract", "accept"}
        | {"approve_amendment", "reject_amendment", "revoke"}
    ),
    "supply": frozenset({"pause", "resume", "emergency_stop"}),
    "job": frozenset({"kill"}),
    "egress-request": frozenset({"clear", "give_verdict", "approve", "return", "reject", "recall"}),
    "product": frozenset({"offer", "register", "suspend", "withdraw", "recall"}),
    "reidentification": frozenset({"approve", "refuse", "revoke"}),
    "rectification": frozenset({"create", "verify", "refuse", "decide_termination"}),
}


class Scope(StrEnum):
    """What a token may be used for; each holds the ones before it."""

    READ = "read"
    ACT = "act"
    DECIDE = "decide"

    def covers(self, needed: Scope) -> bool:
        """Whether a token of this scope may do what needs ``needed``."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class Use:
    """What a token is about to be used for; ``event`` and ``object`` are what a refusal says in the log."""

    scope: Scope
    event: str
    object: str


ANYTHING = Use(Scope.DECIDE, "use-token", "token/-")  # where nothing less is said


def needs_step_up(kind: str, event: str) -> bool:
    """Whether ``event`` of ``kind`` is a decision."""
    return event in DECISIONS.get(kind, frozenset())


def use_of(kind: str, id: str, event: str) -> Use:
    """A creation or a transition: a decision needs the widest scope, anything else the middle one."""
    scope = Scope.DECIDE if needs_step_up(kind, event) else Scope.ACT
    return Use(scope, named(event), f"{named(kind)}/{named(id)}")


def named(text: str) -> str:
    """``text`` where it can be the name of something, else "-": the log repeats nothing that is only sent."""
    return text if NAME.match(text) else "-"
