"""What containers reported, believed no further than its form: every value is bounded and of a known shape.

A developer's code shares its container with the reporter, and the checker parses hostile files, so all of
it is hearsay (docs/threat-model.md). A report that is not whole gives ``None`` or a rejection here, never
an exception: an exception would be tried again for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ValidationError
from pydantic import Field as Bound

from sandbox.core.lifecycle import Model
from sandbox.executor.contract import End, Outcome
from sandbox.operation.job import JobSpec, Kept
from sandbox.operation.outcome import DP_CODES
from sandbox.operation.supply import Snapshot
from sandbox.policy.parameters import PARAMETERS
from sandbox.registry.anonymity import Anonymity, not_measured
from sandbox.review.request_spec import CheckResult
from sandbox.task.classes import clean_error

VERDICT_BYTES = 16 << 20
MOST_FINDINGS = 10_000
MOST_RULES = 1_000
CLAUSES = ("products_and_review", "security_and_emergency")  # of the agreement: they bind the checker
TIMINGS = ("user_start", "user_seconds")
# refusals of the job runner that name no value: passed on as the error of the developer's own job
JOB_CODES = frozenset(
    {"USER_ERROR", "UNDECLARED_OUTPUT", "MISSING_OUTPUT", "OUTPUT_TOO_LARGE", "OUTPUT_NAME", "ENTRY_MISSING"}
)
UNREADABLE = "REPORT_UNREADABLE"


class ToldFinding(Model):
    """A finding as the checker writes it (docs/egress.md)."""

    rule: str = Bound(pattern=r"^[A-Z][A-Z0-9_]{1,60}$")
    point: str = Bound(pattern=r"^[0-9]{2}\.[0-9]$")
    severity: Literal["hard", "hold", "flag"]
    path: str = Bound(max_length=400)
    where: str = Bound(max_length=1000)
    message_zh: str
    message_en: str
    evidence: dict[str, Any]
    hint: str


Place = Annotated[int, Bound(ge=1, lt=1 << 31)]


def _stated(key: str) -> str:
    if key not in PARAMETERS:
        raise ValueError("no parameter of a policy")
    return key


class ToldRule(Model):
    """What came of a rule. Pages look rules up by name: a name that is no text would end them."""

    rule: str = Bound(pattern=r"^[A-Z][A-Z0-9_]{1,60}$")
    point: str = Bound(pattern=r"^[0-9]{2}\.[0-9]$")
    version: str = Bound(max_length=40)
    result: Literal["no_objection", "flag", "hold", "fail", "not_applicable"]
    thresholds: tuple[Annotated[str, AfterValidator(_stated)], ...] = Bound(default=(), max_length=64)


class ToldTable(Model):
    """What the canonical form made of a table; without counts it was too large to compare."""

    part: str = Bound(max_length=1000)
    rows: int = Bound(ge=0, lt=1 << 53)
    columns: int = Bound(ge=0, lt=1 << 53)
    recomputed: bool
    columns_moved: bool
    rows_moved: bool
    changed: int | None = Bound(default=None, ge=0, lt=1 << 53)
    rewritten: int | None = Bound(default=None, ge=0, lt=1 << 53)
    emptied: int | None = Bound(default=None, ge=0, lt=1 << 53)
    places: tuple[tuple[Place, Place], ...] = Bound(default=(), max_length=400)


class ToldChanges(Model):
    """What the canonical form changed of the file that was submitted."""

    source_sha256: str = Bound(pattern=r"^[0-9a-f]{64}$")
    source_bytes: int = Bound(ge=0, lt=1 << 50)
    hidden: int = Bound(ge=0, lt=1 << 53)
    tables: tuple[ToldTable, ...] = Bound(max_length=64)


class ToldCanonical(Model):
    """A file as it would leave."""

    path: str
    sha256: str = Bound(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Bound(ge=0, lt=1 << 50)
    changes: ToldChanges | None = None


def proof(outcome: Outcome) -> dict[str, Any]:
    """What is kept of the isolation under which a task ran."""
    return {"config_sha256": outcome.config_sha256, "isolation": outcome.isolation}


def closed(details: Any) -> dict[str, Any]:
    """Details of a refusal as JSON scalars of bounded length; anything else than an object: none."""
    if not isinstance(details, dict):
        return {}
    return {
        str(key)[:100]: value if isinstance(value, bool) or _whole(value) else str(value)[:400]
        for key, value in details.items()
    }


def _whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 1 << 53


def code_of(outcome: Outcome) -> str:
    """The code of a task that gave no result: its refusal's, or how it ended."""
    told = outcome.report.get("code")
    if isinstance(told, str) and told:
        return told[:60]
    return UNREADABLE if outcome.end is End.SUCCEEDED else f"TASK_{outcome.end}".upper()


