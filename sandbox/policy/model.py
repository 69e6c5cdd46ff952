"""A profile: a jurisdiction's values, resolved over its parents, each with where it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field

from sandbox.core.errors import SandboxError, fail
from sandbox.policy import codes as _codes  # noqa: F401  (adds its rows to the error table)
from sandbox.policy.parameter import Order
from sandbox.policy.parameters import PARAMETERS

_EXPIRY_WARNING = timedelta(days=90)


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Entry(_Strict):
    """One value with its basis: ``stated`` names the article, ``default`` gives the reason."""

    value: Any
    basis: Literal["stated", "default"]
    cite: str = ""
    note: str = ""


class Header(_Strict):
    """Who a profile is. ``version`` is a semantic version and changes with every edit."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")
    title: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    extends: str | None = None
    status: Literal["draft", "in_force"]


class Document(_Strict):
    """One YAML file as written."""

    profile: Header
    parameters: dict[str, Entry]


@dataclass(frozen=True)
class Source:
    """What one profile of the chain says about a parameter; ``silent`` if it says nothing."""

    profile: str  # name@version
    basis: Literal["stated", "default", "silent"]
    value: Any = None
    cite: str = ""
    note: str = ""
    applies: bool = False  # this one gave the value in force


@dataclass(frozen=True)
class Disagreement:
    """Two profiles of a chain *state* different values; ``kind`` says how it was settled."""

    key: str
    kind: Literal["stricter", "differs"]  # differs: the values have no order, the nearer one applies
    profile: str
    value: Any
    parent: str
    parent_value: Any


@dataclass(frozen=True)
class Difference:
    """One row of a comparison of two profiles. ``same_value``: only basis or citation differ."""

    key: str
    left: Source
    right: Source
    same_value: bool


@dataclass(frozen=True)
class Profile:
    """A resolved profile. ``chain`` runs from the profile itself to the root of its parents."""

    chain: tuple[Document, ...]

    @property
    def header(self) -> Header:
        """The header of the profile itself."""
        return self.chain[0].profile

    @property
    def name(self) -> str:
        """E.g. ``guizhou``."""
        return self.header.name

    @property
    def id(self) -> str:
        """``name@version``, of a draft ``name@version-draft``, as kept with every decision made under it
        (R-207, R-208)."""
        return f"{_id(self.chain[0])}-draft" if self.draft else _id(self.chain[0])

    @property
    def draft(self) -> bool:
        """Whether the profile or its instrument is a draft; every decision under it must show that."""
        return self.header.status == "draft" or self._values.get("instrument.status") == "draft"

    @cached_property
    def _values(self) -> dict[str, Any]:
        """Resolved values: the nearest profile that has an entry gives it."""
        resolved: dict[str, Any] = {}
        for document in self.chain:
            for key, entry in document.parameters.items():
                resolved.setdefault(key, entry.value)
        return dict(sorted(resolved.items()))

    def values(self) -> dict[str, Any]:
        """All resolved values as plain JSON, a fresh copy: what is passed into a container."""
        return {key: _copy(value) for key, value in self._values.items()}

    @cached_property
    def sha256(self) -> str:
        """Hash over the RFC 8785 canonical JSON of the resolved values, 64 hex digits."""
        return hashlib.sha256(rfc8785.dumps(self._values)).hexdigest()

    def get(self, key: str) -> Any:
        """The value of ``key``. Raises POLICY_MISSING, there is no silent default. None is a value."""
        if key not in self._values:
            raise fail("POLICY_MISSING", profile=self.id, key=key)
        return _copy(self._values[key])

    def explain(self, key: str) -> tuple[Source, ...]:
        """What each profile of the chain says of ``key``, from this profile up to the root.

        Exactly one source ``applies``. Raises POLICY_MISSING.
        """
        self.get(key)
        sources: list[Source] = []
        found = False
        for document in self.chain:
            entry = document.parameters.get(key)
            if entry is None:
                sources.append(Source(_id(document), "silent"))
                continue
            value = _copy(entry.value)
            sources.append(Source(_id(document), entry.basis, value, entry.cite, entry.note, not found))
            found = True
        return tuple(sources)

    def basis(self, key: str) -> tuple[Any, str, str, str]:
        """Value, basis, citation and note of ``key``: what a report says of a threshold. As ``source``."""
        told = self.source(key)
        return told.value, told.basis, told.cite, told.note

    def source(self, key: str) -> Source:
        """The source that gives ``key`` its value. Raises POLICY_MISSING."""
        return next(source for source in self.explain(key) if source.applies)

    @cached_property
    def disagreements(self) -> tuple[Disagreement, ...]:
        """Where a profile of the chain states other than an ancestor states (R-206: it is reported)."""
        return tuple(_disagreements(self.chain))

    def warnings(self, today: date) -> tuple[SandboxError, ...]:
        """Notices that do not stop the profile: POLICY_DRAFT, POLICY_EXPIRING, POLICY_EXPIRED.

        Expiry is known when both ``instrument.effective_date`` and ``instrument.validity_years`` are.
        """
        found: list[SandboxError] = []
        if self.draft:
            found.append(fail("POLICY_DRAFT", profile=self.id))
        begins, years = self.get("instrument.effective_date"), self.get("instrument.validity_years")
        if begins is not None and years is not None:
            ends = _years_after(date.fromisoformat(begins), years)
            code = "POLICY_EXPIRED" if today >= ends else "POLICY_EXPIRING"
            if today >= ends - _EXPIRY_WARNING:
                found.append(fail(code, profile=self.id, date=ends.isoformat()))
        return tuple(found)


