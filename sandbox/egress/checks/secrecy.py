"""Marks of secrecy and of data classes that must not leave (R-159). What is marked goes to people.

State secrets are marked 绝密, 机密, 秘密 with ★ and a term (保守国家秘密法, GB/T 9704-2012 7.2.2); core and
important data are the upper classes of 数据安全法 21 and GB/T 43697-2024; 内部资料 is an office's own mark.
A word within a sentence is no mark: a law may be quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.words import spoken
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding

_GRADE = r"(?:绝\s*密|机\s*密|秘\s*密)"
_KIND = (
    r"(?:内\s*部\s*(?:资料|文件|使用|数据)|核\s*心\s*数\s*据|重\s*要\s*数\s*据|国\s*家\s*秘\s*密|"
    r"工\s*作\s*秘\s*密)"
)
_ENGLISH = r"(?:TOP SECRET|STATE SECRET|SECRET|CONFIDENTIAL|INTERNAL USE ONLY|FOR OFFICIAL USE ONLY)"
_MARK = re.compile(
    rf"{_GRADE}\s*[★☆*]|[★☆]\s*{_GRADE}|"  # 机密★10年
    rf"^\W*(?:{_GRADE}|{_KIND}|{_ENGLISH})\W*$|"  # the mark alone: a line, a cell, a header, a name
    rf"[\[【((〔<《]\s*(?:{_GRADE}|{_KIND})\s*[\]】))〕>》]|"  # the mark in brackets
    rf"(?:密\s*级|保\s*密\s*等\s*级|(?:数据|安全|分类分级)?\s*(?:级\s*别|分\s*级))\s*[::]\s*"
    rf"(?:{_GRADE}|{_KIND}|内部|核心|重要)|"  # 密级:秘密
    r"保\s*密\s*期\s*限\s*[::]|"
    r"内\s*部\s*(?:资料|文件).{0,6}(?:不得|严禁|禁止|请勿|注意)|"
    r"\bTOP\s+SECRET\b|\bSTATE\s+SECRETS?\b",
    re.IGNORECASE,
)
_WANTED = "(?i)密|secret|内\\s*部|核\\s*心|重\\s*要|confidential|internal|official"


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Holds, with the number of marks and the place of the first."""
    marks = [where for where, text in spoken(document, _WANTED) if _MARK.search(text)]
    if marks:
        yield finding("SECRECY", document.shown, marks[0], {"count": len(marks)})


CHECK = Check(("SECRECY",), "file", run)
