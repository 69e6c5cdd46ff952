"""Point 26.5: anything that leads abroad. Hong Kong, Macao and Taiwan count as abroad."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.clean import fold
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding

_LINK = re.compile(
    r"(!\[[^\]]*\]\(\s*|<img[^>]*src\s*=\s*[\"']?)?(?:https?|ftp|wss?):?//([A-Za-z0-9.\-]+)", re.I
)


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A link to a host outside .cn is flagged, an embedded remote resource (it reports the reader) held."""
    linked, loaded = [], []
    folded = fold(pl.Series([piece.text for piece in document.pieces], dtype=pl.String))
    for piece, text in zip(document.pieces, folded, strict=True):
        for match in _LINK.finditer(text):
            if match.group(1):
                loaded.append(piece.where)
            elif not match.group(2).lower().rstrip(".").endswith(".cn"):
                linked.append(piece.where)
    if loaded:
        yield finding(
            "CROSS_BORDER",
            document.shown,
            loaded[0],
            {"count": len(loaded)},
            why_zh="打开时会从外部加载内容",
            why_en="opening it loads a resource from elsewhere",
        )
    if linked:
        yield finding(
            "CROSS_BORDER",
            document.shown,
            linked[0],
            {"count": len(linked)},
            Severity.FLAG,
            why_zh="链接指向境外域名",
            why_en="a link names a host outside .cn",
        )


def recipient(_: Document, context: Context) -> Iterable[Finding]:
    """Holds the set when the recipient's jurisdiction, hosting or access is not mainland China."""
    abroad = sorted(key for key, value in context.recipient.items() if value.upper() != "CN")
    if abroad:
        yield finding(
            "CROSS_BORDER",
            "",
            "recipient",
            {"elements": len(abroad)},
            why_zh="接收方或其托管、访问地在境外",
            why_en="the recipient, its hosting or its access is abroad",
        )


CHECK = Check(("CROSS_BORDER",), "text", run)
RECIPIENT = Check(("CROSS_BORDER",), "file", recipient, whole_set=True)
