"""Family 3: what looks like the output of a cipher or a hash and did not come in with the data (R-131).

A key that the developer holds turns every such token back into a person, and no statistic needs one. The
only tokens that may be there at all are those of a table the job was given: pseudonyms of the operator, whose
key stays inside. Whether a string is one is told by its characters: over all tokens of a place they are as
even as chance makes them, which words, codes and numbers never are.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.identifiers import Source, batch, sources
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.lexicon import hashes
from sandbox.egress.messages import finding

_FEWEST = 3  # distinct tokens; a single one may be a version or a check sum
_EVEN = 0.93  # entropy of the characters, as a share of what chance gives
_PER_SYMBOL = 4  # characters a symbol of the alphabet needs for its entropy to be known
_MOST = 4096  # tokens whose characters are counted
_WORD = r"[!#-+\x2D-\x7B\x7D\x7E]{8,}"  # printable, without what divides cells
# Alphabets from the narrowest on: their size, and what a token may be made of.
_ALPHABETS = (
    (16, re.compile(r"[0-9a-f]+|[0-9A-F]+")),
    (32, re.compile(r"[A-Z2-7]+|[a-z2-7]+")),
    (36, re.compile(r"[0-9A-Z]+|[0-9a-z]+")),
    (64, re.compile(r"[0-9A-Za-z+/_\-]+")),
    (85, re.compile(r"[!-~]+")),
)
_GROUPED = re.compile(r"[-:.]|^0[xX]|=+$")


def _words(values: pl.Series) -> pl.DataFrame:
    """(index of the value, token): words of eight characters and more, of letters and digits."""
    frame = pl.DataFrame({"token": values}).with_row_index("index")
    frame = frame.filter(pl.col("token").str.contains(_WORD)).with_columns(
        pl.col("token").str.extract_all(_WORD)
    )
    words = frame.explode("token")
    return words.filter(
        pl.col("token").str.contains("[A-Za-z]") & (pl.col("token").str.contains("[0-9]") | _mixed())
    )


def _mixed() -> pl.Expr:
    """Small and capital letters after one another and back again, as in no word."""
    return pl.col("token").str.contains("[a-z][A-Z]+[a-z]+[A-Z]")


def _unknown(tokens: pl.Series, context: Context) -> pl.Series:
    """Tokens that are no value of any table the job read."""
    bits = hashes(tokens)
    known = np.zeros(len(tokens), dtype=bool)
    for index in context.indexes:
        for column in index.columns:
            known |= index.coded(column).lexicon.find(tokens, bits) >= 0
    return tokens.filter(pl.Series(~known, dtype=pl.Boolean))


def random_looking(tokens: list[str]) -> bool:
    """Whether the characters of ``tokens``, what they begin with in common left out, are those of chance."""
    bare = [_GROUPED.sub("", token) for token in tokens]
    first, last = min(bare), max(bare)  # what these two have in common, all have
    start = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    bare = [token[start:] for token in bare if len(token) > start]
    if len(set(bare)) < _FEWEST:
        return False
    size = next((n for n, pattern in _ALPHABETS if all(pattern.fullmatch(token) for token in bare)), None)
    counts = np.array(list(Counter("".join(bare)).values()), dtype=np.float64)
    total = counts.sum()
    if size is None or total < _PER_SYMBOL * size:
        return False
    share = counts / total
    # Miller and Madow: what a sample loses of the entropy.
    entropy = float(-(share * np.log2(share)).sum()) + (len(counts) - 1) / (2 * total * math.log(2))
    return bool(entropy >= _EVEN * math.log2(size))


def _suspects(source: Source, context: Context) -> list[str]:
    words = batch(context).part("words", source, _words)["token"].unique(maintain_order=True)
    if len(words) < _FEWEST:
        return []
    unknown = _unknown(words, context)
    # The longest words first: a note of many words must not hide the tokens among them.
    long = unknown.filter(unknown.str.len_chars() >= 16)
    for group in (long, unknown):
        if len(group) >= _FEWEST and random_looking(group.head(_MOST).to_list()):
            return group.to_list()
    return []


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A hard finding a place; the tokens are never shown."""
    for source in sources(document, context):
        found = _suspects(source, context)
        if found:
            evidence = {"family": 3, "method": "tokens of unknown origin", "count": len(found)}
            yield finding("REVERSIBLE", document.shown, source.where, evidence, column=source.where)


CHECK = Check(("REVERSIBLE",), "text", run, raw=True)
