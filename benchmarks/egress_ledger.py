"""The release ledger: what it costs at size, and what it stops.

    python benchmarks/egress_ledger.py [persons] [seeds]

First: a register of ``persons`` (10⁶), 10,000 released cells in twelve tables, a new table of 1,000 cells.
Seconds of the wall and of the processor for reading the records, pairs, two layers, any combination; peak
memory; bytes a cell, roaring bitmaps against codes of a layer compressed. Then every sequence of
``tests/attack/sequences.py``, ``seeds`` times over a new register each: how many attacks were stopped before
the persons came to light, and how many honest series went through.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))

from sandbox.egress.ledger import store
from sandbox.egress.ledger.books import Book, book, epoch
from sandbox.egress.ledger.compare import How, compare
from sandbox.egress.ledger.cuts import small_cuts
from sandbox.egress.ledger.pairs import close_pairs
from sandbox.egress.ledger.span import spanned
from tests.attack.sequences import ATTACKS, HONEST, T, books, cases

STOPS = {How.PAIR, How.STATED, How.LAYERS, How.COMBINATION, How.DETERMINED}
HOLD, MOST = 0.10, 0.20  # policies/national.yaml
VALUES = {"area": 2000, "sex": 2, "age": 18, "job": 20, "school": 8, "ill": 30, "month": 12}


@contextmanager
def timed(what: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"| {what} | {time.perf_counter() - wall:.2f} | {time.process_time() - cpu:.2f} |", flush=True)


def tables(count: int) -> tuple[list[Book], Book]:
    """Twelve released tables over a skewed register, and a new one; cells below the threshold left out."""
    draw = np.random.default_rng(1)
    universe = np.sort(draw.integers(0, 2**64, count, dtype=np.uint64))
    of = {name: draw.integers(0, many, count) for name, many in VALUES.items()}
    of["area"] = draw.zipf(1.3, count) % VALUES["area"]
    of |= {"town": of["area"] // 10, "county": of["area"] // 50, "part": of["area"] // 5}
    of |= {"quarter": of["area"] // 20, "region": of["area"] // 100}

    def table(name: str, *columns: str) -> Book:
        code = np.zeros(count, dtype=np.int64)
        for column in columns:
            code = code * (of[column].max() + 1) + of[column]
        order = np.argsort(code, kind="stable")
        cells = np.split(order, np.flatnonzero(np.diff(code[order])) + 1)
        kept = [cell for cell in cells if len(cell) >= T]
        return book(name, "t", universe, kept, threshold=T, epoch=epoch(universe))

    wanted = (
        *(("area",), ("town", "sex"), ("county", "age"), ("job", "age"), ("school", "job", "sex")),
        *(("ill", "age"), ("ill", "region"), ("month", "job", "sex"), ("month", "quarter")),
        *(("school", "age", "sex"), ("ill", "job"), ("part", "school")),
    )
    old = [table(f"release {number}", *columns) for number, columns in enumerate(wanted)]
    return old, table("new", "ill", "age", "sex")


def size(count: int) -> None:
    """The first table."""
    old, new = tables(count)
    cells = sum(len(one.sizes) for one in old)
    print(f"\n{count:,} persons, {cells:,} cells released, {len(new.sizes):,} new\n")
    print("| | s wall | s processor |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for one in old:
            store.write(Path(folder) / one.release.replace(" ", "-"), [one], {})
        with timed("reading the records"):
            read = store.read(Path(folder))
        kept = sum(path.stat().st_size for path in Path(folder).rglob("cells.parquet"))
        named = next(Path(folder).rglob("universe-*.parquet")).stat().st_size
    new = new.on(read[0].universe)
    read = [one.on(new.universe) for one in read]
    with timed("fingerprints and layers"):
        found = [(one.prints, one.layers) for one in [*read, new]]
    with timed("pairs"):
        pairs = sum(len(close_pairs(new, one, T)) for one in read)
    with timed("two layers, every combination"):
        cuts = sum(small_cuts(new.layers[0][0], one.layers[0][0], T) for one in read)
    with timed("any combination, determined persons, rank"):
        whole = spanned([new], read, T)
    codes = [pa.compress(one.layers[0][0].tobytes(), "zstd", asbytes=True) for one in read]
    print(f"\nfound: {pairs} pairs, {cuts} cuts, {whole}; {len(found)} tables")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    print(
        f"bytes a cell: {kept / cells:,.0f} (roaring), {sum(map(len, codes)) / cells:,.0f} (codes of a layer)"
    )
    print(f"bytes an entity, once a snapshot: {named / count:.1f}")


def play(register: Any, sequence: Any) -> tuple[bool, str, bool]:
    """(stopped, by what, held)."""
    old: list[Book] = []
    held = False
    for number, step in enumerate(sequence.steps):
        new = books(register, number, step)
        hits = compare(new, old, HOLD)
        stop = [hit for hit in hits if hit.how in STOPS or (hit.how is How.RATE and hit.rate > MOST)]
        if stop:
            return True, str(stop[0].how), held
        held |= any(hit.how in (How.RATE, How.TOO_LARGE, How.LEFT_OVER) for hit in hits)
        old += new
    return False, "", held


def sequences(title: str, makers: dict[str, Callable[..., Any]], seeds: int) -> None:
    """The second table."""
    tried: Counter[str] = Counter()
    stopped: Counter[str] = Counter()
    holds: Counter[str] = Counter()
    ways: dict[str, set[str]] = {}
    for register, sequence in cases(makers, seeds):
        stop, how, held = play(register, sequence)
        tried[sequence.kind] += 1
        stopped[sequence.kind] += stop
        holds[sequence.kind] += held
        ways.setdefault(sequence.kind, set()).update({how} - {""})
    print(f"\n| {title} | tried | stopped | held | by |\n|---|---|---|---|---|")
    for kind in tried:
        by = ", ".join(sorted(ways[kind]))
        print(f"| {kind} | {tried[kind]} | {stopped[kind]} | {holds[kind]} | {by} |")
    whole = sum(tried.values())
    print(f"| **all** | {whole} | {sum(stopped.values())} | {sum(holds.values())} | |", flush=True)


if __name__ == "__main__":
    persons = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
    size(persons)
    often = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    sequences("attacks", ATTACKS, often)
    sequences("honest series", HONEST, often)