def good(outcome: Outcome) -> bool:
    """Whether the task ended by itself and says that it did what was asked."""
    return outcome.end is End.SUCCEEDED and outcome.report.get("ok") is True


def ran(outcome: Outcome, error: dict[str, Any] | None) -> dict[str, Any]:
    """How a job's container ended. ``timing`` in seconds is hearsay within the time that it ran."""
    told = outcome.report.get("timing")
    numbers = told if isinstance(told, dict) else {}
    timing = {key: float(numbers[key]) for key in TIMINGS if _within(numbers.get(key), outcome.seconds)}
    end = "succeeded" if error is None else str(outcome.end) if outcome.end is not End.SUCCEEDED else "failed"
    return {"end": end, "error": error, "seconds": outcome.seconds, "timing": timing, **proof(outcome)}


def again(proof: dict[str, Any]) -> dict[str, Any]:
    """The isolation under which an answer was made that is given a second time."""
    return {key: proof[key] for key in ("config_sha256", "isolation")}


def ran_again(outcome: dict[str, Any]) -> dict[str, Any]:
    """The end of the job that made it, for one that is given its answer: no time was spent."""
    return {"end": "succeeded", "error": None, "seconds": 0.0, "timing": {}, **again(outcome)}


def _within(value: Any, most: float) -> bool:
    return type(value) in (int, float) and 0 <= value <= most  # false for NaN and infinities


def job_error(spec: JobSpec, outcome: Outcome) -> dict[str, Any]:
    """What the developer may know of a failure: closed words and a line of their own code."""
    if outcome.end is not End.SUCCEEDED:
        return {"class": str(outcome.end), "line": None, "file": spec.entry}
    code = outcome.report.get("code")
    if code == "USER_ERROR":
        lines = spec.code.get(spec.entry, "").count("\n") + 1
        return clean_error(outcome.report.get("error"), spec.entry, lines)
    words = DP_CODES if spec.language == "dp" else JOB_CODES
    known = code if isinstance(code, str) and (spec.primary or code in words) else "Exception"
    return {"class": known, "line": None, "file": spec.entry}


def mistake(name: str) -> dict[str, Any]:
    """An error in no line of the developer's."""
    return {"class": name, "line": None, "file": ""}


