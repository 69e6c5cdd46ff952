"""Hostile bytes in, a canonical form or a fault out. A reader is one file; this table lists them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from sandbox.egress.clean import short_path
from sandbox.egress.forms import Budget, Document, Unreadable
from sandbox.egress.readers import csv, json, markdown, parquet, png
from sandbox.egress.readers.sniff import sniff

READERS: dict[str, Callable[[Document, bytes, Budget], None]] = {
    "csv": csv.read,
    "parquet": parquet.read,
    "json": json.read,
    "jsonl": json.read_lines,
    "markdown": markdown.read,
    "png": png.read,
}


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


def read(path: Path, name: str, formats: list[str], budget: Budget) -> Document:
    """Read the file at ``path``, known as ``name`` within the outputs.

    ``formats`` is the policy's allow-list of forms. Never raises for what the file holds: a file that
    cannot be read, or only in part, comes back with ``faults`` and without tables.
    """
    document = Document(name, short_path(name), "", 0)
    try:
        data = _bytes(path, budget)
        document.sha256, document.size = hashlib.sha256(data).hexdigest(), len(data)
        form = sniff(name, data)
        document.form = form
        if {"jsonl": "json"}.get(form, form) not in formats:
            raise Unreadable("unknown")
        READERS[form](document, data, budget)
    except Unreadable as refused:
        document.faults.append((refused.reason, ""))
    except Exception:  # whatever a parser does with hostile bytes: fail closed, without its text
        document.faults.append(("reader", ""))
    if document.faults:
        document.tables, document.body = [], None
    return document
