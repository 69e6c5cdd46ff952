"""Every guard of every table, provoked through the door; a refusal leaves one audit entry and no change.

``CASES`` names for each refusal the kind, the guard and the code. The traceback must run through that
very guard, so a case cannot pass because something else refused first. The last tests hold the list
against the tables: a guard or a code without a case fails them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import pytest

from sandbox.control.door import Sight
from sandbox.control.kinds import KINDS
from sandbox.core.actor import Actor, Role
from sandbox.core.errors import CODES, SandboxError
from sandbox.core.lifecycle import Case, Guard
from sandbox.core.resource import Entry
from tests.plugins.questions import NANO, answered, query, question, started
from tests.plugins.reidentify import TOKENS, asked, requested, tokenised
from tests.plugins.space import CONTRACT, Scene, SceneMaker, field_of
from tests.refusal import refused

Attempt = tuple[str, Callable[[], Any]]  # who tries ("direct": the guard alone is asked), and what


@dataclass(frozen=True)
class Refusal:
    """One row: ``prepare`` sets the scene and gives the attempt."""

    kind: str
    guard: str
    code: str
    prepare: Callable[[Scene], Attempt]
    profile: str = "guizhou"
    granted: bool = True

    def __str__(self) -> str:
        return f"{self.kind}-{self.guard}-{self.code}-{self.prepare.__name__}"


CASES: list[Refusal] = []


def case(kind: str, guard: str, code: str, **more: Any) -> Callable[[Callable[[Scene], Attempt]], Any]:
    """Add a row to ``CASES``."""

    def add(prepare: Callable[[Scene], Attempt]) -> Callable[[Scene], Attempt]:
        CASES.append(Refusal(kind, guard, code, prepare, **more))
        return prepare

    return add


def create(s: Scene, who: str, kind: str, spec: dict[str, Any]) -> Attempt:
    return who, lambda: s.create(who, kind, spec)


def act(s: Scene, who: str, kind: str, id: str, event: str, payload: Any = None) -> Attempt:
    return who, lambda: s.act(who, kind, id, event, payload)


def direct(s: Scene, who: str, kind: str, id: str, guard: str, payload: Any = None) -> Attempt:
    """The guard by itself, for what ``visible`` hides already (a second line of defence)."""

    def ask() -> None:
        with s.store.read() as reader:
            sight = Sight(reader)
            resource = sight.get(kind, id)
            assert resource is not None
            guard_of(kind, guard)(
                Case(resource, s.who(who), payload, s.control.policy, s.clock(), sight, s.control.term)
            )

    return "direct", ask


def guard_of(kind: str, name: str) -> Guard:
    return next(g for row in KINDS[kind].transitions for g in row.guards if g.__name__ == name)


def amend(s: Scene, organisation: str, **over: Any) -> None:
    """Change an organisation's registration and activate it again."""
    spec = {**s.get("organisation", organisation).spec, **over}
    s.act("admin", "organisation", organisation, "amend", spec)
    s.act("admin", "organisation", organisation, "activate")


def blacklist(s: Scene, entry: str = "ce-a") -> None:
    s.create("chief", "negative-list-entry", {"entry": entry, "reason": "secret", "law": "law"})


def suspend(s: Scene, id: str = "ag-a") -> None:
    s.act("chief", "agreement", id, "suspend", {"reason": "breach"})


def owned_by(*owners: str) -> list[dict[str, Any]]:
    return [{"organisation": owner, "share": 0.3} for owner in owners]


# --- organisations


@case("organisation", "sides", "SOD_MANAGE_OPERATE", granted=False)
def both_sides(s: Scene) -> Attempt:
    spec = {"name_zh": "x", "name_en": "x", "roles": ["reviewer", "operator"]}
    return create(s, "admin", "organisation", spec)


@case("organisation", "not_redeveloping", "SOD_REDEV")
def operator_becomes_developer(s: Scene) -> Attempt:
    spec = {**s.get("organisation", "opco").spec, "roles": ["operator", "developer"]}
    return act(s, "admin", "organisation", "opco", "amend", spec)


# --- catalogue


def _entry(code: str, **over: Any) -> None:
    @case("catalogue-entry", "graded", code, granted=False)
    def entry(s: Scene) -> Attempt:
        return create(s, "editor", "catalogue-entry", s.entry_spec(**over))


_entry("UNGRADED", fields=[{**field_of("person_id"), "level": None}])
_entry("UNGRADED", fields=[{**field_of("person_id"), "category": None}])
_entry("FIELD_TWICE", fields=[field_of("person_id"), field_of("person_id")])
_entry("ENTITY_UNKNOWN", entity="nobody")
_entry("IDENTIFIER_LISTED", fields=[{**field_of("person_id"), "role": "identifier", "code_list": ["A1"]}])
_entry("IDENTIFIER_LISTED", fields=[{**field_of("person_id"), "role": "identifier", "pattern": "A1"}])
_entry("DETERMINED_UNKNOWN", fields=[{**field_of("person_id"), "determined_by": "nothing"}])


@case("catalogue-entry", "four_eyes", "FOUR_EYES", granted=False)
def confirms_own(s: Scene) -> Attempt:
    s.entry(until="graded")
    return act(s, "editor", "catalogue-entry", "ce-a", "confirm")


@case("catalogue-entry", "four_eyes", "FOUR_EYES", granted=False)
def confirms_own_by_second_account(s: Scene) -> Attempt:
    s.join("editor-too", "person-editor", "office", Role.PROVIDER)
    s.entry(until="graded")
    return act(s, "editor-too", "catalogue-entry", "ce-a", "confirm")


@case("catalogue-entry", "own", "NOT_YOURS")
def edits_anothers(s: Scene) -> Attempt:
    return act(s, "bureau-editor", "catalogue-entry", "ce-a", "edit", s.entry_spec())


@case("negative-list-entry", "entry_exists", "NOT_FOUND", granted=False)
def lists_nothing(s: Scene) -> Attempt:
    spec = {"entry": "ce-none", "reason": "secret", "law": "law"}
    return create(s, "chief", "negative-list-entry", spec)


# --- agreements


def _agreement(guard: str, code: str, /, who: str = "chief", profile: str = "guizhou", **over: Any) -> None:
    @case("agreement", guard, code, profile=profile, granted=False)
    def agreement(s: Scene) -> Attempt:
        s.entry()
        return create(s, who, "agreement", s.agreement_spec(**over))


_agreement("parties", "NOT_FOUND", operator="nobody")
_agreement("parties", "NOT_AUTHORISER", who="other-chief")
_agreement("mode", "MODE_NOT_ALLOWED", mode="scenario")
_agreement("term", "TERM_ORDER", ends="2026-08-01")
_agreement("term", "TERM_TOO_LONG", ends="2029-09-02")
_agreement("clauses", "CLAUSES_MISSING", clauses={"scope": "only this"})
_agreement("clauses", "RULE_WEAKER", egress_rules={"egress.min_cell": 3})
_agreement("clauses", "RULE_WEAKER", egress_rules={"egress.formats": 1})
_agreement("clauses", "RULE_WEAKER", egress_rules={"egress.dominance_k": 0.9})
_agreement("scope", "NOT_FOUND", scope=["ce-none"])


