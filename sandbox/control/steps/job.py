"""Steps of a job: debit one use, build the granted view, run the code, take its outputs, delete them."""

from __future__ import annotations

from sandbox.control import reports, tasks
from sandbox.control.door import Sight
from sandbox.control.means import TRANSITION_RACE, Means
from sandbox.core.errors import Conflict, Forbidden
from sandbox.core.resource import Resource
from sandbox.executor.contract import Outcome
from sandbox.operation.job import JobSpec, lineage_of


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
        if error.code in TRANSITION_RACE:
            raise
        means.act(job, "deny", {"code": error.code, "details": reports.closed(error.details)})
    return True


def build_view(means: Means, job: Resource) -> bool:
    """The granted columns x rows x period as files that the job's container will see, and no more."""
    outcome = _view(means, job)
    if not reports.good(outcome):
        means.act(job, "fail", reports.ran(outcome, reports.mistake("Exception")))
        return True
    means.act(job, "run")
    return True


def run_job(means: Means, job: Resource) -> bool:
    """The code, in its container."""
    view = _view(means, job)  # idempotent: the outcome that is there
    spec = JobSpec.model_validate(job.spec)
    outcome = means.run(tasks.run_task(means, job, spec, view))
    error = None if reports.good(outcome) else reports.job_error(spec, outcome)
    means.act(job, "fail" if error else "succeed", reports.ran(outcome, error))
    return True


def take_outputs(means: Means, job: Resource) -> bool:
    """Copy, hash, rename: the outputs into quarantine, or a recipe's table into the primary store."""
    spec = JobSpec.model_validate(job.spec)
    view = _view(means, job)
    outcome = means.run(tasks.run_task(means, job, spec, view))
    if spec.primary:
        return _keep(means, job, spec, outcome)
    staging = means.blobs(job, "staging")
    outputs = []
    for output in spec.outputs:
        try:
            sha256, size = staging.put(outcome.files / output.path)
        except OSError:
            means.act(job, "fail", reports.ran(outcome, reports.mistake("MISSING_OUTPUT")))
            return True
        outputs.append({"path": output.path, "sha256": sha256, "bytes": size, "kind": output.kind})
    means.act(job, "stage", {"outputs": outputs})
    return True


def purge(means: Means, job: Resource) -> bool:
    """Delete unclaimed outputs, unless another job of the scenario put out the very same bytes."""
    staging = means.blobs(job, "staging")
    with means.control.store.read() as reader:
        others = reader.find("job", labels={"scenario": job.labels["scenario"]})
    kept = {
        output["sha256"]
        for other in others
        if other.id != job.id and other.state in ("quarantined", "proposed")
        for output in other.status["outputs"]
    }
    for output in job.status.get("outputs", []):
        if output["sha256"] not in kept:
            staging.remove(output["sha256"])
    means.act(job, "erase")
    return False


def _keep(means: Means, job: Resource, spec: JobSpec, outcome: Outcome) -> bool:
    recipe = spec.recipe or {}
    product, title = means.control.new_id("product"), str(recipe.get("name", job.id))
    try:
        sha256, _ = means.blobs(job, "primary").put(outcome.files / "product.parquet")
        kept = reports.kept(outcome, sha256, product, title)
    except OSError:
        kept = None
    if kept is None:
        means.act(job, "fail", reports.ran(outcome, reports.mistake(reports.UNREADABLE)))
    else:
        means.act(job, "keep", kept)
    return True


def _view(means: Means, job: Resource) -> Outcome:
    """The granted view of this attempt; done once, and looked up after that."""
    return means.run(tasks.view_task(means, job))


STEPS = {
    "queued": provision,
    "provisioning": build_view,
    "running": run_job,
    "succeeded": take_outputs,
    "purging": purge,
}