def snapshot(outcome: Outcome, sha256: str) -> dict[str, Any] | None:
    """The snapshot that an ingest reports, stored as ``sha256``."""
    report = outcome.report
    try:
        entities = report["rows"] if report["entities"] is None else report["entities"]
        columns = [{"name": column["name"], "type": column["type"]} for column in report["columns"]]
        told = Snapshot(
            sha256=sha256,
            rows=report["rows"],
            entities=entities,
            columns=tuple(columns),
            task=proof(outcome),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return told.model_dump(mode="json") if 0 <= told.entities <= told.rows else None


def anonymity(told: Any, threshold: int) -> Anonymity:
    """The verdict of the re-identification test, held against the threshold that was asked; a report without
    a whole, coherent one counts as a no."""
    try:
        verdict = Anonymity.model_validate(told)
    except (ValidationError, RecursionError):
        return not_measured(threshold)
    return verdict if verdict.threshold == threshold else not_measured(threshold)


def kept(
    outcome: Outcome, sha256: str, product: str, title: str, threshold: int, tokens: str
) -> dict[str, Any] | None:
    """The primary product that a recipe reports, stored as ``sha256``, with its anonymity verdict;
    ``tokens`` is the hash of the token vault that it left."""
    report = outcome.report
    try:
        told = Kept(
            product=product,
            title=title,
            artefact_sha256=sha256,
            columns=tuple(
                {key: column[key] for key in ("name", "type", "source", "transforms")}
                for column in report["columns"]
            ),
            steps=report["steps"],
            identifiers=report["identifiers"],
            metrics=report.get("metrics"),
            anonymity=anonymity(report.get("anonymity"), threshold),
            tokens=tokens,
        )
    except (KeyError, TypeError, ValueError):
        return None
    return told.model_dump(mode="json")


def no_verdict(code: str, outcome: Outcome) -> dict[str, Any]:
    """No whole verdict: a rejection with the code of what went wrong (fail closed)."""
    return rejection(code, outcome.seconds, proof(outcome))


def rejection(code: str, seconds: float = 0.0, isolation: dict[str, Any] | None = None) -> dict[str, Any]:
    """A rejection without findings: why there is no verdict stands in ``error``."""
    return {
        "verdict": "reject",
        "findings": [],
        "files": [],
        "canonical": [],
        "checker": "",
        "seconds": seconds,
        "clauses": CLAUSES,
        "isolation": isolation or {},
        "error": code,
    }


def verdict(outcome: Outcome, staged: Iterable[str]) -> dict[str, Any]:
    """The verdict as it came out of the container, or a rejection when it is not a whole, coherent one.

    ``staged`` names the files that were given to the checker: nothing else can be a canonical file.
    """
    report = outcome.files / "verdict.json"
    if not good(outcome):
        return no_verdict(code_of(outcome), outcome)
    try:
        if report.is_symlink() or report.stat().st_size > VERDICT_BYTES:
            return no_verdict("VERDICT_UNREADABLE", outcome)
        told = json.loads(report.read_bytes(), parse_constant=_no_constant)
        findings = [ToldFinding.model_validate(found).model_dump() for found in told["findings"]]
        rules = [ToldRule.model_validate(rule).model_dump(mode="json") for rule in told["rules"]]
        canonical = [_written(file) for file in told.get("canonical", [])]
        result = CheckResult(
            verdict=told["verdict"],
            findings=tuple(findings),
            rules=tuple(rules),
            files=told["files"],
            canonical=tuple(canonical),
            checker=told["checker"],
            seconds=told["seconds"] if _within(told["seconds"], outcome.seconds) else outcome.seconds,
            clauses=CLAUSES,
            isolation=proof(outcome),
            ledger=told.get("ledger"),
            capacity=told["capacity"],
            check_seconds=told.get("check_seconds", {}),
            thresholds=told.get("thresholds", {}),
            pictures=told.get("pictures", ()),
            attacks=told.get("attacks", ()),
        ).model_dump(mode="json")
    except (OSError, ValidationError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return no_verdict("VERDICT_UNREADABLE", outcome)
    paths = [file["path"] for file in canonical]
    if max(len(findings) - MOST_FINDINGS, len(rules) - MOST_RULES) > 0:
        return no_verdict("VERDICT_UNREADABLE", outcome)
    if len(set(paths)) != len(paths) or not set(paths) <= set(staged):
        return no_verdict("VERDICT_UNREADABLE", outcome)
    if result["verdict"] != "reject" and result["capacity"] is None:
        return no_verdict("VERDICT_UNREADABLE", outcome)
    severities = {found["severity"] for found in findings}
    if (result["verdict"] == "reject") != ("hard" in severities):
        return no_verdict("VERDICT_INCOHERENT", outcome)
    if result["verdict"] == "no_objection" and "hold" in severities:
        return no_verdict("VERDICT_INCOHERENT", outcome)
    if result["verdict"] != "reject" and set(paths) != set(staged):
        return no_verdict("CANONICAL_MISSING", outcome)
    if result["verdict"] != "reject" and result["ledger"] is None:
        return no_verdict("LEDGER_MISSING", outcome)
    return result


def _written(file: Any) -> dict[str, Any]:
    return ToldCanonical.model_validate(file).model_dump(mode="json", exclude_none=True)


def _no_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON and no canonical audit entry
