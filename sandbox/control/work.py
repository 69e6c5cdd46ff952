"""The machine's work: one step per working state, each idempotent, so that a crash only repeats it.

The table ``STEPS`` is the whole of it: (kind, state) -> what is done there. A step looks at the
row, has containers touch the rows of data, and moves the row by compare-and-set. Two that do the same
step meet at the compare-and-set, and one of them finds that there is nothing left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.authorisation.scenario_spec import LIVE
from sandbox.control import reports
from sandbox.control.door import Control, Sight
from sandbox.control.kinds import kind_of
from sandbox.control.leftovers import Leftovers
from sandbox.control.means import TRANSITION_RACE, Means, owner_of
from sandbox.control.places import Places
from sandbox.control.steps import egress, ending, job, reidentification, supply
from sandbox.control.tasks import IMAGES
from sandbox.core.errors import Conflict, Forbidden, Internal, SandboxError, Unavailable
from sandbox.core.resource import Resource
from sandbox.egress.gate import Gate
from sandbox.executor.contract import Executor, Shape
from sandbox.executor.guarantees import admit
from sandbox.operation.turn import next_jobs
from sandbox.policy.isolation import LEVELS

# an input is not what it was, or no longer granted: trying again is no help
LOST_INPUTS = frozenset({"BLOB_DAMAGED", "BLOB_MISSING", "COLUMN_NOT_GRANTED", "DP_LOST", "DP_VIEW_CHANGED"})

# how a row ends whose inputs are gone or changed: event, payload of the code
UNUSABLE: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "supply": ("refuse", lambda code: {"code": code}),
    "job": ("fail", lambda code: {"end": "failed", "error": reports.mistake(code), "seconds": 0.0}),
    "egress-request": ("object", reports.rejection),
    "reidentification": ("fail", lambda code: {"code": code}),
}

Step = Callable[[Means, Resource], bool]  # whether there may be another step after it
STEPS: dict[str, Mapping[str, Step]] = {  # kind: state: what is done there
    "supply": supply.STEPS,
    "job": job.STEPS,
    "egress-request": egress.STEPS,
    "reidentification": reidentification.STEPS,
    "agreement": ending.STEPS,
}


class Work:
    """Does the steps of all kinds. ``step(ref)`` is what the durable engine calls."""

    def __init__(self, control: Control, executor: Executor, places: Places, gate: Gate) -> None:
        self.control = control
        self.executor = executor
        self.places = places
        self.gate = gate
        self.leftovers = Leftovers(control.store, places)
        self.means = Means(control, executor, places, gate, self.leftovers)

    def prepare(self, count: int) -> None:
        """Have the executor keep ``count`` containers ready for each image, with the profile's limits, in
        each runtime that the policy picks for some level of data and this machine has."""
        runtimes = self._runtimes() if count else []
        limits = self.means.limits()
        shapes = [Shape(self.executor.image(name), limits, one) for name in IMAGES for one in runtimes]
        self.executor.prepare(shapes * count)

    def _runtimes(self) -> list[str]:
        """The runtimes of the levels that the executor may serve here; a task of another level is refused."""
        found = set()
        for level in LEVELS:
            try:
                found.add(admit(self.executor, self.control.policy, int(level)))
            except Unavailable as error:
                if error.code != "ISOLATION_UNAVAILABLE":
                    raise
        return sorted(found)

    def step(self, ref: str) -> bool:
        """Do the one step that ``kind/id`` is in; whether there may be another one after it."""
        kind, _, id = ref.partition("/")
        resource = self.means.read(kind, id)
        act = STEPS.get(kind, {}).get(resource.state) if resource else None
        if resource is None or act is None:
            self.clean_up(ref)
            if kind == "job":
                self.call_next()
            return False
        try:
            return act(self.means, resource)
        except (Conflict, Forbidden, Unavailable) as error:
            # somebody else moved it on, or stopped its container: look again
            if error.code in (*TRANSITION_RACE, "TASK_LOST") and self.means.read(kind, id) != resource:
                return True
            if error.code in TRANSITION_RACE:
                return False
            return self._without_inputs(resource, error)
        except Internal as error:
            return self._without_inputs(resource, error)

    def _without_inputs(self, resource: Resource, error: SandboxError) -> bool:
        """End a row whose inputs are gone; any other error goes on."""
        if error.code not in LOST_INPUTS or resource.kind not in UNUSABLE:
            raise error
        event, payload = UNUSABLE[resource.kind]
        self.means.act(resource, event, payload(error.code))
        return True

    def call_next(self) -> None:
        """Wake the jobs whose turn it is: a place may have become free."""
        with self.control.store.read() as reader:
            waiting = [reader.get("job", id) for id in next_jobs(Sight(reader), self.control.policy)]
        for one in waiting:
            if one is not None:
                self.control.wake(one)

    def clean_up(self, ref: str) -> None:
        """Discard the tasks of a resource that needs no work any more."""
        for task in self.executor.known():
            if owner_of(task) == ref:
                self.executor.discard(task)
                self.places.forget(task)


def keeps_views(resource: Resource) -> bool:
    """Whether views made for it may be used again: a scenario whose grant lives."""
    return resource.kind == "scenario" and resource.state in LIVE


def working(resource: Resource) -> bool:
    """Whether the machine has work to do on it."""
    return resource.state in kind_of(resource.kind).working