@case("agreement", "scope", "NEGATIVE_LIST", granted=False)
def scope_on_negative_list(s: Scene) -> Attempt:
    s.entry()
    blacklist(s)
    return create(s, "chief", "agreement", s.agreement_spec())


@case("agreement", "parties", "ORGANISATION_INACTIVE", granted=False)
def operator_suspended(s: Scene) -> Attempt:
    s.entry()
    s.act("admin", "organisation", "opco", "suspend", {"reason": "breach"})
    return create(s, "chief", "agreement", s.agreement_spec())


def _controlled(relation: dict[str, Any], **of_authority: Any) -> None:
    @case("agreement", "parties", "SOD_MANAGE_OPERATE", granted=False)
    def controlled(s: Scene) -> Attempt:
        s.entry()
        if of_authority:
            amend(s, "bdb", **of_authority)
        amend(s, "opco", **relation)
        return create(s, "chief", "agreement", s.agreement_spec())


_controlled({"controlled_by": owned_by("bdb")})
_controlled({"controlled_by": [{"organisation": "bdb", "declared_control": True}]})
_controlled({"agent_of": ["bdb"]})
_controlled({"legal_representative": "person-x"}, legal_representative="person-x")
_controlled({"controlled_by": owned_by("panel")}, controlled_by=owned_by("panel"))  # siblings


@case("agreement", "named_role", "AUTHORISER_ROLE", granted=False)
def approves_in_a_role_that_does_not_authorise(s: Scene) -> Attempt:
    s.entry()
    s.agreement(until="draft")
    return act(s, "body", "agreement", "ag-a", "approve", {"decision_ref": "number 1"})


@case("agreement", "named_role", "AUTHORISER_ROLE", granted=False, profile="guangdong")
def activates_in_a_role_that_does_not_authorise(s: Scene) -> Attempt:
    s.entry()
    s.agreement(until="signed", mode=s.control.policy.get("authorisation.mode_default"))
    return act(s, "chief", "agreement", "ag-a", "activate", {"receipt": "filed"})


@case("agreement", "authoriser", "NOT_AUTHORISER", granted=False)
def another_authority_approves(s: Scene) -> Attempt:
    s.entry()
    s.agreement(until="draft")
    return act(s, "other-chief", "agreement", "ag-a", "approve", {"decision_ref": "number 1"})


@case("agreement", "operator", "NOT_PARTY")
def another_operator_signs(s: Scene) -> Attempt:
    return direct(s, "other-operator", "agreement", "ag-a", "operator")


@case("agreement", "still_apart", "SOD_MANAGE_OPERATE", granted=False)
def bought_before_signing(s: Scene) -> Attempt:
    s.entry()
    s.agreement(until="approved")
    amend(s, "opco", controlled_by=owned_by("bdb"))
    return act(s, "operator", "agreement", "ag-a", "sign", {"text_sha256": CONTRACT})


@case("agreement", "certified", "DELETION_UNPROVEN")
def verifies_nothing(s: Scene) -> Attempt:
    s.act("chief", "agreement", "ag-a", "terminate", {"ground": "term", "law": "GD 39"})
    s.act("operator", "agreement", "ag-a", "hand_over", {"reason": "done"})
    return act(s, "chief", "agreement", "ag-a", "verify_deletion")


@case("agreement", "certified", "DELETION_UNPROVEN")
def verifies_what_left_something(s: Scene) -> Attempt:
    verifies_nothing(s)
    s.act("system", "agreement", "ag-a", "certify", {"removed": [], "left": 1, "keys_destroyed": 0})
    return act(s, "chief", "agreement", "ag-a", "verify_deletion")


# --- scenarios


def _scenario(guard: str, code: str, /, profile: str = "guizhou", **over: Any) -> None:
    @case("scenario", guard, code, profile=profile, granted=profile == "guizhou")
    def scenario(s: Scene) -> Attempt:
        return create(s, "developer", "scenario", s.scenario_spec(**over))


ITEM = {"entry": "ce-a", "columns": ["district"]}
_scenario("applicant", "APPLICANT", profile="guangdong")
_scenario("applicant", "NOT_PARTY", developer="dev-two", list=[ITEM])
_scenario("within_agreement", "AGREEMENT_INACTIVE", agreement="ag-none")
_scenario("within_agreement", "TERM_ORDER", ends="2026-08-01")
_scenario("within_agreement", "TERM_OUTSIDE", ends="2028-09-01")
_scenario("within_agreement", "TERM_OUTSIDE", starts="2026-08-31")
_scenario("within_agreement", "OUT_OF_SCOPE", list=[{"entry": "ce-other", "columns": ["district"]}])
_scenario("usable_list", "COLUMN_UNKNOWN", list=[{"entry": "ce-a", "columns": ["salary"]}])
_scenario(
    "usable_list", "COLUMN_UNKNOWN", list=[{**ITEM, "rows": [{"column": "salary", "op": ">", "value": 1}]}]
)
_scenario(
    "usable_list",
    "COLUMN_UNKNOWN",
    list=[{**ITEM, "period": {"column": "month", "from": "2026-01-01", "to": "2026-02-01"}}],
)
_scenario("one_list", "LIST_REUSED")


@case("scenario", "within_agreement", "AGREEMENT_INACTIVE")
def applies_under_suspended(s: Scene) -> Attempt:
    suspend(s)
    return create(s, "developer", "scenario", s.scenario_spec(list=[ITEM]))


@case("scenario", "within_agreement", "ORGANISATION_INACTIVE")
def applies_while_suspended(s: Scene) -> Attempt:
    s.act("admin", "organisation", "dev", "suspend", {"reason": "breach"})
    return create(s, "developer", "scenario", s.scenario_spec(list=[ITEM]))


@case("scenario", "within_agreement", "SOD_THIRD_PARTY")
def third_party(s: Scene) -> Attempt:
    s.overlay(sod__third_party_redevelopment={"overall": "forbidden"})
    return create(s, "developer", "scenario", s.scenario_spec(list=[ITEM]))


@case("scenario", "within_agreement", "SOD_REDEV")
def operators_subsidiary_applies(s: Scene) -> Attempt:
    amend(s, "dev-two", controlled_by=owned_by("opco"))
    return create(s, "rival", "scenario", s.scenario_spec())


@case("scenario", "usable_list", "NEGATIVE_LIST")
def lists_the_forbidden(s: Scene) -> Attempt:
    blacklist(s)
    return create(s, "developer", "scenario", s.scenario_spec(list=[ITEM]))


