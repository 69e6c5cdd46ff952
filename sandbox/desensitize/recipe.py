"""The recipe: what the operator does to each column of a snapshot, as data. Imports pydantic only.

::

    name: residents-primary
    version: "1"
    steps:
      - {column: resident_id, transform: pseudonym, params: {key: scenario-1}}
      - {column: birth_date, transform: generalise, params: {by: date, to: year}, output: birth_year}
    keep: [district]
    drop: [name, phone]

Default deny: a column that no step writes and ``keep`` does not name is not in the product. Steps run
in order; a step reads ``column`` (of the snapshot, or written by an earlier step) and writes ``output``
(``column`` itself unless said otherwise). A step of several columns together (``geo``, ``microaggregate``)
has
``columns`` and ``outputs``. A step that selects (``sample``) writes no column: it says which rows stay.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sandbox.core.errors import fail
from sandbox.desensitize import codes as codes  # registers the error codes
from sandbox.desensitize.required import Required, met, needs_desensitising, required_of
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import NUMERIC, ColumnName, KeyedParams, Params, Transform
from sandbox.desensitize.transforms.date_shift import DateShiftParams
from sandbox.desensitize.transforms.geo import GeoParams
from sandbox.desensitize.transforms.microaggregate import MicroaggregateParams
from sandbox.desensitize.transforms.redact import RedactParams
from sandbox.desensitize.transforms.suppress import SuppressParams
from sandbox.desensitize.transforms.token import TokenParams

Column = ColumnName
# Codes that say nothing of the value to whom has not the key: beside them another column adds nothing up.
_BLIND = frozenset({"pseudonym", "token"})
# What a column of subjects may have been through and still tells every subject from the other.
_APART = _BLIND | {"fpe", "tidy", "convert"}


class Rules(BaseModel):
    """What a policy asks of recipes: ``required`` as ``sandbox.desensitize.required`` has it, and how many
    decimals of a degree a coordinate may have (R-138). None: nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    required: dict[str, list[list[str]]] | None = None
    decimals: int | None = None

    @classmethod
    def of(cls, value: Callable[[str], Any]) -> Rules:
        """The rules of a profile; ``value`` gives the value of a parameter."""
        return cls(required=value("desensitise.required"), decimals=value("location.max_decimals"))


class Step(BaseModel):
    """One transform of one column, or of several together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: Column | None = None
    columns: tuple[Column, ...] = ()
    transform: str
    params: dict[str, Any] = {}
    output: Column | None = None
    outputs: tuple[Column, ...] = ()

    @model_validator(mode="after")
    def _one_or_several(self) -> Step:
        if (self.column is None) == (not self.columns) or len(set(self.columns)) != len(self.columns):
            raise ValueError("column")
        if (self.output is not None and self.column is None) or (
            self.outputs and len(self.outputs) != len(self.columns)
        ):
            raise ValueError("output")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns that the step changes."""
        return self.columns or (self.column or "",)

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that the step writes, one for each source; none if it selects rows."""
        if self.row.selects:
            return ()
        return self.outputs or self.columns or (self.output or self.column or "",)

    @property
    def row(self) -> Transform:
        """The registry's row of the transform."""
        return TRANSFORMS[self.transform]

    @property
    def parameters(self) -> Any:
        """The checked parameters, an instance of the transform's model."""
        return self.row.params.model_validate(self.params)

    @property
    def parameter_hash(self) -> str:
        """SHA-256 of transform and parameters (defaults filled in) as canonical JSON."""
        return _hash({"transform": self.transform, "params": self.parameters.model_dump(mode="json")})

    @property
    def removes(self) -> bool:
        """True if the column leaves the product by this step."""
        return isinstance(self.parameters, SuppressParams) and self.parameters.mode == "drop"


class Recipe(BaseModel):
    """See the module's text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    version: Annotated[str, Field(min_length=1, max_length=40)]
    steps: tuple[Step, ...] = ()
    drop: tuple[Column, ...] = ()
    keep: tuple[Column, ...] = ()

    @property
    def sha256(self) -> str:
        """Hash of the whole recipe as canonical JSON: what is cited in a product's lineage."""
        return _hash(self.model_dump(mode="json"))

    @property
    def keys(self) -> set[str]:
        """Names of the keys that the steps need."""
        return {step.parameters.key for step in self.steps if isinstance(step.parameters, KeyedParams)}

    @property
    def needs_tokens(self) -> bool:
        """Whether a step needs the token vault."""
        return any(isinstance(step.parameters, TokenParams) for step in self.steps)


