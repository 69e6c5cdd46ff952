"""Documents for the file, as PDF in both languages: the record of a review, the certificate of a deletion,
the receipt of a release.

Each shows what the door shows this visitor, no more: what is hidden on the page is hidden on paper. Each
names the SHA-256 of its record, how to compute it again from the API, and the first signed head of the audit
log that covers what was decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from sandbox.authorisation.agreement import NAME as AGREEMENT
from sandbox.console.views.paper_frame import (
    MAX_ITEMS,
    SIGNATURE,
    answer,
    both,
    both_of,
    framed,
    organisation,
    seen,
    signed,
    value,
)
from sandbox.console.visit import BASE, Visit
from sandbox.console.words import when
from sandbox.core.actor import READS_ALL
from sandbox.core.errors import fail
from sandbox.core.resource import Resource
from sandbox.egress.families import FAMILIES, family
from sandbox.egress.report.view import capacity, cited, findings, message, privacy
from sandbox.egress.report.view import points as worst
from sandbox.egress.report.words import hint, word
from sandbox.review.blind import SAID
from sandbox.review.egress_request import NAME as REQUEST

MAX_FOUND = 100  # findings of a point on paper, the gravest; each takes some 50 ms to draw
# the acts whose place in the audit log each document names
DECIDES = {
    "record": ("approve", "return", "reject", "object"),
    "certificate": ("verify_deletion", "certify"),
    "receipt": ("release",),
}


@dataclass(frozen=True)
class Found:
    """A finding, each text in both languages."""

    severity: str
    severity_label: Markup
    rule: str
    text: Markup
    where: str
    why: Markup
    mend: Markup
    evidence: tuple[tuple[str, Any], ...]
    thresholds: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Point:
    """A review point with the machine's result, its findings, and the answers of people."""

    id: str
    label: Markup
    result: Markup
    found: tuple[Found, ...]
    left: int  # findings that are not printed
    answers: tuple[tuple[str, str, str], ...]  # by, answer, note


def links(visit: Visit, resource: Resource) -> tuple[tuple[str, str], ...]:
    """(address, label) of the documents that there are of what the door has shown."""
    status, found = resource.status, []
    if resource.kind == REQUEST and "check" in status and visit.actor.role in READS_ALL:
        found.append((f"{BASE}/review/{resource.id}/record.pdf", visit.say("评审记录（PDF）")))
    if resource.kind == REQUEST and "release" in status:
        found.append((f"{BASE}/release/{resource.id}/receipt.pdf", visit.say("放行回执（PDF）")))
    if resource.kind == AGREEMENT and "certify" in status:
        found.append((f"{BASE}/r/{AGREEMENT}/{resource.id}/certificate.pdf", visit.say("删除证明（PDF）")))
    return tuple(found)


def _versions(visit: Visit, kind: str) -> list[Resource]:
    return visit.control.history(visit.actor, kind, visit.segment("id"))


# --- the record of a review


