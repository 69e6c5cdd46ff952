"""What a scenario says, and what its events carry (requirements D.2)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field as Bound

from sandbox.core.lifecycle import Model
from sandbox.core.resource import Resource

NAME = "scenario"
LIVE = ("granted", "amending")

Scalar = bool | int | Annotated[float, Bound(allow_inf_nan=False)] | str


class RowFilter(Model):
    """One condition on a column; conditions are joined by AND."""

    column: str
    op: Literal["=", "!=", "<", "<=", ">", ">=", "in"]
    value: Scalar | tuple[Scalar, ...]


class Period(Model):
    """Rows whose ``column`` lies in [from, to], both days included."""

    column: str
    start: date = Bound(alias="from")
    end: date = Bound(alias="to")

    model_config = Model.model_config | {"populate_by_name": True, "serialize_by_alias": True}


class Item(Model):
    """One resource of the list: which columns, which rows, which period (最小必要)."""

    entry: str
    columns: tuple[str, ...] = Bound(min_length=1)
    rows: tuple[RowFilter, ...] = ()
    period: Period | None = None


class ScenarioSpec(Model):
    """One purpose, one applicant (the owner), one list, one term.

    ``developer`` uses the grant; where the profile lets the operator apply (P-35) it names the developer
    organisation, otherwise it is the applicant.
    """

    agreement: str
    title: str
    purpose: str = Bound(pattern=r"^[a-z][a-z0-9-]{2,63}$")  # a code; the words are in description
    description: str = Bound(min_length=4)
    developer: str = ""
    list: tuple[Item, ...] = Bound(min_length=1)
    product_forms: tuple[str, ...] = ("dataset", "report")
    starts: date
    ends: date
    uses: int = Bound(ge=1, le=10_000)


class Assessment(Model):
    """Each criterion of the profile answered, each with a note (GD 24: reasonable, compliant, safe)."""

    answers: dict[str, Literal["yes", "no"]]
    notes: dict[str, str]


class FormCheck(Model):
    """The form checklist of the first step (CD 23)."""

    checklist: tuple[str, ...] = Bound(min_length=1)


class Refusal(Model):
    """A refusal needs reason and law (CD 23)."""

    reason: str = Bound(min_length=2)
    law: str = Bound(min_length=2)


class Gaps(Model):
    """What the applicant has to complete."""

    gaps: tuple[str, ...] = Bound(min_length=1)


class Contract(Model):
    """The operator-developer contract by its hash (GZ 二(四), CD 25)."""

    text_sha256: str = Bound(pattern="^[0-9a-f]{64}$")


class Amendment(Model):
    """A new list: it needs a new determination; meanwhile the old grant stays as it was."""

    list: tuple[Item, ...] = Bound(min_length=1)


class Cause(Model):
    """What the system acts upon."""

    cause: str


class Debit(Model):
    """One use, by one job."""

    job: str


class Charge(Model):
    """What one release could have carried unseen, in bits."""

    request: str
    bits: int = Bound(ge=0, lt=1 << 53)


def user_of(scenario: Resource) -> str:
    """The organisation that uses the grant."""
    return str(scenario.spec["developer"] or scenario.organisation)
