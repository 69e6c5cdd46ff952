"""What a space needs of the place where its bytes rest, and how a workspace there may stand."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Protocol

AGREEMENTS, SCRATCH = "agreements", "scratch"


class State(StrEnum):
    """How a workspace stands."""

    OPEN = "open"  # readable now
    CLOSED = "closed"  # its key is known, and not given to the file system
    GONE = "gone"  # the folder is there and its key is not: nothing can read it again
    DAMAGED = "damaged"  # the key record cannot be used
    OTHER_MASTER = "other_master"  # wrapped by another master key than the one at hand


class AtRest(Protocol):
    """Where the bytes of a space rest: ``Vault`` encrypts them, ``Plain`` does not."""

    @property
    def root(self) -> Path: ...

    @property
    def encrypted(self) -> bool: ...

    def create(self) -> None:
        """Make it, and show that it can do what is asked, before anything is entrusted to it; idempotent."""

    def unlock(self) -> None:
        """Have everything there and readable; idempotent, quick when nothing is to be done."""

    def hold(self) -> None:
        """``unlock``, and keep rotation, re-wrapping and locking away while this process lives."""

    def open(self, workspace: str) -> Path:
        """The folder of ``agreement/scenario``, made now if there is none, readable."""

    def folder(self, workspace: str) -> Path:
        """Where the folder of a workspace is, whether or not it is there. MALFORMED for what is no name."""

    def scratch(self) -> Path:
        """The folder for what tasks need while they run."""

    def scenarios(self, agreement: str) -> list[str]:
        """Those of an agreement that have a folder or a key, sorted."""

    def record(self, workspace: str) -> Path | None:
        """The file with its wrapped key, if it has one."""

    def destroy(self, workspace: str) -> bool:
        """Make its content unreadable for good, and remove it; whether there was a key."""
