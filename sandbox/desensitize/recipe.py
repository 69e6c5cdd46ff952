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
(``column`` itself unless said otherwise).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.core.errors import fail
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import Params, Transform
from sandbox.desensitize.transforms.pseudonym import PseudonymParams
from sandbox.desensitize.transforms.suppress import SuppressParams

Column = Annotated[str, Field(min_length=1, max_length=200)]


class Step(BaseModel):
    """One transform of one column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: Column
    transform: str
    params: dict[str, Any] = {}
    output: Column | None = None

    @property
    def target(self) -> str:
        """The column that the step writes."""
        return self.output or self.column

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
        return {step.parameters.key for step in self.steps if isinstance(step.parameters, PseudonymParams)}


def _hash(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Product:
    """One column of the product: its type, the snapshot's column it comes from, what was done on the way."""

    name: str
    type: str
    source: str
    transforms: tuple[str, ...]


def validate_recipe(described: Any, fields: Sequence[Mapping[str, Any]] | None = None) -> Recipe:
    """A checked recipe from its YAML or JSON form.

    With ``fields`` (the catalogue's: name, type, flags, role) it is also held to them: see ``plan``.
    Raises RECIPE_MALFORMED, RECIPE_UNKNOWN_TRANSFORM, RECIPE_PARAMETER, RECIPE_COLUMN and what ``plan``
    raises.
    """
    try:
        recipe = Recipe.model_validate(described)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise fail("RECIPE_MALFORMED", field=where or "recipe") from None
    for number, step in enumerate(recipe.steps, 1):
        _parameters(number, step)
    listed = [*recipe.keep, *recipe.drop]
    written = {step.target for step in recipe.steps}
    for column in listed:
        if listed.count(column) > 1 or column in written:
            raise fail("RECIPE_COLUMN", column=column)
    if not written and not recipe.keep:
        raise fail("RECIPE_MALFORMED", field="steps")
    if fields is not None:
        plan(recipe, fields)
    return recipe


def _parameters(number: int, step: Step) -> Params:
    if step.transform not in TRANSFORMS:
        raise fail(
            "RECIPE_UNKNOWN_TRANSFORM", step=number, transform=step.transform, known=", ".join(TRANSFORMS)
        )
    try:
        return step.row.params.model_validate(step.params)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "params"
        raise fail("RECIPE_PARAMETER", step=number, transform=step.transform, field=where) from None


def needs_desensitising(field: Mapping[str, Any]) -> bool:
    """Is the field an identifier of a person or enterprise? A personal field without a role counts as one."""
    role = field.get("role")
    personal = {"personal", "sensitive_personal"} & set(field.get("flags") or ())
    return role == "identifier" or (not role and bool(personal))


def plan(recipe: Recipe, fields: Sequence[Mapping[str, Any]]) -> list[Product]:
    """The product's columns, in the snapshot's order and then in that of the steps; no data is needed.

    Raises RECIPE_COLUMN (unknown column), RECIPE_TYPE, FIELD_SECRET, and PI_NOT_DESENSITISED (R-103) for
    a personal identifier that would reach the product without a desensitising transform on its way.
    """
    known = {str(field["name"]): field for field in fields}
    for column in [*recipe.keep, *recipe.drop]:
        if column not in known:
            raise fail("RECIPE_COLUMN", column=column)
    state = {name: Product(name, str(field["type"]), name, ()) for name, field in known.items()}
    present = dict.fromkeys(recipe.keep, True)
    for number, step in enumerate(recipe.steps, 1):
        if step.column not in state:
            raise fail("RECIPE_COLUMN", column=step.column)
        before, parameters = state[step.column], step.parameters
        if before.type not in parameters.accepts():
            raise fail(
                "RECIPE_TYPE", step=number, transform=step.transform, type=before.type, column=step.column
            )
        state[step.target] = Product(
            step.target, parameters.gives(before.type), before.source, (*before.transforms, step.transform)
        )
        present[step.target] = not step.removes
    columns = [product for name, product in state.items() if present.get(name)]
    for product in columns:
        field = known[product.source]
        if "secret" in (field.get("flags") or ()):
            raise fail("FIELD_SECRET", column=product.source)
        if needs_desensitising(field) and not any(TRANSFORMS[t].desensitises for t in product.transforms):
            raise fail("PI_NOT_DESENSITISED", column=product.source)
    if not columns:
        raise fail("RECIPE_MALFORMED", field="keep")
    return columns
