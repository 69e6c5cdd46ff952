"""Egress request (出域申请): requirements D.5; the six review points of GD 26; two verdicts (CN 十二).

Approval is a named person's act over stored facts: a check verdict without hard findings, a form with
every point answered, both verdicts, and the hashes of what was reviewed. The gate asks all of it again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sandbox.authorisation.agreement import active
from sandbox.authorisation.scenario_spec import Cause
from sandbox.catalog.negative import not_listed
from sandbox.core.actor import MACHINE, OPERATING, READS_ALL, Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Command, Kind, Policy, Reach, Recorder, State, Transition, World
from sandbox.core.records import appended, limited, need, signed
from sandbox.core.resource import Resource
from sandbox.review import codes  # noqa: F401
from sandbox.review.blind import seen_by, unheard
from sandbox.review.capacity import budgeted, charge, within_capacity
from sandbox.review.coarse import coarse
from sandbox.review.dp import for_its_recipient, paid, question_of
from sandbox.review.dp import told as told_dp
from sandbox.review.judges import agreement_of, authoriser_reviews, independent, job_of
from sandbox.review.ledger import ledger_current
from sandbox.review.remarks import Note, Opinion, expert_apart, interest_said, own_claim
from sandbox.review.request_spec import (
    Approval,
    CheckResult,
    Clearance,
    Download,
    EgressSpec,
    Fixes,
    Rejection,
    Released,
    Verdict,
)
from sandbox.review.resubmission import resubmissions_left

NAME = "egress-request"
VERDICTS = ("security", "business_conformity")


def from_quarantine(case: Case) -> None:
    """Guard: the submitter's own job, with outputs in quarantine, for the job's purpose."""
    job = need(case, "job", case.payload.job)
    if job.organisation != case.actor.organisation:
        raise fail("NOT_YOURS")
    if job.state != "quarantined" or not job.status["outputs"]:
        raise fail("NO_OUTPUTS", job=job.id)
    if case.payload.purpose != job.spec["purpose"]:
        raise fail("PURPOSE_MISMATCH", purpose=case.payload.purpose, granted=job.spec["purpose"])


def use_allowed(case: Case) -> None:
    """Guard: the agreement is active and has the form on its list; the recipient is an active party."""
    spec: EgressSpec = case.payload
    job = need(case, "job", spec.job)
    name = job.labels["agreement"]
    agreement = active(case, case.world.get("agreement", name), name)
    if spec.form not in agreement.spec["product_forms"]:
        raise fail("MODE_NOT_ALLOWED", mode=spec.form, allowed=", ".join(agreement.spec["product_forms"]))
    recipient = need(case, "organisation", spec.recipient)
    if recipient.state != "active":
        raise fail("ORGANISATION_INACTIVE", organisation=spec.recipient)


def sources_open(case: Case) -> None:
    """Guard: nothing that the outputs were made of has come onto the negative list since (R-005)."""
    for entry in job_of(case).status["lineage"]["entries"]:
        not_listed(case.world, entry)


def checked(case: Case) -> None:
    """Guard: a stored verdict without a hard finding; no role can lift one (invariant 4)."""
    result = case.resource.status.get("check")
    if result is None:
        raise fail("UNCHECKED")
    hard = sorted({found["rule"] for found in result["findings"] if found["severity"] == "hard"})
    if hard or result["verdict"] == "reject" or result["error"]:
        raise fail("HARD_FINDING", rules=", ".join(hard) or result["error"] or "reject")


def points_of(case: Case) -> list[str]:
    """The review points of the profile: the six and what it adds (R-163)."""
    return [*case.policy.get("review.points"), *case.policy.get("review.extra_points")]


def all_points(case: Case) -> None:
    """Guard: the security verdict answers every point; ``na`` with a reason; a failed point is no pass."""
    given: Verdict = case.payload
    if given.which != "security":
        return
    missing = [
        point
        for point in points_of(case)
        if point not in given.points or (given.points[point].answer == "na" and not given.points[point].note)
    ]
    if missing:
        raise fail("POINTS_MISSING", missing=", ".join(missing))
    failed = [point for point, answer in given.points.items() if answer.answer == "fail"]
    if failed and given.verdict == "pass":
        raise fail("VERDICT_NEGATIVE", which=", ".join(failed))


def verdicts_complete(case: Case) -> None:
    """Guard: both verdicts by name, none negative, two security reviewers when the risk is high (R-154)."""
    given = case.resource.status.get("verdicts", [])
    two = two_needed(case)
    # a refusal that named a verdict would tell the second reviewer what the first has said
    negative = [verdict["which"] for verdict in given if verdict["verdict"] == "fail"]
    if negative and not unheard(given, two):
        raise fail("VERDICT_NEGATIVE", which=", ".join(negative))
    missing = [which for which in VERDICTS if which not in {verdict["which"] for verdict in given}]
    if missing:
        raise fail("VERDICT_MISSING", missing=", ".join(missing))
    if unheard(given, two):
        raise fail("TWO_REVIEWERS")


def two_needed(case: Case) -> bool:
    """Whether two persons have to give a security verdict: the risk is high and the policy asks for two."""
    return high_risk(case) and bool(case.policy.get("highrisk.two_reviewers"))


def high_risk(case: Case) -> bool:
    """High risk: declared so, or the checker holds it."""
    return bool(case.resource.spec["high_risk"]) or case.resource.status["check"]["verdict"] == "hold"


def product_registered(case: Case) -> None:
    """Guard: released only when its product is registered (D5-9, R-174)."""
    if not case.world.find("product", state="registered", labels={"request": case.resource.id}):
        raise fail("PRODUCT_UNREGISTERED")


def agreement_active(case: Case) -> None:
    """Guard: the agreement still permits use at the moment of release and of each download."""
    agreement = agreement_of(case)
    active(case, agreement, agreement.id)


def token_holds(case: Case) -> None:
    """Guard: the named recipient, the right token, in time (R-155)."""
    release = case.resource.status["release"]
    if case.actor.organisation != case.resource.spec["recipient"]:
        raise fail("NOT_RECIPIENT")
    digest = hashlib.sha256(case.payload.token.encode()).hexdigest()
    if not hmac.compare_digest(digest, release["token_sha256"]):
        raise fail("TOKEN_INVALID")
    if case.now > datetime.fromisoformat(release["expires_at"]):
        raise fail("TOKEN_EXPIRED")


def deciders(case: Case) -> dict[str, Any]:
    """Record: the request with the natural person behind it."""
    return {"create": {**signed(case), "person": case.actor.person}}


def check_result(case: Case) -> dict[str, Any]:
    """Record: the check as it came out of the container, and the names that the submitter gave the files."""
    told = signed(case)
    told["outputs"] = [item["path"] for item in job_of(case).status["outputs"]]
    if told["capacity"] is not None:
        told["capacity"] |= budgeted(case)
    asked = question_of(job_of(case))
    release = case.world.get("dp-release", asked["release"]) if asked else None
    if release is not None and release.state == "sealed":
        told["dp"] = told_dp(release)
    return {"check": told}


def _said(key: str) -> Recorder:
    """Record: one more of what reviewers say, with the person, so that two are two, and whether two must."""

    def record(case: Case) -> dict[str, Any]:
        earlier = appended(case, key)[key]
        # few payloads are likely: without a salt their hash in the audit log would tell which was given
        mine = {**earlier[-1], "person": case.actor.person, "salt": secrets.token_hex(16)}
        given = [*earlier[:-1], mine]
        return {key: given, "two_reviewers": two_needed(case)}

    return record


def claim(case: Case) -> dict[str, Any]:
    """Record: who has taken it up; it binds nobody, and whoever takes it up next stands here."""
    return {"claim": {**signed(case), "person": case.actor.person}}


def unclaim(case: Case) -> dict[str, Any]:
    """Record: nobody has it in hand."""
    return {"claim": {}}


def decision(case: Case) -> dict[str, Any]:
    """Record: the decision, bound to the hashes of what was reviewed."""
    reviewed = {item["path"]: item["sha256"] for item in case.resource.status["check"]["canonical"]}
    return {"decision": {**signed(case), "reviewed": reviewed, "policy": case.policy.id}}


def release(case: Case) -> dict[str, Any]:
    """Record: the release; the token itself is nowhere stored."""
    return {"release": signed(case)}


def download(case: Case) -> dict[str, Any]:
    """Record: who took it when; never the token."""
    taken = {
        "by": case.actor.account,
        "organisation": case.actor.organisation,
        "at": case.now.isoformat(),
        "package_sha256": case.resource.status["release"]["package_sha256"],
    }
    return {"downloads": [*case.resource.status.get("downloads", []), taken]}


def propose_job(case: Case, after: Resource) -> Iterable[Command]:
    """Effect: the job's outputs are claimed, by this request alone."""
    yield Command("job", after.spec["job"], "propose", {"request": after.id})


