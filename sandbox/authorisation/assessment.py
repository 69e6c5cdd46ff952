"""Who determines a scenario, and on what answers (谁授权、谁审核; P-36, R-059 to R-064)."""

from __future__ import annotations

from typing import Any

from sandbox.authorisation import codes  # noqa: F401
from sandbox.authorisation.listing import wanted_list
from sandbox.core.actor import BODY, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case
from sandbox.core.records import appended, need


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
    as_what = {str(case.actor.role)} | ({"authoriser"} if case.actor.role in BODY else set())
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


def assessment(case: Case) -> dict[str, Any]:
    """Record: one more assessment, and for whom it counts."""
    given = appended(case, "assessments")["assessments"]
    counts_for = [list(one) for one in sorted(stands_for(case))]
    return {"assessments": [*given[:-1], {**given[-1], "stands_for": counts_for}]}
