"""Digits in the names of files and columns: nobody declared them, and they leave as they are written.

A number in a name is ordinary when it numbers the files or columns, is a year, a month or a day, or has two
digits at most. What is left is counted over the whole set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding
from sandbox.egress.shape import recognise

_MOST = 6  # digits that are no numbering, over the set: a date of birth as identity numbers write it
_SMALL = 2  # digits of a percentile, a version, a threshold
_NUMBER = re.compile(r"[0-9]+")
_DATE = re.compile(r"(?:19|20)\d\d(?:(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])?)?")


def _digits(names: Iterable[str], many: int) -> int:
    """Digits of the numbers in ``names`` that are no date, no small number and none up to ``many``."""
    numbers = {number for name in names for number in _NUMBER.findall(name)}
    odd = [n for n in numbers if len(n) > _SMALL and int(n[:18]) > many and not _DATE.fullmatch(n)]
    return sum(map(len, odd))


def _headers(document: Document, context: Context) -> Iterable[str]:
    """Names of columns that are neither declared, nor of a raw column, nor raw values themselves."""
    known = {column for index in context.indexes for column in index.columns}
    known |= {column for item in context.declared.values() for column in item.columns}
    for table in document.tables:
        told = context.recomputed.get(id(table))
        if told is not None and not told.why and context.script is not None:
            continue
        shapes = [recognise(context, document, table, index) for index in context.indexes]
        laid_out = {name for name in table.columns if any(name not in s.names.values() for s in shapes)}
        yield from (name for name in table.columns if name not in known and name not in laid_out)


def run(first: Document, context: Context) -> Iterable[Finding]:
    """One hold for the set."""
    free = [document for document in context.documents if document.path not in context.declared]
    stems = [PurePosixPath(document.path).name for document in free]
    count = _digits(stems, len(context.documents))
    widest = max((len(t.columns) for document in context.documents for t in document.tables), default=0)
    count += _digits((name for document in context.documents for name in _headers(document, context)), widest)
    if count >= _MOST:
        yield finding("NAMES", first.shown, "", {"digits": count, "files": len(free)})


CHECK = Check(("NAMES",), "file", run, whole_set=True)
