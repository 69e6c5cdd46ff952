"""The tasks that steps order, put together from rows: what a container is given, and no more."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from sandbox.authorisation.scenario_spec import user_of
from sandbox.control import reports
from sandbox.control.door import Sight
from sandbox.control.dp import asked_of
from sandbox.control.means import Means
from sandbox.core.errors import fail
from sandbox.core.resource import Resource
from sandbox.desensitize.keys import SECRET, VAULT, recipient_key
from sandbox.desensitize.recipe import Rules, validate_recipe
from sandbox.desensitize.required import with_entity
from sandbox.executor.contract import Input, Outcome, Task, TaskKind
from sandbox.executor.guarantees import DEFAULT_RUNTIME
from sandbox.operation.job import JobInput, JobSpec
from sandbox.operation.tokens import domain_of, left_by, vault_of

IMAGES = ("check", "sql", "python")


def ingest_task(means: Means, supply: Resource) -> Task:
    """The delivered file against the catalogue entry as it was when the supply was accepted."""
    manifest = supply.spec["manifest"]
    entry = means.entry_at(supply.spec["entry"], supply.status["accepted"]["entry_version"])
    delivered = means.blobs(supply, "quarantine").path(manifest["sha256"])
    return Task(
        id=f"{supply.id}-ingest",
        kind=TaskKind.INGEST,
        image=means.executor.image("check"),
        params={
            "format": manifest["format"],
            "fields": [
                {key: field[key] for key in ("name", "type", "level")} for field in entry.spec["fields"]
            ],
            "entity": entry.spec["entity"],
            "sha256": manifest["sha256"],
            "rows": manifest["rows"],
        },
        inputs=(Input("data", delivered),),
        limits=means.limits(),
        labels={"sandbox.ref": supply.ref},
        level=means.level(entry),
    )


def granted_view(means: Means, job: Resource) -> Outcome:
    """The granted columns x rows x period of a job's inputs as files.

    A view is named by what it is made from (snapshots, columns, filters, period, image), so that the
    second job on the same grant finds it made: the executor gives the outcome of a task that has ended.
    It belongs to the scenario and goes with its grant. Raises COLUMN_NOT_GRANTED if an amendment took an
    entry or a column off the list after the job had started: off the list there is no row filter either.
    """
    spec = JobSpec.model_validate(job.spec)
    granted = means.need("scenario", spec.scenario).status["grant"]["items"]
    listed = {item["entry"]: item for item in granted}
    behind = {item["name"]: item for item in job.status["lineage"]["inputs"]}
    image = means.executor.image("check")
    views, sources = [], []
    for table in spec.inputs:
        item = _item(listed, table)
        source = f"{table.name}.parquet"
        sources.append((source, "raw" if table.entry else "primary", behind[table.name]["sha256"]))
        views.append(
            {
                "name": table.name,
                "source": source,
                "columns": list(table.columns),
                "rows": item.get("rows", []),
                "period": item.get("period"),
            }
        )
    made_from = hashlib.sha256(rfc8785.dumps({"views": views, "sources": sources, "image": image}))
    name = f"{spec.scenario}-v{made_from.hexdigest()[:32]}"
    if known := means.executor.ended(name):
        if reports.good(known):
            return means.graded(known, known.isolation.get("runtime", DEFAULT_RUNTIME))
        means.executor.discard(name)  # what went wrong once is tried again by the next job
    return means.run(
        Task(
            id=name,
            kind=TaskKind.VIEW,
            image=image,
            params={"views": views},
            inputs=tuple(
                Input(source, means.blobs(job, place).verified(sha256)) for source, place, sha256 in sources
            ),
            limits=means.limits(),
            labels={"sandbox.ref": f"scenario/{spec.scenario}", "sandbox.agreement": job.labels["agreement"]},
            level=means.level_behind(job),
        )
    )


def _item(listed: dict[str, dict[str, Any]], table: JobInput) -> dict[str, Any]:
    """The list's item for a raw table; a primary product has none, and comes whole."""
    if table.entry is None:
        return {}
    item = listed.get(table.entry, {"columns": ()})
    for column in table.columns:
        if column not in item["columns"]:
            raise fail("COLUMN_NOT_GRANTED", column=column, source=table.entry)
    return item


def run_task(means: Means, job: Resource, spec: JobSpec, view: Outcome) -> Task:
    """What a job does over the view: the developer's code, a question, or the operator's recipe."""
    return BY_LANGUAGE.get(spec.language, code_task)(means, job, spec, view)


def code_task(means: Means, job: Resource, spec: JobSpec, view: Outcome) -> Task:
    """A developer's code, and the files of the view that it may see."""
    name = f"{job.id}-a{job.status['attempt']}-run"
    data = {f"{table.name}.parquet": view.files / f"{table.name}.parquet" for table in spec.inputs}
    return Task(
        id=name,
        kind=TaskKind.JOB,
        image=means.executor.image(spec.language),
        params={
            "language": spec.language,
            "entry": spec.entry,
            "inputs": [table.name for table in spec.inputs],
            "outputs": [{"path": output.path} for output in spec.outputs],
            "log": spec.log,
        },
        inputs=(
            Input("data", means.places.assemble(name, "data", data)),
            Input("code", means.places.write(name, "code", spec.code)),
        ),
        limits=means.limits(spec),
        labels=means.labels(job),
        level=means.level_behind(job),
    )


