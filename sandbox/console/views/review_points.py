"""The review points of the profile with what the machine found under each, as a reviewer reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.console.visit import Visit
from sandbox.egress.families import FAMILIES, family
from sandbox.egress.report.view import cited, findings, message
from sandbox.egress.report.view import points as worst
from sandbox.egress.report.words import hint, visible, word


@dataclass(frozen=True)
class Threshold:
    """A policy value that a rule applied, with where it comes from."""

    key: str
    value: str
    basis: str
    cite: str
    note: str


@dataclass(frozen=True)
class Found:
    """A finding as a reviewer reads it."""

    severity: str
    severity_label: str
    rule: str
    text: str
    where: str
    why: str
    mend: str
    evidence: tuple[tuple[str, str], ...]
    thresholds: tuple[Threshold, ...]


@dataclass(frozen=True)
class Point:
    """A review point of the profile: what the machine says of it, and what it found."""

    id: str
    label: str
    result: str
    result_label: str
    found: tuple[Found, ...]
    answer: str = ""
    note: str = ""


def severity_of(item: Mapping[str, Any]) -> str:
    """How grave a finding is; what is none of our words is the gravest."""
    return str(item["severity"]) if item["severity"] in ("hold", "flag") else "hard"


def known_points(visit: Visit) -> list[str]:
    """The points of the profile in their order."""
    policy = visit.space.policy
    return [*policy.get("review.points"), *policy.get("review.extra_points")]


def _found(
    visit: Visit, item: Mapping[str, Any], check: Mapping[str, Any], cites: Mapping[str, Any]
) -> Found:
    lang = visit.lang
    rule: Mapping[str, Any] = next(
        (one for one in check.get("rules", ()) if one.get("rule") == item["rule"]), {}
    )
    about = FAMILIES[family(item["rule"])]
    severity = severity_of(item)
    return Found(
        severity=severity,
        severity_label=word(severity, lang),
        rule=visible(item["rule"]),
        text=visible(message(dict(item), lang)),
        where=visible(f"{item['path']} {item['where']}".strip() or word("set", lang)),
        why=about.why_zh if lang == "zh" else about.why_en,
        mend=visible(hint(item["hint"], lang)),
        evidence=tuple((visible(key), visible(value)) for key, value in item["evidence"].items()),
        thresholds=tuple(
            Threshold(
                visible(key),
                visible(cites[key]["value"]),
                word(str(cites[key]["basis"]), lang),
                visible(cites[key]["cite"]),
                visible(hint(cites[key]["note"], lang)),
            )
            for key in rule.get("thresholds", ())
            if key in cites
        ),
    )


def points(visit: Visit, check: Mapping[str, Any]) -> tuple[Point, ...]:
    """The profile's points in their order, each with its findings; findings of another point come last."""
    cites = cited(dict(check), visit.space.policy.basis)
    results = worst(dict(check))
    under: dict[str, list[Found]] = {point: [] for point in known_points(visit)}
    for item in findings(dict(check)):
        under.setdefault(str(item["point"]), []).append(_found(visit, item, check, cites))
    return tuple(
        Point(
            id=point,
            label=visible(word(point, visit.lang)),
            result=results.get(point, "not_applicable"),
            result_label=word(results.get(point, "not_applicable"), visit.lang),
            found=tuple(found),
            answer=visit.form.get(f"point.{point}", ""),
            note=visit.form.get(f"note.{point}", ""),
        )
        for point, found in under.items()
    )
