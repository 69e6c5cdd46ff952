"""What the content of a column says it is: candidates with confidence and reasons, strongest first.

A share is of the distinct values; a check digit decides only against what chance gives: of order numbers with
the right length one in ten passes Luhn, one in eleven MOD 11-2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from sandbox.core.severity import Severity
from sandbox.desensitize.profile.concepts import concept
from sandbox.desensitize.profile.model import Reason
from sandbox.desensitize.profile.naming import name_share
from sandbox.desensitize.profile.table import Column, days
from sandbox.desensitize.profile.values import (
    ADDRESS_LATIN,
    DIAGNOSIS_CODE,
    ORGANISATION_END,
    ORGANISATION_LOOSE,
    SICK,
    TELEPHONE,
    VALUES,
)
from sandbox.pii import checksums
from sandbox.pii.classes import CLASSES, Subject
from sandbox.pii.kinds import KINDS, PROVINCES

STRONG = 0.8  # confidence from which content stands against a header
# Kinds whose form is that of many codes: content alone is a hint, a header or the table's persons decide.
FORM_ONLY = frozenset(
    {"passport", "home_permit", "exit_permit", "medical_insurance", "permanent_residence_old"}
)
_CHANCE = 0.12  # the share of random numbers of the right length that passes, at most (Luhn and prefix)
_MOST, _SOME = 0.5, 0.02
_FEW = 8  # distinct values below which no statistics are made
_DIVISION = f"^(?:{PROVINCES})[0-9]{{4}}(?:[0-9]{{3}}|[0-9]{{6}})?$"
_DIVISION_NAME = "(?:[省市县區区州盟旗镇鎮乡鄉縣]|街道|自治[区州县]|新区|地区)$"
_OPAQUE = (
    r"^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|"
    r"(?:urn:uuid:)?[{(]?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}[)}]?)$"
)
_MASKED = r"\*{2,}|[Xx]{4,}|＊{2,}"
Counts = dict[str, int | float | str]


@dataclass(frozen=True)
class Candidate:
    """What a column may be. ``some``: only part of its cells are."""

    kind: str
    confidence: float
    reasons: tuple[Reason, ...]
    some: bool = False


def per_cent(share: float) -> float:
    """A share as it is shown: per cent, one decimal."""
    return round(100 * share, 1)


def _words(kind: str) -> dict[str, str]:
    known = concept(kind)
    return {"zh": known.zh, "en": known.en}


# --- identifiers of the catalogue --------------------------------------------------------------------------


def outline(column: Column, kind: str) -> int:
    """How many distinct values have the length and the characters that a number of ``kind`` has."""
    low, high = KINDS[kind].sizes
    closed = column.folded.str.replace_all(r"[\s\-().+]", "")
    plain = closed.str.contains("^[0-9A-Za-z]+$") & closed.str.len_chars().is_between(low, high)
    return int(plain.sum())


def _scattered(found: pl.Series) -> bool:
    """Whether numbers are spread as those of people are, and no running numbers under one prefix."""
    digits = found.str.replace_all("[^0-9]", "")
    if len(digits) < _FEW:
        return True
    heads = digits.str.slice(0, 3).n_unique()
    least = int(digits.str.len_chars().min() or 0)  # type: ignore[arg-type]
    fixed = max((_fixed(digits, place) for place in range(3, min(9, least))), default=0.0)
    if len(digits) >= 30 and fixed > 0.7:
        return False
    tails = digits.str.slice(-2).n_unique()
    values = np.sort(digits.cast(pl.Float64, strict=False).drop_nulls().to_numpy())
    steps = np.diff(values)
    running = len(steps) > 0 and float(np.mean(steps <= 3)) > 0.5
    return not running and heads >= min(5, len(digits) // 3) and tails >= min(20, len(digits) // 3)


def _fixed(digits: pl.Series, place: int) -> float:
    """Share of the commonest digit at one place: beyond the prefix, numbers of people have none."""
    counts = digits.str.slice(place, 1).value_counts(name="n")["n"]
    return float(counts.max() or 0) / len(digits)  # type: ignore[arg-type]


def _born_years(found: pl.Series) -> int:
    return found.str.slice(6, 2).n_unique()


def _identifiers(column: Column) -> Iterator[Candidate]:
    hits, total = column.hits, len(column.distinct)
    if not hits.height:
        return
    looked = total if column.type in ("string", "integer") else max(1, len(column.numbers))
    for (name,), group in hits.group_by("kind", maintain_order=True):
        yield from _identifier(column, str(name), group, looked)


def _identifier(column: Column, name: str, group: pl.DataFrame, total: int) -> Iterator[Candidate]:
    kind = KINDS[name]
    count = group["index"].n_unique()
    share = count / max(1, total)
    words: Counts = {"hits": count, "share": per_cent(share), **_words(name)}
    bare = kind.scope == "token" and kind.sizes[0] >= 8 and column.longest <= 40
    form = outline(column, name) if bare else 0
    ratio = count / form if form else share
    by_chance = form > 0 and ratio < _CHANCE + 4 * math.sqrt(_CHANCE / max(form, 1))
    embedded = bool((column.distinct.str.len_chars().max() or 0) > 2 * KINDS[name].sizes[1])  # type: ignore[operator]
    if bare and not embedded and by_chance and share < _MOST:
        if kind.valid is not checksums.always:
            reason = Reason(code="CHECK_BY_CHANCE", counts={"form": form, "hits": count, **_words(name)})
            yield Candidate("", 0.0, (reason,))
        return
    if name in FORM_ONLY:
        if share >= _MOST and _scattered(group["found"]):
            yield Candidate(name, 0.5, (Reason(code="FORM_ONLY", counts=words),))
        return
    if name == "mobile" and share >= _MOST and not _scattered(group["found"]):
        yield Candidate(name, 0.3, (Reason(code="FORM_ONLY", counts=words),))
        return
    if name == "resident_id_15" and share >= _MOST and _born_years(group["found"]) < min(10, count / 2):
        return
    if share >= _MOST or (ratio >= 0.8 and count >= 3 and share >= 0.2):
        few = count < 3 and not bool(group["sure"].any())
        yield Candidate(name, 0.6 if few else 0.97, (Reason(code="IDENTIFIER_COLUMN", counts=words),))
        return
    told = bool((group["sure"] | group["near"]).any())
    personal = CLASSES[name].subject in (Subject.PERSON, Subject.DEVICE, Subject.VEHICLE, Subject.SECRET)
    if name in ("mobile", "bank_card", "address_room", "person", "birth_date"):
        told = told or (column.type == "string" and kind.alone in (Severity.HARD, Severity.HOLD))
    if (personal or name == "address_room") and told and column.type == "string" and not opaque(column):
        yield Candidate(name, 0.8, (Reason(code="IDENTIFIER_SOME", counts=words),), some=True)


# --- names, addresses, organisations ------------------------------------------------------------------


def _named(column: Column) -> Iterator[Candidate]:
    if column.type != "string" or len(column.distinct) < _FEW or column.longest > 60:
        return
    share, sure = name_share(column)
    if share:
        reason = Reason(code="NAME_STATISTICS", counts={"share": per_cent(share)})
        yield Candidate("person_name", sure, (reason,))
    for ends, known in ((ORGANISATION_END, 0.92), (ORGANISATION_LOOSE, 0.45)):
        part = column.share(ends)
        if part >= 0.5 and float(column.sample.str.len_chars().median() or 0) >= 4:  # type: ignore[arg-type]
            reason = Reason(code="ORGANISATION_FORM", counts={"share": per_cent(part)})
            yield Candidate("organisation", known if part >= 0.7 else known - 0.15, (reason,))
            break
    latin = column.share(ADDRESS_LATIN)
    if latin >= 0.4:
        yield Candidate("address", 0.9, (Reason(code="ADDRESS_FORM", counts={"share": per_cent(latin)}),))


def _addresses(column: Column) -> Iterator[Candidate]:
    hits = column.hits.filter(pl.col("kind").is_in(["address", "address_room"]))
    share = hits["index"].n_unique() / max(1, len(column.distinct))
    if column.type == "string" and share >= 0.3 and hits["index"].n_unique() >= 3:
        yield Candidate("address", 0.9, (Reason(code="ADDRESS_FORM", counts={"share": per_cent(share)}),))


def _telephones(column: Column) -> Iterator[Candidate]:
    share = column.share(TELEPHONE)
    if column.type == "string" and share >= 0.7:
        words: Counts = {
            "hits": int(share * len(column.distinct)),
            "share": per_cent(share),
            **_words("landline"),
        }
        yield Candidate("landline", 0.9, (Reason(code="IDENTIFIER_COLUMN", counts=words),))


# --- attributes --------------------------------------------------------------------------------------------


def _value_sets(column: Column) -> Iterator[Candidate]:
    if column.type != "string" or not len(column.distinct) or len(column.distinct) > 500:
        return
    for name, words in VALUES.items():
        known = words | {f"{word}族" for word in words} if name == "ethnicity" else words
        share = column.cells_in(known)
        told = set(column.folded.str.strip_chars().str.to_lowercase()) & known
        most = {"sex": 6, "blood": 12}.get(name, 200)
        if share < 0.9 or len(told) < 2 or len(column.distinct) > most:
            continue
        sure = 0.9
        if name == "blood":
            sure = 0.85 if told & {"ab", "ab型", "ab+"} else 0.3
        if name == "sex" and not told & {
            "男",
            "男性",
            "male",
            "m",
            "man",
            "hombre",
            "masculino",
            "남",
            "남성",
        }:
            sure = 0.3
        if name == "ethnicity" and not told & {"汉", "汉族", "white"}:
            sure = 0.5
        yield Candidate(
            name, sure, (Reason(code="VALUE_SET", counts={"share": per_cent(share), **_words(name)}),)
        )


def _births(column: Column) -> Iterator[Candidate]:
    found = days(column).drop_nulls()
    if len(found) < max(_FEW, 0.95 * len(column.sample)) or not _no_clock(column):
        return
    years = found.dt.year().to_numpy()
    low, high = np.quantile(years, [0.02, 0.98])
    today = date.today()  # noqa: DTZ011 - a day more or less is no matter here
    if low < 1900 or found.max() > today or high - low < 25 or len(found) < 20:  # type: ignore[operator]
        return
    reason = Reason(code="BIRTH_SPREAD", counts={"years": int(high - low)})
    yield Candidate("birth_date", 0.8, (reason,))


def _no_clock(column: Column) -> bool:
    """Whether the values are days without a time of day."""
    if column.type == "datetime":
        return column.share(r"[ T](?:0[1-9]|[12][0-9]|00:0[1-9]|00:[1-5])") < 0.01
    return column.type in ("date", "string", "integer")


def _divisions(column: Column) -> Iterator[Candidate]:
    if column.type not in ("string", "integer") or len(column.distinct) < 2:
        return
    codes = column.share(_DIVISION)
    if codes >= 0.98 and len(column.distinct) <= 4000:
        yield Candidate("division", 0.85, (Reason(code="DIVISION_CODES", counts={"share": per_cent(codes)}),))
        return
    named = column.share(_DIVISION_NAME)
    if column.type == "string" and named >= 0.8 and column.longest <= 24 and column.share("[0-9]") < 0.02:
        words: Counts = {"share": per_cent(named), **_words("division")}
        yield Candidate("division", 0.8, (Reason(code="VALUE_SET", counts=words),))


def _health(column: Column) -> Iterator[Candidate]:
    if column.type != "string" or len(column.distinct) < 3:
        return
    sample = column.sample.to_list()[:2000]
    share = sum(SICK.search(text) is not None for text in sample) / max(1, len(sample))
    if share >= 0.5 and column.longest <= 200:
        words: Counts = {"share": per_cent(share), **_words("health")}
        yield Candidate("health", 0.85, (Reason(code="VALUE_SET", counts=words),))
    codes = column.share(DIAGNOSIS_CODE)
    if codes >= 0.9 and len(column.distinct) >= 5 and column.share(r"\.") > 0:
        words = {"share": per_cent(codes), **_words("health")}
        yield Candidate("health", 0.8, (Reason(code="VALUE_SET", counts=words),))


READERS: tuple[Callable[[Column], Iterator[Candidate]], ...] = (
    _identifiers, _addresses, _telephones, _named, _value_sets, _births, _divisions, _health,
)  # fmt: skip


def candidates(column: Column) -> list[Candidate]:
    """What ``column`` may be by its content, the surest first; those of confidence 0 only give a reason."""
    found = [one for reader in READERS for one in reader(column)]
    best: dict[str, Candidate] = {}
    for one in found:
        known = best.get(one.kind)
        if one.kind and (
            known is None or (not one.some, one.confidence) > (not known.some, known.confidence)
        ):
            best[one.kind] = one
    order = sorted(best.values(), key=lambda one: (one.some, -one.confidence))
    return [*order, *(one for one in found if not one.kind)]


def opaque(column: Column) -> bool:
    """Whether the values are digests, universal identifiers or masks: codes that tell nothing themselves."""
    return column.type == "string" and (column.share(_OPAQUE) >= 0.9 or column.share(_MASKED) >= 0.5)


def precise(column: Column) -> float:
    """Share of the values that are numbers with four decimals or more, 0 to 1."""
    return column.share(r"^-?[0-9]{1,3}\.[0-9]{4,}$")
