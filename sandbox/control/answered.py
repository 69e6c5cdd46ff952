"""An output that was refused and is proposed again unchanged gets the same answer, without a new check."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from sandbox.control.means import Means
from sandbox.core.resource import Resource
from sandbox.executor.contract import Task
from sandbox.review.resubmission import repeats


def asked(means: Means, task: Task, job: Resource) -> str:
    """SHA-256 over everything a check is given, earlier releases and the key of their ledger apart."""
    lineage = job.status["lineage"]
    behind = [means.need("supply", id).status["snapshot"]["sha256"] for id in lineage["supplies"]]
    behind += [means.need("product", id).spec["artefact_sha256"] for id in lineage["products"]]
    about: dict[str, Any] = {
        "image": str(task.image),
        "params": {**task.params, "ledger": task.params["ledger"]["about"]},
        "outputs": [[item["path"], item["sha256"]] for item in job.status["outputs"]],
        "behind": behind,
    }
    return hashlib.sha256(rfc8785.dumps(about)).hexdigest()


def same_answer(means: Means, request: Resource, digest: str) -> dict[str, Any] | None:
    """The stored rejection of an earlier request of the same organisation that was given the same."""
    with means.control.store.read() as reader:
        earlier = reader.find(
            "egress-request",
            organisation=request.organisation,
            state="auto_rejected",
            labels={"scenario": request.labels["scenario"]},
        )
    for one in earlier:
        if repeats(one, digest):
            told = one.status["check"]
            kept = {key: told[key] for key in KEPT if key in told}
            return {**kept, "same_as": told["same_as"] or one.id}
    return None


KEPT = (
    "verdict",
    "findings",
    "rules",
    "files",
    "canonical",
    "checker",
    "seconds",
    "check_seconds",
    "thresholds",
    "pictures",
    "clauses",
    "isolation",
    "asked",
)
