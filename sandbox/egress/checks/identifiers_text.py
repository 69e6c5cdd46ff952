"""Running text a second time, through presidio-analyzer with our recognisers: what the scan passed over."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.identifiers import Source, report
from sandbox.egress.clean import mask
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document
from sandbox.egress.layout import running_text
from sandbox.egress.messages import finding
from sandbox.pii.kinds import KINDS
from sandbox.pii.scan import scan

_FEWEST = 40  # characters of running text: a title has nothing that the scan does not see
_STARTS = r"[0-9@]|姓名|患者|本人|住"  # without any of these no pattern can match


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Findings that the scan did not make: a sort of identifier it does not know, or a hit it passed over."""
    pieces = [piece for piece in running_text(document) if piece.text.strip()]
    values = pl.Series([piece.text for piece in pieces], dtype=pl.String)
    if sum(len(piece.text) for piece in pieces) < _FEWEST or not bool(values.str.contains(_STARTS).any()):
        return
    from sandbox.pii.presidio import OTHERS, analyze

    hits, _ = analyze(values)
    places = [piece.where for piece in pieces]
    source = Source("text", "", values, places, False)
    seen = scan(values).select("index", "found").unique()
    yield from report(
        document,
        source,
        hits.filter(pl.col("kind").is_in(list(KINDS))).join(seen, on=["index", "found"], how="anti"),
    )
    for (kind,), group in hits.filter(pl.col("kind").is_in(list(OTHERS))).group_by(
        "kind", maintain_order=True
    ):
        zh, en = OTHERS[str(kind)]
        evidence = {"count": group["found"].n_unique(), "samples": [mask(str(group["found"][0]))]}
        where = places[int(group["index"][0])]
        severity = Severity.HARD if kind == "IBAN_CODE" else Severity.HOLD
        yield finding("IDENTIFIER", document.shown, where, evidence, severity, kind_zh=zh, kind_en=en)


CHECK = Check(("IDENTIFIER",), "text", run)
