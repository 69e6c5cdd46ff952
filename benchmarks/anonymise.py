"""Anonymisation by search beside its peers, on Adult.

``python benchmarks/anonymise.py arx [--data FOLDER]``: every case that ARX publishes for Adult (losses and
transformations its own tests assert): found or not, nodes looked at, seconds; and why the others are out of
scope. The data and cases are ``../shared/data`` beside the repository; without them there is nothing to do,
and the program says so.

``… anjana``: time beside anjana on the same cases (k, l, t over the same table and hierarchies). anjana pins
versions of pandas and numpy, so it runs in an environment of its own: ``ANJANA_PYTHON`` is its python.
Without it only our times are printed.

``… mondrian [--rows 1000000]``: k = 5, l = 2, t = 0.4 over made-up persons, and the loss on Adult beside
that of a published implementation (its figure, stated there) and of ``anonypy`` (``ANONYPY_PYTHON``), if
given. ``… proof``: results measured by pycanon (``ANJANA_PYTHON`` has it).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.anonymise_arx import arx
from sandbox.desensitize.search.describe import described, wanted
from sandbox.desensitize.search.groups import Sensitive, Table
from sandbox.desensitize.search.hierarchy import HierarchySpec, build
from sandbox.desensitize.search.lattice import Lattice, search
from sandbox.desensitize.search.models import Model
from sandbox.desensitize.search.mondrian import mondrian
from sandbox.desensitize.search.recoding import of_node, of_partition
from sandbox.desensitize.search.run import anonymise, table_of
from sandbox.desensitize.search.utility import utility

DATA = Path(__file__).parents[2] / "shared" / "data"
_CASES = [
    ("k=5", {"k": 5}),
    ("k=5 l=2", {"k": 5, "l": 2}),
    ("k=5 alpha=0.6", {"k": 5, "alpha": 0.6}),
    ("k=5 t=0.5", {"k": 5, "t": 0.5}),
]
_SUPPRESS = 0.04
_ANJANA = r"""
import json, sys, time
import pandas as pd
from anjana import anonymity
table, folder, asked = pd.read_csv(sys.argv[1], sep=";"), sys.argv[2], json.loads(sys.argv[3])
quasi = [c for c in table.columns if c != "occupation"]
levels = {c: dict(pd.read_csv(f"{folder}/adult_hierarchy_{c}.csv", sep=";", header=None)) for c in quasi}
start = time.process_time()
k, percent = asked["k"], 100 * asked["suppress"]
if "l" in asked:
    made = anonymity.l_diversity(table, [], quasi, "occupation", k, asked["l"], percent, levels)
elif "alpha" in asked:
    made = anonymity.alpha_k_anonymity(table, [], quasi, "occupation", k, asked["alpha"], percent, levels)
elif "t" in asked:
    made = anonymity.t_closeness(table, [], quasi, "occupation", k, asked["t"], percent, levels)
else:
    made = anonymity.k_anonymity(table, [], quasi, k, percent, levels)
seconds = time.process_time() - start
share = []
for c in quasi:
    rows = [list(map(str, row)) for row in zip(*[levels[c][i] for i in sorted(levels[c])])]
    of = {}
    for level in range(len(rows[0])):
        for row in rows:
            of.setdefault(row[level], 0)
        for label in {row[level] for row in rows}:
            of[label] = max(of[label], sum(row[level] == label for row in rows) / len(rows) if level else 0)
    share.append(sum(of.get(str(x), 1.0) for x in made[c]) + len(table) - len(made))
print(json.dumps({"seconds": seconds, "rows": len(made), "loss": sum(share) / len(share) / len(table)}))
"""
_PYCANON = r"""
import json, sys
import pandas as pd
from pycanon import anonymity
table, quasi = pd.read_csv(sys.argv[1], keep_default_na=False).astype(str), json.loads(sys.argv[2])
print(json.dumps([float(anonymity.k_anonymity(table, quasi)),
                  float(anonymity.l_diversity(table, quasi, ["occupation"])),
                  float(anonymity.t_closeness(table, quasi, ["occupation"]))]))
