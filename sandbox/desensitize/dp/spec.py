"""What may be asked: a declared question over one table, never free SQL. Pure: pydantic only.

::

    version: 1
    by:
      - {column: district, keys: [东城, 西城, 海淀]}   # public domain: every cell comes out, zeros included
      - {column: trade, keys: discover}                # only keys that enough entities share come out
    where:
      - {column: age, op: ge, value: 18}
    measures:
      - {name: visits, of: count}                      # rows, of an entity at most rows_per_entity a group
      - {name: persons, of: distinct}                  # entities
      - {name: income, of: mean, column: income, lower: 0, upper: 50000, scale: 0}
      - {name: age, of: quantile, column: age, edges: [0, 18, 35, 60, 120], at: [0.25, 0.5]}
    groups_per_entity: 3
    rows_per_entity: 5
    mechanism: gaussian
    nano_rho: 50000000        # 0.05 zCDP for the whole question
    delta_e15: 1000000        # 1e-9 for discovering keys; 0 where every domain is public

The privacy unit is the entity (the catalogue says which column that is, never the developer): neighbours
differ by all rows of one entity. ``lower``, ``upper`` and ``edges`` bound the value of one *row* and must be
known without looking at the data. ``scale`` is the number of decimal places values are rounded to; sums are
taken in integers of that unit.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    model_validator,
)

from sandbox.core.errors import fail
from sandbox.desensitize.dp import codes as codes  # registers the error codes

MOST_CELLS = 1_000_000  # of a public domain: all of them come out
MOST_BINS = {"histogram": 256, "quantile": 1024}
LARGEST = 10**12  # of a bound, in units of its scale: sums of squares then stay within 128 bits
WIDEST_SQUARED = 2 * 10**9  # between the bounds of a variance, in units of its scale: it then has 18 digits
VALUED = frozenset({"sum", "mean", "variance"})
BINNED = frozenset({"quantile", "histogram"})


def _number(value: Any) -> Decimal:
    """A finite decimal number in its shortest form; a float is read as it is written, ``{"decimal": "0.1"}``
    is how ``_plain`` writes what is no integer. A text is no number."""
    if isinstance(value, dict) and value.keys() == {"decimal"}:
        try:
            value = Decimal(value["decimal"])
        except (InvalidOperation, TypeError, ValueError):
            raise ValueError("not a number") from None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError("not a number")
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) > 10**15 or number != round(number, 9):
        raise ValueError("out of range")
    number = number.normalize() + 0
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number


def _text(value: str) -> str:
    """Unicode's composed form, so that what looks alike is alike."""
    return unicodedata.normalize("NFC", value)


Number = Annotated[Decimal, BeforeValidator(_number)]
Text = Annotated[str, Field(strict=True, max_length=1000), AfterValidator(_text)]
Key = StrictBool | Annotated[StrictInt, Field(ge=-(1 << 63), lt=1 << 63)] | Text | None
Column = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(pattern=r"^[^\W\d]\w{0,59}$")]


def _plain(value: Any) -> Any:
    """A JSON value, the same for numbers that are equal."""
    if isinstance(value, Decimal):
        whole = value == value.to_integral_value()
        return int(value) if whole else {"decimal": format(value, "f")}
    return value


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dimension(_Closed):
    """A column to group by, with its public keys (dates as YYYY-MM-DD), or ``discover``."""

    column: Column
    keys: Literal["discover"] | Annotated[tuple[Key, ...], Field(min_length=1, max_length=100_000)]

    @property
    def discovers(self) -> bool:
        """Are its keys taken from the data?"""
        return self.keys == "discover"

    @model_validator(mode="after")
    def _once(self) -> Dimension:
        if not self.discovers:
            kinds = {type(key) for key in self.keys if key is not None}
            if len(set(self.keys)) != len(self.keys) or len(kinds) != 1:
                raise ValueError("keys are of one type, each once")
        return self


class Condition(_Closed):
    """Which rows count. ``value`` for a comparison, ``values`` for ``in`` and ``not_in``, else neither.

    A row whose column is empty meets no comparison (``not_in`` and ``ne`` included).
    """

    column: Column
    op: Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "is_null", "not_null"]
    value: StrictBool | Number | Text | None = None
    values: Annotated[tuple[StrictBool | Number | Text, ...], Field(max_length=10_000)] = ()

    @model_validator(mode="after")
    def _fits(self) -> Condition:
        listed, lone = self.op in ("in", "not_in"), self.op not in ("in", "not_in", "is_null", "not_null")
        if (
            bool(self.values) != listed
            or (self.value is not None) != lone
            or len({type(value) for value in self.values}) > 1
        ):
            raise ValueError("value and values do not fit op")
        return self


