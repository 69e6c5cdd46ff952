"""Whose job starts next (排队次序).

A space runs so many jobs at a time, an organisation so many of them (policy ``job.parallel``,
``job.parallel_per_organisation``). A free place goes to the organisation that runs the fewest; of those
to the one whose first job has waited longest. Within an organisation the time of submission decides, a
job of high priority counting as submitted an hour earlier and one of low priority an hour later: so
priority never passes by another organisation, and nobody waits for ever (max-min fairness, as in
Ghodsi et al., NSDI 2011, for one resource).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Policy, World
from sandbox.core.resource import Resource
from sandbox.operation.tokens import free

ACTIVE = ("provisioning", "running", "succeeded")  # it holds a place until its outputs are taken
PRIORITY = {"low": timedelta(hours=1), "normal": timedelta(), "high": timedelta(hours=-1)}


def submission(job: Resource) -> datetime:
    """When it was submitted."""
    assert job.created_at is not None, "a stored row has one"
    return job.created_at


def counted_from(job: Resource) -> datetime:
    """The submission as it counts for the order within its organisation."""
    return submission(job) + PRIORITY[job.spec.get("priority", "normal")]


def turns(waiting: Sequence[Resource], active: Sequence[Resource], total: int, each: int) -> list[str]:
    """Ids of the waiting jobs that may start now, in order.

    ``total`` is the number of places of the space, ``each`` how many of them one organisation may hold.
    """
    holds = Counter(job.organisation for job in active)
    lines: dict[str, list[Resource]] = {}
    for job in sorted(waiting, key=lambda one: (counted_from(one), one.id)):
        lines.setdefault(job.organisation, []).append(job)
    order: list[str] = []
    for _ in range(total - len(active)):
        eligible = [name for name, line in lines.items() if line and holds[name] < each]
        if not eligible:
            break
        # by the true submission: counted with its priority, a job would pass by other organisations'
        first = min(eligible, key=lambda name: (holds[name], submission(lines[name][0]), name))
        order.append(lines[first].pop(0).id)
        holds[first] += 1
    return order


def next_jobs(world: World, policy: Policy) -> list[str]:
    """``turns`` of a space as it is, without those that wait for their workspace's token vault."""
    active = world.find("job", state=ACTIVE)
    return turns(
        free(world.find("job", state="queued"), active),
        active,
        int(policy.get("job.parallel")),
        int(policy.get("job.parallel_per_organisation")),
    )


def its_turn(case: Case) -> None:
    """Guard: a place is free and nobody comes before. Asked in the transaction that takes the place."""
    if case.resource.id not in next_jobs(case.world, case.policy):
        raise fail("NOT_ITS_TURN", job=case.resource.id)