def draft_product(case: Case, after: Resource) -> Iterable[Command]:
    """Effect of the approval: the product record that registration completes (R-174, R-175)."""
    job = job_of(case)
    yield Command(
        "product",
        "",
        "create",
        {
            "level": 2,
            "title": after.spec["title"],
            "form": after.spec["form"],
            "scenario": job.spec["scenario"],
            "agreement": job.labels["agreement"],
            "job": job.id,
            "request": after.id,
            "lineage": {key: job.status["lineage"][key] for key in ("supplies", "entries", "products")},
        },
        organisation=after.organisation,
        creates=True,
    )


def announce(case: Case, after: Resource) -> Iterable[Command]:
    """Effect of the recall: the product is recalled with it."""
    for product in case.world.find("product", labels={"request": after.id}):
        if product.state in ("registered", "suspended"):
            yield Command("product", product.id, "recall", {"cause": f"egress-request {after.id}"})


def labels(case: Case) -> dict[str, str]:
    """Index: by job, agreement, scenario and recipient."""
    job = need(case, "job", case.payload.job)
    return {
        "job": job.id,
        "agreement": job.labels["agreement"],
        "scenario": job.labels["scenario"],
        "recipient": case.payload.recipient,
    }


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """The submitter, the recipient, the supervising side."""
    return actor.role in READS_ALL or actor.organisation in (
        resource.organisation,
        resource.spec["recipient"],
    )


