"""What an egress request says, and what its events carry (requirements D.5)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field as Bound

from sandbox.core.lifecycle import Model


class EgressSpec(Model):
    """What is to leave, to whom, where, for what, and as which form of product."""

    job: str
    title: str = Bound(min_length=2)
    recipient: str  # organisation
    recipient_region: str = "CN"
    purpose: str
    form: Literal["dataset", "report", "model", "interface", "service"]
    use_class: Literal["public", "industry"] = "industry"
    high_risk: bool = False


class LedgerFile(Model):
    """A file of the release ledger, kept by its hash."""

    path: str = Bound(pattern=r"^(cells|universe-[0-9a-f]{32})\.parquet$")
    sha256: str = Bound(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Bound(ge=0, lt=1 << 50)


class LedgerRecord(Model):
    """The cells of a request for the ledger, and the requests whose cells they were compared with."""

    files: tuple[LedgerFile, ...] = Bound(min_length=1)
    seen: tuple[str, ...] = ()


class FileCapacity(Model):
    """Of one file: bits at most, its tables, and how many of them the checker recomputed."""

    path: str
    bits: int = Bound(ge=0, lt=1 << 53)
    tables: int = Bound(default=0, ge=0)
    recomputed: int = Bound(default=0, ge=0)


class Capacity(Model):
    """How many bits could be hidden in what is to leave, at most."""

    bits: int = Bound(ge=0, lt=1 << 53)
    files: tuple[FileCapacity, ...] = ()


class Band(Model):
    """Cells of a table by size: how many lie within a band of entities."""

    label: str = Bound(max_length=40)
    cells: int = Bound(ge=0, lt=1 << 53)
    below: bool


class Picture(Model):
    """What the pictures of a table are drawn from (``sandbox.egress.report.facts``)."""

    path: str = Bound(max_length=400)
    part: str = Bound(max_length=1000)
    threshold: int = Bound(ge=0, lt=1 << 53)
    cells: int = Bound(ge=0, lt=1 << 53)
    states: str = Bound(pattern=r"^[.sd0?]{0,600}$")
    sizes: tuple[Band, ...] = Bound(max_length=20)


Rate = Annotated[float, Bound(ge=0, le=1)]


class Attack(Model):
    """Membership inference against a model: ``curve`` are rates of false and true positives."""

    path: str = Bound(max_length=400)
    raw: str = Bound(max_length=200)
    auc: Rate
    threshold: Rate
    tpr: Rate
    rows: int = Bound(ge=0, lt=1 << 53)
    curve: tuple[tuple[Rate, Rate], ...] = Bound(max_length=40)


class CheckResult(Model):
    """What the checker said of the staged files, and the canonical files it wrote."""

    verdict: Literal["no_objection", "hold", "reject"]
    findings: tuple[dict[str, Any], ...]
    rules: tuple[dict[str, Any], ...] = ()
    files: tuple[dict[str, Any], ...]
    canonical: tuple[dict[str, Any], ...]
    checker: str
    seconds: float
    clauses: tuple[str, ...] = ()
    isolation: dict[str, Any] = Bound(default_factory=dict)
    error: str | None = None
    ledger: LedgerRecord | None = None
    capacity: Capacity | None = None
    check_seconds: dict[str, float] = Bound(default_factory=dict)
    thresholds: dict[str, int | float | str | None] = Bound(default_factory=dict)  # as applied, by policy key
    pictures: tuple[Picture, ...] = Bound(default=(), max_length=64)
    attacks: tuple[Attack, ...] = Bound(default=(), max_length=64)
    asked: str = ""  # SHA-256 of all that the check was given (``control.answered``)
    same_as: str = ""  # the earlier request whose answer this is


class PointAnswer(Model):
    """A person's answer to one review point; ``na`` needs its reason in the note."""

    answer: Literal["pass", "fail", "na"]
    note: str = ""


class Verdict(Model):
    """One reviewer's verdict; the security verdict carries the form with all points."""

    which: Literal["security", "business_conformity"]
    verdict: Literal["pass", "fail"]
    points: dict[str, PointAnswer] = Bound(default_factory=dict)
    note: str = Bound(min_length=2)
    no_interest: Literal[True]  # 无利害关系声明


class Approval(Model):
    """The decision; conditions bind the recipient."""

    conditions: tuple[str, ...] = ()


class Rejection(Model):
    """Reason and law."""

    reason: str = Bound(min_length=2)
    law: str = Bound(min_length=2)


class Fixes(Model):
    """What the submitter has to mend."""

    reasons: tuple[str, ...] = Bound(min_length=1)


class Clearance(Model):
    """The outcome of the outside procedure that the authority holds to be required (F-11)."""

    procedure_ref: str = Bound(min_length=2)


class Released(Model):
    """What the gate made: the package, its product, the token's hash and end."""

    package_sha256: str
    bytes: int
    files: tuple[dict[str, Any], ...]
    token_sha256: str
    expires_at: datetime
    checkpoint: str


class Download(Model):
    """The token that the recipient was handed."""

    token: str = Bound(min_length=16)
