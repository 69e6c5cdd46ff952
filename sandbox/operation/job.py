"""Job (作业): requirements D.4. Other people's code over the granted view, or the operator's recipe.

Everything that may be refused is refused before the job exists (the guards of ``create``), and asked
again in the transaction that starts it, because a grant may have ended while the job was queued.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import rfc8785

from sandbox.authorisation.affiliation import no_redevelopment
from sandbox.authorisation.agreement import active
from sandbox.authorisation.assessment import authorising_side
from sandbox.authorisation.grant import open_now
from sandbox.authorisation.scenario_spec import LIVE as GRANTING
from sandbox.authorisation.scenario_spec import Cause, user_of
from sandbox.catalog.negative import not_listed
from sandbox.core.actor import MACHINE, OPERATING, READS_ALL, Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Command, Kind, Reach, State, Transition, World
from sandbox.core.records import limited, need, own, signed
from sandbox.core.resource import Resource
from sandbox.desensitize.recipe import Rules, validate_recipe
from sandbox.desensitize.required import with_entity
from sandbox.operation import (
    codes,  # noqa: F401
    dp,
)
from sandbox.operation.job_spec import LOG as LOG
from sandbox.operation.job_spec import Denial, Proposed, Staged, Started
from sandbox.operation.job_spec import JobInput as JobInput
from sandbox.operation.job_spec import JobSpec as JobSpec
from sandbox.operation.job_spec import Kept as Kept
from sandbox.operation.outcome import Ran, Viewed, answer_shown
from sandbox.operation.outcome import shown as ended_as
from sandbox.operation.turn import its_turn
from sandbox.task.heads import refuse_heads

NAME = "job"
SHOWN = {"dp": answer_shown}  # by language, how a job's end is told; others: ``ended_as``

# which limit of the job is bounded by which parameter of the profile
BOUNDS = {
    "seconds": "job.timeout_seconds",
    "memory_bytes": "job.memory_bytes",
    "output_bytes": "job.output_bytes",
}


def spec_of(case: Case) -> JobSpec:
    """The job's specification: the payload on creation, the stored one afterwards."""
    if isinstance(case.payload, JobSpec):
        return case.payload
    return JobSpec.model_validate(case.resource.spec)


def submitter(case: Case) -> tuple[str, Role]:
    """Who submitted it: the actor on creation, afterwards as recorded."""
    if isinstance(case.payload, JobSpec):
        return case.actor.organisation, case.actor.role
    return case.resource.organisation, Role(case.resource.status["create"]["role"])


def well_formed(case: Case) -> None:
    """Guard: entry present, names distinct, limits within the profile's, one input of recipe and question."""
    spec = spec_of(case)
    if spec.language == "dp":
        dp.dp_formed(spec)
    elif spec.query is not None or spec.recipient:
        raise fail("DP_ONLY")
    elif spec.primary:
        if spec.recipe is None or len(spec.inputs) != 1 or spec.code or spec.staged:
            raise fail("RECIPE_ONLY")
    elif spec.entry not in spec.code:
        raise fail("ENTRY_MISSING")
    elif not spec.outputs:
        raise fail("MISSING_FIELD", field="outputs")
    paths = [output.path for output in spec.staged]
    for path in paths:
        if paths.count(path) > 1:
            raise fail("OUTPUT_NAME", path=path)
    names = [table.name for table in spec.inputs]
    for name in names:
        if names.count(name) > 1:
            raise fail("OUTPUT_NAME", path=name)
    for name, key in BOUNDS.items():
        asked, bound = getattr(spec.limits, name), int(case.policy.get(key))
        if asked is not None and asked > bound:
            raise fail("LIMIT_TOO_HIGH", limit=name, max=bound)
    if sum(len(text.encode()) for text in spec.code.values()) > 1 << 20:
        raise fail("LIMIT_TOO_HIGH", limit="code", max=1 << 20)


def statements_read(case: Case) -> None:
    """Guard: a SQL script begins every statement as a read statement; the parser in the container asks
    again, of the whole of it (sandbox/task/statements.py)."""
    spec = spec_of(case)
    if spec.language == "sql":
        refuse_heads(spec.code[spec.entry], spec.entry)