def _thresholds(
    item: Mapping[str, Any], rules: Mapping[str, Any], cites: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    keys = rules.get(item["rule"], {}).get("thresholds", ())
    return tuple({"key": key, **cites[key]} for key in keys if key in cites)


def _found(item: dict[str, Any], rules: Mapping[str, Any], cites: Mapping[str, Any]) -> Found:
    about = FAMILIES[family(item["rule"])]
    severity = item["severity"] if item["severity"] in ("hold", "flag") else "hard"
    return Found(
        severity=severity,
        severity_label=both_of(lambda lang: word(severity, lang)),
        rule=item["rule"],
        text=both_of(lambda lang: message(item, lang)),
        where=f"{item['path']} {item['where']}".strip() or "—",
        why=both(about.why_zh, about.why_en),
        mend=both_of(lambda lang: hint(item["hint"], lang)),
        evidence=tuple(item["evidence"].items()),
        thresholds=_thresholds(item, rules, cites),
    )


def _points(visit: Visit, check: dict[str, Any], verdicts: Sequence[Mapping[str, Any]]) -> tuple[Point, ...]:
    """Every point of the profile; findings of a point that it does not have come last."""
    policy = visit.space.policy
    cites, results = cited(check, policy.basis), worst(check)
    rules = {one.get("rule", ""): one for one in check.get("rules", ())}
    under: dict[str, list[dict[str, Any]]] = {
        point: [] for point in (*policy.get("review.points"), *policy.get("review.extra_points"))
    }
    for item in findings(check):
        under.setdefault(str(item["point"]), []).append(item)

    def point(id: str, items: Sequence[dict[str, Any]]) -> Point:
        result = results.get(id, "not_applicable")
        given = tuple(
            (str(one["by"]), one["points"][id]["answer"], one["points"][id].get("note", ""))
            for one in verdicts
            if id in one.get("points", {})
        )
        return Point(
            id=id,
            label=both_of(lambda lang: word(id, lang)),
            result=both_of(lambda lang: word(result, lang)),
            found=tuple(_found(item, rules, cites) for item in items[:MAX_FOUND]),
            left=max(0, len(items) - MAX_FOUND),
            answers=given,
        )

    return tuple(point(id, items) for id, items in under.items())


def _asked(visit: Visit, record: Resource) -> list[tuple[Markup, Any]]:
    spec, labels, at = record.spec, record.labels, record.changed_at
    return [
        (both("申请单位"), organisation(visit, record.organisation, at)),
        (both("接收方"), organisation(visit, spec["recipient"], at)),
        (both("接收方所在地"), seen(spec["recipient_region"])),
        (both("用途"), seen(spec["purpose"])),
        (both("产品形态"), value(spec["form"])),
        (both("用途类别"), value(spec["use_class"])),
        (both("场景"), seen(labels.get("scenario", "—"))),
        (both("协议"), seen(labels.get("agreement", "—"))),
        (both("作业"), seen(spec["job"])),
        (both("申报为高风险"), both("是") if spec["high_risk"] else both("否")),
    ]


def record(visit: Visit) -> Response:
    """The record of a review. Raises NOT_FOUND, UNCHECKED before the check has ended, what ``pdf`` raises."""
    versions = _versions(visit, REQUEST)
    stored = versions[-1]
    check = stored.status.get("check")
    if check is None:
        raise fail("UNCHECKED")
    verdicts = stored.status.get("verdicts", ())
    lines = [both(told(check, "zh"), told(check, "en")) for told in (capacity, privacy) if told(check, "zh")]
    parts = {
        "check": check,
        "verdict": both_of(lambda lang: word(check["verdict"], lang)),
        "lines": lines,
        "points": _points(visit, check, verdicts),
        "verdicts": [{**one, "signed": signed(one)} for one in verdicts],
        "files": check["canonical"],
    }
    title = "出域评审记录"
    made = framed(
        visit, versions, title, DECIDES["record"], _asked(visit, stored), parts,
        leave=("check", "verdicts", "downloads"),
    )  # fmt: skip
    return answer(visit, "paper_record.html", made, "record")


# --- the certificate of a deletion


def certificate(visit: Visit) -> Response:
    """The certificate that what was kept under an agreement is deleted. Raises NOT_FOUND, DELETION_UNPROVEN
    where there is none that this visitor may see, and what ``pdf`` raises."""
    versions = _versions(visit, AGREEMENT)
    stored = versions[-1]
    certified = stored.status.get("certify")
    if certified is None:
        raise fail("DELETION_UNPROVEN")
    spec, at = stored.spec, stored.changed_at
    facts = [
        (both("授权方"), organisation(visit, spec["authoriser"], at)),
        (both("运营机构"), organisation(visit, spec["operator"], at)),
        (both("起始日"), seen(spec["starts"])),
        (both("终止日"), seen(spec["ends"])),
    ]
    removed = certified["removed"]
    parts = {
        "removed": removed[:MAX_ITEMS],
        "left_out": max(0, len(removed) - MAX_ITEMS),
        "count": len(removed),
        "bytes": sum(int(one.get("bytes", 0)) for one in removed),
        "left": certified["left"],
        "keys_destroyed": certified["keys_destroyed"],
        "signed": signed(certified),
        "seal": {key: one for key, one in stored.status.get("seal_logs", {}).items() if key not in SIGNATURE},
    }
    title = "删除证明"
    leave = ("certify", "seal_logs")
    made = framed(visit, versions, title, DECIDES["certificate"], facts, parts, leave)
    return answer(visit, "paper_certificate.html", made, "certificate")


# --- the receipt of a release


def receipt(visit: Visit) -> Response:
    """What was released to whom on which conditions. Raises NOT_FOUND, NOT_RELEASED, what ``pdf`` raises."""
    versions = _versions(visit, REQUEST)
    stored = versions[-1]
    release = stored.status.get("release")
    if release is None:
        raise fail("NOT_RELEASED", request=stored.id)
    spec, at = stored.spec, stored.changed_at
    facts = [
        (both("申请单位"), organisation(visit, stored.organisation, at)),
        (both("接收方"), organisation(visit, spec["recipient"], at)),
        (both("用途"), seen(spec["purpose"])),
        (both("产品形态"), value(spec["form"])),
        (both("成果包哈希"), seen(release["package_sha256"])),
        (both("领取截止"), seen(when(release["expires_at"]))),
    ]
    parts = {
        "conditions": stored.status.get("decision", {}).get("conditions", ()),
        "decided": when(stored.status.get("decision", {}).get("at", "")),
        "files": stored.status.get("check", {}).get("canonical", ()),
        "checkpoint": release["checkpoint"],
        "recall": stored.status.get("recall"),
    }
    title = "出域放行回执"
    # what is said inside the supervising side stands on no receipt, whoever prints it
    leave = ("check", *SAID, "claim", "two_reviewers", "downloads", "decision", "release", "create")
    made = framed(visit, versions, title, DECIDES["receipt"], facts, parts, leave)
    return answer(visit, "paper_receipt.html", made, "receipt")
