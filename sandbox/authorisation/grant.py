"""The grant: the determined list and no more, with a term and a use count (R-058, GD 24)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sandbox.authorisation import codes  # noqa: F401
from sandbox.authorisation.agreement import instant
from sandbox.authorisation.listing import list_hash, wanted_list
from sandbox.authorisation.scenario_spec import NAME
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case
from sandbox.core.records import need, signed
from sandbox.core.resource import Resource


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


def contracted(case: Case) -> dict[str, Any]:
    """Record: the contract as the operator signed it."""
    return {"contract": signed(case)}


def same_contract(case: Case) -> None:
    """Guard: the developer accepts the very text that the operator signed."""
    if case.resource.status["contract"]["text_sha256"] != case.payload.text_sha256:
        raise fail("CONTRACT_DIFFERS")


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


def kept(case: Case) -> dict[str, Any]:
    """Record: the amendment came to nothing; the grant is as it was."""
    return {"amendment": None, "closed": signed(case)}


def refiled(case: Case) -> dict[str, Any]:
    """Record: a completed application is assessed from the beginning."""
    return {"filed": signed(case), "assessments": []}


def debited(case: Case) -> dict[str, Any]:
    """Record: one use less."""
    grant = case.resource.status["grant"]
    return {"grant": {**grant, "uses_left": grant["uses_left"] - 1}}


def open_now(scenario: Resource, now: datetime) -> bool:
    """Whether ``now`` lies in the grant's term."""
    grant = scenario.status["grant"]
    first, last = (date.fromisoformat(grant[key]) for key in ("from", "to"))
    return instant(first) <= now <= instant(last, end=True)


def term_end(case: Case) -> datetime:
    """The clock of a grant: the last instant of its term."""
    return instant(date.fromisoformat(case.resource.spec["ends"]), end=True)


def term_over(case: Case) -> None:
    """Guard: a grant expires by its term, not before."""
    if case.now <= instant(date.fromisoformat(case.resource.status["grant"]["to"]), end=True):
        raise fail("STATE", kind=NAME, state=case.resource.state, event="expire", possible="-")