def log_kept(case: Case) -> None:
    """Guard: the job left a sealed log, and its submitter wrote the code that printed it: not a question."""
    if case.resource.spec["language"] == "dp" or not case.resource.status["outcome"].get("log"):
        raise fail("NO_LOG", job=case.resource.id)


def grant_holds(case: Case) -> None:
    """Guard: an approved scenario of this organisation, in term, with uses left, for this purpose (R-112)."""
    spec = spec_of(case)
    organisation, role = submitter(case)
    scenario = case.world.get("scenario", spec.scenario)
    if scenario is None:
        raise fail("SCENARIO_UNKNOWN", scenario=spec.scenario)
    agreement = need(case, "agreement", scenario.spec["agreement"])
    party = agreement.spec["operator"] if role == Role.OPERATOR else user_of(scenario)
    if party != organisation:
        raise fail("SCENARIO_UNKNOWN", scenario=spec.scenario)
    if role == Role.OPERATOR and not spec.primary:
        raise fail("SOD_REDEV", operator=organisation, other=organisation)
    if role == Role.DEVELOPER:
        no_redevelopment(case.world, case.policy, agreement.spec["operator"], organisation)
    if scenario.state not in GRANTING:
        code = "GRANT_EXPIRED" if scenario.state == "expired" else "NOT_GRANTED"
        raise fail(code, scenario=scenario.id, state=scenario.state)
    active(case, agreement, agreement.id)
    grant = scenario.status["grant"]
    if not open_now(scenario, case.now):
        raise fail("GRANT_EXPIRED", scenario=scenario.id)
    if spec.purpose != grant["purpose"]:
        raise fail("PURPOSE_MISMATCH", purpose=spec.purpose, granted=grant["purpose"])
    if grant["uses_left"] < 1:
        raise fail("GRANT_SPENT", scenario=scenario.id)


def recipe_valid(case: Case) -> None:
    """Guard: the recipe fits the entry's fields, leaves no personal identifier as it is (R-103), and has the
    transforms that the policy requires (R-132, R-138)."""
    spec = spec_of(case)
    if spec.primary:
        table = spec.inputs[0]
        entry = need(case, "catalogue-entry", table.entry or "-")
        described = with_entity(entry.spec["fields"], entry.spec["entity"])
        fields = [field for field in described if field["name"] in table.columns]
        validate_recipe(spec.recipe, fields, Rules.of(case.policy.get))


def question_fits(case: Case) -> None:
    """Guard: a question is one that may be asked of its input, for an active recipient (R-134)."""
    spec = spec_of(case)
    if spec.language == "dp":
        dp.query_fits(case, spec)
        recipient = dp.recipient_of(spec, submitter(case)[0])
        if need(case, "organisation", recipient).state != "active":
            raise fail("ORGANISATION_INACTIVE", organisation=recipient)


def budget_holds(case: Case) -> None:
    """Guard: every scope of the budget can pay for the question, or it is paid for (R-134)."""
    spec = spec_of(case)
    if spec.language == "dp":
        scenario = need(case, "scenario", spec.scenario)
        lineage = lineage_of(spec, scenario, case.world)
        asked = dp.question(case, spec, lineage, submitter(case)[0], case.resource.id)
        dp.budget_holds(case, asked)


def columns_granted(case: Case) -> None:
    """Guard: every input column is on the determined list, or of a primary product offered (R-031, R-092)."""
    spec = spec_of(case)
    scenario = need(case, "scenario", spec.scenario)
    listed = {item["entry"]: item for item in scenario.status["grant"]["items"]}
    for table in spec.inputs:
        if (table.entry is None) == (table.product is None):
            raise fail("MALFORMED", what=f"inputs.{table.name}", why="entry / product: exactly one")
        if table.product is not None:
            offered(case, scenario, table)
            continue
        raw(case, spec, scenario, listed, table)