"""
_ANONYPY = r"""
import json, sys, time
import pandas as pd
from anonypy.mondrian import Mondrian
table = pd.read_csv(sys.argv[1])
k = int(sys.argv[2])
text = [c for c in table.columns if not pd.api.types.is_numeric_dtype(table[c])]
for c in text:
    table[c] = table[c].astype("category")
quasi = [c for c in table.columns if c != "salary"]
start = time.process_time()
parts = Mondrian(table, quasi, "salary").partition(k)
seconds = time.process_time() - start
domain = {c: len(table[c].unique()) if c in text else table[c].max() - table[c].min() for c in quasi}
loss = 0.0
for part in parts:
    for c in quasi:
        column = table[c][part]
        n = len(column.unique()) if c in text else column.max() - column.min()
        loss += len(part) * (n / domain[c] if not (c in text and n == 1) else 0.0)
print(json.dumps({"seconds": seconds, "loss": loss / len(table) / len(quasi), "parts": len(parts)}))
"""


def _peer(variable: str, program: str, *words: str, seconds: float = 420) -> Any:
    """What a peer answers, None where its python is not given or it takes too long."""
    python = os.environ.get(variable)
    if not python:
        return None
    try:
        done = subprocess.run(
            [python, "-c", program, *words], capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def anjana(data: Path) -> None:
    """Print our time beside anjana's, and the loss of both."""
    folder = data / "persons" / "arx_adult"
    frame = pl.read_csv(folder / "adult.csv.gz", separator=";")
    fields = [
        {
            "name": name,
            "role": "sensitive" if name == "occupation" else "quasi",
            **(
                {}
                if name == "occupation"
                else {"hierarchy": {"by": "file", "path": f"adult_hierarchy_{name}.csv"}}
            ),
        }
        for name in frame.columns
    ]
    told = described({"fields": fields, "one_row_each": True})
    with tempfile.TemporaryDirectory() as name:
        plain = Path(name) / "adult.csv"
        frame.write_csv(plain, separator=";")
        for label, asked in _CASES:
            start = time.process_time()
            table = table_of(frame, told, folder)
            want = wanted({**asked, "suppress": _SUPPRESS})
            result = search(Lattice(table), want.models(told.fields), want.loss, want.suppress)
            seconds = time.process_time() - start
            found = result.best
            loss = utility(of_node(table, found), 5)["granularity"] if found else float("nan")
            peer = _peer(
                "ANJANA_PYTHON",
                _ANJANA,
                str(plain),
                str(folder),
                json.dumps({**asked, "suppress": _SUPPRESS}),
            )
            beside = "anjana: not run or failed"
            if peer:
                beside = f"anjana {peer['seconds']:.2f} CPU-s, loss {peer['loss']:.3f}: "
                beside += f"{peer['seconds'] / seconds:.1f} x"
            print(f"{label:15} ours {seconds:6.2f} CPU-s (optimum), loss {loss:.3f} | {beside}")


# github.com/qiyuangong/Basic_Mondrian, README: NCP on Adult with k = 10
_PUBLISHED = {False: 0.1219, True: 0.2491}
_QUASI = [
    "age",
    "workclass",
    "education-num",
    "marital-status",
    "occupation",
    "race",
    "sex",
    "native-country",
]


