"""What a check is given of the ledger, and what it leaves for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sandbox.egress.ledger import store
from sandbox.egress.ledger.books import Book


@dataclass
class Ledger:
    """``folder``: the earlier releases, one folder each; ``key``: of the entity hashes; ``out``: where the
    cells of this request are written; ``about``: its scenario and recipient, for the record."""

    key: bytes
    folder: Path | None = None
    out: Path | None = None
    about: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def books(self) -> list[Book]:
        """Every book of every earlier release. Raises ``EGRESS_LEDGER``."""
        return store.read(self.folder) if self.folder else []

    @cached_property
    def seen(self) -> list[str]:
        """Ids of the releases compared with: what is not among them was not looked at."""
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir()) if self.folder else []
