"""Point 26.1: the output is what was declared, where anything was declared."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Hard for a file or a column beyond the declaration."""
    if not context.declared:
        return
    declared = context.declared.get(document.path)
    outer = context.declared.get(document.outer)
    if declared is None and outer is not None and not outer.columns:
        return  # a folder declared as a whole
    if declared is None:
        yield finding(
            "UNDECLARED", document.shown, "", why_zh="文件未声明", why_en="the file was not declared"
        )
    elif declared.columns:
        for table in document.tables:
            for number, name in enumerate(table.columns):
                if name not in declared.columns:
                    yield finding(
                        "UNDECLARED",
                        document.shown,
                        context.column(number, name),
                        why_zh="列未声明",
                        why_en="a column was not declared",
                    )


def missing(_: Document, context: Context) -> Iterable[Finding]:
    """Flags a declared output that is not there."""
    for path in sorted(set(context.declared) - {document.path for document in context.documents}):
        yield finding(
            "UNDECLARED",
            "",
            f"declared {sorted(context.declared).index(path) + 1}",
            severity=Severity.FLAG,
            why_zh="声明的输出不存在",
            why_en="a declared output is absent",
        )


CHECK = Check(("UNDECLARED",), "file", run)
MISSING = Check(("UNDECLARED",), "file", missing, whole_set=True)
