"""What the readers of models have in common: a model laid open, without running it.

``Model`` is the body of a model's document. The checks know models only by it, whatever the file format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.egress.forms import Array, Document, Piece, Unreadable

MOST_EMPTY = 10_000  # a side of an array without values: its shape would be a number that nobody sees
LONG = 64  # values; a shorter array of numbers is shown in the text as well


@dataclass(eq=False)
class Linear:
    """Outputs = inputs · ``weights`` + ``bias``; ``weights`` is outputs × inputs."""

    where: str
    weights: np.ndarray
    bias: np.ndarray


@dataclass(eq=False)
class Tree:
    """A binary tree by node: ``left`` is -1 at a leaf; ``samples`` the rows that reached it, if stated.

    An input goes left when ``x[feature] <= threshold``. ``values`` is nodes × outputs.
    """

    where: str
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    values: np.ndarray
    samples: np.ndarray | None

    @property
    def leaves(self) -> np.ndarray:
        """Numbers of the leaves."""
        return np.flatnonzero(self.left < 0)


@dataclass(eq=False)
class Vocabulary:
    """Labels that a model keeps: categories, classes, words."""

    where: str
    labels: list[str]


@dataclass(eq=False)
class Model:
    """``types``: (where, qualified class or operator) of every part. ``inputs``: names of the features, when
    the model states them, and ``scale`` what is done to them first: (offset, divisor) of each.

    ``kind``: "classifier" or "regressor" where one can tell, else "". ``classes``: labels in the order of the
    outputs. ``combine``: how the outputs of the trees make one: "mean", "sum" or "" (unknown).
    """

    types: list[tuple[str, str]] = field(default_factory=list)
    linear: list[Linear] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    vocabularies: list[Vocabulary] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    scale: tuple[np.ndarray, np.ndarray] | None = None
    kind: str = ""
    classes: list[Any] = field(default_factory=list)
    combine: str = ""
    source: Any = None  # what the canonical writer of the form needs


def keep(document: Document, name: str, values: np.ndarray) -> np.ndarray:
    """Add an array of the model. Raises ``Unreadable``: executable for arrays of Python objects, size."""
    if values.dtype.hasobject:
        raise Unreadable("executable")
    shaped(values)
    for field_name in values.dtype.names or ():
        document.arrays.append(Array(f"{name} {field_name}", np.ascontiguousarray(values[field_name])))
    if values.dtype.names is None:
        document.arrays.append(Array(name, values))
    return values


def shaped(values: np.ndarray) -> None:
    """Raises ``Unreadable`` (size) for an array without values whose shape is larger than any of use."""
    if not values.size and max(values.shape) > MOST_EMPTY:
        raise Unreadable("size")


def say(document: Document, where: str, text: str, hidden: bool = False) -> None:
    """Add a name or a string of the model as text, unless it is empty."""
    if text.strip():
        document.pieces.append(Piece(where, text, hidden))


def plain(values: np.ndarray) -> np.ndarray:
    """The same numbers in row order, every not-a-number and every zero written one way, padding zeroed."""
    if values.dtype.names is not None:
        tidy = np.zeros(values.shape, values.dtype)
        for name in values.dtype.names:
            tidy[name] = plain(values[name])
        return tidy
    tidy = np.array(values, order="C")
    if values.dtype.kind in "fc":
        tidy = np.asarray(np.where(np.isnan(tidy), values.dtype.type(np.nan), tidy + values.dtype.type(0)))
    return tidy
