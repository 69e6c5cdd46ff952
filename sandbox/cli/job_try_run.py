"""What ``sandbox job try`` does: dummy data, the job, the check, each as a task in its container.

The tasks are those of a space (``control.tasks.code_task``, ``control.checking.check_task``): the same image,
helper and folders. Only the data differs: it is made from the catalogue. Nothing here reads a workspace or
has a server.
"""

from __future__ import annotations

import csv
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.core.errors import CODES, SandboxError, fail
from sandbox.desensitize.dummy import codes  # noqa: F401  (defines the codes raised here)

if TYPE_CHECKING:
    from sandbox.executor.choose import AnyExecutor
    from sandbox.executor.contract import Limits, Outcome, Task
    from sandbox.operation.job_spec import JobSpec
    from sandbox.policy import Profile

STATED = ("code_list", "minimum", "maximum", "pattern", "null_share", "unique", "references", "determined_by")
HINTS = frozenset({"entries", "columns", "rows", "edges"})
LEVEL = 1  # what was made up is public


@dataclass(frozen=True)
class Source:
    """One input's description: the fields of an entry (or of a product), its entity, whether the stricter
    threshold holds."""

    id: str
    fields: list[dict[str, Any]]
    entity: str | None
    sensitive_group: bool = False


@dataclass
class Trial:
    """What came of it. ``report`` is the checker's; None where the job failed."""

    executor: str
    tables: list[dict[str, Any]]
    unmet: list[str]
    unread: list[str]
    outputs: list[dict[str, Any]] = field(default_factory=list)
    failure: dict[str, Any] = field(default_factory=dict)
    log: str = ""
    report: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain JSON: ``{"executor", "tables", "unmet", "unread", "outputs", "failure", "log",
        "report"}``."""
        return dict(vars(self))


def hints_of(told: Any) -> dict[str, Any]:
    """The block ``try:`` of job.yaml. Raises TRY_HINTS."""
    if told is None:
        return {}
    if not isinstance(told, dict) or set(told) - HINTS:
        why = ", ".join(sorted(map(str, set(told) - HINTS))) if isinstance(told, dict) else "try"
        raise fail("TRY_HINTS", why=why)
    for key in ("entries", "columns"):
        if not isinstance(told.get(key, {}), dict):
            raise fail("TRY_HINTS", why=key)
    for name, columns in told.get("columns", {}).items():
        fine = isinstance(columns, dict) and all(isinstance(one, dict) for one in columns.values())
        unknown = (
            sorted({key for one in columns.values() for key in one} - {"type", *STATED}) if fine else [name]
        )
        if unknown:
            raise fail("TRY_HINTS", why=f"columns.{name}: {', '.join(unknown)}")
    return dict(told)


def described(spec: JobSpec, sources: Mapping[str, Source], hints: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parameter ``tables`` of the dummy task: the job's columns as the catalogue describes them, with
    what ``try.columns`` adds. Raises TRY_COLUMN for one that neither knows."""
    tables = []
    for table in spec.inputs:
        source, said = sources[table.name], hints.get("columns", {}).get(table.name, {})
        known = {one["name"]: one for one in source.fields}
        fields = []
        for column in table.columns:
            if column not in known and "type" not in said.get(column, {}):
                raise fail("TRY_COLUMN", name=table.name, column=column)
            base = known.get(column, {"name": column})
            kept = {
                key: base[key]
                for key in ("name", "type", "title_zh", "title_en", "role", *STATED)
                if key in base
            }
            fields.append({**kept, **said.get(column, {})})
        entity = source.entity if source.entity in table.columns else None
        tables.append({"name": table.name, "source": source.id, "entity": entity, "fields": fields})
    return tables


def raws_of(spec: JobSpec, sources: Mapping[str, Source]) -> list[dict[str, Any]]:
    """The parameter ``raws`` of the check: the dummy tables in the place of the raw ones."""
    raws = []
    for table in spec.inputs:
        source = sources[table.name]
        mine = [one for one in source.fields if one["name"] in table.columns]
        roles = {
            key: [one["name"] for one in mine if one.get("role") == role]
            for key, role in (("quasi", "quasi"), ("sensitive", "sensitive"), ("identifiers", "identifier"))
        }
        raws.append(
            {
                "name": table.name,
                "file": f"{table.name}.parquet",
                "entity": source.entity if source.entity in table.columns else None,
                **roles,
                "flags": {one["name"]: one["flags"] for one in mine if one.get("flags")},
                "levels": {one["name"]: one["level"] for one in mine if one.get("level")},
                "sensitive_group": source.sensitive_group,
            }
        )
    return raws


def executor_at(root: Path, name: str | None) -> AnyExecutor:
    """The executor ``name``, else that of SANDBOX_EXECUTOR, else the first of docker and bubblewrap that is
    there.

    There is no data here that a weaker one could lose; which one it was is said. Raises what the last one
    lacks.
    """
    import os

    from sandbox.executor.choose import executor_for

    if name or os.environ.get("SANDBOX_EXECUTOR"):
        return executor_for(root, name)
    docker = executor_for(root, "docker")
    try:
        docker.guarantees()
    except SandboxError:
        other = executor_for(root, "bubblewrap")
        other.guarantees()
        return other
    return docker