def diff(left: Profile, right: Profile) -> tuple[Difference, ...]:
    """Parameters whose value, basis or citation differ between two profiles, in key order."""
    rows: list[Difference] = []
    for key in sorted(PARAMETERS):
        a, b = left.source(key), right.source(key)
        if (a.value, a.basis, a.cite) != (b.value, b.basis, b.cite):
            rows.append(Difference(key, a, b, a.value == b.value))
    return tuple(rows)


def document_problems(document: Document, file: str) -> Iterator[SandboxError]:
    """What is wrong in one file by itself: unknown keys, values, missing cites and notes."""
    for key, entry in document.parameters.items():
        parameter = PARAMETERS.get(key)
        if parameter is None:
            yield fail("POLICY_UNKNOWN_PARAMETER", file=file, key=key)
        elif why := parameter.problem(entry.value):
            yield fail("POLICY_VALUE", file=file, key=key, why=why, expected=parameter.expected)
        if entry.basis == "stated" and not entry.cite:
            yield fail("POLICY_CITE_MISSING", file=file, key=key)
        if entry.basis == "default" and not entry.note:
            yield fail("POLICY_NOTE_MISSING", file=file, key=key)


def chain_problems(chain: tuple[Document, ...]) -> Iterator[SandboxError]:
    """What is wrong in a stack of sound files: a value weaker than a stated one above it, gaps.

    Only *stated* values of an ancestor are floors; its defaults may be replaced either way (R-206).
    """
    for i, document in enumerate(chain):
        for key, entry in document.parameters.items():
            for ancestor in chain[i + 1 :]:
                floor = ancestor.parameters.get(key)
                if floor and floor.basis == "stated" and PARAMETERS[key].weaker(entry.value, floor.value):
                    yield fail(
                        "POLICY_WEAKER",
                        child=_id(document),
                        parent=_id(ancestor),
                        key=key,
                        value=_text(entry.value),
                        floor=_text(floor.value),
                        cite=floor.cite,
                    )
    missing = sorted(PARAMETERS.keys() - {key for document in chain for key in document.parameters})
    if missing:
        yield fail("POLICY_INCOMPLETE", profile=_id(chain[0]), keys=", ".join(missing))


def _disagreements(chain: tuple[Document, ...]) -> Iterator[Disagreement]:
    for i, document in enumerate(chain):
        for key, entry in document.parameters.items():
            order = PARAMETERS[key].order
            if entry.basis != "stated" or order is Order.OWN:
                continue
            for ancestor in chain[i + 1 :]:
                other = ancestor.parameters.get(key)
                if other and other.basis == "stated" and other.value != entry.value:
                    kind: Literal["stricter", "differs"] = "differs" if order is Order.NONE else "stricter"
                    yield Disagreement(key, kind, _id(document), entry.value, _id(ancestor), other.value)


def _id(document: Document) -> str:
    return f"{document.profile.name}@{document.profile.version}"


def _text(value: Any) -> str:
    """A value as it stands in JSON, for a message."""
    return rfc8785.dumps(value).decode()


def _copy(value: Any) -> Any:
    """A deep copy of a JSON value, so that no caller can change a profile."""
    if isinstance(value, list):
        return [_copy(item) for item in value]
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return value


def _years_after(day: date, years: int) -> date:
    """The same day ``years`` later; 29 February becomes 1 March."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
