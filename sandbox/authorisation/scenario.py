"""Scenario (应用场景): 一场景一申请, 一场景一清单一审定. Requirements D.2.

The application carries one list of columns x rows x period. Its approval freezes the list by hash;
the *grant* in ``status.grant`` is that list and no more, with a term and a use count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import Field as Bound

from sandbox.authorisation import codes  # noqa: F401
from sandbox.authorisation.affiliation import no_redevelopment
from sandbox.authorisation.agreement import active, instant
from sandbox.catalog.entry import USABLE
from sandbox.catalog.negative import not_listed
from sandbox.core.actor import READS_ALL, Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Command, Kind, Model, State, Transition, World
from sandbox.core.records import appended, need, own, signed
from sandbox.core.resource import Resource

NAME = "scenario"
LIVE = ("granted", "amending")
BODIES = (Role.IMPLEMENTING_BODY, Role.DATA_AUTHORITY, Role.SECTOR_AUTHORITY)


Scalar = bool | int | Annotated[float, Bound(allow_inf_nan=False)] | str


class RowFilter(Model):
    """One condition on a column; conditions are joined by AND."""

    column: str
    op: Literal["=", "!=", "<", "<=", ">", ">=", "in"]
    value: Scalar | tuple[Scalar, ...]


class Period(Model):
    """Rows whose ``column`` lies in [from, to], both days included."""

    column: str
    start: date = Bound(alias="from")
    end: date = Bound(alias="to")

    model_config = Model.model_config | {"populate_by_name": True, "serialize_by_alias": True}


class Item(Model):
    """One resource of the list: which columns, which rows, which period (最小必要)."""

    entry: str
    columns: tuple[str, ...] = Bound(min_length=1)
    rows: tuple[RowFilter, ...] = ()
    period: Period | None = None


class ScenarioSpec(Model):
    """One purpose, one applicant (the owner), one list, one term.

    ``developer`` uses the grant; where the profile lets the operator apply (P-35) it names the developer
    organisation, otherwise it is the applicant.
    """

    agreement: str
    title: str
    purpose: str = Bound(pattern=r"^[a-z][a-z0-9-]{2,63}$")  # a code; the words are in description
    description: str = Bound(min_length=4)
    developer: str = ""
    list: tuple[Item, ...] = Bound(min_length=1)
    product_forms: tuple[str, ...] = ("dataset", "report")
    starts: date
    ends: date
    uses: int = Bound(ge=1, le=10_000)


class Assessment(Model):
    """Each criterion of the profile answered, each with a note (GD 24: reasonable, compliant, safe)."""

    answers: dict[str, Literal["yes", "no"]]
    notes: dict[str, str]


class FormCheck(Model):
    """The form checklist of the first step (CD 23)."""

    checklist: tuple[str, ...] = Bound(min_length=1)


class Refusal(Model):
    """A refusal needs reason and law (CD 23)."""

    reason: str = Bound(min_length=2)
    law: str = Bound(min_length=2)


class Gaps(Model):
    """What the applicant has to complete."""

    gaps: tuple[str, ...] = Bound(min_length=1)


class Contract(Model):
    """The operator-developer contract by its hash (GZ 二(四), CD 25)."""

    text_sha256: str = Bound(pattern="^[0-9a-f]{64}$")


class Amendment(Model):
    """A new list: it needs a new determination; meanwhile the old grant stays as it was."""

    list: tuple[Item, ...] = Bound(min_length=1)


class Cause(Model):
    """What the system acts upon."""

    cause: str


class Debit(Model):
    """One use, by one job."""

    job: str


def list_hash(items: list[Any]) -> str:
    """SHA-256 over the RFC 8785 form of a list (R-058: frozen by hash)."""
    return hashlib.sha256(rfc8785.dumps(items)).hexdigest()


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


def in_scope(agreement: Resource, items: tuple[Item, ...]) -> None:
    """Every resource of a list is in the agreement's scope; OUT_OF_SCOPE otherwise."""
    for item in items:
        if item.entry not in agreement.spec["scope"]:
            raise fail("OUT_OF_SCOPE", entry=item.entry)


def amendable(case: Case) -> None:
    """Guard on amending: the new list is held to what the first one was (scope, columns, negative list)."""
    name = case.resource.spec["agreement"]
    in_scope(active(case, case.world.get("agreement", name), name), case.payload.list)
    check_list(case, case.payload.model_dump(mode="json")["list"])


