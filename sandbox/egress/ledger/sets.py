"""From the tables of a request to books: which entities each published cell was made of, by the raw data."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from sandbox.egress.context import Context
from sandbox.egress.forms import Document
from sandbox.egress.ledger.books import Book, epoch
from sandbox.egress.lexicon import hashes
from sandbox.egress.rawdata import RawIndex
from sandbox.egress.shape import Shape, counting, subtotal

_HASH = 8  # bytes
_PATTERNS = 64  # margins of one table: all, or one of its dimensions, …


def digest(key: bytes, *parts: str) -> int:
    """A keyed hash of 64 bits; ``key`` empty: one that only this process can compare."""
    text = "\0".join(parts).encode()
    return int.from_bytes(hashlib.blake2b(text, key=key, digest_size=_HASH).digest(), "little")


def numbering(context: Context, index: RawIndex, key: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(universe, place): the sorted hashes of the entities, and where each entity number stands in them.

    An entity is hashed by its value, so it is the same in every snapshot. Where rows are entities of their
    own, the snapshot's file is part of the value: rows of two snapshots cannot be told to be the same.
    """
    memo = f"ledger-numbering {index.path} {index.entity}"
    if memo not in context.memo:
        if index.entity:
            values = index.coded(index.entity).values
        else:
            values = pl.Series([f"{index.path.name}\0{row}" for row in range(index.rows_total)])
        if key:
            found = b"".join(
                hashlib.blake2b(value.encode(), key=key, digest_size=_HASH).digest() for value in values
            )
            bits = np.frombuffer(found, dtype="<u8").astype(np.uint64)
        else:
            bits = hashes(values)
        universe, place = np.unique(bits, return_inverse=True)
        context.memo[memo] = (universe, place.astype(np.uint32))
    universe, place = context.memo[memo]
    return universe, place


def tables(context: Context, documents: Iterable[Document]) -> Iterable[tuple[Document, str, Shape]]:
    """The tables that count or measure over cells that the raw data knows, and what the conditional
    aggregates of recomputed ones speak of: (document, table, shape)."""
    for document in documents:
        for table in document.tables:
            for shape in counting(context, document, table):
                yield document, table.part, shape
            for part in getattr(context.recomputed.get(id(table)), "parts", ()):
                yield document, table.part, part


def books_of(
    context: Context, documents: Iterable[Document], key: bytes, release: str = ""
) -> list[tuple[Document, str, Book]]:
    """(document, table, book) of every table that counts; a table by sensitive values gives two: the second
    holds the base groups behind it (``shadow``)."""
    found = []
    for document, part, shape in tables(context, documents):
        universe, place = numbering(context, shape.index, key)
        published = _published(shape)
        sensitive = [k for k, raw in shape.raw_of.items() if k in shape.dims and raw in shape.index.sensitive]
        unsure = [k for k in shape.counts if k not in shape.confirmed]
        scope, hidden_scope = _scope(context, document, shape, key)
        for hidden in ([], sensitive) if sensitive else ([],):
            kept = [k for k in shape.dims if k not in hidden]
            first, starts, members = _sets(shape, kept, published, place)
            if not len(first):
                continue
            dims = _dims(shape, kept, first, key)
            shown = f"{document.shown} {part}".strip()
            book = Book(
                release,
                shown,
                universe,
                starts,
                members,
                np.array([(scope + sum(v for _, v in cell)) % 2**64 for cell in dims], dtype=np.uint64),
                dims,
                {} if hidden else _stated(shape, first),
                tuple(shape.names[k] for k in (*shape.counts, *shape.measures)),
                _exact(shape),
                bool(shape.measures or sensitive or unsure or hidden_scope),
                bool(hidden),
                not sensitive or bool(hidden),
                threshold=math.ceil(context.min_cell(shape.index.name)),
                epoch=epoch(universe),
                chosen=scope != 0,
            )
            found.append((document, part, book))
    return found


def _scope(context: Context, document: Document, shape: Shape, key: bytes) -> tuple[int, bool]:
    """(what defines the cells beside their dimensions, whether sensitive values may be in it).

    Tables of a recognised script are counted over the rows that it chose; then its text and the output are
    part of the definition: only the same script gives the same cells of the next snapshot.
    """
    index = shape.index
    chosen = int(index.engine.rows(f"SELECT count(*) FROM {index.table}")[0][0])
    if chosen == index.rows_total or context.script is None:
        return 0, chosen != index.rows_total
    text = context.script.text
    return digest(key, text, document.path, shape.part), any(name in text for name in index.sensitive)


