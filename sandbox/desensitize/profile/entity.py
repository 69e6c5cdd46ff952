"""Which column names the entity that thresholds count: the one the content tells, beside the declared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from sandbox.desensitize.profile import relations
from sandbox.desensitize.profile.concepts import concept
from sandbox.desensitize.profile.decide import Decision
from sandbox.desensitize.profile.model import About
from sandbox.desensitize.profile.table import Table
from sandbox.pii.classes import CLASSES, Strength, Subject

ATTRIBUTES = frozenset(
    {"sex", "age", "ethnicity", "marital", "religion", "politics", "nationality", "birth_date", "education",
     "occupation", "income", "health", "blood", "household_size", "orientation", "crime", "aid", "credit"}
)  # fmt: skip
FIRM_KINDS = frozenset({"uscc", "organisation_code", "business_licence", "organisation"})
_ORDER = (
    "resident_id",
    "passport",
    "patient",
    "student",
    "staff",
    "medical",
    "social",
    "mobile",
    "person_name",
)


def names_person(one: Decision) -> bool:
    known = CLASSES.get(one.kind)
    return one.kind in ("person_name", "person_number") or (
        known is not None and known.subject is Subject.PERSON
    )


def entity_of(
    table: Table, decisions: Sequence[Decision], coded: relations.Codes, about: About
) -> str | None:
    """The column that names the entity: an official number, else one that persons' attributes depend on."""
    if about is About.ENTERPRISE:
        firms = [
            one for one in decisions if one.kind in FIRM_KINDS and one.column.nulls == 0 and not one.some
        ]
        order = sorted(
            firms,
            key=lambda one: (["uscc", "organisation_code", "business_licence", "organisation"]).index(
                one.kind
            ),
        )
        return order[0].column.name if order else None
    if about is not About.PERSON:
        return None
    named = [
        one for one in decisions
        if names_person(one) and not one.some and one.column.nulls <= 0.01 * table.rows
        and concept(one.kind).strength is Strength.DIRECT
    ]  # fmt: skip
    if named:
        named.sort(key=lambda one: (_ORDER.index(one.kind) if one.kind in _ORDER else 99, -one.confidence))
        return named[0].column.name
    fixed = [one.column.name for one in decisions if one.kind in ATTRIBUTES and one.kind != "income"]
    for one in decisions:
        column = one.column
        if one.kind not in ("", "number", "user") or column.nulls or column.type not in ("string", "integer"):
            continue
        if not 0.02 * table.rows <= len(column.distinct) < 0.98 * table.rows:
            continue
        left = np.unique(coded.columns[column.name], return_inverse=True)[1].astype(np.int64)
        held = [
            name
            for name in fixed
            if name != column.name and relations.holds(left, coded.columns[name]) >= 0.99
        ]
        if len(held) >= 2 and len(held) >= 0.7 * len(fixed):
            one.kind, one.confidence, one.conflict = "user", 0.8, False
            one.because("ENTITY_KEY", rows_each=round(table.rows / len(column.distinct), 2), fixed=len(held))
            return column.name
    return None


def chosen(declared: str | None, found: str | None, decisions: Sequence[Decision]) -> str | None:
    """The entity to count by: the declared one, unless that tells rows of one person apart (a visit, say):
    then the one found, which has fewer values where both are filled."""
    named = {one.column.name: one for one in decisions}
    if declared not in named or found is None or found == declared:
        return declared if declared in named else found
    both = pl.DataFrame({name: named[name].column.values for name in (found, declared)}).drop_nulls()
    return found if both[found].n_unique() < both[declared].n_unique() else declared