def check_list(case: Case, items: list[dict[str, Any]]) -> None:
    """Every column exists, every resource is included and not on the negative list."""
    for item in items:
        entry = need(case, "catalogue-entry", item["entry"])
        not_listed(case.world, entry.id)
        if entry.state not in USABLE:
            raise fail("NOT_AUTHORISED", entry=entry.id, state=entry.state)
        known = {field["name"] for field in entry.spec["fields"]}
        used = [*item["columns"], *(row["column"] for row in item["rows"])]
        used += [item["period"]["column"]] if item["period"] else []
        for column in used:
            if column not in known:
                raise fail("COLUMN_UNKNOWN", entry=entry.id, column=column)


def usable_list(case: Case) -> None:
    """Guard on filing: see ``check_list``."""
    check_list(case, case.payload.model_dump(mode="json")["list"])


def one_list(case: Case) -> None:
    """Guard: the same applicant's same list is not already determined in another scenario (R-057)."""
    mine = list_hash(case.payload.model_dump(mode="json")["list"])
    for other in case.world.find(
        NAME, organisation=case.actor.organisation, labels={"agreement": case.payload.agreement}
    ):
        live = other.state not in ("rejected", "revoked", "expired") and other.id != case.resource.id
        if live and list_hash(other.spec["list"]) == mine:
            raise fail("LIST_REUSED", scenario=other.id)


def wanted_list(resource: Resource) -> list[dict[str, Any]]:
    """The list under determination: the amendment's, or the application's."""
    amendment = resource.status.get("amendment")
    wanted: list[dict[str, Any]] = amendment["list"] if amendment else resource.spec["list"]
    return wanted


def criteria(case: Case) -> list[str]:
    """What an assessment answers; the formal check of a two-step review is its own event (R-059, R-061)."""
    return [name for name in case.policy.get("scenario.review_criteria") if name != "formal"]


def assessors(case: Case) -> set[tuple[str, str]]:
    """Who must assess, as (role, organisation), by profile and mode (P-36, R-064).

    A provider is asked for its own entries; every other role is the authoriser's. In a two-step review
    the implementing body has spoken with the formal check, so the providers are left.
    """
    agreement = need(case, "agreement", case.resource.spec["agreement"])
    asked: set[tuple[str, str]] = set()
    roles = list(case.policy.get("scenario.reviewer")[agreement.spec["mode"]])
    if case.policy.get("scenario.two_step"):
        roles = [role for role in roles if role == Role.PROVIDER]
    for role in roles:
        if role == Role.PROVIDER:
            entries = {item["entry"] for item in wanted_list(case.resource)}
            asked |= {(role, need(case, "catalogue-entry", entry).organisation) for entry in entries}
        else:
            asked.add((role, agreement.spec["authoriser"]))
    return asked


def stands_for(case: Case) -> set[tuple[str, str]]:
    """As what the actor may assess: its role, and "authoriser" where the profile names no body."""
    as_what = {str(case.actor.role)} | ({"authoriser"} if case.actor.role in BODIES else set())
    return {(role, case.actor.organisation) for role in as_what} & assessors(case)


def asked(case: Case) -> None:
    """Guard: only those whom the profile asks assess."""
    if not stands_for(case):
        raise fail("NOT_AUTHORISER", authoriser=", ".join(sorted(f"{r}@{o}" for r, o in assessors(case))))


def all_answers(case: Case) -> None:
    """Guard: every criterion is answered with a note (R-059)."""
    missing = [
        name
        for name in criteria(case)
        if name not in case.payload.answers or not case.payload.notes.get(name, "").strip()
    ]
    if missing:
        raise fail("ANSWERS_MISSING", missing=", ".join(missing))


def authorising_side(case: Case) -> None:
    """Guard: who authorises, decides (谁授权、谁审核). What the system does follows from such a decision."""
    if case.actor.role == Role.SYSTEM:
        return
    agreement = need(case, "agreement", case.resource.spec["agreement"])
    if case.actor.organisation != agreement.spec["authoriser"]:
        raise fail("NOT_AUTHORISER", authoriser=agreement.spec["authoriser"])


def deciding_side(case: Case) -> None:
    """Guard for a refusal: the authoriser or any provider who is asked."""
    if not stands_for(case):
        authorising_side(case)


