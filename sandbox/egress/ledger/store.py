"""The ledger's files: for each request one of cells, and one for each universe it speaks of.

``cells.parquet``: a row a cell, its entities as a roaring bitmap over the positions in the universe;
``universe-<digest>.parquet``: the sorted entity hashes. A universe is the same bytes for every request over
one snapshot, so that, kept by hash, it is stored once. No value, no name and no column of the raw data is in
either, but the names of the columns that define cells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyroaring import BitMap

from sandbox.core.errors import fail
from sandbox.egress import codes  # noqa: F401  (defines the codes raised here)
from sandbox.egress.ledger.books import Book
from sandbox.egress.ledger.books import epoch as epoch_of

CELLS = "cells.parquet"
UNIVERSE = "universe-{}.parquet"
VERSION = 1
_HEAD = ("table", "kinds", "exact", "deep", "shadow", "base", "threshold", "epoch")


def write(folder: Path, books: Sequence[Book], about: dict[str, Any]) -> list[dict[str, Any]]:
    """Write the books of one request into ``folder``; ``about``: its scenario and recipient.

    Returns {``path``, ``sha256``, ``bytes``} of each file. The same books give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    heads = [{name: getattr(book, name) for name in _HEAD} for book in books]
    told = json.dumps({"version": VERSION, "about": about, "books": heads}, sort_keys=True)
    rows = [(number, cell) for number, book in enumerate(books) for cell in range(len(book.sizes))]
    table = pa.table(
        {
            "book": pa.array([number for number, _ in rows], pa.int32()),
            "key": pa.array([int(books[n].keys[c]) for n, c in rows], pa.uint64()),
            "columns": pa.array([[r for r, _ in books[n].dims[c]] for n, c in rows], pa.list_(pa.string())),
            "values": pa.array([[v for _, v in books[n].dims[c]] for n, c in rows], pa.list_(pa.uint64())),
            "n": pa.array([int(books[n].sizes[c]) for n, c in rows], pa.int64()),
            "stated": pa.array([_stated(books[n], c) for n, c in rows], pa.list_(pa.float64())),
            "names": pa.array([list(books[n].stated) for n, _ in rows], pa.list_(pa.string())),
            "set": pa.array([_packed(books[n].cell(c)) for n, c in rows], pa.binary()),
        }
    ).replace_schema_metadata({"ledger": told})
    pq.write_table(table, folder / CELLS, compression="zstd", use_dictionary=["columns", "names"])
    for book in {book.epoch: book for book in books}.values():
        bits = pa.table({"hash": pa.array(book.universe, pa.uint64())})
        pq.write_table(
            bits,
            folder / UNIVERSE.format(book.epoch),
            compression="zstd",
            use_dictionary=False,
            column_encoding={"hash": "DELTA_BINARY_PACKED"},
        )
    return [
        {"path": path.name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for path in sorted(folder.iterdir())
        for data in (path.read_bytes(),)
    ]


def _packed(members: np.ndarray) -> bytes:
    bits = BitMap(members)
    bits.run_optimize()
    return bytes(bits.serialize())


def _stated(book: Book, cell: int) -> list[float]:
    return [float(values[cell]) for values in book.stated.values()]


def read(folder: Path) -> list[Book]:
    """The books of every request in ``folder``: one folder each, named by its id, universes beside them.

    Raises ``EGRESS_LEDGER`` if one cannot be read: silence would hide a difference.
    """
    universes: dict[str, np.ndarray] = {}
    books: list[Book] = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        try:
            books += _books(place, universes)
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, pa.ArrowException):
            raise fail("EGRESS_LEDGER", release=place.name[:80]) from None
    return books


def _books(place: Path, universes: dict[str, np.ndarray]) -> list[Book]:
    table = pq.read_table(place / CELLS)
    told = json.loads(table.schema.metadata[b"ledger"])
    if told["version"] != VERSION:
        raise ValueError(told["version"])
    rows = table.to_pydict()
    owner = np.array(rows["book"], dtype=np.int64)
    found = []
    for number, head in enumerate(told["books"]):
        mine = np.flatnonzero(owner == number).tolist()
        sets = [np.asarray(BitMap.deserialize(rows["set"][i]).to_array(), dtype=np.uint32) for i in mine]
        universe = _universe(place, str(head["epoch"]), universes)
        members = np.concatenate([np.zeros(0, dtype=np.uint32), *sets])
        names = rows["names"][mine[0]] if mine else []
        if len(members) and int(members.max()) >= len(universe):
            raise ValueError("position")
        found.append(
            Book(
                release=place.name,
                universe=universe,
                starts=np.concatenate([[0], np.cumsum([len(one) for one in sets])]).astype(np.int64),
                members=members,
                keys=np.array([rows["key"][i] for i in mine], dtype=np.uint64),
                dims=[tuple(zip(rows["columns"][i], rows["values"][i], strict=True)) for i in mine],
                stated={
                    name: np.array([rows["stated"][i][at] for i in mine], dtype=np.float64)
                    for at, name in enumerate(names)
                },
                scenario=str(told["about"].get("scenario", "")),
                recipient=str(told["about"].get("recipient", "")),
                **{**head, "kinds": tuple(head["kinds"])},
            )
        )
    return found


def _universe(place: Path, epoch: str, known: dict[str, np.ndarray]) -> np.ndarray:
    if epoch not in known:
        bits = pq.read_table(place / UNIVERSE.format(epoch))["hash"].to_numpy().astype(np.uint64)
        if epoch_of(bits) != epoch:
            raise ValueError("universe")
        known[epoch] = bits
    return known[epoch]
