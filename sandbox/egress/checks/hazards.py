"""Cells that harm whoever opens them: spreadsheet formulas, numerals that crash parsers, secrecy marks."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.clean import fold
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding

# OWASP "CSV injection": a leading = or @, or a sign followed by a call or a reference to another program.
_FORMULA = r"^\s*(?:[=@].*[A-Za-z(|]|[+\-][^0-9.\s][^\s]*[(|!])"
_NUMERAL = r"^[-+]?[0-9.]+[eE][-+]?[0-9]{3,}$"
_SECRET = re.compile(
    r"(?:绝\s*密|机\s*密|秘\s*密)\s*[★☆*＊]|"
    r"^\s*(?:绝\s*密|机\s*密|秘\s*密)\s*$|\bTOP SECRET\b|"
    r"内部资料.{0,4}(?:不得|严禁)外传"
)


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Holds, with the number of cells and the first row."""
    for table in document.tables:
        for number, name in enumerate(table.columns):
            cells = table.shown(name)
            for rule, pattern in (("FORMULA", _FORMULA), ("NUMERAL", _NUMERAL)):
                hits = cells.values.str.contains(pattern)
                if bool(hits.any()):
                    rows = np.flatnonzero(cells.spread(hits.to_numpy(), False))
                    where = f"{table.part} {context.column(number, name)}, row {rows[0] + 1}".strip()
                    yield finding(rule, document.shown, where, {"count": len(rows)})
    texts = [(piece.where, piece.text) for piece in document.pieces]
    for table in document.tables:
        texts += [(f"{table.part} header".strip(), name) for name in table.columns]
        for number, name in enumerate(table.columns):
            if table.data[name].dtype == pl.String:
                values = table.shown(name).values
                marked = values.filter(values.str.contains("密|SECRET|内部"))
                texts += [(f"column {number + 1}", value) for value in marked]
    folded = fold(pl.Series([text for _, text in texts], dtype=pl.String))
    marks = [where for (where, _), text in zip(texts, folded, strict=True) if _SECRET.search(text)]
    if marks:
        yield finding("SECRECY", document.shown, marks[0], {"count": len(marks)})


CHECK = Check(("FORMULA", "NUMERAL", "SECRECY"), "text", run)
