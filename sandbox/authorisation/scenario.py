"""Scenario (应用场景): 一场景一申请, 一场景一清单一审定. Requirements D.2.

The application carries one list of columns x rows x period. Its approval freezes the list by hash;
the *grant* in ``status.grant`` is that list and no more, with a term and a use count.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import Any, Literal

import rfc8785
from pydantic import Field as Bound

from sandbox.authorisation import codes  # noqa: F401
from sandbox.authorisation.affiliation import no_redevelopment
from sandbox.authorisation.agreement import active, instant
from sandbox.authorisation.organisation import Reason
from sandbox.catalog.entry import USABLE
from sandbox.catalog.negative import not_listed
from sandbox.core.actor import READS_ALL, Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Kind, Model, State, Transition, World
from sandbox.core.records import appended, need, own, signed
from sandbox.core.resource import Resource

NAME = "scenario"
LIVE = ("granted", "amending")
CRITERIA = ("reasonable", "compliant", "safe")


class RowFilter(Model):
    """One condition on a column; conditions are joined by AND."""

    column: str
    op: Literal["=", "!=", "<", "<=", ">", ">=", "in"]
    value: Any


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
    """One purpose, one applicant (the owner), one list, one term."""

    agreement: str
    title: str
    purpose: str = Bound(pattern=r"^[a-z][a-z0-9-]{2,63}$")  # a code; the words are in description
    description: str = Bound(min_length=4)
    list: tuple[Item, ...] = Bound(min_length=1)
    product_forms: tuple[str, ...] = ("dataset", "report")
    starts: date
    ends: date
    uses: int = Bound(ge=1, le=10_000)


class Assessment(Model):
    """Each of the three criteria answered, each with a note (GD 24)."""

    answers: dict[str, Literal["yes", "no"]]
    notes: dict[str, str]


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


def within_agreement(case: Case) -> None:
    """Guard: a live agreement, its term, its scope; the applicant is no affiliate of the operator."""
    spec: ScenarioSpec = case.payload
    agreement = active(case, case.world.get("agreement", spec.agreement), spec.agreement)
    if spec.ends < spec.starts:
        raise fail("TERM_ORDER")
    first, last = (date.fromisoformat(agreement.spec[key]) for key in ("starts", "ends"))
    if spec.starts < first or spec.ends > last:
        raise fail("TERM_OUTSIDE")
    if case.actor.role == Role.DEVELOPER:
        no_redevelopment(case.world, case.policy, agreement.spec["operator"], case.actor.organisation)
    for item in spec.list:
        if item.entry not in agreement.spec["scope"]:
            raise fail("OUT_OF_SCOPE", entry=item.entry)


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


def assessors(case: Case) -> set[tuple[str, str]]:
    """Who must assess, as (role, organisation), by profile and mode (P-36, R-064).

    A provider is asked for its own entries; every other role is the authoriser's.
    """
    agreement = need(case, "agreement", case.resource.spec["agreement"])
    asked: set[tuple[str, str]] = set()
    for role in case.policy.get("scenario.reviewer")[agreement.spec["mode"]]:
        if role == Role.PROVIDER:
            entries = {item["entry"] for item in wanted_list(case.resource)}
            asked |= {(role, need(case, "catalogue-entry", entry).organisation) for entry in entries}
        else:
            asked.add((role, agreement.spec["authoriser"]))
    return asked


def asked(case: Case) -> None:
    """Guard: only those whom the profile asks assess."""
    if (str(case.actor.role), case.actor.organisation) not in assessors(case):
        raise fail("NOT_AUTHORISER", authoriser=", ".join(sorted(f"{r}@{o}" for r, o in assessors(case))))


def three_answers(case: Case) -> None:
    """Guard: reasonable, compliant, safe: each answered with a note (R-059)."""
    missing = [
        name
        for name in CRITERIA
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
    if (str(case.actor.role), case.actor.organisation) not in assessors(case):
        authorising_side(case)


def assessed(case: Case) -> None:
    """Guard: all who are asked have answered three times yes (joint review needs every party)."""
    yes = {
        (given["role"], given["organisation"])
        for given in case.resource.status.get("assessments", [])
        if all(given["answers"][name] == "yes" for name in CRITERIA)
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


def same_contract(case: Case) -> None:
    """Guard: the developer accepts the very text that the operator signed."""
    if case.resource.status["contract"]["text_sha256"] != case.payload.text_sha256:
        raise fail("CONTRACT_DIFFERS")


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
    """Record: one more assessment."""
    return appended(case, "assessments")


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
        or actor.organisation == resource.organisation
        or (agreement is not None and actor.organisation == agreement.spec["operator"])
        or any(entry is not None and entry.organisation == actor.organisation for entry in entries)
    )


APPLICANT = frozenset({Role.DEVELOPER, Role.OPERATOR})
BODY = frozenset({Role.IMPLEMENTING_BODY, Role.DATA_AUTHORITY, Role.SECTOR_AUTHORITY})
ASSESSOR = BODY | {Role.PROVIDER}
OPERATOR = frozenset({Role.OPERATOR})
SYSTEM = frozenset({Role.SYSTEM})
FILING = (applicant, within_agreement, usable_list, one_list)

KIND = Kind(
    name=NAME,
    zh="应用场景",
    en="scenario",
    prefix="sc",
    spec=ScenarioSpec,
    labels=lambda case: {"agreement": case.payload.agreement},
    visible=visible,
    states=(
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
    transitions=(
        Transition(
            "create",
            (),
            "assessment",
            APPLICANT,
            "申请",
            "apply",
            "GZ 二(四); CD 23; GD 24",
            payload=ScenarioSpec,
            guards=FILING,
            clock="scenario.review_wd",
        ),
        Transition(
            "return",
            ("assessment",),
            "incomplete",
            ASSESSOR,
            "退回补正",
            "return for completion",
            "default: an incomplete list is completed, not refused",
            payload=Gaps,
            guards=(deciding_side,),
        ),
        Transition(
            "edit",
            ("incomplete",),
            "assessment",
            APPLICANT,
            "补正",
            "complete",
            "default: see return",
            payload=ScenarioSpec,
            guards=(own, *FILING),
            record=refiled,
            clock="scenario.review_wd",
        ),
        Transition(
            "assess",
            ("assessment",),
            "assessment",
            ASSESSOR,
            "评估",
            "assess",
            "GD 24; CD 23; GZ 二(四)",
            payload=Assessment,
            guards=(asked, three_answers),
            record=assessment,
            keeps_clock=True,
        ),
        Transition(
            "assess",
            ("amending",),
            "amending",
            ASSESSOR,
            "评估变更",
            "assess amendment",
            "GD 24",
            payload=Assessment,
            guards=(asked, three_answers),
            record=assessment,
            keeps_clock=True,
        ),
        Transition(
            "approve",
            ("assessment",),
            "approved",
            BODY,
            "审定",
            "determine",
            "GD 24; CD 23; GZ 二(四)",
            guards=(authorising_side, assessed, registered_sources),
            record=frozen,
        ),
        Transition(
            "reject",
            ("assessment",),
            "rejected",
            ASSESSOR,
            "不予通过",
            "reject",
            "CD 23",
            payload=Refusal,
            guards=(deciding_side,),
        ),
        Transition(
            "contract",
            ("approved",),
            "contract_pending",
            OPERATOR,
            "签合同",
            "sign contract",
            "GZ 二(四); CD 25",
            payload=Contract,
            guards=(operator_of,),
            record=contracted,
        ),
        Transition(
            "accept",
            ("contract_pending",),
            "granted",
            APPLICANT,
            "接受合同",
            "accept contract",
            "GZ 二(四); CD 25",
            payload=Contract,
            guards=(own, same_contract),
            record=granted,
            clock=term_end,
        ),
        Transition(
            "amend",
            ("granted",),
            "amending",
            APPLICANT,
            "申请变更清单",
            "amend",
            "GD 24",
            payload=Amendment,
            guards=(own,),
            record=amended,
            clock="scenario.review_wd",
        ),
        Transition(
            "approve_amendment",
            ("amending",),
            "granted",
            BODY,
            "审定变更",
            "determine amendment",
            "GD 24",
            guards=(authorising_side, assessed, registered_sources),
            record=regranted,
            clock=term_end,
        ),
        Transition(
            "reject_amendment",
            ("amending",),
            "granted",
            BODY,
            "变更不予通过",
            "reject amendment",
            "CD 23",
            payload=Refusal,
            guards=(authorising_side,),
            record=kept,
            clock=term_end,
        ),
        Transition(
            "debit",
            ("granted",),
            "granted",
            SYSTEM,
            "核减次数",
            "debit",
            "GD 24: the grant is that list and no more",
            payload=Debit,
            record=debited,
            keeps_clock=True,
        ),
        Transition(
            "debit",
            ("amending",),
            "amending",
            SYSTEM,
            "核减次数",
            "debit",
            "GD 24: meanwhile the old grant stays as it was",
            payload=Debit,
            record=debited,
            keeps_clock=True,
        ),
        Transition(
            "suspend",
            LIVE,
            "suspended",
            SYSTEM,
            "暂停",
            "suspend",
            "CD 34, 26",
            payload=Cause,
        ),
        Transition("resume", ("suspended",), "granted", SYSTEM, "恢复", "resume", "CD 34", payload=Cause),
        Transition(
            "revoke",
            ("granted", "suspended", "amending"),
            "revoked",
            BODY | SYSTEM,
            "撤销",
            "revoke",
            "CN (三); GD 25",
            payload=Cause,
            guards=(authorising_side,),
        ),
        Transition(
            "expire",
            LIVE,
            "expired",
            SYSTEM,
            "到期",
            "expire",
            "GD 39(一)",
            guards=(term_over,),
        ),
    ),
)
