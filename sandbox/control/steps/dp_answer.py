"""A question's one answer: sealed when it was drawn, and given to whoever asks the same again.

The charge stands since the job started. From the seal on nothing is drawn for the question any more; nor
after a job ended without one, as its end may tell of the noise: all that share the charge end with it. Only a
container that vanished with its machine is run anew.
"""

from __future__ import annotations

from typing import Any

from sandbox.control import reports
from sandbox.control.means import TRANSITION_RACE, Means
from sandbox.core.errors import Conflict, fail
from sandbox.core.resource import Resource
from sandbox.executor.contract import Outcome
from sandbox.operation.dp_release import NAME as RELEASE
from sandbox.operation.job import JobSpec

PLACE = "sealed"


def release_of(means: Means, job: Resource) -> Resource | None:
    """The row of the answer that a job asks for; None for jobs that ask none."""
    return means.need(RELEASE, job.status["dp"]["release"]) if "dp" in job.status else None


def maker(means: Means, job: Resource) -> Resource | None:
    """The job whose container drew the answer, if it is sealed. Raises DP_LOST."""
    release = release_of(means, job)
    if release is not None and release.state == "lost":
        raise fail("DP_LOST", release=release.id)
    if release is None or release.state != "sealed":
        return None
    return means.need("job", release.status["seal"]["job"])


def output(means: Means, job: Resource, spec: JobSpec) -> dict[str, Any]:
    """The sealed answer as the one output of a job, in the place where it lies. Raises BLOB_MISSING,
    BLOB_DAMAGED."""
    release = means.need(RELEASE, job.status["dp"]["release"])
    seal, wanted = release.status["seal"], spec.outputs[0]
    means.blobs(job, PLACE).verified(seal["sha256"])
    told = {"path": wanted.path, "kind": wanted.kind, "place": PLACE}
    return {**told, "sha256": seal["sha256"], "bytes": seal["bytes"]}


def seal(means: Means, job: Resource, spec: JobSpec, outcome: Outcome) -> bool:
    """Keep the answer that a job's container drew and fix it by its hash; the step after stages it.

    Of two that drew for one question the first to arrive is the answer, and the other's is dropped.
    """
    release = means.need(RELEASE, job.status["dp"]["release"])
    try:
        sha256, size = means.blobs(job, PLACE).put(outcome.files / spec.outputs[0].path)
    except OSError:
        if release.state == "sealed":  # another's, meanwhile: ours is no answer, whatever became of it
            return True
        means.act(job, "fail", reports.ran(outcome, reports.mistake("MISSING_OUTPUT")))
        return True
    try:
        means.act(release, "seal", {"job": job.id, "sha256": sha256, "bytes": size})
    except Conflict as error:
        if error.code not in TRANSITION_RACE:
            raise
    return True