def anonymity_threshold(means: Means, job: Resource) -> int:
    """How many entities must share a combination of quasi-identifiers: the policy's, or the agreement's."""
    return int(means.thresholds(means.need("agreement", job.labels["agreement"]))["egress.k_min"])


def recipe_task(means: Means, job: Resource, spec: JobSpec, view: Outcome) -> Task:
    """An operator's recipe over the one table of the view, with the keys of this workspace."""
    table = spec.inputs[0]
    entry = means.need("catalogue-entry", table.entry or "")
    described = with_entity(entry.spec["fields"], entry.spec["entity"])
    fields = [field for field in described if field["name"] in table.columns]
    agreement = means.need("agreement", job.labels["agreement"])
    rules = Rules.of(means.thresholds(agreement).__getitem__)
    recipe = validate_recipe(spec.recipe, fields, rules)
    recipient = user_of(means.need("scenario", spec.scenario))
    secret = bytes.fromhex(means.places.key(agreement.id, spec.scenario, SECRET))
    keys = {name: recipient_key(secret, spec.scenario, recipient, name).hex() for name in sorted(recipe.keys)}
    inputs = [Input("data", view.files / f"{table.name}.parquet")]
    tokens = {}
    if recipe.needs_tokens:
        tokens["tokens"] = recipient_key(secret, spec.scenario, recipient, VAULT).hex()
        with means.control.store.read() as reader:
            known = vault_of(Sight(reader), spec.scenario)
        if known:
            inputs.append(Input("tokens", means.blobs(job, "tokens").verified(known)))
    return Task(
        id=f"{job.id}-a{job.status['attempt']}-run",
        kind=TaskKind.RECIPE,
        image=means.executor.image("check"),
        params={
            "recipe": spec.recipe,
            "fields": fields,
            "keys": keys,
            **tokens,
            "rules": rules.model_dump(mode="json"),
            "anonymity": {
                "entity": entry.spec["entity"],
                "fields": [{key: field[key] for key in ("name", "role", "flags")} for field in described],
                "threshold": anonymity_threshold(means, job),
            },
        },
        inputs=tuple(inputs),
        limits=means.limits(spec),
        labels=means.labels(job),
        level=means.level_behind(job),
        secrets=("keys", "tokens"),
    )


def dp_task(means: Means, job: Resource, spec: JobSpec, view: Outcome) -> Task:
    """A question under differential privacy over the one table of the view, as it was paid for.

    Raises DP_VIEW_CHANGED if the question would not be that one any more: the grant's rows may have changed.
    """
    table = spec.inputs[0]
    asked = asked_of(means.control, job)
    if asked.question.asked_sha256 != job.status["dp"]["asked_sha256"]:
        raise fail("DP_VIEW_CHANGED", job=job.id)
    return Task(
        id=f"{job.id}-a{job.status['attempt']}-run",
        kind=TaskKind.DP,
        image=means.executor.image("check"),
        params={
            "query": spec.query,
            "entity": asked.entity,
            "fields": asked.fields,
            "output": spec.outputs[0].path,
        },
        inputs=(Input("data", view.files / f"{table.name}.parquet"),),
        limits=means.limits(),
        labels=means.labels(job),
        level=means.level_behind(job),
    )


def reidentify_task(means: Means, asked: Resource) -> Task:
    """The tokens of an approved re-identification, over the vault as the product's job left it.

    Raises BLOB_MISSING, BLOB_DAMAGED where the workspace is gone or spoiled; it makes none anew.
    """
    product = means.need("product", asked.labels["product"])
    job = means.need("job", product.spec["job"])
    vault = means.blobs(asked, "tokens").verified(left_by(job))
    data = means.blobs(asked, "primary").verified(product.spec["artefact_sha256"])
    scenario = means.need("scenario", product.spec["scenario"])
    secret = bytes.fromhex(means.places.key(product.spec["agreement"], scenario.id, SECRET))
    entries = [means.need("catalogue-entry", id) for id in product.spec["lineage"]["entries"]]
    return Task(
        id=f"{asked.id}-answer",
        kind=TaskKind.REIDENTIFY,
        image=means.executor.image("check"),
        params={
            "key": recipient_key(secret, scenario.id, user_of(scenario), VAULT).hex(),
            "domain": domain_of(job, asked.spec["column"]),
            "column": asked.spec["column"],
            "tokens": list(asked.spec["tokens"]),
        },
        inputs=(Input("data", data), Input("tokens", vault)),
        limits=means.limits(),
        labels={"sandbox.ref": asked.ref, "sandbox.agreement": product.spec["agreement"]},
        level=means.level(*entries),
        secrets=("key",),
    )


BY_LANGUAGE = {"recipe": recipe_task, "dp": dp_task}