def offered(case: Case, scenario: Resource, table: JobInput) -> None:
    """A primary product: offered to this very scenario, and only its own columns."""
    product = case.world.get("product", table.product or "")
    if (
        product is None
        or product.state != "offered"
        or product.status["offer"]["scenario"] != scenario.id
        or product.spec["scenario"] != scenario.id
    ):
        raise fail("PRODUCT_NOT_OFFERED", product=table.product, scenario=scenario.id)
    names = {column["name"] for column in product.spec["columns"]}
    for column in table.columns:
        if column not in names:
            raise fail("COLUMN_NOT_GRANTED", column=column, source=product.id)
    for entry in product.spec["lineage"]["entries"]:
        not_listed(case.world, entry)


def raw(case: Case, spec: JobSpec, scenario: Resource, listed: dict[str, Any], table: JobInput) -> None:
    """A raw resource: on the list column by column, supplied, and not for developers (P-58)."""
    entry = table.entry or ""
    item = listed.get(entry)
    for column in table.columns:
        if item is None or column not in item["columns"]:
            raise fail("COLUMN_NOT_GRANTED", column=column, source=entry)
    not_listed(case.world, entry)
    if not spec.primary and case.policy.get("raw.developer_use") != "allowed":
        raise fail("RAW_NOT_GRANTED", entry=entry)
    if need(case, "catalogue-entry", entry).version != (item or {})["version"]:
        raise fail("ENTRY_CHANGED", entry=entry)
    if supply_of(case.world, scenario.id, entry) is None:
        raise fail("NO_SUPPLY", entry=entry)


def supply_of(world: World, scenario: str, entry: str) -> Resource | None:
    """The newest available supply of a resource in a scenario's workspace."""
    found = world.find("supply", state="available", labels={"scenario": scenario, "entry": entry})
    return found[-1] if found else None


def lineage_of(spec: JobSpec, scenario: Resource, world: World) -> dict[str, Any]:
    """What the job will read: for each input the snapshot's hash, and every supply and entry behind it."""
    inputs: list[dict[str, Any]] = []
    supplies: set[str] = set()
    entries: set[str] = set()
    products: set[str] = set()
    for table in spec.inputs:
        if table.product is not None:
            product = world.get("product", table.product)
            assert product is not None
            inputs.append(
                {"name": table.name, "product": product.id, "sha256": product.spec["artefact_sha256"]}
            )
            products.add(product.id)
            supplies |= set(product.spec["lineage"]["supplies"])
            entries |= set(product.spec["lineage"]["entries"])
        else:
            supply = supply_of(world, scenario.id, table.entry or "")
            assert supply is not None
            inputs.append(
                {"name": table.name, "supply": supply.id, "sha256": supply.status["snapshot"]["sha256"]}
            )
            supplies.add(supply.id)
            entries.add(table.entry or "")
    return {
        "inputs": inputs,
        "supplies": sorted(supplies),
        "entries": sorted(entries),
        "products": sorted(products),
    }


def submitted(case: Case) -> dict[str, Any]:
    """Record: who submitted, the hash of code or recipe, which entries it names (for the negative list)."""
    spec = spec_of(case)
    scenario = need(case, "scenario", spec.scenario)
    body = {"code": spec.code, "recipe": spec.recipe}
    body |= {"query": spec.query} if spec.query is not None else {}
    return {
        "create": {
            "by": case.actor.account,
            "person": case.actor.person,
            "organisation": case.actor.organisation,
            "role": str(case.actor.role),
            "at": case.now.isoformat(),
        },
        "code_sha256": hashlib.sha256(rfc8785.dumps(body)).hexdigest(),
        "lineage": lineage_of(spec, scenario, case.world),
        "attempt": 0,
    }


def started(case: Case) -> dict[str, Any]:
    """Record: the lineage as it is at the start, which attempt this is, and which question it asks."""
    spec = spec_of(case)
    told = {}
    if spec.language == "dp":
        lineage, job = case.payload.lineage, case.resource
        told = {"dp": dp.reference(dp.question(case, spec, lineage, job.organisation, job.id))}
    return {
        **told,
        "lineage": case.payload.lineage,
        "list_sha256": case.payload.list_sha256,
        "attempt": case.payload.attempt,
        "provision": {"at": case.now.isoformat()},
    }


