"""What the machine's steps work with: the door, the executor, the places, and the words they share."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from sandbox.authorisation.agreement import TIGHTENED
from sandbox.control import codes  # noqa: F401
from sandbox.control.door import Control
from sandbox.control.leftovers import Leftovers
from sandbox.control.places import Places
from sandbox.core.actor import SYSTEM
from sandbox.core.errors import fail
from sandbox.core.resource import Resource
from sandbox.egress.gate import Gate
from sandbox.executor.contract import End, Executor, Limits, Outcome, Task
from sandbox.executor.guarantees import admit
from sandbox.operation.job import JobSpec
from sandbox.store.blobs import Blobs

TRANSITION_RACE = frozenset({"STATE", "STALE", "NOT_FOUND"})
# how a task's id ends -> the kind of resource that it is for; before that stands the resource's id
MOST = 4  # the highest level of a field
TASK_ID = re.compile(
    r"(?P<id>.+)-(?:a\d+-(?P<job>run)|v[0-9a-f]{32}(?P<scenario>)|(?P<supply>ingest|profile)|(?P<request>check)"
    r"|(?P<asked>answer))"
)


def owner_of(task: str) -> str:
    """The ``kind/id`` that a task is for, read off its id; "" if it is none of ours."""
    found = TASK_ID.fullmatch(task)
    if found is None:
        return ""
    kinds = (
        ("job", "job"),
        ("scenario", "scenario"),
        ("supply", "supply"),
        ("request", "egress-request"),
        ("asked", "reidentification"),
    )
    kind = next(kind for group, kind in kinds if found[group] is not None)
    return f"{kind}/{found['id']}"


@dataclass(frozen=True)
class Means:
    """The parts of a space that steps use, and verbs that more than one step needs."""

    control: Control
    executor: Executor
    places: Places
    gate: Gate
    leftovers: Leftovers

    def run(self, task: Task) -> Outcome:
        """The task's outcome. One that was lost, or stopped, is forgotten and runs anew if its row still
        wants it (TASK_LOST): whoever stops a task has moved the row before.

        A machine that does not give what the policy needs for data of the task's level does not get it:
        ISOLATION_UNAVAILABLE."""
        runtime = admit(self.executor, self.control.policy, task.level)
        outcome = self.executor.run(replace(task, runtime=runtime))
        if outcome.end in (End.LOST, End.STOPPED):
            self.executor.discard(task.id)
            self.places.forget(task.id)
            raise fail("TASK_LOST", task=task.id)
        return self.graded(outcome, runtime)

    def graded(self, outcome: Outcome, runtime: str) -> Outcome:
        """With what the executor guarantees here added to what was seen of the container itself."""
        given = self.executor.guarantees(runtime)
        said = {"executor": given.executor, "runtime": given.runtime, "grades": dict(given.grades)}
        return replace(outcome, isolation={**outcome.isolation, **said})

    def limits(self, spec: JobSpec | None = None) -> Limits:
        """The profile's bounds; a job may ask for less."""
        get = self.control.policy.get
        asked = spec.limits if spec else None
        return Limits(
            seconds=float((asked and asked.seconds) or get("job.timeout_seconds")),
            memory_bytes=int((asked and asked.memory_bytes) or get("job.memory_bytes")),
            cpus=float(get("job.cpus")),
            pids=int(get("job.pids")),
            output_bytes=int((asked and asked.output_bytes) or get("job.output_bytes")),
            output_files=int(get("job.output_files")),
            tmp_bytes=int(get("job.tmp_bytes")),
        )

    def thresholds(self, agreement: Resource) -> dict[str, Any]:
        """The profile's values, tightened by the agreement's clauses."""
        values: dict[str, Any] = dict(self.control.policy.values())  # type: ignore[attr-defined]
        for key, value in agreement.spec["egress_rules"].items():
            values[key] = TIGHTENED[key](values[key], value)
        return values

    def level(self, *entries: Resource) -> int:
        """The highest level of any field of these catalogue entries: what the isolation must be fit for. An
        ungraded field counts as the most sensitive."""
        return max((field["level"] or MOST for one in entries for field in one.spec["fields"]), default=MOST)

    def level_behind(self, job: Resource) -> int:
        """The same for everything that a job's inputs come from, as it is graded now."""
        return self.level(*(self.need("catalogue-entry", id) for id in job.status["lineage"]["entries"]))

    def labels(self, job: Resource) -> dict[str, str]:
        """What a job's task is found by."""
        return {"sandbox.ref": job.ref, "sandbox.agreement": job.labels["agreement"]}

    def blobs(self, resource: Resource, what: str) -> Blobs:
        """The folder ``what`` (see ``places``) of the scenario that ``resource`` belongs to."""
        scenario = resource.spec.get("scenario") or resource.labels["scenario"]
        return self.places.blobs(resource.labels["agreement"], scenario, what)

    def read(self, kind: str, id: str) -> Resource | None:
        """The row as it is now."""
        with self.control.store.read() as reader:
            return reader.get(kind, id)

    def need(self, kind: str, id: str) -> Resource:
        """The same, which must be there; raises NOT_FOUND."""
        found = self.read(kind, id)
        if found is None:
            raise fail("NOT_FOUND", kind=kind, id=id)
        return found

    def entry_at(self, id: str, version: int) -> Resource:
        """The catalogue entry as it was when the supply was accepted: a later edit grades no earlier data."""
        with self.control.store.read() as reader:
            for entry in reader.history("catalogue-entry", id):
                if entry.version == version:
                    return entry
        raise fail("NOT_FOUND", kind="catalogue-entry", id=id)

    def act(self, resource: Resource, event: str, payload: dict[str, Any] | None = None) -> None:
        """Move the row on from the very version that was looked at."""
        self.control.act(SYSTEM, resource.kind, resource.id, event, payload or {}, expected=resource.version)
