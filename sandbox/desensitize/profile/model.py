"""What a profile says. Pure data, read by both planes; no value of the data is in it, only counts.

The JSON form is a public contract (docs/profile.md): keys are added, never renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Bound

from sandbox.desensitize.profile.reasons import sentence
from sandbox.pii.classes import Statutory, Strength

FORMAT = 1
MOST_FIELDS = 2000


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class About(StrEnum):
    """Whose attributes the table holds: one row tells of a person, an enterprise, or neither."""

    PERSON = "person"
    ENTERPRISE = "enterprise"
    OTHER = "other"
    AGGREGATE = "aggregate"


class Reason(_Model):
    """Why something is proposed: a stable code (``reasons.REASONS``) and counts, shares or closed words."""

    code: str = Bound(pattern="^[A-Z][A-Z_]{2,40}$")
    counts: Mapping[str, int | float | str] = {}

    def zh(self) -> str:
        """The Chinese sentence."""
        return sentence(self.code, "zh", self.counts)

    def en(self) -> str:
        """The English sentence."""
        return sentence(self.code, "en", self.counts)


class Shape(_Model):
    """Counts of one column. ``distinct`` is exact; ``longest`` in characters of text."""

    rows: int = Bound(ge=0)
    nulls: int = Bound(ge=0)
    distinct: int = Bound(ge=0)
    longest: int = Bound(ge=0)

    @property
    def null_share(self) -> float:
        """0 to 1; of an empty table 0."""
        return self.nulls / self.rows if self.rows else 0.0


class FieldProposal(_Model):
    """What is proposed for one field.

    ``kind``: the closed word for what it holds (a key of the catalogue of identifiers or of ``concepts``),
    "" if nothing is known. ``strength`` and ``statutory`` are the two labels that are kept apart: how far one
    value leads to somebody, and the class of the law. ``confidence``: 0 to 1, of ``kind`` and what follows.
    """

    name: str
    type: Literal["string", "integer", "number", "decimal", "date", "datetime", "boolean"]
    kind: str = ""
    category: str
    level: int = Bound(ge=1, le=4)
    flags: tuple[Literal["personal", "sensitive_personal", "enterprise_confidential"], ...] = ()
    role: Literal["identifier", "quasi", "sensitive", "other"] = "other"
    strength: Strength = Strength.NONE
    statutory: Statutory = Statutory.NONE
    confidence: float = Bound(ge=0, le=1)
    reasons: tuple[Reason, ...] = ()
    conflict: bool = False
    shape: Shape


class Combination(_Model):
    """Fields that together single out: ``unique`` of ``entities`` are alone with their values."""

    columns: tuple[str, ...]
    entities: int
    unique: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.unique / self.entities if self.entities else 0.0


class Dependency(_Model):
    """``columns`` determine ``determines`` in the share ``holds`` (0 to 1) of the rows looked at."""

    columns: tuple[str, ...]
    determines: str
    holds: float


class Profile(_Model):
    """The whole proposal for one table."""

    format: int = FORMAT
    rows: int
    about: About
    fields: tuple[FieldProposal, ...] = Bound(max_length=MOST_FIELDS)
    entity: str | None = None
    sensitive_group: bool = False
    reasons: tuple[Reason, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    combinations: tuple[Combination, ...] = ()

    def field(self, name: str) -> FieldProposal:
        """The proposal for the field ``name``; raises KeyError."""
        return {one.name: one for one in self.fields}[name]
