"""The check task: the outputs, the raw data they came from, what was released before, the thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.control.door import Sight
from sandbox.control.means import Means
from sandbox.core.resource import Resource
from sandbox.executor.contract import Input, Task, TaskKind
from sandbox.operation.dp_release import NAME as RELEASE
from sandbox.operation.job import LOG, JobSpec
from sandbox.review.dp import covers, question_of
from sandbox.review.ledger import counted

# transforms whose results lead back for who holds a key or the token vault: none of them leaves
REVERSIBLE = frozenset({"fpe", "token"})


def check_task(means: Means, request: Resource, job: Resource) -> Task:
    """What the checker of ``request`` is given; raises BLOB_DAMAGED, BLOB_MISSING if an input is not what it
    was."""
    name = f"{request.id}-check"
    spec = JobSpec.model_validate(job.spec)
    raw = means.blobs(job, "raw")
    staged = {
        item["path"]: means.blobs(job, item.get("place", "staging")).verified(item["sha256"])
        for item in job.status["outputs"]
    }
    raws: dict[str, Path] = {}
    described: list[dict[str, Any]] = []
    for supply_id in job.status["lineage"]["supplies"]:
        supply = means.need("supply", supply_id)
        entry = means.entry_at(supply.spec["entry"], supply.status["accepted"]["entry_version"])
        raws[f"{supply.id}.parquet"] = raw.verified(supply.status["snapshot"]["sha256"])
        described.append(
            {
                "name": entry.id,
                "file": f"{supply.id}.parquet",
                "entity": entry.spec["entity"],
                **_roles(entry),
            }
        )
    for product_id in job.status["lineage"]["products"]:
        product = means.need("product", product_id)
        file = f"{product.id}.parquet"
        raws[file] = means.blobs(job, "primary").verified(product.spec["artefact_sha256"])
        described.append({"name": product.id, "file": file, **_product_roles(means, product)})
    agreement = means.need("agreement", job.labels["agreement"])
    inputs = [
        Input("outputs", means.places.assemble(name, "outputs", staged)),
        Input("raw", means.places.assemble(name, "raw", raws)),
    ]
    if ledger := _ledger(means, request, job):
        inputs.append(Input("ledger", means.places.assemble(name, "ledger", ledger)))
    return Task(
        id=name,
        kind=TaskKind.CHECK,
        image=means.executor.image("check"),
        params={
            "raws": described,
            "declared": [
                output.model_dump(mode="json") for output in (*spec.outputs, LOG) if output.path in staged
            ],
            "policy": means.thresholds(agreement),
            "policy_id": means.control.policy.id,
            "script": _script(means, job, spec),
            "scope": _scope(means, request, job, spec),
            "dp": _dp(means, request, job),
            "ledger": {
                "key": means.places.ledger_key(),
                "about": {"scenario": job.labels["scenario"], "recipient": request.spec["recipient"]},
            },
        },
        inputs=tuple(inputs),
        limits=means.limits(),
        labels={"sandbox.ref": request.ref, "sandbox.agreement": agreement.id},
        level=means.level_behind(job),
        secrets=("ledger",),
    )


def _dp(means: Means, request: Resource, job: Resource) -> list[dict[str, Any]]:
    """The answer whose charge covers the job's one file; none for other jobs, or where it does not."""
    asked = question_of(job)
    release = means.read(RELEASE, asked["release"]) if asked else None
    if release is None or not covers(release, job, request.spec["recipient"]):
        return []
    seal, spec = release.status["seal"], release.spec
    return [
        {
            "path": job.status["outputs"][0]["path"],
            "release": release.id,
            "sha256": seal["sha256"],
            "nano_rho": spec["nano_rho"],
            "noise": spec["noise"],
        }
    ]