def reach(actor: Actor) -> Reach | None:
    """Where ``visible`` says yes."""
    if actor.role in READS_ALL:
        return None
    return Reach(actor.organisation, (("recipient", actor.organisation),))


def view(actor: Actor, resource: Resource) -> Resource:
    """The submitter's and the recipient's sight: of a check only what ``coarse`` leaves; of people's
    decisions what they say to the submitter. A reviewer's is blind where two judge (``blind``)."""
    if actor.role in READS_ALL:
        return replace(resource, status=seen_by(actor, resource.state, resource.status))
    status = {key: value for key, value in resource.status.items() if key in ("return", "reject", "recall")}
    if "check" in resource.status:
        status["check"] = coarse(resource.status["check"])
    if "decision" in resource.status:
        status["decision"] = {key: resource.status["decision"][key] for key in ("at", "conditions")}
    if "release" in resource.status:
        status["release"] = {
            key: resource.status["release"][key] for key in ("package_sha256", "expires_at", "checkpoint")
        }
    return limited(resource, status=status)


def token_end(policy: Policy, now: datetime) -> datetime:
    """When a token made now ends."""
    return now + timedelta(days=int(policy.get("release.token_days")))


REVIEWER = frozenset({Role.REVIEWER})
HELD = ("held_cross_border", "human_review")
JUDGE = (authoriser_reviews, independent)
EXIT = (
    checked,
    verdicts_complete,
    within_capacity,
    paid,
    product_registered,
    agreement_active,
    sources_open,
)
CLOCK = "review.product_wd"

