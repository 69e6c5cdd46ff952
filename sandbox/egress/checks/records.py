"""A row of a table written out as running text: values and numbers side by side, with nothing said of them.

A line is a record when it falls into at least ``egress.raw_overlap_columns`` short fields that are no
sentence: a bare number or day is among them, and a value of the raw data or a second number. So it is,
however its fields are divided, labelled or wrapped, when raw labels of so many columns, one of each, stand in
it beside a number. Whose row it is cannot be asked of a text, as its columns are not declared and may be
coarsened: it belongs in a table. Held, but for lines that repeat a table of the same document.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.passages import open_columns
from sandbox.egress.checks.unexplained import prose
from sandbox.egress.clean import fold
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import RawIndex
from sandbox.pii.numerals import HAN_DIGITS

_MOST = 20_000  # lines looked at; a longer text is held for its length
_FIELD = 14  # characters of a field; a clause of a sentence is longer, or a word
_BULLET = re.compile(r"^\s*(?:[-*+•·>]|\d{1,3}[.)、])?\s+")
_BREAK = re.compile(r"\s*[,;|\t]\s*|\s*、\s*")
_BARE = re.compile(r"[-+]?\d+(?:\.\d+)?%?|\d{4}[-/.年]\d{1,2}(?:[-/.月]\d{1,2}日?)?月?")
_ENDS = re.compile(r"[.!?:()\[\]{}<>=\"“”]")
_APART = re.compile(r"[\s,;|、/·()\[\]{}<>\"“”'!?。]+|(?<!\d)[-–—]|[-–—](?!\d)")
_LABEL = re.compile(r"^[^:=]{1,10}[:=]")
_NUMERAL = re.compile(rf"\d{{2}}|[{''.join(HAN_DIGITS)}]{{2}}")


def fields(line: str, least: int) -> list[str]:
    """The fields of a line that is nothing but short fields, ``least`` at least and a bare number among them;
    none for all others."""
    parts = [part for part in _BREAK.split(_BULLET.sub("", f" {line}").strip(" 。.;,")) if part]
    short = all(len(part) <= _FIELD and (_BARE.fullmatch(part) or not _ENDS.search(part)) for part in parts)
    return parts if short and len(parts) >= least and any(map(_BARE.fullmatch, parts)) else []


def pieces(line: str) -> list[str]:
    """What stands between blanks, signs and brackets, without a label before it; none without a number."""
    parts = [_LABEL.sub("", part) for part in _APART.split(line)]
    return [part for part in parts if 0 < len(part) <= _FIELD] if _NUMERAL.search(line) else []


def _known(index: RawIndex, words: Sequence[str]) -> dict[str, str]:
    """Those of ``words`` that are values of a raw column which identifies nobody by itself, with it."""
    asked = pl.Series(words, dtype=pl.String)
    found: dict[str, str] = {}
    for column in open_columns(index):
        if index.kinds[column] == "VARCHAR":
            hits = asked.filter(pl.Series(index.coded(column).lexicon.find(asked) >= 0))
            found |= dict.fromkeys(hits.to_list(), column)
    return found


def _columns(parts: Iterable[str], known: Mapping[str, str]) -> int:
    """Of how many columns one value stands among ``parts``; two of a column are a list of groups."""
    times = Counter(known[part] for part in set(parts) if part in known)
    return sum(many == 1 for many in times.values())


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Held with the number of lines, never their text."""
    least = int(context.number("egress.raw_overlap_columns"))
    texts = fold(pl.Series(prose(document).splitlines()[:_MOST], dtype=pl.String)).to_list()
    lines = [both for line in texts if any(both := (fields(line, least), pieces(line)))]
    words = sorted({part for both in lines for parts in both for part in parts if not _BARE.fullmatch(part)})
    for index in context.indexes if words else ():
        known = _known(index, words)
        count = 0
        for parts, apart in lines:
            numbers = sum(_BARE.fullmatch(part) is not None for part in parts)
            listed = numbers < len(parts) and (numbers > 1 or not known.keys().isdisjoint(parts))
            count += listed or _columns(apart, known) >= least
        if count > context.number("egress.raw_overlap_rows"):
            evidence = {"count": count, "columns": least, "basis": "records"}
            yield finding("RAW_OVERLAP", document.shown, "text", evidence, Severity.HOLD, raw=index.name)


CHECK = Check(
    ("RAW_OVERLAP",),
    "text",
    run,
    ("egress.raw_overlap_rows", "egress.raw_overlap_columns"),
    raw=True,
    exact=True,
)
