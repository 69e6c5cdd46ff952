"""The machine's work: one step per working state, each idempotent, so that a crash only repeats it.

The table ``Work.steps`` is the whole of it: (kind, state) -> what is done there. A step looks at the
row, has containers touch the rows of data, and moves the row by compare-and-set. Two that do the same
step meet at the compare-and-set, and one of them finds that there is nothing left to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from sandbox.authorisation.agreement import TIGHTENED, add_years
from sandbox.control import reports
from sandbox.control.door import Control, Sight
from sandbox.control.kinds import kind_of
from sandbox.control.leftovers import Leftovers
from sandbox.control.places import Places
from sandbox.core.actor import SYSTEM
from sandbox.core.errors import Conflict, Forbidden, Internal, Unavailable, define, fail
from sandbox.core.resource import Resource
from sandbox.desensitize.recipe import validate_recipe
from sandbox.egress.gate import Gate
from sandbox.executor.contract import End, Executor, Input, Limits, Outcome, Task, TaskKind
from sandbox.operation.job import JobSpec, lineage_of

define(
    Unavailable,
    TASK_LOST=(
        "任务 {task} 的容器丢失，将重新执行。",
        "The container of task {task} was lost; it will be run again.",
    ),
)

TRANSITION_RACE = frozenset({"STATE", "STALE", "NOT_FOUND"})
DAMAGED = frozenset({"BLOB_DAMAGED", "BLOB_MISSING"})  # an input is not what it was: trying again is no help


# how a row ends whose inputs are gone or changed: event, payload of the code
UNUSABLE: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "supply": ("refuse", lambda code: {"code": code}),
    "job": ("fail", lambda code: {"end": "failed", "error": reports.mistake(code), "seconds": 0.0}),
    "egress-request": ("object", reports.rejection),
}


TASK_ID = re.compile(r"(?P<id>.+)-(?:a\d+-(?P<job>view|run)|(?P<supply>ingest)|(?P<request>check))")


def owner_of(task: str) -> str:
    """The ``kind/id`` that a task is for, read off its id; "" if it is none of ours."""
    found = TASK_ID.fullmatch(task)
    if found is None:
        return ""
    kinds = (("job", "job"), ("supply", "supply"), ("request", "egress-request"))
    kind = next(kind for group, kind in kinds if found[group])
    return f"{kind}/{found['id']}"


class Work:
    """Does the steps of all kinds. ``step(ref)`` is what the durable engine calls."""

    def __init__(self, control: Control, executor: Executor, places: Places, gate: Gate) -> None:
        self.control = control
        self.executor = executor
        self.places = places
        self.gate = gate
        self.leftovers = Leftovers(control.store, places)
        self.steps: dict[tuple[str, str], Callable[[Resource], bool]] = {
            ("supply", "quarantined"): self.ingest,
            ("supply", "loaded"): self.open_supply,
            ("job", "queued"): self.provision,
            ("job", "provisioning"): self.build_view,
            ("job", "running"): self.run_job,
            ("job", "succeeded"): self.take_outputs,
            ("job", "purging"): self.purge,
            ("egress-request", "requested"): self.begin_check,
            ("egress-request", "auto_check"): self.check,
            ("egress-request", "releasing"): self.release,
            ("agreement", "deleting"): self.delete,
            ("agreement", "deletion_verified"): self.seal,
        }

    def step(self, ref: str) -> bool:
        """Do the one step that ``kind/id`` is in; whether there may be another one after it."""
        kind, _, id = ref.partition("/")
        resource = self._read(kind, id)
        act = self.steps.get((kind, resource.state)) if resource else None
        if resource is None or act is None:
            self.clean_up(ref)
            return False
        try:
            return act(resource)
        except (Conflict, Forbidden, Unavailable) as error:
            # somebody else moved it on, or stopped its container: look again
            if error.code in (*TRANSITION_RACE, "TASK_LOST") and self._read(kind, id) != resource:
                return True
            if error.code in TRANSITION_RACE:
                return False
            raise
        except Internal as error:
            if error.code not in DAMAGED or kind not in UNUSABLE:
                raise
            event, payload = UNUSABLE[kind]
            self._act(resource, event, payload(error.code))
            return True

    # --- supply

    def ingest(self, supply: Resource) -> bool:
        """The delivered bytes become a snapshot, or nothing does."""
        spec, manifest = supply.spec, supply.spec["manifest"]
        entry = self._entry_at(spec["entry"], supply.status["accepted"]["entry_version"])
        quarantine = self._blobs(supply, "quarantine")
        if manifest["sha256"] not in quarantine.names():  # announced as delivered, and never sent
            self._act(supply, "refuse", {"code": "BLOB_MISSING"})
            return True
        task = Task(
            id=f"{supply.id}-ingest",
            kind=TaskKind.INGEST,
            image=self.executor.image("check"),
            params={
                "format": manifest["format"],
                "fields": [
                    {key: field[key] for key in ("name", "type", "level")} for field in entry.spec["fields"]
                ],
                "entity": entry.spec["entity"],
                "sha256": manifest["sha256"],
                "rows": manifest["rows"],
            },
            inputs=(Input("data", quarantine.path(manifest["sha256"])),),
            limits=self._limits(),
            labels={"sandbox.ref": supply.ref},
        )
        outcome = self._run(task)
        loaded, code = None, reports.code_of(outcome)
        if reports.good(outcome):
            code = reports.UNREADABLE
            try:
                sha256, _ = self._blobs(supply, "raw").put(outcome.files / "snapshot.parquet")
                loaded = reports.snapshot(outcome, sha256)
            except OSError:
                loaded = None
        if loaded is not None:
            self._act(supply, "load", loaded)
        else:
            details = reports.closed(outcome.report.get("details"))
            self._act(supply, "refuse", {"code": code, "details": details})
        for place in ("quarantine", "raw"):
            self.leftovers.clear(place, spec["agreement"], spec["scenario"])
        return True

    def open_supply(self, supply: Resource) -> bool:
        """Loaded becomes available while the agreement permits it; a suspended one keeps it loaded."""
        self._act(supply, "open")
        return False

    # --- job

    def provision(self, job: Resource) -> bool:
        """Ask the grant again, debit one use, fix the lineage; or deny with the code of the rule."""
        spec = JobSpec.model_validate(job.spec)
        scenario = self._need("scenario", spec.scenario)
        try:
            with self.control.store.read() as reader:
                lineage = lineage_of(spec, scenario, Sight(reader))
            payload = {
                "lineage": lineage,
                "list_sha256": scenario.status.get("grant", {}).get("list_sha256", ""),
                "attempt": job.status["attempt"] + 1,
            }
            self._act(job, "provision", payload)
        except (Conflict, Forbidden) as error:
            if error.code in TRANSITION_RACE:
                raise
            self._act(job, "deny", {"code": error.code, "details": reports.closed(error.details)})
        return True

    def build_view(self, job: Resource) -> bool:
        """The granted columns x rows x period as files that the job's container will see, and no more."""
        outcome = self._view(job)
        if not reports.good(outcome):
            self._act(job, "fail", reports.ran(outcome, reports.mistake("Exception")))
            return True
        self._act(job, "run")
        return True

    def run_job(self, job: Resource) -> bool:
        """The code, in its container."""
        view = self._view(job)  # idempotent: the outcome that is there
        spec = JobSpec.model_validate(job.spec)
        task = self._recipe_task(job, spec, view) if spec.primary else self._code_task(job, spec, view)
        outcome = self._run(task)
        error = None if reports.good(outcome) else reports.job_error(spec, outcome)
        self._act(job, "fail" if error else "succeed", reports.ran(outcome, error))
        return True

    def take_outputs(self, job: Resource) -> bool:
        """Copy, hash, rename: the outputs into quarantine, or a recipe's table into the primary store."""
        spec = JobSpec.model_validate(job.spec)
        view = self._view(job)
        task = self._recipe_task(job, spec, view) if spec.primary else self._code_task(job, spec, view)
        outcome = self._run(task)
        if spec.primary:
            return self._keep(job, spec, outcome)
        staging = self._blobs(job, "staging")
        outputs = []
        for output in spec.outputs:
            try:
                sha256, size = staging.put(outcome.files / output.path)
            except OSError:
                self._act(job, "fail", reports.ran(outcome, reports.mistake("MISSING_OUTPUT")))
                return True
            outputs.append({"path": output.path, "sha256": sha256, "bytes": size, "kind": output.kind})
        self._act(job, "stage", {"outputs": outputs})
        return True

    def purge(self, job: Resource) -> bool:
        """Delete unclaimed outputs, unless another job of the scenario put out the very same bytes."""
        staging = self._blobs(job, "staging")
        with self.control.store.read() as reader:
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
        self._act(job, "erase")
        return False

    def _keep(self, job: Resource, spec: JobSpec, outcome: Outcome) -> bool:
        recipe = spec.recipe or {}
        product, title = self.control.new_id("product"), str(recipe.get("name", job.id))
        try:
            sha256, _ = self._blobs(job, "primary").put(outcome.files / "product.parquet")
            kept = reports.kept(outcome, sha256, product, title)
        except OSError:
            kept = None
        if kept is None:
            self._act(job, "fail", reports.ran(outcome, reports.mistake(reports.UNREADABLE)))
        else:
            self._act(job, "keep", kept)
        return True

    def _view(self, job: Resource) -> Outcome:
        """The task that compiles the grant for this attempt."""
        spec = JobSpec.model_validate(job.spec)
        granted = self._need("scenario", spec.scenario).status["grant"]["items"]
        listed = {item["entry"]: item for item in granted}
        behind = {item["name"]: item for item in job.status["lineage"]["inputs"]}
        views, inputs = [], []
        for table in spec.inputs:
            item = listed.get(table.entry or "", {})
            source = f"{table.name}.parquet"
            place = "raw" if table.entry else "primary"
            inputs.append(Input(source, self._blobs(job, place).verified(behind[table.name]["sha256"])))
            views.append(
                {
                    "name": table.name,
                    "source": source,
                    "columns": list(table.columns),
                    "rows": item.get("rows", []),
                    "period": item.get("period"),
                }
            )
        return self._run(
            Task(
                id=f"{job.id}-a{job.status['attempt']}-view",
                kind=TaskKind.VIEW,
                image=self.executor.image("check"),
                params={"views": views},
                inputs=tuple(inputs),
                limits=self._limits(),
                labels=self._labels(job),
            )
        )

    def _code_task(self, job: Resource, spec: JobSpec, view: Outcome) -> Task:
        name = f"{job.id}-a{job.status['attempt']}-run"
        data = {f"{table.name}.parquet": view.files / f"{table.name}.parquet" for table in spec.inputs}
        return Task(
            id=name,
            kind=TaskKind.JOB,
            image=self.executor.image("job"),
            params={
                "language": spec.language,
                "entry": spec.entry,
                "inputs": [table.name for table in spec.inputs],
                "outputs": [{"path": output.path} for output in spec.outputs],
            },
            inputs=(
                Input("data", self.places.assemble(name, "data", data)),
                Input("code", self.places.write(name, "code", spec.code)),
            ),
            limits=self._limits(spec),
            labels=self._labels(job),
        )

    def _recipe_task(self, job: Resource, spec: JobSpec, view: Outcome) -> Task:
        table = spec.inputs[0]
        entry = self._need("catalogue-entry", table.entry or "")
        fields = [field for field in entry.spec["fields"] if field["name"] in table.columns]
        recipe = validate_recipe(spec.recipe, fields)
        keys = {
            name: self.places.key(job.labels["agreement"], spec.scenario, name)
            for name in sorted(recipe.keys)
        }
        return Task(
            id=f"{job.id}-a{job.status['attempt']}-run",
            kind=TaskKind.RECIPE,
            image=self.executor.image("check"),
            params={"recipe": spec.recipe, "fields": fields, "keys": keys},
            inputs=(Input("data", view.files / f"{table.name}.parquet"),),
            limits=self._limits(spec),
            labels=self._labels(job),
        )

    # --- egress

    def begin_check(self, request: Resource) -> bool:
        """Requested becomes under check."""
        self._act(request, "begin_check")
        return True

    def check(self, request: Resource) -> bool:
        """The checker, with the raw snapshots at hand; anything but a clean run of it is a rejection."""
        job = self._need("job", request.spec["job"])
        task = self._check_task(request, job)
        outcome = self._run(task)
        result = reports.verdict(outcome, [item["path"] for item in job.status["outputs"]])
        if result["verdict"] != "reject":
            review = self._blobs(job, "review")
            try:
                for file in result["canonical"]:
                    sha256, size = review.put(outcome.files / "canonical" / file["path"])
                    if (sha256, size) != (file["sha256"], file["bytes"]):
                        raise OSError("canonical file is not what the verdict says")
            except OSError:
                result = reports.no_verdict("CANONICAL_MISMATCH", outcome)
        if result["verdict"] == "reject":
            self._act(request, "object", result)
        elif request.spec["recipient_region"] != "CN" or self._foreign(request):
            self._act(request, "hold", result)
        else:
            self._act(request, "forward", result)
        return True

    def _foreign(self, request: Resource) -> bool:
        return bool(self._need("organisation", request.spec["recipient"]).spec["region"] != "CN")

    def _check_task(self, request: Resource, job: Resource) -> Task:
        name = f"{request.id}-check"
        spec = JobSpec.model_validate(job.spec)
        staging, raw = self._blobs(job, "staging"), self._blobs(job, "raw")
        staged = {item["path"]: staging.verified(item["sha256"]) for item in job.status["outputs"]}
        raws: dict[str, Path] = {}
        described: list[dict[str, Any]] = []
        for supply_id in job.status["lineage"]["supplies"]:
            supply = self._need("supply", supply_id)
            entry = self._entry_at(supply.spec["entry"], supply.status["accepted"]["entry_version"])
            raws[f"{supply.id}.parquet"] = raw.verified(supply.status["snapshot"]["sha256"])
            described.append(
                {
                    "name": entry.id,
                    "file": f"{supply.id}.parquet",
                    "entity": entry.spec["entity"],
                    **_roles(entry),
                }
            )
        for product_id in job.status["lineage"]["products"]:
            product = self._need("product", product_id)
            file = f"{product.id}.parquet"
            raws[file] = self._blobs(job, "primary").verified(product.spec["artefact_sha256"])
            described.append({"name": product.id, "file": file, **self._product_roles(product)})
        agreement = self._need("agreement", job.labels["agreement"])
        inputs = [
            Input("outputs", self.places.assemble(name, "outputs", staged)),
            Input("raw", self.places.assemble(name, "raw", raws)),
        ]
        if history := self._history(request, job):
            inputs.append(Input("history", self.places.assemble(name, "history", history)))
        return Task(
            id=name,
            kind=TaskKind.CHECK,
            image=self.executor.image("check"),
            params={
                "raws": described,
                "declared": [output.model_dump(mode="json") for output in spec.outputs],
                "policy": self._thresholds(agreement),
                "policy_id": self.control.policy.id,
            },
            inputs=tuple(inputs),
            limits=self._limits(),
            labels={"sandbox.ref": request.ref, "sandbox.agreement": agreement.id},
        )

    def _thresholds(self, agreement: Resource) -> dict[str, Any]:
        """The profile's values, tightened by the agreement's clauses."""
        values: dict[str, Any] = dict(self.control.policy.values())  # type: ignore[attr-defined]
        for key, value in agreement.spec["egress_rules"].items():
            values[key] = TIGHTENED[key](values[key], value)
        return values

    def _product_roles(self, product: Resource) -> dict[str, Any]:
        """Roles of a primary product's columns: those of the raw columns they come from."""
        supply = self._need("supply", product.spec["lineage"]["supplies"][0])
        entry = self._entry_at(supply.spec["entry"], supply.status["accepted"]["entry_version"])
        role = {field["name"]: field["role"] for field in entry.spec["fields"]}
        columns = [(column["name"], column["source"]) for column in product.spec["columns"]]
        entity = entry.spec["entity"]
        return {
            "entity": next((name for name, source in columns if entity and source == entity), None),
            "quasi": [name for name, source in columns if role.get(source) == "quasi"],
            "sensitive": [name for name, source in columns if role.get(source) == "sensitive"],
            "identifiers": [],
            "levels": {},
        }

    def _history(self, request: Resource, job: Resource) -> dict[str, Path]:
        """Canonical files of every earlier release made from any of the same resources (R-144)."""
        entries = set(job.status["lineage"]["entries"])
        found: dict[str, Path] = {}
        with self.control.store.read() as reader:
            released = reader.find("egress-request", state="released")
            jobs = {one.id: reader.get("job", one.spec["job"]) for one in released}
        for one in released:
            source = jobs[one.id]
            if (
                one.id == request.id
                or source is None
                or not entries & set(source.status["lineage"]["entries"])
            ):
                continue
            review = self._blobs(source, "review")
            for file in one.status["check"]["canonical"]:
                found[f"{one.id}/{file['path']}"] = review.path(file["sha256"])
        return found

    def release(self, request: Resource) -> bool:
        """The one exit."""
        self.gate.release(request.id)
        return False

    # --- the end of an agreement

    def delete(self, agreement: Resource) -> bool:
        """Delete what is kept, look again, certify; then a person verifies."""
        if agreement.status.get("certify", {}).get("left") == 0:
            return False
        for task in self._tasks_of(agreement.id):
            self.executor.discard(task)
            self.places.forget(task)
        present = self.places.inventory(agreement.id)
        self.places.destroy(agreement.id)
        left = len(self.places.inventory(agreement.id))
        keys = sum(1 for item in present if item["place"] == "keys")
        removed = [item for item in present if item["place"] != "keys"]
        self._act(agreement, "certify", {"removed": removed, "left": left, "keys_destroyed": keys})
        return False

    def _tasks_of(self, agreement: str) -> set[str]:
        """Ids of every task that jobs, supplies or requests of an agreement may have left."""
        with self.control.store.read() as reader:
            owners = {
                one.ref
                for kind in ("job", "supply", "egress-request")
                for one in reader.find(kind, labels={"agreement": agreement})
            }
        return {task for task in self.executor.known() if owner_of(task) in owners}

    def seal(self, agreement: Resource) -> bool:
        """Seal the log: the signed head, and the day before which nothing of it is purged (R-261)."""
        head = self.control.store.checkpoint()
        get = self.control.policy.get
        years = max(int(get("logs.retention_years")), int(get("logs.site_floor_years")))
        today: date = self.control.clock().date()
        seal = {
            "size": head.size,
            "root": head.root.hex(),
            "purge_not_before": add_years(today, years).isoformat(),
        }
        self._act(agreement, "seal_logs", seal)
        return False

    # --- shared

    def clean_up(self, ref: str) -> None:
        """Discard the tasks of a resource that needs no work any more."""
        for task in self.executor.known():
            if owner_of(task) == ref:
                self.executor.discard(task)
                self.places.forget(task)

    def _run(self, task: Task) -> Outcome:
        """The task's outcome. One that was lost, or stopped, is forgotten and runs anew if its row still
        wants it (TASK_LOST): whoever stops a task has moved the row before."""
        outcome = self.executor.run(task)
        if outcome.end in (End.LOST, End.STOPPED):
            self.executor.discard(task.id)
            self.places.forget(task.id)
            raise fail("TASK_LOST", task=task.id)
        return outcome

    def _limits(self, spec: JobSpec | None = None) -> Limits:
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

    def _labels(self, job: Resource) -> dict[str, str]:
        return {"sandbox.ref": job.ref, "sandbox.agreement": job.labels["agreement"]}

    def _blobs(self, resource: Resource, what: str) -> Any:
        scenario = resource.spec.get("scenario") or resource.labels["scenario"]
        return self.places.blobs(resource.labels["agreement"], scenario, what)

    def _read(self, kind: str, id: str) -> Resource | None:
        with self.control.store.read() as reader:
            return reader.get(kind, id)

    def _need(self, kind: str, id: str) -> Resource:
        found = self._read(kind, id)
        if found is None:
            raise fail("NOT_FOUND", kind=kind, id=id)
        return found

    def _entry_at(self, id: str, version: int) -> Resource:
        """The catalogue entry as it was when the supply was accepted: a later edit grades no earlier data."""
        with self.control.store.read() as reader:
            for entry in reader.history("catalogue-entry", id):
                if entry.version == version:
                    return entry
        raise fail("NOT_FOUND", kind="catalogue-entry", id=id)

    def _act(self, resource: Resource, event: str, payload: dict[str, Any] | None = None) -> None:
        """Move the row on from the very version that was looked at."""
        self.control.act(SYSTEM, resource.kind, resource.id, event, payload or {}, expected=resource.version)


def _roles(entry: Resource) -> dict[str, Any]:
    """The columns of a catalogue entry by what they do in re-identification."""
    by_role = {
        name: [field["name"] for field in entry.spec["fields"] if field["role"] == role]
        for name, role in (("quasi", "quasi"), ("sensitive", "sensitive"), ("identifiers", "identifier"))
    }
    return {**by_role, "levels": {field["name"]: field["level"] for field in entry.spec["fields"]}}


def working(resource: Resource) -> bool:
    """Whether the machine has work to do on it."""
    return resource.state in kind_of(resource.kind).working
