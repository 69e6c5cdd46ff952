"""What a demonstration keeps: each data set on its way, and what the last page tells."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from sandbox.demo.data import DataSet

POINTS_NOTE = {"zh": "已看证据", "en": "evidence read"}
CONTRACT = hashlib.sha256("开发利用协议（演示）".encode()).hexdigest()


@dataclass
class Ledger:
    """What the last page tells: what went in, what left, what was refused."""

    went_in: list[tuple[str, int, str]] = field(default_factory=list)  # name, rows, hash
    left: list[tuple[str, str, int]] = field(default_factory=list)  # file, hash, bytes
    refused: list[tuple[str, str, str]] = field(default_factory=list)  # zh, en, code
    facts: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Case:
    """One data set on its way."""

    data: DataSet
    scenario: str = ""
    supply: str = ""
    product: str = ""
    job: str = ""
    request: str = ""

    @property
    def entry(self) -> str:
        """The catalogue entry's id."""
        return f"ce-{self.data.name}"

    @property
    def purpose(self) -> str:
        """The one purpose of its scenario."""
        return f"{self.data.name}-statistics"
