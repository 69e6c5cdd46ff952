"""From columns to a proposal: whose table it is, its entity, and what each field is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from sandbox.desensitize.profile import across, relations
from sandbox.desensitize.profile.concepts import CLASS_OF_LAW, concept
from sandbox.desensitize.profile.content import per_cent
from sandbox.desensitize.profile.decide import Decision, decide
from sandbox.desensitize.profile.entity import ATTRIBUTES, FIRM_KINDS, chosen, entity_of, names_person
from sandbox.desensitize.profile.model import (
    About,
    Combination,
    Dependency,
    FieldProposal,
    Profile,
    Reason,
    Shape,
)
from sandbox.desensitize.profile.table import Table, days
from sandbox.desensitize.profile.values import NOTHING
from sandbox.pii.classes import CLASSES, Statutory, Strength

_NO_QUASI = frozenset({"number", "remark", "count", "amount", "income", "turnover"})
_NO_ROLE = ("identifier", "sensitive")
_MINOR_YEARS, _MINORS = 14, 0.5
_AIDED = frozenset(
    {"health", "patient", "medical", "medical_insurance", "disability_card", "aid", "minor_guardian"}
)
_COMMON = "业务信息"
_GRID = 0.2  # share of the grid of its classifying fields that an aggregate fills, at least


def profile(table: Table, entity: str | None = None) -> Profile:
    """The proposal for ``table``. ``entity``: the column that is declared to name it, if any; the
    profile's own is another where that one cannot be (``entity.chosen``)."""
    decisions = [decide(column) for column in table.columns]
    across.with_identity(table, decisions)
    across.ages(table, decisions)
    across.coordinates(decisions)
    across.surnames(decisions)
    single = relations.single_keys(table)
    coded = relations.codes(table, [one.column.name for one in decisions])
    keys = [(name,) for name in single] or relations.composite_keys(table, coded, single)
    dependencies = relations.dependencies(coded, single)
    about, reasons = _about(table, decisions, coded)
    _settle(decisions, about)
    counted = chosen(entity, entity_of(table, decisions, coded, about), decisions)
    combinations: list[Combination] = []
    if about in (About.PERSON, About.OTHER):
        twins = _twins(dependencies)
        free = [one for one in decisions if _may_single_out(one) and one.column.name not in {counted, *twins}]
        # What people know of each other first, then what has most values.
        free.sort(key=lambda one: (not _known_quasi(one), -len(one.column.distinct)))
        combinations = relations.singling_out(table, coded, [one.column for one in free], counted)
    group, more = _sensitive_group(table, decisions, counted, about)
    fields = tuple(
        _field(one, about, combinations, one.column.name in single, group and _young(more))
        for one in decisions
    )
    return Profile(
        rows=table.rows,
        about=about,
        fields=fields,
        entity=counted,
        sensitive_group=group,
        reasons=(*reasons, *more),
        keys=tuple(keys),
        dependencies=tuple(dependencies),
        combinations=tuple(combinations),
    )


def _twins(dependencies: Sequence[Dependency]) -> set[str]:
    """Of two fields that determine each other, a code and its name say, the one that comes later."""
    pairs = [(d.columns[0], d.determines) for d in dependencies if len(d.columns) == 1]
    return {right for n, (left, right) in enumerate(pairs) if (right, left) in pairs[n + 1 :]}


def _mostly_different(one: Decision) -> bool:
    return len(one.column.distinct) >= 0.9 * max(1, one.column.full)


