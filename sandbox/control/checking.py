"""The check task: the outputs, the raw data they came from, what was released before, the thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.control.means import Means
from sandbox.core.resource import Resource
from sandbox.executor.contract import Input, Task, TaskKind
from sandbox.operation.job import LOG, JobSpec


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
    if history := _history(means, request, job):
        inputs.append(Input("history", means.places.assemble(name, "history", history)))
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
        },
        inputs=tuple(inputs),
        limits=means.limits(),
        labels={"sandbox.ref": request.ref, "sandbox.agreement": agreement.id},
        level=means.level_behind(job),
    )


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
    }


def _history(means: Means, request: Resource, job: Resource) -> dict[str, Path]:
    """Canonical files of every earlier release made from any of the same resources (R-144)."""
    entries = set(job.status["lineage"]["entries"])
    found: dict[str, Path] = {}
    with means.control.store.read() as reader:
        released = reader.find("egress-request", state="released")
        jobs = {one.id: reader.get("job", one.spec["job"]) for one in released}
    for one in released:
        source = jobs[one.id]
        if one.id == request.id or source is None or not entries & set(source.status["lineage"]["entries"]):
            continue
        review = means.blobs(source, "review")
        for file in one.status["check"]["canonical"]:
            found[f"{one.id}/{file['path']}"] = review.path(file["sha256"])
    return found


def _roles(entry: Resource) -> dict[str, Any]:
    """The columns of a catalogue entry by what they do in re-identification."""
    by_role = {
        name: [field["name"] for field in entry.spec["fields"] if field["role"] == role]
        for name, role in (("quasi", "quasi"), ("sensitive", "sensitive"), ("identifiers", "identifier"))
    }
    return {**by_role, "levels": {field["name"]: field["level"] for field in entry.spec["fields"]}}