def _scope(means: Means, request: Resource, job: Resource, spec: JobSpec) -> dict[str, Any]:
    """What the request is for, what the job was granted, and the sources that the statement has to name."""
    grant = means.need("scenario", spec.scenario).status.get("grant", {})
    entries = [means.need("catalogue-entry", id) for id in job.status["lineage"]["entries"]]
    return {
        "purpose": request.spec["purpose"],
        "granted_purpose": grant.get("purpose", ""),
        "columns": sorted({column for table in spec.inputs for column in table.columns}),
        "sources": [
            {
                "name": entry.id,
                "provider": entry.organisation,
                "registration_no": entry.status.get("registration", {}).get("registration_no", ""),
            }
            for entry in entries
        ],
    }


def _script(means: Means, job: Resource, spec: JobSpec) -> dict[str, Any] | None:
    """The SQL that made the outputs, with its inputs as they were granted: the checker computes them again.

    None for other jobs, and where the grant is no longer the one that the job ran under: its rows may differ.
    """
    grant = means.need("scenario", spec.scenario).status.get("grant", {})
    if spec.language != "sql" or grant.get("list_sha256") != job.status["list_sha256"]:
        return None
    listed = {item["entry"]: item for item in grant["items"]}
    behind = {item["name"]: item for item in job.status["lineage"]["inputs"]}
    inputs = []
    for table in spec.inputs:
        item = listed.get(table.entry, {}) if table.entry else {}
        source = behind[table.name]
        inputs.append(
            {
                "name": table.name,
                "file": f"{source.get('supply') or source['product']}.parquet",
                "columns": list(table.columns),
                "rows": item.get("rows", []),
                "period": item.get("period"),
            }
        )
    return {"text": spec.code[spec.entry], "inputs": inputs}


def _product_roles(means: Means, product: Resource) -> dict[str, Any]:
    """Roles of a primary product's columns: those of the raw columns they come from."""
    supply = means.need("supply", product.spec["lineage"]["supplies"][0])
    entry = means.entry_at(supply.spec["entry"], supply.status["accepted"]["entry_version"])
    role = {field["name"]: field["role"] for field in entry.spec["fields"]}
    columns = [(column["name"], column["source"]) for column in product.spec["columns"]]
    entity = entry.spec["entity"]
    return {
        "entity": next((name for name, source in columns if entity and source == entity), None),
        "quasi": [name for name, source in columns if role.get(source) == "quasi"],
        "sensitive": [name for name, source in columns if role.get(source) == "sensitive"],
        "identifiers": [],
        "levels": {},
        "sensitive_group": _sensitive_group(entry),
        "reversible": [
            column["name"]
            for column in product.spec["columns"]
            if REVERSIBLE & set(column.get("transforms", ()))
        ],
    }


def _ledger(means: Means, request: Resource, job: Resource) -> dict[str, Path]:
    """The cells of every release that counts, made from any of the same resources (R-144)."""
    with means.control.store.read() as reader:
        found = counted(Sight(reader), job.status["lineage"]["entries"], request.id)
    kept = means.places.ledger()
    return {
        f"{one.id}/{file['path']}": kept.verified(file["sha256"])
        for one in found
        for file in one.status["check"]["ledger"]["files"]
    }


def _roles(entry: Resource) -> dict[str, Any]:
    """The columns of a catalogue entry by what they do in re-identification."""
    by_role = {
        name: [field["name"] for field in entry.spec["fields"] if field["role"] == role]
        for name, role in (("quasi", "quasi"), ("sensitive", "sensitive"), ("identifiers", "identifier"))
    }
    flags = {field["name"]: field["flags"] for field in entry.spec["fields"] if field["flags"]}
    levels = {field["name"]: field["level"] for field in entry.spec["fields"]}
    return {**by_role, "flags": flags, "levels": levels, "sensitive_group": _sensitive_group(entry)}


def _sensitive_group(entry: Resource) -> bool:
    """Whether the stricter threshold of cells holds; entries of before this was asked say nothing of it."""
    return bool(entry.spec.get("sensitive_group"))