def assessed(case: Case) -> None:
    """Guard: all who are asked have answered yes throughout (a joint review needs every party)."""
    yes = {
        tuple(stood)
        for given in case.resource.status.get("assessments", [])
        if all(given["answers"][name] == "yes" for name in criteria(case))
        for stood in given["stands_for"]
    }
    missing = assessors(case) - yes
    if missing:
        raise fail("ASSESSMENT_MISSING", missing=", ".join(sorted(f"{r}@{o}" for r, o in missing)))


def registered_sources(case: Case) -> None:
    """Guard at determination: usable still, and every resource has a registration number (R-013)."""
    check_list(case, wanted_list(case.resource))
    if case.policy.get("registration.resources"):
        for item in wanted_list(case.resource):
            if "registration" not in need(case, "catalogue-entry", item["entry"]).status:
                raise fail("NOT_REGISTERED", entry=item["entry"])


def operator_of(case: Case) -> None:
    """Guard: the operator of the scenario's agreement."""
    if need(case, "agreement", case.resource.spec["agreement"]).spec["operator"] != case.actor.organisation:
        raise fail("NOT_PARTY")


def user_of(scenario: Resource) -> str:
    """The organisation that uses the grant."""
    return str(scenario.spec["developer"] or scenario.organisation)


def using_party(case: Case) -> None:
    """Guard: only the organisation that will use the grant."""
    if case.actor.organisation != user_of(case.resource):
        raise fail("NOT_PARTY")


def same_contract(case: Case) -> None:
    """Guard: the developer accepts the very text that the operator signed."""
    if case.resource.status["contract"]["text_sha256"] != case.payload.text_sha256:
        raise fail("CONTRACT_DIFFERS")


def route(case: Case, after: Resource) -> Iterable[Command]:
    """Effect of filing: the profile says whether a formal check comes first (P-37)."""
    two_step = case.policy.get("scenario.two_step")
    yield Command(NAME, after.id, "open_formal_review" if two_step else "open_assessment")


def frozen(case: Case) -> dict[str, Any]:
    """Record of the determination: the list with its hash and the entries' versions."""
    wanted = wanted_list(case.resource)
    return {
        "determination": {
            **signed(case),
            "list_sha256": list_hash(wanted),
            "items": [
                {**item, "version": need(case, "catalogue-entry", item["entry"]).version} for item in wanted
            ],
        }
    }


def granted(case: Case) -> dict[str, Any]:
    """Record: the grant, which is the determined list, the purpose, the term, and the uses."""
    return {"accepted": signed(case), "grant": grant_of(case, case.resource.status["determination"])}


def regranted(case: Case) -> dict[str, Any]:
    """Record of an approved amendment: a new grant; the uses left carry over."""
    determined = frozen(case)
    left = case.resource.status["grant"]["uses_left"]
    return {
        **determined,
        "grant": {**grant_of(case, determined["determination"]), "uses_left": left},
        "amendment": None,
    }


def grant_of(case: Case, determination: dict[str, Any]) -> dict[str, Any]:
    """The grant that a determination gives."""
    spec = case.resource.spec
    return {
        "list_sha256": determination["list_sha256"],
        "items": determination["items"],
        "purpose": spec["purpose"],
        "from": spec["starts"],
        "to": spec["ends"],
        "uses_left": spec["uses"],
    }


def amended(case: Case) -> dict[str, Any]:
    """Record: the proposed list; earlier assessments do not count for it."""
    return {"amendment": signed(case), "assessments": []}


def assessment(case: Case) -> dict[str, Any]:
    """Record: one more assessment, and for whom it counts."""
    given = appended(case, "assessments")["assessments"]
    counts_for = [list(one) for one in sorted(stands_for(case))]
    return {"assessments": [*given[:-1], {**given[-1], "stands_for": counts_for}]}


def refiled(case: Case) -> dict[str, Any]:
    """Record: a completed application is assessed from the beginning."""
    return {"filed": signed(case), "assessments": []}


def contracted(case: Case) -> dict[str, Any]:
    """Record: the contract as the operator signed it."""
    return {"contract": signed(case)}


def debited(case: Case) -> dict[str, Any]:
    """Record: one use less."""
    grant = case.resource.status["grant"]
    return {"grant": {**grant, "uses_left": grant["uses_left"] - 1}}


