"""Masking, generalising, pseudonymising and format-preserving encryption of cells, beside the peers.

``python benchmarks/desensitize_cells.py [--rows 1000000] [--peer-rows 20000]`` prints cells a CPU second
(least of three for ours, once for the peer) and their ratio. The peers, presidio-anonymizer and ff3, run
under the Python that ``PEERS_PYTHON`` names, on the first ``--peer-rows`` cells; their result must be ours
(but for FF1, where ff3 does another algorithm, FF3-1, on values of the same length). Without that variable
ours is printed alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import Setting, subkey

KEY = bytes(range(32))
_PEER = r"""
import base64, hashlib, hmac, json, sys, time
what, path, key = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3])
values = json.load(open(path))
def code(value):
    return base64.b32encode(hmac.digest(key, value.encode(), "sha256"))[:26].decode()
if what == "fpe":
    from ff3 import FF3Cipher
    cipher = FF3Cipher(key.hex(), "D8E7920AFA330A73"[:14])
    one = cipher.encrypt
else:
    from presidio_anonymizer import AnonymizerEngine
    from presidio_anonymizer.entities import OperatorConfig, RecognizerResult
    engine = AnonymizerEngine()
    told = {
        "mask": OperatorConfig("mask", {"masking_char": "*", "chars_to_mask": 8, "from_end": True}),
        "generalise": OperatorConfig("custom", {"lambda": lambda value: value[:4]}),
        "pseudonym": OperatorConfig("custom", {"lambda": code}),
    }[what]
    def one(value):
        hit = [RecognizerResult("ID", 0, len(value), 1.0)]
        return engine.anonymize(value, hit, {"DEFAULT": told}).text
one(values[0])
start = time.process_time()
made = [one(value) for value in values]
spent = time.process_time() - start
print(json.dumps({"seconds": spent, "sha256": hashlib.sha256("\n".join(made).encode()).hexdigest()}))
"""


def columns(rows: int) -> list[tuple[str, str, dict[str, Any], pl.Series]]:
    """(what is said, transform, parameters, cells)."""
    serial = pl.int_range(0, rows, eager=True)
    phones = "13" + (serial * 999_983 % 1_000_000_000).cast(pl.String).str.zfill(9)
    persons = "person-" + (serial % max(1, rows // 10)).cast(pl.String).str.zfill(11)
    areas = (520_000 + serial * 7 % 3000).cast(pl.String)
    key = {"key": "k"}
    return [
        ("mask, all distinct", "mask", {"keep_first": 3}, phones),
        ("generalise, 3,000 codes", "generalise", {"by": "prefix", "length": 4}, areas),
        ("pseudonym HMAC-SHA-256, 10 rows a person", "pseudonym", key, persons),
        ("pseudonym HMAC-SHA-256, all distinct", "pseudonym", key, phones),
        ("pseudonym HMAC-SM3, all distinct", "pseudonym", key | {"hash": "sm3"}, phones),
        ("FF1-AES-256, mobile, all distinct", "fpe", key | {"form": "mobile"}, phones),
        ("FF1-SM4, mobile, all distinct", "fpe", key | {"form": "mobile", "cipher": "sm4"}, phones),
    ]


def ours(name: str, params: dict[str, Any], cells: pl.Series) -> tuple[float, pl.Series]:
    """CPU seconds, least of three, and the result."""
    row = TRANSFORMS[name]
    checked = row.params.model_validate(params)
    best, made = float("inf"), cells
    for _ in range(3):
        start = time.process_time()
        (made,) = row.apply([cells], checked, Setting({"k": KEY}))
        best = min(best, time.process_time() - start)
    return best, made


def peer(python: str, what: str, cells: pl.Series) -> dict[str, Any]:
    """The peer's CPU seconds and the hash of its result."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.json"
        path.write_text(json.dumps(cells.to_list()))
        key = subkey(KEY, "pseudonym", "sha256") if what == "pseudonym" else KEY
        done = subprocess.run(
            [python, "-c", _PEER, what, str(path), key.hex()], capture_output=True, text=True, check=True
        )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=20_000)
    asked = parser.parse_args()
    python = os.environ.get("PEERS_PYTHON", "")
    load = os.getloadavg()[0]
    print(f"{asked.rows:,} cells; load {load:.1f}; peer {'on' if python else 'PEERS_PYTHON is not set'}")
    print(f"{'':44}{'ours/s':>12}{'peer/s':>10}{'ratio':>8}  same")
    for title, name, params, cells in columns(asked.rows):
        seconds, made = ours(name, params, cells)
        rate = asked.rows / seconds
        line = f"{title:44}{rate:>12,.0f}"
        if python:
            few = cells.head(asked.peer_rows)
            told = peer(python, name, few)
            theirs = few.len() / told["seconds"]
            digest = hashlib.sha256("\n".join(made.head(few.len()).to_list()).encode()).hexdigest()
            same = "-" if name == "fpe" or "sm3" in str(params) else str(digest == told["sha256"])
            line += f"{theirs:>10,.0f}{rate / theirs:>8,.0f}  {same}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
