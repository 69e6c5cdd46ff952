"""Steps of a job: debit one use, build the granted view, run the code, take its outputs, delete them."""

from __future__ import annotations

from typing import Any

from sandbox.control import reports, tasks
from sandbox.control.door import Sight
from sandbox.control.means import TRANSITION_RACE, Means
from sandbox.control.steps import dp_answer
from sandbox.core.errors import Conflict, Forbidden
from sandbox.core.resource import Resource
from sandbox.executor.contract import Outcome
from sandbox.operation.job import JobSpec, lineage_of
from sandbox.operation.outcome import KEPT_WHILE, kept, named
from sandbox.operation.tokens import draws


def provision(means: Means, job: Resource) -> bool:
    """Ask the grant again, debit one use, fix the lineage; or deny with the code of the rule."""
    spec = JobSpec.model_validate(job.spec)
    scenario = means.need("scenario", spec.scenario)
    try:
        with means.control.store.read() as reader:
            lineage = lineage_of(spec, scenario, Sight(reader))
        payload = {
            "lineage": lineage,
            "list_sha256": scenario.status.get("grant", {}).get("list_sha256", ""),
            "attempt": job.status["attempt"] + 1,
        }
        means.act(job, "provision", payload)
    except (Conflict, Forbidden) as error:
        if error.code == "NOT_ITS_TURN":  # called again when a place is free
            return False
        if error.code in TRANSITION_RACE:
            raise
        means.act(job, "deny", {"code": error.code, "details": reports.closed(error.details)})
    return True


def build_view(means: Means, job: Resource) -> bool:
    """The granted columns x rows x period as files that the job's container will see, and no more."""
    if maker := dp_answer.maker(means, job):  # answered before: nothing is drawn a second time
        means.act(job, "run", reports.again(maker.status["run"]))
        return True
    outcome = tasks.granted_view(means, job)
    if not reports.good(outcome):
        means.act(job, "fail", reports.ran(outcome, reports.mistake("Exception")))
        return True
    means.act(job, "run", reports.proof(outcome))
    return True


def run_job(means: Means, job: Resource) -> bool:
    """The code, in its container."""
    if maker := dp_answer.maker(means, job):
        means.act(job, "succeed", reports.ran_again(maker.status["outcome"]))
        return True
    view = tasks.granted_view(means, job)  # made already
    spec = JobSpec.model_validate(job.spec)
    outcome = means.run(tasks.run_task(means, job, spec, view))
    error = None if reports.good(outcome) else reports.job_error(spec, outcome)
    if error and (
        maker := dp_answer.maker(means, job)
    ):  # sealed meanwhile: our draw is no answer, and tells nothing
        means.act(job, "succeed", reports.ran_again(maker.status["outcome"]))
        return True
    told = {**reports.ran(outcome, error), "log": _sealed(means, job, outcome)}
    means.act(job, "fail" if error else "succeed", told)
    return True


def _sealed(means: Means, job: Resource, outcome: Outcome) -> dict[str, Any] | None:
    """What the job printed, into the place ``log``, unread; None if there is nothing."""
    if outcome.log is None:
        return None
    try:
        sha256, size = means.blobs(job, "log").put(outcome.log)
    except OSError:
        return None
    return {"sha256": sha256, "bytes": size}


def take_outputs(means: Means, job: Resource) -> bool:
    """Copy, hash, rename: the outputs into quarantine, or a recipe's table into the primary store."""
    spec = JobSpec.model_validate(job.spec)
    if dp_answer.maker(means, job):
        means.act(job, "stage", {"outputs": [dp_answer.output(means, job, spec)]})
        return True
    view = tasks.granted_view(means, job)
    outcome = means.run(tasks.run_task(means, job, spec, view))
    if spec.primary:
        return _keep(means, job, spec, outcome)
    if spec.language == "dp":
        return dp_answer.seal(means, job, spec, outcome)
    staging = means.blobs(job, "staging")
    outputs = []
    for output in spec.staged:
        try:
            sha256, size = staging.put(outcome.files / output.path)
        except OSError:
            means.act(job, "fail", reports.ran(outcome, reports.mistake("MISSING_OUTPUT")))
            return True
        outputs.append({"path": output.path, "sha256": sha256, "bytes": size, "kind": output.kind})
    means.act(job, "stage", {"outputs": outputs})
    return True


def purge(means: Means, job: Resource) -> bool:
    """Delete unclaimed outputs and the sealed log, unless another job keeps the same bytes."""
    with means.control.store.read() as reader:
        others = reader.find("job", labels={"scenario": job.labels["scenario"]})
    for place in KEPT_WHILE:
        elsewhere = {sha256 for other in others if other.id != job.id for sha256 in kept(other, place)}
        for sha256 in named(job, place) - elsewhere:
            means.blobs(job, place).remove(sha256)
    means.act(job, "erase")
    return False


def _keep(means: Means, job: Resource, spec: JobSpec, outcome: Outcome) -> bool:
    recipe = spec.recipe or {}
    product, title = means.control.new_id("product"), str(recipe.get("name", job.id))
    try:
        sha256, _ = means.blobs(job, "primary").put(outcome.files / "product.parquet")
        vault = means.blobs(job, "tokens").put(outcome.files / "tokens.vault")[0] if draws(job) else ""
        made = reports.kept(outcome, sha256, product, title, tasks.anonymity_threshold(means, job), vault)
    except OSError:
        made = None
    if made is None:
        means.act(job, "fail", reports.ran(outcome, reports.mistake(reports.UNREADABLE)))
    else:
        means.act(job, "keep", made)
    return True


STEPS = {
    "queued": provision,
    "provisioning": build_view,
    "running": run_job,
    "succeeded": take_outputs,
    "purging": purge,
}
