"""Scenario (应用场景): 一场景一申请, 一场景一清单一审定. Requirements D.2.

The application carries one list of columns x rows x period. Its approval freezes the list by hash;
the *grant* in ``status.grant`` is that list and no more, with a term and a use count.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sandbox.authorisation import codes  # noqa: F401
from sandbox.authorisation.affiliation import no_redevelopment
from sandbox.authorisation.agreement import active
from sandbox.authorisation.assessment import (
    all_answers,
    asked,
    assessed,
    assessment,
    authorising_side,
    deciding_side,
)
from sandbox.authorisation.capacity import capacity_left, charged
from sandbox.authorisation.grant import (
    amended,
    contracted,
    debited,
    frozen,
    granted,
    kept,
    refiled,
    regranted,
    same_contract,
    term_end,
    term_over,
)
from sandbox.authorisation.listing import amendable, in_scope, one_list, registered_sources, usable_list
from sandbox.authorisation.scenario_spec import (
    LIVE,
    NAME,
    Amendment,
    Assessment,
    Cause,
    Charge,
    Contract,
    Debit,
    FormCheck,
    Gaps,
    Refusal,
    ScenarioSpec,
    user_of,
)
from sandbox.core.actor import BODY, MACHINE, OPERATING, OPERATOR, READS_ALL, Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Command, Kind, State, Transition, World
from sandbox.core.records import need, own
from sandbox.core.resource import Resource


def applicant(case: Case) -> None:
    """Guard: who applies under this profile (P-35)."""
    may = case.policy.get("scenario.applicant")
    if str(case.actor.role) not in may:
        raise fail("APPLICANT", may=", ".join(may))
    named = case.payload.developer
    if case.actor.role == Role.DEVELOPER and named not in ("", case.actor.organisation):
        raise fail("NOT_PARTY")  # a developer applies for itself: no straw man


def within_agreement(case: Case) -> None:
    """Guard: a live agreement, its term, its scope; the applicant is no affiliate of the operator."""
    spec: ScenarioSpec = case.payload
    agreement = active(case, case.world.get("agreement", spec.agreement), spec.agreement)
    if spec.ends < spec.starts:
        raise fail("TERM_ORDER")
    first, last = (date.fromisoformat(agreement.spec[key]) for key in ("starts", "ends"))
    if spec.starts < first or spec.ends > last:
        raise fail("TERM_OUTSIDE")
    developer = spec.developer or (case.actor.organisation if case.actor.role == Role.DEVELOPER else "")
    if developer:
        if need(case, "organisation", developer).state != "active":
            raise fail("ORGANISATION_INACTIVE", organisation=developer)
        if case.policy.get("sod.third_party_redevelopment")[agreement.spec["mode"]] == "forbidden":
            raise fail("SOD_THIRD_PARTY", mode=agreement.spec["mode"])
        no_redevelopment(case.world, case.policy, agreement.spec["operator"], developer)
    in_scope(agreement, spec.list)


def operator_of(case: Case) -> None:
    """Guard: the operator of the scenario's agreement."""
    if need(case, "agreement", case.resource.spec["agreement"]).spec["operator"] != case.actor.organisation:
        raise fail("NOT_PARTY")


def using_party(case: Case) -> None:
    """Guard: only the organisation that will use the grant."""
    if case.actor.organisation != user_of(case.resource):
        raise fail("NOT_PARTY")


def route(case: Case, after: Resource) -> Iterable[Command]:
    """Effect of filing: the profile says whether a formal check comes first (P-37)."""
    two_step = case.policy.get("scenario.two_step")
    yield Command(NAME, after.id, "open_formal_review" if two_step else "open_assessment")


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """The applicant, the operator of the agreement, those asked, and those who supervise."""
    agreement = world.get("agreement", resource.spec["agreement"])
    entries = (world.get("catalogue-entry", item["entry"]) for item in resource.spec["list"])
    return (
        actor.role in READS_ALL
        or actor.organisation in (resource.organisation, user_of(resource))
        or (agreement is not None and actor.organisation == agreement.spec["operator"])
        or any(entry is not None and entry.organisation == actor.organisation for entry in entries)
    )


REVIEWED = ("formal_review", "provider_review", "assessment")
ASSESSOR = BODY | {Role.PROVIDER}
FILING = (applicant, within_agreement, usable_list, one_list)

