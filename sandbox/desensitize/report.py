"""The report of a run, machine-readable (R-137): counts, names of columns, parameters; never a value.

It is what the room returns. ``Report.model_json_schema()`` is its JSON schema; ``sandbox recipe schema``
prints it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = "sandbox-recipe-report/1"
Count = Annotated[int, Field(ge=0)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Kinds = dict[str, dict[str, Count]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Named(_Strict):
    """Which recipe it was."""

    name: str
    version: str
    sha256: Hash


class StepDone(_Strict):
    """One step and one of the columns that it wrote; ``rows``: the cells that it changed."""

    column: str
    output: str
    transform: str
    parameter_hash: Hash
    rows: Count
    zh: str
    en: str


class ColumnMade(_Strict):
    """One column of the product and what was done on its way."""

    name: str
    type: str
    source: str
    transforms: list[str]


class Identifiers(_Strict):
    """Cells that hold an identifier, by column and kind: two scans, of the snapshot and of the product."""

    before: Kinds
    after: Kinds


class Loss(_Strict):
    """What became of a column: cells, empty cells, and distinct values (None: more than are counted)."""

    column: str
    source: str
    changed: Count
    empty_before: Count
    empty_after: Count
    distinct_before: Count | None
    distinct_after: Count | None


class Band(_Strict):
    """Classes of one range of sizes, and the entities in them."""

    size: str
    classes: Count
    entities: Count


class Risk(_Strict):
    """Equivalence classes over the declared quasi-identifiers that are there, counted in entities."""

    quasi: list[str]
    k: Count
    classes: Count
    entities_unique: Count
    bands: list[Band]


class Metrics(_Strict):
    """Risk before and after, and the loss of each column."""

    before: Risk
    after: Risk
    loss: list[Loss]


class Verdict(_Strict):
    """See ``sandbox.desensitize.anonymity``."""

    verdict: bool
    k: Count | None
    threshold: Annotated[int, Field(ge=1)]
    reasons: list[str]


class Report(_Strict):
    """The whole. ``marked``: cells that look like an identifier on purpose (``fpe``), by column and kind;
    ``level``: ``anonymised`` only by the verdict, else ``desensitised`` (R-128)."""

    schema_: Annotated[Literal["sandbox-recipe-report/1"], Field(alias="schema")]
    ok: Literal[True]
    rows: Count
    rows_before: Count
    sha256: Hash
    recipe: Named
    steps: list[StepDone]
    columns: list[ColumnMade]
    dropped: list[str]
    identifiers: Identifiers
    marked: Kinds
    level: Literal["desensitised", "anonymised"]
    anonymity: Verdict
    metrics: Metrics


def checked(report: dict[str, Any]) -> dict[str, Any]:
    """``report`` if it is one by the schema. Raises ``ValueError`` (pydantic's) if not: a defect of ours."""
    return Report.model_validate(report).model_dump(mode="json", by_alias=True)