@case("scenario", "usable_list", "NOT_AUTHORISED")
def lists_the_excluded(s: Scene) -> Attempt:
    s.act("editor", "catalogue-entry", "ce-a", "exclude", {"reason": "secret", "law": "law"})
    return create(s, "developer", "scenario", s.scenario_spec(list=[ITEM]))


def applied(s: Scene, until: str = "assessment", **over: Any) -> None:
    s.scenario("sc-b", until=until, **{"list": [ITEM], **over})


@case("scenario", "authorising_side", "NOT_AUTHORISER")
def another_authority_determines(s: Scene) -> Attempt:
    applied(s, "jointly")
    return act(s, "other-chief", "scenario", "sc-b", "approve")


@case("scenario", "deciding_side", "NOT_AUTHORISER")
def another_authority_rejects(s: Scene) -> Attempt:
    applied(s)
    return act(s, "other-chief", "scenario", "sc-b", "reject", {"reason": "no", "law": "CD 23"})


@case("scenario", "own", "NOT_YOURS")
def operator_completes_anothers(s: Scene) -> Attempt:
    applied(s)
    s.act("chief", "scenario", "sc-b", "return", {"gaps": ["purpose"]})
    return act(s, "operator", "scenario", "sc-b", "edit", s.scenario_spec(list=[ITEM]))


@case("scenario", "amendable", "OUT_OF_SCOPE")
def amends_beyond_scope(s: Scene) -> Attempt:
    s.entry("ce-b")
    amendment = {"list": [{"entry": "ce-b", "columns": ["district"]}]}
    return act(s, "developer", "scenario", "sc-a", "amend", amendment)


@case("scenario", "amendable", "COLUMN_UNKNOWN")
def amends_with_no_column(s: Scene) -> Attempt:
    amendment = {"list": [{"entry": "ce-a", "columns": ["salary"]}]}
    return act(s, "developer", "scenario", "sc-a", "amend", amendment)


@case("scenario", "asked", "NOT_AUTHORISER")
def body_is_not_asked(s: Scene) -> Attempt:
    applied(s)
    return act(s, "body", "scenario", "sc-b", "assess", s.answers())


@case("scenario", "all_answers", "ANSWERS_MISSING")
def two_of_three(s: Scene) -> Attempt:
    applied(s)
    return act(s, "chief", "scenario", "sc-b", "assess", s.answers("reasonable", "compliant"))


@case("scenario", "all_answers", "ANSWERS_MISSING")
def answers_without_note(s: Scene) -> Attempt:
    applied(s)
    given = s.answers()
    return act(s, "chief", "scenario", "sc-b", "assess", {**given, "notes": {**given["notes"], "safe": " "}})


@case("scenario", "assessed", "ASSESSMENT_MISSING")
def without_the_provider(s: Scene) -> Attempt:
    applied(s, "assessed")
    return act(s, "chief", "scenario", "sc-b", "approve")


@case("scenario", "assessed", "ASSESSMENT_MISSING")
def provider_says_no(s: Scene) -> Attempt:
    applied(s, "assessed")
    s.act("editor", "scenario", "sc-b", "assess", s.answers(answer="no"))
    return act(s, "chief", "scenario", "sc-b", "approve")


@case("scenario", "registered_sources", "NOT_REGISTERED", granted=False)
def unregistered(s: Scene) -> Attempt:
    s.entry(until="confirmed")
    s.act("editor", "catalogue-entry", "ce-a", "include")
    s.agreement()
    applied(s, "jointly")
    return act(s, "chief", "scenario", "sc-b", "approve")


@case("scenario", "operator_of", "NOT_PARTY")
def another_operator_contracts(s: Scene) -> Attempt:
    return direct(s, "other-operator", "scenario", "sc-a", "operator_of")


@case("scenario", "using_party", "NOT_PARTY")
def operator_accepts_for_the_developer(s: Scene) -> Attempt:
    applied(s, "contract_pending")
    return act(s, "operator", "scenario", "sc-b", "accept", {"text_sha256": CONTRACT})


@case("scenario", "same_contract", "CONTRACT_DIFFERS")
def another_text(s: Scene) -> Attempt:
    applied(s, "contract_pending")
    return act(s, "developer", "scenario", "sc-b", "accept", {"text_sha256": "0" * 64})


@case("scenario", "term_over", "STATE")
def expires_early(s: Scene) -> Attempt:
    return act(s, "system", "scenario", "sc-a", "expire")


# --- supplies


def _supply(guard: str, code: str, /, who: str = "connector", **over: Any) -> None:
    @case("supply", guard, code)
    def supply(s: Scene) -> Attempt:
        s.entry("ce-b")
        return create(s, who, "supply", s.supply_spec(**over))


_supply("connector_only", "MANUAL_UPLOAD", who="operator")
_supply("connector_only", "MANUAL_UPLOAD", who="editor")
_supply("active_grant", "AGREEMENT_INACTIVE", agreement="ag-none")
_supply("active_grant", "NOT_GRANTED", scenario="sc-none")
_supply("active_grant", "COLUMN_NOT_GRANTED", entry="ce-b")
_supply("signed_manifest", "MANIFEST_SIGNATURE", key_id="k2")


@case("supply", "provider_of_entry", "NOT_YOURS")
def another_provider_supplies(s: Scene) -> Attempt:
    s.join("bureau-connector", "machine-bureau", "bureau", Role.CONNECTOR)
    return create(s, "bureau-connector", "supply", s.supply_spec())


@case("supply", "active_grant", "AGREEMENT_INACTIVE")
def supplies_under_suspended(s: Scene) -> Attempt:
    suspend(s)
    return create(s, "connector", "supply", s.supply_spec())


@case("supply", "active_grant", "NOT_GRANTED")
def supplies_to_anothers_agreement(s: Scene) -> Attempt:
    s.agreement("ag-b")
    return create(s, "connector", "supply", s.supply_spec(agreement="ag-b"))


@case("supply", "active_grant", "NEGATIVE_LIST")
def supplies_the_forbidden(s: Scene) -> Attempt:
    blacklist(s)
    return create(s, "connector", "supply", s.supply_spec())


@case("supply", "active_grant", "NOT_AUTHORISED")
def supplies_the_excluded(s: Scene) -> Attempt:
    s.act("editor", "catalogue-entry", "ce-a", "edit", s.entry_spec())
    return create(s, "connector", "supply", s.supply_spec())


@case("supply", "signed_manifest", "MANIFEST_SIGNATURE")
def manifest_changed_after_signing(s: Scene) -> Attempt:
    spec = s.supply_spec()
    spec["manifest"]["rows"] = 7
    return create(s, "connector", "supply", spec)


@case("supply", "signed_manifest", "MANIFEST_SIGNATURE")
def manifest_of_another_supply(s: Scene) -> Attempt:
    return create(s, "connector", "supply", {**s.supply_spec(), "manifest": s.manifest(scenario="sc-b")})


@case("supply", "signed_manifest", "MANIFEST_SIGNATURE")
def no_base64(s: Scene) -> Attempt:
    spec = s.supply_spec()
    spec["manifest"]["signature"] = "not a signature"
    return create(s, "connector", "supply", spec)