class Measure(_Closed):
    """One figure of each group.

    ``count`` of rows, ``distinct`` entities; ``sum``, ``mean``, ``variance`` (of the population) of a column
    within ``lower`` and ``upper``; ``histogram`` over the intervals between ``edges`` (left closed, the last
    closed; what lies outside counts at the end it is nearest to); ``quantile`` at ``at``, answered with one
    of the ``edges``. ``weight``: its part of the budget, relative to the others'.
    """

    name: Name
    of: Literal["count", "distinct", "sum", "mean", "variance", "quantile", "histogram"]
    column: Column | None = None
    lower: Number | None = None
    upper: Number | None = None
    scale: Annotated[int, Field(strict=True, ge=0, le=9)] = 0
    at: Annotated[tuple[Number, ...], Field(max_length=32)] = ()
    edges: Annotated[tuple[Number, ...], Field(max_length=1025)] = ()
    weight: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1

    @model_validator(mode="after")
    def _fits(self) -> Measure:
        valued, binned = self.of in VALUED, self.of in BINNED
        if (self.column is not None) != (valued or binned):
            raise ValueError("column")
        if (self.lower is not None) != valued or (self.upper is not None) != valued:
            raise ValueError("lower and upper")
        if valued and not self.units(self.lower) < self.units(self.upper):
            raise ValueError("lower is below upper")
        if self.of == "variance" and self.units(self.upper) - self.units(self.lower) > WIDEST_SQUARED:
            raise ValueError("too wide to square")
        if bool(self.edges) != binned or bool(self.at) != (self.of == "quantile"):
            raise ValueError("edges and at")
        if binned and (
            not 2 <= len(self.edges) <= MOST_BINS[self.of] + 1
            or any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False))
            or any(not self.units(edge) <= LARGEST for edge in self.edges)
        ):
            raise ValueError("edges ascend")
        if len(set(self.at)) != len(self.at) or any(not 0 < q < 1 or q != round(q, 4) for q in self.at):
            raise ValueError("at lies between 0 and 1")
        return self

    def units(self, number: Decimal | None) -> int:
        """``number`` in units of ``scale``. Raises ValueError if it has more places, or is too large."""
        scaled = (number or Decimal(0)).scaleb(self.scale)
        if scaled != scaled.to_integral_value() or abs(scaled) > LARGEST:
            raise ValueError("more places than scale")
        return int(scaled)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The columns of the answer it fills: one; one for each interval; one for each of several ``at``."""
        if self.of == "histogram":
            return tuple(f"{self.name}_{number}" for number in range(1, len(self.edges)))
        if len(self.at) > 1:
            texts = (format((q * 100).normalize(), "f").replace(".", "_") for q in self.at)
            return tuple(f"{self.name}_p{text}" for text in texts)
        return (self.name,)


class Query(_Closed):
    """See the module's text. Brings its lists into one order, so that one question has one form."""

    version: Literal[1] = 1
    by: Annotated[tuple[Dimension, ...], Field(max_length=8)] = ()
    where: Annotated[tuple[Condition, ...], Field(max_length=32)] = ()
    measures: Annotated[tuple[Measure, ...], Field(min_length=1, max_length=32)]
    groups_per_entity: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1
    rows_per_entity: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1
    mechanism: Literal["gaussian", "laplace"] = "gaussian"
    nano_rho: Annotated[int, Field(strict=True, ge=1, le=100_000_000_000)]
    delta_e15: Annotated[int, Field(strict=True, ge=0, le=1_000_000_000_000)] = 0

    @model_validator(mode="after")
    def _fits(self) -> Query:
        columns = [dimension.column for dimension in self.by]
        outputs = [*columns, *(name for measure in self.measures for name in measure.outputs)]
        if len({name.casefold() for name in outputs}) != len(outputs):
            raise ValueError("each column of the answer once")
        if bool(self.delta_e15) != self.discovers:
            raise ValueError("delta_e15 is for discovering keys, and needed for it")
        if not self.discovers and self.cells > MOST_CELLS:
            raise ValueError("too many cells")
        return self

    @property
    def discovers(self) -> bool:
        """Are any keys taken from the data? Then only combinations that enough entities share come out."""
        return any(dimension.discovers for dimension in self.by)

    @property
    def cells(self) -> int:
        """Groups of the public domain (of its public columns, if others are discovered)."""
        product = 1
        for dimension in self.by:
            product *= 1 if dimension.discovers else len(dimension.keys)
        return product

    @property
    def columns(self) -> frozenset[str]:
        """The columns it reads, beside the entity's."""
        measured = {measure.column for measure in self.measures if measure.column is not None}
        grouped, asked = {part.column for part in self.by}, {part.column for part in self.where}
        return frozenset(measured | grouped | asked)

    def plain(self) -> dict[str, Any]:
        """The question as JSON values, in one form: lists whose order says nothing are sorted, defaults
        filled in, numbers that are equal written alike."""

        def walk(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: walk(part) for name, part in value.items()}
            if isinstance(value, (tuple, list)):
                return [walk(part) for part in value]
            return _plain(value)

        told: dict[str, Any] = walk(self.model_dump())
        for dimension in told["by"]:
            if dimension["keys"] != "discover":
                dimension["keys"].sort(key=_order)
        for condition in told["where"]:
            condition["values"].sort(key=_order)
        told["where"].sort(key=_order)
        told["measures"].sort(key=lambda measure: measure["name"])
        return told


def _order(value: Any) -> tuple[bool, str, Any]:
    """Sorts JSON values: empty last; numbers by size, all else by its text."""
    number = isinstance(value, int) and not isinstance(value, bool)
    return value is None, "" if number else repr(value), value if number else 0


def validate_query(described: Any) -> Query:
    """A checked question from its YAML or JSON form. Raises DP_QUERY with the place that is wrong."""
    try:
        return Query.model_validate(described)
    except ValidationError as error:
        raise fail("DP_QUERY", field=_where(error.errors()[0]["loc"])) from None


def _where(loc: Sequence[str | int]) -> str:
    """The path of an error, without what pydantic adds to it for the branches of a union."""
    known = {name for model in (Query, Dimension, Condition, Measure) for name in model.model_fields}
    parts = [str(part) for part in loc if isinstance(part, int) or part in known]
    return ".".join(parts) or "query"
