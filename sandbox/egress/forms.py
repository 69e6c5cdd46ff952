"""The canonical forms that every reader ends in and every check begins from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from PIL import Image


@dataclass(frozen=True)
class Budget:
    """What a reader may spend on one file. Bytes, cells, pixels, nesting levels; more is unreadable."""

    file_bytes: int = 256 << 20
    cells: int = 50_000_000
    columns: int = 2_000
    cell_chars: int = 1 << 20
    pixels: int = 40_000_000
    depth: int = 32
    decoded_bytes: int = 32 << 20  # spent by the decoder search over the whole set


class Unreadable(Exception):
    """The file has no canonical form. ``reason`` is a key of ``messages.REASONS``, never data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Piece:
    """A line of text with its place. ``hidden``: a person who opens the file would not see it."""

    where: str
    text: str
    hidden: bool = False


@dataclass(eq=False)
class Table:
    """A rectangle of cells.

    ``cells`` holds every cell as the text that stood in the file (null = empty): what the scanners read.
    ``data`` holds the same cells cleaned and conservatively typed: what the recounts read and what leaves.
    """

    part: str  # "" for the only table of a file, else e.g. "table 2"
    cells: pl.DataFrame
    data: pl.DataFrame

    @property
    def columns(self) -> list[str]:
        """Column names in file order."""
        return self.data.columns


@dataclass(eq=False)
class Picture:
    """What a person would see: RGB pixels of an image file, an embedded picture, a rendered page."""

    where: str
    pixels: Image.Image


@dataclass(eq=False)
class Array:
    """One array of numbers of a model: its name in the file, and its values in their own type and shape."""

    name: str
    values: np.ndarray


@dataclass(eq=False)
class Document:
    """One file of the outputs, read. ``shown`` is its path with any identifier in it masked."""

    path: str
    shown: str
    sha256: str
    size: int
    form: str = "unknown"
    tables: list[Table] = field(default_factory=list)
    views: list[Table] = field(default_factory=list)  # other readings of the tables, see ``layout``
    pieces: list[Piece] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    members: list[Document] = field(default_factory=list)  # of an archive, each under "archive/member"
    faults: list[tuple[str, str]] = field(default_factory=list)  # (reason, where)
    body: Any = None  # what the canonical writer of the form needs

    @property
    def readable(self) -> bool:
        """Whether the whole file has a canonical form."""
        return not self.faults