@case("supply", "own", "NOT_YOURS")
def another_connector_delivers(s: Scene) -> Attempt:
    return direct(s, "bureau-editor", "supply", "su-a", "own")


@case("supply", "still_active", "AGREEMENT_INACTIVE")
def delivers_under_suspended(s: Scene) -> Attempt:
    s.supply("su-b", until="in_transfer")
    suspend(s)
    manifest = s.get("supply", "su-b").spec["manifest"]
    told = {key: manifest[key] for key in ("sha256", "bytes")}
    return act(s, "connector", "supply", "su-b", "deliver", told)


@case("supply", "whole", "HASH_MISMATCH")
def delivers_something_else(s: Scene) -> Attempt:
    s.supply("su-b", until="in_transfer")
    return act(s, "connector", "supply", "su-b", "deliver", {"sha256": "0" * 64, "bytes": 3})


@case("supply", "authorising_side", "NOT_AUTHORISER")
def another_authority_pauses(s: Scene) -> Attempt:
    return act(s, "other-body", "supply", "su-a", "pause", {"cause": "breach"})


# --- jobs


def _job(guard: str, code: str, /, who: str = "developer", recipe: bool = False, **over: Any) -> None:
    @case("job", guard, code)
    def job(s: Scene) -> Attempt:
        return create(s, who, "job", (s.recipe_spec if recipe else s.job_spec)(**over))


TABLE = {"name": "residents", "product": "pr-a", "columns": ["district"]}
OUT = {"path": "out.csv", "kind": "table"}
_job("well_formed", "RECIPE_ONLY", who="operator", recipe=True, outputs=[OUT])
_job("well_formed", "RECIPE_ONLY", who="operator", recipe=True, code={"a.sql": "SELECT 1"})
_job("well_formed", "ENTRY_MISSING", entry="other.sql")
_job("well_formed", "MISSING_FIELD", outputs=[])
_job("well_formed", "OUTPUT_NAME", outputs=[OUT, OUT])
_job("well_formed", "OUTPUT_NAME", inputs=[TABLE, TABLE])
_job("well_formed", "OUTPUT_NAME", log=True, outputs=[{"path": "log.md", "kind": "report"}])
_job("well_formed", "RECIPE_ONLY", who="operator", recipe=True, log=True)
_job("statements_read", "SQL_STATEMENT", code={"main.sql": "SELECT 1; COPY t TO 'x'"})
_job("statements_read", "SQL_FUNCTION", code={"main.sql": "FROM read_text('x')"})
_job("well_formed", "LIMIT_TOO_HIGH", limits={"seconds": 10**7})
_job("well_formed", "LIMIT_TOO_HIGH", limits={"memory_bytes": 1 << 50})
_job("well_formed", "LIMIT_TOO_HIGH", code={"main.sql": "-" * (1 << 20 | 1)})
_job("grant_holds", "SCENARIO_UNKNOWN", scenario="sc-none")
_job("grant_holds", "SCENARIO_UNKNOWN", who="rival")
_job("grant_holds", "SCENARIO_UNKNOWN", who="other-operator", recipe=True)
_job("grant_holds", "SOD_REDEV", who="operator")
_job("grant_holds", "PURPOSE_MISMATCH", purpose="advertising")
_job("columns_granted", "MALFORMED", inputs=[{**TABLE, "entry": "ce-a"}])
_job("columns_granted", "MALFORMED", inputs=[{"name": "residents", "columns": ["district"]}])
_job("columns_granted", "PRODUCT_NOT_OFFERED", inputs=[{**TABLE, "product": "pr-none"}])
_job("columns_granted", "COLUMN_NOT_GRANTED", inputs=[{**TABLE, "columns": ["phone"]}])
_job("columns_granted", "COLUMN_NOT_GRANTED", inputs=[{"name": "r", "entry": "ce-a", "columns": ["phone"]}])
_job("columns_granted", "COLUMN_NOT_GRANTED", inputs=[{"name": "r", "entry": "ce-x", "columns": ["phone"]}])
_job("columns_granted", "RAW_NOT_GRANTED", inputs=[{"name": "r", "entry": "ce-a", "columns": ["district"]}])


@case("job", "recipe_valid", "PI_NOT_DESENSITISED")
def keeps_an_identifier(s: Scene) -> Attempt:
    recipe = {"name": "leak", "version": "1", "keep": ["person_id", "district", "income"]}
    return create(s, "operator", "job", s.recipe_spec(recipe=recipe))


@case("job", "recipe_valid", "TRANSFORM_REQUIRED")
def leaves_out_what_the_policy_requires(s: Scene) -> Attempt:
    table = s.control.policy.get("desensitise.required")
    s.overlay(desensitise__required=table | {"quasi": [["generalise"]] * 4, "other": [["drop"]] * 4})
    return create(s, "operator", "job", s.recipe_spec())


@case("job", "its_turn", "NOT_ITS_TURN")
def another_draws_from_the_vault(s: Scene) -> Attempt:
    step = {"column": "person_id", "transform": "token", "params": {"domain": "person"}}
    recipe = {"name": "tokens", "version": "1", "steps": [step], "keep": ["district", "income"]}
    for id in ("job-1", "job-2"):
        s.create("operator", "job", s.recipe_spec(recipe=recipe), id)
    s.act("system", "job", "job-1", "provision", s._start("job-1"))
    return act(s, "system", "job", "job-2", "provision", s._start("job-2"))


@case("job", "grant_holds", "SOD_REDEV")
def affiliate_since(s: Scene) -> Attempt:
    amend(s, "dev", controlled_by=owned_by("opco"))
    return create(s, "developer", "job", s.job_spec())


@case("job", "grant_holds", "NOT_GRANTED")
def grant_suspended(s: Scene) -> Attempt:
    suspend(s)
    return create(s, "developer", "job", s.job_spec())


@case("job", "grant_holds", "NOT_GRANTED")
def grant_revoked(s: Scene) -> Attempt:
    s.act("chief", "scenario", "sc-a", "revoke", {"cause": "breach"})
    return create(s, "developer", "job", s.job_spec())


@case("job", "its_turn", "NOT_ITS_TURN")
def a_job_too_many_of_one_organisation(s: Scene) -> Attempt:
    for number in range(int(s.control.policy.get("job.parallel_per_organisation")) + 1):
        s.create("developer", "job", s.job_spec(), f"job-{number}")
    for number in range(2):
        s.act("system", "job", f"job-{number}", "provision", s._start(f"job-{number}"))
    return act(s, "system", "job", "job-2", "provision", s._start("job-2"))


@case("job", "grant_holds", "GRANT_EXPIRED")
def grant_past_its_term(s: Scene) -> Attempt:
    s.clock.move(days=400)
    return create(s, "developer", "job", s.job_spec())


