"""Steps at the end of an agreement: delete what is kept, certify it, seal the log."""

from __future__ import annotations

from datetime import date

from sandbox.authorisation.agreement import add_years
from sandbox.control.means import Means, owner_of
from sandbox.core.resource import Resource


def delete(means: Means, agreement: Resource) -> bool:
    """Delete what is kept, look again, certify; then a person verifies."""
    if agreement.status.get("certify", {}).get("left") == 0:
        return False
    for task in _tasks_of(means, agreement.id):
        means.executor.discard(task)
        means.places.forget(task)
    present = means.places.inventory(agreement.id)
    means.places.destroy(agreement.id)
    left = len(means.places.inventory(agreement.id))
    keys = sum(1 for item in present if item["place"] == "keys")
    removed = [item for item in present if item["place"] != "keys"]
    means.act(agreement, "certify", {"removed": removed, "left": left, "keys_destroyed": keys})
    return False


def _tasks_of(means: Means, agreement: str) -> set[str]:
    """Ids of every task that jobs, supplies or requests of an agreement may have left."""
    with means.control.store.read() as reader:
        owners = {
            one.ref
            for kind in ("job", "scenario", "supply", "egress-request", "reidentification")
            for one in reader.find(kind, labels={"agreement": agreement})
        }
    return {task for task in means.executor.known() if owner_of(task) in owners}


def seal(means: Means, agreement: Resource) -> bool:
    """Seal the log: the signed head, and the day before which nothing of it is purged (R-261)."""
    head = means.control.store.checkpoint()
    get = means.control.policy.get
    years = max(int(get("logs.retention_years")), int(get("logs.site_floor_years")))
    today: date = means.control.clock().date()
    seal = {
        "size": head.size,
        "root": head.root.hex(),
        "purge_not_before": add_years(today, years).isoformat(),
    }
    means.act(agreement, "seal_logs", seal)
    return False


STEPS = {"deleting": delete, "deletion_verified": seal}
