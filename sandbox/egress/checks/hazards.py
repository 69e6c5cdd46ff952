"""Content that harms whoever opens, copies or clicks it: spreadsheet formulas, numerals that crash parsers,
scripts and commands in plain text. The readers have refused macros, embedded objects and programs."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.words import spoken
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding

# OWASP "CSV injection": a leading = or @, or a sign followed by a call or a reference to another program.
_FORMULA = r"^\s*(?:[=@].*[A-Za-z(|]|[+\-][^0-9.\s][^\s]*[(|!])"
_NUMERAL = r"^[-+]?[0-9.]+[eE][-+]?[0-9]{3,}$"
# (what it does, in both languages; pattern over folded text)
_ACTIVE: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    (
        "页面脚本",
        "script of a page",
        re.compile(
            r"<\s*(?:script|iframe|object|embed)\b|\b(?:javascript|vbscript)\s*:|data:text/html|"
            r"<[a-z][^>]{0,200}\son[a-z]{3,20}\s*=",
            re.I,
        ),
    ),
    (
        "使系统外联或启动程序的地址",
        "an address that makes the system connect or start a program",
        re.compile(
            r"\\\\[\w.\-]{1,253}\\[\w$.\-]+|\b(?:file|smb)://|\b(?:ms-msdt|search-ms|ms-officecmd|ms-excel|"
            r"ms-word|ms-appinstaller):",
            re.I,
        ),
    ),
    (
        "命令行",
        "a command line",
        re.compile(
            r"\bpowershell(?:\.exe)?\s+[-/]|\bcmd(?:\.exe)?\s*/[ck]\b|\b(?:mshta|regsvr32|rundll32)\s+\S|"
            r"\b(?:curl|wget)\b[^|\n]{1,300}\|\s*(?:ba|z)?sh\b",
            re.I,
        ),
    ),
    (
        "程序文件的编码",
        "a program in encoded form",
        re.compile(r"TVqQAAMAAAAEAAAA|f0VMRg[EI][BC]AQ|EICAR-STANDARD-ANTIVIRUS-TEST-FILE"),
    ),
)
_WANTED = (  # what acts is spelled plainly: cells need no folding to be found
    r"(?i)<\s*[a-z]|script\s*:|data:text|\\|(?:file|smb)://|ms-|powershell|cmd|mshta|regsvr32|rundll32|curl|wget|"
    "TVqQ|f0VM|eicar"
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


def active(document: Document, context: Context) -> Iterable[Finding]:
    """Holds text that acts where it is shown or pasted, one finding for each kind of it."""
    texts = spoken(document, _WANTED)
    for zh, en, pattern in _ACTIVE:
        hits = [where for where, text in texts if pattern.search(text)]
        if hits:
            yield finding("ACTIVE_TEXT", document.shown, hits[0], {"count": len(hits)}, why_zh=zh, why_en=en)


CHECK = Check(("FORMULA", "NUMERAL"), "table", run)
ACTIVE = Check(("ACTIVE_TEXT",), "file", active)
