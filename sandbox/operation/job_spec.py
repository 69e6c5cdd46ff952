"""What a job is asked to be, and what the machine says of it on its way: the models of its events."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field as Bound

from sandbox.core.lifecycle import Model
from sandbox.desensitize.report import Metrics
from sandbox.operation.outcome import CODE_FILE
from sandbox.registry.anonymity import Anonymity
from sandbox.task.log import LOG_OUTPUT

PATH = r"^[a-z0-9][a-z0-9_-]{0,62}\.[a-z0-9]{1,8}$"


class JobInput(Model):
    """One table the code will see as ``name``: columns of a catalogue entry or of a primary product."""

    name: str = Bound(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    entry: str | None = None
    product: str | None = None
    columns: tuple[str, ...] = Bound(min_length=1)


class Statistic(Model):
    """What a measure is: a function (``sandbox.egress.recompute.facts.FUNCTIONS``) of a raw column."""

    fn: Literal["sum", "avg", "mean", "median", "stddev", "variance", "count", "p10", "p25", "p75", "p90"]
    of: str = Bound(min_length=1)


class JobOutput(Model):
    """One file that will leave, and what it says it is.

    ``statistics`` and ``precision`` (decimals) of measures let the checker compute them itself.
    """

    path: str = Bound(pattern=PATH)
    kind: Literal["table", "rows", "report", "figure"]
    dimensions: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    ordered: bool = False
    statistics: dict[str, Statistic] = Bound(default_factory=dict)
    precision: dict[str, Annotated[int, Bound(ge=-9, le=12)]] = Bound(default_factory=dict)


LOG = JobOutput(path=LOG_OUTPUT, kind="report")


class JobLimits(Model):
    """What the job asks for; never more than the profile allows."""

    seconds: int | None = Bound(default=None, ge=1)
    memory_bytes: int | None = Bound(default=None, ge=64 << 20)
    output_bytes: int | None = Bound(default=None, ge=1 << 10)


class JobSpec(Model):
    """``code`` holds the files as text, at most 1 MiB together; ``recipe`` stands instead of code, and so
    does ``query`` (``sandbox.desensitize.dp.spec``), whose answer under differential privacy is for
    ``recipient`` (the submitter, if none is named).

    ``log`` puts what the job prints among its outputs as ``log.md``.
    """

    scenario: str
    purpose: str
    language: Literal["sql", "python", "recipe", "dp"]
    entry: str = ""
    code: dict[Annotated[str, Bound(pattern=CODE_FILE)], str] = Bound(default_factory=dict, max_length=64)
    recipe: dict[str, Any] | None = None
    query: dict[str, Any] | None = None
    recipient: str = ""
    inputs: tuple[JobInput, ...] = Bound(min_length=1, max_length=16)
    outputs: tuple[JobOutput, ...] = Bound(default=(), max_length=16)
    log: bool = False
    priority: Literal["low", "normal", "high"] = "normal"  # among the organisation's own jobs
    limits: JobLimits = JobLimits()

    @property
    def primary(self) -> bool:
        """Primary processing (初级加工) is a recipe; everything else is re-development."""
        return self.language == "recipe"

    @property
    def staged(self) -> tuple[JobOutput, ...]:
        """Every file that will be proposed: the declared outputs, and the log if it was asked for."""
        return (*self.outputs, LOG) if self.log else self.outputs


class Started(Model):
    """Lineage fixed at the start: which snapshots, which entries, under which list."""

    lineage: dict[str, Any]
    list_sha256: str
    attempt: int


class Staged(Model):
    """The outputs after copy, hash, rename."""

    outputs: tuple[dict[str, Any], ...]


class Denial(Model):
    """The code of the rule that denied it at the start."""

    code: str
    details: dict[str, Any] = Bound(default_factory=dict)


class Kept(Model):
    """The in-domain primary product that a recipe gave: its id, its columns with their sources, its hash, and
    that of the token vault as the job left it, if it drew tokens."""

    product: str
    title: str
    artefact_sha256: str
    columns: tuple[dict[str, Any], ...]
    steps: tuple[dict[str, Any], ...]
    identifiers: dict[str, Any] = Bound(default_factory=dict)
    metrics: Metrics | None = None  # risk before and after, loss by column
    anonymity: Anonymity
    tokens: str = Bound(default="", pattern=r"^(?:[0-9a-f]{64})?$")


class Proposed(Model):
    """The egress request made of the outputs."""

    request: str