def _about(table: Table, decisions: Sequence[Decision], coded: relations.Codes) -> tuple[About, list[Reason]]:
    """Whom a row tells of: a firm's own number in nearly every row beside no attribute of a person is of
    a firm; else whoever is named."""
    sure = [one for one in decisions if one.kind and not one.waits]
    persons = [one for one in sure if names_person(one) and not one.some]
    attributes = [one for one in sure if one.kind in ATTRIBUTES]
    told = {one.kind for one in attributes}
    firms = [one for one in sure if one.kind in FIRM_KINDS and not one.some]
    if any(_mostly_different(one) for one in firms) and not told - {
        "income",
        "nationality",
        "education",
        "health",
    }:
        return About.ENTERPRISE, [Reason(code="ABOUT_ENTERPRISES", counts={"fields": len(firms)})]
    if not persons and (found := _aggregate(table, decisions, coded)) is not None:
        return About.AGGREGATE, [found]
    content = any(one.kind == "birth_date" and one.confidence >= 0.8 for one in attributes)
    if persons or len(told) >= 2 or content:
        count = len(persons) + len(attributes)
        return About.PERSON, [Reason(code="ABOUT_PERSONS", counts={"fields": count})]
    if firms:
        return About.ENTERPRISE, [Reason(code="ABOUT_ENTERPRISES", counts={"fields": len(firms)})]
    return About.OTHER, []


def _aggregate(table: Table, decisions: Sequence[Decision], coded: relations.Codes) -> Reason | None:
    """Classifying fields with few values that fill their grid and are the key together: a table of counts."""
    measures = [one for one in decisions if one.column.type in ("number", "decimal", "integer")]
    classes = [
        one.column.name for one in decisions
        if 1 < len(one.column.distinct) <= max(2, 0.5 * table.rows)
        and one.column.type not in ("number", "decimal")
        and (one.column.type != "integer" or one.kind == "event_time")
    ]  # fmt: skip
    if not classes or len(measures) < 1 or table.rows < 2 or len(classes) > 6:
        return None
    grid = float(np.prod([float(max(1, coded.sizes[name])) for name in classes]))
    unique = bool(not relations.frame_of(table, classes).is_duplicated().any())
    filled = min(1.0, table.rows / grid)
    if not unique or filled < _GRID:
        return None
    return Reason(code="AGGREGATE", counts={"dimensions": len(classes), "share": per_cent(filled)})


def _settle(decisions: Sequence[Decision], about: About) -> None:
    """What waited for the table: a form without check digit counts beside persons, and nowhere else."""
    for one in decisions:
        if one.waits:
            if about is About.PERSON and one.kind != "organisation":
                one.confidence = max(one.confidence, 0.6)
            else:
                one.kind, one.confidence = "", 0.0
            one.waits = False
        if one.kind == "organisation" and about is About.PERSON:
            one.kind = "employer"
        if one.kind == "income" and about is About.ENTERPRISE:
            one.kind = "turnover"
        if one.kind == "amount" and about is About.ENTERPRISE:
            one.kind, one.confidence = "turnover", 0.55


def _known_quasi(one: Decision) -> bool:
    return bool(one.kind) and concept(one.kind).role == "quasi"


def _may_single_out(one: Decision) -> bool:
    column = one.column
    if one.some or one.opaque or one.kind in _NO_QUASI:
        return False
    measured = column.type in ("number", "decimal") and len(column.distinct) > 50
    if measured or (one.kind and concept(one.kind).role in _NO_ROLE):
        return False
    if column.type in ("date", "datetime") or one.kind == "birth_date":
        return len(column.distinct) > 1
    return 1 < len(column.distinct) <= 0.5 * max(2, column.full) and column.longest <= 60


def _young(reasons: Sequence[Reason]) -> bool:
    return any(one.code == "MINORS" and float(one.counts["share"]) >= 100 * _MINORS for one in reasons)


def _sensitive_group(
    table: Table, decisions: Sequence[Decision], entity: str | None, about: About
) -> tuple[bool, list[Reason]]:
    """Whether the table is of minors, patients or aided persons, and why."""
    if about is not About.PERSON:
        return False, []
    reasons = []
    share, count = _minors(table, decisions, entity)
    if count:
        reasons.append(Reason(code="MINORS", counts={"count": count, "share": per_cent(share)}))
    aided = sum(one.kind in _AIDED and one.confidence >= 0.6 and _mostly_ill(one) for one in decisions)
    if aided:
        reasons.append(Reason(code="AIDED_GROUP", counts={"fields": aided}))
    return share >= _MINORS or aided > 0, reasons


