"""The table of which transform a policy requires of a field, by its class and level (R-132).

For each class four lists, of the levels 1 to 4: the methods of which a field in a product must have met one.
An empty list asks for nothing. The classes are told apart in ``sandbox.desensitize.required``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator

CLASSES = ("identifier", "confidential", "sensitive", "quasi", "other")
METHODS = ("drop", "mask", "pseudonym", "generalise", "aggregate", "noise")
LEVELS = 4

Table = Mapping[str, Sequence[Sequence[str]]]


def _whole(table: dict[str, list[list[str]]]) -> dict[str, list[list[str]]]:
    """The table, if it has one rule for every class and level, of known methods."""
    if set(table) != set(CLASSES) or any(len(rows) != LEVELS for rows in table.values()):
        raise ValueError("one list for each class and each of four levels")
    if any(set(methods) - set(METHODS) for rows in table.values() for methods in rows):
        raise ValueError(f"methods are {', '.join(METHODS)}")
    return table


RequiredMethods = Annotated[dict[str, list[list[str]]], AfterValidator(_whole)]


def at_least_as_strict(child: Table, parent: Table) -> bool:
    """Whether ``child`` asks, everywhere that ``parent`` asks, for one of the same methods or of fewer."""
    return all(
        not theirs or (bool(ours) and set(ours) <= set(theirs))
        for name, rows in parent.items()
        for ours, theirs in zip(child[name], rows, strict=True)
    )