def mondrian_adult(data: Path) -> None:
    """Print the loss on Adult beside the published one; columns and rows are those of that implementation."""
    frame = pl.read_csv(data / "persons" / "adult.data.csv.gz")
    frame = frame.filter(~pl.any_horizontal(pl.col(pl.String) == "?")).select(*_QUASI, "salary")
    told = described({"fields": [{"name": n, "role": "quasi"} for n in _QUASI], "one_row_each": True})
    table = table_of(frame, told)
    for relaxed in (False, True):
        start = time.process_time()
        parts = mondrian(table, [Model(kind="k", at_least=10)], relaxed)
        seconds = time.process_time() - start
        wide = []
        for h, low, high in zip(table.hierarchies, parts.low, parts.high, strict=True):
            first = h.numbers if h.numbers is not None else np.arange(h.leaves, dtype=np.float64)
            # theirs: categories numbered, a range of them over how many there are
            domain = float(first[-1] - first[0]) if h.numbers is not None else float(h.leaves)
            wide.append(float(((first[high] - first[low]) / domain) @ np.bincount(parts.part)) / table.rows)
        written = utility(of_partition(table, parts), 10)["granularity"]
        print(
            f"Adult, k=10, {'relaxed' if relaxed else 'strict '}: {parts.parts} parts, loss as the range of"
            f" leaves {sum(wide) / len(wide):.4f} (published {_PUBLISHED[relaxed]}), as written"
            f" {written:.4f}, {seconds:.2f} CPU-s"
        )
    with tempfile.TemporaryDirectory() as name:
        plain = Path(name) / "adult.csv"
        frame.write_csv(plain)
        peer = _peer("ANONYPY_PYTHON", _ANONYPY, str(plain), "10", seconds=600)
    print("anonypy:", peer if peer else "not run, failed, or more than 600 s")


def persons(rows: int) -> Table:
    """Made-up persons, always the same."""
    draw = np.random.default_rng(42)
    sizes = {"sex": 2, "age": 100, "region": 341, "education": 7, "occupation": 20}
    rules = {"age": HierarchySpec(by="age"), "region": HierarchySpec(by="prefix", lengths=(2,))}
    codes = {name: draw.integers(0, size, rows).astype(np.int32) for name, size in sizes.items()}
    illness = (np.minimum(draw.zipf(1.5, rows), 20) - 1).astype(np.int32)
    hierarchies = [
        build(
            name,
            list(range(size)) if name == "age" else [f"{value:04}" for value in range(size)],
            rules.get(name, HierarchySpec()),
        )
        for name, size in sizes.items()
    ]
    return Table(tuple(sizes), tuple(codes.values()), tuple(hierarchies), {"illness": Sensitive(illness, 20)})


def mondrian_large(rows: int) -> None:
    """Print how long k = 5, l = 2, t = 0.4 take."""
    table = persons(rows)
    models = [
        Model(kind="k", at_least=5),
        Model(kind="distinct_l", column="illness", at_least=2),
        Model(kind="t", column="illness", at_most=0.4),
    ]
    begin, start = time.perf_counter(), time.process_time()
    parts = mondrian(table, models)
    print(
        f"{rows} rows, k=5 l=2 t=0.4: {parts.parts} parts, {time.process_time() - start:.1f} CPU-s,"
        f" {time.perf_counter() - begin:.1f} s; most memory"
        f" {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB;"
        f" loss {utility(of_partition(table, parts), 5)['granularity']:.4f}"
    )


def proof(data: Path) -> None:
    """Print what pycanon measures of our products beside our own measures."""
    folder = data / "persons" / "arx_adult"
    frame = pl.read_csv(folder / "adult.csv.gz", separator=";")
    names = ["sex", "age", "race", "education", "workclass", "occupation"]
    fields = [{"name": n, "role": "sensitive" if n == "occupation" else "quasi"} for n in names]
    told = described({"fields": fields, "one_row_each": True})
    for method in ("lattice", "mondrian"):
        asked = {"k": 5, "l": 2, "t": 0.4, "method": method, "suppress": 0.1 if method == "lattice" else 0.0}
        outcome = anonymise(frame, told, wanted(asked))
        after = outcome.report["after"]
        spread = after["spread"]["occupation"]
        with tempfile.TemporaryDirectory() as name:
            plain = Path(name) / "made.csv"
            outcome.product.write_csv(plain)
            peer = _peer("ANJANA_PYTHON", _PYCANON, str(plain), json.dumps(names[:-1]))
        print(f"{method:9} ours {[after['k'], spread['distinct_l'], spread['t']]} pycanon {peer}")


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["arx", "anjana", "mondrian", "proof"])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    if given.what == "mondrian":
        mondrian_large(given.rows)
    if not given.data.exists():
        sys.exit(f"no data in {given.data}: nothing to compare with")
    {"arx": arx, "anjana": anjana, "mondrian": mondrian_adult, "proof": proof}[given.what](given.data)


if __name__ == "__main__":
    main()
