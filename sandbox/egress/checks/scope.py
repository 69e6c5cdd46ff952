"""Points 26.1 to 26.3 as far as the facts of the request decide them: purpose, granted columns, sources,
and columns that the catalogue flags. Who orders the check states the facts
(``context.Scope``); without them nothing is said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.egress.bands import tame
from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Table
from sandbox.egress.messages import finding
from sandbox.egress.shape import Shape, recognise

# flag of a catalogue field -> (words, whether it matters in tables of cells too)
_FLAGS = {
    "secret": ("目录标为涉密的字段", "a field that the catalogue marks as secret", True),
    "sensitive_personal": ("敏感个人信息", "sensitive personal information", False),
    "personal": ("个人信息", "personal information", False),
    "enterprise_confidential": ("企业商业秘密", "a trade secret", False),
}


def purpose(_: Document, context: Context) -> Iterable[Finding]:
    """Hard when what is asked for now is not what was determined, or nothing is."""
    scope = context.scope
    if scope is not None and (scope.purpose != scope.granted_purpose or not scope.granted_purpose.strip()):
        yield finding("PURPOSE", "", "")


def sources(_: Document, context: Context) -> Iterable[Finding]:
    """Held when the source statement cannot name a source's provider, or its registration where the policy
    demands one."""
    if context.scope is None:
        return
    wanted = ["provider"]
    wanted += ["registration_no"] if context.policy.get("registration.resources") else []
    lacking = [one for one in context.scope.sources if not all(one.get(key) for key in wanted)]
    if lacking or not context.scope.sources:
        yield finding("SOURCE", "", "", {"count": len(lacking), "sources": len(context.scope.sources)})


def _own(shape: Shape) -> Iterable[tuple[int, str, str]]:
    """Columns that are a raw column by value, and by name unless they are text: (number, name, raw)."""
    known = {**shape.matched, **shape.raw_of}
    for number, (k, name) in enumerate(shape.names.items()):
        raw = known.get(k)
        if raw and (tame(raw) == tame(name) or not shape.frame[k].dtype.is_numeric()):
            yield number, name, raw


def beyond(document: Document, context: Context) -> Iterable[Finding]:
    """Held for a column that is a raw column by name and value, and that the job was not granted."""
    if context.scope is None:
        return
    granted = {tame(column) for column in context.scope.columns}
    for table in document.tables:
        seen: set[int] = set()
        for index in context.indexes:
            for number, name, raw in _own(recognise(context, document, table, index)):
                if tame(raw) == tame(name) and tame(raw) not in granted and number not in seen:
                    seen.add(number)
                    yield _at("BEYOND_GRANT", document, context, table, number, name)


def flagged(document: Document, context: Context) -> Iterable[Finding]:
    """Held for flagged columns in rows of persons; for secret ones wherever they stand."""
    flags = {raw.name: raw.flags for raw in context.raws}
    for table in document.tables:
        seen: set[int] = set()
        for index in context.indexes if table.data.height > 1 else []:
            shape = recognise(context, document, table, index)
            for number, name, raw in _own(shape) if flags[index.name] else ():
                own = flags[index.name].get(raw, ())
                hit = next((f for f in _FLAGS if f in own and (_FLAGS[f][2] or not shape.aggregate)), None)
                if hit is not None and number not in seen:
                    seen.add(number)
                    zh, en, _ = _FLAGS[hit]
                    yield _at("FLAGGED", document, context, table, number, name, why_zh=zh, why_en=en)


def _at(
    rule: str, document: Document, context: Context, table: Table, number: int, name: str, **words: Any
) -> Finding:
    where = context.column(number, name)
    return finding(rule, document.shown, f"{table.part} {where}".strip(), column=where, **words)


PURPOSE = Check(("PURPOSE",), "file", purpose, whole_set=True)
SOURCES = Check(("SOURCE",), "file", sources, whole_set=True)
BEYOND = Check(("BEYOND_GRANT",), "table", beyond, raw=True)
FLAGGED = Check(("FLAGGED",), "table", flagged, raw=True)