def _mostly_ill(one: Decision) -> bool:
    """Whether most cells of a column about health tell of something: a hospital's do, a register's do not."""
    if one.kind != "health":
        return True
    column = one.column
    nothing = column.folded.str.strip_chars().str.to_lowercase().is_in(list(NOTHING)).to_numpy()
    return float(column.cells[~nothing].sum()) >= 0.5 * max(1, column.rows)


def _minors(table: Table, decisions: Sequence[Decision], entity: str | None) -> tuple[float, int]:
    """Share and number of the entities younger than fourteen, by day of birth, identity number or age."""
    source = next((one for kind in ("birth_date", "resident_id", "age") for one in decisions
                   if one.kind == kind and not one.some and not one.conflict), None)  # fmt: skip
    if source is None:
        return 0.0, 0
    text = source.column.distinct
    limit = date.today().replace(day=1)  # noqa: DTZ011
    if source.kind == "age":
        years = text.str.extract(r"^([0-9]+(?:\.[0-9]+)?) ?(?:周?岁)?$", 1).cast(pl.Float64, strict=False)
        months = text.str.contains(r"^[0-9]{1,3} ?(?:个?月|天|日)$")
        young = ((years < _MINOR_YEARS) | months).fill_null(False)
    else:
        born = days(source.column, text) if source.kind == "birth_date" else (
            text.str.extract("([0-9]{17}[0-9Xx])", 1).str.slice(6, 8).str.to_date("%Y%m%d", strict=False)
        )  # fmt: skip
        young = (born > limit.replace(year=limit.year - _MINOR_YEARS)).fill_null(False)
    if not bool(young.any()):
        return 0.0, 0
    known = {column.name: column for column in table.columns}
    if entity is None or entity == source.column.name:
        cells = source.column.cells[young.to_numpy()]
        count, total = int(cells.sum()), source.column.full
        if entity:
            count, total = int(young.sum()), len(text)
    else:
        frame = (
            pl.DataFrame({"e": known[entity].values, "v": source.column.values.cast(pl.String)})
            .drop_nulls()
            .unique()
        )
        values = pl.DataFrame({"v": text, "y": young})
        joined = frame.join(values, on="v")
        count, total = int(joined.filter("y")["e"].n_unique()), int(frame["e"].n_unique())
    return count / max(1, total), count


def _field(
    one: Decision, about: About, combinations: Sequence[Combination], key: bool, minors: bool
) -> FieldProposal:
    """The proposal for one column."""
    column = one.column
    shape = Shape(rows=column.rows, nulls=column.nulls, distinct=len(column.distinct), longest=column.longest)
    made: dict[str, Any] = {
        "name": column.name, "type": _stored(one), "kind": one.kind, "category": _COMMON, "level": 1,
        "flags": (), "role": "other", "strength": Strength.NONE, "statutory": Statutory.NONE,
        "confidence": round(one.confidence, 2), "conflict": one.conflict, "shape": shape,
    }  # fmt: skip
    if one.kind:
        made |= _labels(one, about)
    if about is About.PERSON:
        _beside_persons(one, made, combinations, minors)
    if one.opaque and not one.kind and about is About.PERSON and len(column.distinct) >= 0.5 * column.full:
        made |= {"level": 3, "flags": ("personal",), "statutory": Statutory.PERSONAL, "confidence": 0.5}
        one.because("PSEUDONYM")
    if key:
        one.because("KEY")
        if column.type == "integer" and _running(one):
            one.because("SEQUENCE")
    if not one.reasons:
        one.because("NOTHING")
    if not one.kind and column.full:
        made["confidence"] = max(made["confidence"], 0.6)
    return FieldProposal(**made, reasons=tuple(one.reasons))


