"""Family 3: codes of a table that the job was given, which a key or a table of the domain leads back (R-131).

An operator's recipe may encipher an identifier (``fpe``) or put a token in its place: inside, whoever holds
the key or the token vault finds the person again. Nothing of the kind leaves, however few and wherever it
stands. Which columns hold such codes is stated by who orders the check (``RawTable.reversible``). A code
of fewer characters than a number may have by chance is not looked for.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from sandbox.core.errors import fail
from sandbox.egress.checks.base import Check
from sandbox.egress.checks.identifiers import batch, sources
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.lexicon import Lexicon, hashes
from sandbox.egress.messages import finding

_RUN = "[0-9A-Za-z]{9,}"  # below that, a figure of a statistic is equal by chance


def _runs(values: pl.Series) -> pl.DataFrame:
    """(index of the value, token): runs of letters and digits, in capitals as codes are spelled."""
    frame = pl.DataFrame({"token": values}).with_row_index("index")
    frame = frame.with_columns(token=pl.col("token").str.to_uppercase().str.extract_all(_RUN))
    return frame.explode("token").drop_nulls()


def _lexicons(context: Context) -> list[Lexicon]:
    """The codes of every stated column. Raises EGRESS_RAW_COLUMN for one that is not there."""
    found = []
    for raw, index in zip(context.raws, context.indexes, strict=True):
        for column in raw.reversible:
            if column not in index.kinds:
                raise fail("EGRESS_RAW_COLUMN", name=raw.name, column=column)
            found.append(index.coded(column).lexicon)
    return found


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A hard finding a place; the codes are never shown."""
    if not any(raw.reversible for raw in context.raws):
        return
    for source in sources(document, context):
        tokens = batch(context).part("runs of codes", source, _runs)["token"].unique(maintain_order=True)
        bits = hashes(tokens)
        count = sum(int((lexicon.find(tokens, bits) >= 0).sum()) for lexicon in _lexicons(context))
        if count:
            evidence = {"family": 3, "method": "codes that lead back in the domain", "count": count}
            yield finding("REVERSIBLE", document.shown, source.where, evidence, column=source.where)


CHECK = Check(("REVERSIBLE",), "text", run, raw=True)