@case("job", "grant_holds", "GRANT_EXPIRED")
def grant_lapsed(s: Scene) -> Attempt:
    s.clock.move(days=400)
    s.control.tick()
    return create(s, "developer", "job", s.job_spec())


@case("job", "grant_holds", "AGREEMENT_INACTIVE")
def agreement_past_its_term(s: Scene) -> Attempt:
    s.clock.move(days=800)
    return create(s, "developer", "job", s.job_spec())


@case("job", "grant_holds", "GRANT_SPENT")
def uses_spent(s: Scene) -> Attempt:
    applied(s, "granted", uses=1)
    spec = s.recipe_spec(
        scenario="sc-b", inputs=[{"name": "residents", "entry": "ce-a", "columns": ["district"]}]
    )
    spec["recipe"] = {"name": "one", "version": "1", "keep": ["district"]}
    s.supply("su-b", scenario="sc-b")
    s.create("operator", "job", spec, "job-b")
    s.act("system", "job", "job-b", "provision", s._start("job-b"))
    return create(s, "operator", "job", spec)


@case("job", "columns_granted", "PRODUCT_NOT_OFFERED")
def product_of_another_scenario(s: Scene) -> Attempt:
    applied(s, "granted")
    return create(s, "developer", "job", s.job_spec(scenario="sc-b"))


@case("job", "columns_granted", "NEGATIVE_LIST")
def mounts_the_forbidden(s: Scene) -> Attempt:
    blacklist(s)
    return create(s, "developer", "job", s.job_spec())


@case("job", "columns_granted", "ENTRY_CHANGED")
def entry_changed(s: Scene) -> Attempt:
    s.act("editor", "catalogue-entry", "ce-a", "make_conditional")
    return create(s, "operator", "job", s.recipe_spec())


@case("job", "columns_granted", "NO_SUPPLY")
def supply_paused(s: Scene) -> Attempt:
    s.act("body", "supply", "su-a", "pause", {"cause": "breach"})
    return create(s, "operator", "job", s.recipe_spec())


@case("job", "stopping_side", "NOT_AUTHORISER")
def another_authority_kills(s: Scene) -> Attempt:
    s.job(until="running")
    return act(s, "other-reviewer", "job", "job-a", "kill", {"cause": "breach"})


@case("job", "log_kept", "NO_LOG")
def a_log_that_is_not_there_is_proposed(s: Scene) -> Attempt:
    s.job(until="failed")
    return act(s, "developer", "job", "job-a", "propose_log")


@case("job", "own", "NOT_YOURS")
def somebody_elses_job_is_cancelled(s: Scene) -> Attempt:
    s.job(until="running")
    return direct(s, "rival", "job", "job-a", "own")


# --- questions under differential privacy


def _asks(guard: str, code: str, /, meanwhile: Callable[[Scene], Any] = lambda s: None, **over: Any) -> None:
    @case("job", guard, code)
    def asks(s: Scene) -> Attempt:
        meanwhile(s)
        return create(s, "developer", "job", question(s, **over))


def product_without_entity(s: Scene) -> None:
    """The product's entity column is masked: it names several."""
    made = s.get("product", "pr-a")
    columns = [{**one, "transforms": ["mask"]} for one in made.spec["columns"]]
    told = Entry(s.clock(), "system", "opco", "system", "fabricate", made.ref, after=made.state)
    with s.store.write() as writer:
        writer.put(replace(made, spec={**made.spec, "columns": columns}), told, expected=made.version)


def people_of(product: str, *columns: str) -> list[dict[str, Any]]:
    return [{"name": "residents", "product": product, "columns": list(columns)}]


_asks("well_formed", "DP_ONLY", query=None)
_asks("well_formed", "DP_ONLY", code={"main.sql": "SELECT 1"})
_asks("well_formed", "DP_ONLY", log=True)
_asks("well_formed", "DP_ONLY", outputs=[{"path": "out.json", "kind": "table"}])
_asks("well_formed", "DP_ONLY", outputs=[{"path": "out.csv", "kind": "rows"}])
_asks("well_formed", "DP_ONLY", language="sql", entry="main.sql", code={"main.sql": "SELECT 1"})
_asks("well_formed", "DP_ONLY", inputs=[*people_of("pr-a", "district"), *people_of("pr-a", "income")])
_asks("question_fits", "DP_QUERY", query=query(nano_rho=0))
_asks("question_fits", "DP_QUERY", query=query(sql="SELECT 1"))
_asks("question_fits", "COLUMN_NOT_GRANTED", inputs=people_of("pr-a", "district"))
_asks("question_fits", "COLUMN_NOT_GRANTED", query=query(where=[{"column": "phone", "op": "not_null"}]))
_asks(
    "question_fits",
    "DP_ENTITY",
    product_without_entity,
    inputs=people_of("pr-a", "person_id", "district"),
)
_asks("question_fits", "DP_IDENTIFIER", query=query(by=[{"column": "person_id", "keys": ["1"]}]))
_asks("question_fits", "NOT_FOUND", recipient="nobody")
_asks(
    "question_fits",
    "ORGANISATION_INACTIVE",
    lambda s: s.act("admin", "organisation", "dev-two", "suspend", {"reason": "breach"}),
    recipient="dev-two",
)
_asks("budget_holds", "BUDGET", query=query(nano_rho=10**9))
_asks("budget_holds", "BUDGET", lambda s: started(s), query=query(nano_rho=16_000_000))


@case("job", "well_formed", "DP_ONLY")
def names_a_recipient_without_a_question(s: Scene) -> Attempt:
    return create(s, "developer", "job", s.job_spec(recipient="dev"))


@case("dp-budget", "budget_left", "BUDGET")
def charges_beyond_the_cap(s: Scene) -> Attempt:
    release = started(s).status["dp"]["release"]
    with s.store.read() as reader:
        book = reader.find("dp-budget")[0]
    cost = {"nano_rho": 10**9, "delta_e15": 0, "delta_bound": 10**7}
    return act(s, "system", "dp-budget", book.id, "charge", {"release": release, "agreement": "ag-a", **cost})


@case("dp-release", "named_by_question", "DP_ID")
def an_answer_under_another_id(s: Scene) -> Attempt:
    spec = s.get("dp-release", started(s).status["dp"]["release"]).spec
    return "system", lambda: s.create("system", "dp-release", spec, "dpr-another")


@case("catalogue-entry", "domain_kept", "DOMAIN_FIXED")
def another_domain_after_the_first_charge(s: Scene) -> Attempt:
    started(s)
    spec = s.entry_spec(entity_domain="someone-else")
    return act(s, "editor", "catalogue-entry", "ce-a", "edit", spec)


@case("egress-request", "for_its_recipient", "DP_RECIPIENT")
def an_answer_for_somebody_else(s: Scene) -> Attempt:
    answered(s)
    return create(s, "developer", "egress-request", s.request_spec(job="job-q", recipient="dev-two"))


