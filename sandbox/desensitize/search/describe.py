"""What the operator says: fields with their roles and hierarchies, and what the result must satisfy.

::

    fields:
      - {name: age, role: quasi, hierarchy: {by: age}}
      - {name: district, role: quasi, hierarchy: {by: prefix, lengths: [4, 2]}}
      - {name: education, role: quasi, hierarchy: {by: file, path: education.csv}}
      - {name: disease, role: sensitive}
      - {name: person, role: identifier}
      - {name: visits, role: other}
    entity: person
    queries:
      - {age: {from: 20, to: 39}, education: [本科, 硕士]}

Default deny: a column that is not named, and an identifier, is not in the product. ``entity`` is the column
that tells entities apart; without one the verdict is never *anonymised*, unless ``one_row_each`` says that
every row is an entity of its own. Fields may be pasted from a catalogue entry or a proposed one: of what it
says besides ``sensitive_group`` doubles the k that a release asks for (R-136), and a field with a personal
flag whose role says nothing is an identifier, as is the entity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sandbox.core.errors import fail
from sandbox.desensitize.measures import RELEASES
from sandbox.desensitize.required import needs_desensitising
from sandbox.desensitize.search import codes  # noqa: F401  (defines the error codes)
from sandbox.desensitize.search.hierarchy import HierarchySpec
from sandbox.desensitize.search.losses import LossSpec
from sandbox.desensitize.search.models import Model

Release = Literal["public", "controlled", "enclave"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class FieldSpec(BaseModel):
    """One column. ``ordered``: the distance of a sensitive column is that of ordered values; ``hierarchy``
    of a sensitive column: it is the hierarchical one. ``by_group``: Mondrian writes groups of the hierarchy,
    not ranges of numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    role: Literal["quasi", "sensitive", "identifier", "other"] = "other"
    hierarchy: HierarchySpec | None = None
    ordered: bool = False
    by_group: bool = False
    # of a catalogue entry
    title_zh: str | None = None
    title_en: str | None = None
    type: str | None = None
    category: str | None = None
    level: int | None = None
    flags: tuple[str, ...] = ()


class Description(BaseModel):
    """See the module's text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: Annotated[tuple[FieldSpec, ...], Field(min_length=1)]
    entity: str | None = None
    one_row_each: bool = False
    sensitive_group: bool = False
    queries: tuple[dict[str, Any], ...] = ()

    def role(self, field: FieldSpec) -> str:
        """What a field is: an identifier if it is the entity or ``needs_desensitising``, else its role."""
        named = field.name == self.entity or needs_desensitising(field.model_dump(include={"role", "flags"}))
        return "identifier" if named else field.role

    def named(self, role: str) -> tuple[str, ...]:
        """The columns of a role."""
        return tuple(field.name for field in self.fields if self.role(field) == role)

    def with_quasi(self, names: tuple[str, ...]) -> Description:
        """The same with ``names`` as quasi-identifiers: hidden ones that a profile found. A sensitive column
        or an identifier keeps its role; what is not described is not in the product and needs none."""
        return self.model_copy(
            update={
                "fields": tuple(
                    field.model_copy(update={"role": "quasi"})
                    if field.name in names and field.role == "other" and field.name != self.entity
                    else field
                    for field in self.fields
                )
            }
        )


class Wanted(BaseModel):
    """What the result must satisfy and how it is sought.

    ``k``: None for what the release asks for; less than that may be sought, and is no anonymity. ``l`` with
    ``diversity`` distinct, entropy or recursive (then ``c``); ``t``; ``alpha``; ``beta`` (``enhanced_beta``:
    the enhanced kind); ``delta`` in bits: of every sensitive column. ``suppress``: part of the rows that may
    be left out (lattice only). ``frontier``: levels of k for which both methods are tried, too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    l: Positive | None = None  # noqa: E741  (the literature's name)
    diversity: Literal["distinct", "entropy", "recursive"] = "distinct"
    c: Positive = 3.0
    t: Annotated[float, Field(ge=0, le=1)] | None = None
    alpha: Annotated[float, Field(gt=0, le=1)] | None = None
    beta: Positive | None = None
    enhanced_beta: bool = False
    delta: Positive | None = None
    suppress: Annotated[float, Field(ge=0, le=1)] = 0.0
    release: Release = "controlled"
    method: Literal["lattice", "mondrian"] = "lattice"
    relaxed: bool = False
    loss: LossSpec = LossSpec()
    frontier: tuple[Annotated[int, Field(ge=2)], ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Wanted:
        if self.method == "mondrian" and self.suppress:
            raise ValueError("suppress")
        if self.relaxed and self.method != "mondrian":
            raise ValueError("relaxed")
        return self

    @property
    def least(self) -> int:
        """k, or that of the release."""
        return self.k if self.k is not None else self.of_release

    @property
    def of_release(self) -> int:
        """The least k whose highest risk the release accepts (GB/T 42460-2023)."""
        return math.ceil(1 / RELEASES[self.release])

    def models(self, fields: tuple[FieldSpec, ...], k: int | None = None) -> tuple[Model, ...]:
        """The models for the sensitive ones of ``fields``; ``k`` in place of that asked for."""
        found = [Model(kind="k", at_least=k if k is not None else self.least)]
        kinds = {"distinct": "distinct_l", "entropy": "entropy_l", "recursive": "recursive"}
        for field in fields:
            if field.role != "sensitive":
                continue
            distance = "ordered" if field.ordered else "hierarchical" if field.hierarchy else "equal"
            asked: list[dict[str, Any]] = []
            if self.l is not None:
                asked.append({"kind": kinds[self.diversity], "at_least": self.l, "c": self.c})
            if self.t is not None:
                asked.append({"kind": "t", "at_most": self.t, "distance": distance})
            if self.alpha is not None:
                asked.append({"kind": "alpha", "at_most": self.alpha})
            if self.beta is not None:
                kind = "enhanced_beta" if self.enhanced_beta else "beta"
                asked.append({"kind": kind, "at_most": self.beta})
            if self.delta is not None:
                asked.append({"kind": "delta", "at_most": self.delta})
            found += [Model(column=field.name, **one) for one in asked]
        return tuple(found)


def _checked(model: type[BaseModel], given: Any, what: str) -> Any:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or what
        raise fail("ANONYMISE_MALFORMED", field=where) from None


def described(given: Any) -> Description:
    """A checked description; a bare list is that of the fields. Raises ANONYMISE_MALFORMED, ANONYMISE_COLUMN
    (a column twice, an entity that is a quasi-identifier or sensitive)."""
    found: Description = _checked(
        Description, {"fields": given} if isinstance(given, list) else given, "fields"
    )
    names = [field.name for field in found.fields]
    for name in names:
        if names.count(name) > 1:
            raise fail("ANONYMISE_COLUMN", column=name)
    kept = {field.name for field in found.fields if field.role in ("quasi", "sensitive")}
    if found.entity is not None and (found.entity in kept or found.one_row_each):
        raise fail("ANONYMISE_COLUMN", column=found.entity)
    return found


def wanted(given: Mapping[str, Any]) -> Wanted:
    """Checked requirements. Raises ANONYMISE_MALFORMED."""
    found: Wanted = _checked(Wanted, given, "options")
    return found
