"""What the control plane needs of a durable engine: a short piece of work per resource, at least once.

The engine keeps no state that matters. A lost row is found again by the reconciler, which asks for
work for every resource in a working state that has none; asking twice is harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Step = Callable[[str], bool]  # one step for ``kind/id``; True: go on, False: nothing left to do now


class Engine(Protocol):
    """At most one live piece of work per ref; steps are at-least-once and so must be idempotent."""

    def enqueue(self, ref: str) -> bool:
        """Ask for work on ``ref``, once: what is live already stays the only one. False if the engine cannot
        be reached now."""

    def live(self) -> set[str]:
        """Refs that have queued or running work. Tables that were thrown away are made anew by a node that
        has been started; then nothing is live."""

    def requeue(self, node: str) -> int:
        """Give the unfinished work of a dead node to the living; how many."""

    def prune(self, seconds: float) -> int:
        """Forget work that ended more than ``seconds`` ago; how many."""

    def start(self, step: Step) -> None:
        """Begin to run work in this process, with ``step``; first what this node left unfinished."""

    def stop(self) -> None:
        """Stop taking work; steps under way are finished by whoever recovers them."""
