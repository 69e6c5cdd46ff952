"""Point 26.2: the sources. Without the raw data nothing can be verified, and silence would mislead."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding


def run(_: Document, context: Context) -> Iterable[Finding]:
    """A hold for the whole set when no raw table was given."""
    if not context.raws:
        yield finding("LINEAGE", "", "")


CHECK = Check(("LINEAGE",), "file", run, whole_set=True)