@case("egress-request", "paid", "DP_UNPAID")
def an_answer_that_was_not_sealed(s: Scene) -> Attempt:
    """Staged by hand, past the seal: nothing says that this is the file that was paid for."""
    started(s)
    output = {"path": "out.csv", "kind": "table", "sha256": "0" * 64, "bytes": 1}
    for event, payload in (("run", None), ("succeed", s.ran()), ("stage", {"outputs": [output]})):
        s.act("system", "job", "job-q", event, payload)
    s.request(until="two_verdicts", job="job-q")
    return act(s, "reviewer-two", "egress-request", "eg-a", "approve", {})


@case("egress-request", "paid", "DP_UNPAID")
def another_file_than_the_sealed_one(s: Scene) -> Attempt:
    answered(s)
    s.create("developer", "job", question(s), "job-again")
    s.act("system", "job", "job-again", "provision", s._start("job-again"))
    output = {"path": "out.csv", "kind": "table", "sha256": "0" * 64, "bytes": NANO}
    for event, payload in (("run", None), ("succeed", s.ran()), ("stage", {"outputs": [output]})):
        s.act("system", "job", "job-again", event, payload)
    s.request(until="two_verdicts", job="job-again")
    return act(s, "reviewer-two", "egress-request", "eg-a", "approve", {})


# --- egress requests


def _request(
    guard: str, code: str, /, who: str = "developer", until: str = "quarantined", **over: Any
) -> None:
    @case("egress-request", guard, code)
    def request(s: Scene) -> Attempt:
        s.job(until=until)
        return create(s, who, "egress-request", s.request_spec(**over))


_request("from_quarantine", "NOT_YOURS", who="rival")
_request("from_quarantine", "NO_OUTPUTS", until="running")
_request("from_quarantine", "PURPOSE_MISMATCH", purpose="advertising")
_request("use_allowed", "NOT_FOUND", recipient="nobody")


@case("egress-request", "use_allowed", "AGREEMENT_INACTIVE")
def proposes_under_suspended(s: Scene) -> Attempt:
    s.job()
    suspend(s)
    return create(s, "developer", "egress-request", s.request_spec())


@case("egress-request", "use_allowed", "ORGANISATION_INACTIVE")
def recipient_suspended(s: Scene) -> Attempt:
    s.job()
    s.act("admin", "organisation", "dev-two", "suspend", {"reason": "breach"})
    return create(s, "developer", "egress-request", s.request_spec(recipient="dev-two"))


@case("egress-request", "use_allowed", "MODE_NOT_ALLOWED", granted=False)
def form_not_on_the_list(s: Scene) -> Attempt:
    s.entry()
    s.agreement(product_forms=["report"])
    s.scenario()
    s.supply()
    s.primary()
    s.job()
    return create(s, "developer", "egress-request", s.request_spec())


@case("egress-request", "sources_open", "NEGATIVE_LIST")
def proposes_the_forbidden(s: Scene) -> Attempt:
    s.job()
    blacklist(s)
    return create(s, "developer", "egress-request", s.request_spec())


@case("egress-request", "resubmissions_left", "RESUBMISSIONS_SPENT")
def asks_once_too_often(s: Scene) -> Attempt:
    s.overlay(egress__resubmissions_max=1)
    s.job()
    s.request(until="auto_rejected")
    s.job("job-b")
    return create(s, "developer", "egress-request", s.request_spec(job="job-b"))


def in_review(s: Scene, until: str = "human_review", **over: Any) -> None:
    s.job()
    s.request(until=until, **over)


@case("egress-request", "sources_open", "NEGATIVE_LIST")
def approves_the_forbidden(s: Scene) -> Attempt:
    in_review(s, "two_verdicts")
    blacklist(s)
    return act(s, "reviewer", "egress-request", "eg-a", "approve", {})


@case("egress-request", "within_capacity", "CAPACITY_SPENT")
def approves_beyond_the_budget(s: Scene) -> Attempt:
    in_review(s, "two_verdicts")
    s.act("system", "scenario", "sc-a", "charge", {"request": "eg-b", "bits": 999_961})
    return act(s, "reviewer", "egress-request", "eg-a", "approve", {})


@case("egress-request", "within_capacity", "CAPACITY_UNKNOWN")
def approves_what_was_not_measured(s: Scene) -> Attempt:
    in_review(s, "auto_check")
    s.act("system", "egress-request", "eg-a", "forward", s.check("eg-a", capacity=None))
    for who, which in (("reviewer", "security"), ("reviewer-two", "business_conformity")):
        s.act(who, "egress-request", "eg-a", "give_verdict", s.verdict(which))
    return act(s, "reviewer", "egress-request", "eg-a", "approve", {})


@case("scenario", "capacity_left", "CAPACITY_SPENT")
def charges_beyond_the_budget(s: Scene) -> Attempt:
    return act(s, "system", "scenario", "sc-a", "charge", {"request": "eg-b", "bits": 1_000_001})


@case("egress-request", "authoriser_reviews", "NOT_AUTHORISER")
def another_authority_reviews(s: Scene) -> Attempt:
    in_review(s)
    return act(s, "other-reviewer", "egress-request", "eg-a", "give_verdict", s.verdict())


@case("egress-request", "independent", "SELF_REVIEW")
def author_reviews_by_second_account(s: Scene) -> Attempt:
    in_review(s)
    s.people["second"] = Actor("second", "person-developer", "bdb", Role.REVIEWER)
    return act(s, "second", "egress-request", "eg-a", "give_verdict", s.verdict())


def _bought(who: str, **over: Any) -> None:
    @case("egress-request", "independent", "SELF_REVIEW")
    def bought(s: Scene) -> Attempt:
        in_review(s, **over)
        amend(s, who, controlled_by=owned_by("bdb"))
        return act(s, "reviewer", "egress-request", "eg-a", "give_verdict", s.verdict())


_bought("dev")
_bought("opco")
_bought("dev-two", recipient="dev-two")


@case("egress-request", "checked", "UNCHECKED")
def decides_unchecked(s: Scene) -> Attempt:
    in_review(s, "requested")
    return direct(s, "reviewer", "egress-request", "eg-a", "checked")


@case("egress-request", "checked", "HARD_FINDING")
def hard_finding_in_review(s: Scene) -> Attempt:
    in_review(s, "auto_check")
    s.act("system", "egress-request", "eg-a", "forward", s.check("eg-a", "hold", s.finding()))
    return act(s, "reviewer", "egress-request", "eg-a", "give_verdict", s.verdict())


@case("egress-request", "checked", "HARD_FINDING")
def checker_crashed(s: Scene) -> Attempt:
    in_review(s, "auto_check")
    s.act("system", "egress-request", "eg-a", "forward", s.check("eg-a", error="TASK_failed"))
    return act(s, "reviewer", "egress-request", "eg-a", "give_verdict", s.verdict())


def _forwards(code: str, event: str, **over: Any) -> None:
    @case("egress-request", "ledger_current", code)
    def forwards(s: Scene) -> Attempt:
        s.job()
        s.job("job-b")
        in_review_of(s, "eg-b", "job-b")
        s.request(until="auto_check")
        return act(s, "system", "egress-request", "eg-a", event, {**s.check("eg-a"), **over})