# fmt: off
TRANSITIONS = (
    Transition("create", (), "requested", OPERATING, "申请出域", "propose", "GD 26; GZ 二(四)",
               payload=EgressSpec, guards=(from_quarantine, use_allowed, sources_open, for_its_recipient,
                                           resubmissions_left),
               record=deciders, effects=(propose_job,), clock=CLOCK),
    Transition("begin_check", ("requested",), "auto_check", MACHINE, "自动检查", "check", "GZ 二(五)",
               keeps_clock=True),
    Transition("object", ("auto_check",), "auto_rejected", MACHINE, "检查不通过", "object", "GZ 二(五)",
               payload=CheckResult, record=check_result),
    Transition("hold", ("auto_check",), "held_cross_border", MACHINE, "涉出境，暂扣", "hold cross-border",
               "GD 26(五)", payload=CheckResult, guards=(ledger_current,), record=check_result,
               keeps_clock=True),
    Transition("forward", ("auto_check",), "human_review", MACHINE, "转人工评审", "forward to review",
               "GD 26; GZ 二(四)", payload=CheckResult, guards=(ledger_current,), record=check_result,
               keeps_clock=True),
    Transition("clear", ("held_cross_border",), "human_review", REVIEWER, "附程序结果，转评审",
               "clear with procedure", "GD 26(五)", payload=Clearance, guards=JUDGE, keeps_clock=True),
    Transition("give_verdict", ("human_review",), "human_review", REVIEWER, "给出结论", "give verdict",
               "CN (十二); CD 17(三); GD 26", payload=Verdict, guards=(*JUDGE, checked, all_points),
               record=_said("verdicts"), keeps_clock=True),
    *(row for state in HELD for row in (
        Transition("note", (state,), state, REVIEWER, "附注", "add a note",
                   "default: what was considered stays with the request", payload=Note, guards=JUDGE,
                   record=_said("notes"), keeps_clock=True),
        Transition("attach_opinion", (state,), state, REVIEWER, "附专家意见", "attach an expert's opinion",
                   "default: an opinion is kept with who gave it and for whom", payload=Opinion,
                   guards=(*JUDGE, expert_apart, interest_said), record=_said("opinions"), keeps_clock=True),
        Transition("claim", (state,), state, REVIEWER, "认领", "claim",
                   "default: so that two do not read the same by chance; binds nobody", guards=JUDGE,
                   record=claim, keeps_clock=True),
        Transition("unclaim", (state,), state, REVIEWER, "放回队列", "put back",
                   "default: who cannot go on says so", guards=(own_claim,), record=unclaim,
                   keeps_clock=True),
    )),
    Transition("approve", ("human_review",), "approved", REVIEWER, "批准", "approve",
               "GD 26; CN (十二); CD 17(三)", payload=Approval,
               guards=(*JUDGE, checked, verdicts_complete, within_capacity, paid, sources_open),
               record=decision, effects=(draft_product,)),
    Transition("return", HELD, "returned", REVIEWER, "退回修改", "return",
               "default: a mendable request is mended and proposed anew", payload=Fixes, guards=JUDGE),
    Transition("reject", HELD, "rejected", REVIEWER, "不予通过", "reject", "GD 26", payload=Rejection,
               guards=JUDGE),
    Transition("prepare", ("approved",), "releasing", MACHINE, "准备放行", "prepare release",
               "GD 27; GZ 三(四)", guards=EXIT),
    Transition("release", ("releasing",), "released", MACHINE, "放行", "release", "GD 27; GZ 三(四)",
               payload=Released, guards=EXIT, record=release, effects=(charge,)),
    Transition("download", ("released",), "released", OPERATING, "领取", "download", "GZ 三(四)",
               payload=Download, guards=(token_holds, agreement_active, product_registered, sources_open),
               record=download),
    Transition("withhold", ("releasing",), "recalled", MACHINE, "停止放行", "withhold",
               "default: what would leave is not what was reviewed (invariant 2)", payload=Cause,
               effects=(announce,)),
    Transition("recall", ("approved", "releasing", "released"), "recalled", REVIEWER, "召回", "recall",
               "CN (十三); GD 39", payload=Cause, guards=(authoriser_reviews,), effects=(announce,)),
)
# fmt: on

KIND = Kind(
    name=NAME,
    zh="出域申请",
    en="egress request",
    prefix="eg",
    spec=EgressSpec,
    labels=labels,
    visible=visible,
    reach=reach,
    view=view,
    working=frozenset({"requested", "auto_check", "releasing"}),
    states=(
        State("requested", "已申请", "requested", "system"),
        State("auto_check", "自动检查中", "under automatic check", "system"),
        State("auto_rejected", "自动检查不通过", "rejected by the check", ""),
        State("held_cross_border", "涉出境，待处置", "held: cross-border", "reviewer"),
        State("human_review", "人工评审", "human review", "reviewer"),
        State("returned", "退回修改", "returned", ""),
        State("approved", "已通过，待产品登记", "approved, product to be registered", "developer"),
        State("releasing", "放行中", "releasing", "system"),
        State("rejected", "不予通过", "rejected", ""),
        State("released", "已放行", "released", "developer"),
        State("recalled", "已召回", "recalled", ""),
    ),
    transitions=TRANSITIONS,
)