def debit(case: Case, after: Resource) -> Iterable[Command]:
    """Effect: one use of the grant, in the transaction that starts the job."""
    yield Command("scenario", after.spec["scenario"], "debit", {"job": after.id})


def primary_product(case: Case, after: Resource) -> Iterable[Command]:
    """Effect: the primary product's record, a draft until the operator offers it."""
    kept: Kept = case.payload
    yield Command(
        "product",
        kept.product,
        "create",
        {
            "level": 1,
            "title": kept.title,
            "form": "dataset",
            "scenario": after.spec["scenario"],
            "agreement": after.labels["agreement"],
            "job": after.id,
            "lineage": {key: after.status["lineage"][key] for key in ("supplies", "entries", "products")},
            "artefact_sha256": kept.artefact_sha256,
            "columns": kept.model_dump(mode="json")["columns"],
            "anonymity": kept.anonymity.model_dump(mode="json"),
        },
        organisation=after.organisation,
        creates=True,
    )


def ended(case: Case) -> dict[str, Any]:
    """Record: the outcome."""
    return {"outcome": signed(case)}


def staged(case: Case) -> dict[str, Any]:
    """Record: the outputs by hash."""
    return {"outputs": case.payload.model_dump(mode="json")["outputs"], "stage": {"at": case.now.isoformat()}}


def log_staged(case: Case) -> dict[str, Any]:
    """Record: the sealed log as the one output, in the place where it lies."""
    log = case.resource.status["outcome"]["log"]
    output = {"path": LOG.path, "kind": LOG.kind, "place": "log", **log}
    return {"outputs": [output], "stage": {"at": case.now.isoformat()}}


def labels(case: Case) -> dict[str, str]:
    """Index: by scenario and by its agreement, so that suspending the agreement finds its jobs."""
    scenario = need(case, "scenario", case.payload.scenario)
    return {"scenario": scenario.id, "agreement": scenario.spec["agreement"]}


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """Its owner, the authoriser's side, auditors; a developer's code is not the operator's to read."""
    return actor.role in READS_ALL or actor.organisation == resource.organisation


def reach(actor: Actor) -> Reach | None:
    """Where ``visible`` says yes."""
    return None if actor.role in READS_ALL else Reach(actor.organisation)


def view(actor: Actor, resource: Resource) -> Resource:
    """What the submitter sees: closed vocabulary only (invariant 5, R-117).

    State, how it ended (``outcome.shown``), output names without hashes or sizes, times to the minute.
    """
    if actor.role in READS_ALL:
        return resource
    status: dict[str, Any] = {}
    outcome = resource.status.get("outcome")
    if outcome:
        status["outcome"] = SHOWN.get(resource.spec["language"], ended_as)(outcome)
    if "deny" in resource.status:
        status["deny"] = {key: resource.status["deny"][key] for key in ("code", "details")}
    if "outputs" in resource.status:
        status["outputs"] = [{"path": output["path"]} for output in resource.status["outputs"]]
    if "dp" in resource.status:
        status["dp"] = {"release": resource.status["dp"]["release"]}
    for event in ("propose", "keep", "kill"):
        if event in resource.status:
            status[event] = {
                key: value
                for key, value in resource.status[event].items()
                if key in ("request", "product", "cause")
            }
    return limited(resource, status=status)


STOPPER = frozenset({Role.REVIEWER, Role.IMPLEMENTING_BODY, Role.DATA_AUTHORITY, Role.SYSTEM})


def stopping_side(case: Case) -> None:
    """Guard: a person who stops a job is of the authorising side."""
    if case.actor.role != Role.SYSTEM:
        scenario = need(case, "scenario", case.resource.spec["scenario"])
        authorising_side(
            Case(
                resource=scenario,
                actor=case.actor,
                payload=case.payload,
                policy=case.policy,
                now=case.now,
                world=case.world,
                term=case.term,
            )
        )