def in_review_of(s: Scene, id: str, job: str) -> None:
    s.request(id, until="human_review", job=job)


_unseen = {"files": [{"path": "cells.parquet", "sha256": "0" * 64, "bytes": 1}], "seen": []}
_forwards("LEDGER_MISSING", "forward", ledger=None)
_forwards("LEDGER_MISSING", "hold", ledger=None)
_forwards("LEDGER_STALE", "forward", ledger=_unseen)
_forwards("LEDGER_STALE", "hold", ledger=_unseen)


def _verdict(code: str, **over: Any) -> None:
    @case("egress-request", "all_points", code)
    def verdict(s: Scene) -> Attempt:
        in_review(s)
        given = s.verdict()
        changed = {point: {"answer": "pass", "note": "seen", **over} for point in ("26.3",)}
        form = {**given["points"], **changed} if over else {"26.1": {"answer": "pass"}}
        return act(s, "reviewer", "egress-request", "eg-a", "give_verdict", {**given, "points": form})


_verdict("POINTS_MISSING")
_verdict("POINTS_MISSING", answer="na", note="")
_verdict("VERDICT_NEGATIVE", answer="fail")


def _verdicts(code: str, *given: dict[str, Any], **over: Any) -> None:
    @case("egress-request", "verdicts_complete", code)
    def verdicts(s: Scene) -> Attempt:
        in_review(s, **over)
        for one in given:
            s.act("reviewer", "egress-request", "eg-a", "give_verdict", s.verdict(**one))
        return act(s, "reviewer", "egress-request", "eg-a", "approve", {})


SECURITY, BUSINESS = {"which": "security"}, {"which": "business_conformity"}
_verdicts("VERDICT_MISSING")
_verdicts("VERDICT_MISSING", SECURITY)
_verdicts("VERDICT_MISSING", BUSINESS)
_verdicts("VERDICT_NEGATIVE", SECURITY, {**BUSINESS, "verdict": "fail"}, BUSINESS)
_verdicts("TWO_REVIEWERS", SECURITY, BUSINESS, SECURITY, high_risk=True)


OPINION = {"expert": "professor", "expert_organisation": "institute", "text": "fits", "no_interest": True}


def _opinion(guard: str, code: str, until: str = "human_review", **over: Any) -> None:
    @case("egress-request", guard, code)
    def opinion(s: Scene) -> Attempt:
        in_review(s, until)
        return act(s, "reviewer", "egress-request", "eg-a", "attach_opinion", {**OPINION, **over})


_opinion("expert_apart", "EXPERT_SIDED", expert_organisation="dev")
_opinion("expert_apart", "EXPERT_SIDED", expert_organisation=" OPCO ", until="held_cross_border")
_opinion("interest_said", "INTEREST_UNSAID", no_interest=False)
_opinion("interest_said", "INTEREST_UNSAID", interest="holds shares of the recipient")


def _by_others(event: str, who: str, guard: str, code: str, payload: dict[str, Any]) -> None:
    @case("egress-request", guard, code)
    def others(s: Scene) -> Attempt:
        in_review(s)
        return act(s, who, "egress-request", "eg-a", event, payload)


for _event, _given in (("note", {"text": "seen"}), ("attach_opinion", OPINION), ("claim", {})):
    _by_others(_event, "other-reviewer", "authoriser_reviews", "NOT_AUTHORISER", _given)


@case("egress-request", "own_claim", "NOT_CLAIMED")
def puts_back_what_another_has(s: Scene) -> Attempt:
    in_review(s)
    s.act("reviewer", "egress-request", "eg-a", "claim")
    return act(s, "reviewer-two", "egress-request", "eg-a", "unclaim")


@case("egress-request", "product_registered", "PRODUCT_UNREGISTERED")
def releases_unregistered(s: Scene) -> Attempt:
    in_review(s, "approved")
    return act(s, "system", "egress-request", "eg-a", "prepare")


def _download(guard: str, code: str, meanwhile: Callable[[Scene], Any], **over: Any) -> None:
    def download(s: Scene) -> Attempt:
        in_review(s, "released", **over)
        token = s.space.gate._token(
            "eg-a", s.get("egress-request", "eg-a").status["release"]["package_sha256"]
        )
        meanwhile(s)
        return act(s, "developer", "egress-request", "eg-a", "download", {"token": token})

    case("egress-request", guard, code)(download)


def recall_product(s: Scene) -> None:
    s.act("reviewer", "product", s.product_of("eg-a").id, "recall", {"cause": "leak"})


_download("token_holds", "NOT_RECIPIENT", lambda s: None, recipient="dev-two")
_download("token_holds", "TOKEN_EXPIRED", lambda s: s.clock.move(days=31))
_download("agreement_active", "AGREEMENT_INACTIVE", suspend)
_download("product_registered", "PRODUCT_UNREGISTERED", recall_product)
_download("sources_open", "NEGATIVE_LIST", blacklist)


@case("egress-request", "token_holds", "TOKEN_INVALID")
def guesses_a_token(s: Scene) -> Attempt:
    in_review(s, "released")
    return act(s, "developer", "egress-request", "eg-a", "download", {"token": "rel_" + "0" * 64})


# --- products


@case("product", "reviewed", "NOT_REVIEWED")
def makes_a_product_by_hand(s: Scene) -> Attempt:
    spec = {**s.product_spec("pr-a"), "level": 2, "request": "eg-none"}
    return create(s, "developer", "product", spec)


@case("product", "reviewed", "NOT_REVIEWED")
def makes_a_primary_product_by_hand(s: Scene) -> Attempt:
    return create(s, "operator", "product", s.product_spec("pr-a"))


@case("product", "own", "NOT_YOURS")
def developer_withdraws_the_operators(s: Scene) -> Attempt:
    return act(s, "developer", "product", "pr-a", "withdraw", {"cause": "mine"})


@case("product", "own_scenario", "NOT_GRANTED")
def offers_to_the_revoked(s: Scene) -> Attempt:
    s.primary("pr-b", until="draft", job="job-b")
    s.act("chief", "scenario", "sc-a", "revoke", {"cause": "breach"})
    return act(s, "operator", "product", "pr-b", "offer", {"scenario": "sc-a"})


@case("product", "own_scenario", "PRODUCT_NOT_OFFERED")
def offers_across_scenarios(s: Scene) -> Attempt:
    s.primary("pr-b", until="draft", job="job-b")
    applied(s, "granted")
    return act(s, "operator", "product", "pr-b", "offer", {"scenario": "sc-b"})


@case("product", "still_reviewed", "NOT_REVIEWED")
def registers_the_recalled(s: Scene) -> Attempt:
    in_review(s, "approved")
    s.act("reviewer", "egress-request", "eg-a", "recall", {"cause": "leak"})
    told = {"registration_no": "CP-1", "registered_on": "2026-09-21"}
    return act(s, "developer", "product", s.product_of("eg-a").id, "register", told)