def _stored(one: Decision) -> str:
    """The type to store it as: numbers that name something are text, whatever they look like."""
    column = one.column
    if column.values.dtype != pl.String:
        return column.type
    named = one.kind in ("division", "postcode") or (one.kind and concept(one.kind).role == "identifier")
    return "string" if named or column.declared else column.type


def _running(one: Decision) -> bool:
    values = one.column.numbers
    return len(values) > 2 and float(values.max() - values.min()) + 1 <= 1.05 * len(values)


def _labels(one: Decision, about: About) -> dict[str, Any]:
    """Category, level, flags, role and the two labels of a kind, in a table that is ``about`` whom."""
    known = concept(one.kind)
    told = CLASSES.get(one.kind)
    place = one.kind in ("address", "address_room", "coordinates")
    of_person = about is About.PERSON or (not known.needs_person and not place) or one.kind == "person_name"
    if one.kind == "landline" and about is not About.PERSON:
        of_person = False  # an office's telephone
    if known.statutory is Statutory.ENTERPRISE:
        return _of_firm(one, about)
    if not of_person or known.statutory is Statutory.NONE:
        category = "企业登记信息" if about is About.ENTERPRISE else _COMMON
        return {"category": category, "level": 1, "confidence": round(min(one.confidence, 0.7), 2)}
    flags: tuple[str, ...] = ("personal",)
    if known.statutory is Statutory.SENSITIVE_PERSONAL:
        flags = ("personal", "sensitive_personal")
        if one.kind in CLASS_OF_LAW:
            zh, en = CLASS_OF_LAW[one.kind]
            one.because("STATUTORY", zh=zh, en=en)
        elif one.kind == "income":
            one.because("MONEY_OF_PERSONS")
    strength = told.strength if told else known.strength
    return {"category": known.category, "level": known.level, "flags": flags, "role": known.role,
            "strength": strength, "statutory": known.statutory}  # fmt: skip


def _of_firm(one: Decision, about: About) -> dict[str, Any]:
    """What concerns enterprises: their names and numbers are public, their figures are not."""
    known = concept(one.kind)
    if known.role == "identifier":
        return {"category": known.category, "level": known.level, "role": "identifier",
                "strength": known.strength, "statutory": Statutory.ENTERPRISE}  # fmt: skip
    if about is not About.ENTERPRISE:
        return {"category": _COMMON, "level": 1, "role": "other"}
    one.because("VALUE_OF_ENTERPRISES")
    return {"category": known.category, "level": known.level, "role": "sensitive",
            "flags": ("enterprise_confidential",), "statutory": Statutory.ENTERPRISE}  # fmt: skip


def _beside_persons(
    one: Decision, made: dict[str, Any], combinations: Sequence[Combination], minors: bool
) -> None:
    """In a table of persons: what singles out is a quasi-identifier, and everything describes somebody."""
    if made["level"] == 1:
        made["level"] = 2
        one.because("IN_PERSONS_TABLE")
    telling = next((found for found in combinations if one.column.name in found.columns), None)
    if telling is not None and made["role"] in ("other", "quasi"):
        if made["role"] == "other":
            made |= {"role": "quasi", "flags": made["flags"] or ("personal",)}
            made |= {"statutory": Statutory.PERSONAL, "strength": Strength.INDIRECT}
            made["confidence"] = max(made["confidence"], 0.6)
        one.because(
            "QUASI_COMBINATION",
            others=len(telling.columns) - 1,
            unique=telling.unique,
            share=per_cent(telling.share),
        )
    if minors and "personal" in made["flags"] and "sensitive_personal" not in made["flags"]:
        made["flags"] = ("personal", "sensitive_personal")
        made["statutory"] = Statutory.SENSITIVE_PERSONAL
        one.because("STATUTORY", zh="不满十四周岁未成年人", en="minors under fourteen")
