"""Steps of a re-identification: have the tokens led back in a container, and erase the answer in the end."""

from __future__ import annotations

from sandbox.control import reports, tasks
from sandbox.control.means import Means
from sandbox.core.resource import Resource

PLACE = "answers"


def lead_back(means: Means, asked: Resource) -> bool:
    """The answer, sealed in the workspace, unread; or why there is none."""
    outcome = means.run(tasks.reidentify_task(means, asked))
    if not reports.good(outcome):
        means.act(asked, "fail", {"code": reports.code_of(outcome)})
        return True
    try:
        sha256, size = means.blobs(asked, PLACE).put(outcome.files / "answer.json")
    except OSError:
        means.act(asked, "fail", {"code": reports.UNREADABLE})
        return True
    means.act(asked, "answer", {"sha256": sha256, "bytes": size, "isolation": reports.proof(outcome)})
    return True


def erase(means: Means, asked: Resource) -> bool:
    """The bytes of the answer go; that it was given stays on record."""
    means.blobs(asked, PLACE).remove(asked.status["answer"]["sha256"])
    means.act(asked, "erase")
    return False


STEPS = {"approved": lead_back, "closing": erase}
