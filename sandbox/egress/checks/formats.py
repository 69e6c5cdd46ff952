"""Format allow-list: what the readers could not lay open, and what they found hidden."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import REASONS, finding


def run(document: Document, context: Context) -> Iterable[Finding]:
    """One hard finding a fault; a flag for metadata; a hold for drawings."""
    for reason, where in document.faults:
        zh, en = REASONS[reason]
        yield finding("FORMAT", document.shown, where, {"reason": reason}, why_zh=zh, why_en=en)
    hidden = [piece for piece in document.pieces if piece.hidden]
    if hidden:
        yield finding("METADATA", document.shown, hidden[0].where, {"count": len(hidden)})
    if document.drawings:
        yield finding("IMAGE", document.shown, "", {"drawings": document.drawings})


CHECK = Check(("FORMAT", "METADATA", "IMAGE"), "file", run, ("egress.formats",))
