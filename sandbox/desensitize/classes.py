"""Equivalence classes counted batch by batch: how many distinct entities share each combination of values.

Combinations are told apart exactly up to ``MOST`` of them, and by 64 bits of a hash beyond, so that memory
grows by 16 bytes a row at the most. Two that fell together would hide a small class only if one of the two
were the least of all: with 10⁷ classes once in 10¹². Of an entity 64 bits are kept as well: two that fell
together count as one and make a class smaller, which errs on the strict side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

BANDS = ((1, 1), (2, 2), (3, 4), (5, 9), (10, 19), (20, 49), (50, None))
_KNOWN = "__class"
MOST = 1 << 18  # classes that are told apart exactly


class Classes:
    """Counter over the quasi-identifiers ``quasi``. Without any, all rows are one class."""

    def __init__(self, quasi: Sequence[str]) -> None:
        self.quasi = list(quasi)
        self.rows = 0
        self.unknown = 0  # rows without an entity
        self._classes: pl.DataFrame | None = None
        self._hashed = False
        self._pairs: list[tuple[np.ndarray, np.ndarray]] = []  # numbers of classes, hashes of entities

    def add(self, table: pl.DataFrame, entities: pl.Series | None) -> None:
        """Count a batch: its rows, and the entity of each (None: none is declared, every row is one)."""
        start = self.rows
        self.rows += table.height
        if entities is None:
            keys = pl.int_range(start, self.rows, eager=True, dtype=pl.UInt64)
        else:
            self.unknown += entities.null_count()
            keys = entities.hash(seed=17)
        pairs = pl.DataFrame({"class": self._places(table), "entity": keys})
        if entities is not None and entities.null_count():
            pairs = pairs.filter(entities.is_not_null())
        pairs = pairs.unique()
        self._pairs.append((pairs["class"].to_numpy(), pairs["entity"].to_numpy()))

    def _places(self, table: pl.DataFrame) -> pl.Series:
        """The number of each row's class; new classes get new numbers."""
        if not self.quasi:
            return pl.zeros(table.height, dtype=pl.UInt64, eager=True)
        found = table.select(self.quasi)
        if not self._hashed:
            fresh = found.unique(maintain_order=True)
            if self._classes is None:
                self._classes = fresh.with_row_index(_KNOWN)
            else:
                new = fresh.join(self._classes, on=self.quasi, how="anti", nulls_equal=True)
                numbered = new.with_row_index(_KNOWN, offset=self._classes.height)
                self._classes = pl.concat([self._classes, numbered])
            if self._classes.height <= MOST:
                known = self._classes
                placed = found.join(known, on=self.quasi, how="left", nulls_equal=True, maintain_order="left")
                return placed[_KNOWN].cast(pl.UInt64)
            hashes = _hashes(self._classes.select(self.quasi)).to_numpy()
            self._pairs = [(hashes[classes], entities) for classes, entities in self._pairs]
            self._classes, self._hashed = None, True
        return _hashes(found)

    def sizes(self) -> pl.Series:
        """The number of distinct entities of each class."""
        if not self._pairs:
            return pl.Series([], dtype=pl.Int64)
        classes, entities = (np.concatenate(parts) for parts in zip(*self._pairs, strict=True))
        self._pairs = []  # sorted, not hashed: a third of the memory
        order = np.lexsort((entities, classes))
        classes, entities = classes[order], entities[order]
        fresh = np.ones(len(classes), dtype=bool)
        fresh[1:] = (classes[1:] != classes[:-1]) | (entities[1:] != entities[:-1])
        classes, entities = classes[fresh], entities[fresh]
        self._pairs = [(classes, entities)]
        starts = np.flatnonzero(np.concatenate([[True], classes[1:] != classes[:-1]])[: len(classes)])
        return pl.Series(np.diff(np.append(starts, len(classes))), dtype=pl.Int64)

    def measured(self) -> dict[str, Any]:
        """``{"k", "classes", "entities_unique", "bands"}``: the least class, how many classes, how many are
        of one entity, and classes and entities by size."""
        sizes = self.sizes()
        bands = []
        for low, high in BANDS:
            here = sizes.filter((sizes >= low) & (sizes <= (high or 1 << 62)))
            label = f"{low}+" if high is None else f"{low}" if low == high else f"{low}-{high}"
            bands.append({"size": label, "classes": here.len(), "entities": int(here.sum())})
        return {
            "k": int(sizes.min() or 0),  # type: ignore[arg-type]
            "classes": sizes.len(),
            "entities_unique": int((sizes == 1).sum()),
            "bands": bands,
        }


def _hashes(combinations: pl.DataFrame) -> pl.Series:
    return combinations.hash_rows(seed=29)