def _published(shape: Shape) -> pl.Series:
    """Rows that show a number at all; what is blanked was not published."""
    shown = pl.Series([False] * shape.frame.height, dtype=pl.Boolean)
    for column in (*shape.counts, *shape.measures):
        shown = shown | shape.numbers(column).is_not_null()
    return shown


def _sets(
    shape: Shape, kept: Sequence[str], published: pl.Series, place: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row of each cell, starts, members): the entities of the distinct published cells over ``kept``."""
    index, engine = shape.index, shape.index.engine
    cells = pl.DataFrame({"i": np.arange(shape.frame.height), **{k: shape.codes[k] for k in kept}}).filter(
        published
    )
    wild = pl.DataFrame({"i": np.arange(shape.frame.height), **{k: shape.wild(k) for k in kept}})
    wild = wild.filter(published).drop("i")
    rows, entities = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    patterns = wild.unique(maintain_order=True) if kept else wild.head(1)
    for pattern in patterns.head(_PATTERNS).iter_rows():
        bound = [k for k, free in zip(kept, pattern, strict=True) if not free]
        here = cells
        if kept:
            same = [pl.col(k) == free for k, free in zip(kept, pattern, strict=True)]
            here = cells.filter(wild.select(pl.all_horizontal(same)).to_series())
        asked = here.unique(bound, keep="first", maintain_order=True) if bound else here.head(1)
        engine.register("ledger_cells", asked.select("i", *bound))
        lead = ", ".join(f"{shape.dims[k]} AS {k}" for k in bound)
        found = engine.frame(
            f"SELECT DISTINCT a.i, r.e FROM (SELECT {lead}{', ' if lead else ''}r.e FROM {index.table} r"
            + f"{subtotal(shape, [k for k in kept if k not in bound])}) r "
            + (f"JOIN ledger_cells a USING ({', '.join(bound)}) " if bound else "CROSS JOIN ledger_cells a ")
            + "WHERE r.e IS NOT NULL"
        )
        rows.append(found["i"].to_numpy())
        entities.append(place[found["e"].to_numpy()].astype(np.int64))
    row, entity = np.concatenate(rows), np.concatenate(entities)
    order = np.lexsort((entity, row))
    row, entity = row[order], entity[order]
    first, begins = np.unique(row, return_index=True)
    return first, np.append(begins, len(row)), entity.astype(np.uint32)


def _dims(
    shape: Shape, kept: Sequence[str], rows: np.ndarray, key: bytes
) -> list[tuple[tuple[str, int], ...]]:
    """The definition of each cell: its raw columns, and the keyed hash of its value in each."""
    found: list[list[tuple[str, int]]] = [[] for _ in rows]
    for k in sorted(kept, key=lambda k: shape.raw_of[k]):
        raw, texts, wild = shape.raw_of[k], shape.texts[k].to_list(), shape.wild(k).to_list()
        shown = "|".join(sorted({str(t) for t, free in zip(texts, wild, strict=True) if not free}))
        known: dict[str, int] = {}
        for cell, row in zip(found, rows.tolist(), strict=True):
            if not wild[row] or k in shape.within:
                text = "" if texts[row] is None else str(texts[row])
                text = shown if wild[row] else text
                if text not in known:
                    known[text] = digest(key, raw, text)
                cell.append((raw, known[text]))
    return [tuple(cell) for cell in found]


def _stated(shape: Shape, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The counts as they stand in the table; NaN where there is none."""
    found = {}
    for column in shape.counts:
        values = shape.numbers(column).cast(pl.Float64).fill_null(np.nan).to_numpy()
        found[shape.names[column]] = values[rows]
    return found


def _exact(shape: Shape) -> bool:
    """Whether every stated count is the recount, of entities or of rows, up to rounding to a base."""
    for column in shape.counts:
        stated = shape.numbers(column)
        known = stated.drop_nulls()
        base = next((b for b in (10, 5) if len(known) > 2 and bool((known % b == 0).all())), 0.5)
        off = pl.min_horizontal((stated - shape.n).abs(), (stated - shape.rows_n).abs())
        gap = pl.select(off).to_series().drop_nulls()
        if bool((gap >= base).any()):
            return False
    return True