# fmt: off
TRANSITIONS = (
    Transition("create", (), "queued", OPERATING, "提交", "submit", "GZ 二(四); GD 24, 25; CN (三)",
               payload=JobSpec, record=submitted,
               guards=(well_formed, grant_holds, columns_granted, statements_read, recipe_valid,
                       question_fits, budget_holds)),
    Transition("provision", ("queued",), "provisioning", MACHINE, "准备", "provision",
               "CN (三); CD 28; GD 25", payload=Started, guards=(its_turn, grant_holds, columns_granted,
                       question_fits), record=started, effects=(debit, dp.pay)),
    Transition("deny", ("queued",), "denied", MACHINE, "拒绝", "deny", "CN (三); CD 28; GD 25",
               payload=Denial),
    Transition("run", ("provisioning",), "running", MACHINE, "启动", "start", "GM 一(三); GZ 三(四)",
               payload=Viewed),
    Transition("succeed", ("running",), "succeeded", MACHINE, "成功", "succeed", "GD 30", payload=Ran,
               record=ended),
    Transition("fail", ("provisioning", "running", "succeeded"), "failed", MACHINE, "失败", "fail",
               "GD 30", payload=Ran, record=ended, effects=(dp.spend,),
               clock="quarantine.purge_days"),
    Transition("kill", ("queued", "provisioning", "running"), "killed", STOPPER, "终止", "kill",
               "CD 34; GZ 二(四)", payload=Cause, guards=(stopping_side,),
               effects=(dp.spend,)),
    Transition("cancel", ("queued", "provisioning", "running"), "killed", OPERATING, "撤回", "cancel",
               "default: whoever submitted a job may give it up", guards=(own,), effects=(dp.spend,)),
    Transition("stage", ("succeeded",), "quarantined", MACHINE, "隔离输出", "quarantine outputs",
               "GZ 二(五)", payload=Staged, record=staged, clock="quarantine.purge_days"),
    Transition("propose_log", ("failed",), "quarantined", OPERATING, "以日志为输出", "propose the log",
               "default: a log leaves as any output does (R-117)", guards=(own, log_kept),
               record=log_staged, clock="quarantine.purge_days"),
    Transition("keep", ("succeeded",), "kept", MACHINE, "存为初级产品", "keep as primary product",
               "GZ 二(四)", payload=Kept, effects=(primary_product,)),
    Transition("propose", ("quarantined",), "proposed", MACHINE, "申请出域", "propose", "GD 26",
               payload=Proposed),
    Transition("purge", ("quarantined", "failed", "killed"), "purging", MACHINE, "清除", "purge",
               "default: unclaimed outputs do not stay (Q-10)", payload=Cause),
    Transition("erase", ("purging",), "purged", MACHINE, "清除完毕", "erase",
               "default: unclaimed outputs do not stay (Q-10)"),
)
# fmt: on

KIND = Kind(
    name=NAME,
    zh="作业",
    en="job",
    prefix="job",
    spec=JobSpec,
    labels=labels,
    visible=visible,
    reach=reach,
    view=view,
    machine=frozenset({"anonymity", "anonymised"}),
    working=frozenset({"queued", "provisioning", "running", "succeeded", "purging"}),
    states=(
        State("queued", "排队", "queued", "system"),
        State("provisioning", "准备中", "provisioning", "system"),
        State("running", "运行中", "running", "system"),
        State("denied", "拒绝执行", "denied", ""),
        State("succeeded", "运行成功", "succeeded", "system"),
        State("failed", "运行失败", "failed", "developer", lapse="purge"),
        State("killed", "已终止", "killed", "system"),
        State("quarantined", "输出已隔离", "outputs in quarantine", "developer", lapse="purge"),
        State("proposed", "已申请出域", "proposed for egress", ""),
        State("kept", "已成初级产品", "kept as primary product", ""),
        State("purging", "清除中", "purging", "system"),
        State("purged", "已清除", "purged", ""),
    ),
    transitions=TRANSITIONS,
)