def open_now(scenario: Resource, now: datetime) -> bool:
    """Whether ``now`` lies in the grant's term."""
    grant = scenario.status["grant"]
    first, last = (date.fromisoformat(grant[key]) for key in ("from", "to"))
    return instant(first) <= now <= instant(last, end=True)


def kept(case: Case) -> dict[str, Any]:
    """Record: the amendment came to nothing; the grant is as it was."""
    return {"amendment": None, "closed": signed(case)}


def term_end(case: Case) -> datetime:
    """The clock of a grant: the last instant of its term."""
    return instant(date.fromisoformat(case.resource.spec["ends"]), end=True)


def term_over(case: Case) -> None:
    """Guard: a grant expires by its term, not before."""
    if case.now <= instant(date.fromisoformat(case.resource.status["grant"]["to"]), end=True):
        raise fail("STATE", kind=NAME, state=case.resource.state, event="expire", possible="-")


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


APPLICANT = frozenset({Role.DEVELOPER, Role.OPERATOR})
BODY = frozenset(BODIES)
REVIEWED = ("formal_review", "provider_review", "assessment")
ASSESSOR = BODY | {Role.PROVIDER}
OPERATOR = frozenset({Role.OPERATOR})
SYSTEM = frozenset({Role.SYSTEM})
FILING = (applicant, within_agreement, usable_list, one_list)

# fmt: off
TRANSITIONS = (
    Transition("create", (), "submitted", APPLICANT, "申请", "apply", "GZ 二(四); CD 23; GD 24",
               payload=ScenarioSpec, guards=FILING, effects=(route,)),
    Transition("open_formal_review", ("submitted",), "formal_review", SYSTEM, "转形式审查",
               "open formal review", "CD 23", clock="scenario.formal_review_wd"),
    Transition("open_assessment", ("submitted",), "assessment", SYSTEM, "转评估审核", "open assessment",
               "GD 24; GZ 二(四)", clock="scenario.review_wd"),
    Transition("pass_form", ("formal_review",), "provider_review", frozenset(BODIES), "形式审查通过",
               "pass formal review", "CD 23", payload=FormCheck, guards=(authorising_side,),
               clock="scenario.provider_review_wd"),
    Transition("return", REVIEWED, "incomplete", ASSESSOR, "退回补正", "return for completion",
               "default: an incomplete list is completed, not refused", payload=Gaps,
               guards=(deciding_side,)),
    Transition("edit", ("incomplete",), "submitted", APPLICANT, "补正", "complete", "default: see return",
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
    Transition("accept", ("contract_pending",), "granted", APPLICANT, "接受合同", "accept contract",
               "GZ 二(四); CD 25", payload=Contract, guards=(using_party, same_contract), record=granted,
               clock=term_end),
    Transition("amend", ("granted",), "amending", APPLICANT, "申请变更清单", "amend", "GD 24",
               payload=Amendment, guards=(own, amendable), record=amended, clock="scenario.review_wd"),
    Transition("approve_amendment", ("amending",), "granted", BODY, "审定变更", "determine amendment",
               "GD 24", guards=(authorising_side, assessed, registered_sources), record=regranted,
               clock=term_end),
    Transition("reject_amendment", ("amending",), "granted", BODY, "变更不予通过", "reject amendment",
               "CD 23", payload=Refusal, guards=(authorising_side,), record=kept, clock=term_end),
    Transition("debit", ("granted",), "granted", SYSTEM, "核减次数", "debit",
               "GD 24: the grant is that list and no more", payload=Debit, record=debited,
               keeps_clock=True),
    Transition("debit", ("amending",), "amending", SYSTEM, "核减次数", "debit",
               "GD 24: meanwhile the old grant stays as it was", payload=Debit, record=debited,
               keeps_clock=True),
    Transition("suspend", LIVE, "suspended", SYSTEM, "暂停", "suspend", "CD 34, 26", payload=Cause),
    Transition("resume", ("suspended",), "granted", SYSTEM, "恢复", "resume", "CD 34", payload=Cause,
               clock=term_end),
    Transition("revoke", ("granted", "suspended", "amending"), "revoked", BODY | SYSTEM, "撤销", "revoke",
               "CN (三); GD 25", payload=Cause, guards=(authorising_side,)),
    Transition("expire", LIVE, "expired", SYSTEM, "到期", "expire", "GD 39(一)", guards=(term_over,)),
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
