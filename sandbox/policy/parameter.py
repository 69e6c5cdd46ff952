"""What a policy parameter is: its type, unit, and which of two values is the stricter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sandbox.policy import isolation, methods


class Order(StrEnum):
    """Which value is the stricter one; it decides what counts as weaker than a parent (R-206)."""

    LOWER = "lower"
    HIGHER = "higher"
    SUPERSET = "superset"  # a list with more in it
    SUBSET = "subset"  # a list with less in it
    TRUE = "true"
    FALSE = "false"
    FORBIDDEN = "forbidden"  # of "allowed" and "forbidden"
    GRADES = "grades"  # for each data level, of each guarantee of the isolation, the better grade
    METHODS = "methods"  # of each class and level, fewer of the methods that will do
    NONE = "none"  # different, not comparable: the nearer profile's value applies, the conflict is reported
    OWN = "own"  # describes the instrument itself: differing is no conflict


# (child, parent) -> the child is at least as strict. Called with two values that differ.
_AT_LEAST_AS_STRICT: dict[Order, Callable[[Any, Any], bool]] = {
    Order.LOWER: lambda child, parent: child <= parent,
    Order.HIGHER: lambda child, parent: child >= parent,
    Order.SUPERSET: lambda child, parent: set(child) >= set(parent),
    Order.SUBSET: lambda child, parent: set(child) <= set(parent),
    Order.TRUE: lambda child, parent: bool(child),
    Order.FALSE: lambda child, parent: not child,
    Order.FORBIDDEN: lambda child, parent: bool(child == "forbidden"),
    Order.GRADES: isolation.at_least,
    Order.METHODS: methods.at_least_as_strict,
    Order.NONE: lambda child, parent: True,
    Order.OWN: lambda child, parent: True,
}


@dataclass(frozen=True)
class Parameter:
    """One row of the registry. ``seed`` is its row in requirements part C.2, "" if it is our own."""

    key: str
    seed: str
    used_by: str  # the requirement that reads it
    type: Any  # a Python type as pydantic understands it
    unit: str  # "wd" working days, "d" calendar days, "y" years, "bytes", "s", "min", "" none
    order: Order
    zh: str
    en: str

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.type)

    def problem(self, value: Any) -> str:
        """Why ``value`` does not fit the type, "" if it does. No conversion: "10" is not 10."""
        try:
            self._adapter.validate_python(value, strict=True)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            return "/".join([*(str(part) for part in first["loc"]), first["msg"]])
        return ""

    @property
    def expected(self) -> str:
        """The type in words, as JSON schema without its frame."""
        schema = self._adapter.json_schema()
        schema.pop("$defs", None)
        return ", ".join(f"{name}={value}" for name, value in schema.items())

    def weaker(self, child: Any, parent: Any) -> bool:
        """Whether ``child`` is weaker than ``parent``. "No value" is weaker than any value."""
        if child == parent or parent is None:
            return False
        if child is None:
            return self.order not in (Order.NONE, Order.OWN)
        return not _AT_LEAST_AS_STRICT[self.order](child, parent)
