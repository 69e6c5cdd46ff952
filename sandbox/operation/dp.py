"""A job that asks a question under differential privacy: what it must be, what it costs, which answer it is.

The query is a specification, not code. Which column names the entity comes from the catalogue, never from who
asks; what is counted and how it is bounded comes from the query, and the price from the query alone: neither
the price nor a refusal tells anything of the data.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

import rfc8785

from sandbox.authorisation.dp_budget import NAME as BUDGET
from sandbox.authorisation.dp_budget import (
    Budget,
    DpCharge,
    affordable,
    delta_bound,
    domain_of,
    round_up,
    rules_of,
    scope_id,
    sum_of,
    told_epsilon,
)
from sandbox.core.calendar import BEIJING
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Command
from sandbox.core.records import need
from sandbox.core.resource import Resource
from sandbox.desensitize.dp import accounting
from sandbox.desensitize.dp.spec import Query, validate_query
from sandbox.desensitize.required import needs_desensitising, with_entity
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.operation import codes  # noqa: F401
from sandbox.operation.dp_release import NAME as RELEASE
from sandbox.operation.dp_release import DpRelease, present, release_id
from sandbox.operation.job_spec import JobInput, JobLimits, JobSpec

# transforms after which a column still names exactly one entity: one to one and the same in every row, or
# merging spellings of one name
NAMING = frozenset(
    {"tidy", *(name for name, one in TRANSFORMS.items() if one.method == "pseudonym" and one.keeps_joins)}
)
# transforms that look at the cell and at fixed tables; BESIDE: at other cells of its row too; CHOOSING: which
# rows stay, by one cell of each. Without an entity the rows of all others are what they were. Others
# (micro-aggregation, redaction by names of the whole table) mix entities: one of them moves the rows of many,
# and no bound on contributions holds. A new transform is none of these until it is entered here; a test
# compares with the table of transforms.
CELLWISE = frozenset(
    {
        *("mask", "generalise", "pseudonym", "fpe", "token", "suppress", "top_code", "bottom_code"),
        *("round", "tidy", "convert"),
    }
)
BESIDE = frozenset({"noise", "date_shift", "geo", "round_random"})
CHOOSING = frozenset({"sample"})
GROUPING = frozenset(name for name, one in TRANSFORMS.items() if one.method in ("generalise", "aggregate"))
FORMS = (".csv", ".parquet")
DRAWING = frozenset({"running", "succeeded"})  # states of a job in which its noise may have been drawn


def dp_formed(spec: JobSpec) -> None:
    """Raises DP_ONLY unless a question is all that the job is: one input, one table, no code, no log, and no
    limits of its own: an answer that does not fit would tell its length."""
    alone = spec.query is not None and not (spec.code or spec.entry or spec.recipe or spec.log)
    alone = alone and spec.limits == JobLimits()
    tables = [output for output in spec.outputs if output.kind == "table" and output.path.endswith(FORMS)]
    if not alone or len(spec.inputs) != 1 or len(tables) != 1 or len(spec.outputs) != 1:
        raise fail("DP_ONLY")


def recipient_of(spec: JobSpec, organisation: str) -> str:
    """For whom the answer is."""
    return spec.recipient or organisation


def entity_of(case: Case, table: JobInput) -> str:
    """The column of the job's table that names the entity, by the catalogue.

    Raises DP_ENTITY where it states none, and for a product that lost the column, or holds it changed so that
    it may name several or only a part of one, or was made of a supply whose entry named another:
    contributions could not be bounded.
    """
    if table.entry is not None:
        entity = need(case, "catalogue-entry", table.entry).spec["entity"]
        if entity is None:
            raise fail("DP_ENTITY", source=table.entry)
        return str(entity)
    product = need(case, "product", table.product or "-")
    lineage = product.spec["lineage"]
    named = {need(case, "catalogue-entry", one).spec["entity"] for one in lineage["entries"]}
    supplied = {need(case, "supply", one).status["accepted"].get("entity") for one in lineage["supplies"]}
    for column in product.spec["columns"] if supplied == named else ():
        if column["source"] in named and set(column.get("transforms", ())) <= NAMING:
            return str(column["name"])
    raise fail("DP_ENTITY", source=product.id)


def identifying(case: Case, table: JobInput) -> set[str]:
    """The columns of the job's table that hold identifiers, by the catalogue, or come from such: the entity,
    whatever its role, and of personal fields whose role says nothing those that no step has put in groups."""
    product = None if table.product is None else need(case, "product", table.product)
    entries = product.spec["lineage"]["entries"] if product else [table.entry or "-"]
    raw, unsaid = set(), set()
    for entry in entries:
        spec = need(case, "catalogue-entry", entry).spec
        fields = with_entity(spec["fields"], spec["entity"])
        raw |= {one["name"] for one in fields if one["role"] == "identifier"}
        unsaid |= {one["name"] for one in fields if needs_desensitising(one)}
    if product is None:
        return raw | unsaid
    return {
        column["name"]
        for column in product.spec["columns"]
        if column["source"] in raw
        or (column["source"] in unsaid and not GROUPING & set(column.get("transforms", ())))
    }


def mixed(case: Case, table: JobInput) -> set[str]:
    """The columns of the job's table whose cells may hold something of several entities.

    Of a product with a step that mixes entities, columns are among them that looked at another one too: that
    may have been the mixed one; and all are if rows were chosen.
    """
    if table.product is None:
        return set()
    product = need(case, "product", table.product)
    recipe = need(case, "job", product.spec["job"]).spec.get("recipe") or {}
    steps = {step["transform"] for step in recipe.get("steps", ())}
    own = CELLWISE if steps - CELLWISE - BESIDE - CHOOSING else CELLWISE | BESIDE
    every = own == CELLWISE and bool(steps & CHOOSING)
    columns = product.spec["columns"]
    return {column["name"] for column in columns if every or not set(column.get("transforms", ())) <= own}


def query_fits(case: Case, spec: JobSpec) -> None:
    """The query is well formed, and every column that it needs, the entity's included, is an input of the
    job (``columns_granted`` has asked whether that is on the list) and of one entity in each row.

    Raises DP_QUERY, DP_NOISE, DP_IDENTIFIER (groups by identifiers do not leave, whatever their noise),
    COLUMN_NOT_GRANTED, DP_ENTITY, DP_MIXED."""
    table = spec.inputs[0]
    query, entity = validate_query(spec.query), entity_of(case, table)
    accounting.cost(query)
    for column in sorted({part.column for part in query.by} & identifying(case, table)):
        raise fail("DP_IDENTIFIER", column=column)
    for column in sorted({*query.columns, entity}):
        if column not in table.columns:
            raise fail("COLUMN_NOT_GRANTED", column=column, source=table.entry or table.product)
    for column in sorted({*query.columns, entity} & mixed(case, table)):
        raise fail("DP_MIXED", column=column)


def question(case: Case, spec: JobSpec, lineage: Mapping[str, Any], organisation: str, job: str) -> DpRelease:
    """What is asked and what it costs, as the row of its answer says it. ``lineage`` as in ``lineage_of``.

    Scenario and recipient are part of the question: workspaces share nothing (R-097), and two recipients are
    two who may put their answers side by side.
    """
    query, table = validate_query(spec.query), spec.inputs[0]
    recipient, entity = recipient_of(spec, organisation), entity_of(case, table)
    scenario = need(case, "scenario", spec.scenario)
    item: dict[str, Any] = next(
        (one for one in scenario.status["grant"]["items"] if one["entry"] == table.entry), {}
    )
    canonical = accounting.query_sha256(query)
    about: dict[str, Any] = {
        "query": canonical,
        "snapshots": [one["sha256"] for one in lineage["inputs"]],
        "view": {"rows": item.get("rows", []), "period": item.get("period"), "entity": entity},
        "form": spec.outputs[0].path.rpartition(".")[2],
        "scenario": spec.scenario,
        "recipient": recipient,
    }
    cost = accounting.cost(query)
    supplies = [need(case, "supply", id) for id in lineage["supplies"]]
    bound = delta_bound(max((one.status["snapshot"]["entities"] for one in supplies), default=1))
    asked = hashlib.sha256(rfc8785.dumps(about)).hexdigest()
    return DpRelease(
        asked_sha256=asked,
        draw=present(case.world, asked)[0],
        query_sha256=canonical,
        job=job,
        scenario=spec.scenario,
        agreement=scenario.spec["agreement"],
        recipient=recipient,
        datasets=tuple(lineage["entries"]),
        nano_rho=cost.nano_rho,
        delta_e15=cost.delta_e15,
        delta_bound=bound,
        epsilon=round_up(told_epsilon(cost.nano_rho, bound)),
        noise=noise_bits(query),
        scopes=scopes(case, lineage["entries"], spec.scenario, recipient),
    )


# measure -> the component whose noise its column carries as it is; other measures are computed from several
NOISY = {"count": "rows", "distinct": accounting.PERSONS, "sum": "sum", "histogram": "bins"}


def noise_bits(query: Query) -> dict[str, float]:
    """The entropy in bits of the noise in each column of an answer: of a normal distribution of standard
    deviation s it is log2(s √(2πe)), of a Laplace distribution of scale b log2(2eb) (Cover, Thomas: 8.1)."""
    spread = math.sqrt(2 * math.pi * math.e) if query.mechanism == "gaussian" else 2 * math.e
    found: dict[str, float] = {}
    for measure in query.measures:
        about = (
            NOISY.get(measure.of),
            measure.column,
            measure.units(measure.lower),
            measure.units(measure.upper),
        )
        edges = tuple(measure.units(edge) for edge in measure.edges)
        for one in accounting.components(query):
            if (one.kind, one.column, one.lower, one.upper) == about and (one.edges, one.width) == (edges, 1):
                scale = float(one.scale) * one.grain / 10**one.decimals
                found |= dict.fromkeys(measure.outputs, math.log2(scale * spread))
    return found


def scopes(case: Case, entries: Iterable[str], scenario: str, recipient: str) -> tuple[Budget, ...]:
    """Every scope that a release falls into, each once: by resource, by scenario, by domain of entities."""
    year = case.now.astimezone(BEIJING).year
    datasets = sorted(set(entries))
    domains = {domain_of(need(case, "catalogue-entry", entry)) for entry in datasets}
    return (
        *(
            Budget(level="use", dataset=one, scenario=scenario, recipient=recipient, year=year)
            for one in datasets
        ),
        Budget(level="scenario", scenario=scenario),
        *(Budget(level="entities", domain=domain) for domain in sorted(domains)),
    )


def reference(asked: DpRelease) -> dict[str, str]:
    """What a job keeps of its question: the id of the answer, what was asked, for whom."""
    return {
        "release": release_id(asked.asked_sha256, asked.draw),
        "asked_sha256": asked.asked_sha256,
        "recipient": asked.recipient,
    }


def cost_of(asked: DpRelease) -> DpCharge:
    """What each scope is charged for it."""
    return DpCharge(
        release=release_id(asked.asked_sha256, asked.draw),
        agreement=asked.agreement,
        nano_rho=asked.nano_rho,
        delta_e15=asked.delta_e15,
        delta_bound=asked.delta_bound,
    )


def budget_holds(case: Case, asked: DpRelease) -> None:
    """Raises BUDGET unless it is paid for already or every scope can pay for it."""
    if present(case.world, asked.asked_sha256)[1] is not None:
        return
    rules = rules_of(case, asked.agreement)
    for scope in asked.scopes:
        affordable(scope, sum_of(case.world.get(BUDGET, scope_id(scope))), cost_of(asked), case.policy, rules)


def pay(case: Case, after: Resource) -> Iterable[Command]:
    """Effect of the start of a job: its question is paid for, or was; no noise is drawn before."""
    told = after.status.get("dp")
    if told is not None and case.world.get(RELEASE, told["release"]) is None:
        spec = JobSpec.model_validate(after.spec)
        asked = question(case, spec, after.status["lineage"], after.organisation, after.id)
        yield Command(
            RELEASE,
            told["release"],
            "create",
            asked.model_dump(mode="json"),
            organisation=after.organisation,
            creates=True,
        )


def spend(case: Case, after: Resource) -> Iterable[Command]:
    """Effect of an end that is no success: if the draw had begun and is not sealed, it is lost."""
    told = after.status.get("dp")
    if told is None or case.resource.state not in DRAWING:
        return
    release = case.world.get(RELEASE, told["release"])
    if release is not None and release.state == "charged":
        yield Command(RELEASE, release.id, "lose", {"job": after.id})
