"""The canonical forms that every reader ends in and every check begins from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from sandbox.egress.columns import Column, encode


@dataclass(frozen=True)
class Budget:
    """What a reader may spend on one file. Bytes, cells, pixels, levels, seconds; more is unreadable."""

    file_bytes: int = 256 << 20
    cells: int = 50_000_000
    columns: int = 2_000
    cell_chars: int = 1 << 20
    pixels: int = 40_000_000
    depth: int = 32
    decoded_bytes: int = 32 << 20  # spent by the decoder search over the whole set
    pages: int = 60  # of one document, rendered
    reading_seconds: int = 120  # of a processor, for the text of all pictures of the set
    archives: int = 3  # levels of archives in archives
    members: int = 2_000  # files of one archive, parts of one office document
    seconds: int = 120  # of one file, its members included


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


@dataclass(frozen=True, eq=False)
class Cells:
    """Text by columns, each held as its distinct values: rows are only made where somebody asks for them."""

    coded: dict[str, Column]

    @property
    def width(self) -> int:
        """Columns."""
        return len(self.coded)

    @property
    def height(self) -> int:
        """Rows."""
        return max((len(column.codes) for column in self.coded.values()), default=0)

    def __getitem__(self, name: str) -> pl.Series:
        column = self.coded[name]
        return column.rows(column.values).rename(name)

    def head(self, rows: int) -> pl.DataFrame:
        """The first rows."""
        first = {name: Column(one.values, one.codes[:rows]) for name, one in self.coded.items()}
        return pl.DataFrame({name: one.rows(one.values) for name, one in first.items()})


@dataclass(eq=False)
class Table:
    """A rectangle of cells.

    ``cells`` holds every cell as the text that stood in the file (null = empty): what the scanners read.
    ``data`` holds the same cells cleaned and conservatively typed: what the recounts read and what leaves.
    """

    part: str  # "" for the only table of a file, else e.g. "table 2"
    cells: pl.DataFrame | Cells
    data: pl.DataFrame
    _known: dict[str, tuple[Any, Column]] = field(default_factory=dict, repr=False)

    @property
    def columns(self) -> list[str]:
        """Column names in file order."""
        return self.data.columns

    def column(self, name: str) -> Column:
        """``data[name]`` as distinct values and their numbers; found out once."""
        return self._encoded("data", self.data, name)

    def shown(self, name: str) -> Column:
        """``cells[name]``, as text, in the same way."""
        return (
            self.cells.coded[name]
            if isinstance(self.cells, Cells)
            else self._encoded("cells", self.cells, name)
        )

    def _encoded(self, what: str, frame: pl.DataFrame, name: str) -> Column:
        known = self._known.get(f"{what} {name}")
        if known is None or known[0] is not frame:  # our own numbers may have taken the place of the job's
            known = (frame, encode(frame[name].cast(pl.String) if what == "cells" else frame[name]))
            self._known[f"{what} {name}"] = known
        return known[1]


def tabled(part: str, shown: dict[str, Column], data: dict[str, Column]) -> Table:
    """A table of columns that were encoded as they were read."""
    made = Table(part, Cells(shown), pl.DataFrame({name: c.rows(c.values) for name, c in data.items()}))
    made._known.update({f"data {name}": (made.data, column) for name, column in data.items()})
    return made


@dataclass(frozen=True)
class Line:
    """A line of text on a picture. ``box``: left, top, right, bottom in pixels from the upper left."""

    text: str
    box: tuple[float, float, float, float]
    shown: bool = True  # whether it leaves ink on the picture


@dataclass(eq=False)
class Picture:
    """What a person would see: RGB pixels of an image file, an embedded picture, a rendered page.

    ``stated``: the text that the file says stands there (None: it says nothing of it). ``lines``: what was
    read off the pixels; ``unread`` why nothing was ("" once it was read).
    """

    where: str
    pixels: Image.Image
    hidden: bool = False  # a person would not see it: below a mask, nearly the colour of its ground
    stated: list[Line] | None = None
    lines: list[Line] = field(default_factory=list)
    unread: str = "unread"


@dataclass(eq=False)
class Array:
    """One array of numbers of a model: its name in the file, and its values in their own type and shape."""

    name: str
    values: np.ndarray


@dataclass(eq=False)
class Block:
    """One part of a report in reading order: what leaves of it. ``kind``: text, heading, item, code, table
    (``rows``, the first of them the header), picture, drawing."""

    kind: str
    text: str = ""
    level: int = 0
    rows: list[list[str]] = field(default_factory=list)
    image: Image.Image | None = None
    drawing: Any = None  # of readers.svg


@dataclass(frozen=True)
class Members:
    """What a reader of archives leaves as the body: (name, content) of every file, in the archive's order."""

    files: list[tuple[str, bytes]]


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
    drawings: int = 0  # of vectors; what they look like is for people to see
    arrays: list[Array] = field(default_factory=list)
    members: list[Document] = field(default_factory=list)  # of an archive, each under "archive/member"
    outer: str = ""  # path of the archive that it is a member of
    ordered: bool = False  # the order of its rows was declared
    columns: tuple[str, ...] = ()  # the order of its columns, as declared or as the job's statement has it
    faults: list[tuple[str, str]] = field(default_factory=list)  # (reason, where)
    body: Any = None  # what the canonical writer of the form needs

    @property
    def readable(self) -> bool:
        """Whether the whole file, its members included, has a canonical form."""
        return not self.faults and all(member.readable for member in self.members)

    def family(self) -> Iterator[Document]:
        """The file itself, then its members and theirs, in the order of the archive."""
        yield self
        for member in self.members:
            yield from member.family()
