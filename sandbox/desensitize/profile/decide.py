"""One column's content against its header: what it is, how surely, and whether the header lies.

Content that can tell wins. A header counts alone only where content can say nothing; where content says that
it cannot be, the header is believed no longer and the conflict is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from sandbox.desensitize.profile.concepts import CONCEPTS, concept, heads, normal
from sandbox.desensitize.profile.content import (
    FORM_ONLY,
    STRONG,
    Candidate,
    candidates,
    opaque,
    outline,
)
from sandbox.desensitize.profile.model import Reason
from sandbox.desensitize.profile.plausible import PLAUSIBLE, day_share, moments
from sandbox.desensitize.profile.table import Column
from sandbox.desensitize.profile.values import VAGUE
from sandbox.pii import checksums
from sandbox.pii.classes import CLASSES
from sandbox.pii.kinds import KINDS
from sandbox.pii.labelled import LABELLED

# Headers that say one of these may stand over content that is another of them.
_ALIKE = (
    frozenset({"resident_id", "resident_id_15", "permanent_residence", "permanent_residence_old", "passport",
               "home_permit", "exit_permit", "hong_kong_id", "hong_kong_id_plain", "macao_id", "taiwan_id",
               "military_id", "disability_card", "passport_line", "social", "driver",
               "person_number", "certificate"}),
    frozenset({"mobile", "landline"}),
    frozenset({"bank_card", "account", "alipay"}),
    frozenset({"address", "address_room"}),
    frozenset({"organisation", "employer", "school"}),
    frozenset({"uscc", "organisation_code", "business_licence"}),
    frozenset({"ipv4", "ipv6"}),
    frozenset({"imei", "device", "mac"}),
    frozenset({"email", "email_spelled", "user"}),
    frozenset({"mobile", "user"}),
    frozenset({"person_name", "minor_guardian"}),
    frozenset({"student", "resident_id"}),
)  # fmt: skip
_STATISTICAL = frozenset({"person_name", "organisation", "birth_date", "division", "health"})
_FIRM_HEADERS = frozenset({"division", "status", "event_time", "nationality", "occupation", "education"})


@dataclass
class Decision:
    """What a column is taken for. ``head``: what its header says; ``some``: only part of its cells are;
    ``waits``: the table must decide (a form without check digit)."""

    column: Column
    kind: str = ""
    confidence: float = 0.0
    reasons: list[Reason] = field(default_factory=list)
    head: str = ""
    conflict: bool = False
    some: bool = False
    waits: bool = False
    opaque: bool = False

    def because(self, code: str, **counts: int | float | str) -> None:
        """Add a reason."""
        self.reasons.append(Reason(code=code, counts=counts))


def _words(kind: str) -> dict[str, str]:
    known = concept(kind)
    return {"zh": known.zh, "en": known.en}


def alike(one: str, other: str) -> bool:
    """Whether a header of ``one`` may stand over content of ``other``."""
    return one == other or any(one in group and other in group for group in _ALIKE)


def _believable(kind: str, column: Column) -> bool:
    """Whether the content does not contradict a header that says ``kind``."""
    if kind in LABELLED:
        return column.share(f"^(?:{LABELLED[kind].value})$") >= 0.5 or _number_like(column, 0.1)
    if kind in CLASSES and concept(kind).plain == "number":
        return _number_like(column)
    if concept(kind).plain == "code":  # of somebody who may have several rows
        return _number_like(column, 0.1, timeless=True)
    return PLAUSIBLE[concept(kind).plain](column)


def _disproved(told: Decision) -> bool:
    """Whether check digits say that the column is not what its header says: nearly every value has the length
    of such a number, and few are one."""
    kind = KINDS.get(told.head)
    if kind is None or kind.scope != "token" or kind.valid is checksums.always:
        return False
    column = told.column
    valid = column.hits.filter(pl.col("kind") == told.head)["index"].n_unique()
    return outline(column, told.head) >= 0.8 * len(column.distinct) and valid < 0.5 * len(column.distinct)


def _number_like(column: Column, different: float = 0.5, timeless: bool = False) -> bool:
    """Whether values may be numbers of somebody whose form the catalogue does not know (other countries):
    mostly different, with digits, of some length, neither days nor measured. ``timeless``: the header leaves
    no doubt, and ten digits that begin with 1 are no seconds since 1970."""
    if column.type not in ("string", "integer") or len(column.distinct) < different * column.full:
        return False
    if column.share(r"[0-9]\.[0-9]") >= 0.5 or (not timeless and moments(column)):
        return False
    if day_share(column) >= 0.9:
        return False
    sizes = column.sample.str.len_chars()
    middle = float(sizes.median() or 0)  # type: ignore[arg-type]
    return 5 <= middle <= 24 and column.share("[0-9].*[0-9].*[0-9]") >= 0.8 and column.share(r"\s\S+\s") < 0.2


def decide(column: Column) -> Decision:
    """Weigh the content of ``column`` against its header."""
    told = Decision(column, head=heads(column.name))
    if not column.full:
        told.because("EMPTY")
        return told
    found = candidates(column)
    told.opaque = opaque(column)
    told.reasons += [reason for one in found if not one.kind for reason in one.reasons]
    ranked = [one for one in found if one.kind]
    for one in ranked:
        if told.head and alike(told.head, one.kind) and not one.some:
            return _agreed(told, one)
    best = next((one for one in ranked if not _overruled(told, one)), None)
    if best and not best.some and best.confidence >= STRONG:
        return _content(told, best)
    if told.head and told.head in CONCEPTS:
        return _header(told, best)
    return _hint(told, best)


def _overruled(told: Decision, one: Candidate) -> bool:
    """Whether a header that is particular stands against mere statistics."""
    if one.kind not in _STATISTICAL or one.some or not told.head:
        return False
    if one.kind == "birth_date":
        return told.head == "event_time" and normal(told.column.name) not in VAGUE
    return told.head in _FIRM_HEADERS and one.confidence < 0.95


def _agreed(told: Decision, one: Candidate) -> Decision:
    told.kind = one.kind
    told.confidence = min(0.99, max(one.confidence + 0.09, 0.9))
    told.reasons += one.reasons
    told.because("HEADER", **_words(told.head))
    return told


def _content(told: Decision, best: Candidate) -> Decision:
    told.kind, told.confidence = best.kind, best.confidence
    told.reasons += best.reasons
    if told.head and normal(told.column.name) not in VAGUE:
        told.because("HEADER_CONFLICT", **_words(told.head))
        told.conflict = True
    return told


def _header(told: Decision, best: Candidate | None) -> Decision:
    known = CONCEPTS[told.head]
    if told.opaque and known.role == "identifier":
        told.kind, told.confidence = told.head, 0.7
        told.because("HEADER_ONLY", **_words(told.head))
        told.because("PSEUDONYM")
    elif _believable(told.head, told.column) and not _disproved(told):
        told.kind = told.head
        told.confidence = 0.75 if known.plain != "any" else 0.65
        told.because("HEADER_ONLY", **_words(told.head))
        if best and best.some:
            told.reasons += best.reasons
            if known.role != "identifier":
                told.kind, told.confidence, told.some = best.kind, best.confidence, True
    else:
        told = _hint(told, best)
        told.because("HEADER_CONFLICT", **_words(told.head))
        told.conflict = True
    return told


def _hint(told: Decision, best: Candidate | None) -> Decision:
    if best is None:
        return told
    told.kind, told.confidence, told.some = best.kind, best.confidence, best.some
    told.waits = best.kind in FORM_ONLY or best.confidence < 0.5
    told.reasons += best.reasons
    return told