def _hash(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Product:
    """One column of the product: its type, the snapshot's column it comes from, what was done on the way.

    ``steps`` are the steps on the way, as number (from 0) and the column that was written; ``protecting``
    those that make it fit for a product where the field needs it: they desensitise an identifier, or are of a
    method that the policy requires."""

    name: str
    type: str
    source: str
    transforms: tuple[str, ...]
    steps: tuple[tuple[int, str], ...] = ()
    protecting: tuple[tuple[int, str], ...] = ()


def validate_recipe(
    described: Any, fields: Sequence[Mapping[str, Any]] | None = None, rules: Rules | None = None
) -> Recipe:
    """A checked recipe from its YAML or JSON form.

    With ``fields`` (the catalogue's: name, type, level, flags, role) it is also held to them, and with
    ``rules`` to the policy: see ``plan``. Raises RECIPE_MALFORMED, RECIPE_UNKNOWN_TRANSFORM,
    RECIPE_PARAMETER, RECIPE_COLUMN and what ``plan`` raises.
    """
    try:
        recipe = Recipe.model_validate(described)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise fail("RECIPE_MALFORMED", field=where or "recipe") from None
    for number, step in enumerate(recipe.steps, 1):
        _parameters(number, step)
    listed = [*recipe.keep, *recipe.drop]
    written = {target for step in recipe.steps for target in step.targets}
    times = Counter(listed)
    for column in listed:
        if times[column] > 1 or column in written:
            raise fail("RECIPE_COLUMN", column=column)
    if not written and not recipe.keep:
        raise fail("RECIPE_MALFORMED", field="steps")
    if fields is not None:
        plan(recipe, fields, rules)
    return recipe


def _parameters(number: int, step: Step) -> Params:
    if step.transform not in TRANSFORMS:
        raise fail(
            "RECIPE_UNKNOWN_TRANSFORM", step=number, transform=step.transform, known=", ".join(TRANSFORMS)
        )
    if (len(step.sources) > 1 and not step.row.many) or (step.transform == "geo" and len(step.sources) != 2):
        raise fail("RECIPE_PARAMETER", step=number, transform=step.transform, field="columns")
    try:
        return step.row.params.model_validate(step.params)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "params"
        raise fail("RECIPE_PARAMETER", step=number, transform=step.transform, field=where) from None


def plan(recipe: Recipe, fields: Sequence[Mapping[str, Any]], rules: Rules | None = None) -> list[Product]:
    """The product's columns, in the snapshot's order and then in that of the steps; no data is needed.

    Raises RECIPE_COLUMN (unknown column), RECIPE_TYPE, FIELD_SECRET, PI_NOT_DESENSITISED (R-103) for a
    personal identifier that would reach the product without a desensitising transform on its way, and by the
    policy's ``rules`` TRANSFORM_REQUIRED (R-132) and RECIPE_PRECISION (R-138). RECIPE_PARAMETER for one by
    which nothing can change, RECIPE_SHIFT for shifted dates that could be shifted back, RECIPE_ADDS_UP for
    columns that together tell what none of them may.
    """
    known = {str(field["name"]): field for field in fields}
    for column in [*recipe.keep, *recipe.drop]:
        if column not in known:
            raise fail("RECIPE_COLUMN", column=column)
    state = {name: Product(name, str(field["type"]), name, ()) for name, field in known.items()}
    present = dict.fromkeys(recipe.keep, True)
    ranges: dict[str, int] = {}
    for number, step in enumerate(recipe.steps, 1):
        if isinstance(step.parameters, DateShiftParams):
            _shifted(number, step.parameters, state, known, ranges)
        if isinstance(step.parameters, MicroaggregateParams):
            _grouped(number, step.parameters, state, known)
        _follow(number, step, state, present)
    partial = {number for number, step in enumerate(recipe.steps) if _searches_less(step.parameters)}
    columns = [
        _admit(product, known[product.source], rules.required if rules else None, partial)
        for name, product in state.items()
        if present.get(name)
    ]
    _apart(columns, known, rules.required if rules else None)
    if rules is not None:
        _precision(recipe, rules)
    if not columns:
        raise fail("RECIPE_MALFORMED", field="keep")
    return columns


def _follow(number: int, step: Step, state: dict[str, Product], present: dict[str, bool]) -> None:
    """Take the columns of one step on to what they are after it."""
    parameters = step.parameters
    for column in (*step.sources, *parameters.reads()):
        if column not in state:
            raise fail("RECIPE_COLUMN", column=column)
    for column in step.sources:
        if state[column].type not in parameters.accepts():
            raise fail(
                "RECIPE_TYPE", step=number, transform=step.transform, type=state[column].type, column=column
            )
        if idle := parameters.idle(state[column].type):
            raise fail("RECIPE_PARAMETER", step=number, transform=step.transform, field=idle)
    before = [state[column] for column in step.sources]
    for target, was in zip(step.targets, before, strict=False):
        state[target] = Product(
            target,
            parameters.gives(was.type),
            was.source,
            (*was.transforms, step.transform),
            (*was.steps, (number - 1, target)),
        )
        present[target] = not step.removes


def _subject(column: Product, known: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a column tells every subject from the other: an identifier, and by its role (of a personal
    field that states none nobody knows: it may be the sex), through nothing that merges two."""
    return known[column.source].get("role") == "identifier" and set(column.transforms) <= _APART


def _shifted(
    number: int,
    asked: DateShiftParams,
    state: Mapping[str, Product],
    known: Mapping[str, Mapping[str, Any]],
    ranges: dict[str, int],
) -> None:
    """A key has one range in a recipe, and what is moved together is one subject: with a column of few values
    many subjects would share one offset, and one known date would give all. Raises RECIPE_SHIFT."""
    by = state.get(asked.by)
    if by is not None and not _subject(by, known):
        raise fail("RECIPE_SHIFT", step=number, field="by")
    if ranges.setdefault(asked.key, asked.days) != asked.days:
        raise fail("RECIPE_SHIFT", step=number, field="days")


def _grouped(
    number: int,
    asked: MicroaggregateParams,
    state: Mapping[str, Product],
    known: Mapping[str, Mapping[str, Any]],
) -> None:
    """Groups are of subjects, where the table names them: by rows, one with k like rows is a group and has
    its own value for its mean. Raises RECIPE_PARAMETER."""
    named = any(field.get("role") == "identifier" for field in known.values())
    by = state.get(asked.by) if asked.by is not None else None
    if named and (asked.by is None or (by is not None and not _subject(by, known))):
        raise fail("RECIPE_PARAMETER", step=number, transform="microaggregate", field="by")


def _apart(
    columns: Sequence[Product], known: Mapping[str, Mapping[str, Any]], required: Required | None
) -> None:
    """Two parts of one identifier add up to it, two bounds or bands of a number give it back, and noise is
    averaged when it is drawn twice or stands beside a code that tells equal values: such a source is in one
    column of the product; but for noise, beside codes that say nothing without their key. Raises
    RECIPE_ADDS_UP."""
    told: dict[str, list[Product]] = {}
    for column in columns:
        told.setdefault(column.source, []).append(column)
    for source, every in told.items():
        noisy = any(TRANSFORMS[name].method == "noise" for one in every for name in one.transforms)
        made = [one for one in every if noisy or not _BLIND & set(one.transforms)]
        if len(made) > 1 and (noisy or _adds_up(known[source], required)):
            raise fail("RECIPE_ADDS_UP", source=source, columns=", ".join(one.name for one in made))


def _adds_up(field: Mapping[str, Any], required: Required | None) -> bool:
    """Whether several views of a field may tell what the policy lets none of them: of an identifier; of a
    number that must be changed, but for a quasi-identifier, of which k counts all that the product has. Codes
    as text are grouped along one hierarchy: a chapter beside its category says nothing more."""
    asked = required_of(field, required) if required is not None else ()
    number = field.get("type") in NUMERIC and field.get("role") != "quasi"
    return needs_desensitising(field) or bool(number and asked)


def _searches_less(asked: Params) -> bool:
    """Whether prose is not looked through for all that may stand in it."""
    return isinstance(asked, RedactParams) and not (asked.prose_names and asked.long_numbers)


def _admit(
    product: Product, field: Mapping[str, Any], required: Required | None, partial: Collection[int]
) -> Product:
    """The column with what protects it. ``redact`` protects prose; an identifier as such is no prose, and a
    search for a part (steps ``partial``) leaves the names of a column of names as they are.

    Raises FIELD_SECRET, PI_NOT_DESENSITISED, TRANSFORM_REQUIRED."""
    rows = [TRANSFORMS[name] for name in product.transforms]
    if "secret" in (field.get("flags") or ()):
        raise fail("FIELD_SECRET", column=product.source)
    named = needs_desensitising(field)
    prose = field.get("role") != "identifier"
    enough = [
        row.desensitises and (row.name != "redact" or (prose and number not in partial))
        for row, (number, _) in zip(rows, product.steps, strict=True)
    ]
    if named and not any(enough):
        raise fail("PI_NOT_DESENSITISED", column=product.source)
    asked = required_of(field, required) if required is not None else ()
    if not met(asked, (row.method for row in rows)):
        raise fail("TRANSFORM_REQUIRED", column=product.source, methods=", ".join(asked))
    fit = [(named and good) or row.method in asked for row, good in zip(rows, enough, strict=True)]
    return replace(product, protecting=tuple(compress(product.steps, fit)))


def _precision(recipe: Recipe, rules: Rules) -> None:
    """Coordinates are not finer than the policy's decimals. Raises RECIPE_PRECISION."""
    for number, step in enumerate(recipe.steps, 1):
        asked = step.parameters
        if isinstance(asked, GeoParams) and rules.decimals is not None and asked.decimals > rules.decimals:
            raise fail("RECIPE_PRECISION", step=number, decimals=asked.decimals, most=rules.decimals)