def limits_of(policy: Profile, spec: JobSpec | None = None) -> Limits:
    """The profile's bounds as a space sets them; a job may ask for less."""
    from sandbox.executor.contract import Limits

    asked = spec.limits if spec else None
    return Limits(
        seconds=float((asked and asked.seconds) or policy.get("job.timeout_seconds")),
        memory_bytes=int((asked and asked.memory_bytes) or policy.get("job.memory_bytes")),
        cpus=float(policy.get("job.cpus")),
        pids=int(policy.get("job.pids")),
        output_bytes=int((asked and asked.output_bytes) or policy.get("job.output_bytes")),
        output_files=int(policy.get("job.output_files")),
        tmp_bytes=int(policy.get("job.tmp_bytes")),
    )


@dataclass
class Bench:
    """Where one trial happens: ``stage``, a folder of its own, and the executor."""

    stage: Path
    executor: AnyExecutor
    policy: Profile
    spec: JobSpec

    @contextmanager
    def _outcome(self, step: str, task: Task) -> Iterator[Outcome]:
        try:
            yield self.executor.run(task)
        finally:
            self.executor.discard(task.id)

    def _task(self, kind: str, image: str, params: dict[str, Any], **inputs: Path) -> Task:
        from sandbox.executor.contract import Input, Task, TaskKind

        limits = limits_of(self.policy, self.spec if kind == "job" else None)
        shown = tuple(Input(name, path) for name, path in inputs.items())
        identity = f"try-{kind}-{uuid.uuid4().hex[:12]}"
        return Task(identity, TaskKind(kind), self.executor.image(image), params, shown, limits, level=LEVEL)

    def dummy(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make the data: ``stage/data/<input>.parquet``; gives the room's report. Raises its refusals,
        TRY_FAILED."""
        with self._outcome("dummy", self._task("dummy", "check", params)) as outcome:
            report = _good("dummy", outcome)
            _copied(outcome.files, self.stage / "data")
            return report

    def job(self) -> tuple[dict[str, Any], str]:
        """Run the job: its outputs to ``stage/outputs``; gives what went wrong (empty: nothing) and its
        log."""
        code = self.stage / "code"
        for name, text in self.spec.code.items():
            place = code / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        _open(code)
        params = {
            "language": self.spec.language,
            "entry": self.spec.entry,
            "inputs": [table.name for table in self.spec.inputs],
            "outputs": [{"path": output.path} for output in self.spec.outputs],
            "log": self.spec.log,
        }
        task = self._task("job", self.spec.language, params, data=self.stage / "data", code=code)
        with self._outcome("job", task) as outcome:
            log = outcome.log.read_text(encoding="utf-8", errors="replace") if outcome.log else ""
            _copied(outcome.files, self.stage / "outputs")
            return _failure(outcome), log

    def check(self, raws: list[dict[str, Any]]) -> dict[str, Any]:
        """Check the outputs; gives the checker's report. Raises TRY_FAILED."""
        params = {
            "raws": raws,
            "declared": [output.model_dump(mode="json") for output in self.spec.staged],
            "policy": dict(self.policy.values()),
            "policy_id": self.policy.id,
            "script": self._script(),
        }
        outputs, raw = self.stage / "outputs", self.stage / "data"
        with self._outcome(
            "check", self._task("check", "check", params, outputs=outputs, raw=raw)
        ) as outcome:
            _good("check", outcome)
            from sandbox.cli.egress_run import answer

            return answer(outcome.files, "verdict.json")

    def _script(self) -> dict[str, Any] | None:
        """The SQL that made the outputs: the checker computes them again, as it does in a space."""
        if self.spec.language != "sql":
            return None
        inputs = [
            {
                "name": one.name,
                "file": f"{one.name}.parquet",
                "columns": list(one.columns),
                "rows": [],
                "period": None,
            }
            for one in self.spec.inputs
        ]
        return {"text": self.spec.code[self.spec.entry], "inputs": inputs}


def _good(step: str, outcome: Outcome) -> dict[str, Any]:
    report = dict(outcome.report)
    code = str(report.get("code", ""))
    if report.get("ok") is True:
        return report
    if code in CODES and code != "INTERNAL":
        raise fail(code, **dict(report.get("details", {})))
    raise fail("TRY_FAILED", step=step, why=code or outcome.end.value)


def _failure(outcome: Outcome) -> dict[str, Any]:
    """What went wrong in the job, in the words that a space would tell: empty if nothing did."""
    report = outcome.report
    if outcome.end.value == "succeeded" and report.get("ok") is True:
        return {}
    code = str(report.get("code", "")) or outcome.end.value
    details = {str(key): value for key, value in dict(report.get("details") or {}).items()}
    told: dict[str, Any] = {"code": code, "end": outcome.end.value, **details}
    if code in CODES:
        error = fail(code, **details)
        told |= {"message_zh": error.message("zh"), "message_en": error.message("en")}
    return told


def _copied(files: Path, target: Path) -> None:
    """The files of an outcome beside each other, readable for the next task."""
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    for path in sorted(files.iterdir()) if files.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            shutil.copyfile(path, target / path.name)
    _open(target)


def _open(folder: Path) -> None:
    """Readable for the user that a task runs as; the stage above is closed."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def rows_of(path: Path) -> int | None:
    """Rows of an output, without the header; None for a format that holds none or is not counted here."""
    try:
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                return max(0, sum(1 for row in csv.reader(file) if row) - 1)
        if path.suffix == ".json":
            body = json.loads(path.read_text(encoding="utf-8"))
            return len(body) if isinstance(body, list) else None
    except (OSError, ValueError, csv.Error, RecursionError):  # the last: brackets in brackets without end
        pass
    return None