@case("product", "sources_registered", "NOT_REGISTERED", granted=False)
def registers_over_unregistered(s: Scene) -> Attempt:
    s.overlay(registration__resources=False)
    s.entry(until="confirmed")
    s.act("editor", "catalogue-entry", "ce-a", "include")
    s.agreement()
    s.scenario()
    s.supply()
    s.primary()
    in_review(s, "approved")
    told = {"registration_no": "CP-1", "registered_on": "2026-09-21"}
    return act(s, "developer", "product", s.product_of("eg-a").id, "register", told)


@case("product", "supervising", "NOT_AUTHORISER")
def another_authority_suspends(s: Scene) -> Attempt:
    return act(s, "other-body", "product", "pr-a", "suspend", {"cause": "breach"})


# --- re-identification


def _reidentify(guard: str, code: str, /, who: str = "editor", **over: Any) -> None:
    @case("reidentification", guard, code)
    def ask(s: Scene) -> Attempt:
        tokenised(s)
        return create(s, who, "reidentification", asked(**over))


_reidentify("own_source", "REIDENTIFY_SOURCE", who="bureau-editor")
_reidentify("own_source", "REIDENTIFY_SOURCE", product="pr-none")
_reidentify("own_source", "REIDENTIFY_SOURCE", product="pr-a")
_reidentify("own_source", "REIDENTIFY_SOURCE", column="district")
_reidentify("bounded", "REIDENTIFY_BOUND", tokens=[TOKENS[0], TOKENS[0]])


@case("reidentification", "purpose_allowed", "REIDENTIFY_PURPOSE")
def for_a_purpose_that_no_profile_names(s: Scene) -> Attempt:
    tokenised(s)
    s.overlay(reidentify__purposes=[])
    return create(s, "editor", "reidentification", asked())


@case("reidentification", "own_source", "AGREEMENT_INACTIVE")
def of_a_workspace_that_is_being_deleted(s: Scene) -> Attempt:
    tokenised(s)
    row = replace(s.get("agreement", "ag-a"), state="deleting")
    with s.store.write() as writer:
        entry = Entry(s.clock(), "system", "x", "system", "plant", row.ref, after=row.state)
        writer.put(replace(row, version=row.version + 1), entry, expected=row.version)
    return create(s, "editor", "reidentification", asked())


@case("reidentification", "bounded", "REIDENTIFY_BOUND")
def more_tokens_than_one_act_may_name(s: Scene) -> Attempt:
    tokenised(s)
    s.overlay(reidentify__tokens_max=1)
    return create(s, "editor", "reidentification", asked())


@case("reidentification", "bounded", "REIDENTIFY_BOUND")
def more_tokens_than_a_year_may_name(s: Scene) -> Attempt:
    s.overlay(reidentify__tokens_year=3)
    requested(s)
    return create(s, "editor", "reidentification", asked())


@case("reidentification", "authoriser_decides", "NOT_AUTHORISER")
def another_authority_decides(s: Scene) -> Attempt:
    requested(s)
    return act(s, "other-reviewer", "reidentification", "rid-a", "approve", {"reason": "leak"})


@case("reidentification", "second_person", "REIDENTIFY_FOUR_EYES")
def the_same_person_decides_by_a_second_account(s: Scene) -> Attempt:
    requested(s)
    s.people["second"] = Actor("second", "person-editor", "bdb", Role.REVIEWER)
    return act(s, "second", "reidentification", "rid-a", "approve", {"reason": "leak"})


@case("reidentification", "asker", "NOT_YOURS")
def another_provider_withdraws(s: Scene) -> Attempt:
    requested(s)
    return direct(s, "bureau-editor", "reidentification", "rid-a", "asker")


# --- rectification


def order(s: Scene, **over: Any) -> None:
    spec = {"agreement": "ag-a", "breach": "leak", "items": ["mend"], "law": "CD 34", **over}
    s.create("body", "rectification", spec, "re-a")


@case("rectification", "ordered_by_authoriser", "NOT_AUTHORISER")
def another_authority_orders(s: Scene) -> Attempt:
    spec = {"agreement": "ag-a", "breach": "leak", "items": ["mend"], "law": "CD 34"}
    return create(s, "other-body", "rectification", spec)


@case("rectification", "same_authoriser", "NOT_AUTHORISER")
def another_authority_verifies(s: Scene) -> Attempt:
    order(s)
    s.act("operator", "rectification", "re-a", "report", {"done": ["mended"]})
    return act(s, "other-body", "rectification", "re-a", "verify", {"reason": "seen"})


@case("rectification", "operator_reports", "NOT_PARTY")
def another_operator_reports(s: Scene) -> Attempt:
    order(s)
    return direct(s, "other-operator", "rectification", "re-a", "operator_reports")


@case("rectification", "date_passed", "NOT_OVERDUE")
def ends_before_the_date(s: Scene) -> Attempt:
    order(s)
    return act(s, "body", "rectification", "re-a", "decide_termination", {"reason": "late"})


# --- the tests


def frames(traceback: TracebackType | None) -> Iterator[Any]:
    while traceback is not None:
        yield traceback.tb_frame.f_code
        traceback = traceback.tb_next


@pytest.mark.parametrize("row", CASES, ids=str)
def test_refused_by_its_guard_with_one_entry_and_no_change(row: Refusal, scene_of: SceneMaker) -> None:
    scene = scene_of(row.profile, granted=row.granted)
    who, attempt = row.prepare(scene)
    before, entries = scene.everything(), scene.logged()
    with pytest.raises(SandboxError) as caught:
        attempt()
    assert caught.value.code == row.code
    assert guard_of(row.kind, row.guard).__code__ in list(frames(caught.tb)), "something else refused"
    assert scene.everything() == before
    noted = scene.log(entries)
    if who in ("direct", "system"):  # the machine's own attempts are repeated, not accused
        assert noted == []
    else:
        actor = scene.who(who)
        assert [(e.outcome, e.reason, e.actor, e.before, e.after) for e in noted] == [
            ("refused", row.code, actor.account, "", "")
        ]


def test_every_guard_of_every_table_has_a_case() -> None:
    guards = {
        (kind.name, guard.__name__)
        for kind in KINDS.values()
        for row in kind.transitions
        for guard in row.guards
    }
    assert guards - {(row.kind, row.guard) for row in CASES} == set()


def test_no_case_names_a_code_that_does_not_exist() -> None:
    assert {row.code for row in CASES} <= set(CODES)


def test_a_value_without_canonical_form_is_malformed(granted: Scene) -> None:
    for value in (float("nan"), float("inf"), 2**60):
        item = {**ITEM, "rows": [{"column": "income", "op": ">", "value": value}]}
        with refused("MALFORMED"):
            granted.create("developer", "scenario", granted.scenario_spec(list=[item]))
