"""How much of a published corpus of Chinese names survives the redaction of free text.

``python benchmarks/desensitize_text.py [--sentences 400]`` reads the sentences with entities of UNER
in ``../shared/data/cn`` (Universal NER, Chinese GSD, simplified), strikes out, and prints how many of the
gold entities are still there, by type, and how much text is left. Without that file it says so and ends.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import Counter
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))
from sandbox.desensitize.free_text import redacted

CORPUS = Path(__file__).parents[2] / "shared" / "data" / "cn" / "ner_uner_gsdsimp_A.jsonl.gz"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=400)
    asked = parser.parse_args()
    if not CORPUS.exists():
        print("the corpus is not there: nothing was measured")
        return
    with gzip.open(CORPUS, "rt", encoding="utf-8") as file:
        told = [one for one in map(json.loads, file) if one["entities"]][: asked.sentences]
    start = time.process_time()
    made = redacted(pl.Series([one["text"] for one in told], dtype=pl.String), []).to_list()
    spent = time.process_time() - start
    gold: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for one, text in zip(told, made, strict=True):
        for entity in one["entities"]:
            words = entity.get("text") or one["text"][entity["start"] : entity["end"]]
            kind = entity.get("label") or entity.get("type")
            gold[kind] += 1
            left[kind] += words in text
    for kind in sorted(gold):
        print(f"{kind:8}{gold[kind]:>6} gold, {gold[kind] - left[kind]:>6} struck out")
    letters = sum(len(one["text"]) for one in told)
    print(f"{len(told)} sentences, {letters:,} characters, {letters / spent:,.0f} characters a CPU second")


if __name__ == "__main__":
    main()
