"""Steps of a supply: what was delivered becomes a snapshot, or nothing does."""

from __future__ import annotations

from sandbox.control import reports, tasks
from sandbox.control.grading import grading
from sandbox.control.means import Means
from sandbox.core.resource import Resource


def ingest(means: Means, supply: Resource) -> bool:
    """The delivered bytes become a snapshot, or nothing does."""
    spec = supply.spec
    delivered = means.blobs(supply, "quarantine").names()
    if spec["manifest"]["sha256"] not in delivered:  # announced as delivered, and never sent
        means.act(supply, "refuse", {"code": "BLOB_MISSING"})
        return True
    outcome = means.run(tasks.ingest_task(means, supply))
    loaded, code, details = None, reports.code_of(outcome), reports.closed(outcome.report.get("details"))
    if reports.good(outcome):
        code = reports.UNREADABLE
        try:
            sha256, _ = means.blobs(supply, "raw").put(outcome.files / "snapshot.parquet")
            loaded = reports.snapshot(outcome, sha256)
        except OSError:
            loaded = None
    if loaded is not None:
        loaded["grading"] = grading(means, supply, loaded["sha256"])
        less = len(loaded["grading"].get("laxer", ()))
        if less and means.control.policy.get("supply.refuse_laxer_grading"):
            loaded, code, details = None, "GRADING_LAXER", {"differences": less}
    if loaded is not None:
        means.act(supply, "load", loaded)
    else:
        means.act(supply, "refuse", {"code": code, "details": details})
    for place in ("quarantine", "raw"):
        means.leftovers.clear(place, spec["agreement"], spec["scenario"])
    return True


def open_supply(means: Means, supply: Resource) -> bool:
    """Loaded becomes available while the agreement permits it; a suspended one keeps it loaded."""
    means.act(supply, "open")
    return False


STEPS = {"quarantined": ingest, "loaded": open_supply}
