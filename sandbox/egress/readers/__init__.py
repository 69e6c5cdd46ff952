"""Hostile bytes in, a canonical form or a fault out. A reader is one file; this table lists them."""

from __future__ import annotations

import hashlib
import importlib
import os
import signal
import stat
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from sandbox.egress.clean import short_path
from sandbox.egress.forms import Budget, Document, Members, Unreadable
from sandbox.egress.readers.sniff import sniff

# Form -> ``module:function(document, data, budget)``. Imported when used: no file waits for a library that
# only another needs. A reader that leaves ``Members`` as the body has its members read in turn.
READERS = {
    "csv": "csv:read",
    "parquet": "parquet:read",
    "arrow": "arrow:read",
    "json": "json:read",
    "jsonl": "json:read_lines",
    "markdown": "markdown:read",
    "html": "html:read",
    "ipynb": "notebook:read",
    "xlsx": "workbook:read",
    "docx": "word:read",
    "svg": "svg:read",
    "png": "png:read",
    "jpeg": "jpeg:read",
    "pdf": "pdf:read",
    "onnx": "onnx:read",
    "safetensors": "safetensors:read",
    "skops": "skops:read",
    "zip": "zips:read",
    "tar": "tars:read",
}


class _Overtime(BaseException):
    """Raised by the clock. No ``Exception``: a library that swallows those must not swallow this."""


@contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    """Raise ``_Overtime`` in the body after ``seconds``, and every second again.

    Python code and loops over short library calls end in time; one long call into C does not, and its limit
    is that of the container. Without a main thread there is no clock, and within another deadline none.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise _Overtime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _bytes(path: Path, budget: Budget) -> bytes:
    """The content of a regular file that nobody else links to. Raises ``Unreadable``."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        raise Unreadable("irregular") from None
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise Unreadable("irregular")
        if state.st_size > budget.file_bytes:
            raise Unreadable("size")
        data = file.read(budget.file_bytes + 1)
    if len(data) > budget.file_bytes:
        raise Unreadable("size")
    return data


def _lay_open(document: Document, data: bytes, formats: list[str], budget: Budget) -> None:
    """Fill ``document`` from ``data``. Raises whatever a reader raises."""
    document.sha256, document.size = hashlib.sha256(data).hexdigest(), len(data)
    document.form = form = sniff(document.path, data)
    module, _, function = READERS.get(form, "").partition(":")
    if not module or {"jsonl": "json"}.get(form, form) not in formats:
        raise Unreadable("unknown")
    getattr(importlib.import_module(f"{__name__}.{module}"), function)(document, data, budget)
    if {"jsonl": "json"}.get(document.form, document.form) not in formats:  # what a reader recognised inside
        raise Unreadable("unknown")
    if isinstance(document.body, Members):
        _members(document, document.body, formats, budget)


def _members(document: Document, members: Members, formats: list[str], budget: Budget) -> None:
    """Read every member; what one unpacks to is no longer there for the next. Raises ``Unreadable``."""
    if budget.archives < 1:
        raise Unreadable("nested")
    seen = [unicodedata.normalize("NFKC", name).casefold() for name, _ in members.files]
    if len(set(seen)) != len(seen):
        raise Unreadable("duplicate")
    left = budget.file_bytes - sum(len(data) for _, data in members.files)
    for name, data in members.files:
        path = f"{document.path}/{name}"
        member = Document(path, short_path(path), "", 0, outer=document.path)
        inner = replace(budget, file_bytes=max(left, 1), archives=budget.archives - 1)
        _guarded(member, data, formats, inner)
        left -= sum(part.size for part in member.family()) - member.size
        document.members.append(member)
    document.body = None


def _guarded(document: Document, data: bytes, formats: list[str], budget: Budget) -> None:
    """Lay open; whatever goes wrong becomes a fault, without the text of an exception."""
    try:
        _lay_open(document, data, formats, budget)
    except Unreadable as refused:
        document.faults.append((refused.reason, ""))
    except Exception:  # whatever a parser does with hostile bytes: fail closed
        document.faults.append(("reader", ""))
    if document.faults:
        document.tables, document.pictures, document.members, document.body = [], [], [], None


def read(path: Path, name: str, formats: list[str], budget: Budget) -> Document:
    """Read the file at ``path``, known as ``name`` within the outputs.

    ``formats`` is the policy's allow-list of forms. Never raises for what the file holds: a file that
    cannot be read, or only in part, comes back with ``faults`` and without tables. The members of an archive
    are documents of their own (``Document.family``).
    """
    document = Document(name, short_path(name), "", 0)
    try:
        with _deadline(budget.seconds):
            try:
                _guarded(document, _bytes(path, budget), formats, budget)
            except Unreadable as refused:
                document.faults.append((refused.reason, ""))
    except _Overtime:
        document = Document(name, short_path(name), document.sha256, document.size, document.form)
        document.faults.append(("time", ""))
    return document
