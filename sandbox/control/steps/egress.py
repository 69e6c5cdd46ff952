"""Steps of an egress request: the check, and the release through the one exit."""

from __future__ import annotations

from sandbox.control import reports
from sandbox.control.answered import asked, same_answer
from sandbox.control.checking import check_task
from sandbox.control.means import Means
from sandbox.core.errors import Conflict
from sandbox.core.resource import Resource


def begin_check(means: Means, request: Resource) -> bool:
    """Requested becomes under check."""
    means.act(request, "begin_check")
    return True


def check(means: Means, request: Resource) -> bool:
    """The checker, with the raw snapshots at hand; anything but a clean run of it is a rejection."""
    job = means.need("job", request.spec["job"])
    task = check_task(means, request, job)
    digest = asked(means, task, job)
    if known := same_answer(means, request, digest):
        means.act(request, "object", known)
        return True
    outcome = means.run(task)
    result = {**reports.verdict(outcome, [item["path"] for item in job.status["outputs"]]), "asked": digest}
    if result["verdict"] != "reject":
        review = means.blobs(job, "review")
        try:
            for file in result["canonical"]:
                sha256, size = review.put(outcome.files / "canonical" / file["path"])
                if (sha256, size) != (file["sha256"], file["bytes"]):
                    raise OSError("canonical file is not what the verdict says")
            for file in result["ledger"]["files"]:
                sha256, size = means.places.ledger().put(outcome.files / "ledger" / file["path"])
                if (sha256, size) != (file["sha256"], file["bytes"]):
                    raise OSError("ledger file is not what the verdict says")
        except OSError:
            result = reports.no_verdict("CANONICAL_MISMATCH", outcome)
    if result["verdict"] == "reject":
        means.act(request, "object", result)
        return True
    foreign = request.spec["recipient_region"] != "CN" or _foreign(means, request)
    try:
        means.act(request, "hold" if foreign else "forward", result)
    except Conflict as error:
        if error.code != "LEDGER_STALE":
            raise
        means.executor.discard(task.id)  # another request came to count meanwhile: compared anew
        means.places.forget(task.id)
    return True


def _foreign(means: Means, request: Resource) -> bool:
    return bool(means.need("organisation", request.spec["recipient"]).spec["region"] != "CN")


def release(means: Means, request: Resource) -> bool:
    """The one exit."""
    means.gate.release(request.id)
    return False


STEPS = {"requested": begin_check, "auto_check": check, "releasing": release}
