"""The list of a scenario, columns x rows x period: what may stand on it (一场景一清单)."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from sandbox.authorisation import codes  # noqa: F401
from sandbox.authorisation.agreement import active
from sandbox.authorisation.scenario_spec import NAME, Item
from sandbox.catalog.entry import USABLE
from sandbox.catalog.negative import not_listed
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case
from sandbox.core.records import need
from sandbox.core.resource import Resource


def list_hash(items: list[Any]) -> str:
    """SHA-256 over the RFC 8785 form of a list (R-058: frozen by hash)."""
    return hashlib.sha256(rfc8785.dumps(items)).hexdigest()


def wanted_list(resource: Resource) -> list[dict[str, Any]]:
    """The list under determination: the amendment's, or the application's."""
    amendment = resource.status.get("amendment")
    wanted: list[dict[str, Any]] = amendment["list"] if amendment else resource.spec["list"]
    return wanted


def in_scope(agreement: Resource, items: tuple[Item, ...]) -> None:
    """Every resource of a list is in the agreement's scope; OUT_OF_SCOPE otherwise."""
    for item in items:
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


def amendable(case: Case) -> None:
    """Guard on amending: the new list is held to what the first one was (scope, columns, negative list)."""
    name = case.resource.spec["agreement"]
    in_scope(active(case, case.world.get("agreement", name), name), case.payload.list)
    check_list(case, case.payload.model_dump(mode="json")["list"])


def registered_sources(case: Case) -> None:
    """Guard at determination: usable still, and every resource has a registration number (R-013)."""
    check_list(case, wanted_list(case.resource))
    if case.policy.get("registration.resources"):
        for item in wanted_list(case.resource):
            if "registration" not in need(case, "catalogue-entry", item["entry"]).status:
                raise fail("NOT_REGISTERED", entry=item["entry"])