# fmt: off
TRANSITIONS = (
    Transition("create", (), "submitted", OPERATING, "申请", "apply", "GZ 二(四); CD 23; GD 24",
               payload=ScenarioSpec, guards=FILING, effects=(route,)),
    Transition("open_formal_review", ("submitted",), "formal_review", MACHINE, "转形式审查",
               "open formal review", "CD 23", clock="scenario.formal_review_wd"),
    Transition("open_assessment", ("submitted",), "assessment", MACHINE, "转评估审核", "open assessment",
               "GD 24; GZ 二(四)", clock="scenario.review_wd"),
    Transition("pass_form", ("formal_review",), "provider_review", BODY, "形式审查通过",
               "pass formal review", "CD 23", payload=FormCheck, guards=(authorising_side,),
               clock="scenario.provider_review_wd"),
    Transition("return", REVIEWED, "incomplete", ASSESSOR, "退回补正", "return for completion",
               "default: an incomplete list is completed, not refused", payload=Gaps,
               guards=(deciding_side,)),
    Transition("edit", ("incomplete",), "submitted", OPERATING, "补正", "complete", "default: see return",
               payload=ScenarioSpec, guards=(own, *FILING), record=refiled, effects=(route,)),
    Transition("assess", ("assessment",), "assessment", ASSESSOR, "评估", "assess",
               "GD 24; CD 23; GZ 二(四)", payload=Assessment, guards=(asked, all_answers),
               record=assessment, keeps_clock=True),
    Transition("assess", ("provider_review",), "provider_review", ASSESSOR, "数源单位审核",
               "assess by provider", "CD 23, 8", payload=Assessment, guards=(asked, all_answers),
               record=assessment, keeps_clock=True),
    Transition("assess", ("amending",), "amending", ASSESSOR, "评估变更", "assess amendment", "GD 24",
               payload=Assessment, guards=(asked, all_answers), record=assessment, keeps_clock=True),
    Transition("approve", ("assessment", "provider_review"), "approved", BODY, "审定", "determine",
               "GD 24; CD 23; GZ 二(四)", guards=(authorising_side, assessed, registered_sources),
               record=frozen),
    Transition("reject", REVIEWED, "rejected", ASSESSOR, "不予通过", "reject", "CD 23", payload=Refusal,
               guards=(deciding_side,)),
    Transition("contract", ("approved",), "contract_pending", OPERATOR, "签合同", "sign contract",
               "GZ 二(四); CD 25", payload=Contract, guards=(operator_of,), record=contracted),
    Transition("accept", ("contract_pending",), "granted", OPERATING, "接受合同", "accept contract",
               "GZ 二(四); CD 25", payload=Contract, guards=(using_party, same_contract), record=granted,
               clock=term_end),
    Transition("amend", ("granted",), "amending", OPERATING, "申请变更清单", "amend", "GD 24",
               payload=Amendment, guards=(own, amendable), record=amended, clock="scenario.review_wd"),
    Transition("approve_amendment", ("amending",), "granted", BODY, "审定变更", "determine amendment",
               "GD 24", guards=(authorising_side, assessed, registered_sources), record=regranted,
               clock=term_end),
    Transition("reject_amendment", ("amending",), "granted", BODY, "变更不予通过", "reject amendment",
               "CD 23", payload=Refusal, guards=(authorising_side,), record=kept, clock=term_end),
    Transition("debit", ("granted",), "granted", MACHINE, "核减次数", "debit",
               "GD 24: the grant is that list and no more", payload=Debit, record=debited,
               keeps_clock=True),
    Transition("debit", ("amending",), "amending", MACHINE, "核减次数", "debit",
               "GD 24: meanwhile the old grant stays as it was", payload=Debit, record=debited,
               keeps_clock=True),
    *(
        Transition("charge", (state,), state, MACHINE, "核减信息容量", "charge capacity",
                   "default: what could be hidden in releases is bounded a scenario", payload=Charge,
                   guards=(capacity_left,), record=charged, keeps_clock=True)
        for state in (*LIVE, "suspended", "revoked", "expired")
    ),
    Transition("suspend", LIVE, "suspended", MACHINE, "暂停", "suspend", "CD 34, 26", payload=Cause),
    Transition("resume", ("suspended",), "granted", MACHINE, "恢复", "resume", "CD 34", payload=Cause,
               clock=term_end),
    Transition("revoke", ("granted", "suspended", "amending"), "revoked", BODY | MACHINE, "撤销", "revoke",
               "CN (三); GD 25", payload=Cause, guards=(authorising_side,)),
    Transition("expire", LIVE, "expired", MACHINE, "到期", "expire", "GD 39(一)", guards=(term_over,)),
)
# fmt: on

KIND = Kind(
    name=NAME,
    zh="应用场景",
    en="scenario",
    prefix="sc",
    spec=ScenarioSpec,
    labels=lambda case: {"agreement": case.payload.agreement},
    visible=visible,
    states=(
        State("submitted", "已提交", "submitted", "system"),
        State("formal_review", "形式审查中", "under formal review", "implementing_body"),
        State("provider_review", "数源单位审核中", "under provider review", "provider"),
        State("assessment", "评估审核中", "under assessment", "implementing_body"),
        State("incomplete", "待补正", "incomplete", "developer"),
        State("approved", "已审定", "determined", "operator"),
        State("rejected", "不予通过", "rejected", ""),
        State("contract_pending", "待签合同", "contract pending", "developer"),
        State("granted", "已授权", "granted", "developer", lapse="expire"),
        State("amending", "变更审定中", "amendment under assessment", "implementing_body"),
        State("suspended", "已暂停", "suspended", "implementing_body"),
        State("revoked", "已撤销", "revoked", ""),
        State("expired", "已到期", "expired", ""),
    ),
    transitions=TRANSITIONS,
)
